"""Log lines about submissions: batches, failed executions, reconciliation, recovery, exhaustion, alarms."""

import math
from collections import deque
from collections.abc import Awaitable, Callable, Mapping, Sequence

import msgspec
import structlog

from trade_service.submission.circuit import CircuitState
from trade_service.submission.codes import OutcomeCode
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
from trade_service.submission.ports import StoreUnavailable
from trade_service.trading.operating import PastAttempt

_log = structlog.get_logger(__name__)

IDS_A_LINE = 100
"""Execution ids that one line names."""
ATTEMPTS_A_LINE = 20
"""Attempts that one history shows; of a longer one, the first and the last."""
_CONSOLE = "/console/executions?open={}"
"""The page about an execution, below the service's address."""
QUEUE_LIMIT = 10_000
"""Executions that may wait for their history; the rest are only counted."""
READ_AT_ONCE = 100
OPTIONAL = frozenset({"request_ids", "submission_ids"})
"""Fields that a line leaves out while they are empty."""
TICK_S = 1.0

ReadHistories = Callable[[Sequence[int]], Awaitable[Mapping[int, Sequence[PastAttempt]]]]
"""The attempts of executions since they were first claimed, oldest first. Raises StoreUnavailable."""


class _Window(msgspec.Struct):
    ends_at: float
    seen: int = 0


class Flood:
    """Admits the first `lines` of each kind in every `window_s` seconds and counts the others.

    Kinds must be few: codes, never texts.
    """

    def __init__(self, lines: int, window_s: float) -> None:
        self._lines = lines
        self.window_s = window_s
        self._windows: dict[str, _Window] = {}

    def admits(self, kind: str, now: float) -> bool:
        """Whether to write one more of a kind. Call `ended` first: this only opens windows."""
        window = self._windows.setdefault(kind, _Window(now + self.window_s))
        window.seen += 1
        return window.seen <= self._lines

    def ended(self, now: float) -> dict[str, int]:
        """Closes the windows that ended by `now` (infinity: all); returns the lines suppressed, by kind."""
        over = {kind: window for kind, window in self._windows.items() if window.ends_at <= now}
        for kind in over:
            del self._windows[kind]
        return {kind: one.seen - self._lines for kind, one in over.items() if one.seen > self._lines}


class SubmissionLog:
    """An event listener that writes the log.

    Of executions that fail with the same code only the first `lines` in every `window_s` seconds get a line; the
    others are summed up when the window ends. Every failure is in its attempt's journal all the same.

    With `histories`, each exhausted execution also gets a line with its attempts. These are read in `run`, outside
    of the submission; what cannot be read is named and left to the journal.

    Example:
        log = SubmissionLog(clock.monotonic)
        events.subscribe(log)
        ...  # run(clock.sleep) beside the senders
        log.close()
    """

    def __init__(
        self,
        now: Callable[[], float],
        lines: int = 20,
        window_s: float = 10.0,
        histories: ReadHistories | None = None,
    ) -> None:
        self._now = now
        self._flood = Flood(lines, window_s)
        self._histories = histories
        self._exhausted: deque[int] = deque()
        self._dropped = 0

    def __call__(self, event: SubmissionEvent) -> None:
        """Logs one event."""
        match event:
            case BatchSubmissionEvent():
                _log_batch(event)
                if event.failures:
                    self._log_failures(event)
            case LookUpEvent():
                _log.info("reconciliation", **_fields(event, "recovered"))
            case RecoveredEvent():
                _log.info("executions_recovered", **_fields(event))
            case ExhaustedEvent():
                _log.error("executions_exhausted", reason=event.message, **_fields(event, "message"))
                self._queue_histories(event.execution_ids)
            case FillsCheckedEvent():
                write = _log.info if event.execution_ids or event.problem else _log.debug
                write("fills_checked", **_fields(event))
            case AlarmEvent():
                _log.error("alarm", **_fields(event))
            case CircuitEvent():
                write = _log.error if event.state is CircuitState.OPEN else _log.info
                write(f"circuit_{event.state}", reason=event.reason or None, probe_in_ms=event.probe_in_ms)

    async def run(self, sleep: Callable[[float], Awaitable[None]]) -> None:
        """Writes sums and histories until cancelled."""
        while True:
            await sleep(TICK_S)
            self._sum_up(self._now())
            await self._log_histories()

    def close(self) -> None:
        """Writes the sums of the windows that are still open."""
        self._sum_up(math.inf)

    def _log_failures(self, event: BatchSubmissionEvent) -> None:
        now = self._now()
        self._sum_up(now)
        for failure in event.failures:
            if self._flood.admits(failure.code, now):
                _log.warning(
                    "execution_not_accepted",
                    execution_id=failure.execution_id,
                    console=_CONSOLE.format(failure.execution_id),
                    attempt_id=event.attempt_id,
                    state=failure.state,
                    code=failure.code,
                    http_status=event.http_status,
                    reason=failure.message,
                    **_requests_of(event),
                )

    def _sum_up(self, now: float) -> None:
        for code, more in self._flood.ended(now).items():
            _log.warning("more_executions_not_accepted", code=code, more=more, window_s=self._flood.window_s)

    def _queue_histories(self, execution_ids: Sequence[int]) -> None:
        if self._histories is not None:
            room = QUEUE_LIMIT - len(self._exhausted)
            self._exhausted.extend(execution_ids[:room])
            self._dropped += max(0, len(execution_ids) - room)

    async def _log_histories(self) -> None:
        while self._exhausted and self._histories is not None:
            ids = [self._exhausted.popleft() for _ in range(min(READ_AT_ONCE, len(self._exhausted)))]
            try:
                histories = await self._histories(ids)
            except StoreUnavailable as error:
                _log.error("histories_not_read", execution_ids=ids, error=str(error))
                continue
            for execution_id in ids:
                _log_history(execution_id, histories.get(execution_id, ()))
        if self._dropped:
            dropped, self._dropped = self._dropped, 0
            _log.error("more_executions_exhausted", executions=dropped)


