"""Trade orders, executions and reference data on PostgreSQL."""

import asyncio
from collections.abc import Sequence
from decimal import Decimal

import msgspec
import pytest

from tests.support.trading import MOMENT, OWNER, counted_statements, new_order, run_sql, value_of
from trade_service.domain.errors import (
    AlreadyExists,
    DomainError,
    FillOfUnsent,
    InvalidInput,
    NotFound,
    QuantityExceeded,
    VersionConflict,
)
from trade_service.domain.executions import SubmissionState
from trade_service.domain.orders import NewTradeOrder, Submission
from trade_service.domain.reference import Blotter, Destination, ReferenceData
from trade_service.store.database import Database
from trade_service.store.execution_reads import PostgresExecutionReads
from trade_service.store.order_store import PostgresOrderStore
from trade_service.store.reference_store import PostgresReferenceReads
from trade_service.submission.clock import SystemClock
from trade_service.trading.model import BlotterLine, StoredExecution
from trade_service.trading.ports import StaleReference
from trade_service.trading.slicing import slicer

EXACT = "1234567890.12345678"


@pytest.fixture
async def reference(database: Database) -> ReferenceData:
    return await PostgresReferenceReads(database).load()


@pytest.fixture
def store(database: Database) -> PostgresOrderStore:
    return PostgresOrderStore(database, OWNER)


@pytest.fixture
def reads(database: Database) -> PostgresExecutionReads:
    return PostgresExecutionReads(database, OWNER, 60_000)


def ticket() -> str:
    return SystemClock().new_attempt_id()


def written(answers: Sequence[StoredExecution | DomainError]) -> list[StoredExecution]:
    assert all(isinstance(answer, StoredExecution) for answer in answers), answers
    return [answer for answer in answers if isinstance(answer, StoredExecution)]


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


async def test_what_is_cut_is_what_is_stored(
    database: Database,
    store: PostgresOrderStore,
    reads: PostgresExecutionReads,
    reference: ReferenceData,
) -> None:
    first, second = await store.create([new_order(1, EXACT), new_order(2, "10")])
    queued_attempt_id = ticket()
    submissions = [Submission(second.id, Decimal("9.99"), 3), Submission(first.id, Decimal(EXACT), 1)]
    answers = written(await store.submit(submissions, queued_attempt_id, slicer(reference)))
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
    wishes = [
        Submission(orders[0].id, Decimal("100.00000001"), 1),
        Submission(2**40, Decimal(1), 1),
        Submission(orders[1].id, Decimal(1), 99),
        Submission(orders[2].id, Decimal(1), 1),
    ]
    answers = await store.submit(wishes, ticket(), slicer(reference))
    assert [type(answer).__name__ for answer in answers] == [
        "QuantityExceeded",
        "NotFound",
        "InvalidInput",
        "UnknownOrderType",
    ]
    assert await value_of(database, "SELECT count(*) FROM execution") == 0
    assert await value_of(database, "SELECT count(*) FROM submission_attempt") == 0
    wishes[0] = Submission(orders[0].id, Decimal(100), 1)
    assert isinstance((await store.submit(wishes, ticket(), slicer(reference)))[0], StoredExecution)
    assert await value_of(database, "SELECT sum(quantity_sent) FROM trade_order") == 100


async def test_without_a_ticket_nothing_is_to_be_sent_until_it_is_enqueued(
    database: Database,
    store: PostgresOrderStore,
    reads: PostgresExecutionReads,
    reference: ReferenceData,
) -> None:
    (order,) = await store.create([new_order(1)])
    (answer,) = written(await store.submit([Submission(order.id, Decimal(1), 1)], None, slicer(reference)))
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
    cut = slicer(reference)
    answers = await asyncio.gather(
        *(store.submit([Submission(order.id, Decimal("7.5"), 1)], ticket(), cut) for _ in range(50))
    )
    cut_from = [one for (one,) in answers if isinstance(one, StoredExecution)]
    assert len(cut_from) == 13
    assert sum(isinstance(one, QuantityExceeded) for (one,) in answers) == 37
    assert (await store.get(order.id)).quantity_sent == Decimal("97.5")
    assert await value_of(database, "SELECT sum(quantity_ordered) FROM execution") == Decimal("97.5")


async def test_overlapping_batches_in_any_order_do_not_deadlock(
    store: PostgresOrderStore, reference: ReferenceData
) -> None:
    orders = await store.create([new_order(order_id) for order_id in range(100)])
    wishes = [Submission(order.id, Decimal(1), 1) for order in orders]
    turns = [wishes, wishes[::-1], wishes[50:] + wishes[:50], wishes[::2]] * 2
    answers = await asyncio.gather(*(store.submit(turn, ticket(), slicer(reference)) for turn in turns))
    assert sum(len(written(answer)) for answer in answers) == 700


