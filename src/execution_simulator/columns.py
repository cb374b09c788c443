"""How a decimal(18,8) column stores amounts, and how the profiles write timestamps. Pure."""

from datetime import UTC, datetime, timedelta
from decimal import ROUND_HALF_UP, Context, Decimal, InvalidOperation, Overflow
from functools import lru_cache
from typing import Final

from execution_simulator.payloads import ExecutionPost

_E8: Final = Decimal(10**8)
_LIMIT_E8: Final = Decimal(10**18)
_LEAST_E8: Final = -_LIMIT_E8
_MOST: Final = 10**18
_UNIT: Final = Decimal("1E-8")
_ROUNDING: Final = Context(prec=40, rounding=ROUND_HALF_UP)
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_NS: Final = 1_000_000_000

Amounts = tuple[int, int | None]
"""Quantity and limit price in units of 10**-8."""


def from_e8(units: int) -> Decimal:
    """The exact decimal of ``units`` x 10**-8, as a decimal(18,8) column returns it."""
    return Decimal(units).scaleb(-8)


def column(value: Decimal) -> int | None:
    """``value`` in units of 10**-8, rounded as a decimal(18,8) column rounds; None if the column overflows."""
    try:
        scaled = value * _E8
        if not _LEAST_E8 < scaled < _LIMIT_E8:
            return None
    except (InvalidOperation, Overflow):
        # NaN, or out of range for decimal arithmetic.
        return None
    units = int(scaled)
    if units != scaled:
        units = int(value.quantize(_UNIT, context=_ROUNDING).scaleb(8, context=_ROUNDING))
    return units if -_MOST < units < _MOST else None


def amounts_of(post: ExecutionPost) -> Amounts | None:
    """Both amounts as stored; None if one overflows or the quantity is missing."""
    quantity = None if post.quantity is None else column(post.quantity)
    if quantity is None:
        return None
    if post.limit_price is None:
        return quantity, None
    limit_price = column(post.limit_price)
    return None if limit_price is None else (quantity, limit_price)


def to_datetime(now_ns: int) -> datetime:
    """Nanoseconds since 1970, rounded half up to the microsecond as PostgreSQL stores them."""
    return _EPOCH + timedelta(microseconds=(now_ns + 500) // 1000)


def iso_nanoseconds(now_ns: int) -> str:
    """Up to nine fractional digits without trailing zeros: ``2026-11-24T10:30:00.1234567Z``."""
    seconds, nanoseconds = divmod(now_ns, _NS)
    whole = (_EPOCH + timedelta(seconds=seconds)).isoformat()[:19]
    return f"{whole}.{nanoseconds:09d}".rstrip("0").rstrip(".") + "Z"


@lru_cache(maxsize=1_000)
def iso_microseconds(moment: datetime) -> str:
    """Up to six fractional digits without trailing zeros."""
    text = moment.isoformat()[:-6]
    return (text.rstrip("0") if moment.microsecond else text) + "Z"


def iso_fixed(moment: datetime) -> str:
    """Six fractional digits, or none if all are zero."""
    return moment.isoformat()[:-6] + "Z"
