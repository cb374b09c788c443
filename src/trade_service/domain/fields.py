"""Rules of single fields: exact decimals, texts, identifiers, integers and instants, within their columns.

Quantities and prices are decimal(18,8) from the wire to the database and back. Two identifiers that differ only in
an invisible character are different to a database and look the same to people, so those characters are rejected.
Errors name field, value and rule.
"""

import json
import re
from datetime import UTC, datetime, timedelta
from decimal import ROUND_DOWN, Decimal, InvalidOperation
from functools import lru_cache
from typing import Annotated, TypeAlias

import msgspec

from trade_service.domain.errors import InvalidInput, TooMany, shorten

MAX_INTEGER_DIGITS = 10
"""Digits before the point in the database's decimal(18,8)."""
_INTEGERS_END = 10**MAX_INTEGER_DIGITS
MAX_DECIMALS = 8
ZERO = Decimal(0)
MAX_NUMBER_CHARS = 64
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

Moment: TypeAlias = Annotated[datetime, msgspec.Meta(tz=True)]
"""ISO 8601 with an offset; a date-time in the API description."""

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MAX_SECONDS = int((datetime(2200, 1, 1, tzinfo=UTC) - EPOCH).total_seconds())
"""Well below today's time in milliseconds, so that milliseconds are not taken for seconds."""
_MICROSECOND = Decimal("0.000001")

TIMESTAMP_RULE = (
    "must be an ISO 8601 timestamp with an offset, such as 2024-06-10T12:00:00Z, "
    "or a number of seconds since 1970"
)
_MAX_TIMESTAMP_CHARS = 40

EARLIEST = datetime(2, 1, 1, tzinfo=UTC)
LATEST = datetime(9998, 12, 31, tzinfo=UTC)
"""Far enough from the calendar's ends that no offset carries a date beyond them."""

MAX_SERVICE_ID = 2**31 - 1
"""Greatest id of the Execution Service: its ids, like ours, are 32-bit integers."""
MAX_FOLLOWED_ID = 2_000_000_000
"""New ids start after the greatest of ours in the ledger, but only up to this limit: a foreign row with a greater
id would leave us without ids."""

_PLAIN = (
    "\\u0000-\\u001f\\u007f-\\u009f\\u00ad\\u034f\\u0600-\\u0605\\u061c\\u06dd\\u070f\\u0890\\u0891\\u08e2"
    "\\u115f\\u1160\\u17b4\\u17b5\\u180b-\\u180f\\u200b-\\u200f\\u2028-\\u202e\\u2060-\\u206f\\u3164"
    "\\ufe00-\\ufe0f\\ufeff\\uffa0\\ufff0-\\ufffb"
)
_ASTRAL = (
    "\\U000110bd\\U000110cd\\U00013430-\\U0001343f\\U0001bca0-\\U0001bca3\\U0001d173-\\U0001d17a"
    "\\U000e0000-\\U000e0fff"
)
"""Unicode's control (Cc), format (Cf) and separator (Zl, Zp) characters, and the other characters that are
ignorable by default: fillers and variation selectors."""

VISIBLE_TEXT = rf"^[^{_PLAIN}]*[^\s{_PLAIN}][^{_PLAIN}]*$"
"""A JSON Schema pattern for text that is not blank and has no such character. It omits those above U+FFFF, which
not every regex engine accepts in a class."""
_INVISIBLE = re.compile(f"[{_PLAIN}{_ASTRAL}]")
_UNPRINTABLE = re.compile(f"[{_PLAIN}{_ASTRAL}\\ud800-\\udfff]")


def visible(value: str, field: str) -> str:
    """Returns `value`; raises InvalidInput when it has control, format, bidi or other invisible characters.

    The error escapes them, so that they cannot affect the terminal or page that shows it.
    """
    if found := _INVISIBLE.search(value):
        rule = f"must not contain control or invisible characters, and U+{ord(found[0]):04X} is one"
        shown = repr(value)
        message = f"{field}: {rule}; got {shorten(shown)}"
        raise InvalidInput(message, field=field, value=shorten(shown[1:-1]), rule=rule)
    return value


def escaped(text: str) -> str:
    """`text` on one line that a terminal, a log or a file can show: invisible characters as in JSON, `\\u001b`.

    Everything that came from outside passes through here before it is written to one of them.
    """
    if text.isascii() and text.isprintable():
        return text
    return _UNPRINTABLE.sub(lambda found: json.dumps(found[0])[1:-1], text)


def escaped_lines(text: str) -> str:
    """Like `escaped`, for text of several lines of our own, which stay apart."""
    return "\n".join(map(escaped, text.split("\n")))


def checked_text(value: str, field: str, limit: int, blank_rule: str = "must not be blank") -> None:
    """Raises InvalidInput unless `value` fits a column of `limit` characters, is not blank, and is `visible`."""
    if not value.strip():
        raise InvalidInput.of(field, value, blank_rule)
    if len(value) > limit:
        raise InvalidInput.of(field, value, f"must have at most {limit} characters")
    visible(value, field)


