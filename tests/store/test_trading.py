"""The use cases on real PostgreSQL, with the real engine and a gateway in memory."""

import asyncio
from decimal import Decimal

import msgspec
import pytest

from tests.support.gateway import FakeGateway, fail, refuse
from tests.support.heart import states_of, until
from tests.support.trading import (
    all_of,
    conserved,
    counted_statements,
    desk_on,
    new_order,
    none_executions,
    run_sql,
    until_named,
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
    VersionConflict,
)
from trade_service.domain.executions import SubmissionState
from trade_service.domain.orders import Submission
from trade_service.store.database import Database
from trade_service.submission.events import AlarmEvent
from trade_service.submission.messages import ExecutionRequest
from trade_service.submission.model import ReplyKind, SubmitStatus
from trade_service.submission.ports import StoreUnavailable
from trade_service.trading.model import BlotterLine, NotAccepted


async def test_one_order_is_cut_sent_and_answered_as_stored(database: Database) -> None:
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
        assert view.execution.execution_service_id == desk.gateway.books[0].id
        assert view.order.submitted
        assert desk.gateway.books[0].quantity == Decimal("1234567890.11345678")
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
        assert sum(row.quantity or 0 for row in desk.gateway.books) == Decimal("97.5")
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


async def test_a_configuration_error_is_told_at_once_and_waits(database: Database) -> None:
    async with desk_on(database) as desk:
        desk.gateway.scripts.append(fail(ReplyKind.CONFIGURATION, "UNAUTHORIZED"))
        answers = await desk.orders.submit_orders(all_of(await desk.some_orders(5)))
        assert {a.result.status for a in answers if a.result is not None} == {SubmitStatus.PENDING}
        assert [a.error for a in answers] == [None] * 5
        assert await value_of(database, "SELECT sum(quantity_sent) FROM trade_order") == 500
        await until(lambda: len(desk.gateway.books) == 5)


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
        assert len(desk.heart.waiters) == 0
        desk.gateway.open.set()
        await until(lambda: len(desk.heart.batches) == 1)
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
        assert len(desk.heart.waiters) == 0


async def test_a_caller_that_goes_away_leaves_its_executions_to_be_sent(database: Database) -> None:
    async with desk_on(database) as desk:
        desk.gateway.hold()
        asking = asyncio.create_task(desk.orders.submit_orders(all_of(await desk.some_orders(3))))
        await desk.gateway.called.wait()
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking
        desk.gateway.open.set()
        await until(lambda: len(desk.heart.batches) == 1)
        assert await states_of(database) == {"accepted": 3}


async def test_what_a_dead_process_wrote_is_sent_by_another(database: Database) -> None:
    async with desk_on(database, max_concurrent=0) as dead:
        orders = await dead.some_orders(3)
        await dead.orders.submit_orders(all_of(orders), wait_s=0.0)
    await run_sql(database, "UPDATE submission_attempt SET next_action_at = now()")
    gateway = FakeGateway()
    async with desk_on(database, gateway) as alive:
        await until(lambda: len(alive.heart.batches) == 1)
        assert await states_of(database) == {"accepted": 3}
    assert sorted(gateway.times_accepted().values()) == [1, 1, 1]


async def test_one_execution_asked_for_by_many_is_sent_once(database: Database) -> None:
    async with desk_on(database) as desk:
        desk.gateway.hold()
        (execution_id,) = await none_executions(desk, 1)
        asking = [asyncio.create_task(desk.executions.submit_execution(execution_id)) for _ in range(20)]
        await desk.gateway.called.wait()
        asking += [asyncio.create_task(desk.executions.submit_execution(execution_id)) for _ in range(20)]
        desk.gateway.open.set()
        results = await asyncio.gather(*asking)
        assert all((r.status, r.error) == (SubmitStatus.SUCCESS, None) for r in results)
        assert desk.gateway.calls == [(execution_id,)]
        later = await desk.executions.submit_execution(execution_id)
        assert (later.status, later.result.code) == (SubmitStatus.SUCCESS, "ALREADY_ACCEPTED")
        assert len(desk.gateway.books) == 1


async def test_single_callers_share_batches(database: Database) -> None:
    async with desk_on(database, max_concurrent=1) as desk:
        ids = await none_executions(desk, 80)
        results = await asyncio.gather(*(desk.executions.submit_execution(i) for i in ids))
        assert all(r.status is SubmitStatus.SUCCESS for r in results)
        assert len(desk.gateway.calls) <= 3


async def test_a_refused_execution_says_why(database: Database) -> None:
    async with desk_on(database) as desk:
        (execution_id,) = await none_executions(desk, 1, security="BAD")
        desk.gateway.scripts.append(refuse("BAD"))
        result = await desk.executions.submit_execution(execution_id)
        assert result.status is SubmitStatus.FAILED
        assert result.error is not None
        assert "Security ID is required" in result.error
        again = await desk.executions.submit_execution(execution_id)
        assert (again.status, again.result.code) == (SubmitStatus.FAILED, "ALREADY_REJECTED")
        assert len(desk.gateway.calls) == 1


