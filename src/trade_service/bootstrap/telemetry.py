"""Metrics and traces of the running service. OpenTelemetry is imported only where the settings name an address."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry

from trade_service import __version__
from trade_service.bootstrap.container import Services
from trade_service.observability.metrics import BacklogGauges, Readings, register_readings
from trade_service.observability.submission_metrics import BulkExecutionMetrics
from trade_service.settings.tree import Settings
from trade_service.store.attempt_reads import PostgresBacklog
from trade_service.submission.clock import SystemClock

EXPORT_S = 3.0
"""Time-out of an export including its retries; a shutdown waits for the last one."""

BACKLOG_ATTEMPTS = 10_000
"""Maximum number of open attempts that the backlog gauges count."""

if TYPE_CHECKING:
    from trade_service.observability.otlp_metrics import OtlpPush
    from trade_service.observability.tracing import Tracing


@asynccontextmanager
async def exported_traces(settings: Settings) -> AsyncIterator["Tracing | None"]:
    """Exports traces until the context ends, and flushes them; None without an address."""
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
    """Pushes metrics while it runs; None without an address."""
    url = settings.telemetry.effective_metrics_url
    if url is None:
        return None
    from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter

    from trade_service.observability.otlp_metrics import OtlpPush

    every_s = settings.telemetry.push_every_ms / 1000
    return OtlpPush(
        registry, OTLPMetricExporter(url, timeout=EXPORT_S), __version__, every_s, SystemClock().sleep
    )


def measure(services: Services, registry: CollectorRegistry) -> BacklogGauges:
    """Registers all metrics; the returned gauges are updated while they run."""
    services.events.subscribe(BulkExecutionMetrics(registry))
    register_readings(registry, _readings(services))
    every_s = services.settings.telemetry.backlog_every_s
    return BacklogGauges(
        registry, PostgresBacklog(services.database, BACKLOG_ATTEMPTS).read, every_s, services.clock.sleep
    )


def _readings(services: Services) -> Readings:
    return {
        "trade_service_batches_in_flight": (
            "Batches between claim and record.",
            lambda: services.sender.in_flight,
        ),
        "trade_service_queue_executions": (
            "Fresh executions waiting for a sender in this process.",
            lambda: services.queue.fresh_count,
        ),
        "trade_service_queue_limit": (
            "Maximum number of waiting executions before callers are refused.",
            lambda: services.queue.limit,
        ),
        "trade_service_concurrency_limit": (
            "Current limit of batches in flight.",
            lambda: services.admission.circuit.limit,
        ),
        "trade_service_waited_for_executions": (
            "Executions that callers of this process are waiting for.",
            lambda: len(services.waiters),
        ),
        "trade_service_listener_failures": (
            "Events that a listener failed to handle, since the start.",
            lambda: services.events.failures + sum(one.failures for one in services.listeners),
        ),
        "trade_service_listener_missed_events": (
            "Events dropped because the queue of an installed listener was full, since the start.",
            lambda: sum(one.missed for one in services.listeners),
        ),
    }
