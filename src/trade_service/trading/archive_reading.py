"""Reads archived rows: verifies their files, and finds rows in them."""

from collections.abc import AsyncIterator, Collection, Sequence
from datetime import datetime
from typing import NamedTuple, Protocol

import msgspec

from trade_service.trading.archive_model import (
    ArchiveDamaged,
    ArchiveFile,
    ArchiveKind,
    described,
    read_line,
)
from trade_service.trading.archiving import (
    ArchiveFiles,
    ArchiveStore,
)


class ArchiveProblem(msgspec.Struct, frozen=True, rename="camel"):
    """A file that is not as it was when its rows left the database."""

    name: str
    problem: str


class ArchiveCheck(msgspec.Struct, rename="camel"):
    """The result of verifying all files."""

    files: int = 0
    rows: int = 0
    problems: list[ArchiveProblem] = []
    unregistered: list[str] = []
    """Files in the folder that this database does not know: an interrupted run's, or another database's."""


class ArchiveQuery(msgspec.Struct, frozen=True):
    """Selects archived rows; a field that is None matches all."""

    kinds: Collection[ArchiveKind] = tuple(ArchiveKind)
    execution_ids: frozenset[int] | None = None
    trade_order_id: int | None = None
    """Also entries of the audit log about the order itself."""
    since: datetime | None = None
    until: datetime | None = None


class ExecutionsOfOrder(NamedTuple):
    """A trade order and its executions, here or archived."""

    trade_order_id: int
    execution_ids: tuple[int, ...]


class ArchiveReads(ArchiveStore, Protocol):
    """What verifying and searching read from the database. Every method may raise StoreUnavailable."""

    async def known_executions(self, name: str, execution_ids: Sequence[int]) -> int:
        """How many of the executions this database knows as archived in a file."""

    async def order(self, order_id: int) -> ExecutionsOfOrder | None:
        """The trade order with this order id."""

    async def executions_accepted_as(self, service_id: int) -> list[int]:
        """Executions, here or archived, with an id of the Execution Service."""


async def verify(store: ArchiveReads, folder: ArchiveFiles) -> ArchiveCheck:
    """Checks that every registered file exists, has its checksum, and holds what the database removed."""
    check = ArchiveCheck()
    left = dict(await folder.manifests())
    async for file in store.files():
        manifest = left.pop(file.name, None)
        check.files += 1
        check.rows += file.rows
        try:
            lines = await folder.read(file)
            if manifest is None or manifest.file != file:
                raise ArchiveDamaged(file.name, "its manifest is missing, unreadable or different")
            if described(file.kind, file.name, file.sha256, lines) != file:
                raise ArchiveDamaged(file.name, "its rows are not those that were removed")
            if file.kind is ArchiveKind.EXECUTIONS:
                ids = [int(read_line(line).id) for line in lines]
                if await store.known_executions(file.name, ids) != len(ids):
                    problem = "the database does not have all of its executions as archived in this file"
                    raise ArchiveDamaged(file.name, problem)
        except ArchiveDamaged as error:
            check.problems.append(ArchiveProblem(file.name, error.problem))
        except OSError as error:
            check.problems.append(ArchiveProblem(file.name, f"it cannot be read: {error.strerror}"))
    check.unregistered = sorted(left)
    return check


async def search(
    store: ArchiveReads, folder: ArchiveFiles, wanted: ArchiveQuery
) -> AsyncIterator[tuple[ArchiveFile, str]]:
    """Rows that match as JSON, in the order of their files, each with its file.

    Raises ArchiveDamaged for a file that cannot be trusted, OSError.
    """
    async for file in store.files():
        if not _may_hold(file, wanted):
            continue
        for line in await folder.read(file):
            if _matches(file.kind, line, wanted):
                yield file, line


def _may_hold(file: ArchiveFile, wanted: ArchiveQuery) -> bool:
    if file.kind not in wanted.kinds:
        return False
    if wanted.since is not None and file.last_at < wanted.since:
        return False
    if wanted.until is not None and file.first_at >= wanted.until:
        return False
    if file.kind is ArchiveKind.AUDIT_LOG and wanted.trade_order_id is not None:
        return True
    if wanted.execution_ids is None:
        return True
    first, last = file.first_execution_id, file.last_execution_id
    return first is not None and last is not None and any(first <= i <= last for i in wanted.execution_ids)


def _matches(kind: ArchiveKind, text: str, wanted: ArchiveQuery) -> bool:
    line = read_line(text)
    at = line.place(kind).at
    if (wanted.since is not None and at < wanted.since) or (wanted.until is not None and at >= wanted.until):
        return False
    if wanted.execution_ids is None or not wanted.execution_ids.isdisjoint(line.executions(kind)):
        return True
    is_order = kind is ArchiveKind.AUDIT_LOG and line.object == "tradeOrder"
    return is_order and wanted.trade_order_id in line.object_ids
