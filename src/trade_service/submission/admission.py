"""Admission: whether, and how often at once, the Execution Service is called now.

Calls of the batch endpoint are its only evidence. Look-ups go on while the circuit is open, since they
decide what is unknown, and say nothing here: a service that can read its books may still not take orders.
"""

import math

from trade_service.submission.breaker import (
    THROTTLED_STATUS,
    CallRating,
    CircuitBreaker,
    CircuitSettings,
    CircuitState,
    Permit,
    rating_of,
)
from trade_service.submission.codes import AlarmCode
from trade_service.submission.concurrency import ConcurrencyLimit, Load
from trade_service.submission.events import AlarmEvent, CircuitEvent, EventBus
from trade_service.submission.model import PUT_OFF_MESSAGE, GatewayReply, ReplyKind, refused_message
from trade_service.submission.ports import Clock

UNAVAILABLE_STATUS = 503


class Admission:
    """The circuit and the limit of this process, fed with every batch call. Used on one loop."""

    def __init__(
        self, clock: Clock, events: EventBus, settings: CircuitSettings, max_concurrent: int
    ) -> None:
        self._clock = clock
        self._events = events
        self._slow_call_ms = settings.slow_call_ms
        self._breaker = CircuitBreaker(settings)
        self._limit = ConcurrencyLimit(max_concurrent, settings.retry_after_max_ms / 1000)
        self._refusal = ""

    @property
    def circuit(self) -> CircuitEvent:
        """The circuit as it is now."""
        until = self._breaker.until
        probe_in_ms = None if until is None else max(0, round((until - self._clock.boottime()) * 1000))
        return CircuitEvent(self._breaker.state, self._breaker.reason, until, probe_in_ms)

    @property
    def is_refused(self) -> bool:
        """Whether the Execution Service takes nothing until the configuration is corrected."""
        return self._breaker.refused

    @property
    def put_off_message(self) -> str:
        """What to say of an execution that the circuit did not let through."""
        return refused_message(self._refusal) if self.is_refused else PUT_OFF_MESSAGE

    def is_outage(self, since: float) -> bool:
        """Whether calls failed in general since that time of the boot clock: one that failed proves little."""
        return self._breaker.state is not CircuitState.CLOSED or self._breaker.opened_at >= since

    @property
    def concurrency_limit(self) -> int:
        """How many batches may be on the way at once now."""
        return self._limit.limit

    def admit(self) -> Permit | None:
        """Leave for one call, to be given back with `release`; None when nothing may be sent now."""
        before = self._breaker.state
        permit = self._breaker.admit(self._clock.boottime())
        self._tell_change(before)
        return permit

    def holds(self, permit: Permit) -> bool:
        """Whether a call may still be made with the permit."""
        return self._breaker.holds(permit)

    def release(self, permit: Permit) -> None:
        """Ends a permit, whether or not a call was made with it."""
        self._breaker.release(permit)

    def note(self, permit: Permit, reply: GatewayReply, began: float, *, is_repeat: bool = False) -> None:
        """Takes the reply to a call that began at `began` by the boot clock.

        `is_repeat`: the call carried one execution that had failed alone before.
        """
        now, dice = self._clock.boottime(), self._clock.dice()
        before, rating = self._breaker.state, rating_of(reply)
        was_refused = self.is_refused
        is_slow = (now - began) * 1000 >= self._slow_call_ms
        self._breaker.note(
            permit,
            rating,
            is_slow=is_slow,
            code=reply.code,
            retry_after_s=reply.retry_after_s,
            now=now,
            dice=dice,
            is_repeat=is_repeat,
        )
        self._limit.note(
            _load_of(reply, rating, is_slow),
            began=began,
            retry_after_s=reply.retry_after_s,
            now=now,
            dice=dice,
        )
        self._tell_change(before)
        if rating is CallRating.HOPELESS:
            self._refusal = reply.message
        if self.is_refused and not was_refused:
            self._alarm_refused(reply)

    def slot_in_s(self, in_flight: int) -> float:
        """How long a sender waits before it may take work while `in_flight` others are at theirs.

        0 when it may now; infinite when one of the others has to end first. While the circuit lets nothing
        through it may: what it takes is not sent, only told and put off.
        """
        now = self._clock.boottime()
        if not self._breaker.may_call(now):
            return 0.0
        return math.inf if in_flight >= self._limit.limit else self._limit.pause_s(now)

    def put_off_ms(self) -> int:
        """When to try again what the circuit did not let through."""
        return round(self._breaker.wait_s(self._clock.boottime(), self._clock.dice()) * 1000)

    def hold_back_ms(self, waiting: int) -> int | None:
        """How long recovery keeps its work to itself; None when it may be queued, where `waiting` stand now.

        Of a circuit that is not closed only a probe's worth is let out.
        """
        if self._breaker.state is CircuitState.CLOSED:
            return None
        if not waiting and self._breaker.may_call(self._clock.boottime()):
            return None
        return self.put_off_ms()

    def _alarm_refused(self, reply: GatewayReply) -> None:
        message = (
            f"the Execution Service takes nothing from this service: {reply.message} ({reply.code}). Correct the "
            "configuration; until then everything waits, its time budget stands still, and single calls try "
            "whether it works again"
        )
        self._events.emit(AlarmEvent(AlarmCode.DOWNSTREAM_REFUSES_US, message))

    def _tell_change(self, before: CircuitState) -> None:
        if self._breaker.state is not before:
            self._events.emit(self.circuit)


def _load_of(reply: GatewayReply, rating: CallRating, is_slow: bool) -> Load:
    if reply.http_status == THROTTLED_STATUS:
        return Load.THROTTLED
    if reply.kind is ReplyKind.LOST or reply.http_status == UNAVAILABLE_STATUS or is_slow:
        return Load.TOO_MUCH
    return Load.FINE if rating is CallRating.GOOD else Load.UNTOLD
