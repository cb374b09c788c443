"""SubmissionStore: due and lost attempts, legacy rows, and low-water ids."""

from decimal import Decimal

import pytest

from tests.behaviour.ledger import (
    SETTLE_MS,
    Ledger,
    attempt_ids,
    attempt_row,
    execution,
    fresh,
    order_of,
    report_fill,
    states,
)
from tests.support.attempts import claimed, closing, new_attempt
from tests.support.rows import PART
from trade_service.domain.executions import SubmissionState
from trade_service.submission.model import DueAttempt, ReplyKind

_S = SubmissionState


async def _taken(
    ledger: Ledger, owner: str, limit: int = 10, hold_ms: int = 0, grace_ms: int = 0
) -> list[str]:
    return [due.attempt_id for due in await ledger.submissions.take_due(owner, limit, hold_ms, grace_ms)]


async def _one_due(ledger: Ledger, hold_ms: int = 0) -> DueAttempt:
    (due,) = await ledger.submissions.take_due("two", 10, hold_ms, 0)
    return due


async def test_nothing_is_due_before_its_time(ledger: Ledger) -> None:
    ids = await fresh(ledger)
    attempt, _ = await claimed(ledger.submissions, ids, lease_ms=500_000)
    before = await execution(ledger, ids[0])
    await ledger.elapse(400)
    assert await _taken(ledger, "two") == []
    assert (await execution(ledger, ids[0])).state == before.state
    await ledger.elapse(101)
    assert await _taken(ledger, "two") == [attempt.attempt_id]


async def test_under_way_is_what_nobody_recorded_yet(ledger: Ledger) -> None:
    ids = await fresh(ledger, 3)
    late, _ = await claimed(ledger.submissions, ids[:1], lease_ms=500_000)
    early, _ = await claimed(ledger.submissions, ids[1:2], lease_ms=400_000)
    done, _ = await claimed(ledger.submissions, ids[2:], lease_ms=100_000)
    await ledger.submissions.record(closing(done.attempt_id, {ids[2]: "unknown"}, next_action_in_ms=0))
    assert await ledger.submissions.under_way(10) == (early.attempt_id, late.attempt_id)
    assert await ledger.submissions.under_way(1) == (early.attempt_id,)
    await ledger.elapse(401)
    await _taken(ledger, "two")
    assert await ledger.submissions.under_way(10) == (late.attempt_id,)


async def test_a_lease_that_passed_makes_unknown(ledger: Ledger) -> None:
    ids = await fresh(ledger, 2)
    attempt, _ = await claimed(ledger.submissions, ids, settle_ms=500_000)
    await ledger.elapse(61)

    due = await _one_due(ledger, hold_ms=500_000)

    assert (due.attempt_id, due.low_water_id, due.settle_ms, due.adopted) == (
        attempt.attempt_id,
        7,
        500_000,
        False,
    )
    assert (due.settled, due.epoch, due.look_ups, due.calls) == (False, 1, 0, 1)
    assert due.lease_ms == 60_000
    assert [(item.execution_id, item.state) for item in due.items] == [(i, _S.UNKNOWN) for i in ids]
    item = due.items[0]
    assert (item.trade_type, item.destination, item.security_id) == ("BUY", "ML", "S1")
    assert (item.quantity, item.attempts_spent) == (Decimal(10), 1)
    assert item.budget_left_s == pytest.approx(3539, abs=10)
    assert await states(ledger, ids) == ["unknown"] * 2
    assert await order_of(ledger, ids[0]) == (Decimal(10), True, 1)
    row = await attempt_row(ledger, attempt.attempt_id)
    assert (row.state, row.kind, row.code, row.observer) == ("answered", "lost", "OWNER_LOST", "two")
    assert row.message == "its owner one did not record an outcome within the lease"
    assert row.settle_from_in_s == row.lease_in_s == pytest.approx(-1, abs=10)
    assert row.closed_in_s is None
    assert row.findings == tuple((i, "unknown", "OWNER_LOST", row.message) for i in ids)
    assert row.due_in_s == pytest.approx(500, abs=10)


async def test_settled_once_the_settle_time_after_the_lease_is_over(ledger: Ledger) -> None:
    await claimed(ledger.submissions, await fresh(ledger), lease_ms=1000, settle_ms=500_000)
    await ledger.elapse(450)
    assert not (await _one_due(ledger)).settled
    await ledger.elapse(60)
    assert (await _one_due(ledger)).settled


async def test_settled_counts_from_the_recorded_answer(ledger: Ledger) -> None:
    ids = await fresh(ledger)
    attempt, _ = await claimed(ledger.submissions, ids, settle_ms=500_000)
    await ledger.elapse(40)
    await ledger.submissions.record(closing(attempt.attempt_id, {ids[0]: "unknown"}, next_action_in_ms=0))
    await ledger.elapse(450)
    due = await _one_due(ledger)
    assert not due.settled
    assert due.lease_ms == 0
    await ledger.elapse(60)
    assert (await _one_due(ledger)).settled


