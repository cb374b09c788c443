"""ConcurrencyLimit: how many batches may be on the way at once, from what came of those before. Pure.

Additive increase, multiplicative decrease, as in TCP. Times are seconds of one clock that only grows.
"""

from enum import StrEnum

DECREASE = 0.5
FIRST_PAUSE_S = 0.1
"""Pause after a request for patience that does not say how long; it doubles from one to the next."""
MAX_DOUBLINGS = 32


class Load(StrEnum):
    """What one call says of how much the service can bear."""

    FINE = "fine"
    """Answered, in good time."""
    TOO_MUCH = "too_much"
    """Lost, slow, or turned away for lack of capacity."""
    THROTTLED = "throttled"
    """It asks to be called less often."""
    UNTOLD = "untold"
    """Nothing."""


class ConcurrencyLimit:
    """A number of calls between 1 and `maximum`, and a time before which none may begin."""

    def __init__(self, maximum: int, max_pause_s: float) -> None:
        self._maximum = maximum
        self._max_pause_s = max_pause_s
        self._limit = float(maximum)
        self._decreased_at = float("-inf")
        self._paused_until = float("-inf")
        self._throttlings = 0

    @property
    def limit(self) -> int:
        """How many calls may be on the way at once."""
        return int(self._limit)

    def pause_s(self, now: float) -> float:
        """How long no call may begin; 0 when one may."""
        return max(0.0, self._paused_until - now)

    def note(self, load: Load, *, began: float, retry_after_s: float | None, now: float, dice: float) -> None:
        """Takes what came of a call that began at `began`.

        Calls that began before the last decrease met the load that it was the answer to: they change the
        limit no more. A Retry-After always counts.
        """
        if retry_after_s is not None:
            self._pause(now, retry_after_s)
        if load is Load.UNTOLD or began < self._decreased_at:
            return
        if load is Load.FINE:
            self._throttlings = 0
            self._limit = min(self._maximum, self._limit + 1 / self._limit)
            return
        self._limit = max(1.0, self._limit * DECREASE)
        self._decreased_at = now
        if load is Load.THROTTLED and not retry_after_s:
            step_s = FIRST_PAUSE_S * 2 ** min(self._throttlings, MAX_DOUBLINGS)
            self._throttlings += 1
            self._pause(now, step_s * (0.5 + 0.5 * dice))

    def _pause(self, now: float, seconds: float) -> None:
        self._paused_until = max(self._paused_until, now + min(seconds, self._max_pause_s))
