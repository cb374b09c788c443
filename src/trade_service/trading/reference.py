"""The cache of reference data, and executions joined with it."""

from collections.abc import Iterable, Sequence

from trade_service.domain.reference import ReferenceData
from trade_service.single_flight import SingleFlightCache
from trade_service.submission.ports import Clock, StoreUnavailable
from trade_service.trading.model import ExecutionView, StoredExecution
from trade_service.trading.ports import ReferenceReads

MISS_PAUSE_S = 1.0
"""Unknown ids cause at most one read in this time."""


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
            monotonic=clock.monotonic,
        )


async def views_of(references: ReferenceCache, stored: Sequence[StoredExecution]) -> list[ExecutionView]:
    """The executions as clients read them.

    Everything that they refer to exists, so reference data that lacks it is older than they are and is read again.
    Raises StoreUnavailable when that fails.
    """
    reference = await references.current(lambda data: _covers(data, stored))
    return [_view(reference, one) for one in stored]


def _covers(reference: ReferenceData, stored: Iterable[StoredExecution]) -> bool:
    return all(
        one.execution.execution_status_id in reference.statuses
        and one.execution.destination_id in reference.destinations
        and (one.execution.trade_type_id is None or one.execution.trade_type_id in reference.trade_types)
        and (one.execution.blotter_id is None or one.execution.blotter_id in reference.blotters)
        and (one.order.blotter_id is None or one.order.blotter_id in reference.blotters)
        for one in stored
    )


def _view(reference: ReferenceData, stored: StoredExecution) -> ExecutionView:
    execution, order = stored.execution, stored.order
    try:
        status = reference.statuses[execution.execution_status_id]
        destination = reference.destinations[execution.destination_id]
    except KeyError as missing:
        message = f"execution {execution.id} changed while it was read: id {missing} is unknown, try again"
        raise StoreUnavailable(message) from missing
    # A blotter or trade type deleted since then is gone from the row as well.
    return ExecutionView(
        execution=execution,
        status=status,
        blotter=reference.blotters.get(execution.blotter_id or 0),
        trade_type=reference.trade_types.get(execution.trade_type_id or 0),
        destination=destination,
        order=order,
        order_blotter=reference.blotters.get(order.blotter_id or 0),
    )
