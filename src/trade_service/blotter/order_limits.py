"""Limits against fat fingers: the largest order and the largest file that are taken without a question."""

from decimal import Decimal
from typing import Annotated

from trade_service.domain.errors import InvalidInput
from trade_service.domain.fields import ZERO, shown_number
from trade_service.domain.orders import NewTradeOrder
from trade_service.section import Section, Setting

_LARGEST = 10**18


class OrderLimits(Section, frozen=True):
    """Limits of a blotter: orders above them are refused, as typing errors, and so is a longer pipe.

    The value of an order is its quantity times its limit price. An order without a limit price has no value:
    limits of value do not bind it, and `require_limit_price` refuses it.
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
    require_limit_price: Annotated[
        bool, Setting("Refuse orders without a limit price, which limits of value cannot bind.")
    ] = False
    max_pipe_bytes: Annotated[
        int,
        Setting("Longest blotter read from a pipe, which is copied to the temporary folder.", 1, _LARGEST),
    ] = 4 * 2**30

    @property
    def bound_values(self) -> bool:
        """Whether any limit of value is set."""
        return self.max_order_value is not None or self.max_batch_value is not None


def order_value(order: NewTradeOrder) -> Decimal:
    """Quantity times limit price; zero for an order without a limit price."""
    return ZERO if order.limit_price is None else order.quantity * order.limit_price


def within_limits(order: NewTradeOrder, limits: OrderLimits) -> None:
    """Raises InvalidInput for an order that exceeds a limit."""
    if limits.require_limit_price and order.limit_price is None:
        raise InvalidInput.of("limit_price", None, "must be given (blotter.require_limit_price)")
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
    """The error if all orders together exceed the limit of value, else None."""
    largest = limits.max_batch_value
    if largest is None or value <= largest:
        return None
    return f"its orders are worth more than {largest:,} together (blotter.max_batch_value)"


def unpriced_warning(count: int, limits: OrderLimits) -> str:
    """The warning that `count` orders have no limit price."""
    text = f"{count:,} orders have no limit price, and so no value"
    if not limits.bound_values:
        return f"{text}: the values leave them out"
    return (
        f"{text}: blotter.max_order_value and blotter.max_batch_value do not bind them  "
        "(blotter.require_limit_price refuses them)"
    )
