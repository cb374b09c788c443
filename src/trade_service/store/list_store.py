"""PostgreSQL as the source of lists."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy.ext.asyncio import AsyncEngine

from trade_service.store import list_statements as statements
from trade_service.store import order_sql as sql
from trade_service.store.engine import autocommitted, whole_tables
from trade_service.store.execution_reads import to_order, to_stored
from trade_service.trading.listing.model import ExecutionRows, Filter, ListQuery, OrderRows, Rows

_EXECUTION_WIDTH = sql.ORDER_WIDTH + sql.EXECUTION_WIDTH


class PostgresListReads:
    """The port ListReads on PostgreSQL; see there for what each method promises."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    async def orders(self, query: ListQuery) -> OrderRows:
        """See ListReads."""
        rows, last = await self._page("orders", query, sql.ORDER_WIDTH)
        return Rows([to_order(row) for row in rows], last)

    async def executions(self, query: ListQuery) -> ExecutionRows:
        """See ListReads."""
        rows, last = await self._page("executions", query, _EXECUTION_WIDTH)
        return Rows([to_stored(row) for row in rows], last)

    async def count_orders(self, filters: Sequence[Filter], bound: int | None = None) -> int:
        """See ListReads."""
        return await self._count("orders", filters, bound)

    async def count_executions(self, filters: Sequence[Filter], bound: int | None = None) -> int:
        """See ListReads."""
        return await self._count("executions", filters, bound)

    async def _page(self, source: str, query: ListQuery, width: int) -> tuple[Sequence[Any], Any]:
        """The rows, and the sort values of the last one where others follow it."""
        statement = statements.page_statement(source, statements.shape_of(query))
        whole = statements.reads_whole_table(statements.SOURCES[source], query)
        async with (whole_tables if whole else autocommitted)(self._engine) as connection:
            rows = (await connection.execute(statement, statements.page_values(query))).all()
        if len(rows) <= query.limit:
            return rows, None
        rows = rows[: query.limit]
        return rows, tuple(rows[-1][width:])

    async def _count(self, source: str, filters: Sequence[Filter], bound: int | None) -> int:
        statement = statements.count_statement(source, statements.count_shape(filters, bound is not None))
        values = statements.filter_values(filters)
        if bound is not None:
            values["limit"] = bound
        sieved = filters and not statements.finds_by_index(statements.SOURCES[source], filters)
        whole = bound is None or sieved
        async with (whole_tables if whole else autocommitted)(self._engine) as connection:
            return int((await connection.execute(statement, values)).scalar_one())
