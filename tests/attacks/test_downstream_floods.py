"""Floods from downstream: bounded in bytes and in time on the loop, whichever client of ours they meet."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress

import aiohttp
import pytest

from tests.client.raw_server import FOREVER, Conversation, batch, client, raw_server
from trade_service.domain.access import CredentialsNotCheckable
from trade_service.http_connector import BoundedConnector
from trade_service.identity.tokens import keys_at
from trade_service.reference_services.client import ReferenceServicesClient
from trade_service.submission.clock import SystemClock
from trade_service.submission.model import ReplyKind
from trade_service.trading.listing.display_names import NameKind, NamesUnavailable
from trade_service.trading.trading_settings import NamesSettings

BLOCKED_LIMIT_S = 0.1
SENT_LIMIT_BYTES = 12_000_000
"""What the buffers of two sockets on one machine may hold."""
ENDLESS_BYTES = 100_000_000
DEADLINE_S = 8.0
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n{\r\n0\r\n"
FLOODS = {
    "100 Continue": (b"", b"HTTP/1.1 100 Continue\r\n\r\n" * 10_000),
    "103 with headers": (b"", (b"HTTP/1.1 103 Early Hints\r\nLink: " + b"a" * 900 + b"\r\n\r\n") * 200),
    "headers": (b"HTTP/1.1 200 OK\r\n", b"X-A: b\r\n" * 8_000),
    "one header": (b"HTTP/1.1 200 OK\r\nX-A: ", b"v" * 64_000),
    "a reason": (b"HTTP/1.1 200 ", b"v" * 64_000),
    "blank lines": (b"", b"\r\n" * 32_000),
    "trailers": (CHUNKED, b"X-A: b\r\n" * 8_000),
    "one trailer": (CHUNKED + b"X-A: ", b"v" * 64_000),
    "a body": (b"HTTP/1.1 200 OK\r\n\r\n", b"[" * 64_000),
}


async def _submits(url: str) -> None:
    async with client(url) as gateway:
        reply = await gateway.submit_batch(batch(), "01890000-0000-7000-8000-000000000001", FOREVER)
    assert reply.kind in (ReplyKind.UNCLEAR, ReplyKind.LOST), "bytes have left"


async def _lists(url: str) -> None:
    async with client(url) as gateway:
        assert (await gateway.list_newest(0, 100)).page is None


async def _names(url: str) -> None:
    settings = NamesSettings(timeout_ms=20_000)
    async with ReferenceServicesClient(url, url, settings, SystemClock()) as names:
        with pytest.raises(NamesUnavailable):
            await names.name_of(NameKind.PORTFOLIO, "P1")


async def _keys(url: str) -> None:
    async with aiohttp.ClientSession(connector=BoundedConnector()) as session:
        with pytest.raises(CredentialsNotCheckable):
            await keys_at(session, url)


CALLS: dict[str, Callable[[str], Awaitable[None]]] = {
    "a batch": _submits,
    "a listing": _lists,
    "a name": _names,
    "a key set": _keys,
}


@asynccontextmanager
async def unblocked_loop() -> AsyncIterator[None]:
    """Fails if a turn of the loop took more processor time than the limit; other processes do not count."""
    worst_s = 0.0

    async def tick() -> None:
        nonlocal worst_s
        while True:
            before = time.thread_time()
            await asyncio.sleep(0)
            worst_s = max(worst_s, time.thread_time() - before)

    ticking = asyncio.create_task(tick())
    try:
        yield
    finally:
        ticking.cancel()
        with suppress(asyncio.CancelledError):
            await ticking
    assert worst_s <= BLOCKED_LIMIT_S


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("flood", FLOODS)
async def test_a_flood_ends_the_call_and_blocks_nothing(flood: str, call: str) -> None:
    start, piece = FLOODS[flood]
    sent = 0

    async def script(talk: Conversation) -> None:
        nonlocal sent
        await talk.reader.readuntil(b"\r\n\r\n")
        await talk.send(start)
        while sent < ENDLESS_BYTES:
            await talk.send(piece)
            sent += len(piece)

    began = time.monotonic()
    async with raw_server(script) as server, unblocked_loop():
        await CALLS[call](server.base_url)
    assert time.monotonic() - began < DEADLINE_S
    assert sent < SENT_LIMIT_BYTES + (8_000_000 if flood == "a body" else 0)


async def test_interim_answers_before_an_answer_are_allowed() -> None:
    early = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" * 4

    async def script(talk: Conversation) -> None:
        for _ in range(2):
            await talk.request()
            await talk.send(early)
            await talk.answer(201, b'{"status":"SUCCESS","results":[]}')

    async with raw_server(script) as server, client(server.base_url) as gateway:
        for _ in range(2):
            reply = await gateway.submit_batch(batch(), "01890000-0000-7000-8000-000000000001", FOREVER)
            assert reply.kind is ReplyKind.ANSWERED
    assert server.connections == 1, "counted for each request, not for each connection"
