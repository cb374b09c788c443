"""OperatorStore.requeue: ended executions are reconciled from their first low-water id, then sent."""

from decimal import Decimal

import pytest

from tests.behaviour.ledger import Ledger, attempt_row, evidence, execution, fresh, order_of, states
from tests.support.attempts import RECOVERED, claimed, closing, new_attempt
from trade_service.domain.errors import NotFound, NotRequeueable, QuantityExceeded
from trade_service.domain.executions import QUANTITY_RETURNED, SubmissionState
from trade_service.trading.requeueing import Requeue, Requeued, RequeueFilter

_S = SubmissionState
ALL_SENT, ALL_BACK = (Decimal(10), True), (Decimal(0), False)
ANN = Requeue("ann", "they are open again")


async def ended(ledger: Ledger, ids: list[int], floor_id: int = 7, state: str = "rejected") -> str:
    """Ends executions with one attempt; returns its id."""
    attempt, _ = await claimed(ledger.submissions, ids, floor_id=floor_id)
    await ledger.submissions.record(closing(attempt.attempt_id, dict.fromkeys(ids, state)))
    return attempt.attempt_id


async def requeued(ledger: Ledger, *ids: int, requeue: Requeue = ANN) -> list[Requeued]:
    return await ledger.operators.requeue(ids, requeue)


@pytest.mark.parametrize("state", sorted(QUANTITY_RETURNED))
async def test_a_requeue_retakes_the_quantity_and_looks_the_execution_up(ledger: Ledger, state: str) -> None:
    (execution_id,) = await fresh(ledger)
    await ended(ledger, [execution_id], 7, state)
    await ledger.elapse(1000)
    (result,) = await requeued(ledger, execution_id)
    assert (result.error, result.room) == (None, Decimal(10))
    assert result.ended is not None
    assert (result.ended.state, result.ended.code, result.ended.message) == (state, "CODE", "said so")
    row = await execution(ledger, execution_id)
    assert (row.state, row.attempts_spent, row.gives_up_in_s) == ("unknown", 0, None)
    assert row.budget_ms is None
    assert await order_of(ledger, execution_id) == (*ALL_SENT, 3)
    assert row.attempt_id is not None
    entry = await attempt_row(ledger, row.attempt_id)
    assert (entry.state, entry.kind, entry.code) == ("answered", "requeued", "REQUEUED")
    assert (entry.owner, entry.message, entry.floor_id, entry.settle_ms) == ("ann", ANN.reason, 7, 60_000)
    assert entry.settle_from_in_s == pytest.approx(-1000, abs=10)
    (kept,) = await evidence(ledger)
    assert (kept.code, kept.actor, kept.message) == ("REQUEUED", "ann", ANN.reason)
    assert (kept.state_before, kept.state, kept.attempt_id) == (state, "unknown", row.attempt_id)

    (due,) = await ledger.submissions.take_due("two", 10, 0, 0)
    assert (due.attempt_id, due.requeued, due.settled, due.low_water_id) == (row.attempt_id, True, True, 7)
    assert [(item.execution_id, item.state, item.attempts_spent) for item in due.items] == [
        (execution_id, _S.UNKNOWN, 0)
    ]
    absent = closing(due.attempt_id, {execution_id: "retry"}, _S.UNKNOWN, next_action_in_ms=0)
    await ledger.submissions.record(absent)
    claim = await ledger.submissions.claim(new_attempt(), [execution_id], RECOVERED)
    (item,) = claim.items
    assert item.attempts_spent == 1
    assert item.budget_left_s == pytest.approx(3600, abs=10)


async def test_the_floor_is_that_of_the_first_attempt(ledger: Ledger) -> None:
    first, second = await fresh(ledger, 2)
    await ended(ledger, [first], 7)
    await ended(ledger, [second], 9)
    for floor_id in (20, 30):
        await ledger.change_execution(first, state="none")
        await ended(ledger, [first], floor_id)
    await requeued(ledger, second, first)
    floors = {
        i: (await attempt_row(ledger, str((await execution(ledger, i)).attempt_id))).floor_id
        for i in (first, second)
    }
    assert floors == {first: 7, second: 9}


async def test_a_requeue_keeps_the_epoch_of_the_attempts(ledger: Ledger) -> None:
    (execution_id,) = await fresh(ledger)
    attempt, _ = await claimed(ledger.submissions, [execution_id])
    await ledger.downstream.begin_epoch(1, "http://new", 3, None)
    await ledger.submissions.record(closing(attempt.attempt_id, {execution_id: "rejected"}))
    (later,) = await fresh(ledger)
    await ended(ledger, [later])
    planned = await requeued(ledger, execution_id, later, 4711, requeue=Requeue("ann", "why", dry_run=True))
    assert [one.may_need_person for one in planned] == [True, False, False]
    await requeued(ledger, execution_id)
    (due,) = await ledger.submissions.take_due("two", 10, 0, 0)
    assert due.epoch < (await ledger.downstream.read()).epoch


