"""PostgreSQL as the source of lists."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Row, TextClause

from trade_service.domain.errors import TooSlow
from trade_service.store import list_statements as statements
from trade_service.store import order_sql as sql
from trade_service.store.database import Database
from trade_service.store.engine import autocommitted, is_out_of_time, timed, whole_tables
from trade_service.store.execution_reads import to_order, to_stored
from trade_service.submission.ports import StoreUnavailable
from trade_service.trading.listing.model import (
    FIELDS,
    ExecutionRows,
    ListName,
    ListQuery,
    OrderRows,
    Rows,
    Selection,
)

_EXECUTION_WIDTH = sql.ORDER_WIDTH + sql.EXECUTION_WIDTH


class PostgresListReads:
    """The port ListReads on PostgreSQL; see there for what each method promises."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def orders(self, query: ListQuery) -> OrderRows:
        """See ListReads."""
        rows, last = await self._page("orders", query, sql.ORDER_WIDTH)
        return Rows([to_order(row) for row in rows], last)

    async def executions(self, query: ListQuery) -> ExecutionRows:
        """See ListReads."""
        rows, last = await self._page("executions", query, _EXECUTION_WIDTH)
        return Rows([to_stored(row) for row in rows], last)

    async def _page(self, source: ListName, query: ListQuery, width: int) -> tuple[Sequence[Any], Any]:
        """The rows, and the sort values of the last one where others follow it."""
        statement = statements.page_statement(source, statements.shape_of(query))
        whole = statements.reads_whole_table(statements.SOURCES[source], query)
        try:
            async with (whole_tables if whole else autocommitted)(self._database) as connection:
                rows = (await connection.execute(statement, statements.page_values(query))).all()
        except StoreUnavailable as error:
            if is_out_of_time(error) and (whole or query.filters or _is_far(query)):
                raise self._too_slow(source, query) from error
            raise
        if len(rows) <= query.limit:
            return rows, None
        rows = rows[: query.limit]
        return rows, tuple(rows[-1][width:])

    def _too_slow(self, source: ListName, query: ListQuery) -> TooSlow:
        fast = statements.fast_sorts(statements.SOURCES[source])
        fields = ", ".join(name for name, field in FIELDS[source].items() if field.sortable and name in fast)
        far = "a cursor passes over no rows, an offset over each; " if _is_far(query) else ""
        return TooSlow(
            f"the {source} were not found and sorted by {query.sort[0].field} within the "
            f"{self._database.settings.statement_timeout_s:g} s of database.statement_timeout_s: {far}without "
            f"filters they come fast in the order of {fields}; "
            "a filter by id, portfolio or security leaves fewer to sort"
        )


def _is_far(query: ListQuery) -> bool:
    """Whether so many rows come before the page that passing over them takes long itself."""
    return query.cursor is None and query.offset > statements.WALKED_ROWS


class PostgresListCounts:
    """The port ListCounts on PostgreSQL; see there for what each method promises."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def count(self, selection: Selection, within_s: float, bound: int | None = None) -> int | None:
        """See ListCounts."""
        filters = selection.filters
        bounded = bound is not None
        statement = statements.count_statement(
            selection.source, statements.count_shape(filters, bounded=bounded)
        )
        values = statements.filter_values(filters) | ({"limit": bound} if bounded else {})
        if bounded and not filters:  # So many entries of an index.
            async with autocommitted(self._database) as connection:
                return int((await connection.execute(statement, values)).scalar_one())
        found = statements.finds_by_index(statements.SOURCES[selection.source], filters)
        row = await self._timed(statement, values, within_s, scans=not (bounded and found))
        return None if row is None else int(row[0])

    async def estimate(self, selection: Selection, within_s: float) -> int | None:
        """See ListCounts."""
        shape = statements.count_shape(selection.filters, bounded=False)
        statement = statements.sample_statement(selection.source, shape)
        values = statements.filter_values(selection.filters)
        row = await self._timed(statement, values, within_s, scans=False)
        if row is None:
            return None
        if row.percent == 100:
            return int(row.met)
        return int(row.table_rows * row.met / max(row.read, 1))

    async def _timed(
        self, statement: TextClause, values: dict[str, object], within_s: float, *, scans: bool
    ) -> Row[Any] | None:
        """The one row of the answer; None when it took too long."""
        try:
            async with timed(self._database, within_s, scans=scans) as connection:
                return (await connection.execute(statement, values)).one()
        except StoreUnavailable as error:
            if is_out_of_time(error):
                return None
            raise
