"""Middleware: bounds on the number of requests served at once, and on the time of each."""

import asyncio

from litestar.types import ASGIApp, Receive, Scope, Send
from litestar.types.asgi_types import HTTPReceiveMessage, WebSocketReceiveMessage

from trade_service.web.codes import HttpCode
from trade_service.web.errors import OVERLOAD_RETRY_AFTER_S, RequestRefused


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
