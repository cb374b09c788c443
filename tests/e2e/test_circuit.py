"""The circuit and the adaptive concurrency around the Execution Service, on real PostgreSQL.

An outage costs few calls, callers get an answer at once, and after it everything is sent exactly once.
"""

import asyncio
from collections.abc import Sequence

import msgspec
import pytest

from tests.support.engine import Engine, executions_in, running_engine, states_of, until
from tests.support.gateway import FakeGateway, fail, refuse
from tests.support.trading import run_sql, value_of
from trade_service.store.database import Database
from trade_service.store.execution_reads import PostgresExecutionReads
from trade_service.store.reference_store import PostgresReferenceReads
from trade_service.submission.circuit import CircuitState
from trade_service.submission.clock import SystemClock
from trade_service.submission.codes import OutcomeCode
from trade_service.submission.engine_settings import CircuitSettings
from trade_service.submission.events import AlarmEvent, BatchSubmissionEvent, CircuitEvent, LookUpEvent
from trade_service.submission.messages import BatchExecutionRequest
from trade_service.submission.model import (
    AttemptId,
    ExecutionSubmitResult,
    GatewayReply,
    ReplyKind,
    SubmitStatus,
)
from trade_service.submission.work import Work
from trade_service.trading.execution_use_cases import ExecutionService
from trade_service.trading.reference import ReferenceCache

QUICK = CircuitSettings(
    slow_call_ms=60_000,
    window_calls=6,
    minimum_calls=4,
    open_ms=200,
    open_max_ms=400,
    half_open_probes=1,
)
FOR_LONG = msgspec.structs.replace(QUICK, open_ms=600_000, open_max_ms=600_000)
REFUSED = fail(ReplyKind.NOT_SENT, "DOWNSTREAM_REFUSED_CONNECTION")
LOST = fail(ReplyKind.LOST, "DOWNSTREAM_READ_TIMEOUT")
LOST_AND_ACCEPTED = fail(ReplyKind.LOST, "DOWNSTREAM_READ_TIMEOUT", accepted=True)
OUT_OF_ORDER = fail(ReplyKind.UNCLEAR, "DOWNSTREAM_UNAVAILABLE", http_status=503)
UNAUTHORIZED = fail(ReplyKind.CONFIGURATION, "DOWNSTREAM_UNAUTHORIZED", http_status=401)


class Watched(FakeGateway):
    """Records when each call began and how many were in flight at once; `delay_s` makes it slow."""

    def __init__(self) -> None:
        super().__init__()
        self.delay_s = 0.0
        self.began: list[float] = []
        self.at_once: list[int] = []
        self._on_the_way = 0

    async def submit_batch(
        self, request: BatchExecutionRequest, attempt_id: AttemptId, write_before: float
    ) -> GatewayReply:
        self._on_the_way += 1
        self.began.append(asyncio.get_running_loop().time())
        self.at_once.append(self._on_the_way)
        try:
            await asyncio.sleep(self.delay_s)
            return await super().submit_batch(request, attempt_id, write_before)
        finally:
            self._on_the_way -= 1


def circuit_events(engine: Engine) -> list[CircuitState]:
    return [event.state for event in engine.events if isinstance(event, CircuitEvent)]


def deferred(engine: Engine) -> list[BatchSubmissionEvent]:
    """Batches recorded as waiting and not sent."""
    return [batch for batch in engine.batches if batch.code == OutcomeCode.CIRCUIT_OPEN]


async def open_circuit(engine: Engine, database: Database, gateway: FakeGateway) -> list[int]:
    """Opens the circuit with one failing call; returns its execution."""
    usual, gateway.usual = gateway.usual, UNAUTHORIZED
    ids = await executions_in(database, 1)
    await engine.service.submit_executions_bulk(ids)
    assert engine.admission.state.state is CircuitState.OPEN
    gateway.usual = usual
    return ids


async def all_accepted(database: Database, gateway: FakeGateway, ids: Sequence[int]) -> None:
    """Waits until nothing is open; fails unless each was accepted exactly once."""
    async with asyncio.timeout(30):
        while (await states_of(database)).get("accepted", 0) < len(ids):
            await asyncio.sleep(0.02)
    assert {i: n for i, n in gateway.times_accepted().items() if n != 1} == {}, "accepted twice"
    assert set(gateway.times_accepted()) == set(ids)


async def stops_waiting(database: Database, least_s: float) -> None:
    """Waits until no attempt is due within `least_s`."""
    async with asyncio.timeout(10):
        while True:
            due_in = await value_of(
                database,
                "SELECT extract(epoch FROM min(next_action_at) - now())::float8 FROM submission_attempt",
            )
            if due_in is None or due_in > least_s:
                return
            await asyncio.sleep(0.02)


