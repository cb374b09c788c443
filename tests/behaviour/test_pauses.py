"""Pauses of sending: what is paused is not claimed, waits without losing time, and is found once it is resumed."""

from decimal import Decimal

import pytest

from tests.behaviour.ledger import Ledger, attempt_ids, attempt_row, execution, fresh, states
from tests.support.attempts import FRESH, RECOVERED, claimed, closing, new_attempt
from tests.support.trading import new_order
from tests.world.store_rows import REFERENCE
from trade_service.domain.access import Requester
from trade_service.domain.executions import SubmissionState
from trade_service.domain.orders import Submission
from trade_service.submission.model import DueAttempt, NotClaimed
from trade_service.trading.pausing import ALL_DESTINATIONS, Pause, PauseOrder, UnsentCounts

_S = SubmissionState
ML, RBC = 1, 2
ANN = PauseOrder("ML", "ann", "they are closed")
ALL = [ALL_DESTINATIONS]
WAIT_MS = 500_000


async def _to(ledger: Ledger, destination_id: int, count: int = 1, state: str = "none") -> list[int]:
    ids = await fresh(ledger, count, state)
    for execution_id in ids:
        await ledger.change_execution(execution_id, destination_id=destination_id)
    return ids


async def _queued(ledger: Ledger, ids: list[int]) -> str:
    ticket = new_attempt().attempt_id
    await ledger.reads.enqueue(ids, ticket)
    await ledger.elapse(6)
    return ticket


async def _due(ledger: Ledger, owner: str = "two") -> list[DueAttempt]:
    return list(await ledger.submissions.take_due(owner, 10, WAIT_MS, WAIT_MS))


@pytest.mark.parametrize("paused", [ALL, [ML]])
async def test_a_claim_takes_what_is_not_paused_and_names_the_rest(ledger: Ledger, paused: list[int]) -> None:
    (here,), (there,) = await _to(ledger, ML), await _to(ledger, RBC)
    assert await ledger.pauses.pause(paused, ANN)
    claim = await ledger.submissions.claim(new_attempt(), [here, there], FRESH)
    kept = [here] if paused == [ML] else [here, there]
    assert claim.not_claimed == tuple(NotClaimed(i, _S.NONE, paused=True) for i in kept)
    assert {item.execution_id for item in claim.items} == {here, there} - set(kept)
    assert await states(ledger, kept) == ["none"] * len(kept)
    assert await ledger.pauses.resume(paused, ANN)
    claim = await ledger.submissions.claim(new_attempt(), kept, FRESH)
    assert [item.execution_id for item in claim.items] == kept


@pytest.mark.parametrize("state", ["queued", "retry", "claimed", "unknown", "accepted", "rejected"])
async def test_only_what_could_be_claimed_counts_as_paused(ledger: Ledger, state: str) -> None:
    ids = await _to(ledger, ML, 1, state)
    await ledger.pauses.pause([ML], ANN)
    claim = await ledger.submissions.claim(new_attempt(), ids, RECOVERED)
    assert claim.not_claimed == (NotClaimed(ids[0], _S(state), paused=state in ("queued", "retry")),)
    assert await attempt_ids(ledger) == []


@pytest.mark.parametrize("paused", [ALL, [ML]])
async def test_what_is_paused_is_not_claimed_by_the_statement_that_writes_it(
    ledger: Ledger, paused: list[int]
) -> None:
    orders = await ledger.orders.create([new_order(1), new_order(2)])
    both = [Submission(one.id, Decimal(5), to) for one, to in zip(orders, (ML, RBC), strict=True)]
    await ledger.pauses.pause(paused, ANN)
    assert await ledger.orders.slice_and_claim(both, new_attempt(), REFERENCE) is None
    callers = [Requester("one"), Requester("two")]
    alone = await ledger.orders.slice_and_claim(both, new_attempt(), REFERENCE, callers)
    claimed_ = [] if alone is None else [one.order.id for one in alone.slices]
    assert claimed_ == ([orders[1].id] if paused == [ML] else [])
    await ledger.pauses.resume(paused, ANN)
    claims = await ledger.orders.slice_and_claim(both[:1], new_attempt(), REFERENCE)
    assert claims is not None


