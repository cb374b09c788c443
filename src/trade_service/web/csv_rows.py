"""Rows of lists as CSV: columns by the shape of a row, exact values, cells that no spreadsheet runs."""

import csv
import io
from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal
from functools import cache
from types import NoneType, UnionType
from typing import Any, Union, get_args, get_origin

import msgspec

from trade_service.blotter.cells import spreadsheet_safe
from trade_service.web.responses import encoded


@cache
def columns_of(shape: type[msgspec.Struct]) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """The columns of a list: the names of its JSON members, nested ones after a dot, and the fields they hold."""
    found: list[tuple[str, tuple[str, ...]]] = []
    for field in msgspec.structs.fields(shape):
        inner = _struct_in(field.type)
        if inner is None:
            found.append((field.encode_name, (field.name,)))
        else:
            found += [
                (f"{field.encode_name}.{name}", (field.name, *path)) for name, path in columns_of(inner)
            ]
    return tuple(found)


def _struct_in(hint: Any) -> type[msgspec.Struct] | None:
    """The struct that a field holds, where it may hold nothing else but None."""
    if get_origin(hint) in (Union, UnionType):
        others = [one for one in get_args(hint) if one is not NoneType]
        return _struct_in(others[0]) if len(others) == 1 else None
    return hint if isinstance(hint, type) and issubclass(hint, msgspec.Struct) else None


def value_at(row: Any, path: Sequence[str]) -> Any:
    """The value that a path of fields leads to; None where a struct on it is absent."""
    for name in path:
        if row is None:
            return None
        row = getattr(row, name)
    return row


def cell_of(value: object) -> str:
    """A value as text: decimals exact, moments in UTC, and lists as JSON."""
    match value:
        case None:
            return ""
        case bool():
            return "true" if value else "false"
        case str():
            return value
        case int():
            return str(value)
        case Decimal():
            return f"{value:f}"
        case datetime():
            return value.astimezone(UTC).isoformat().removesuffix("+00:00") + "Z"
    return encoded(value).decode()


def csv_line(cells: Sequence[str]) -> bytes:
    """One row of a CSV file, which a spreadsheet shows and never runs, as in the files of results."""
    line = io.StringIO()
    csv.writer(line, lineterminator="\n").writerow([spreadsheet_safe(cell) for cell in cells])
    return line.getvalue().encode()
