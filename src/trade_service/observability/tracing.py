"""Traces: a span for each request, one for each batch, and within it claim, call and record.

A batch that serves one request continues its trace; one that several requests share starts a trace of its own
and links to their traces. The call passes its span on to the Execution Service (W3C Trace Context). Imported
only where traces are exported.
"""

import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from typing import Any

import msgspec
from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter
from opentelemetry.trace import Link, Span, SpanKind, Status, StatusCode
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from trade_service.submission.events import ORIGIN, BatchBegunEvent, BatchSubmissionEvent, SubmissionEvent
from trade_service.submission.model import AttemptId, ReplyKind

MAX_OPEN = 10_000
"""Unfinished batches; beyond it the oldest is dropped, since some never finish."""
CALL_NAME = "POST /api/v1/executions/batch"
UNTRACED = ("/api/v1/health", "/actuator", "/metrics")
"""Paths that machines poll every few seconds."""

_W3C = TraceContextTextMapPropagator()
_HEADERS = ("traceparent", "tracestate")

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Any]]
Send = Callable[[Any], Awaitable[None]]
App = Callable[[Any, Receive, Send], Awaitable[None]]


class _Open(msgspec.Struct):
    batch: Span
    begun_ns: int
    call: Span | None = None


def tracer_provider(exporter: SpanExporter, version: str) -> TracerProvider:
    """A provider that exports in batches from a thread; the OTEL_* variables set sampling and the rest."""
    resource = Resource.create({"service.name": "trade-service", "service.version": version})
    provider = TracerProvider(resource=resource)
    provider.add_span_processor(BatchSpanProcessor(exporter))
    return provider


class Tracing:
    """An event listener that makes spans of batches; `headers_of` passes the call's span to the client."""

    def __init__(self, provider: trace.TracerProvider) -> None:
        self.provider = provider
        self._tracer = provider.get_tracer("trade_service.submission")
        self._open: OrderedDict[AttemptId, _Open] = OrderedDict()

    def __call__(self, event: SubmissionEvent) -> None:
        """Takes one event."""
        match event:
            case BatchBegunEvent():
                self._begin(event)
            case BatchSubmissionEvent():
                self._end(event)

    def headers_of(self, attempt_id: AttemptId) -> Mapping[str, str]:
        """Starts the span of the attempt's call and returns its headers."""
        known = self._open.get(attempt_id)
        if known is None:
            return {}
        within = trace.set_span_in_context(known.batch, Context())
        known.call = self._tracer.start_span(CALL_NAME, within, SpanKind.CLIENT)
        headers: dict[str, str] = {}
        _W3C.inject(headers, trace.set_span_in_context(known.call, within))
        return headers

    def _begin(self, event: BatchBegunEvent) -> None:
        origins = [_W3C.extract({"traceparent": origin}, Context()) for origin in event.origins]
        parent, links = Context(), []
        if len(origins) == 1:
            parent = origins[0]
        else:
            links = [Link(trace.get_current_span(origin).get_span_context()) for origin in origins]
        span = self._tracer.start_span("submit batch", parent, links=links)
        span.set_attribute("trade_service.attempt_id", event.attempt_id)
        self._open[event.attempt_id] = _Open(span, time.time_ns())
        while len(self._open) > MAX_OPEN:
            _, oldest = self._open.popitem(last=False)
            oldest.batch.end()

    def _end(self, event: BatchSubmissionEvent) -> None:
        known = self._open.pop(event.attempt_id, None)
        if known is None:
            return
        ended_ns = time.time_ns()
        within = trace.set_span_in_context(known.batch, Context())
        claimed_ns = known.begun_ns + _ns(event.claim_ms)
        self._tracer.start_span("claim", within, start_time=known.begun_ns).end(claimed_ns)
        recording_ns = ended_ns - _ns(event.record_ms)
        if known.call is not None:
            if event.http_status is not None:
                known.call.set_attribute("http.response.status_code", event.http_status)
            _mark_failure(known.call, event)
            known.call.end(recording_ns)
        self._tracer.start_span("record", within, start_time=recording_ns).end(ended_ns)
        for name in ("size", "accepted", "rejected", "retrying", "unknown", "exhausted", "callers"):
            known.batch.set_attribute(f"trade_service.{name}", getattr(event, name))
        known.batch.set_attribute("trade_service.code", event.code)
        _mark_failure(known.batch, event)
        known.batch.end(ended_ns)


def _mark_failure(span: Span, event: BatchSubmissionEvent) -> None:
    if event.kind is not ReplyKind.ANSWERED:
        span.set_status(Status(StatusCode.ERROR, event.code))


def _ns(milliseconds: float) -> int:
    return round(milliseconds * 1_000_000)


class TracedRequests:
    """ASGI layer that continues the trace of a request, or starts one, under its route's template."""

    def __init__(self, app: App, provider: trace.TracerProvider) -> None:
        self._app = app
        self._tracer = provider.get_tracer("trade_service.web")

    async def __call__(self, scope: Any, receive: Receive, send: Send) -> None:
        """Serves one request."""
        if scope["type"] != "http" or scope["path"].startswith(UNTRACED):
            await self._app(scope, receive, send)
            return
        headers = ((name.decode("latin-1"), value.decode("latin-1")) for name, value in scope["headers"])
        parent = _W3C.extract({name: value for name, value in headers if name in _HEADERS}, Context())
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


def _traceparent(span: Span) -> str | None:
    """The origin of the request's batch; None when the trace is not sampled, so that it costs nothing."""
    context = span.get_span_context()
    if not context.trace_flags.sampled:
        return None
    return f"00-{context.trace_id:032x}-{context.span_id:016x}-01"
