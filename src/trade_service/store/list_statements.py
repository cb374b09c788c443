"""The statements of lists, composed from the fields that a request names.

The only statements that are composed at run time: filters and sort keys combine freely. Clients' text is never
part of a statement, only of its values; the statement depends on the `Shape` alone, so that the same list is the
same prepared statement whatever is searched for.
"""

from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache

import msgspec

from trade_service.domain.reference import STATUS_NEW
from trade_service.store.skip_scan import SkipScan, ids_by_name, over_table, over_used_values
from trade_service.store.statements import Statement, fragments_of
from trade_service.trading.listing.model import Filter, Kind, ListQuery, SortKey, Test

_SHARED = fragments_of("shared")
_ORDER_COLUMNS = _SHARED["order_columns"]
_EXECUTION_COLUMNS = f"{_SHARED['execution_columns']}, {_SHARED['state_shown']}"
_TYPES: Mapping[Kind, str] = {
    Kind.INTEGER: "int",
    Kind.DECIMAL: "numeric",
    Kind.TEXT: "text",
    Kind.INSTANT: "timestamptz",
    Kind.FLAG: "boolean",
}
_OPERATORS = {Test.AT_LEAST: ">=", Test.AT_MOST: "<=", Test.BEFORE: "<"}
_SNAPSHOT = "(SELECT pg_current_snapshot()::text)"
"""What a statement sees: equal ones see the same rows."""
FAR_OFFSET = 100
SCANNED_ROWS = 100_000
"""After more of them executions are sorted all at once; otherwise they are read order by order."""
SAMPLED_ROWS = 30_000
"""How many an estimate reads."""
ROWS_OF_A_PAGE = 40
"""The assumption before the planner has statistics."""
_STATUS_OF_EXECUTION = "JOIN execution_status s ON s.id = e.execution_status_id"
_ORDER_OF_EXECUTION = "JOIN trade_order o ON o.id = e.trade_order_id"
# OFFSET keeps it one index read per execution.
_ORDER_LOOKED_UP = "CROSS JOIN LATERAL (SELECT * FROM trade_order t WHERE t.id = e.trade_order_id OFFSET 0) o"


class Column(msgspec.Struct, frozen=True):
    """How a field is read in SQL."""

    expression: str
    kind: Kind
    joins: tuple[str, ...] = ()
    """What the expression needs besides the list's own table."""
    lookup: str = ""
    """The id column that a filter tests instead, and the table with the ids of names."""
    is_id: bool = False
    """Whether it is a char(24) id of another service."""
    scan: SkipScan | None = None
    """How a list sorted by it goes from name to name."""

    @property
    def type(self) -> str:
        """Its values' type in PostgreSQL."""
        return "char(24)" if self.is_id else _TYPES[self.kind]


class ListSource(msgspec.Struct, frozen=True):
    """A list: its table, its fields, and the columns of its answer."""

    table: str
    alias: str
    columns: Mapping[str, Column]
    indexed: frozenset[str]
    """Fields by which PostgreSQL finds or sorts rows without reading the whole table."""
    rows: str
    """Selects id and value of the rows whose order has the value `w.id` in a column."""
    scanned_far: bool
    """Whether going from name to name beats sorting however many rows come before the page."""
    answer: str
    """Selects from the page, a sub-select named as the alias, whose sort values are k0, k1, ..."""


def _abbreviation(alias: str, table: str, id_column: str, scan: SkipScan | None = None) -> Column:
    join = f"LEFT JOIN {table} {alias} ON {alias}.id = {id_column}"
    expression = f"coalesce({alias}.abbreviation, '') COLLATE \"C\""
    return Column(expression, Kind.TEXT, (join,), lookup=f"{id_column} {table}", scan=scan)


def _display_name(alias: str, table: str, id_column: str, *joins: str) -> Column:
    """The name that another service owns, or the id in its place."""
    join = f"LEFT JOIN {table} {alias} ON {alias}.id = {id_column}"
    name = f'coalesce({alias}.name, rtrim({id_column})) COLLATE "C"'
    return Column(name, Kind.TEXT, (*joins, join), scan=over_used_values(id_column.removeprefix("o."), table))


