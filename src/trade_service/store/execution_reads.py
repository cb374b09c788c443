"""Executions as stored, their fills, and the intent to send them."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Integer, String, bindparam, text
from sqlalchemy.dialects.postgresql import ARRAY, UUID

from trade_service.domain.errors import DomainError, InvalidInput, NotFound, VersionConflict
from trade_service.domain.executions import (
    Execution,
    SubmissionState,
    checked_fill,
    fill_of_unsent,
    is_possible_id,
)
from trade_service.domain.money import not_negative
from trade_service.domain.orders import SUBMITTED_WHEN_LEFT, TradeOrder
from trade_service.domain.reference import STATUS_NEW
from trade_service.store import order_sql as sql
from trade_service.store.database import Database
from trade_service.store.engine import autocommitted
from trade_service.store.legacy_keys import legacy_keyed_statement
from trade_service.submission.model import AttemptId
from trade_service.trading.model import Filled, StoredExecution
from trade_service.trading.request_keys import Created, current_key

READ = text(sql.READ_EXECUTIONS).bindparams(
    bindparam("ids", type_=ARRAY(Integer)), bindparam("status_new_name", STATUS_NEW, type_=String)
)
FILL = text(sql.FILL).bindparams(
    *(bindparam(name, type_=Integer) for name in ("id", "status_id", "version")),
    bindparam("quantity_filled", type_=sa.Numeric),
    bindparam("submitted_when_left", SUBMITTED_WHEN_LEFT, type_=sa.Numeric),
    bindparam("status_new_name", STATUS_NEW, type_=String),
    bindparam("look_up_id", type_=UUID(as_uuid=False)),
    bindparam("owner", type_=String),
    bindparam("settle_ms", type_=Integer),
)
ENQUEUE = text(sql.ENQUEUE).bindparams(
    bindparam("ids", type_=ARRAY(Integer)),
    bindparam("ticket_id", type_=UUID(as_uuid=False)),
    bindparam("owner", type_=String),
    bindparam("grace_ms", sql.TICKET_GRACE_MS, type_=Integer),
)
EXISTING = text(sql.EXISTING).bindparams(bindparam("ids", type_=ARRAY(Integer)))
NO_VERSION = 0
"""Versions start at 1."""


class PostgresExecutionReads:
    """The port ExecutionReads on PostgreSQL; see there for what each method promises."""

    def __init__(self, database: Database, owner: str, settle_ms: int) -> None:
        """`settle_ms` is of the look-ups that fill reports ask for."""
        self._database = database
        self._owner = owner
        self._settle_ms = settle_ms

    async def get(self, execution_id: int) -> StoredExecution:
        """See ExecutionReads."""
        stored = (await read_executions(self._database, [execution_id])).get(execution_id)
        if stored is None:
            raise NotFound.of("execution", execution_id)
        return stored

    async def enqueue(self, execution_ids: Sequence[int], ticket_id: AttemptId) -> None:
        """See ExecutionReads."""
        values = {"ids": list(execution_ids), "ticket_id": ticket_id, "owner": self._owner}
        async with legacy_keyed_statement(self._database) as (connection, making):
            if current_key() is not None:
                existing = set(await connection.scalars(EXISTING, {"ids": values["ids"]}))
                making.created = Created(tuple(i if i in existing else None for i in execution_ids))
            await connection.execute(ENQUEUE, values)

    async def fill(
        self,
        execution_id: int,
        status_id: int,
        quantity_filled: Decimal,
        version: int,
        look_up_id: AttemptId,
    ) -> Filled:
        """See ExecutionReads."""
        not_negative(quantity_filled, "quantityFilled")
        if not is_possible_id(execution_id):
            raise NotFound.of("execution", execution_id)
        values = {
            "id": execution_id,
            "status_id": status_id,
            "quantity_filled": quantity_filled,
            "version": version if is_possible_id(version) else NO_VERSION,
            "look_up_id": look_up_id,
            "owner": self._owner,
            "settle_ms": self._settle_ms,
        }
        async with autocommitted(self._database) as connection:
            row = (await connection.execute(FILL, values)).one_or_none()
        if row is None:
            raise _why_not(await self.get(execution_id), quantity_filled, version)
        if row.is_unsent:
            raise fill_of_unsent(execution_id, SubmissionState(row.state_before))
        return Filled(to_stored(row), SubmissionState(row.state_before))


async def read_executions(database: Database, execution_ids: Sequence[int]) -> dict[int, StoredExecution]:
    """The executions that exist, with their orders, by id."""
    ids = [execution_id for execution_id in execution_ids if is_possible_id(execution_id)]
    async with autocommitted(database) as connection:
        rows = (await connection.execute(READ, {"ids": ids})).all()
    stored = (to_stored(row) for row in rows)
    return {one.execution.id: one for one in stored}


def _why_not(stored: StoredExecution, quantity_filled: Decimal, version: int) -> DomainError:
    """The rule that kept a fill from being stored."""
    if stored.execution.version == version:
        try:
            checked_fill(stored.execution, quantity_filled)
        except InvalidInput as error:
            return error
    return VersionConflict.of("execution", stored.execution.id, version, stored.execution.version)


def to_order(row: Any) -> TradeOrder:
    """The order from a row that begins with sql.ORDER_COLUMNS."""
    return TradeOrder(*row[: sql.ORDER_WIDTH])


def to_stored(row: Any) -> StoredExecution:
    """Both from a row that begins with sql.ORDER_COLUMNS and sql.EXECUTION_COLUMNS."""
    *fields, state = row[sql.ORDER_WIDTH : sql.ORDER_WIDTH + sql.EXECUTION_WIDTH]
    values: list[Any] = [*fields, SubmissionState(state)]
    return StoredExecution(Execution(*values), to_order(row))
