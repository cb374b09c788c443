"""Recovery: expired leases, due retries, and work left behind by other processes.

Every process runs one loop. It finds its work through the attempts alone and holds what it takes. Taking the same
attempt twice is harmless: only one process can claim its executions.
"""

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import TypeVar

import structlog

from trade_service.domain.executions import SubmissionState
from trade_service.submission.admission import Admission, DownstreamGate
from trade_service.submission.clock import AlarmClock, ObservationClock
from trade_service.submission.engine_settings import EngineSettings
from trade_service.submission.events import EventBus
from trade_service.submission.failure_handler import ExecutionFailureHandler, exhausted_outcome
from trade_service.submission.model import DueAttempt, ExecutionSubmitResult, OpenItem
from trade_service.submission.ports import Clock, DownstreamStore, Listings, StoreUnavailable, SubmissionStore
from trade_service.submission.reconciliation import (
    Reconciliation,
    contained,
    reconciled_closing,
)
from trade_service.submission.waiters import Waiters, settled_meanwhile
from trade_service.submission.work import Work
from trade_service.submission.work_queue import WorkQueue

_log = structlog.get_logger(__name__)

POLL_LIMIT = 1000
"""How many executions with waiters are read in one round."""

OBSERVE_LIMIT = 1000
"""How many calls under way are observed; others are observed once they are found lost."""

CLOSED_PAUSE_MS = 1000
"""Delay of work while nothing may be claimed."""

PARKED_MS = 600_000
"""How long paused work is left at most; the end of its pause wakes it."""

PARK_LIMIT = 1000
"""How many attempts one statement parks: a resume waits for it."""

_T = TypeVar("_T")
_RESENDABLE = frozenset({SubmissionState.QUEUED, SubmissionState.RETRY})


