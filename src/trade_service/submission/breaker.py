"""CircuitBreaker: whether the Execution Service may be called now, from what came of the calls before. Pure.

Times are seconds of one clock that only grows, dice are numbers in [0, 1): both arrive as arguments.
"""

from collections import deque
from enum import StrEnum

import msgspec

from trade_service.submission.model import GatewayReply, ReplyKind

THROTTLED_STATUS = 429
GROWTH = 2
"""Each time that the circuit opens again without having closed, it stays open so many times longer."""
MAX_DOUBLINGS = 32


class CircuitState(StrEnum):
    """Whether calls go out."""

    CLOSED = "closed"
    """They do."""
    OPEN = "open"
    """None does."""
    HALF_OPEN = "half_open"
    """A few do, to find out."""


class CallRating(StrEnum):
    """What one call says of the service's health."""

    GOOD = "good"
    """It did its work, whatever it thought of the executions."""
    BAD = "bad"
    """It did not, or nobody can tell."""
    HOPELESS = "hopeless"
    """It will not until somebody changes something: more calls only spoil more executions."""
    NEUTRAL = "neutral"
    """Neither: it asked for patience, refused the request for what is in it, or had no part in it."""


class CircuitSettings(msgspec.Struct, frozen=True):
    """When the circuit opens, and for how long; rates in percent of the last `window_calls` calls."""

    slow_call_ms: int
    enabled: bool = True
    window_calls: int = 20
    minimum_calls: int = 10
    """Below this many calls no rate counts; a hopeless one always does."""
    failure_rate_pct: float = 50.0
    slow_rate_pct: float = 80.0
    open_ms: int = 2000
    open_max_ms: int = 30_000
    half_open_probes: int = 2
    """Probes on the way at once, and good ones in a row that close the circuit."""
    retry_after_max_ms: int = 300_000
    """A longer Retry-After is cut to this."""


class Permit(msgspec.Struct, frozen=True):
    """Leave for one call, good as long as the circuit does not change."""

    epoch: int
    is_probe: bool


def rating_of(reply: GatewayReply) -> CallRating:
    """What a reply of the batch call says of the service's health, its duration aside."""
    match reply.kind:
        case ReplyKind.ANSWERED:
            return CallRating.GOOD
        case ReplyKind.REFUSED_WHOLE:
            return CallRating.NEUTRAL
        case ReplyKind.CONFIGURATION:
            return CallRating.HOPELESS
        case ReplyKind.NOT_SENT:
            asked_for_patience = reply.http_status == THROTTLED_STATUS
            return CallRating.NEUTRAL if asked_for_patience or reply.own_doing else CallRating.BAD
        case ReplyKind.UNCLEAR | ReplyKind.LOST:
            return CallRating.BAD