async def test_a_dry_run_changes_nothing(ledger: Ledger) -> None:
    ids = await fresh(ledger, 2)
    await ended(ledger, ids)
    before = (await ledger.everything()).executions
    results = await requeued(ledger, *ids, requeue=Requeue("ann", "why", dry_run=True))
    assert [(one.execution_id, one.error) for one in results] == [(i, None) for i in ids]
    assert [row.state for row in before.values()] == await states(ledger, ids)
    assert await order_of(ledger, ids[0]) == (*ALL_BACK, 2)
    assert await evidence(ledger) == ()


async def test_the_lowest_ids_get_the_quantity_left_in_their_order(ledger: Ledger) -> None:
    (order_id,) = await ledger.add_orders(1, quantity=40)
    ids = await ledger.add_pieces([order_id], 4)
    await ended(ledger, ids)
    await ledger.change_order(order_id, quantity_sent=Decimal(15), submitted=False)
    results = await requeued(ledger, *reversed(ids))
    assert [one.execution_id for one in results] == ids
    assert [one.room for one in results] == [Decimal(room) for room in (25, 15, 5, 5)]
    assert [type(one.error) for one in results] == [type(None)] * 2 + [QuantityExceeded] * 2
    assert await states(ledger, ids) == ["unknown", "unknown", "rejected", "rejected"]
    assert await order_of(ledger, ids[0]) == (Decimal(35), False, 3)


@pytest.mark.parametrize("state", sorted(set(SubmissionState) - QUANTITY_RETURNED))
async def test_only_rejected_and_exhausted_executions_are_requeued(
    ledger: Ledger, state: SubmissionState
) -> None:
    ids = await fresh(ledger, 2)
    await ended(ledger, ids)
    await ledger.change_execution(ids[0], state=state)
    refused, done, missing = await requeued(ledger, *ids, 4711)
    assert isinstance(refused.error, NotRequeueable)
    assert f"is {state}" in refused.error.message
    assert done.error is None
    assert isinstance(missing.error, NotFound)
    assert await states(ledger, ids) == [state, "unknown"]


async def test_a_second_requeue_is_refused(ledger: Ledger) -> None:
    (execution_id,) = await fresh(ledger)
    await ended(ledger, [execution_id])
    await requeued(ledger, execution_id)
    (again,) = await requeued(ledger, execution_id)
    assert isinstance(again.error, NotRequeueable)
    assert await order_of(ledger, execution_id) == (*ALL_SENT, 3)
    assert len(await evidence(ledger)) == 1


async def test_a_requeued_execution_that_was_accepted_is_not_sent(ledger: Ledger) -> None:
    (execution_id,) = await fresh(ledger)
    await ended(ledger, [execution_id])
    await requeued(ledger, execution_id)
    (due,) = await ledger.submissions.take_due("two", 10, 0, 0)
    await ledger.submissions.record(closing(due.attempt_id, {execution_id: "accepted"}, _S.UNKNOWN))
    assert (await execution(ledger, execution_id)).service_id == 1000 + execution_id
    assert await order_of(ledger, execution_id) == (*ALL_SENT, 3)
    assert (await attempt_row(ledger, due.attempt_id)).due_in_s is None


async def test_ended_executions_are_found_by_filter(ledger: Ledger) -> None:
    ids = await fresh(ledger, 4)
    await ended(ledger, ids[:2])
    await ended(ledger, ids[2:3], state="exhausted")
    await ended(ledger, ids[3:], state="accepted")
    everything = await ledger.everything()
    order_id = everything.orders[everything.executions[ids[1]].order_id].order_id

    async def found(limit: int = 9, **wanted: object) -> list[int]:
        return await ledger.operators.find_failed(RequeueFilter(**wanted), limit)  # type: ignore[arg-type]

    assert await found() == ids[:3]
    assert await found(2) == ids[:2]
    assert await found(states=(_S.EXHAUSTED,)) == ids[2:3]
    assert await found(order_ids=[order_id]) == ids[1:2]
    assert await found(codes=["CODE"]) == ids[:3]
    assert await found(codes=["OTHER"]) == []
    row = (await ledger.everything()).attempts
    message = next(iter(row.values())).findings[0][3]
    assert await found(messages=[message]) == ids[:3]
    assert await found(messages=["other"]) == []
    assert await found(destinations=["ML"]) == ids[:3]
    assert await found(destinations=["RBC"]) == []
