"""OrderStore and ExecutionReads: slicing orders, queueing executions, and fills."""

from collections.abc import Sequence
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
from tests.support.attempts import claimed, closing, new_attempt
from tests.support.rows import PART
from tests.support.trading import MOMENT, new_order
from tests.world.store_rows import REFERENCE
from trade_service.domain.errors import (
    AlreadyExists,
    DomainError,
    InvalidInput,
    NotFound,
    VersionConflict,
)
from trade_service.domain.executions import SubmissionState
from trade_service.domain.orders import NewTradeOrder, Submission
from trade_service.domain.reference import Destination
from trade_service.trading.model import StoredExecution

_S = SubmissionState
EXACT = "1234567890.12345678"


def _ticket() -> str:
    return new_attempt().attempt_id


def _written(answers: Sequence[StoredExecution | DomainError]) -> list[StoredExecution]:
    assert all(isinstance(answer, StoredExecution) for answer in answers), answers
    return [answer for answer in answers if isinstance(answer, StoredExecution)]


async def test_created_orders_come_back_exactly_and_without_padding(ledger: Ledger) -> None:
    new = [new_order(9, EXACT), msgspec.structs.replace(new_order(3), limit_price=None, blotter_id=None)]
    created = await ledger.orders.create(new)
    for wanted, order in zip(new, created, strict=True):
        for field in NewTradeOrder.__struct_fields__:
            assert getattr(order, field) == getattr(wanted, field), field
        assert (order.quantity_sent, order.submitted, order.version) == (Decimal(0), False, 1)
        assert await ledger.orders.get(order.id) == order


async def test_an_order_without_timestamp_gets_the_present_one(ledger: Ledger) -> None:
    (order,) = await ledger.orders.create([msgspec.structs.replace(new_order(1), trade_timestamp=None)])
    await ledger.elapse(0)
    assert order.trade_timestamp.tzinfo is not None
    assert order.trade_timestamp != MOMENT


@pytest.mark.parametrize(("ids", "index"), [([5, 6, 1], 2), ([1, 5, 6], 0), ([5, 6, 5], 2)])
async def test_a_taken_order_id_refuses_all(ledger: Ledger, ids: list[int], index: int) -> None:
    await ledger.orders.create([new_order(1)])
    with pytest.raises(AlreadyExists) as refused:
        await ledger.orders.create([new_order(order_id) for order_id in ids])
    assert (refused.value.details["index"], refused.value.details["value"]) == (index, ids[index])
    (five,) = await ledger.orders.create([new_order(5)])
    assert five.order_id == 5


@pytest.mark.parametrize("trade_order_id", [0, -1, 999, 2**31, 2**70])
async def test_an_unknown_order_is_not_found(ledger: Ledger, trade_order_id: int) -> None:
    with pytest.raises(NotFound):
        await ledger.orders.get(trade_order_id)


async def test_what_is_cut_is_what_is_stored(ledger: Ledger) -> None:
    first, second = await ledger.orders.create([new_order(1, EXACT), new_order(2, "10")])
    queued_attempt_id = _ticket()
    submissions = [Submission(second.id, Decimal("9.99"), 3), Submission(first.id, Decimal(EXACT), 1)]
    answers = _written(await ledger.orders.submit(submissions, queued_attempt_id, REFERENCE))
    for answer, submission in zip(answers, submissions, strict=True):
        cut, order = answer.execution, answer.order
        assert await ledger.reads.get(cut.id) == answer
        assert await ledger.orders.get(order.id) == order
        assert (cut.quantity_ordered, order.quantity_sent) == (submission.quantity, submission.quantity)
        assert (cut.quantity_placed, cut.quantity_filled) == (Decimal(0), Decimal(0))
        assert (cut.destination_id, cut.limit_price) == (submission.destination_id, Decimal("9.5"))
        assert (cut.blotter_id, cut.trade_type_id, cut.execution_status_id) == (2, 1, 1)
        assert (cut.submission_state, cut.version) == (_S.QUEUED, 1)
        assert (order.submitted, order.version) == (True, 2)
    ids = [answer.execution.id for answer in answers]
    assert ids == sorted(ids)
    assert await ledger.orders.executions([*ids, 999, 2**40]) == {a.execution.id: a for a in answers}
    ticket = await attempt_row(ledger, queued_attempt_id)
    assert (ticket.state, ticket.owner, ticket.execution_ids) == ("queued", "one", tuple(ids))
    assert (await execution(ledger, ids[0])).attempt_id == queued_attempt_id


