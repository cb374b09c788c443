"""BulkExecutionMetrics: how executions flow, how fast, and what fails and why.

A listener on the events of the submission; it counts and measures, and reads nothing. Label values come from
the codes and states of the program, never from ids or texts, so the number of series is bounded.
"""

from collections import Counter as Tally
from collections.abc import Iterable
from functools import cache

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from trade_service.domain.executions import SubmissionState
from trade_service.submission.breaker import CircuitState
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
MEMORY = 0.2
"""Weight of the newest call in the running estimate of what a call of one execution takes."""


class BulkExecutionMetrics:
    """Measures batches; subscribe it to the event bus."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._single_call_s: float | None = None
        self._make_batch_metrics(registry)
        self._make_execution_metrics(registry)
        self._make_saving_metrics(registry)
        self._make_health_metrics(registry)

    def __call__(self, event: SubmissionEvent) -> None:
        """Takes one event."""
        match event:
            case BatchSubmissionEvent():
                self._note_batch(event)
            case LookUpEvent():
                self._note_look_up(event)
            case RecoveredEvent():
                self._recovered.labels(event.how).inc(len(event.execution_ids))
            case ExhaustedEvent():
                self._exhausted.inc(len(event.execution_ids))
            case FillsCheckedEvent():
                self._fetched_fills.inc(len(event.execution_ids))
            case AlarmEvent():
                self._alarms.labels(event.code).inc()
            case CircuitEvent():
                self._note_circuit(event.state)

    def _make_batch_metrics(self, registry: CollectorRegistry) -> None:
        batches = Counter(
            "trade_service_batches",
            "Batches by what came of the call, its code, and whether recovery sent them.",
            ("outcome", "code", "origin"),
            registry=registry,
        )
        # Finding a series by its labels costs more than counting.
        self._batches_of = cache(
            lambda kind, code, recovered: batches.labels(kind, code, "recovery" if recovered else "fresh")
        )
        self._sizes = Histogram(
            "trade_service_batch_size", "Executions a batch.", buckets=SIZES, registry=registry
        )
        stages = Histogram(
            "trade_service_batch_duration_seconds",
            "Time of a batch: whole, or in the queue, in the database (claim, record), or downstream (call).",
            ("stage",),
            buckets=SECONDS,
            registry=registry,
        )
        self._stages = {
            stage: stages.labels(stage) for stage in ("whole", "queue", "claim", "call", "record")
        }
        self._callers = Histogram(
            "trade_service_batch_callers",
            "Requests that a batch was collected from.",
            buckets=CALLERS,
            registry=registry,
        )

    def _make_execution_metrics(self, registry: CollectorRegistry) -> None:
        self._outcomes = Counter(
            "trade_service_executions",
            "Outcomes of executions in batches, by the state that they went to and the reason.",
            ("state", "code"),
            registry=registry,
        )
        self._accepted = self._outcomes.labels(SubmissionState.ACCEPTED.value, OutcomeCode.OK.value)
        self._retries = Counter(
            "trade_service_retries",
            "Executions that were not accepted and will be sent again, by reason.",
            ("code",),
            registry=registry,
        )
        self._recovered = Counter(
            "trade_service_recovered_executions",
            "Executions accepted although their first attempt did not settle them, by retry or look_up.",
            ("how",),
            registry=registry,
        )
        self._exhausted = Counter(
            "trade_service_exhausted_executions",
            "Executions given up, after an answer or a look-up.",
            registry=registry,
        )
        self._look_ups = Counter(
            "trade_service_look_up_passes",
            "Passes over the Execution Service's books, by whether they were complete.",
            ("complete",),
            registry=registry,
        )
        self._looked_up = Counter(
            "trade_service_looked_up_executions",
            "Unknown executions that a pass looked for, by what it proved.",
            ("result",),
            registry=registry,
        )
        _begin(self._recovered, ("retry", "look_up"))
        _begin(self._look_ups, ("yes", "no"))
        _begin(self._looked_up, ("found", "absent", "unknown"))

    def _make_saving_metrics(self, registry: CollectorRegistry) -> None:
        self._calls = Counter(
            "trade_service_calls", "Calls of the Execution Service's batch endpoint.", registry=registry
        )
        self._calls_saved = Counter(
            "trade_service_calls_saved",
            "Calls that one call for each execution would have made in addition.",
            registry=registry,
        )
        self._time_saved = Counter(
            "trade_service_time_saved_seconds",
            "Estimate of the time that these calls would have taken one after the other.",
            registry=registry,
        )

    def _make_health_metrics(self, registry: CollectorRegistry) -> None:
        self._alarms = Counter(
            "trade_service_alarms", "What a person has to look at.", ("code",), registry=registry
        )
        self._fetched_fills = Counter(
            "trade_service_fetched_fills",
            "Fills found in the Execution Service's books, since their reports had been lost.",
            registry=registry,
        )
        self._last_success = Gauge(
            "trade_service_last_success_timestamp_seconds",
            "When a batch was last answered with an acceptance; 0 when none was yet.",
            registry=registry,
        )
        circuit = Gauge(
            "trade_service_circuit_state",
            "1 for the state that the circuit around the Execution Service is in.",
            ("state",),
            registry=registry,
        )
        self._circuit = {state: circuit.labels(state.value) for state in CircuitState}
        self._note_circuit(CircuitState.CLOSED)
        _begin(self._alarms, AlarmCode)

    def _note_batch(self, event: BatchSubmissionEvent) -> None:
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
            self._note_call(event)
        if event.accepted:
            self._last_success.set_to_current_time()
        self._note_outcomes(event)

    def _note_outcomes(self, event: BatchSubmissionEvent) -> None:
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

    def _note_call(self, event: BatchSubmissionEvent) -> None:
        """The comparison with single submission: what a call of one takes is measured where there are such.

        Until then the fastest call stands for it, whatever its size: the estimate is then too high by what
        the batch itself costs, never by a multiple.
        """
        self._calls.inc()
        if event.kind is not ReplyKind.ANSWERED:
            return
        call_s = event.call_ms / 1000
        known = self._single_call_s
        if event.size == 1:
            self._single_call_s = call_s if known is None else known + MEMORY * (call_s - known)
        elif known is None or call_s < known:
            self._single_call_s = call_s
        saved = event.size - 1
        self._calls_saved.inc(saved)
        if saved and self._single_call_s is not None:
            self._time_saved.inc(max(0.0, event.size * self._single_call_s - call_s))

    def _note_look_up(self, event: LookUpEvent) -> None:
        self._look_ups.labels("no" if event.problem else "yes").inc()
        for result, count in (
            ("found", event.found),
            ("absent", event.absent),
            ("unknown", event.still_unknown),
        ):
            self._looked_up.labels(result).inc(count)

    def _note_circuit(self, state: CircuitState) -> None:
        for one, gauge in self._circuit.items():
            gauge.set(one is state)


def _begin(counter: Counter, values: Iterable[str]) -> None:
    """Shows the series at 0: of one that appears with its first event, `increase` does not see that event."""
    for value in values:
        counter.labels(value)
