"""Admission: permits for calls of the Execution Service, by one circuit.

Only calls of the batch endpoint count. Reconciliation goes on while the circuit is open, since it settles what is
unknown, and its calls do not count: a service that can list executions may still be unable to accept orders.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from trade_service.submission.circuit import (
    CallRating,
    Circuit,
    CircuitState,
    Permit,
    rating_of,
)
from trade_service.submission.codes import AlarmCode
from trade_service.submission.engine_settings import CircuitSettings
from trade_service.submission.events import AlarmEvent, CircuitEvent, EventBus
from trade_service.submission.model import DEFERRED_MESSAGE, GatewayReply, refused_message
from trade_service.submission.ports import Clock


class CallPermit:
    """The permit of one batch: whether its call may be made, and where its reply is counted."""

    def __init__(self, admission: "Admission", permit: Permit | None) -> None:
        self._admission = admission
        self._permit = permit

    @property
    def is_granted(self) -> bool:
        """Whether a call may be made now: asked again right before it, since the circuit may have changed."""
        return self._permit is not None and self._admission.circuit.breaker.holds(self._permit)

    @property
    def was_granted(self) -> bool:
        """Whether a call was allowed when the permit was issued."""
        return self._permit is not None

    @property
    def is_probe(self) -> bool:
        """Whether the call tests whether the service works again."""
        return self._permit is not None and self._permit.is_probe

    def note(self, reply: GatewayReply, began: float, *, is_repeat: bool = False) -> None:
        """Counts the reply to the call, which began at `began` by the boot clock.

        `is_repeat`: it carried one execution that had failed alone before.
        """
        assert self._permit is not None
        self._admission.note(self._permit, reply, began, is_repeat=is_repeat)


class Admission:
    """The circuit of this process with its clock and its events. Used on one loop.

    Example:
        with admission.permit() as permit:
            if permit.is_granted:
                permit.note(await gateway.submit_batch(...), began)
    """

    def __init__(
        self, clock: Clock, events: EventBus, settings: CircuitSettings, max_concurrent: int
    ) -> None:
        self.circuit = Circuit(settings, max_concurrent)
        self._clock = clock
        self._events = events
        self._refusal = ""

    @property
    def state(self) -> CircuitEvent:
        """The circuit as it is now."""
        breaker = self.circuit.breaker
        until = breaker.until
        probe_in_ms = None if until is None else max(0, round((until - self._clock.monotonic()) * 1000))
        return CircuitEvent(breaker.state, breaker.reason, until, probe_in_ms)

    @property
    def is_refused(self) -> bool:
        """Whether the Execution Service rejects every call until the configuration is corrected."""
        return self.circuit.breaker.refused

    @property
    def deferred_message(self) -> str:
        """The message of an execution that is deferred by the circuit."""
        return refused_message(self._refusal) if self.is_refused else DEFERRED_MESSAGE

    def is_outage(self, since: float) -> bool:
        """Whether calls failed in general since then, by the boot clock."""
        return self.circuit.is_outage(since)

    @contextmanager
    def permit(self) -> Iterator[CallPermit]:
        """The permit of one batch, granted or not; it ends with the block."""
        breaker = self.circuit.breaker
        before = breaker.state
        permit = breaker.admit(self._clock.monotonic())
        self._emit_change(before)
        try:
            yield CallPermit(self, permit)
        finally:
            if permit is not None:
                breaker.release(permit)

    def note(self, permit: Permit, reply: GatewayReply, began: float, *, is_repeat: bool = False) -> None:
        """Counts a reply: see CallPermit."""
        before, was_refused = self.circuit.breaker.state, self.is_refused
        self.circuit.note(
            permit,
            reply,
            began,
            now=self._clock.monotonic(),
            random=self._clock.random(),
            is_repeat=is_repeat,
        )
        self._emit_change(before)
        if rating_of(reply) is CallRating.HOPELESS:
            self._refusal = reply.message
        if self.is_refused and not was_refused:
            self._alarm_refused(reply)

    def slot_in_s(self, in_flight: int) -> float:
        """How long a sender waits before it takes work: see Circuit."""
        return self.circuit.slot_in_s(in_flight, self._clock.monotonic())

    def deferred_ms(self) -> int:
        """When to try again what is deferred by the circuit."""
        return round(self.circuit.breaker.wait_s(self._clock.monotonic(), self._clock.random()) * 1000)

    def recovery_waits_ms(self, waiting: int) -> int | None:
        """How long recovery keeps its work; None if it may queue it, with `waiting` executions queued now.

        While the circuit is not closed only enough for one probe is queued.
        """
        if self.circuit.breaker.state is CircuitState.CLOSED:
            return None
        if not waiting and self.circuit.breaker.may_call(self._clock.monotonic()):
            return None
        return self.deferred_ms()

    def _alarm_refused(self, reply: GatewayReply) -> None:
        message = (
            f"the Execution Service rejects every call: {reply.message} ({reply.code}). Correct the "
            "configuration; until then everything waits, time budgets stand still, and single calls test "
            "whether it works again"
        )
        self._events.emit(AlarmEvent(AlarmCode.DOWNSTREAM_REFUSES_US, message))

    def _emit_change(self, before: CircuitState) -> None:
        if self.circuit.breaker.state is not before:
            self._events.emit(self.state)
