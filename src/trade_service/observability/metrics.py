"""Metrics of submissions, requests, connections and the backlog.

Label values come from the program's own codes, states and routes, never from ids, addresses or texts, so the
number of series is bounded.
"""

import asyncio
import math
from collections import Counter as Tally
from collections.abc import Awaitable, Callable, Iterable, Mapping
from functools import cache, partial

import structlog
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.exposition import CONTENT_TYPE_LATEST

from trade_service.domain.executions import OPEN, SubmissionState
from trade_service.observability.exposition import Exposition
from trade_service.single_flight import SingleFlightCache
from trade_service.submission.circuit import CircuitState
from trade_service.submission.codes import AlarmCode, OutcomeCode
from trade_service.submission.events import (
    AlarmEvent,
    BatchSubmissionEvent,
    CircuitEvent,
    ExhaustedEvent,
    FillsCheckedEvent,
    LookUpEvent,
    RecoveredEvent,
    SubmissionEvent,
)
from trade_service.submission.model import ReplyKind
from trade_service.submission.ports import StoreUnavailable
from trade_service.trading.operating import Backlog

_log = structlog.get_logger(__name__)

SIZES = (1, 2, 5, 10, 20, 50, 75, 100)
CALLERS = (1, 2, 5, 10, 25, 50, 100)
BATCH_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)
UNSENT = frozenset({OutcomeCode.CIRCUIT_OPEN, OutcomeCode.NOT_REPRESENTABLE})
"""Codes of batches for which no call was made."""
NEWEST_WEIGHT = 0.2
"""Weight of the newest call in the running estimate of what a call of one execution takes."""
REQUEST_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2, 5, 10)
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
MAX_AGE_S = 1.0
"""How old metrics may be when they are shown."""
UNMATCHED = "unmatched"
"""The path of requests that no route serves: their addresses would make unbounded series."""

WORKERS, WORKERS_MEANING = "trade_service_workers", "Workers that are ready."
RESTARTS, RESTARTS_MEANING = "trade_service_worker_restarts", "Workers that ended and were replaced."

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
    readings: Readings = {
        "hikari_connections_active": ("Database connections in use.", lambda: read()[0]),
        "hikari_connections_idle": ("Idle database connections.", lambda: read()[1]),
        "hikari_connections_pending": ("Callers waiting for a connection.", lambda: read()[2]),
        "hikari_connections_total": ("Open database connections.", lambda: sum(read()[:2])),
    }
    register_readings(registry, readings)


def _counter(
    registry: CollectorRegistry, name: str, meaning: str, label: str = "", series: Iterable[str] = ()
) -> Counter:
    """A counter with one label or none, whose `series` exist from the start.

    They show 0 then: `increase` misses the first event of a series that appears with it.
    """
    counter = Counter(f"trade_service_{name}", meaning, (label,) if label else (), registry=registry)
    for value in series:
        counter.labels(value)
    return counter


