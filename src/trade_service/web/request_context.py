"""The outermost ASGI layer: request ids, traces, metrics and the log line of every request; HEAD and OPTIONS.

One layer, since each costs every request; no middleware, since those do not see requests that no route matches.
"""

import re
import secrets
import time
from collections.abc import Mapping
from typing import Any

import structlog
from litestar.enums import ScopeType
from litestar.types import ASGIApp, HTTPScope, Message, Receive, Scope, Send

from trade_service.submission.origin import REQUEST_ID as REQUEST_ID_OF_WORK
from trade_service.web.dependencies import Metrics
from trade_service.web.tracing import TRACEPARENT, trace_of

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
