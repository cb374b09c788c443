"""ExecutionEditor: executions that clients create, change and delete directly."""

from collections.abc import Awaitable, Callable, Mapping

import msgspec

from trade_service.domain.errors import NotFound
from trade_service.domain.execution_changes import (
    ExecutionValues,
    changed_execution,
    checked_values,
    orders_after,
    refuse_deletion,
    state_of_new,
)
from trade_service.domain.executions import Execution
from trade_service.domain.orders import TradeOrder, taken, trade_type_of
from trade_service.domain.reference import ReferenceData
from trade_service.trading.model import Addition, Changed, ExecutionView, StoredExecution
from trade_service.trading.ports import ExecutionChanges
from trade_service.trading.reference import ReferenceCache
from trade_service.trading.views import views_of


class ExecutionEditor:
    """Writes single executions; their quantities are taken from their orders and returned to them."""

    def __init__(self, changes: ExecutionChanges, references: ReferenceCache) -> None:
        self._changes = changes
        self._references = references

    async def create_execution(self, values: ExecutionValues) -> ExecutionView:
        """Creates an execution without sending it: it can be submitted afterwards.

        One with a service id, a quantity placed or filled, or a trading status was sent before: it counts as
        accepted and is never sent. Raises InvalidInput, QuantityExceeded, and NotFound for a missing reference.
        """
        checked_values(values)

        async def create(reference: ReferenceData) -> StoredExecution:
            _check_known(reference, values)
            status = reference.statuses[values.execution_status_id].abbreviation

            def decide(order: TradeOrder) -> Addition:
                after = taken(order, values.quantity_ordered, "quantityOrdered")
                return Addition(
                    _with_trade_type(reference, values, order), state_of_new(values, status), after
                )

            return await self._changes.create(values, decide)

        return await self._written(create, values)

    async def update_execution(
        self, execution_id: int, version: int, values: ExecutionValues
    ) -> ExecutionView:
        """Changes an execution.

        Status, quantities placed and filled, blotter and timestamp can always change. Raises NotFound,
        VersionConflict, InvalidInput, QuantityExceeded, InFlight, and AlreadySent for another value of a field
        that was sent.
        """
        checked_values(values)

        async def update(reference: ReferenceData) -> StoredExecution:
            _check_known(reference, values)
            status = reference.statuses[values.execution_status_id].abbreviation

            def decide(old: Execution, orders: Mapping[int, TradeOrder]) -> Changed:
                new = changed_execution(old, values, status)
                return Changed(new, tuple(orders_after(old, new, orders)))

            return await self._changes.update(execution_id, version, values.trade_order_id, decide)

        return await self._written(update, values)

    async def delete_execution(self, execution_id: int, version: int) -> None:
        """Deletes an execution that was not sent, and returns its quantity to its order.

        Raises NotFound, VersionConflict, InFlight, AlreadySent.
        """

        def decide(old: Execution, orders: Mapping[int, TradeOrder]) -> Changed:
            refuse_deletion(old)
            return Changed(None, tuple(orders_after(old, None, orders)))

        await self._changes.delete(execution_id, version, decide)

    async def _written(
        self, write: Callable[[ReferenceData], Awaitable[StoredExecution]], values: ExecutionValues
    ) -> ExecutionView:
        stored = await self._references.used_by(write, lambda data: _unknown(data, values) is None)
        return (await views_of(self._references, [stored]))[0]


def _check_known(reference: ReferenceData, values: ExecutionValues) -> None:
    unknown = _unknown(reference, values)
    if unknown is not None:
        raise unknown


def _unknown(reference: ReferenceData, values: ExecutionValues) -> NotFound | None:
    """The error for the first missing reference."""
    for field, thing, identity, known in (
        ("executionStatusId", "execution status", values.execution_status_id, reference.statuses),
        ("destinationId", "destination", values.destination_id, reference.destinations),
        ("tradeTypeId", "trade type", values.trade_type_id, reference.trade_types),
        ("blotterId", "blotter", values.blotter_id, reference.blotters),
    ):
        if identity is not None and identity not in known:
            return NotFound.in_field(field, thing, identity)
    return None


def _with_trade_type(reference: ReferenceData, values: ExecutionValues, order: TradeOrder) -> ExecutionValues:
    """The values, with the order's trade type as the default."""
    if values.trade_type_id is not None:
        return values
    trade_type = reference.trade_type_named(trade_type_of(order))
    return msgspec.structs.replace(values, trade_type_id=None if trade_type is None else trade_type.id)
