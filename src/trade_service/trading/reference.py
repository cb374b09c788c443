"""The cache of reference data, what is written by it, and executions joined with it."""

from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

from trade_service.domain.reference import ReferenceData
from trade_service.single_flight import SingleFlightCache
from trade_service.submission.ports import Clock, StoreUnavailable
from trade_service.trading.model import ExecutionView, StoredExecution
from trade_service.trading.ports import ReferenceReads, StaleReference

MISS_PAUSE_S = 1.0
"""Unknown ids cause at most one read in this time."""

Written = TypeVar("Written")


class ReferenceCache(SingleFlightCache[ReferenceData]):
    """Reference data that is at most `ttl_s` old, and served however old it is while the database is away.

    `get` is for answers that can do without the newest rows, `current` for those that would be wrong without
    them: it is never older than the orders and executions that this process has read. Raises StoreUnavailable.
    """

    def __init__(self, reads: ReferenceReads, ttl_s: float, clock: Clock) -> None:
        super().__init__(
            "reference data",
            reads.load,
            StoreUnavailable,
            max_age_s=ttl_s,
            pause_s=MISS_PAUSE_S,
            monotonic=clock.monotonic,
        )
        self._seen = reads.seen_revision

    async def current(self, is_enough: Callable[[ReferenceData], bool]) -> ReferenceData:
        """The data; reloaded when it is not enough, which finds what another process has just written."""
        data = await self.get()
        if data.revision >= self._seen.newest and is_enough(data):
            return data
        return await self.reload()


async def written_by(
    references: ReferenceCache,
    is_enough: Callable[[ReferenceData], bool],
    write: Callable[[ReferenceData], Awaitable[Written]],
) -> Written:
    """What `write` returns; tried again with reloaded data when a row that it uses has just been deleted."""
    try:
        return await write(await references.current(is_enough))
    except StaleReference:
        return await write(await references.reload())


async def views_of(references: ReferenceCache, stored: Sequence[StoredExecution]) -> list[ExecutionView]:
    """The executions as clients read them.

    Everything that they refer to exists, so reference data that lacks it is older than they are and is read again.
    Raises StoreUnavailable when that fails.
    """
    statuses = {one.execution.execution_status_id for one in stored}
    destinations = {one.execution.destination_id for one in stored}
    trade_types = {one.execution.trade_type_id for one in stored} - {None}
    blotters = {one.execution.blotter_id for one in stored} | {one.order.blotter_id for one in stored}
    data = await references.current(
        lambda data: (
            statuses <= data.statuses.keys()
            and destinations <= data.destinations.keys()
            and trade_types <= data.trade_types.keys()
            and blotters - {None} <= data.blotters.keys()
        )
    )
    if missing := (statuses - data.statuses.keys()) | (destinations - data.destinations.keys()):
        raise StoreUnavailable(
            f"executions changed while they were read: ids {missing} are unknown, try again"
        )
    # A blotter or trade type deleted since then is gone from the row as well.
    return [
        ExecutionView(
            execution=one.execution,
            status=data.statuses[one.execution.execution_status_id],
            blotter=data.blotters.get(one.execution.blotter_id or 0),
            trade_type=data.trade_types.get(one.execution.trade_type_id or 0),
            destination=data.destinations[one.execution.destination_id],
            order=one.order,
            order_blotter=data.blotters.get(one.order.blotter_id or 0),
        )
        for one in stored
    ]
