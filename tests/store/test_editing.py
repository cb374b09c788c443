"""Trade orders and executions that clients edit: quantities are conserved, and nothing in flight changes."""

import asyncio
from collections.abc import AsyncIterator
from decimal import Decimal
from typing import Any

import msgspec
import pytest

from tests.support.rows import insert_executions
from tests.support.trading import CONSERVATION, Desk, desk_on, new_order, run_sql, value_of
from trade_service.domain.errors import (
    AlreadyExists,
    AlreadySent,
    DomainError,
    InFlight,
    InUse,
    InvalidInput,
    NotFound,
    NotSubmittable,
    QuantityExceeded,
    VersionConflict,
)
from trade_service.domain.execution_changes import ExecutionValues
from trade_service.domain.executions import Execution, SubmissionState
from trade_service.domain.orders import NewTradeOrder, TradeOrder
from trade_service.store.database import Database
from trade_service.submission.model import SubmitStatus

NEW, SENT, HOLD, CNCL, FULL = 1, 2, 6, 7, 4
IMPOSSIBLE = 2**40


@pytest.fixture
async def desk(database: Database) -> AsyncIterator[Desk]:
    async with desk_on(database) as desk:
        yield desk
        assert await value_of(database, CONSERVATION) == 0


def values(order: TradeOrder, quantity: str = "40", **changes: Any) -> ExecutionValues:
    return msgspec.structs.replace(ExecutionValues(NEW, order.id, 1, Decimal(quantity)), **changes)


def wanted(order: TradeOrder, **changes: Any) -> NewTradeOrder:
    same = NewTradeOrder(
        order.order_id,
        order.portfolio_id,
        order.order_type,
        order.security_id,
        order.quantity,
        order.limit_price,
        order.trade_timestamp,
        order.blotter_id,
    )
    return msgspec.structs.replace(same, **changes)


def as_it_is(execution: Execution, **changes: Any) -> ExecutionValues:
    same = ExecutionValues(
        execution.execution_status_id,
        execution.trade_order_id,
        execution.destination_id,
        execution.quantity_ordered,
        execution.quantity_placed,
        execution.quantity_filled,
        execution.limit_price,
        execution.blotter_id,
        execution.trade_type_id,
        execution.execution_service_id,
        execution.execution_timestamp,
    )
    return msgspec.structs.replace(same, **changes)


async def sent_of(desk: Desk, order: TradeOrder) -> str:
    return f"{(await desk.orders.get_order(order.id))[0].quantity_sent.normalize():f}"


async def test_an_execution_takes_moves_and_returns_quantity(desk: Desk) -> None:
    one, other = await desk.some_orders(2)
    view = await desk.editors.executions.create_execution(
        values(one, blotter_id=3, limit_price=Decimal("1.5"))
    )
    assert view == await desk.executions.get_execution(view.execution.id)
    assert view.trade_type is not None
    assert view.trade_type.abbreviation == "BUY"
    assert (view.execution.submission_state, view.order.version) == (SubmissionState.NONE, 2)
    assert await sent_of(desk, one) == "40"

    execution_id = view.execution.id
    moved = await desk.editors.executions.update_execution(execution_id, 1, values(other, "100"))
    assert moved == await desk.executions.get_execution(execution_id)
    assert (moved.execution.version, moved.order.submitted, moved.trade_type) == (2, True, view.trade_type)
    assert (await sent_of(desk, one), await sent_of(desk, other)) == ("0", "100")

    await desk.editors.executions.update_execution(execution_id, 2, values(other, "99.98"))
    await desk.editors.executions.delete_execution(execution_id, 3)
    assert await sent_of(desk, other) == "0"
    with pytest.raises(NotFound):
        await desk.executions.get_execution(execution_id)


async def test_a_created_execution_is_sent_like_any_other(desk: Desk) -> None:
    order = await desk.order()
    created = await desk.editors.executions.create_execution(values(order))
    result = await desk.executions.submit_execution(created.execution.id)
    assert result.status is SubmitStatus.SUCCESS
    assert [row.quantity for row in desk.gateway.ledger] == [40]


async def test_an_execution_takes_no_more_than_its_order_has_left(desk: Desk) -> None:
    order, editor = await desk.order(), desk.editors.executions
    first = await editor.create_execution(values(order, "60"))
    with pytest.raises(QuantityExceeded, match=r"quantityOrdered: trade order .* has 40 left of 100"):
        await editor.create_execution(values(order, "40.00000001"))
    with pytest.raises(QuantityExceeded):
        await editor.update_execution(first.execution.id, 1, values(order, "100.00000001"))
    answers = await asyncio.gather(
        *(editor.create_execution(values(order, "30")) for _ in range(3)), return_exceptions=True
    )
    assert sorted(type(answer).__name__ for answer in answers) == [
        "ExecutionView",
        "QuantityExceeded",
        "QuantityExceeded",
    ]


