"""Legacy rows under a running service: reconciled, never sent unasked, never twice."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from decimal import Decimal

import aiohttp
import asyncpg
import pytest

from execution_simulator.server import RunningSimulator, running_simulator
from tests.support import earlier
from tests.support.engine import Engine, engine_on
from tests.support.plans import Link
from tests.support.trading import run_sql, value_of
from trade_service.domain.executions import SubmissionState
from trade_service.store.database import Database
from trade_service.store.migrate import migrate
from trade_service.store.reports import PostgresAuditReads
from trade_service.store.store_settings import StoreSettings
from trade_service.submission.events import AlarmEvent

STRANGERS = 150
IN_BOOKS = (
    # Ours: id, side, destination, security, quantity.
    (2, "BUY", "RBC", "S3", "60.00000000"),
    (11, "SELL", "ML", "ABCDEFGHIJKLMNOPQRSTUVWX", "1234567890.12345678"),
    # Ours, but shown otherwise than here: the trade type was deleted here; the quantity was sent rounded.
    (10, "BUY", "POSIT", "S9", "10"),
    (15, "BUY", "ML", "S14", "50"),
    # Another life's, that happens to bear the id of one of ours.
    (3, "BUY", "ML", "OLD", "7"),
)
FOUND, DOUBTFUL, ABSENT = {2, 11}, {10, 15}, {3, 9, 14}


async def sent_by_the_earlier_service(
    simulator: RunningSimulator, execution_id: int, side: str, destination: str, security: str, quantity: str
) -> int:
    """A single call of the legacy service whose answer was lost. Returns the ledger id."""
    body = (
        f'{{"executionStatus": "NEW", "tradeType": "{side}", "destination": "{destination}", '
        f'"securityId": "{security}", "quantity": {quantity}, "limitPrice": null, '
        f'"tradeServiceExecutionId": {execution_id}, "version": 1}}'
    )
    headers = {"Content-Type": "application/json"}
    async with aiohttp.ClientSession(headers=headers) as session:
        async with session.post(f"{simulator.base_url}/api/v1/executions", data=body) as answer:
            assert answer.status == 201, await answer.text()
            return int((await answer.json())["id"])


@pytest.fixture
async def simulator() -> AsyncIterator[RunningSimulator]:
    async with running_simulator() as running:
        for number in range(STRANGERS):
            await sent_by_the_earlier_service(running, 100_000 + number, "BUY", "ML", "X", "1")
        yield running


@pytest.fixture
async def database(empty_database_url: str, simulator: RunningSimulator) -> AsyncIterator[Database]:
    """An adopted legacy database, after the settle time."""
    await earlier.build(empty_database_url)
    await migrate(empty_database_url)
    pool = Database(StoreSettings(empty_database_url))
    await run_sql(pool, "UPDATE submission_attempt SET settle_ms = 0")
    yield pool
    await pool.close()


@pytest.fixture
async def old_service(empty_database_url: str) -> AsyncIterator[Link]:
    connection = await asyncpg.connect(empty_database_url)
    yield connection
    await connection.close()


async def states(database: Database) -> dict[int, str]:
    found = await value_of(database, "SELECT json_object_agg(id, submission_state) FROM execution")
    return {int(execution_id): state for execution_id, state in found.items()}


async def until_states(database: Database, wanted: Mapping[int, str]) -> None:
    """Waits until executions are in the given states."""
    async with asyncio.timeout(15):
        while not wanted.items() <= (await states(database)).items():
            await asyncio.sleep(0.01)


def alarms(engine: Engine) -> set[tuple[str, int]]:
    return {(e.code, i) for e in engine.events if isinstance(e, AlarmEvent) for i in e.execution_ids}


def times_accepted(simulator: RunningSimulator) -> dict[int, int]:
    return {i: count for i, count in simulator.ledger.accepted_counts().items() if i < 100_000}


SETTLED = (
    dict.fromkeys(earlier.PROVEN, "accepted")
    | dict.fromkeys(FOUND, "accepted")
    | dict.fromkeys(DOUBTFUL, "unknown")
    | dict.fromkeys(ABSENT, "none")
)


async def test_rows_without_outcome_are_looked_up_and_sent_by_a_person_only(
    database: Database, simulator: RunningSimulator, empty_database_url: str
) -> None:
    ids = {row[0]: await sent_by_the_earlier_service(simulator, *row) for row in IN_BOOKS}
    before = await earlier.snapshot(empty_database_url)
    async with engine_on(database, simulator.base_url) as engine:
        await until_states(database, SETTLED)
        assert simulator.calls.get("batch", 0) == 0, "nothing is sent by itself"
        assert {("LOOK_UP_DOUBTFUL", execution_id) for execution_id in DOUBTFUL} <= alarms(engine)

        every = sorted(SETTLED)
        first = await engine.service.submit_executions_bulk([*every, *every], wait_s=1.0)
        again = await engine.service.submit_executions_bulk(every, wait_s=1.0)
    for result in (*first.results, *again.results):
        state = {9: "rejected", 14: "rejected"}.get(result.execution_id)  # No trade type, and one not taken.
        assert result.state == (state or ("unknown" if result.execution_id in DOUBTFUL else "accepted"))
    assert times_accepted(simulator) == dict.fromkeys((2, 10, 11, 15), 1) | {3: 2}

    after = await earlier.snapshot(empty_database_url)
    for execution_id in (*FOUND, 3):
        old = before["execution"][execution_id]
        service_id = (
            ids.get(execution_id) if execution_id in FOUND else after["execution"][3]["execution_service_id"]
        )
        sent = {"execution_status_id": 2, "quantity_placed": old["quantity_ordered"], "version": 2}
        before["execution"][execution_id] = old | sent | {"execution_service_id": service_id}
    for order_id in (8, 13):  # What could not be sent is free again.
        given_back = {"quantity_sent": Decimal(0), "submitted": False, "version": 3}
        before["trade_order"][order_id] |= given_back
    assert after == before
    reads = PostgresAuditReads(database)
    assert (await reads.stranded(10)).total == 0
    assert (await reads.balance()).wrong_orders == 0


async def test_what_the_earlier_service_writes_later_is_taken_over_when_it_is_submitted(
    database: Database, simulator: RunningSimulator, old_service: Link
) -> None:
    order_id = await old_service.fetchval(earlier.INSERT_ORDER, 999)
    sent, lost, never = [await old_service.fetchval(earlier.INSERT_EXECUTION, order_id, 30) for _ in range(3)]
    ids = {i: await sent_by_the_earlier_service(simulator, i, "BUY", "ML", "S99", "30") for i in (sent, lost)}
    await old_service.execute(earlier.MARK_SENT, sent, ids[sent], 1)
    async with engine_on(database, simulator.base_url) as engine:
        early = await engine.service.submit_executions_bulk([sent, lost, never], wait_s=0.1)
        assert [r.state for r in early.results] == ["accepted", "unknown", "unknown"]
        await until_states(database, {sent: "accepted", lost: "accepted", never: "none"})
        result = await engine.service.submit_executions_bulk([sent, lost, never])
    assert [r.state for r in result.results] == [SubmissionState.ACCEPTED] * 3
    assert [r.execution_service_id for r in result.results[:2]] == [ids[sent], ids[lost]]
    assert {i: count for i, count in times_accepted(simulator).items() if i > 15} == dict.fromkeys(
        (sent, lost, never), 1
    )


async def test_it_may_send_what_this_service_found_to_be_absent(
    database: Database, simulator: RunningSimulator, old_service: Link
) -> None:
    """Both services run for a while: an execution that the legacy one marks as sent is not sent again."""
    async with engine_on(database, simulator.base_url) as engine:
        await until_states(database, dict.fromkeys(earlier.UNPROVEN, "none"))
        service_id = await sent_by_the_earlier_service(simulator, 3, "SELL", "JPM", "S4", "40")
        await old_service.execute(earlier.MARK_SENT, 3, service_id, 1)
        (result,) = (await engine.service.submit_executions_bulk([3])).results
        assert (result.state, result.execution_service_id) == (SubmissionState.ACCEPTED, service_id)
        await until_states(database, {3: "accepted"})
    assert times_accepted(simulator) == {3: 1}
