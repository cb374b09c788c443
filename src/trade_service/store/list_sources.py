"""The lists: their tables, and how each field is read in SQL."""

from collections.abc import Mapping

import msgspec

from trade_service.store.skip_scan import SkipScan, over_table, over_used_values
from trade_service.store.statements import fragments_of
from trade_service.trading.listing.model import CODE, SUBMISSION_STATE, Kind

_SHARED = fragments_of("shared")
_ORDER_COLUMNS = _SHARED["order_columns"]
REFERENCE_REVISION = _SHARED["reference_revision"]
_EXECUTION_COLUMNS = f"{_SHARED['execution_columns']}, {_SHARED['state_shown']}"
SQL_TYPES: Mapping[Kind, str] = {
    Kind.INTEGER: "int",
    Kind.DECIMAL: "numeric",
    Kind.TEXT: "text",
    Kind.INSTANT: "timestamptz",
    Kind.FLAG: "boolean",
}
_STATUS_OF_EXECUTION = "JOIN execution_status s ON s.id = e.execution_status_id"
ORDER_OF_EXECUTION = "JOIN trade_order o ON o.id = e.trade_order_id"
# OFFSET keeps it one index read per execution.
ORDER_LOOKED_UP = "CROSS JOIN LATERAL (SELECT * FROM trade_order t WHERE t.id = e.trade_order_id OFFSET 0) o"


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
        return "char(24)" if self.is_id else SQL_TYPES[self.kind]


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
        "security.ticker": _display_name("sn", "security_name", "o.security_id", ORDER_OF_EXECUTION),
        "portfolio.name": _display_name("pn", "portfolio_name", "o.portfolio_id", ORDER_OF_EXECUTION),
        "executionServiceId": Column("e.execution_service_id", Kind.INTEGER),
        SUBMISSION_STATE: Column(_SHARED["state_shown"], Kind.TEXT, (_STATUS_OF_EXECUTION,)),
        CODE: Column(f"nullif({_SHARED['reason_shown']}, '')", Kind.TEXT, (_SHARED["reasons"],)),
        "orderId": Column("o.order_id", Kind.INTEGER, (ORDER_OF_EXECUTION,)),
        "securityId": Column("o.security_id", Kind.TEXT, (ORDER_OF_EXECUTION,), is_id=True),
        "portfolioId": Column("o.portfolio_id", Kind.TEXT, (ORDER_OF_EXECUTION,), is_id=True),
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
{ORDER_LOOKED_UP}
{_STATUS_OF_EXECUTION}
ORDER BY {{order}}
""",
)


SOURCES: Mapping[str, ListSource] = {"orders": ORDERS, "executions": EXECUTIONS}
