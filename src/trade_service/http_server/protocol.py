"""uvicorn's HTTP/1.1 protocol, with bounds on a request's head; it ignores offers to upgrade."""

import asyncio
import secrets

import httptools
import msgspec
import structlog
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

_log = structlog.get_logger(__name__)


class ServerLimits(msgspec.Struct, frozen=True, kw_only=True):
    """Bounds on the resources of connections."""

    max_header_bytes: int = 65_536
    header_timeout_s: float = 15.0
    """From the connection, or from a request's first byte, to the end of its head."""
    keep_alive_s: int = 75
    """Longer than clients and proxies keep idle connections, so that they close first."""
    max_connections: int = 10_000
    backlog: int = 2048


REFUSALS = {
    400: ("Bad Request", "BAD_REQUEST"),
    408: ("Request Timeout", "HEAD_TOO_SLOW"),
    503: ("Service Unavailable", "OVERLOADED"),
    431: ("Request Header Fields Too Large", "HEAD_TOO_LARGE"),
}
"""Title and code of what is refused before a request exists."""


def _refusal(status: int, message: str) -> bytes:
    """The whole response to what is no request yet; logged here, since the application never sees it."""
    title, code = REFUSALS[status]
    request_id = secrets.token_hex(16)
    _log.info("request_refused", request_id=request_id, status=status, code=code)
    body = msgspec.json.encode(
        {
            "type": "about:blank",
            "title": title,
            "status": status,
            "detail": message,
            "error": message,
            "message": message,
            "details": {},
            "code": code,
            "requestId": request_id,
        }
    )
    head = (
        f"HTTP/1.1 {status} {title}\r\ncontent-type: application/problem+json\r\n"
        f"content-length: {len(body)}\r\nx-request-id: {request_id}\r\n"
        f"{'retry-after: 1' if status == 503 else 'cache-control: no-store'}\r\nconnection: close\r\n\r\n"
    )
    return head.encode() + body


_FRAMING = (b"transfer-encoding", b"content-length")
"""The headers that say where a request's body ends (RFC 9112, section 6.3)."""


class BoundedProtocol(HttpToolsProtocol):
    """A connection whose request heads are bounded in size and time; violations of HTTP are answered in JSON.

    Offers to upgrade are ignored (RFC 9110, section 7.8). The parser stops after the head of a request with such
    an offer, so a new parser takes over, with the same framing and without the offer. Trailers are ignored too:
    nothing in a body may pass for a header.
    """

    limits = ServerLimits()
    _in_head = False
    _head_bytes = 0
    _refused = False
    _resuming = False
    """Whether a new parser is reading a head that was already parsed."""
    _head_timer: asyncio.TimerHandle | None = None

    @classmethod
    def within(cls, limits: ServerLimits) -> "type[BoundedProtocol]":
        """The protocol with these limits."""
        return type("BoundedProtocol", (cls,), {"limits": limits})

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Starts the clock for the head of the first request."""
        super().connection_made(transport)
        self._start_head_timer()

    def connection_lost(self, exc: Exception | None) -> None:
        """Stops the clock."""
        self._stop_head_timer()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Counts the bytes of an incomplete head, which the parser keeps in memory."""
        if self._refused:
            return
        if self._in_head:
            self._head_bytes += len(data)
        self._unset_keepalive_if_required()
        try:
            self._parse(data)
        except httptools.HttpParserError:
            self.send_400_response("Invalid HTTP request received.")
        if self._in_head and not self._refused:
            if self._head_bytes > self.limits.max_header_bytes:
                self._refuse_large_head()
            elif self._head_timer is None:
                self._start_head_timer()

    def on_message_begin(self) -> None:
        """Begins a request."""
        if self._resuming:
            return
        super().on_message_begin()
        self._in_head, self._head_bytes = True, 0

    def on_url(self, url: bytes) -> None:
        """Takes a part of the address."""
        if not self._resuming:
            super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        """Takes a header, and ignores a trailer."""
        if self._in_head:
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """Refuses a complete head that breaks a bound."""
        if self._resuming:
            self._resuming = False
            return
        self._in_head = False
        self._stop_head_timer()
        size = len(self.url) + sum(len(name) + len(value) + 4 for name, value in self.headers)
        if size > self.limits.max_header_bytes:
            self._refuse_large_head()
            raise httptools.HttpParserError("head too large")
        if len(self.connections) > self.limits.max_connections:
            self._refuse(503, f"{self.limits.max_connections} connections are open, which is the limit")
            raise httptools.HttpParserError("too many connections")
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        """Ends the body, unless the parser mistakes what follows the head for another protocol."""
        if not self.parser.should_upgrade():
            super().on_message_complete()

    def send_400_response(self, msg: str) -> None:
        """Answers what the parser cannot parse."""
        self._refuse(400, msg.rstrip(".") + ": it does not follow HTTP/1.1")

    def _parse(self, data: bytes) -> None:
        """Parses all of `data`, however many requests in it offer to upgrade."""
        rest = memoryview(data)
        while not self._refused:
            try:
                self.parser.feed_data(rest)
                return
            except httptools.HttpParserUpgrade as offer:
                rest = rest[offer.args[0] :]
                self._resume()

    def _resume(self) -> None:
        """Replaces the parser after the head that it read last."""
        framing = [b"%b: %b\r\n" % header for header in self.headers if header[0] in _FRAMING]
        self.parser = httptools.HttpRequestParser(self)
        self.parser.set_dangerous_leniencies(lenient_data_after_close=True)
        self._resuming = True
        self.parser.feed_data(b"POST / HTTP/1.1\r\n" + b"".join(framing) + b"\r\n")

    def _refuse_large_head(self) -> None:
        limit = self.limits.max_header_bytes
        self._refuse(431, f"the request's head is larger than {limit} bytes (server.max_header_bytes)")

    def _refuse(self, status: int, message: str) -> None:
        if self._refused or self.transport.is_closing():
            return
        self._refused = True
        self.transport.write(_refusal(status, message))
        self.transport.close()

    def _start_head_timer(self) -> None:
        self._head_timer = self.loop.call_later(self.limits.header_timeout_s, self._too_slow)

    def _stop_head_timer(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None

    def _too_slow(self) -> None:
        self._head_timer = None
        self._refuse(408, f"no whole request head within {self.limits.header_timeout_s:g} s")
