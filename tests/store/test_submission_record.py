"""Recording: outcomes, quantities and the attempt in one statement, behind a fencing token."""

from decimal import Decimal

import pytest

from tests.support.attempts import RECOVERED, claimed, closing, new_attempt
from tests.support.rows import (
    NEW,
    PART,
    SENT,
    insert_executions,
    insert_orders,
    insert_pieces,
    row_of,
    states_of,
    store_on,
)
from tests.support.trading import run_sql
from trade_service.domain.executions import SubmissionState
from trade_service.store.database import Database
from trade_service.store.submission_store import PostgresSubmissionStore
from trade_service.submission.model import ReplyKind

UNKNOWN = SubmissionState.UNKNOWN


@pytest.fixture
def store(database: Database) -> PostgresSubmissionStore:
    return store_on(database)


async def _order_of(database: Database, execution_id: int) -> tuple[Decimal, bool, int]:
    execution = await row_of(database, "execution", execution_id)
    order = await row_of(database, "trade_order", execution.trade_order_id)
    return order.quantity_sent, order.submitted, order.version


async def test_accepted(database: Database, store: PostgresSubmissionStore) -> None:
    ids = await insert_executions(database, 2)
    attempt, _ = await claimed(store, ids)
    recorded = await store.record(
        closing(attempt.attempt_id, dict.fromkeys(ids, "accepted"), high_water_id=1002, duration_ms=12.6)
    )

    assert sorted(row.execution_id for row in recorded) == ids
    for row in recorded:
        assert (row.state, row.state_before, row.changed) == ("accepted", "claimed", True)
        assert (row.execution_service_id, row.version, row.status_id) == (1000 + row.execution_id, 2, SENT)
        stored = await row_of(database, "execution", row.execution_id)
        assert (stored.submission_state, stored.execution_service_id) == ("accepted", 1000 + row.execution_id)
        assert (stored.execution_status_id, stored.version) == (SENT, 2)
        assert stored.quantity_placed == stored.quantity_ordered == 10
        assert await _order_of(database, row.execution_id) == (Decimal(10), True, 1)
    kept = await row_of(database, "submission_attempt", attempt.attempt_id)
    assert (kept.state, kept.kind, kept.http_status, kept.duration_ms) == ("answered", "answered", 207, 13)
    assert (kept.next_action_at, kept.top_id, kept.finding_ids) == (None, 1002, [])
    assert kept.closed_at == kept.settle_from
    assert kept.closed_at is not None


@pytest.mark.parametrize("state", ["rejected", "exhausted"])
async def test_what_ends_unaccepted_gives_its_quantity_back_once(
    database: Database, store: PostgresSubmissionStore, state: str
) -> None:
    (execution_id,) = await insert_executions(database, 1)
    attempt, _ = await claimed(store, [execution_id])
    told = closing(attempt.attempt_id, {execution_id: state})
    (recorded,) = await store.record(told)

    assert (recorded.state, recorded.changed, recorded.version, recorded.status_id) == (state, True, 1, NEW)
    assert await _order_of(database, execution_id) == (Decimal(0), False, 2)
    first = await row_of(database, "submission_attempt", attempt.attempt_id)
    assert (first.finding_ids, first.finding_states) == ([execution_id], [state])
    assert (first.finding_codes, first.finding_messages) == (["CODE"], ["said so"])

    (again,) = await store.record(told)
    assert (again.state, again.changed, again.state_before) == (state, False, state)
    assert await _order_of(database, execution_id) == (Decimal(0), False, 2)
    second = await row_of(database, "submission_attempt", attempt.attempt_id)
    assert (second.finding_ids, second.next_action_at) == ([execution_id], None)


async def test_pieces_of_one_order_give_back_their_sum(
    database: Database, store: PostgresSubmissionStore
) -> None:
    (order_id,) = await insert_orders(database, 1, quantity=40)
    ids = await insert_pieces(database, [order_id], 4)
    attempt, _ = await claimed(store, ids)
    states = dict(zip(ids, ["rejected", "accepted", "exhausted", "unknown"], strict=True))
    await store.record(closing(attempt.attempt_id, states, next_action_in_ms=1))
    assert await _order_of(database, ids[0]) == (Decimal(20), False, 2)


async def test_order_counts_as_submitted_while_no_more_than_a_hundredth_is_left(
    database: Database, store: PostgresSubmissionStore
) -> None:
    ids = await insert_executions(database, 1)
    await run_sql(database, "UPDATE execution SET quantity_ordered = 0.01")
    attempt, _ = await claimed(store, ids)
    await store.record(closing(attempt.attempt_id, {ids[0]: "rejected"}))
    assert await _order_of(database, ids[0]) == (Decimal("9.99"), True, 2)


