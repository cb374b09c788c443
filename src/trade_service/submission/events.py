"""What happened, for whoever listens: metrics, logs, progress bars.

A listener is called on the loop, right after the fact, and must be quick. One that raises is logged
and counted, and never harms a submission.
"""

from collections.abc import Callable

import msgspec
import structlog

from trade_service.submission.breaker import CircuitState
from trade_service.submission.model import AttemptId, ItemOutcome, ReplyKind

_log = structlog.get_logger(__name__)
MAX_ALARMS_KEPT = 10_000


class BatchBegunEvent(msgspec.Struct, frozen=True):
    """A batch is about to be claimed. It ends in a BatchSubmissionEvent, or in none when nothing could be
    claimed or the database did not answer."""

    attempt_id: AttemptId
    size: int
    origins: tuple[str, ...]
    """The traceparents of the requests that it was collected from."""


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
    """Whether the batch came from recovery: a retry, or work that another process left behind."""
    callers: int
    """How many requests the batch was collected from."""
    queued_ms: float
    """How long the one that came first had waited for a sender."""
    claim_ms: float
    call_ms: float
    record_ms: float
    failures: tuple[ItemOutcome, ...]
    """The outcomes that are not an acceptance."""
    request_ids: tuple[str, ...] = ()
    """Of the requests that it was collected from, the first few; none where recovery sent it."""
    submission_ids: tuple[str, ...] = ()
    """Of the bulk submissions that they belong to, likewise."""


class LookUpEvent(msgspec.Struct, frozen=True):
    """One look-up pass over the downstream's books."""

    attempts: int
    wanted: int
    found: int
    absent: int
    still_unknown: int
    pages: int
    problem: str
    """Why the pass was not complete; empty when it was."""


class AlarmEvent(msgspec.Struct, frozen=True):
    """Something that a person has to look at."""

    code: str
    message: str
    execution_ids: tuple[int, ...] = ()


class RecoveredEvent(msgspec.Struct, frozen=True):
    """Executions were accepted although their first attempt did not settle them."""

    attempt_id: AttemptId
    how: str
    """retry or look_up."""
    execution_ids: tuple[int, ...]
    attempts: int
    """The most that one of them took."""
    since_first_s: float
    """The longest from an execution's first claim to its acceptance."""


class ExhaustedEvent(msgspec.Struct, frozen=True):
    """Executions were given up, provably not accepted."""

    attempt_id: AttemptId
    code: str
    message: str
    """Of the first of them."""
    execution_ids: tuple[int, ...]


class FillsCheckedEvent(msgspec.Struct, frozen=True):
    """One pass compared the fills in the downstream's books with ours."""

    pages: int
    compared: int
    """Executions of the books that were found here."""
    execution_ids: tuple[int, ...]
    """Those whose fill was stored, since its report had been lost."""
    problem: str
    """Why the pass ended early; empty when it did not."""


class CircuitEvent(msgspec.Struct, frozen=True):
    """The circuit around the Execution Service changed."""

    state: CircuitState
    reason: str
    """Why it opened; empty when it closed."""
    until: float | None
    """When an open one lets the first call through again, in seconds of the boot clock."""
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
    """Tells every listener of every event."""

    def __init__(self) -> None:
        self._listeners: list[Listener] = []
        self.failures = 0

    def subscribe(self, listener: Listener) -> None:
        """Adds a listener for the life of the bus."""
        self._listeners.append(listener)

    def emit(self, event: SubmissionEvent) -> None:
        """Calls every listener in turn, whatever the others do."""
        for listener in self._listeners:
            try:
                listener(event)
            except Exception:  # noqa: BLE001  # the promise of this class; logged with its trace
                self.failures += 1
                _log.exception("listener_failed", listener=repr(listener), event_type=type(event).__name__)


class AlarmsOnce:
    """Emits each alarm about the same executions once: look-ups follow one another every few seconds."""

    def __init__(self, events: EventBus) -> None:
        self._events = events
        self._emitted: set[tuple[str, tuple[int, ...]]] = set()

    def emit(self, alarm: AlarmEvent) -> None:
        """Calls every listener, unless the same alarm was emitted before."""
        key = (alarm.code, alarm.execution_ids)
        if key in self._emitted:
            return
        if len(self._emitted) >= MAX_ALARMS_KEPT:
            self._emitted.clear()
        self._emitted.add(key)
        self._events.emit(alarm)