class BulkExecutionMetrics:
    """An event listener that counts and measures batches.

    Example:
        events.subscribe(BulkExecutionMetrics(CollectorRegistry()))
    """

    def __init__(self, registry: CollectorRegistry) -> None:
        self._add_batch_metrics(registry)
        counter = partial(_counter, registry)
        self._retries = counter(
            "retries", "Executions that were not accepted and will be sent again, by reason.", "code"
        )
        self._recovered = counter(
            "recovered_executions",
            "Executions accepted although their first attempt did not settle them, by retry or look_up.",
            "how",
            ("retry", "look_up"),
        )
        self._exhausted = counter("exhausted_executions", "Executions that used up their retry budget.")
        self._passes = counter(
            "look_up_passes",
            "Reconciliation passes over the downstream ledger, by completeness.",
            "complete",
            ("yes", "no"),
        )
        self._reconciled = counter(
            "looked_up_executions",
            "Unknown executions in reconciliation passes, by the result.",
            "result",
            ("found", "absent", "unknown"),
        )
        self._alarms = counter("alarms", "Conditions that need an operator.", "code", AlarmCode)
        self._fetched_fills = counter(
            "fetched_fills", "Fills read from the downstream ledger because their reports were lost."
        )
        circuit = Gauge(
            "trade_service_circuit_state",
            "1 for the current state of the circuit around the Execution Service.",
            ("state",),
            registry=registry,
        )
        self._circuit = {state: circuit.labels(state.value) for state in CircuitState}
        self._show_circuit(CircuitState.CLOSED)

    def _add_batch_metrics(self, registry: CollectorRegistry) -> None:
        counter = partial(_counter, registry)
        batches = Counter(
            "trade_service_batches",
            "Batches by the outcome of the call, its code, and whether recovery sent them.",
            ("outcome", "code", "origin"),
            registry=registry,
        )
        # Finding a series by its labels costs more than counting.
        self._batches_of = cache(
            lambda kind, code, recovered: batches.labels(kind, code, "recovery" if recovered else "fresh")
        )
        stages = Histogram(
            "trade_service_batch_duration_seconds",
            "Time of a batch: whole, or in the queue, in the database (claim, record), or downstream (call).",
            ("stage",),
            buckets=BATCH_SECONDS,
            registry=registry,
        )
        self._stages = {name: stages.labels(name) for name in ("whole", "queue", "claim", "call", "record")}
        self._sizes = Histogram(
            "trade_service_batch_size", "Executions in a batch.", buckets=SIZES, registry=registry
        )
        self._callers = Histogram(
            "trade_service_batch_callers", "Requests that share a batch.", buckets=CALLERS, registry=registry
        )
        self._outcomes = Counter(
            "trade_service_executions",
            "Outcomes of executions in batches, by the new state and the reason.",
            ("state", "code"),
            registry=registry,
        )
        self._accepted = self._outcomes.labels(SubmissionState.ACCEPTED.value, OutcomeCode.OK.value)
        self._calls = counter("calls", "Calls of the Execution Service's batch endpoint.")
        self._calls_saved = counter("calls_saved", "Additional calls that single submission would have made.")
        self._time_saved = counter(
            "time_saved_seconds", "Estimate of the time that these calls would have taken in sequence."
        )
        self._single_call_s: float | None = None
        self._last_success = Gauge(
            "trade_service_last_success_timestamp_seconds",
            "When a batch was last answered with an acceptance; 0 before the first.",
            registry=registry,
        )

    def __call__(self, event: SubmissionEvent) -> None:
        """Takes one event."""
        match event:
            case BatchSubmissionEvent():
                self._count_batch(event)
            case LookUpEvent():
                self._passes.labels("no" if event.problem else "yes").inc()
                self._reconciled.labels("found").inc(event.found)
                self._reconciled.labels("absent").inc(event.absent)
                self._reconciled.labels("unknown").inc(event.still_unknown)
            case RecoveredEvent():
                self._recovered.labels(event.how).inc(len(event.execution_ids))
            case ExhaustedEvent():
                self._exhausted.inc(len(event.execution_ids))
            case FillsCheckedEvent():
                self._fetched_fills.inc(len(event.execution_ids))
            case AlarmEvent():
                self._alarms.labels(event.code).inc()
            case CircuitEvent():
                self._show_circuit(event.state)

    def _count_batch(self, event: BatchSubmissionEvent) -> None:
        self._batches_of(event.kind, event.code, event.recovered).inc()
        self._sizes.observe(event.size)
        self._callers.observe(event.callers)
        stages = self._stages
        stages["queue"].observe(event.queued_ms / 1000)
        stages["claim"].observe(event.claim_ms / 1000)
        stages["record"].observe(event.record_ms / 1000)
        stages["whole"].observe((event.claim_ms + event.call_ms + event.record_ms) / 1000)
        if event.code not in UNSENT:
            stages["call"].observe(event.call_ms / 1000)
            self._count_call(event)
        if event.accepted:
            self._last_success.set_to_current_time()
        plainly_accepted = event.accepted
        if event.failures:
            plainly_accepted -= self._count_failures(event)
        if plainly_accepted:
            self._accepted.inc(plainly_accepted)

    def _count_failures(self, event: BatchSubmissionEvent) -> int:
        """Counts the outcomes other than a plain acceptance; returns how many of them are acceptances."""
        accepted = 0
        for (state, code), count in Tally((one.state, one.code) for one in event.failures).items():
            self._outcomes.labels(state.value, code).inc(count)
            if state is SubmissionState.RETRY:
                self._retries.labels(code).inc(count)
            elif state is SubmissionState.ACCEPTED:
                accepted += count
        return accepted

    def _count_call(self, event: BatchSubmissionEvent) -> None:
        """Estimates the saving over single submission from the measured time of calls of one execution.

        Before there are any, the fastest call of any size stands in: that overestimates by what the batch itself
        costs, never by a multiple.
        """
        self._calls.inc()
        if event.kind is not ReplyKind.ANSWERED:
            return
        call_s = event.call_ms / 1000
        known = self._single_call_s
        if event.size == 1:
            self._single_call_s = call_s if known is None else known + NEWEST_WEIGHT * (call_s - known)
        elif known is None or call_s < known:
            self._single_call_s = call_s
        saved = event.size - 1
        self._calls_saved.inc(saved)
        if saved and self._single_call_s is not None:
            self._time_saved.inc(max(0.0, event.size * self._single_call_s - call_s))

    def _show_circuit(self, state: CircuitState) -> None:
        for one, gauge in self._circuit.items():
            gauge.set(one is state)


