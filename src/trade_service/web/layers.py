"""The ASGI layers around the handlers: the context of every request, bounds on those of the API, the call."""

import asyncio
import random
import re
import secrets
import time
from collections import Counter
from collections.abc import Mapping
from functools import partial
from typing import Any, NamedTuple, TypeAlias, cast

import msgspec
import structlog
from litestar.enums import HttpMethod, ScopeType
from litestar.handlers import HTTPRouteHandler
from litestar.types import ASGIApp, HTTPScope, Message, Receive, Scope, Send
from litestar.types.asgi_types import HTTPReceiveMessage, WebSocketReceiveMessage

from trade_service.domain.access import Role
from trade_service.submission.events import REQUEST_ID as REQUEST_ID_OF_WORK
from trade_service.web.access import CALLED_BACK, CLIENT, LISTED, PROBE_PREFIXES, role_of
from trade_service.web.dependencies import Metrics
from trade_service.web.errors import OVERLOAD_RETRY_AFTER_S, HttpCode, RequestRefused
from trade_service.web.handler_calls import HandlerCall
from trade_service.web.hosts import TrustedProxies
from trade_service.web.request_bodies import StrictRequest
from trade_service.web.responses import ApiResponse
from trade_service.web.turns import Turns, in_turn
from trade_service.web.web_settings import ServerSettings

REQUEST_ID = b"x-request-id"
TRACEPARENT = b"traceparent"
DEADLINE = "deadline"
"""Where a request's state has its Deadline."""
_SANE_ID = re.compile(rb"[A-Za-z0-9._:/+=@-]{1,128}")
_TRACE = re.compile(
    rb"(?P<version>(?!ff)[0-9a-f]{2})-(?P<trace>(?!0{32})[0-9a-f]{32})-(?P<parent>(?!0{16})[0-9a-f]{16})"
    rb"-(?P<flags>[0-9a-f]{2})(?P<more>-.*)?"
)
"""W3C's `traceparent`; a malformed one is ignored."""

_CACHE_CONTROL = b"cache-control"
_NOT_KEPT = (_CACHE_CONTROL, b"no-store")
"""In every response that does not say otherwise: nothing keeps what only its caller may read."""
_NOT_GUESSED = (b"x-content-type-options", b"nosniff")
"""In every response: no browser guesses another content type."""

_Received: TypeAlias = HTTPReceiveMessage | WebSocketReceiveMessage
"""Here, since a nested function's annotation is evaluated in each call."""

_log = structlog.get_logger(__name__)


class RequestContext:
    """Gives every request its id, in the response and in every log line; measures and logs its end.

    One layer, since each costs every request; no middleware, since those do not see requests without a route.
    HEAD is answered as GET without the body. OPTIONS names all methods of a path, `allowed` by its template:
    Litestar names only those of one handler. Only requests of pages, which have an Origin, pass through `cors`.
    The client's address is the one that trusted `proxies` forward, for all that use it.
    """

    def __init__(
        self,
        app: ASGIApp,
        cors: ASGIApp,
        allowed: Mapping[str, str],
        metrics: Metrics | None,
        proxies: TrustedProxies | None,
    ) -> None:
        self._app = app
        self._cors = cors
        self._allowed = allowed
        self._metrics = metrics
        self._proxies = proxies
        self._random = random.Random(secrets.randbits(256))
        """For request ids, which are not secret: each random number of the system costs a kernel call."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serves one request; the server runs each in a task, and so in a context, of its own."""
        if scope["type"] != ScopeType.HTTP:
            await self._app(scope, receive, send)
            return
        method, path, started = scope["method"], scope["path"], time.perf_counter()
        client = (scope["client"] or ("",))[0]
        if self._proxies is not None:
            client = self._proxies.client_of(client, scope["headers"])
            scope["client"] = (client, 0)
        reply = _Reply(scope, send, self._allowed, self._random)
        inner: HTTPScope = {**scope, "method": "GET"} if method == "HEAD" else scope
        if self._metrics is not None:
            self._metrics.begun()
        try:
            await (self._cors if reply.is_of_page else self._app)(inner, receive, reply.send)
        finally:
            took_s = time.perf_counter() - started
            template = inner.get("path_template")
            if template is not None:
                scope["path_template"] = template
            if self._metrics is not None:
                status = 500 if reply.status is None else reply.status
                self._metrics.ended(method, template or None, status, took_s)
            log = _log.debug if path.startswith(PROBE_PREFIXES) else _log.info
            took_ms = round(took_s * 1000, 1)
            log(
                "request",
                method=method,
                path=path,
                status=reply.status,
                duration_ms=took_ms,
                client=client,
            )


