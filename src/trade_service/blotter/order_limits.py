"""Limits against fat fingers: the largest order and the largest file that are taken without a question."""

from decimal import Decimal
from typing import Annotated

from trade_service.domain.errors import InvalidInput
from trade_service.domain.fields import ZERO, shown_number
from trade_service.domain.orders import NewTradeOrder
from trade_service.section import Section, Setting

_LARGEST = 10**18


class OrderLimits(Section, frozen=True):
    """Orders of a blotter above these limits are refused, as typing errors.

    The value of an order is its quantity times its limit price; an order without a limit price has none.
    """

    max_order_quantity: Annotated[
        int | None, Setting("Largest quantity of an order.", 1, _LARGEST, none="no limit")
    ] = None
    max_order_value: Annotated[
        int | None, Setting("Largest quantity times limit price of an order.", 1, _LARGEST, none="no limit")
    ] = None
    max_batch_value: Annotated[
        int | None,
        Setting("Largest value of all orders of a blotter together.", 1, _LARGEST, none="no limit"),
    ] = None


def order_value(order: NewTradeOrder) -> Decimal:
    """Quantity times limit price; zero for an order without a limit price."""
    return ZERO if order.limit_price is None else order.quantity * order.limit_price


def within_limits(order: NewTradeOrder, limits: OrderLimits) -> None:
    """Raises InvalidInput for an order that exceeds a limit."""
    largest = limits.max_order_quantity
    if largest is not None and order.quantity > largest:
        rule = f"must be at most {largest:,} (blotter.max_order_quantity)"
        raise InvalidInput.of("quantity", shown_number(order.quantity), rule)
    largest, value = limits.max_order_value, order_value(order)
    if largest is not None and value > largest:
        rule = f"must have at most {largest:,} as quantity times limit price (blotter.max_order_value)"
        raise InvalidInput.of(
            "quantity", f"{shown_number(order.quantity)} × {shown_number(order.limit_price)}", rule
        )


def batch_error(value: Decimal, limits: OrderLimits) -> str | None:
    """What is wrong with the value of all orders of a file together; None if nothing is."""
    largest = limits.max_batch_value
    if largest is None or value <= largest:
        return None
    return f"its orders are worth more than {largest:,} together (blotter.max_batch_value)"