class WebMetrics:
    """Counts requests by route, never by address, and shows everything in the registry.

    Metrics are collected in a thread, at most once every `MAX_AGE_S`. `of_all` collects those of all workers
    instead, at its own pace.
    """

    content_type = CONTENT_TYPE_LATEST

    def __init__(
        self, registry: CollectorRegistry, of_all: Callable[[], Awaitable[Exposition]] | None = None
    ) -> None:
        labels = ("method", "path", "status")
        requests = Counter("http_requests", "Requests answered.", labels, registry=registry)
        seconds = Histogram(
            "http_request_duration_seconds",
            "Time from a request's head to the end of its response.",
            labels,
            buckets=REQUEST_SECONDS,
            registry=registry,
        )
        # Finding a series by its labels costs more than counting.
        self._series_of = cache(partial(_series, requests, seconds))
        self._in_flight = Gauge("http_requests_in_flight", "Requests being answered.", registry=registry)
        if of_all is None:
            Gauge(WORKERS, WORKERS_MEANING, registry=registry).set(1)
            Counter(RESTARTS, RESTARTS_MEANING, registry=registry)
        self._exposition = SingleFlightCache(
            "metrics",
            of_all or partial(asyncio.to_thread, Exposition.of, registry.collect),
            RuntimeError,
            max_age_s=0.0 if of_all else MAX_AGE_S,
            pause_s=0.0,
            stale_s=0.0 if of_all else math.inf,  # Another worker may have shown greater counts since.
        )

    def begun(self) -> None:
        """Counts a request as in flight."""
        self._in_flight.inc()

    def ended(self, method: str, template: str | None, status: int, seconds: float) -> None:
        """Counts a finished request; `template` is None when no route serves it."""
        self._in_flight.dec()
        requests, took = self._series_of(method if method in METHODS else "other", template, status)
        requests.inc()
        took.observe(seconds)

    async def text(self) -> bytes:
        """The registry in Prometheus' text format."""
        return (await self._exposition.get()).text

    async def names(self) -> list[str]:
        """The names of all metrics, sorted."""
        return (await self._exposition.get()).names()

    async def read(self, name: str, tags: Mapping[str, str]) -> dict[str, object] | None:
        """One metric in the form of Spring's Actuator, summed over the series with these tags; None if unknown."""
        return (await self._exposition.get()).read(name, tags)


def _series(
    requests: Counter, seconds: Histogram, method: str, template: str | None, status: int
) -> tuple[Counter, Histogram]:
    labels = (method, template or UNMATCHED, str(status))
    return requests.labels(*labels), seconds.labels(*labels)


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
        gauge = partial(Gauge, registry=registry)
        self._read = read
        self._every_s = every_s
        self._sleep = sleep
        executions = gauge(
            "trade_service_open_executions",
            "Executions whose outcome is open, over all replicas, by submission state.",
            ("state",),
        )
        self._executions = {state: executions.labels(state.value) for state in OPEN}
        self._oldest_unknown = gauge(
            "trade_service_oldest_unknown_seconds",
            "Age of the oldest attempt with an unknown execution; 0 if there is none.",
        )
        self._retry_overdue = gauge(
            "trade_service_retry_overdue_seconds",
            "How long a due retry has been waiting; 0 if none is due.",
        )
        self._pauses = gauge(
            "trade_service_pauses",
            "Pauses of sending in force: of all destinations, or of single ones; 0 if nothing is paused.",
        )
        self._readable = gauge(
            "trade_service_backlog_readable",
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
        self._pauses.set(backlog.pauses)
