"""Reference data, cached: read once by many, kept while the database is away."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

import structlog

from trade_service.domain.reference import ReferenceData
from trade_service.submission.ports import Clock, StoreUnavailable
from trade_service.trading.ports import ReferenceReads, StaleReference

_log = structlog.get_logger(__name__)

MISS_PAUSE_S = 1.0
"""Ids that nothing is known of cause at most one read in this time."""
PATIENCE_S = 1.0
"""How long a caller waits for newer data when there is older data that may do."""

Needed = Callable[[ReferenceData], bool]
Answer = TypeVar("Answer")


class ReferenceCache:
    """Reference data that is at most `ttl_s` old while the database answers."""

    def __init__(self, reads: ReferenceReads, ttl_s: float, clock: Clock) -> None:
        self._reads = reads
        self._ttl_s = ttl_s
        self._clock = clock
        self._data: ReferenceData | None = None
        self._read_at = 0.0
        self._tried_at = 0.0
        self._reading: asyncio.Task[ReferenceData] | None = None

    async def get(self, needed: Needed | None = None) -> ReferenceData:
        """The data; read again when it is too old or lacks what is `needed`.

        Where an answer without it will do: a lack costs at most one read in MISS_PAUSE_S. Raises
        StoreUnavailable only when there is no data at all; else the older data is returned, whatever it lacks.
        """
        data = self._data
        if data is None:
            return await asyncio.shield(self._read())
        now = self._clock.boottime()
        lacking = needed is not None and not needed(data)
        wanted = lacking or now - self._read_at >= self._ttl_s
        if wanted and (self._reading is not None or now - self._tried_at >= MISS_PAUSE_S):
            return await self._newer(data)
        return data

    async def refreshed(self) -> ReferenceData:
        """The data, read by a statement that begins now: for ids that are known to exist or to be gone."""
        if self._reading is not None:
            await asyncio.wait([self._reading])
        return await asyncio.shield(self._read())

    async def having(self, needed: Needed) -> ReferenceData:
        """The data; read by a statement that begins now when it lacks what is `needed`.

        Where a wrong answer would be the price: what another replica has just created is found. A lack costs a
        read, shared by all who lack something at that moment.
        """
        data = await self.get()
        return data if needed(data) else await self.refreshed()

    async def used_by(self, act: Callable[[ReferenceData], Awaitable[Answer]], needed: Needed) -> Answer:
        """What `act` returns; once more with data read anew when what it used turns out to be gone."""
        try:
            return await act(await self.having(needed))
        except StaleReference:
            return await act(await self.refreshed())

    async def _newer(self, data: ReferenceData) -> ReferenceData:
        patience = self._tried_at + PATIENCE_S - self._clock.boottime() if self._reading else PATIENCE_S
        reading = self._read()
        done, _ = await asyncio.wait([reading], timeout=max(0.0, patience))
        unread = not done or reading.cancelled() or reading.exception() is not None
        return data if unread else reading.result()

    def _read(self) -> asyncio.Task[ReferenceData]:
        """The read that is under way, begun now if there is none."""
        if self._reading is None:
            self._tried_at = self._clock.boottime()
            self._reading = asyncio.create_task(self._read_now(), name="reference data")
            self._reading.add_done_callback(self._read_ended)
        return self._reading

    async def _read_now(self) -> ReferenceData:
        self._data = await self._reads.load()
        self._read_at = self._clock.boottime()
        return self._data

    def _read_ended(self, task: asyncio.Task[ReferenceData]) -> None:
        self._reading = None
        error = None if task.cancelled() else task.exception()
        if isinstance(error, StoreUnavailable):
            _log.warning("reference_data_not_read", error=str(error))
        elif error is not None:
            _log.error("reference_data_not_read", exc_info=error)
