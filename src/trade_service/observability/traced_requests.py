"""ASGI layer: a span for each request, under its route's template, that what it asks for is traced from."""

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.trace import Span, SpanKind, Status, StatusCode
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from trade_service.submission.origin import ORIGIN

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Any]]
Send = Callable[[Any], Awaitable[None]]
App = Callable[[Any, Receive, Send], Awaitable[None]]

UNTRACED = ("/api/v1/health", "/actuator", "/metrics")
"""Addresses that machines ask every few seconds."""

_CARRIER = TraceContextTextMapPropagator()
_HEADERS = ("traceparent", "tracestate")


class TracedRequests:
    """Continues the trace that a request brings along, or begins one."""

    def __init__(self, app: App, provider: trace.TracerProvider) -> None:
        self._app = app
        self._tracer = provider.get_tracer("trade_service.web")

    async def __call__(self, scope: Any, receive: Receive, send: Send) -> None:
        """Serves one request."""
        if scope["type"] != "http" or scope["path"].startswith(UNTRACED):
            await self._app(scope, receive, send)
            return
        parent = _CARRIER.extract(_brought(scope["headers"]), Context())
        span = self._tracer.start_span(f"{scope['method']}", parent, SpanKind.SERVER)
        token = ORIGIN.set(_traceparent(span))
        status = 500

        async def noting(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, noting)
        finally:
            ORIGIN.reset(token)
            _finish(span, scope, status)


def _finish(span: Span, scope: Any, status: int) -> None:
    template = scope.get("path_template")
    if template:
        span.update_name(f"{scope['method']} {template}")
        span.set_attribute("http.route", template)
    span.set_attribute("http.request.method", scope["method"])
    span.set_attribute("http.response.status_code", status)
    request_id = scope.get("state", {}).get("request_id")
    if request_id is not None:
        span.set_attribute("trade_service.request_id", request_id)
    if status >= 500:
        span.set_status(Status(StatusCode.ERROR))
    span.end()


def _brought(headers: list[tuple[bytes, bytes]]) -> dict[str, str]:
    named = ((name.decode("latin-1"), value.decode("latin-1")) for name, value in headers)
    return {name: value for name, value in named if name in _HEADERS}


def _traceparent(span: Span) -> str | None:
    """What the batch is told; None when the trace is not sampled, which costs it nothing then."""
    context = span.get_span_context()
    if not context.trace_flags.sampled:
        return None
    return f"00-{context.trace_id:032x}-{context.span_id:016x}-01"
