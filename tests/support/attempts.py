"""Attempts and outcomes with default fields."""

from collections.abc import Mapping, Sequence
from typing import Any

from tests.support.trading import run_sql
from tests.world.store import MemoryStore
from trade_service.domain.executions import SubmissionState
from trade_service.store.submission_store import PostgresSubmissionStore
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
        "epoch": 1,
        "give_up_after_ms": 3_600_000,
        "counted": True,
    }
    return NewAttempt(**(values | changes))


async def claimed(
    store: SubmissionStore, ids: Sequence[int], floor_id: int = 7, **changes: Any
) -> tuple[NewAttempt, Claim]:
    """Claims fresh executions with a new attempt whose low-water id is `floor_id`."""
    await know(store, floor_id)
    attempt = new_attempt(**changes)
    return attempt, await store.claim(attempt, ids, FRESH)


async def know(store: SubmissionStore, floor_id: int) -> None:
    """Sets the high-water id in the database."""
    if isinstance(store, MemoryStore):
        store._books.downstream.high_water_id = floor_id
        return
    assert isinstance(store, PostgresSubmissionStore)
    await run_sql(store._database, "UPDATE downstream SET high_water_id = :floor_id", floor_id=floor_id)


def closing(
    attempt_id: str,
    states: Mapping[int, str],
    owned_as: SubmissionState = SubmissionState.CLAIMED,
    service_ids: Mapping[int, int] | None = None,
    **changes: Any,
) -> AttemptClosing:
    """Outcomes by execution id; accepted ones get service id 1000 + their own unless `service_ids` has one."""
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
