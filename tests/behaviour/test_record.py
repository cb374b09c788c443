"""SubmissionStore.record: the effect of an attempt's outcomes on executions and orders."""

from decimal import Decimal

import msgspec
import pytest

from tests.behaviour.ledger import (
    Ledger,
    attempt_ids,
    attempt_row,
    execution,
    fresh,
    order_of,
    report_fill,
    states,
)
from tests.support.attempts import RECOVERED, claimed, closing, new_attempt
from tests.support.rows import NEW, PART, SENT
from trade_service.domain.executions import SubmissionState
from trade_service.submission.model import ItemOutcome, Recorded, ReplyKind

_S = SubmissionState
NEGATIVE = ("rejected", "exhausted", "retry", "unknown")
ALL_SENT, ALL_BACK = (Decimal(10), True), (Decimal(0), False)


async def test_accepted(ledger: Ledger) -> None:
    ids = await fresh(ledger, 2)
    attempt, _ = await claimed(ledger.submissions, ids)
    told = closing(attempt.attempt_id, dict.fromkeys(ids, "accepted"), high_water_id=1002, duration_ms=12.6)
    recorded = await ledger.submissions.record(told)

    assert sorted(recorded, key=lambda one: one.execution_id) == [
        Recorded(i, _S.ACCEPTED, 1000 + i, 2, SENT, changed=True, state_before=_S.CLAIMED) for i in ids
    ]
    for execution_id in ids:
        row = await execution(ledger, execution_id)
        assert (row.state, row.service_id, row.status_id, row.version) == (
            "accepted",
            1000 + execution_id,
            SENT,
            2,
        )
        assert (row.placed, row.filled, row.attempts_spent) == (row.quantity, Decimal(0), 1)
        assert await order_of(ledger, execution_id) == (*ALL_SENT, 1)
    kept = await attempt_row(ledger, attempt.attempt_id)
    assert (kept.state, kept.kind, kept.code, kept.http_status) == ("answered", "answered", "OK", 207)
    assert (kept.duration_ms, kept.due_in_s, kept.top_id, kept.findings) == (13, None, 1002, ())
    assert kept.closed_in_s == kept.settle_from_in_s == pytest.approx(0, abs=10)


@pytest.mark.parametrize("state", ["rejected", "exhausted"])
async def test_what_ends_unaccepted_gives_its_quantity_back_once(ledger: Ledger, state: str) -> None:
    (execution_id,) = await fresh(ledger)
    attempt, _ = await claimed(ledger.submissions, [execution_id])
    told = closing(attempt.attempt_id, {execution_id: state})
    (recorded,) = await ledger.submissions.record(told)

    assert recorded == Recorded(execution_id, _S(state), None, 1, NEW, changed=True, state_before=_S.CLAIMED)
    assert await order_of(ledger, execution_id) == (*ALL_BACK, 2)
    findings = ((execution_id, state, "CODE", "said so"),)
    assert (await attempt_row(ledger, attempt.attempt_id)).findings == findings

    (again,) = await ledger.submissions.record(told)
    assert again == Recorded(execution_id, _S(state), None, 1, NEW, changed=False, state_before=_S(state))
    assert await order_of(ledger, execution_id) == (*ALL_BACK, 2)
    kept = await attempt_row(ledger, attempt.attempt_id)
    assert (kept.findings, kept.due_in_s) == (findings, None)


async def test_pieces_of_one_order_give_back_their_sum_in_one_version(ledger: Ledger) -> None:
    (order_id,) = await ledger.add_orders(1, quantity=40)
    ids = await ledger.add_pieces([order_id], 4)
    attempt, _ = await claimed(ledger.submissions, ids)
    told = dict(zip(ids, ["rejected", "accepted", "exhausted", "unknown"], strict=True))
    await ledger.submissions.record(closing(attempt.attempt_id, told, next_action_in_ms=1))
    assert await order_of(ledger, ids[0]) == (Decimal(20), False, 2)


