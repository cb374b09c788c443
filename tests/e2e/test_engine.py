"""The engine end to end: real PostgreSQL, real HTTP, every fault of the Execution Service simulator.

Whatever happens on the way: every execution ends accepted exactly once, or not accepted and with its
quantity back at its order.
"""

import asyncio
from collections.abc import Iterator
from decimal import Decimal

import pytest

from execution_simulator.faults import FAULTS
from execution_simulator.server import RunningSimulator, running_simulator
from execution_simulator.settings import SimulatorSettings
from tests.support.engine import Engine, engine_on, executions_in, running_engine, states_of, until
from tests.support.gateway import FakeGateway
from tests.support.rows import fetched
from tests.support.trading import run_sql, value_of
from trade_service.domain.errors import Overloaded
from trade_service.domain.executions import SubmissionState
from trade_service.store.database import Database
from trade_service.submission.events import AlarmEvent
from trade_service.submission.model import SubmitStatus
from trade_service.submission.work import Work

PUT_OFF = {"unauthorized_401", "forbidden_403", "not_found_404", "redirect_307"}
"""Configuration faults: callers learn at once that the execution waits."""
REJECTING = {"item_fail_permanent"}


async def assert_settled(
    database: Database, simulator: RunningSimulator, *, accepted: set[int], total: int
) -> None:
    """The ledger and the database agree, quantities are conserved, and nothing is left open."""
    counts = simulator.ledger.accepted_counts()
    assert {i: n for i, n in counts.items() if n != 1} == {}, "accepted twice"
    assert set(counts) == accepted
    states = await states_of(database)
    assert states.get("accepted", 0) == len(accepted)
    assert sum(states.get(s, 0) for s in ("rejected", "exhausted")) == total - len(accepted)
    odd = await fetched(
        database,
        "SELECT e.id FROM execution e JOIN trade_order o ON o.id = e.trade_order_id WHERE "
        "CASE WHEN e.submission_state = 'accepted' THEN e.execution_service_id IS NULL "
        "OR e.execution_status_id <> 2 OR e.quantity_placed <> e.quantity_ordered OR e.version <> 2 "
        "OR o.quantity_sent <> e.quantity_ordered OR NOT o.submitted "
        "ELSE e.execution_service_id IS NOT NULL OR e.quantity_placed <> 0 OR e.version <> 1 "
        "OR o.quantity_sent <> 0 OR o.submitted END",
    )
    assert odd == []


@pytest.mark.parametrize("count", [1, 2, 99, 100, 101, 250])
async def test_executions_are_sent_in_full_batches(database: Database, count: int) -> None:
    async with running_simulator() as simulator, engine_on(database, simulator.base_url) as engine:
        ids = await executions_in(database, count)
        asked = list(reversed(ids))
        result = await engine.service.submit_executions_bulk(asked)
        assert [r.execution_id for r in result.results] == asked
        assert [r.request_index for r in result.results] == list(range(count))
        assert (result.status, result.successful, result.pending) == ("SUCCESS", count, 0)
        full, rest = divmod(count, 100)
        assert sorted(b.size for b in engine.batches) == sorted([100] * full + [rest] * (rest > 0))
        await assert_settled(database, simulator, accepted=set(ids), total=count)


@pytest.mark.parametrize("fault", sorted(set(FAULTS) - {"ok"}))
async def test_no_fault_loses_or_duplicates_an_execution(database: Database, fault: str) -> None:
    settings = SimulatorSettings(
        seed=7, slow_ms=20, late_commit_ms=150, retry_after_s=0, huge_bytes=3_000_000
    )
    async with running_simulator(settings) as simulator, engine_on(database, simulator.base_url) as engine:
        simulator.script([fault, "ok", fault])
        ids = await executions_in(database, 250)
        result = await engine.service.submit_executions_bulk(ids)
        accepted = {r.execution_id for r in result.results if r.status is SubmitStatus.SUCCESS}
        if fault in PUT_OFF:
            assert (result.successful, result.failed) in ((50, 0), (100, 0), (150, 0)), "two batches met it"
            accepted = set(ids)
            async with asyncio.timeout(20):
                while await states_of(database) != {"accepted": 250}:
                    await asyncio.sleep(0.02)
        else:
            assert result.pending == 0, [r for r in result.results if r.status is SubmitStatus.PENDING][:3]
        await assert_settled(database, simulator, accepted=accepted, total=250)
        if fault not in REJECTING:
            assert len(accepted) == 250, [r for r in result.results if r.execution_id not in accepted][:3]


