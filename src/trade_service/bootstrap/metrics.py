"""What is measured of running services, wired to one registry."""

from prometheus_client import CollectorRegistry

from trade_service.bootstrap.services import Services
from trade_service.observability.metrics import BacklogGauges, Readings, register_readings
from trade_service.observability.submission_metrics import BulkExecutionMetrics
from trade_service.store.attempt_reads import PostgresBacklog

BACKLOG_ATTEMPTS = 10_000
"""Open attempts that the backlog is counted over at most."""


def measure(services: Services, registry: CollectorRegistry) -> BacklogGauges:
    """Subscribes and registers all that is measured; what is returned has to be run."""
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
            "Fresh executions that wait for a sender in this process.",
            lambda: services.queue.fresh_count,
        ),
        "trade_service_queue_limit": (
            "How many may wait before callers are refused.",
            lambda: services.queue.limit,
        ),
        "trade_service_concurrency_limit": (
            "Batches that may be on the way at once now.",
            lambda: services.admission.circuit.limit,
        ),
        "trade_service_waited_for_executions": (
            "Executions that callers of this process wait for.",
            lambda: len(services.waiters),
        ),
        "trade_service_listener_failures": (
            "Events at which a listener failed, since the start.",
            lambda: services.events.failures + sum(one.failures for one in services.listeners),
        ),
        "trade_service_listener_missed_events": (
            "Events that found the queue of an installed listener full, since the start.",
            lambda: sum(one.missed for one in services.listeners),
        ),
    }
