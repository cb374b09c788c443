"""Limits against fat fingers: the largest order and the largest file that are taken without a question."""

from decimal import Decimal

import msgspec

from trade_service.domain.errors import InvalidInput, shorten
from trade_service.domain.money import ZERO, shown
from trade_service.domain.orders import NewTradeOrder


class OrderLimits(msgspec.Struct, frozen=True):
    """The largest quantity and value of an order, and the largest value of a file; None sets no limit.

    The value is the quantity times the limit price; an order without a limit price has none.
    """

    max_order_quantity: Decimal | None = None
    max_order_value: Decimal | None = None
    max_batch_value: Decimal | None = None


def order_value(order: NewTradeOrder) -> Decimal:
    """Quantity times limit price; zero for an order without a limit price."""
    return ZERO if order.limit_price is None else order.quantity * order.limit_price


def within_limits(order: NewTradeOrder, limits: OrderLimits) -> None:
    """Raises InvalidInput for an order that exceeds a limit."""
    largest = limits.max_order_quantity
    if largest is not None and order.quantity > largest:
        rule = f"must be at most {shown(largest)} (max_order_quantity)"
        raise InvalidInput.of("quantity", shown(order.quantity), rule)
    largest, value = limits.max_order_value, order_value(order)
    if largest is not None and value > largest:
        rule = f"must have at most {shown(largest)} as quantity times limit price (max_order_value)"
        raise InvalidInput.of("quantity", f"{shown(order.quantity)} × {shown(order.limit_price)}", rule)


def batch_error(value: Decimal, limits: OrderLimits) -> str | None:
    """What is wrong with the value of all orders of a file together; None if nothing is."""
    largest = limits.max_batch_value
    if largest is None or value <= largest:
        return None
    return f"its orders are worth more than {shorten(shown(largest))} together (max_batch_value)"
