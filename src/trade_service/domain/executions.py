"""Executions and their submission state."""

from datetime import datetime
from decimal import Decimal
from enum import StrEnum

import msgspec

from trade_service.domain.errors import FillOfUnsent, InvalidInput
from trade_service.domain.money import not_negative


class SubmissionState(StrEnum):
    """The progress of an execution's submission, independent of its business status."""

    NONE = "none"
    """Never submitted, and created by this service."""
    QUEUED = "queued"
    """Waiting for a sender: the intent is durable, but no attempt owns it yet."""
    CLAIMED = "claimed"
    """Owned by an attempt whose request may be in progress."""
    RETRY = "retry"
    """Provably not accepted, and due for another attempt."""
    UNKNOWN = "unknown"
    """Possibly accepted; only reconciliation, a fill report or an operator decides."""
    ACCEPTED = "accepted"
    """Accepted by the Execution Service."""
    REJECTED = "rejected"
    """Refused permanently; its quantity was returned to the order."""
    EXHAUSTED = "exhausted"
    """Provably not accepted, with no retry budget left; its quantity was returned to the order."""


FINAL = frozenset({SubmissionState.ACCEPTED, SubmissionState.REJECTED, SubmissionState.EXHAUSTED})
QUANTITY_RETURNED = frozenset({SubmissionState.REJECTED, SubmissionState.EXHAUSTED})
OPEN = frozenset(
    {SubmissionState.QUEUED, SubmissionState.CLAIMED, SubmissionState.RETRY, SubmissionState.UNKNOWN}
)


class NewExecution(msgspec.Struct, frozen=True, gc=False):
    """An execution to insert; nothing of it is placed or filled yet."""

    execution_status_id: int
    blotter_id: int | None
    trade_type_id: int
    trade_order_id: int
    destination_id: int
    quantity_ordered: Decimal
    limit_price: Decimal | None


class Execution(msgspec.Struct, frozen=True, gc=False):
    """An execution as stored."""

    id: int
    execution_timestamp: datetime
    execution_status_id: int
    blotter_id: int | None
    trade_type_id: int | None
    trade_order_id: int
    destination_id: int
    quantity_ordered: Decimal
    quantity_placed: Decimal
    quantity_filled: Decimal
    limit_price: Decimal | None
    execution_service_id: int | None
    version: int
    submission_state: SubmissionState


MAX_SERVICE_ID = 2**31 - 1
"""Greatest id of the Execution Service: its ids, like ours, are 32-bit integers."""
MAX_FOLLOWED_ID = 2_000_000_000
"""New ids start after the greatest of ours in the ledger, but only up to this limit: a foreign row with a
greater id
would leave us without ids."""


def is_possible_id(number: int) -> bool:
    """Whether `number` fits the database's ids and versions."""
    return -(2**31) <= number < 2**31


def is_service_id(number: int) -> bool:
    """Whether `number` can be an id of the Execution Service: 1 to 2^31 - 1."""
    return 1 <= number <= MAX_SERVICE_ID


def fill_of_unsent(execution_id: int, state: SubmissionState) -> FillOfUnsent:
    """The error for a fill of an execution that was never sent."""
    then = {
        SubmissionState.NONE: "look for it at the Execution Service before submitting it",
        SubmissionState.EXHAUSTED: "requeue it if it is there: it is reconciled first",
    }.get(state, "it is reconciled before it is sent")
    return FillOfUnsent(
        f"execution {execution_id} is {state} and was never sent, so its fill was not stored; {then}",
        id=execution_id,
        state=state,
    )


def checked_fill(execution: Execution, quantity_filled: Decimal) -> Decimal:
    """Returns `quantity_filled`; raises InvalidInput when it is impossible.

    The limit is the quantity ordered, not the one placed, since a fill may arrive before the answer to our
    request.
    """
    not_negative(quantity_filled, "quantityFilled")
    if quantity_filled > execution.quantity_ordered:
        rule = f"must not be above the quantity ordered, {execution.quantity_ordered.normalize():f}"
        raise InvalidInput.of("quantityFilled", f"{quantity_filled:f}", rule)
    return quantity_filled
