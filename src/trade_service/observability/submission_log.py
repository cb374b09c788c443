"""Log lines of the submission: one a batch, one a failed execution, one a look-up,
one a recovery, one an exhaustion, one an alarm."""

import math
from collections.abc import Awaitable, Callable

import structlog

from trade_service.observability.flood import Flood
from trade_service.submission.breaker import CircuitState
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

_log = structlog.get_logger(__name__)

IDS_A_LINE = 100
"""Execution ids that one line names."""


class SubmissionLog:
    """A listener that writes what happened to the log.

    Of executions that fail for the same reason only the first `lines` are written in every `window_s` seconds;
    the others are counted, and summed up when the window ends. Each stands in its attempt's journal.
    """

    def __init__(self, now: Callable[[], float], lines: int = 20, window_s: float = 10.0) -> None:
        self._now = now
        self._flood = Flood(lines, window_s)
        self._window_s = window_s

    def __call__(self, event: SubmissionEvent) -> None:
        """Takes one event."""
        if isinstance(event, BatchSubmissionEvent):
            _log_batch(event)
            self._log_failures(event)
        else:
            _log_other(event)

    async def run(self, sleep: Callable[[float], Awaitable[None]]) -> None:
        """Sums up until cancelled."""
        while True:
            await sleep(self._window_s)
            self._sum_up(self._now())

    def close(self) -> None:
        """Sums up what is left."""
        self._sum_up(math.inf)

    def _log_failures(self, event: BatchSubmissionEvent) -> None:
        now = self._now()
        self._sum_up(now)
        for failure in event.failures:
            if self._flood.admits(failure.code, now):
                _log.warning(
                    "execution_not_accepted",
                    execution_id=failure.execution_id,
                    attempt_id=event.attempt_id,
                    state=failure.state,
                    code=failure.code,
                    http_status=event.http_status,
                    reason=failure.message,
                    **_asked_by(event),
                )

    def _sum_up(self, now: float) -> None:
        for held in self._flood.ended(now):
            _log.warning(
                "more_executions_not_accepted", code=held.kind, more=held.count, window_s=held.window_s
            )


def _log_other(event: SubmissionEvent) -> None:
    match event:
        case LookUpEvent():
            _log.info(
                "look_up",
                attempts=event.attempts,
                wanted=event.wanted,
                found=event.found,
                absent=event.absent,
                still_unknown=event.still_unknown,
                pages=event.pages,
                problem=event.problem or None,
            )
        case RecoveredEvent():
            _log.info(
                "executions_recovered",
                attempt_id=event.attempt_id,
                how=event.how,
                executions=len(event.execution_ids),
                execution_ids=event.execution_ids[:IDS_A_LINE],
                attempts=event.attempts,
                since_first_s=round(event.since_first_s, 1),
            )
        case ExhaustedEvent():
            _log.error(
                "executions_exhausted",
                attempt_id=event.attempt_id,
                code=event.code,
                reason=event.message,
                executions=len(event.execution_ids),
                execution_ids=event.execution_ids[:IDS_A_LINE],
            )
        case FillsCheckedEvent():
            _log_fills(event)
        case AlarmEvent():
            ids = event.execution_ids[:IDS_A_LINE]
            _log.error("alarm", code=event.code, message=event.message, execution_ids=ids)
        case CircuitEvent():
            write = _log.error if event.state is CircuitState.OPEN else _log.info
            write(f"circuit_{event.state}", reason=event.reason or None, probe_in_ms=event.probe_in_ms)


def _log_fills(event: FillsCheckedEvent) -> None:
    write = _log.info if event.execution_ids or event.problem else _log.debug
    write(
        "fills_checked",
        pages=event.pages,
        compared=event.compared,
        fetched=len(event.execution_ids),
        execution_ids=event.execution_ids[:IDS_A_LINE],
        problem=event.problem or None,
    )


def _log_batch(event: BatchSubmissionEvent) -> None:
    if event.code == OutcomeCode.CIRCUIT_OPEN:
        # The circuit's own line told why; these may be many.
        _log.info(
            "batch_put_off",
            attempt_id=event.attempt_id,
            size=event.size,
            retrying=event.retrying,
            **_asked_by(event),
        )
        return
    good = event.accepted == event.size
    context = _asked_by(event)
    if not good:
        context["reason"] = event.message
        context["execution_ids"] = [failure.execution_id for failure in event.failures[:IDS_A_LINE]]
    write = _log.info if good else _log.warning
    write(
        "batch_submitted",
        attempt_id=event.attempt_id,
        size=event.size,
        outcome=event.kind,
        code=event.code,
        http_status=event.http_status,
        accepted=event.accepted,
        rejected=event.rejected,
        retrying=event.retrying,
        unknown=event.unknown,
        exhausted=event.exhausted,
        recovered=event.recovered,
        callers=event.callers,
        queued_ms=round(event.queued_ms, 1),
        claim_ms=round(event.claim_ms, 1),
        call_ms=round(event.call_ms, 1),
        record_ms=round(event.record_ms, 1),
        **context,
    )


def _asked_by(event: BatchSubmissionEvent) -> dict[str, object]:
    known = {"request_ids": event.request_ids, "submission_ids": event.submission_ids}
    return {name: ids for name, ids in known.items() if ids}
