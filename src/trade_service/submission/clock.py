"""The machine's clock, random numbers and ids; what wakes recovery; how long attempts were observed."""

import asyncio
import os
import random
import time
from collections.abc import Callable, Iterable
from functools import partial

from trade_service.submission.model import AttemptId, DueAttempt
from trade_service.submission.ports import Clock


class SystemClock:
    """The port Clock."""

    monotonic: Callable[[], float] = staticmethod(
        partial(time.clock_gettime, getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))
    )
    """Seconds since boot, suspension included where the system can tell."""
    random: Callable[[], float] = staticmethod(random.SystemRandom().random)
    """A number in [0, 1)."""

    def new_attempt_id(self) -> str:
        """A UUID of version 7: 48 bits of Unix milliseconds, then random bits (RFC 9562)."""
        millis = time.time_ns() // 1_000_000
        bits = (millis << 80) | int.from_bytes(os.urandom(10))
        bits = (bits & ~(0xF << 76) | (0x7 << 76)) & ~(0x3 << 62) | (0x2 << 62)
        digits = f"{bits:032x}"
        return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"

    async def sleep(self, seconds: float) -> None:
        """Waits without blocking the loop."""
        await asyncio.sleep(seconds)


class AlarmClock:
    """Wakes one loop for its next poll, or earlier. `set_in` may be called at any time on the same event loop."""

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


class ObservationClock:
    """How long this process has observed each attempt by its own clock: absence counts only after that.

    The database's clock alone decides nothing: it may jump ahead while a call is under way.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._under_way: dict[AttemptId, float] = {}
        self._since: dict[tuple[AttemptId, bool], float] = {}
        self._claimed_at: dict[AttemptId, float] = {}

    def note_under_way(self, attempt_ids: Iterable[AttemptId]) -> None:
        """Takes the calls that are under way now, all of them.

        The lease of one that is lost is then over by our own clock about when it is by the database's, and not a
        whole lease after it was found lost.
        """
        now = self._clock.monotonic()
        self._under_way = {attempt_id: self._under_way.get(attempt_id, now) for attempt_id in attempt_ids}

    def begin(self, attempt: DueAttempt) -> None:
        """Observes an attempt from now on, or from when its call was first seen under way."""
        now = self._clock.monotonic()
        since = self._under_way.get(attempt.attempt_id, now) if attempt.lease_ms else now
        self._since.setdefault(_observed_as(attempt), since)
        self._claimed_at.setdefault(attempt.attempt_id, now - attempt.age_s)

    def claimed_at(self, attempt: DueAttempt) -> float:
        """When the attempt was claimed, unless the database's clock jumped since: no proof rests on it."""
        return self._claimed_at.get(attempt.attempt_id, self._clock.monotonic())

    def left_ms(self, attempt: DueAttempt) -> int:
        """How much longer it must be observed: 0 or less when absence counts.

        The settle time; and before it a whole lease where its owner did not record, since until then bytes of
        the call may leave.
        """
        now = self._clock.monotonic()
        observed_s = now - self._since.get(_observed_as(attempt), now)
        return attempt.lease_ms + attempt.settle_ms - round(observed_s * 1000)

    def forget(self, attempt_id: AttemptId) -> None:
        """Ends the observation of an attempt that is closed."""
        self._claimed_at.pop(attempt_id, None)
        for recorded in (False, True):
            self._since.pop((attempt_id, recorded), None)


def _observed_as(attempt: DueAttempt) -> tuple[AttemptId, bool]:
    """Observation of an attempt restarts once its owner has recorded after all: until then bytes may have left."""
    return attempt.attempt_id, not attempt.lease_ms