async def test_a_destination_that_vanished_is_told_apart_and_nothing_is_written(
    database: Database, store: PostgresOrderStore, reference: ReferenceData
) -> None:
    orders = await store.create([new_order(1), new_order(2)])
    await run_sql(database, "DELETE FROM destination WHERE id = 6")
    wishes = [Submission(orders[0].id, Decimal(1), 1), Submission(orders[1].id, Decimal(1), 6)]
    with pytest.raises(StaleReference):
        await store.submit(wishes, ticket(), slicer(reference))
    assert await value_of(database, "SELECT sum(quantity_sent) FROM trade_order") == 0
    with pytest.raises(StaleReference):
        await store.create([msgspec.structs.replace(new_order(3), blotter_id=77)])


@pytest.mark.parametrize("size", [1, 100])
async def test_a_batch_is_cut_in_four_statements(
    database: Database, store: PostgresOrderStore, reference: ReferenceData, size: int
) -> None:
    orders = await store.create([new_order(order_id) for order_id in range(size)])
    wishes = [Submission(order.id, Decimal(1), 1) for order in orders]
    await store.submit(wishes, ticket(), slicer(reference))
    async with counted_statements(database) as statements:
        await store.submit(wishes, ticket(), slicer(reference))
    assert len(statements) == 4, statements
    assert sum(statement.startswith("BEGIN") for statement in statements) == 1
    assert statements[-1] == "COMMIT;"


async def test_placing_again_takes_up_what_is_there(
    database: Database, store: PostgresOrderStore, reference: ReferenceData
) -> None:
    lines = [BlotterLine(2 + i, new_order(i), 1) for i in range(10)]
    cut = slicer(reference)
    first = await store.place(lines[:6], ticket(), cut)
    assert [line.new for line in first] == [True] * 6
    again = await store.place(lines, ticket(), cut)
    assert [line.new for line in again] == [False] * 6 + [True] * 4
    assert [line.execution_ids for line in again[:6]] == [line.execution_ids for line in first]
    assert all(len(line.execution_ids) == 1 for line in again)
    assert await store.place(lines, ticket(), cut) == [
        msgspec.structs.replace(line, new=False) for line in again
    ]
    assert await value_of(database, "SELECT count(*) FROM execution") == 10


async def test_placing_cuts_what_is_left_and_passes_over_what_was_refused(
    database: Database, store: PostgresOrderStore, reference: ReferenceData
) -> None:
    cut = slicer(reference)
    part, back = await store.create([new_order(1, "100"), new_order(2, "50")])
    wishes = [Submission(part.id, Decimal(40), 1), Submission(back.id, Decimal(50), 1)]
    held, rejected = written(await store.submit(wishes, ticket(), cut))
    await run_sql(
        database,
        "UPDATE execution SET submission_state = 'rejected' WHERE id = :id",
        id=rejected.execution.id,
    )
    await run_sql(
        database, "UPDATE trade_order SET quantity_sent = 0, submitted = false WHERE id = :id", id=back.id
    )
    lines = [BlotterLine(1, new_order(1, "100"), 2), BlotterLine(2, new_order(2, "50"), 2)]
    one, two = await store.place(lines, ticket(), cut)
    assert one.execution_ids[0] == held.execution.id
    assert len(one.execution_ids) == 2
    assert rejected.execution.id not in two.execution_ids
    assert await value_of(
        database, "SELECT array_agg(quantity_ordered ORDER BY id) FROM execution WHERE destination_id = 2"
    ) == [Decimal(60), Decimal(50)]


@pytest.mark.parametrize(
    ("field", "value", "name"),
    [
        ("portfolio_id", "P2", "portfolioId"),
        ("order_type", "SELL", "orderType"),
        ("security_id", "T", "securityId"),
        ("quantity", Decimal(101), "quantity"),
        ("limit_price", None, "limitPrice"),
    ],
)
async def test_an_order_id_with_another_trade_is_an_error_of_its_line(
    store: PostgresOrderStore, reference: ReferenceData, field: str, value: object, name: str
) -> None:
    (order,) = await store.create([new_order(1)])
    other = msgspec.structs.replace(new_order(1), **{field: value})
    lines = [BlotterLine(1, other, 1), BlotterLine(2, new_order(2), 1)]
    wrong, right = await store.place(lines, ticket(), slicer(reference))
    assert isinstance(wrong.error, AlreadyExists)
    assert wrong.error.details["difference"] == name
    assert (right.error, len(right.execution_ids)) == (None, 1)
    assert await store.get(order.id) == order


