"""Decides whether and when a service is called, and how many calls run at once, from earlier calls. Pure.

CircuitBreaker judges failure rates and probes, ConcurrencyLimit the number of calls at once. Times are in seconds
of a monotonic clock; `random` is a number in [0, 1).
"""

import math
from collections import deque
from enum import StrEnum

import msgspec

from trade_service.submission.engine_settings import CircuitSettings
from trade_service.submission.model import GatewayReply, ReplyKind

THROTTLED_STATUS = 429
UNAVAILABLE_STATUS = 503
GROWTH = 2
"""Factor of the time open from one failed probe to the next."""
MAX_DOUBLINGS = 32
DECREASE = 0.5
FIRST_PAUSE_S = 0.1
"""Pause after a 429 without Retry-After; it doubles each time."""


class CircuitState(StrEnum):
    """Whether calls are made."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half_open"
    """Only a few probes are made."""


class CallRating(StrEnum):
    """What a call shows about the service's health."""

    GOOD = "good"
    """It answered, whether or not it accepted."""
    BAD = "bad"
    """It failed, or its outcome is unclear."""
    HOPELESS = "hopeless"
    """Every call fails until the configuration is corrected."""
    NEUTRAL = "neutral"
    """Nothing: throttled, the request itself was at fault, or the call never reached the service."""


class Load(StrEnum):
    """What a call shows about the service's capacity."""

    FINE = "fine"
    """Answered in good time."""
    TOO_MUCH = "too_much"
    """Lost, slow, or refused for lack of capacity."""
    THROTTLED = "throttled"
    """429."""
    UNKNOWN = "unknown"
    """Nothing."""


class Permit(msgspec.Struct, frozen=True):
    """Permission for one call, valid until the circuit changes."""

    epoch: int
    is_probe: bool


def rating_of(reply: GatewayReply) -> CallRating:
    """Rates a reply to the batch call, regardless of its duration."""
    match reply.kind:
        case ReplyKind.ANSWERED:
            return CallRating.GOOD
        case ReplyKind.REFUSED_WHOLE:
            return CallRating.NEUTRAL
        case ReplyKind.CONFIGURATION:
            return CallRating.HOPELESS
        case ReplyKind.NOT_SENT:
            is_throttled = reply.http_status == THROTTLED_STATUS
            return CallRating.NEUTRAL if is_throttled or reply.own_doing else CallRating.BAD
        case ReplyKind.UNCLEAR | ReplyKind.LOST:
            return CallRating.BAD