async def test_given_back_and_taken_again_at_once_is_one_version_too(ledger: Ledger) -> None:
    (order_id,) = await ledger.add_orders(1, quantity=20)
    ids = await ledger.add_pieces([order_id], 2)
    attempt, _ = await claimed(ledger.submissions, ids)
    await ledger.submissions.record(closing(attempt.attempt_id, {ids[0]: "rejected"}))
    assert await order_of(ledger, ids[0]) == (Decimal(10), False, 2)
    await ledger.submissions.record(closing(attempt.attempt_id, {ids[0]: "accepted", ids[1]: "rejected"}))
    assert await order_of(ledger, ids[0]) == (Decimal(10), False, 3)


async def test_an_order_counts_as_submitted_while_no_more_than_a_hundredth_is_left(ledger: Ledger) -> None:
    (execution_id,) = await fresh(ledger)
    for quantity, submitted in ((Decimal("0.01"), True), (Decimal("0.01000001"), False)):
        await ledger.change_execution(execution_id, quantity=quantity, state="none")
        await ledger.change_order(
            (await execution(ledger, execution_id)).order_id, quantity_sent=Decimal(10), submitted=True
        )
        attempt, _ = await claimed(ledger.submissions, [execution_id])
        await ledger.submissions.record(closing(attempt.attempt_id, {execution_id: "rejected"}))
        assert (await order_of(ledger, execution_id))[:2] == (10 - quantity, submitted)


async def test_retry_and_unknown_keep_the_quantity_and_the_attempt_open(ledger: Ledger) -> None:
    ids = await fresh(ledger, 2)
    attempt, _ = await claimed(ledger.submissions, ids)
    told = closing(
        attempt.attempt_id, {ids[0]: "retry", ids[1]: "unknown"}, next_action_in_ms=500_000, next_batch_size=1
    )
    recorded = await ledger.submissions.record(told)
    assert {(one.execution_id, one.state, one.version, one.status_id) for one in recorded} == {
        (ids[0], _S.RETRY, 1, NEW),
        (ids[1], _S.UNKNOWN, 1, NEW),
    }
    assert await states(ledger, ids) == ["retry", "unknown"]
    for execution_id in ids:
        assert await order_of(ledger, execution_id) == (*ALL_SENT, 1)
        assert (await execution(ledger, execution_id)).attempts_spent == 1
    kept = await attempt_row(ledger, attempt.attempt_id)
    assert kept.due_in_s == pytest.approx(500, abs=10)
    assert kept.next_batch_size == 1
    assert [found[:2] for found in kept.findings] == [(ids[0], "retry"), (ids[1], "unknown")]


async def test_the_same_record_again_changes_nothing_and_keeps_the_attempt_due(ledger: Ledger) -> None:
    ids = await fresh(ledger, 3)
    attempt, _ = await claimed(ledger.submissions, ids)
    outcomes = dict(zip(ids, ["retry", "unknown", "accepted"], strict=True))
    told = closing(attempt.attempt_id, outcomes, spent=False, next_action_in_ms=500_000)
    await ledger.submissions.record(told)
    before = await ledger.everything()
    again = await ledger.submissions.record(told)
    after = await ledger.everything()
    assert [one.changed for one in again] == [False] * 3
    assert after.orders == before.orders
    assert [(row.state, row.attempts_spent, row.version) for row in after.executions.values()] == [
        ("retry", 0, 1),
        ("unknown", 0, 1),
        ("accepted", 1, 2),
    ]
    kept = after.attempts[attempt.attempt_id]
    assert kept.findings == before.attempts[attempt.attempt_id].findings
    assert kept.due_in_s == pytest.approx(500, abs=10)


async def test_an_unspent_attempt_does_not_count_but_for_what_was_accepted(ledger: Ledger) -> None:
    ids = await fresh(ledger, 3)
    attempt, _ = await claimed(ledger.submissions, ids)
    outcomes = dict(zip(ids, ["retry", "exhausted", "accepted"], strict=True))
    told = closing(
        attempt.attempt_id, outcomes, spent=False, next_action_in_ms=1, kind=ReplyKind.NOT_SENT, code="X"
    )
    await ledger.submissions.record(told)
    assert [(await execution(ledger, i)).attempts_spent for i in ids] == [0, 0, 1]
    assert (await attempt_row(ledger, attempt.attempt_id)).kind == "not_sent"


