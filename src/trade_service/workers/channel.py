"""The messages between the supervisor and a worker, over a pair of connected sockets."""

import asyncio
import socket
from collections.abc import AsyncIterator
from typing import TypeAlias

import msgspec

from trade_service.settings.tree import Settings

_LENGTH_BYTES = 4


class Begin(msgspec.Struct, frozen=True, tag=True):
    """To a worker, first: its settings and place. `listening` are the descriptors to accept connections on."""

    settings: Settings
    place: int
    """The number of the worker, from 1."""
    listening: tuple[int, ...]
    counts: int
    """The file descriptor of the memory where workers show how many connections they have."""
    level: str | None
    """The log level, if it was changed while the service runs."""
    past: bytes
    """The metrics of earlier workers of this place: counting continues from them."""
    is_first: bool
    """Whether no other worker runs yet: it alone reports progress."""


class Ready(msgspec.Struct, frozen=True, tag=True):
    """From a worker: it accepts connections. `line` describes the service."""

    line: str


class Ping(msgspec.Struct, frozen=True, tag=True):
    """To a worker, and back: its loop runs."""


class CollectMetrics(msgspec.Struct, frozen=True, tag=True):
    """From a worker: asks for the metrics of all workers."""


class GiveMetrics(msgspec.Struct, frozen=True, tag=True):
    """To a worker: asks for its own metrics."""


class OwnMetrics(msgspec.Struct, frozen=True, tag=True):
    """From a worker: its metrics, as `observability.merging` encodes them."""

    metrics: bytes


class AllMetrics(msgspec.Struct, frozen=True, tag=True):
    """To a worker: the metrics of all workers."""

    number: int
    """Number of this collection."""
    alive: tuple[bytes, ...]
    silent: tuple[bytes, ...]
    """The last metrics of workers that ended or did not answer."""
    workers: int
    restarts: int


class ChangeLevel(msgspec.Struct, frozen=True, tag=True):
    """Both ways: the log level of all workers; None for the configured one."""

    level: str | None


class Stop(msgspec.Struct, frozen=True, tag=True):
    """To a worker: end, after finishing what is in flight unless `at_once`."""

    at_once: bool = False


Message: TypeAlias = (
    Begin | Ready | Ping | CollectMetrics | GiveMetrics | OwnMetrics | AllMetrics | ChangeLevel | Stop
)


class Channel:
    """One end of the pair; used on one loop."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._encoder = msgspec.msgpack.Encoder()
        self._decoder: msgspec.msgpack.Decoder[Message] = msgspec.msgpack.Decoder(Message)

    @classmethod
    async def on(cls, end: socket.socket) -> "Channel":
        """The channel on a connected socket, which it closes."""
        return cls(*await asyncio.open_unix_connection(sock=end))

    def send(self, message: Message) -> None:
        """Sends a message, unless the other side has ended."""
        if not self._writer.is_closing():
            data = self._encoder.encode(message)
            self._writer.write(len(data).to_bytes(_LENGTH_BYTES, "big") + data)

    async def messages(self) -> AsyncIterator[Message]:
        """Messages from the other side, until it ends."""
        while True:
            try:
                length = int.from_bytes(await self._reader.readexactly(_LENGTH_BYTES), "big")
                data = await self._reader.readexactly(length)
            except (asyncio.IncompleteReadError, ConnectionError):
                return
            yield self._decoder.decode(data)

    def close(self) -> None:
        self._writer.close()