def is_possible_id(number: int) -> bool:
    """Whether `number` fits the database's ids and versions."""
    return -(2**31) <= number < 2**31


def is_service_id(number: int) -> bool:
    """Whether `number` can be an id of the Execution Service: 1 to 2^31 - 1."""
    return 1 <= number <= MAX_SERVICE_ID


def check_count(count: int, field: str, limit: int, done: str) -> None:
    """Raises TooMany for a list of more than `limit` items, of which nothing was `done`, InvalidInput for none."""
    if count > limit:
        message = f"{field}: must be at most {limit}; got {count}, nothing was {done}"
        raise TooMany(message, field=field, value=count, limit=limit)
    if not count:
        raise InvalidInput.of(field, None, f"must be 1 to {limit}")


def database_int(value: int, field: str) -> None:
    """Raises InvalidInput unless `value` fits the database's integers."""
    if not is_possible_id(value):
        raise InvalidInput.of(field, value, "must fit a 32-bit integer")


def checked_instant(value: datetime, field: str) -> None:
    """Raises InvalidInput unless `value` has an offset and is between EARLIEST and LATEST."""
    if value.tzinfo is None:
        raise InvalidInput.of(field, value.isoformat(), "must have an offset from UTC, such as Z")
    if not EARLIEST <= value <= LATEST:
        raise InvalidInput.of(field, value.isoformat(), "must be of the years 2 to 9998")


def moment_of_seconds(seconds: int | Decimal, field: str) -> datetime:
    """The instant that many seconds after 1970-01-01T00:00:00Z, exact to the microsecond.

    Further digits are truncated, as in ISO 8601 text. Raises InvalidInput outside of 1970 to 2200.
    """
    if not 0 <= seconds <= MAX_SECONDS:
        rule = f"must be seconds since 1970, from 0 to {MAX_SECONDS} (the year 2200)"
        raise InvalidInput.of(field, str(seconds), rule)
    exact = Decimal(seconds).quantize(_MICROSECOND, rounding=ROUND_DOWN)
    return EPOCH + timedelta(microseconds=int(exact.scaleb(6)))


def moment_of_text(text: str, field: str) -> datetime:
    """The instant, in UTC, that ISO 8601 text with an offset names; raises InvalidInput."""
    try:
        if len(text) > _MAX_TIMESTAMP_CHARS:
            raise InvalidInput.of(field, text, TIMESTAMP_RULE)
        moment = datetime.fromisoformat(text.strip())
        if moment.tzinfo is None:
            raise InvalidInput.of(field, text, f"{TIMESTAMP_RULE}: the offset is missing")
        return moment.astimezone(UTC)
    except (ValueError, OverflowError):
        raise InvalidInput.of(field, text, TIMESTAMP_RULE) from None


def parse_decimal(value: object, field: str) -> Decimal:
    """Reads a JSON number or numeric string into an exact `Decimal` that fits decimal(18,8).

    A `Decimal` comes from a JSON number, which may carry a client's floating-point error
    (`without_float_error`); a string is taken exactly. Raises InvalidInput naming `field` for anything else:
    NaN, infinity, text, a ninth decimal, an eleventh digit before the point, and Python floats, which are not
    exact.
    """
    if type(value) is int and abs(value) < _INTEGERS_END:  # Most quantities; each order of a batch has one.
        return Decimal(value)
    if isinstance(value, bool) or not isinstance(value, int | str | Decimal):
        raise InvalidInput.of(field, value, "must be a number")
    if not isinstance(value, int) and len(str(value)) > MAX_NUMBER_CHARS:
        raise InvalidInput.of(field, str(value), f"must be a number of at most {MAX_NUMBER_CHARS} characters")
    if isinstance(value, str) and not _NUMERAL.fullmatch(value):
        raise InvalidInput.of(field, value, "must be a number")
    try:
        number = Decimal(value)
    except InvalidOperation:
        raise InvalidInput.of(field, value, "must be a number") from None
    return checked_decimal(without_float_error(number) if isinstance(value, Decimal) else number, field)


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


def checked_decimal(number: Decimal, field: str) -> Decimal:
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


def shown_number(number: Decimal | None) -> str:
    """Any number for people: no trailing zeros, NaN as is, at most one line."""
    if number is None:
        return "None"
    text = spelled(number)
    if "." in text and "E" not in text:
        text = text.rstrip("0").rstrip(".")
    return shorten(text)


def spelled(number: Decimal) -> str:
    """With an exponent where there would be too many zeros: those of 1E+2000000000 take 2 GB."""
    return f"{number:f}" if abs(number.adjusted()) <= MAX_NUMBER_CHARS else str(number)
