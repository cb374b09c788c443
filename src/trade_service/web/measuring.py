"""ASGI layers: requests are measured, HEAD is answered as GET without the body, OPTIONS names all methods."""

import time
from collections.abc import Mapping

from litestar.enums import HttpMethod, ScopeType
from litestar.types import ASGIApp, Message, Receive, Scope, Send

from trade_service.web.dependencies import Metrics


class MeasuredRequests:
    """Counts and times every request by its route's template."""

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serves one request."""
        if scope["type"] != ScopeType.HTTP:
            await self._app(scope, receive, send)
            return
        status, started = 500, time.perf_counter()

        async def noting_send(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        self._metrics.begun()
        try:
            await self._app(scope, receive, noting_send)
        finally:
            template = scope.get("path_template")
            seconds = time.perf_counter() - started
            self._metrics.ended(scope["method"], str(template) if template else None, status, seconds)


class HeadAsGet:
    """Answers HEAD with what GET would answer; the server leaves out the body."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serves one request."""
        if scope["type"] != ScopeType.HTTP or scope["method"] != "HEAD":
            await self._app(scope, receive, send)
            return
        as_get: Scope = {**scope, "method": "GET"}
        done = False

        async def heading_send(message: Message) -> None:
            """Ends with the head: a stream would go on for as long as it lasts."""
            nonlocal done
            if message["type"] == "http.response.start":
                await send(message)
            elif not done:
                done = True
                await send({"type": "http.response.body", "body": b"", "more_body": False})

        await self._app(as_get, receive, heading_send)
        if "path_template" in as_get:
            scope["path_template"] = as_get["path_template"]


class AllMethods:
    """Names in answers to OPTIONS all methods of a path: the framework knows those of one handler there."""

    def __init__(self, app: ASGIApp, methods: Mapping[str, str]) -> None:
        self._app = app
        self._methods = methods
        """By the path's template, as the header Allow has them."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serves one request."""
        if scope["type"] != ScopeType.HTTP or scope["method"] != HttpMethod.OPTIONS:
            await self._app(scope, receive, send)
            return

        async def naming_send(message: Message) -> None:
            if message["type"] == "http.response.start":
                methods = self._methods.get(str(scope.get("path_template")), "")
                message["headers"] = [
                    (name, methods.encode() if methods and name.lower() == b"allow" else value)
                    for name, value in message["headers"]
                ]
            await send(message)

        await self._app(scope, receive, naming_send)
