"""Events of the engine, for metrics, logs, traces and progress bars.

Listeners are called on the loop and must be quick. Their errors are logged and counted, and affect no submission.
"""

import asyncio
from collections.abc import Callable, Iterable, Sequence
from contextvars import ContextVar
from itertools import chain
from typing import NamedTuple

import msgspec
import structlog

from trade_service.domain.access import Requester
from trade_service.submission.circuit import CircuitState
from trade_service.submission.model import AttemptId, ClaimedExecution, ItemOutcome, OpenItem, ReplyKind

_log = structlog.get_logger(__name__)
MAX_ALARMS_KEPT = 10_000


_NOBODY = Requester()
ORIGIN: ContextVar[str | None] = ContextVar("origin", default=None)
"""The traceparent (W3C) of the present request; None without tracing."""
REQUEST_ID: ContextVar[str | None] = ContextVar("request_id", default=None)
"""The id of the present request; None outside of requests."""
REQUESTER: ContextVar[Requester] = ContextVar("requester", default=_NOBODY)
"""Who makes the present request or runs the present command."""
SUBMISSION_ID: ContextVar[str | None] = ContextVar("submission_id", default=None)
"""The bulk submission that the present request belongs to, if any."""
MAX_ORIGINS = 16
"""How many requests a batch names at most."""


class Origins(NamedTuple):
    """The distinct requests that a batch was collected from, for traces and logs; at most MAX_ORIGINS of each."""

    traces: tuple[str, ...] = ()
    request_ids: tuple[str, ...] = ()
    submission_ids: tuple[str, ...] = ()

    @classmethod
    def now(cls) -> "Origins":
        """The present request."""
        present = [variable.get() for variable in (ORIGIN, REQUEST_ID, SUBMISSION_ID)]
        return cls(*[() if value is None else (value,) for value in present])

    @classmethod
    def merged(cls, origins: Iterable["Origins"]) -> "Origins":
        """Several together."""
        columns = zip(*origins, strict=True)
        return cls(*[tuple(dict.fromkeys(chain.from_iterable(c)))[:MAX_ORIGINS] for c in columns])


class BatchBegunEvent(msgspec.Struct, frozen=True):
    """A batch is about to be claimed. A BatchSubmissionEvent follows if its outcome is recorded."""

    attempt_id: AttemptId
    size: int
    origins: tuple[str, ...]
    """Traceparents of its requests."""


class BatchSubmissionEvent(msgspec.Struct, frozen=True):
    """An attempt was answered or failed, and was recorded; times in milliseconds."""

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
    """Whether recovery queued it: a retry, or work left behind by another process."""
    callers: int
    """How many requests it was collected from."""
    queued_ms: float
    """How long the oldest execution was queued."""
    claim_ms: float
    call_ms: float
    record_ms: float
    failures: tuple[ItemOutcome, ...]
    """The outcomes that are not an acceptance."""
    request_ids: tuple[str, ...] = ()
    """The first few; none if recovery queued it."""
    submission_ids: tuple[str, ...] = ()
    """The first few."""


class LookUpEvent(msgspec.Struct, frozen=True):
    """A reconciliation read the ledger."""

    attempts: int
    wanted: int
    found: int
    absent: int
    still_unknown: int
    pages: int
    problem: str
    """Why the pass was not complete; empty if it was."""


class AlarmEvent(msgspec.Struct, frozen=True):
    """Something needs a person's attention."""

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
    """Of the execution that took the most."""
    since_first_s: float
    """The longest time from a first claim to acceptance."""

    @classmethod
    def of(
        cls,
        attempt_id: AttemptId,
        how: str,
        executions: Sequence[ClaimedExecution | OpenItem],
        calls: int,
        budget_s: float,
    ) -> "RecoveredEvent":
        """`calls`: made in a row for all of them; `budget_s`: the whole time budget of an execution."""
        return cls(
            attempt_id,
            how,
            tuple(one.execution_id for one in executions),
            max(calls, *(one.attempts_spent for one in executions)),
            max(0.0, budget_s - min(one.budget_left_s for one in executions)),
        )


class ExhaustedEvent(msgspec.Struct, frozen=True):
    """Executions ended as exhausted: proven absent, with their budget spent."""

    attempt_id: AttemptId
    code: str
    message: str
    """Of the first of them."""
    execution_ids: tuple[int, ...]


class FillsCheckedEvent(msgspec.Struct, frozen=True):
    """A pass compared the fills in the ledger with ours."""

    pages: int
    compared: int
    """Executions of the ledger that exist here."""
    execution_ids: tuple[int, ...]
    """Those whose lost fill was stored."""
    problem: str
    """Why the pass ended early; empty if it did not."""


class CircuitEvent(msgspec.Struct, frozen=True):
    """The circuit changed."""

    state: CircuitState
    reason: str
    """Why it opened; empty if it closed."""
    until: float | None
    """When an open circuit allows its first probe, in seconds of the monotonic clock."""
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
        self._late: EventBus | None = None
        self._failures = 0

    @property
    def failures(self) -> int:
        """How often a listener raised."""
        return self._failures + (self._late.failures if self._late is not None else 0)

    def subscribe(self, listener: Listener, *, after_answers: bool = False) -> None:
        """Adds a listener for the life of the bus.

        With `after_answers` it hears of an event in the next turn of the loop, after the callers that were woken
        before the event, and in the order of events: what it does then costs them no time.
        """
        if after_answers:
            self._late = self._late or EventBus()
            self._late.subscribe(listener)
        else:
            self._listeners.append(listener)

    def emit(self, event: SubmissionEvent) -> None:
        """Calls every listener; an error of one does not affect the others."""
        for listener in self._listeners:
            try:
                listener(event)
            except Exception:  # noqa: BLE001  # a listener must not harm a submission; logged with its trace
                self._failures += 1
                _log.exception("listener_failed", listener=repr(listener), event_type=type(event).__name__)
        if self._late is not None:
            asyncio.get_running_loop().call_soon(self._late.emit, event)


class AlarmsOnce:
    """Emits each alarm about the same executions once, though reconciliation repeats."""

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