@pytest.mark.parametrize(
    ("changes", "state"),
    [
        ({}, SubmissionState.NONE),
        ({"execution_status_id": SENT}, SubmissionState.ACCEPTED),
        ({"execution_service_id": 77}, SubmissionState.ACCEPTED),
        ({"quantity_placed": Decimal(1)}, SubmissionState.ACCEPTED),
        ({"quantity_filled": Decimal("0.5")}, SubmissionState.ACCEPTED),
    ],
)
async def test_an_execution_created_as_sent_is_never_sent_again(
    desk: Desk, changes: dict[str, Any], state: SubmissionState
) -> None:
    editor = desk.editors.executions
    order = await desk.order()
    created = await editor.create_execution(values(order, **changes))
    plain = await editor.create_execution(values(order))
    changed = await editor.update_execution(plain.execution.id, 1, values(order, **changes))
    for view in (created, changed):
        assert view.execution.submission_state is state
        result = await desk.executions.submit_execution(view.execution.id)
        assert result.status is SubmitStatus.SUCCESS
    assert len(desk.gateway.ledger) == (2 if state is SubmissionState.NONE else 0)


@pytest.mark.parametrize("status_id", [HOLD, CNCL])
async def test_an_execution_on_hold_is_not_sent(desk: Desk, status_id: int) -> None:
    created = await desk.editors.executions.create_execution(
        values(await desk.order(), execution_status_id=status_id)
    )
    with pytest.raises(NotSubmittable, match="set the status to NEW"):
        await desk.executions.submit_execution(created.execution.id)
    kept = (await desk.executions.get_execution(created.execution.id)).execution
    assert kept.submission_state is SubmissionState.NONE
    assert desk.gateway.ledger == []


async def test_only_the_progress_of_a_sent_execution_changes(desk: Desk) -> None:
    editor, order = desk.editors.executions, await desk.order()
    created = await editor.create_execution(values(order, limit_price=Decimal(2)))
    await desk.executions.submit_execution(created.execution.id)
    execution = (await desk.executions.get_execution(created.execution.id)).execution
    filled = await editor.update_execution(
        execution.id,
        execution.version,
        as_it_is(execution, execution_status_id=FULL, quantity_filled=Decimal(40), blotter_id=1),
    )
    assert (filled.status.abbreviation, filled.execution.quantity_filled) == ("FULL", Decimal(40))
    assert filled.execution.execution_service_id == desk.gateway.ledger[0].id
    execution = filled.execution
    others: dict[str, dict[str, Any]] = {
        "destinationId": {"destination_id": 2},
        "tradeTypeId": {"trade_type_id": 2},
        "quantityOrdered": {"quantity_ordered": Decimal(41)},
        "limitPrice": {"limit_price": None},
        "executionServiceId": {"execution_service_id": 1_000_000},
        "tradeOrderId": {"trade_order_id": (await desk.order()).id},
    }
    for field, changes in others.items():
        with pytest.raises(AlreadySent) as error:
            await editor.update_execution(execution.id, execution.version, as_it_is(execution, **changes))
        assert error.value.details["field"] == field
    with pytest.raises(AlreadySent, match="it cannot be deleted"):
        await editor.delete_execution(execution.id, execution.version)


@pytest.mark.parametrize("state", ["queued", "claimed", "retry", "unknown", None])
async def test_an_execution_in_flight_cannot_be_changed(database: Database, state: str | None) -> None:
    async with desk_on(database) as desk:
        [execution_id] = await insert_executions(database, 1, state)
        execution = (await desk.executions.get_execution(execution_id)).execution
        order = (await desk.orders.get_order(execution.trade_order_id))[0]
        editors = desk.editors
        for refused in (
            editors.executions.update_execution(execution_id, 1, as_it_is(execution)),
            editors.executions.delete_execution(execution_id, 1),
            editors.orders.update_order(order.id, 1, wanted(order)),
            editors.orders.delete_order(order.id, 1),
        ):
            with pytest.raises(InFlight, match=f"execution {execution_id}"):
                await refused
        assert (await desk.executions.get_execution(execution_id)).execution == execution


@pytest.mark.parametrize("state", ["rejected", "exhausted"])
async def test_a_returned_quantity_is_not_returned_twice(desk: Desk, database: Database, state: str) -> None:
    editor, order = desk.editors.executions, await desk.order()
    ids = [(await editor.create_execution(values(order))).execution.id for _ in range(2)]
    await run_sql(database, "UPDATE execution SET submission_state = :state", state=state)
    await run_sql(database, "UPDATE trade_order SET quantity_sent = 0")
    await editor.update_execution(ids[0], 1, values(order, "70"))
    assert await sent_of(desk, order) == "0"
    await editor.update_execution(ids[1], 1, values(order, execution_service_id=9))
    assert await sent_of(desk, order) == "40"
    await editor.delete_execution(ids[0], 2)
    assert await sent_of(desk, order) == "40"