async def test_pauses_are_listed_and_pausing_again_changes_nothing(ledger: Ledger) -> None:
    assert await ledger.pauses.destination_ids("ML") == [ML]
    assert await ledger.pauses.destination_ids("nowhere") == []
    assert await ledger.pauses.pause([ML], ANN)
    assert not await ledger.pauses.pause([ML], PauseOrder("ML", "bob", "so do I"))
    assert await ledger.pauses.pause(ALL, PauseOrder(None, "bob", "lunch"))
    one, other = await ledger.pauses.pauses()
    assert (one.destination_id, one.destination, one.reason, one.paused_by) == (ML, "ML", ANN.reason, "ann")
    assert isinstance(other, Pause)
    assert (other.destination_id, other.destination, other.paused_by) == (None, None, "bob")
    assert not await ledger.pauses.resume([RBC], ANN)
    assert await ledger.pauses.resume(ALL, ANN)
    assert [pause.id for pause in await ledger.pauses.pauses()] == [one.id]
    assert await ledger.pauses.resume([ML], ANN)
    assert not await ledger.pauses.resume([ML], ANN)
    assert await ledger.pauses.pauses() == ()


async def test_what_waits_is_counted_by_destination(ledger: Ledger) -> None:
    await _queued(ledger, await _to(ledger, ML, 3))
    await claimed(ledger.submissions, await _to(ledger, ML, 2))
    retried = await _to(ledger, RBC, 2)
    attempt, _ = await claimed(ledger.submissions, retried)
    outcomes = dict(zip(retried, ("retry", "accepted"), strict=True))
    await ledger.submissions.record(closing(attempt.attempt_id, outcomes, next_action_in_ms=0))
    await _to(ledger, RBC)
    assert await ledger.pauses.waiting(10) == {ML: UnsentCounts(3, 2), RBC: UnsentCounts(1, 0)}
    assert len(await ledger.pauses.waiting(1)) == 1


async def test_what_is_paused_is_parked_until_it_is_resumed(ledger: Ledger) -> None:
    ids = await _to(ledger, ML, 2)
    ticket = await _queued(ledger, ids)
    await ledger.pauses.pause([ML], ANN)
    await ledger.pauses.pause([RBC], ANN)
    (due,) = await _due(ledger)
    assert [(item.state, item.paused) for item in due.items] == [(_S.QUEUED, True)] * 2
    await ledger.submissions.park([ticket], WAIT_MS)
    await ledger.elapse(400)
    assert await _due(ledger) == []
    await ledger.pauses.resume([ML], ANN)
    (again,) = await _due(ledger, "three")
    assert (again.attempt_id, [item.paused for item in again.items]) == (ticket, [False, False])


async def test_nothing_is_parked_that_is_not_paused(ledger: Ledger) -> None:
    ids = await _to(ledger, ML) + await _to(ledger, RBC)
    ticket = await _queued(ledger, ids)
    await _due(ledger)
    for paused in ([], [RBC]):
        if paused:
            await ledger.pauses.pause(paused, ANN)
        await ledger.submissions.park([ticket], WAIT_MS)
        (due,) = await _due(ledger)
        assert [item.paused for item in due.items] == [False, bool(paused)]


async def test_attempts_that_are_parked_together_are_judged_one_by_one(ledger: Ledger) -> None:
    """Paused, not paused, partly paused, and closed in the meantime."""
    here, there = await _queued(ledger, await _to(ledger, ML)), await _queued(ledger, await _to(ledger, RBC))
    both = await _queued(ledger, await _to(ledger, ML) + await _to(ledger, RBC))
    ids = await _to(ledger, ML)
    closed, _ = await claimed(ledger.submissions, ids)
    await ledger.submissions.record(closing(closed.attempt_id, {ids[0]: "accepted"}))
    await ledger.pauses.pause([ML], ANN)
    assert len(await _due(ledger)) == 3
    await ledger.submissions.park([closed.attempt_id, both, there, here], WAIT_MS)
    assert sorted(one.attempt_id for one in await _due(ledger)) == sorted([there, both])
    due_in_s = (await attempt_row(ledger, here)).due_in_s
    assert due_in_s == pytest.approx(WAIT_MS / 1000, abs=10)
    assert (await attempt_row(ledger, closed.attempt_id)).due_in_s is None


