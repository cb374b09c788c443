"""Gauges: what stands in this process, read when it is scraped, and what is open in the database, sampled."""

from collections.abc import Awaitable, Callable, Mapping

import structlog
from prometheus_client import CollectorRegistry, Gauge

from trade_service.domain.executions import OPEN
from trade_service.submission.ports import StoreUnavailable
from trade_service.trading.backlog import Backlog, BacklogReads

_log = structlog.get_logger(__name__)

Readings = Mapping[str, tuple[str, Callable[[], float]]]
"""By the name of a gauge, what it means and the function that reads it: quick, and never raising."""


def register_readings(registry: CollectorRegistry, readings: Readings) -> None:
    """One gauge for each reading."""
    for name, (meaning, read) in readings.items():
        Gauge(name, meaning, registry=registry).set_function(read)


class BacklogGauges:
    """The backlog of all replicas, read every `every_s` seconds: a scrape never waits for the database."""

    def __init__(
        self,
        registry: CollectorRegistry,
        reads: BacklogReads,
        every_s: float,
        sleep: Callable[[float], Awaitable[None]],
    ) -> None:
        self._reads = reads
        self._every_s = every_s
        self._sleep = sleep
        executions = Gauge(
            "trade_service_open_executions",
            "Executions whose outcome is open, over all replicas, by submission state.",
            ("state",),
            registry=registry,
        )
        self._executions = {state: executions.labels(state.value) for state in OPEN}
        self._oldest_unknown = Gauge(
            "trade_service_oldest_unknown_seconds",
            "Age of the oldest attempt with an unknown execution; 0 when there is none.",
            registry=registry,
        )
        self._retry_overdue = Gauge(
            "trade_service_retry_overdue_seconds",
            "How long a due retry has waited to be picked up; 0 when none is due.",
            registry=registry,
        )
        self._readable = Gauge(
            "trade_service_backlog_readable",
            "1 when the open executions could be read at the last try, 0 when the database did not answer.",
            registry=registry,
        )

    async def run(self) -> None:
        """Reads until cancelled."""
        while True:
            await self.sample()
            await self._sleep(self._every_s)

    async def sample(self) -> None:
        """Reads once. When the database is away, what was read last stays."""
        try:
            backlog = await self._reads.read()
        except StoreUnavailable as error:
            self._readable.set(0)
            _log.warning("backlog_not_read", error=str(error))
            return
        self._set(backlog)

    def _set(self, backlog: Backlog) -> None:
        self._readable.set(1)
        for state, gauge in self._executions.items():
            gauge.set(backlog.executions.get(state, 0))
        self._oldest_unknown.set(backlog.oldest_unknown_s)
        self._retry_overdue.set(backlog.retry_overdue_s)
