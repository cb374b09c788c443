"""A server that sends scripted bytes over real sockets, and other helpers of the client's tests."""

import asyncio
import contextlib
import socket
import ssl
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from decimal import Decimal
from typing import Any

from trade_service.execution_service.client import ExecutionServiceClient
from trade_service.execution_service.wire import encode_batch
from trade_service.submission.clock import SystemClock
from trade_service.submission.engine_settings import ExecutionServiceSettings
from trade_service.submission.messages import BatchExecutionRequest, ExecutionRequest
from trade_service.submission.model import GatewayReply

DEADLINE_S = 10.0
FOREVER = float("inf")
ATTEMPT = "01890000-0000-7000-8000-000000000001"


class Conversation:
    """A connection on the server's side."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, server: "RawServer"):
        self.reader = reader
        self.writer = writer
        self._server = server

    async def request(self) -> bytes:
        """Reads one whole request into `RawServer.requests`."""
        head = await self.reader.readuntil(b"\r\n\r\n")
        lines = head.lower().split(b"\r\n")
        length = next((int(line[15:]) for line in lines if line.startswith(b"content-length:")), 0)
        body = await self.reader.readexactly(length)
        self._server.requests.append((head, body))
        return body

    async def send(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()

    async def answer(
        self, status: int, body: bytes = b"", content_type: str = "application/json", headers: str = ""
    ) -> None:
        """Sends a complete answer with a correct Content-Length."""
        length = f"Content-Length: {len(body)}\r\n" if status not in (204, 304) else ""
        kind = f"Content-Type: {content_type}\r\n" if content_type else ""
        head = f"HTTP/1.1 {status} Whatever\r\n{kind}{length}{headers}\r\n"
        await self.send(head.encode() + body)

    def reset(self) -> None:
        """Drops the connection with a TCP reset."""
        sock = self.writer.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.writer.transport.abort()

    async def hold(self) -> None:
        """Waits silently until the client disconnects, and records how: `eof` or `reset`."""
        try:
            rest = await self.reader.read(-1)
        except ConnectionError:
            self._server.endings.append("reset")
        else:
            self._server.endings.append("eof")
            self._server.leftovers += rest
        self._server.ended.set()


Script = Callable[[Conversation], Awaitable[None]]


class RawServer:
    """Requests and connections that the server has seen."""

    def __init__(self, port: int, scheme: str = "http") -> None:
        self.base_url = f"{scheme}://127.0.0.1:{port}"
        self.connections = 0
        self.requests: list[tuple[bytes, bytes]] = []
        self.endings: list[str] = []
        self.leftovers = b""
        self.ended = asyncio.Event()


@asynccontextmanager
async def raw_server(script: Script, tls: ssl.SSLContext | None = None) -> AsyncIterator[RawServer]:
    """Listens on a free port and runs `script` on every connection."""
    talks: set[asyncio.Task[None]] = set()

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        talks.add(task)
        seen.connections += 1
        try:
            await script(Conversation(reader, writer, seen))
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            seen.ended.set()
        finally:
            writer.close()
            talks.discard(task)

    server = await asyncio.start_server(talk, "127.0.0.1", 0, limit=2**20, ssl=tls)
    seen = RawServer(server.sockets[0].getsockname()[1], "http" if tls is None else "https")
    try:
        yield seen
    finally:
        server.close()
        for task in list(talks):
            task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.gather(*talks)


def answering(
    status: int, body: bytes = b"", content_type: str = "application/json", headers: str = ""
) -> Script:
    """A script that answers every request alike."""

    async def script(talk: Conversation) -> None:
        while True:
            await talk.request()
            await talk.answer(status, body, content_type, headers)

    return script


def settings(
    base_url: str,
    *,
    connect_timeout_s: float = DEADLINE_S,
    read_timeout_s: float = DEADLINE_S,
    total_timeout_s: float = DEADLINE_S,
    **changes: int | str,
) -> ExecutionServiceSettings:
    """Time-outs that never expire, unless given."""
    return ExecutionServiceSettings(
        base_url=base_url,
        connect_timeout_ms=round(connect_timeout_s * 1000),
        read_timeout_ms=round(read_timeout_s * 1000),
        total_timeout_ms=round(total_timeout_s * 1000),
        **changes,  # type: ignore[arg-type]
    )


def client(base_url: str, **changes: Any) -> ExecutionServiceClient:
    """A client with the real clock, not opened yet."""
    return ExecutionServiceClient(settings(base_url, **changes), SystemClock())


async def reply_from(base_url: str, **changes: object) -> GatewayReply:
    """The reply of a new client to one batch."""
    async with client(base_url, **changes) as gateway:
        return await asyncio.wait_for(gateway.submit_batch(batch(), ATTEMPT, FOREVER), DEADLINE_S)


def batch(size: int = 3, first_id: int = 101) -> BatchExecutionRequest:
    """A request for `size` executions."""
    posts = [
        ExecutionRequest("NEW", "BUY", "NYSE", f"AAPL{n:020d}", Decimal("100.5"), None, n, 1)
        for n in range(first_id, first_id + size)
    ]
    return BatchExecutionRequest(posts, encode_batch(posts)[0])


def closed_port() -> int:
    """A port on which nothing listens."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port: int = sock.getsockname()[1]
    return port
