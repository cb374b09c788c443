"""What placing the lines of a blotter would do, and which executions were never submitted. Only reads."""

from collections.abc import AsyncIterator, Sequence

import msgspec

from trade_service.domain.errors import DomainError
from trade_service.domain.money import ZERO
from trade_service.domain.orders import is_submitted
from trade_service.store.database import Database
from trade_service.store.execution_reads import to_order
from trade_service.store.order_store import taken_by_another
from trade_service.store.statements import load
from trade_service.trading.model import BlotterLine

SQL = load("blotter")
_SCANNED = 10_000
"""Rows read by one statement."""


class SeenLine(msgspec.Struct, frozen=True):
    """What placing one line would do."""

    is_new: bool
    to_send: bool
    error: DomainError | None = None


class BlotterPreview:
    """Compares lines with the orders that exist. Raises StoreUnavailable."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def check(self, lines: Sequence[BlotterLine]) -> list[SeenLine]:
        """What placing each line would do, in their order."""
        rows = await self._database.fetch(
            SQL["known_orders"], order_ids=[line.order.order_id for line in lines]
        )
        known = {order.order_id: order for order in map(to_order, rows)}
        seen = []
        for line in lines:
            order = known.get(line.order.order_id)
            if order is None:
                seen.append(SeenLine(is_new=True, to_send=True))
                continue
            sent = is_submitted(order.quantity, order.quantity_sent) and order.quantity_sent > ZERO
            seen.append(SeenLine(is_new=False, to_send=not sent, error=taken_by_another(order, line.order)))
        return seen


async def never_submitted(database: Database, page: int) -> AsyncIterator[list[int]]:
    """Ids of all executions that no attempt ever owned, ascending, at most `page` at a time."""
    after: int | None = 0
    while after is not None:
        ((after, ids),) = await database.fetch(SQL["never_submitted"], after=after, limit=_SCANNED)
        for start in range(0, len(ids or ()), page):
            yield ids[start : start + page]
