"""Reads the Execution Service's ledger: passes over its listing, single pages and rows."""

from collections.abc import AsyncIterator, Iterable, Mapping, Sequence

import msgspec

from trade_service.domain.fields import MAX_FOLLOWED_ID, is_service_id
from trade_service.submission.downstream import (
    DownstreamState,
    Suspicion,
    anchor_suspicion,
    listing_suspicion,
)
from trade_service.submission.listing_walk import PAGE, Ask, ListingWalk, page_problem
from trade_service.submission.messages import RemoteExecution
from trade_service.submission.model import OpenItem
from trade_service.submission.ports import Ledger, Listings

_IMPOSSIBLE_KEPT = 20


class DownstreamScan(msgspec.Struct):
    """The result of one pass; ids are the Execution Service's."""

    found: dict[int, list[RemoteExecution]]
    """Rows by our execution id; a row may be repeated."""
    newest_id: int = 0
    newest_execution_id: int | None = None
    """The execution that the row `newest_id` names."""
    max_execution_id: int = 0
    """The greatest possible execution id that a row names."""
    read_down_to: int | None = None
    """Every row with at least this id was read; 0: to the end, None: nothing was."""
    pages: int = 0
    problem: str = ""
    impossible: dict[int, int | None] = msgspec.field(default_factory=dict)
    """The first few rows with impossible ids, with the executions that they name."""
    spoiled: dict[int, int] = msgspec.field(default_factory=dict)
    """Of `found`, the executions that a row with an impossible id names, with that id."""
    contested: dict[int, int] = msgspec.field(default_factory=dict)
    """Of `found`, the executions that share a downstream id with another one, with that id."""
    owners: dict[int, int] = msgspec.field(default_factory=dict)
    """Of `found`, the execution by downstream id."""
    lowest_id: int | None = None
    """The least id read."""
    anchor_ids: frozenset[int] = frozenset()
    """Rows that identify the ledger."""
    anchors: dict[int, int | None] = msgspec.field(default_factory=dict)
    """Those of them that were seen, with the executions that they name."""

    def contradicts(self, anchor_id: int, execution_id: int | None) -> bool:
        """Whether the row `anchor_id`, which named `execution_id`, is missing or names another execution."""
        if not anchor_id or execution_id is None:
            return False
        if anchor_id in self.anchors:
            return self.anchors[anchor_id] != execution_id
        was_passed = self.read_down_to == 0 or (self.lowest_id is not None and self.lowest_id <= anchor_id)
        return was_passed and not self.problem

    def is_complete_to(self, low_water_id: int) -> bool:
        """Whether every row above `low_water_id` was read."""
        return self.read_down_to is not None and self.read_down_to <= low_water_id + 1

    def collect(self, rows: Iterable[RemoteExecution]) -> None:
        """Adds rows, in any order and repeatedly."""
        for row in rows:
            if row.id is None:
                continue
            ours, service_id = row.trade_service_execution_id, row.id
            if not is_service_id(service_id):
                self._set_aside(service_id, ours)
                continue
            if service_id > self.newest_id:
                self.newest_id, self.newest_execution_id = service_id, ours
            self.lowest_id = service_id if self.lowest_id is None else min(self.lowest_id, service_id)
            if service_id in self.anchor_ids:
                self.anchors[service_id] = ours
            if ours is None:
                continue
            if self.max_execution_id < ours <= MAX_FOLLOWED_ID:
                self.max_execution_id = ours
            if ours in self.found:
                self.found[ours].append(row)
                owner = self.owners.setdefault(service_id, ours)
                if owner != ours:
                    self.contested[owner] = self.contested[ours] = service_id

    def _set_aside(self, service_id: int, ours: int | None) -> None:
        if len(self.impossible) < _IMPOSSIBLE_KEPT:
            self.impossible[service_id] = ours
        if ours is not None and ours in self.found:
            self.spoiled[ours] = service_id


class ListingReader:
    """Walks over the listing page by page, in constant memory."""

    def __init__(self, listings: Listings, low_water_id: int = 0, max_pages: int | None = None) -> None:
        """`max_pages` limits the pages that are read; None: no limit."""
        self._listings = listings
        self._max_pages = max_pages
        self.walk = ListingWalk(low_water_id)
        self.pages = 0

    async def run(self) -> AsyncIterator[tuple[Sequence[RemoteExecution], Sequence[RemoteExecution]]]:
        """Yields for each page all its rows, and those that extend what was read, once each.

        Ends with `walk.problem` set if the listing cannot be read without a gap.
        """
        walk = self.walk
        while (ask := walk.next_ask()) is not None:
            if self.pages == self._max_pages:
                walk.problem = f"not finished after {self._max_pages} pages"
                return
            listing = await self._listings.list_newest(ask.offset, ask.limit)
            if listing.page is None:
                walk.problem = listing.message or listing.code
                return
            fresh = walk.take(ask, listing.page)
            # A page that proves no absence still proves presence.
            self.pages += not walk.problem
            yield listing.page.content, fresh


