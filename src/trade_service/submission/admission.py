"""Admission: decides whether executions may be claimed, the Execution Service called, and the queue skipped.

The gate judges the ledger, the circuit the calls. Only calls of the batch endpoint count: reconciliation goes on
while the circuit is open, since it settles what is unknown, and a service that can list executions may still be
unable to accept orders.
"""

import asyncio
import math
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Protocol, TypeAlias

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
from trade_service.submission.downstream import Sign, Suspicion
from trade_service.submission.engine_settings import CircuitSettings
from trade_service.submission.events import AlarmEvent, CircuitEvent, EventBus, Origins
from trade_service.submission.model import DEFERRED_MESSAGE, Claim, GatewayReply, NewAttempt, refused_message
from trade_service.submission.ports import Clock
from trade_service.submission.waiters import Waiter, Waiters

UNREAD = "the Execution Service's ledger has not been read yet"


class DownstreamGate:
    """Open while this process may claim: the Execution Service's ledger was read, and is not in doubt.

    Used on one loop. `LedgerWatch` opens the gate, and follows up what others note here.
    """

    def __init__(self, events: EventBus) -> None:
        self._events = events
        self.is_open = False
        """Whether executions may be claimed."""
        self.reason = UNREAD
        """Why it is closed, for people; empty while it is open."""
        self.is_blocked = False
        """Whether it stays closed until a person does what `reason` says."""
        self.epoch = 0
        """The epoch that this process has read; 0 before it has."""
        self.high_water_id = 0
        """The one in the database: a claim that begins now gets no lower low-water id."""
        self.has_read = False
        """Whether the ledger was read since the database last went back in time."""
        self.suspicion: Suspicion | None = None
        """A sign of another ledger that is not durable yet."""
        self.greatest_seen = (0, 0)
        """The greatest ledger id, and the execution that its row names."""
        self.greatest_of_ours = 0
        """The greatest of our execution ids in the ledger, until it was compared with the database's."""
        self.raise_is_planned = False
        """Whether the watch wakes soon to raise the high-water id in the database."""
        self.woken = asyncio.Event()
        """Set when there is something to follow up."""
        self.woken.set()
        self._opened = asyncio.Event()

    async def wait_open(self) -> None:
        """Returns when executions may be claimed."""
        await self._opened.wait()

    def open(self) -> None:
        """Opens, unless a suspicion was noted meanwhile."""
        if self.suspicion is None:
            self.is_open, self.is_blocked = True, False
            self._opened.set()
            self.reason = ""

    def close(self, reason: str, *, blocked: bool = False) -> None:
        """Closes; `blocked` until a person does what the reason says."""
        self.is_open, self.is_blocked = False, blocked
        self._opened.clear()
        self.reason = reason

    def note_seen(self, service_id: int, execution_id: int) -> None:
        """Notes a ledger id and the execution that its row names.

        It becomes the low-water id of later attempts within a second. `execution_id` must be a possible one: a row
        that names none does not identify the ledger.
        """
        if service_id > self.greatest_seen[0]:
            self.greatest_seen = (service_id, execution_id)
            # Without a plan the watch sleeps; with one it would read the shared state again for every batch.
            if self.is_open and not self.raise_is_planned:
                self.woken.set()

    def note_ours(self, execution_id: int) -> None:
        """Notes the greatest of our execution ids in the ledger: this database must have created it."""
        if execution_id > self.greatest_of_ours:
            self.greatest_of_ours = execution_id
            self.woken.set()

    def suspect(self, suspicion: Suspicion) -> None:
        """Closes at once; the watch then makes the mark durable and takes a second look."""
        if self.suspicion is None:
            self.suspicion = suspicion
            self.close(suspicion.reason)
            message = f"{suspicion.reason}: nothing is sent until a second look has decided"
            ids = (
                (suspicion.execution_id,) if suspicion.sign is Sign.ANSWER and suspicion.execution_id else ()
            )
            self._events.emit(AlarmEvent(AlarmCode.DOWNSTREAM_SUSPECTED, message, ids))
        self.woken.set()

    def is_older_database(self, low_water_id: int, least_id: int) -> bool:
        """Whether a claim's low-water id is below `high_water_id` when it began: the database went back in time.

        Nothing may be sent then; the ledger is read again.
        """
        if low_water_id >= least_id:
            return False
        self.close(
            "this database is older than it was a moment ago: the Execution Service's ledger is being read again"
        )
        self.has_read = False
        self.woken.set()
        return True

    def note_refused(self) -> None:
        """Closes: a claim found the shared state closed or in another epoch; the watch reads it again."""
        self.close("another process is checking the Execution Service's ledger")
        self.woken.set()


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
        self.refusal = ""
        """The Execution Service's message when it last rejected a call for good."""

    @property
    def state(self) -> CircuitEvent:
        """The circuit as it is now."""
        until = self.breaker.until
        probe_in_ms = None if until is None else max(0, round((until - self._clock.monotonic()) * 1000))
        return CircuitEvent(self.breaker.state, self.breaker.reason, until, probe_in_ms)

    @property
    def deferred_message(self) -> str:
        """The message of an execution that is deferred by the circuit."""
        return refused_message(self.refusal) if self.breaker.refused else DEFERRED_MESSAGE

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
            self.refusal = reply.message
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


