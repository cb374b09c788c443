"""SubmissionStore.claim: an attempt becomes durable and owns its executions, all at once or not at all."""

from decimal import Decimal

import pytest

from tests.behaviour.ledger import Ledger, attempt_ids, attempt_row, execution, fresh, states
from tests.support.attempts import FRESH, RECOVERED, claimed, closing, new_attempt
from tests.world.store_rows import HOLD, NEW
from trade_service.domain.executions import SubmissionState
from trade_service.submission.model import NotClaimed

_S = SubmissionState
EVERYTHING = tuple(SubmissionState)


async def _ticket(ledger: Ledger, ids: list[int]) -> str:
    """Queues executions in one queued attempt."""
    ticket = new_attempt().attempt_id
    await ledger.reads.enqueue(ids, ticket)
    return ticket


async def test_fresh_executions_are_loaded_and_the_attempt_is_written(ledger: Ledger) -> None:
    ids = await fresh(ledger, 3)
    attempt, claim = await claimed(
        ledger.submissions, ids[::-1], lease_ms=30_000, settle_ms=5_000, retry_count=2, owner="two"
    )

    assert claim.not_claimed == ()
    assert [item.execution_id for item in claim.items] == ids
    first = claim.items[0]
    assert (first.trade_type, first.destination, first.security_id) == ("BUY", "ML", "S1")
    assert (first.quantity, first.limit_price, first.attempts_spent) == (Decimal(10), Decimal("1.5"), 1)
    assert first.budget_left_s == pytest.approx(3600, abs=10)
    for execution_id in ids:
        row = await execution(ledger, execution_id)
        assert (row.state, row.attempt_id, row.attempts_spent) == ("claimed", attempt.attempt_id, 1)
        assert (row.version, row.status_id, row.placed) == (1, 1, Decimal(0))
        assert row.gives_up_in_s == pytest.approx(3600, abs=10)
    written = await attempt_row(ledger, attempt.attempt_id)
    assert (written.state, written.owner, written.execution_ids) == ("sent", "two", tuple(ids))
    assert (written.settle_ms, written.floor_id, written.epoch) == (5_000, 7, 1)
    assert (written.retry_count, written.adopted, written.look_ups, written.findings) == (2, False, 0, ())
    assert (written.closed_in_s, written.kind, written.settle_from_in_s) == (None, None, None)
    assert written.due_in_s == written.lease_in_s == pytest.approx(30, abs=10)


async def test_only_an_attempt_that_counts_spends(ledger: Ledger) -> None:
    ids = await fresh(ledger, 2)
    attempt, claim = await claimed(ledger.submissions, ids, counted=False)
    assert [item.attempts_spent for item in claim.items] == [0, 0]
    await ledger.submissions.record(
        closing(attempt.attempt_id, dict.fromkeys(ids, "retry"), next_action_in_ms=0)
    )
    assert [(await execution(ledger, i)).attempts_spent for i in ids] == [0, 0]
    alone = await ledger.submissions.claim(new_attempt(), ids[:1], RECOVERED)
    assert [item.attempts_spent for item in alone.items] == [1]


async def test_a_time_budget_that_stood_still_goes_on_with_the_next_claim(ledger: Ledger) -> None:
    ids = await fresh(ledger, 2)
    attempt, _ = await claimed(ledger.submissions, ids, give_up_after_ms=1_000_000)
    await ledger.elapse(100)
    told = {ids[0]: "retry", ids[1]: "unknown"}
    await ledger.submissions.record(
        closing(attempt.attempt_id, told, pauses_budget=True, next_action_in_ms=0)
    )
    await ledger.elapse(5000)
    for execution_id in ids:
        row = await execution(ledger, execution_id)
        assert row.gives_up_in_s is None
        assert row.budget_ms == pytest.approx(900_000, abs=10_000)
    again = await ledger.submissions.claim(new_attempt(give_up_after_ms=9), ids[:1], RECOVERED)
    assert again.items[0].budget_left_s == pytest.approx(900, abs=10)
    row = await execution(ledger, ids[0])
    assert row.budget_ms is None
    assert row.gives_up_in_s == pytest.approx(900, abs=10)


async def test_budget_of_time_is_counted_from_the_first_claim_and_that_of_attempts_from_each(
    ledger: Ledger,
) -> None:
    ids = await fresh(ledger)
    first, _ = await claimed(ledger.submissions, ids, give_up_after_ms=1_000_000)
    await ledger.submissions.record(closing(first.attempt_id, {ids[0]: "retry"}, next_action_in_ms=0))
    await ledger.elapse(100)
    second = new_attempt(give_up_after_ms=9_000_000)
    again = await ledger.submissions.claim(second, ids, RECOVERED)
    assert again.items[0].attempts_spent == 2
    assert again.items[0].budget_left_s == pytest.approx(900, abs=10)
    await ledger.elapse(1000)
    await ledger.submissions.record(closing(second.attempt_id, {ids[0]: "retry"}, next_action_in_ms=0))
    late = await ledger.submissions.claim(new_attempt(), ids, RECOVERED)
    assert late.items[0].attempts_spent == 3
    assert late.items[0].budget_left_s == pytest.approx(-100, abs=10)


