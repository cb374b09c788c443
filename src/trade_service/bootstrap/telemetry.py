"""Traces and pushed metrics, where the settings name an address; OpenTelemetry is loaded only then."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry

from trade_service import __version__
from trade_service.settings.model import Settings
from trade_service.submission.clock import SystemClock

EXPORT_S = 3.0
"""How long one export may take, its repetitions included: a stop waits for the last one."""

if TYPE_CHECKING:
    from trade_service.observability.otlp_metrics import OtlpPush
    from trade_service.observability.tracing import Tracing


@asynccontextmanager
async def exported_traces(settings: Settings) -> AsyncIterator["Tracing | None"]:
    """Traces that are exported until the context ends, and what is on the way then; None without an address."""
    url = settings.telemetry.effective_traces_url
    if url is None:
        yield None
        return
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

    from trade_service.observability.tracing import Tracing, tracer_provider

    provider = tracer_provider(OTLPSpanExporter(url, timeout=EXPORT_S), __version__)
    try:
        yield Tracing(provider)
    finally:
        await asyncio.to_thread(provider.shutdown)


def pushed_metrics(settings: Settings, registry: CollectorRegistry) -> "OtlpPush | None":
    """What pushes metrics once it is run; None without an address."""
    url = settings.telemetry.effective_metrics_url
    if url is None:
        return None
    from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter

    from trade_service.observability.otlp_metrics import OtlpPush

    every_s = settings.telemetry.push_every_ms / 1000
    return OtlpPush(
        registry, OTLPMetricExporter(url, timeout=EXPORT_S), __version__, every_s, SystemClock().sleep
    )
