"""Requests of one connection that wait for each other: bounded, answered in order, all of them."""

import asyncio
import re
import socket
from contextlib import ExitStack

from tests.attacks.target import DEADLINE_S, Target, watched

LARGE = b"GET /schema/openapi.json HTTP/1.1\r\nHost: x\r\n\r\n"
SMALL = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"
LIVENESS = b"GET /api/v1/health/liveness HTTP/1.1\r\nHost: x\r\n\r\n"
CONNECTIONS = 20


async def send_unread(port: int, raw: bytes, limit_s: float) -> socket.socket:
    """A connection that has sent what it could within the limit, and reads nothing."""
    one = socket.socket()
    one.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    one.settimeout(0)
    loop = asyncio.get_running_loop()
    await loop.sock_connect(one, ("127.0.0.1", port))
    try:
        async with asyncio.timeout(limit_s):
            await loop.sock_sendall(one, raw)
    except (TimeoutError, ConnectionError):
        pass
    return one


async def flood(target: Target, raw: bytes, *, limit_s: float, growth_mb: float) -> None:
    """Sends the same over many connections, and probes the service meanwhile."""
    with ExitStack() as stack:
        async with watched(target, growth_mb=growth_mb):
            sending = (send_unread(target.port, raw, limit_s) for _ in range(CONNECTIONS))
            for one in await asyncio.gather(*sending):
                stack.enter_context(one)


async def test_many_requests_whose_answers_are_not_read_take_little_memory(target: Target) -> None:
    raw = LARGE * 40 + SMALL * 14_000
    await flood(target, raw, limit_s=3.0, growth_mb=40)


async def test_many_requests_behind_a_slow_one_take_little_memory(target: Target) -> None:
    """The first waits for its body until the end."""
    slow = b"POST /api/v1/tradeOrders HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\n{"
    await flood(target, slow + LIVENESS * 20_000, limit_s=2.0, growth_mb=20)


async def test_every_waiting_request_is_answered(target: Target) -> None:
    count = 500
    async with target.connection() as (reader, writer), asyncio.timeout(DEADLINE_S):
        writer.write(LIVENESS * (count - 1) + LIVENESS.replace(b"Host", b"Connection: close\r\nHost"))
        assert (await reader.read()).count(b"HTTP/1.1 200 OK") == count


async def test_a_refusal_comes_after_the_answers_that_are_due_before_it(target: Target) -> None:
    """A client takes the first answer for that to its first request."""
    answers = await target.exchange(LARGE + LIVENESS + b"no HTTP\r\n\r\n")
    assert re.findall(rb"HTTP/1.1 (\d+) ", answers) == [b"200", b"200", b"400"]
