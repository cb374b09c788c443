"""How many rows a list has: counted where that is done in time, otherwise an estimate that says so."""

import asyncio
from collections import OrderedDict
from typing import Protocol, Self

import msgspec
import structlog

from trade_service.single_flight import SingleFlight
from trade_service.submission.ports import Clock, StoreUnavailable
from trade_service.trading.listing.model import Selection, Total
from trade_service.trading.trading_settings import ListSettings

_log = structlog.get_logger(__name__)
_NEVER = float("-inf")

ESTIMATE_AGE_S = 3_600.0
"""A remembered total older than this is no longer used."""
SAME_ROWS_S = 5.0
"""How long a count is used for pages that saw the same snapshot: a database restored meanwhile may repeat one."""
KEPT_TOTALS = 500
COUNTS_AT_ONCE = 2
"""Large counts running at the same time."""


class ListCounts(Protocol):
    """How many rows are selected.

    Both methods return None when the time was not enough; they may raise StoreUnavailable.
    """

    async def count(self, selection: Selection, within_s: float, bound: int | None = None) -> int | None:
        """Counts them; with `bound`, no further than that."""

    async def estimate(self, selection: Selection, within_s: float) -> int | None:
        """Estimates it from a sample of the table, at the same small cost however large that is."""


class _Known(msgspec.Struct):
    """What is known about a selection that is being counted, or is too expensive to count for every page."""

    started_at: float = _NEVER
    """When the running count, or the last one, began."""
    counted: int = 0
    counted_at: float = _NEVER
    estimated: int = 0
    estimated_at: float = _NEVER
    least: int = 0
    """How far the running count has come."""
    abandoned_at: float = _NEVER


class _Same(msgspec.Struct, frozen=True):
    """A count that began after a page had seen the snapshot."""

    snapshot: str
    counted: int
    counted_at: float