async def test_absent_ids_are_told_and_nothing_claimed_writes_nothing(ledger: Ledger) -> None:
    _, claim = await claimed(ledger.submissions, [4712, 4711])
    assert claim.items == ()
    assert claim.not_claimed == (NotClaimed(4712, None), NotClaimed(4711, None))
    assert await attempt_ids(ledger) == []
    _, nothing = await claimed(ledger.submissions, [])
    assert (nothing.items, nothing.not_claimed) == ((), ())


async def test_an_id_given_twice_is_claimed_once(ledger: Ledger) -> None:
    (execution_id,) = await fresh(ledger)
    attempt, claim = await claimed(ledger.submissions, [execution_id, execution_id])
    assert len(claim.items) == 1
    assert (await attempt_row(ledger, attempt.attempt_id)).execution_ids == (execution_id,)
    assert (await execution(ledger, execution_id)).attempts_spent == 1


@pytest.mark.parametrize("claimable", [FRESH, RECOVERED, (_S.UNKNOWN,)])
@pytest.mark.parametrize("state", sorted(SubmissionState))
async def test_only_what_is_claimable_is_claimed(
    ledger: Ledger, state: SubmissionState, claimable: tuple[SubmissionState, ...]
) -> None:
    ids = await fresh(ledger, 1, state)
    before = await execution(ledger, ids[0])
    claim = await ledger.submissions.claim(new_attempt(), ids, claimable)
    if state in claimable:
        assert [item.execution_id for item in claim.items] == ids
        assert claim.not_claimed == ()
        assert await states(ledger, ids) == ["claimed"]
    else:
        assert claim.items == ()
        assert claim.not_claimed == (NotClaimed(ids[0], state),)
        assert await execution(ledger, ids[0]) == before
        assert await attempt_ids(ledger) == []


async def test_a_mixed_claim_takes_what_it_may_and_tells_the_rest_in_order(ledger: Ledger) -> None:
    none, queued, held, accepted, legacy = [
        (await fresh(ledger, 1, state))[0] for state in ("none", "queued", "claimed", "accepted", None)
    ]
    await ledger.change_execution(accepted, service_id=77)
    attempt, claim = await claimed(ledger.submissions, [999, legacy, accepted, held, queued, none, 998])
    assert [item.execution_id for item in claim.items] == [none, queued]
    assert claim.not_claimed == (
        NotClaimed(held, _S.CLAIMED),
        NotClaimed(accepted, _S.ACCEPTED, 77),
        NotClaimed(legacy, _S.NONE, legacy=True),
        NotClaimed(999, None),
        NotClaimed(998, None),
    )
    assert (await attempt_row(ledger, attempt.attempt_id)).execution_ids == (none, queued)


async def test_of_two_claims_each_execution_has_one(ledger: Ledger) -> None:
    ids = await fresh(ledger, 4)
    first, one = await claimed(ledger.submissions, ids[:3])
    second, two = await claimed(ledger.submissions, ids[1:], owner="two")
    assert [item.execution_id for item in one.items] == ids[:3]
    assert [item.execution_id for item in two.items] == ids[3:]
    assert two.not_claimed == tuple(NotClaimed(i, _S.CLAIMED) for i in ids[1:3])
    owners = [(await execution(ledger, i)).attempt_id for i in ids]
    assert owners == [first.attempt_id] * 3 + [second.attempt_id]


async def test_rows_of_another_program_are_foreign_whatever_may_be_claimed(ledger: Ledger) -> None:
    unproven, proven, sent, placed = [
        (await fresh(ledger, 1, state))[0] for state in (None, None, "none", "none")
    ]
    await ledger.change_execution(proven, service_id=4)
    await ledger.change_execution(sent, service_id=5)
    await ledger.change_execution(placed, placed=Decimal(1))
    before = await ledger.everything()
    claim = await ledger.submissions.claim(new_attempt(), [unproven, proven, sent, placed], EVERYTHING)
    assert claim.items == ()
    assert claim.not_claimed == (
        NotClaimed(unproven, _S.NONE, None, legacy=True),
        NotClaimed(proven, _S.NONE, 4, legacy=True),
        NotClaimed(sent, _S.NONE, 5, legacy=True),
        NotClaimed(placed, _S.NONE, None, legacy=True),
    )
    assert await ledger.everything() == before


