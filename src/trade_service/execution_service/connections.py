"""Connections to the Execution Service: one HTTP/1.1 call at a time on each, and no byte without a last check.

A client library decides itself when a request's bytes leave, and whether they leave again on another connection.
Here both are visible: `Connection.call` writes a request once, in one piece, right after the check of its lease.
"""

import asyncio
import contextlib
import os
import socket
import struct
from collections import deque
from collections.abc import Callable
from typing import cast

import msgspec
from httptools import HttpParserError, HttpParserUpgrade, HttpResponseParser

from trade_service.execution_service.content_coding import decoded
from trade_service.execution_service.opening import Peer, in_time, open_connection
from trade_service.execution_service.reply_interpretation import (
    Answer,
    CallFailed,
    ClientCode,
    NothingSent,
)
from trade_service.http_connector import MAX_HEAD_BYTES, MAX_INTERIM

_PIECE_BYTES = 4_096
"""Bytes parsed at once before the body, so that the bounds hold within one read of 256 KiB too."""
_SWITCHING = 101
_KEPT = {
    b"content-encoding": "Content-Encoding",
    b"content-type": "Content-Type",
    b"date": "Date",
    b"retry-after": "Retry-After",
}
"""Headers that decide something."""
_FRAMING = frozenset({b"content-length", b"transfer-encoding"})
_TOO_MUCH_BESIDE = f"more than {MAX_HEAD_BYTES} bytes or {MAX_INTERIM} interim answers (1xx) beside the body"
_KEEPALIVE_S = 4.0
"""Idle connections are closed after this time: before the other side closes them (5 s is common)."""
_CLOSE_S = 1.0
"""How long the other side may take to close a connection as well."""
_LINGER_ZERO = struct.pack("ii", 1, 0)

MayLeave = Callable[[], bool]
"""Asked right before the first byte of a request leaves."""


class CallLimits(msgspec.Struct, frozen=True):
    """Bounds of calls."""

    connect_s: float
    """For a free connection, name, TCP and TLS together."""
    read_s: float
    """Of silence while an answer is waited for."""
    total_s: float
    max_connections: int
    max_body_bytes: int


class AnswerReader:
    """The answer to one request, as its bytes arrive. Interim answers (1xx) are dropped.

    Example:
        reader = AnswerReader(max_body_bytes=8_000_000)
        while reader.answer is None:
            reader.feed(await next_bytes())
    """

    def __init__(self, max_body_bytes: int) -> None:
        self._max_body_bytes = max_body_bytes
        self._parser = HttpResponseParser(self)
        # What other clients take from a careless server: odd headers, bare line feeds, blanks after a size.
        self._parser.set_dangerous_leniencies(
            lenient_headers=True, lenient_optional_cr_before_lf=True, lenient_spaces_after_chunk_size=True
        )
        self._headers: dict[str, str] = {}
        self._chunks: list[bytes] = []
        self._body_bytes = 0
        self._bytes_beside_body = 0
        """Since the last piece of the body: head, sizes of chunks, trailers."""
        self._interim = 0
        self._is_framed = False
        self.keeps_alive = False
        """Whether another request may follow on the connection."""
        self.status: int | None = None
        """Known once the head is complete."""
        self.answer: Answer | None = None
        """Known once it is complete; its `read_error` says why its body cannot be used."""

    def feed(self, data: bytes) -> None:
        """Takes the next bytes. Raises CallFailed if they break HTTP or the bounds."""
        start, end = 0, len(data)
        try:
            while start < end:
                piece = data[start : start + _PIECE_BYTES] if self.status is None else data[start:]
                start, before = start + len(piece), self._body_bytes
                self._parser.feed_data(piece)
                if self._body_bytes > self._max_body_bytes:
                    raise CallFailed(ClientCode.BODY_TOO_LARGE)
                beside = 0 if self._body_bytes > before else self._bytes_beside_body + len(piece)
                self._bytes_beside_body = beside
                if beside > MAX_HEAD_BYTES or self._interim > MAX_INTERIM:
                    raise CallFailed(ClientCode.UNREADABLE, _TOO_MUCH_BESIDE)
        except (HttpParserError, HttpParserUpgrade) as error:
            self.keeps_alive = False
            if self.status != _SWITCHING:
                rule = "more bytes than the answer announced" if self.answer else str(error)
                raise CallFailed(ClientCode.UNREADABLE, rule) from error

    def end(self) -> None:
        """Takes the end of the connection, which completes an answer without a length."""
        if self.answer is None and self.status is not None and not self._is_framed:
            self.on_message_complete()
        self.keeps_alive = False

    def broken(self, error: CallFailed) -> Answer:
        """The answer whose head is complete, and whose body is missing."""
        assert self.status is not None
        return Answer(self.status, None, error, self._headers)

    # --- httptools calls these ---

    def on_header(self, name: bytes, value: bytes) -> None:
        """Keeps the first of each header that decides something; trailers decide nothing."""
        if self.status is not None:
            return
        name = name.lower()
        if name in _FRAMING:
            self._is_framed = True
        elif name in _KEPT:
            self._headers.setdefault(_KEPT[name], value.decode("latin-1"))

    def on_headers_complete(self) -> None:
        """The end of a head."""
        status = self._parser.get_status_code()
        if self.answer is not None:
            raise ValueError("another answer, which nobody asked for")
        if 100 <= status < 200 and status != _SWITCHING:
            self._interim += 1
            self._headers.clear()
            self._is_framed = False
        else:
            self.status = status

    def on_body(self, piece: bytes) -> None:
        """A piece of the body; one that exceeds the bound is counted and dropped."""
        self._body_bytes += len(piece)
        if self._body_bytes <= self._max_body_bytes:
            self._chunks.append(piece)

    def on_message_complete(self) -> None:
        """The end of an answer."""
        if self.status is None:
            return
        self.keeps_alive = self._parser.should_keep_alive()
        body = self._chunks[0] if len(self._chunks) == 1 else b"".join(self._chunks)
        coding, error = self._headers.get("Content-Encoding", ""), None
        if coding and body:
            try:
                body = decoded(body, coding.strip().lower(), self._max_body_bytes)
            except CallFailed as failure:
                error = failure
        self.answer = Answer(self.status, None if error else body, error, self._headers)


