"""SubmissionStore.record: when an attempt is closed, when it stays open, and what its journal keeps."""

from decimal import Decimal

import pytest

from tests.behaviour.ledger import Ledger, attempt_row, execution, fresh, order_of, report_fill, states
from tests.support.attempts import RECOVERED, claimed, closing, new_attempt
from tests.support.rows import PART
from trade_service.domain.executions import OPEN, SubmissionState
from trade_service.submission.model import ReplyKind

_S = SubmissionState


async def _due_in_s(ledger: Ledger, attempt_id: str) -> float | None:
    return (await attempt_row(ledger, attempt_id)).due_in_s


async def test_it_is_not_closed_over_what_nobody_told_about(ledger: Ledger) -> None:
    ids = await fresh(ledger, 2)
    attempt, _ = await claimed(ledger.submissions, ids)
    await ledger.submissions.record(closing(attempt.attempt_id, {ids[0]: "accepted"}))
    assert await _due_in_s(ledger, attempt.attempt_id) == pytest.approx(60, abs=10)
    await ledger.submissions.record(closing(attempt.attempt_id, {ids[1]: "accepted"}))
    assert await _due_in_s(ledger, attempt.attempt_id) is None


@pytest.mark.parametrize("state", [None, *sorted(SubmissionState)])
async def test_what_nobody_told_about_keeps_it_open_while_that_is_open(
    ledger: Ledger, state: SubmissionState | None
) -> None:
    ids = await fresh(ledger, 2)
    attempt, _ = await claimed(ledger.submissions, ids)
    await ledger.change_execution(ids[1], state=state)
    await ledger.submissions.record(closing(attempt.attempt_id, {ids[0]: "rejected"}))
    is_open = state in OPEN or state is _S.ACCEPTED
    assert (await _due_in_s(ledger, attempt.attempt_id) is not None) == is_open
    if state is _S.ACCEPTED:
        await ledger.change_execution(ids[1], service_id=1)
        await ledger.submissions.record(closing(attempt.attempt_id, {ids[0]: "rejected"}))
        assert await _due_in_s(ledger, attempt.attempt_id) is None


@pytest.mark.parametrize("state", sorted(OPEN - {_S.CLAIMED}))
async def test_what_the_fencing_token_kept_from_being_settled_keeps_it_due(
    ledger: Ledger, state: SubmissionState
) -> None:
    ids = await fresh(ledger)
    attempt, _ = await claimed(ledger.submissions, ids)
    await ledger.change_execution(ids[0], state=state)
    for next_ms in (None, 900_000):
        await ledger.submissions.record(
            closing(attempt.attempt_id, {ids[0]: "rejected"}, next_action_in_ms=next_ms)
        )
        assert await _due_in_s(ledger, attempt.attempt_id) == pytest.approx(60, abs=10)


async def test_a_closed_one_that_owns_something_open_is_due_at_once(ledger: Ledger) -> None:
    ids = await fresh(ledger)
    attempt, _ = await claimed(ledger.submissions, ids, lease_ms=0)
    await ledger.submissions.take_due("two", 10, 500_000, 0)
    await ledger.submissions.postpone(attempt.attempt_id, None)
    await ledger.submissions.record(closing(attempt.attempt_id, {ids[0]: "rejected"}))
    assert await _due_in_s(ledger, attempt.attempt_id) == pytest.approx(0, abs=10)


async def test_what_passed_on_to_another_attempt_does_not_keep_it_open(ledger: Ledger) -> None:
    ids = await fresh(ledger)
    attempt, _ = await claimed(ledger.submissions, ids)
    await ledger.submissions.record(closing(attempt.attempt_id, {ids[0]: "retry"}, next_action_in_ms=0))
    await ledger.submissions.claim(new_attempt(), ids, RECOVERED)
    await ledger.submissions.record(closing(attempt.attempt_id, {ids[0]: "exhausted"}, _S.RETRY))
    assert await _due_in_s(ledger, attempt.attempt_id) is None
    assert await states(ledger, ids) == ["claimed"]


@pytest.mark.parametrize("told", ["rejected", "unknown", None])
async def test_what_a_fill_proved_keeps_it_open_until_its_id_is_known(
    ledger: Ledger, told: str | None
) -> None:
    ids = await fresh(ledger)
    attempt, _ = await claimed(ledger.submissions, ids)
    await report_fill(ledger, ids[0], PART, Decimal(1), 1)
    await ledger.submissions.record(closing(attempt.attempt_id, {ids[0]: told} if told else {}))
    assert await _due_in_s(ledger, attempt.attempt_id) == pytest.approx(60, abs=10)
    later = closing(attempt.attempt_id, {ids[0]: told} if told else {}, next_action_in_ms=900_000)
    await ledger.submissions.record(later)
    assert await _due_in_s(ledger, attempt.attempt_id) == pytest.approx(900, abs=10)
    await ledger.elapse(901)
    (due,) = await ledger.submissions.take_due("two", 10, 0, 0)
    assert [(item.execution_id, item.state) for item in due.items] == [(ids[0], _S.ACCEPTED)]
    found = closing(attempt.attempt_id, {ids[0]: "accepted"}, _S.UNKNOWN)
    await ledger.submissions.record(found)
    assert await _due_in_s(ledger, attempt.attempt_id) is None
    assert (await execution(ledger, ids[0])).service_id == 1000 + ids[0]


