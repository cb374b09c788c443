"""Use cases by which clients change single rows: executions, trade orders and reference data."""

from collections.abc import Mapping, Sequence

import msgspec
import structlog

from trade_service.domain.errors import InvalidInput, NotFound
from trade_service.domain.execution_changes import ExecutionValues, checked_values
from trade_service.domain.fields import check_count, visible
from trade_service.domain.orders import NewTradeOrder, TradeOrder, checked_order
from trade_service.domain.reference import (
    BLOTTER,
    DESTINATION,
    EXECUTION_STATUS,
    TRADE_TYPE,
    Blotter,
    Reference,
    ReferenceData,
    ReferenceKind,
    ReferenceValues,
    checked_reference,
)
from trade_service.submission.ports import StoreUnavailable
from trade_service.trading.model import ExecutionView, StoredExecution
from trade_service.trading.ports import ExecutionChanges, OrderChanges, ReferenceChanges
from trade_service.trading.reference import ReferenceCache, views_of, written_by

_log = structlog.get_logger(__name__)

MAX_ORDERS = 1000
"""Limit of one move."""


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
        return await self._write(None, 0, values)

    async def update_execution(
        self, execution_id: int, version: int, values: ExecutionValues
    ) -> ExecutionView:
        """Changes an execution.

        Status, quantities placed and filled, blotter and timestamp can always change. Raises NotFound,
        VersionConflict, InvalidInput, QuantityExceeded, InFlight, and AlreadySent for another value of a field
        that was sent.
        """
        return await self._write(execution_id, version, values)

    async def delete_execution(self, execution_id: int, version: int) -> None:
        """Deletes an execution that was not sent, and returns its quantity to its order.

        Raises NotFound, VersionConflict, InFlight, AlreadySent.
        """
        await self._changes.delete(execution_id, version)

    async def _write(self, execution_id: int | None, version: int, values: ExecutionValues) -> ExecutionView:
        checked_values(values)

        async def write(reference: ReferenceData) -> StoredExecution:
            if (unknown := _unknown(reference, values)) is not None:
                raise unknown
            if execution_id is None:
                return await self._changes.create(values, reference)
            return await self._changes.update(execution_id, version, values, reference)

        stored = await written_by(self._references, lambda data: _unknown(data, values) is None, write)
        return (await views_of(self._references, [stored]))[0]


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
            order = await self._changes.update(trade_order_id, version, values)
            return order, None if blotter_id is None else reference.blotters[blotter_id]

        return await written_by(
            self._references, lambda data: blotter_id is None or blotter_id in data.blotters, update
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

        await self._references.reload()  # Another process may have given the abbreviation to another blotter.
        orders = await written_by(
            self._references, lambda data: _blotter_named(data, named) is not None, move
        )
        moved = {order.id: order for order in orders}
        return [moved.get(trade_order_id) for trade_order_id in trade_order_ids]

    async def delete_order(self, trade_order_id: int, version: int) -> None:
        """Deletes an order without executions. Raises NotFound, VersionConflict, InFlight, InUse."""
        await self._changes.delete(trade_order_id, version)


def _check_ids(trade_order_ids: Sequence[int]) -> None:
    check_count(len(trade_order_ids), "tradeOrderIds", MAX_ORDERS, "moved")
    seen: set[int] = set()
    for trade_order_id in trade_order_ids:
        if trade_order_id in seen:
            raise InvalidInput.of("tradeOrderIds", trade_order_id, "must name each trade order once")
        seen.add(trade_order_id)


def _blotter_named(reference: ReferenceData, abbreviation: str) -> Blotter | None:
    """Ignores case, unless several abbreviations differ only in case."""
    alike = [b for b in reference.blotters.values() if b.abbreviation.lower() == abbreviation.lower()]
    return next((b for b in alike if b.abbreviation == abbreviation), alike[0] if len(alike) == 1 else None)


class ReferenceEditor:
    """Reads the current rows of the database, and refreshes this process's cache after every change."""

    def __init__(self, changes: ReferenceChanges, references: ReferenceCache) -> None:
        self._changes = changes
        self._references = references

    async def get_all(self, kind: ReferenceKind) -> list[Reference]:
        """All rows of the kind, by id, including other replicas' changes."""
        data = await self._references.reload()
        tables: dict[ReferenceKind, Mapping[int, Reference]] = {
            BLOTTER: data.blotters,
            TRADE_TYPE: data.trade_types,
            DESTINATION: data.destinations,
            EXECUTION_STATUS: data.statuses,
        }
        return [*tables[kind].values()]

    async def get(self, kind: ReferenceKind, identity: int) -> Reference:
        """The current row with that id; raises NotFound."""
        for reference in await self.get_all(kind):
            if reference.id == identity:
                return reference
        raise NotFound.of(kind.thing, identity)

    async def create(self, kind: ReferenceKind, values: ReferenceValues) -> Reference:
        """Creates a row. Raises InvalidInput, and AlreadyExists for a taken abbreviation."""
        created = await self._changes.create(kind, checked_reference(kind, values))
        await self._refresh()
        return created

    async def update(
        self, kind: ReferenceKind, identity: int, version: int, values: ReferenceValues
    ) -> Reference:
        """Changes a row.

        Raises InvalidInput, NotFound, VersionConflict, AlreadyExists, and InUse for another abbreviation of a row
        that the service requires or that executions refer to.
        """
        updated = await self._changes.update(kind, identity, version, checked_reference(kind, values))
        await self._refresh()
        return updated

    async def delete(self, kind: ReferenceKind, identity: int, version: int) -> None:
        """Deletes a row. Raises NotFound, VersionConflict, and InUse while anything refers to it."""
        await self._changes.delete(kind, identity, version)
        await self._refresh()

    async def _refresh(self) -> None:
        """Drops the old data from this process's cache; the change itself is committed in any case."""
        try:
            await self._references.reload()
        except StoreUnavailable as error:
            _log.warning("reference_data_not_refreshed", error=str(error))


class Editors(msgspec.Struct, frozen=True):
    """The editors of orders, executions and reference data."""

    orders: TradeOrderEditor
    executions: ExecutionEditor
    references: ReferenceEditor
