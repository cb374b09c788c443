"""Clients that hold connections: slow heads, requests that go on after their answer, answers that nobody reads."""

import asyncio
import socket
import time
from contextlib import suppress
from pathlib import Path

import pytest

from tests.attacks.conftest import QUICK
from tests.attacks.target import DEADLINE_S, Target, served, watched
from tests.support.database import TestServer

DRIP_EVERY_S = 0.2
HALF_A_HEAD = b"GET / HTTP/1.1\r\n"


async def dripped(target: Target, raw: bytes, drip: bytes) -> tuple[bytes, float]:
    """Sends `raw`, then a drip every moment; returns what was answered, and how long the connection was open."""
    began = time.monotonic()
    async with target.connection() as (reader, writer), asyncio.timeout(DEADLINE_S):
        writer.write(raw)
        answer = asyncio.create_task(reader.read())
        while not answer.done():
            await asyncio.wait([answer], timeout=DRIP_EVERY_S)
            writer.write(drip)
        return await answer, time.monotonic() - began


@pytest.mark.parametrize(
    ("raw", "drip", "status"),
    [
        (b"POST /nowhere HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\n{", b" ", b"404"),
        (b"GET /nowhere HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n", b"1\r\nx\r\n", b"404"),
        (HALF_A_HEAD, b"X: y\r\n", b"408"),
        (b"", b"\r\n", b"408"),
    ],
    ids=["rest of a body", "rest in chunks", "head", "blank lines"],
)
async def test_a_request_that_drips_is_ended(target: Target, raw: bytes, drip: bytes, status: bytes) -> None:
    async with watched(target, growth_mb=8):
        answer, open_s = await dripped(target, raw, drip)
    assert answer.startswith(b"HTTP/1.1 " + status)
    assert open_s < 2 * float(QUICK["TRADE_SERVICE_CONNECTIONS_HEADER_TIMEOUT_S"])


async def test_the_rest_of_an_answered_request_is_bounded_in_bytes(target: Target) -> None:
    sent = 0
    async with target.connection() as (_, writer), asyncio.timeout(DEADLINE_S):
        writer.write(b"POST /nowhere HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000000\r\n\r\n")
        with suppress(ConnectionError):
            while True:
                writer.write(b" " * 65_536)
                await writer.drain()
                sent += 65_536
    assert sent < 20 * int(QUICK["TRADE_SERVICE_CONNECTIONS_MAX_REST_BYTES"])


async def test_a_short_rest_of_an_answered_request_costs_no_connection(target: Target) -> None:
    async with target.connection() as (reader, writer), asyncio.timeout(DEADLINE_S):
        writer.write(b"POST /nowhere HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\n")
        assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 404")
        writer.write(b" " * 100_000 + b"GET /api/v1/health/liveness HTTP/1.1\r\nHost: x\r\n\r\n")
        await reader.readuntil(b"HTTP/1.1 200 OK")


async def test_a_client_that_does_not_read_is_cut_off(target: Target) -> None:
    request = b"GET /schema/openapi.json HTTP/1.1\r\nHost: x\r\n\r\n"
    unread = socket.socket()
    unread.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    unread.connect(("127.0.0.1", target.port))
    with unread:
        unread.sendall(request * 60)
        async with watched(target, growth_mb=20), asyncio.timeout(DEADLINE_S):
            while established(target.port, unread.getsockname()[1]):
                await asyncio.sleep(0.1)


def established(port: int, client_port: int) -> bool:
    """Whether the service's end of a connection is open."""
    ends = f":{port:04X} ", f":{client_port:04X} 01 "
    lines = Path("/proc/net/tcp").read_text("ascii").splitlines()
    return any(ends[0] in line and ends[1] in line for line in lines)


@pytest.mark.parametrize("files", ["-Sn 256", "-n 256"], ids=["soft", "hard"])
async def test_slow_clients_do_not_keep_out_probes(
    postgres: TestServer, template_database: str, tmp_path: Path, files: str
) -> None:
    """However few files the process may open: a slow head is closed for a new connection."""
    async with served(postgres, template_database, tmp_path, files=files) as target:
        slow: list[socket.socket] = []
        async with watched(target, growth_mb=10) as watch:
            for _ in range(300):
                one = socket.create_connection(("127.0.0.1", target.port))
                one.sendall(HALF_A_HEAD)
                slow.append(one)
                await asyncio.sleep(0)
            seen = watch.probes
            while watch.probes < seen + 10:
                await asyncio.sleep(0.05)
        for one in slow:
            one.close()
