"""Rules of an execution's submission state that the database's statements must follow."""

from decimal import Decimal

from trade_service.domain.executions import SubmissionState
from trade_service.domain.reference import STATUS_NEW

_S = SubmissionState
TRANSITIONS: dict[SubmissionState, frozenset[SubmissionState]] = {
    _S.NONE: frozenset({_S.QUEUED, _S.CLAIMED, _S.ACCEPTED, _S.UNKNOWN}),
    _S.QUEUED: frozenset({_S.CLAIMED, _S.REJECTED, _S.ACCEPTED, _S.UNKNOWN}),
    _S.CLAIMED: frozenset({_S.ACCEPTED, _S.REJECTED, _S.RETRY, _S.UNKNOWN, _S.EXHAUSTED}),
    _S.RETRY: frozenset({_S.CLAIMED, _S.EXHAUSTED, _S.ACCEPTED, _S.UNKNOWN}),
    _S.UNKNOWN: frozenset({_S.ACCEPTED, _S.RETRY, _S.EXHAUSTED, _S.NONE}),
    _S.ACCEPTED: frozenset(),
    _S.REJECTED: frozenset({_S.ACCEPTED, _S.UNKNOWN}),
    _S.EXHAUSTED: frozenset({_S.ACCEPTED, _S.UNKNOWN}),
}
"""Positive evidence (an id, a fill) leads to ACCEPTED from any state, and nothing leaves ACCEPTED.

A requeued execution becomes UNKNOWN, because it is reconciled before it is sent again. So does every open
execution of a database that was restored from a backup, and one that was never sent when a fill of it is reported.
A legacy execution that proves absent downstream returns to NONE.
"""


def may_become(old: SubmissionState, new: SubmissionState) -> bool:
    """Whether the transition is legal."""
    return new in TRANSITIONS[old]


def proves_acceptance(execution_service_id: int | None, quantity_placed: Decimal, status: str) -> bool:
    """Whether a legacy row shows that the Execution Service accepted it."""
    return execution_service_id is not None or quantity_placed > 0 or status != STATUS_NEW


def held_as_never_sent(
    state: SubmissionState | None, *, is_placed: bool, is_adopted: bool, fill_reported: bool
) -> bool:
    """Whether this service wrote an execution and never sent it, so that a fill of it proves nothing.

    `state` is None for a legacy row. `is_placed`: it has a service id or a quantity placed. `is_adopted`: its
    attempt adopted it from the legacy service. `fill_reported`: its attempt was written for an earlier fill report
    of an execution that had not been sent, and no sender has claimed it since.
    """
    if state in (SubmissionState.NONE, SubmissionState.QUEUED):
        return not (is_placed or is_adopted)
    return state not in (None, SubmissionState.ACCEPTED) and fill_reported and not is_adopted
