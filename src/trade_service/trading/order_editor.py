"""TradeOrderEditor: trade orders that clients change and delete by hand."""

from trade_service.domain.errors import NotFound
from trade_service.domain.execution_changes import changed_order, refuse_order_deletion
from trade_service.domain.orders import NewTradeOrder, TradeOrder, checked_order
from trade_service.domain.reference import Blotter, ReferenceData
from trade_service.trading.ports import OrderChanges
from trade_service.trading.reference import ReferenceCache


class TradeOrderEditor:
    """Changes trade orders; what was sent of them only submissions and executions change."""

    def __init__(self, changes: OrderChanges, references: ReferenceCache) -> None:
        self._changes = changes
        self._references = references

    async def update_order(
        self, trade_order_id: int, version: int, values: NewTradeOrder
    ) -> tuple[TradeOrder, Blotter | None]:
        """Changes an order; returns it and its blotter. A timestamp of None stays as it is.

        Raises NotFound (also for an unknown blotter), VersionConflict, InvalidInput (also for a quantity below
        the one sent), AlreadyExists for a taken order id, InFlight while an execution of it is on its way, and
        InUse for another security or order type once it has executions.
        """
        checked_order(values)
        blotter_id = values.blotter_id

        async def update(reference: ReferenceData) -> tuple[TradeOrder, Blotter | None]:
            if blotter_id is not None and blotter_id not in reference.blotters:
                raise NotFound.in_field("blotterId", "blotter", blotter_id)
            order = await self._changes.update(
                trade_order_id, version, lambda old, use: changed_order(old, values, use)
            )
            return order, None if blotter_id is None else reference.blotters[blotter_id]

        if blotter_id is not None:
            await self._references.having(lambda data: blotter_id in data.blotters)
        return await self._references.used_by(update, lambda _: True)

    async def delete_order(self, trade_order_id: int, version: int) -> None:
        """Deletes an order without executions. Raises NotFound, VersionConflict, InFlight, InUse."""
        await self._changes.delete(trade_order_id, version, refuse_order_deletion)
