"""Orders are created, sliced and sent on real PostgreSQL, with the real engine and a gateway in memory."""

import asyncio
from decimal import Decimal

import msgspec
import pytest

from tests.support.engine import states_of, until
from tests.support.gateway import FakeGateway, fail, refuse
from tests.support.trading import (
    all_of,
    conserved,
    counted_statements,
    desk_on,
    new_order,
    run_sql,
    value_of,
    view_in,
)
from trade_service.domain.errors import (
    AlreadyExists,
    InvalidInput,
    NotFound,
    Overloaded,
    QuantityExceeded,
    TooMany,
    UnknownOrderType,
)
from trade_service.domain.executions import SubmissionState
from trade_service.domain.orders import Submission
from trade_service.store.database import Database
from trade_service.submission.model import ReplyKind, SubmitStatus
from trade_service.trading.model import NotAccepted


async def test_one_order_is_sliced_sent_and_answered_as_stored(database: Database) -> None:
    async with desk_on(database) as desk:
        order = await desk.order("1234567890.12345678", " sell ")
        answer = await desk.orders.submit_order(Submission(order.id, Decimal("1234567890.11345678"), 4))
        view = view_in(answer)
        assert view == await desk.executions.get_execution(view.execution.id)
        assert (view.status.abbreviation, view.destination.abbreviation) == ("SENT", "IB")
        assert view.trade_type is not None
        assert view.trade_type.abbreviation == "SELL"
        assert view.blotter == view.order_blotter
        assert view.execution.quantity_placed == view.execution.quantity_ordered == view.order.quantity_sent
        assert view.execution.execution_service_id == desk.gateway.ledger[0].id
        assert view.order.submitted
        assert desk.gateway.ledger[0].quantity == Decimal("1234567890.11345678")
        assert await desk.orders.get_order(order.id) == (view.order, view.blotter)


@pytest.mark.parametrize("size", [1, 100])
async def test_a_batch_costs_six_statements_and_one_call(database: Database, size: int) -> None:
    async with desk_on(database) as desk:
        submissions = [
            msgspec.structs.replace(s, quantity=Decimal(10)) for s in all_of(await desk.some_orders(size))
        ]
        await desk.orders.submit_orders(submissions)
        async with counted_statements(database) as statements:
            await desk.orders.submit_orders(submissions)
            statements.clear()
            answers = await desk.orders.submit_orders(submissions)
        assert len(statements) == 6, statements
        assert [answer.trade_order_id for answer in answers] == [s.trade_order_id for s in submissions]
        assert all(view_in(answer).status.abbreviation == "SENT" for answer in answers)
        assert len(desk.gateway.calls) == 3


async def test_answers_come_in_request_order_and_refusals_give_back(database: Database) -> None:
    async with desk_on(database) as desk:
        good, bad = await desk.some_orders(3), await desk.some_orders(3, security="BAD")
        hold = await desk.order()
        await run_sql(database, "UPDATE trade_order SET order_type = 'HOLD' WHERE id = :id", id=hold.id)
        desk.gateway.scripts.append(refuse("BAD"))
        wishes = [w for pair in zip(all_of(bad), all_of(good), strict=True) for w in pair]
        wishes += [*all_of([hold]), Submission(2**33, Decimal(1), 1)]
        answers = await desk.orders.submit_orders(wishes)
        assert [a.request_index for a in answers] == list(range(8))
        assert [a.trade_order_id for a in answers] == [w.trade_order_id for w in wishes]
        kinds = [type(a.error) for a in answers]
        assert kinds == [NotAccepted, type(None)] * 3 + [UnknownOrderType, NotFound]
        assert isinstance(answers[0].error, NotAccepted)
        assert "Security ID is required" in answers[0].error.message
        assert answers[0].error.result.state is SubmissionState.REJECTED
        assert all((a.view is None) == (a.error is not None) for a in answers)
        for order in bad:
            now, _ = await desk.orders.get_order(order.id)
            assert (now.available, now.submitted) == (now.quantity, False)
        assert await conserved(database)
        again = await desk.orders.submit_orders(all_of(bad))
        assert all(view_in(a).order.submitted for a in again)


