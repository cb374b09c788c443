"""Compares lines of a blotter with the orders that exist."""

from collections.abc import AsyncIterator, Container, Iterable, Mapping, Sequence
from decimal import Decimal

import msgspec

from trade_service.domain.errors import AlreadyExists
from trade_service.domain.fields import ZERO
from trade_service.domain.orders import NewTradeOrder, TradeOrder, is_submitted, spelled_type
from trade_service.store.database import Database, Session
from trade_service.store.execution_reads import to_order
from trade_service.store.statements import load
from trade_service.trading.blotter_preview import SeenLine, UnsentGroup
from trade_service.trading.model import BlotterLine

_SQL = load("orders")
_SCANNED = 10_000
"""Rows that one statement reads to find executions that were never submitted."""


class HeldExecutions(msgspec.Struct, frozen=True):
    """The executions that hold quantity of an order."""

    ids: tuple[int, ...] = ()
    destination_ids: frozenset[int] = frozenset()


NONE_HELD = HeldExecutions()


async def executions_of(
    session: Session | Database, orders: Iterable[TradeOrder]
) -> dict[int, HeldExecutions]:
    """The executions that hold quantity of these orders, by order id."""
    ids = [order.id for order in orders]
    if not ids:
        return {}
    rows = await session.fetch(_SQL["executions_of"], ids=ids)
    return {
        order_id: HeldExecutions(tuple(held), frozenset(destinations))
        for order_id, held, destinations in rows
    }


def taken_by_another(order: TradeOrder, line: BlotterLine, held: HeldExecutions) -> AlreadyExists | None:
    """The error of an order whose id is taken by another trade; None when both are the same."""
    difference = _difference(order, line.order)
    sent_elsewhere = (
        is_sent(order) and held.destination_ids and line.destination_id not in held.destination_ids
    )
    if difference is None and not sent_elsewhere:
        return None
    difference = difference or "destination"
    return AlreadyExists(
        f"orderId: {order.order_id} is taken by an order with another {difference}",
        field="orderId",
        value=order.order_id,
        difference=difference,
    )


def _difference(order: TradeOrder, new: NewTradeOrder) -> str | None:
    """The first of the fields that make two orders the same trade in which these two differ."""
    fields = {
        "portfolioId": (order.portfolio_id, new.portfolio_id.rstrip()),
        "orderType": (spelled_type(order.order_type), spelled_type(new.order_type)),
        "securityId": (order.security_id, new.security_id.rstrip()),
        "quantity": (order.quantity, new.quantity),
        "limitPrice": (order.limit_price, new.limit_price),
    }
    return next((name for name, (old, given) in fields.items() if old != given), None)


class PostgresKnownOrders:
    """The port KnownOrders on PostgreSQL."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def check(self, lines: Sequence[BlotterLine]) -> list[SeenLine]:
        """What placing each line would do, in their order."""
        rows = await self._database.fetch(
            _SQL["known_orders"], order_ids=[line.order.order_id for line in lines]
        )
        known = {order.order_id: order for order in map(to_order, rows)}
        held = await executions_of(self._database, known.values())
        refused = await refused_orders(self._database, known.values())
        return [_seen(known.get(line.order.order_id), line, held, refused) for line in lines]


def _seen(
    order: TradeOrder | None,
    line: BlotterLine,
    held: Mapping[int, HeldExecutions],
    refused: Container[int],
) -> SeenLine:
    if order is None:
        return SeenLine(is_new=True, to_send=True)
    taken = taken_by_another(order, line, held.get(order.id, NONE_HELD))
    return SeenLine(
        is_new=False, to_send=not is_sent(order), error=taken, was_refused=order.order_id in refused
    )


async def refused_orders(database: Database, orders: Iterable[TradeOrder]) -> frozenset[int]:
    """The order ids of those of which something is left to send, because executions were rejected or exhausted."""
    ids = [order.id for order in orders if not is_sent(order)]
    rows = await database.fetch(_SQL["refused_orders"], ids=ids) if ids else []
    return frozenset(row[0] for row in rows)


async def refused_before(database: Database, order_ids: Sequence[int]) -> frozenset[int]:
    """As `refused_orders`, of the orders with these order ids."""
    rows = await database.fetch(_SQL["known_orders"], order_ids=order_ids)
    return await refused_orders(database, map(to_order, rows))


class ExecutionLimits(msgspec.Struct, frozen=True):
    """Executions beyond these are left out. The value of one is its quantity times its limit price."""

    max_quantity: Decimal | None = None
    max_value: Decimal | None = None
    needs_price: bool = False


async def unsent_groups(database: Database, limits: ExecutionLimits) -> list[UnsentGroup]:
    """Executions that were never submitted, counted."""
    rows = await database.scan(_SQL["unsent_groups"], **msgspec.structs.asdict(limits))
    return [UnsentGroup(*row) for row in rows]


def is_sent(order: TradeOrder) -> bool:
    """Whether nothing of the order is left to send."""
    return is_submitted(order.quantity, order.quantity_sent) and order.quantity_sent > ZERO


async def never_submitted(database: Database, page: int, limits: ExecutionLimits) -> AsyncIterator[list[int]]:
    """Ids of all executions within the limits that no attempt ever owned, ascending, at most `page` at a time."""
    after: int | None = 0
    bounds = msgspec.structs.asdict(limits)
    while after is not None:
        ((after, ids),) = await database.fetch(_SQL["never_submitted"], after=after, limit=_SCANNED, **bounds)
        for start in range(0, len(ids or ()), page):
            yield ids[start : start + page]