class Connection(asyncio.Protocol):
    """One connection; ends with the first thing that is not an answer to its request."""

    def __init__(self, sock: socket.socket, limits: CallLimits, others: set["Connection"]) -> None:
        """`others` holds this connection while it is open."""
        self._sock = sock
        self._limits = limits
        self._others = others
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._is_tls = False
        self._reader: AnswerReader | None = None
        self._answered: asyncio.Future[Answer] = self._loop.create_future()
        self._heard_at = self._ends_at = 0.0
        self._timer: asyncio.TimerHandle | None = None
        self.is_open = False
        self.lost: asyncio.Future[None] = self._loop.create_future()
        """Done once the connection has ended."""
        self.idle_since = 0.0
        """By the loop's clock."""

    async def call(self, request: bytes, may_leave: MayLeave | None, ends_at: float) -> Answer:
        """Sends a request and returns its answer, until `ends_at` by the loop's clock.

        Raises CallFailed, and NothingSent if no byte has left. Anything but a whole answer ends the
        connection with a reset: closing it would still send what the socket has buffered.
        """
        transport, loop = self._transport, self._loop
        try:
            waiting: bytes | None = self._sock.recv(1, socket.MSG_PEEK)
        except BlockingIOError:
            waiting = None
        except OSError:
            waiting = b""
        # An end that the loop has not read yet, or bytes that nobody asked for; TLS may send some of its own.
        is_spoiled = waiting is not None and not (waiting and self._is_tls)
        if transport is None or not self.is_open or transport.is_closing() or is_spoiled:
            self.reset()
            raise NothingSent(ClientCode.NOT_SENT)
        if may_leave is not None and not may_leave():
            raise NothingSent(ClientCode.LEASE_PASSED)
        self._reader = reader = AnswerReader(self._limits.max_body_bytes)
        self._answered = loop.create_future()
        self._heard_at, self._ends_at = loop.time(), ends_at
        try:
            transport.write(request)
            self._timer = loop.call_at(min(ends_at, self._heard_at + self._limits.read_s), self._watch)
            return await self._answered
        finally:
            if self._timer is not None:
                self._timer.cancel()
            self._reader = self._timer = None
            if reader.answer is None or transport.get_write_buffer_size():
                self.reset()
            elif not reader.keeps_alive:
                self.close()

    def reset(self) -> None:
        """Ends the connection and discards what it has not sent, even if it is closed already."""
        self.is_open = False
        with contextlib.suppress(OSError):
            self._sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_ZERO)
        if self._transport is not None:
            self._transport.abort()

    def close(self) -> None:
        """Ends the connection; with a reset if a call is in progress."""
        if self._reader is not None:
            self.reset()
            return
        self.is_open = False
        if self._transport is not None:
            self._transport.close()

    # --- the event loop calls these ---

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The connection is open, TLS included."""
        self._transport, self.is_open = cast("asyncio.Transport", transport), True
        self._is_tls = transport.get_extra_info("sslcontext") is not None
        self._others.add(self)

    def data_received(self, data: bytes) -> None:
        """Bytes of an answer; nobody asked for any while no call is in progress."""
        if self._reader is None:
            self.reset()
            return
        self._heard_at = self._loop.time()
        try:
            self._reader.feed(data)
        except CallFailed as error:
            self._fail(error)
        else:
            if self._reader.answer is not None and not self._answered.done():
                self._answered.set_result(self._reader.answer)

    def eof_received(self) -> None:
        """The other side sends no more: the end of an answer without a length, or of an answer that is cut off."""
        self.is_open = False
        if self._reader is not None:
            self._reader.end()
            if self._reader.answer is not None and not self._answered.done():
                self._answered.set_result(self._reader.answer)

    def connection_lost(self, error: Exception | None) -> None:
        """The connection is closed, with an error or without."""
        self.is_open = False
        self._others.discard(self)
        if not self.lost.done():
            self.lost.set_result(None)
        if self._reader is not None and self._reader.answer is None:
            detail = os.strerror(error.errno) if isinstance(error, OSError) and error.errno else "closed"
            cut_off = self._reader.status is not None
            code = ClientCode.TRUNCATED if cut_off else ClientCode.CONNECTION_LOST
            self._fail(CallFailed(code, detail))

    def _watch(self) -> None:
        """Looks at the time again when the call could be too late: one timer, however many pieces arrive."""
        now = self._loop.time()
        if now >= self._ends_at:
            self._fail(CallFailed(ClientCode.TOTAL_TIMEOUT))
        elif now >= self._heard_at + self._limits.read_s:
            self._fail(CallFailed(ClientCode.READ_TIMEOUT))
        else:
            due = min(self._ends_at, self._heard_at + self._limits.read_s)
            self._timer = self._loop.call_at(due, self._watch)

    def _fail(self, error: CallFailed) -> None:
        """A known status may prove something without its body."""
        if self._reader is None or self._answered.done():
            return
        if self._reader.status is not None:
            self._answered.set_result(self._reader.broken(error))
        else:
            self._answered.set_exception(error)


class ConnectionPool:
    """Connections to one address, opened as they are needed and kept while they are used.

    Example:
        pool = ConnectionPool(Peer("localhost", 8084, None), limits)
        answer = await pool.call(request, may_leave=lambda: clock.monotonic() < write_before)
        await pool.close()
    """

    def __init__(self, peer: Peer, limits: CallLimits) -> None:
        self._peer = peer
        self._limits = limits
        self._loop = asyncio.get_running_loop()
        self._places = asyncio.Semaphore(limits.max_connections)
        self._open: set[Connection] = set()
        self._idle: deque[Connection] = deque()
        """The one used last is taken first; the others age."""
        self._sweep: asyncio.TimerHandle | None = None
        self._is_closed = False

    async def call(
        self, request: bytes, may_leave: MayLeave | None = None, *, is_repeatable: bool = False
    ) -> Answer:
        """Sends a request and returns the answer.

        may_leave: asked right before the first byte leaves; nothing is sent if it returns False.
        is_repeatable: whether the request goes out once more if a kept connection ends without an answer.

        Raises CallFailed, and NothingSent if no byte has left.
        """
        limits, began = self._limits, self._loop.time()
        ends_at, connection = began + limits.total_s, None
        connect_by = began + min(limits.connect_s, limits.total_s)
        if self._places.locked():
            await in_time(self._places.acquire(), connect_by, ClientCode.POOL_EXHAUSTED)
        else:
            await self._places.acquire()
        try:
            while connection is None and self._idle:
                kept = self._idle.pop()
                if kept.is_open and kept.idle_since > began - _KEEPALIVE_S:
                    connection = kept
                else:
                    kept.close()
            if connection is not None:
                try:
                    return await connection.call(request, may_leave, ends_at)
                except CallFailed as error:
                    was_spoiled = isinstance(error, NothingSent) and error.code is ClientCode.NOT_SENT
                    is_to_be_asked_again = is_repeatable and error.code is ClientCode.CONNECTION_LOST
                    if not (was_spoiled or is_to_be_asked_again):
                        raise
                    connect_by = min(self._loop.time() + limits.connect_s, ends_at)
            connection = None
            connection = await in_time(self._connect(), connect_by, ClientCode.CONNECT_TIMEOUT)
            return await connection.call(request, may_leave, ends_at)
        finally:
            self._places.release()
            if connection is not None and connection.is_open:
                connection.idle_since = self._loop.time()
                self._idle.append(connection)
                if self._sweep is None:
                    self._sweep = self._loop.call_later(_KEEPALIVE_S, self._close_idle)

    async def close(self) -> None:
        """Closes all connections. Calls in progress end, and those that wait for a connection send nothing."""
        self._is_closed = True
        if self._sweep is not None:
            self._sweep.cancel()
        for connection in list(self._open):
            connection.close()
        if self._open:
            await asyncio.wait([connection.lost for connection in self._open], timeout=_CLOSE_S)
        for connection in list(self._open):
            connection.reset()

    def _close_idle(self) -> None:
        self._sweep = None
        until = self._loop.time() - _KEEPALIVE_S
        while self._idle and self._idle[0].idle_since <= until:
            self._idle.popleft().close()
        if self._idle:
            self._sweep = self._loop.call_at(self._idle[0].idle_since + _KEEPALIVE_S, self._close_idle)

    async def _connect(self) -> Connection:
        connection = await open_connection(
            self._peer, lambda sock: Connection(sock, self._limits, self._open), self._limits.total_s
        )
        if self._is_closed:
            connection.close()
        return connection
