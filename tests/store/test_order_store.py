"""Trade orders, executions and reference data on PostgreSQL."""

import asyncio
from decimal import Decimal

import msgspec
import pytest

from tests.support.trading import (
    MOMENT,
    counted_statements,
    new_order,
    run_sql,
    ticket,
    value_of,
    written,
)
from trade_service.domain.errors import (
    AlreadyExists,
    NotFound,
    QuantityExceeded,
)
from trade_service.domain.executions import SubmissionState
from trade_service.domain.orders import NewTradeOrder, Submission
from trade_service.domain.reference import Blotter, Destination, ReferenceData
from trade_service.store.database import Database
from trade_service.store.execution_reads import PostgresExecutionReads
from trade_service.store.order_store import PostgresOrderStore
from trade_service.trading.model import StoredExecution
from trade_service.trading.ports import StaleReference

EXACT = "1234567890.12345678"


async def test_reference_data_comes_by_id(reference: ReferenceData) -> None:
    assert reference.blotters[2] == Blotter(2, "EQ", "Equity", 1)
    assert reference.destinations[6] == Destination(6, "POSIT", "Posit", 1)
    assert list(reference.trade_types) == [1, 2, 3, 4, 5]
    sent = reference.statuses_by_name.get("SENT")
    assert sent is not None
    assert sent.id == 2


async def test_created_orders_come_back_exactly_and_without_padding(store: PostgresOrderStore) -> None:
    new = [new_order(9, EXACT), msgspec.structs.replace(new_order(3), limit_price=None, blotter_id=None)]
    created = await store.create(new)
    for wanted, order in zip(new, created, strict=True):
        for field in NewTradeOrder.__struct_fields__:
            assert getattr(order, field) == getattr(wanted, field), field
        assert (order.quantity_sent, order.submitted, order.version) == (Decimal(0), False, 1)
        assert await store.get(order.id) == order


async def test_an_order_without_timestamp_gets_the_present_one(store: PostgresOrderStore) -> None:
    (order,) = await store.create([msgspec.structs.replace(new_order(1), trade_timestamp=None)])
    assert order.trade_timestamp > MOMENT


@pytest.mark.parametrize(("ids", "index"), [([5, 6, 1], 2), ([1, 5, 6], 0), ([5, 6, 5], 2)])
async def test_a_taken_order_id_refuses_all(store: PostgresOrderStore, ids: list[int], index: int) -> None:
    await store.create([new_order(1)])
    with pytest.raises(AlreadyExists) as refused:
        await store.create([new_order(order_id) for order_id in ids])
    assert refused.value.details["index"] == index
    (five,) = await store.create([new_order(5)])
    assert five.order_id == 5


async def test_callers_with_the_same_orders_do_not_deadlock(store: PostgresOrderStore) -> None:
    new = [new_order(order_id) for order_id in range(200)]
    answers = await asyncio.gather(
        *(store.create(new if turn % 2 else new[::-1]) for turn in range(6)), return_exceptions=True
    )
    assert sum(isinstance(answer, list) for answer in answers) == 1
    assert sum(isinstance(answer, AlreadyExists) for answer in answers) == 5


@pytest.mark.parametrize("trade_order_id", [0, -1, 999, 2**31, 2**70])
async def test_an_unknown_order_is_not_found(store: PostgresOrderStore, trade_order_id: int) -> None:
    with pytest.raises(NotFound):
        await store.get(trade_order_id)


async def test_slices_are_stored_as_they_were_made(
    database: Database,
    store: PostgresOrderStore,
    reads: PostgresExecutionReads,
    reference: ReferenceData,
) -> None:
    first, second = await store.create([new_order(1, EXACT), new_order(2, "10")])
    queued_attempt_id = ticket()
    submissions = [Submission(second.id, Decimal("9.99"), 3), Submission(first.id, Decimal(EXACT), 1)]
    answers = written(await store.submit(submissions, queued_attempt_id, reference))
    for answer, submission in zip(answers, submissions, strict=True):
        execution, order = answer.execution, answer.order
        assert await reads.get(execution.id) == answer
        assert (execution.quantity_ordered, order.quantity_sent) == (submission.quantity, submission.quantity)
        assert (execution.destination_id, execution.limit_price) == (
            submission.destination_id,
            Decimal("9.5"),
        )
        assert (execution.blotter_id, execution.trade_type_id, execution.execution_status_id) == (2, 1, 1)
        assert execution.submission_state is SubmissionState.QUEUED
        assert (order.submitted, order.version) == (True, 2)
    ids = [answer.execution.id for answer in answers]
    assert ids == sorted(ids)
    due = (
        "SELECT execution_ids FROM submission_attempt WHERE id = :id AND state = 'queued' AND owner = 'test'"
    )
    due += " AND next_action_at BETWEEN now() + interval '1 s' AND now() + interval '5 s'"
    assert await value_of(database, due, id=queued_attempt_id) == ids


