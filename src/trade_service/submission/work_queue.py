"""The bounded queue and its two ends: the intake puts executions in for callers, senders take batches out."""

import asyncio
import contextlib
import math
import time
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator, Sequence
from contextvars import copy_context
from functools import partial

import msgspec
import structlog

from trade_service.domain.access import Requester
from trade_service.domain.executions import OPEN, SubmissionState
from trade_service.submission.admission import Admission, DownstreamGate
from trade_service.submission.batch_processor import ExecutionBatchProcessor
from trade_service.submission.engine_settings import EngineSettings
from trade_service.submission.events import REQUESTER, Origins
from trade_service.submission.model import ExecutionSubmitResult, NotClaimed
from trade_service.submission.ports import Clock, StoreUnavailable, SubmissionStore
from trade_service.submission.waiters import PendingResults, Waiter, Waiters
from trade_service.submission.work import CLOSED_WAIT_S, InLine, QueueLane, QueuePiece, Results, Send, Work

_log = structlog.get_logger(__name__)
PAUSE_AFTER_STORE_FAILURE_S = 1.0


class WorkQueue:
    """Two lanes, served in turn: at most `limit` fresh executions, and recovered ones up to half of that.

    Neither lane keeps the other one out: a backlog of retries leaves callers their room, and callers that
    take every place leave recovery its own. An execution is queued once, however often it is requested.
    """

    def __init__(self, limit: int) -> None:
        self._fresh = QueueLane(limit)
        self._recovered = QueueLane(max(1, limit // 2))
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

    @property
    def oldest_s(self) -> float:
        """Since when the first of either lane is queued, by `time.monotonic`; infinite for an empty queue."""
        return min(
            (lane.pieces[0].since_s for lane in (self._fresh, self._recovered) if lane.pieces),
            default=math.inf,
        )

    @contextlib.contextmanager
    def reserve(self, count: int) -> Iterator[None]:
        """Keeps room for `count` executions while they are written; raises Overloaded when they do not fit.

        What was written is then queued inside the block, so durable work is never refused.
        """
        if self._fresh.count + self._promised + count > self._fresh.limit:
            raise self._fresh.overloaded()
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
        lane.pieces.append(QueuePiece(kept, time.monotonic()))
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
        batch, submitted_by = list[int](), dict[int, Requester]()
        first, taken = lane.pieces[0], list[Origins]()
        while lane.pieces and len(batch) < max_size and not (recovered and batch):
            piece = lane.pieces.popleft()
            ids, room = piece.work.execution_ids, max_size - len(batch)
            taken.append(piece.work.origins)
            batch.extend(ids[:room])
            submitted_by |= piece.work.submitted_by
            if len(ids) > room:
                rest = msgspec.structs.replace(piece.work, execution_ids=ids[room:])
                lane.pieces.appendleft(QueuePiece(rest, piece.since_s))
        self._ids.difference_update(batch)
        lane.count -= len(batch)
        self._drained.set()
        queued_ms, origins = (time.monotonic() - first.since_s) * 1000, Origins.merged(taken)
        retries, callers = first.work.retry_count, len(taken)
        return Work(tuple(batch), recovered, retries, callers, queued_ms, origins, submitted_by)


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
        self.default_wait_s = settings.submission.wait_s
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

    async def outcomes(self, waiter: Waiter, wait_s: float | None = None, waited_s: float = 0.0) -> Results:
        """The results of all executions of `waiter`; PENDING for what is open after `wait_s` - `waited_s`."""
        try:
            async with asyncio.timeout(self._wait_s(wait_s, waiter) - waited_s):
                await waiter.all()
        except TimeoutError:
            for result in await self._results_now(sorted(waiter.open)):
                waiter.results[result.execution_id] = result
        finally:
            if waiter.open:
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
        return [
            ExecutionSubmitResult.not_claimed(row)
            or self._pending(row.execution_id, row.state if row.state in OPEN else SubmissionState.QUEUED)
            for row in (rows.get(i, NotClaimed(i, None)) for i in execution_ids)
        ]

    def _pending(self, execution_id: int, state: SubmissionState) -> ExecutionSubmitResult:
        if self._gate.is_open or state is not SubmissionState.QUEUED:
            return ExecutionSubmitResult.pending(execution_id, state)
        return ExecutionSubmitResult.held(execution_id, state, self._gate.reason)

    def _wait_s(self, wait_s: float | None, waiter: Waiter) -> float:
        wait = self.default_wait_s if wait_s is None else wait_s
        is_short = not (waiter.wait_through_open_circuit or self._gate.is_open)
        return min(wait, CLOSED_WAIT_S) if is_short else wait


class Senders:
    """Runs `max_concurrent` senders on one queue; each takes up to a full batch as soon as it is free.

    So executions that are submitted one by one while all senders are busy go out together. The admission limits
    how many send at once; `may_claim` returns once executions may be claimed at all.
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
        self._line: deque[InLine] = deque()

    async def run(self) -> None:
        """Sends until cancelled."""
        async with asyncio.TaskGroup() as self._group:
            for _ in range(self._max_concurrent):
                self._group.create_task(self._send_forever())

    def start(self, send: Send, size: int, since_s: float = math.inf) -> bool:
        """Sends a batch of `size` executions in a slot of its own, beside the senders.

        Only if a slot is free, nothing waits longer than since `since_s`, and no larger batch is waited for;
        returns whether it sends.
        """
        is_whole = size == self._batch_size or (size < self._batch_size and not self._linger_s)
        if self._group is None or self._stopping or not is_whole:
            return False
        if (self._line and self._line[0].since_s < since_s) or (
            len(self._queue) and self._queue.oldest_s < since_s
        ):
            return False
        if self.in_flight >= self._max_concurrent or self._admission.slot_in_s(self.in_flight) > 0:
            return False
        self.in_flight += 1
        self._idle.clear()
        self._group.create_task(self._in_slot(send, size))
        return True

    async def start_in_turn(self, send: Send, size: int, patience_s: float) -> bool:
        """The same for a batch that `start` refused: if it is a whole one, it waits up to `patience_s` for a slot.

        A smaller one does not wait: queued, it goes out together with others.
        """
        if size != self._batch_size or self._group is None or self._stopping:
            return False
        is_started = asyncio.get_running_loop().create_future()
        self._line.append(place := InLine(send, size, copy_context(), time.monotonic(), is_started))
        try:
            await asyncio.wait((is_started,), timeout=patience_s)
        finally:
            if not is_started.done():
                self._line.remove(place)
        return is_started.done() and is_started.result()

    async def drain(self, grace_s: float) -> bool:
        """Takes no more work and waits for what is in flight; False when that took longer than `grace_s`.

        What stays in the queue is durable and picked up by another process or the next start.
        """
        self._stopping = True
        while self._line:
            self._line.popleft().is_started.set_result(False)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(grace_s):
                return await self._idle.wait()
        return False

    def _serve_line(self) -> None:
        """Gives free slots to those in line, unless what is queued came first."""
        while self._line:
            first = self._line.popleft()
            if not first.context.run(self.start, first.send, first.size, first.since_s):
                self._line.appendleft(first)
                return
            first.is_started.set_result(True)

    async def _send_forever(self) -> None:
        while not self._stopping:
            work = await self._take()
            await self._in_slot(partial(self._send_queued, work), len(work.execution_ids))

    async def _send_queued(self, work: Work) -> None:
        if not self._stopping:
            await self._process(work)

    async def _take(self) -> Work:
        """The next batch, once there is work and then a free slot; the sender then counts as in flight."""
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
            work = await self._queue.take(self._batch_size)
            self._serve_line()
            return work

    async def _in_slot(self, send: Send, size: int) -> None:
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
            if self._line:
                self._serve_line()
            self._freed.set()
            if not self.in_flight:
                self._idle.set()
