"""Recovery with a misleading ledger: no row of another execution is taken for ours, and nothing that may have
been accepted is sent again."""

import asyncio
from collections.abc import Callable, Sequence
from decimal import Decimal

import msgspec
import pytest

from tests.support.attempts import claimed
from tests.support.engine import executions_in, running_engine, states_of, until
from tests.support.gateway import FakeGateway, fail, refuse
from tests.support.rows import store_on
from tests.support.trading import run_sql, value_of
from trade_service.store.database import Database
from trade_service.store.execution_reads import PostgresExecutionReads
from trade_service.submission.clock import SystemClock
from trade_service.submission.events import AlarmEvent, LookUpEvent
from trade_service.submission.messages import ExecutionRequest, Listing, RemoteExecution
from trade_service.submission.model import GatewayReply, ReplyKind


class Misleading(FakeGateway):
    """Its listing shows every page as changed by `tamper`."""

    def __init__(self, tamper: Callable[[Listing], Listing] = lambda listing: listing) -> None:
        super().__init__()
        self.tamper = tamper

    async def list_newest(self, offset: int, limit: int) -> Listing:
        return self.tamper(await super().list_newest(offset, limit))


def each_row(change: Callable[[RemoteExecution], RemoteExecution]) -> Callable[[Listing], Listing]:
    def tamper(listing: Listing) -> Listing:
        assert listing.page is not None
        content = [change(row) for row in listing.page.content]
        return Listing(msgspec.structs.replace(listing.page, content=content))

    return tamper


def post(execution_id: int) -> ExecutionRequest:
    return ExecutionRequest("NEW", "BUY", "ML", f"S{execution_id}", Decimal(10), None, execution_id, 1)


LOST = fail(ReplyKind.LOST, "LOST")
LOST_AND_ACCEPTED = fail(ReplyKind.LOST, "LOST", accepted=True)


@pytest.mark.parametrize(
    "hidden",
    [
        {"security": None},
        {"trade_type": None},
        {"quantity": None},
        {"destination": None},
        {"destination": "Merrill"},
        {"quantity": Decimal("9.99")},
    ],
)
async def test_a_new_row_with_our_id_is_never_taken_for_absence(
    database: Database, hidden: dict[str, object]
) -> None:
    gateway = Misleading(each_row(lambda row: msgspec.structs.replace(row, **hidden)))
    gateway.accept(post(999))  # What is known before the attempt: a row after it that bears our id is new.
    gateway.scripts.append(LOST_AND_ACCEPTED)
    async with running_engine(database, gateway) as engine:
        ids = await executions_in(database, 2)
        result = await engine.service.submit_executions_bulk(ids, wait_s=1.5)
        assert result.pending == 2
        assert await states_of(database) == {"unknown": 2}
        assert len(gateway.calls) == 1, "sent again although it may have been accepted"
        gateway.tamper = lambda listing: listing
        assert (await engine.service.submit_executions_bulk(ids)).successful == 2
        assert set(gateway.times_accepted().values()) == {1}


async def test_a_row_from_before_the_attempt_proves_nothing(database: Database) -> None:
    """Our database was recreated, the ledger was not: its old rows have our ids."""
    gateway = FakeGateway()
    ids = await executions_in(database, 3)
    old = {gateway.accept(post(execution_id)).id for execution_id in ids}
    gateway.scripts.append(LOST)
    async with running_engine(database, gateway) as engine:
        result = await engine.service.submit_executions_bulk(ids)
        assert result.successful == 3
        assert {r.execution_service_id for r in result.results}.isdisjoint(old)
        assert len(gateway.calls) == 2, "the first was lost"


async def test_a_short_page_is_not_the_end_while_more_follow(database: Database) -> None:
    def only_fifty(listing: Listing) -> Listing:
        assert listing.page is not None
        assert listing.page.pagination is not None
        content = listing.page.content
        paging = msgspec.structs.replace(
            listing.page.pagination, has_next=listing.page.pagination.has_next or len(content) > 50
        )
        return Listing(msgspec.structs.replace(listing.page, content=content[:50], pagination=paging))

    gateway = Misleading(only_fifty)
    gateway.scripts.append(LOST_AND_ACCEPTED)
    async with running_engine(database, gateway) as engine:
        ids = await executions_in(database, 80)
        await engine.service.submit_executions_bulk(ids, wait_s=1.5)
        assert await states_of(database) == {"accepted": 50, "unknown": 30}
        assert len(gateway.calls) == 1
        passes = [event for event in engine.events if isinstance(event, LookUpEvent)]
        assert "more" in passes[-1].problem


@pytest.mark.parametrize("impossible", [0, -1, 2**31, 2**70])
async def test_an_impossible_id_in_the_ledger_stops_nothing(database: Database, impossible: int) -> None:
    gateway = Misleading()
    async with running_engine(database, gateway) as engine:
        ids = await executions_in(database, 2)
        first = gateway.accept(post(ids[0]))
        gateway.tamper = each_row(
            lambda row: msgspec.structs.replace(row, id=impossible) if row.id == first.id else row
        )
        gateway.scripts.append(LOST)
        result = await engine.service.submit_executions_bulk(ids, wait_s=1.5)
        assert (result.pending, result.successful) == (1, 1), (
            "the other one was proven absent, and sent again"
        )
        assert gateway.calls == [tuple(ids), (ids[1],)]
        alarms = [event for event in engine.events if isinstance(event, AlarmEvent)]
        assert {(alarm.code, alarm.execution_ids) for alarm in alarms} >= {
            ("DOWNSTREAM_ID_IMPOSSIBLE", (ids[0],))
        }
        gateway.tamper = lambda listing: listing
        again = await engine.service.submit_executions_bulk(ids)
        assert again.successful == 2
        assert set(gateway.times_accepted().values()) == {1}


