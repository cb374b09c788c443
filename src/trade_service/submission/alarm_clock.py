"""Waits for a poll, or for an earlier moment that is set meanwhile."""

import asyncio

from trade_service.submission.ports import Clock


class AlarmClock:
    """Wakes one loop. `set_in` may be called at any time from the same event loop."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._changed = asyncio.Event()
        self._at: float | None = None

    def set_in(self, delay_ms: int) -> None:
        """Ends the present or the next wait in `delay_ms`; an earlier moment stays."""
        at = self._clock.monotonic() + delay_ms / 1000
        if self._at is None or at < self._at:
            self._at = at
            self._changed.set()

    async def wait(self, poll_s: float) -> None:
        """Returns after `poll_s`, or at the moment that was set."""
        poll_at = self._clock.monotonic() + poll_s
        while True:
            at = poll_at if self._at is None else min(poll_at, self._at)
            pause = at - self._clock.monotonic()
            if pause <= 0:
                break
            self._changed.clear()
            try:
                async with asyncio.timeout(pause):
                    await self._changed.wait()
            except TimeoutError:
                break
        self._at = None
