"""Rows of JSON lines: one object a line, its members are the cells."""

import io
import json
from collections.abc import Iterator, Sequence
from typing import Any, NoReturn

from trade_service.blotter.delimited_source import MAX_LINE_CHARS, SourceRows
from trade_service.blotter.records import BrokenCell, DamagedRow, NumberText
from trade_service.blotter.row_guards import matters
from trade_service.domain.errors import shorten


class _Twice(ValueError):
    """An object has a member twice."""


def json_objects(stream: io.TextIOBase, newline: str) -> Iterator[tuple[int, dict[str, str] | DamagedRow]]:
    """The objects of a text with the numbers of their lines; blank lines are left out."""
    decoder = json.JSONDecoder(
        object_pairs_hook=_members, parse_float=NumberText, parse_int=NumberText, parse_constant=_refuse
    )
    number = 0
    while line := stream.readline(MAX_LINE_CHARS + 2):
        number += 1
        if len(line) > MAX_LINE_CHARS and not line.endswith(newline):
            while line and not line.endswith(newline):
                line = stream.readline(MAX_LINE_CHARS + 2)
            yield number, DamagedRow("", f"must have at most {MAX_LINE_CHARS} characters")
        elif line := line.strip(" \t\r\n"):
            yield number, _object(decoder, line)


def json_rows(stream: io.TextIOBase, newline: str, names: Sequence[str]) -> SourceRows:
    """The rows of JSON lines, with their cells in the order of `names`."""
    known = frozenset(names)
    for number, members in json_objects(stream, newline):
        if isinstance(members, DamagedRow):
            yield number, members
            continue
        strange = None if members.keys() <= known else next(filter(matters, members.keys() - known), None)
        if strange is not None:
            rule = f"has a member {shorten(strange)} that no object at the beginning of the file has"
            yield number, DamagedRow(shorten(str(members)), rule)
            continue
        yield number, [members.get(name, "") for name in names]


def _object(decoder: json.JSONDecoder, line: str) -> dict[str, str] | DamagedRow:
    try:
        line.encode()
        found = decoder.decode(line)
    except UnicodeEncodeError:
        return DamagedRow(shorten(ascii(line)), "must be text in the file's encoding")
    except (ValueError, RecursionError) as error:
        return DamagedRow(shorten(line), f"must be one JSON object ({error})")
    if not isinstance(found, dict):
        return DamagedRow(shorten(line), "must be one JSON object")
    return {name: _cell(value) for name, value in found.items()}


def _members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) < len(pairs):
        raise _Twice("a member stands in it twice")
    return members


def _cell(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return BrokenCell.of("true" if value else "false", "it is true or false")
    return BrokenCell.of(json.dumps(value, ensure_ascii=False), "it is a list or an object")


def _refuse(name: str) -> NoReturn:
    raise ValueError(f"{name} is no number")