class _Reply:
    """The response to one request, with its headers: the request's id, and a span in the trace it belongs to."""

    def __init__(
        self, scope: HTTPScope, send: Send, allowed: Mapping[str, str], numbers: random.Random
    ) -> None:
        self._scope = scope
        self._send = send
        self._allowed = allowed
        self._is_ended = False
        self.status: int | None = None
        self.is_of_page = False
        request_id, traces = b"", []
        for name, value in scope["headers"]:
            if name == b"origin":
                self.is_of_page = True
            elif name == TRACEPARENT:
                traces.append(value)
            elif name == REQUEST_ID and not request_id and _SANE_ID.fullmatch(value):
                request_id = value
        request_id = request_id or b"%032x" % numbers.getrandbits(128)
        self._headers = [(REQUEST_ID, request_id), _NOT_GUESSED]
        scope["state"]["request_id"] = text = request_id.decode("ascii")
        REQUEST_ID_OF_WORK.set(text)
        structlog.contextvars.bind_contextvars(request_id=text)
        trace = _TRACE.fullmatch(traces[0]) if len(traces) == 1 else None
        if trace is not None and not (trace["version"] == b"00" and trace["more"]):
            span = secrets.token_hex(8).encode()
            self._headers.append((TRACEPARENT, b"00-%b-%b-%b" % (trace["trace"], span, trace["flags"])))
            structlog.contextvars.bind_contextvars(trace_id=trace["trace"].decode())

    async def send(self, message: Message) -> None:
        method = self._scope["method"]
        if message["type"] == "http.response.start":
            self.status = message["status"]
            headers = [*message["headers"], *self._headers]
            if not any(name == _CACHE_CONTROL for name, _ in message["headers"]):
                headers.append(_NOT_KEPT)
            if method == "OPTIONS":
                methods = self._allowed.get(str(self._scope.get("path_template")), "").encode()
                headers = [(name, methods if methods and name == b"allow" else one) for name, one in headers]
            message["headers"] = headers
        elif method == "HEAD":
            # The body of a stream would go on for as long as it lasts.
            if self._is_ended:
                return
            self._is_ended = True
            message = {"type": "http.response.body", "body": b"", "more_body": False}
        await self._send(message)


class Deadline(msgspec.Struct, eq=False):
    """The deadline of one task."""

    task: "asyncio.Task[Any]"
    at_s: float
    cancelling: int
    is_over: bool = False
    """Whether the task was cancelled because of it."""
    is_lifted: bool = False

    def lift(self) -> None:
        """Lets the task take longer: its response has begun, and has a bound of its own."""
        self.is_lifted = True

    def caused(self, error: BaseException) -> bool:
        """Whether `error` is the cancellation by this deadline alone, which it then takes back."""
        is_alone = self.is_over and self.task.uncancel() <= self.cancelling
        return is_alone and isinstance(error, asyncio.CancelledError)


class Deadlines:
    """Cancels tasks that take longer than `after_s`. One timer serves all, since what begins later expires later.

    `asyncio.timeout` sets a timer for each task, which costs every request.
    """

    def __init__(self, after_s: float) -> None:
        self._after_s = after_s
        self.running: dict[Deadline, None] = {}
        """In order of expiry; those of ended tasks are removed."""
        self._is_timed = False

    def begin(self) -> Deadline:
        """The deadline of the present task."""
        loop, task = asyncio.get_running_loop(), asyncio.current_task()
        assert task is not None
        deadline = Deadline(task, loop.time() + self._after_s, task.cancelling())
        self.running[deadline] = None
        if not self._is_timed:
            self._is_timed = True
            loop.call_at(deadline.at_s, self._cancel_late, loop)
        return deadline

    def _cancel_late(self, loop: asyncio.AbstractEventLoop) -> None:
        self._is_timed = False
        while self.running:
            first = next(iter(self.running))
            if first.at_s > loop.time():
                self._is_timed = True
                loop.call_at(first.at_s, self._cancel_late, loop)
                break
            del self.running[first]
            if not first.is_lifted:
                first.is_over = True
                first.task.cancel()


class Share(NamedTuple):
    """What requests of one kind may use."""

    places: int
    """How many requests of any kind may be served when one of these begins."""
    per_client: int
    """How many of one client."""
    turns: Turns | None = None


