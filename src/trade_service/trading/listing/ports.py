"""What lists need from a store. Every method may raise StoreUnavailable."""

from typing import Protocol

from trade_service.trading.listing.model import ExecutionRows, ListQuery, OrderRows, Selection


class ListReads(Protocol):
    """Pages. Names in filters have become ids by then.

    Either method raises TooSlow for a page that only reading very much would make.
    """

    async def orders(self, query: ListQuery) -> OrderRows:
        """One page, in one statement of constant size."""
        ...

    async def executions(self, query: ListQuery) -> ExecutionRows:
        """The same of executions, each with its trade order."""
        ...


class ListCounts(Protocol):
    """How many rows are selected. Either method returns None when it could not tell within the time."""

    async def count(self, selection: Selection, within_s: float, bound: int | None = None) -> int | None:
        """Counts them; with `bound`, no further than that."""
        ...

    async def estimate(self, selection: Selection, within_s: float) -> int | None:
        """Estimates it from a sample of the table, at the same small cost however large that is."""
        ...
