"""The rules by which a submission slices an execution from a trade order."""

from collections.abc import Callable, Sequence
from typing import TypeAlias

from trade_service.domain.errors import DomainError, InvalidInput
from trade_service.domain.executions import NewExecution
from trade_service.domain.fields import check_count
from trade_service.domain.money import checked, positive
from trade_service.domain.orders import (
    ORDER_TYPES,
    Submission,
    TradeOrder,
    checked_order,
    taken,
    trade_type_of,
)
from trade_service.domain.reference import STATUS_NEW, ReferenceData
from trade_service.submission.ports import StoreUnavailable
from trade_service.trading.model import BlotterLine, Slice

MAX_SUBMISSIONS = 100


SliceOrder: TypeAlias = Callable[[TradeOrder, Submission], Slice]
"""Decides, from the locked order, what a submission makes of it; raises a DomainError to refuse."""


def slicer(reference: ReferenceData) -> SliceOrder:
    """The rule that slices an execution from a locked order, by this reference data."""
    status_new = reference.statuses_by_name.get(STATUS_NEW)
    if status_new is None:
        raise StoreUnavailable(f"the table execution_status lacks {STATUS_NEW}: add it and try again")
    trade_types = {name: one for name, one in reference.trade_types_by_name.items() if name in ORDER_TYPES}

    def slice_order(order: TradeOrder, submission: Submission) -> Slice:
        if submission.destination_id not in reference.destinations:
            raise _unknown_destination(submission.destination_id)
        # Most orders have their type as it is spelled in the table.
        trade_type = trade_types.get(order.order_type) or trade_types.get(trade_type_of(order))
        if trade_type is None:
            name = trade_type_of(order)
            raise InvalidInput.of("orderType", name, "must be the abbreviation of a trade type that exists")
        after = taken(order, submission.quantity)
        execution = NewExecution(
            execution_status_id=status_new.id,
            blotter_id=order.blotter_id,
            trade_type_id=trade_type.id,
            trade_order_id=order.id,
            destination_id=submission.destination_id,
            quantity_ordered=submission.quantity,
            limit_price=order.limit_price,
        )
        return Slice(after, execution)

    return slice_order


def check_submissions(submissions: Sequence[Submission]) -> None:
    """Checks a batch as a whole, before anything is read or written.

    Raises TooMany over 100, InvalidInput for none, for a quantity that is not above zero or does not fit
    decimal(18,8), and for an order that is named twice.
    """
    check_count(len(submissions), "submissions", MAX_SUBMISSIONS, "submitted")
    seen: dict[int, int] = {}
    for index, submission in enumerate(submissions):
        try:
            positive(checked(submission.quantity, "quantity"), "quantity")
            first = seen.setdefault(submission.trade_order_id, index)
            if first != index:
                rule = f"must name each trade order once, and submissions[{first}] names this one"
                raise InvalidInput.of("tradeOrderId", submission.trade_order_id, rule)
        except InvalidInput as error:
            raise error.at(index, "submissions") from None


def line_errors(lines: Sequence[BlotterLine], reference: ReferenceData) -> dict[int, DomainError]:
    """The errors of blotter lines, by their index in `lines`."""
    errors: dict[int, DomainError] = {}
    first: dict[int, int] = {}
    for index, line in enumerate(lines):
        try:
            checked_order(line.order)
            if line.destination_id not in reference.destinations:
                raise _unknown_destination(line.destination_id)
            if line.order.blotter_id is not None and line.order.blotter_id not in reference.blotters:
                raise InvalidInput.of(
                    "blotterId", line.order.blotter_id, "must be the id of a blotter that exists"
                )
            earlier = first.setdefault(line.order.order_id, line.line)
            if earlier != line.line:
                rule = f"must be given once, and line {earlier} has it already"
                raise InvalidInput.of("orderId", line.order.order_id, rule)
        except DomainError as error:
            errors[index] = error
    return errors


def _unknown_destination(destination_id: int) -> InvalidInput:
    return InvalidInput.of("destinationId", destination_id, "must be the id of a destination that exists")