async def test_a_closed_attempt_is_not_opened(ledger: Ledger) -> None:
    ids = await _to(ledger, ML)
    attempt, _ = await claimed(ledger.submissions, ids)
    await ledger.submissions.record(closing(attempt.attempt_id, {ids[0]: "accepted"}))
    await ledger.pauses.pause(ALL, ANN)
    await ledger.submissions.park([attempt.attempt_id], WAIT_MS)
    await ledger.pauses.resume(ALL, ANN)
    assert (await attempt_row(ledger, attempt.attempt_id)).due_in_s is None


async def test_work_that_another_process_just_queued_is_found_after_a_pause(ledger: Ledger) -> None:
    """Its writer's claim was refused, so the grace of the writer is of no use."""
    await ledger.pauses.pause(ALL, ANN)
    ticket = new_attempt().attempt_id
    await ledger.reads.enqueue(await _to(ledger, ML), ticket)
    await ledger.pauses.resume(ALL, ANN)
    (due,) = await _due(ledger)
    assert due.attempt_id == ticket


@pytest.mark.parametrize("state", ["retry", "unknown", "claimed"])
async def test_a_time_budget_stands_still_during_a_pause(ledger: Ledger, state: str) -> None:
    """From its beginning, not from when somebody notices; and it goes on when the execution is claimed again."""
    ids = await _to(ledger, ML) + await _to(ledger, RBC)
    attempt, _ = await claimed(ledger.submissions, ids, give_up_after_ms=1_000_000, lease_ms=WAIT_MS * 100)
    if state != "claimed":
        outcomes = dict.fromkeys(ids, state)
        await ledger.submissions.record(closing(attempt.attempt_id, outcomes, next_action_in_ms=0))
    await ledger.elapse(100)
    await ledger.pauses.pause([ML], ANN)
    await ledger.elapse(5000)
    if state != "claimed":
        (due,) = await _due(ledger)
        assert [item.budget_left_s for item in due.items] == [
            pytest.approx(900, abs=10),
            pytest.approx(-4100, abs=10),
        ]
    await ledger.pauses.resume([ML], ANN)
    await ledger.elapse(5000)
    paused, other = [await execution(ledger, i) for i in ids]
    assert (paused.gives_up_in_s, other.budget_ms) == (None, None)
    assert paused.budget_ms == pytest.approx(900_000, abs=10_000)
    assert other.gives_up_in_s == pytest.approx(-9100, abs=20)
    if state == "retry":
        (item,) = (await ledger.submissions.claim(new_attempt(), ids[:1], RECOVERED)).items
        assert item.budget_left_s == pytest.approx(900, abs=10)


async def test_pauses_that_overlap_stop_a_budget_once(ledger: Ledger) -> None:
    ids = await _to(ledger, ML)
    attempt, _ = await claimed(ledger.submissions, ids, give_up_after_ms=1_000_000)
    await ledger.submissions.record(closing(attempt.attempt_id, {ids[0]: "retry"}, next_action_in_ms=0))
    await ledger.pauses.pause(ALL, ANN)
    await ledger.elapse(2000)
    await ledger.pauses.pause([ML], ANN)
    await ledger.elapse(2000)
    await ledger.pauses.resume(ALL, ANN)
    await ledger.elapse(2000)
    (due,) = await _due(ledger)
    (item,) = due.items
    assert item.paused
    assert item.budget_left_s == pytest.approx(1000, abs=10)
    await ledger.pauses.resume([ML], ANN)
    assert (await execution(ledger, ids[0])).budget_ms == pytest.approx(1_000_000, abs=10_000)


async def test_a_budget_that_stops_during_a_pause_stops_at_its_beginning(ledger: Ledger) -> None:
    ids = await _to(ledger, ML)
    attempt, _ = await claimed(ledger.submissions, ids, give_up_after_ms=1_000_000)
    await ledger.submissions.record(closing(attempt.attempt_id, {ids[0]: "retry"}, next_action_in_ms=0))
    await ledger.pauses.pause([ML], ANN)
    await ledger.elapse(5000)
    await ledger.submissions.pause_budgets(attempt.attempt_id)
    assert (await execution(ledger, ids[0])).budget_ms == pytest.approx(1_000_000, abs=10_000)
