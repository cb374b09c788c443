"""Rules by which clients create, change and delete executions and trade orders directly.

Quantities are conserved: an order's quantitySent is the sum of quantityOrdered over its executions, except for
those whose quantity was returned. Creating an execution takes its quantity from the order, deleting one returns
it.
"""

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal

import msgspec

from trade_service.domain.errors import AlreadySent, InFlight, InUse, InvalidInput
from trade_service.domain.executions import OPEN, QUANTITY_RETURNED, Execution, SubmissionState
from trade_service.domain.fields import (
    ZERO,
    checked_decimal,
    checked_instant,
    database_int,
    not_negative,
    positive,
)
from trade_service.domain.orders import (
    NewTradeOrder,
    TradeOrder,
    is_submitted,
    returned,
    spelled_type,
    taken,
    trade_type_of,
)
from trade_service.domain.reference import STATUS_NEW, WITHDRAWN_STATUSES, ReferenceData

UNSENT_STATUSES = WITHDRAWN_STATUSES | {STATUS_NEW}
"""Statuses of executions that were never sent; all others result from trading."""

_ORDERED = "quantityOrdered"


class ExecutionValues(msgspec.Struct, frozen=True):
    """The values that a client requests for an execution.

    A trade type, quantity placed or filled, service id or timestamp of None keeps the old value; in a new
    execution it means the order's trade type, zero, none and now. The fields are named as those of `Execution`.
    """

    execution_status_id: int
    trade_order_id: int
    destination_id: int
    quantity_ordered: Decimal
    quantity_placed: Decimal | None = None
    quantity_filled: Decimal | None = None
    limit_price: Decimal | None = None
    blotter_id: int | None = None
    trade_type_id: int | None = None
    execution_service_id: int | None = None
    execution_timestamp: datetime | None = None


class OrderUse(msgspec.Struct, frozen=True):
    """Ids of executions that restrict changes to their trade order; None where there is none."""

    any: int | None
    in_flight: int | None
    """One that may be at the Execution Service, or is being sent."""


def checked_values(values: ExecutionValues) -> ExecutionValues:
    """Returns `values`; raises InvalidInput for a broken rule that involves no other row."""
    for number, field in (
        (values.execution_status_id, "executionStatusId"),
        (values.trade_order_id, "tradeOrderId"),
        (values.destination_id, "destinationId"),
        (values.blotter_id, "blotterId"),
        (values.trade_type_id, "tradeTypeId"),
        (values.execution_service_id, "executionServiceId"),
    ):
        if number is not None:
            database_int(number, field)
    ordered = positive(checked_decimal(values.quantity_ordered, _ORDERED), _ORDERED)
    for quantity, field in (
        (values.quantity_placed, "quantityPlaced"),
        (values.quantity_filled, "quantityFilled"),
    ):
        if quantity is not None and not_negative(checked_decimal(quantity, field), field) > ordered:
            rule = f"must not be above the quantity ordered, {ordered.normalize():f}"
            raise InvalidInput.of(field, f"{quantity:f}", rule)
    if values.limit_price is not None:
        positive(checked_decimal(values.limit_price, "limitPrice"), "limitPrice")
    if values.execution_timestamp is not None:
        checked_instant(values.execution_timestamp, "executionTimestamp")
    return values


def with_trade_type(values: ExecutionValues, order: TradeOrder, reference: ReferenceData) -> ExecutionValues:
    """The values of a new execution, with the order's trade type as the default."""
    if values.trade_type_id is not None:
        return values
    trade_type = reference.trade_types_by_name.get(trade_type_of(order))
    return msgspec.structs.replace(values, trade_type_id=None if trade_type is None else trade_type.id)


def state_of_new(values: ExecutionValues, status: str) -> SubmissionState:
    """`accepted` if any value implies that the execution was sent, else `none`.

    If in doubt, `accepted`: an execution that counts as sent is never sent again.
    """
    placed, filled = values.quantity_placed or ZERO, values.quantity_filled or ZERO
    traded = values.execution_service_id is not None or placed > 0 or filled > 0
    return SubmissionState.ACCEPTED if traded or status not in UNSENT_STATUSES else SubmissionState.NONE


def changed_execution(old: Execution, values: ExecutionValues, status: str) -> Execution:
    """`old` with a client's values and the same version; `status` is the new status's abbreviation.

    Raises InFlight, and AlreadySent for a change to a field that was sent.
    """
    state = _settled_state(old)
    given = {
        field: value for field in values.__struct_fields__ if (value := getattr(values, field)) is not None
    }
    cleared = {"blotter_id": values.blotter_id, "limit_price": values.limit_price}
    new = msgspec.structs.replace(old, **given | cleared, submission_state=state)
    if state is SubmissionState.ACCEPTED:
        _keep_what_was_sent(old, new)
    elif state_of_new(values, status) is SubmissionState.ACCEPTED:
        new = msgspec.structs.replace(new, submission_state=SubmissionState.ACCEPTED)
    return new


