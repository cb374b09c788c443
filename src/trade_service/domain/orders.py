"""Trade orders, how much of one may be submitted, and how an execution is sliced from it."""

from collections.abc import Callable, Sequence
from datetime import datetime
from decimal import Decimal
from typing import TypeAlias

import msgspec

from trade_service.domain.errors import InvalidInput, QuantityExceeded, UnknownOrderType
from trade_service.domain.executions import NewExecution
from trade_service.domain.fields import (
    check_count,
    checked_decimal,
    checked_instant,
    checked_text,
    database_int,
    positive,
)
from trade_service.domain.reference import ORDER_TYPES, STATUS_NEW, ReferenceData

MAX_ID_CHARS = 24
"""Limit of portfolio and security ids."""
MAX_ORDER_TYPE_CHARS = 10
MAX_SUBMISSIONS = 100
SUBMITTED_WHEN_LEFT = Decimal("0.01")
"""An order counts as submitted when no more than this is left (contract of the clients' API)."""


class NewTradeOrder(msgspec.Struct, frozen=True, gc=False):
    """A trade order to create; `checked_order` checks it."""

    order_id: int
    portfolio_id: str
    order_type: str
    security_id: str
    quantity: Decimal
    limit_price: Decimal | None = None
    trade_timestamp: datetime | None = None
    blotter_id: int | None = None


class TradeOrder(msgspec.Struct, frozen=True, gc=False):
    """A trade order as stored."""

    id: int
    order_id: int
    portfolio_id: str
    order_type: str
    security_id: str
    quantity: Decimal
    quantity_sent: Decimal
    limit_price: Decimal | None
    trade_timestamp: datetime
    blotter_id: int | None
    submitted: bool
    version: int

    @property
    def available(self) -> Decimal:
        """The quantity that can still be submitted."""
        return self.quantity - self.quantity_sent


class Submission(msgspec.Struct, frozen=True, gc=False):
    """A request to send `quantity` of one trade order to one destination."""

    trade_order_id: int
    quantity: Decimal
    destination_id: int


class Slice(msgspec.Struct, frozen=True, gc=False):
    """A sliced trade order: the order afterwards, and the execution to write."""

    order: TradeOrder
    execution: NewExecution


SliceOrder: TypeAlias = Callable[[TradeOrder, Submission], Slice]
"""Slices a locked order for a submission; raises a DomainError to refuse."""


def trade_type_of(order: TradeOrder | NewTradeOrder) -> str:
    """The trade type's abbreviation for the order's type (any case, trimmed); raises UnknownOrderType."""
    name = spelled_type(order.order_type)
    if name not in ORDER_TYPES:
        rule = f"must be one of {', '.join(sorted(ORDER_TYPES))}"
        raise UnknownOrderType(
            f"orderType: {rule}; the trade order with orderId {order.order_id} has {name!r}",
            field="orderType",
            value=name,
            rule=rule,
            orderId=order.order_id,
        )
    return name


def spelled_type(order_type: str) -> str:
    """The type trimmed, and in upper case if it is a known one."""
    given = order_type.strip()
    name = given.upper()
    return name if name in ORDER_TYPES and given.isascii() else given


def taken(order: TradeOrder, quantity: Decimal, field: str = "quantity") -> TradeOrder:
    """The order after taking `quantity` for an execution; `field` is the caller's name of the quantity.

    Raises InvalidInput unless the quantity is positive, and QuantityExceeded when less is left.
    """
    positive(quantity, field)
    sent = order.quantity_sent + quantity
    left = order.quantity - sent
    if left < 0:
        available, wanted = f"{order.available.normalize():f}", f"{quantity.normalize():f}"
        raise QuantityExceeded(
            f"{field}: trade order {order.id} has {available} left of {order.quantity.normalize():f}, "
            f"so {wanted} cannot be submitted",
            field=field,
            tradeOrderId=order.id,
            available=available,
            value=wanted,
        )
    return msgspec.structs.replace(order, quantity_sent=sent, submitted=left <= SUBMITTED_WHEN_LEFT)


def returned(order: TradeOrder, quantity: Decimal) -> TradeOrder:
    """The order after `quantity` of an execution was returned to it."""
    sent = order.quantity_sent - quantity
    return msgspec.structs.replace(order, quantity_sent=sent, submitted=is_submitted(order.quantity, sent))


def is_submitted(quantity: Decimal, quantity_sent: Decimal) -> bool:
    """Whether the order counts as submitted."""
    return quantity - quantity_sent <= SUBMITTED_WHEN_LEFT


def checked_order(order: NewTradeOrder) -> NewTradeOrder:
    """`order` with its type as it is stored.

    Raises InvalidInput for a value that does not fit its column or has invisible characters, and UnknownOrderType.
    """
    database_int(order.order_id, "orderId")
    checked_text(order.portfolio_id, "portfolioId", MAX_ID_CHARS)
    checked_text(order.order_type.strip() or order.order_type, "orderType", MAX_ORDER_TYPE_CHARS)
    checked_text(order.security_id, "securityId", MAX_ID_CHARS)
    positive(checked_decimal(order.quantity, "quantity"), "quantity")
    if order.limit_price is not None:
        positive(checked_decimal(order.limit_price, "limitPrice"), "limitPrice")
    if order.blotter_id is not None:
        database_int(order.blotter_id, "blotterId")
    if order.trade_timestamp is not None:
        checked_instant(order.trade_timestamp, "tradeTimestamp")
    name = trade_type_of(order)
    return order if name == order.order_type else msgspec.structs.replace(order, order_type=name)


def slicer(reference: ReferenceData) -> SliceOrder:
    """The rule that slices an execution from a locked order, by reference data that has the status NEW."""
    status_id = reference.statuses_by_name[STATUS_NEW].id
    trade_types = {name: one for name, one in reference.trade_types_by_name.items() if name in ORDER_TYPES}

    def slice_order(order: TradeOrder, submission: Submission) -> Slice:
        if submission.destination_id not in reference.destinations:
            raise unknown_destination(submission.destination_id)
        # Most orders spell their type as the table does.
        trade_type = trade_types.get(order.order_type) or trade_types.get(trade_type_of(order))
        if trade_type is None:
            name = trade_type_of(order)
            raise InvalidInput.of("orderType", name, "must be the abbreviation of a trade type that exists")
        after = taken(order, submission.quantity)
        execution = NewExecution(
            execution_status_id=status_id,
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
            positive(checked_decimal(submission.quantity, "quantity"), "quantity")
            first = seen.setdefault(submission.trade_order_id, index)
            if first != index:
                rule = f"must name each trade order once, and submissions[{first}] names this one"
                raise InvalidInput.of("tradeOrderId", submission.trade_order_id, rule)
        except InvalidInput as error:
            raise error.at(index, "submissions") from None


def unknown_destination(destination_id: int) -> InvalidInput:
    """The error for a destination that does not exist."""
    return InvalidInput.of("destinationId", destination_id, "must be the id of a destination that exists")