class CircuitBreaker:
    """Closed, open, half-open: opens on the rate of failed or slow calls, closes after good probes."""

    def __init__(self, settings: CircuitSettings) -> None:
        self._settings = settings
        self._state = CircuitState.CLOSED
        self._epoch = 0
        self._window: deque[tuple[bool, bool]] = deque()
        self._failed = 0
        self._slow = 0
        self._openings = 0
        self._probing = 0
        self._good_probes = 0
        self._until = 0.0
        self._reason = ""
        self._opened_at = self._good_at = float("-inf")
        self._refused = False

    @property
    def state(self) -> CircuitState:
        """The state; an open circuit whose time is over becomes half-open with the next call."""
        return self._state

    @property
    def refused(self) -> bool:
        """Whether the last telling call was turned away for a reason that only a new configuration ends."""
        return self._refused

    @property
    def opened_at(self) -> float:
        """When the circuit last opened; -inf before the first time."""
        return self._opened_at

    @property
    def until(self) -> float | None:
        """When an open circuit lets the first probe through; None in the other states."""
        return self._until if self._state is CircuitState.OPEN else None

    @property
    def reason(self) -> str:
        """Why it opened; empty while closed."""
        return self._reason

    def may_call(self, now: float) -> bool:
        """Whether `admit` would let a call through."""
        if self._state is CircuitState.CLOSED:
            return True
        if self._state is CircuitState.OPEN:
            return now >= self._until
        return self._probing < self._settings.half_open_probes

    def admit(self, now: float) -> Permit | None:
        """Leave for a call, to be given back with `release`; None when there is to be none now."""
        if not self.may_call(now):
            return None
        if self._state is CircuitState.OPEN:
            self._change(CircuitState.HALF_OPEN)
        is_probe = self._state is CircuitState.HALF_OPEN
        self._probing += is_probe
        return Permit(self._epoch, is_probe)

    def holds(self, permit: Permit) -> bool:
        """Whether the circuit is as it was when the permit was given."""
        return permit.epoch == self._epoch

    def release(self, permit: Permit) -> None:
        """Ends a permit, whether or not a call was made with it. At most once for each."""
        if permit.is_probe and self.holds(permit):
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
        dice: float,
        is_repeat: bool = False,
    ) -> None:
        """Takes what came of a call. One begun before the circuit last changed is no evidence any more.

        `is_repeat`: it carried one execution that had failed alone before. While other calls get through, its
        failure speaks of that execution: a few that can never succeed would hold up everybody else.
        """
        if not self._settings.enabled:
            self._note_disabled(rating, is_slow=is_slow, code=code, now=now)
            return
        if rating is CallRating.GOOD:
            self._good_at = now
        elif rating is CallRating.BAD and is_repeat and not permit.is_probe:
            gets_through = now - self._good_at < self._settings.open_max_ms / 1000
            rating = CallRating.NEUTRAL if gets_through else rating
        if not self.holds(permit):
            if self._state is CircuitState.OPEN and retry_after_s is not None:
                self._until = max(self._until, now + self._bounded_s(retry_after_s))
            return
        reason = (
            self._probed(rating, is_slow, code) if permit.is_probe else self._counted(rating, is_slow, code)
        )
        if reason:
            self._refused = rating is CallRating.HOPELESS
            self._open(reason, retry_after_s, now, dice)
        elif self._good_probes >= self._settings.half_open_probes:
            self._openings = 0
            self._reason = ""
            self._refused = False
            self._change(CircuitState.CLOSED)

    def wait_s(self, now: float, dice: float) -> float:
        """How long to hold back what was not let through: until a probe may go, and spread from there on."""
        first_step_s = self._settings.open_ms / 1000
        if self._state is CircuitState.OPEN and now < self._until:
            return self._until - now + dice * self._step_s() / 2
        return first_step_s * (0.5 + 0.5 * dice)

    def _counted(self, rating: CallRating, is_slow: bool, code: str) -> str:
        """Why a call of the closed circuit opens it; empty when it does not."""
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
        """Why a probe opens the circuit again; empty when it does not."""
        if rating in (CallRating.BAD, CallRating.HOPELESS):
            return f"a probe failed with {code}"
        if rating is CallRating.NEUTRAL:
            return ""
        if is_slow:
            return f"a probe took {self._settings.slow_call_ms} ms or longer"
        self._good_probes += 1
        return ""

    def _note_disabled(self, rating: CallRating, *, is_slow: bool, code: str, now: float) -> None:
        """Notes when the circuit would have opened: the retries of an outage ask for it all the same."""
        if rating is not CallRating.NEUTRAL:
            self._refused = rating is CallRating.HOPELESS
        if self._counted(rating, is_slow, code):
            self._opened_at = now
            self._clear()

    def _open(self, reason: str, retry_after_s: float | None, now: float, dice: float) -> None:
        self._openings += 1
        self._opened_at = now
        self._reason = reason
        wait_s = self._step_s() * (0.5 + 0.5 * dice)
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
        self._state = state
        self._epoch += 1
        self._probing = self._good_probes = 0
        self._clear()

    def _clear(self) -> None:
        self._window.clear()
        self._failed = self._slow = 0
