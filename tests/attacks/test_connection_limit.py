"""More connections than are allowed: the idlest is closed for a new one; where none is idle, 503 at once."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import pytest

from tests.attacks.conftest import QUICK
from tests.attacks.target import DEADLINE_S, Target, served
from tests.support.database import TestServer

LIMIT = 8
SERVED = b"POST /api/v1/tradeOrders HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n"


@pytest.fixture(scope="module")
async def small(
    postgres: TestServer, template_database: str, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Target]:
    """A service with few places."""
    limits = {**QUICK, "TRADE_SERVICE_CONNECTIONS_MAX_CONNECTIONS": str(LIMIT)}
    async with served(postgres, template_database, tmp_path_factory.mktemp("small"), **limits) as running:
        yield running


async def test_past_the_limit_the_answer_is_503_before_any_head(small: Target) -> None:
    async with AsyncExitStack() as stack, asyncio.timeout(DEADLINE_S):
        for _ in range(LIMIT):
            reader, writer = await stack.enter_async_context(small.connection())
            writer.write(SERVED)
            assert b"100 Continue" in await reader.readuntil(b"\r\n\r\n")
        answer = await small.exchange(b"")
    assert answer.startswith(b"HTTP/1.1 503 ")
    assert b"retry-after: 1" in answer


async def test_idle_connections_make_room_the_longest_idle_first(small: Target) -> None:
    async with AsyncExitStack() as stack, asyncio.timeout(DEADLINE_S):
        idle = [await stack.enter_async_context(small.connection()) for _ in range(LIMIT)]
        await small.probe()
        with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
            await idle[0][0].readexactly(1)
        reader, writer = idle[1]
        writer.write(b"GET /api/v1/health/liveness HTTP/1.1\r\nHost: x\r\n\r\n")
        await reader.readuntil(b"HTTP/1.1 200 OK")
