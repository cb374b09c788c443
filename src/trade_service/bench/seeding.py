"""Fills tables with executions to measure with."""

from collections import deque
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from itertools import islice

import asyncpg

CHUNKS = 4
ORDER_COUNT = 10_000
ORDERS = """
INSERT INTO trade_order
    (order_id, portfolio_id, order_type, security_id, quantity, quantity_sent, limit_price, submitted)
SELECT i, 'PORTFOLIO', 'BUY', 'SEC' || (i % 500), 100, 100, 12.5, true
FROM generate_series(1, $1::int) i ON CONFLICT DO NOTHING
"""
EXECUTIONS = """
INSERT INTO execution (execution_status_id, trade_type_id, trade_order_id, destination_id, quantity_ordered,
                       quantity_placed, limit_price, submission_state)
SELECT 1, 1, o.first + i % $1::int, 1 + i % 6, 100, 0, 12.5, 'none'
FROM generate_series(1, $2::int) i, (SELECT min(id) AS first FROM trade_order) o
"""


async def seed(link: asyncpg.Connection, count: int) -> range:
    """Inserts `count` executions that were never submitted; returns their ids."""
    async with link.transaction():
        if not await link.fetchval("SELECT EXISTS (SELECT FROM trade_order)"):
            await link.execute(ORDERS, ORDER_COUNT)
        before = await link.fetchval("SELECT coalesce(max(id), 0) FROM execution")
        await link.execute(EXECUTIONS, ORDER_COUNT - 1, count)
        after = await link.fetchval("SELECT max(id) FROM execution")
    await link.execute("VACUUM ANALYZE execution")
    await link.execute("CHECKPOINT")
    assert after - before == count
    return range(before + 1, after + 1)


class Supply:
    """Hands out executions that were never submitted. Inserts them in advance, never while something is timed."""

    def __init__(self, link: asyncpg.Connection, chunk: int) -> None:
        self.link = link
        self._chunk = chunk
        self._ids: deque[int] = deque()

    async def take(self, count: int) -> Sequence[int]:
        """Returns `count` ids; inserts at least a chunk of rows if too few are left."""
        if len(self._ids) < count:
            self._ids.extend(await seed(self.link, max(self._chunk, count - len(self._ids))))
        return [self._ids.popleft() for _ in range(count)]

    def give_back(self, ids: Sequence[int], first: int) -> None:
        """Takes back the ids from position `first` on, which were not used."""
        self._ids.extendleft(reversed(list(islice(ids, first, None))))


@asynccontextmanager
async def connected(dsn: str) -> AsyncIterator[asyncpg.Connection]:
    """A connection without time limits."""
    link = await asyncpg.connect(dsn)
    try:
        yield link
    finally:
        await link.close()


@asynccontextmanager
async def supply_on(dsn: str, most: int) -> AsyncIterator[Supply]:
    """A supply for runs of up to `most` executions."""
    async with connected(dsn) as link:
        yield Supply(link, CHUNKS * most)