@pytest.mark.parametrize("state", NEGATIVE)
async def test_negative_evidence_of_another_attempt_changes_nothing(ledger: Ledger, state: str) -> None:
    ids = await fresh(ledger)
    first, _ = await claimed(ledger.submissions, ids)
    await ledger.submissions.record(closing(first.attempt_id, {ids[0]: "retry"}, next_action_in_ms=0))
    second = new_attempt(owner="two")
    await ledger.submissions.claim(second, ids, RECOVERED)
    before = await execution(ledger, ids[0])

    (recorded,) = await ledger.submissions.record(closing(first.attempt_id, {ids[0]: state}, spent=False))

    assert recorded == Recorded(ids[0], _S.CLAIMED, None, 1, NEW, changed=False, state_before=_S.CLAIMED)
    after = await execution(ledger, ids[0])
    assert (after.state, after.attempt_id, after.attempts_spent) == ("claimed", second.attempt_id, 2)
    assert after.version == before.version
    assert await order_of(ledger, ids[0]) == (*ALL_SENT, 1)
    assert (await attempt_row(ledger, first.attempt_id)).due_in_s is None


@pytest.mark.parametrize("owned_as", [_S.CLAIMED, _S.RETRY, _S.UNKNOWN])
@pytest.mark.parametrize("state", sorted(SubmissionState))
async def test_negative_evidence_counts_only_in_the_state_it_was_found_in(
    ledger: Ledger, state: SubmissionState, owned_as: SubmissionState
) -> None:
    ids = await fresh(ledger)
    attempt, _ = await claimed(ledger.submissions, ids)
    await ledger.change_execution(ids[0], state=state)
    told = closing(attempt.attempt_id, {ids[0]: "rejected"}, owned_as)
    (recorded,) = await ledger.submissions.record(told)
    owned = state is owned_as
    assert (recorded.changed, recorded.state) == (owned, _S.REJECTED if owned else state)
    assert recorded.state_before is state
    assert await states(ledger, ids) == [_S.REJECTED if owned else state]
    assert await order_of(ledger, ids[0]) == ((*ALL_BACK, 2) if owned else (*ALL_SENT, 1))


async def test_a_record_after_the_lease_passed_is_kept_and_changes_nothing(ledger: Ledger) -> None:
    ids = await fresh(ledger, 2)
    attempt, _ = await claimed(ledger.submissions, ids, lease_ms=0)
    await ledger.submissions.take_due("two", 10, 500_000, 0)
    await ledger.elapse(100)
    outcomes = dict.fromkeys(ids, "rejected")
    late = await ledger.submissions.record(closing(attempt.attempt_id, outcomes, message="late"))
    assert [(one.state, one.changed, one.state_before) for one in late] == [
        (_S.UNKNOWN, False, _S.UNKNOWN)
    ] * 2
    kept = await attempt_row(ledger, attempt.attempt_id)
    assert (kept.kind, kept.message, kept.observer) == ("answered", "late", "two")
    assert kept.due_in_s == pytest.approx(400, abs=10)
    found_by_lease, found_by_answer = kept.findings[:2], kept.findings[2:]
    assert [found[:3] for found in found_by_lease] == [(i, "unknown", "OWNER_LOST") for i in ids]
    assert [found[:2] for found in found_by_answer] == [(i, "rejected") for i in ids]
    assert kept.settle_from_in_s == pytest.approx(0, abs=10)
    proven = closing(attempt.attempt_id, dict.fromkeys(ids, "retry"), _S.UNKNOWN, next_action_in_ms=0)
    assert [one.changed for one in await ledger.submissions.record(proven)] == [True] * 2


