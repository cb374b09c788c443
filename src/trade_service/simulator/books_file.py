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

from trade_service.simulator.books import Books, VersionConflictError
from trade_service.simulator.checks import Refusal, check_all
from trade_service.simulator.messages import ExecutionPost, encode


class BooksFileError(Exception):
    """The file cannot be used, or holds something else than books; the message names the line."""


class _Opened(msgspec.Struct, tag="opened", tag_field="line", rename="camel"):
    """The first line."""

    first_id: int


class _Accepted(msgspec.Struct, tag="accepted", tag_field="line", rename="camel"):
    """One commit: executions that got the next ids, in order."""

    received_timestamp: datetime
    executions: list[ExecutionPost]


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
    """An open file of books. Every write blocks until the disk has it; raises OSError when it cannot."""

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self._size = os.fstat(fd).st_size

    @classmethod
    def open(cls, path: Path, first_id: int) -> tuple[Self, Books]:
        """The file, and the books in it; a new one gets books that begin with `first_id`.

        Raises BooksFileError when it cannot be used, or holds something else.
        """
        try:
            fd = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o644)
        except OSError as error:
            raise BooksFileError(f"{path} cannot hold books ({error.strerror}): name another file") from error
        try:
            content = path.read_bytes()
            whole = content[: content.rfind(b"\n") + 1]
            books = _read_back(path, whole.splitlines()) if whole else None
            os.ftruncate(fd, len(whole))
            file = cls(fd)
            return file, books or file.begin(first_id)
        except BaseException:
            os.close(fd)
            raise

    def begin(self, first_id: int) -> Books:
        """Forgets everything and begins anew."""
        os.ftruncate(self._fd, 0)
        self._size = 0
        self._append(_Opened(first_id))
        return Books(first_id)

    def accepted(self, posts: Sequence[ExecutionPost], now: datetime) -> None:
        """Writes one commit."""
        self._append(_Accepted(now, list(posts)))

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


def _read_back(path: Path, lines: Sequence[bytes]) -> Books:
    books: Books | None = None
    for number, text in enumerate(lines, 1):
        try:
            books = _entered(books, _decode(text))
        except (ValueError, VersionConflictError) as error:
            raise BooksFileError(
                f"line {number} of {path} is no line of the simulator's books ({error}): name another file"
            ) from error
    assert books is not None
    return books


def _entered(books: Books | None, line: _Opened | _Accepted | _Filled) -> Books:
    match line:
        case _Opened() if books is None:
            return Books(line.first_id)
        case _Accepted() if books is not None:
            checked = check_all(line.executions)
            amounts = [one for one in checked if not isinstance(one, Refusal)]
            if len(amounts) < len(checked):
                raise ValueError("an execution in it cannot have been accepted")
            books.accept(line.executions, amounts, line.received_timestamp)
            return books
        case _Filled() if books is not None:
            if books.fill(line.id, line.quantity_filled, line.average_price, line.version) is None:
                raise ValueError(f"there is no execution {line.id}")
            return books
        case _:
            raise ValueError("the first line, and no other, opens the books")
