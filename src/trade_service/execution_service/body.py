"""The two bodies of a call: ours, guarded until its last moment, and the answer's, bounded while read."""

import asyncio
import contextlib
import socket
import struct
from enum import StrEnum

import aiohttp
from aiohttp.abc import AbstractStreamWriter

from trade_service.execution_service.errors import BodyTooLarge
from trade_service.submission.ports import Clock

_LINGER_ZERO = struct.pack("ii", 1, 0)


class NothingLeft(Exception):
    """Raised instead of the first write; the reason is in `GuardedBody.stage`."""


class Stage(StrEnum):
    """How far a request body has come."""

    WAITING = "waiting"
    TOO_LATE = "too_late"
    """The time in which it might be sent had passed."""
    STALE = "stale"
    """The connection was closed, or held bytes nobody had asked for."""
    HANDED_OVER = "handed_over"
    """Bytes may have left."""


class GuardedBody(aiohttp.BytesPayload):
    """A request body that refuses to leave after `write_before` (the clock's boot time, in seconds).

    aiohttp keeps the request's head back until the body's first write, so this is the last moment
    before any byte of the request leaves: a process that was frozen until too late sends nothing.
    """

    def __init__(self, body: bytes, clock: Clock, write_before: float) -> None:
        super().__init__(body, content_type="application/json")
        self._clock = clock
        self._write_before = write_before
        self._transport: asyncio.WriteTransport | None = None
        self._given_up = False
        self.stage = Stage.WAITING

    @property
    def may_have_left(self) -> bool:
        """Whether a byte of the request may have reached the network."""
        return self.stage is Stage.HANDED_OVER

    async def write(self, writer: AbstractStreamWriter) -> None:
        """Writes the whole body, or raises NothingLeft with nothing written."""
        self._transport = transport = writer.transport
        if transport is None or transport.is_closing() or _holds_stray_bytes(transport):
            self.stage = Stage.STALE
        elif self._given_up or self._clock.boottime() >= self._write_before:
            self.stage = Stage.TOO_LATE
        else:
            self.stage = Stage.HANDED_OVER
            await writer.write(self._value)
            return
        raise NothingLeft

    async def write_with_length(self, writer: AbstractStreamWriter, _content_length: int | None) -> None:
        """The same as `write`: the announced length is the body's own."""
        await self.write(writer)

    def give_up(self) -> None:
        """Makes sure that nothing leaves from now on: what is not written stays, what is buffered is dropped.

        Closing would go on sending what the socket still holds; a reset discards it.
        """
        self._given_up = True
        transport = self._transport
        if transport is None:
            return
        sock = transport.get_extra_info("socket")
        if sock is not None:
            # uvloop has a closed socket speak up with ValueError.
            with contextlib.suppress(OSError, ValueError):
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_ZERO)
        transport.abort()


async def read_bounded(response: aiohttp.ClientResponse, max_bytes: int) -> bytes:
    """The answer's whole body; raises BodyTooLarge as soon as more than `max_bytes` have come.

    What Content-Length promises is not believed.
    """
    content = response.content
    first = await content.readany()
    if content.at_eof() and len(first) <= max_bytes:
        return first
    chunks = [first]
    size = len(first)
    while size <= max_bytes:
        chunk = await content.readany()
        if not chunk:
            return b"".join(chunks)
        chunks.append(chunk)
        size += len(chunk)
    raise BodyTooLarge


def _holds_stray_bytes(transport: asyncio.WriteTransport) -> bool:
    """Whether the server has spoken on this connection before being asked.

    Such bytes would be taken for the answer to this request.
    """
    protocol = getattr(transport, "get_protocol", lambda: None)()
    return bool(getattr(protocol, "should_close", False))
