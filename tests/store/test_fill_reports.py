"""Fill reports on real PostgreSQL with the whole engine: before, after and without the answer to a batch."""

import asyncio
from decimal import Decimal

import pytest

from tests.support.engine import SETTLE_MS, until
from tests.support.gateway import fail, refuse
from tests.support.trading import (
    all_of,
    conserved,
    desk_on,
    none_executions,
    run_sql,
    until_named,
    value_of,
    view_in,
)
from trade_service.domain.errors import (
    FillOfUnsent,
    InvalidInput,
    NotFound,
    VersionConflict,
)
from trade_service.domain.executions import SubmissionState
from trade_service.store.database import Database
from trade_service.store.execution_reads import PostgresExecutionReads
from trade_service.submission.clock import SystemClock
from trade_service.submission.events import AlarmEvent
from trade_service.submission.messages import ExecutionRequest
from trade_service.submission.model import ReplyKind, SubmitStatus


async def test_a_fill_of_what_was_never_sent_is_refused_with_an_alarm(database: Database) -> None:
    async with desk_on(database) as desk:
        (execution_id,) = await none_executions(desk, 1)
        for _ in range(2):
            with pytest.raises(FillOfUnsent, match="is none and was never sent"):
                await desk.executions.fill(execution_id, "PART", Decimal("12.5"), 1)
        alarms = [e for e in desk.engine.events if isinstance(e, AlarmEvent)]
        assert [(a.code, a.execution_ids) for a in alarms] == [("FILL_OF_UNSENT", (execution_id,))] * 2
        assert "quantityFilled 12.5" in alarms[0].message
        result = await desk.executions.submit_execution(execution_id)
        assert result.status is SubmitStatus.SUCCESS


@pytest.mark.parametrize("is_there", [True, False])
async def test_what_waits_to_be_sent_is_looked_up_first_when_a_fill_is_reported(
    database: Database, *, is_there: bool
) -> None:
    """A caller waits while the batch with its execution is queued behind a blocked one."""
    async with desk_on(database, batch_size=1, max_concurrent=1) as desk:
        first, second = await none_executions(desk, 2)
        desk.gateway.hold()
        asking = asyncio.create_task(desk.executions.submit_execution(first))
        await desk.gateway.called.wait()
        await PostgresExecutionReads(database, "other", SETTLE_MS).enqueue(
            [second], SystemClock().new_attempt_id()
        )
        waiting = asyncio.create_task(desk.executions.submit_execution(second))
        await until(lambda: desk.engine.queue.fresh_count == 1)
        if is_there:
            desk.gateway.accept(ExecutionRequest("NEW", "BUY", "ML", "S", Decimal(100), None, second, 1))
        view = await desk.executions.get_execution(second)
        with pytest.raises(FillOfUnsent, match="is queued and was never sent"):
            await desk.executions.fill(second, "PART", Decimal(1), view.execution.version)
        view = await desk.executions.get_execution(second)
        with pytest.raises(FillOfUnsent, match="is unknown and was never sent"):
            await desk.executions.fill(second, "PART", Decimal(1), view.execution.version)
        desk.gateway.open.set()
        assert (await asking).status is SubmitStatus.SUCCESS
        result = (await waiting).result
        assert (result.status, result.state) == (SubmitStatus.SUCCESS, SubmissionState.ACCEPTED)
        assert desk.gateway.times_accepted()[second] == 1
        assert ((second,) in desk.gateway.calls) is not is_there
        assert await conserved(database)


@pytest.mark.parametrize("kind", ["earlier service", "posted as sent"])
async def test_a_fill_of_what_another_program_sent_is_stored_and_its_id_looked_up(
    database: Database, kind: str
) -> None:
    async with desk_on(database) as desk:
        (execution_id,) = await none_executions(desk, 1)
        state = None if kind == "earlier service" else "accepted"
        await run_sql(
            database, "UPDATE execution SET submission_state = :state, quantity_placed = 100", state=state
        )
        desk.gateway.accept(ExecutionRequest("NEW", "BUY", "ML", "S", Decimal(100), None, execution_id, 1))
        view = await desk.executions.fill(execution_id, "PART", Decimal(1), 1)
        assert view.execution.submission_state is SubmissionState.ACCEPTED
        await until_named(database)
        assert desk.gateway.calls == []


async def test_a_fill_overtakes_the_answer_and_is_kept(database: Database) -> None:
    async with desk_on(database) as desk:
        desk.gateway.hold()
        asking = asyncio.create_task(desk.orders.submit_order(all_of([await desk.order()])[0]))
        await desk.gateway.called.wait()
        ((execution_id,),) = desk.gateway.calls
        filled = await desk.executions.fill(execution_id, "PART", Decimal("12.5"), 1)
        assert filled.execution.submission_state is SubmissionState.ACCEPTED
        assert filled.execution.quantity_placed == 100
        desk.gateway.open.set()
        view = view_in(await asking)
        assert (view.status.abbreviation, view.execution.quantity_filled) == ("PART", Decimal("12.5"))
        assert view.execution.execution_service_id == desk.gateway.ledger[0].id
        assert view.execution.version == 2
        full = await desk.executions.fill(execution_id, "FULL", Decimal(100), 2)
        assert (full.status.abbreviation, full.execution.version) == ("FULL", 3)