class Limits:
    """Middleware: bounds how many requests are served at once, how long one may take, and the bodies of all.

    Above its bounds, reading is refused first, then writing, then operators, and what the Execution Service calls
    last. One instance counts for all routes that it is a middleware of. A body counts, as far as it has arrived,
    until its request has been answered: only then is what was decoded from it released. Large bodies leave
    a quarter of the room to small ones.
    """

    def __init__(self, server: ServerSettings) -> None:
        most = server.max_concurrent_requests
        kept, half = most // 10, max(1, most // 2)
        reads = Turns(most, server.reads_per_client)
        lists = Turns(server.lists_at_once, server.lists_per_client)
        self._reading = Share(most - 3 * kept, half, reads)
        self._listing = Share(most - 3 * kept, half, lists)
        self._writing = Share(most - 2 * kept, half)
        self._operating = Share(most - kept, half)
        self._shares: dict[object, Share] = {True: Share(most, most)}
        """By handler; True for what the Execution Service calls."""
        self._timeout_s = server.request_timeout_s
        self._deadlines = Deadlines(server.request_timeout_s)
        self._small_body_bytes = server.max_small_body_bytes
        self._max_body_bytes = server.max_body_memory_bytes
        self._served = 0
        self._of_client: Counter[str] = Counter()
        self._body_bytes = 0

    def __call__(self, app: ASGIApp) -> ASGIApp:
        async def bounded(scope: Scope, receive: Receive, send: Send) -> None:
            client, kind = scope["state"][CLIENT], scope["state"][CALLED_BACK] or scope["route_handler"]
            share = self._shares.get(kind) or self._new_share(kind)
            if self._served >= share.places or self._of_client[client] >= share.per_client:
                raise self._overloaded(client)
            serve = app if share.turns is None else partial(in_turn, share.turns, client, app)
            is_body_awaited, is_body_complete, held_bytes = False, False, 0

            async def receive_body() -> _Received:
                nonlocal is_body_awaited, is_body_complete, held_bytes
                is_body_awaited = not is_body_complete
                message = await receive()
                if message["type"] == "http.disconnect" and not is_body_complete:
                    raise _client_gone()
                if message["type"] == "http.request":
                    is_body_awaited = not (is_body_complete := not message.get("more_body", False))
                    held_bytes += len(message["body"])
                    self._body_bytes += len(message["body"])
                    quarters = 4 if held_bytes <= self._small_body_bytes else 3
                    if self._body_bytes > self._max_body_bytes * quarters // 4 and kind is not True:
                        raise _bodies_too_large()
                return message

            self._served, self._of_client[client] = self._served + 1, self._of_client[client] + 1
            scope["state"][DEADLINE] = deadline = self._deadlines.begin()
            try:
                await serve(scope, receive_body, send)
            except BaseException as error:
                if deadline.caused(error):
                    raise self._too_late(is_body_awaited) from None
                raise
            finally:
                self._deadlines.running.pop(deadline, None)
                self._served, self._of_client[client] = self._served - 1, self._of_client[client] - 1
                self._body_bytes -= held_bytes
                if not self._of_client[client]:
                    del self._of_client[client]

        return bounded

    def _overloaded(self, client: str) -> RequestRefused:
        own = self._of_client[client]
        message = f"{self._served} requests are being served, {own} of them for this client: try again"
        return RequestRefused(503, HttpCode.OVERLOADED, message, OVERLOAD_RETRY_AFTER_S)

    def _new_share(self, handler: object) -> Share:
        assert isinstance(handler, HTTPRouteHandler)
        if LISTED in handler.opt:
            share = self._listing
        elif role_of(handler, "") is Role.OPERATOR:
            share = self._operating
        else:
            share = self._reading if HttpMethod.GET in handler.http_methods else self._writing
        self._shares[handler] = share
        return share

    def _too_late(self, is_body_awaited: bool) -> RequestRefused:
        if is_body_awaited:
            message = f"the body did not arrive within {self._timeout_s:g} s: send it faster or in parts"
            return RequestRefused(408, HttpCode.BODY_TOO_SLOW, message)
        message = (
            f"timed out after {self._timeout_s:g} s; the operation may still complete, "
            "so check its status before retrying"
        )
        return RequestRefused(503, HttpCode.REQUEST_TIMEOUT, message, OVERLOAD_RETRY_AFTER_S)


def _client_gone() -> RequestRefused:
    return RequestRefused(400, HttpCode.CLIENT_GONE, "the client left before its body had arrived")


def _bodies_too_large() -> RequestRefused:
    rule = "the request bodies in flight are more than server.max_body_memory_bytes: try again"
    return RequestRefused(503, HttpCode.OVERLOADED, rule, OVERLOAD_RETRY_AFTER_S)


class HandlerCalls:
    """Middleware next to the handlers: serves each by its `HandlerCall`, or as Litestar does.

    Exceptions go to the application's outermost layer, which knows the handler's own ways to answer them.
    """

    def __init__(self) -> None:
        self._calls: dict[object, HandlerCall | None] = {}

    def __call__(self, app: ASGIApp) -> ASGIApp:

        async def served(scope: Scope, receive: Receive, send: Send) -> None:
            handler = scope["route_handler"]
            if handler not in self._calls:
                is_ours = isinstance(handler, HTTPRouteHandler)
                self._calls[handler] = HandlerCall.of(cast(HTTPRouteHandler, handler)) if is_ours else None
            call = self._calls[handler]
            if call is None:
                await app(scope, receive, send)
                return
            request = StrictRequest(scope, receive, send)
            for guard in call.guards:
                await guard(request, handler)
            response = None if call.before is None else await call.before(request)
            if response is None:
                values = dict(call.constants)
                for name in call.in_path:
                    values[name] = scope["path_params"][name]
                if call.takes_request:
                    values["request"] = request
                if call.body is not None:
                    values["data"] = call.body(request).decode_bytes(await request.body())
                response = await call.function(**values)
            if not isinstance(response, ApiResponse):
                response = await call.handler.to_response(scope["litestar_app"], response, request)
            await response(scope, receive, send)

        return served
