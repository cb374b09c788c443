"""What the audit reads from our own books. Only reads; each statement sees one moment."""

from collections.abc import AsyncIterator, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Integer, bindparam, text
from sqlalchemy.dialects.postgresql import ARRAY

from trade_service.domain.executions import SubmissionState
from trade_service.store.database import Database
from trade_service.store.engine import autocommitted, whole_tables
from trade_service.trading.audit import AcceptedExecution, Balance, Listed, OwnExecution, WrongOrder

PAGE = 10_000

_OLD = """
    (e.submission_state IS NULL
     OR e.submission_state = 'accepted' AND e.attempt_id IS NULL
     OR e.attempt_id IN (SELECT id FROM submission_attempt WHERE adopted))
"""
"""Rows that the earlier service wrote, taken over or not."""

_COUNT_BY_STATE = ", ".join(
    f"count(*) FILTER (WHERE e.submission_state = '{state}') AS state_{state}" for state in SubmissionState
)
_SUM_BY_STATE = ", ".join(f"coalesce(sum(state_{state}), 0) AS state_{state}" for state in SubmissionState)

_ORDERS = f"""
WITH per_order AS (
    SELECT e.trade_order_id,
           count(*) AS executions,
           count(*) FILTER (WHERE e.submission_state <> 'none') AS submitted,
           {_COUNT_BY_STATE},
           sum(e.quantity_ordered) FILTER (
               WHERE coalesce(e.submission_state, '') NOT IN ('rejected', 'exhausted')) AS held,
           bool_or({_OLD}) AS has_old
    FROM execution e
    GROUP BY e.trade_order_id
), orders AS (
    SELECT o.id, o.order_id, o.quantity_sent, coalesce(p.held, 0) AS quantity_held,
           o.quantity_sent <> coalesce(p.held, 0) AS differs,
           -- An order without executions may be the earlier service's, where that one was at work.
           coalesce(p.has_old, to_regclass('flyway_schema_history') IS NOT NULL) AS old,
           p.*
    FROM trade_order o LEFT JOIN per_order p ON p.trade_order_id = o.id
)
"""
BALANCE = text(f"""{_ORDERS}
SELECT count(*) AS orders,
       coalesce(sum(executions), 0) AS executions,
       coalesce(sum(submitted), 0) AS submitted,
       {_SUM_BY_STATE},
       coalesce(sum(quantity_sent), 0) AS quantity_sent,
       coalesce(sum(quantity_held), 0) AS quantity_held,
       count(*) FILTER (WHERE differs AND NOT old) AS wrong_orders,
       count(*) FILTER (WHERE differs AND old) AS old_orders
FROM orders
""")
WRONG_ORDERS = text(f"""{_ORDERS}
SELECT id, order_id, quantity_sent, quantity_held
FROM orders
WHERE differs AND NOT old
ORDER BY id
LIMIT :limit
""").bindparams(bindparam("limit", type_=Integer))
WITHOUT_ID = text(f"""
SELECT e.id, count(*) OVER () AS total
FROM execution e LEFT JOIN submission_attempt a ON a.id = e.attempt_id
WHERE e.submission_state = 'accepted' AND e.execution_service_id IS NULL AND a.next_action_at IS NULL
  AND NOT {_OLD}
ORDER BY e.id
LIMIT :limit
""").bindparams(bindparam("limit", type_=Integer))
STRANDED = text("""
SELECT e.id, e.submission_state, count(*) OVER () AS total
FROM execution e LEFT JOIN submission_attempt a ON a.id = e.attempt_id
WHERE e.submission_state IN ('queued', 'claimed', 'retry', 'unknown') AND a.next_action_at IS NULL
ORDER BY e.id
LIMIT :limit
""").bindparams(bindparam("limit", type_=Integer))
IDLE_ATTEMPTS = text("""
SELECT count(*)
FROM submission_attempt a
WHERE a.next_action_at IS NOT NULL
  AND NOT EXISTS (
      SELECT FROM execution e
      WHERE e.id = ANY(a.execution_ids) AND e.attempt_id = a.id
        AND (e.submission_state IN ('queued', 'claimed', 'retry', 'unknown')
             OR e.submission_state = 'accepted' AND e.execution_service_id IS NULL))
""")
OWN = text("""
SELECT e.id, e.submission_state, e.execution_service_id, e.execution_timestamp, t.abbreviation AS trade_type,
       rtrim(o.security_id) AS security_id, e.quantity_ordered, d.abbreviation AS destination
FROM execution e
-- OFFSET keeps it a look-up an execution.
CROSS JOIN LATERAL (SELECT * FROM trade_order t WHERE t.id = e.trade_order_id OFFSET 0) o
JOIN destination d ON d.id = e.destination_id
LEFT JOIN trade_type t ON t.id = e.trade_type_id
WHERE e.id = ANY(:ids)
""").bindparams(bindparam("ids", type_=ARRAY(Integer)))
ACCEPTED = text(f"""
SELECT e.id, e.execution_service_id, {_OLD} AS old, e.submission_state = 'accepted' AS accepted
FROM (SELECT * FROM execution WHERE id > :after ORDER BY id LIMIT :limit) e
ORDER BY e.id
""").bindparams(*(bindparam(name, type_=Integer) for name in ("after", "limit")))
_LIMIT_ID = 2**31


