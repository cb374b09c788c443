"""BulkExecutionMetrics: throughput, latency, failures and their reasons.

Label values come from the program's own codes and states, never from ids or texts, so the number of series is
bounded.
"""

from collections import Counter as Tally
from collections.abc import Iterable
from functools import cache

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from trade_service.domain.executions import SubmissionState
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

SIZES = (1, 2, 5, 10, 20, 50, 75, 100)
CALLERS = (1, 2, 5, 10, 25, 50, 100)
SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)
UNSENT = frozenset({OutcomeCode.CIRCUIT_OPEN, OutcomeCode.NOT_REPRESENTABLE})
"""Codes of batches for which no call was made."""
NEWEST_WEIGHT = 0.2
"""Weight of the newest call in the running estimate of what a call of one execution takes."""


class BulkExecutionMetrics:
    """An event listener that counts and measures batches.

    Example:
        events.subscribe(BulkExecutionMetrics(CollectorRegistry()))
    """

    def __init__(self, registry: CollectorRegistry) -> None:
        self._single_call_s: float | None = None
        self._add_batch_metrics(registry)
        self._add_execution_metrics(registry)
        self._add_saving_and_health_metrics(registry)

    def __call__(self, event: SubmissionEvent) -> None:
        """Takes one event."""
        match event:
            case BatchSubmissionEvent():
                self._count_batch(event)
            case LookUpEvent():
                self._count_reconciliation(event)
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

    def _add_batch_metrics(self, registry: CollectorRegistry) -> None:
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
            buckets=SECONDS,
            registry=registry,
        )
        self._stages = {name: stages.labels(name) for name in ("whole", "queue", "claim", "call", "record")}
        self._sizes = Histogram(
            "trade_service_batch_size", "Executions in a batch.", buckets=SIZES, registry=registry
        )
        self._callers = Histogram(
            "trade_service_batch_callers", "Requests that share a batch.", buckets=CALLERS, registry=registry
        )

    def _add_execution_metrics(self, registry: CollectorRegistry) -> None:
        def counter(name: str, meaning: str, *labels: str) -> Counter:
            return Counter(f"trade_service_{name}", meaning, labels, registry=registry)

        self._outcomes = counter(
            "executions",
            "Outcomes of executions in batches, by the new state and the reason.",
            "state",
            "code",
        )
        self._accepted = self._outcomes.labels(SubmissionState.ACCEPTED.value, OutcomeCode.OK.value)
        self._retries = counter(
            "retries", "Executions that were not accepted and will be sent again, by reason.", "code"
        )
        self._recovered = counter(
            "recovered_executions",
            "Executions accepted although their first attempt did not settle them, by retry or look_up.",
            "how",
        )
        self._exhausted = counter("exhausted_executions", "Executions that used up their retry budget.")
        self._passes = counter(
            "look_up_passes", "Reconciliation passes over the downstream ledger, by completeness.", "complete"
        )
        self._reconciled = counter(
            "looked_up_executions", "Unknown executions in reconciliation passes, by the result.", "result"
        )
        _show_at_zero(self._recovered, ("retry", "look_up"))
        _show_at_zero(self._passes, ("yes", "no"))
        _show_at_zero(self._reconciled, ("found", "absent", "unknown"))

    def _add_saving_and_health_metrics(self, registry: CollectorRegistry) -> None:
        def counter(name: str, meaning: str, *labels: str) -> Counter:
            return Counter(f"trade_service_{name}", meaning, labels, registry=registry)

        self._calls = counter("calls", "Calls of the Execution Service's batch endpoint.")
        self._calls_saved = counter("calls_saved", "Additional calls that single submission would have made.")
        self._time_saved = counter(
            "time_saved_seconds", "Estimate of the time that these calls would have taken in sequence."
        )
        self._alarms = counter("alarms", "Conditions that need an operator.", "code")
        self._fetched_fills = counter(
            "fetched_fills", "Fills read from the downstream ledger because their reports were lost."
        )
        self._last_success = Gauge(
            "trade_service_last_success_timestamp_seconds",
            "When a batch was last answered with an acceptance; 0 before the first.",
            registry=registry,
        )
        circuit = Gauge(
            "trade_service_circuit_state",
            "1 for the current state of the circuit around the Execution Service.",
            ("state",),
            registry=registry,
        )
        self._circuit = {state: circuit.labels(state.value) for state in CircuitState}
        self._show_circuit(CircuitState.CLOSED)
        _show_at_zero(self._alarms, AlarmCode)

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
        self._count_outcomes(event)

    def _count_outcomes(self, event: BatchSubmissionEvent) -> None:
        others = Tally((outcome.state, outcome.code) for outcome in event.failures)
        plain = event.accepted - sum(
            n for (state, _), n in others.items() if state is SubmissionState.ACCEPTED
        )
        if plain:
            self._accepted.inc(plain)
        for (state, code), count in others.items():
            self._outcomes.labels(state.value, code).inc(count)
            if state is SubmissionState.RETRY:
                self._retries.labels(code).inc(count)

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

    def _count_reconciliation(self, event: LookUpEvent) -> None:
        self._passes.labels("no" if event.problem else "yes").inc()
        self._reconciled.labels("found").inc(event.found)
        self._reconciled.labels("absent").inc(event.absent)
        self._reconciled.labels("unknown").inc(event.still_unknown)

    def _show_circuit(self, state: CircuitState) -> None:
        for one, gauge in self._circuit.items():
            gauge.set(one is state)


def _show_at_zero(counter: Counter, values: Iterable[str]) -> None:
    """Creates the series at 0: `increase` misses the first event of a series that appears with it."""
    for value in values:
        counter.labels(value)