async def test_a_batch_refused_whole_rejects_only_the_bad_execution(database: Database) -> None:
    """The simulator refuses a whole request for one bad item without naming it: halving finds it."""
    settings = SimulatorSettings(refuse_bad_items=True)
    async with running_simulator(settings) as simulator, engine_on(database, simulator.base_url) as engine:
        ids = await executions_in(database, 100)
        # A security id that only the Execution Service refuses: blank when trimmed.
        await run_sql(
            database, "UPDATE trade_order SET security_id = '' WHERE id = (SELECT min(id) FROM trade_order)"
        )
        result = await engine.service.submit_executions_bulk(ids)
        failed = [r for r in result.results if r.status is SubmitStatus.FAILED]
        assert [(r.execution_id, r.state) for r in failed] == [(ids[0], SubmissionState.REJECTED)]
        await assert_settled(database, simulator, accepted=set(ids[1:]), total=100)


async def test_an_outage_is_waited_for(database: Database) -> None:
    async with running_simulator() as simulator, engine_on(database, simulator.base_url) as engine:
        ids = await executions_in(database, 30)
        await simulator.close_door()
        submitting = asyncio.create_task(engine.service.submit_executions_bulk(ids))
        await until(lambda: sum(b.kind == "not_sent" for b in engine.batches) >= 8)
        await simulator.open_door()
        result = await submitting
        assert result.successful == 30
        await assert_settled(database, simulator, accepted=set(ids), total=30)
        spent = await value_of(database, "SELECT max(attempts_spent) FROM execution")
        assert spent == 0, "what never left spends no attempt, nor what was sent in company"


async def test_a_spent_budget_returns_the_quantity(database: Database) -> None:
    async with running_simulator() as simulator:
        async with engine_on(database, simulator.base_url, max_attempts=2) as engine:
            simulator.faults = {"reset_before": 1.0}
            ids = await executions_in(database, 5)
            result = await engine.service.submit_executions_bulk(ids)
            assert {r.status for r in result.results} == {SubmitStatus.RETRY_EXHAUSTED}
            assert {r.code for r in result.results} == {"BUDGET_SPENT"}
            await assert_settled(database, simulator, accepted=set(), total=5)


async def test_concurrent_single_callers_share_batches(database: Database) -> None:
    async with running_simulator(SimulatorSettings(call_latency_ms=20)) as simulator:
        async with engine_on(database, simulator.base_url, max_concurrent=2) as engine:
            ids = await executions_in(database, 500)

            async def submit_one(execution_id: int) -> SubmitStatus:
                waiter = engine.intake.enqueue([execution_id])
                return (await engine.intake.outcomes(waiter))[execution_id].status

            statuses = await asyncio.gather(*(submit_one(i) for i in ids))
            assert set(statuses) == {SubmitStatus.SUCCESS}
            assert len(engine.batches) <= 10, "coalesced"
            await assert_settled(database, simulator, accepted=set(ids), total=500)


async def test_an_execution_with_many_callers_is_sent_once(database: Database) -> None:
    async with running_simulator(SimulatorSettings(call_latency_ms=30)) as simulator:
        async with (
            engine_on(database, simulator.base_url, owner="one") as one,
            engine_on(database, simulator.base_url, owner="two") as two,
        ):
            ids = await executions_in(database, 120)
            results = await asyncio.gather(
                *(h.service.submit_executions_bulk(ids) for h in (one, two, one, two)),
            )
            assert [r.successful for r in results] == [120] * 4
            await assert_settled(database, simulator, accepted=set(ids), total=120)


async def test_a_caller_that_stops_waiting_gets_pending_and_the_work_continues(database: Database) -> None:
    async with running_simulator() as simulator, engine_on(database, simulator.base_url) as engine:
        ids = await executions_in(database, 3)
        simulator.script(["reset_after"])
        simulator.script_lookups(["error_503"] * 4)
        result = await engine.service.submit_executions_bulk(ids, wait_s=0.15)
        assert {(r.status, r.message) for r in result.results} == {
            (SubmitStatus.PENDING, "pending, do not resubmit")
        }
        again = await engine.service.submit_executions_bulk(ids)
        assert again.successful == 3
        await assert_settled(database, simulator, accepted=set(ids), total=3)