def refuse_deletion(execution: Execution) -> None:
    """Raises InFlight or AlreadySent if the execution was, or may have been, sent."""
    if _settled_state(execution) is SubmissionState.ACCEPTED:
        raise AlreadySent(
            f"execution {execution.id} was sent to the Execution Service, so it cannot be deleted: "
            "cancel it there, and set its status here",
            id=execution.id,
            executionServiceId=execution.execution_service_id,
        )


def orders_after(old: Execution, new: Execution | None, orders: Mapping[int, TradeOrder]) -> list[TradeOrder]:
    """The orders whose quantitySent changes when `new` replaces `old` (None: `old` is deleted).

    Raises QuantityExceeded when an order does not have enough left.
    """
    moved: dict[int, Decimal] = {}
    for execution, sign in ((old, -1), (new, 1)):
        if execution is not None and execution.submission_state not in QUANTITY_RETURNED:
            order_id = execution.trade_order_id
            moved[order_id] = moved.get(order_id, ZERO) + sign * execution.quantity_ordered
    after = []
    for order_id, quantity in moved.items():
        order = orders[order_id]
        if quantity > 0:
            after.append(taken(order, quantity, _ORDERED))
        elif quantity < 0:
            # A legacy order may have a smaller quantitySent than its executions add up to.
            after.append(returned(order, min(-quantity, order.quantity_sent)))
    return after


def changed_order(old: TradeOrder, values: NewTradeOrder, use: OrderUse) -> TradeOrder:
    """`old` with a client's values, and the same quantitySent and version.

    Raises InFlight, InvalidInput for a quantity below the quantity sent, and InUse for another security or type
    while the order has executions, since these were or will be sent with them.
    """
    _refuse_in_flight(old, use, "changed")
    if values.quantity < old.quantity_sent:
        rule = f"must not be below quantitySent, {old.quantity_sent.normalize():f}"
        raise InvalidInput.of("quantity", f"{values.quantity.normalize():f}", rule)
    new = msgspec.structs.replace(
        old,
        order_id=values.order_id,
        portfolio_id=values.portfolio_id.rstrip(),
        order_type=spelled_type(values.order_type),
        security_id=values.security_id.rstrip(),
        quantity=values.quantity,
        limit_price=values.limit_price,
        trade_timestamp=values.trade_timestamp or old.trade_timestamp,
        blotter_id=values.blotter_id,
        submitted=is_submitted(values.quantity, old.quantity_sent),
    )
    for field, before, after in (
        ("securityId", old.security_id, new.security_id),
        ("orderType", spelled_type(old.order_type), new.order_type),
    ):
        if before != after and use.any is not None:
            raise InUse(
                f"{field}: must stay {before!r} while trade order {old.id} has executions, such as {use.any}; "
                f"got {after!r}",
                field=field,
                value=after,
                tradeOrderId=old.id,
                executionId=use.any,
            )
    return new


def refuse_order_deletion(order: TradeOrder, use: OrderUse) -> None:
    """Raises InFlight or InUse while the order has executions."""
    _refuse_in_flight(order, use, "deleted")
    if use.any is not None:
        raise InUse(
            f"trade order {order.id} has executions, such as {use.any}: it cannot be deleted before they are",
            id=order.id,
            executionId=use.any,
        )


def _refuse_in_flight(order: TradeOrder, use: OrderUse, done: str) -> None:
    if use.in_flight is not None:
        raise InFlight(
            f"trade order {order.id} cannot be {done} while its execution {use.in_flight} is being sent to the "
            "Execution Service: try again when its outcome is known",
            id=order.id,
            executionId=use.in_flight,
        )


def _settled_state(execution: Execution) -> SubmissionState:
    """The state of an execution that is not in flight; raises InFlight otherwise."""
    state = execution.submission_state
    if state in OPEN:
        raise InFlight(
            f"execution {execution.id} is {state}, so it may be at the Execution Service or being sent: it "
            "cannot be changed or deleted until its outcome is known; fills are accepted",
            id=execution.id,
            state=state,
        )
    sent = execution.execution_service_id is not None or execution.quantity_placed > 0
    return SubmissionState.ACCEPTED if state is SubmissionState.NONE and sent else state


def _keep_what_was_sent(old: Execution, new: Execution) -> None:
    for field, before, after in (
        ("tradeOrderId", old.trade_order_id, new.trade_order_id),
        ("tradeTypeId", old.trade_type_id, new.trade_type_id),
        ("destinationId", old.destination_id, new.destination_id),
        (_ORDERED, old.quantity_ordered, new.quantity_ordered),
        ("limitPrice", old.limit_price, new.limit_price),
        ("executionServiceId", old.execution_service_id, new.execution_service_id),
    ):
        if before != after and not (field == "executionServiceId" and before is None):
            raise AlreadySent(
                f"{field}: must stay as it was sent to the Execution Service, {_plain(before)}; "
                f"got {_plain(after)}",
                field=field,
                value=_plain(after),
                id=old.id,
            )


def _plain(value: object) -> object:
    return f"{value.normalize():f}" if isinstance(value, Decimal) else value