class CircuitBreaker:
    """Opens at a rate of failed or slow calls; closes after successful probes."""

    def __init__(self, settings: CircuitSettings) -> None:
        self._settings = settings
        self.state = CircuitState.CLOSED
        """An open circuit whose time is over becomes half-open with the next call."""
        self.reason = ""
        """Why it opened; empty while closed."""
        self.opened_at = -math.inf
        """When it last opened."""
        self.refused = False
        """Whether calls fail until the configuration is corrected."""
        self._good_at = -math.inf
        self._epoch = 0
        self._window: deque[tuple[bool, bool]] = deque()
        self._failed = self._slow = 0
        self._openings = 0
        self._probing = self._good_probes = 0
        self._until = 0.0

    @property
    def until(self) -> float | None:
        """When an open circuit allows its first probe; None in the other states."""
        return self._until if self.state is CircuitState.OPEN else None

    def may_call(self, now: float) -> bool:
        """Whether `admit` would allow a call."""
        if self.state is CircuitState.CLOSED:
            return True
        if self.state is CircuitState.OPEN:
            return now >= self._until
        return self._probing < self._settings.half_open_probes

    def admit(self, now: float) -> Permit | None:
        """A permit for one call, to be released; None while calls are not allowed."""
        if not self.may_call(now):
            return None
        if self.state is CircuitState.OPEN:
            self._change(CircuitState.HALF_OPEN)
        is_probe = self.state is CircuitState.HALF_OPEN
        self._probing += is_probe
        return Permit(self._epoch, is_probe)

    def holds(self, permit: Permit | None) -> bool:
        """Whether the permit is still valid: the circuit has not changed since it was issued."""
        return permit is not None and permit.epoch == self._epoch

    def release(self, permit: Permit) -> None:
        """Ends a permit, used or not; once for each."""
        if permit.is_probe and permit.epoch == self._epoch:
            self._probing -= 1

    def note(
        self,
        permit: Permit,
        rating: CallRating,
        *,
        is_slow: bool,
        code: str,
        retry_after_s: float | None,
        now: float,
        random: float,
        is_repeat: bool = False,
    ) -> None:
        """Counts a call's result, unless the circuit changed since it began.

        `is_repeat`: it carried one execution that had failed alone before. While other calls succeed, its failure
        is blamed on that execution, or a few that can never succeed would block all others.
        """
        if not self._settings.enabled:
            self._note_disabled(rating, is_slow=is_slow, code=code, now=now)
            return
        if rating is CallRating.GOOD:
            self._good_at = now
        elif rating is CallRating.BAD and is_repeat and not permit.is_probe:
            others_succeed = now - self._good_at < self._settings.open_max_ms / 1000
            rating = CallRating.NEUTRAL if others_succeed else rating
        if permit.epoch != self._epoch:
            if self.state is CircuitState.OPEN and retry_after_s is not None:
                self._until = max(self._until, now + self._bounded_s(retry_after_s))
            return
        reason = (
            self._probed(rating, is_slow, code) if permit.is_probe else self._counted(rating, is_slow, code)
        )
        if reason:
            self.refused = rating is CallRating.HOPELESS
            self._open(reason, retry_after_s, now, random)
        elif self._good_probes >= self._settings.half_open_probes:
            self._openings = 0
            self.reason = ""
            self.refused = False
            self._change(CircuitState.CLOSED)

    def wait_s(self, now: float, random: float) -> float:
        """How long a deferred call waits: until probes are allowed, plus a random part."""
        first_step_s = self._settings.open_ms / 1000
        if self.state is CircuitState.OPEN and now < self._until:
            return self._until - now + random * self._step_s() / 2
        return first_step_s * (0.5 + 0.5 * random)

    def _counted(self, rating: CallRating, is_slow: bool, code: str) -> str:
        """Why a call opens the closed circuit; empty if it does not."""
        if rating is CallRating.HOPELESS:
            return f"{code}: it will fail until the configuration is changed"
        if rating is CallRating.NEUTRAL:
            return ""
        settings = self._settings
        self._window.append((rating is CallRating.BAD, is_slow))
        self._failed += rating is CallRating.BAD
        self._slow += is_slow
        if len(self._window) > settings.window_calls:
            was_bad, was_slow = self._window.popleft()
            self._failed -= was_bad
            self._slow -= was_slow
        calls = len(self._window)
        if calls < settings.minimum_calls:
            return ""
        if self._failed * 100 >= settings.failure_rate_pct * calls:
            return f"{self._failed} of the last {calls} calls failed, the last one with {code}"
        if self._slow * 100 >= settings.slow_rate_pct * calls:
            return f"{self._slow} of the last {calls} calls took {settings.slow_call_ms} ms or longer"
        return ""

    def _probed(self, rating: CallRating, is_slow: bool, code: str) -> str:
        """Why a probe opens the circuit again; empty if it does not."""
        if rating in (CallRating.BAD, CallRating.HOPELESS):
            return f"a probe failed with {code}"
        if rating is CallRating.NEUTRAL:
            return ""
        if is_slow:
            return f"a probe took {self._settings.slow_call_ms} ms or longer"
        self._good_probes += 1
        return ""

    def _note_disabled(self, rating: CallRating, *, is_slow: bool, code: str, now: float) -> None:
        """Records when the circuit would have opened: retries must know about outages."""
        if rating is not CallRating.NEUTRAL:
            self.refused = rating is CallRating.HOPELESS
        if self._counted(rating, is_slow, code):
            self.opened_at = now
            self._clear()

    def _open(self, reason: str, retry_after_s: float | None, now: float, random: float) -> None:
        self._openings += 1
        self.opened_at = now
        self.reason = reason
        wait_s = self._step_s() * (0.5 + 0.5 * random)
        if retry_after_s is not None:
            wait_s = max(wait_s, self._bounded_s(retry_after_s))
        self._until = now + wait_s
        self._change(CircuitState.OPEN)

    def _step_s(self) -> float:
        doublings = min(max(self._openings, 1) - 1, MAX_DOUBLINGS)
        step_ms: int = self._settings.open_ms * GROWTH**doublings
        return min(self._settings.open_max_ms, step_ms) / 1000

    def _bounded_s(self, retry_after_s: float) -> float:
        return min(retry_after_s, self._settings.retry_after_max_ms / 1000)

    def _change(self, state: CircuitState) -> None:
        self.state = state
        self._epoch += 1
        self._probing = self._good_probes = 0
        self._clear()

    def _clear(self) -> None:
        self._window.clear()
        self._failed = self._slow = 0


class ConcurrencyLimit:
    """How many calls may be in flight, from 1 to `maximum`, and when the next may begin.

    Additive increase, multiplicative decrease, as in TCP.
    """

    def __init__(self, maximum: int, max_pause_s: float) -> None:
        self._maximum = maximum
        self._max_pause_s = max_pause_s
        self._exact_limit = float(maximum)
        self.limit = maximum
        """How many calls may be in flight at once."""
        self._decreased_at = self._paused_until = -math.inf
        self._throttlings = 0

    def pause_s(self, now: float) -> float:
        """How long until a call may begin; 0 if one may now."""
        return max(0.0, self._paused_until - now)

    def note(
        self, load: Load, *, began: float, retry_after_s: float | None, now: float, random: float
    ) -> None:
        """Counts a call that began at `began`.

        Calls that began before the last decrease met the same load, so they do not lower the limit again. A
        Retry-After always counts.
        """
        if retry_after_s is not None:
            self._pause(now, retry_after_s)
        if load is Load.UNKNOWN or began < self._decreased_at:
            return
        if load is Load.FINE:
            self._throttlings = 0
            self._exact_limit = min(self._maximum, self._exact_limit + 1 / self._exact_limit)
            self.limit = int(self._exact_limit)
            return
        self._exact_limit = max(1.0, self._exact_limit * DECREASE)
        self.limit = int(self._exact_limit)
        self._decreased_at = now
        if load is Load.THROTTLED and not retry_after_s:
            step_s = FIRST_PAUSE_S * 2 ** min(self._throttlings, MAX_DOUBLINGS)
            self._throttlings += 1
            self._pause(now, step_s * (0.5 + 0.5 * random))

    def _pause(self, now: float, seconds: float) -> None:
        self._paused_until = max(self._paused_until, now + min(seconds, self._max_pause_s))


def load_of(reply: GatewayReply, rating: CallRating, *, is_slow: bool) -> Load:
    """What a reply says about the service's capacity."""
    if reply.http_status == THROTTLED_STATUS:
        return Load.THROTTLED
    if reply.kind is ReplyKind.LOST or reply.http_status == UNAVAILABLE_STATUS or is_slow:
        return Load.TOO_MUCH
    return Load.FINE if rating is CallRating.GOOD else Load.UNKNOWN
