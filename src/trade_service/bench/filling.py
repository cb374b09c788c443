"""Tables full of executions to measure with."""

from collections import deque
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from itertools import islice

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncEngine

from trade_service.store.engine import StoreSettings, create_engine

FILL_TIMEOUT_S = 3600.0
"""What fills the tables for a measurement may take longer than any statement of the service."""
CHUNKS = 4
ORDER_COUNT = 10_000
ORDERS = sa.text("""
INSERT INTO trade_order
    (order_id, portfolio_id, order_type, security_id, quantity, quantity_sent, limit_price, submitted)
SELECT first + i, 'PORTFOLIO', 'BUY', 'SEC' || (i % 500), 100, 100, 12.5, true
FROM generate_series(1, :count) i, (SELECT coalesce(max(order_id), 0) AS first FROM trade_order) known
ON CONFLICT DO NOTHING
""")
EXECUTIONS = sa.text("""
INSERT INTO execution (execution_status_id, trade_type_id, trade_order_id, destination_id, quantity_ordered,
                       quantity_placed, limit_price, submission_state)
SELECT 1, 1, o.first + i % :orders, 1 + i % 6, 100, 0, 12.5, 'none'
FROM generate_series(1, :count) i, (SELECT min(id) AS first FROM trade_order) o
""")


async def fill(engine: AsyncEngine, count: int) -> range:
    """Inserts `count` executions that were never submitted; returns their ids."""
    async with engine.begin() as connection:
        if not await connection.scalar(sa.text("SELECT EXISTS (SELECT FROM trade_order)")):
            await connection.execute(ORDERS, {"count": ORDER_COUNT})
        before = await connection.scalar(sa.text("SELECT coalesce(max(id), 0) FROM execution"))
        await connection.execute(EXECUTIONS, {"count": count, "orders": ORDER_COUNT - 1})
        after = await connection.scalar(sa.text("SELECT max(id) FROM execution"))
    async with engine.execution_options(isolation_level="AUTOCOMMIT").connect() as connection:
        await connection.execute(sa.text("VACUUM ANALYZE execution"))
        await connection.execute(sa.text("CHECKPOINT"))
    assert after - before == count
    return range(before + 1, after + 1)


class Supply:
    """Executions that were never submitted, made before they are needed: never while something is timed."""

    def __init__(self, engine: AsyncEngine, chunk: int) -> None:
        self._engine = engine
        self._chunk = chunk
        self._ids: deque[int] = deque()

    async def take(self, count: int) -> Sequence[int]:
        """`count` ids; inserts at least a chunk of rows where too few are left."""
        if len(self._ids) < count:
            self._ids.extend(await fill(self._engine, max(self._chunk, count - len(self._ids))))
        return [self._ids.popleft() for _ in range(count)]

    def give_back(self, ids: Sequence[int], first: int) -> None:
        """Those from place `first` on were not used after all."""
        self._ids.extendleft(reversed(list(islice(ids, first, None))))


@asynccontextmanager
async def filler_on(dsn: str) -> AsyncIterator[AsyncEngine]:
    """A pool whose statements may take long."""
    engine = create_engine(StoreSettings(dsn, pool_size=2, statement_timeout_s=FILL_TIMEOUT_S))
    try:
        yield engine
    finally:
        await engine.dispose()


@asynccontextmanager
async def supply_on(dsn: str, most: int) -> AsyncIterator[Supply]:
    """A supply for runs of up to `most` executions."""
    async with filler_on(dsn) as engine:
        yield Supply(engine, CHUNKS * most)
