"""A TCP relay between a replica and its peers: it can cut connections, and swallow answers before that."""

import asyncio
import socket
import struct
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

Address = tuple[str, int]
"""Host and port; a host that begins with "/" is the path of a Unix socket, and the port is ignored."""

CHUNK_BYTES = 65_536


class Relay:
    """Forwards connections to the current `target`; refuses them while it is None."""

    def __init__(self, target: Callable[[], Address | None]) -> None:
        self._target = target
        self._writers: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._swallowing = False
        self.port = 0

    @asynccontextmanager
    async def listening(self) -> AsyncIterator["Relay"]:
        """Forwards connections until the context ends."""
        server = await asyncio.start_server(self._accepted, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        try:
            yield self
        finally:
            server.close()
            self.cut()
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)
            await asyncio.sleep(0)  # What was reset is closed by the loop's next turn.

    def cut(self) -> None:
        """Resets every connection."""
        for writer in self._writers:
            _reset(writer)

    async def cut_after_silence(self, silence_s: float) -> None:
        """Swallows answers for a while, then cuts: requests are served but not answered."""
        self._swallowing = True
        try:
            await asyncio.sleep(silence_s)
        finally:
            self._swallowing = False
            self.cut()

    def _accepted(self, near: asyncio.StreamReader, back: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(self._carry(near, back))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _carry(self, near: asyncio.StreamReader, back: asyncio.StreamWriter) -> None:
        self._writers.add(back)
        try:
            far, forth = await self._connect()
        except OSError:
            _reset(back)
            self._writers.discard(back)
            return
        self._writers.add(forth)
        ways = [
            asyncio.create_task(self._pass_on(near, forth, answers=False)),
            asyncio.create_task(self._pass_on(far, back, answers=True)),
        ]
        try:
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for way in ways:
                way.cancel()
            await asyncio.gather(*ways, return_exceptions=True)
            for writer in (back, forth):
                writer.close()
            await asyncio.gather(back.wait_closed(), forth.wait_closed(), return_exceptions=True)
            self._writers -= {back, forth}

    async def _connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        target = self._target()
        if target is None:
            raise ConnectionRefusedError
        host, port = target
        if host.startswith("/"):
            return await asyncio.open_unix_connection(host)
        return await asyncio.open_connection(host, port)

    async def _pass_on(
        self, source: asyncio.StreamReader, sink: asyncio.StreamWriter, *, answers: bool
    ) -> None:
        """Forwards bytes until the source ends; a reset of the source resets the sink."""
        try:
            while data := await source.read(CHUNK_BYTES):
                if answers and self._swallowing:
                    continue
                sink.write(data)
                await sink.drain()
        except ConnectionError:
            _reset(sink)


def _reset(writer: asyncio.StreamWriter) -> None:
    """Resets a connection instead of closing it."""
    connection = writer.get_extra_info("socket")
    if connection is not None and connection.family != socket.AF_UNIX and not writer.is_closing():
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()
