"""Rows put straight into the tables, and read back, without the code under test."""

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncEngine

from trade_service.store.submission_store import PostgresSubmissionStore
from trade_service.submission.clock import SystemClock

NEW, SENT, WORK, FULL, PART, HOLD = 1, 2, 3, 4, 5, 6
"""Ids of execution statuses."""

_ORDERS = """
INSERT INTO trade_order
    (order_id, portfolio_id, order_type, security_id, quantity, quantity_sent, submitted, blotter_id)
SELECT (SELECT coalesce(max(order_id), 0) FROM trade_order) + n, 'P' || n, 'BUY', 'S' || n, :quantity,
       :quantity, true, 2
FROM generate_series(1, :count) n
RETURNING id
"""

_EXECUTIONS = """
INSERT INTO execution
    (execution_status_id, blotter_id, trade_type_id, trade_order_id, destination_id, quantity_ordered,
     quantity_placed, limit_price, submission_state)
SELECT 1, 2, 1, o.id, 1, 10, 0, 1.5, :state
FROM unnest(cast(:orders AS int[])) o(id), generate_series(1, :each) n
ORDER BY o.id, n
RETURNING id
"""


async def insert_orders(engine: AsyncEngine, count: int = 1, quantity: int = 10) -> list[int]:
    """Orders of security S1, S2, ... whose whole quantity is sent; returns their ids in order."""
    return await _inserted(engine, _ORDERS, count=count, quantity=quantity)


async def insert_executions(engine: AsyncEngine, count: int, state: str | None = "none") -> list[int]:
    """Executions of quantity 10, each of an order of its own; returns their ids in order."""
    return await insert_pieces(engine, await insert_orders(engine, count), 1, state)


async def insert_pieces(
    engine: AsyncEngine, order_ids: Sequence[int], each: int, state: str | None = "none"
) -> list[int]:
    """`each` executions of quantity 10 for every order; returns their ids in order."""
    return await _inserted(engine, _EXECUTIONS, orders=list(order_ids), each=each, state=state)


async def row_of(engine: AsyncEngine, table: str, row_id: object) -> Any:
    """One row by its id."""
    async with engine.connect() as connection:
        found = await connection.execute(sa.text(f"SELECT * FROM {table} WHERE id = :id"), {"id": row_id})
        return found.one()


async def states_of(engine: AsyncEngine, execution_ids: Sequence[int]) -> list[str | None]:
    """Submission states in the order of the ids."""
    async with engine.connect() as connection:
        found = await connection.execute(
            sa.text("SELECT id, submission_state FROM execution WHERE id = ANY(cast(:ids AS int[]))"),
            {"ids": list(execution_ids)},
        )
        states = {row.id: row.submission_state for row in found}
    return [states[execution_id] for execution_id in execution_ids]


def store_on(engine: AsyncEngine, owner: str = "one", settle_ms: int = 60_000) -> PostgresSubmissionStore:
    """The store under test."""
    return PostgresSubmissionStore(engine, SystemClock(), owner, settle_ms, status_new=NEW, status_sent=SENT)


async def _inserted(engine: AsyncEngine, statement: str, **values: object) -> list[int]:
    async with engine.begin() as connection:
        return sorted((await connection.execute(sa.text(statement), values)).scalars())
