"""Recovery's statements: due and lost attempts, and legacy rows."""

import asyncio
from datetime import timedelta

import pytest

from tests.support.attempts import claimed, closing, new_attempt
from tests.support.rows import insert_executions, row_of, states_of, store_on
from tests.support.trading import run_sql, value_of
from trade_service.domain.executions import SubmissionState
from trade_service.store.database import Database
from trade_service.store.statements import Statement
from trade_service.store.submission_store import PostgresSubmissionStore
from trade_service.submission.model import NotClaimed, ReplyKind


@pytest.fixture
def store(database: Database) -> PostgresSubmissionStore:
    return store_on(database)


async def _age(database: Database, attempt_id: str, by: timedelta) -> None:
    """Moves one attempt's times back by `by`."""
    await run_sql(
        database,
        "UPDATE submission_attempt SET next_action_at = next_action_at - b.y, lease_until = lease_until - b.y, "
        "settle_from = settle_from - b.y FROM (SELECT cast(:by AS interval) AS y) b "
        "WHERE id = cast(:id AS uuid)",
        by=by,
        id=attempt_id,
    )


async def test_nothing_is_due_before_its_time(database: Database, store: PostgresSubmissionStore) -> None:
    await claimed(store, await insert_executions(database, 1))
    assert await store.take_due("two", 10, 1000, 0) == ()


async def test_expired_lease_makes_unknown(database: Database, store: PostgresSubmissionStore) -> None:
    ids = await insert_executions(database, 2)
    attempt, _ = await claimed(store, ids, settle_ms=60_000)
    await _age(database, attempt.attempt_id, timedelta(seconds=61))

    (due,) = await store.take_due("two", 10, 60_000, 0)

    assert (due.attempt_id, due.low_water_id, due.settle_ms, due.adopted) == (
        attempt.attempt_id,
        7,
        60_000,
        False,
    )
    assert (due.settled, due.look_ups, due.calls) == (False, 0, 1)
    assert [(item.execution_id, item.state) for item in due.items] == [(i, "unknown") for i in ids]
    item = due.items[0]
    assert (item.trade_type, item.destination, item.security_id) == ("BUY", "ML", "S1")
    assert item.quantity == 10
    assert item.attempts_spent == 1
    assert 3500 < item.budget_left_s <= 3600
    assert await states_of(database, ids) == ["unknown"] * 2
    row = await row_of(database, "submission_attempt", attempt.attempt_id)
    assert (row.state, row.kind, row.code, row.observer) == ("answered", "lost", "OWNER_LOST", "two")
    assert row.settle_from == row.lease_until


async def test_settled_once_the_settle_time_after_the_lease_is_over(
    database: Database, store: PostgresSubmissionStore
) -> None:
    attempt, _ = await claimed(store, await insert_executions(database, 1), lease_ms=1000, settle_ms=60_000)
    await _age(database, attempt.attempt_id, timedelta(seconds=62))
    (due,) = await store.take_due("two", 10, 0, 0)
    assert due.settled


async def test_what_is_taken_is_held(database: Database, store: PostgresSubmissionStore) -> None:
    attempt, _ = await claimed(store, await insert_executions(database, 1), lease_ms=0)
    assert len(await store.take_due("two", 10, 60_000, 0)) == 1
    assert await store.take_due("two", 10, 60_000, 0) == ()
    assert await store.take_due("three", 10, 60_000, 0) == ()
    await _age(database, attempt.attempt_id, timedelta(seconds=61))
    assert len(await store.take_due("three", 10, 60_000, 0)) == 1


async def test_observer_keeps_what_it_watches_for_the_grace(
    database: Database, store: PostgresSubmissionStore
) -> None:
    attempt, _ = await claimed(store, await insert_executions(database, 1), lease_ms=0)
    await store.take_due("two", 10, 0, 30_000)
    assert await store.take_due("three", 10, 0, 30_000) == ()
    assert len(await store.take_due("two", 10, 0, 30_000)) == 1
    await _age(database, attempt.attempt_id, timedelta(seconds=31))
    assert len(await store.take_due("three", 10, 0, 30_000)) == 1


