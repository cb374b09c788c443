"""TradeOrderEditor: trade orders that clients change, move and delete."""

from collections.abc import Sequence

from trade_service.domain.errors import InvalidInput, NotFound, TooMany
from trade_service.domain.execution_changes import changed_order, refuse_order_deletion
from trade_service.domain.invisible import visible
from trade_service.domain.orders import NewTradeOrder, TradeOrder, checked_order
from trade_service.domain.reference import Blotter, ReferenceData
from trade_service.trading.ports import OrderChanges
from trade_service.trading.reference import ReferenceCache

MAX_ORDERS = 1000


class TradeOrderEditor:
    """Changes trade orders, except for the quantity sent: only submissions and executions change that."""

    def __init__(self, changes: OrderChanges, references: ReferenceCache) -> None:
        self._changes = changes
        self._references = references

    async def update_order(
        self, trade_order_id: int, version: int, values: NewTradeOrder
    ) -> tuple[TradeOrder, Blotter | None]:
        """Changes an order; returns it and its blotter. A timestamp of None keeps the old one.

        Raises NotFound (also for an unknown blotter), VersionConflict, InvalidInput (also for a quantity below
        the quantity sent), AlreadyExists for a taken order id, InFlight while one of its executions is being sent,
        and InUse for another security or order type once it has executions.
        """
        values = checked_order(values)
        blotter_id = values.blotter_id

        async def update(reference: ReferenceData) -> tuple[TradeOrder, Blotter | None]:
            if blotter_id is not None and blotter_id not in reference.blotters:
                raise NotFound.in_field("blotterId", "blotter", blotter_id)
            order = await self._changes.update(
                trade_order_id, version, lambda old, use: changed_order(old, values, use)
            )
            return order, None if blotter_id is None else reference.blotters[blotter_id]

        return await self._references.used_by(
            update, lambda data: blotter_id is None or blotter_id in data.blotters
        )

    async def move_orders(self, trade_order_ids: Sequence[int], abbreviation: str) -> list[TradeOrder | None]:
        """Moves 1 to 1000 orders to the blotter with that abbreviation; None for an order that does not exist.

        Executions keep the blotter that their order had when they were sliced, so orders with executions in flight
        can be moved as well. Raises InvalidInput, TooMany, and NotFound for an unknown blotter.
        """
        _check_ids(trade_order_ids)
        named = visible(abbreviation, "blotterAbbreviation").strip()

        async def move(reference: ReferenceData) -> list[TradeOrder]:
            blotter = _blotter_named(reference, named)
            if blotter is None:
                raise NotFound.in_field("blotterAbbreviation", "blotter", named)
            return await self._changes.move(trade_order_ids, blotter.id)

        orders = await self._references.used_by(move, lambda data: _blotter_named(data, named) is not None)
        moved = {order.id: order for order in orders}
        return [moved.get(trade_order_id) for trade_order_id in trade_order_ids]

    async def delete_order(self, trade_order_id: int, version: int) -> None:
        """Deletes an order without executions. Raises NotFound, VersionConflict, InFlight, InUse."""
        await self._changes.delete(trade_order_id, version, refuse_order_deletion)


def _check_ids(trade_order_ids: Sequence[int]) -> None:
    if len(trade_order_ids) > MAX_ORDERS:
        given = len(trade_order_ids)
        message = f"tradeOrderIds: must be at most {MAX_ORDERS}; got {given}, nothing was moved"
        raise TooMany(message, field="tradeOrderIds", value=given, limit=MAX_ORDERS)
    if not trade_order_ids:
        raise InvalidInput.of("tradeOrderIds", None, f"must be 1 to {MAX_ORDERS}")
    seen: set[int] = set()
    for trade_order_id in trade_order_ids:
        if trade_order_id in seen:
            raise InvalidInput.of("tradeOrderIds", trade_order_id, "must name each trade order once")
        seen.add(trade_order_id)


def _blotter_named(reference: ReferenceData, abbreviation: str) -> Blotter | None:
    """Ignores case, unless several abbreviations differ only in case."""
    alike = [b for b in reference.blotters.values() if b.abbreviation.lower() == abbreviation.lower()]
    return next((b for b in alike if b.abbreviation == abbreviation), alike[0] if len(alike) == 1 else None)
