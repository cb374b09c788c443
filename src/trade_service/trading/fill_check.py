"""FillCheck fetches fills from the Execution Service's ledger whose reports were lost.

The Execution Service reports a fill once, and once more after a 409: a report that meets a restart, a 503 or a
time-out is never repeated. In every interval one process reads a bounded number of pages, half of them from the
newest on, half in a window that moves through the whole ledger. A row that one pass misses is seen by a later one.
"""

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Protocol

import msgspec
import structlog

from trade_service.domain.errors import shorten
from trade_service.domain.executions import UNFILLED_STATUS, Fill, is_possible_fill, newer_fill
from trade_service.domain.fields import ZERO, is_service_id
from trade_service.domain.reference import ReferenceData
from trade_service.submission.codes import AlarmCode
from trade_service.submission.events import AlarmEvent, EventBus, FillsCheckedEvent
from trade_service.submission.messages import RemoteExecution, RemoteExecutionPage
from trade_service.submission.ports import Listings, StoreUnavailable
from trade_service.trading.reference import ReferenceCache
from trade_service.trading.trading_settings import FillSettings

_log = structlog.get_logger(__name__)

PAGE = 100
"""Rows on a page; offsets are whole pages, because some builds of the Execution Service round them down."""


class HeldFill(msgspec.Struct, frozen=True, gc=False):
    """The stored fill of an accepted execution."""

    execution_id: int
    execution_service_id: int
    status_id: int
    quantity_filled: Decimal
    quantity_ordered: Decimal
    version: int


class FetchedFill(msgspec.Struct, frozen=True, gc=False):
    """A fill to store if the execution still has this version."""

    execution_id: int
    execution_service_id: int
    version: int
    status_id: int
    quantity_filled: Decimal
    message: str


class RefusedFill(msgspec.Struct, frozen=True, gc=False):
    """A filled quantity in the ledger that is impossible for its execution."""

    execution_id: int
    execution_service_id: int
    message: str


class FillStore(Protocol):
    """The check's store. Every method is one statement and may raise StoreUnavailable."""

    async def begin_fill_check(self, every_s: float) -> int | None:
        """Starts a pass and returns the moving window's offset in the ledger.

        None when any process started a pass less than `every_s` ago.
        """

    async def end_fill_check(self, offset: int) -> None:
        """Stores where the next pass's window begins."""

    async def held_fills(self, execution_ids: Sequence[int]) -> list[HeldFill]:
        """The executions among these that were accepted under a known id."""

    async def store_fetched(self, fills: Sequence[FetchedFill]) -> list[int]:
        """Stores fills like fill reports, with evidence; returns the executions that changed.

        An execution whose version has changed is left alone.
        """

    async def new_refusals(self, fills: Sequence[RefusedFill]) -> list[int]:
        """The executions among these that do not have the same evidence yet."""

    async def note_refused(self, fills: Sequence[RefusedFill]) -> None:
        """Stores the refusals as evidence."""


class _Pass(msgspec.Struct):
    pages: int = 0
    compared: int = 0
    stored: list[int] = msgspec.field(default_factory=list)
    problem: str = ""


