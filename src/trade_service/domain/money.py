"""Exact quantities and prices: decimal(18,8) from the wire to the database and back."""

import re
from decimal import Decimal, InvalidOperation
from functools import lru_cache

from trade_service.domain.errors import InvalidInput, shorten

MAX_INTEGER_DIGITS = 10
"""decimal(18,8) leaves ten digits before the point (the database's columns)."""
MAX_DECIMALS = 8
ZERO = Decimal(0)
MAX_TEXT = 64
"""No decimal(18,8) needs more characters; longer text is refused before it is parsed."""
_SMALLEST = Decimal("1E-8")
NUMERAL = r"[ \t\n\r\f\v]*[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]+)?[ \t\n\r\f\v]*"
"""What other languages read as the same number: Python takes `1_000` and other scripts' digits too."""
_NUMERAL = re.compile(NUMERAL, re.ASCII)
_FLOAT_DIGITS = 15
"""Binary floating point prints 15 to 17 significant digits of a value that it cannot hold."""
_FLOAT_ERROR = Decimal("1E-9")
_SPELLED_NUMBERS = 4_096
"""The same few quantities and prices are answered again and again; spelling one takes 2 µs."""


def parse_decimal(value: object, field: str) -> Decimal:
    """Reads a JSON number or numeric string into an exact `Decimal` that fits decimal(18,8).

    A `Decimal` is a JSON number, which may be what a client's binary floating point made of another one
    (`without_float_error`); a string is exact. Raises InvalidInput naming `field` for anything else: NaN,
    infinity, text, a ninth decimal, an eleventh digit before the point. Binary floats are refused since they
    are not exact.
    """
    if isinstance(value, bool) or not isinstance(value, int | str | Decimal):
        raise InvalidInput.of(field, value, "must be a number")
    if isinstance(value, str) and len(value) > MAX_TEXT:
        raise InvalidInput.of(field, value, f"must be a number of at most {MAX_TEXT} characters")
    if isinstance(value, str) and not _NUMERAL.fullmatch(value):
        raise InvalidInput.of(field, value, "must be a number")
    try:
        number = Decimal(value)
    except InvalidOperation:
        raise InvalidInput.of(field, value, "must be a number") from None
    return checked(without_float_error(number) if isinstance(value, Decimal) else number, field)


def without_float_error(number: Decimal) -> Decimal:
    """The value of eight decimals that a calculation in binary floating point turned into `number`.

    In JavaScript 0.3 - 0.1 is 0.19999999999999998. A number is taken for such a result when it has at least 15
    significant digits and lies within 1e-9 of a value other than zero that fits; every other one stays as it is.
    """
    if not number.is_finite() or number.adjusted() >= MAX_INTEGER_DIGITS:
        return number
    nearest = number.quantize(_SMALLEST)
    if not nearest or nearest == number or abs(number - nearest) > _FLOAT_ERROR:
        return number
    digits = str(number).upper().partition("E")[0].replace(".", "").strip("-0")
    return nearest if len(digits) >= _FLOAT_DIGITS else number


def checked(number: Decimal, field: str) -> Decimal:
    """`number` itself when it fits decimal(18,8); raises InvalidInput otherwise."""
    if not number.is_finite():
        raise InvalidInput.of(field, str(number), "must be a finite number")
    if number == 0:
        return ZERO
    if number.adjusted() >= MAX_INTEGER_DIGITS:
        rule = f"must have at most {MAX_INTEGER_DIGITS} digits before the decimal point"
        raise InvalidInput.of(field, _spelled(number), rule)
    if number.quantize(_SMALLEST) != number:
        raise InvalidInput.of(field, _spelled(number), f"must have at most {MAX_DECIMALS} decimals")
    return number


def positive(number: Decimal, field: str) -> Decimal:
    """`number` when above zero; raises InvalidInput otherwise."""
    if number <= ZERO:
        raise InvalidInput.of(field, str(number), "must be greater than zero")
    return number


def is_positive(number: Decimal) -> bool:
    """Whether it is above zero; what is no number, which a database may hold, is not."""
    return not number.is_nan() and number > ZERO


def not_negative(number: Decimal, field: str) -> Decimal:
    """`number` when zero or above; raises InvalidInput otherwise."""
    if number < ZERO:
        raise InvalidInput.of(field, str(number), "must not be negative")
    return number


@lru_cache(maxsize=_SPELLED_NUMBERS)
def plain(number: Decimal) -> Decimal:
    """The same value without trailing zeros, and spelled out above a millionth: for a JSON number."""
    whole, point, decimals = format(number, "f").partition(".")
    decimals = decimals.rstrip("0")
    return Decimal(whole + point + decimals) if decimals else Decimal(whole) or ZERO


@lru_cache(maxsize=_SPELLED_NUMBERS)
def with_two_decimals(number: Decimal) -> str:
    """The v1 spelling of an execution's decimals: at least two decimals, as many as the value has."""
    whole, _, decimals = format(number or ZERO, "f").partition(".")
    return f"{whole}.{decimals.rstrip('0').ljust(2, '0')}"


def shown(number: Decimal | None) -> str:
    """Any number for people, however odd: no trailing zeros, NaN as it is, never more than a line."""
    if number is None:
        return "None"
    text = _spelled(number)
    if "." in text and "E" not in text:
        text = text.rstrip("0").rstrip(".")
    return shorten(text)


def _spelled(number: Decimal) -> str:
    """As people write it: with an exponent only where there would be too many zeros."""
    return f"{number:f}" if abs(number.adjusted()) <= MAX_TEXT else str(number)
