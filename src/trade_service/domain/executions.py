"""Executions, their submission state and its legal transitions."""

from datetime import datetime
from decimal import Decimal
from enum import StrEnum

import msgspec

from trade_service.domain.errors import FillOfUnsent, InvalidInput
from trade_service.domain.money import not_negative


class SubmissionState(StrEnum):
    """How far the submission of an execution is, beside its business status."""

    NONE = "none"
    """Never submitted, and written by this service."""
    QUEUED = "queued"
    """To be submitted: the intent is durable, no attempt owns it yet."""
    CLAIMED = "claimed"
    """An attempt owns it; its request may be on the wire."""
    RETRY = "retry"
    """Provably not accepted; due again at a time."""
    UNKNOWN = "unknown"
    """May have been accepted; only a look-up, a fill report or an operator may decide."""
    ACCEPTED = "accepted"
    """The Execution Service has it."""
    REJECTED = "rejected"
    """Refused for a reason that will not change; the order's quantity was given back."""
    EXHAUSTED = "exhausted"
    """Provably not accepted and the budget is spent; the quantity was given back."""


FINAL = frozenset({SubmissionState.ACCEPTED, SubmissionState.REJECTED, SubmissionState.EXHAUSTED})
QUANTITY_RETURNED = frozenset({SubmissionState.REJECTED, SubmissionState.EXHAUSTED})
OPEN = frozenset(
    {SubmissionState.QUEUED, SubmissionState.CLAIMED, SubmissionState.RETRY, SubmissionState.UNKNOWN}
)


class NewExecution(msgspec.Struct, frozen=True, gc=False):
    """An execution to be written; nothing of it is placed or filled yet."""

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
"""Greatest id that the Execution Service can give: its ids, like ours, are 32-bit integers."""
MAX_FOLLOWED_ID = 2_000_000_000
"""New executions begin after the greatest id of ours in the ledger, up to this one: a row of somebody else with a
greater one would leave us without ids."""


def is_possible_id(number: int) -> bool:
    """Whether `number` fits the database's ids and versions: nothing has one that does not."""
    return -(2**31) <= number < 2**31


def is_service_id(number: int) -> bool:
    """Whether the Execution Service can have given this id, and our column can hold it: 1 to 2^31 - 1."""
    return 1 <= number <= MAX_SERVICE_ID


def fill_of_unsent(execution_id: int, state: SubmissionState) -> FillOfUnsent:
    """The error of a fill reported of an execution that is held as never sent."""
    then = {
        SubmissionState.NONE: "look for it there before it is submitted",
        SubmissionState.EXHAUSTED: "requeue it if it is there: it is looked up first",
    }.get(state, "it is looked up before it is sent")
    return FillOfUnsent(
        f"execution {execution_id} is {state} and was never sent, but a fill of it is reported: nothing was "
        f"stored, {then}",
        id=execution_id,
        state=state,
    )


def checked_fill(execution: Execution, quantity_filled: Decimal) -> Decimal:
    """`quantity_filled` when the report is possible; raises InvalidInput otherwise.

    The bound is the quantity ordered, not the one placed: a fill may overtake our own answer.
    """
    not_negative(quantity_filled, "quantityFilled")
    if quantity_filled > execution.quantity_ordered:
        rule = f"must not be above the quantity ordered, {execution.quantity_ordered.normalize():f}"
        raise InvalidInput.of("quantityFilled", f"{quantity_filled:f}", rule)
    return quantity_filled
