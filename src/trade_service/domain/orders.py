"""Trade orders and the rules of their submission."""

from datetime import datetime
from decimal import Decimal

import msgspec

from trade_service.domain.columns import checked_instant, checked_text, database_int
from trade_service.domain.errors import QuantityExceeded, UnknownOrderType
from trade_service.domain.money import checked, positive

ORDER_TYPES = frozenset({"BUY", "SELL", "SHORT", "COVER", "EXRC"})
MAX_ID_CHARS = 24
"""Of portfolios and securities."""
MAX_ORDER_TYPE_CHARS = 10
SUBMITTED_WHEN_LEFT = Decimal("0.01")
"""An order counts as submitted when no more than this is left (the clients' API contract)."""


class NewTradeOrder(msgspec.Struct, frozen=True, gc=False):
    """A trade order to be created; already checked by `checked_order`."""

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
        """What may still be submitted: quantity less what was sent."""
        return self.quantity - self.quantity_sent


class Submission(msgspec.Struct, frozen=True, gc=False):
    """The wish to send `quantity` of one trade order to one destination."""

    trade_order_id: int
    quantity: Decimal
    destination_id: int


def trade_type_of(order: TradeOrder | NewTradeOrder) -> str:
    """The abbreviation of the trade type that the order's type maps to (any case, trimmed).

    Raises UnknownOrderType.
    """
    given = order.order_type.strip()
    name = given.upper()
    if name not in ORDER_TYPES:
        raise UnknownOrderType(
            f"orderType: must be one of {', '.join(sorted(ORDER_TYPES))}; "
            f"the trade order with orderId {order.order_id} has {given!r}",
            field="orderType",
            value=given,
            orderId=order.order_id,
        )
    return name


def taken(order: TradeOrder, quantity: Decimal, field: str = "quantity") -> TradeOrder:
    """The order after `quantity` of it went into an execution; `field` is what the caller calls it.

    Raises InvalidInput for a quantity not above zero and QuantityExceeded for more than is left.
    """
    positive(quantity, field)
    if quantity > order.available:
        raise QuantityExceeded(
            f"{field}: trade order {order.id} has {order.available.normalize():f} left of "
            f"{order.quantity.normalize():f}, so {quantity.normalize():f} cannot be submitted",
            field=field,
            tradeOrderId=order.id,
            available=f"{order.available.normalize():f}",
            value=f"{quantity.normalize():f}",
        )
    return _with_sent(order, order.quantity_sent + quantity)


def given_back(order: TradeOrder, quantity: Decimal) -> TradeOrder:
    """The order after an execution of `quantity` was definitely not accepted."""
    return _with_sent(order, order.quantity_sent - quantity)


def is_submitted(quantity: Decimal, quantity_sent: Decimal) -> bool:
    """Whether nothing worth submitting is left."""
    return quantity - quantity_sent <= SUBMITTED_WHEN_LEFT


def checked_order(order: NewTradeOrder) -> NewTradeOrder:
    """`order` when it keeps the rules of the database's columns; raises InvalidInput otherwise.

    An unknown order type is taken, as the earlier service did, and refused when it is submitted.
    """
    database_int(order.order_id, "orderId")
    checked_text(order.portfolio_id, "portfolioId", MAX_ID_CHARS)
    checked_text(order.order_type, "orderType", MAX_ORDER_TYPE_CHARS)
    checked_text(order.security_id, "securityId", MAX_ID_CHARS)
    positive(checked(order.quantity, "quantity"), "quantity")
    if order.limit_price is not None:
        positive(checked(order.limit_price, "limitPrice"), "limitPrice")
    if order.blotter_id is not None:
        database_int(order.blotter_id, "blotterId")
    if order.trade_timestamp is not None:
        checked_instant(order.trade_timestamp, "tradeTimestamp")
    return order


def _with_sent(order: TradeOrder, quantity_sent: Decimal) -> TradeOrder:
    submitted = is_submitted(order.quantity, quantity_sent)
    return msgspec.structs.replace(order, quantity_sent=quantity_sent, submitted=submitted)
