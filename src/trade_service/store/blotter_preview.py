"""What placing blotter lines would do, and which executions nobody ever submitted. Only reads."""

from collections.abc import AsyncIterator, Sequence

import msgspec
from sqlalchemy import Integer, bindparam, text
from sqlalchemy.dialects.postgresql import ARRAY

from trade_service.domain.errors import DomainError
from trade_service.domain.money import ZERO
from trade_service.domain.orders import is_submitted
from trade_service.store.database import Database
from trade_service.store.engine import autocommitted
from trade_service.store.execution_reads import to_order
from trade_service.store.order_sql import ORDER_COLUMNS
from trade_service.store.order_store import taken_by_another
from trade_service.trading.model import BlotterLine

KNOWN_ORDERS = text(
    f"SELECT {ORDER_COLUMNS} FROM trade_order o WHERE o.order_id = ANY(:order_ids)"
).bindparams(bindparam("order_ids", type_=ARRAY(Integer)))
NEVER_SUBMITTED = text("""
SELECT max(id) AS last, array_agg(id ORDER BY id) FILTER (WHERE submission_state IN ('none', 'queued')) AS ids
FROM (SELECT id, submission_state FROM execution WHERE id > :after ORDER BY id LIMIT :limit) page
""").bindparams(*(bindparam(name, type_=Integer) for name in ("after", "limit")))


_SCANNED = 10_000
"""Rows looked at by one statement, however many of them are wanted."""


class SeenLine(msgspec.Struct, frozen=True):
    """What would become of one line."""

    is_new: bool
    to_send: bool
    error: DomainError | None = None


class BlotterPreview:
    """Lines held against the orders that exist. Raises StoreUnavailable."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def check(self, lines: Sequence[BlotterLine]) -> list[SeenLine]:
        """What placing each line would do, in their order."""
        ids = [line.order.order_id for line in lines]
        async with autocommitted(self._database) as connection:
            rows = (await connection.execute(KNOWN_ORDERS, {"order_ids": ids})).all()
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
    """Ids of all executions that no attempt ever owned, ascending, `page` at a time at most."""
    after: int | None = 0
    while after is not None:
        async with autocommitted(database) as connection:
            row = (await connection.execute(NEVER_SUBMITTED, {"after": after, "limit": _SCANNED})).one()
        ids, after = row.ids or [], row.last
        for start in range(0, len(ids), page):
            yield ids[start : start + page]