async def test_fills_and_records_at_once_lose_nothing(database: Database) -> None:
    async with desk_on(database, batch_size=10) as desk:
        desk.gateway.hold()
        asking = asyncio.create_task(desk.orders.submit_orders(all_of(await desk.some_orders(40))))
        await until(lambda: len(desk.gateway.calls) == 4)
        ids = [i for call in desk.gateway.calls for i in call]
        desk.gateway.open.set()

        async def report(execution_id: int) -> None:
            try:
                await desk.executions.fill(execution_id, "PART", Decimal(1), 1)
            except VersionConflict as conflict:
                current = conflict.details["current"]
                assert isinstance(current, int)
                await desk.executions.fill(execution_id, "PART", Decimal(1), current)

        await asyncio.gather(*(report(i) for i in reversed(ids)))
        answers = await asking
        assert all(view_in(a).execution.execution_service_id is not None for a in answers)
        assert await value_of(database, "SELECT count(*) FROM execution WHERE quantity_filled = 1") == 40
        assert await value_of(database, "SELECT count(execution_service_id) FROM execution") == 40
        assert await conserved(database)


async def test_a_fill_of_a_rejected_execution_takes_the_quantity_again_and_alarms(database: Database) -> None:
    async with desk_on(database) as desk:
        (execution_id,) = await none_executions(desk, 1, security="BAD")
        desk.gateway.scripts.append(refuse("BAD"))
        await desk.executions.submit_execution(execution_id)
        view = await desk.executions.fill(execution_id, "FULL", Decimal(100), 1)
        assert (view.order.available, view.order.submitted) == (Decimal(0), True)
        assert await conserved(database)
        alarms = [e for e in desk.engine.events if isinstance(e, AlarmEvent)]
        assert [(a.code, a.execution_ids) for a in alarms] == [("ACCEPTED_LATE", (execution_id,))]


@pytest.mark.parametrize("others", [0, 3])
async def test_a_fill_without_an_answer_gets_its_id_by_reconciliation(
    database: Database, others: int
) -> None:
    """The report proves acceptance but lacks the id, which comparing the ledgers needs."""
    async with desk_on(database) as desk:
        desk.gateway.scripts.append(fail(ReplyKind.LOST, "LOST", accepted=True))
        desk.gateway.hold()
        asking = asyncio.create_task(desk.orders.submit_orders(all_of(await desk.some_orders(1 + others))))
        await until(lambda: len(desk.gateway.calls) == 1)
        ids = desk.gateway.calls[0]
        await desk.executions.fill(ids[0], "PART", Decimal(1), 1)
        desk.gateway.open.set()
        await asking
        await until_named(database)
        assert await value_of(database, "SELECT version FROM execution WHERE id = :id", id=ids[0]) == 2


async def test_a_fill_of_a_rejected_execution_gets_its_id_by_reconciliation(database: Database) -> None:
    async with desk_on(database) as desk:
        (execution_id,) = await none_executions(desk, 1, security="BAD")
        desk.gateway.scripts.append(refuse("BAD"))
        await desk.executions.submit_execution(execution_id)
        desk.gateway.accept(ExecutionRequest("NEW", "BUY", "ML", "BAD", Decimal(100), None, execution_id, 1))
        await desk.executions.fill(execution_id, "FULL", Decimal(100), 1)
        await until_named(database)


async def test_impossible_fills_are_refused_by_name(database: Database) -> None:
    async with desk_on(database) as desk:
        (execution_id,) = await none_executions(desk, 1)
        for status, quantity, field in (
            ("FILLED", "1", "executionStatus"),
            ("PART", "-1", "quantityFilled"),
            ("PART", "NaN", "quantityFilled"),
            ("PART", "1.123456789", "quantityFilled"),
            ("PART", "100.01", "quantityFilled"),
        ):
            with pytest.raises(InvalidInput) as refused:
                await desk.executions.fill(execution_id, status, Decimal(quantity), 1)
            assert refused.value.details["field"] == field
        with pytest.raises(VersionConflict):
            await desk.executions.fill(execution_id, "PART", Decimal(1), 7)
        with pytest.raises(VersionConflict):
            await desk.executions.fill(execution_id, "PART", Decimal("100.01"), 7)
        for quantity in ("1", "-1"):
            with pytest.raises(NotFound):
                await desk.executions.fill(999, "PART", Decimal(quantity), 1)
        alarms = [e for e in desk.engine.events if isinstance(e, AlarmEvent)]
        assert [(a.code, a.execution_ids) for a in alarms] == [("FILL_REFUSED", (execution_id,))] * 2
        for alarm, reported in zip(alarms, ("-1", "100.01"), strict=True):
            assert f"a quantityFilled of {reported} for execution {execution_id}" in alarm.message
            assert "of which 100 was ordered" in alarm.message
            assert "quantityFilled stays 0 here" in alarm.message
