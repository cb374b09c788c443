"""Finds the header of a table, and the column of each field: by its usual names, or as a person says."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import TypeAlias

import msgspec

from trade_service.blotter.cells import bare
from trade_service.blotter.file_refusals import FileRefused, QuestionCode
from trade_service.blotter.records import Cells, DamagedRow
from trade_service.blotter.row_guards import ACTION, NOTE, PRICE_TYPE, SECOND_SIDE, guard_of
from trade_service.blotter.synonyms import (
    FIELDS,
    OPTIONAL,
    PRICE_TYPES,
    REQUIRED,
    field_of,
    is_drop_copy,
    may_be_limit,
    most_alike,
    plain_name,
    price_type_of,
    side_of,
)
from trade_service.domain.errors import shorten

Row: TypeAlias = tuple[int, Cells | DamagedRow]
_HEADER_WITHIN = 100
"""Rows of a preamble."""
_HEADER_FIELDS = 3
_SHOWN_HEADER = 200


class Wanted(msgspec.Struct, frozen=True):
    """The user's choices for columns."""

    mapping: Mapping[str, str] = {}
    """Fields by the names of columns; an empty field ignores the column."""
    constants: Mapping[str, str] = {}
    """Values of fields that hold for every row."""

    def check(self) -> None:
        """Raises FileRefused for a field that does not exist, is given twice, or is never the same in all rows."""
        for field in [*filter(None, self.mapping.values()), *self.constants]:
            if field not in FIELDS:
                raise FileRefused(f"there is no field {field!r}: the fields are {', '.join(FIELDS)}")
        if "order_id" in self.constants:
            raise FileRefused("order_id cannot be the same in every row")
        given = [*filter(None, self.mapping.values()), *self.constants]
        if twice := sorted({field for field in given if given.count(field) > 1}):
            raise FileRefused(f"{', '.join(twice)} is given twice: leave one of them")


class Columns(msgspec.Struct, frozen=True):
    """The columns of a table."""

    names: tuple[str, ...]
    line: int
    """Where the header is."""
    places: Mapping[str, int]
    """The column of each field, from 0."""
    guards: tuple[tuple[str, int], ...]
    """Columns that may make another order of a row, or none: their kinds and places."""
    fix: bool
    """Whether sides and price types may be the numbers of FIX."""

    @property
    def ignored(self) -> tuple[str, ...]:
        """The names of the columns that are not used; of notes, only whether they withdraw an order."""
        used = {*self.places.values(), *(index for kind, index in self.guards if kind != NOTE)}
        return tuple(name for index, name in enumerate(self.names) if index not in used and name)


def find_header(rows: Sequence[Row], wanted: Wanted) -> int | None:
    """The index of the row that names the most fields; None if no row names any."""
    best, most = None, 0
    given = {plain_name(name) for name in wanted.mapping}
    for index, (_, cells) in enumerate(rows[:_HEADER_WITHIN]):
        if isinstance(cells, DamagedRow):
            continue
        count = len(_fields_named(cells)) + sum(plain_name(name) in given for name in cells)
        if count > most:
            best, most = index, count
    return best


def _fields_named(cells: Cells) -> set[str]:
    """The fields that cells name; numbers are names only among numbers, as in FIX."""
    names = [name for name in map(bare, cells) if name]
    words = [name for name in names if not name.isdigit()] or names
    return {found[0] for name in words if (found := field_of(name)) is not None}


def names_fields(cells: Cells | DamagedRow) -> bool:
    """Whether a row names several fields, as headers do and orders do not."""
    if isinstance(cells, DamagedRow):
        return False
    return len(_fields_named(cells)) >= _HEADER_FIELDS


def recognized(rows: Sequence[Row], wanted: Wanted) -> int:
    """How many fields and given columns the best header of these rows names."""
    index = find_header(rows, wanted)
    if index is None:
        return 0
    cells = rows[index][1]
    given = {plain_name(name) for name in wanted.mapping}
    return (
        0
        if isinstance(cells, DamagedRow)
        else sum(field_of(bare(name)) is not None or plain_name(name) in given for name in cells)
    )


def resolve(line: int, cells: Cells, below: Sequence[Cells], wanted: Wanted) -> Columns:
    """The columns of a table by its header and some of its rows.

    Raises FileRefused for a missing column, and for a field that two columns could hold.
    """
    names = tuple(bare(str(name)) for name in cells)
    places = _given(names, wanted)
    skipped = {index for index, name in enumerate(names) if _mapped(name, names, wanted) is not None}
    fix = is_drop_copy(names)
    samples = {
        index: [bare(row[index]) for row in below if index < len(row) and row[index].strip()]
        for index in range(len(names))
    }
    price_types = {
        index
        for index, name in enumerate(names)
        if index not in skipped and _is_price_type(name, samples[index], fix=fix)
    }
    places |= _usual(names, skipped | price_types, wanted, samples, fix=fix, taken=places)
    guards = [(PRICE_TYPE, index) for index in sorted(price_types)]
    unused = [
        (index, name)
        for index, name in enumerate(names)
        if index not in skipped | price_types | {*places.values()}
    ]
    guards += [(kind, index) for index, name in unused if (kind := guard_of(name)) is not None]
    guards += [
        (SECOND_SIDE if any(side_of(text, fix=fix) for text in samples[index]) else ACTION, index)
        for index, name in unused
        if (found := field_of(name)) is not None and found[0] == "order_type"
    ]
    columns = Columns(names, line, places, tuple(guards), fix)
    _check_complete(columns, skipped, wanted)
    return columns