@pytest.mark.parametrize("owned_as", [_S.CLAIMED, _S.UNKNOWN])
@pytest.mark.parametrize("state", [None, *sorted(set(SubmissionState) - {_S.ACCEPTED})])
async def test_acceptance_counts_whoever_owns_the_execution(
    ledger: Ledger, state: str | None, owned_as: SubmissionState
) -> None:
    ids = await fresh(ledger)
    attempt, _ = await claimed(ledger.submissions, ids)
    await ledger.change_execution(ids[0], attempt_id=new_attempt().attempt_id, state=state)
    gave_back = state in ("rejected", "exhausted")
    if gave_back:
        order_id = (await execution(ledger, ids[0])).order_id
        await ledger.change_order(order_id, quantity_sent=Decimal(0), submitted=False)

    told = closing(attempt.attempt_id, {ids[0]: "accepted"}, owned_as, spent=False)
    (recorded,) = await ledger.submissions.record(told)

    assert recorded == Recorded(
        ids[0], _S.ACCEPTED, 1000 + ids[0], 2, SENT, changed=True, state_before=_S(state or "none")
    )
    row = await execution(ledger, ids[0])
    assert (row.placed, row.attempts_spent) == (Decimal(10), 1)
    assert await order_of(ledger, ids[0]) == (*ALL_SENT, 2 if gave_back else 1)


async def test_acceptance_told_of_an_attempt_that_nobody_wrote_counts(ledger: Ledger) -> None:
    (execution_id,) = await fresh(ledger)
    (recorded,) = await ledger.submissions.record(
        closing(new_attempt().attempt_id, {execution_id: "accepted"})
    )
    assert (recorded.state, recorded.changed) == (_S.ACCEPTED, True)
    assert await attempt_ids(ledger) == []


async def test_late_acceptance_takes_the_quantity_again_even_beyond_the_orders(ledger: Ledger) -> None:
    ids = await fresh(ledger)
    attempt, _ = await claimed(ledger.submissions, ids)
    await ledger.submissions.record(closing(attempt.attempt_id, {ids[0]: "rejected"}))
    order_id = (await execution(ledger, ids[0])).order_id
    await ledger.change_order(order_id, quantity_sent=Decimal(10), submitted=True)
    await ledger.submissions.record(closing(attempt.attempt_id, {ids[0]: "accepted"}))
    assert await order_of(ledger, ids[0]) == (Decimal(20), True, 3)


async def test_a_second_acceptance_is_told_with_the_first_id(ledger: Ledger) -> None:
    ids = await fresh(ledger)
    attempt, _ = await claimed(ledger.submissions, ids)
    for service_id, changed, duplicate_of in ((50, True, None), (50, False, None), (51, False, 50)):
        told = closing(attempt.attempt_id, {ids[0]: "accepted"}, service_ids={ids[0]: service_id})
        (recorded,) = await ledger.submissions.record(told)
        assert (recorded.changed, recorded.duplicate_of, recorded.version) == (changed, duplicate_of, 2)
        assert recorded.execution_service_id == 50
    assert (await execution(ledger, ids[0])).service_id == 50


async def test_a_fill_before_the_answer_keeps_its_status(ledger: Ledger) -> None:
    ids = await fresh(ledger)
    attempt, _ = await claimed(ledger.submissions, ids)
    await report_fill(ledger, ids[0], PART, Decimal(4), 1)
    (recorded,) = await ledger.submissions.record(closing(attempt.attempt_id, {ids[0]: "accepted"}))
    assert recorded == Recorded(
        ids[0], _S.ACCEPTED, 1000 + ids[0], 2, PART, changed=True, state_before=_S.ACCEPTED
    )
    row = await execution(ledger, ids[0])
    assert (row.service_id, row.filled, row.placed) == (1000 + ids[0], Decimal(4), Decimal(10))
    assert (await attempt_row(ledger, attempt.attempt_id)).due_in_s is None
    (negative,) = await ledger.submissions.record(closing(attempt.attempt_id, {ids[0]: "rejected"}))
    assert (negative.state, negative.changed) == (_S.ACCEPTED, False)


@pytest.mark.parametrize("status_id", [NEW, SENT, PART])
async def test_acceptance_makes_sent_of_new_only(ledger: Ledger, status_id: int) -> None:
    ids = await fresh(ledger)
    attempt, _ = await claimed(ledger.submissions, ids)
    await ledger.change_execution(ids[0], status_id=status_id)
    (recorded,) = await ledger.submissions.record(closing(attempt.attempt_id, {ids[0]: "accepted"}))
    assert recorded.status_id == (SENT if status_id == NEW else status_id)