async def test_retry_and_unknown_keep_the_quantity_and_the_attempt_open(
    database: Database, store: PostgresSubmissionStore
) -> None:
    ids = await insert_executions(database, 2)
    attempt, _ = await claimed(store, ids)
    states = {ids[0]: "retry", ids[1]: "unknown"}
    told = closing(attempt.attempt_id, states, next_action_in_ms=5000, next_batch_size=1)
    recorded = await store.record(told)
    assert {row.execution_id: row.state for row in recorded} == states
    assert [row.version for row in recorded] == [1, 1]
    assert await states_of(database, ids) == ["retry", "unknown"]
    assert await _order_of(database, ids[0]) == (Decimal(10), True, 1)
    kept = await row_of(database, "submission_attempt", attempt.attempt_id)
    assert (kept.next_action_at - kept.closed_at).total_seconds() == 5
    assert kept.next_batch_size == 1
    assert [(await row_of(database, "execution", i)).attempts_spent for i in ids] == [1, 1]

    await store.record(told)
    assert (await row_of(database, "submission_attempt", attempt.attempt_id)).finding_ids == ids
    assert (await row_of(database, "submission_attempt", attempt.attempt_id)).next_action_at is not None


async def test_unspent_attempt_does_not_count(database: Database, store: PostgresSubmissionStore) -> None:
    ids = await insert_executions(database, 1)
    attempt, _ = await claimed(store, ids)
    told = closing(
        attempt.attempt_id, {ids[0]: "retry"}, spent=False, next_action_in_ms=1, kind=ReplyKind.NOT_SENT
    )
    await store.record(told)
    await store.record(told)
    assert (await row_of(database, "execution", ids[0])).attempts_spent == 0


@pytest.mark.parametrize("state", ["rejected", "exhausted", "retry", "unknown"])
async def test_negative_evidence_of_another_attempt_changes_nothing(
    database: Database, store: PostgresSubmissionStore, state: str
) -> None:
    ids = await insert_executions(database, 1)
    first, _ = await claimed(store, ids)
    await store.record(closing(first.attempt_id, {ids[0]: "retry"}, next_action_in_ms=0))
    second = new_attempt(owner="two")
    await store.claim(second, ids, RECOVERED)
    before = await row_of(database, "execution", ids[0])

    (recorded,) = await store.record(closing(first.attempt_id, {ids[0]: state}))

    assert (recorded.state, recorded.changed) == ("claimed", False)
    assert await row_of(database, "execution", ids[0]) == before
    assert await _order_of(database, ids[0]) == (Decimal(10), True, 1)


async def test_negative_evidence_counts_only_in_the_state_it_was_found_in(
    database: Database, store: PostgresSubmissionStore
) -> None:
    ids = await insert_executions(database, 1)
    attempt, _ = await claimed(store, ids, lease_ms=0)
    await store.take_due("two", 10, 60_000, 0)
    (late,) = await store.record(closing(attempt.attempt_id, {ids[0]: "rejected"}))
    assert (late.state, late.changed, late.state_before) == ("unknown", False, "unknown")
    assert (await row_of(database, "submission_attempt", attempt.attempt_id)).next_action_at is not None
    (proven,) = await store.record(closing(attempt.attempt_id, {ids[0]: "retry"}, UNKNOWN))
    assert (proven.state, proven.changed) == ("retry", True)


@pytest.mark.parametrize("state", [None, *sorted(set(SubmissionState) - {SubmissionState.ACCEPTED})])
async def test_acceptance_counts_whoever_owns_the_execution(
    database: Database, store: PostgresSubmissionStore, state: str | None
) -> None:
    ids = await insert_executions(database, 1)
    attempt, _ = await claimed(store, ids)
    await run_sql(
        database,
        "UPDATE execution SET attempt_id = gen_random_uuid(), submission_state = :state",
        state=state,
    )
    gave_back = state in ("rejected", "exhausted")
    if gave_back:
        await run_sql(database, "UPDATE trade_order SET quantity_sent = 0, submitted = false")

    (recorded,) = await store.record(closing(attempt.attempt_id, {ids[0]: "accepted"}))

    assert (recorded.state, recorded.changed, recorded.version, recorded.status_id) == (
        "accepted",
        True,
        2,
        SENT,
    )
    assert recorded.state_before == (state or "none")
    assert await _order_of(database, ids[0]) == (Decimal(10), True, 2 if gave_back else 1)


async def test_late_acceptance_takes_the_quantity_again_even_beyond_the_orders(
    database: Database, store: PostgresSubmissionStore
) -> None:
    ids = await insert_executions(database, 1)
    attempt, _ = await claimed(store, ids)
    await store.record(closing(attempt.attempt_id, {ids[0]: "rejected"}))
    await run_sql(database, "UPDATE trade_order SET quantity_sent = 10, submitted = true")
    await store.record(closing(attempt.attempt_id, {ids[0]: "accepted"}))
    assert (await _order_of(database, ids[0]))[:2] == (Decimal(20), True)