def _log_batch(event: BatchSubmissionEvent) -> None:
    if event.code == OutcomeCode.CIRCUIT_OPEN:
        # Possibly many, and the circuit's own line already says why.
        deferred = {"attempt_id": event.attempt_id, "size": event.size, "retrying": event.retrying}
        _log.info("batch_deferred", **deferred, **_requests_of(event))
        return
    fields = _fields(event, "kind", "message", "failures", "retried")
    if event.accepted == event.size:
        _log.info("batch_submitted", outcome=event.kind, **fields)
        return
    ids = [failure.execution_id for failure in event.failures[:IDS_A_LINE]]
    fields |= {"outcome": event.kind, "reason": event.message, "execution_ids": ids}
    _log.warning("batch_submitted", **fields)


def _requests_of(event: BatchSubmissionEvent) -> dict[str, object]:
    known = {"request_ids": event.request_ids, "submission_ids": event.submission_ids}
    return {name: ids for name, ids in known.items() if ids}


def _fields(event: SubmissionEvent, *left_out: str) -> dict[str, object]:
    """An event's fields as a line has them: rounded, and with a bounded number of ids."""
    fields: dict[str, object] = {}
    for name, value in msgspec.structs.asdict(event).items():
        if name == "execution_ids":
            fields |= {"executions": len(value), "execution_ids": value[:IDS_A_LINE]}
        elif name in left_out or (not value and name in OPTIONAL):
            continue
        elif isinstance(value, float):
            fields[name] = round(value, 1)
        else:
            fields[name] = None if value == "" else value
    return fields


def _log_history(execution_id: int, attempts: Sequence[PastAttempt]) -> None:
    half = ATTEMPTS_A_LINE // 2
    shown = attempts if len(attempts) <= ATTEMPTS_A_LINE else [*attempts[:half], *attempts[-half:]]
    _log.error(
        "exhausted_execution_history",
        execution_id=execution_id,
        console=_CONSOLE.format(execution_id),
        attempts=len(attempts),
        attempts_left_out=len(attempts) - len(shown) or None,
        history=[
            {
                "attempt_id": one.attempt_id,
                "at": one.started_at.isoformat(timespec="milliseconds"),
                "outcome": one.kind,
                "code": one.code,
                "http_status": one.http_status,
                "found": list(one.findings),
            }
            for one in shown
        ],
    )