async def test_an_execution_that_is_gone_is_left_out(ledger: Ledger) -> None:
    ids = await fresh(ledger, 2)
    attempt, _ = await claimed(ledger.submissions, ids)
    await ledger.delete_execution(ids[0])
    recorded = await ledger.submissions.record(closing(attempt.attempt_id, dict.fromkeys(ids, "accepted")))
    assert [one.execution_id for one in recorded] == ids[1:]
    assert (await attempt_row(ledger, attempt.attempt_id)).due_in_s is None


async def test_without_outcomes_only_the_attempt_is_touched(ledger: Ledger) -> None:
    ids = await fresh(ledger)
    attempt, _ = await claimed(ledger.submissions, ids, lease_ms=0)
    await ledger.submissions.take_due("two", 10, 0, 0)
    before = await execution(ledger, ids[0])
    assert (
        await ledger.submissions.record(
            closing(attempt.attempt_id, {}, _S.UNKNOWN, next_action_in_ms=500_000)
        )
        == ()
    )
    after = await execution(ledger, ids[0])
    assert (after.state, after.attempt_id, after.version) == (before.state, before.attempt_id, before.version)
    kept = await attempt_row(ledger, attempt.attempt_id)
    assert kept.due_in_s == pytest.approx(500, abs=10)
    assert kept.look_ups == 1


async def test_an_acceptance_without_an_id_leaves_the_id_that_is_known(ledger: Ledger) -> None:
    ids = await fresh(ledger)
    attempt, _ = await claimed(ledger.submissions, ids)
    nameless = (ItemOutcome(ids[0], _S.ACCEPTED, "RESOLVED", "by hand"),)
    named = closing(attempt.attempt_id, {ids[0]: "accepted"})
    for outcomes, changed, service_id in (
        (nameless, True, None),
        (named.outcomes, True, 1000 + ids[0]),
        (nameless, False, 1000 + ids[0]),
    ):
        (recorded,) = await ledger.submissions.record(msgspec.structs.replace(named, outcomes=outcomes))
        assert (recorded.changed, recorded.execution_service_id, recorded.version) == (changed, service_id, 2)


@pytest.mark.parametrize(("settle_ms", "after"), [(None, 60_000), (500, 500), (90_000, 60_000)])
async def test_an_answer_may_shorten_the_settle_time(
    ledger: Ledger, settle_ms: int | None, after: int
) -> None:
    ids = await fresh(ledger)
    attempt, _ = await claimed(ledger.submissions, ids)
    told = closing(attempt.attempt_id, {ids[0]: "unknown"}, settle_ms=settle_ms, next_action_in_ms=0)
    await ledger.submissions.record(told)
    assert (await attempt_row(ledger, attempt.attempt_id)).settle_ms == after


async def test_a_look_up_says_how_large_a_retry_may_be(ledger: Ledger) -> None:
    ids = await fresh(ledger, 3)
    attempt, _ = await claimed(ledger.submissions, ids)
    told = closing(attempt.attempt_id, dict.fromkeys(ids, "unknown"), next_action_in_ms=0)
    await ledger.submissions.record(told)
    absent = closing(
        attempt.attempt_id,
        dict.fromkeys(ids, "retry"),
        SubmissionState.UNKNOWN,
        next_batch_size=2,
        next_action_in_ms=0,
    )
    await ledger.submissions.record(absent)
    assert (await attempt_row(ledger, attempt.attempt_id)).next_batch_size == 2


async def test_a_look_up_stops_the_time_budget_of_what_it_found_absent(ledger: Ledger) -> None:
    ids = await fresh(ledger, 2)
    attempt, _ = await claimed(ledger.submissions, ids, give_up_after_ms=1_000_000)
    told = closing(attempt.attempt_id, dict.fromkeys(ids, "unknown"), next_action_in_ms=0)
    await ledger.submissions.record(told)
    found = {ids[0]: "retry", ids[1]: "exhausted"}
    await ledger.submissions.record(
        closing(attempt.attempt_id, found, SubmissionState.UNKNOWN, pauses_budget=True, next_action_in_ms=0)
    )
    waiting, ended = [await execution(ledger, i) for i in ids]
    assert waiting.gives_up_in_s is None
    assert waiting.budget_ms == pytest.approx(1_000_000, abs=10_000)
    assert ended.budget_ms is None
