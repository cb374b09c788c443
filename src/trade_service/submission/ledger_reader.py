"""Reads pages and single rows of the Execution Service's ledger strictly."""

import msgspec

from trade_service.domain.fields import MAX_FOLLOWED_ID, is_service_id
from trade_service.submission.listing_walk import PAGE, Ask, page_problem
from trade_service.submission.messages import RemoteExecution
from trade_service.submission.ports import Ledger


class LedgerUnread(Exception):
    """The ledger did not answer, or nothing can be concluded from its answer."""


class LedgerPage(msgspec.Struct, frozen=True):
    """The rows of one page whose ids can be stored, newest first."""

    rows: tuple[RemoteExecution, ...]
    has_next: bool

    @property
    def top(self) -> tuple[int, int | None]:
        """The greatest id, 0 when there is no row, and the execution of ours that its row names."""
        row = max(self.rows, key=id_of, default=None)
        return (0, None) if row is None else (id_of(row), execution_id_of(row) or None)

    @property
    def greatest_of_ours(self) -> int:
        """The greatest execution id, up to MAX_FOLLOWED_ID, that a row names; 0 when none does."""
        return max((id_ for row in self.rows if (id_ := execution_id_of(row)) <= MAX_FOLLOWED_ID), default=0)


class LedgerReader:
    """Every method raises LedgerUnread, saying why, where the ledger cannot be read."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    async def page(self, offset: int) -> LedgerPage:
        """The page that begins at `offset`, a multiple of PAGE; `pagination` has to say whether more follow."""
        listing = await self._ledger.list_newest(offset, PAGE)
        if listing.page is None:
            raise LedgerUnread(listing.message)
        problem = page_problem(listing.page, Ask(offset, PAGE))
        if problem:
            raise LedgerUnread(problem)
        paging = listing.page.pagination
        rows = tuple(row for row in listing.page.content if is_service_id(id_of(row)))
        return LedgerPage(rows, paging is not None and bool(paging.has_next))

    async def row(self, service_id: int) -> RemoteExecution | None:
        """The row of that id; None where there is none, and for the id 0."""
        if not service_id:
            return None
        listing = await self._ledger.find(service_id)
        if listing.page is None:
            raise LedgerUnread(listing.message)
        return next((row for row in listing.page.content if row.id == service_id), None)


def id_of(row: RemoteExecution) -> int:
    """The row's id; 0 where it has none."""
    return row.id or 0


def execution_id_of(row: RemoteExecution) -> int:
    """The execution id of ours that a row names; 0 where it names none that can be one."""
    execution_id = row.trade_service_execution_id or 0
    return execution_id if is_service_id(execution_id) else 0
