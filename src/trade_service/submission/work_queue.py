"""The bounded queue between callers and senders."""

import asyncio
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager

import msgspec

from trade_service.domain.errors import Overloaded
from trade_service.submission.origin import Origin, Origins

RETRY_AFTER_S = 1


class Work(msgspec.Struct, frozen=True):
    """Executions to be sent; those of one recovered piece stay together and are joined by no others."""

    execution_ids: tuple[int, ...]
    recovered: bool = False
    retry_count: int = 0
    """Calls in a row for these executions that did not settle them."""
    callers: int = 1
    """How many requests the executions were collected from."""
    queued_ms: float = 0.0
    """How long the one that came first stood in the queue."""
    origins: Origins = Origins()
    """Who these requests were."""


class _Waiting(msgspec.Struct):
    work: Work
    since_s: float
    origin: Origin


class WorkQueue:
    """Two lanes, served in turn: at most `limit` fresh executions, and recovered ones up to half of that.

    Neither lane keeps the other one out: a backlog of retries leaves callers their room, and callers that
    take every place leave recovery its own. An execution stands in the queue once, however often it is asked for.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._recovered_limit = max(1, limit // 2)
        self._recovered_count = 0
        self._fresh: deque[_Waiting] = deque()
        self._recovered: deque[_Waiting] = deque()
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
        return self._limit

    def require_room(self, count: int) -> None:
        """Raises Overloaded when `count` more executions would not fit."""
        if self.fresh_count + self._promised + count > self._limit:
            raise Overloaded(
                f"{self.fresh_count} executions wait to be sent and the limit is {self._limit}: "
                f"nothing was taken, try again in {RETRY_AFTER_S} s",
                waiting=self.fresh_count,
                limit=self._limit,
                retry_after_s=RETRY_AFTER_S,
            )

    @contextmanager
    def room_for(self, count: int) -> Iterator[None]:
        """Keeps room for `count` executions that are being written, or raises Overloaded.

        What was written is taken with `accept` inside, so that durable work is never refused.
        """
        self.require_room(count)
        self._promised += count
        try:
            yield
        finally:
            self._promised -= count

    def accept(self, work: Work) -> None:
        """Takes work at once; its caller made sure of the room with `room_for`."""
        self._append(work)

    async def put(self, work: Work) -> None:
        """Takes work as soon as there is room in its lane."""
        while not self._has_room(work):
            self._drained.clear()
            await self._drained.wait()
        self._append(work)

    async def take(self, max_size: int, linger_s: float = 0.0) -> Work:
        """The next batch: up to `max_size` executions, collected from as many callers as fit.

        A recovered piece is cut to `max_size` but never joined with others. With `linger_s` a batch
        that is not full waits that long for more.
        """
        await self.ready(max_size, linger_s)
        return self._next(max_size)

    async def ready(self, max_size: int, linger_s: float = 0.0) -> None:
        """Returns when there is work for a batch, and has lingered for more."""
        while not self._ids:
            self._filled.clear()
            await self._filled.wait()
        if linger_s > 0 and not self._recovered and len(self._ids) < max_size:
            await asyncio.sleep(linger_s)

    @property
    def fresh_count(self) -> int:
        """Those that count against `limit`."""
        return len(self._ids) - self._recovered_count

    def _has_room(self, work: Work) -> bool:
        """Work that is larger than its whole lane goes into the empty one."""
        waiting, limit = (
            (self._recovered_count, self._recovered_limit)
            if work.recovered
            else (self.fresh_count, self._limit)
        )
        return not waiting or waiting + len(work.execution_ids) <= limit

    def _append(self, work: Work) -> None:
        ids = work.execution_ids
        if not self._ids.isdisjoint(ids):
            ids = tuple(i for i in ids if i not in self._ids)
        if not ids:
            return
        self._ids.update(ids)
        self._recovered_count += len(ids) if work.recovered else 0
        kept = (
            work if len(ids) == len(work.execution_ids) else msgspec.structs.replace(work, execution_ids=ids)
        )
        (self._recovered if work.recovered else self._fresh).append(
            _Waiting(kept, time.monotonic(), Origin.now())
        )
        self._filled.set()

    def _next(self, max_size: int) -> Work:
        recovered = bool(self._recovered) and (self._turn_of_recovered or not self._fresh)
        self._turn_of_recovered = not recovered
        lane = self._recovered if recovered else self._fresh
        if not lane:
            return Work(())
        batch: list[int] = []
        first, callers = lane[0], 0
        origins: list[Origin] = []
        while lane and len(batch) < max_size:
            head = lane.popleft()
            room = max_size - len(batch)
            callers += 1
            origins.append(head.origin)
            batch.extend(head.work.execution_ids[:room])
            if len(head.work.execution_ids) > room:
                rest = msgspec.structs.replace(head.work, execution_ids=head.work.execution_ids[room:])
                lane.appendleft(_Waiting(rest, head.since_s, head.origin))
            if recovered:
                break
        self._ids.difference_update(batch)
        self._recovered_count -= len(batch) if recovered else 0
        self._drained.set()
        queued_ms = (time.monotonic() - first.since_s) * 1000
        return Work(tuple(batch), recovered, first.work.retry_count, callers, queued_ms, Origins.of(origins))
