"""The checks the Execution Service makes on one execution, and exact money as scaled integers. Pure."""

from collections.abc import Sequence
from decimal import Context, Decimal, Inexact, localcontext
from typing import Final, NamedTuple

from trade_service.simulator.messages import ExecutionPost

STATUSES: Final = frozenset({"NEW", "PENDING", "FILLED", "CANCELLED", "REJECTED"})
TRADE_TYPES: Final = frozenset({"BUY", "SELL"})
MAX_BATCH_ITEMS: Final = 100

_E8: Final = Decimal(10**8)
_LIMIT_E8: Final = Decimal(10**18)
_ZERO: Final = Decimal(0)
# Inexact is trapped: a number with more digits than the context holds is refused, never rounded in silence.
_EXACT: Final = Context(prec=40, traps=[Inexact])


Amounts = tuple[int, int]
"""Quantity and limit price of a good item in units of 10**-8; a limit price of 0 stands for none."""


class Refusal(NamedTuple):
    """Why an item is refused: the field's name on the wire and the rule it breaks."""

    field: str
    rule: str


def check_all(posts: Sequence[ExecutionPost | None]) -> list[Amounts | Refusal]:
    """For each item the amounts of a good one, or the first rule that a bad one breaks."""
    with localcontext(_EXACT):
        return [_check(post) for post in posts]


def from_e8(units: int) -> Decimal:
    """The exact decimal of ``units`` x 10**-8, as a decimal(18,8) column returns it."""
    return Decimal(units).scaleb(-8)


def _to_e8(value: Decimal) -> int | None:
    """``value`` in units of 10**-8, or None when it is no positive decimal(18,8). Needs the exact context."""
    if not value.is_finite():
        return None
    try:
        scaled = value * _E8
    except Inexact:
        return None
    if not _ZERO < scaled < _LIMIT_E8:
        return None
    units = int(scaled)
    return units if units == scaled else None


def _check(post: ExecutionPost | None) -> Amounts | Refusal:
    if post is None:
        return Refusal("execution", "must not be null")
    text = _text_refusal(post)
    if text is not None:
        return text
    if post.quantity is None:
        return Refusal("quantity", "is required")
    quantity = _to_e8(post.quantity)
    if quantity is None:
        return _number_refusal("quantity", post.quantity)
    if post.limit_price is None:
        return quantity, 0
    limit_price = _to_e8(post.limit_price)
    if limit_price is None:
        return _number_refusal("limitPrice", post.limit_price)
    return quantity, limit_price


def _text_refusal(post: ExecutionPost) -> Refusal | None:
    # Two look-ups settle the two short vocabularies in the common case; only a stranger is measured.
    if post.execution_status not in STATUSES:
        rule = f"must be one of {', '.join(sorted(STATUSES))}, got {post.execution_status}"
        return _length_refusal("executionStatus", post.execution_status, 20) or Refusal(
            "executionStatus", rule
        )
    if post.trade_type not in TRADE_TYPES:
        rule = f"must be BUY or SELL, got {post.trade_type}"
        return _length_refusal("tradeType", post.trade_type, 10) or Refusal("tradeType", rule)
    return _length_refusal("destination", post.destination, 20) or _length_refusal(
        "securityId", post.security_id, 24
    )


def _length_refusal(field: str, value: str | None, longest: int) -> Refusal | None:
    if not value or value.isspace():
        return Refusal(field, "is required")
    if len(value) > longest:
        return Refusal(field, f"must not exceed {longest} characters, got {len(value)}")
    return None


def _number_refusal(field: str, value: Decimal) -> Refusal:
    if value.is_finite() and value <= 0:
        return Refusal(field, f"must be greater than 0, got {value}")
    return Refusal(field, "must be a number of at most 10 digits before and 8 after the point")
