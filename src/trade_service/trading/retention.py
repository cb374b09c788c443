"""Sweep: removes expired records in bounded batches; every replica runs it."""

from collections.abc import Awaitable, Callable

import structlog

from trade_service.submission.ports import StoreUnavailable

_log = structlog.get_logger(__name__)


class Sweep:
    """Removes one kind of record.

    `remove_old` removes up to the given number of expired records with one statement and returns how many it
    removed.
    """

    def __init__(
        self,
        what: str,
        remove_old: Callable[[int], Awaitable[int]],
        every_s: float,
        limit: int,
        sleep: Callable[[float], Awaitable[None]],
    ) -> None:
        self._what = what
        self._remove_old = remove_old
        self._every_s = every_s
        self._limit = limit
        self._sleep = sleep

    async def run(self) -> None:
        """Removes until cancelled; waits while the database is unavailable."""
        while True:
            await self._sleep(self._every_s)
            try:
                removed = await self.once()
            except StoreUnavailable as error:
                _log.warning("sweep_waits_for_database", records=self._what, error=str(error))
                continue
            if removed:
                _log.info("old_records_removed", records=self._what, removed=removed)

    async def once(self) -> int:
        """Removes everything that has expired by now; returns how many records."""
        total = 0
        while True:
            removed = await self._remove_old(self._limit)
            total += removed
            if removed < self._limit:
                return total