def told(results: Sequence[ExecutionSubmitResult]) -> set[tuple[SubmitStatus, str]]:
    return {(result.status, result.code) for result in results}


TOLD_TO_WAIT = {(SubmitStatus.PENDING, "CIRCUIT_OPEN")}


@pytest.mark.parametrize("outage", [REFUSED, LOST, OUT_OF_ORDER], ids=["refused", "lost", "503"])
async def test_an_outage_costs_few_calls_and_after_it_everything_is_accepted_once(
    database: Database, outage: object
) -> None:
    gateway = Watched()
    gateway.usual = outage  # type: ignore[assignment]
    async with running_engine(database, gateway, circuit=QUICK, batch_size=10) as engine:
        ids = await executions_in(database, 200)
        first = asyncio.create_task(engine.service.submit_executions_bulk(ids[:100]))
        await until(lambda: engine.admission.state.state is CircuitState.OPEN)
        opened_at = asyncio.get_running_loop().time()
        async with asyncio.timeout(15):
            late = await engine.service.submit_executions_bulk(ids[100:])
            assert told(late.results) == TOLD_TO_WAIT
            assert told((await first).results) == TOLD_TO_WAIT
        await until(lambda: circuit_events(engine).count(CircuitState.OPEN) >= 4)
        lasted_s = asyncio.get_running_loop().time() - opened_at
        batches = [call for call in gateway.calls if len(call) > 1]
        assert len(batches) <= 4 + 4, "what it takes to open, and what was on its way meanwhile"
        probes = len(gateway.calls) - len(batches)
        assert probes <= 2 + lasted_s / (QUICK.open_ms / 2 / 1000), "and a probe risks one execution"
        gateway.usual = refuse()
        await all_accepted(database, gateway, ids)
    assert circuit_events(engine)[-2:] == [CircuitState.HALF_OPEN, CircuitState.CLOSED]


async def test_waiting_for_the_circuit_spends_no_attempt(database: Database) -> None:
    gateway = Watched()
    async with running_engine(database, gateway, circuit=QUICK, batch_size=10, max_attempts=1) as engine:
        lost = await open_circuit(engine, database, gateway)
        gateway.usual = REFUSED
        ids = await executions_in(database, 30)
        assert told((await engine.service.submit_executions_bulk(ids)).results) == TOLD_TO_WAIT
        await until(lambda: circuit_events(engine).count(CircuitState.OPEN) >= 3)
        gateway.usual = refuse()
        await all_accepted(database, gateway, [*lost, *ids])
    spent = await value_of(database, "SELECT max(attempts_spent) FROM execution")
    assert spent <= 1, "its own, with which it was accepted"


async def test_callers_get_an_immediate_answer_that_explains_it(database: Database) -> None:
    gateway = Watched()
    async with running_engine(database, gateway, circuit=FOR_LONG, batch_size=10) as engine:
        await open_circuit(engine, database, gateway)
        ids = await executions_in(database, 25)
        async with asyncio.timeout(5):
            result = await engine.service.submit_executions_bulk(ids)
            assert (result.status, result.pending) == ("SUCCESS", 25)
            assert {one.message for one in result.results} == {
                "pending, do not resubmit: the Execution Service rejects every call until the configuration "
                "is corrected (scripted DOWNSTREAM_UNAUTHORIZED); it is sent automatically then"
            }
            again = await engine.service.submit_executions_bulk(ids)
            assert told(again.results) == TOLD_TO_WAIT, "callers of waiting executions too"
            streamed = [one async for one in engine.intake.stream(ids)]
            assert told(streamed) == TOLD_TO_WAIT
        assert (await states_of(database)) == {"retry": 26}, "what is pending is on record"
        assert len(engine.waiters) == 0


async def test_a_stream_can_wait_through_an_open_circuit(database: Database) -> None:
    gateway = Watched()
    async with running_engine(database, gateway, circuit=QUICK, batch_size=10) as engine:
        await open_circuit(engine, database, gateway)
        ids = await executions_in(database, 25)
        results = [one async for one in engine.intake.stream(ids, wait_through_open_circuit=True)]
        assert {one.status for one in results} == {SubmitStatus.SUCCESS}

        assert len(deferred(engine)) > 0


async def test_waiters_for_a_retry_get_an_answer_when_it_is_due_and_the_circuit_is_open(
    database: Database,
) -> None:
    gateway = Watched()
    gateway.usual = REFUSED
    one_call = msgspec.structs.replace(FOR_LONG, minimum_calls=1)
    async with running_engine(database, gateway, circuit=one_call) as engine:
        ids = await executions_in(database, 5)
        async with asyncio.timeout(5):
            assert told((await engine.service.submit_executions_bulk(ids)).results) == TOLD_TO_WAIT
        assert len(gateway.calls) == len(engine.batches) == 1


