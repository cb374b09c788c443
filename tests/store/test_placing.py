"""Placing the lines of a blotter file on PostgreSQL."""

import asyncio
from decimal import Decimal

import msgspec
import pytest

from tests.support.engine import states_of
from tests.support.trading import (
    conserved,
    desk_on,
    new_order,
    run_sql,
    ticket,
    value_of,
    written,
)
from trade_service.domain.errors import (
    AlreadyExists,
)
from trade_service.domain.orders import Submission
from trade_service.domain.reference import ReferenceData
from trade_service.store.database import Database
from trade_service.store.order_store import PostgresOrderStore
from trade_service.submission.model import SubmitStatus
from trade_service.trading.model import BlotterLine


async def test_placing_again_continues_with_what_is_there(
    database: Database, store: PostgresOrderStore, reference: ReferenceData
) -> None:
    lines = [BlotterLine(2 + i, new_order(i), 1) for i in range(10)]
    first = await store.place(lines[:6], ticket(), reference)
    assert [line.new for line in first] == [True] * 6
    again = await store.place(lines, ticket(), reference)
    assert [line.new for line in again] == [False] * 6 + [True] * 4
    assert [line.execution_ids for line in again[:6]] == [line.execution_ids for line in first]
    assert all(len(line.execution_ids) == 1 for line in again)
    assert await store.place(lines, ticket(), reference) == [
        msgspec.structs.replace(line, new=False) for line in again
    ]
    assert await value_of(database, "SELECT count(*) FROM execution") == 10


async def test_placing_slices_what_is_left_and_skips_what_was_refused(
    database: Database, store: PostgresOrderStore, reference: ReferenceData
) -> None:
    part, back = await store.create([new_order(1, "100"), new_order(2, "50")])
    submissions = [Submission(part.id, Decimal(40), 1), Submission(back.id, Decimal(50), 1)]
    held, rejected = written(await store.submit(submissions, ticket(), reference))
    await run_sql(
        database,
        "UPDATE execution SET submission_state = 'rejected' WHERE id = :id",
        id=rejected.execution.id,
    )
    await run_sql(
        database, "UPDATE trade_order SET quantity_sent = 0, submitted = false WHERE id = :id", id=back.id
    )
    lines = [BlotterLine(1, new_order(1, "100"), 2), BlotterLine(2, new_order(2, "50"), 2)]
    one, two = await store.place(lines, ticket(), reference)
    assert one.execution_ids[0] == held.execution.id
    assert len(one.execution_ids) == 2
    assert rejected.execution.id not in two.execution_ids
    assert await value_of(
        database, "SELECT array_agg(quantity_ordered ORDER BY id) FROM execution WHERE destination_id = 2"
    ) == [Decimal(60), Decimal(50)]


async def test_an_order_that_was_sent_to_another_destination_is_an_error_of_its_line(
    store: PostgresOrderStore, reference: ReferenceData
) -> None:
    (first,) = await store.place([BlotterLine(1, new_order(1), 1)], ticket(), reference)
    elsewhere, same = await store.place(
        [BlotterLine(1, new_order(1), 2), BlotterLine(2, new_order(2), 2)], ticket(), reference
    )
    assert isinstance(elsewhere.error, AlreadyExists)
    assert elsewhere.error.details["difference"] == "destination"
    assert elsewhere.execution_ids == ()
    assert same.error is None
    (again,) = await store.place([BlotterLine(1, new_order(1), 1)], ticket(), reference)
    assert again.execution_ids == first.execution_ids


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
    wrong, right = await store.place(lines, ticket(), reference)
    assert isinstance(wrong.error, AlreadyExists)
    assert wrong.error.details["difference"] == name
    assert (right.error, len(right.execution_ids)) == (None, 1)
    assert await store.get(order.id) == order


async def test_two_runs_of_one_file_slice_each_order_once(
    database: Database, store: PostgresOrderStore, reference: ReferenceData
) -> None:
    lines = [BlotterLine(i + 1, new_order(i), 1) for i in range(100)]
    runs = await asyncio.gather(*(store.place(lines[::step], ticket(), reference) for step in (1, -1, 1, -1)))
    found = [{line.order_id: line.execution_ids for line in run} for run in runs]
    assert found.count(found[0]) == 4
    assert await value_of(database, "SELECT count(*) FROM execution") == 100


async def test_a_blotter_is_taken_up_where_a_killed_run_stopped(database: Database) -> None:
    lines = [BlotterLine(2 + i, new_order(i), 1 + i % 6) for i in range(350)]
    async with desk_on(database, max_concurrent=0) as killed:
        await killed.orders.place_blotter(lines[:150])
    async with desk_on(database) as desk:
        placed = await desk.orders.place_blotter(lines)
        assert [line.line for line in placed] == [line.line for line in lines]
        assert [line.new for line in placed] == [False] * 150 + [True] * 200
        ids = [i for line in placed for i in line.execution_ids]
        assert len(ids) == len(set(ids)) == 350
        results = (await desk.executions.submit_executions(ids)).results
        assert {r.status for r in results} == {SubmitStatus.SUCCESS}
        again = await desk.orders.place_blotter(lines)
        assert [line.execution_ids for line in again] == [line.execution_ids for line in placed]
        results = (await desk.executions.submit_executions(ids)).results
        assert {r.code for r in results} == {"ALREADY_ACCEPTED"}
        assert sorted(desk.gateway.times_accepted().values()) == [1] * 350
        assert await conserved(database)


async def test_a_bad_blotter_line_leaves_the_others_alone(database: Database) -> None:
    async with desk_on(database) as desk:
        changes: list[dict[str, object]] = [
            {},
            {"order_type": "HOLD"},
            {"quantity": Decimal(0)},
            {"blotter_id": 99},
            {"order_id": 0},
            {},
        ]
        lines = [
            BlotterLine(2 + i, msgspec.structs.replace(new_order(i), **change), 1)
            for i, change in enumerate(changes)
        ]
        lines.append(BlotterLine(9, new_order(9), 99))
        placed = await desk.orders.place_blotter(lines)
        assert [line.line for line in placed] == [line.line for line in lines]
        errors = [None if line.error is None else line.error.details["field"] for line in placed]
        assert errors == [None, "orderType", "quantity", "blotterId", "orderId", None, "destinationId"]
        assert await value_of(database, "SELECT count(*) FROM trade_order") == 2
        assert await states_of(database) == {"queued": 2}
