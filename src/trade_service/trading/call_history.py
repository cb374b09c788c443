"""Remembers intervals of the journal that are over, so that a reader of the present reads few rows."""

import math
import time
from collections.abc import Callable, Iterable

from trade_service.trading.activity import (
    FINE_S,
    WINDOWS,
    CallReads,
    Calls,
    Interval,
    SeriesPoint,
    Window,
    by_replica,
    total,
)

LIVE_S = 10
"""Age at which an interval is complete: by then the clocks of all replicas are past it."""
RECENT_S = 2
"""Age up to which an interval is read for every question. Later it is read once more, when it is complete: that
shows calls of replicas whose clocks are further behind, and those whose claims took longer."""
REUSED_S = 0.2
"""How long what was read of the present serves further questions."""
MINUTE_S = 60
KEPT_S = 1_000
"""How long fine intervals are remembered."""
OPEN_S = 3_600
"""Age up to which an interval is read again for the calls in it that have no outcome yet."""
READ_AT_ONCE = 10
"""Coarse intervals that one statement reads."""


class _Intervals:
    """Intervals of one length; those that may still change are read again when they are due."""

    def __init__(self, length_s: int, kept_s: int) -> None:
        self.length_s = length_s
        self._kept_s = kept_s
        self._intervals: dict[int, Interval] = {}
        self._due: dict[int, float] = {}

    def starts(self, since: float, until: float) -> range:
        """The starts of the intervals from the one with the moment `since` on."""
        return range(int(since - since % self.length_s), int(until) + 1, self.length_s)

    def wanted(self, starts: Iterable[int], now: float) -> list[int]:
        """Those that are not known, or may have changed."""
        return [
            start
            for start in starts
            if start not in self._intervals or (self._due.get(start, now) < now < start + OPEN_S)
        ]

    def has(self, starts: Iterable[int]) -> bool:
        return all(start in self._intervals for start in starts)

    def set(self, start: int, interval: Interval, *, now: float) -> None:
        self._intervals[start] = interval
        age_s = now - start - self.length_s
        if age_s < RECENT_S or any(calls.open_attempts for calls in interval.values()):
            self._due[start] = -math.inf
        elif age_s < LIVE_S:
            self._due[start] = now + LIVE_S - age_s
        else:
            self._due.pop(start, None)

    def get(self, start: int) -> Interval:
        return self._intervals.get(start, {})

    def forget_old(self, now: float) -> None:
        oldest = now - self._kept_s - self.length_s
        for start in [start for start in self._intervals if start < oldest]:
            del self._intervals[start]
            self._due.pop(start, None)


class CallHistory:
    """Remembers what the journal said of intervals that are over, so that a reader of the present reads few rows.

    Not to be used by several tasks at once.

    Args:
        reads: the journal.
        now: seconds since 1970. An attempt's id has the time of the replica that made it.
    """

    def __init__(self, reads: CallReads, now: Callable[[], float] = time.time) -> None:
        self._reads = reads
        self._now = now
        self._read_at = -math.inf
        self._fine = _Intervals(FINE_S, KEPT_S)
        self._coarse = {
            window.interval_s: _Intervals(window.interval_s, window.length_s + window.step_s)
            for window in WINDOWS.values()
            if window.interval_s != FINE_S
        }

    async def last_minute(self) -> tuple[dict[str, Calls], float]:
        """The calls of the last minute by replica, and how many seconds these are."""
        now, starts = await self._read_fine(MINUTE_S)
        return by_replica(map(self._fine.get, starts)), now - starts[0]

    async def points(self, window: Window) -> tuple[list[SeriesPoint], bool]:
        """The points of a window whose calls are known, oldest first, and whether those are all.

        Reads a bounded part of what is missing, the newest first: call it again until all is known.
        """
        if window.interval_s == FINE_S:
            now, _ = await self._read_fine(window.length_s + window.step_s)
            intervals = self._fine
        else:
            now, intervals = await self._read_coarse(window)
        first = now - window.length_s
        points = []
        for at in range(int(first - first % window.step_s), int(now) + 1, window.step_s):
            parts = range(at, min(at + window.step_s, int(now) + 1), intervals.length_s)
            if intervals.has(parts):
                points.append(SeriesPoint.of(at, total(map(intervals.get, parts))))
        return points, len(points) > window.length_s // window.step_s

    async def _read_fine(self, length_s: float) -> tuple[float, range]:
        now, fine = self._now(), self._fine
        starts = fine.starts(now - length_s, now)
        wanted = fine.wanted(starts, now)
        if now - self._read_at < REUSED_S:
            wanted = [start for start in wanted if not fine.has([start])]
        else:
            self._read_at = now
        found = await self._reads.calls(wanted, FINE_S)
        for start in wanted:
            fine.set(start, found.get(start, {}), now=now)
        fine.forget_old(now)
        return now, starts

    async def _read_coarse(self, window: Window) -> tuple[float, _Intervals]:
        """Makes intervals from the fine ones where those are known; of the others it reads a bounded number."""
        now, _ = await self._read_fine(MINUTE_S)
        intervals = self._coarse[window.interval_s]
        missing = []
        for start in intervals.wanted(intervals.starts(now - window.length_s - window.step_s, now), now):
            parts = self._fine.starts(start, min(start + intervals.length_s - 1, now))
            if not self._fine.has(parts):
                missing.append(start)
                continue
            intervals.set(start, by_replica(map(self._fine.get, parts)), now=now)
        newest = missing[-READ_AT_ONCE:]
        found = await self._reads.calls(newest, intervals.length_s)
        for start in newest:
            intervals.set(start, found.get(start, {}), now=now)
        intervals.forget_old(now)
        return now, intervals