ORDERS = ListSource(
    table="trade_order",
    alias="o",
    columns={
        "id": Column("o.id", Kind.INTEGER),
        "orderId": Column("o.order_id", Kind.INTEGER),
        "orderType": Column(
            'rtrim(o.order_type) COLLATE "C"', Kind.TEXT, scan=over_used_values("order_type")
        ),
        "quantity": Column("o.quantity", Kind.DECIMAL),
        "quantitySent": Column("o.quantity_sent", Kind.DECIMAL),
        "tradeTimestamp": Column("o.trade_timestamp", Kind.INSTANT),
        "submitted": Column("coalesce(o.submitted, false)", Kind.FLAG),
        "blotter.abbreviation": _abbreviation(
            "b", "blotter", "o.blotter_id", over_table("blotter_id", "blotter")
        ),
        "security.ticker": _display_name("sn", "security_name", "o.security_id"),
        "portfolio.name": _display_name("pn", "portfolio_name", "o.portfolio_id"),
        "securityId": Column("o.security_id", Kind.TEXT, is_id=True),
        "portfolioId": Column("o.portfolio_id", Kind.TEXT, is_id=True),
    },
    indexed=frozenset({"id", "orderId", "quantity", "tradeTimestamp", "securityId", "portfolioId"}),
    # An array: PostgreSQL would drop a sort by a column that equals one value. See `ids_by_name`.
    rows="SELECT t.id, t.{column} AS value FROM trade_order t WHERE t.{column} = ANY(ARRAY[w.id])",
    scanned_far=True,
    answer=f"SELECT {_ORDER_COLUMNS}, {{keys}} FROM ({{page}}) o ORDER BY {{order}}",
)

EXECUTIONS = ListSource(
    table="execution",
    alias="e",
    columns={
        "id": Column("e.id", Kind.INTEGER),
        "executionTimestamp": Column("e.execution_timestamp", Kind.INSTANT),
        "quantityOrdered": Column("e.quantity_ordered", Kind.DECIMAL),
        "quantityPlaced": Column("e.quantity_placed", Kind.DECIMAL),
        "quantityFilled": Column("e.quantity_filled", Kind.DECIMAL),
        "tradeOrderId": Column("e.trade_order_id", Kind.INTEGER),
        "executionStatus.abbreviation": _abbreviation("es", "execution_status", "e.execution_status_id"),
        "blotter.abbreviation": _abbreviation("b", "blotter", "e.blotter_id"),
        "tradeType.abbreviation": _abbreviation("tt", "trade_type", "e.trade_type_id"),
        "destination.abbreviation": _abbreviation("d", "destination", "e.destination_id"),
        "security.ticker": _display_name("sn", "security_name", "o.security_id", _ORDER_OF_EXECUTION),
        "portfolio.name": _display_name("pn", "portfolio_name", "o.portfolio_id", _ORDER_OF_EXECUTION),
        "executionServiceId": Column("e.execution_service_id", Kind.INTEGER),
        "submissionState": Column(_SHARED["state_shown"], Kind.TEXT, (_STATUS_OF_EXECUTION,)),
        "code": Column(f"nullif({_SHARED['reason_shown']}, '')", Kind.TEXT, (_SHARED["reasons"],)),
        "orderId": Column("o.order_id", Kind.INTEGER, (_ORDER_OF_EXECUTION,)),
        "securityId": Column("o.security_id", Kind.TEXT, (_ORDER_OF_EXECUTION,), is_id=True),
        "portfolioId": Column("o.portfolio_id", Kind.TEXT, (_ORDER_OF_EXECUTION,), is_id=True),
    },
    indexed=frozenset(
        {
            "id",
            "executionTimestamp",
            "tradeOrderId",
            "orderId",
            "securityId",
            "portfolioId",
            "executionServiceId",
        }
    ),
    rows="""
SELECT x.id, t.{column} AS value FROM trade_order t
CROSS JOIN LATERAL (SELECT x.id FROM execution x WHERE x.trade_order_id = t.id OFFSET 0) x
WHERE t.{column} = w.id
""",
    scanned_far=False,
    answer=f"""
SELECT {_ORDER_COLUMNS}, {_EXECUTION_COLUMNS}, {{keys}}
FROM ({{page}}) e
{_ORDER_LOOKED_UP}
{_STATUS_OF_EXECUTION}
ORDER BY {{order}}
""",
)


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


def shape_of(query: ListQuery) -> Shape:
    """The shape of a page."""
    after_cursor = query.cursor is not None
    far = not after_cursor and query.offset >= FAR_OFFSET
    return Shape(query.sort, _tests(query.filters), after_cursor, far, scanned=query.offset <= SCANNED_ROWS)


def count_shape(filters: Sequence[Filter], *, bounded: bool) -> Shape:
    """The shape of a count."""
    return Shape((), _tests(filters), bounded=bounded)


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
    indexed = query.sort[0].field in source.indexed or _scan(source, shape_of(query)) is not None
    return not indexed and not finds_by_index(source, query.filters)


def fast_sorts(source: ListSource) -> list[str]:
    """The fields by which a list of any size is sorted quickly."""
    return [name for name, column in source.columns.items() if name in source.indexed or column.scan]


def finds_by_index(source: ListSource, filters: Sequence[Filter]) -> bool:
    """Whether an index leads to the rows that meet the filters."""
    return any(one.field in source.indexed and one.test is Test.ANY_OF for one in filters)


