"""Exact quantities and prices: decimal(18,8) from the wire to the database and back."""

import re
from decimal import Decimal, InvalidOperation
from functools import lru_cache

from trade_service.domain.errors import InvalidInput, shorten

MAX_INTEGER_DIGITS = 10
"""Digits before the point in the database's decimal(18,8)."""
MAX_DECIMALS = 8
ZERO = Decimal(0)
MAX_TEXT = 64
"""Longer than any decimal(18,8); a longer number is rejected before it is converted."""
_SMALLEST = Decimal("1E-8")
NUMERAL = r"[ \t\n\r\f\v]*[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]+)?[ \t\n\r\f\v]*"
"""Numbers that other languages read alike; Python also accepts `1_000` and digits of other scripts."""
_NUMERAL = re.compile(NUMERAL, re.ASCII)
_FLOAT_DIGITS = 15
"""Binary floating point prints at least 15 significant digits of a value that it cannot represent."""
_FLOAT_ERROR = Decimal("1E-9")
_SPELLED_NUMBERS = 4_096
"""Cached numbers: the same few quantities and prices recur, and formatting one takes 2 µs."""


def parse_decimal(value: object, field: str) -> Decimal:
    """Reads a JSON number or numeric string into an exact `Decimal` that fits decimal(18,8).

    A `Decimal` comes from a JSON number, which may carry a client's floating-point error
    (`without_float_error`); a string is taken exactly. Raises InvalidInput naming `field` for anything else:
    NaN, infinity, text, a ninth decimal, an eleventh digit before the point, and Python floats, which are not
    exact.
    """
    if isinstance(value, bool) or not isinstance(value, int | str | Decimal):
        raise InvalidInput.of(field, value, "must be a number")
    if not isinstance(value, int) and len(str(value)) > MAX_TEXT:
        raise InvalidInput.of(field, str(value), f"must be a number of at most {MAX_TEXT} characters")
    if isinstance(value, str) and not _NUMERAL.fullmatch(value):
        raise InvalidInput.of(field, value, "must be a number")
    try:
        number = Decimal(value)
    except InvalidOperation:
        raise InvalidInput.of(field, value, "must be a number") from None
    return checked(without_float_error(number) if isinstance(value, Decimal) else number, field)


def without_float_error(number: Decimal) -> Decimal:
    """`number` rounded to eight decimals if it looks like the result of binary floating-point arithmetic.

    In JavaScript 0.3 - 0.1 is 0.19999999999999998. A number counts as such a result when it has at least 15
    significant digits and lies within 1e-9 of a non-zero value that fits; any other is returned unchanged.
    """
    if not number.is_finite() or number.adjusted() >= MAX_INTEGER_DIGITS:
        return number
    nearest = number.quantize(_SMALLEST)
    if not nearest or nearest == number or abs(number - nearest) > _FLOAT_ERROR:
        return number
    digits = str(number).upper().partition("E")[0].replace(".", "").strip("-0")
    return nearest if len(digits) >= _FLOAT_DIGITS else number


def checked(number: Decimal, field: str) -> Decimal:
    """Returns `number` (zero as 0); raises InvalidInput unless it fits decimal(18,8)."""
    if not number.is_finite():
        raise InvalidInput.of(field, str(number), "must be a finite number")
    if number == 0:
        return ZERO
    if number.adjusted() >= MAX_INTEGER_DIGITS:
        rule = f"must have at most {MAX_INTEGER_DIGITS} digits before the decimal point"
        raise InvalidInput.of(field, spelled(number), rule)
    if number.quantize(_SMALLEST) != number:
        raise InvalidInput.of(field, spelled(number), f"must have at most {MAX_DECIMALS} decimals")
    return number


def positive(number: Decimal, field: str) -> Decimal:
    """Returns `number`; raises InvalidInput unless it is above zero."""
    if number <= ZERO:
        raise InvalidInput.of(field, str(number), "must be greater than zero")
    return number


def is_positive(number: Decimal) -> bool:
    """Whether `number` is above zero; a NaN, which a database may hold, is not."""
    return not number.is_nan() and number > ZERO


def not_negative(number: Decimal, field: str) -> Decimal:
    """Returns `number`; raises InvalidInput if it is negative."""
    if number < ZERO:
        raise InvalidInput.of(field, str(number), "must not be negative")
    return number


@lru_cache(maxsize=_SPELLED_NUMBERS)
def plain(number: Decimal) -> Decimal:
    """The value for a JSON number: no trailing zeros, and no exponent above a millionth."""
    whole, point, decimals = format(number, "f").partition(".")
    decimals = decimals.rstrip("0")
    return Decimal(whole + point + decimals) if decimals else Decimal(whole) or ZERO


@lru_cache(maxsize=_SPELLED_NUMBERS)
def with_two_decimals(number: Decimal) -> str:
    """The v1 format of an execution's numbers: at least two decimals, more if the value has them."""
    whole, _, decimals = format(number or ZERO, "f").partition(".")
    return f"{whole}.{decimals.rstrip('0').ljust(2, '0')}"


def shown(number: Decimal | None) -> str:
    """Any number for people: no trailing zeros, NaN as is, at most one line."""
    if number is None:
        return "None"
    text = spelled(number)
    if "." in text and "E" not in text:
        text = text.rstrip("0").rstrip(".")
    return shorten(text)


def spelled(number: Decimal) -> str:
    """With an exponent where there would be too many zeros: those of 1E+2000000000 take 2 GB."""
    return f"{number:f}" if abs(number.adjusted()) <= MAX_TEXT else str(number)
