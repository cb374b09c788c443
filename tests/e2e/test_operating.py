"""OperatorService beside running engines on a real database: one outcome, whichever comes first."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from decimal import Decimal

import msgspec
import pytest

from tests.support.engine import Engine, executions_in, running_engine, states_of, until
from tests.support.gateway import FakeGateway, fail, refuse
from tests.support.trading import CONSERVATION, run_sql, value_of
from trade_service.domain.errors import DomainError, EvidenceConflict, NotRequeueable, QuantityExceeded
from trade_service.store.database import Database
from trade_service.store.operator_store import PostgresOperatorStore
from trade_service.submission.clock import SystemClock
from trade_service.submission.codes import AlarmCode
from trade_service.submission.events import AlarmEvent, EventBus
from trade_service.submission.manual_resolution import LedgerEvidence, LedgerFinding, Resolution
from trade_service.submission.messages import ExecutionRequest, Listing
from trade_service.submission.model import ReplyKind, SubmitStatus
from trade_service.trading.operating import OperatorService
from trade_service.trading.requeueing import Requeue, RequeueFilter

LOST = fail(ReplyKind.LOST, "DOWNSTREAM_READ_TIMEOUT")
LOST_AND_ACCEPTED = fail(ReplyKind.LOST, "DOWNSTREAM_READ_TIMEOUT", accepted=True)
ANN = Requeue("ann", "they are open again")


class Shut(FakeGateway):
    """Its ledger can be read once, when the engine starts, and then not until it is opened."""

    def __init__(self) -> None:
        super().__init__()
        self.shut = False

    async def list_newest(self, offset: int, limit: int) -> Listing:
        return Listing(None, "X", "shut") if self.shut else await super().list_newest(offset, limit)


@asynccontextmanager
async def at_work(database: Database, gateway: FakeGateway) -> AsyncIterator[tuple[Engine, OperatorService]]:
    async with running_engine(database, gateway) as engine:
        if isinstance(gateway, Shut):
            gateway.shut = True
        yield engine, operators_on(database, gateway)


def operators_on(database: Database, gateway: FakeGateway) -> OperatorService:
    """As in a separate process: no engine gets its events."""
    return OperatorService(PostgresOperatorStore(database, SystemClock(), 1, 2), gateway, EventBus(), 100)


def alarms(engine: Engine, code: AlarmCode) -> list[AlarmEvent]:
    return [event for event in engine.events if isinstance(event, AlarmEvent) and event.code == code]


async def settle(operators: OperatorService, resolution: Resolution, *, override: bool = False) -> None:
    """Resolves as soon as the settle time allows."""
    async with asyncio.timeout(15):
        while True:
            try:
                await operators.resolve(resolution, await operators.look(resolution), override=override)
                return
            except DomainError as error:
                if "may still be accepted" not in error.message:
                    raise
                await asyncio.sleep(0.05)


@pytest.mark.parametrize("accepted_as", [1000, None])
async def test_a_caller_of_another_process_gets_its_answer(
    database: Database, accepted_as: int | None
) -> None:
    gateway = Shut()
    gateway.scripts.append(LOST if accepted_as is None else LOST_AND_ACCEPTED)
    async with at_work(database, gateway) as (engine, operators):
        (execution_id,) = await executions_in(database, 1)
        caller = asyncio.create_task(engine.service.submit_executions_bulk([execution_id]))
        async with asyncio.timeout(15):
            while (await operators.unknowns()).total == 0:
                await asyncio.sleep(0.02)
        (case,) = (await operators.unknowns()).cases
        assert (case.execution_id, case.code) == (execution_id, "DOWNSTREAM_READ_TIMEOUT")
        await settle(operators, Resolution(execution_id, accepted_as, "ann", "asked them"))
        (result,) = (await caller).results
        wanted = SubmitStatus.SUCCESS if accepted_as else SubmitStatus.RETRY_EXHAUSTED
        assert (result.status, result.execution_service_id) == (wanted, accepted_as)
    assert await value_of(database, CONSERVATION) == 0
    assert (await operators.unknowns()).total == 0


async def test_reconciliation_finds_an_execution_resolved_as_not_accepted(database: Database) -> None:
    gateway = Shut()
    gateway.scripts.append(LOST_AND_ACCEPTED)
    async with at_work(database, gateway) as (engine, operators):
        ids = await executions_in(database, 1)
        await engine.service.submit_executions_bulk(ids, wait_s=0.3)
        await settle(operators, Resolution(ids[0], None, "ann", "they say no"))
        assert await states_of(database) == {"exhausted": 1}
        gateway.shut = False
        (result,) = await operators.requeue(ids, ANN)
        assert result.error is None
        await until(lambda: bool(alarms(engine, AlarmCode.ACCEPTED_LATE)))
        async with asyncio.timeout(15):
            while await states_of(database) != {"accepted": 1}:
                await asyncio.sleep(0.02)
    assert set(gateway.times_accepted().values()) == {1}
    assert await value_of(database, CONSERVATION) == 0
    history = await operators.history(ids[0])
    assert [one.code for one in history.evidence] == ["RESOLVED", "REQUEUED"]
    assert [attempt.kind for attempt in history.attempts] == ["lost", "requeued"]
    assert history.attempts[-1].outcomes[-1].code == "FOUND_BY_LOOK_UP"


async def test_a_requeued_execution_is_sent_once_after_reconciliation(database: Database) -> None:
    gateway = FakeGateway()
    gateway.scripts.append(refuse("S1", "S2", "S3"))
    async with at_work(database, gateway) as (engine, operators):
        ids = await executions_in(database, 3)
        assert (await engine.service.submit_executions_bulk(ids)).failed == 3
        selected, more = await operators.select(RequeueFilter(codes=["ITEM_REFUSED"]))
        assert (selected, more) == (ids, False)
        both = await asyncio.gather(*(operators.requeue(ids, ANN) for _ in range(4)))
        done = [one.execution_id for results in both for one in results if one.error is None]
        assert sorted(done) == ids, "each is requeued by one of the operators"
        refused = [one.error for results in both for one in results if one.error is not None]
        assert all(isinstance(error, NotRequeueable) for error in refused)
        async with asyncio.timeout(15):
            while await states_of(database) != {"accepted": 3}:
                await asyncio.sleep(0.02)
        assert not alarms(engine, AlarmCode.ACCEPTED_LATE)
    assert set(gateway.times_accepted().values()) == {1}
    assert await value_of(database, CONSERVATION) == 0


async def test_an_order_without_enough_quantity_refuses(database: Database) -> None:
    gateway = FakeGateway()
    gateway.scripts.append(refuse("S1"))
    async with at_work(database, gateway) as (engine, operators):
        ids = await executions_in(database, 1)
        await engine.service.submit_executions_bulk(ids)
        await run_sql(database, "UPDATE trade_order SET quantity_sent = 1")
        for requeue in (msgspec.structs.replace(ANN, dry_run=True), ANN):
            (result,) = await operators.requeue(ids, requeue)
            assert isinstance(result.error, QuantityExceeded)
        assert await states_of(database) == {"rejected": 1}


async def test_concurrent_operators_and_reconciliation_agree(database: Database) -> None:
    """Whichever comes first: each execution is accepted once or its quantity returned; none is lost."""
    gateway = FakeGateway()
    gateway.scripts.extend([LOST, LOST_AND_ACCEPTED])
    async with running_engine(database, gateway, batch_size=20, max_concurrent=1) as engine:
        operators = operators_on(database, gateway)
        ids = await executions_in(database, 40)
        caller = asyncio.create_task(engine.service.submit_executions_bulk(ids, wait_s=0.2))
        await until(lambda: len(engine.batches) >= 2)

        async def say_no(execution_id: int) -> None:
            try:
                await settle(operators, Resolution(execution_id, None, "ann", "they say no"))
            except DomainError:
                return

        await asyncio.gather(*(say_no(execution_id) for execution_id in ids))
        await caller
        ended, _ = await operators.select(RequeueFilter())
        if ended:
            await asyncio.gather(operators.requeue(ended, ANN), operators.requeue(ended, ANN))
        async with asyncio.timeout(20):
            while await states_of(database) != {"accepted": 40}:
                await asyncio.sleep(0.05)
    assert set(gateway.times_accepted().values()) == {1}
    assert await value_of(database, CONSERVATION) == 0


async def test_the_ledger_is_read_first(database: Database) -> None:
    gateway = Shut()
    gateway.scripts.append(LOST)
    async with at_work(database, gateway) as (engine, operators):
        ids = await executions_in(database, 2)
        await engine.service.submit_executions_bulk(ids, wait_s=0.3)
        others = gateway.accept(ExecutionRequest("NEW", "BUY", "ML", "S2", Decimal(10), None, ids[1], 1)).id
        alike = gateway.accept(ExecutionRequest("NEW", "BUY", "ML", "S1", Decimal(9), None, ids[0], 1)).id
        assert others is not None
        assert alike is not None
        gateway.shut = False
        for accepted_as, sight in (
            (others, LedgerFinding.CONTRADICTS),
            (alike, LedgerFinding.DOUBTS),
            (4711, LedgerFinding.DOUBTS),
        ):
            resolution = Resolution(ids[0], accepted_as, "ann", "why")
            looked = await operators.look(resolution)
            assert looked.evidence.finding is sight
            with pytest.raises(EvidenceConflict):
                await operators.resolve(resolution, looked)
        mistaken = Resolution(ids[0], others, "ann", "why")
        looked = await operators.look(mistaken)
        with pytest.raises(EvidenceConflict, match="is execution"):
            await operators.resolve(mistaken, looked, override=True)
        await settle(
            operators, Resolution(ids[0], alike, "ann", "it is ours, says their desk"), override=True
        )
        unseen = msgspec.structs.replace(
            looked, evidence=LedgerEvidence(LedgerFinding.SILENT, "its ledger is closed")
        )
        with pytest.raises(EvidenceConflict, match=f"is the id of execution {ids[0]}"):
            await operators.resolve(Resolution(ids[1], alike, "ann", "why"), unseen)
