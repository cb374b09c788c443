"""Fills of executions on PostgreSQL, and what rows of the legacy service prove."""

import asyncio
from decimal import Decimal

import pytest

from tests.support.trading import new_order, run_sql, ticket, value_of, written
from trade_service.domain.errors import (
    FillOfUnsent,
    InvalidInput,
    NotFound,
    VersionConflict,
)
from trade_service.domain.executions import SubmissionState
from trade_service.domain.orders import Submission
from trade_service.domain.reference import ReferenceData
from trade_service.store.database import Database
from trade_service.store.execution_reads import PostgresExecutionReads
from trade_service.store.order_store import PostgresOrderStore
from trade_service.trading.model import StoredExecution


async def one_execution(
    store: PostgresOrderStore, reference: ReferenceData, quantity: str = "100"
) -> StoredExecution:
    (order,) = await store.create([new_order(1, quantity)])
    submission = Submission(order.id, Decimal(quantity), 1)
    return written(await store.submit([submission], ticket(), reference))[0]


async def put_into(database: Database, execution_id: int, state: str | None) -> None:
    await run_sql(
        database,
        "UPDATE execution SET submission_state = :state WHERE id = :id",
        state=state,
        id=execution_id,
    )
    if state in ("rejected", "exhausted"):
        await run_sql(database, "UPDATE trade_order SET quantity_sent = 0, submitted = false")


async def test_impossible_fills_change_nothing(
    database: Database,
    store: PostgresOrderStore,
    reads: PostgresExecutionReads,
    reference: ReferenceData,
) -> None:
    execution_id = (await one_execution(store, reference)).execution.id
    await put_into(database, execution_id, "accepted")
    before = await reads.get(execution_id)
    with pytest.raises(VersionConflict) as conflict:
        await reads.fill(execution_id, 5, Decimal(1), 2, ticket())
    assert (conflict.value.details["given"], conflict.value.details["current"]) == (2, 1)
    with pytest.raises(VersionConflict):
        await reads.fill(execution_id, 5, Decimal(1), 2**40, ticket())
    with pytest.raises(InvalidInput, match="above the quantity ordered, 100"):
        await reads.fill(execution_id, 5, Decimal("100.00000001"), 1, ticket())
    with pytest.raises(InvalidInput, match="negative"):
        await reads.fill(execution_id, 5, Decimal(-1), 1, ticket())
    for unknown in (999, 2**31):
        with pytest.raises(NotFound):
            await reads.fill(unknown, 5, Decimal(1), 1, ticket())
    assert await reads.get(execution_id) == before


async def test_of_two_fills_with_one_version_one_wins(
    database: Database,
    store: PostgresOrderStore,
    reads: PostgresExecutionReads,
    reference: ReferenceData,
) -> None:
    execution_id = (await one_execution(store, reference)).execution.id
    await put_into(database, execution_id, "claimed")
    answers = await asyncio.gather(
        *(reads.fill(execution_id, 5, Decimal(i), 1, ticket()) for i in range(10)), return_exceptions=True
    )
    assert sum(isinstance(answer, VersionConflict) for answer in answers) == 9
    assert (await reads.get(execution_id)).execution.version == 2


async def test_of_many_fills_of_what_is_queued_none_makes_it_accepted(
    database: Database,
    store: PostgresOrderStore,
    reads: PostgresExecutionReads,
    reference: ReferenceData,
) -> None:
    """One that waits for another's lock sees what that one wrote, not what was there when it began."""
    execution_id = (await one_execution(store, reference)).execution.id
    answers = await asyncio.gather(
        *(reads.fill(execution_id, 5, Decimal(1), version, ticket()) for version in (1, 2) * 5),
        return_exceptions=True,
    )
    assert {type(answer) for answer in answers} == {FillOfUnsent, VersionConflict}
    execution = (await reads.get(execution_id)).execution
    assert (execution.submission_state, execution.version) == (SubmissionState.UNKNOWN, 2)
    assert (
        await value_of(database, "SELECT count(*) FROM submission_attempt WHERE code = 'FILL_REPORTED'") == 1
    )


async def test_an_old_row_shows_what_it_proves(
    database: Database,
    store: PostgresOrderStore,
    reads: PostgresExecutionReads,
    reference: ReferenceData,
) -> None:
    execution_id = (await one_execution(store, reference)).execution.id
    await put_into(database, execution_id, None)
    for change in ("execution_service_id = 5", "quantity_placed = 1", "execution_status_id = 2"):
        assert (await reads.get(execution_id)).execution.submission_state is SubmissionState.UNKNOWN
        await run_sql(database, f"UPDATE execution SET {change}")
        assert (await reads.get(execution_id)).execution.submission_state is SubmissionState.ACCEPTED
        await run_sql(
            database,
            "UPDATE execution SET execution_service_id = NULL, quantity_placed = 0, execution_status_id = 1",
        )