async def test_waiting_for_the_circuit_costs_nothing(database: Database) -> None:
    """A backlog of queued attempts and retries neither spins nor is claimed while the circuit is open."""
    gateway = Watched()
    async with running_engine(database, gateway, circuit=FOR_LONG, batch_size=10) as engine:
        await open_circuit(engine, database, gateway)
        calls = len(gateway.calls)
        retries, queued = await executions_in(database, 50), await executions_in(database, 50)
        await engine.service.submit_executions_bulk(retries)
        reads = PostgresExecutionReads(database, "test", 60_000)
        for start in range(0, 50, 10):
            await reads.enqueue(queued[start : start + 10], SystemClock().new_attempt_id())
        await run_sql(
            database, "UPDATE submission_attempt SET next_action_at = now() WHERE next_action_at IS NOT NULL"
        )
        recorded = len(engine.batches)
        await stops_waiting(database, least_s=60)
        assert len(engine.batches) == recorded, "nothing was claimed"
        assert len(gateway.calls) == calls
        assert await states_of(database) == {"queued": 50, "retry": 51}
        spread = await value_of(
            database, "SELECT count(DISTINCT date_trunc('second', next_action_at)) FROM submission_attempt"
        )
        assert spread > 3, "not everything comes back at once"


REFUSALS = {
    401: UNAUTHORIZED,
    403: fail(ReplyKind.CONFIGURATION, "DOWNSTREAM_UNAUTHORIZED", http_status=403),
    404: fail(ReplyKind.CONFIGURATION, "DOWNSTREAM_NOT_FOUND", http_status=404),
    405: fail(ReplyKind.CONFIGURATION, "DOWNSTREAM_NOT_SUPPORTED", http_status=405),
}


@pytest.mark.parametrize("status", REFUSALS)
async def test_a_wrong_configuration_exhausts_nothing_and_everything_is_sent_once_it_is_corrected(
    database: Database, status: int
) -> None:
    gateway = Watched()
    gateway.usual = REFUSALS[status]
    async with running_engine(
        database,
        gateway,
        circuit=QUICK,
        batch_size=10,
        max_concurrent=2,
        max_attempts=1,
        give_up_after_ms=900,
    ) as engine:
        ids = await executions_in(database, 60)
        async with asyncio.timeout(5):
            results = (await engine.service.submit_executions_bulk(ids)).results
        assert {one.status for one in results} == {SubmitStatus.PENDING}
        assert all("pending, do not resubmit" in one.message for one in results)
        assert all("rejects every call until" in one.message for one in results)
        loop = asyncio.get_running_loop()
        began = loop.time()
        await until(lambda: circuit_events(engine).count(CircuitState.OPEN) >= 8)
        assert loop.time() - began > 0.9, "longer than the time budget"
        assert not (await states_of(database)).keys() & {"exhausted", "rejected"}
        gateway.usual = refuse()
        await all_accepted(database, gateway, ids)
    alarms = [event.code for event in engine.events if isinstance(event, AlarmEvent)]
    assert alarms == ["DOWNSTREAM_REFUSES_US"]


async def test_an_answer_replaced_by_a_gateway_is_reconciled(database: Database) -> None:
    """A gateway replaced the answer with its own 404 after the work was done."""
    gateway = Watched()
    gateway.scripts.append(
        fail(ReplyKind.CONFIGURATION, "DOWNSTREAM_NOT_FOUND", accepted=True, http_status=404)
    )
    async with running_engine(database, gateway, circuit=QUICK, batch_size=10) as engine:
        ids = await executions_in(database, 10)
        await engine.service.submit_executions_bulk(ids)
        await all_accepted(database, gateway, ids)


async def test_reconciliation_continues_while_the_circuit_is_open_and_does_not_close_it(
    database: Database,
) -> None:
    gateway = Watched()
    gateway.usual = LOST_AND_ACCEPTED
    async with running_engine(database, gateway, circuit=FOR_LONG, batch_size=1) as engine:
        ids = await executions_in(database, 8)
        results = (await engine.service.submit_executions_bulk(ids)).results
        accepted = {one.execution_id for one in results if one.status is SubmitStatus.SUCCESS}
        assert len(accepted) >= 4
        assert accepted == set(gateway.times_accepted())
        assert told([one for one in results if one.execution_id not in accepted]) <= TOLD_TO_WAIT
        assert any(isinstance(event, LookUpEvent) and event.found for event in engine.events)
        assert circuit_events(engine) == [CircuitState.OPEN]


