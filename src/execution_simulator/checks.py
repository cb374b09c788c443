"""What is good in an item and what is wrong with it, and exact money as scaled integers. Pure."""

from decimal import ROUND_HALF_UP, Context, Decimal, InvalidOperation, Overflow
from enum import Enum
from typing import Final, NamedTuple

from execution_simulator.messages import ExecutionPost

STATUSES: Final = frozenset({"NEW", "PENDING", "FILLED", "CANCELLED", "REJECTED"})
TRADE_TYPES: Final = frozenset({"BUY", "SELL"})
MAX_BATCH_ITEMS: Final = 100

_E8: Final = Decimal(10**8)
_LIMIT_E8: Final = Decimal(10**18)
_LEAST_E8: Final = -_LIMIT_E8
_MOST: Final = 10**18
_UNIT: Final = Decimal("1E-8")
_ROUNDING: Final = Context(prec=40, rounding=ROUND_HALF_UP)


Amounts = tuple[int, int | None]
"""Quantity and limit price of a good item in units of 10**-8."""


class Refusal(NamedTuple):
    """Why an item is refused: the field's name on the wire, the rule it breaks, and the item's message."""

    field: str
    rule: str
    message: str


class Broken(Enum):
    """An item that passes the checks and fails in the database."""

    BROKEN = "the database refuses the row"


BROKEN: Final = Broken.BROKEN

Fate = Amounts | Refusal | Broken
"""What becomes of an item before any fault is injected."""


def from_e8(units: int) -> Decimal:
    """The exact decimal of ``units`` x 10**-8, as a decimal(18,8) column returns it."""
    return Decimal(units).scaleb(-8)


def column(value: Decimal) -> int | None:
    """``value`` as a decimal(18,8) column stores it, in units of 10**-8; None when the column overflows."""
    try:
        scaled = value * _E8
        if not _LEAST_E8 < scaled < _LIMIT_E8:
            return None
    except (InvalidOperation, Overflow):
        # Not a number, or beyond what the arithmetic holds.
        return None
    units = int(scaled)
    if units != scaled:
        units = int(value.quantize(_UNIT, context=_ROUNDING).scaleb(8, context=_ROUNDING))
    return units if -_MOST < units < _MOST else None


def amounts_of(post: ExecutionPost) -> Amounts | None:
    """The columns of an item with a quantity; None when one of them overflows or the quantity is missing."""
    quantity = None if post.quantity is None else column(post.quantity)
    if quantity is None:
        return None
    if post.limit_price is None:
        return quantity, None
    limit_price = column(post.limit_price)
    return None if limit_price is None else (quantity, limit_price)
