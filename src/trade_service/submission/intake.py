"""Intake: executions are queued for the senders, and callers wait for their results."""

import asyncio
from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from contextlib import contextmanager

from trade_service.domain.executions import OPEN, SubmissionState
from trade_service.submission.batch_processor import ExecutionBatchProcessor
from trade_service.submission.downstream_gate import DownstreamGate
from trade_service.submission.engine_settings import EngineSettings
from trade_service.submission.model import ExecutionSubmitResult, NotClaimed
from trade_service.submission.ports import Clock, StoreUnavailable, SubmissionStore
from trade_service.submission.waiters import PendingResults, Waiter, Waiters
from trade_service.submission.work_queue import Work, WorkQueue

CLOSED_WAIT_S = 2.0
"""How long a caller waits while nothing may be claimed: a second look at the ledger takes about as long."""


class Intake:
    """The way in for every caller: reserve room, write what is to be sent, queue it, wait.

    Example:
        with intake.reserve(len(orders)):
            written = await store.slice(orders)  # durable; may take its time
            waiter = intake.enqueue(ids_of(written))
        results = await intake.outcomes(waiter)
    """

    def __init__(
        self,
        store: SubmissionStore,
        clock: Clock,
        processor: ExecutionBatchProcessor,
        queue: WorkQueue,
        waiters: Waiters,
        gate: DownstreamGate,
        settings: EngineSettings,
    ) -> None:
        self._store = store
        self._clock = clock
        self._processor = processor
        self._queue = queue
        self._waiters = waiters
        self._gate = gate
        self._settings = settings

    @contextmanager
    def reserve(self, count: int) -> Iterator[None]:
        """Keeps room in the queue for `count` executions while they are written; raises Overloaded.

        What was written is then queued inside the block with `enqueue`, so durable work is never refused.
        """
        with self._queue.room_for(count):
            yield

    def enqueue(self, execution_ids: Iterable[int]) -> Waiter:
        """Queues executions for the senders, unless they are under way already, and waits for all of them.

        Takes effect at once: no other caller can see an execution that is waited for and not queued.
        """
        waiter = Waiter()
        fresh = self._waiters.join(waiter, execution_ids)
        if fresh:
            self._queue.accept(Work(tuple(fresh)))
        return waiter

    async def outcomes(self, waiter: Waiter, wait_s: float | None = None) -> dict[int, ExecutionSubmitResult]:
        """The results of all executions of `waiter`; PENDING for those that are not final within `wait_s`."""
        try:
            async with asyncio.timeout(self._wait_s(wait_s, waiter)):
                await waiter.all()
        except TimeoutError:
            for result in await self._results_now(sorted(waiter.open)):
                waiter.results[result.execution_id] = result
        finally:
            self._waiters.leave(waiter)
        return waiter.results

    async def stream(
        self,
        execution_ids: Iterable[int],
        wait_s: float | None = None,
        *,
        wait_through_open_circuit: bool = False,
    ) -> AsyncIterator[ExecutionSubmitResult]:
        """Submits executions and yields their results as they come, in constant memory.

        While the circuit is open they are PENDING at once, unless `wait_through_open_circuit`. Each is waited
        for `wait_s` at most. `request_index` is the place of the id in `execution_ids`, counted without
        repetitions.
        """
        waiter = Waiter(wait_through_open_circuit=wait_through_open_circuit)
        pending = PendingResults(waiter, self._clock, self._wait_s(wait_s, waiter))
        try:
            for batch in self._processor.plan_batches(execution_ids):
                while pending and len(pending) + len(batch) > self._settings.window:
                    for result in await self._next_results(pending):
                        yield result
                fresh = self._waiters.join(waiter, pending.add(batch))
                if fresh:
                    await self._queue.put(Work(tuple(fresh)))
            while pending:
                for result in await self._next_results(pending):
                    yield result
        finally:
            self._waiters.leave(waiter)

    async def _next_results(self, pending: PendingResults) -> list[ExecutionSubmitResult]:
        overdue = await pending.wait()
        if overdue:
            self._waiters.leave(pending.waiter, overdue)
            for result in await self._results_now(overdue):
                pending.waiter.results[result.execution_id] = result
        return pending.take()

    async def _results_now(self, execution_ids: Sequence[int]) -> list[ExecutionSubmitResult]:
        """The results of executions whose caller stops waiting."""
        try:
            rows = {row.execution_id: row for row in await self._store.states(execution_ids)}
        except StoreUnavailable:
            return [self._pending(i, SubmissionState.QUEUED) for i in execution_ids]
        return [self._result_now(rows.get(i, NotClaimed(i, None))) for i in execution_ids]

    def _result_now(self, row: NotClaimed) -> ExecutionSubmitResult:
        final = ExecutionSubmitResult.not_claimed(row)
        if final is not None:
            return final
        return self._pending(row.execution_id, row.state if row.state in OPEN else SubmissionState.QUEUED)

    def _pending(self, execution_id: int, state: SubmissionState) -> ExecutionSubmitResult:
        if self._gate.is_open or state is not SubmissionState.QUEUED:
            return ExecutionSubmitResult.pending(execution_id, state)
        return ExecutionSubmitResult.held(execution_id, state, self._gate.reason)

    def _wait_s(self, wait_s: float | None, waiter: Waiter) -> float:
        wait = self._settings.submission.wait_s if wait_s is None else wait_s
        is_short = not (waiter.wait_through_open_circuit or self._gate.is_open)
        return min(wait, CLOSED_WAIT_S) if is_short else wait
