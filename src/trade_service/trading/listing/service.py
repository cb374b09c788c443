"""ListService: pages of orders and executions, with names and totals."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

import msgspec

from trade_service.domain.executions import SubmissionState
from trade_service.domain.orders import TradeOrder
from trade_service.domain.reference import Blotter
from trade_service.trading.listing.model import (
    ID_OF_NAME,
    MAX_LIMIT,
    PORTFOLIO_NAME,
    SECURITY_TICKER,
    SUBMISSION_STATE,
    Cursor,
    Filter,
    ListName,
    ListQuery,
    Page,
    Rows,
    Selection,
    Test,
    Total,
    Value,
)
from trade_service.trading.listing.names import NameBook, NameKind, Names, Patience
from trade_service.trading.listing.ports import ListReads
from trade_service.trading.listing.totals import Totals
from trade_service.trading.model import ExecutionView
from trade_service.trading.reference import ReferenceCache
from trade_service.trading.views import views_of

Row = TypeVar("Row")
HEAD_START_S = 0.05
"""What a page gets before its rows are counted beside it."""

_KIND_OF = {PORTFOLIO_NAME: NameKind.PORTFOLIO, SECURITY_TICKER: NameKind.SECURITY}


class NamedOrder(msgspec.Struct, frozen=True):
    """A trade order with what clients read beside it."""

    order: TradeOrder
    blotter: Blotter | None
    portfolio_name: str
    """The id where no name is known; so the ticker."""
    ticker: str


class NamedExecution(msgspec.Struct, frozen=True):
    """An execution with what clients read beside it."""

    view: ExecutionView
    portfolio_name: str
    ticker: str


class ListService:
    """Lists, with a constant number of statements a page. Names never make one fail, or wait for long."""

    def __init__(self, reads: ListReads, references: ReferenceCache, names: Names, totals: Totals) -> None:
        self._reads = reads
        self._references = references
        self._names = names
        self._totals = totals

    async def list_orders(self, query: ListQuery) -> Page[NamedOrder]:
        """One page of trade orders."""
        patience = self._names.patience()
        page = await self._orders(query, patience)
        return replaced(page, await self._with_names(page.items, patience))

    async def plain_orders(self, query: ListQuery) -> Page[tuple[TradeOrder, Blotter | None]]:
        """The same with their blotters alone."""
        page = await self._orders(query, self._names.patience())
        blotters = await self._blotters(page.items)
        return replaced(page, [(order, blotters.get(order.blotter_id or 0)) for order in page.items])

    async def list_executions(self, query: ListQuery) -> Page[NamedExecution]:
        """One page of executions."""
        patience = self._names.patience()
        page = await self._executions(query, patience)
        return replaced(page, await self._executions_with_names(page.items, patience))

    async def plain_executions(self, query: ListQuery) -> Page[ExecutionView]:
        """The same without names."""
        return await self._executions(query, self._names.patience())

    async def unsent_ids(self, filters: Sequence[Filter], most: int) -> list[int]:
        """Ids of executions that meet the filters and were never sent, in order; at most `most` + 1 of them."""
        unsent = Filter(SUBMISSION_STATE, Test.ANY_OF, (SubmissionState.NONE.value,))
        query = await self._with_ids(ListQuery(MAX_LIMIT, filters=(*filters, unsent)), self._names.patience())
        ids: list[int] = []
        while query is not None and len(ids) <= most:
            found = await self._reads.executions(query)
            ids += [stored.execution.id for stored in found.rows]
            if found.last is None:
                break
            query = msgspec.structs.replace(query, cursor=Cursor(query.sort, found.last, len(ids)))
        return ids[: most + 1]

    async def named_orders(self, orders: Sequence[TradeOrder]) -> list[NamedOrder]:
        """The orders with their blotters and names."""
        return await self._with_names(orders, self._names.patience())

    async def named_executions(self, views: Sequence[ExecutionView]) -> list[NamedExecution]:
        """The executions with the names of their orders."""
        return await self._executions_with_names(views, self._names.patience())

    async def _with_names(self, orders: Sequence[TradeOrder], patience: Patience) -> list[NamedOrder]:
        book = await self._book(orders, patience)
        blotters = await self._blotters(orders)
        return [
            NamedOrder(
                order,
                blotters.get(order.blotter_id or 0),
                book.portfolio(order.portfolio_id),
                book.security(order.security_id),
            )
            for order in orders
        ]

    async def _executions_with_names(
        self, views: Sequence[ExecutionView], patience: Patience
    ) -> list[NamedExecution]:
        book = await self._book([view.order for view in views], patience)
        return [
            NamedExecution(
                view, book.portfolio(view.order.portfolio_id), book.security(view.order.security_id)
            )
            for view in views
        ]

    async def _orders(self, query: ListQuery, patience: Patience) -> Page[TradeOrder]:
        asked = await self._with_ids(query, patience)
        return await self._page("orders", query, asked, self._reads.orders)

    async def _executions(self, query: ListQuery, patience: Patience) -> Page[ExecutionView]:
        asked = await self._with_ids(query, patience)
        page = await self._page("executions", query, asked, self._reads.executions)
        return replaced(page, await views_of(self._references, page.items))

    async def _blotters(self, orders: Sequence[TradeOrder]) -> dict[int, Blotter]:
        wanted = {order.blotter_id for order in orders} - {None}
        return (await self._references.current(lambda data: wanted <= data.blotters.keys())).blotters

    async def _book(self, orders: Sequence[TradeOrder], patience: Patience) -> NameBook:
        return await self._names.book(
            {one.portfolio_id for one in orders}, {one.security_id for one in orders}, patience
        )

    async def _page(
        self,
        source: ListName,
        query: ListQuery,
        asked: ListQuery | None,
        read: Callable[[ListQuery], Awaitable[Rows[Row]]],
    ) -> Page[Row]:
        if asked is None:
            return Page([], _exactly(0), query.position, query.limit, None)
        selection = Selection(source, asked.filters)
        # A page that takes long has its rows counted meanwhile; most are there before that would save time.
        beside = asyncio.get_running_loop().call_later(HEAD_START_S, self._totals.begin, selection)
        try:
            found = await read(asked)
        finally:
            beside.cancel()
        end = query.position + len(found.rows)
        following = None if found.last is None else Cursor(query.sort, found.last, end)
        if following is None and query.cursor is None and (found.rows or not query.offset):
            return Page(found.rows, _exactly(end), query.position, query.limit, None)
        # Rows may have come or gone since they were counted: what this page shows is certain.
        least = end + 1 if following is not None else len(found.rows)
        total = await self._totals.of(selection, least)
        return Page(found.rows, total, query.position, query.limit, following)

    async def _with_ids(self, query: ListQuery, patience: Patience) -> ListQuery | None:
        """The query with ids in place of names; None when a name is nobody's, so that no row has it."""
        for key in query.sort:
            if key.field in _KIND_OF:
                await self._names.complete(_KIND_OF[key.field], patience)
        filters = []
        for one in query.filters:
            if one.field in _KIND_OF:
                texts = [str(text) for text in one.values]
                ids = await self._names.ids_of(_KIND_OF[one.field], texts, patience)
                if not ids:
                    return None
                one = Filter(ID_OF_NAME[one.field], Test.ANY_OF, _sorted(ids))
            filters.append(one)
        return msgspec.structs.replace(query, filters=tuple(filters))


Other = TypeVar("Other")


def replaced(page: Page[Row], items: list[Other]) -> Page[Other]:
    """The same page of other items."""
    return Page(items, page.total, page.position, page.limit, page.next)


def _exactly(rows: int) -> Total:
    return Total(rows, is_estimate=False)


def _sorted(ids: set[str]) -> tuple[Value, ...]:
    return tuple(sorted(ids))
