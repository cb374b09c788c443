"""The bare limit: claim, one HTTP call, record, with the same durability and no logic at all.

No retry, no reading of answers beyond decoding, no fencing beyond the attempt's id, no look-up, no waiting
callers: what is left is what PostgreSQL, the network and the other end cost.
"""

import asyncio
import math
import time
from collections import deque
from collections.abc import Sequence
from contextlib import AsyncExitStack
from typing import TypeAlias

import aiohttp
import asyncpg
import msgspec
from asyncpg.prepared_stmt import PreparedStatement

from trade_service.submission.clock import SystemClock
from trade_service.submission.messages import BatchExecutionRequest, BatchExecutionResponse, ExecutionPost

CLAIM = """
WITH mine AS (
    UPDATE execution SET submission_state = 'claimed', attempt_id = $1, attempts_spent = attempts_spent + 1
    WHERE id = ANY($2::int[]) AND submission_state = 'none'
    RETURNING id, trade_order_id, quantity_ordered, limit_price
), journal AS (
    INSERT INTO submission_attempt (id, state, owner, execution_ids, next_action_at)
    VALUES ($1, 'sent', 'bare', $2::int[], now() + interval '60 s')
)
SELECT m.id, m.quantity_ordered, m.limit_price, rtrim(o.security_id)
FROM mine m JOIN trade_order o ON o.id = m.trade_order_id
"""
RECORD = """
WITH told AS (SELECT * FROM unnest($2::int[], $3::int[]) AS t(id, service_id)), sent AS (
    UPDATE execution e
    SET submission_state = 'accepted', execution_service_id = t.service_id, execution_status_id = 2,
        quantity_placed = quantity_ordered, version = version + 1
    FROM told t WHERE e.id = t.id AND e.attempt_id = $1
)
UPDATE submission_attempt SET state = 'answered', closed_at = now(), next_action_at = NULL WHERE id = $1
"""


Statement: TypeAlias = "PreparedStatement[asyncpg.Record]"


class Bare(msgspec.Struct, frozen=True):
    """What a run of the bare loop did."""

    done: int
    """Of the ids, counted from the first one."""
    rate: float
    """Executions a second."""


async def run(
    dsn: str,
    base_url: str,
    ids: Sequence[int],
    workers: int,
    batch_size: int = 100,
    limit_s: float = math.inf,
) -> Bare:
    """Submits `ids` with so many workers; begins no batch after `limit_s`."""
    batches = deque(ids[i : i + batch_size] for i in range(0, len(ids), batch_size))
    encoder = msgspec.json.Encoder(decimal_format="number")
    decoder = msgspec.json.Decoder(BatchExecutionResponse)
    clock, done = SystemClock(), 0

    async def work(session: aiohttp.ClientSession, claim: Statement, record: Statement) -> None:
        nonlocal done
        while batches and time.perf_counter() - begun < limit_s:
            attempt_id, batch = clock.new_attempt_id(), list(batches.popleft())
            done += len(batch)
            rows = await claim.fetch(attempt_id, batch)
            posts = [ExecutionPost("NEW", "BUY", "ML", row[3], row[1], row[2], row[0], 1) for row in rows]
            body = encoder.encode(BatchExecutionRequest(posts))
            headers = {"Content-Type": "application/json"}
            async with session.post("/api/v1/executions/batch", data=body, headers=headers) as answer:
                results = decoder.decode(await answer.read()).results or []
            pairs = [(r.execution.trade_service_execution_id, r.execution.id) for r in results if r.execution]
            await record.fetch(attempt_id, [p[0] for p in pairs], [p[1] for p in pairs])

    async with AsyncExitStack() as stack:
        pool = await stack.enter_async_context(asyncpg.create_pool(dsn, min_size=workers, max_size=workers))
        session = await stack.enter_async_context(aiohttp.ClientSession(base_url))
        connections = [await stack.enter_async_context(pool.acquire()) for _ in range(workers)]
        # As warm as the engine is when it is timed: statements prepared, connections open.
        prepared = [(await one.prepare(CLAIM), await one.prepare(RECORD)) for one in connections]
        await asyncio.gather(*(_connect(session) for _ in range(workers)))
        begun = time.perf_counter()
        await asyncio.gather(*(work(session, *statements) for statements in prepared))
        return Bare(done, done / (time.perf_counter() - begun))


async def _connect(session: aiohttp.ClientSession) -> None:
    """Opens a connection of the session by its cheapest call."""
    async with session.get("/api/v1/executions?limit=1") as answer:
        await answer.read()
