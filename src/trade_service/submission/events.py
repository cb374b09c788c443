"""Events of the engine, for metrics, logs, traces and progress bars.

Listeners are called on the loop right after the fact and must be quick. An error of a listener is logged and
counted; it never affects a submission.
"""

from collections.abc import Callable, Mapping

import msgspec
import structlog

from trade_service.submission.circuit import CircuitState
from trade_service.submission.model import AttemptId, ItemOutcome, ReplyKind

_log = structlog.get_logger(__name__)
MAX_ALARMS_KEPT = 10_000


class RetriedExecution(msgspec.Struct, frozen=True, gc=False):
    """An execution that was accepted, though not by its first attempt."""

    execution_id: int
    attempts: int
    budget_left_s: float
    """What was left of its time budget at its last claim."""


class BatchBegunEvent(msgspec.Struct, frozen=True):
    """A batch is about to be claimed. A BatchSubmissionEvent follows, unless nothing could be claimed or the
    database did not answer."""

    attempt_id: AttemptId
    size: int
    origins: tuple[str, ...]
    """The traceparents of the requests it was collected from."""


class BatchSubmissionEvent(msgspec.Struct, frozen=True):
    """One attempt was answered or failed, and recorded; times in milliseconds."""

    attempt_id: AttemptId
    size: int
    kind: ReplyKind
    code: str
    message: str
    http_status: int | None
    accepted: int
    rejected: int
    retrying: int
    unknown: int
    exhausted: int
    recovered: bool
    """Whether the batch came from recovery: a retry, or work left behind by another process."""
    callers: int
    """How many requests the batch was collected from."""
    queued_ms: float
    """How long the oldest of them waited for a sender."""
    claim_ms: float
    call_ms: float
    record_ms: float
    failures: tuple[ItemOutcome, ...]
    """The outcomes that are not an acceptance."""
    request_ids: tuple[str, ...] = ()
    """Of the requests it was collected from, the first few; none if recovery sent it."""
    submission_ids: tuple[str, ...] = ()
    """Of the bulk submissions they belong to, the first few."""
    retried: tuple[RetriedExecution, ...] = ()


class LookUpEvent(msgspec.Struct, frozen=True):
    """One reconciliation pass over the downstream's listing."""

    attempts: int
    wanted: int
    found: int
    absent: int
    still_unknown: int
    pages: int
    problem: str
    """Why the pass was not complete; empty if it was."""
    recovered: Mapping[AttemptId, tuple[RetriedExecution, ...]] = {}
    """The executions that were found accepted, by attempt."""


class AlarmEvent(msgspec.Struct, frozen=True):
    """Something that needs a person's attention."""

    code: str
    message: str
    execution_ids: tuple[int, ...] = ()


class RecoveredEvent(msgspec.Struct, frozen=True):
    """Executions were accepted, though not by their first attempt."""

    attempt_id: AttemptId
    how: str
    """retry or look_up."""
    execution_ids: tuple[int, ...]
    attempts: int
    """Of the execution that took most."""
    since_first_s: float
    """The longest time from an execution's first claim to its acceptance."""


class ExhaustedEvent(msgspec.Struct, frozen=True):
    """Executions ended as exhausted: provably not accepted, with their budget spent."""

    attempt_id: AttemptId
    code: str
    message: str
    """Of the first of them."""
    execution_ids: tuple[int, ...]


class FillsCheckedEvent(msgspec.Struct, frozen=True):
    """One pass compared the fills in the downstream's ledger with ours."""

    pages: int
    compared: int
    """Executions of the ledger that exist here."""
    execution_ids: tuple[int, ...]
    """Those whose fill was stored, since its report was lost."""
    problem: str
    """Why the pass ended early; empty if it did not."""


class CircuitEvent(msgspec.Struct, frozen=True):
    """The circuit around the Execution Service changed."""

    state: CircuitState
    reason: str
    """Why it opened; empty if it closed."""
    until: float | None
    """When an open circuit allows its first probe, in seconds of the boot clock."""
    probe_in_ms: int | None
    """The same, counted from the event."""


SubmissionEvent = (
    BatchBegunEvent
    | BatchSubmissionEvent
    | LookUpEvent
    | RecoveredEvent
    | ExhaustedEvent
    | FillsCheckedEvent
    | AlarmEvent
    | CircuitEvent
)
Listener = Callable[[SubmissionEvent], None]


class EventBus:
    """Passes every event to every listener."""

    def __init__(self) -> None:
        self._listeners: list[Listener] = []
        self.failures = 0

    def subscribe(self, listener: Listener) -> None:
        """Adds a listener for the life of the bus."""
        self._listeners.append(listener)

    def emit(self, event: SubmissionEvent) -> None:
        """Calls every listener in turn; an error of one does not affect the others."""
        for listener in self._listeners:
            try:
                listener(event)
            except Exception:  # noqa: BLE001  # a listener must not harm a submission; logged with its trace
                self.failures += 1
                _log.exception("listener_failed", listener=repr(listener), event_type=type(event).__name__)


class AlarmsOnce:
    """Emits each alarm about the same executions once: reconciliation repeats every few seconds."""

    def __init__(self, events: EventBus) -> None:
        self._events = events
        self._emitted: set[tuple[str, tuple[int, ...]]] = set()

    def emit(self, alarm: AlarmEvent) -> None:
        """Emits the alarm, unless the same one was emitted before."""
        key = (alarm.code, alarm.execution_ids)
        if key in self._emitted:
            return
        if len(self._emitted) >= MAX_ALARMS_KEPT:
            self._emitted.clear()
        self._emitted.add(key)
        self._events.emit(alarm)


class RecoveredListener:
    """Emits a RecoveredEvent for the retried and the reconciled executions of other events."""

    def __init__(self, events: EventBus, give_up_after_ms: int) -> None:
        """`give_up_after_ms`: the whole time budget of an execution, from which its age follows."""
        self._events = events
        self._budget_s = give_up_after_ms / 1000

    def __call__(self, event: SubmissionEvent) -> None:
        if isinstance(event, BatchSubmissionEvent) and event.retried:
            self._emit(event.attempt_id, "retry", event.retried)
        elif isinstance(event, LookUpEvent):
            for attempt_id, found in event.recovered.items():
                self._emit(attempt_id, "look_up", found)

    def _emit(self, attempt_id: AttemptId, how: str, executions: tuple[RetriedExecution, ...]) -> None:
        event = RecoveredEvent(
            attempt_id=attempt_id,
            how=how,
            execution_ids=tuple(one.execution_id for one in executions),
            attempts=max(one.attempts for one in executions),
            since_first_s=max(0.0, self._budget_s - min(one.budget_left_s for one in executions)),
        )
        self._events.emit(event)
