"""A value that is read from elsewhere: kept for a while, read once for many, at most so often."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

T = TypeVar("T")

PATIENCE_S = 1.0
"""How long a caller waits for a newer value when there is an older one that will do."""


class Refreshed(Generic[T]):
    """A value at most `max_age_s` old; older, for `stale_s` more, only while it cannot be read."""

    def __init__(
        self,
        load: Callable[[], Awaitable[T]],
        max_age_s: float,
        floor_s: float,
        stale_s: float = 0.0,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._load = load
        self._max_age_s = max_age_s
        self._floor_s = floor_s
        self._stale_s = stale_s
        self._monotonic = monotonic
        self._value: T | None = None
        self._read_at = self._tried_at = float("-inf")
        self._error: BaseException | None = None
        self._reading: asyncio.Task[T] | None = None

    async def get(self, is_enough: Callable[[T], bool]) -> T:
        """The value; read again when it is too old or not enough, but then once in `floor_s` at most.

        Raises what reading raises, unless there is a value that will do.
        """
        value, now = self._value, self._monotonic()
        age_s = now - self._read_at
        recently_tried = self._reading is None and now - self._tried_at < self._floor_s
        if value is None or age_s >= self._max_age_s + self._stale_s:
            if recently_tried and self._error is not None:
                raise self._error.with_traceback(None)
            return await asyncio.shield(self._read())
        if recently_tried or (age_s < self._max_age_s and is_enough(value)):
            return value
        reading = self._read()
        done, _ = await asyncio.wait([reading], timeout=PATIENCE_S)
        failed = not done or reading.cancelled() or reading.exception() is not None
        return value if failed else reading.result()

    def _read(self) -> asyncio.Task[T]:
        """The read that is under way, begun now if there is none."""
        if self._reading is None:
            self._tried_at = self._monotonic()
            self._reading = asyncio.create_task(self._read_now(), name="credentials")
            self._reading.add_done_callback(self._ended)
        return self._reading

    async def _read_now(self) -> T:
        began = self._monotonic()
        value = await self._load()
        self._value, self._read_at = value, began
        return value

    def _ended(self, task: asyncio.Task[T]) -> None:
        self._reading = None
        self._error = None if task.cancelled() else task.exception()
