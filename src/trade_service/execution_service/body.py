"""The bodies of a call: the request's, which expires until its first byte, and the answer's, bounded."""

import asyncio
import contextlib
import socket
import struct
from enum import StrEnum

import aiohttp
from aiohttp.abc import AbstractStreamWriter

from trade_service.execution_service.client_errors import BodyTooLarge
from trade_service.submission.ports import Clock

_LINGER_ZERO = struct.pack("ii", 1, 0)


class NothingLeft(Exception):
    """Raised in place of the first write; `GuardedBody.stage` has the reason."""


class Stage(StrEnum):
    """Progress of a request body."""

    WAITING = "waiting"
    TOO_LATE = "too_late"
    """The lease had ended."""
    STALE = "stale"
    """The connection was closed, or had received bytes before the request."""
    HANDED_OVER = "handed_over"
    """Bytes may have left."""


class GuardedBody(aiohttp.BytesPayload):
    """A request body that is not sent after `write_before` (seconds of the boot clock).

    aiohttp buffers the request's head until the body's first write, so the check happens right before any byte
    leaves: a process that was frozen past its lease sends nothing.
    """

    def __init__(self, body: bytes, clock: Clock, write_before: float) -> None:
        super().__init__(body, content_type="application/json")
        self._clock = clock
        self._write_before = write_before
        self._transport: asyncio.WriteTransport | None = None
        self._is_abandoned = False
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
        elif self._is_abandoned or self._clock.monotonic() >= self._write_before:
            self.stage = Stage.TOO_LATE
        else:
            self.stage = Stage.HANDED_OVER
            await writer.write(self._value)
            return
        raise NothingLeft

    async def write_with_length(self, writer: AbstractStreamWriter, _content_length: int | None) -> None:
        """Like `write`: the announced length is the body's own."""
        await self.write(writer)

    def abandon(self) -> None:
        """Makes sure that nothing is sent from now on.

        Closing the connection would still send what the socket has buffered; a reset discards it.
        """
        self._is_abandoned = True
        transport = self._transport
        if transport is None:
            return
        sock = transport.get_extra_info("socket")
        if sock is not None:
            # uvloop raises ValueError for a closed socket.
            with contextlib.suppress(OSError, ValueError):
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_ZERO)
        transport.abort()


async def read_bounded(response: aiohttp.ClientResponse, max_bytes: int) -> bytes:
    """The answer's whole body; raises BodyTooLarge as soon as more than `max_bytes` have arrived.

    Content-Length is not trusted.
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
    """Whether bytes have arrived on this connection before the request: they would be taken for its answer."""
    protocol = getattr(transport, "get_protocol", lambda: None)()
    return bool(getattr(protocol, "should_close", False))
