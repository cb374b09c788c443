"""The books in a file: what was accepted is on the disk before anybody is told, so that a kill forgets nothing.

One line of JSON a commit, appended and synced. A line that was cut short by a kill or a full disk was never
answered for: it counts as not accepted.
"""

import os
from collections.abc import Callable, Sequence
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Final, Self

import msgspec
from msgspec import UNSET, UnsetType

from execution_simulator.books import Books, VersionOf, version_one
from execution_simulator.checks import Amounts, amounts_of
from execution_simulator.messages import ExecutionPost, encode


class BooksFileError(Exception):
    """The file cannot be used, or holds something else than books; the message names the line."""


class _Opened(msgspec.Struct, tag="opened", tag_field="line", rename="camel"):
    """The first line."""

    first_id: int


class _Accepted(msgspec.Struct, tag="accepted", tag_field="line", rename="camel"):
    """One commit: executions that got the next ids, in order; the first is named where ids were skipped."""

    received_timestamp: datetime
    executions: list[ExecutionPost]
    first_id: int | UnsetType = UNSET
    singly: bool | UnsetType = UNSET


class _Filled(msgspec.Struct, tag="filled", tag_field="line", rename="camel"):
    """A fill; `version` is the one it was based on."""

    id: int
    quantity_filled: Decimal
    average_price: Decimal | None
    version: int


_decode: Final[Callable[[bytes], _Opened | _Accepted | _Filled]] = msgspec.json.Decoder(
    _Opened | _Accepted | _Filled
).decode


class BooksFile:
    """An open file of books, locked. Every write blocks until the disk has it; raises OSError when it cannot."""

    def __init__(self, fd: int, version_of: VersionOf) -> None:
        self._fd = fd
        self._version_of = version_of
        self._size = os.fstat(fd).st_size
        self._next_id = 0

    @classmethod
    def open(cls, path: Path, first_id: int, version_of: VersionOf = version_one) -> tuple[Self, Books]:
        """The file, and the books in it; a new one gets books that begin with `first_id`.

        Raises BooksFileError when it cannot be used, another process uses it, or it holds something else.
        """
        try:
            fd = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o644)
        except OSError as error:
            raise BooksFileError(f"{path} cannot hold books ({error.strerror}): name another file") from error
        try:
            _lock(fd, path)
            content = path.read_bytes()
            whole = content[: content.rfind(b"\n") + 1]
            books = _read_back(path, whole.splitlines(), version_of) if whole else None
            os.ftruncate(fd, len(whole))
            file = cls(fd, version_of)
            if books is None:
                books = file.begin(first_id)
            file._next_id = books.next_id
            return file, books
        except BaseException:
            os.close(fd)
            raise

    def begin(self, first_id: int) -> Books:
        """Forgets everything and begins anew."""
        os.ftruncate(self._fd, 0)
        self._size = 0
        self._append(_Opened(first_id))
        self._next_id = first_id
        return Books(first_id, self._version_of)

    def accepted(
        self, posts: Sequence[ExecutionPost], now: datetime, first_id: int, *, singly: bool = False
    ) -> None:
        """Writes one commit, whose first execution has the id `first_id`."""
        named = UNSET if first_id == self._next_id else first_id
        self._append(_Accepted(now, list(posts), named, singly or UNSET))
        self._next_id = first_id + len(posts)

    def filled(self, execution_id: int, filled: Decimal, average_price: Decimal | None, version: int) -> None:
        """Writes a fill."""
        self._append(_Filled(execution_id, filled, average_price, version))

    def close(self) -> None:
        """Closes the file."""
        os.close(self._fd)

    def _append(self, line: _Opened | _Accepted | _Filled) -> None:
        """The whole line, or as if nothing had been written."""
        data = encode(line) + b"\n"
        try:
            if os.write(self._fd, data) < len(data):
                raise OSError("the disk took only a part of the line")
            os.fsync(self._fd)
        except OSError:
            os.ftruncate(self._fd, self._size)
            raise
        self._size += len(data)


def _lock(fd: int, path: Path) -> None:
    import fcntl  # not on Windows

    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise BooksFileError(
            f"another process keeps its books in {path}: stop it, or name another file"
        ) from None


def _read_back(path: Path, lines: Sequence[bytes], version_of: VersionOf) -> Books:
    books: Books | None = None
    for number, text in enumerate(lines, 1):
        try:
            books = _entered(books, _decode(text), version_of)
        except ValueError as error:
            raise BooksFileError(
                f"line {number} of {path} is no line of the simulator's books ({error}): name another file"
            ) from error
    assert books is not None
    return books


def _entered(books: Books | None, line: _Opened | _Accepted | _Filled, version_of: VersionOf) -> Books:
    match line:
        case _Opened() if books is None:
            return Books(line.first_id, version_of)
        case _Accepted() if books is not None:
            _accept(books, line)
            return books
        case _Filled() if books is not None:
            if books.refill(line.id, line.quantity_filled, line.average_price, line.version) is None:
                raise ValueError(f"there is no execution {line.id}")
            return books
        case _:
            raise ValueError("the first line, and no other, opens the books")


def _accept(books: Books, line: _Accepted) -> None:
    amounts: list[Amounts] = []
    for post in line.executions:
        found = amounts_of(post)
        if found is None or not post.security_id:
            raise ValueError("an execution in it cannot have been accepted")
        amounts.append(found)
    if line.first_id is not UNSET:
        if line.first_id < books.next_id:
            raise ValueError(f"the id {line.first_id} comes after {books.next_id - 1}")
        books.skip(line.first_id - books.next_id)
    books.accept(line.executions, amounts, line.received_timestamp, singly=line.singly is True)