async def test_what_is_taken_is_held_from_everybody(ledger: Ledger) -> None:
    attempt, _ = await claimed(ledger.submissions, await fresh(ledger), lease_ms=0)
    assert len(await _taken(ledger, "two", hold_ms=500_000)) == 1
    for owner in ("two", "three"):
        assert await _taken(ledger, owner, hold_ms=500_000) == []
    await ledger.elapse(501)
    assert await _taken(ledger, "three", hold_ms=500_000) == [attempt.attempt_id]
    assert (await attempt_row(ledger, attempt.attempt_id)).observer == "three"


async def test_the_observer_keeps_what_it_watches_for_the_grace(ledger: Ledger) -> None:
    attempt, _ = await claimed(ledger.submissions, await fresh(ledger), lease_ms=0)
    await _taken(ledger, "two", grace_ms=500_000)
    assert await _taken(ledger, "three", grace_ms=500_000) == []
    assert await _taken(ledger, "two", grace_ms=500_000) == [attempt.attempt_id]
    await ledger.elapse(501)
    assert await _taken(ledger, "three", grace_ms=500_000) == [attempt.attempt_id]
    assert await _taken(ledger, "two", grace_ms=500_000) == []


async def test_the_owner_of_an_attempt_is_not_its_observer(ledger: Ledger) -> None:
    attempt, _ = await claimed(ledger.submissions, await fresh(ledger), lease_ms=0, owner="one")
    assert await _taken(ledger, "three", grace_ms=500_000) == [attempt.attempt_id]


async def test_the_limit_takes_what_has_been_due_for_longest(ledger: Ledger) -> None:
    ids = await fresh(ledger, 4)
    leases = [
        (await claimed(ledger.submissions, [i], lease_ms=ms))[0]
        for i, ms in zip(ids, (30_000, 10_000, 900_000, 20_000), strict=True)
    ]
    await ledger.elapse(100)
    first, second, _, third = leases[1], leases[3], leases[2], leases[0]
    taken = await ledger.submissions.take_due("two", 2, 500_000, 0)
    assert {due.attempt_id for due in taken} == {first.attempt_id, second.attempt_id}
    assert await _taken(ledger, "two", limit=2, hold_ms=500_000) == [third.attempt_id]
    assert await states(ledger, ids) == ["unknown", "unknown", "claimed", "unknown"]


async def test_each_attempt_comes_with_what_it_still_owns(ledger: Ledger) -> None:
    ids = await fresh(ledger, 6)
    attempt, _ = await claimed(ledger.submissions, ids)
    told = dict(zip(ids, ["accepted", "retry", "unknown", "retry", "rejected", "accepted"], strict=True))
    await ledger.submissions.record(
        closing(attempt.attempt_id, told, kind=ReplyKind.NOT_SENT, next_action_in_ms=0, next_batch_size=3)
    )
    await ledger.change_execution(ids[5], service_id=None)
    await ledger.submissions.claim(new_attempt(), ids[3:4], (_S.RETRY,))
    due = await _one_due(ledger)
    assert [(item.execution_id, item.state) for item in due.items] == [
        (ids[1], _S.RETRY),
        (ids[2], _S.UNKNOWN),
        (ids[5], _S.ACCEPTED),
    ]
    assert (due.next_batch_size, due.calls) == (3, 1)


async def test_the_items_of_several_attempts_are_kept_apart(ledger: Ledger) -> None:
    ids = await fresh(ledger, 4)
    attempts = [(await claimed(ledger.submissions, part, lease_ms=0))[0] for part in (ids[::2], ids[1::2])]
    taken = await ledger.submissions.take_due("two", 10, 0, 0)
    assert {due.attempt_id: [item.execution_id for item in due.items] for due in taken} == {
        attempts[0].attempt_id: ids[::2],
        attempts[1].attempt_id: ids[1::2],
    }


async def test_an_attempt_that_owns_nothing_any_more_comes_without_items(ledger: Ledger) -> None:
    ids = await fresh(ledger)
    attempt, _ = await claimed(ledger.submissions, ids)
    await ledger.submissions.record(closing(attempt.attempt_id, {ids[0]: "retry"}, next_action_in_ms=0))
    await ledger.submissions.claim(new_attempt(), ids, (_S.RETRY,))
    assert (await _one_due(ledger)).items == ()
    assert await states(ledger, ids) == ["claimed"]


