"""Fills that are fetched from the Execution Service's books: the port FillStore on PostgreSQL."""

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Integer, Text, bindparam, text
from sqlalchemy.dialects.postgresql import ARRAY

from trade_service.store.database import Database
from trade_service.store.engine import autocommitted
from trade_service.trading.fill_check import FetchedFill, HeldFill, RefusedFill

_INTEGERS = ARRAY(Integer)

BEGIN = text("""
UPDATE downstream
SET fills_checked_at = now()
WHERE id = 1
  AND (fills_checked_at IS NULL OR fills_checked_at <= now() - cast(:every_s AS float8) * interval '1 s')
RETURNING fills_offset
""").bindparams(bindparam("every_s", type_=sa.Float))
END = text("UPDATE downstream SET fills_offset = :offset WHERE id = 1").bindparams(
    bindparam("offset", type_=Integer)
)
HELD = text("""
SELECT e.id, e.execution_service_id, e.execution_status_id, e.quantity_filled, e.quantity_ordered, e.version
FROM execution e
WHERE e.id = ANY(:ids) AND coalesce(e.submission_state, 'accepted') = 'accepted'
  AND e.execution_service_id IS NOT NULL
""").bindparams(bindparam("ids", type_=_INTEGERS))
"""In the order of the fields of HeldFill. A service id proves that a row of the earlier service was accepted."""
STORE = text("""
WITH locked AS MATERIALIZED (
    SELECT e.id, e.version, e.execution_service_id, e.submission_state
    FROM execution e
    WHERE e.id = ANY(:ids)
    ORDER BY e.id
    FOR NO KEY UPDATE
), before AS MATERIALIZED (
    SELECT l.id, l.submission_state, t.status_id, t.quantity, t.message
    FROM locked l
    JOIN unnest(:ids, :service_ids, :versions, :status_ids, :quantities, :messages)
        AS t(id, service_id, version, status_id, quantity, message) ON t.id = l.id
    WHERE l.version = t.version AND l.execution_service_id = t.service_id
      AND coalesce(l.submission_state, 'accepted') = 'accepted'
), after AS (
    UPDATE execution e
    SET execution_status_id = b.status_id,
        quantity_filled = b.quantity,
        quantity_placed = CASE WHEN b.submission_state = 'accepted' THEN e.quantity_placed
                               ELSE e.quantity_ordered END,
        submission_state = 'accepted',
        version = e.version + 1
    FROM before b
    WHERE e.id = b.id
    RETURNING e.id, e.attempt_id, e.execution_service_id, b.submission_state, b.message
)
INSERT INTO submission_evidence
    (execution_id, source, code, attempt_id, state_before, state, service_id, message)
SELECT id, 'books', 'FILL_FETCHED', attempt_id, submission_state, 'accepted', execution_service_id, message
FROM after
ORDER BY id
RETURNING execution_id
""").bindparams(
    *(bindparam(name, type_=_INTEGERS) for name in ("ids", "service_ids", "versions", "status_ids")),
    bindparam("quantities", type_=ARRAY(sa.Numeric)),
    bindparam("messages", type_=ARRAY(Text)),
)
"""As FILL of order_sql stores a report, for executions of which the Execution Service's id is known."""
_REFUSED: tuple[sa.BindParameter[Any], ...] = (
    *(bindparam(name, type_=_INTEGERS) for name in ("ids", "service_ids")),
    bindparam("messages", type_=ARRAY(Text)),
)
NEW_REFUSALS = text("""
SELECT t.id
FROM unnest(:ids, :service_ids, :messages) AS t(id, service_id, message)
WHERE NOT EXISTS (
    SELECT FROM submission_evidence v
    WHERE v.execution_id = t.id AND v.code = 'FILL_REFUSED' AND v.service_id = t.service_id
      AND v.message = t.message)
ORDER BY t.id
""").bindparams(*_REFUSED)
NOTE_REFUSED = text("""
INSERT INTO submission_evidence (execution_id, source, code, state_before, state, service_id, message)
SELECT t.id, 'books', 'FILL_REFUSED', 'accepted', 'accepted', t.service_id, t.message
FROM unnest(:ids, :service_ids, :messages) AS t(id, service_id, message)
ORDER BY t.id
""").bindparams(*_REFUSED)


class PostgresFillStore:
    """See FillStore for what each method promises."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def begin_fill_check(self, every_s: float) -> int | None:
        """See FillStore."""
        rows = await self._run(BEGIN, every_s=every_s)
        return rows[0].fills_offset if rows else None

    async def end_fill_check(self, offset: int) -> None:
        """See FillStore."""
        await self._run(END, offset=offset)

    async def held_fills(self, execution_ids: Sequence[int]) -> list[HeldFill]:
        """See FillStore."""
        return [HeldFill(*row) for row in await self._run(HELD, ids=list(execution_ids))]

    async def store_fetched(self, fills: Sequence[FetchedFill]) -> list[int]:
        """See FillStore."""
        rows = await self._run(
            STORE,
            ids=[fill.execution_id for fill in fills],
            service_ids=[fill.execution_service_id for fill in fills],
            versions=[fill.version for fill in fills],
            status_ids=[fill.status_id for fill in fills],
            quantities=[fill.quantity_filled for fill in fills],
            messages=[fill.message for fill in fills],
        )
        return [row.execution_id for row in rows]

    async def new_refusals(self, fills: Sequence[RefusedFill]) -> list[int]:
        """See FillStore."""
        return [row.id for row in await self._run(NEW_REFUSALS, **_told(fills))]

    async def note_refused(self, fills: Sequence[RefusedFill]) -> None:
        """See FillStore."""
        await self._run(NOTE_REFUSED, **_told(fills))

    async def _run(self, statement: sa.TextClause, **values: object) -> Sequence[Any]:
        async with autocommitted(self._database) as connection:
            result = await connection.execute(statement, values)
            return result.all() if result.returns_rows else ()


def _told(fills: Sequence[RefusedFill]) -> dict[str, list[Any]]:
    return {
        "ids": [fill.execution_id for fill in fills],
        "service_ids": [fill.execution_service_id for fill in fills],
        "messages": [fill.message for fill in fills],
    }
