"""ASGI layers: an id and a log line for every request, bounds on time and number for those that work."""

import asyncio
import re
import secrets
import time

import structlog
from litestar.enums import ScopeType
from litestar.types import ASGIApp, Message, Receive, Scope, Send
from litestar.types.asgi_types import HTTPReceiveMessage, WebSocketReceiveMessage

from trade_service.submission.origin import REQUEST_ID as REQUEST_ID_OF_WORK
from trade_service.web.codes import HttpCode
from trade_service.web.errors import OVERLOAD_RETRY_AFTER_S, RequestRefused
from trade_service.web.health import PROBE_PREFIXES
from trade_service.web.tracing import TRACEPARENT, trace_of

_log = structlog.get_logger(__name__)

REQUEST_ID = b"x-request-id"
_SANE_ID = re.compile(rb"[A-Za-z0-9._:/+=@-]{1,128}")


class RequestContext:
    """Gives every request its id, in the answer and in every log line, and logs its end."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serves one request."""
        if scope["type"] != ScopeType.HTTP:
            await self._app(scope, receive, send)
            return
        request_id = _request_id(scope)
        scope["state"]["request_id"] = request_id
        headers = [(REQUEST_ID, request_id.encode())]
        context = {"request_id": request_id}
        trace = trace_of(scope["headers"])
        if trace is not None:
            headers.append((TRACEPARENT, trace.header))
            context["trace_id"] = trace.trace_id
        status: int | None = None

        async def tagging_send(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message["headers"], *headers]
            await send(message)

        path, started = scope["path"], time.perf_counter()
        token = REQUEST_ID_OF_WORK.set(request_id)
        with structlog.contextvars.bound_contextvars(**context):
            try:
                await self._app(scope, receive, tagging_send)
            finally:
                REQUEST_ID_OF_WORK.reset(token)
                tell = _log.debug if path.startswith(PROBE_PREFIXES) else _log.info
                took_ms = round((time.perf_counter() - started) * 1000, 1)
                tell("request", method=scope["method"], path=path, status=status, duration_ms=took_ms)


class Limits:
    """Bounds how many requests are served at once and how long one may take.

    One instance counts for all the routes that it is a middleware of.
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
            try:
                await self._in_time(app, scope, receive, send)
            finally:
                self._served -= 1

        return bounded

    async def _in_time(self, app: ASGIApp, scope: Scope, receive: Receive, send: Send) -> None:
        body = _Body(receive)
        try:
            async with asyncio.timeout(self._timeout_s) as deadline:
                await app(scope, body.receive, send)
        except TimeoutError:
            if not deadline.expired():
                raise
            raise self._too_late(body.awaited) from None

    def _too_late(self, body_awaited: bool) -> RequestRefused:
        if body_awaited:
            message = f"the body did not arrive within {self._timeout_s:g} s: send it faster or in parts"
            return RequestRefused(408, HttpCode.BODY_TOO_SLOW, message)
        message = (
            f"not done within {self._timeout_s:g} s: what was asked for may still happen, "
            "so read how it stands before you repeat it"
        )
        return RequestRefused(503, HttpCode.REQUEST_TIMEOUT, message, OVERLOAD_RETRY_AFTER_S)


class _Body:
    """Knows whether the body is being waited for, and ends the request when its client is gone by then."""

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


def _request_id(scope: Scope) -> str:
    for name, value in scope["headers"]:
        if name == REQUEST_ID and _SANE_ID.fullmatch(value):
            return value.decode("ascii")
    return secrets.token_hex(16)
