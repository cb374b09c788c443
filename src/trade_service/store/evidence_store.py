"""The search for evidence in PostgreSQL."""

import asyncpg
import msgspec

from trade_service.domain.executions import SubmissionState
from trade_service.store.database import Database
from trade_service.store.statements import load
from trade_service.trading.evidence import EvidenceFilter, EvidencePage, EvidencePosition, FoundEvidence

_SQL = load("evidence")
_LOOKED_AT = 50_000
"""Rows that one page looks at: its time is bounded, however few match."""


class PostgresEvidence:
    """The port EvidenceReads on PostgreSQL."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def evidence(
        self, wanted: EvidenceFilter, before: EvidencePosition | None, limit: int
    ) -> EvidencePage:
        at, identity = before or (wanted.until, 0)
        values = msgspec.structs.asdict(wanted)
        values |= {"before_at": at, "before_id": identity, "looked_at": _LOOKED_AT, "limit": limit}
        of_one = wanted.execution_id is not None
        statement = _SQL["page_of_execution"] if of_one else _SQL["page"]
        async with self._database.session() as session:
            rows = await session.fetch(statement, **values)
            evidence = tuple(_found(row) for row in rows)
            if len(rows) == limit:
                return EvidencePage(evidence, EvidencePosition(rows[-1][0], rows[-1][1]))
            last = None if of_one else await session.fetch_row(_SQL["last_looked_at"], **values)
        return EvidencePage(evidence, None if last is None else EvidencePosition(*last))


def _found(row: asyncpg.Record) -> FoundEvidence:
    _, _, found_at, source, code, attempt_id, before, state, *fields = row
    state_before = None if before is None else SubmissionState(before)
    return FoundEvidence(found_at, source, code, attempt_id, state_before, SubmissionState(state), *fields)
