"""Trade orders and their submission rules."""

from datetime import datetime
from decimal import Decimal

import msgspec

from trade_service.domain.errors import QuantityExceeded, UnknownOrderType
from trade_service.domain.fields import checked_instant, checked_text, database_int
from trade_service.domain.money import checked, positive

ORDER_TYPES = frozenset({"BUY", "SELL", "SHORT", "COVER", "EXRC"})
MAX_ID_CHARS = 24
"""Limit of portfolio and security ids."""
MAX_ORDER_TYPE_CHARS = 10
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
    positive(checked(order.quantity, "quantity"), "quantity")
    if order.limit_price is not None:
        positive(checked(order.limit_price, "limitPrice"), "limitPrice")
    if order.blotter_id is not None:
        database_int(order.blotter_id, "blotterId")
    if order.trade_timestamp is not None:
        checked_instant(order.trade_timestamp, "tradeTimestamp")
    name = trade_type_of(order)
    return order if name == order.order_type else msgspec.structs.replace(order, order_type=name)
