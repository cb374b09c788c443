"""Pauses on real PostgreSQL: claims, parked attempts and resumes that run at the same time."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import pytest

from tests.support.attempts import FRESH, RECOVERED, claimed, closing, new_attempt
from tests.support.engine import running_engine
from tests.support.gateway import FakeGateway
from tests.support.rows import insert_executions, row_of, states_of, store_on
from tests.support.trading import run_sql, value_of
from trade_service.domain.access import KnownBy, Requester
from trade_service.store.database import Database, Session
from trade_service.store.execution_reads import PostgresExecutionReads
from trade_service.store.pause_store import PostgresPauseStore
from trade_service.store.reports import PostgresBacklog
from trade_service.store.submission_store import PostgresSubmissionStore
from trade_service.submission import recovery
from trade_service.submission.events import REQUESTER
from trade_service.trading.pausing import ALL_DESTINATIONS, PauseOrder

ANN = PauseOrder(None, "ann", "they are closed")
ALL = [ALL_DESTINATIONS]
ROUNDS = 10


@asynccontextmanager
async def held(database: Database, statement: str, *values: object) -> AsyncIterator[Session]:
    """A transaction that ran this statement and goes on until the block ends."""
    async with database.transaction() as session:
        await session.connection.execute(statement, *values)
        yield session


async def blocked(database: Database, task: "asyncio.Task[object]") -> None:
    """Returns once some session waits for a lock."""
    query = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
    async with asyncio.timeout(10):
        while not await value_of(database, query):
            assert not task.done(), task.result()


async def test_a_claim_that_begins_after_a_pause_takes_nothing_though_it_waited_for_its_rows(
    database: Database,
) -> None:
    ids = await insert_executions(database, 3)
    store = store_on(database)
    await PostgresPauseStore(database).pause(ALL, ANN)
    async with held(database, "UPDATE execution SET version = version + 1 WHERE id = $1", ids[1]):
        claiming = asyncio.create_task(store.claim(new_attempt(), ids, FRESH))
        await blocked(database, claiming)
    claim = await claiming
    assert (claim.items, [one.paused for one in claim.not_claimed]) == ((), [True] * 3)
    assert await states_of(database, ids) == ["none"] * 3


async def test_claims_race_with_pauses(database: Database) -> None:
    """Many claims run while pauses come and go: one that began under a pause claims nothing before its end."""
    pauses, store = PostgresPauseStore(database), store_on(database)
    ids = iter(await insert_executions(database, 400))
    state = {"number": 0, "paused": False}
    stopped, wrong = asyncio.Event(), list[int]()

    async def claim() -> None:
        for execution_id in ids:
            before = dict(state)
            result = await store.claim(new_attempt(), [execution_id], FRESH)
            if before["paused"] and before == state and result.items:
                wrong.append(execution_id)
            if stopped.is_set():
                return

    async def toggle() -> None:
        for _ in range(ROUNDS):
            assert await pauses.pause(ALL, ANN)
            state["paused"] = True  # Committed: whatever begins now must see it.
            await store.claim(new_attempt(), [0], FRESH)
            state["paused"], state["number"] = False, state["number"] + 1
            assert await pauses.resume(ALL, ANN)
        stopped.set()

    await asyncio.gather(toggle(), *(claim() for _ in range(3)))
    assert wrong == []
    left = await value_of(database, "SELECT count(*) FROM execution WHERE submission_state = 'none'")
    assert left > 0, "some claims met a pause"


async def test_nothing_is_parked_for_a_pause_that_ends_at_that_moment(database: Database) -> None:
    ids = await insert_executions(database, 2)
    ticket = new_attempt().attempt_id
    await PostgresExecutionReads(database, "one", 60_000).enqueue(ids, ticket)
    pauses = PostgresPauseStore(database)
    await pauses.pause(ALL, ANN)
    await pauses.pause([2], ANN)
    async with held(database, "DELETE FROM submission_pause WHERE destination_id IS NULL"):
        parking = asyncio.create_task(store_on(database).park([ticket], 600_000))
        await blocked(database, parking)
    await parking
    row = await row_of(database, "submission_attempt", ticket)
    assert row.parked_at is None
    assert await value_of(
        database, "SELECT next_action_at <= now() FROM submission_attempt WHERE state = 'queued'"
    )


async def test_recovery_parks_many_attempts_with_each_statement(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Up to a limit, in rounds of 100 attempts."""
    ids = await insert_executions(database, 210)
    await run_sql(
        database,
        """INSERT INTO submission_attempt (id, state, owner, execution_ids, next_action_at, floor_id)
           SELECT gen_random_uuid(), 'queued', 'another', ARRAY[id], now(), 0 FROM execution""",
    )
    await run_sql(
        database,
        """UPDATE execution e SET submission_state = 'queued', attempt_id = t.id
           FROM submission_attempt t WHERE t.execution_ids = ARRAY[e.id]""",
    )
    await PostgresPauseStore(database).pause(ALL, ANN)
    parks, park, done = list[int](), PostgresSubmissionStore.park, asyncio.Event()

    async def counted(self: PostgresSubmissionStore, attempt_ids: Sequence[str], wait_ms: int) -> None:
        await park(self, attempt_ids, wait_ms)
        parks.append(len(attempt_ids))
        if sum(parks) >= len(ids):
            done.set()

    monkeypatch.setattr(PostgresSubmissionStore, "park", counted)
    monkeypatch.setattr(recovery, "PARK_LIMIT", 60)
    async with running_engine(database, FakeGateway()), asyncio.timeout(10):
        await done.wait()
    assert parks == [60, 40, 60, 40, 10]
    query = "SELECT count(*) FROM submission_attempt WHERE parked_at IS NOT NULL AND next_action_at > now()"
    assert await value_of(database, query) == len(ids)