@pytest.mark.parametrize("execution_id", [999, -1, 2**31])
async def test_an_unknown_execution_is_not_found(database: Database, execution_id: int) -> None:
    async with desk_on(database) as desk:
        with pytest.raises(NotFound):
            await desk.executions.submit_execution(execution_id)
        with pytest.raises(NotFound):
            await desk.executions.get_execution(execution_id)


async def test_bulk_results_keep_the_callers_order_with_repetitions_and_strangers(
    database: Database,
) -> None:
    async with desk_on(database) as desk:
        ids = await none_executions(desk, 30)
        asked = [ids[3], 999, *reversed(ids), ids[3], 2**40]
        for submit in (desk.executions.submit_executions, desk.executions.submit_executions_batch):
            bulk = await submit(asked)
            assert [r.execution_id for r in bulk.results] == asked
            assert [r.request_index for r in bulk.results] == list(range(len(asked)))
            assert (bulk.status, bulk.failed, bulk.successful) == ("PARTIAL", 2, 32)
            assert [r.code for r in bulk.results if r.status is SubmitStatus.FAILED] == ["NOT_FOUND"] * 2
        assert set(desk.gateway.times_accepted().values()) == {1}
        with pytest.raises(TooMany, match="at most 100; got 101"):
            await desk.executions.submit_executions_batch(range(101))
        with pytest.raises(InvalidInput, match="1 to 100"):
            await desk.executions.submit_executions_batch([])


async def test_pending_is_said_only_of_what_is_on_record(database: Database) -> None:
    async with desk_on(database, max_concurrent=0) as stuck:
        ids = await none_executions(stuck, 6)
        one = await stuck.executions.submit_execution(ids[0], wait_s=0.05)
        assert (one.status, one.error) == (SubmitStatus.PENDING, None)
        assert await states_of(database) == {"queued": 1, "none": 5}
        bulk = await stuck.executions.submit_executions(ids[:3], wait_s=0.05)
        assert (bulk.status, bulk.pending) == ("SUCCESS", 3)
        assert await states_of(database) == {"queued": 3, "none": 3}
        every = (await stuck.executions.submit_executions(ids, wait_s=0.05)).results
        assert {r.status for r in every} == {SubmitStatus.PENDING}
        assert [r.request_index for r in every] == list(range(6))
        assert await states_of(database) == {"queued": 6}
    await run_sql(database, "UPDATE submission_attempt SET next_action_at = now()")
    async with desk_on(database) as alive:
        await until(lambda: len(alive.gateway.books) == 6)
    assert set(alive.gateway.times_accepted().values()) == {1}


