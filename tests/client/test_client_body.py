"""GuardedBody: connections on which it is sent, and the bytes dropped when it is abandoned."""

import asyncio
from typing import Any

import pytest

from tests.client.raw_server import DEADLINE_S, FOREVER, Conversation, raw_server
from trade_service.execution_service.client import GuardedBody, NothingLeft, Stage
from trade_service.submission.clock import SystemClock

LARGE = 16 * 2**20
"""More than the socket buffers of both sides hold."""


class Writer:
    """aiohttp's writer for a body, over any transport."""

    def __init__(self, transport: Any) -> None:
        self.transport = transport
        self.written = 0

    async def write(self, chunk: bytes) -> None:
        self.written += len(chunk)
        if isinstance(self.transport, asyncio.WriteTransport):
            self.transport.write(chunk)


class StandIn:
    """A transport in a state that is hard to produce."""

    def __init__(self, *, closing: bool = False, spoke: bool = False) -> None:
        self._closing = closing
        self.should_close = spoke

    def is_closing(self) -> bool:
        return self._closing

    def get_protocol(self) -> "StandIn":
        return self

    def get_extra_info(self, name: str) -> None:
        return None

    def abort(self) -> None:
        self._closing = True


async def _write(transport: object) -> tuple[GuardedBody, Writer]:
    body, writer = GuardedBody(b"x" * LARGE, SystemClock(), FOREVER), Writer(transport)
    inside: Any = writer
    await body.write_with_length(inside, LARGE)
    return body, writer


@pytest.mark.parametrize("transport", [StandIn(closing=True), StandIn(spoke=True), None])
async def test_nothing_is_sent_on_a_closing_connection_or_one_with_stray_bytes(
    transport: StandIn | None,
) -> None:
    body, writer = GuardedBody(b"{}", SystemClock(), FOREVER), Writer(transport)
    inside: Any = writer
    with pytest.raises(NothingLeft):
        await body.write(inside)
    assert (body.stage, writer.written) == (Stage.STALE, 0)
    body.abandon()


async def test_an_abandoned_body_is_not_sent() -> None:
    body, writer = GuardedBody(b"{}", SystemClock(), FOREVER), Writer(StandIn())
    body.abandon()
    inside: Any = writer
    with pytest.raises(NothingLeft):
        await body.write(inside)
    assert (body.stage, writer.written) == (Stage.TOO_LATE, 0)


@pytest.mark.filterwarnings("ignore:Sending a large body:ResourceWarning")
async def test_abandoning_drops_unsent_bytes_even_from_a_closed_connection() -> None:
    """aiohttp closes a failed connection first, which alone would keep sending."""
    over = asyncio.Event()
    received = 0

    async def deaf_then_greedy(talk: Conversation) -> None:
        nonlocal received
        await over.wait()
        while chunk := await talk.reader.read(2**20):
            received += len(chunk)
        await talk.hold()

    async with raw_server(deaf_then_greedy) as server:
        port = int(server.base_url.rpartition(":")[2])
        _, stream = await asyncio.open_connection("127.0.0.1", port)
        body, _ = await _write(stream.transport)
        assert body.stage is Stage.HANDED_OVER
        kept_back = stream.transport.get_write_buffer_size()
        assert kept_back > 0
        stream.close()
        body.abandon()
        over.set()
        await asyncio.wait_for(server.ended.wait(), DEADLINE_S)
        assert received <= LARGE - kept_back