async def test_a_deletion_and_a_submission_at_once(desk: Desk) -> None:
    """One wins, and a deleted execution is never sent."""
    editor, order = desk.editors.executions, await desk.order("1000")
    for _ in range(5):
        execution_id = (await editor.create_execution(values(order))).execution.id
        deleted, sent = await asyncio.gather(
            editor.delete_execution(execution_id, 1),
            desk.executions.submit_execution(execution_id),
            return_exceptions=True,
        )
        if deleted is None:
            assert isinstance(sent, NotFound)
        else:
            assert isinstance(deleted, InFlight | AlreadySent | VersionConflict)
        there = sum(row.trade_service_execution_id == execution_id for row in desk.gateway.ledger)
        assert there == (deleted is not None)


@pytest.mark.parametrize(
    ("changes", "error", "field"),
    [
        ({"execution_status_id": 99}, NotFound, "executionStatusId"),
        ({"destination_id": 99}, NotFound, "destinationId"),
        ({"trade_type_id": 99}, NotFound, "tradeTypeId"),
        ({"blotter_id": 99}, NotFound, "blotterId"),
        ({"trade_order_id": 99_999}, NotFound, "tradeOrderId"),
        ({"trade_order_id": IMPOSSIBLE}, InvalidInput, "tradeOrderId"),
        ({"quantity_ordered": Decimal(0)}, InvalidInput, "quantityOrdered"),
        ({"quantity_placed": Decimal(41)}, InvalidInput, "quantityPlaced"),
        ({"quantity_filled": Decimal(-1)}, InvalidInput, "quantityFilled"),
        ({"limit_price": Decimal(0)}, InvalidInput, "limitPrice"),
    ],
)
async def test_impossible_executions_are_refused(
    desk: Desk, changes: dict[str, Any], error: type[DomainError], field: str
) -> None:
    order = await desk.order()
    existing = await desk.editors.executions.create_execution(values(order, "1"))
    for refused in (
        desk.editors.executions.create_execution(values(order, **changes)),
        desk.editors.executions.update_execution(existing.execution.id, 1, values(order, **changes)),
    ):
        with pytest.raises(error) as caught:
            await refused
        assert caught.value.details["field"] == field
    assert await sent_of(desk, order) == "1"


async def test_an_order_changes_except_for_its_sent_quantity(desk: Desk) -> None:
    order, editor = await desk.order(), desk.editors.orders
    await desk.editors.executions.create_execution(values(order))
    order = (await desk.orders.get_order(order.id))[0]
    changed, blotter = await editor.update_order(
        order.id,
        2,
        wanted(
            order,
            order_id=9_999,
            portfolio_id="P2",
            quantity=Decimal("40.01"),
            blotter_id=3,
            limit_price=None,
        ),
    )
    assert (changed, blotter) == await desk.orders.get_order(order.id)
    assert (changed.quantity_sent, changed.submitted, changed.version) == (Decimal(40), True, 3)
    assert (changed.portfolio_id, changed.blotter_id, changed.limit_price) == ("P2", 3, None)
    with pytest.raises(InvalidInput, match=r"quantity: must not be below quantitySent, 40; got '39\.99'"):
        await editor.update_order(order.id, 3, wanted(changed, quantity=Decimal("39.99")))
    for changes in ({"security_id": "OTHER"}, {"order_type": "SELL"}):
        with pytest.raises(InUse, match=r"while trade order .* has executions"):
            await editor.update_order(order.id, 3, wanted(changed, **changes))
    with pytest.raises(VersionConflict):
        await editor.update_order(order.id, 2, wanted(changed))
    with pytest.raises(AlreadyExists, match="orderId"):
        await editor.update_order(order.id, 3, wanted(changed, order_id=(await desk.order()).order_id))
    with pytest.raises(NotFound, match="blotterId: blotter 99 does not exist"):
        await editor.update_order(order.id, 3, wanted(changed, blotter_id=99))
    for identity in (999_999, IMPOSSIBLE):
        with pytest.raises(NotFound):
            await editor.update_order(identity, 1, wanted(changed))


async def test_an_order_is_deleted_once_its_last_execution_is_gone(desk: Desk) -> None:
    order, editors = await desk.order(), desk.editors
    created = await editors.executions.create_execution(values(order))
    with pytest.raises(InUse, match=f"has executions, such as {created.execution.id}"):
        await editors.orders.delete_order(order.id, 2)
    with pytest.raises(VersionConflict):
        await editors.executions.delete_execution(created.execution.id, 2)
    await editors.executions.delete_execution(created.execution.id, 1)
    with pytest.raises(VersionConflict):
        await editors.orders.delete_order(order.id, 2)
    await editors.orders.delete_order(order.id, 3)
    with pytest.raises(NotFound):
        await desk.orders.get_order(order.id)


async def test_every_field_of_an_order_without_executions_changes(desk: Desk) -> None:
    order = await desk.order()
    other = new_order(order.order_id, "7", "SELL", "OTHER")
    changed, _ = await desk.editors.orders.update_order(order.id, 1, other)
    assert (changed.order_type, changed.security_id, changed.quantity) == ("SELL", "OTHER", Decimal(7))
