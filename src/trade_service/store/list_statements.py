"""The statements of lists, composed from the fields that a request names.

The only statements that are composed at run time: filters and sort keys combine freely. Clients' text is never
part of a statement, only of its values; the statement depends on the `Shape` alone, so that the same list is the
same prepared statement whatever is searched for.
"""

from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache

import msgspec

from trade_service.domain.reference import STATUS_NEW
from trade_service.store.list_sources import (
    ORDER_LOOKED_UP,
    ORDER_OF_EXECUTION,
    REFERENCE_REVISION,
    SOURCES,
    SQL_TYPES,
    ListSource,
)
from trade_service.store.skip_scan import SkipScan, ids_by_name
from trade_service.store.statements import Statement
from trade_service.store.states_found import FoundIn, executions_found, places_of
from trade_service.trading.listing.model import (
    CODE,
    PORTFOLIO_ID,
    SECURITY_ID,
    SUBMISSION_STATE,
    Filter,
    Kind,
    ListQuery,
    SortKey,
    Test,
)

_OPERATORS = {Test.AT_LEAST: ">=", Test.AT_MOST: "<=", Test.BEFORE: "<"}
_SNAPSHOT = "(SELECT pg_current_snapshot()::text)"
"""What a statement sees: equal ones see the same rows."""
FAR_OFFSET = 100
SCANNED_ROWS = 100_000
"""After more of them executions are sorted all at once; otherwise they are read order by order."""
SAMPLED_ROWS = 30_000
"""How many an estimate reads."""
NEAR_ROWS = 2_000
"""So many are read in order of time before all executions of a state are sorted."""
_STATE_OF_OURS = {SUBMISSION_STATE: "e.submission_state"}
ROWS_OF_A_PAGE = 40
"""The assumption before the planner has statistics."""


class Shape(msgspec.Struct, frozen=True):
    """Everything that the text of a page's statement depends on."""

    sort: tuple[SortKey, ...]
    tests: tuple[tuple[str, Test, bool], ...]
    """Field and test of each filter, and whether it has one value."""
    after_cursor: bool = False
    far: bool = False
    """Whether many rows come before the page, which an index alone can skip."""
    scanned: bool = True
    """Whether the page is near enough to go from name to name."""
    bounded: bool = True
    """Whether a count stops at a limit."""
    places: tuple[FoundIn, ...] | None = None
    """Where the executions are found, if not among all."""


def shape_of(query: ListQuery) -> Shape:
    """The shape of a page."""
    after_cursor = query.cursor is not None
    far = not after_cursor and query.offset >= FAR_OFFSET
    near = query.offset <= SCANNED_ROWS
    return Shape(
        query.sort, _tests(query.filters), after_cursor, far, scanned=near, places=places_of(query.filters)
    )


def count_shape(filters: Sequence[Filter], *, bounded: bool) -> Shape:
    """The shape of a count."""
    return Shape((), _tests(filters), bounded=bounded, places=places_of(filters))


def page_values(query: ListQuery) -> dict[str, object]:
    """The values of a page's statement, which reads one row more to learn whether others follow."""
    values = filter_values(query.filters) | {"limit": query.limit + 1}
    if query.cursor is None:
        return values | {"offset": query.offset}
    return values | {f"c{place}": value for place, value in enumerate(query.cursor.values)}


def filter_values(filters: Sequence[Filter]) -> dict[str, object]:
    """The values of the filters of a statement."""
    return {"status_new_name": STATUS_NEW} | {
        f"f{place}": list(one.values) if one.test is Test.ANY_OF and len(one.values) > 1 else one.values[0]
        for place, one in enumerate(filters)
    }


def reads_whole_table(source: ListSource, query: ListQuery) -> bool:
    """Whether a page takes reading (and sorting) all rows."""
    shape = shape_of(query)
    indexed = query.sort[0].field in source.indexed or _scan(source, shape) is not None
    return not indexed and not finds_by_index(source, query.filters)


def fast_sorts(source: ListSource) -> list[str]:
    """The fields by which a list of any size is sorted quickly."""
    return [name for name, column in source.columns.items() if name in source.indexed or column.scan]


def finds_by_index(source: ListSource, filters: Sequence[Filter]) -> bool:
    """Whether an index leads to the rows that meet the filters."""
    return places_of(filters) is not None or any(
        one.field in source.indexed and one.test is Test.ANY_OF for one in filters
    )


@lru_cache(maxsize=1000)
def page_statement(source_name: str, shape: Shape) -> Statement:
    """Reads one page: rows as `ListSource.answer` says, then the values of the sort keys, the revision of the
    reference data and the snapshot."""
    source = SOURCES[source_name]
    directions = ["DESC" if key.descending else "ASC" for key in shape.sort]
    text = source.answer.format(
        keys=", ".join(
            [*(f"{source.alias}.k{place}" for place in range(len(directions))), REFERENCE_REVISION, _SNAPSHOT]
        ),
        page=_page(source, shape),
        order=", ".join(f"{source.alias}.k{place} {way}" for place, way in enumerate(directions)),
    )
    return Statement.parsed(text)


