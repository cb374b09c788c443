"""OrderStore.slice_and_claim: slices and claims all orders or none, in one step."""

from decimal import Decimal

import msgspec
import pytest

from tests.behaviour.ledger import Ledger, attempt_row, execution, states
from tests.support.attempts import FRESH, closing, new_attempt
from tests.support.trading import new_order
from tests.world.store_rows import REFERENCE
from trade_service.domain.access import Requester
from trade_service.domain.executions import SubmissionState
from trade_service.domain.orders import Submission
from trade_service.submission.downstream import listing_suspicion

_S = SubmissionState
EXACT = "1234567890.12345678"


async def test_what_is_claimed_is_what_is_stored(ledger: Ledger) -> None:
    await ledger.downstream.raise_high_water(1, 7, 70)
    first, second = await ledger.orders.create([new_order(1, EXACT), new_order(2, "10", "sell")])
    submissions = [Submission(second.id, Decimal("9.99"), 3), Submission(first.id, Decimal(EXACT), 1)]
    attempt = new_attempt(counted=False)
    claimed = await ledger.orders.slice_and_claim(submissions, attempt, REFERENCE)
    assert claimed is not None
    for one, item, submission in zip(claimed.slices, claimed.claim.items, submissions, strict=True):
        assert await ledger.reads.get(one.execution.id) == one
        assert await ledger.orders.get(one.order.id) == one.order
        assert (one.execution.submission_state, one.execution.version) == (_S.CLAIMED, 1)
        assert (one.order.quantity_sent, one.order.submitted, one.order.version) == (
            submission.quantity,
            True,
            2,
        )
        assert (item.execution_id, item.quantity) == (one.execution.id, submission.quantity)
        assert (item.security_id, item.limit_price) == (one.order.security_id, Decimal("9.5"))
        assert (item.attempts_spent, item.budget_left_s) == (0, attempt.give_up_after_ms / 1000)
        row = await execution(ledger, item.execution_id)
        assert (row.attempt_id, row.attempts_spent) == (attempt.attempt_id, 0)
        assert row.gives_up_in_s == pytest.approx(3600, abs=5)
    assert [item.trade_type for item in claimed.claim.items] == ["SELL", "BUY"]
    ids = [item.execution_id for item in claimed.claim.items]
    assert ids == sorted(ids)
    assert (claimed.claim.low_water_id, claimed.claim.not_claimed) == (7, ())
    journal = await attempt_row(ledger, attempt.attempt_id)
    assert (journal.state, journal.owner, journal.execution_ids) == ("sent", "one", tuple(ids))
    assert (journal.floor_id, journal.epoch, journal.settle_ms) == (7, 1, 60_000)
    assert journal.lease_in_s == journal.due_in_s == pytest.approx(60, abs=5)


async def test_it_is_claimed_as_by_a_claim(ledger: Ledger) -> None:
    """No other attempt can claim it, its outcome is recorded, and recovery finds it if it is lost."""
    orders = await ledger.orders.create([new_order(1), new_order(2)])
    attempts = [new_attempt(), new_attempt()]
    ids = []
    for order, attempt in zip(orders, attempts, strict=True):
        claimed = await ledger.orders.slice_and_claim(
            [Submission(order.id, Decimal(5), 1)], attempt, REFERENCE
        )
        assert claimed is not None
        assert claimed.claim.items[0].attempts_spent == 1
        ids.append(claimed.claim.items[0].execution_id)
    other = await ledger.submissions.claim(new_attempt(), ids, FRESH)
    assert other.items == ()
    await ledger.submissions.record(closing(attempts[0].attempt_id, {ids[0]: "accepted"}))
    await ledger.elapse(61)
    (due,) = await ledger.submissions.take_due("two", 10, 0, 0)
    assert (due.attempt_id, [item.execution_id for item in due.items]) == (attempts[1].attempt_id, [ids[1]])
    assert await states(ledger, ids) == ["accepted", "unknown"]


async def nothing_written(ledger: Ledger, submissions: list[Submission], **changes: object) -> None:
    before = await ledger.everything()
    assert await ledger.orders.slice_and_claim(submissions, new_attempt(**changes), REFERENCE) is None
    after = await ledger.everything()
    assert after.orders == before.orders
    assert (after.executions, after.attempts) == ({}, {})


@pytest.mark.parametrize("quantity", ["100.00000001", "0", "-1"])
async def test_one_broken_rule_leaves_all_unwritten(ledger: Ledger, quantity: str) -> None:
    first, second = await ledger.orders.create([new_order(1), new_order(2)])
    good, wrong = Submission(first.id, Decimal(1), 1), Submission(second.id, Decimal(quantity), 1)
    await nothing_written(ledger, [good, wrong])
    await nothing_written(ledger, [wrong, good])


@pytest.mark.parametrize(("trade_order_id", "destination_id"), [(999, 1), (0, 1), (2**40, 1), (None, 99)])
async def test_what_does_not_exist_leaves_all_unwritten(
    ledger: Ledger, trade_order_id: int | None, destination_id: int
) -> None:
    first, second = await ledger.orders.create([new_order(1), new_order(2)])
    order_id = second.id if trade_order_id is None else trade_order_id
    await nothing_written(
        ledger, [Submission(first.id, Decimal(1), 1), Submission(order_id, Decimal(1), destination_id)]
    )


async def test_an_unknown_order_type_leaves_all_unwritten(ledger: Ledger) -> None:
    (order,) = await ledger.orders.create([msgspec.structs.replace(new_order(1), order_type="LIMIT")])
    await nothing_written(ledger, [Submission(order.id, Decimal(1), 1)])


async def test_nothing_is_claimed_in_a_ledger_in_doubt_or_of_another_epoch(ledger: Ledger) -> None:
    (order,) = await ledger.orders.create([new_order(1)])
    wish = [Submission(order.id, Decimal(1), 1)]
    await nothing_written(ledger, wish, epoch=2)
    suspicion = listing_suspicion(7, 3)
    await ledger.downstream.suspect(1, suspicion)
    await nothing_written(ledger, wish)
    await ledger.downstream.dismiss(1, suspicion)
    await ledger.downstream.block("restored")
    await nothing_written(ledger, wish)


async def test_with_several_requesters_each_order_stands_alone(ledger: Ledger) -> None:
    first, second = await ledger.orders.create([new_order(1), new_order(2)])
    wishes = [
        Submission(first.id, Decimal(1_000_001), 1),
        Submission(second.id, Decimal(5), 1),
        Submission(99_999, Decimal(5), 1),
        Submission(first.id + second.id + 1_000, Decimal(5), 1),
    ]
    attempt = new_attempt(counted=False)
    claimed = await ledger.orders.slice_and_claim(wishes, attempt, REFERENCE, [Requester()] * 4)
    assert claimed is not None
    (one,) = claimed.slices
    assert one.order.id == second.id
    assert [item.execution_id for item in claimed.claim.items] == [one.execution.id]
    assert (await attempt_row(ledger, attempt.attempt_id)).execution_ids == (one.execution.id,)
    assert (await ledger.orders.get(first.id)).quantity_sent == 0
    bad = [wishes[0], wishes[2]]
    assert await ledger.orders.slice_and_claim(bad, new_attempt(), REFERENCE, [Requester()] * 2) is None