async def test_two_runs_of_one_file_cut_each_order_once(
    database: Database, store: PostgresOrderStore, reference: ReferenceData
) -> None:
    lines = [BlotterLine(i + 1, new_order(i), 1) for i in range(100)]
    runs = await asyncio.gather(
        *(store.place(lines[::step], ticket(), slicer(reference)) for step in (1, -1, 1, -1))
    )
    found = [{line.order_id: line.execution_ids for line in run} for run in runs]
    assert found.count(found[0]) == 4
    assert await value_of(database, "SELECT count(*) FROM execution") == 100


async def one_execution(
    store: PostgresOrderStore, reference: ReferenceData, quantity: str = "100"
) -> StoredExecution:
    (order,) = await store.create([new_order(1, quantity)])
    wish = Submission(order.id, Decimal(quantity), 1)
    return written(await store.submit([wish], ticket(), slicer(reference)))[0]


async def put_into(database: Database, execution_id: int, state: str | None) -> None:
    await run_sql(
        database,
        "UPDATE execution SET submission_state = :state WHERE id = :id",
        state=state,
        id=execution_id,
    )
    if state in ("rejected", "exhausted"):
        await run_sql(database, "UPDATE trade_order SET quantity_sent = 0, submitted = false")


async def test_impossible_fills_change_nothing(
    database: Database,
    store: PostgresOrderStore,
    reads: PostgresExecutionReads,
    reference: ReferenceData,
) -> None:
    execution_id = (await one_execution(store, reference)).execution.id
    await put_into(database, execution_id, "accepted")
    before = await reads.get(execution_id)
    with pytest.raises(VersionConflict) as conflict:
        await reads.fill(execution_id, 5, Decimal(1), 2, ticket())
    assert (conflict.value.details["given"], conflict.value.details["current"]) == (2, 1)
    with pytest.raises(VersionConflict):
        await reads.fill(execution_id, 5, Decimal(1), 2**40, ticket())
    with pytest.raises(InvalidInput, match="above the quantity ordered, 100"):
        await reads.fill(execution_id, 5, Decimal("100.00000001"), 1, ticket())
    with pytest.raises(InvalidInput, match="negative"):
        await reads.fill(execution_id, 5, Decimal(-1), 1, ticket())
    for unknown in (999, 2**31):
        with pytest.raises(NotFound):
            await reads.fill(unknown, 5, Decimal(1), 1, ticket())
    assert await reads.get(execution_id) == before


async def test_of_two_fills_with_one_version_one_wins(
    database: Database,
    store: PostgresOrderStore,
    reads: PostgresExecutionReads,
    reference: ReferenceData,
) -> None:
    execution_id = (await one_execution(store, reference)).execution.id
    await put_into(database, execution_id, "claimed")
    answers = await asyncio.gather(
        *(reads.fill(execution_id, 5, Decimal(i), 1, ticket()) for i in range(10)), return_exceptions=True
    )
    assert sum(isinstance(answer, VersionConflict) for answer in answers) == 9
    assert (await reads.get(execution_id)).execution.version == 2


async def test_of_many_fills_of_what_is_queued_none_makes_it_accepted(
    database: Database,
    store: PostgresOrderStore,
    reads: PostgresExecutionReads,
    reference: ReferenceData,
) -> None:
    """One that waits for another's lock sees what that one wrote, not what was there when it began."""
    execution_id = (await one_execution(store, reference)).execution.id
    answers = await asyncio.gather(
        *(reads.fill(execution_id, 5, Decimal(1), version, ticket()) for version in (1, 2) * 5),
        return_exceptions=True,
    )
    assert {type(answer) for answer in answers} == {FillOfUnsent, VersionConflict}
    execution = (await reads.get(execution_id)).execution
    assert (execution.submission_state, execution.version) == (SubmissionState.UNKNOWN, 2)
    assert (
        await value_of(database, "SELECT count(*) FROM submission_attempt WHERE code = 'FILL_REPORTED'") == 1
    )


async def test_an_old_row_shows_what_it_proves(
    database: Database,
    store: PostgresOrderStore,
    reads: PostgresExecutionReads,
    reference: ReferenceData,
) -> None:
    execution_id = (await one_execution(store, reference)).execution.id
    await put_into(database, execution_id, None)
    for change in ("execution_service_id = 5", "quantity_placed = 1", "execution_status_id = 2"):
        assert (await reads.get(execution_id)).execution.submission_state is SubmissionState.UNKNOWN
        await run_sql(database, f"UPDATE execution SET {change}")
        assert (await reads.get(execution_id)).execution.submission_state is SubmissionState.ACCEPTED
        await run_sql(
            database,
            "UPDATE execution SET execution_service_id = NULL, quantity_placed = 0, execution_status_id = 1",
        )