def _page(source: ListSource, shape: Shape) -> str:
    """Selects the rows and k0, k1, ..."""
    if (scan := _scan(source, shape)) is not None:
        first, second = (key.descending for key in shape.sort)
        rows = source.rows.format(column=scan.column)
        ids = ids_by_name(scan, rows, descending=(first, second), after_cursor=shape.after_cursor)
    elif shape.far:
        ids = _sorted_rows(source, shape, "id")
    else:
        return _sorted_rows(source, shape, "*")
    keys = ", ".join(f"p.k{place}" for place in range(len(shape.sort)))
    return (
        f"SELECT t.*, {keys} FROM ({ids}) p "
        f"CROSS JOIN LATERAL (SELECT * FROM {source.table} t WHERE t.id = p.id OFFSET 0) t"
    )


def _scan(source: ListSource, shape: Shape) -> SkipScan | None:
    """How to go from name to name, where each name's rows can be found without those of the others."""
    scan = source.columns[shape.sort[0].field].scan
    near = shape.scanned or source.scanned_far
    return scan if len(shape.sort) == 2 and not shape.tests and near else None


def _sorted_rows(source: ListSource, shape: Shape, wanted: str) -> str:
    keys = [source.columns[key.field].expression for key in shape.sort]
    if shape.places is not None and _by_id(shape):
        keys = ["found.id"]
    ways = ["DESC" if key.descending else "ASC" for key in shape.sort]
    behind = [_behind(source, shape.sort)] if shape.after_cursor else []
    order = ", ".join(f"{key} {way}" for key, way in zip(keys, ways, strict=True))
    named = ", ".join(f"{key} AS k{place}" for place, key in enumerate(keys))
    paged = f"ORDER BY {order} LIMIT :limit{'' if shape.after_cursor else ' OFFSET :offset'}"
    page = f"SELECT {source.alias}.{wanted}, {named} {_rows(source, shape, behind)} {paged}"
    by_time = [key.field for key in shape.sort] == ["executionTimestamp", "id"]
    if shape.places is None or not by_time or _of_few_orders(shape):
        return page
    # Where many rows are found, a page is full before all of those are read: first the nearest rows of all.
    near = f"SELECT * FROM execution e{_where(behind)} ORDER BY {order} LIMIT {NEAR_ROWS}"
    joins = _joins(source, msgspec.structs.replace(shape, places=None))
    others = {name: source.columns[name].expression for name, *_ in shape.tests} | _STATE_OF_OURS
    conditions = [*_conditions(source, shape, others)]
    return f"""
WITH near AS MATERIALIZED (
    SELECT {source.alias}.{wanted}, {named} FROM ({near}) e {joins.replace(ORDER_OF_EXECUTION, ORDER_LOOKED_UP)}
    {_where(conditions)} {paged}
)
SELECT * FROM near WHERE (SELECT count(*) FROM near) >= :limit
UNION ALL
SELECT * FROM ({page}) far WHERE (SELECT count(*) FROM near) < :limit
"""


@lru_cache(maxsize=1000)
def count_statement(source_name: str, shape: Shape) -> Statement:
    """Counts the rows that meet the filters, up to a limit where the shape is bounded."""
    rows = _rows(SOURCES[source_name], shape)
    if shape.bounded:
        return Statement.parsed(f"SELECT count(*) FROM (SELECT {rows} LIMIT :limit) counted")
    return Statement.parsed(f"SELECT count(*) {rows}")


@lru_cache(maxsize=1000)
def sample_statement(source_name: str, shape: Shape) -> Statement:
    """Reads a sample of the table's pages: how many rows it has, how many of them meet the filters, which share of
    the table was to be read, and how many rows the whole table has.
    """
    source, shape = SOURCES[source_name], msgspec.structs.replace(shape, places=None)
    joins = _joins(source, shape).replace(ORDER_OF_EXECUTION, ORDER_LOOKED_UP)
    met = " AND ".join(_conditions(source, shape)) or "true"
    return Statement.parsed(f"""
WITH size AS MATERIALIZED (
    SELECT d.table_rows, least(100, 100.0 * {SAMPLED_ROWS} / greatest(d.table_rows, 1)) AS percent
    FROM (
        -- As the planner estimates: rows of a page when it was last analyzed, times the pages there are now.
        SELECT CASE WHEN c.reltuples > 0 THEN c.reltuples / c.relpages ELSE {ROWS_OF_A_PAGE} END
            * pg_relation_size(c.oid) / current_setting('block_size')::integer AS table_rows
        FROM pg_class c WHERE c.oid = '{source.table}'::regclass
    ) d
)
SELECT count(*) AS read, count(*) FILTER (WHERE {met}) AS met,
    (SELECT percent FROM size) AS percent, (SELECT table_rows FROM size) AS table_rows
FROM {source.table} {source.alias} TABLESAMPLE SYSTEM ((SELECT percent FROM size)) REPEATABLE (0) {joins}
""")


