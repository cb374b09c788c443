"""Work that is done once for all who ask for it at the same time, and that outlives those who gave up."""

import asyncio
from collections.abc import Callable, Coroutine, Hashable
from types import TracebackType
from typing import Any, Generic, Self, TypeVar

import structlog

from trade_service.submission.ports import StoreUnavailable

_log = structlog.get_logger(__name__)

Result = TypeVar("Result")


class Flights(Generic[Result]):
    """Owns the tasks that it starts: they end with it.

    A waiter shields what it waits for, so that its own end leaves the others' work alone.
    """

    def __init__(self, what: str) -> None:
        """`what` names the work in the log."""
        self._what = what
        self._tasks: dict[Hashable, asyncio.Task[Result]] = {}

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)

    def __len__(self) -> int:
        return len(self._tasks)

    def __contains__(self, key: Hashable) -> bool:
        """Whether the work of this key is under way."""
        return key in self._tasks

    def join(self, key: Hashable, work: Callable[[], Coroutine[Any, Any, Result]]) -> asyncio.Task[Result]:
        """The task that does the work of this key: the one under way, else one begun now."""
        task = self._tasks.get(key)
        if task is None:
            task = self._tasks[key] = asyncio.create_task(work(), name=f"{self._what} {key}")
            task.add_done_callback(lambda done: self._ended(key, done))
        return task

    def _ended(self, key: Hashable, task: asyncio.Task[Result]) -> None:
        del self._tasks[key]
        error = None if task.cancelled() else task.exception()
        if isinstance(error, StoreUnavailable):
            _log.warning("background_work_failed", work=self._what, error=str(error))
        elif error is not None:
            _log.error("background_work_failed", work=self._what, exc_info=error)
