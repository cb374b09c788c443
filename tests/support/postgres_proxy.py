"""A proxy between client and server that counts round trips and can be cut."""

import asyncio
import contextlib
import ssl
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import parse_qs, urlsplit, urlunsplit

from sqlalchemy.engine import make_url

SSL_REQUEST = struct.pack("!II", 8, 80_877_103)


class PostgresProxy:
    """Counts messages that the server answers: Sync and simple Query.

    With `tls` it demands TLS, as a server with `hostssl` does, and speaks plainly to the server behind it.
    """

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        self._tls = tls
        self.round_trips = 0
        self._writers: set[asyncio.StreamWriter] = set()
        self._last_words: bytes | None = None
        self._stalling_words: bytes | None = None
        self.deaf = False
        self.stalled = asyncio.Event()
        self.stalled.set()

    def cut(self) -> None:
        """Resets every connection."""
        for writer in self._writers:
            writer.transport.abort()

    def deafen_at(self, words: bytes) -> None:
        """The server executes the next message with these words; the client gets no answer."""
        self._last_words = words

    def stall_at(self, words: bytes) -> None:
        """Holds answers back after a message with these words, until `stalled` is set again."""
        self._stalling_words = words

    async def carry_requests(self, source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
        """Forwards messages from client to server."""
        start = await source.readexactly(4)
        target.write(start + await source.readexactly(struct.unpack("!I", start)[0] - 4))
        while True:
            head = await source.readexactly(5)
            body = await source.readexactly(struct.unpack("!I", head[1:])[0] - 4)
            self.round_trips += head[:1] in (b"S", b"Q")
            if self._last_words is not None and self._last_words in body:
                self.deaf = True
            if self._stalling_words is not None and self._stalling_words in body:
                self.stalled.clear()
            target.write(head + body)
            await target.drain()

    async def carry_answers(self, source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
        """Forwards bytes from server to client."""
        while data := await source.read(65536):
            await self.stalled.wait()
            if self.deaf:
                self.cut()
                return
            target.write(data)
            await target.drain()
        await self.stalled.wait()

    async def _encrypted(self, client: asyncio.StreamReader, back: asyncio.StreamWriter) -> bool:
        """Makes the TLS handshake that the client asks for; False, and closed, where it fails or does not ask."""
        assert self._tls is not None
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            if await client.readexactly(8) == SSL_REQUEST:
                back.write(b"S")
                await back.start_tls(self._tls)
                return True
        back.transport.abort()
        return False

    async def serve(
        self, host: str, port: int, client: asyncio.StreamReader, back: asyncio.StreamWriter
    ) -> None:
        """Serves one connection until either side ends it."""
        if self._tls is not None and not await self._encrypted(client, back):
            return
        path = f"{host}/.s.PGSQL.{port}"
        opening = asyncio.open_unix_connection(path) if "/" in host else asyncio.open_connection(host, port)
        server, forth = await opening
        self._writers |= {back, forth}
        ways = [
            asyncio.create_task(self.carry_requests(client, forth)),
            asyncio.create_task(self.carry_answers(server, back)),
        ]
        try:
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for way in ways:
                way.cancel()
            await asyncio.gather(*ways, return_exceptions=True)
            self._writers -= {back, forth}
            back.close()
            forth.close()


class Pooler(PostgresProxy):
    """Gives its clients a process id of its own, as poolers do, while `pools`."""

    pools = True

    async def carry_answers(self, source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
        """Forwards answers, with another key."""
        head = b"K" + struct.pack("!I", 12)
        while data := await source.read(65536):
            at = data.find(head)
            if self.pools and at >= 0:
                at += len(head)
                data = data[:at] + struct.pack("!I", 4_000_000) + data[at + 4 :]
            target.write(data)


@asynccontextmanager
async def proxied(url: str, proxy: PostgresProxy | None = None) -> AsyncIterator[tuple[str, PostgresProxy]]:
    """The URL of the same database through a proxy, and the proxy."""
    proxy = proxy or PostgresProxy()
    address = make_url(url)
    parts = urlsplit(url)
    host = address.host or parse_qs(parts.query).get("host", ["127.0.0.1"])[0]
    port = int(address.port or parse_qs(parts.query).get("port", ["5432"])[0])
    server = await asyncio.start_server(lambda r, w: proxy.serve(host, port, r, w), "127.0.0.1", 0)
    try:
        at = f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
        credentials = parts.netloc.rpartition("@")[0]
        yield urlunsplit(parts._replace(netloc=f"{credentials}@{at}", query="sslmode=disable")), proxy
    finally:
        proxy.cut()
        server.close()
        await server.wait_closed()
