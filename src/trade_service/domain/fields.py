"""Rules of single fields: texts, identifiers, integers and instants, within their columns.

Errors name field, value and rule. Two identifiers that differ only in an invisible character are different to a
database and look the same to people, so those characters are rejected.
"""

import json
import re
from datetime import UTC, datetime, timedelta
from decimal import ROUND_DOWN, Decimal
from typing import Annotated, TypeAlias

import msgspec

from trade_service.domain.errors import InvalidInput, TooMany, shorten

Moment: TypeAlias = Annotated[datetime, msgspec.Meta(tz=True)]
"""ISO 8601 with an offset; a date-time in the API description."""

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MAX_SECONDS = int((datetime(2200, 1, 1, tzinfo=UTC) - EPOCH).total_seconds())
"""Well below today's time in milliseconds, so that milliseconds are not taken for seconds."""
_MICROSECOND = Decimal("0.000001")

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