async def test_what_cannot_be_put_on_record_is_not_promised(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def away(*_: object) -> None:
        raise StoreUnavailable("away")

    async with desk_on(database, max_concurrent=0) as desk:
        ids = await none_executions(desk, 2)
        await run_sql(database, "UPDATE execution SET submission_state = 'unknown' WHERE id = :id", id=ids[1])
        monkeypatch.setattr(desk.executions, "_reads", type("Away", (), {"enqueue": staticmethod(away)}))
        fresh, on_record = (await desk.executions.submit_executions(ids, wait_s=0.05)).results
        assert (fresh.status, fresh.code) == (SubmitStatus.FAILED, "STORE_UNAVAILABLE")
        assert (on_record.status, on_record.state) == (SubmitStatus.PENDING, SubmissionState.UNKNOWN)


async def test_a_fill_overtakes_the_answer_and_is_kept(database: Database) -> None:
    async with desk_on(database) as desk:
        desk.gateway.hold()
        asking = asyncio.create_task(desk.orders.submit_order(all_of([await desk.order()])[0]))
        await desk.gateway.called.wait()
        ((execution_id,),) = desk.gateway.calls
        filled = await desk.executions.fill(execution_id, "PART", Decimal("12.5"), 1)
        assert filled.execution.submission_state is SubmissionState.ACCEPTED
        assert filled.execution.quantity_placed == 100
        desk.gateway.open.set()
        view = view_in(await asking)
        assert (view.status.abbreviation, view.execution.quantity_filled) == ("PART", Decimal("12.5"))
        assert view.execution.execution_service_id == desk.gateway.books[0].id
        assert view.execution.version == 2
        full = await desk.executions.fill(execution_id, "FULL", Decimal(100), 2)
        assert (full.status.abbreviation, full.execution.version) == ("FULL", 3)


async def test_fills_and_records_at_once_lose_nothing(database: Database) -> None:
    async with desk_on(database, batch_size=10) as desk:
        desk.gateway.hold()
        asking = asyncio.create_task(desk.orders.submit_orders(all_of(await desk.some_orders(40))))
        await until(lambda: len(desk.gateway.calls) == 4)
        ids = [i for call in desk.gateway.calls for i in call]
        desk.gateway.open.set()

        async def report(execution_id: int) -> None:
            try:
                await desk.executions.fill(execution_id, "PART", Decimal(1), 1)
            except VersionConflict as conflict:
                current = conflict.details["current"]
                assert isinstance(current, int)
                await desk.executions.fill(execution_id, "PART", Decimal(1), current)

        await asyncio.gather(*(report(i) for i in reversed(ids)))
        answers = await asking
        assert all(view_in(a).execution.execution_service_id is not None for a in answers)
        assert await value_of(database, "SELECT count(*) FROM execution WHERE quantity_filled = 1") == 40
        assert await value_of(database, "SELECT count(execution_service_id) FROM execution") == 40
        assert await conserved(database)


async def test_a_fill_of_what_was_given_up_takes_the_quantity_again_and_alarms(database: Database) -> None:
    async with desk_on(database) as desk:
        (execution_id,) = await none_executions(desk, 1, security="BAD")
        desk.gateway.scripts.append(refuse("BAD"))
        await desk.executions.submit_execution(execution_id)
        view = await desk.executions.fill(execution_id, "FULL", Decimal(100), 1)
        assert (view.order.available, view.order.submitted) == (Decimal(0), True)
        assert await conserved(database)
        alarms = [e for e in desk.heart.events if isinstance(e, AlarmEvent)]
        assert [(a.code, a.execution_ids) for a in alarms] == [("ACCEPTED_LATE", (execution_id,))]


@pytest.mark.parametrize("others", [0, 3])
async def test_a_fill_whose_answer_never_came_gets_its_id_by_look_up(database: Database, others: int) -> None:
    """The report proves acceptance but lacks the id, which comparing the ledgers needs."""
    async with desk_on(database) as desk:
        desk.gateway.scripts.append(fail(ReplyKind.LOST, "LOST", accepted=True))
        desk.gateway.hold()
        asking = asyncio.create_task(desk.orders.submit_orders(all_of(await desk.some_orders(1 + others))))
        await until(lambda: len(desk.gateway.calls) == 1)
        ids = desk.gateway.calls[0]
        await desk.executions.fill(ids[0], "PART", Decimal(1), 1)
        desk.gateway.open.set()
        await asking
        await until_named(database)
        assert await value_of(database, "SELECT version FROM execution WHERE id = :id", id=ids[0]) == 2


async def test_a_fill_of_what_was_given_up_gets_its_id_by_look_up(database: Database) -> None:
    async with desk_on(database) as desk:
        (execution_id,) = await none_executions(desk, 1, security="BAD")
        desk.gateway.scripts.append(refuse("BAD"))
        await desk.executions.submit_execution(execution_id)
        desk.gateway.accept(ExecutionRequest("NEW", "BUY", "ML", "BAD", Decimal(100), None, execution_id, 1))
        await desk.executions.fill(execution_id, "FULL", Decimal(100), 1)
        await until_named(database)


async def test_impossible_fills_are_refused_by_name(database: Database) -> None:
    async with desk_on(database) as desk:
        (execution_id,) = await none_executions(desk, 1)
        for status, quantity, field in (
            ("FILLED", "1", "executionStatus"),
            ("PART", "-1", "quantityFilled"),
            ("PART", "NaN", "quantityFilled"),
            ("PART", "1.123456789", "quantityFilled"),
            ("PART", "100.01", "quantityFilled"),
        ):
            with pytest.raises(InvalidInput) as refused:
                await desk.executions.fill(execution_id, status, Decimal(quantity), 1)
            assert refused.value.details["field"] == field
        with pytest.raises(VersionConflict):
            await desk.executions.fill(execution_id, "PART", Decimal(1), 7)
        with pytest.raises(VersionConflict):
            await desk.executions.fill(execution_id, "PART", Decimal("100.01"), 7)
        for quantity in ("1", "-1"):
            with pytest.raises(NotFound):
                await desk.executions.fill(999, "PART", Decimal(quantity), 1)
        alarms = [e for e in desk.heart.events if isinstance(e, AlarmEvent)]
        assert [(a.code, a.execution_ids) for a in alarms] == [("FILL_REFUSED", (execution_id,))] * 2
        for alarm, reported in zip(alarms, ("-1", "100.01"), strict=True):
            assert f"a quantityFilled of {reported} for execution {execution_id}" in alarm.message
            assert "of which 100 was ordered" in alarm.message
            assert "quantityFilled stays 0 here" in alarm.message


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
