"""The cache of reference data, and writes that depend on it."""

from collections.abc import Awaitable, Callable
from typing import TypeVar

from trade_service.domain.reference import ReferenceData
from trade_service.single_flight import SingleFlightCache
from trade_service.submission.ports import Clock, StoreUnavailable
from trade_service.trading.ports import ReferenceReads, StaleReference

MISS_PAUSE_S = 1.0
"""Unknown ids cause at most one read in this time."""

Answer = TypeVar("Answer")


class ReferenceCache(SingleFlightCache[ReferenceData]):
    """Reference data that is at most `ttl_s` old, and served however old it is while the database is away.

    `get` is for answers that can do without the newest rows, `current` for those that would be wrong without
    them. Raises StoreUnavailable.
    """

    def __init__(self, reads: ReferenceReads, ttl_s: float, clock: Clock) -> None:
        super().__init__(
            "reference data",
            reads.load,
            StoreUnavailable,
            max_age_s=ttl_s,
            pause_s=MISS_PAUSE_S,
            monotonic=clock.boottime,
        )

    async def used_by(
        self, act: Callable[[ReferenceData], Awaitable[Answer]], needed: Callable[[ReferenceData], bool]
    ) -> Answer:
        """What `act` returns; tried once more with reloaded data when a row that it used has been deleted."""
        try:
            return await act(await self.current(needed))
        except StaleReference:
            return await act(await self.reload())