async def test_of_two_takers_at_once_each_gets_others(
    database: Database, store: PostgresSubmissionStore
) -> None:
    ids = await insert_executions(database, 40)
    for execution_id in ids:
        await claimed(store, [execution_id], lease_ms=0)
    taken = await asyncio.gather(*(store.take_due(f"t{n}", 10, 60_000, 0) for n in range(6)))
    attempts = [due.attempt_id for part in taken for due in part]
    assert len(attempts) == len(set(attempts)) == 40
    assert await states_of(database, ids) == ["unknown"] * 40


async def test_taker_does_not_wait_for_a_locked_attempt(
    database: Database, store: PostgresSubmissionStore
) -> None:
    ids = await insert_executions(database, 2)
    attempts = [(await claimed(store, [i], lease_ms=0))[0].attempt_id for i in ids]
    async with database.transaction() as other:
        locked = Statement.parsed("SELECT FROM submission_attempt WHERE id = :id FOR UPDATE")
        await other.fetch(locked, id=attempts[0])
        async with asyncio.timeout(10):
            taken = await store.take_due("two", 10, 60_000, 0)
    assert [due.attempt_id for due in taken] == attempts[1:]


async def test_items_are_those_that_the_attempt_still_owns(
    database: Database, store: PostgresSubmissionStore
) -> None:
    ids = await insert_executions(database, 4)
    attempt, _ = await claimed(store, ids)
    states = dict(zip(ids, ["accepted", "retry", "unknown", "retry"], strict=True))
    await store.record(
        closing(attempt.attempt_id, states, kind=ReplyKind.NOT_SENT, next_action_in_ms=0, next_batch_size=3)
    )
    await store.claim(new_attempt(), ids[3:], (SubmissionState.RETRY,))
    (due,) = await store.take_due("two", 10, 60_000, 0)
    assert [(item.execution_id, item.state) for item in due.items] == [(ids[1], "retry"), (ids[2], "unknown")]
    assert (due.next_batch_size, due.calls) == (3, 1)


async def test_postpone_and_close(database: Database, store: PostgresSubmissionStore) -> None:
    attempt, _ = await claimed(store, await insert_executions(database, 1), lease_ms=0)
    await store.postpone(attempt.attempt_id, 60_000)
    assert await store.take_due("two", 10, 0, 0) == ()
    await store.postpone(attempt.attempt_id, 0)
    assert len(await store.take_due("two", 10, 0, 0)) == 1
    await store.postpone(attempt.attempt_id, None)
    assert await store.take_due("two", 10, 0, 0) == ()


async def test_states(database: Database, store: PostgresSubmissionStore) -> None:
    ids = [*await insert_executions(database, 1), *await insert_executions(database, 1, None)]
    await run_sql(database, "UPDATE execution SET execution_service_id = 9 WHERE id = :id", id=ids[1])
    assert await store.states([*ids, 4711]) == (
        NotClaimed(ids[0], SubmissionState.NONE),
        NotClaimed(ids[1], SubmissionState.NONE, 9, legacy=True),
    )


async def test_adopt(database: Database, store: PostgresSubmissionStore) -> None:
    unproven, with_id, placed, worked = await insert_executions(database, 4, None)
    ours, ours_sent = await insert_executions(database, 2, "none")
    await run_sql(
        database, "UPDATE execution SET execution_service_id = 9 WHERE id IN (:a, :b)", a=with_id, b=ours_sent
    )
    await run_sql(database, "UPDATE execution SET quantity_placed = 1 WHERE id = :id", id=placed)
    await run_sql(database, "UPDATE execution SET execution_status_id = 3 WHERE id = :id", id=worked)
    ids = [unproven, with_id, placed, worked, ours, ours_sent]

    await asyncio.gather(*(store.adopt(ids) for _ in range(3)))

    assert await states_of(database, ids) == [
        "unknown",
        "accepted",
        "accepted",
        "accepted",
        "none",
        "accepted",
    ]
    assert await value_of(database, "SELECT count(*) FROM submission_attempt") == 1
    (due,) = await store.take_due("two", 10, 60_000, 0)
    assert (due.adopted, due.low_water_id, due.settle_ms) == (True, 0, 60_000)
    assert [(item.execution_id, item.state) for item in due.items] == [(unproven, "unknown")]
    assert due.items[0].budget_left_s == float("inf")