async def test_second_acceptance_is_told_with_the_first_id(
    database: Database, store: PostgresSubmissionStore
) -> None:
    ids = await insert_executions(database, 1)
    attempt, _ = await claimed(store, ids)
    await store.record(closing(attempt.attempt_id, {ids[0]: "accepted"}, service_ids={ids[0]: 50}))
    (again,) = await store.record(closing(attempt.attempt_id, {ids[0]: "accepted"}, service_ids={ids[0]: 50}))
    assert (again.changed, again.duplicate_of, again.version) == (False, None, 2)
    (other,) = await store.record(closing(attempt.attempt_id, {ids[0]: "accepted"}, service_ids={ids[0]: 51}))
    assert (other.changed, other.duplicate_of, other.execution_service_id) == (False, 50, 50)
    assert (await row_of(database, "execution", ids[0])).execution_service_id == 50


async def test_fill_before_the_answer_keeps_its_status(
    database: Database, store: PostgresSubmissionStore
) -> None:
    ids = await insert_executions(database, 1)
    attempt, _ = await claimed(store, ids)
    await run_sql(
        database,
        "UPDATE execution SET execution_status_id = 5, quantity_filled = 4, quantity_placed = 10, "
        "submission_state = 'accepted', version = version + 1",
    )
    (recorded,) = await store.record(closing(attempt.attempt_id, {ids[0]: "accepted"}))
    assert (recorded.changed, recorded.status_id, recorded.version) == (True, PART, 2)
    stored = await row_of(database, "execution", ids[0])
    assert (stored.execution_service_id, stored.quantity_filled) == (1000 + ids[0], Decimal(4))
    (negative,) = await store.record(closing(attempt.attempt_id, {ids[0]: "rejected"}))
    assert (negative.state, negative.changed) == ("accepted", False)


async def test_attempt_is_not_closed_over_what_nobody_told_about(
    database: Database, store: PostgresSubmissionStore
) -> None:
    ids = await insert_executions(database, 2)
    attempt, _ = await claimed(store, ids)
    await store.record(closing(attempt.attempt_id, {ids[0]: "accepted"}))
    assert (await row_of(database, "submission_attempt", attempt.attempt_id)).next_action_at is not None
    await store.record(closing(attempt.attempt_id, {ids[1]: "accepted"}))
    assert (await row_of(database, "submission_attempt", attempt.attempt_id)).next_action_at is None


async def test_look_up_leaves_the_answer_and_adds_its_findings(
    database: Database, store: PostgresSubmissionStore
) -> None:
    ids = await insert_executions(database, 3)
    attempt, _ = await claimed(store, ids)
    lost = closing(
        attempt.attempt_id,
        dict.fromkeys(ids, "unknown"),
        kind=ReplyKind.LOST,
        code="TIMEOUT",
        http_status=None,
        next_action_in_ms=0,
    )
    await store.record(lost)
    states = dict(zip(ids, ["accepted", "exhausted", "retry"], strict=True))
    recorded = await store.record(closing(attempt.attempt_id, states, UNKNOWN, next_action_in_ms=0))

    assert {row.execution_id: row.state for row in recorded} == states
    assert {row.state_before for row in recorded} == {UNKNOWN}
    kept = await row_of(database, "submission_attempt", attempt.attempt_id)
    assert (kept.kind, kept.code, kept.http_status, kept.look_ups) == ("lost", "TIMEOUT", None, 1)
    assert kept.finding_states == ["unknown"] * 3 + ["exhausted", "retry"]
    assert await _order_of(database, ids[1]) == (Decimal(0), False, 2)


async def test_unaccepted_row_of_the_earlier_service_goes_back_to_none(
    database: Database, store: PostgresSubmissionStore
) -> None:
    ids = await insert_executions(database, 1, None)
    await store.adopt(ids)
    (due,) = await store.take_due("one", 10, 60_000, 0)
    await store.record(closing(due.attempt_id, {ids[0]: "none"}, UNKNOWN))
    assert await states_of(database, ids) == ["none"]
    assert await _order_of(database, ids[0]) == (Decimal(10), True, 1)
    assert (await row_of(database, "submission_attempt", due.attempt_id)).next_action_at is None


async def test_message_with_nul_is_stored(database: Database, store: PostgresSubmissionStore) -> None:
    ids = await insert_executions(database, 1)
    attempt, _ = await claimed(store, ids)
    await store.record(closing(attempt.attempt_id, {ids[0]: "rejected"}, message="a\x00b"))
    assert (await row_of(database, "submission_attempt", attempt.attempt_id)).message == "a\\0b"


async def test_execution_that_is_gone_is_left_out(database: Database, store: PostgresSubmissionStore) -> None:
    ids = await insert_executions(database, 2)
    attempt, _ = await claimed(store, ids)
    await run_sql(database, "DELETE FROM execution WHERE id = :id", id=ids[0])
    recorded = await store.record(closing(attempt.attempt_id, dict.fromkeys(ids, "accepted")))
    assert [row.execution_id for row in recorded] == ids[1:]
    assert (await row_of(database, "submission_attempt", attempt.attempt_id)).next_action_at is None