@lru_cache(maxsize=1000)
def page_statement(source_name: str, shape: Shape) -> Statement:
    """Reads one page: rows as `ListSource.answer` says, then the values of the sort keys and the snapshot."""
    source = SOURCES[source_name]
    directions = ["DESC" if key.descending else "ASC" for key in shape.sort]
    text = source.answer.format(
        keys=", ".join([*(f"{source.alias}.k{place}" for place in range(len(directions))), _SNAPSHOT]),
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
    ways = ["DESC" if key.descending else "ASC" for key in shape.sort]
    conditions = [*_conditions(source, shape), *([_behind(source, shape.sort)] if shape.after_cursor else [])]
    order = ", ".join(f"{key} {way}" for key, way in zip(keys, ways, strict=True))
    named = ", ".join(f"{key} AS k{place}" for place, key in enumerate(keys))
    return (
        f"SELECT {source.alias}.{wanted}, {named} FROM {source.table} {source.alias} {_joins(source, shape)}"
        f"{_where(conditions)} ORDER BY {order} LIMIT :limit{'' if shape.after_cursor else ' OFFSET :offset'}"
    )


@lru_cache(maxsize=1000)
def count_statement(source_name: str, shape: Shape) -> Statement:
    """Counts the rows that meet the filters, up to a limit where the shape is bounded."""
    source = SOURCES[source_name]
    rows = (
        f"FROM {source.table} {source.alias} {_joins(source, shape)}{_where([*_conditions(source, shape)])}"
    )
    if shape.bounded:
        return Statement.parsed(f"SELECT count(*) FROM (SELECT {rows} LIMIT :limit) counted")
    return Statement.parsed(f"SELECT count(*) {rows}")


@lru_cache(maxsize=1000)
def sample_statement(source_name: str, shape: Shape) -> Statement:
    """Reads a sample of the table's pages: how many rows it has, how many of them meet the filters, which share of
    the table was to be read, and how many rows the whole table has.
    """
    source = SOURCES[source_name]
    joins = _joins(source, shape).replace(_ORDER_OF_EXECUTION, _ORDER_LOOKED_UP)
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


def _joins(source: ListSource, shape: Shape) -> str:
    """Each join once: those of the sort keys and of filters that test the column itself."""
    names = [key.field for key in shape.sort]
    names += [name for name, *_ in shape.tests if not source.columns[name].lookup]
    return " ".join(dict.fromkeys(join for name in names for join in source.columns[name].joins))


def _where(conditions: Sequence[str]) -> str:
    return f" WHERE {' AND '.join(conditions)}" if conditions else ""


def _conditions(source: ListSource, shape: Shape) -> Iterator[str]:
    for place, (name, test, single) in enumerate(shape.tests):
        column = source.columns[name]
        many = test is Test.ANY_OF and not single
        bind = f":f{place}::{column.type}{'[]' if many else ''}"
        if test is not Test.ANY_OF:
            yield f"{column.expression} {_OPERATORS[test]} {bind}"
        elif column.lookup:
            id_column, table = column.lookup.split()
            found = f"SELECT x.id FROM {table} x WHERE {_same_text('x.abbreviation', bind, single)}"
            yield f"{id_column} = ANY(ARRAY({found}))"
        elif column.kind is Kind.TEXT and not column.is_id:
            yield _same_text(column.expression, bind, single)
        else:
            # One value for itself: only then does an index on it and the id also give the order.
            # An id as char(24): compared as text, blanks and all, it would not be found by its index.
            yield f"{column.expression} = {bind}" if single else f"{column.expression} = ANY({bind})"


def _same_text(expression: str, bind: str, single: bool) -> str:
    """Equal but for case, as the database folds it."""
    if single:
        return f"lower({expression}) = lower({bind})"
    return f"lower({expression}) = ANY(ARRAY(SELECT lower(v) FROM unnest({bind}) v))"


def _behind(source: ListSource, sort: Sequence[SortKey]) -> str:
    """Rows that come after the cursor's."""
    columns = [source.columns[key.field] for key in sort]
    keys = [column.expression for column in columns]
    binds = [f":c{place}::{_TYPES[column.kind]}" for place, column in enumerate(columns)]
    if len({key.descending for key in sort}) == 1:  # An index can begin there.
        sign = "<" if sort[0].descending else ">"
        return f"({', '.join(keys)}) {sign} ({', '.join(binds)})"
    cases = []
    for place, key in enumerate(sort):
        same = [f"{keys[before]} = {binds[before]}" for before in range(place)]
        cases.append(" AND ".join([*same, f"{keys[place]} {'<' if key.descending else '>'} {binds[place]}"]))
    return "(" + " OR ".join(f"({case})" for case in cases) + ")"


SOURCES: Mapping[str, ListSource] = {"orders": ORDERS, "executions": EXECUTIONS}
