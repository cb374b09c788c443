"""What the journal of a seeded world says of an attempt."""

from tests.world.store_rows import REQUEUED_KIND, BookedAttempt, Change
from trade_service.domain.executions import QUANTITY_RETURNED, SubmissionState
from trade_service.submission.codes import OutcomeCode
from trade_service.submission.failure_handler import SPENDS_BUDGET

_S = SubmissionState
SPENDING = tuple(kind for kind, spends in SPENDS_BUDGET.items() if spends)


def may_have_spent(attempt: BookedAttempt) -> bool:
    """A lost attempt stays counted even if its owner later reports that it sent nothing."""
    lost = any(found.code == "OWNER_LOST" for found in attempt.findings)
    return not attempt.adopted and (attempt.kind in SPENDING or lost)


def went_alone(attempt: BookedAttempt) -> bool:
    """Whether the attempt was planned for one execution, and is not a probe."""
    return len(attempt.execution_ids) == 1 and (attempt.counted or attempt.code == OutcomeCode.CIRCUIT_OPEN)


def explains(attempt: BookedAttempt, execution_id: int, change: Change) -> bool:
    """Whether the journal of an attempt explains a change."""
    if attempt.kind == REQUEUED_KIND and change.before in QUANTITY_RETURNED:
        return change.after is _S.UNKNOWN
    if attempt.code == "RECOVERED" and change.after is _S.UNKNOWN:
        return True
    if change.after is _S.UNKNOWN and change.before in (_S.QUEUED, _S.RETRY):
        return attempt.code == "FILL_REPORTED"
    if change.after is _S.QUEUED:
        return attempt.state == "queued"
    if change.after is _S.CLAIMED:
        return attempt.state != "queued"
    if change.before is None:
        return attempt.code == "TAKEN_OVER"
    found = any(f.execution_id == execution_id and f.state is change.after for f in attempt.findings)
    return found or (change.after is _S.ACCEPTED and attempt.closed_at is not None)