async def test_one_refusal_leaves_the_others_alone(ledger: Ledger) -> None:
    orders = await ledger.orders.create([new_order(1), new_order(2), new_order(3, order_type="HOLD")])
    wishes = [
        Submission(orders[0].id, Decimal("100.00000001"), 1),
        Submission(2**40, Decimal(1), 1),
        Submission(orders[1].id, Decimal(1), 99),
        Submission(orders[2].id, Decimal(1), 1),
        Submission(999, Decimal(1), 1),
    ]
    refused = ["QuantityExceeded", "NotFound", "InvalidInput", "UnknownOrderType", "NotFound"]
    before = await ledger.everything()
    answers = await ledger.orders.submit(wishes, _ticket(), REFERENCE)
    assert [type(answer).__name__ for answer in answers] == refused
    assert await ledger.everything() == before
    wishes[0] = Submission(orders[0].id, Decimal(100), 1)
    mixed = await ledger.orders.submit(wishes, _ticket(), REFERENCE)
    assert [type(answer).__name__ for answer in mixed] == ["StoredExecution", *refused[1:]]
    after = await ledger.everything()
    assert len(after.executions) == len(after.attempts) == 1
    assert [order.quantity_sent for _, order in sorted(after.orders.items())] == [100, 0, 0]


async def test_a_cut_that_breaks_down_writes_nothing(ledger: Ledger) -> None:
    orders = await ledger.orders.create([new_order(1), new_order(2)])
    before = await ledger.everything()

    class Broken(dict[int, Destination]):
        def __contains__(self, destination_id: object) -> bool:
            if destination_id == 2:
                raise RuntimeError("a mistake in the rules")
            return super().__contains__(destination_id)

    broken = msgspec.structs.replace(REFERENCE, destinations=Broken(REFERENCE.destinations))
    wishes = [Submission(order.id, Decimal(1), number) for number, order in enumerate(orders, 1)]
    with pytest.raises(RuntimeError):
        await ledger.orders.submit(wishes, _ticket(), broken)
    assert await ledger.everything() == before


async def test_an_order_is_cut_until_nothing_is_left(ledger: Ledger) -> None:
    (order,) = await ledger.orders.create([new_order(1, "20")])
    answers = [
        (await ledger.orders.submit([Submission(order.id, Decimal("7.5"), 1)], _ticket(), REFERENCE))[0]
        for _ in range(3)
    ]
    assert [type(answer).__name__ for answer in answers] == ["StoredExecution"] * 2 + ["QuantityExceeded"]
    kept = await ledger.orders.get(order.id)
    assert (kept.quantity_sent, kept.submitted, kept.version) == (Decimal(15), False, 3)


async def test_without_a_ticket_nothing_is_to_be_sent_until_it_is_enqueued(ledger: Ledger) -> None:
    (order,) = await ledger.orders.create([new_order(1)])
    (answer,) = _written(await ledger.orders.submit([Submission(order.id, Decimal(1), 1)], None, REFERENCE))
    execution_id = answer.execution.id
    assert answer.execution.submission_state is _S.NONE
    assert (await execution(ledger, execution_id)).attempt_id is None
    assert await attempt_ids(ledger) == []
    queued_attempt_id = _ticket()
    for other in (queued_attempt_id, _ticket()):
        await ledger.reads.enqueue([execution_id, 999, execution_id], other)
        row = await execution(ledger, execution_id)
        assert (row.state, row.attempt_id, row.version) == ("queued", queued_attempt_id, 1)
        assert await attempt_ids(ledger) == [queued_attempt_id]
    ticket = await attempt_row(ledger, queued_attempt_id)
    assert (ticket.state, ticket.owner, ticket.execution_ids) == ("queued", "one", (execution_id,))
    assert ticket.due_in_s == pytest.approx(5, abs=5)


@pytest.mark.parametrize("state", [None, *sorted(set(SubmissionState) - {_S.NONE})])
async def test_only_what_was_never_submitted_is_enqueued(
    ledger: Ledger, state: SubmissionState | None
) -> None:
    (other,) = await fresh(ledger, 1, state)
    (ours,) = await fresh(ledger)
    before = await execution(ledger, other)
    queued_attempt_id = _ticket()
    await ledger.reads.enqueue([other, ours], queued_attempt_id)
    assert await execution(ledger, other) == before
    assert (await attempt_row(ledger, queued_attempt_id)).execution_ids == (ours,)