async def test_what_another_statement_holds_is_parked_later(database: Database) -> None:
    """Waiting for it while holding others could never end: a claim locks queued attempts in another order."""
    reads = PostgresExecutionReads(database, "one", 60_000)
    tickets = [new_attempt().attempt_id for _ in range(2)]
    for ticket, execution_id in zip(tickets, await insert_executions(database, 2), strict=True):
        await reads.enqueue([execution_id], ticket)
    await PostgresPauseStore(database).pause(ALL, ANN)
    async with (
        held(database, "SELECT FROM submission_attempt WHERE id = $1 FOR UPDATE", tickets[0]),
        asyncio.timeout(10),
    ):
        await store_on(database).park(tickets, 600_000)
    parked = [(await row_of(database, "submission_attempt", one)).parked_at is not None for one in tickets]
    assert parked == [False, True]


async def test_a_resume_waits_for_what_is_being_parked_and_wakes_it(database: Database) -> None:
    ids = await insert_executions(database, 2)
    ticket = new_attempt().attempt_id
    await PostgresExecutionReads(database, "one", 60_000).enqueue(ids, ticket)
    pauses = PostgresPauseStore(database)
    await pauses.pause(ALL, ANN)
    parked = """WITH pause AS (SELECT id FROM submission_pause FOR KEY SHARE)
        UPDATE submission_attempt SET parked_at = now(), next_action_at = now() + interval '600 s'
        WHERE EXISTS (SELECT FROM pause)"""
    async with held(database, parked):
        resuming = asyncio.create_task(pauses.resume(ALL, ANN))
        await blocked(database, resuming)
    assert await resuming
    (due,) = await store_on(database).take_due("three", 10, 1000, 600_000)
    assert due.attempt_id == ticket


async def test_pauses_and_resumes_are_recorded_counted_and_made_once(database: Database) -> None:
    pauses = PostgresPauseStore(database)
    token = REQUESTER.set(Requester("desk", KnownBy.API_KEY, is_audited=True))
    try:
        assert sorted(await asyncio.gather(*(pauses.pause([1], ANN) for _ in range(4)))) == [False] * 3 + [
            True
        ]
        await pauses.pause(ALL, ANN)
        assert (await PostgresBacklog(database, 100).read()).pauses == 2
        assert sorted(await asyncio.gather(*(pauses.resume([1], ANN) for _ in range(4)))) == [False] * 3 + [
            True
        ]
        await pauses.resume(ALL, ANN)
    finally:
        REQUESTER.reset(token)
    entry = "action || ' ' || object || ' ' || object_ids::text"
    entries = f"SELECT string_agg({entry}, ', ' ORDER BY at, id) FROM audit_log"
    assert await value_of(database, entries) == (
        "pause sending {1}, pause sending {}, resume sending {1}, resume sending {}"
    )
    details = "SELECT details->>'reason' FROM audit_log ORDER BY at LIMIT 1"
    assert await value_of(database, details) == ANN.reason
    assert (await PostgresBacklog(database, 100).read()).pauses == 0


async def test_a_resume_does_not_wait_for_what_is_in_flight(database: Database) -> None:
    """Its row is not locked between claim and record; its outcome is recorded as ever."""
    ids = await insert_executions(database, 1)
    store, pauses = store_on(database), PostgresPauseStore(database)
    attempt, _ = await claimed(store, ids)
    await pauses.pause(ALL, ANN)
    await pauses.resume(ALL, ANN)
    (recorded,) = await store.record(closing(attempt.attempt_id, {ids[0]: "retry"}, next_action_in_ms=0))
    assert recorded.changed
    (item,) = (await store.claim(new_attempt(), ids, RECOVERED)).items
    assert 3590 < item.budget_left_s <= 3600


async def test_a_destination_that_is_deleted_is_paused_no_more(database: Database) -> None:
    pauses = PostgresPauseStore(database)
    insert = "INSERT INTO destination (abbreviation, description) VALUES ('GONE', '') RETURNING id"
    gone = await value_of(database, insert)
    await pauses.pause([gone], ANN)
    await run_sql(database, "DELETE FROM destination WHERE id = :id", id=gone)
    assert await pauses.pauses() == ()