async def test_fifty_submissions_of_one_order_send_exactly_what_it_has(database: Database) -> None:
    async with desk_on(database) as desk:
        order = await desk.order("100")
        wish = Submission(order.id, Decimal("7.5"), 1)
        answers = await asyncio.gather(*(desk.orders.submit_order(wish) for _ in range(50)))
        sent = [a for a in answers if a.error is None]
        assert len(sent) == 13
        assert sum(isinstance(a.error, QuantityExceeded) for a in answers) == 37
        assert sorted(desk.gateway.times_accepted().values()) == [1] * 13
        assert sum(row.quantity or 0 for row in desk.gateway.ledger) == Decimal("97.5")
        assert len(desk.gateway.calls) <= 13
        assert await conserved(database)


async def test_a_lost_answer_is_looked_up_and_answered(database: Database) -> None:
    async with desk_on(database) as desk:
        desk.gateway.scripts.append(fail(ReplyKind.LOST, "READ_TIMEOUT", accepted=True))
        answers = await desk.orders.submit_orders(all_of(await desk.some_orders(5)))
        for answer in answers:
            view = view_in(answer)
            assert view == await desk.executions.get_execution(view.execution.id)
            assert view.status.abbreviation == "SENT"
        assert set(desk.gateway.times_accepted().values()) == {1}


async def test_a_configuration_error_is_answered_at_once_and_waits(database: Database) -> None:
    async with desk_on(database) as desk:
        desk.gateway.scripts.append(fail(ReplyKind.CONFIGURATION, "UNAUTHORIZED"))
        answers = await desk.orders.submit_orders(all_of(await desk.some_orders(5)))
        assert {a.result.status for a in answers if a.result is not None} == {SubmitStatus.PENDING}
        assert [a.error for a in answers] == [None] * 5
        assert await value_of(database, "SELECT sum(quantity_sent) FROM trade_order") == 500
        await until(lambda: len(desk.gateway.ledger) == 5)


async def test_what_is_still_under_way_is_pending_and_goes_on(database: Database) -> None:
    async with desk_on(database) as desk:
        desk.gateway.hold()
        order = await desk.order()
        asking = asyncio.create_task(desk.orders.submit_order(all_of([order])[0], wait_s=0.2))
        await desk.gateway.called.wait()
        answer = await asking
        view = view_in(answer)
        assert (view.status.abbreviation, view.execution.version) == ("NEW", 1)
        assert answer.result is not None
        assert (answer.result.status, answer.result.message) == (
            SubmitStatus.PENDING,
            "pending, do not resubmit",
        )
        assert view.execution.submission_state is SubmissionState.CLAIMED
        assert len(desk.engine.waiters) == 0
        desk.gateway.open.set()
        await until(lambda: len(desk.engine.batches) == 1)
        now = await desk.executions.get_execution(view.execution.id)
        assert now.execution.submission_state is SubmissionState.ACCEPTED


async def test_without_sending_the_executions_are_only_written(database: Database) -> None:
    async with desk_on(database) as desk:
        answers = await desk.orders.submit_orders(all_of(await desk.some_orders(3)), send=False)
        ids = [view_in(answer).execution.id for answer in answers]
        assert all(answer.result is None for answer in answers)
        assert await states_of(database) == {"none": 3}
        bulk = await desk.executions.submit_executions_batch(ids)
        assert (bulk.status, bulk.successful) == ("SUCCESS", 3)
        assert await states_of(database) == {"accepted": 3}


async def test_a_batch_is_refused_as_a_whole_before_anything_is_written(database: Database) -> None:
    async with desk_on(database) as desk:
        wishes = all_of(await desk.some_orders(101))
        cases: list[tuple[list[Submission], type[Exception], str]] = [
            ([], InvalidInput, "submissions: must be 1 to 100"),
            (wishes, TooMany, "submissions: must be at most 100; got 101"),
            ([*wishes[:5], wishes[2]], InvalidInput, r"submissions\[5\]: tradeOrderId: .*submissions\[2\]"),
        ]
        for text in ("0", "-1", "NaN", "0.000000001", "10000000000"):
            bad = msgspec.structs.replace(wishes[1], quantity=Decimal(text))
            cases.append(([wishes[0], bad], InvalidInput, r"submissions\[1\]: quantity: must "))
        for submissions, error, message in cases:
            with pytest.raises(error, match=message):
                await desk.orders.submit_orders(submissions)
        with pytest.raises(InvalidInput, match=r"^quantity: must be greater than zero"):
            await desk.orders.submit_order(Submission(wishes[0].trade_order_id, Decimal(0), 1))
        assert await value_of(database, "SELECT count(*) FROM execution") == 0
        assert desk.gateway.calls == []


