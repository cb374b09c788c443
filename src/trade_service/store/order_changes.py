"""Trade orders that clients change by hand."""

from collections.abc import Callable, Sequence

import msgspec
import sqlalchemy as sa
from sqlalchemy import Integer, String, Text, bindparam, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.ext.asyncio import AsyncConnection

from trade_service.domain.errors import AlreadyExists, InUse, NotFound, VersionConflict
from trade_service.domain.execution_changes import OrderUse
from trade_service.domain.executions import is_possible_id
from trade_service.domain.orders import TradeOrder
from trade_service.domain.reference import STATUS_NEW
from trade_service.store import order_sql as sql
from trade_service.store.database import Database
from trade_service.store.engine import transaction
from trade_service.store.execution_reads import to_order
from trade_service.store.legacy_keys import LOCK_ORDERS
from trade_service.store.tables import INSTANT
from trade_service.store.violations import stale_references, taken_as, used_as

ORDER_USE = text(sql.ORDER_USE).bindparams(
    bindparam("id", type_=Integer), bindparam("status_new_name", STATUS_NEW, type_=String)
)
UPDATE_ORDER = text(sql.UPDATE_ORDER).bindparams(
    *(bindparam(name, type_=Integer) for name in ("id", "order_id", "blotter_id")),
    *(bindparam(name, type_=Text) for name in ("portfolio_id", "order_type", "security_id")),
    *(bindparam(name, type_=sa.Numeric) for name in ("quantity", "limit_price")),
    bindparam("trade_timestamp", type_=INSTANT),
    bindparam("submitted", type_=sa.Boolean),
)
MOVE_ORDERS = text(sql.MOVE_ORDERS).bindparams(
    bindparam("ids", type_=ARRAY(Integer)), bindparam("blotter_id", type_=Integer)
)
DELETE_ORDER = text(sql.DELETE_ORDER).bindparams(bindparam("id", type_=Integer))


class PostgresOrderChanges:
    """The port OrderChanges on PostgreSQL; see there for what each method promises."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def update(
        self, trade_order_id: int, version: int, decide: Callable[[TradeOrder, OrderUse], TradeOrder]
    ) -> TradeOrder:
        """See OrderChanges."""
        async with transaction(self._database) as connection:
            order = await _lock(connection, trade_order_id, version)
            new = decide(order, await _use_of(connection, trade_order_id))
            values = msgspec.structs.asdict(new)
            taken = AlreadyExists(
                f"orderId: {new.order_id} is taken, and every trade order needs its own",
                field="orderId",
                value=new.order_id,
            )
            with stale_references(), taken_as(taken):
                return to_order((await connection.execute(UPDATE_ORDER, values)).one())

    async def move(self, trade_order_ids: Sequence[int], blotter_id: int) -> list[TradeOrder]:
        """See OrderChanges."""
        ids = [one for one in trade_order_ids if is_possible_id(one)]
        async with transaction(self._database) as connection:
            orders = {
                order.id: order
                for order in map(to_order, await connection.execute(LOCK_ORDERS, {"ids": ids}))
            }
            others = [order.id for order in orders.values() if order.blotter_id != blotter_id]
            if others:
                with stale_references():
                    values = {"ids": others, "blotter_id": blotter_id}
                    moved = map(to_order, await connection.execute(MOVE_ORDERS, values))
                orders |= {order.id: order for order in moved}
        return list(orders.values())

    async def delete(
        self, trade_order_id: int, version: int, decide: Callable[[TradeOrder, OrderUse], None]
    ) -> None:
        """See OrderChanges."""
        async with transaction(self._database) as connection:
            order = await _lock(connection, trade_order_id, version)
            decide(order, await _use_of(connection, trade_order_id))
            message = f"trade order {trade_order_id} got an execution meanwhile: it cannot be deleted"
            with used_as(InUse(message, id=trade_order_id)):
                await connection.execute(DELETE_ORDER, {"id": trade_order_id})


async def _lock(connection: AsyncConnection, trade_order_id: int, version: int) -> TradeOrder:
    ids = [trade_order_id] if is_possible_id(trade_order_id) else []
    row = (await connection.execute(LOCK_ORDERS, {"ids": ids})).one_or_none()
    if row is None:
        raise NotFound.of("trade order", trade_order_id)
    order = to_order(row)
    if order.version != version:
        raise VersionConflict.of("trade order", trade_order_id, version, order.version)
    return order


async def _use_of(connection: AsyncConnection, trade_order_id: int) -> OrderUse:
    row = (await connection.execute(ORDER_USE, {"id": trade_order_id})).one()
    return OrderUse(any=row.any_id, in_flight=row.in_flight_id)
