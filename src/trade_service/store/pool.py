"""A pool of connections whose waiters are served in the order in which they came."""

import asyncio
from collections import deque
from contextlib import suppress

from sqlalchemy.ext.asyncio import AsyncEngine
from sqlalchemy.pool import AsyncAdaptedQueuePool, ConnectionPoolEntry, PoolProxiedConnection
from sqlalchemy.util import await_only
from sqlalchemy.util.queue import Empty, Full, QueueCommon


class FairQueue(QueueCommon[ConnectionPoolEntry]):
    """Idle connections: the one used last goes first, and to whoever has waited longest.

    SQLAlchemy's own queue lets a newcomer take what a waiter was woken for, who then stands at the end again:
    under load the slowest requests took nearly thirty times the median.
    """

    def __init__(self, maxsize: int = 0, use_lifo: bool = True) -> None:
        self.maxsize = maxsize
        self.use_lifo = use_lifo
        self._idle: list[ConnectionPoolEntry] = []
        self._waiting: deque[asyncio.Future[ConnectionPoolEntry]] = deque()

    def empty(self) -> bool:
        """Whether none is idle."""
        return not self._idle

    def full(self) -> bool:
        """Whether all are idle."""
        return len(self._idle) >= self.maxsize

    def qsize(self) -> int:
        """How many are idle."""
        return len(self._idle)

    def put_nowait(self, item: ConnectionPoolEntry) -> None:
        """Hands a connection over to the first who waits, else keeps it; raises Full when all are here."""
        while self._waiting:
            first = self._waiting.popleft()
            if not first.done():
                first.set_result(item)
                return
        if self.full():
            raise Full
        self._idle.append(item)

    def put(self, item: ConnectionPoolEntry, _block: bool = True, _timeout: float | None = None) -> None:
        """As `put_nowait`: the pool never gives back more than it lent."""
        self.put_nowait(item)

    def get_nowait(self) -> ConnectionPoolEntry:
        """The one used last; raises Empty when none is idle."""
        if not self._idle:
            raise Empty
        return self._idle.pop()

    def get(self, block: bool = True, timeout: float | None = None) -> ConnectionPoolEntry:
        """The one used last, or the next that is given back within `timeout` seconds; raises Empty."""
        if self._idle or not block:
            return self.get_nowait()
        return await_only(self._next(timeout))

    async def _next(self, timeout_s: float | None) -> ConnectionPoolEntry:
        mine: asyncio.Future[ConnectionPoolEntry] = asyncio.get_running_loop().create_future()
        self._waiting.append(mine)
        try:
            async with asyncio.timeout(timeout_s):
                return await mine
        except TimeoutError:
            if mine.done() and not mine.cancelled():
                return mine.result()
            raise Empty from None
        except asyncio.CancelledError:
            if mine.done() and not mine.cancelled():
                self.put_nowait(mine.result())
            raise
        finally:
            if mine.cancelled():
                # While nothing is given back, those who gave up would pile up.
                with suppress(ValueError):
                    self._waiting.remove(mine)


class FairPool(AsyncAdaptedQueuePool):
    """A pool that serves in turn, and knows how many wait for a connection of it."""

    _queue_class = FairQueue
    pending = 0

    def connect(self) -> PoolProxiedConnection:
        """As the pool's."""
        self.pending += 1
        try:
            return super().connect()
        finally:
            self.pending -= 1


def _pool_of(engine: AsyncEngine) -> FairPool:
    pool = engine.pool
    assert isinstance(pool, FairPool)
    return pool


def pool_state(engine: AsyncEngine) -> tuple[int, int, int]:
    """How many connections are in use, idle, and waited for."""
    pool = _pool_of(engine)
    return pool.checkedout(), pool.checkedin(), pool.pending
