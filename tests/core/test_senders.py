"""Whole batches wait in line for a slot, in turn with what is queued."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from contextvars import ContextVar
from typing import cast

from tests.core.test_admission import TickingClock, admission_on, at_once
from trade_service.submission.admission import ClaimNew, DirectSubmission, DownstreamGate
from trade_service.submission.events import EventBus, Origins
from trade_service.submission.waiters import Waiter, Waiters
from trade_service.submission.work import Work
from trade_service.submission.work_queue import Senders, WorkQueue

SIZE = 10
CALLER: ContextVar[str] = ContextVar("CALLER", default="nobody")


class Line:
    """Senders with one slot, which a batch holds until it is released."""

    def __init__(self) -> None:
        clock = TickingClock()
        self.admission, _ = admission_on(clock, 1)
        self.queue, self.sent = WorkQueue(1000), list[str]()
        self.release = asyncio.Semaphore(0)
        self.senders = Senders(self.queue, self._queued, self.admission, at_once, SIZE, 1, 0, clock.sleep)

    async def _queued(self, work: Work) -> None:
        await self._hold("queued")

    async def _hold(self, name: str) -> None:
        self.sent.append(name)
        await self.release.acquire()

    def batch(self, name: str) -> Callable[[], Awaitable[object]]:
        """Notes its name and the caller in whose context it runs."""
        return lambda: self._hold(f"{name} of {CALLER.get()}")

    async def wait(self, name: str, patience_s: float = 60.0) -> "asyncio.Task[bool]":
        """A caller that waits in line with a whole batch."""

        async def call() -> bool:
            CALLER.set(name)
            return await self.senders.start_in_turn(self.batch(name), SIZE, patience_s)

        task = asyncio.create_task(call())
        await settled()
        return task

    async def free(self) -> None:
        """Ends the batch in the slot."""
        self.release.release()
        await settled()


async def settled() -> None:
    """Lets every task go on until it waits."""
    for _ in range(20):
        await asyncio.sleep(0)


@asynccontextmanager
async def busy_line() -> AsyncIterator[Line]:
    """One slot, taken by the batch "first"."""
    line = Line()
    running = asyncio.create_task(line.senders.run())
    await settled()
    assert line.senders.start(line.batch("first"), SIZE)
    await settled()
    assert not line.senders.start(line.batch("refused"), SIZE)
    try:
        yield line
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


async def test_whole_batches_and_what_is_queued_get_slots_in_the_order_of_their_arrival() -> None:
    async with busy_line() as line:
        a = await line.wait("a")
        line.queue.accept(Work(tuple(range(SIZE))))
        b = await line.wait("b")
        for _ in range(3):
            await line.free()
        assert line.sent == ["first of nobody", "a of a", "queued", "b of b"]
        assert await a
        assert await b
        await line.free()
        assert line.senders.in_flight == 0


async def test_nobody_overtakes_those_in_line() -> None:
    async with busy_line() as line:
        await line.wait("a")
        await line.wait("b")
        await line.free()
        assert not line.senders.start(line.batch("new"), 1)
        await line.free()
        assert line.sent == ["first of nobody", "a of a", "b of b"]


async def test_who_is_out_of_patience_or_goes_away_leaves_the_line_without_a_slot() -> None:
    async with busy_line() as line:
        assert not await line.senders.start_in_turn(line.batch("impatient"), SIZE, 0.0)
        gone, last = await line.wait("gone"), await line.wait("last")
        gone.cancel()
        await settled()
        await line.free()
        assert line.sent == ["first of nobody", "last of last"]
        assert await last


async def test_a_smaller_batch_is_queued_at_once() -> None:
    async with busy_line() as line:
        assert not await line.senders.start_in_turn(line.batch("small"), SIZE - 1, 60.0)


async def test_a_stop_starts_nothing_that_waits_in_line() -> None:
    async with busy_line() as line:
        waiting = await line.wait("a")
        drained = asyncio.create_task(line.senders.drain(60.0))
        assert not await waiting
        await line.free()
        assert await drained
        assert line.sent == ["first of nobody"]


async def test_a_caller_that_goes_away_as_its_batch_starts_gets_no_waiter() -> None:
    async with busy_line() as line:
        outcome = list[bool]()

        async def process(
            size: int,
            write_and_claim: ClaimNew,
            claimed: "asyncio.Future[Waiter | None] | None" = None,
            origins: Sequence[Origins] = (),
        ) -> None:
            caller.cancel()
            await settled()
            assert claimed is not None
            outcome.append(claimed.cancelled())

        gate = DownstreamGate(EventBus())
        gate.open()
        direct = DirectSubmission(process, line.senders, Waiters(), line.admission, gate)
        caller = asyncio.create_task(direct.submit(SIZE, cast(ClaimNew, None), 60.0))
        await settled()
        await line.free()
        await settled()
        assert caller.cancelled()
        assert outcome == [True]
