"""Admission: permits for calls of the Execution Service, by one circuit.

Only calls of the batch endpoint count. Reconciliation goes on while the circuit is open, since it settles what is
unknown, and its calls do not count: a service that can list executions may still be unable to accept orders.
"""

import math
from collections.abc import Iterator
from contextlib import contextmanager

from trade_service.submission.circuit import (
    CallRating,
    CircuitBreaker,
    CircuitState,
    ConcurrencyLimit,
    Permit,
    load_of,
    rating_of,
)
from trade_service.submission.codes import AlarmCode
from trade_service.submission.engine_settings import CircuitSettings
from trade_service.submission.events import AlarmEvent, CircuitEvent, EventBus
from trade_service.submission.model import DEFERRED_MESSAGE, GatewayReply, refused_message
from trade_service.submission.ports import Clock


class Admission:
    """Circuit breaker and concurrency limit of this process, with its clock and its events. Used on one loop.

    Example:
        with admission.permit() as permit:
            if admission.breaker.holds(permit):
                admission.note(permit, await gateway.submit_batch(...), began)
    """

    def __init__(
        self, clock: Clock, events: EventBus, settings: CircuitSettings, max_concurrent: int
    ) -> None:
        self.breaker = CircuitBreaker(settings)
        self.concurrency = ConcurrencyLimit(max_concurrent, settings.retry_after_max_ms / 1000)
        self._slow_call_ms = settings.slow_from_ms
        self._clock = clock
        self._events = events
        self._refusal = ""

    @property
    def state(self) -> CircuitEvent:
        """The circuit as it is now."""
        until = self.breaker.until
        probe_in_ms = None if until is None else max(0, round((until - self._clock.monotonic()) * 1000))
        return CircuitEvent(self.breaker.state, self.breaker.reason, until, probe_in_ms)

    @property
    def deferred_message(self) -> str:
        """The message of an execution that is deferred by the circuit."""
        return refused_message(self._refusal) if self.breaker.refused else DEFERRED_MESSAGE

    def is_outage(self, since: float) -> bool:
        """Whether calls failed in general since then: a single failure proves little."""
        return self.breaker.state is not CircuitState.CLOSED or self.breaker.opened_at >= since

    @contextmanager
    def permit(self) -> Iterator[Permit | None]:
        """The permit of one batch, None while calls are not allowed; it ends with the block."""
        before = self.breaker.state
        permit = self.breaker.admit(self._clock.monotonic())
        if self.breaker.state is not before:
            self._events.emit(self.state)
        try:
            yield permit
        finally:
            if permit is not None:
                self.breaker.release(permit)

    def note(self, permit: Permit, reply: GatewayReply, began: float, *, is_repeat: bool = False) -> None:
        """Counts the reply to a call that began at `began`; `is_repeat` as in CircuitBreaker."""
        breaker, now, random = self.breaker, self._clock.monotonic(), self._clock.random()
        before, was_refused = breaker.state, breaker.refused
        rating, retry_after_s = rating_of(reply), reply.retry_after_s
        is_slow = (now - began) * 1000 >= self._slow_call_ms
        breaker.note(
            permit,
            rating,
            is_slow=is_slow,
            code=reply.code,
            retry_after_s=retry_after_s,
            now=now,
            random=random,
            is_repeat=is_repeat,
        )
        load = load_of(reply, rating, is_slow=is_slow)
        self.concurrency.note(load, began=began, retry_after_s=retry_after_s, now=now, random=random)
        if breaker.state is not before:
            self._events.emit(self.state)
        if rating is CallRating.HOPELESS:
            self._refusal = reply.message
        if breaker.refused and not was_refused:
            message = (
                f"the Execution Service rejects every call: {reply.message} ({reply.code}). Correct the "
                "configuration; until then everything waits, time budgets stand still, and single calls test "
                "whether it works again"
            )
            self._events.emit(AlarmEvent(AlarmCode.DOWNSTREAM_REFUSES_US, message))

    def slot_in_s(self, in_flight: int) -> float:
        """How long a sender waits before it takes work while `in_flight` others are busy.

        0: not at all; infinite: until one of the others is done. While no call is allowed a sender need not
        wait: what it takes is deferred, not sent.
        """
        now = self._clock.monotonic()
        if not self.breaker.may_call(now):
            return 0.0
        return math.inf if in_flight >= self.concurrency.limit else self.concurrency.pause_s(now)

    def deferred_ms(self) -> int:
        """How long the circuit defers executions."""
        return round(self.breaker.wait_s(self._clock.monotonic(), self._clock.random()) * 1000)

    def recovery_waits_ms(self, waiting: int) -> int | None:
        """How long recovery keeps its work; None if it may queue it beside `waiting` executions.

        While the circuit is not closed, only enough for one probe is queued.
        """
        if self.breaker.state is CircuitState.CLOSED:
            return None
        if not waiting and self.breaker.may_call(self._clock.monotonic()):
            return None
        return self.deferred_ms()