@pytest.mark.parametrize("kind", ReplyKind)
@pytest.mark.parametrize(
    ("code", "before", "calls"), [("CODE", 2, 3), ("CODE", 1000, 1000), ("CIRCUIT_OPEN", 2, 2)]
)
async def test_calls_in_a_row_are_counted_and_what_the_circuit_held_back_was_none(
    ledger: Ledger, kind: ReplyKind, code: str, before: int, calls: int
) -> None:
    ids = await fresh(ledger, 2)
    attempt, _ = await claimed(ledger.submissions, ids, retry_count=before)
    told = closing(
        attempt.attempt_id,
        dict.fromkeys(ids, "retry"),
        kind=kind,
        code=code,
        message="answered",
        http_status=500,
        next_action_in_ms=0,
    )
    await ledger.submissions.record(told)
    await ledger.elapse(40)
    due = await _one_due(ledger)
    assert (due.retry_count, due.calls, due.size) == (before, calls, 2)
    assert (due.kind, due.code, due.message, due.http_status) == (kind, code, "answered", 500)
    assert due.age_s == pytest.approx(40, abs=10)


async def test_what_nobody_called_about_is_no_call(ledger: Ledger) -> None:
    ids = await fresh(ledger)
    await ledger.reads.enqueue(ids, new_attempt().attempt_id)
    await ledger.elapse(6)
    ticket = await _one_due(ledger)
    assert (ticket.kind, ticket.calls, ticket.message, ticket.size) == (None, 0, "", 1)


async def test_time_budgets_of_what_waits_for_a_retry_stand_still(ledger: Ledger) -> None:
    ids = await fresh(ledger, 3)
    attempt, _ = await claimed(ledger.submissions, ids, give_up_after_ms=1_000_000)
    told = {ids[0]: "retry", ids[1]: "unknown", ids[2]: "accepted"}
    await ledger.submissions.record(closing(attempt.attempt_id, told, next_action_in_ms=0))
    await ledger.elapse(100)
    await ledger.submissions.pause_budgets(attempt.attempt_id)
    await ledger.elapse(5000)
    await ledger.submissions.pause_budgets(attempt.attempt_id)
    waiting, unknown, done = [await execution(ledger, i) for i in ids]
    assert waiting.gives_up_in_s is None
    assert waiting.budget_ms == pytest.approx(900_000, abs=10_000)
    assert (unknown.budget_ms, done.budget_ms) == (None, None)
    assert unknown.gives_up_in_s is not None
    due = await _one_due(ledger)
    assert [item.budget_left_s for item in due.items] == [
        pytest.approx(900, abs=10),
        pytest.approx(-4100, abs=10),
    ]


async def test_a_budget_that_is_spent_leaves_a_moment_when_it_stops(ledger: Ledger) -> None:
    """An execution that waited while nothing could be accepted still gets one call."""
    ids = await fresh(ledger)
    attempt, _ = await claimed(ledger.submissions, ids, give_up_after_ms=1_000)
    await ledger.submissions.record(closing(attempt.attempt_id, {ids[0]: "retry"}, next_action_in_ms=0))
    await ledger.elapse(100)
    await ledger.submissions.pause_budgets(attempt.attempt_id)
    assert (await execution(ledger, ids[0])).budget_ms == 1
    assert (await _one_due(ledger)).items[0].budget_left_s > 0


async def test_queued_work_is_left_to_its_writer_for_a_grace(ledger: Ledger) -> None:
    ids = await fresh(ledger, 2)
    ticket = new_attempt().attempt_id
    await ledger.reads.enqueue(ids, ticket)
    assert await _taken(ledger, "two") == []
    await ledger.elapse(6)
    due = await _one_due(ledger)
    assert (due.attempt_id, due.settled, due.calls, due.low_water_id) == (ticket, False, 0, 0)
    assert [(item.execution_id, item.state) for item in due.items] == [(i, _S.QUEUED) for i in ids]
    assert due.items[0].budget_left_s == float("inf")
    row = await attempt_row(ledger, ticket)
    assert (row.state, row.kind, row.observer) == ("queued", None, "two")
    await claimed(ledger.submissions, ids)
    assert ticket not in await attempt_ids(ledger)


async def test_a_budget_that_is_over_is_told_as_negative(ledger: Ledger) -> None:
    ids = await fresh(ledger)
    attempt, _ = await claimed(ledger.submissions, ids, give_up_after_ms=100_000)
    await ledger.submissions.record(closing(attempt.attempt_id, {ids[0]: "retry"}, next_action_in_ms=0))
    await ledger.elapse(300)
    assert (await _one_due(ledger)).items[0].budget_left_s == pytest.approx(-200, abs=10)


async def test_what_a_fill_proved_in_the_meantime_is_not_unknown(ledger: Ledger) -> None:
    ids = await fresh(ledger, 2)
    await claimed(ledger.submissions, ids, lease_ms=0)
    await report_fill(ledger, ids[0], PART, Decimal(1), 1)
    due = await _one_due(ledger)
    assert [(item.execution_id, item.state) for item in due.items] == [
        (ids[0], _S.ACCEPTED),
        (ids[1], _S.UNKNOWN),
    ]


