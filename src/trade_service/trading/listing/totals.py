"""How many rows a list has: exact at every moment while that is soon counted, else at a moment not long ago."""

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Coroutine, Hashable
from types import TracebackType
from typing import Any, Self

import msgspec

from trade_service.submission.ports import Clock
from trade_service.trading.listing.flights import Flights

Count = Callable[[int | None], Coroutine[Any, Any, int]]
"""Counts; with a bound, no further than that."""


class TotalsSettings(msgspec.Struct, frozen=True, kw_only=True):
    """When a count is taken again; times in seconds."""

    counted_up_to: int = 10_000
    """Totals up to this are counted for each page: a few milliseconds at most."""
    fresh_s: float = 5.0
    """A larger one is taken as it is for this time, and counted again behind the back of whoever asks next."""
    max_age_s: float = 60.0
    """One older than this is not shown: the page waits for the new count."""
    quick_s: float = 0.25
    """A count that took longer is remembered too, however small: few rows may be found by reading all of them."""
    kept: int = 500
    at_once: int = 2
    """Large counts under way at the same time."""


class _Known(msgspec.Struct):
    total: int
    counted_at: float


class Totals:
    """Totals of lists, by list and filters. `async with` ends the counts that are under way."""

    def __init__(self, clock: Clock, settings: TotalsSettings) -> None:
        self._clock = clock
        self._settings = settings
        self._known: OrderedDict[Hashable, _Known] = OrderedDict()
        self._flights: Flights[int] = Flights("count")
        self._slots = asyncio.Semaphore(settings.at_once)

    async def __aenter__(self) -> Self:
        await self._flights.__aenter__()
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self._flights.__aexit__(exc_type, exc, traceback)

    async def of(self, key: Hashable, count: Count) -> int:
        """The total of the rows that `count` counts; whatever `count` raises when there is none to show."""
        settings = self._settings
        known = self._known.get(key)
        age_s = 0.0 if known is None else self._clock.boottime() - known.counted_at
        if known is not None and age_s <= settings.max_age_s:
            self._known.move_to_end(key)
            if age_s > settings.fresh_s:
                self._flights.join(key, lambda: self._counted(key, count))
            return known.total
        began = self._clock.boottime()
        few = await count(settings.counted_up_to + 1)
        if few <= settings.counted_up_to:
            self._note(key, few, began)
            return few
        return await asyncio.shield(self._flights.join(key, lambda: self._counted(key, count)))

    async def _counted(self, key: Hashable, count: Count) -> int:
        async with self._slots:
            began = self._clock.boottime()
            total = await count(None)
        self._note(key, total, began)
        return total

    def _note(self, key: Hashable, total: int, began: float) -> None:
        """Remembers a total that costs too much to be counted for every page."""
        settings = self._settings
        if total <= settings.counted_up_to and self._clock.boottime() - began <= settings.quick_s:
            self._known.pop(key, None)
            return
        self._known[key] = _Known(total, began)
        self._known.move_to_end(key)
        while len(self._known) > settings.kept:
            self._known.popitem(last=False)
