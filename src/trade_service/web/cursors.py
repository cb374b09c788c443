"""Cursors of the pages of lists, as text."""

import base64
from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal

import msgspec

from trade_service.domain.errors import InvalidInput
from trade_service.domain.fields import is_possible_id, parse_decimal
from trade_service.trading.listing.model import Cursor, Kind, ListField, SortKey, Value, total_order

MAX_CURSOR_CHARS = 4000
_CURSOR_RULE = "must be a nextCursor of this list, as it was answered"


class _WrittenCursor(msgspec.Struct, array_like=True):
    """Sort, position, and the values of the keys as text."""

    sort: str
    position: int
    values: list[int | str | bool]


def sort_text(sort: tuple[SortKey, ...]) -> str:
    """The sort as a request spells it."""
    return ",".join(f"{'-' if key.descending else ''}{key.field}" for key in sort)


def encode_cursor(cursor: Cursor) -> str:
    """The cursor as text that needs no escaping in a URL."""
    values = [_cursor_text(value) for value in cursor.values]
    raw = msgspec.json.encode(_WrittenCursor(sort_text(cursor.sort), cursor.position, values))
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def decode_cursor(text: str, fields: Mapping[str, ListField]) -> Cursor:
    """The cursor; raises InvalidInput for anything that `encode_cursor` did not make for such a list."""
    try:
        if len(text) > MAX_CURSOR_CHARS:
            raise ValueError
        raw = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
        written = msgspec.json.decode(raw, type=_WrittenCursor)
        sort = tuple(
            SortKey(name.removeprefix("-"), name.startswith("-")) for name in written.sort.split(",")
        )
        kinds = [fields[key.field].kind for key in sort]
        values = tuple(_cursor_value(kind, value) for kind, value in zip(kinds, written.values, strict=True))
        sortable = all(fields[key.field].sortable for key in sort)
        if not sortable or total_order(sort) != sort or not 0 <= written.position < 2**53:
            raise ValueError
    except (ValueError, KeyError, TypeError, RecursionError, msgspec.DecodeError, InvalidInput):
        raise InvalidInput.of("cursor", text[:100], _CURSOR_RULE) from None
    return Cursor(sort, values, written.position)


def _cursor_text(value: Value) -> int | str | bool:
    if isinstance(value, Decimal):
        return f"{value:f}"
    return value.isoformat() if isinstance(value, datetime) else value


def _cursor_value(kind: Kind, value: int | str | bool) -> Value:
    match kind:
        case Kind.FLAG if isinstance(value, bool):
            return value
        case Kind.INTEGER if isinstance(value, int) and not isinstance(value, bool) and is_possible_id(value):
            return value
        case Kind.DECIMAL if isinstance(value, str):
            return parse_decimal(value, "cursor")
        case Kind.INSTANT if isinstance(value, str):
            moment = datetime.fromisoformat(value)
            if moment.tzinfo is not None:
                return moment
        case Kind.TEXT if isinstance(value, str) and "\x00" not in value:
            return value
    raise ValueError
