"""PostgreSQL as the store of rows to archive, and the register of their files."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime

import msgspec

from trade_service import __version__
from trade_service.domain.executions import FINAL_STATUSES
from trade_service.store.audit_log_store import record
from trade_service.store.bulk_store import CLOCK_SKEW_MS
from trade_service.store.database import Database
from trade_service.store.statements import load
from trade_service.trading.archive_model import (
    ArchiveBusy,
    ArchiveFile,
    ArchiveKind,
    Cutoff,
    Origin,
    PageRow,
    Place,
    RowsChanged,
    read_line,
)
from trade_service.trading.archive_reading import ExecutionsOfOrder
from trade_service.trading.audit_log import Action, ObjectKind

_SQL = load("archive")
ARCHIVE_LOCK = 0x7472_6164_655F_6172
"""Key of the advisory lock that lets one process archive at a time. It ends with its transaction, so it works
behind PgBouncer too."""
NEWEST_ATTEMPTS = 1000
"""The newest attempts stay at any age: start-up reads the ledger ids of the newest 200."""
_UNTIMED = "SET LOCAL idle_in_transaction_session_timeout = 0"
"""The transaction that holds the lock idles while files are written."""
_FILES = 1000
_IDS_OF_TIMES = (ArchiveKind.ATTEMPTS, ArchiveKind.BULK_SUBMISSIONS)
"""Kinds whose ids are UUIDs that begin with a time: they are read in the order of ids."""
_BEGINNING = datetime(1, 1, 1, tzinfo=UTC)
_FINAL_STATUSES = sorted(FINAL_STATUSES)


class PostgresArchiveStore:
    """The port ArchiveReads on PostgreSQL."""

    def __init__(self, database: Database) -> None:
        self._database = database

    @asynccontextmanager
    async def alone(self) -> AsyncIterator[None]:
        async with self._database.narrowed() as own, own.transaction() as session:
            if not await session.fetch_value(_SQL["alone"], key=ARCHIVE_LOCK):
                raise ArchiveBusy("another process is archiving this database: wait until it ends")
            # In the simple protocol, which closes the statement before: its snapshot would hold up every vacuum
            # until archiving ends.
            await session.connection.execute(_UNTIMED)
            yield

    async def origin(self) -> Origin:
        ((database, schema),) = await self._database.fetch(_SQL["place"])
        return Origin(database, schema, __version__)

    async def cutoff(self, keep_days: int) -> Cutoff:
        ((before, before_id),) = await self._database.fetch(
            _SQL["cutoff"], keep_days=keep_days, skew_ms=CLOCK_SKEW_MS
        )
        return Cutoff(before, before_id)

    async def page(
        self, kind: ArchiveKind, cutoff: Cutoff, after: Place | None, limit: int
    ) -> Sequence[PageRow]:
        first = "00000000-0000-0000-0000-000000000000" if kind in _IDS_OF_TIMES else "0"
        place = after or Place(_BEGINNING, first)
        async with self._database.transaction() as session:
            await session.fetch(_SQL["utc"])
            rows = await session.fetch(
                _SQL[f"page_{kind}"],
                after_at=place.at,
                after_id=place.id,
                limit=limit,
                newest=NEWEST_ATTEMPTS,
                final_statuses=_FINAL_STATUSES,
                **cutoff._asdict(),
            )
        return [PageRow(Place(at, identity), line) for at, identity, line in rows]

    async def remove(self, file: ArchiveFile, lines: Sequence[str], cutoff: Cutoff) -> None:
        keys = {
            "ids": [read_line(line).place(file.kind).id for line in lines],
            "first_at": file.first_at,
            "last_at": file.last_at,
        }
        async with self._database.transaction() as session:
            await session.fetch(_SQL["utc"])
            held = await session.fetch(
                _SQL[f"lock_{file.kind}"], final_statuses=_FINAL_STATUSES, **keys, **cutoff._asdict()
            )
            if len(held) != file.rows or {line for _, line in held} != set(lines):
                raise RowsChanged(f"{file.name}: rows have changed, are no longer due, or are gone")
            file_id = await session.fetch_value(_SQL["register"], **msgspec.structs.asdict(file))
            removed = await session.execute(_SQL[f"remove_{file.kind}"], file_id=file_id, **keys)
            assert removed == file.rows, f"{removed} rows of {file.rows} that are locked were removed"
            details = {"kind": file.kind, "rows": file.rows, "sha256": file.sha256}
            await record(session, Action.ARCHIVE, ObjectKind.ARCHIVE_FILE, name=file.name, details=details)

    async def files(self) -> AsyncIterator[ArchiveFile]:
        after = 0
        while rows := await self._database.fetch(_SQL["files"], after=after, limit=_FILES):
            for row in rows:
                yield ArchiveFile(ArchiveKind(row["kind"]), *tuple(row)[1:-1])
            after = rows[-1]["id"]

    async def known_executions(self, name: str, execution_ids: Sequence[int]) -> int:
        found = await self._database.fetch_value(_SQL["known_executions"], name=name, ids=list(execution_ids))
        return int(found)

    async def order(self, order_id: int) -> ExecutionsOfOrder | None:
        row = await self._database.fetch_row(_SQL["search_order"], order_id=order_id)
        return None if row is None else ExecutionsOfOrder(row[0], tuple(row[1]))

    async def executions_accepted_as(self, service_id: int) -> list[int]:
        rows = await self._database.fetch(_SQL["search_service_id"], service_id=service_id)
        return [execution_id for (execution_id,) in rows]
