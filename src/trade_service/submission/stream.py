"""The bookkeeping of one stream of executions: places, deadlines, results."""

import asyncio
from collections import deque
from collections.abc import Sequence

import msgspec

from trade_service.submission.board import Watch
from trade_service.submission.model import ExecutionSubmitResult
from trade_service.submission.ports import Clock


class Stream:
    """Executions that went in and whose results have not come out yet.

    An id that is given again while it is under way is sent once and answered once a place.
    """

    def __init__(self, watch: Watch, clock: Clock, wait_s: float) -> None:
        self.watch = watch
        self._clock = clock
        self._wait_s = wait_s
        self._count = 0
        self._places: dict[int, tuple[int, ...]] = {}
        self._deadlines: deque[tuple[float, tuple[int, ...]]] = deque()

    @property
    def under_way(self) -> int:
        """How many executions have no result yet, or one that was not taken."""
        return len(self._places)

    def add(self, batch: Sequence[int]) -> tuple[int, ...]:
        """Notes a batch and its deadline; returns its ids that were not under way."""
        fresh = []
        for place, execution_id in enumerate(batch, self._count):
            places = self._places.get(execution_id)
            if places is None:
                fresh.append(execution_id)
                self._places[execution_id] = (place,)
            else:
                self._places[execution_id] = (*places, place)
        self._count += len(batch)
        self._deadlines.append((self._clock.boottime() + self._wait_s, tuple(fresh)))
        return tuple(fresh)

    async def wait(self) -> list[int]:
        """Returns when there are results, or with the executions whose deadline has passed without one."""
        while self._deadlines and not any(i in self.watch.open for i in self._deadlines[0][1]):
            self._deadlines.popleft()
        if self.watch.results or not self._deadlines:
            return []
        deadline, ids = self._deadlines[0]
        try:
            async with asyncio.timeout(max(0.0, deadline - self._clock.boottime())):
                await self.watch.changed()
        except TimeoutError:
            self._deadlines.popleft()
            return [i for i in ids if i in self.watch.open]
        return []

    def take(self) -> list[ExecutionSubmitResult]:
        """The results that have come since the last call, one for each place."""
        return [
            msgspec.structs.replace(result, request_index=place)
            for execution_id, result in self.watch.take().items()
            for place in self._places.pop(execution_id)
        ]
