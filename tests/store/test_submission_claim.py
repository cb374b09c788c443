"""Claiming: one statement makes an attempt durable and gives it its executions."""

import asyncio
from decimal import Decimal

import pytest

from tests.support.attempts import FRESH, RECOVERED, claimed, new_attempt
from tests.support.rows import insert_executions, insert_pieces, row_of, states_of, store_on
from tests.support.trading import run_sql, value_of
from trade_service.domain.executions import SubmissionState
from trade_service.store.database import Database
from trade_service.submission.model import NotClaimed


async def _ticket(database: Database, ids: list[int]) -> str:
    ticket = new_attempt().attempt_id
    await run_sql(
        database,
        "INSERT INTO submission_attempt (id, state, owner, execution_ids, next_action_at) "
        "VALUES (cast(:id AS uuid), 'queued', 'one', cast(:ids AS int[]), now())",
        id=ticket,
        ids=ids,
    )
    await run_sql(
        database,
        "UPDATE execution SET submission_state = 'queued', attempt_id = cast(:id AS uuid) "
        "WHERE id = ANY(cast(:ids AS int[]))",
        id=ticket,
        ids=ids,
    )
    return ticket


async def _attempts(database: Database) -> int:
    return int(await value_of(database, "SELECT count(*) FROM submission_attempt"))


async def test_claim_of_fresh_executions_loads_them_and_writes_the_attempt(database: Database) -> None:
    ids = await insert_executions(database, 3)
    attempt, claim = await claimed(store_on(database), ids, lease_ms=30_000, settle_ms=5_000, retry_count=2)

    assert claim.not_claimed == ()
    assert [item.execution_id for item in claim.items] == ids
    first = claim.items[0]
    assert (first.trade_type, first.destination, first.security_id) == ("BUY", "ML", "S1")
    assert (first.quantity, first.limit_price, first.attempts_spent) == (Decimal(10), Decimal("1.5"), 1)
    assert 3590 < first.budget_left_s <= 3600
    assert await states_of(database, ids) == ["claimed"] * 3
    row = await row_of(database, "submission_attempt", attempt.attempt_id)
    assert (row.state, row.owner, row.execution_ids, row.settle_ms) == ("sent", "one", ids, 5_000)
    assert (row.floor_id, row.retry_count, row.adopted, row.closed_at) == (7, 2, False, None)
    assert row.lease_until == row.next_action_at
    assert (row.lease_until - row.started_at).total_seconds() == 30


async def test_budget_is_counted_from_the_first_claim(database: Database) -> None:
    ids = await insert_executions(database, 1)
    store = store_on(database)
    await claimed(store, ids, give_up_after_ms=1_000_000)
    await run_sql(database, "UPDATE execution SET submission_state = 'retry'")
    again = await store.claim(new_attempt(give_up_after_ms=9_000_000), ids, RECOVERED)
    assert again.items[0].attempts_spent == 2
    assert again.items[0].budget_left_s <= 1000


async def test_of_two_owners_at_once_each_execution_has_one(database: Database) -> None:
    ids = await insert_executions(database, 60)
    store = store_on(database)
    claims = await asyncio.gather(
        *(claimed(store, ids[start : start + 30], owner=f"o{start}") for start in range(0, 31, 5))
    )
    owned = [item.execution_id for _, claim in claims for item in claim.items]
    assert sorted(owned) == ids
    for attempt, claim in claims:
        mine = [item.execution_id for item in claim.items]
        for execution_id in mine:
            assert str((await row_of(database, "execution", execution_id)).attempt_id) == attempt.attempt_id
        assert {refused.state for refused in claim.not_claimed} <= {SubmissionState.CLAIMED}
    assert await _attempts(database) == sum(1 for _, claim in claims if claim.items)


async def test_missing_ids_are_told_and_nothing_claimed_writes_nothing(database: Database) -> None:
    store = store_on(database)
    _, claim = await claimed(store, [4711, 4712])
    assert claim.items == ()
    assert claim.not_claimed == (NotClaimed(4711, None), NotClaimed(4712, None))
    assert await _attempts(database) == 0


@pytest.mark.parametrize("state", sorted(set(SubmissionState) - set(FRESH)))
async def test_what_is_not_claimable_is_left_alone(database: Database, state: SubmissionState) -> None:
    ids = await insert_executions(database, 1, state)
    before = await row_of(database, "execution", ids[0])
    _, claim = await claimed(store_on(database), ids)
    assert claim.items == ()
    assert claim.not_claimed == (NotClaimed(ids[0], state),)
    assert await row_of(database, "execution", ids[0]) == before


async def test_rows_of_another_program_are_foreign(database: Database) -> None:
    unproven, sent = await insert_executions(database, 1, None) + await insert_executions(database, 1, "none")
    await run_sql(database, "UPDATE execution SET execution_service_id = 5 WHERE id = :id", id=sent)
    _, claim = await claimed(store_on(database), [unproven, sent])
    assert claim.items == ()
    assert [(row.legacy, row.execution_service_id) for row in claim.not_claimed] == [(True, None), (True, 5)]


async def test_ticket_goes_when_all_of_it_is_claimed(database: Database) -> None:
    ids = await insert_executions(database, 3)
    await _ticket(database, ids)
    attempt, claim = await claimed(store_on(database), ids)
    assert len(claim.items) == 3
    assert await _attempts(database) == 1
    assert (await row_of(database, "submission_attempt", attempt.attempt_id)).state == "sent"


async def test_ticket_stays_while_a_part_of_it_is_unclaimed(database: Database) -> None:
    ids = await insert_executions(database, 3)
    ticket = await _ticket(database, ids)
    store = store_on(database)
    await claimed(store, ids[:2])
    assert (await row_of(database, "submission_attempt", ticket)).next_action_at is not None
    (due,) = await store.take_due("two", 10, 1000, 0)
    assert [item.execution_id for item in due.items] == ids[2:]


async def test_claim_over_several_tickets_takes_each_that_is_complete(database: Database) -> None:
    ids = await insert_executions(database, 6)
    await _ticket(database, ids[:2])
    await _ticket(database, ids[2:4])
    part = await _ticket(database, ids[4:])
    attempt, _ = await claimed(store_on(database), ids[:5])
    left = await value_of(database, "SELECT array_agg(id::text ORDER BY id) FROM submission_attempt")
    assert left == sorted([part, attempt.attempt_id])


async def test_executions_without_trade_type_or_price_are_claimed_as_they_are(database: Database) -> None:
    (execution_id,) = await insert_executions(database, 1)
    await run_sql(
        database, "UPDATE execution SET trade_type_id = NULL, blotter_id = NULL, limit_price = NULL"
    )
    _, claim = await claimed(store_on(database), [execution_id])
    assert (claim.items[0].trade_type, claim.items[0].limit_price) == (None, None)


async def test_digits_survive(database: Database) -> None:
    order = await row_of(database, "execution", (await insert_executions(database, 1))[0])
    ids = await insert_pieces(database, [order.trade_order_id], 1)
    await run_sql(database, "UPDATE execution SET quantity_ordered = 1234567890.12345678")
    _, claim = await claimed(store_on(database), ids)
    assert str(claim.items[0].quantity) == "1234567890.12345678"
