"""The bare loop: claim, one HTTP call, record, with the same durability and no logic at all.

Without retries, interpretation, fencing, reconciliation and waiting callers, only the costs of PostgreSQL, the
network and the Execution Service remain.
"""

import asyncio
import math
import time
from collections import deque
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import aiohttp
import asyncpg
import msgspec
from asyncpg.prepared_stmt import PreparedStatement

from trade_service.submission.clock import SystemClock
from trade_service.submission.messages import BatchExecutionResponse, ExecutionRequest

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
WITH answered AS (SELECT * FROM unnest($2::int[], $3::int[]) AS t(id, service_id)), sent AS (
    UPDATE execution e
    SET submission_state = 'accepted', execution_service_id = t.service_id, execution_status_id = 2,
        quantity_placed = quantity_ordered, version = version + 1
    FROM answered t WHERE e.id = t.id AND e.attempt_id = $1
)
UPDATE submission_attempt SET state = 'answered', closed_at = now(), next_action_at = NULL WHERE id = $1
"""


_CLOCK = SystemClock()
_ENCODER = msgspec.json.Encoder(decimal_format="number")
_DECODER = msgspec.json.Decoder(BatchExecutionResponse)
_HEADERS = {"Content-Type": "application/json"}


class Bare(msgspec.Struct, frozen=True):
    """The result of a run."""

    done: int
    """The number of ids submitted, from the first on."""
    rate: float
    """Executions per second."""


class BareSender:
    """One worker, as warm as the engine: statements prepared, connections open."""

    def __init__(
        self,
        session: aiohttp.ClientSession,
        claim: "PreparedStatement[Any]",
        record: "PreparedStatement[Any]",
    ) -> None:
        self._session = session
        self._claim = claim
        self._record = record

    @classmethod
    async def ready(cls, connection: asyncpg.Connection, session: aiohttp.ClientSession) -> "BareSender":
        """A warmed-up worker on its own database connection."""
        # The cheapest call opens a connection of the session.
        async with session.get("/api/v1/executions?limit=1") as answer:
            await answer.read()
        return cls(session, await connection.prepare(CLAIM), await connection.prepare(RECORD))

    async def send(self, execution_ids: list[int]) -> None:
        """Claims, sends and records one batch."""
        attempt_id = _CLOCK.new_attempt_id()
        rows = await self._claim.fetch(attempt_id, execution_ids)
        posts = [ExecutionRequest("NEW", "BUY", "ML", row[3], row[1], row[2], row[0], 1) for row in rows]
        body = _ENCODER.encode({"executions": posts})
        async with self._session.post("/api/v1/executions/batch", data=body, headers=_HEADERS) as answer:
            results = _DECODER.decode(await answer.read()).results or []
        pairs = [(r.execution.trade_service_execution_id, r.execution.id) for r in results if r.execution]
        await self._record.fetch(attempt_id, [p[0] for p in pairs], [p[1] for p in pairs])


async def run(
    dsn: str,
    base_url: str,
    ids: Sequence[int],
    workers: int,
    batch_size: int = 100,
    limit_s: float = math.inf,
) -> Bare:
    """Submits `ids` with some workers; starts no batch after `limit_s`."""
    batches = deque(list(ids[i : i + batch_size]) for i in range(0, len(ids), batch_size))
    done = 0

    async def work(sender: BareSender) -> None:
        nonlocal done
        while batches and time.perf_counter() - begun < limit_s:
            batch = batches.popleft()
            done += len(batch)
            await sender.send(batch)

    async with connections(dsn, base_url, workers) as (links, session):
        senders = await asyncio.gather(*(BareSender.ready(link, session) for link in links))
        begun = time.perf_counter()
        await asyncio.gather(*map(work, senders))
        return Bare(done, done / (time.perf_counter() - begun))


@asynccontextmanager
async def connections(
    dsn: str, base_url: str, workers: int
) -> AsyncIterator[tuple[list[asyncpg.Connection], aiohttp.ClientSession]]:
    """A database connection per worker, and a session with the Execution Service."""
    async with AsyncExitStack() as stack:
        session = await stack.enter_async_context(aiohttp.ClientSession(base_url))
        links: list[asyncpg.Connection] = []
        for _ in range(workers):
            links.append(await asyncpg.connect(dsn))
            stack.push_async_callback(links[-1].close)
        yield links, session
