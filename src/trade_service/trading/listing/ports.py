"""What lists need from a store. Every method may raise StoreUnavailable."""

from collections.abc import Sequence
from typing import Protocol

from trade_service.trading.listing.model import ExecutionRows, Filter, ListQuery, OrderRows


class ListReads(Protocol):
    """Pages and their totals. Names in filters have become ids by then."""

    async def orders(self, query: ListQuery) -> OrderRows:
        """One page, in one statement of constant size."""
        ...

    async def executions(self, query: ListQuery) -> ExecutionRows:
        """The same of executions, each with its trade order."""
        ...

    async def count_orders(self, filters: Sequence[Filter], bound: int | None = None) -> int:
        """How many orders meet the filters; with `bound`, counting stops there."""
        ...

    async def count_executions(self, filters: Sequence[Filter], bound: int | None = None) -> int:
        """The same of executions."""
        ...
