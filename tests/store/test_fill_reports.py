"""Fill reports of executions that were not sent here, on real PostgreSQL with the whole engine."""

import asyncio
from decimal import Decimal

import pytest

from tests.support.heart import SETTLE_MS, until
from tests.support.trading import conserved, desk_on, none_executions, run_sql, until_named
from trade_service.domain.errors import FillOfUnsent
from trade_service.domain.executions import SubmissionState
from trade_service.store.database import Database
from trade_service.store.execution_reads import PostgresExecutionReads
from trade_service.submission.clock import SystemClock
from trade_service.submission.events import AlarmEvent
from trade_service.submission.messages import ExecutionRequest
from trade_service.submission.model import SubmitStatus


async def test_a_fill_of_what_was_never_sent_is_refused_with_an_alarm(database: Database) -> None:
    async with desk_on(database) as desk:
        (execution_id,) = await none_executions(desk, 1)
        for _ in range(2):
            with pytest.raises(FillOfUnsent, match="is none and was never sent"):
                await desk.executions.fill(execution_id, "PART", Decimal("12.5"), 1)
        alarms = [e for e in desk.heart.events if isinstance(e, AlarmEvent)]
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
        await until(lambda: desk.heart.queue.fresh_count == 1)
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
