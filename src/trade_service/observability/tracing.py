"""Traces: one span for each request, one for each batch, and in it claim, call and record.

A batch that one request asked for continues its trace; one that several share begins a trace of its own and links
to theirs. The call carries its span on to the Execution Service (W3C Trace Context). Imported only where traces
are exported.
"""

import time
from collections import OrderedDict
from collections.abc import Mapping

import msgspec
from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter
from opentelemetry.trace import Link, Span, SpanKind, Status, StatusCode
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from trade_service.submission.events import BatchBegunEvent, BatchSubmissionEvent, SubmissionEvent
from trade_service.submission.model import AttemptId, ReplyKind

MAX_OPEN = 10_000
"""Batches whose end is awaited; those that never come to one fall out at the other side."""
CALL_NAME = "POST /api/v1/executions/batch"

_CARRIER = TraceContextTextMapPropagator()


class _Open(msgspec.Struct):
    batch: Span
    begun_ns: int
    call: Span | None = None


def tracer_provider(exporter: SpanExporter, version: str) -> TracerProvider:
    """A provider that exports in batches from a thread; sampling and the rest come from the OTEL_* variables."""
    resource = Resource.create({"service.name": "trade-service", "service.version": version})
    provider = TracerProvider(resource=resource)
    provider.add_span_processor(BatchSpanProcessor(exporter))
    return provider


class Tracing:
    """What is traced, over one provider."""

    def __init__(self, provider: trace.TracerProvider) -> None:
        self.provider = provider
        self.batches = BatchTraces(provider)


class BatchTraces:
    """A listener that makes spans of batches; `headers_of` gives the call's span to the client."""

    def __init__(self, provider: trace.TracerProvider) -> None:
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
        """The headers of the attempt's call, whose span begins now."""
        known = self._open.get(attempt_id)
        if known is None:
            return {}
        within = trace.set_span_in_context(known.batch, Context())
        known.call = self._tracer.start_span(CALL_NAME, within, SpanKind.CLIENT)
        headers: dict[str, str] = {}
        _CARRIER.inject(headers, trace.set_span_in_context(known.call, within))
        return headers

    def _begin(self, event: BatchBegunEvent) -> None:
        origins = [_context_of(origin) for origin in event.origins]
        parent = origins[0] if len(origins) == 1 else Context()
        links = [] if len(origins) == 1 else [Link(_span_context(origin)) for origin in origins]
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
            _note_failure(known.call, event)
            known.call.end(recording_ns)
        self._tracer.start_span("record", within, start_time=recording_ns).end(ended_ns)
        for name in ("size", "accepted", "rejected", "retrying", "unknown", "exhausted", "callers"):
            known.batch.set_attribute(f"trade_service.{name}", getattr(event, name))
        known.batch.set_attribute("trade_service.code", event.code)
        _note_failure(known.batch, event)
        known.batch.end(ended_ns)


def _note_failure(span: Span, event: BatchSubmissionEvent) -> None:
    if event.kind is not ReplyKind.ANSWERED:
        span.set_status(Status(StatusCode.ERROR, event.code))


def _context_of(traceparent: str) -> Context:
    return _CARRIER.extract({"traceparent": traceparent}, Context())


def _span_context(context: Context) -> trace.SpanContext:
    return trace.get_current_span(context).get_span_context()


def _ns(milliseconds: float) -> int:
    return round(milliseconds * 1_000_000)
