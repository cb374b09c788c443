"""Executions, their submission state and their fills."""

from datetime import datetime
from decimal import Decimal
from enum import StrEnum

import msgspec

from trade_service.domain.errors import FillOfUnsent, InvalidInput
from trade_service.domain.fields import checked_decimal, not_negative


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
UNSENT = frozenset({SubmissionState.NONE, SubmissionState.QUEUED, SubmissionState.RETRY})
"""States in which no call may carry the execution at this moment, and a claim may take it."""
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


FINAL_STATUSES = frozenset({"FULL", "CPART", "CNCLD", "DEL"})
"""Statuses after trading has ended; the ledger never changes them."""
UNFILLED_STATUS = "NEW"
"""The status of an execution in the ledger before anything has happened to it."""
_RANKS = {"NEW": 0, "SENT": 1, "WORK": 2, "PART": 3, "HOLD": 3, "CNCL": 4} | dict.fromkeys(FINAL_STATUSES, 5)
"""Progress of trading by status; of two statuses with the same rank neither follows the other."""


class Fill(msgspec.Struct, frozen=True, gc=False):
    """Business status and filled quantity."""

    status: str
    quantity: Decimal


def is_possible_fill(quantity: Decimal, ordered: Decimal) -> bool:
    """Whether `quantity` of `ordered` can be filled and fits the database."""
    try:
        checked_decimal(quantity, "quantityFilled")
    except InvalidInput:
        return False
    return 0 <= quantity <= ordered


def newer_fill(stored: Fill, ledger: Fill) -> Fill | None:
    """The fill to store, or None when the ledger's is not newer. The ledger's status must be a known one.

    A greater quantity is newer, and so is a later status with the same quantity. The quantity never falls, no
    status is replaced by an earlier one, and a final status never changes.
    """
    if stored.status in FINAL_STATUSES or ledger.quantity < stored.quantity:
        return None
    old, new = _RANKS.get(stored.status), _RANKS.get(ledger.status)
    if ledger.quantity == stored.quantity:
        return ledger if old is not None and new is not None and new > old else None
    is_earlier = old is not None and new is not None and new < old
    return Fill(stored.status if is_earlier else ledger.status, ledger.quantity)