@pytest.mark.parametrize("claimable", [FRESH, RECOVERED])
async def test_what_is_held_back_is_neither_claimed_nor_queued_until_it_is_new_again(
    ledger: Ledger, claimable: tuple[SubmissionState, ...]
) -> None:
    held, other = await fresh(ledger, 2)
    await ledger.change_execution(held, status_id=HOLD)
    before = await execution(ledger, held)
    await _ticket(ledger, [held])
    claim = await ledger.submissions.claim(new_attempt(), [held, other], FRESH)
    again = await ledger.submissions.claim(new_attempt(), [held], claimable)
    assert [item.execution_id for item in claim.items] == [other]
    assert claim.not_claimed == again.not_claimed == (NotClaimed(held, _S.NONE, withdrawn="HOLD"),)
    assert await ledger.submissions.states([held]) == (NotClaimed(held, _S.NONE, withdrawn="HOLD"),)
    assert await execution(ledger, held) == before
    await ledger.change_execution(held, status_id=NEW)
    assert (await claimed(ledger.submissions, [held]))[1].not_claimed == ()


@pytest.mark.parametrize("state", ["queued", "retry"])
async def test_what_is_on_its_way_is_claimed_whatever_its_status(ledger: Ledger, state: str) -> None:
    ids = await fresh(ledger, 1, state)
    await ledger.change_execution(ids[0], status_id=HOLD)
    claim = await ledger.submissions.claim(new_attempt(), ids, RECOVERED)
    assert [item.execution_id for item in claim.items] == ids


async def test_a_ticket_goes_when_all_of_it_is_claimed(ledger: Ledger) -> None:
    ids = await fresh(ledger, 3)
    await _ticket(ledger, ids)
    attempt, claim = await claimed(ledger.submissions, ids)
    assert len(claim.items) == 3
    assert await attempt_ids(ledger) == [attempt.attempt_id]
    assert (await attempt_row(ledger, attempt.attempt_id)).state == "sent"


async def test_a_ticket_stays_while_a_part_of_it_is_unclaimed(ledger: Ledger) -> None:
    ids = await fresh(ledger, 3)
    ticket = await _ticket(ledger, ids)
    await claimed(ledger.submissions, ids[:2])
    kept = await attempt_row(ledger, ticket)
    assert (kept.state, kept.execution_ids) == ("queued", tuple(ids))
    await ledger.elapse(6)
    (due,) = await ledger.submissions.take_due("two", 10, 1000, 0)
    assert (due.attempt_id, [item.execution_id for item in due.items]) == (ticket, ids[2:])


async def test_a_ticket_stays_when_nothing_of_it_may_be_claimed(ledger: Ledger) -> None:
    (queued,) = await fresh(ledger)
    (retry,) = await fresh(ledger, 1, "retry")
    ticket = await _ticket(ledger, [queued])
    claim = await ledger.submissions.claim(new_attempt(), [queued, retry], (_S.RETRY,))
    assert [item.execution_id for item in claim.items] == [retry]
    assert ticket in await attempt_ids(ledger)


async def test_a_claim_over_several_tickets_takes_away_each_that_is_complete(ledger: Ledger) -> None:
    ids = await fresh(ledger, 6)
    await _ticket(ledger, ids[:2])
    await _ticket(ledger, ids[2:4])
    part = await _ticket(ledger, ids[4:])
    attempt, _ = await claimed(ledger.submissions, ids[:5])
    assert await attempt_ids(ledger) == sorted([part, attempt.attempt_id])


async def test_a_claim_leaves_the_attempt_that_owned_it_before(ledger: Ledger) -> None:
    ids = await fresh(ledger)
    first, _ = await claimed(ledger.submissions, ids)
    await ledger.submissions.record(closing(first.attempt_id, {ids[0]: "retry"}, next_action_in_ms=0))
    second = new_attempt()
    await ledger.submissions.claim(second, ids, RECOVERED)
    assert (await execution(ledger, ids[0])).attempt_id == second.attempt_id
    assert await attempt_ids(ledger) == sorted([first.attempt_id, second.attempt_id])


async def test_executions_without_trade_type_or_price_are_claimed_as_they_are(ledger: Ledger) -> None:
    (execution_id,) = await fresh(ledger)
    await ledger.change_execution(execution_id, trade_type_id=None, blotter_id=None, limit_price=None)
    _, claim = await claimed(ledger.submissions, [execution_id])
    assert (claim.items[0].trade_type, claim.items[0].limit_price) == (None, None)


async def test_digits_survive(ledger: Ledger) -> None:
    (execution_id,) = await fresh(ledger)
    await ledger.change_execution(execution_id, quantity=Decimal("1234567890.12345678"))
    _, claim = await claimed(ledger.submissions, [execution_id])
    assert str(claim.items[0].quantity) == "1234567890.12345678"


async def test_states_tell_what_is_there_in_id_order(ledger: Ledger) -> None:
    ours, accepted = await fresh(ledger, 2)
    (legacy,) = await fresh(ledger, 1, None)
    await ledger.change_execution(accepted, state="accepted", service_id=8)
    await ledger.change_execution(legacy, service_id=9)
    assert await ledger.submissions.states([4711, legacy, accepted, ours]) == (
        NotClaimed(ours, _S.NONE),
        NotClaimed(accepted, _S.ACCEPTED, 8),
        NotClaimed(legacy, _S.NONE, 9, legacy=True),
    )
    assert await ledger.submissions.states([]) == ()