async def test_a_reset_is_remembered_when_new_ids_exceed_the_old(database: Database) -> None:
    gateway = FakeGateway()
    async with running_engine(database, gateway) as engine:
        known = await executions_in(database, 5)
        await engine.service.submit_executions_bulk(known)
        async with asyncio.timeout(15):
            while await value_of(database, "SELECT high_water_id FROM downstream") < gateway.ledger[-1].id:
                await asyncio.sleep(0.01)  # It is the floor of later attempts within a second.
        lost = await executions_in(database, 1)
        gateway.scripts.append(LOST_AND_ACCEPTED)
        gateway.ledger[:] = []
        gateway.first_id = 1
        await engine.service.submit_executions_bulk(lost, wait_s=0.5)
        await until(
            lambda: "DOWNSTREAM_RESET" in {e.code for e in engine.events if isinstance(e, AlarmEvent)}
        )
        gateway.first_id = 5000
        result = await engine.service.submit_executions_bulk(await executions_in(database, 3))
        assert result.successful == 3
        await engine.service.submit_executions_bulk(lost, wait_s=1.5)
        assert await states_of(database) == {"accepted": 8, "unknown": 1}
        assert gateway.times_accepted()[lost[0]] == 1


def answer_and_forget(gateway: FakeGateway, posts: Sequence[ExecutionRequest]) -> GatewayReply:
    """Accepts and answers, then starts with an empty ledger."""
    reply = refuse()(gateway, posts)
    gateway.ledger.clear()
    gateway.first_id = 1
    return reply


async def test_a_reset_is_noticed_for_an_attempt_without_a_low_water_id(
    database: Database,
) -> None:
    """Another attempt's answer named an id that the ledger no longer has: absence proves nothing."""
    gateway = FakeGateway()
    gateway.scripts.extend([LOST_AND_ACCEPTED, answer_and_forget])
    gateway.hold()
    async with running_engine(database, gateway, batch_size=1) as engine:
        ids = await executions_in(database, 2)
        waiting = asyncio.ensure_future(engine.service.submit_executions_bulk(ids, wait_s=1.5))
        await until(lambda: len(gateway.calls) == 2)
        gateway.open.set()
        await waiting
        await until(lambda: any(isinstance(e, AlarmEvent) and e.execution_ids for e in engine.events))
        assert await states_of(database) == {"accepted": 1, "unknown": 1}
        assert len(gateway.calls) == 2


async def test_a_backlog_and_callers_take_turns(database: Database) -> None:
    """More retries are due than the queue can hold: callers are neither refused nor served last."""
    gateway, limit, size = FakeGateway(), 40, 5
    backlog = await executions_in(database, 4 * limit)
    reads = PostgresExecutionReads(database, "gone", 60_000)
    for start in range(0, len(backlog), size):
        await reads.enqueue(backlog[start : start + size], SystemClock().new_attempt_id())
    await run_sql(database, "UPDATE submission_attempt SET next_action_at = now()")
    gateway.hold()
    async with running_engine(
        database, gateway, batch_size=size, max_concurrent=1, queue_limit=limit
    ) as engine:
        await until(lambda: len(engine.queue) >= limit // 2 - size)
        fresh = await executions_in(database, limit)
        with engine.queue.reserve(len(fresh)):
            """There is room for callers beside the backlog."""
        waiting = asyncio.create_task(engine.service.submit_executions_bulk(fresh))
        await until(lambda: len(engine.queue) >= limit)
        gateway.open.set()
        assert (await waiting).successful == len(fresh)
        last = max(number for number, call in enumerate(gateway.calls) if set(call) & set(fresh))
        turns = 2 * len(fresh) // size + 2
        assert last < turns, "every other call was a caller's"
        async with asyncio.timeout(15):
            while (await states_of(database)) != {"accepted": len(backlog) + len(fresh)}:
                await asyncio.sleep(0.02)
    assert set(gateway.times_accepted().values()) == {1}


async def test_a_full_queue_does_not_delay_reconciliation(database: Database) -> None:
    """Every call hangs and more executions wait than fit: unknown ones are still reconciled."""
    gateway, size = FakeGateway(), 5
    backlog, (lost,) = await executions_in(database, 40), await executions_in(database, 1)
    store = store_on(database, "gone")
    gateway.first_id = 8
    gateway.accept(post(lost))
    await claimed(store, [lost], lease_ms=1500)
    await run_sql(
        database,
        f"UPDATE trade_order SET security_id = 'S{lost}' WHERE id = (SELECT max(id) FROM trade_order)",
    )
    reads = PostgresExecutionReads(database, "gone", 60_000)
    for start in range(0, len(backlog), size):
        await reads.enqueue(backlog[start : start + size], SystemClock().new_attempt_id())
    await run_sql(database, "UPDATE submission_attempt SET next_action_at = now() WHERE state = 'queued'")
    gateway.hold()
    async with running_engine(database, gateway, batch_size=size, max_concurrent=1, queue_limit=20):
        async with asyncio.timeout(10):
            while not (await states_of(database)).get("accepted"):
                await asyncio.sleep(0.02)
    assert len(gateway.calls) == 1
