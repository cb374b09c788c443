"""Tells callers and listeners what a record settled."""

from collections.abc import Mapping, Sequence

from trade_service.domain.executions import QUANTITY_RETURNED, SubmissionState
from trade_service.submission.board import OutcomeBoard
from trade_service.submission.codes import AlarmCode, OutcomeCode
from trade_service.submission.events import AlarmEvent, EventBus, ExhaustedEvent, RecoveredEvent
from trade_service.submission.model import (
    AttemptClosing,
    AttemptId,
    ClaimedExecution,
    ExecutionSubmitResult,
    ItemOutcome,
    OpenItem,
    Recorded,
    SubmitStatus,
)

_EXHAUSTED = SubmissionState.EXHAUSTED
_PENDING = SubmitStatus.PENDING
_CIRCUIT_OPEN = OutcomeCode.CIRCUIT_OPEN


def recovered(
    attempt_id: AttemptId,
    how: str,
    items: Sequence[ClaimedExecution | OpenItem],
    calls: int,
    budget_s: float,
) -> RecoveredEvent:
    """The event of `items`, at least one, which took `calls` in a row; `budget_s` is their whole time."""
    return RecoveredEvent(
        attempt_id=attempt_id,
        how=how,
        execution_ids=tuple(item.execution_id for item in items),
        attempts=max(calls, *(item.attempts_spent for item in items)),
        since_first_s=max(0.0, budget_s - min(item.budget_left_s for item in items)),
    )


def announce(
    board: OutcomeBoard, events: EventBus, closing: AttemptClosing, recorded: Sequence[Recorded]
) -> None:
    """Gives final results to who waits for them, notes the rest as open, tells what matters to people."""
    outcomes = {outcome.execution_id: outcome for outcome in closing.outcomes}
    results = [
        ExecutionSubmitResult.of(outcomes[row.execution_id], row)
        for row in recorded
        if row.execution_id in outcomes
    ]
    board.settle(results)
    pending = [result for result in results if result.status is _PENDING]
    if pending:
        board.put_off(result for result in pending if closing.pauses_budget or result.code == _CIRCUIT_OPEN)
        board.settled_elsewhere(result.execution_id for result in pending)
    notable = [row for row in recorded if (row.changed and _is_notable(row)) or row.duplicate_of is not None]
    if notable:
        _tell_what_matters(events, closing, notable, outcomes)


def _is_notable(row: Recorded) -> bool:
    """Whether what changed is an end without acceptance, or an acceptance after one."""
    return row.state is _EXHAUSTED or row.state_before in QUANTITY_RETURNED


def _tell_what_matters(
    events: EventBus,
    closing: AttemptClosing,
    recorded: Sequence[Recorded],
    outcomes: Mapping[int, ItemOutcome],
) -> None:
    late = tuple(
        row.execution_id
        for row in recorded
        if row.changed and row.state is SubmissionState.ACCEPTED and row.state_before in QUANTITY_RETURNED
    )
    exhausted = tuple(
        row.execution_id for row in recorded if row.state is SubmissionState.EXHAUSTED and row.changed
    )
    if exhausted:
        first = outcomes[exhausted[0]]  # What changed to it was told so.
        events.emit(ExhaustedEvent(closing.attempt_id, first.code, first.message, exhausted))
    if late:
        message = (
            f"executions {list(late)} turned out to be accepted after they had been given up (attempt "
            f"{closing.attempt_id}): their orders' quantity was taken again, check it for an overrun"
        )
        events.emit(AlarmEvent(AlarmCode.ACCEPTED_LATE, message, late))
    doubled = tuple(row.execution_id for row in recorded if row.duplicate_of is not None)
    if doubled:
        message = (
            f"executions {list(doubled)} were accepted a second time (attempt {closing.attempt_id}): "
            "cancel one of the two at the Execution Service; `trade-service audit` lists both ids"
        )
        events.emit(AlarmEvent(AlarmCode.ACCEPTED_TWICE, message, doubled))
