"""ListService: pages of orders and executions, with names and totals."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Sequence
from typing import Protocol, TypeVar

import msgspec

from trade_service.domain.executions import SubmissionState
from trade_service.domain.orders import TradeOrder
from trade_service.domain.reference import Blotter
from trade_service.trading.listing.display_names import DisplayNames, NameBook, NameKind, WaitBudget
from trade_service.trading.listing.model import (
    ID_OF_NAME,
    MAX_LIMIT,
    PORTFOLIO_NAME,
    SECURITY_TICKER,
    SUBMISSION_STATE,
    Cursor,
    ExecutionRows,
    Filter,
    ListName,
    ListQuery,
    OrderRows,
    Page,
    Rows,
    Selection,
    Test,
    Total,
)
from trade_service.trading.listing.row_counts import RowCounts
from trade_service.trading.model import ExecutionView
from trade_service.trading.reference import ReferenceCache, views_of

Stored = TypeVar("Stored")
HEAD_START_S = 0.05
"""How long a page is read before a count of its rows starts beside it."""

_NO_REASON = frozenset({SubmissionState.NONE, SubmissionState.ACCEPTED})
_KIND_OF = {PORTFOLIO_NAME: NameKind.PORTFOLIO, SECURITY_TICKER: NameKind.SECURITY}


class ListReads(Protocol):
    """Pages as stored. Filters name ids, never names.

    Both methods raise StoreUnavailable, and TooSlow for a page that takes reading very many rows.
    """

    async def orders(self, query: ListQuery) -> OrderRows:
        """One page, in one statement."""

    async def executions(self, query: ListQuery) -> ExecutionRows:
        """One page of executions, each with its trade order, in one statement."""

    async def reasons(self, execution_ids: Sequence[int]) -> dict[int, str]:
        """The code of the reason why each is not accepted; those without one are left out."""


class NamedOrder(msgspec.Struct, frozen=True):
    """A trade order with its blotter and names."""

    order: TradeOrder
    blotter: Blotter | None
    portfolio_name: str
    """The id if no name is known."""
    ticker: str
    """The id if none is known."""


class NamedExecution(msgspec.Struct, frozen=True):
    """An execution with the names of its order."""

    view: ExecutionView
    portfolio_name: str
    ticker: str
    code: str | None
    """Why it is not accepted, as far as that is known."""


class ListService:
    """Lists of orders and executions, by a constant number of statements a page.

    Missing names never make a page fail, and delay it no longer than their settings allow.

        page = await lists.list_orders(ListQuery(limit=20, sort=total_order((SortKey("quantity"),))))

    Raises:
        TooSlow: the page would take reading very many rows.
        StoreUnavailable: the database does not answer.
    """

    def __init__(
        self, reads: ListReads, references: ReferenceCache, names: DisplayNames, counts: RowCounts
    ) -> None:
        self._reads = reads
        self._references = references
        self._names = names
        self._counts = counts

    async def list_orders(self, query: ListQuery) -> Page[NamedOrder]:
        """One page of trade orders with their names."""
        budget = self._names.budget()
        page = await self._page("orders", query, budget, self._reads.orders)
        return page.of(await self.named_orders(page.items, budget))

    async def plain_orders(self, query: ListQuery) -> Page[tuple[TradeOrder, Blotter | None]]:
        """One page of trade orders with their blotters only."""
        page = await self._page("orders", query, self._names.budget(), self._reads.orders)
        blotters = await self._blotters(page.items)
        return page.of([(order, blotters.get(order.blotter_id or 0)) for order in page.items])

    async def list_executions(self, query: ListQuery) -> Page[NamedExecution]:
        """One page of executions with the names of their orders."""
        budget = self._names.budget()
        page = await self._executions(query, budget)
        return page.of(await self.named_executions(page.items, budget))

    async def plain_executions(self, query: ListQuery) -> Page[ExecutionView]:
        """One page of executions without names."""
        return await self._executions(query, self._names.budget())

    async def unsent_ids(self, filters: Sequence[Filter], most: int) -> list[int]:
        """Ids of never submitted executions that meet the filters, ascending; at most `most` + 1 of them."""
        unsent = Filter(SUBMISSION_STATE, Test.ANY_OF, (SubmissionState.NONE.value,))
        ids: list[int] = []
        async for rows in self._all(ListQuery(filters=(*filters, unsent)), self._reads.executions):
            ids += [stored.execution.id for stored in rows]
            if len(ids) > most:
                break
        return ids[: most + 1]

    async def order_pages(self, query: ListQuery) -> AsyncGenerator[list[NamedOrder], None]:
        """All trade orders from the beginning of a page on, in pages of their own; nothing is counted."""
        async for orders in self._all(query, self._reads.orders):
            yield await self.named_orders(orders)

    async def execution_pages(self, query: ListQuery) -> AsyncGenerator[list[NamedExecution], None]:
        """All executions in the same way."""
        async for stored in self._all(query, self._reads.executions):
            yield await self.named_executions(await views_of(self._references, stored))

    async def named_orders(
        self, orders: Sequence[TradeOrder], budget: WaitBudget | None = None
    ) -> list[NamedOrder]:
        book = await self._names.book(orders, budget)
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

    async def named_executions(
        self, views: Sequence[ExecutionView], budget: WaitBudget | None = None
    ) -> list[NamedExecution]:
        book = await self._names.book([view.order for view in views], budget)
        open_ids = [view.execution.id for view in views if view.execution.submission_state not in _NO_REASON]
        codes = await self._reads.reasons(open_ids) if open_ids else {}
        return [
            NamedExecution(
                view,
                book.portfolio(view.order.portfolio_id),
                book.security(view.order.security_id),
                codes.get(view.execution.id),
            )
            for view in views
        ]

    async def security_names(self, security_ids: Iterable[str]) -> NameBook:
        """The tickers of these securities."""
        return await self._names.security_book(security_ids)

    async def _executions(self, query: ListQuery, budget: WaitBudget) -> Page[ExecutionView]:
        page = await self._page("executions", query, budget, self._reads.executions)
        return page.of(await views_of(self._references, page.items))

    async def _blotters(self, orders: Sequence[TradeOrder]) -> dict[int, Blotter]:
        wanted = {order.blotter_id for order in orders} - {None}
        return (await self._references.current(lambda data: wanted <= data.blotters.keys())).blotters

    async def _page(
        self,
        source: ListName,
        query: ListQuery,
        budget: WaitBudget,
        read: Callable[[ListQuery], Awaitable[Rows[Stored]]],
    ) -> Page[Stored]:
        by_id = await self._with_ids(query, budget)
        if by_id is None:
            return Page([], Total(0, is_estimate=False), query.position, query.limit, None)
        selection = Selection(source, by_id.filters)
        # A page that takes long has its rows counted meanwhile; most are done before that would save time.
        beside = asyncio.get_running_loop().call_later(HEAD_START_S, self._counts.begin, selection)
        try:
            found = await read(by_id)
        finally:
            beside.cancel()
        end = query.position + len(found.rows)
        following = None if found.last is None else Cursor(query.sort, found.last, end)
        if following is None and query.cursor is None and (found.rows or not query.offset):
            return Page(found.rows, Total(end, is_estimate=False), query.position, query.limit, None)
        # Rows may have been added or deleted since the count; those of this page exist.
        least = end + 1 if following is not None else len(found.rows)
        total = await self._counts.of(selection, least, found.snapshot)
        return Page(found.rows, total, query.position, query.limit, following)

    async def _all(
        self, query: ListQuery, read: Callable[[ListQuery], Awaitable[Rows[Stored]]]
    ) -> AsyncGenerator[list[Stored], None]:
        """All rows, page by page, each page from behind the last row of the one before."""
        by_id = await self._with_ids(query, self._names.budget())
        while by_id is not None:
            found = await read(msgspec.structs.replace(by_id, limit=MAX_LIMIT))
            yield found.rows
            if found.last is None:
                return
            by_id = msgspec.structs.replace(by_id, offset=0, cursor=Cursor(by_id.sort, found.last, 0))

    async def _with_ids(self, query: ListQuery, budget: WaitBudget) -> ListQuery | None:
        """The query with ids in place of names; None when nothing has one of the names."""
        for key in query.sort:
            if key.field in _KIND_OF:
                await self._names.complete(_KIND_OF[key.field], budget)
        filters = []
        for one in query.filters:
            if one.field in _KIND_OF:
                texts = [str(text) for text in one.values]
                ids = await self._names.ids_of(_KIND_OF[one.field], texts, budget)
                if not ids:
                    return None
                one = Filter(ID_OF_NAME[one.field], Test.ANY_OF, tuple(sorted(ids)))
            filters.append(one)
        return msgspec.structs.replace(query, filters=tuple(filters))