ClaimNew: TypeAlias = Callable[[NewAttempt], Awaitable[Claim | None]]
"""Writes executions that the attempt owns from the start; returns None if it wrote nothing."""


class ProcessNew(Protocol):
    """Sends what it claims; see BulkExecutionSubmissionService.process_new."""

    async def __call__(
        self,
        size: int,
        write_and_claim: ClaimNew,
        claimed: "asyncio.Future[Waiter | None] | None" = None,
        origins: Sequence[Origins] = (),
    ) -> None: ...


class Slots(Protocol):
    """Where batches are sent; see Senders."""

    def start(self, send: Callable[[], Awaitable[object]], size: int) -> bool: ...

    async def start_in_turn(
        self, send: Callable[[], Awaitable[object]], size: int, patience_s: float
    ) -> bool: ...


class DirectSubmission:
    """Claims new executions by the statement that writes them, where a sender is free.

    They skip the queue: a batch then costs two statements and one call, from the order to SENT.
    """

    def __init__(
        self,
        process: ProcessNew,
        slots: Slots,
        waiters: Waiters,
        admission: Admission,
        gate: DownstreamGate,
    ) -> None:
        """`process` sends what it claims, in one of the `slots`."""
        self._process = process
        self._slots = slots
        self._waiters = waiters
        self._admission = admission
        self._gate = gate

    async def submit(self, size: int, write_and_claim: ClaimNew, patience_s: float) -> Waiter | None:
        """Writes, claims and sends executions; returns their waiter once they are claimed.

        A whole batch waits up to `patience_s` for a free sender: queued, it would not be sent earlier, and every
        execution would be written once more. None if nothing was written, since no sender is free, the circuit is
        not closed, the ledger is in doubt, or `write_and_claim` wrote nothing: they are to be queued. Raises what
        `write_and_claim` raises. What is claimed is sent even if the caller goes away.
        """
        if not self._is_allowed():
            return None
        claimed: asyncio.Future[Waiter | None] = asyncio.get_running_loop().create_future()
        send = partial(self._process, size, write_and_claim, claimed)
        try:
            if self._slots.start(send, size) or await self._slots.start_in_turn(send, size, patience_s):
                return await claimed
            return None
        except asyncio.CancelledError:
            # Cancelled before the claim, it gets no waiter.
            if not claimed.cancel() and not claimed.cancelled() and claimed.exception() is None:
                waiter = claimed.result()
                if waiter is not None:
                    self._waiters.leave(waiter)
            raise

    def start(
        self, origins: Sequence[Origins], write_and_claim: ClaimNew, ended: Callable[[], object]
    ) -> bool:
        """The same for several callers, with the origins of each; they join what `write_and_claim` claims.

        Returns whether it was started; `ended` is then called once, when it is over.
        """
        send = partial(self._send, origins, write_and_claim, ended)
        return self._is_allowed() and self._slots.start(send, len(origins))

    def join(self, execution_id: int) -> Waiter:
        """A waiter for a new execution."""
        waiter = Waiter()
        self._waiters.join(waiter, (execution_id,))
        return waiter

    def leave(self, waiter: Waiter) -> None:
        """Ends a wait whose caller has gone."""
        self._waiters.leave(waiter)

    async def _send(
        self, origins: Sequence[Origins], write_and_claim: ClaimNew, ended: Callable[[], object]
    ) -> None:
        try:
            await self._process(len(origins), write_and_claim, origins=origins)
        finally:
            ended()

    def _is_allowed(self) -> bool:
        """As far as this process knows; the statement asks the database."""
        return self._gate.is_open and self._admission.breaker.state is CircuitState.CLOSED