async def test_one_refusal_leaves_the_others_alone(
    database: Database, store: PostgresOrderStore, reference: ReferenceData
) -> None:
    orders = await store.create([new_order(1), new_order(2), new_order(3, order_type="HOLD")])
    submissions = [
        Submission(orders[0].id, Decimal("100.00000001"), 1),
        Submission(2**40, Decimal(1), 1),
        Submission(orders[1].id, Decimal(1), 99),
        Submission(orders[2].id, Decimal(1), 1),
    ]
    answers = await store.submit(submissions, ticket(), reference)
    assert [type(answer).__name__ for answer in answers] == [
        "QuantityExceeded",
        "NotFound",
        "InvalidInput",
        "UnknownOrderType",
    ]
    assert await value_of(database, "SELECT count(*) FROM execution") == 0
    assert await value_of(database, "SELECT count(*) FROM submission_attempt") == 0
    submissions[0] = Submission(orders[0].id, Decimal(100), 1)
    assert isinstance((await store.submit(submissions, ticket(), reference))[0], StoredExecution)
    assert await value_of(database, "SELECT sum(quantity_sent) FROM trade_order") == 100


async def test_without_a_queued_attempt_nothing_is_sent_until_it_is_enqueued(
    database: Database,
    store: PostgresOrderStore,
    reads: PostgresExecutionReads,
    reference: ReferenceData,
) -> None:
    (order,) = await store.create([new_order(1)])
    (answer,) = written(await store.submit([Submission(order.id, Decimal(1), 1)], None, reference))
    execution_id = answer.execution.id
    assert answer.execution.submission_state is SubmissionState.NONE
    assert await value_of(database, "SELECT count(*) FROM submission_attempt") == 0
    for _ in range(2):
        await reads.enqueue([execution_id, 999], ticket())
        assert (await reads.get(execution_id)).execution.submission_state is SubmissionState.QUEUED
        assert await value_of(database, "SELECT array_agg(execution_ids) FROM submission_attempt") == [
            [execution_id]
        ]


async def test_fifty_submissions_of_one_order_never_exceed_it(
    database: Database, store: PostgresOrderStore, reference: ReferenceData
) -> None:
    (order,) = await store.create([new_order(1, "100")])
    answers = await asyncio.gather(
        *(store.submit([Submission(order.id, Decimal("7.5"), 1)], ticket(), reference) for _ in range(50))
    )
    sliced = [one for (one,) in answers if isinstance(one, StoredExecution)]
    assert len(sliced) == 13
    assert sum(isinstance(one, QuantityExceeded) for (one,) in answers) == 37
    assert (await store.get(order.id)).quantity_sent == Decimal("97.5")
    assert await value_of(database, "SELECT sum(quantity_ordered) FROM execution") == Decimal("97.5")


async def test_overlapping_batches_in_any_order_do_not_deadlock(
    store: PostgresOrderStore, reference: ReferenceData
) -> None:
    orders = await store.create([new_order(order_id) for order_id in range(100)])
    submissions = [Submission(order.id, Decimal(1), 1) for order in orders]
    turns = [submissions, submissions[::-1], submissions[50:] + submissions[:50], submissions[::2]] * 2
    answers = await asyncio.gather(*(store.submit(turn, ticket(), reference) for turn in turns))
    assert sum(len(written(answer)) for answer in answers) == 700


async def test_a_vanished_destination_is_a_stale_reference_and_nothing_is_written(
    database: Database, store: PostgresOrderStore, reference: ReferenceData
) -> None:
    orders = await store.create([new_order(1), new_order(2)])
    await run_sql(database, "DELETE FROM destination WHERE id = 6")
    submissions = [Submission(orders[0].id, Decimal(1), 1), Submission(orders[1].id, Decimal(1), 6)]
    with pytest.raises(StaleReference):
        await store.submit(submissions, ticket(), reference)
    assert await value_of(database, "SELECT sum(quantity_sent) FROM trade_order") == 0
    with pytest.raises(StaleReference):
        await store.create([msgspec.structs.replace(new_order(3), blotter_id=77)])


@pytest.mark.parametrize("size", [1, 100])
async def test_a_batch_is_sliced_in_four_statements(
    database: Database, store: PostgresOrderStore, reference: ReferenceData, size: int
) -> None:
    orders = await store.create([new_order(order_id) for order_id in range(size)])
    submissions = [Submission(order.id, Decimal(1), 1) for order in orders]
    await store.submit(submissions, ticket(), reference)
    async with counted_statements(database) as statements:
        await store.submit(submissions, ticket(), reference)
    assert len(statements) == 4, statements
    assert sum(statement.startswith("BEGIN") for statement in statements) == 1
    assert statements[-1] == "COMMIT;"