def _tests(filters: Sequence[Filter]) -> tuple[tuple[str, Test, bool], ...]:
    return tuple((one.field, one.test, len(one.values) == 1) for one in filters)


def _of_few_orders(shape: Shape) -> bool:
    """Whether an index leads to the orders."""
    return any(name in (PORTFOLIO_ID, SECURITY_ID) for name, *_ in shape.tests)


def _by_id(shape: Shape) -> bool:
    return bool(shape.sort) and shape.sort[0].field == "id"


def _rows(source: ListSource, shape: Shape, behind: Sequence[str] = ()) -> str:
    """The rows that meet the filters, and come `behind` a cursor's."""
    if shape.places is None:
        conditions = [*_conditions(source, shape), *behind]
        return f"FROM {source.table} {source.alias} {_joins(source, shape)}{_where(conditions)}"

    def met(field: str, expression: str) -> list[str]:
        past = [
            condition.replace("e.id", expression) for condition in behind if field == "id" and _by_id(shape)
        ]
        return [*past, *_conditions(source, shape, {field: expression})]

    order = ("DESC" if shape.sort[0].descending else "ASC") if _by_id(shape) else ""
    others = {name: source.columns[name].expression for name, *_ in shape.tests} | _STATE_OF_OURS
    others.pop(CODE, None)
    conditions = [*_conditions(source, shape, others), *behind]
    few = _of_few_orders(shape)
    joins = _joins(source, shape)
    if not few:
        joins = joins.replace(ORDER_OF_EXECUTION, ORDER_LOOKED_UP)
    found = executions_found(shape.places, met, order, of_few_orders=few)
    return f"FROM {found} {joins}{_where(conditions)}"


def _joins(source: ListSource, shape: Shape) -> str:
    """Each join once: those of the sort keys and of filters that test the column itself."""
    met = () if shape.places is None else (SUBMISSION_STATE, CODE)
    names = [key.field for key in shape.sort]
    names += [name for name, *_ in shape.tests if not source.columns[name].lookup and name not in met]
    return " ".join(dict.fromkeys(join for name in names for join in source.columns[name].joins))


def _where(conditions: Sequence[str]) -> str:
    return f" WHERE {' AND '.join(conditions)}" if conditions else ""


def _conditions(
    source: ListSource, shape: Shape, expressions: Mapping[str, str] | None = None
) -> Iterator[str]:
    """Those on the fields with an expression, or on all."""
    for place, (name, test, single) in enumerate(shape.tests):
        column = source.columns[name]
        if expressions is not None and name not in expressions:
            continue
        expression = column.expression if expressions is None else expressions[name]
        many = test is Test.ANY_OF and not single
        bind = f":f{place}::{column.type}{'[]' if many else ''}"
        if test is not Test.ANY_OF:
            yield f"{expression} {_OPERATORS[test]} {bind}"
        elif column.lookup:
            id_column, table = column.lookup.split()
            found = f"SELECT x.id FROM {table} x WHERE {_same_text('x.abbreviation', bind, single)}"
            yield f"{id_column} = ANY(ARRAY({found}))"
        elif column.kind is Kind.TEXT and not column.is_id:
            yield _same_text(expression, bind, single)
        else:
            # One value for itself: only then does an index on it and the id also give the order.
            # An id as char(24): compared as text, blanks and all, it would not be found by its index.
            yield f"{expression} = {bind}" if single else f"{expression} = ANY({bind})"


def _same_text(expression: str, bind: str, single: bool) -> str:
    """Equal but for case, as the database folds it."""
    if single:
        return f"lower({expression}) = lower({bind})"
    return f"lower({expression}) = ANY(ARRAY(SELECT lower(v) FROM unnest({bind}) v))"


def _behind(source: ListSource, sort: Sequence[SortKey]) -> str:
    """Rows that come after the cursor's."""
    columns = [source.columns[key.field] for key in sort]
    keys = [column.expression for column in columns]
    binds = [f":c{place}::{SQL_TYPES[column.kind]}" for place, column in enumerate(columns)]
    if len({key.descending for key in sort}) == 1:  # An index can begin there.
        sign = "<" if sort[0].descending else ">"
        return f"({', '.join(keys)}) {sign} ({', '.join(binds)})"
    cases = []
    for place, key in enumerate(sort):
        same = [f"{keys[before]} = {binds[before]}" for before in range(place)]
        cases.append(" AND ".join([*same, f"{keys[place]} {'<' if key.descending else '>'} {binds[place]}"]))
    return "(" + " OR ".join(f"({case})" for case in cases) + ")"
