"""The bare limit: claim, one HTTP call, record, with the same durability and no logic at all.

No retry, no reading of answers beyond decoding, no fencing beyond the attempt's id, no look-up, no waiting
callers: what is left is what PostgreSQL, the network and the other end cost.
"""

import asyncio
import time
from collections import deque

import aiohttp
import asyncpg
import msgspec

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


async def run(dsn: str, base_url: str, ids: range, workers: int, batch_size: int = 100) -> float:
    """Submits `ids`; returns executions a second."""
    batches = deque(list(ids[i : i + batch_size]) for i in range(0, len(ids), batch_size))
    encoder, decoder = (
        msgspec.json.Encoder(decimal_format="number"),
        msgspec.json.Decoder(BatchExecutionResponse),
    )
    clock = SystemClock()
    pool = await asyncpg.create_pool(dsn, min_size=workers, max_size=workers)

    async def work(session: aiohttp.ClientSession) -> None:
        async with pool.acquire() as connection:
            while batches:
                attempt_id, batch = clock.new_attempt_id(), batches.popleft()
                rows = await connection.fetch(CLAIM, attempt_id, batch)
                posts = [ExecutionPost("NEW", "BUY", "ML", row[3], row[1], row[2], row[0], 1) for row in rows]
                body = encoder.encode(BatchExecutionRequest(posts))
                headers = {"Content-Type": "application/json"}
                async with session.post("/api/v1/executions/batch", data=body, headers=headers) as answer:
                    results = decoder.decode(await answer.read()).results or []
                pairs = [
                    (r.execution.trade_service_execution_id, r.execution.id) for r in results if r.execution
                ]
                await connection.execute(RECORD, attempt_id, [p[0] for p in pairs], [p[1] for p in pairs])

    async with pool, aiohttp.ClientSession(base_url) as session:
        begun = time.perf_counter()
        await asyncio.gather(*(work(session) for _ in range(workers)))
        return len(ids) / (time.perf_counter() - begun)
