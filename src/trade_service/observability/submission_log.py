"""Log lines of the submission: one a batch, one a failed execution, one a look-up,
one a recovery, one an exhaustion, one an alarm."""

import structlog

from trade_service.submission.breaker import CircuitState
from trade_service.submission.codes import OutcomeCode
from trade_service.submission.events import (
    AlarmEvent,
    BatchSubmissionEvent,
    CircuitEvent,
    ExhaustedEvent,
    LookUpEvent,
    RecoveredEvent,
    SubmissionEvent,
)

_log = structlog.get_logger(__name__)

FAILURE_LINES_A_BATCH = 10
"""A batch that fails as a whole has one cause: past this many, its executions are only counted here.
Each stands with its reason in the attempt's journal."""

IDS_A_LINE = 100
"""Execution ids that one line names."""


def log_submission(event: SubmissionEvent) -> None:
    """Listener that writes what happened to the log."""
    match event:
        case BatchSubmissionEvent():
            _log_batch(event)
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
        case AlarmEvent():
            ids = event.execution_ids[:IDS_A_LINE]
            _log.error("alarm", code=event.code, message=event.message, execution_ids=ids)
        case CircuitEvent():
            write = _log.error if event.state is CircuitState.OPEN else _log.info
            write(f"circuit_{event.state}", reason=event.reason or None, probe_in_ms=event.probe_in_ms)


def _log_batch(event: BatchSubmissionEvent) -> None:
    if event.code == OutcomeCode.CIRCUIT_OPEN:
        # The circuit's own line told why; these may be many.
        _log.info("batch_put_off", attempt_id=event.attempt_id, size=event.size, retrying=event.retrying)
        return
    good = event.accepted == event.size
    context: dict[str, object] = {}
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
        claim_ms=round(event.claim_ms, 1),
        call_ms=round(event.call_ms, 1),
        record_ms=round(event.record_ms, 1),
        **context,
    )
    _log_failures(event)


def _log_failures(event: BatchSubmissionEvent) -> None:
    for failure in event.failures[:FAILURE_LINES_A_BATCH]:
        _log.warning(
            "execution_not_accepted",
            execution_id=failure.execution_id,
            attempt_id=event.attempt_id,
            state=failure.state,
            code=failure.code,
            http_status=event.http_status,
            reason=failure.message,
        )
    if len(event.failures) > FAILURE_LINES_A_BATCH:
        more = len(event.failures) - FAILURE_LINES_A_BATCH
        _log.warning("more_executions_not_accepted", attempt_id=event.attempt_id, more=more)
