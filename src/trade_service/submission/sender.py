"""Senders: they take what is queued, in batches, and send it; new executions may skip the queue."""

import asyncio
import contextlib
import math
from collections.abc import Awaitable, Callable
from functools import partial

import structlog

from trade_service.submission.admission import Admission
from trade_service.submission.circuit import CircuitState
from trade_service.submission.downstream_gate import DownstreamGate
from trade_service.submission.intake import Work, WorkQueue
from trade_service.submission.ports import StoreUnavailable
from trade_service.submission.service import BulkExecutionSubmissionService, ClaimNew
from trade_service.submission.waiters import Waiter, Waiters

_log = structlog.get_logger(__name__)

PAUSE_AFTER_STORE_FAILURE_S = 1.0


class Senders:
    """Runs `max_concurrent` workers on one queue; each takes up to a full batch as soon as it is free.

    So executions that are submitted one by one while all workers are busy go out together. The admission limits
    how many work at once; `may_claim` returns once executions may be claimed at all.
    """

    def __init__(
        self,
        queue: WorkQueue,
        process: Callable[[Work], Awaitable[object]],
        admission: Admission,
        may_claim: Callable[[], Awaitable[object]],
        batch_size: int,
        max_concurrent: int,
        linger_s: float,
        sleep: Callable[[float], Awaitable[None]],
    ) -> None:
        self._queue = queue
        self._process = process
        self._admission = admission
        self._may_claim = may_claim
        self._batch_size = batch_size
        self._max_concurrent = max_concurrent
        self._linger_s = linger_s
        self._sleep = sleep
        self.in_flight = 0
        """Batches between claim and record."""
        self._turn = asyncio.Lock()
        self._freed = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()
        self._stopping = False
        self._group: asyncio.TaskGroup | None = None

    async def run(self) -> None:
        """Sends until cancelled."""
        async with asyncio.TaskGroup() as self._group:
            for _ in range(self._max_concurrent):
                self._group.create_task(self._send_forever())

    def start(self, send: Callable[[], Awaitable[object]], size: int) -> bool:
        """Sends a batch of `size` executions in a slot of its own, beside the workers.

        Only if a slot is free now, the queue is empty, and no larger batch is waited for; returns whether it does.
        """
        is_whole = size == self._batch_size or (size < self._batch_size and not self._linger_s)
        if self._group is None or self._stopping or not is_whole or len(self._queue):
            return False
        if self.in_flight >= self._max_concurrent or self._admission.slot_in_s(self.in_flight) > 0:
            return False
        self.in_flight += 1
        self._idle.clear()
        self._group.create_task(self._in_slot(send, size))
        return True

    async def drain(self, grace_s: float) -> bool:
        """Takes no more work and waits for what is in flight; False when that took longer than `grace_s`.

        What stays in the queue is durable and picked up by another process or the next start.
        """
        self._stopping = True
        try:
            async with asyncio.timeout(grace_s):
                await self._idle.wait()
        except TimeoutError:
            return False
        return True

    async def _send_forever(self) -> None:
        while not self._stopping:
            work = await self._take()
            await self._in_slot(partial(self._send_queued, work), len(work.execution_ids))

    async def _send_queued(self, work: Work) -> None:
        if not self._stopping:
            await self._process(work)

    async def _take(self) -> Work:
        """The next batch, once there is work and then a free slot; the worker then counts as in flight."""
        async with self._turn:
            await self._queue.ready(self._batch_size, self._linger_s)
            await self._may_claim()
            # Read once a round: between two readings a pause may end, and nothing would wake this sender.
            while (wait_s := self._admission.slot_in_s(self.in_flight)) > 0:
                self._freed.clear()
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(None if math.isinf(wait_s) else wait_s):
                        await self._freed.wait()
            self.in_flight += 1
            self._idle.clear()
            return await self._queue.take(self._batch_size)

    async def _in_slot(self, send: Callable[[], Awaitable[object]], size: int) -> None:
        """Sends one batch, then frees its slot.

        An error is settled by lease and reconciliation, and must not stop other batches.
        """
        try:
            await send()
        except StoreUnavailable as error:
            _log.error("store_unavailable", executions=size, error=str(error))
            await self._sleep(PAUSE_AFTER_STORE_FAILURE_S)
        except Exception:  # noqa: BLE001  # logged with its trace; the one boundary that contains a batch
            _log.exception("batch_failed", executions=size)
        finally:
            self.in_flight -= 1
            self._freed.set()
            if not self.in_flight:
                self._idle.set()


class DirectSubmission:
    """Claims new executions by the statement that writes them, where a sender is free.

    They skip the queue: a batch then costs two statements and one call, from the order to SENT.
    """

    def __init__(
        self,
        service: BulkExecutionSubmissionService,
        senders: Senders,
        waiters: Waiters,
        admission: Admission,
        gate: DownstreamGate,
    ) -> None:
        self._service = service
        self._senders = senders
        self._waiters = waiters
        self._admission = admission
        self._gate = gate

    async def submit(self, size: int, write_and_claim: ClaimNew) -> Waiter | None:
        """Writes, claims and sends executions; returns their waiter once they are claimed.

        None if nothing was written, since no sender is free, the circuit is not closed, the ledger is in doubt, or
        `write_and_claim` wrote nothing: they are to be queued. Raises what `write_and_claim` raises. What is
        claimed is sent even if the caller goes away.
        """
        if not self._is_allowed():
            return None
        claimed: asyncio.Future[Waiter | None] = asyncio.get_running_loop().create_future()
        if not self._senders.start(partial(self._service.process_new, size, write_and_claim, claimed), size):
            return None
        try:
            return await claimed
        except asyncio.CancelledError:
            if claimed.done() and not claimed.cancelled() and claimed.exception() is None:
                waiter = claimed.result()
                if waiter is not None:
                    self._waiters.leave(waiter)
            raise

    def _is_allowed(self) -> bool:
        """As far as this process knows; the statement asks the database."""
        return self._gate.is_open and self._admission.breaker.state is CircuitState.CLOSED
