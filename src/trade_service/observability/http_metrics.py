"""Requests and database connections as metrics, under the names that the earlier service's dashboards use."""

from collections.abc import Callable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from trade_service.observability.gauges import register_readings

SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2, 5, 10)
LABELS = ("method", "path", "status")
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
UNMATCHED = "unmatched"
"""The path of what no route serves: else everybody could make series."""


class HttpMetrics:
    """Counts requests by route, never by address."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._requests = Counter("http_requests", "Requests answered.", LABELS, registry=registry)
        self._seconds = Histogram(
            "http_request_duration_seconds",
            "Time from a request's head to the end of its answer.",
            LABELS,
            buckets=SECONDS,
            registry=registry,
        )
        self._in_flight = Gauge("http_requests_in_flight", "Requests being answered.", registry=registry)

    def begun(self) -> None:
        """A request came."""
        self._in_flight.inc()

    def ended(self, method: str, template: str | None, status: int, seconds: float) -> None:
        """It was answered; `template` is None when no route serves it."""
        self._in_flight.dec()
        labels = (method if method in METHODS else "other", template or UNMATCHED, str(status))
        self._requests.labels(*labels).inc()
        self._seconds.labels(*labels).observe(seconds)


def register_connections(registry: CollectorRegistry, read: Callable[[], tuple[int, int, int]]) -> None:
    """Gauges of the pool; `read` tells how many connections are in use, idle, and waited for."""
    register_readings(
        registry,
        {
            "hikari_connections_active": ("Database connections in use.", lambda: read()[0]),
            "hikari_connections_idle": ("Database connections kept ready.", lambda: read()[1]),
            "hikari_connections_pending": ("Callers that wait for a connection.", lambda: read()[2]),
            "hikari_connections_total": ("Database connections open.", lambda: sum(read()[:2])),
        },
    )
