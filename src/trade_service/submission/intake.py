"""Intake: executions enter a bounded queue for the senders, and callers wait for their results."""

import asyncio
import time
from collections import deque
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager

import msgspec

from trade_service.domain.access import Requester
from trade_service.domain.errors import Overloaded
from trade_service.domain.executions import OPEN, SubmissionState
from trade_service.submission.batch_processor import ExecutionBatchProcessor
from trade_service.submission.downstream_gate import DownstreamGate
from trade_service.submission.engine_settings import EngineSettings
from trade_service.submission.events import REQUESTER, Origins
from trade_service.submission.model import ExecutionSubmitResult, NotClaimed
from trade_service.submission.ports import Clock, StoreUnavailable, SubmissionStore
from trade_service.submission.waiters import PendingResults, Waiter, Waiters

RETRY_AFTER_S = 1
CLOSED_WAIT_S = 2.0
"""How long a caller waits while nothing may be claimed: a second look at the ledger takes about as long."""


class Work(msgspec.Struct, frozen=True):
    """Executions to be sent; those of one recovered piece stay together and are joined by no others."""

    execution_ids: tuple[int, ...]
    recovered: bool = False
    retry_count: int = 0
    """Calls in a row for these executions that did not settle them."""
    callers: int = 1
    """How many requests the executions were collected from."""
    queued_ms: float = 0.0
    """How long the oldest of them was queued."""
    origins: Origins = Origins()
    submitted_by: Mapping[int, Requester] = {}
    """Who asked for them, where that is recorded in the audit log; by execution id."""


class _Piece(msgspec.Struct):
    work: Work
    since_s: float


class _Lane:
    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.count = 0
        self.pieces: deque[_Piece] = deque()


class WorkQueue:
    """Two lanes, served in turn: at most `limit` fresh executions, and recovered ones up to half of that.

    Neither lane keeps the other one out: a backlog of retries leaves callers their room, and callers that
    take every place leave recovery its own. An execution is queued once, however often it is requested.
    """

    def __init__(self, limit: int) -> None:
        self._fresh = _Lane(limit)
        self._recovered = _Lane(max(1, limit // 2))
        self._ids: set[int] = set()
        self._filled = asyncio.Event()
        self._drained = asyncio.Event()
        self._turn_of_recovered = False
        self._promised = 0

    def __len__(self) -> int:
        return len(self._ids)

    @property
    def limit(self) -> int:
        """How many fresh executions fit."""
        return self._fresh.limit

    @property
    def fresh_count(self) -> int:
        """How many executions count against `limit`."""
        return self._fresh.count

    @contextmanager
    def reserve(self, count: int) -> Iterator[None]:
        """Keeps room for `count` executions while they are written; raises Overloaded when they do not fit.

        What was written is then queued inside the block, so durable work is never refused.
        """
        waiting, limit = self._fresh.count, self._fresh.limit
        if waiting + self._promised + count > limit:
            raise Overloaded(
                f"{waiting} executions wait to be sent and the limit is {limit}: nothing was taken, try again in "
                f"{RETRY_AFTER_S} s",
                waiting=waiting,
                limit=limit,
                retry_after_s=RETRY_AFTER_S,
            )
        self._promised += count
        try:
            yield
        finally:
            self._promised -= count

    def accept(self, work: Work) -> None:
        """Queues work at once, except for executions that are queued already."""
        ids = work.execution_ids
        if not self._ids.isdisjoint(ids):
            ids = tuple(i for i in ids if i not in self._ids)
        if not ids:
            return
        self._ids.update(ids)
        lane = self._recovered if work.recovered else self._fresh
        lane.count += len(ids)
        kept = msgspec.structs.replace(work, execution_ids=ids, origins=Origins.now())
        if (caller := REQUESTER.get()).is_audited:
            kept = msgspec.structs.replace(kept, submitted_by=dict.fromkeys(ids, caller))
        lane.pieces.append(_Piece(kept, time.monotonic()))
        self._filled.set()

    async def put(self, work: Work) -> None:
        """Queues work once there is room in its lane; what is larger than the lane goes into the empty one."""
        lane = self._recovered if work.recovered else self._fresh
        while lane.count and lane.count + len(work.execution_ids) > lane.limit:
            self._drained.clear()
            await self._drained.wait()
        self.accept(work)

    async def ready(self, max_size: int, linger_s: float) -> None:
        """Returns when there is work; waits `linger_s` for more where that is less than a batch."""
        while not self._ids:
            self._filled.clear()
            await self._filled.wait()
        if linger_s > 0 and not self._recovered.count and len(self._ids) < max_size:
            await asyncio.sleep(linger_s)

    async def take(self, max_size: int) -> Work:
        """The next batch: up to `max_size` executions, collected from as many callers as fit.

        A recovered piece is cut to `max_size` but never joined with others.
        """
        await self.ready(max_size, 0.0)
        recovered = bool(self._recovered.count) and (self._turn_of_recovered or not self._fresh.count)
        self._turn_of_recovered = not recovered
        lane = self._recovered if recovered else self._fresh
        batch: list[int] = []
        submitted_by: dict[int, Requester] = {}
        first, taken = lane.pieces[0], list[Origins]()
        while lane.pieces and len(batch) < max_size and not (recovered and batch):
            piece = lane.pieces.popleft()
            ids, room = piece.work.execution_ids, max_size - len(batch)
            taken.append(piece.work.origins)
            batch.extend(ids[:room])
            submitted_by |= piece.work.submitted_by
            if len(ids) > room:
                rest = msgspec.structs.replace(piece.work, execution_ids=ids[room:])
                lane.pieces.appendleft(_Piece(rest, piece.since_s))
        self._ids.difference_update(batch)
        lane.count -= len(batch)
        self._drained.set()
        queued_ms = (time.monotonic() - first.since_s) * 1000
        origins = Origins.merged(taken)
        retry_count = first.work.retry_count
        return Work(tuple(batch), recovered, retry_count, len(taken), queued_ms, origins, submitted_by)


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
        self._window = settings.window
        self._default_wait_s = settings.submission.wait_s
        self.reserve = queue.reserve

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
                while pending and len(pending) + len(batch) > self._window:
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
        present = [rows.get(i, NotClaimed(i, None)) for i in execution_ids]
        return [
            ExecutionSubmitResult.not_claimed(row)
            or self._pending(row.execution_id, row.state if row.state in OPEN else SubmissionState.QUEUED)
            for row in present
        ]

    def _pending(self, execution_id: int, state: SubmissionState) -> ExecutionSubmitResult:
        if self._gate.is_open or state is not SubmissionState.QUEUED:
            return ExecutionSubmitResult.pending(execution_id, state)
        return ExecutionSubmitResult.held(execution_id, state, self._gate.reason)

    def _wait_s(self, wait_s: float | None, waiter: Waiter) -> float:
        wait = self._default_wait_s if wait_s is None else wait_s
        is_short = not (waiter.wait_through_open_circuit or self._gate.is_open)
        return min(wait, CLOSED_WAIT_S) if is_short else wait