class FillCheck:
    """Compares the ledger's fills with ours in bounded passes, and stores the newer ones.

    Impossible quantities are refused with an alarm, once each.
    """

    def __init__(
        self,
        store: FillStore,
        ledger: Listings,
        references: ReferenceCache,
        events: EventBus,
        sleep: Callable[[float], Awaitable[None]],
        settings: FillSettings,
    ) -> None:
        self._store = store
        self._ledger = ledger
        self._references = references
        self._events = events
        self._sleep = sleep
        self._settings = settings

    async def run(self) -> None:
        """Checks until cancelled; waits while the database is unavailable."""
        while True:
            try:
                await self.once()
            except StoreUnavailable as error:
                _log.warning("fill_check_waits_for_database", error=str(error))
            await self._sleep(self._settings.check_every_s)

    async def once(self) -> FillsCheckedEvent | None:
        """Makes one pass; None when another process made one in this interval. Raises StoreUnavailable."""
        window = await self._store.begin_fill_check(self._settings.check_every_s)
        if window is None:
            return None
        done = _Pass()
        newest = (self._settings.check_pages + 1) // 2
        after = await self._read(done, 0, newest)
        if not done.problem:
            if after:
                after = await self._read(done, max(window, after), self._settings.check_pages - newest)
            await self._store.end_fill_check(after)
        event = FillsCheckedEvent(done.pages, done.compared, tuple(done.stored), done.problem)
        self._events.emit(event)
        return event

    async def _read(self, done: _Pass, offset: int, pages: int) -> int:
        """Reads and compares `pages` pages; returns the next offset, 0 at the end of the ledger.

        An unreadable page ends the pass. The next pass retries it, and the one after that skips it, so a page that
        is never readable blocks nothing.
        """
        start = offset
        for _ in range(pages):
            listing = await self._ledger.list_newest(offset, PAGE)
            if listing.page is None:
                done.problem = listing.message
                return offset if offset > start else offset + PAGE
            done.pages += 1
            await self._compare(done, listing.page.content)
            if _is_last(listing.page):
                return 0
            offset += PAGE
        return offset

    async def _compare(self, done: _Pass, rows: Iterable[RemoteExecution]) -> None:
        there = {(row.trade_service_execution_id or 0, row.id): row for row in rows if _may_be_newer(row)}
        if not there:
            return
        held = [
            (one, there[one.execution_id, one.execution_service_id])
            for one in await self._store.held_fills(sorted({execution_id for execution_id, _ in there}))
            if (one.execution_id, one.execution_service_id) in there
        ]
        done.compared += len(held)
        reference = await self._references.get()
        impossible, newer = {}, []
        for one, row in held:
            quantity = row.quantity_filled or ZERO
            if not is_possible_fill(quantity, one.quantity_ordered):
                impossible[one.execution_id] = (one, quantity)
            elif (fill := _newer(one, quantity, row.execution_status or "", reference)) is not None:
                newer.append(fill)
        if impossible:
            await self._alarm(impossible)
        if newer:
            done.stored += await self._store.store_fetched(newer)

    async def _alarm(self, impossible: Mapping[int, tuple[HeldFill, Decimal]]) -> None:
        """Alarms once for each value; a crash in between repeats the alarm rather than losing it."""
        refused = {
            execution_id: RefusedFill(
                execution_id,
                one.execution_service_id,
                f"quantityFilled {shorten(str(quantity))} in the ledger, {one.quantity_ordered} ordered",
            )
            for execution_id, (one, quantity) in impossible.items()
        }
        new = await self._store.new_refusals(list(refused.values()))
        for execution_id in new:
            one, quantity = impossible[execution_id]
            self._events.emit(fill_refused(execution_id, quantity, one.quantity_filled, one.quantity_ordered))
        if new:
            await self._store.note_refused([refused[i] for i in new])


def fill_refused(execution_id: int, reported: Decimal, stored: Decimal, ordered: Decimal) -> AlarmEvent:
    """The alarm for a filled quantity in the ledger that is impossible for its execution."""
    message = (
        f"the Execution Service holds a quantityFilled of {shorten(str(reported))} for execution {execution_id}, "
        f"of which {ordered.normalize():f} was ordered: it was not stored, quantityFilled stays "
        f"{stored.normalize():f} here; correct the Execution Service's ledger"
    )
    return AlarmEvent(AlarmCode.FILL_REFUSED, message, (execution_id,))


def _is_last(page: RemoteExecutionPage) -> bool:
    has_next = None if page.pagination is None else page.pagination.has_next
    return not page.content or (len(page.content) < PAGE if has_next is None else not has_next)


def _may_be_newer(row: RemoteExecution) -> bool:
    """Whether the row could be one of our executions with a fill or a later status."""
    if not (is_service_id(row.id or 0) and is_service_id(row.trade_service_execution_id or 0)):
        return False
    quantity = row.quantity_filled
    if quantity is None or not quantity.is_finite():
        return False
    return quantity != 0 or row.execution_status not in (None, UNFILLED_STATUS)


def _newer(held: HeldFill, quantity: Decimal, name: str, reference: ReferenceData) -> FetchedFill | None:
    """The fill to store, if any; `name` is the ledger's status, and an unknown one leaves ours unchanged."""
    status = reference.statuses.get(held.status_id)
    if status is None:
        return None
    known = reference.statuses_by_name.get(name, status)
    stored = Fill(status.abbreviation, held.quantity_filled)
    new = newer_fill(stored, Fill(known.abbreviation, quantity))
    if new is None:
        return None
    message = (
        f"quantityFilled {held.quantity_filled.normalize():f} became {quantity.normalize():f}, status "
        f"{status.abbreviation} became {new.status}"
    )
    status_id = status.id if new.status == status.abbreviation else known.id
    return FetchedFill(
        held.execution_id, held.execution_service_id, held.version, status_id, quantity, message
    )