def _mapped(name: str, names: Sequence[str], wanted: Wanted) -> str | None:
    if name in wanted.mapping:
        return wanted.mapping[name]
    # Another spelling is meant only where no column is spelled exactly so.
    alike = [key for key in wanted.mapping if key not in names and plain_name(key) == plain_name(name)]
    return wanted.mapping[alike[0]] if alike else None


def _given(names: Sequence[str], wanted: Wanted) -> dict[str, int]:
    places: dict[str, int] = {}
    for key, field in wanted.mapping.items():
        exact = [index for index, name in enumerate(names) if name == key]
        found = exact or [index for index, name in enumerate(names) if plain_name(name) == plain_name(key)]
        if not found:
            raise FileRefused(f"it has no column {key!r}: its columns are {_shown(names)}")
        if len(found) > 1:
            raise FileRefused(f"it has the column {key!r} {len(found)} times: leave one of them")
        if field:
            places[field] = found[0]
    return places


def _is_price_type(name: str, samples: Sequence[str], *, fix: bool) -> bool:
    if plain_name(name) not in PRICE_TYPES or not samples:
        return False
    if any(side_of(text, fix=False) for text in samples):
        return False
    return any(price_type_of(text, fix=fix) for text in samples)


def _usual(
    names: Sequence[str], skipped: set[int], wanted: Wanted, samples: Mapping[int, Sequence[str]], *,
    fix: bool, taken: Mapping[str, int],
) -> dict[str, int]:  # fmt: skip
    ranked: defaultdict[str, dict[int, list[int]]] = defaultdict(dict)
    for index, name in enumerate(names):
        found = None if index in skipped else field_of(name)
        if found is not None and found[0] not in taken:
            ranked[found[0]].setdefault(found[1], []).append(index)
    places = {}
    for field, ranks in ranked.items():
        if field in wanted.constants:
            if 0 in ranks:
                column = names[ranks[0][0]]
                raise FileRefused(
                    f"it has the column {column!r}, and --set gives {field} as well: leave one of them"
                )
            continue
        if field == "order_type" and 0 not in ranks:
            ranks = _with_sides(ranks, samples, fix=fix)
        if not ranks:
            continue
        best = ranks[min(ranks)]
        if len(best) > 1 and min(ranks) == 0:
            raise FileRefused(f"it has the column {field} twice: leave one of them")
        if len(best) > 1:
            both = " and ".join(repr(names[index]) for index in best)
            raise FileRefused.asking(
                QuestionCode.COLUMN_OF_FIELD,
                f"its columns {both} could be {field}",
                f"choose one with --map COLUMN={field}",
                fields=[field],
                columns=[names[index] for index in best],
            )
        places[field] = best[0]
    return places


def _with_sides(
    ranks: Mapping[int, list[int]], samples: Mapping[int, Sequence[str]], *, fix: bool
) -> dict[int, list[int]]:
    """The columns of which at least one value is a side."""
    kept = {
        rank: [index for index in indexes if any(side_of(text, fix=fix) for text in samples[index])]
        for rank, indexes in ranks.items()
    }
    return {rank: indexes for rank, indexes in kept.items() if indexes} or dict(ranks)


def _check_complete(columns: Columns, skipped: set[int], wanted: Wanted) -> None:
    missing = [field for field in REQUIRED if field not in columns.places and field not in wanted.constants]
    if missing:
        raise FileRefused.asking(
            QuestionCode.MISSING_FIELDS,
            f"it has no column {', '.join(missing)}",
            f"a row must name the columns {', '.join(REQUIRED)} (and may name {', '.join(OPTIONAL)}); give "
            "another name with --map COLUMN=FIELD, or one value for all rows with --set FIELD=VALUE; it reads "
            f"{_shown(columns.names)}",
            fields=missing,
            columns=[name for name in columns.names if name],
        )
    _check_spelling(columns, skipped, wanted)
    if "limit_price" in columns.places or "limit_price" in wanted.constants:
        return
    for index, name in enumerate(columns.names):
        guarded = any(index == other for _, other in columns.guards)
        if may_be_limit(name) and index not in skipped and not guarded:
            reason = f"its column {name!r} could be the limit price of an order, or the price of a past trade"
            raise _doubtful(reason, "which", name, "limit_price")


def _check_spelling(columns: Columns, skipped: set[int], wanted: Wanted) -> None:
    """Raises FileRefused for a misspelled optional column: without limit prices all orders are market orders."""
    absent = {
        plain_name(field): field
        for field in OPTIONAL
        if field not in columns.places and field not in wanted.constants
    }
    for index, name in enumerate(columns.names):
        alike = None if index in skipped else most_alike(name, absent)
        if alike is not None:
            raise _doubtful(f"its column {name!r} looks like {absent[alike]}", "so", name, absent[alike])


def _doubtful(reason: str, what: str, name: str, field: str) -> FileRefused:
    remedy = f"say {what} with --map '{name}={field}' or, to leave it out, --map '{name}='"
    return FileRefused.asking(QuestionCode.FIELD_OF_COLUMN, reason, remedy, fields=[field], columns=[name])


def _shown(names: Sequence[str]) -> str:
    return repr(shorten(", ".join(names), _SHOWN_HEADER))
