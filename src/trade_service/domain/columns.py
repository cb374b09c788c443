"""Checks that a value fits its database column; errors name field, value and rule."""

from datetime import UTC, datetime

from trade_service.domain.errors import InvalidInput
from trade_service.domain.executions import is_possible_id
from trade_service.domain.invisible import visible

EARLIEST = datetime(2, 1, 1, tzinfo=UTC)
LATEST = datetime(9998, 12, 31, tzinfo=UTC)
"""Far enough from the calendar's ends that no offset carries a date beyond them."""


def checked_text(value: str, field: str, limit: int) -> None:
    """Raises InvalidInput unless `value` fits a column of `limit` characters and is not blank."""
    if not value.strip():
        raise InvalidInput.of(field, value, "must not be blank")
    if len(value) > limit:
        raise InvalidInput.of(field, value, f"must have at most {limit} characters")
    if "\x00" in value:
        raise InvalidInput.of(field, value, "must not contain a NUL character")


def checked_identifier(value: str, field: str, limit: int) -> None:
    """Like `checked_text`, and raises InvalidInput for invisible characters too."""
    checked_text(value, field, limit)
    visible(value, field)


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
