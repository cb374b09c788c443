"""Executions that clients write by hand. Not the submission path: one row at a time, rules asked in between."""

from typing import Any

import msgspec
import sqlalchemy as sa
from sqlalchemy import Integer, String, bindparam, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.ext.asyncio import AsyncConnection

from trade_service.domain.errors import NotFound, VersionConflict
from trade_service.domain.execution_changes import ExecutionValues
from trade_service.domain.executions import Execution, SubmissionState, is_possible_id
from trade_service.domain.money import ZERO
from trade_service.domain.orders import TradeOrder
from trade_service.domain.reference import STATUS_NEW
from trade_service.store import order_sql as sql
from trade_service.store.database import Database
from trade_service.store.engine import transaction
from trade_service.store.execution_reads import to_order
from trade_service.store.legacy_keys import LOCK_ORDERS, legacy_keyed_transaction
from trade_service.store.tables import INSTANT
from trade_service.store.violations import stale_references
from trade_service.trading.model import Addition, StoredExecution
from trade_service.trading.ports import Change, Decide
from trade_service.trading.request_keys import Created

_ROW = (
    *(bindparam(f"{name}_id", type_=Integer) for name in ("status", "blotter", "trade_type", "trade_order")),
    *(bindparam(f"{name}_id", type_=Integer) for name in ("destination", "service")),
    *(bindparam(name, type_=sa.Numeric) for name in ("ordered", "placed", "filled", "limit_price")),
    bindparam("moment", type_=INSTANT),
    bindparam("state", type_=String),
)
LOCK_EXECUTION = text(sql.LOCK_EXECUTION).bindparams(
    bindparam("id", type_=Integer), bindparam("status_new_name", STATUS_NEW, type_=String)
)
INSERT_EXECUTION = text(sql.INSERT_EXECUTION).bindparams(*_ROW)
UPDATE_EXECUTION = text(sql.UPDATE_EXECUTION).bindparams(*_ROW, bindparam("id", type_=Integer))
DELETE_EXECUTION = text(sql.DELETE_EXECUTION).bindparams(bindparam("id", type_=Integer))
MOVE_QUANTITIES = text(sql.MOVE_QUANTITIES).bindparams(
    bindparam("ids", type_=ARRAY(Integer)),
    bindparam("quantities_sent", type_=ARRAY(sa.Numeric)),
    bindparam("submitted", type_=ARRAY(sa.Boolean)),
)


class PostgresExecutionChanges:
    """The port ExecutionChanges on PostgreSQL; see there for what each method promises."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def create(self, values: ExecutionValues, decide: Decide) -> StoredExecution:
        """See ExecutionChanges."""
        with stale_references():
            async with legacy_keyed_transaction(self._database) as (connection, making):
                order = (await _lock_orders(connection, values.trade_order_id))[values.trade_order_id]
                addition = decide(order)
                row = (await connection.execute(INSERT_EXECUTION, _of_addition(addition))).one()
                orders = await _move(connection, addition.order)
                making.created = Created((row.id,))
        execution = _added(addition, row)
        return StoredExecution(execution, orders[addition.order.id])

    async def update(
        self, execution_id: int, version: int, trade_order_id: int, decide: Change
    ) -> StoredExecution:
        """See ExecutionChanges."""
        with stale_references():
            async with transaction(self._database) as connection:
                old = await _lock(connection, execution_id, version)
                orders = await _lock_orders(connection, old.trade_order_id, trade_order_id)
                changed = decide(old, orders)
                new = changed.execution
                assert new is not None
                row = (await connection.execute(UPDATE_EXECUTION, _of_execution(new))).one()
                orders |= await _move(connection, *changed.orders)
        return StoredExecution(msgspec.structs.replace(new, version=row.version), orders[new.trade_order_id])

    async def delete(self, execution_id: int, version: int, decide: Change) -> None:
        """See ExecutionChanges."""
        async with transaction(self._database) as connection:
            old = await _lock(connection, execution_id, version)
            changed = decide(old, await _lock_orders(connection, old.trade_order_id))
            await connection.execute(DELETE_EXECUTION, {"id": execution_id})
            await _move(connection, *changed.orders)


async def _lock(connection: AsyncConnection, execution_id: int, version: int) -> Execution:
    if is_possible_id(execution_id):
        row = (await connection.execute(LOCK_EXECUTION, {"id": execution_id})).one_or_none()
        if row is not None:
            *fields, state = row
            values: list[Any] = [*fields, SubmissionState(state)]
            execution = Execution(*values)
            if execution.version != version:
                raise VersionConflict.of("execution", execution_id, version, execution.version)
            return execution
    raise NotFound.of("execution", execution_id)


async def _lock_orders(connection: AsyncConnection, *ids: int) -> dict[int, TradeOrder]:
    """The orders of these ids, all of which exist."""
    possible = sorted({order_id for order_id in ids if is_possible_id(order_id)})
    orders = {o.id: o for o in map(to_order, await connection.execute(LOCK_ORDERS, {"ids": possible}))}
    for order_id in ids:
        if order_id not in orders:
            raise NotFound.in_field("tradeOrderId", "trade order", order_id)
    return orders


async def _move(connection: AsyncConnection, *orders: TradeOrder) -> dict[int, TradeOrder]:
    """Writes what the orders have sent; the orders with their new versions."""
    if not orders:
        return {}
    values = {
        "ids": [order.id for order in orders],
        "quantities_sent": [order.quantity_sent for order in orders],
        "submitted": [order.submitted for order in orders],
    }
    versions = {row.id: row.version for row in await connection.execute(MOVE_QUANTITIES, values)}
    return {order.id: msgspec.structs.replace(order, version=versions[order.id]) for order in orders}


def _of_addition(addition: Addition) -> dict[str, Any]:
    values = addition.values
    return {
        "status_id": values.execution_status_id,
        "blotter_id": values.blotter_id,
        "trade_type_id": values.trade_type_id,
        "trade_order_id": values.trade_order_id,
        "destination_id": values.destination_id,
        "service_id": values.execution_service_id,
        "ordered": values.quantity_ordered,
        "placed": values.quantity_placed or ZERO,
        "filled": values.quantity_filled or ZERO,
        "limit_price": values.limit_price,
        "moment": values.execution_timestamp,
        "state": addition.state.value,
    }


def _of_execution(execution: Execution) -> dict[str, Any]:
    return {
        "id": execution.id,
        "status_id": execution.execution_status_id,
        "blotter_id": execution.blotter_id,
        "trade_type_id": execution.trade_type_id,
        "trade_order_id": execution.trade_order_id,
        "destination_id": execution.destination_id,
        "service_id": execution.execution_service_id,
        "ordered": execution.quantity_ordered,
        "placed": execution.quantity_placed,
        "filled": execution.quantity_filled,
        "limit_price": execution.limit_price,
        "moment": execution.execution_timestamp,
        "state": execution.submission_state.value,
    }


def _added(addition: Addition, row: Any) -> Execution:
    """What was written, put together without reading it again."""
    values = addition.values
    return Execution(
        id=row.id,
        execution_timestamp=row.execution_timestamp,
        execution_status_id=values.execution_status_id,
        blotter_id=values.blotter_id,
        trade_type_id=values.trade_type_id,
        trade_order_id=values.trade_order_id,
        destination_id=values.destination_id,
        quantity_ordered=values.quantity_ordered,
        quantity_placed=values.quantity_placed or ZERO,
        quantity_filled=values.quantity_filled or ZERO,
        limit_price=values.limit_price,
        execution_service_id=values.execution_service_id,
        version=row.version,
        submission_state=addition.state,
    )
