"""Trade orders and executions that clients write directly, by one transaction each.

Not the submission path: rows are locked, rules decide what is written, and only then is it written.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import asyncpg
import msgspec

from trade_service.domain.errors import AlreadyExists, InUse, NotFound, VersionConflict
from trade_service.domain.execution_changes import (
    ExecutionValues,
    OrderUse,
    changed_execution,
    changed_order,
    orders_after,
    refuse_deletion,
    refuse_order_deletion,
    state_of_new,
    with_trade_type,
)
from trade_service.domain.executions import Execution, SubmissionState
from trade_service.domain.fields import ZERO, is_possible_id
from trade_service.domain.orders import NewTradeOrder, TradeOrder, taken
from trade_service.domain.reference import STATUS_NEW, ReferenceData
from trade_service.store.audit_log_store import changed_fields, record
from trade_service.store.database import Database, Session
from trade_service.store.execution_reads import to_execution, to_order
from trade_service.store.order_store import lock_orders, stale_references
from trade_service.store.request_key_store import keyed_transaction
from trade_service.store.statements import load
from trade_service.trading.audit_log import Action, ObjectKind
from trade_service.trading.model import StoredExecution
from trade_service.trading.request_keys import Created

SQL = load("changes")


class PostgresOrderChanges:
    """The port OrderChanges on PostgreSQL."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def update(self, trade_order_id: int, version: int, values: NewTradeOrder) -> TradeOrder:
        async with self._database.transaction() as session:
            order = await _lock_order(session, trade_order_id, version)
            new = changed_order(order, values, await _use_of(session, trade_order_id))
            try:
                with stale_references():
                    (row,) = await session.fetch(SQL["update_order"], **msgspec.structs.asdict(new))
            except asyncpg.UniqueViolationError as error:
                message = f"orderId: {new.order_id} is taken, and every trade order needs its own"
                raise AlreadyExists(message, field="orderId", value=new.order_id) from error
            updated = to_order(row)
            details = changed_fields(order, updated)
            await record(session, Action.UPDATE, ObjectKind.TRADE_ORDER, [order.id], details=details)
            return updated

    async def move(self, trade_order_ids: Sequence[int], blotter_id: int) -> list[TradeOrder]:
        async with self._database.transaction() as session:
            orders = await lock_orders(session, trade_order_ids)
            others = [order.id for order in orders.values() if order.blotter_id != blotter_id]
            if others:
                with stale_references():
                    rows = await session.fetch(SQL["move_orders"], ids=others, blotter_id=blotter_id)
                orders |= {order.id: order for order in map(to_order, rows)}
                details = {"blotterId": blotter_id}
                await record(session, Action.UPDATE, ObjectKind.TRADE_ORDER, others, details=details)
        return list(orders.values())

    async def delete(self, trade_order_id: int, version: int) -> None:
        async with self._database.transaction() as session:
            order = await _lock_order(session, trade_order_id, version)
            refuse_order_deletion(order, await _use_of(session, trade_order_id))
            try:
                await session.execute(SQL["delete_order"], id=trade_order_id)
            except (asyncpg.ForeignKeyViolationError, asyncpg.RestrictViolationError) as error:
                message = f"trade order {trade_order_id} has just received an execution: it cannot be deleted"
                raise InUse(message, id=trade_order_id) from error
            details = changed_fields(order)
            await record(session, Action.DELETE, ObjectKind.TRADE_ORDER, [order.id], details=details)