class RowCounts:
    """Totals of lists, by list and filters. Leaving `async with` cancels running counts."""

    def __init__(
        self,
        counts: ListCounts,
        clock: Clock,
        settings: ListSettings,
        *,
        count_max_s: float = 30.0,
        queued: int = 20,
    ) -> None:
        """`count_max_s`: a count that takes longer is abandoned, and not tried again for `total_max_age_s`.

        `queued`: large counts waiting for their turn; beyond that none is started.
        """
        self._counts = counts
        self._clock = clock
        self._settings = settings
        self._wait_s = settings.count_wait_ms / 1000
        self._count_max_s = count_max_s
        self._known: OrderedDict[Selection, _Known] = OrderedDict()
        self._same: OrderedDict[Selection, _Same] = OrderedDict()
        self._running: SingleFlight[int | None] = SingleFlight("count", StoreUnavailable)
        self._samples: SingleFlight[None] = SingleFlight("estimate", StoreUnavailable)
        self._slots = asyncio.Semaphore(COUNTS_AT_ONCE)
        self._places = asyncio.Semaphore(COUNTS_AT_ONCE + queued)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self._samples.__aexit__(*exc)
        await self._running.__aexit__(*exc)

    def begin(self, selection: Selection) -> None:
        """Starts a count that is about to be needed, unless its result is remembered."""
        known = self._known.get(selection)
        if known is None or (not self._is_current(known) and self._may_count(known)):
            self._count(selection)

    async def of(self, selection: Selection, least: int, snapshot: str = "") -> Total:
        """The total; never less than `least`, the rows known to exist.

        Waits for a count until `count_wait_ms` after it began, then as long for an estimate. Never fails. No
        count is made where one was made after a page had seen the same `snapshot`: nothing was written since.
        """
        same = self._same.get(selection)
        if same is not None and same.snapshot == snapshot and self._since_s(same.counted_at) < SAME_ROWS_S:
            return _total(same.counted, least)
        known = self._known.get(selection)
        if known is not None and self._is_current(known):
            self._known.move_to_end(selection)
            if self._since_s(known.counted_at) > self._settings.total_fresh_s and self._may_count(known):
                self._count(selection)
            return _total(known.counted, least)
        counted = await self._counted_in_time(selection)
        if counted is not None:
            if snapshot and selection not in self._known:  # Others may have been counted before the page.
                self._same[selection] = _Same(snapshot, counted, self._clock.monotonic())
                self._same.move_to_end(selection)
                if len(self._same) > KEPT_TOTALS:
                    self._same.popitem(last=False)
            return _total(counted, least)
        return Total(max(await self._estimated(selection), least), is_estimate=True)

    async def _counted_in_time(self, selection: Selection) -> int | None:
        """The result of a count that began after this call or that is remembered; None if it takes too long."""
        asked_at = self._clock.monotonic()
        while self._may_count(known := self._known_of(selection)):
            count = self._count(selection)
            began = known.started_at
            await asyncio.wait([count], timeout=max(0.0, self._wait_s - self._since_s(began)))
            if not count.done() or count.cancelled() or count.exception() is not None:
                return None
            counted = count.result()
            if counted is None or began >= asked_at or self._is_current(known):
                return counted
        return None

    def _count(self, selection: Selection) -> asyncio.Task[int | None]:
        """The running count of these rows, or a new one."""
        known = self._known_of(selection)
        if self._running.running(selection) is None:
            known.started_at, known.least = self._clock.monotonic(), 0
        return self._running.join(selection, lambda: self._counted(selection, known))

    async def _counted(self, selection: Selection, known: _Known) -> int | None:
        """None when there are too many rows to count, or too many other counts are waiting."""
        settings = self._settings
        if not self._is_current(known):
            few = await self._counts.count(selection, self._wait_s, settings.counted_up_to + 1)
            if few is not None and few <= settings.counted_up_to:
                self._known.pop(selection, None)
                return few
            known.least = few or 0
        if self._places.locked():
            return None
        async with self._places, self._slots:
            began = self._clock.monotonic()
            counted = await self._counts.count(selection, self._count_max_s, None)
        if counted is None:
            known.abandoned_at = self._clock.monotonic()
            _log.warning("count_given_up", list=selection.source, after_s=self._count_max_s)
        elif counted <= settings.counted_up_to and self._since_s(began) <= self._wait_s:
            self._known.pop(selection, None)
        else:
            known.counted, known.counted_at = counted, began
        return counted

    async def _estimated(self, selection: Selection) -> int:
        """An older total if there is one, otherwise the estimate from a sample."""
        known = self._known_of(selection)
        if self._since_s(known.counted_at) <= ESTIMATE_AGE_S:
            return known.counted
        if self._since_s(known.estimated_at) > self._settings.total_max_age_s:
            sample = self._samples.join(selection, lambda: self._sampled(selection, known))
            await asyncio.wait([sample], timeout=self._wait_s)
        return max(known.estimated, known.least)

    async def _sampled(self, selection: Selection, known: _Known) -> None:
        estimate = await self._counts.estimate(selection, self._wait_s)
        if estimate is not None:
            known.estimated, known.estimated_at = estimate, self._clock.monotonic()

    def _known_of(self, selection: Selection) -> _Known:
        """The entry of a selection; beyond `kept` entries, the least recently used one is dropped."""
        known = self._known.setdefault(selection, _Known())
        self._known.move_to_end(selection)
        while len(self._known) > KEPT_TOTALS:
            self._known.popitem(last=False)
        return known

    def _is_current(self, known: _Known) -> bool:
        return self._since_s(known.counted_at) <= self._settings.total_max_age_s

    def _may_count(self, known: _Known) -> bool:
        return self._since_s(known.abandoned_at) > self._settings.total_max_age_s

    def _since_s(self, moment: float) -> float:
        return self._clock.monotonic() - moment


def _total(counted: int, least: int) -> Total:
    """Rows may have been added since the count."""
    return Total(max(counted, least), is_estimate=least > counted)
