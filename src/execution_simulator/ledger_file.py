"""A ledger file, synced before each answer leaves, so that `kill -9` loses nothing.

Each commit appends one line of JSON. A line truncated by a kill or a full disk was never answered, so it counts
as not accepted.
"""

import os
from collections.abc import Callable, Sequence
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Final, Self

import msgspec
from msgspec import UNSET, UnsetType

from execution_simulator.columns import Amounts, amounts_of
from execution_simulator.ledger import Ledger, VersionOf, version_one
from execution_simulator.payloads import ExecutionPost, encode


class LedgerFileError(Exception):
    """The file is unusable or is not a ledger; the message names the line."""


class _Opened(msgspec.Struct, tag="opened", tag_field="line", rename="camel"):
    """The first line."""

    first_id: int


class _Accepted(msgspec.Struct, tag="accepted", tag_field="line", rename="camel"):
    """One commit: executions with consecutive ids; ``first_id`` is set where ids were skipped."""

    received_timestamp: datetime
    executions: list[ExecutionPost]
    first_id: int | UnsetType = UNSET
    singly: bool | UnsetType = UNSET


class _Filled(msgspec.Struct, tag="filled", tag_field="line", rename="camel"):
    """A fill; `version` is the version it was based on."""

    id: int
    quantity_filled: Decimal
    average_price: Decimal | None
    version: int


_decode: Final[Callable[[bytes], _Opened | _Accepted | _Filled]] = msgspec.json.Decoder(
    _Opened | _Accepted | _Filled
).decode


class LedgerFile:
    """An open, locked ledger file. Every write blocks until it is on disk, or raises OSError."""

    def __init__(self, fd: int, version_of: VersionOf) -> None:
        self._fd = fd
        self._version_of = version_of
        self._size = os.fstat(fd).st_size
        self._next_id = 0

    @classmethod
    def open(cls, path: Path, first_id: int, version_of: VersionOf = version_one) -> tuple[Self, Ledger]:
        """Opens or creates a file; returns it with its ledger, which starts at `first_id` if the file is new.

        Raises LedgerFileError if the file is unusable, locked by another process, or not a ledger.
        """
        try:
            fd = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o644)
        except OSError as error:
            raise LedgerFileError(
                f"{path} cannot hold the ledger ({error.strerror}): name another file"
            ) from error
        try:
            _lock(fd, path)
            content = path.read_bytes()
            whole = content[: content.rfind(b"\n") + 1]
            ledger = _read_back(path, whole.splitlines(), version_of) if whole else None
            os.ftruncate(fd, len(whole))
            file = cls(fd, version_of)
            if ledger is None:
                ledger = file.begin(first_id)
            file._next_id = ledger.next_id
            return file, ledger
        except BaseException:
            os.close(fd)
            raise

    def begin(self, first_id: int) -> Ledger:
        """Discards the content and starts an empty ledger."""
        os.ftruncate(self._fd, 0)
        self._size = 0
        self._append(_Opened(first_id))
        self._next_id = first_id
        return Ledger(first_id, self._version_of)

    def accepted(
        self, posts: Sequence[ExecutionPost], now: datetime, first_id: int, *, singly: bool = False
    ) -> None:
        """Appends one commit; `first_id` is the id of its first execution."""
        named = UNSET if first_id == self._next_id else first_id
        self._append(_Accepted(now, list(posts), named, singly or UNSET))
        self._next_id = first_id + len(posts)

    def filled(self, execution_id: int, filled: Decimal, average_price: Decimal | None, version: int) -> None:
        self._append(_Filled(execution_id, filled, average_price, version))

    def close(self) -> None:
        os.close(self._fd)

    def _append(self, line: _Opened | _Accepted | _Filled) -> None:
        """Writes the whole line or nothing."""
        data = encode(line) + b"\n"
        try:
            if os.write(self._fd, data) < len(data):
                raise OSError("only part of the line was written")
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
        raise LedgerFileError(
            f"another simulator keeps its ledger in {path}: stop it, or name another file"
        ) from None


def _read_back(path: Path, lines: Sequence[bytes], version_of: VersionOf) -> Ledger:
    ledger: Ledger | None = None
    for number, text in enumerate(lines, 1):
        try:
            ledger = _entered(ledger, _decode(text), version_of)
        except ValueError as error:
            raise LedgerFileError(
                f"line {number} of {path} is not a line of the simulator's ledger ({error}): name another file"
            ) from error
    assert ledger is not None
    return ledger


def _entered(ledger: Ledger | None, line: _Opened | _Accepted | _Filled, version_of: VersionOf) -> Ledger:
    match line:
        case _Opened() if ledger is None:
            return Ledger(line.first_id, version_of)
        case _Accepted() if ledger is not None:
            _accept(ledger, line)
            return ledger
        case _Filled() if ledger is not None:
            if ledger.refill(line.id, line.quantity_filled, line.average_price, line.version) is None:
                raise ValueError(f"execution {line.id} does not exist")
            return ledger
        case _:
            raise ValueError("only the first line may open the ledger")


def _accept(ledger: Ledger, line: _Accepted) -> None:
    amounts: list[Amounts] = []
    for post in line.executions:
        found = amounts_of(post)
        if found is None or not post.security_id:
            raise ValueError("it contains an execution that cannot have been accepted")
        amounts.append(found)
    if line.first_id is not UNSET:
        if line.first_id < ledger.next_id:
            raise ValueError(f"id {line.first_id} follows id {ledger.next_id - 1}")
        ledger.skip(line.first_id - ledger.next_id)
    ledger.accept(line.executions, amounts, line.received_timestamp, singly=line.singly is True)