async def scan_downstream(
    listings: Listings,
    wanted: Iterable[int],
    low_water_id: int,
    max_pages: int,
    anchor_ids: Iterable[int] = (),
) -> DownstreamScan:
    """Reads back to the first row at or below `low_water_id`, and collects rows of `wanted` and of `anchor_ids`.

    The result has a `problem` if the pass failed, or could not read without a gap.
    """
    found: dict[int, list[RemoteExecution]] = {execution_id: [] for execution_id in wanted}
    seen = DownstreamScan(found=found, anchor_ids=frozenset(anchor_ids))
    reading = ListingReader(listings, low_water_id, max_pages)
    async for rows, _ in reading.run():
        seen.collect(rows)
    seen.pages = reading.pages
    seen.problem, seen.read_down_to = reading.walk.problem, reading.walk.read_down_to
    return seen


def sign_of_another_ledger(
    state: DownstreamState, seen: DownstreamScan, anchors: Mapping[int, int | None]
) -> Suspicion | None:
    """A sign in a pass that the ledger is not the one that `state` described before the pass.

    `anchors`: known rows, with the executions that they named if that is known.
    """
    if seen.newest_id < state.known_id:
        return listing_suspicion(state.known_id, seen.newest_id)
    for anchor_id, execution_id in anchors.items():
        if execution_id is not None and seen.contradicts(anchor_id, execution_id):
            return anchor_suspicion(anchor_id, execution_id)
    return None


def same_identifier(ours: str | None, remote: str | None) -> bool:
    """Whether two identifiers are equal, ignoring trailing blanks, with which the Execution Service pads."""
    if ours is None or remote is None:
        return ours is remote
    return ours.rstrip(" ") == remote.rstrip(" ")


def agrees(item: OpenItem, remote: RemoteExecution) -> bool:
    """Whether a row with our id is our execution: ids restart when either database is reset."""
    return (
        same_identifier(item.security_id, remote.security_name)
        and same_identifier(item.trade_type, remote.trade_type)
        and remote.quantity == item.quantity
        and same_identifier(item.destination, remote.destination)
    )


def matches(seen: DownstreamScan, items: Iterable[OpenItem], low_water_id: int) -> Mapping[int, list[int]]:
    """The downstream ids of each item, ascending; more than one if it was accepted twice.

    Rows at or below `low_water_id` existed before the attempt, however alike they look. An id that two executions
    share proves nothing.
    """
    return {
        item.execution_id: sorted(
            {
                row.id
                for row in seen.found.get(item.execution_id, ())
                if row.id is not None and row.id > low_water_id and agrees(item, row)
            }
        )
        if item.execution_id not in seen.contested
        else []
        for item in items
    }


def doubtful(seen: DownstreamScan, item: OpenItem, low_water_id: int) -> int | None:
    """The id of a row that may be the item although it does not agree, so that absence is not proven.

    Above a known low-water id it is any row with our execution id. Without one, ids restarted long ago explain
    strange rows; so it is a row that hides some of its terms, or has the same security: the legacy service may
    have sent another quantity than it stored, or a trade type that was deleted since. It is also a row with an
    impossible id, or one that shares its id with another execution.
    """
    for odd in (seen.spoiled, seen.contested):
        if item.execution_id in odd:
            return odd[item.execution_id]
    for row in seen.found.get(item.execution_id, ()):
        if row.id is None or row.id <= low_water_id or agrees(item, row):
            continue
        hidden = None in (row.security_name, row.trade_type, row.quantity, row.destination)
        if low_water_id > 0 or hidden or same_identifier(item.security_id, row.security_name):
            return row.id
    return None


def why_doubtful(seen: DownstreamScan, execution_id: int) -> str:
    """How a `doubtful` row differs from the execution, to follow "the row"."""
    if execution_id in seen.spoiled:
        return "has an id that no execution can have"
    if execution_id in seen.contested:
        return "bears the id of another execution as well"
    return "differs in security, side, quantity or destination, or does not show them"


class LedgerUnread(Exception):
    """The ledger did not answer, or its answer proves nothing."""


class LedgerPage(msgspec.Struct, frozen=True):
    """The rows of a page with possible ids, newest first."""

    rows: tuple[RemoteExecution, ...]
    has_next: bool

    @property
    def top(self) -> tuple[int, int | None]:
        """The greatest id, 0 without rows, and the execution that its row names."""
        row = max(self.rows, key=id_of, default=None)
        return (0, None) if row is None else (id_of(row), execution_id_of(row) or None)

    @property
    def greatest_of_ours(self) -> int:
        """The greatest execution id up to MAX_FOLLOWED_ID that a row names; 0 if none does."""
        return max((id_ for row in self.rows if (id_ := execution_id_of(row)) <= MAX_FOLLOWED_ID), default=0)


class LedgerReader:
    """Reads pages and rows strictly. Every method raises LedgerUnread, with the reason."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    async def page(self, offset: int) -> LedgerPage:
        """The page at `offset`, a multiple of PAGE."""
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
        """The row of that id; None if there is none, or the id is 0."""
        if not service_id:
            return None
        listing = await self._ledger.find(service_id)
        if listing.page is None:
            raise LedgerUnread(listing.message)
        return next((row for row in listing.page.content if row.id == service_id), None)


def id_of(row: RemoteExecution) -> int:
    """The row's id; 0 without one."""
    return row.id or 0


def execution_id_of(row: RemoteExecution) -> int:
    """The execution that a row names; 0 without a possible one."""
    execution_id = row.trade_service_execution_id or 0
    return execution_id if is_service_id(execution_id) else 0