async def test_a_look_up_leaves_the_answer_and_adds_its_findings(ledger: Ledger) -> None:
    ids = await fresh(ledger, 3)
    attempt, _ = await claimed(ledger.submissions, ids)
    lost = closing(
        attempt.attempt_id,
        dict.fromkeys(ids, "unknown"),
        kind=ReplyKind.LOST,
        code="TIMEOUT",
        message="no answer",
        http_status=None,
        duration_ms=3000.4,
        next_action_in_ms=0,
        next_batch_size=5,
        high_water_id=9,
    )
    await ledger.submissions.record(lost)
    await ledger.elapse(100)
    before = await attempt_row(ledger, attempt.attempt_id)
    outcomes = dict(zip(ids, ["accepted", "exhausted", "retry"], strict=True))
    recorded = await ledger.submissions.record(
        closing(
            attempt.attempt_id,
            outcomes,
            _S.UNKNOWN,
            next_action_in_ms=0,
            message="looked up",
            high_water_id=12,
        )
    )

    assert {one.execution_id: one.state for one in recorded} == outcomes
    assert {one.state_before for one in recorded} == {_S.UNKNOWN}
    after = await attempt_row(ledger, attempt.attempt_id)
    for field in ("kind", "code", "message", "http_status", "duration_ms"):
        assert getattr(after, field) == getattr(before, field), field
    assert (before.top_id, after.top_id) == (9, 12)
    assert (after.kind, after.code, after.duration_ms, after.look_ups) == ("lost", "TIMEOUT", 3000, 1)
    assert after.settle_from_in_s == after.closed_in_s == pytest.approx(-100, abs=10)
    assert [found[1] for found in after.findings] == ["unknown"] * 3 + ["exhausted", "retry"]
    assert await order_of(ledger, ids[1]) == (Decimal(0), False, 2)


async def test_every_look_up_adds_what_it_found_even_when_it_changes_nothing(ledger: Ledger) -> None:
    ids = await fresh(ledger)
    attempt, _ = await claimed(ledger.submissions, ids, lease_ms=0)
    await ledger.submissions.take_due("two", 10, 0, 0)
    told = closing(attempt.attempt_id, {ids[0]: "retry"}, _S.UNKNOWN, next_action_in_ms=0)
    for _ in range(2):
        await ledger.submissions.record(told)
    kept = await attempt_row(ledger, attempt.attempt_id)
    assert (kept.look_ups, [found[1] for found in kept.findings]) == (2, ["unknown", "retry", "retry"])
    assert kept.closed_in_s is None


async def test_an_answer_after_look_ups_is_still_the_attempts_answer(ledger: Ledger) -> None:
    ids = await fresh(ledger)
    attempt, _ = await claimed(ledger.submissions, ids, lease_ms=0)
    await ledger.submissions.take_due("two", 10, 0, 0)
    await ledger.submissions.record(closing(attempt.attempt_id, {}, _S.UNKNOWN, next_action_in_ms=0))
    await ledger.submissions.record(closing(attempt.attempt_id, {ids[0]: "accepted"}, high_water_id=40))
    kept = await attempt_row(ledger, attempt.attempt_id)
    assert (kept.kind, kept.code, kept.look_ups, kept.top_id) == ("answered", "OK", 1, 40)
    assert kept.closed_in_s == pytest.approx(0, abs=10)
    assert kept.due_in_s is None
    assert await states(ledger, ids) == ["accepted"]


async def test_an_unaccepted_row_of_the_earlier_service_goes_back_to_none(ledger: Ledger) -> None:
    ids = await fresh(ledger, 1, None)
    await ledger.submissions.adopt(ids)
    (due,) = await ledger.submissions.take_due("one", 10, 60_000, 0)
    await ledger.submissions.record(closing(due.attempt_id, {ids[0]: "none"}, _S.UNKNOWN))
    assert await states(ledger, ids) == ["none"]
    assert await order_of(ledger, ids[0]) == (Decimal(10), True, 1)
    assert await _due_in_s(ledger, due.attempt_id) is None