async def test_postpone_and_close(ledger: Ledger) -> None:
    attempt, _ = await claimed(ledger.submissions, await fresh(ledger), lease_ms=0)
    await ledger.submissions.postpone(attempt.attempt_id, 500_000)
    assert await _taken(ledger, "two") == []
    assert (await attempt_row(ledger, attempt.attempt_id)).due_in_s == pytest.approx(500, abs=10)
    await ledger.submissions.postpone(attempt.attempt_id, 0)
    assert await _taken(ledger, "two") == [attempt.attempt_id]
    await ledger.submissions.postpone(attempt.attempt_id, None)
    await ledger.elapse(1000)
    assert await _taken(ledger, "two") == []
    await ledger.submissions.postpone(new_attempt().attempt_id, 0)
    assert await attempt_ids(ledger) == [attempt.attempt_id]
    await ledger.submissions.postpone(attempt.attempt_id, 0)  # Its execution is still claimed.


async def test_adopt_accepts_what_is_proven_and_doubts_the_rest(ledger: Ledger) -> None:
    unproven, with_id, placed, worked = await fresh(ledger, 4, None)
    ours, ours_sent, ours_placed = await fresh(ledger, 3)
    (queued,) = await fresh(ledger, 1, "queued")
    await ledger.change_execution(with_id, service_id=9)
    await ledger.change_execution(placed, placed=Decimal(1))
    await ledger.change_execution(worked, status_id=3)
    await ledger.change_execution(ours_sent, service_id=9)
    await ledger.change_execution(ours_placed, placed=Decimal(1))
    ids = [unproven, with_id, placed, worked, ours, ours_sent, ours_placed, queued]

    for _ in range(2):
        await ledger.submissions.adopt([*ids, 4711])

    assert await states(ledger, ids) == [
        "unknown", "accepted", "accepted", "accepted", "none", "accepted", "accepted", "queued",
    ]  # fmt: skip
    (attempt_id,) = await attempt_ids(ledger)
    row = await execution(ledger, unproven)
    assert (row.attempt_id, row.gives_up_in_s, row.version) == (attempt_id, None, 1)
    assert (await execution(ledger, with_id)).attempt_id is None
    written = await attempt_row(ledger, attempt_id)
    assert (written.state, written.owner, written.execution_ids) == ("answered", "one", (unproven,))
    assert (written.kind, written.code, written.adopted) == ("lost", "TAKEN_OVER", True)
    due = await _one_due(ledger)
    assert (due.adopted, due.low_water_id, due.settle_ms, due.settled) == (True, 0, SETTLE_MS, False)
    assert [(item.execution_id, item.state) for item in due.items] == [(unproven, _S.UNKNOWN)]
    assert due.items[0].budget_left_s == float("inf")
    await ledger.elapse(61)
    assert (await _one_due(ledger)).settled


async def test_adopt_of_nothing_doubtful_writes_no_attempt(ledger: Ledger) -> None:
    (proven,) = await fresh(ledger, 1, None)
    await ledger.change_execution(proven, service_id=9)
    await ledger.submissions.adopt([proven])
    assert await states(ledger, [proven]) == ["accepted"]
    assert await attempt_ids(ledger) == []


async def test_what_a_look_up_saw_is_known_from_then_on(ledger: Ledger) -> None:
    (execution_id,) = await fresh(ledger)
    attempt, _ = await claimed(ledger.submissions, [execution_id], floor_id=40, lease_ms=0)
    await ledger.submissions.take_due("two", 10, 0, 0)
    for seen, known in ((70, 70), (None, 70), (60, 70)):
        found = closing(attempt.attempt_id, {}, _S.UNKNOWN, next_action_in_ms=0, high_water_id=seen)
        await ledger.submissions.record(found)
        assert (await attempt_row(ledger, attempt.attempt_id)).top_id == known
        assert (await ledger.downstream.read()).known_id == known


async def test_the_known_id_is_the_greatest_that_recent_attempts_of_this_epoch_saw(ledger: Ledger) -> None:
    assert (await ledger.downstream.read()).known_id == 0
    first, second = await fresh(ledger, 2)
    attempt, _ = await claimed(ledger.submissions, [first], floor_id=40)
    assert (await ledger.downstream.read()).known_id == 40
    await ledger.submissions.record(closing(attempt.attempt_id, {first: "accepted"}, high_water_id=55))
    await claimed(ledger.submissions, [second], floor_id=50)
    assert (await ledger.downstream.read()).known_id == 55
    await ledger.downstream.begin_epoch(1, "http://new", 3, None)
    assert (await ledger.downstream.read()).known_id == 3
