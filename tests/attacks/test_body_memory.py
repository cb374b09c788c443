"""Bodies on the running service: huge numbers, long lists, and many unfinished bodies at once."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import pytest

from tests.attacks.target import DEADLINE_S, Target, served, watched
from tests.support.database import TestServer

BUDGET_BYTES = 8_000_000
SUBMIT, ORDERS, BULK = "/api/v2/executions/submit", "/api/v1/tradeOrders", "/api/v1/tradeOrders/bulk"
ORDER = '{"orderId":1,"portfolioId":"P","orderType":"BUY","securityId":"S","quantity":%s,"limitPrice":%s}'
HUGE = ("1e500000000", "1e2000000000", "-1e2000000000", "1e-2000000000", f"1.{'0' * 20_000}", "9" * 20_000)
NUMBERS = {
    "a filter": (SUBMIT, '{"filter":{"quantityOrdered.min":%s}}'),
    "a filter by id": (SUBMIT, '{"filter":{"id":[%s]}}'),
    "a quantity": (ORDERS, ORDER % ("%s", "1")),
    "a price": (ORDERS, ORDER % ("1", "%s")),
    "a time": (ORDERS, (ORDER % ("1", "1"))[:-1] + ',"tradeTimestamp":%s}'),
}
LONG_BYTES = 9_900_000
LONG = {
    "ids": (SUBMIT, b'{"filter":{"id":[', b"1,"),
    "names": (SUBMIT, b'{"filter":{', b'"a":1,'),
    "a list for an order": (ORDERS, b"[", b"1,"),
    "a list beside an order": (ORDERS, (ORDER % ("1", "1")).encode()[:-1] + b',"x":[', b"1,"),
    "orders": (BULK, b'{"tradeOrders":[', b"{},"),
}


@pytest.fixture(scope="module")
async def target(
    postgres: TestServer, template_database: str, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Target]:
    budget = {"TRADE_SERVICE_SERVER_MAX_BODY_MEMORY_BYTES": str(BUDGET_BYTES)}
    async with served(postgres, template_database, tmp_path_factory.mktemp("bodies"), **budget) as running:
        yield running


def head(path: str, size: int, connection: str = "close") -> bytes:
    fields = f"Host: localhost\r\nConnection: {connection}\r\nContent-Length: {size}"
    return f"POST {path} HTTP/1.1\r\n{fields}\r\n\r\n".encode()


@pytest.mark.parametrize("number", HUGE, ids=[number[:13] for number in HUGE])
@pytest.mark.parametrize("place", NUMBERS)
async def test_a_huge_number_is_refused_at_once(target: Target, place: str, number: str) -> None:
    path, body = NUMBERS[place]
    raw = (body % number).encode()
    began = time.monotonic()
    async with watched(target, growth_mb=8):
        answer = await target.exchange(head(path, len(raw)) + raw)
    assert answer[9:12] == b"400" or (place == "a time" and answer[9:12] in (b"201", b"409")), answer[:300]
    assert len(answer) < 1500
    assert time.monotonic() - began < 2


@pytest.mark.parametrize("what", LONG)
async def test_a_long_body_is_refused_unread(target: Target, what: str) -> None:
    path, start, piece = LONG[what]
    async with watched(target, growth_mb=8):
        async with target.connection() as (reader, writer), asyncio.timeout(DEADLINE_S):
            writer.write(head(path, LONG_BYTES, "keep-alive") + start + piece * 50_000)
            status = await reader.readline()
    assert status.startswith(b"HTTP/1.1 413 ")


async def unfinished(target: Target, stack: AsyncExitStack, size: int) -> asyncio.StreamReader:
    """A connection with a bulk of which the last byte is missing."""
    reader, writer = await stack.enter_async_context(target.connection())
    writer.write(head(BULK, size, "keep-alive") + b" " * (size - 1))
    return reader


async def test_unfinished_bodies_share_one_budget(target: Target) -> None:
    """Of 100 MB some 6 are kept, and one small order is served meanwhile."""
    order = (ORDER % ("1", "1")).replace(":1", ":2", 1).encode()
    async with watched(target, growth_mb=40):
        async with AsyncExitStack() as stack, asyncio.timeout(DEADLINE_S):
            readers = [await unfinished(target, stack, 1_000_000) for _ in range(100)]
            answered = [asyncio.create_task(reader.readuntil(b"\r\n\r\n")) for reader in readers]
            done, waiting = await asyncio.wait(answered, timeout=3)
            for task in waiting:
                task.cancel()
            assert 0 < len(waiting) <= BUDGET_BYTES * 3 / 4 / 900_000
            answer = await target.exchange(head(ORDERS, len(order)) + order)
            assert answer.startswith(b"HTTP/1.1 201 "), answer[:300]
            for task in done:
                assert task.result().startswith(b"HTTP/1.1 503 ")
                assert b"retry-after: 1" in task.result()
