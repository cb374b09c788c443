"""How many rows a list has: exact where that is counted in time, else an estimate that says so."""

import asyncio
from collections import OrderedDict
from types import TracebackType
from typing import Self

import msgspec
import structlog

from trade_service.submission.ports import Clock
from trade_service.trading.listing.flights import Flights
from trade_service.trading.listing.model import Selection, Total
from trade_service.trading.listing.ports import ListCounts

_log = structlog.get_logger(__name__)
_NEVER = float("-inf")


class TotalsSettings(msgspec.Struct, frozen=True, kw_only=True):
    """When a count is taken again, and how long it is waited for; times in seconds."""

    counted_up_to: int = 10_000
    """Totals up to this are counted for each page: a few milliseconds at most."""
    wait_s: float = 0.25
    """Nobody waits longer for a count. One that takes longer is remembered, however small its result is: few
    rows may be found by reading all of them."""
    fresh_s: float = 5.0
    """A remembered total is taken as it is for this time; then it is counted again in the background."""
    max_age_s: float = 60.0
    """One older than this counts as an estimate."""
    estimate_age_s: float = 3_600.0
    """One older than this is not even that."""
    count_max_s: float = 30.0
    """A count that takes longer is given up, and not begun again before `max_age_s` have passed."""
    kept: int = 500
    at_once: int = 2
    """Large counts under way at the same time."""
    queued: int = 20
    """Large counts that wait for their turn; more are left to who asks again."""


class _Known(msgspec.Struct):
    """What is known of a selection that is being counted, or costs too much to be counted for every page."""

    begun_at: float = _NEVER
    """When the count under way began, or the last one."""
    counted: int = 0
    counted_at: float = _NEVER
    estimated: int = 0
    estimated_at: float = _NEVER
    least: int = 0
    """What the count under way has come to."""
    given_up_at: float = _NEVER


class Totals:
    """Totals of lists, by list and filters. `async with` ends the counts that are under way."""

    def __init__(self, counts: ListCounts, clock: Clock, settings: TotalsSettings) -> None:
        self._counts = counts
        self._clock = clock
        self._settings = settings
        self._known: OrderedDict[Selection, _Known] = OrderedDict()
        self._flights: Flights[int | None] = Flights("count")
        self._samples: Flights[None] = Flights("estimate")
        self._slots = asyncio.Semaphore(settings.at_once)
        self._places = asyncio.Semaphore(settings.at_once + settings.queued)

    async def __aenter__(self) -> Self:
        await self._flights.__aenter__()
        await self._samples.__aenter__()
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self._samples.__aexit__(exc_type, exc, traceback)
        await self._flights.__aexit__(exc_type, exc, traceback)

    def begin(self, selection: Selection) -> None:
        """Has the rows counted, unless their total is remembered: somebody is going to ask for it."""
        known = self._known.get(selection)
        if known is None or (not self._is_shown(known) and self._may_count(known)):
            self._count(selection)

    async def of(self, selection: Selection, least: int) -> Total:
        """The total, and no less than `least`: so many rows there are for certain.

        A count is waited for until `wait_s` after it began, and then an estimate for as long. Never fails.
        """
        known = self._known.get(selection)
        if known is not None and self._is_shown(known):
            self._known.move_to_end(selection)
            if self._since_s(known.counted_at) > self._settings.fresh_s and self._may_count(known):
                self._count(selection)
            return _total(known.counted, least)
        counted = await self._counted_in_time(selection)
        if counted is not None:
            return _total(counted, least)
        return Total(max(await self._estimated(selection), least), is_estimate=True)

    async def _counted_in_time(self, selection: Selection) -> int | None:
        """What a count tells that began after this call, or is to be remembered; None when it takes too long."""
        asked_at = self._clock.boottime()
        while self._may_count(known := self._known_of(selection)):
            flight = self._count(selection)
            began = known.begun_at
            await asyncio.wait([flight], timeout=max(0.0, self._settings.wait_s - self._since_s(began)))
            if not flight.done() or flight.cancelled() or flight.exception() is not None:
                return None
            counted = flight.result()
            if counted is None or began >= asked_at or self._is_shown(known):
                return counted
        return None

    def _count(self, selection: Selection) -> asyncio.Task[int | None]:
        """The count of these rows that is under way, else one begun now."""
        known = self._known_of(selection)
        if selection not in self._flights:
            known.begun_at = self._clock.boottime()
            known.least = 0
        return self._flights.join(selection, lambda: self._counted(selection, known))

    async def _counted(self, selection: Selection, known: _Known) -> int | None:
        """None when there are too many to be counted, or too many others are being counted."""
        settings = self._settings
        if not self._is_shown(known):
            few = await self._counts.count(selection, settings.wait_s, settings.counted_up_to + 1)
            if few is not None and few <= settings.counted_up_to:
                self._known.pop(selection, None)
                return few
            known.least = few or 0
        if self._places.locked():
            return None
        async with self._places, self._slots:
            began = self._clock.boottime()
            counted = await self._counts.count(selection, settings.count_max_s, None)
        if counted is None:
            known.given_up_at = self._clock.boottime()
            _log.warning("count_given_up", list=selection.source, after_s=settings.count_max_s)
        elif counted <= settings.counted_up_to and self._since_s(began) <= settings.wait_s:
            self._known.pop(selection, None)
        else:
            known.counted, known.counted_at = counted, began
        return counted

    async def _estimated(self, selection: Selection) -> int:
        """The total of a while ago, else what a sample tells."""
        known = self._known_of(selection)
        if self._since_s(known.counted_at) <= self._settings.estimate_age_s:
            return known.counted
        if self._since_s(known.estimated_at) > self._settings.max_age_s:
            sample = self._samples.join(selection, lambda: self._sampled(selection, known))
            await asyncio.wait([sample], timeout=self._settings.wait_s)
        return max(known.estimated, known.least)

    async def _sampled(self, selection: Selection, known: _Known) -> None:
        estimate = await self._counts.estimate(selection, self._settings.wait_s)
        if estimate is not None:
            known.estimated, known.estimated_at = estimate, self._clock.boottime()

    def _known_of(self, selection: Selection) -> _Known:
        """What is known of it; what nobody has asked for longest is forgotten for it."""
        known = self._known.setdefault(selection, _Known())
        self._known.move_to_end(selection)
        while len(self._known) > self._settings.kept:
            self._known.popitem(last=False)
        return known

    def _is_shown(self, known: _Known) -> bool:
        """Whether its total is of a moment not long ago."""
        return self._since_s(known.counted_at) <= self._settings.max_age_s

    def _may_count(self, known: _Known) -> bool:
        """Whether the last count was not just given up."""
        return self._since_s(known.given_up_at) > self._settings.max_age_s

    def _since_s(self, moment: float) -> float:
        return self._clock.boottime() - moment


def _total(counted: int, least: int) -> Total:
    """Rows may have come since they were counted."""
    return Total(max(counted, least), is_estimate=least > counted)
