"""PostgreSQL as the source of lists."""

from collections.abc import Mapping, Sequence

import asyncpg

from trade_service.domain.errors import TooSlow
from trade_service.store import list_statements as statements
from trade_service.store.database import Database, is_out_of_time
from trade_service.store.execution_reads import EXECUTION_WIDTH, ORDER_WIDTH, to_order, to_stored
from trade_service.store.list_sources import SOURCES
from trade_service.store.statements import Statement, load
from trade_service.submission.ports import StoreUnavailable
from trade_service.trading.listing.model import (
    FIELDS,
    ExecutionRows,
    ListName,
    ListQuery,
    OrderRows,
    Rows,
    Selection,
    Value,
)

SQL = load("executions")


class PostgresListReads:
    """The port ListReads on PostgreSQL."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def orders(self, query: ListQuery) -> OrderRows:
        rows, last, snapshot = await self._page("orders", query, ORDER_WIDTH)
        return Rows([to_order(row) for row in rows], last, snapshot)

    async def executions(self, query: ListQuery) -> ExecutionRows:
        rows, last, snapshot = await self._page("executions", query, ORDER_WIDTH + EXECUTION_WIDTH)
        return Rows([to_stored(row) for row in rows], last, snapshot)

    async def reasons(self, execution_ids: Sequence[int]) -> dict[int, str]:
        rows = await self._database.fetch(SQL["reasons"], ids=list(execution_ids))
        return {execution_id: code for execution_id, code in rows if code}

    async def _page(
        self, source: ListName, query: ListQuery, width: int
    ) -> tuple[list[asyncpg.Record], tuple[Value, ...] | None, str]:
        """The rows, the last one's values of the sort keys when others follow it, and the snapshot."""
        statement = statements.page_statement(source, statements.shape_of(query))
        scans = statements.reads_whole_table(SOURCES[source], query)
        lent = self._database.transaction(scans=True) if scans else self._database.session()
        try:
            async with lent as session:
                rows = await session.fetch(statement, **statements.page_values(query))
        except StoreUnavailable as error:
            if is_out_of_time(error) and (scans or query.filters or _is_far(query)):
                raise self._too_slow(source, query) from error
            raise
        snapshot = rows[0][-1] if rows else ""
        if len(rows) <= query.limit:
            return rows, None, snapshot
        rows = rows[: query.limit]
        return rows, rows[-1][width:-2], snapshot

    def _too_slow(self, source: ListName, query: ListQuery) -> TooSlow:
        fast = statements.fast_sorts(SOURCES[source])
        fields = ", ".join(name for name, field in FIELDS[source].items() if field.sortable and name in fast)
        far = "a cursor skips no rows, an offset reads each of them; " if _is_far(query) else ""
        return TooSlow(
            f"the {source} were not found and sorted by {query.sort[0].field} within the "
            f"{self._database.settings.statement_timeout_s:g} s of database.statement_timeout_s: {far}without "
            f"filters they are sorted quickly by {fields}; "
            "a filter by id, portfolio or security leaves fewer to sort"
        )


def _is_far(query: ListQuery) -> bool:
    """Whether skipping the rows before the page alone takes long."""
    return query.cursor is None and query.offset > statements.SCANNED_ROWS


class PostgresListCounts:
    """The port ListCounts on PostgreSQL."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def count(self, selection: Selection, within_s: float, bound: int | None = None) -> int | None:
        filters, bounded = selection.filters, bound is not None
        shape = statements.count_shape(filters, bounded=bounded)
        statement = statements.count_statement(selection.source, shape)
        values = statements.filter_values(filters) | {"limit": bound}
        if bounded and not filters:  # At most as many entries of an index.
            return int(await self._database.fetch_value(statement, **values))
        found = statements.finds_by_index(SOURCES[selection.source], filters)
        row = await self._timed(statement, values, within_s, scans=not (bounded and found))
        return None if row is None else int(row[0])

    async def estimate(self, selection: Selection, within_s: float) -> int | None:
        shape = statements.count_shape(selection.filters, bounded=False)
        statement = statements.sample_statement(selection.source, shape)
        values = statements.filter_values(selection.filters)
        row = await self._timed(statement, values, within_s, scans=False)
        if row is None:
            return None
        read, met, percent, table_rows = row
        return int(met) if percent == 100 else int(table_rows * met / max(read, 1))

    async def _timed(
        self, statement: Statement, values: Mapping[str, object], within_s: float, *, scans: bool
    ) -> asyncpg.Record | None:
        """The only row; None when the statement took too long."""
        try:
            async with self._database.transaction(scans=scans, within_s=within_s) as session:
                return await session.fetch_row(statement, **values)
        except StoreUnavailable as error:
            if is_out_of_time(error):
                return None
            raise
