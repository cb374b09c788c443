"""Metrics of requests, connections and the backlog, and the registry as clients read it."""

from collections.abc import Awaitable, Callable, Mapping, Sequence

import structlog
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Metric
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.samples import Sample

from trade_service.domain.executions import OPEN
from trade_service.submission.ports import StoreUnavailable
from trade_service.trading.operating import Backlog

_log = structlog.get_logger(__name__)

SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2, 5, 10)
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
UNMATCHED = "unmatched"
"""The path of requests that no route serves: their addresses would make unbounded series."""

Readings = Mapping[str, tuple[str, Callable[[], float]]]
"""By the name of a gauge: its description and the function that reads it, which must be quick and not raise."""


def register_readings(registry: CollectorRegistry, readings: Readings) -> None:
    """Registers one gauge for each reading."""
    for name, (meaning, read) in readings.items():
        Gauge(name, meaning, registry=registry).set_function(read)


def register_connections(registry: CollectorRegistry, read: Callable[[], tuple[int, int, int]]) -> None:
    """Gauges of the connection pool; `read` returns the connections in use, idle, and waited for.

    The names are those that the legacy service's dashboards use.
    """
    register_readings(
        registry,
        {
            "hikari_connections_active": ("Database connections in use.", lambda: read()[0]),
            "hikari_connections_idle": ("Idle database connections.", lambda: read()[1]),
            "hikari_connections_pending": ("Callers waiting for a connection.", lambda: read()[2]),
            "hikari_connections_total": ("Open database connections.", lambda: sum(read()[:2])),
        },
    )


class WebMetrics:
    """Counts requests by route, never by address, and shows everything in the registry."""

    content_type = CONTENT_TYPE_LATEST

    def __init__(self, registry: CollectorRegistry) -> None:
        labels = ("method", "path", "status")
        self._registry = registry
        self._requests = Counter("http_requests", "Requests answered.", labels, registry=registry)
        self._seconds = Histogram(
            "http_request_duration_seconds",
            "Time from a request's head to the end of its response.",
            labels,
            buckets=SECONDS,
            registry=registry,
        )
        self._in_flight = Gauge("http_requests_in_flight", "Requests being answered.", registry=registry)

    def begun(self) -> None:
        """Counts a request as in flight."""
        self._in_flight.inc()

    def ended(self, method: str, template: str | None, status: int, seconds: float) -> None:
        """Counts a finished request; `template` is None when no route serves it."""
        self._in_flight.dec()
        labels = (method if method in METHODS else "other", template or UNMATCHED, str(status))
        self._requests.labels(*labels).inc()
        self._seconds.labels(*labels).observe(seconds)

    def text(self) -> bytes:
        """The registry in Prometheus' text format."""
        return generate_latest(self._registry)

    def names(self) -> list[str]:
        """The names of all metrics, sorted."""
        return sorted(_name(metric) for metric in self._registry.collect())

    def read(self, name: str, tags: Mapping[str, str]) -> dict[str, object] | None:
        """One metric in the form of Spring's Actuator, summed over the series with these tags; None if unknown."""
        found = next((metric for metric in self._registry.collect() if _name(metric) == name), None)
        if found is None:
            return None
        samples = [sample for sample in found.samples if tags.items() <= sample.labels.items()]
        if tags and not samples:
            return None
        return {
            "name": name,
            "description": found.documentation,
            "baseUnit": "seconds" if "_seconds" in name else None,
            "measurements": _measurements(found, samples),
            "availableTags": _tags(samples, tags),
        }


def _name(metric: Metric) -> str:
    return f"{metric.name}_total" if metric.type == "counter" else metric.name


def _measurements(metric: Metric, samples: Sequence[Sample]) -> list[dict[str, object]]:
    total = "TOTAL_TIME" if "_seconds" in metric.name else "TOTAL"
    wanted = {
        "histogram": {"COUNT": f"{metric.name}_count", total: f"{metric.name}_sum"},
        "counter": {"COUNT": f"{metric.name}_total"},
    }.get(metric.type, {"VALUE": metric.name})
    return [
        {"statistic": statistic, "value": sum(sample.value for sample in samples if sample.name == name)}
        for statistic, name in wanted.items()
    ]


def _tags(samples: Sequence[Sample], given: Mapping[str, str]) -> list[dict[str, object]]:
    values: dict[str, set[str]] = {}
    for sample in samples:
        for tag, value in sample.labels.items():
            if tag != "le" and tag not in given:
                values.setdefault(tag, set()).add(value)
    return [{"tag": tag, "values": sorted(found)} for tag, found in sorted(values.items())]


class BacklogGauges:
    """The backlog of all replicas, read every `every_s` seconds so that a scrape never waits for the database.

    `read` returns the backlog and may raise StoreUnavailable.
    """

    def __init__(
        self,
        registry: CollectorRegistry,
        read: Callable[[], Awaitable[Backlog]],
        every_s: float,
        sleep: Callable[[float], Awaitable[None]],
    ) -> None:
        def gauge(name: str, meaning: str) -> Gauge:
            return Gauge(f"trade_service_{name}", meaning, registry=registry)

        self._read = read
        self._every_s = every_s
        self._sleep = sleep
        executions = Gauge(
            "trade_service_open_executions",
            "Executions whose outcome is open, over all replicas, by submission state.",
            ("state",),
            registry=registry,
        )
        self._executions = {state: executions.labels(state.value) for state in OPEN}
        self._oldest_unknown = gauge(
            "oldest_unknown_seconds",
            "Age of the oldest attempt with an unknown execution; 0 if there is none.",
        )
        self._retry_overdue = gauge(
            "retry_overdue_seconds", "How long a due retry has been waiting; 0 if none is due."
        )
        self._readable = gauge(
            "backlog_readable",
            "1 if the last read of the backlog succeeded, 0 if the database was unavailable.",
        )

    async def run(self) -> None:
        """Reads until cancelled."""
        while True:
            await self.sample()
            await self._sleep(self._every_s)

    async def sample(self) -> None:
        """Reads once. While the database is unavailable, the last values stay."""
        try:
            backlog = await self._read()
        except StoreUnavailable as error:
            self._readable.set(0)
            _log.warning("backlog_not_read", error=str(error))
            return
        self._readable.set(1)
        for state, gauge in self._executions.items():
            gauge.set(backlog.executions.get(state, 0))
        self._oldest_unknown.set(backlog.oldest_unknown_s)
        self._retry_overdue.set(backlog.retry_overdue_s)