async def test_a_process_that_dies_loses_nothing(database: Database) -> None:
    """Its calls were in flight; another replica resolves them."""
    async with running_simulator() as simulator:
        ids = await executions_in(database, 200)
        simulator.hold(committed=True)
        async with engine_on(database, simulator.base_url, owner="dies") as engine:
            for start in (0, 100):
                engine.queue.accept(Work(tuple(ids[start : start + 100])))
            await simulator.accepted_reached(200)
        simulator.release()
        assert (await states_of(database)) == {"claimed": 200}
        async with engine_on(database, simulator.base_url, owner="survivor") as engine:
            result = await engine.service.submit_executions_bulk(ids)
            assert result.successful == 200
        await assert_settled(database, simulator, accepted=set(ids), total=200)


async def test_a_ledger_reset_proves_nothing(database: Database) -> None:
    async with running_simulator(SimulatorSettings(first_id=1000)) as simulator:
        async with engine_on(database, simulator.base_url) as engine:
            known = await executions_in(database, 2)
            await engine.service.submit_executions_bulk(known)
            lost = await executions_in(database, 1)
            simulator.script(["reset_before"])
            simulator.script_lookups(["error_503"] * 2)
            pending = asyncio.create_task(engine.service.submit_executions_bulk(lost, wait_s=1.5))
            await until(lambda: len(engine.batches) == 2)
            simulator.reset()
            result = await pending
            assert result.results[0].state is SubmissionState.UNKNOWN
            await until(lambda: "DOWNSTREAM_RESET" in _alarms(engine))
            assert list(_alarms(engine)) == ["DOWNSTREAM_SUSPECTED", "DOWNSTREAM_RESET"]
            assert _alarms(engine)["DOWNSTREAM_RESET"] == tuple(lost)
            fresh = await executions_in(database, 1)
            assert (await engine.service.submit_executions_bulk(fresh)).successful == 1


def _alarms(engine: Engine) -> dict[str, tuple[int, ...]]:
    return {event.code: event.execution_ids for event in engine.events if isinstance(event, AlarmEvent)}


async def test_a_million_ids_are_not_held_at_once(database: Database) -> None:
    async with running_simulator() as simulator, engine_on(database, simulator.base_url) as engine:
        ids = await executions_in(database, 3000)
        drawn = 0

        def draw() -> Iterator[int]:
            nonlocal drawn
            for execution_id in ids:
                drawn += 1
                yield execution_id

        came = 0
        async for result in engine.intake.stream(draw()):
            came += 1
            assert result.status is SubmitStatus.SUCCESS
            assert drawn - came <= 1700, "window of 16 batches and the one being built"
        assert came == 3000


async def test_a_full_queue_refuses_without_side_effects(database: Database) -> None:
    async with running_simulator() as simulator:
        async with engine_on(database, simulator.base_url, queue_limit=100, max_concurrent=1) as engine:
            ids = await executions_in(database, 300)
            simulator.hold()
            engine.queue.accept(Work(tuple(ids[:100])))
            await simulator.calls_reached(1)
            engine.queue.accept(Work(tuple(ids[100:200])))
            with pytest.raises(Overloaded, match="try again"), engine.intake.reserve(100):
                pytest.fail("there was no room")
            simulator.release()
            rest = await engine.service.submit_executions_bulk(ids)
            assert rest.successful == 300


async def test_quantities_arrive_exactly(database: Database) -> None:
    exact = Decimal("1234567890.12345678")
    async with running_simulator() as simulator, engine_on(database, simulator.base_url) as engine:
        ids = await executions_in(database, 1, exact)
        await engine.service.submit_executions_bulk(ids)
        assert simulator.ledger.get(ids[0])[0].quantity == exact


async def test_an_execution_that_cannot_be_sent_does_not_affect_the_others(database: Database) -> None:
    """An execution whose quantity is not a number is rejected with a reason; the rest is sent in one call."""
    gateway = FakeGateway()
    ids = await executions_in(database, 5)
    await run_sql(database, "UPDATE execution SET quantity_ordered = 'NaN' WHERE id = :id", id=ids[2])
    async with running_engine(database, gateway) as engine:
        result = await engine.service.submit_executions_bulk(ids)
    good = [i for i in ids if i != ids[2]]
    assert gateway.calls == [tuple(good)]
    assert (result.successful, result.failed) == (4, 1)
    (bad,) = [one for one in result.results if one.execution_id == ids[2]]
    assert bad.code == "NOT_REPRESENTABLE"
    assert "quantity" in bad.message
