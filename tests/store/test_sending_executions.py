"""Executions are sent by id on real PostgreSQL, with the real engine and a gateway in memory."""

import asyncio

import pytest

from tests.support.engine import states_of, until
from tests.support.gateway import refuse
from tests.support.trading import (
    desk_on,
    none_executions,
    run_sql,
)
from trade_service.domain.errors import (
    InvalidInput,
    NotFound,
    TooMany,
)
from trade_service.domain.executions import SubmissionState
from trade_service.store.database import Database
from trade_service.submission.model import SubmitStatus
from trade_service.submission.ports import StoreUnavailable


async def test_one_execution_asked_for_by_many_is_sent_once(database: Database) -> None:
    async with desk_on(database) as desk:
        desk.gateway.hold()
        (execution_id,) = await none_executions(desk, 1)
        asking = [asyncio.create_task(desk.executions.submit_execution(execution_id)) for _ in range(20)]
        await desk.gateway.called.wait()
        asking += [asyncio.create_task(desk.executions.submit_execution(execution_id)) for _ in range(20)]
        desk.gateway.open.set()
        results = await asyncio.gather(*asking)
        assert all((r.status, r.error) == (SubmitStatus.SUCCESS, None) for r in results)
        assert desk.gateway.calls == [(execution_id,)]
        later = await desk.executions.submit_execution(execution_id)
        assert (later.status, later.result.code) == (SubmitStatus.SUCCESS, "ALREADY_ACCEPTED")
        assert len(desk.gateway.ledger) == 1


async def test_single_callers_share_batches(database: Database) -> None:
    async with desk_on(database, max_concurrent=1) as desk:
        ids = await none_executions(desk, 80)
        results = await asyncio.gather(*(desk.executions.submit_execution(i) for i in ids))
        assert all(r.status is SubmitStatus.SUCCESS for r in results)
        assert len(desk.gateway.calls) <= 3


async def test_a_refused_execution_says_why(database: Database) -> None:
    async with desk_on(database) as desk:
        (execution_id,) = await none_executions(desk, 1, security="BAD")
        desk.gateway.scripts.append(refuse("BAD"))
        result = await desk.executions.submit_execution(execution_id)
        assert result.status is SubmitStatus.FAILED
        assert result.error is not None
        assert "Security ID is required" in result.error
        again = await desk.executions.submit_execution(execution_id)
        assert (again.status, again.result.code) == (SubmitStatus.FAILED, "ALREADY_REJECTED")
        assert len(desk.gateway.calls) == 1


@pytest.mark.parametrize("execution_id", [999, -1, 2**31])
async def test_an_unknown_execution_is_not_found(database: Database, execution_id: int) -> None:
    async with desk_on(database) as desk:
        with pytest.raises(NotFound):
            await desk.executions.submit_execution(execution_id)
        with pytest.raises(NotFound):
            await desk.executions.get_execution(execution_id)


async def test_bulk_results_keep_the_callers_order_with_repetitions_and_strangers(
    database: Database,
) -> None:
    async with desk_on(database) as desk:
        ids = await none_executions(desk, 30)
        asked = [ids[3], 999, *reversed(ids), ids[3], 2**40]
        for submit in (desk.executions.submit_executions, desk.executions.submit_executions_batch):
            bulk = await submit(asked)
            assert [r.execution_id for r in bulk.results] == asked
            assert [r.request_index for r in bulk.results] == list(range(len(asked)))
            assert (bulk.status, bulk.failed, bulk.successful) == ("PARTIAL", 2, 32)
            assert [r.code for r in bulk.results if r.status is SubmitStatus.FAILED] == ["NOT_FOUND"] * 2
        assert set(desk.gateway.times_accepted().values()) == {1}
        with pytest.raises(TooMany, match="at most 100; got 101"):
            await desk.executions.submit_executions_batch(range(101))
        with pytest.raises(InvalidInput, match="1 to 100"):
            await desk.executions.submit_executions_batch([])


async def test_pending_is_said_only_of_what_is_on_record(database: Database) -> None:
    async with desk_on(database, max_concurrent=0) as stuck:
        ids = await none_executions(stuck, 6)
        one = await stuck.executions.submit_execution(ids[0], wait_s=0.05)
        assert (one.status, one.error) == (SubmitStatus.PENDING, None)
        assert await states_of(database) == {"queued": 1, "none": 5}
        bulk = await stuck.executions.submit_executions(ids[:3], wait_s=0.05)
        assert (bulk.status, bulk.pending) == ("SUCCESS", 3)
        assert await states_of(database) == {"queued": 3, "none": 3}
        every = (await stuck.executions.submit_executions(ids, wait_s=0.05)).results
        assert {r.status for r in every} == {SubmitStatus.PENDING}
        assert [r.request_index for r in every] == list(range(6))
        assert await states_of(database) == {"queued": 6}
    await run_sql(database, "UPDATE submission_attempt SET next_action_at = now()")
    async with desk_on(database) as alive:
        await until(lambda: len(alive.gateway.ledger) == 6)
    assert set(alive.gateway.times_accepted().values()) == {1}


async def test_what_cannot_be_put_on_record_is_not_promised(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def away(*_: object) -> None:
        raise StoreUnavailable("away")

    async with desk_on(database, max_concurrent=0) as desk:
        ids = await none_executions(desk, 2)
        await run_sql(database, "UPDATE execution SET submission_state = 'unknown' WHERE id = :id", id=ids[1])
        monkeypatch.setattr(desk.executions, "_reads", type("Away", (), {"enqueue": staticmethod(away)}))
        fresh, on_record = (await desk.executions.submit_executions(ids, wait_s=0.05)).results
        assert (fresh.status, fresh.code) == (SubmitStatus.FAILED, "STORE_UNAVAILABLE")
        assert (on_record.status, on_record.state) == (SubmitStatus.PENDING, SubmissionState.UNKNOWN)