class Recovery:
    """Advances attempts that no sender owns: `run` beside the senders, for as long as the process serves."""

    def __init__(
        self,
        store: SubmissionStore,
        listings: Listings,
        clock: Clock,
        handler: ExecutionFailureHandler,
        queue: WorkQueue,
        waiters: Waiters,
        events: EventBus,
        admission: Admission,
        gate: DownstreamGate,
        downstream: DownstreamStore,
        recovery_due: AlarmClock,
        owner: str,
        settings: EngineSettings,
    ) -> None:
        self._store = store
        self._queue = queue
        self._waiters = waiters
        self._admission = admission
        self._gate = gate
        self._owner = owner
        self._settings = settings.submission
        self._batch_size = settings.batch.effective_size
        self._observation = ObservationClock(clock)
        self._recovery_due = recovery_due
        self.reconciliation = Reconciliation(
            store,
            downstream,
            listings,
            clock,
            handler,
            waiters,
            events,
            admission,
            gate,
            self._observation,
            recovery_due,
            settings,
        )

    async def run(self) -> None:
        """Advances and reconciles attempts until cancelled; waits for a database that does not answer."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._step_forever())
            group.create_task(self.reconciliation.run())

    async def step(self) -> int:
        """One round: advances the attempts that are due; returns how many."""
        settings = self._settings
        self._observation.note_under_way(await self._store.under_way(OBSERVE_LIMIT))
        due = await self._store.take_due(
            self._owner,
            settings.recovery_batch_limit,
            settings.recovery_hold_ms,
            settings.recovery_grace_ms,
        )
        held_until = asyncio.get_running_loop().time() + settings.recovery_hold_ms / 1000
        for paused in _in_batches([attempt for attempt in due if _is_paused(attempt)], PARK_LIMIT):
            with contained(*(attempt.attempt_id for attempt in paused)):
                await self._park(paused)
        # Reconciliation first: it needs no room in the queue, so a full one must not delay it. What finds no room
        # before the reservation ends is due again.
        for attempt in sorted((one for one in due if not _is_paused(one)), key=_needs_room):
            with contained(attempt.attempt_id):
                await self._advance(attempt, held_until)
        await self._poll_unsettled()
        return len(due)

    async def _step_forever(self) -> None:
        while True:
            await self._recovery_due.wait(self._settings.recovery_poll_ms / 1000)
            try:
                taken = await self.step()
            except StoreUnavailable as error:
                _log.warning("recovery_waits_for_database", error=str(error))
                continue
            if taken == self._settings.recovery_batch_limit:
                self._recovery_due.set_in(0)

    async def _advance(self, attempt: DueAttempt, held_until: float) -> None:
        if not attempt.items:
            self._observation.forget(attempt.attempt_id)
            await self._store.postpone(attempt.attempt_id, None)
            return
        resend = [item for item in attempt.items if item.state in _RESENDABLE and not item.paused]
        overdue = [i for i in resend if i.budget_left_s <= 0 and i.state is SubmissionState.RETRY]
        overdue = [] if self._admission.breaker.refused else overdue
        if overdue:
            await self._exhaust(attempt, overdue)
        is_reconciled = self.reconciliation.want(attempt)
        to_send = [item for item in resend if item not in overdue]
        if to_send:
            await self._resend(attempt, to_send, held_until, is_reconciled=is_reconciled)
        self._settle_paused(attempt)

    async def _park(self, attempts: Sequence[DueAttempt]) -> None:
        for attempt in attempts:
            self._settle_paused(attempt)
        await self._store.park([attempt.attempt_id for attempt in attempts], PARKED_MS)

    def _settle_paused(self, attempt: DueAttempt) -> None:
        paused = [item for item in attempt.items if item.state in _RESENDABLE and item.paused]
        self._waiters.settle(ExecutionSubmitResult.paused(item.execution_id, item.state) for item in paused)

    async def _resend(
        self, attempt: DueAttempt, items: Sequence[OpenItem], held_until: float, *, is_reconciled: bool
    ) -> None:
        """Queues executions for the senders, or postpones them while the circuit is open."""
        wait_ms = (
            self._admission.recovery_waits_ms(len(self._queue)) if self._gate.is_open else CLOSED_PAUSE_MS
        )
        if wait_ms is not None:
            self._waiters.settle(self._deferred(item) for item in items)
            if self._admission.breaker.refused:
                await self._store.pause_budgets(attempt.attempt_id)
            if not is_reconciled:
                await self._store.postpone(attempt.attempt_id, wait_ms)
                self._recovery_due.set_in(wait_ms)
            return
        size = min(attempt.next_batch_size or self._batch_size, self._batch_size)
        with suppress(TimeoutError):
            async with asyncio.timeout_at(held_until):
                for batch in _in_batches([item.execution_id for item in items], size):
                    await self._queue.put(Work(batch, recovered=True, retry_count=attempt.calls))

    def _deferred(self, item: OpenItem) -> ExecutionSubmitResult:
        if self._gate.is_open:
            message = self._admission.deferred_message
            return ExecutionSubmitResult.deferred(item.execution_id, item.state, message)
        return ExecutionSubmitResult.held(item.execution_id, item.state, self._gate.reason)

    async def _exhaust(self, attempt: DueAttempt, overdue: Sequence[OpenItem]) -> None:
        outcomes = tuple(exhausted_outcome(attempt, item) for item in overdue)
        again_ms = self._settings.recovery_hold_ms
        closing = reconciled_closing(attempt, SubmissionState.RETRY, outcomes, again_ms)
        await self.reconciliation.record(closing)

    async def _poll_unsettled(self) -> None:
        """Settles waiters of executions that another process settled."""
        ids = self._waiters.unsettled(POLL_LIMIT)
        if ids:
            rows = await self._store.states(ids)
            results = (ExecutionSubmitResult.not_claimed(row) for row in rows)
            self._waiters.settle(settled_meanwhile(result) for result in results if result is not None)


def _needs_room(attempt: DueAttempt) -> bool:
    return any(item.state in _RESENDABLE for item in attempt.items)


def _is_paused(attempt: DueAttempt) -> bool:
    """Whether it has something to send, nothing else to do, and all of that is paused."""
    return bool(attempt.items) and all(item.state in _RESENDABLE and item.paused for item in attempt.items)


def _in_batches(items: Sequence[_T], size: int) -> Iterator[tuple[_T, ...]]:
    for start in range(0, len(items), size):
        yield tuple(items[start : start + size])