class PostgresAuditReads:
    """What an audit reads of this database. Raises StoreUnavailable."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def balance(self) -> Balance:
        """Counts and quantities of everything."""
        (row,) = await self._run(BALANCE)
        return Balance(
            row.orders,
            int(row.executions),
            int(row.submitted),
            {state.value: int(getattr(row, f"state_{state}")) for state in SubmissionState},
            row.quantity_sent,
            row.quantity_held,
            row.wrong_orders,
            row.old_orders,
        )

    async def wrong_orders(self, limit: int) -> list[WrongOrder]:
        """The first orders of this service whose quantitySent is not the sum over their executions."""
        return [WrongOrder(*row) for row in await self._run(WRONG_ORDERS, limit=limit)]

    async def accepted_without_id(self, limit: int) -> Listed:
        """Executions that this service calls accepted, whose id it neither knows nor looks for."""
        rows = await self._run(WITHOUT_ID, limit=limit)
        return Listed(tuple((row.id, "accepted") for row in rows), rows[0].total if rows else 0)

    async def stranded(self, limit: int) -> Listed:
        """Executions that are not final and that no open attempt owns."""
        rows = await self._run(STRANDED, limit=limit)
        return Listed(tuple((row.id, row.submission_state) for row in rows), rows[0].total if rows else 0)

    async def idle_attempts(self) -> int:
        """How many open attempts own nothing any more."""
        ((count,),) = await self._run(IDLE_ATTEMPTS)
        return int(count)

    async def own(self, execution_ids: Sequence[int]) -> dict[int, OwnExecution]:
        """Our executions of those ids; numbers that are no id of ours are left out."""
        ids = [execution_id for execution_id in execution_ids if 0 < execution_id < _LIMIT_ID]
        async with autocommitted(self._database) as connection:
            rows = (await connection.execute(OWN, {"ids": ids})).all()
        return {
            row.id: OwnExecution(
                row.id,
                None if row.submission_state is None else SubmissionState(row.submission_state),
                row.execution_service_id,
                row.execution_timestamp,
                row.trade_type,
                row.security_id,
                row.quantity_ordered,
                row.destination,
            )
            for row in rows
        }

    async def accepted(self) -> AsyncIterator[list[AcceptedExecution]]:
        """All accepted executions by ascending id, page by page."""
        after = 0
        while rows := await self._run(ACCEPTED, after=after, limit=PAGE):
            yield [
                AcceptedExecution(row.id, row.execution_service_id, row.old) for row in rows if row.accepted
            ]
            after = rows[-1].id

    async def _run(self, statement: sa.TextClause, **values: object) -> Sequence[Any]:
        async with whole_tables(self._database) as connection:
            return (await connection.execute(statement, values)).all()
