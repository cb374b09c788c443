"""Attempts and what is recorded of them, with the fields that a test does not care about filled in."""

from collections.abc import Mapping, Sequence
from typing import Any

from trade_service.domain.executions import SubmissionState
from trade_service.submission.clock import SystemClock
from trade_service.submission.model import (
    AttemptClosing,
    Claim,
    ItemOutcome,
    NewAttempt,
    ReplyKind,
)
from trade_service.submission.ports import SubmissionStore

FRESH = (SubmissionState.NONE, SubmissionState.QUEUED)
RECOVERED = (SubmissionState.QUEUED, SubmissionState.RETRY)
_CLOCK = SystemClock()


def new_attempt(**changes: Any) -> NewAttempt:
    """An attempt with a lease of a minute."""
    values: dict[str, Any] = {
        "attempt_id": _CLOCK.new_attempt_id(),
        "owner": "one",
        "lease_ms": 60_000,
        "settle_ms": 60_000,
        "floor_id": 7,
        "give_up_after_ms": 3_600_000,
    }
    return NewAttempt(**(values | changes))


async def claimed(store: SubmissionStore, ids: Sequence[int], **changes: Any) -> tuple[NewAttempt, Claim]:
    """Claims fresh executions with a new attempt."""
    attempt = new_attempt(**changes)
    return attempt, await store.claim(attempt, ids, FRESH)


def closing(
    attempt_id: str,
    states: Mapping[int, str],
    owned_as: SubmissionState = SubmissionState.CLAIMED,
    service_ids: Mapping[int, int] | None = None,
    **changes: Any,
) -> AttemptClosing:
    """Outcomes by execution id; what is accepted gets the id 1000 + its own unless `service_ids` has one."""
    outcomes = tuple(
        ItemOutcome(
            execution_id,
            SubmissionState(state),
            "OK" if state == "accepted" else "CODE",
            "said so",
            (service_ids or {}).get(execution_id, 1000 + execution_id) if state == "accepted" else None,
        )
        for execution_id, state in states.items()
    )
    values: dict[str, Any] = {"kind": ReplyKind.ANSWERED, "code": "OK", "message": "", "http_status": 207}
    return AttemptClosing(attempt_id=attempt_id, owned_as=owned_as, outcomes=outcomes, **(values | changes))