class PostgresExecutionChanges:
    """The port ExecutionChanges on PostgreSQL."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def create(self, values: ExecutionValues, reference: ReferenceData) -> StoredExecution:
        state = state_of_new(values, reference.statuses[values.execution_status_id].abbreviation)
        with stale_references():
            async with keyed_transaction(self._database) as (session, making):
                order = (await _lock_orders_of(session, values.trade_order_id))[values.trade_order_id]
                after = taken(order, values.quantity_ordered, "quantityOrdered")
                execution = await _insert(session, with_trade_type(values, order, reference), state)
                orders = await _write_quantities(session, [after])
                await _record(session, Action.CREATE, execution)
                making.created = Created((execution.id,))
        return StoredExecution(execution, orders[order.id])

    async def update(
        self, execution_id: int, version: int, values: ExecutionValues, reference: ReferenceData
    ) -> StoredExecution:
        status = reference.statuses[values.execution_status_id].abbreviation
        with stale_references():
            async with self._database.transaction() as session:
                old = await _lock_execution(session, execution_id, version)
                orders = await _lock_orders_of(session, old.trade_order_id, values.trade_order_id)
                new = changed_execution(old, values, status)
                after = orders_after(old, new, orders)
                written = await session.fetch_value(SQL["update_execution"], **msgspec.structs.asdict(new))
                orders |= await _write_quantities(session, after)
                new = msgspec.structs.replace(new, version=written)
                await _record(session, Action.UPDATE, new, changed_fields(old, new))
        return StoredExecution(new, orders[new.trade_order_id])

    async def delete(self, execution_id: int, version: int) -> None:
        async with self._database.transaction() as session:
            old = await _lock_execution(session, execution_id, version)
            orders = await _lock_orders_of(session, old.trade_order_id)
            refuse_deletion(old)
            await session.execute(SQL["delete_execution"], id=execution_id)
            await _write_quantities(session, orders_after(old, None, orders))
            await _record(session, Action.DELETE, old, changed_fields(old))


async def _lock_order(session: Session, trade_order_id: int, version: int) -> TradeOrder:
    order = (await lock_orders(session, [trade_order_id])).get(trade_order_id)
    if order is None:
        raise NotFound.of("trade order", trade_order_id)
    if order.version != version:
        raise VersionConflict.of("trade order", trade_order_id, version, order.version)
    return order


async def _lock_orders_of(session: Session, *trade_order_ids: int) -> dict[int, TradeOrder]:
    """Locks the orders of an execution; raises NotFound unless all exist."""
    orders = await lock_orders(session, trade_order_ids)
    for order_id in trade_order_ids:
        if order_id not in orders:
            raise NotFound.in_field("tradeOrderId", "trade order", order_id)
    return orders


async def _use_of(session: Session, trade_order_id: int) -> OrderUse:
    ((any_id, in_flight_id),) = await session.fetch(
        SQL["order_use"], id=trade_order_id, status_new_name=STATUS_NEW
    )
    return OrderUse(any=any_id, in_flight=in_flight_id)


async def _lock_execution(session: Session, execution_id: int, version: int) -> Execution:
    if is_possible_id(execution_id):
        row = await session.fetch_row(SQL["lock_execution"], id=execution_id, status_new_name=STATUS_NEW)
        if row is not None:
            execution = to_execution(row)
            if execution.version != version:
                raise VersionConflict.of("execution", execution_id, version, execution.version)
            return execution
    raise NotFound.of("execution", execution_id)


async def _insert(session: Session, values: ExecutionValues, state: SubmissionState) -> Execution:
    """Writes an execution; what the database adds to it is its id, version and, unless given, timestamp."""
    columns: dict[str, Any] = msgspec.structs.asdict(values) | {
        "quantity_placed": values.quantity_placed or ZERO,
        "quantity_filled": values.quantity_filled or ZERO,
        "submission_state": state,
    }
    (row,) = await session.fetch(SQL["insert_execution"], **columns)
    return Execution(**(columns | dict(row)))


async def _record(
    session: Session, action: Action, execution: Execution, details: Mapping[str, object] | None = None
) -> None:
    kind, order_ids = ObjectKind.EXECUTION, [execution.trade_order_id]
    await record(session, action, kind, [execution.id], trade_order_ids=order_ids, details=details)


async def _write_quantities(session: Session, orders: Sequence[TradeOrder]) -> dict[int, TradeOrder]:
    """Writes the quantities sent; returns the orders with their new versions."""
    if not orders:
        return {}
    rows = await session.fetch(
        SQL["move_quantities"],
        ids=[order.id for order in orders],
        quantities_sent=[order.quantity_sent for order in orders],
        submitted=[order.submitted for order in orders],
    )
    versions = {row["id"]: row["version"] for row in rows}
    return {order.id: msgspec.structs.replace(order, version=versions[order.id]) for order in orders}