async def test_retry_after_is_honoured_by_every_sender(database: Database) -> None:
    gateway = Watched()
    throttled = fail(ReplyKind.NOT_SENT, "DOWNSTREAM_THROTTLED", http_status=429, retry_after_s=0.6)
    async with running_engine(database, gateway, circuit=QUICK, batch_size=10) as engine:
        ids = await executions_in(database, 200)
        gateway.scripts.append(throttled)
        engine.queue.accept(Work(tuple(ids[:10])))
        await until(lambda: len(engine.batches) == 1)
        assert engine.admission.concurrency.limit == 2
        result = await engine.service.submit_executions_bulk(ids)
        assert result.successful == 200
        assert gateway.began[1] - gateway.began[0] >= 0.6
        assert circuit_events(engine) == [], "a service that asks for patience is not out of order"
        assert engine.admission.concurrency.limit == 4


async def test_the_retry_after_of_an_outage_keeps_the_circuit_open(database: Database) -> None:
    gateway = Watched()
    gateway.usual = fail(ReplyKind.UNCLEAR, "DOWNSTREAM_UNAVAILABLE", http_status=503, retry_after_s=60)
    one_call = msgspec.structs.replace(QUICK, minimum_calls=1)
    async with running_engine(database, gateway, circuit=one_call) as engine:
        ids = await executions_in(database, 10)
        engine.queue.accept(Work(tuple(ids[:5])))
        await until(lambda: circuit_events(engine) == [CircuitState.OPEN])
        probe_in_ms = engine.admission.state.probe_in_ms
        assert probe_in_ms is not None
        assert 50_000 < probe_in_ms <= 60_000
        assert told((await engine.service.submit_executions_bulk(ids[5:])).results) == TOLD_TO_WAIT


async def test_concurrency_drops_for_a_slow_service_and_recovers(
    database: Database,
) -> None:
    gateway = Watched()
    slow = CircuitSettings(enabled=False, slow_call_ms=200)
    async with running_engine(database, gateway, circuit=slow, batch_size=5, max_concurrent=8) as engine:
        ids = await executions_in(database, 1200)
        parts = (ids[start : start + 100] for start in range(0, len(ids), 100))
        gateway.delay_s = 0.22
        await eight_at_once(engine, gateway, next(parts))
        assert engine.admission.concurrency.limit == 1
        assert gateway.at_once[-3:] == [1, 1, 1]
        gateway.delay_s = 0.001
        # On a busy machine some fast calls look slow; then it takes more of them.
        while engine.admission.concurrency.limit < 8:
            await engine.service.submit_executions_bulk(next(parts))
        await eight_at_once(engine, gateway, next(parts))
    assert set(gateway.times_accepted().values()) == {1}


async def eight_at_once(engine: Engine, gateway: Watched, ids: Sequence[int]) -> None:
    """Submits; fails unless exactly eight calls are in flight at once."""
    gateway.hold()
    before = len(gateway.at_once)
    submitting = asyncio.create_task(engine.service.submit_executions_bulk(ids))
    await until(lambda: len(gateway.at_once) == before + 8)
    gateway.open.set()
    assert (await submitting).successful == len(ids)
    assert max(gateway.at_once[before:]) == 8


async def test_slow_calls_open_the_circuit_too(database: Database) -> None:
    gateway = Watched()
    gateway.delay_s = 0.03
    slow = msgspec.structs.replace(QUICK, slow_call_ms=20)
    async with running_engine(database, gateway, circuit=slow, batch_size=1) as engine:
        ids = await executions_in(database, 30)
        result = await engine.service.submit_executions_bulk(ids)
        assert result.pending > 0
        assert "20 ms or longer" in next(e.reason for e in engine.events if isinstance(e, CircuitEvent))
        gateway.delay_s = 0
        await all_accepted(database, gateway, ids)


async def test_the_use_case_answers_at_once_without_writing_the_intent_again(database: Database) -> None:
    gateway = Watched()
    async with running_engine(database, gateway, circuit=FOR_LONG) as engine:
        await open_circuit(engine, database, gateway)
        clock = SystemClock()
        references = ReferenceCache(PostgresReferenceReads(database), 30, clock)
        service = ExecutionService(
            PostgresExecutionReads(database, "test", 60_000),
            references,
            engine.service,
            engine.intake,
            engine.bus,
            clock,
        )
        ids = await executions_in(database, 4)
        async with asyncio.timeout(5):
            one = await service.submit_execution(ids[0])
            assert (one.status, one.error, one.result.code) == (SubmitStatus.PENDING, None, "CIRCUIT_OPEN")
            assert told((await service.submit_executions_batch(ids)).results) == TOLD_TO_WAIT
            every = (await service.submit_executions(ids)).results
        assert [(r.execution_id, r.request_index) for r in every] == [(one, n) for n, one in enumerate(ids)]
        assert told(every) == TOLD_TO_WAIT