async def test_unknown_destinations_are_refused_one_by_one(database: Database) -> None:
    async with desk_on(database) as desk:
        first, second = await desk.some_orders(2)
        wishes = [Submission(first.id, Decimal(1), 77), Submission(second.id, Decimal(1), 1)]
        unknown, good = await desk.orders.submit_orders(wishes)
        assert isinstance(unknown.error, InvalidInput)
        assert unknown.error.details["field"] == "destinationId"
        assert view_in(good).execution.destination_id == 1


async def test_reference_data_that_is_newer_or_gone_is_read_again(database: Database) -> None:
    async with desk_on(database) as desk:
        first, second = await desk.some_orders(2)
        await run_sql(database, "DELETE FROM destination WHERE id = 6")
        await run_sql(database, "INSERT INTO blotter (id, abbreviation, name) VALUES (9, 'NEW', 'New')")
        await run_sql(database, "UPDATE trade_order SET blotter_id = 9 WHERE id = :id", id=second.id)
        wishes = [Submission(first.id, Decimal(1), 6), Submission(second.id, Decimal(1), 1)]
        gone, good = await desk.orders.submit_orders(wishes)
        assert isinstance(gone.error, InvalidInput)
        view = view_in(good)
        assert view.blotter is not None
        assert view.blotter.abbreviation == "NEW"


async def test_no_room_in_the_queue_refuses_before_anything_is_written(database: Database) -> None:
    async with desk_on(database, max_concurrent=0, queue_limit=150) as desk:
        wishes = all_of(await desk.some_orders(200))
        await desk.orders.submit_orders(wishes[:100], wait_s=0.0)
        with pytest.raises(Overloaded):
            await desk.orders.submit_orders(wishes[100:])
        assert await value_of(database, "SELECT count(*) FROM execution") == 100
        ids = await value_of(database, "SELECT array_agg(id) FROM execution")
        with pytest.raises(Overloaded):
            await desk.executions.submit_executions_batch(ids)
        assert len(desk.engine.waiters) == 0


async def test_a_caller_that_goes_away_leaves_its_executions_to_be_sent(database: Database) -> None:
    async with desk_on(database) as desk:
        desk.gateway.hold()
        asking = asyncio.create_task(desk.orders.submit_orders(all_of(await desk.some_orders(3))))
        await desk.gateway.called.wait()
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking
        desk.gateway.open.set()
        await until(lambda: len(desk.engine.batches) == 1)
        assert await states_of(database) == {"accepted": 3}


async def test_what_a_dead_process_wrote_is_sent_by_another(database: Database) -> None:
    async with desk_on(database, max_concurrent=0) as dead:
        orders = await dead.some_orders(3)
        await dead.orders.submit_orders(all_of(orders), wait_s=0.0)
    await run_sql(database, "UPDATE submission_attempt SET next_action_at = now()")
    gateway = FakeGateway()
    async with desk_on(database, gateway) as alive:
        await until(lambda: len(alive.engine.batches) == 1)
        assert await states_of(database) == {"accepted": 3}
    assert sorted(gateway.times_accepted().values()) == [1, 1, 1]


async def test_orders_are_created_all_or_none_and_errors_name_the_index(database: Database) -> None:
    async with desk_on(database) as desk:
        good = [new_order(i) for i in range(1000)]
        for index, bad, error in (
            (7, msgspec.structs.replace(good[7], quantity=Decimal(0)), InvalidInput),
            (8, msgspec.structs.replace(good[8], blotter_id=99), NotFound),
            (9, msgspec.structs.replace(good[9], order_id=3), AlreadyExists),
        ):
            with pytest.raises(error) as refused:
                await desk.orders.create_orders_bulk([*good[:index], bad, *good[index + 1 :]])
            assert refused.value.details["index"] == index
            assert str(refused.value).startswith(f"tradeOrders[{index}]: ")
        with pytest.raises(InvalidInput, match="tradeOrders: must be 1 to 1000"):
            await desk.orders.create_orders_bulk([])
        with pytest.raises(TooMany):
            await desk.orders.create_orders_bulk([*good, new_order(1000)])
        assert await value_of(database, "SELECT count(*) FROM trade_order") == 0
        created = await desk.orders.create_orders_bulk(good)
        assert [order.order_id for order in created] == list(range(1000))
        one = await desk.orders.create_order(new_order(1000))
        assert one.order_id == 1000
