"""Archive files: which rows are archived, how a file describes them, and what is read of a line."""

from collections.abc import Sequence
from datetime import UTC, datetime
from enum import StrEnum
from typing import NamedTuple

import msgspec

FORMAT = 1
"""Version of the manifest."""


class ArchiveKind(StrEnum):
    """What is archived; the name of its folder, in the order in which a run takes them."""

    EXECUTIONS = "executions"
    """Rejected, exhausted, or accepted and no longer traded."""
    ATTEMPTS = "attempts"
    """Closed, and needed by no execution that is here."""
    EVIDENCE = "evidence"
    """Of executions that are finished or gone."""
    BULK_SUBMISSIONS = "bulk_submissions"
    """None of whose executions is open."""
    AUDIT_LOG = "audit_log"


_TIMES = {
    ArchiveKind.EXECUTIONS: "execution_timestamp",
    ArchiveKind.ATTEMPTS: "started_at",
    ArchiveKind.EVIDENCE: "found_at",
    ArchiveKind.BULK_SUBMISSIONS: "created_at",
    ArchiveKind.AUDIT_LOG: "at",
}


class ArchiveBusy(Exception):
    """Another process is archiving this database."""


class ArchiveDamaged(Exception):
    """A file is missing or is not what its manifest says."""

    def __init__(self, name: str, problem: str) -> None:
        super().__init__(f"{name}: {problem}")
        self.problem = problem


class RowsChanged(Exception):
    """Rows are no longer as the file holds them, or no longer due: nothing was removed."""


class Cutoff(NamedTuple):
    """Rows before this time are past their retention."""

    before: datetime
    before_id: str
    """The least UUID of version 7 made after it by any replica's clock."""


class Place(NamedTuple):
    """Where a row stands in the order in which its kind is read."""

    at: datetime
    id: str


class PageRow(NamedTuple):
    """A row that a page looked at."""

    place: Place
    line: str | None
    """The row as JSON; None if it is not due."""


class ArchiveFile(msgspec.Struct, frozen=True, rename="camel"):
    """One file of archived rows, as its manifest and the database describe it."""

    kind: ArchiveKind
    name: str
    """Its path in the archive folder."""
    rows: int
    sha256: str
    """Of the file as it is, compressed."""
    first_at: datetime
    last_at: datetime
    first_execution_id: int | None
    """The least execution that its rows are about."""
    last_execution_id: int | None
    oldest_epoch: int | None
    """Of attempts: the oldest epoch of the ledger that one was sent in; 0 for one that knew none."""


class Origin(msgspec.Struct, frozen=True, rename="camel"):
    """Where the rows of a file come from."""

    database: str
    schema: str
    """Revision of the database's schema."""
    release: str


class Manifest(msgspec.Struct, frozen=True, rename="camel"):
    """The manifest beside each file."""

    file: ArchiveFile
    origin: Origin
    written_at: datetime
    format: int = FORMAT


class Line(msgspec.Struct, frozen=True):
    """The fields that archiving reads of a row of any kind."""

    id: int | str
    execution_id: int | None = None
    execution_ids: tuple[int, ...] = ()
    object: str = ""
    object_ids: tuple[int, ...] = ()
    epoch: int | None = None
    floor_void: bool = False
    execution_timestamp: datetime | None = None
    started_at: datetime | None = None
    found_at: datetime | None = None
    created_at: datetime | None = None
    at: datetime | None = None

    def place(self, kind: ArchiveKind) -> Place:
        """Its place in the order of its kind."""
        at = getattr(self, _TIMES[kind])
        assert isinstance(at, datetime), f"a line of {kind} without {_TIMES[kind]}"
        return Place(at, str(self.id))

    def executions(self, kind: ArchiveKind) -> Sequence[int]:
        """Ids of the executions that it is about."""
        match kind:
            case ArchiveKind.EXECUTIONS:
                return (int(self.id),)
            case ArchiveKind.EVIDENCE:
                return () if self.execution_id is None else (self.execution_id,)
            case ArchiveKind.AUDIT_LOG:
                return self.object_ids if self.object == "execution" else ()
        return self.execution_ids


def described(kind: ArchiveKind, name: str, sha256: str, lines: Sequence[str]) -> ArchiveFile:
    """The description of a file with these lines."""
    read = [read_line(line) for line in lines]
    ids = [execution_id for line in read for execution_id in line.executions(kind)]
    times = [line.place(kind).at.astimezone(UTC) for line in read]
    epochs = [0 if line.floor_void else line.epoch for line in read if line.epoch is not None]
    return ArchiveFile(
        kind=kind,
        name=name,
        rows=len(lines),
        sha256=sha256,
        first_at=min(times),
        last_at=max(times),
        first_execution_id=min(ids, default=None),
        last_execution_id=max(ids, default=None),
        oldest_epoch=min(epochs, default=None),
    )


def read_line(line: str) -> Line:
    """Parses a line."""
    return msgspec.json.decode(line, type=Line)
