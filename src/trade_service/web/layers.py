"""The ASGI layers around the routes: the context of every request, and bounds on those of the API."""

import asyncio
import re
import secrets
import time
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import structlog
from litestar.enums import ScopeType
from litestar.types import ASGIApp, HTTPScope, Message, Receive, Scope, Send
from litestar.types.asgi_types import HTTPReceiveMessage, WebSocketReceiveMessage

from trade_service.submission.origin import REQUEST_ID as REQUEST_ID_OF_WORK
from trade_service.web.dependencies import Metrics
from trade_service.web.errors import OVERLOAD_RETRY_AFTER_S, HttpCode, RequestRefused

TRACEPARENT = b"traceparent"
_SHAPE = re.compile(
    rb"(?P<version>(?!ff)[0-9a-f]{2})-(?P<trace>(?!0{32})[0-9a-f]{32})-(?P<parent>(?!0{16})[0-9a-f]{16})"
    rb"-(?P<flags>[0-9a-f]{2})(?P<more>-.*)?"
)


class Trace(NamedTuple):
    """A trace, and the span of this request in it."""

    trace_id: str
    span_id: str
    flags: str

    @property
    def header(self) -> bytes:
        """The header of the response."""
        return f"00-{self.trace_id}-{self.span_id}-{self.flags}".encode()


def trace_of(headers: Iterable[tuple[bytes, bytes]]) -> Trace | None:
    """The trace in a request's headers; None without one, or for one that cannot be read."""
    found = [value for name, value in headers if name == TRACEPARENT]
    match = _SHAPE.fullmatch(found[0]) if len(found) == 1 else None
    if match is None or (match["version"] == b"00" and match["more"]):
        return None
    return Trace(match["trace"].decode(), secrets.token_hex(8), match["flags"].decode())


_log = structlog.get_logger(__name__)

REQUEST_ID = b"x-request-id"
PROBE_PREFIXES = ("/api/v1/health", "/actuator/health")
_SANE_ID = re.compile(rb"[A-Za-z0-9._:/+=@-]{1,128}")


