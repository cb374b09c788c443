"""Work that concurrent callers share, and a cached value that is read that way."""

import asyncio
import math
import time
from collections.abc import Awaitable, Callable, Collection, Coroutine, Hashable
from typing import Any, Generic, Self, TypeVar

import structlog

_log = structlog.get_logger(__name__)

PATIENCE_S = 1.0
"""How long a caller waits for a newer value while an older one would do, counted from the start of the read."""

Result = TypeVar("Result")
Value = TypeVar("Value")


class SingleFlight(Generic[Result]):
    """Runs the work of a key once for everyone who wants it at that moment.

    It owns the tasks it starts: they outlive callers that are cancelled (who therefore wait with
    `asyncio.wait` or `asyncio.shield`), and leaving `async with` cancels them. A failure reaches every caller
    and is logged: `expected` errors in one line, others with their traceback.

        async with SingleFlight[int]("count", expected=StoreUnavailable) as counts:
            task = counts.join("orders", lambda: store.count("orders"))
    """

    def __init__(self, name: str, expected: type[Exception]) -> None:
        self._name = name
        self._expected = expected
        self._tasks: dict[Hashable, asyncio.Task[Result]] = {}

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        tasks = set(self._tasks.values())
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)

    def __len__(self) -> int:
        """How many keys are being worked on."""
        return len(self._tasks)

    def running(self, key: Hashable) -> asyncio.Task[Result] | None:
        """The task that is working on this key."""
        return self._tasks.get(key)

    def join(self, key: Hashable, work: Callable[[], Coroutine[Any, Any, Result]]) -> asyncio.Task[Result]:
        """The task that is working on this key, or a new one."""
        return self._tasks.get(key) or self.start((key,), work)

    def start(
        self, keys: Collection[Hashable], work: Callable[[], Coroutine[Any, Any, Result]]
    ) -> asyncio.Task[Result]:
        """A new task that works on one or more keys, none of which is being worked on."""
        task = asyncio.create_task(work(), name=self._name)
        self._tasks |= dict.fromkeys(keys, task)
        task.add_done_callback(lambda done: self._ended(keys, done))
        return task

    def _ended(self, keys: Collection[Hashable], task: asyncio.Task[Result]) -> None:
        for key in keys:
            del self._tasks[key]
        error = None if task.cancelled() else task.exception()
        if isinstance(error, self._expected):
            _log.warning("background_work_failed", work=self._name, error=str(error))
        elif error is not None:
            _log.error("background_work_failed", work=self._name, exc_info=error)


class SingleFlightCache(Generic[Value]):
    """A value read from elsewhere, at most `max_age_s` old while its source answers.

    Concurrent callers share one read. While reading fails, the last value is served for `stale_s` more.

    Args:
        name: what is read, for the log.
        load: reads the value.
        expected: the error that `load` raises while its source is unavailable.
        max_age_s: the age at which the value is read again.
        pause_s: the least time between two reads that `get` starts, however many callers find the value
            insufficient or the source unavailable.
        stale_s: how much older the value may become while it cannot be read.
        most_share: the greatest share of the time that reading may take: a read that takes long is used longer.
        monotonic: the clock, in seconds.
    """

    def __init__(
        self,
        name: str,
        load: Callable[[], Awaitable[Value]],
        expected: type[Exception],
        *,
        max_age_s: float,
        pause_s: float,
        stale_s: float = math.inf,
        most_share: float = math.inf,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._load = load
        self._max_age_s = max_age_s
        self._pause_s = pause_s
        self._stale_s = stale_s
        self._most_share = most_share
        self._took_s = 0.0
        self._monotonic = monotonic
        self._reads: SingleFlight[Value] = SingleFlight(name, expected)
        self._value: Value | None = None
        self._read_at = self._tried_at = -math.inf
        self._error: Exception | None = None

    async def get(self, is_enough: Callable[[Value], bool] = lambda _: True) -> Value:
        """The value, read again when it is too old or not enough; for callers that can do with an old one.

        Raises what reading raises (the last failure again within `pause_s` of it), but only when there is no
        value that is young enough to serve.
        """
        value, now = self._value, self._monotonic()
        age_s, max_age_s = now - self._read_at, max(self._max_age_s, self._took_s / self._most_share)
        if value is not None and age_s < max_age_s and is_enough(value):
            return value
        may_read = len(self._reads) > 0 or now - self._tried_at >= self._pause_s
        if value is None or age_s >= max_age_s + self._stale_s:
            if self._error is not None and not may_read:
                raise self._error.with_traceback(None)
            return await asyncio.shield(self._read())
        if not may_read:
            return value
        reading = self._read()
        patience_s = max(0.0, self._tried_at + PATIENCE_S - now)
        done, _ = await asyncio.wait([reading], timeout=patience_s)
        failed = not done or reading.cancelled() or reading.exception() is not None
        return value if failed else reading.result()

    async def reload(self) -> Value:
        """The value, by a read that starts after this call. Raises what reading raises."""
        if (earlier := self._reads.running(_READ)) is not None:
            await asyncio.wait([earlier])
        return await asyncio.shield(self._read())

    def _read(self) -> asyncio.Task[Value]:
        if not len(self._reads):
            self._tried_at = self._monotonic()
        return self._reads.join(_READ, self._read_now)

    async def _read_now(self) -> Value:
        began, self._error = self._monotonic(), None
        try:
            self._value = value = await self._load()
        except Exception as error:
            self._error = error
            raise
        self._read_at, self._took_s = began, self._monotonic() - began
        return value


_READ = "read"
