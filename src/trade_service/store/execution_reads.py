"""Single executions: read, queued for submission, filled."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import msgspec

from trade_service.domain.errors import DomainError, InvalidInput, NotFound, VersionConflict
from trade_service.domain.executions import Execution, SubmissionState, checked_fill, fill_of_unsent
from trade_service.domain.fields import is_possible_id, not_negative
from trade_service.domain.orders import SUBMITTED_WHEN_LEFT, TradeOrder
from trade_service.domain.reference import STATUS_NEW
from trade_service.store.database import Database, Reads
from trade_service.store.request_key_store import keyed_statement
from trade_service.store.statements import load
from trade_service.submission.events import REQUESTER
from trade_service.submission.model import AttemptId
from trade_service.trading.model import Filled, StoredExecution
from trade_service.trading.request_keys import Created, current_key

SQL = load("executions")
ORDER_WIDTH, EXECUTION_WIDTH = 12, 14
"""Columns of `order_columns`, and of `execution_columns` with the submission state."""
QUEUED_GRACE_MS = 5_000
"""How long queued work is left to the process that wrote it before any recovery picks it up."""
NO_VERSION = 0
"""Versions start at 1."""


class PostgresExecutionReads:
    """The port ExecutionReads on PostgreSQL."""

    def __init__(self, database: Database, owner: str, settle_ms: int) -> None:
        """`settle_ms` is the settle time of look-ups that fill reports cause."""
        self._database = database
        self._owner = owner
        self._settle_ms = settle_ms

    async def get(self, execution_id: int) -> StoredExecution:
        stored = (await read_executions(self._database, [execution_id])).get(execution_id)
        if stored is None:
            raise await missing_execution(self._database, execution_id)
        return stored

    async def archived_in(self, execution_id: int) -> str | None:
        return await _archived_in(self._database, execution_id)

    async def enqueue(self, execution_ids: Sequence[int], ticket_id: AttemptId) -> None:
        ids = list(execution_ids)
        async with keyed_statement(self._database) as (session, making):
            if current_key() is not None:
                existing = {identity for (identity,) in await session.fetch(SQL["existing"], ids=ids)}
                making.created = Created(tuple(i if i in existing else None for i in ids))
            await session.execute(
                SQL["enqueue"],
                ids=ids,
                attempt_id=ticket_id,
                owner=self._owner,
                grace_ms=QUEUED_GRACE_MS,
                **msgspec.structs.asdict(REQUESTER.get()),
            )

    async def fill(
        self,
        execution_id: int,
        status_id: int,
        quantity_filled: Decimal,
        version: int,
        look_up_id: AttemptId,
    ) -> Filled:
        not_negative(quantity_filled, "quantityFilled")
        if not is_possible_id(execution_id):
            raise NotFound.of("execution", execution_id)
        row = await self._database.fetch_row(
            SQL["fill"],
            id=execution_id,
            status_id=status_id,
            quantity_filled=quantity_filled,
            version=version if is_possible_id(version) else NO_VERSION,
            look_up_id=look_up_id,
            owner=self._owner,
            settle_ms=self._settle_ms,
            status_new_name=STATUS_NEW,
            submitted_when_left=SUBMITTED_WHEN_LEFT,
            **msgspec.structs.asdict(REQUESTER.get()),
        )
        if row is None:
            raise _why_not(await self.get(execution_id), quantity_filled, version)
        state_before = SubmissionState(row["state_before"])
        if row["is_unsent"]:
            raise fill_of_unsent(execution_id, state_before)
        return Filled(to_stored(row), state_before)


async def read_executions(database: Database, execution_ids: Sequence[int]) -> dict[int, StoredExecution]:
    """The executions that exist, with their orders, by id."""
    ids = [execution_id for execution_id in execution_ids if is_possible_id(execution_id)]
    rows = await database.fetch(SQL["read"], ids=ids, status_new_name=STATUS_NEW)
    return {one.execution.id: one for one in map(to_stored, rows)}


async def missing_execution(reads: Reads, execution_id: int) -> NotFound:
    """The error for an execution that is not in the database; it says so if it was archived."""
    if await _archived_in(reads, execution_id) is None:
        return NotFound.of("execution", execution_id)
    message = (
        f"execution {execution_id} was archived and is no longer in the database: "
        f"`trade-service archive search --execution {execution_id}` prints it"
    )
    return NotFound(message, thing="execution", id=execution_id)


async def _archived_in(reads: Reads, execution_id: int) -> str | None:
    if not is_possible_id(execution_id):
        return None
    name: str | None = await reads.fetch_value(SQL["archived_in"], id=execution_id)
    return name


def _why_not(stored: StoredExecution, quantity_filled: Decimal, version: int) -> DomainError:
    """The rule that refused a fill."""
    if stored.execution.version == version:
        try:
            checked_fill(stored.execution, quantity_filled)
        except InvalidInput as error:
            return error
    return VersionConflict.of("execution", stored.execution.id, version, stored.execution.version)


def to_order(row: Any) -> TradeOrder:
    """The order from a row that begins with `order_columns`."""
    return TradeOrder(*row[:ORDER_WIDTH])


def to_stored(row: Any) -> StoredExecution:
    """Both from a row that begins with `order_columns`, `execution_columns` and the submission state."""
    return StoredExecution(to_execution(row[ORDER_WIDTH:]), to_order(row))


def to_execution(row: Any) -> Execution:
    """The execution from a row that begins with `execution_columns` and the submission state."""
    *fields, state = row[:EXECUTION_WIDTH]
    values: list[Any] = [*fields, SubmissionState(state)]
    return Execution(*values)