class RequestContext:
    """Gives every request its id, in the response and in every log line; measures and logs its end.

    HEAD is answered as GET without the body. OPTIONS names all methods of a path, `allowed` by its template:
    Litestar names only those of one handler. Only requests of pages, which have an Origin, pass through `cors`.
    """

    def __init__(
        self, app: ASGIApp, cors: ASGIApp, allowed: Mapping[str, str], metrics: Metrics | None
    ) -> None:
        self._app = app
        self._cors = cors
        self._allowed = allowed
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serves one request; the server runs each in a task, and so in a context, of its own."""
        if scope["type"] != ScopeType.HTTP:
            await self._app(scope, receive, send)
            return
        reply = _Reply(scope, send, self._allowed)
        REQUEST_ID_OF_WORK.set(reply.request_id)
        structlog.contextvars.bind_contextvars(**reply.context)
        app = self._cors if reply.of_page else self._app
        path, started = scope["path"], time.perf_counter()
        if self._metrics is not None:
            self._metrics.begun()
        try:
            if scope["method"] == "HEAD":
                await _head(app, scope, receive, reply.send)
            else:
                await app(scope, receive, reply.send)
        finally:
            took_s = time.perf_counter() - started
            if self._metrics is not None:
                template = scope.get("path_template")
                status = 500 if reply.status is None else reply.status
                self._metrics.ended(scope["method"], str(template) if template else None, status, took_s)
            log = _log.debug if path.startswith(PROBE_PREFIXES) else _log.info
            took_ms = round(took_s * 1000, 1)
            log("request", method=scope["method"], path=path, status=reply.status, duration_ms=took_ms)


async def _head(app: ASGIApp, scope: HTTPScope, receive: Receive, send: Send) -> None:
    as_get: HTTPScope = {**scope, "method": "GET"}
    ended = False

    async def send_head(message: Message) -> None:
        """Ends with the head: the body of a stream would go on for as long as it lasts."""
        nonlocal ended
        if message["type"] == "http.response.start":
            await send(message)
        elif not ended:
            ended = True
            await send({"type": "http.response.body", "body": b"", "more_body": False})

    await app(as_get, receive, send_head)
    if "path_template" in as_get:
        scope["path_template"] = as_get["path_template"]


class _Reply:
    """The response to one request, with its headers."""

    def __init__(self, scope: HTTPScope, send: Send, allowed: Mapping[str, str]) -> None:
        self._scope = scope
        self._send = send
        self._allowed = allowed
        self.status: int | None = None
        self.of_page = any(name == b"origin" for name, _ in scope["headers"])
        self.request_id = _request_id(scope)
        scope["state"]["request_id"] = self.request_id
        self.context: dict[str, Any] = {"request_id": self.request_id}
        self._headers = [(REQUEST_ID, self.request_id.encode())]
        trace = trace_of(scope["headers"])
        if trace is not None:
            self._headers.append((TRACEPARENT, trace.header))
            self.context["trace_id"] = trace.trace_id

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            headers = [*message["headers"], *self._headers]
            if self._scope["method"] == "OPTIONS":
                methods = self._allowed.get(str(self._scope.get("path_template")), "").encode()
                headers = [(name, methods if methods and name == b"allow" else one) for name, one in headers]
            message["headers"] = headers
        await self._send(message)


def _request_id(scope: HTTPScope) -> str:
    for name, value in scope["headers"]:
        if name == REQUEST_ID and _SANE_ID.fullmatch(value):
            return value.decode("ascii")
    return secrets.token_hex(16)


class Limits:
    """Bounds how many requests are served at once and how long one may take.

    One instance counts for all routes that it is a middleware of.
    """

    def __init__(self, max_concurrent: int, timeout_s: float) -> None:
        self._max_concurrent = max_concurrent
        self._timeout_s = timeout_s
        self._served = 0

    def __call__(self, app: ASGIApp) -> ASGIApp:
        """`app` within the bounds; raises RequestRefused past them."""

        async def bounded(scope: Scope, receive: Receive, send: Send) -> None:
            if self._served >= self._max_concurrent:
                message = f"{self._served} requests are being served, which is the limit: try again"
                raise RequestRefused(503, HttpCode.OVERLOADED, message, OVERLOAD_RETRY_AFTER_S)
            self._served += 1
            body = _Body(receive)
            try:
                async with asyncio.timeout(self._timeout_s) as deadline:
                    await app(scope, body.receive, send)
            except TimeoutError:
                if not deadline.expired():
                    raise
                raise self._too_late(body.awaited) from None
            finally:
                self._served -= 1

        return bounded

    def _too_late(self, body_awaited: bool) -> RequestRefused:
        if body_awaited:
            message = f"the body did not arrive within {self._timeout_s:g} s: send it faster or in parts"
            return RequestRefused(408, HttpCode.BODY_TOO_SLOW, message)
        message = (
            f"timed out after {self._timeout_s:g} s; the operation may still complete, "
            "so check its status before retrying"
        )
        return RequestRefused(503, HttpCode.REQUEST_TIMEOUT, message, OVERLOAD_RETRY_AFTER_S)


class _Body:
    """Knows whether the body is being awaited, and ends the request when the client leaves meanwhile."""

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self._complete = False
        self.awaited = False

    async def receive(self) -> HTTPReceiveMessage | WebSocketReceiveMessage:
        self.awaited = not self._complete
        message = await self._receive()
        if message["type"] == "http.disconnect" and not self._complete:
            raise RequestRefused(400, HttpCode.CLIENT_GONE, "the client left before its body had arrived")
        if message["type"] == "http.request" and not message.get("more_body", False):
            self.awaited, self._complete = False, True
        return message
