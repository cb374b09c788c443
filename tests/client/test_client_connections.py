"""Connections of the client, over real sockets: used again, reset, and never trusted with a second POST."""

import asyncio
import socket
from typing import Any

import pytest

from tests.client.raw_server import (
    ATTEMPT,
    DEADLINE_S,
    FOREVER,
    Conversation,
    answering,
    batch,
    client,
    raw_server,
    reply_from,
)
from tests.client.test_reply_interpretation import ALL_CREATED
from trade_service.submission.clock import SystemClock
from trade_service.submission.model import GatewayReply, ReplyKind

SHORT_S = 0.1


async def test_bytes_unsent_at_the_time_out_are_never_sent() -> None:
    """The server reads nothing until the call is over; then it finds a reset, not the rest of the request."""
    over = asyncio.Event()

    async def deaf(talk: Conversation) -> None:
        talk.writer.transport.pause_reading()  # type: ignore[attr-defined]
        await over.wait()
        talk.writer.transport.resume_reading()  # type: ignore[attr-defined]
        await talk.hold()

    async with raw_server(deaf) as server:
        reply = await reply_from(server.base_url, total_timeout_s=SHORT_S)
        over.set()
        await asyncio.wait_for(server.ended.wait(), DEADLINE_S)
        assert server.endings == ["reset"]
    assert (reply.kind, reply.code) == (ReplyKind.LOST, "DOWNSTREAM_TOTAL_TIMEOUT")


async def test_connections_are_used_again() -> None:
    async with raw_server(answering(201, ALL_CREATED)) as server, client(server.base_url) as gateway:
        for _ in range(3):
            assert (await gateway.submit_batch(batch(100), ATTEMPT, FOREVER)).kind is ReplyKind.ANSWERED
        assert (server.connections, len(server.requests)) == (1, 3)


@pytest.mark.skipif(not hasattr(socket, "TCP_USER_TIMEOUT"), reason="the platform has no TCP_USER_TIMEOUT")
async def test_unacknowledged_bytes_die_with_the_call() -> None:
    async with (
        raw_server(answering(201, ALL_CREATED)) as server,
        client(server.base_url, total_timeout_s=1.5) as gateway,
    ):
        await gateway.submit_batch(batch(), ATTEMPT, FOREVER)
        inside: Any = gateway
        (kept,) = inside._pool._idle
        sock = kept._sock
        assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT) == 1500
        assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


async def test_a_post_is_never_sent_again_on_another_connection() -> None:
    """The server closes on the second request of a kept connection, as a stale connection does."""

    async def once(talk: Conversation) -> None:
        await talk.request()
        await talk.answer(201, ALL_CREATED)
        await talk.request()

    async with raw_server(once) as server, client(server.base_url) as gateway:
        assert (await gateway.submit_batch(batch(), ATTEMPT, FOREVER)).kind is ReplyKind.ANSWERED
        reply = await gateway.submit_batch(batch(), ATTEMPT, FOREVER)
        assert (server.connections, len(server.requests)) == (1, 2)
    assert (reply.kind, reply.code) == (ReplyKind.LOST, "DOWNSTREAM_CONNECTION_LOST")


async def test_cancellation_passes_on_and_the_connection_is_reset() -> None:
    arrived = asyncio.Event()

    async def silent(talk: Conversation) -> None:
        await talk.request()
        arrived.set()
        await talk.hold()

    async with raw_server(silent) as server, client(server.base_url) as gateway:
        call = asyncio.create_task(gateway.submit_batch(batch(), ATTEMPT, FOREVER))
        await asyncio.wait_for(arrived.wait(), DEADLINE_S)
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        await asyncio.wait_for(server.ended.wait(), DEADLINE_S)
        assert server.endings == ["reset"]


async def test_an_unopened_client_raises() -> None:
    gateway = client("http://127.0.0.1:1")
    with pytest.raises(RuntimeError, match="async with"):
        await gateway.submit_batch(batch(), ATTEMPT, FOREVER)
    with pytest.raises(RuntimeError, match="async with"):
        await gateway.list_newest(0, 1)


async def test_the_same_on_uvloop() -> None:
    """The loop of production: an answer, a time-out with its reset, a lease that has passed."""
    uvloop = pytest.importorskip("uvloop")

    async def script(talk: Conversation) -> None:
        await talk.request()
        await talk.answer(201, ALL_CREATED)
        await talk.request()
        await talk.hold()

    async def calls(base_url: str) -> list[GatewayReply]:
        async with client(base_url, read_timeout_s=SHORT_S) as gateway:
            expired = SystemClock().monotonic()
            return [
                await gateway.submit_batch(batch(100), ATTEMPT, FOREVER),
                await gateway.submit_batch(batch(100), ATTEMPT, FOREVER),
                await gateway.submit_batch(batch(100), ATTEMPT, expired),
            ]

    def run(base_url: str) -> list[GatewayReply]:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            return runner.run(calls(base_url))

    async with raw_server(script) as server:
        replies = await asyncio.to_thread(run, server.base_url)
        await asyncio.wait_for(server.ended.wait(), DEADLINE_S)
        assert server.endings == ["reset"]
        assert len(server.requests) == 2
    assert [reply.code for reply in replies] == ["OK", "DOWNSTREAM_READ_TIMEOUT", "LEASE_PASSED"]