@pytest.mark.parametrize("sent", [{"service_id": 5}, {"placed": Decimal(1)}])
async def test_what_the_earlier_service_sent_meanwhile_is_not_enqueued(
    ledger: Ledger, sent: dict[str, object]
) -> None:
    (execution_id,) = await fresh(ledger)
    await ledger.change_execution(execution_id, **sent)
    await ledger.reads.enqueue([execution_id], _ticket())
    assert await states(ledger, [execution_id]) == ["none"]
    assert await attempt_ids(ledger) == []


async def test_a_fill_after_the_quantity_was_used_otherwise_overruns_the_order(ledger: Ledger) -> None:
    ids = await fresh(ledger)
    attempt, _ = await claimed(ledger.submissions, ids)
    await ledger.submissions.record(closing(attempt.attempt_id, {ids[0]: "rejected"}))
    order_id = (await execution(ledger, ids[0])).order_id
    await ledger.orders.submit([Submission(order_id, Decimal(10), 1)], _ticket(), REFERENCE)
    filled = await report_fill(ledger, ids[0], PART, Decimal(1), 1)
    assert filled.state_before is _S.REJECTED
    assert (filled.stored.order.quantity_sent, filled.stored.order.quantity) == (Decimal(20), Decimal(10))
    assert await order_of(ledger, ids[0]) == (Decimal(20), True, 4)


async def test_a_fill_wakes_a_closed_attempt_whose_execution_has_no_id_yet(ledger: Ledger) -> None:
    nameless, named, open_ = await fresh(ledger, 3)
    attempts = {}
    for execution_id in (nameless, named, open_):
        attempt, _ = await claimed(ledger.submissions, [execution_id])
        attempts[execution_id] = attempt.attempt_id
    await ledger.submissions.record(closing(attempts[nameless], {nameless: "rejected"}))
    await ledger.submissions.record(closing(attempts[named], {named: "accepted"}))
    due_in_s = []
    for execution_id in (nameless, named, open_):
        version = (await execution(ledger, execution_id)).version
        await report_fill(ledger, execution_id, PART, Decimal(1), version)
        due_in_s.append((await attempt_row(ledger, attempts[execution_id])).due_in_s)
    assert due_in_s[0] == pytest.approx(0, abs=10)
    assert due_in_s[1] is None
    assert due_in_s[2] == pytest.approx(60, abs=10)
    (due,) = await ledger.submissions.take_due("two", 10, 0, 0)
    assert [(item.execution_id, item.state) for item in due.items] == [(nameless, _S.ACCEPTED)]


async def test_impossible_fills_change_nothing(ledger: Ledger) -> None:
    (execution_id,) = await fresh(ledger, 1, "accepted")
    before = await ledger.everything()
    for version in (2, 0, -1, 2**40):
        with pytest.raises(VersionConflict) as conflict:
            await report_fill(ledger, execution_id, PART, Decimal(1), version)
        assert (conflict.value.details["given"], conflict.value.details["current"]) == (version, 1)
    with pytest.raises(VersionConflict):
        await report_fill(ledger, execution_id, PART, Decimal(11), 2)
    with pytest.raises(InvalidInput, match="above the quantity ordered, 10"):
        await report_fill(ledger, execution_id, PART, Decimal("10.00000001"), 1)
    with pytest.raises(InvalidInput, match="negative"):
        await report_fill(ledger, execution_id, PART, Decimal(-1), 1)
    for unknown in (999, 2**31):
        with pytest.raises(NotFound):
            await report_fill(ledger, unknown, PART, Decimal(1), 1)
        with pytest.raises(NotFound):
            await ledger.reads.get(unknown)
    assert await ledger.everything() == before
    whole = await report_fill(ledger, execution_id, PART, Decimal(10), 1)
    assert whole.stored.execution.quantity_filled == 10


async def test_an_old_row_shows_what_it_proves(ledger: Ledger) -> None:
    (execution_id,) = await fresh(ledger, 1, None)
    for proof, nothing in (
        ({"service_id": 5}, {"service_id": None}),
        ({"placed": Decimal(1)}, {"placed": Decimal(0)}),
        ({"status_id": 2}, {"status_id": 1}),
    ):
        assert (await ledger.reads.get(execution_id)).execution.submission_state is _S.UNKNOWN
        await ledger.change_execution(execution_id, **proof)
        assert (await ledger.reads.get(execution_id)).execution.submission_state is _S.ACCEPTED
        await ledger.change_execution(execution_id, **nothing)
