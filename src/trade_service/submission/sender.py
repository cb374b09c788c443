"""Senders: they take what is queued, in batches, and send it."""

import asyncio
import contextlib
import math
from collections.abc import Awaitable, Callable
from functools import partial

import structlog

from trade_service.submission.admission import Admission
from trade_service.submission.ports import StoreUnavailable
from trade_service.submission.work_queue import Work, WorkQueue

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
        may_claim: Callable[[], Awaitable[None]],
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
        self._in_flight = 0
        self._turn = asyncio.Lock()
        self._freed = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()
        self._stopping = False
        self._group: asyncio.TaskGroup | None = None

    @property
    def in_flight(self) -> int:
        """Batches between claim and record."""
        return self._in_flight

    async def run(self) -> None:
        """Sends until cancelled."""
        async with asyncio.TaskGroup() as self._group:
            for _ in range(self._max_concurrent):
                self._group.create_task(self._send_forever())

    def start(self, job: Callable[[], Awaitable[object]], size: int) -> bool:
        """Runs `job`, which sends `size` executions, in a slot of its own, beside the workers.

        Only if a slot is free now, nobody queues, and no larger batch is waited for; returns whether it does.
        """
        is_whole = size == self._batch_size or (size < self._batch_size and not self._linger_s)
        if self._group is None or self._stopping or not is_whole or len(self._queue):
            return False
        if self._in_flight >= self._max_concurrent or self._admission.slot_in_s(self._in_flight) > 0:
            return False
        self._in_flight += 1
        self._idle.clear()
        self._group.create_task(self._run_job(job, size))
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
            try:
                if work.execution_ids and not self._stopping:
                    await self._contained(partial(self._process, work), len(work.execution_ids))
            finally:
                self._free_slot()

    async def _run_job(self, job: Callable[[], Awaitable[object]], size: int) -> None:
        try:
            await self._contained(job, size)
        finally:
            self._free_slot()

    def _free_slot(self) -> None:
        self._in_flight -= 1
        self._freed.set()
        if not self._in_flight:
            self._idle.set()

    async def _take(self) -> Work:
        """The next batch, once there is work and then a free slot; the worker then counts as in flight."""
        async with self._turn:
            await self._queue.ready(self._batch_size, self._linger_s)
            await self._may_claim()
            # Asked once a round: between two questions a pause may end, and nobody would wake this sender.
            while (wait_s := self._admission.slot_in_s(self._in_flight)) > 0:
                self._freed.clear()
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(None if math.isinf(wait_s) else wait_s):
                        await self._freed.wait()
            self._in_flight += 1
            self._idle.clear()
            return await self._queue.take(self._batch_size)

    async def _contained(self, send: Callable[[], Awaitable[object]], size: int) -> None:
        """Sends one batch. An error is settled by lease and reconciliation, and must not stop other batches."""
        try:
            await send()
        except StoreUnavailable as error:
            _log.error("store_unavailable", executions=size, error=str(error))
            await self._sleep(PAUSE_AFTER_STORE_FAILURE_S)
        except Exception:  # noqa: BLE001  # logged with its trace; the one boundary that contains a batch
            _log.exception("batch_failed", executions=size)
