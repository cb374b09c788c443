"""The bare submission: slice 100 orders, then do what the bare loop does with the executions.

As durable as the service but without its logic: no request is parsed or validated, no answer is written, and
between slicing and claim nothing records that the executions are to be sent.
"""

import asyncio
import itertools
import time
from collections.abc import Sequence

import asyncpg

from trade_service.bench.bare_loop import Bare, BareSender, connections

LOCK = """
SELECT id, quantity, quantity_sent, limit_price FROM trade_order WHERE id = ANY($1::int[]) ORDER BY id
FOR NO KEY UPDATE
"""
SLICE = """
WITH slice AS (
    INSERT INTO execution (execution_status_id, blotter_id, trade_type_id, trade_order_id, destination_id,
                           quantity_ordered, quantity_placed, limit_price, submission_state)
    SELECT 1, 1, 1, id, 1, 1, 0, limit_price, 'none'
    FROM unnest($1::int[], $2::numeric[]) AS t(id, limit_price)
    RETURNING id, trade_order_id
), orders AS (
    UPDATE trade_order o SET quantity_sent = quantity_sent + 1, submitted = false, version = version + 1
    FROM slice s WHERE o.id = s.trade_order_id
)
SELECT id FROM slice
"""
BATCH = 100


async def run(dsn: str, base_url: str, order_ids: Sequence[int], senders: int, seconds: float) -> Bare:
    """Slices and sends one unit of each order, over and over, with `senders` batches in flight and as many in
    preparation.
    """
    turn, starts = asyncio.Semaphore(senders), itertools.cycle(range(0, len(order_ids) - BATCH + 1, BATCH))
    done = 0

    async def work(link: asyncpg.Connection, sender: BareSender) -> None:
        nonlocal done
        while time.perf_counter() - begun < seconds:
            start = next(starts)
            async with link.transaction():
                orders = await link.fetch(LOCK, list(order_ids[start : start + BATCH]))
                slices = await link.fetch(SLICE, [row[0] for row in orders], [row[3] for row in orders])
            async with turn:
                await sender.send([row[0] for row in slices])
            done += len(slices)

    async with connections(dsn, base_url, 2 * senders) as (links, session):
        ready = await asyncio.gather(*(BareSender.ready(link, session) for link in links))
        begun = time.perf_counter()
        await asyncio.gather(*(work(*pair) for pair in zip(links, ready, strict=True)))
        return Bare(done, done / (time.perf_counter() - begun))
