"""uvicorn's HTTP/1.1 protocol, with bounds on all that a client can make it keep or wait for."""

import asyncio
import sys
from collections.abc import Callable
from functools import partial
from typing import Any

import httptools
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from trade_service.http_server.connection_settings import ConnectionSettings
from trade_service.http_server.places import Places
from trade_service.http_server.protocol_errors import refusal

_FRAMING = (b"transfer-encoding", b"content-length")
"""The headers that say where a request's body ends (RFC 9112, section 6.3)."""
_END_OF_HEAD = b"\r\n\r\n"
_LEAST_READ_BYTES = 65_536
"""What a slow reader must take in each write time-out."""


class BoundedProtocol(HttpToolsProtocol):
    """A connection with bounds in bytes and time on heads, trailers, waiting requests, the rest of an answered
    request, and unread answers. Violations of HTTP are answered in JSON, after the answers that are due before.

    Offers to upgrade are ignored (RFC 9110, section 7.8). The parser stops after the head of a request with such
    an offer, so a new parser takes over, with the same framing and without the offer. Trailers are ignored too:
    nothing in a body may pass for a header.
    """

    settings = ConnectionSettings()
    max_header_bytes = 65_536
    places = Places(settings.max_connections, settings.max_unread_bytes)

    _in_body = False
    _resuming = False
    """Whether a new parser is reading a head that was already parsed."""
    _refused = False
    """Whether nothing more of this connection is parsed."""
    _held = b""
    """Bytes read; those from `_held_from` on are not parsed yet."""
    _held_from = 0
    _is_paused = False
    """Whether nothing is read, since more is held than may be parsed."""
    _idle_bytes = 0
    """Bytes since the last one of a body: of heads, trailers, extensions of chunks, blank lines."""
    _rest_bytes = 0
    """Bytes of a request that arrived after its answer."""
    _last_words: bytes | None = None
    """The refusal to be sent after the answers that are due before it."""
    _running: RequestResponseCycle | None = None
    _read_timer: asyncio.TimerHandle | None = None
    _write_timer: asyncio.TimerHandle | None = None

    @classmethod
    def within(
        cls, settings: ConnectionSettings, max_header_bytes: int, max_connections: int
    ) -> "type[BoundedProtocol]":
        """The protocol of one server's connections."""
        places = Places(max_connections, settings.max_unread_bytes)
        return type(
            "BoundedProtocol",
            (cls,),
            {"settings": settings, "max_header_bytes": max_header_bytes, "places": places},
        )

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Makes room, and starts the clock for the head of the first request."""
        super().connection_made(transport)
        full = len(self.connections) > self.places.max_connections and not self.places.make_room()
        self.places.waiting[self] = None
        if full:
            self._refuse(503, f"{self.places.max_connections} connections are open, which is the limit")
        else:
            self._start_read_timer(self.settings.header_timeout_s, self._head_too_slow)

    def connection_lost(self, exc: Exception | None) -> None:
        """Ends the request that is being served, which need not be the last one read."""
        self._stop_read_timer()
        if self._write_timer is not None:
            self._write_timer.cancel()
        self._unset_keepalive_if_required()
        self.places.forget(self)
        if self._running is not None and self._running is not self.cycle:
            self._abandon(self._running)
        super().connection_lost(exc)

    def drop(self) -> None:
        """Closes the connection at once."""
        self.connections.discard(self)
        self.places.forget(self)
        self.transport.abort()

    def end_after_answer(self) -> None:
        """Ends the connection with the answer to the last request read, which says so, if it has not begun.

        A client that knows sends its next request on another connection. A close without notice may meet it on
        the way, and a client cannot tell whether that was served (RFC 9112, 9.6).
        """
        has_served = self.cycle is not None  # although uvicorn declares that it always is
        if has_served and not self.cycle.response_started:
            self.cycle.keep_alive = False

    def data_received(self, data: bytes) -> None:
        """Parses what arrives, up to the bound on waiting requests."""
        if self._refused or (self._in_body and self.cycle.response_complete):
            self._rest_bytes += len(data)
            if self._rest_bytes > self.settings.max_rest_bytes:
                self.drop()
                return
        if not self._refused:
            self._held = self._held[self._held_from :] + data if self._held else data
            self._held_from = 0
            self._parse()

    def _parse(self) -> None:
        """Parses what is held, as far as not too many requests wait for the answers before them."""
        self._unset_keepalive_if_required()
        held = memoryview(self._held)
        while not self._refused and self._held_from < len(held):
            room = self.settings.max_pipelined - len(self.pipeline)
            if room <= 0:
                self._pause()
                return
            end = len(held)
            if self._held.count(_END_OF_HEAD, self._held_from) > room:
                end = _after_heads(self._held, self._held_from, room)
            piece, self._held_from = held[self._held_from : end], end
            self._idle_bytes += len(piece)
            try:
                self.parser.feed_data(piece)
            except httptools.HttpParserUpgrade as offer:
                self._held_from -= len(piece) - offer.args[0]
                self._resume()
            except httptools.HttpParserError:
                self.send_400_response("Invalid HTTP request received.")
            if self._idle_bytes > self.max_header_bytes:
                self._refuse_large_head()
        self._held, self._held_from = b"", 0
        if self._is_paused:
            self._go_on()
        is_serving = self._in_body or self._running or self._refused
        if not (is_serving or self._read_timer or self.timeout_keep_alive_task):
            self._start_read_timer(self.settings.header_timeout_s, self._head_too_slow)

    def _pause(self) -> None:
        """Reads no more, until what is held has been parsed."""
        self._is_paused = True
        self.transport.pause_reading()
        self.flow.read_paused = False  # Else a request that waits for its client to leave would resume it.

    def _go_on(self) -> None:
        """Reads on, unless a request is to take its body first."""
        self._is_paused = False
        if not self.flow.read_paused:
            self.transport.resume_reading()

    def _resume(self) -> None:
        """Replaces the parser after the head that it read last."""
        framing = [b"%b: %b\r\n" % header for header in self.headers if header[0] in _FRAMING]
        self.parser = httptools.HttpRequestParser(self)
        self.parser.set_dangerous_leniencies(lenient_data_after_close=True)
        self._resuming = True
        self.parser.feed_data(b"POST / HTTP/1.1\r\n" + b"".join(framing) + b"\r\n")

    def on_header(self, name: bytes, value: bytes) -> None:
        """Takes a header, and ignores a trailer."""
        if not self._in_body:
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """Begins to serve a request, or refuses its head."""
        if self._resuming:
            self._resuming = False
            return
        if self._read_timer is not None:
            self._stop_read_timer()
        if self._idle_bytes > self.max_header_bytes and self._head_bytes() > self.max_header_bytes:
            self._refuse_large_head()
        elif (flaw := _flaw_of(self.headers, self.parser.get_http_version())) is not None:
            self._refuse(*flaw)
        if self._refused:
            raise httptools.HttpParserError("the head was refused")
        self._in_body, self._idle_bytes, self._rest_bytes = True, 0, 0
        self.places.waiting.pop(self, None)
        super().on_headers_complete()
        cycle: Any = self.cycle
        cycle.send_500_response = partial(self._fail, cycle)
        if self.places.is_draining:
            self.end_after_answer()
        if not self.pipeline:
            self._running = self.cycle

    def on_body(self, body: bytes) -> None:
        """Takes a part of a body."""
        self._idle_bytes = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        """Ends the body, unless the parser mistakes what follows the head for another protocol."""
        if self.parser.should_upgrade():
            return
        super().on_message_complete()
        self._in_body, self._idle_bytes = False, 0
        if self.cycle.response_complete:
            self._stop_read_timer()
            self.timeout_keep_alive_task = self.loop.call_later(
                self.settings.keep_alive_s, self.timeout_keep_alive_handler
            )

    def on_response_complete(self) -> None:
        """Goes on to the next request, or waits for it."""
        self._running = self.pipeline[-1][0] if self.pipeline else None
        super().on_response_complete()
        if self._running is None:
            self.places.waiting[self] = None
        if self.transport.is_closing():
            self._watch_unread()
        elif self._running is None and self._last_words is not None:
            self._end()
        elif self._held:
            self._parse()
        elif self._running is None and self._in_body:
            self._start_read_timer(self.settings.rest_timeout_s, self.drop)

    def pause_writing(self) -> None:
        """The client does not read as fast as is written: starts the clock."""
        super().pause_writing()
        self.places.stalled(self, self.transport.get_write_buffer_size())
        self._watch_unread()

    def resume_writing(self) -> None:
        """The client has read on: stops the clock. The little that is left is bounded by the keep-alive time."""
        super().resume_writing()
        self.places.flowing(self)
        if self._write_timer is not None and not self.transport.is_closing():
            self._write_timer.cancel()
            self._write_timer = None

    def timeout_keep_alive_handler(self) -> None:
        """Closes an idle connection, even if its client has not read all answers."""
        if self.transport.get_write_buffer_size():
            self.drop()
        else:
            super().timeout_keep_alive_handler()

    def send_400_response(self, msg: str) -> None:
        """Answers what the parser cannot parse."""
        self._refuse(400, msg.rstrip(".") + ": it does not follow HTTP/1.1")

    def _head_bytes(self) -> int:
        return len(self.url) + sum(len(name) + len(value) + 4 for name, value in self.headers)

    def _refuse_large_head(self) -> None:
        message = f"the request's head is larger than {self.max_header_bytes} bytes (server.max_header_bytes)"
        self._refuse(431, message)

    def _head_too_slow(self) -> None:
        self._refuse(408, f"no whole request head within {self.settings.header_timeout_s:g} s")

    def _refuse(self, status: int, message: str) -> None:
        """Answers once the requests before have been answered, and closes.

        Where the body of a request is at fault, this is the answer to that request, if it has none yet.
        """
        if self._refused or self.transport.is_closing():
            return
        self._refused = True
        self._stop_read_timer()
        answered = self._in_body and self.cycle.response_started
        self._last_words = b"" if answered else refusal(status, message)
        if self._in_body:
            self._abandon(self.cycle)
            if self.pipeline and self.pipeline[0][0] is self.cycle:
                self.pipeline.popleft()
            elif self._running is self.cycle:
                self._running = None
        if self._running is None:
            self._end()

    def _abandon(self, cycle: RequestResponseCycle) -> None:
        """The client has gone, or is answered otherwise: nothing that the application sends reaches it."""
        if not cycle.response_complete:
            cycle.disconnected = True
        cycle.message_event.set()

    async def _fail(self, cycle: RequestResponseCycle) -> None:
        """Answers 500 where the application raised. What was cancelled gets no answer: its outcome is unknown."""
        if isinstance(sys.exception(), asyncio.CancelledError):
            self._abandon(cycle)
            self.drop()
        else:
            await RequestResponseCycle.send_500_response(cycle)

    def _end(self) -> None:
        """Says the last words, and closes after the client or a moment later.

        To close at once would reset the connection if more data arrives, and lose the answer (RFC 9112, 9.6).
        """
        self.transport.write(self._last_words or b"")
        if self.transport.can_write_eof():
            self.transport.write_eof()
        self.flow.read_paused = False
        self.transport.resume_reading()
        self._start_read_timer(self.settings.rest_timeout_s, self.drop)

    def _start_read_timer(self, after_s: float, action: Callable[[], None]) -> None:
        self._stop_read_timer()
        self._read_timer = self.loop.call_later(after_s, action)

    def _stop_read_timer(self) -> None:
        if self._read_timer is not None:
            self._read_timer.cancel()
            self._read_timer = None

    def _watch_unread(self) -> None:
        """Drops the connection if its client does not go on reading."""
        unread = self.transport.get_write_buffer_size()
        if unread and self._write_timer is None:
            after_s = self.settings.write_timeout_s
            self._write_timer = self.loop.call_later(after_s, self._check_unread, unread)

    def _check_unread(self, before: int) -> None:
        self._write_timer = None
        taken = before - self.transport.get_write_buffer_size()
        if taken < min(before, _LEAST_READ_BYTES):
            self.drop()
        else:
            self._watch_unread()


def _after_heads(data: bytes, start: int, count: int) -> int:
    """Where the `count`th head after `start` ends: an empty line ends each."""
    for _ in range(count):
        start = data.index(_END_OF_HEAD, start) + len(_END_OF_HEAD)
    return start


def _flaw_of(headers: list[tuple[bytes, bytes]], version: str) -> tuple[int, str] | None:
    """Why a head is refused that the parser accepts, with the status (RFC 9112, sections 3.2 and 6.1)."""
    if version not in {"1.0", "1.1"}:
        return 400, f"HTTP/{version} is not served: use HTTP/1.1"
    hosts = sum(name == b"host" for name, _ in headers)
    if hosts > 1 or (version == "1.1" and not hosts):
        return 400, f"a request must have one Host header, and this one has {hosts}"
    codings = [value.strip().lower() for name, value in headers if name == b"transfer-encoding"]
    if codings and version == "1.0":
        return 400, "HTTP/1.0 has no Transfer-Encoding: use HTTP/1.1"
    if codings and codings != [b"chunked"]:
        return 501, "the only transfer coding served is chunked"
    return None
