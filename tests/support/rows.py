"""Writes and reads rows directly, without the code under test."""

from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import asyncpg

from trade_service.store.database import Database
from trade_service.store.statements import Statement
from trade_service.store.submission_store import PostgresSubmissionStore
from trade_service.submission.clock import SystemClock

NEW, SENT, WORK, FULL, PART, HOLD = 1, 2, 3, 4, 5, 6
"""Ids of execution statuses."""

_ORDERS = """
INSERT INTO trade_order
    (order_id, portfolio_id, order_type, security_id, quantity, quantity_sent, submitted, blotter_id)
SELECT (SELECT coalesce(max(order_id), 0) FROM trade_order) + n, 'P' || n, 'BUY', 'S' || n, :quantity::numeric,
       :quantity, true, 2
FROM generate_series(1, :count::int) n
RETURNING id
"""

_EXECUTIONS = """
INSERT INTO execution
    (execution_status_id, blotter_id, trade_type_id, trade_order_id, destination_id, quantity_ordered,
     quantity_placed, limit_price, submission_state)
SELECT 1, 2, 1, o.id, 1, 10, 0, 1.5, :state::text
FROM unnest(cast(:orders AS int[])) o(id), generate_series(1, :each::int) n
ORDER BY o.id, n
RETURNING id
"""


async def insert_orders(database: Database, count: int = 1, quantity: int = 10) -> list[int]:
    """Orders of security S1, S2, ... whose whole quantity is sent; returns their ids in order."""
    return await _inserted(database, _ORDERS, count=count, quantity=quantity)


async def insert_executions(database: Database, count: int, state: str | None = "none") -> list[int]:
    """Executions of quantity 10, each of an order of its own; returns their ids in order."""
    return await insert_pieces(database, await insert_orders(database, count), 1, state)


async def insert_pieces(
    database: Database, order_ids: Sequence[int], each: int, state: str | None = "none"
) -> list[int]:
    """`each` executions of quantity 10 for every order; returns their ids in order."""
    return await _inserted(database, _EXECUTIONS, orders=list(order_ids), each=each, state=state)


async def row_of(database: Database, table: str, row_id: object) -> Any:
    """One row by its id."""
    (row,) = await fetched(database, f"SELECT * FROM {table} WHERE id = :id", id=row_id)
    return SimpleNamespace(**row)


async def states_of(database: Database, execution_ids: Sequence[int]) -> list[str | None]:
    """Submission states in the order of the ids."""
    query = "SELECT id, submission_state FROM execution WHERE id = ANY(:ids)"
    states = {row[0]: row[1] for row in await fetched(database, query, ids=execution_ids)}
    return [states[execution_id] for execution_id in execution_ids]


def store_on(database: Database, owner: str = "one", settle_ms: int = 60_000) -> PostgresSubmissionStore:
    """The store under test."""
    return PostgresSubmissionStore(
        database, SystemClock(), owner, settle_ms, status_new=NEW, status_sent=SENT
    )


async def _inserted(database: Database, statement: str, **values: object) -> list[int]:
    return sorted(row[0] for row in await fetched(database, statement, **values))


async def fetched(database: Database, query: str, **values: object) -> Sequence[asyncpg.Record]:
    """All rows of a query."""
    return await database.fetch(Statement.parsed(query), **values)
