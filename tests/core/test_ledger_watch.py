"""The gate before claims, on the in-memory database and a scripted ledger."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from tests.support.ledger_scene import CountingStore, Scene
from tests.world.store_rows import BookedAttempt
from trade_service.domain.executions import SubmissionState
from trade_service.domain.fields import MAX_SERVICE_ID
from trade_service.submission.codes import AlarmCode
from trade_service.submission.downstream import Sign, answer_suspicion
from trade_service.submission.ledger_watch import LedgerWatch


def opened(watch: LedgerWatch) -> bool:
    """A function, because the type checker does not expect the value to change."""
    return watch.gate.is_open


async def test_nothing_is_claimed_before_the_ledger_was_read() -> None:
    scene = Scene()
    scene.ledger.away = True
    await scene.watch.start(1.0)
    assert not opened(scene.watch)
    assert "connection refused" in scene.gate.reason
    scene.ledger.away = False
    scene.put(0)
    await scene.attend()
    assert opened(scene.watch)
    assert scene.gate.reason == ""
    assert scene.books.downstream.high_water_id == 1


async def test_a_ledger_that_stays_unread_raises_one_alarm_after_half_a_minute() -> None:
    scene = Scene()
    scene.ledger.away = True
    await scene.watch.start(1.0)
    scene.clock.now += 29
    await scene.watch._attend()
    assert scene.codes == []
    for _ in range(3):
        scene.clock.now += 5
        await scene.watch._attend()
    assert scene.codes == [AlarmCode.DOWNSTREAM_UNREAD]


async def test_a_listing_without_pagination_is_not_read() -> None:
    scene = Scene()
    scene.ledger.says_nothing_of_pages = True
    await scene.watch.start(1.0)
    assert not opened(scene.watch)
    assert "more executions follow" in scene.gate.reason


async def test_an_empty_page_is_dismissed_by_a_second_look() -> None:
    scene = Scene()
    scene.put(0, 0, 0)
    await scene.watch.start(1.0)
    rows, scene.ledger.ledger = scene.ledger.ledger, []
    restarted = scene.new_watch()
    await restarted.start(1.0)
    assert not opened(restarted)
    assert scene.books.downstream.suspicion is not None
    scene.ledger.ledger = rows
    await scene.attend(restarted)
    assert opened(restarted)
    state = await scene.store.read()
    assert (state.epoch, state.suspicion) == (1, None)


async def test_a_ledger_that_stays_empty_begins_a_new_epoch() -> None:
    scene = Scene()
    scene.put(0, 0, 0)
    await scene.watch.start(1.0)
    scene.ledger.ledger.clear()
    restarted = scene.new_watch()
    await restarted.start(1.0)
    await scene.attend(restarted)
    assert opened(restarted)
    assert restarted.gate.epoch == scene.books.downstream.epoch == 2
    assert scene.books.downstream.high_water_id == 0


async def test_a_known_id_in_an_answer_closes_the_gate_at_once_and_durably() -> None:
    scene = Scene()
    scene.put(0, 0, 0)
    await scene.watch.start(1.0)
    other = scene.new_watch()
    await other.start(1.0)
    scene.gate.suspect(answer_suspicion(3, 2, 9))
    assert not opened(scene.watch)
    await scene.watch._attend()
    marked = scene.books.downstream.suspicion
    assert marked is not None
    assert (marked.sign, marked.service_id, marked.execution_id) == (Sign.ANSWER, 2, 9)
    other.gate.note_refused()
    await other._attend()
    assert not opened(other)
    await scene.attend(other)
    assert opened(other)
    assert scene.codes == [AlarmCode.DOWNSTREAM_SUSPECTED]


async def test_a_changed_address_begins_a_new_epoch_and_shuts_out_the_old_one() -> None:
    scene = Scene()
    await scene.watch.start(1.0)
    moved = scene.new_watch("http://two")
    await moved.start(1.0)
    assert opened(moved)
    assert (scene.books.downstream.epoch, scene.books.downstream.base_url) == (2, "http://two")
    scene.gate.note_refused()
    await scene.watch._attend()
    assert not opened(scene.watch)
    assert AlarmCode.DOWNSTREAM_MOVED in scene.codes
    assert "another address" in scene.gate.reason
    assert "http" not in scene.gate.reason, "callers read it"


async def test_the_same_ledger_at_another_address_goes_on() -> None:
    scene = Scene()
    await scene.watch.start(1.0)
    moved = scene.new_watch("http://two", same_ledger=True)
    await moved.start(1.0)
    assert opened(moved)
    assert scene.books.downstream.epoch == 1


async def test_old_books_of_another_life_only_move_the_ids() -> None:
    scene = Scene()
    scene.put(4999, 5000)
    await scene.watch.start(1.0)
    assert opened(scene.watch)
    assert scene.codes == [AlarmCode.DATABASE_RESTORED]
    assert scene.own()[0] > 5000


async def test_a_row_that_was_never_sent_blocks_until_somebody_recovers() -> None:
    scene = Scene()
    (execution_id,) = scene.own()
    scene.put(0)
    await scene.watch.start(1.0)
    scene.put(execution_id)
    restarted = scene.new_watch()
    await restarted.start(1.0)
    assert not opened(restarted)
    assert "trade-service recover" in restarted.gate.reason
    scene.books.downstream.blocked_reason = None
    await scene.attend(restarted)
    assert opened(restarted)


async def test_a_database_that_went_back_in_time_is_not_trusted() -> None:
    scene = Scene()
    scene.put(0)
    await scene.watch.start(1.0)
    backup = scene.books.backup()
    (execution_id,) = scene.own()
    scene.put(0, execution_id)
    scene.gate.note_seen(3, execution_id)
    await scene.attend()
    assert scene.books.downstream.high_water_id == 3
    least_id = scene.gate.high_water_id
    scene.books.restore(backup)
    scene.own()
    assert scene.gate.is_older_database(scene.books.downstream.high_water_id, least_id)
    assert not opened(scene.watch)
    await scene.watch._attend()
    assert "trade-service recover" in scene.gate.reason


async def test_a_claim_that_began_before_the_high_water_id_rose_is_sent() -> None:
    scene = Scene()
    scene.put(0)
    await scene.watch.start(1.0)
    least_id = scene.gate.high_water_id
    low_water_id = scene.books.downstream.high_water_id
    (execution_id,) = scene.own()
    scene.put(0, execution_id)
    scene.gate.note_seen(3, execution_id)
    await scene.attend()
    assert scene.gate.high_water_id == 3
    assert not scene.gate.is_older_database(low_water_id, least_id)


async def test_ids_of_a_later_life_close_the_gate_before_the_ledger_is_read_back() -> None:
    scene = Scene()
    scene.put(0)
    await scene.watch.start(1.0)
    scene.clock.now += 86_400
    (execution_id,) = scene.own()
    row, now = scene.books.executions[execution_id], scene.books.now_s()
    row.state, row.attempt_id = SubmissionState.QUEUED, "a"
    scene.books.attempts["a"] = BookedAttempt("a", "queued", "one", (execution_id,), now, started_at=now - 1)
    scene.ledger.away = True
    scene.gate.note_ours(99_999)
    await scene.watch._attend()
    assert not opened(scene.watch)
    assert scene.books.downstream.blocked_reason
    assert "99999" in scene.gate.reason
    scene.ledger.away = False
    await scene.watch._attend()
    assert "trade-service recover" in scene.gate.reason
    assert scene.codes == [AlarmCode.DATABASE_RESTORED]


async def test_what_others_send_during_the_first_look_is_no_sign_of_a_later_life() -> None:
    scene = Scene()
    scene.put(0)
    await scene.watch.start(1.0)

    def send() -> None:
        (execution_id,) = scene.own()
        scene.books.executions[execution_id].state = SubmissionState.ACCEPTED
        scene.put(execution_id)

    scene.ledger.meanwhile = send
    other = scene.new_watch()
    await scene.attend(other)
    assert opened(other)
    assert scene.codes == []


async def test_a_failed_reading_back_keeps_the_gate_closed_where_nothing_is_open() -> None:
    scene = Scene()
    scene.put(0, 4000)
    await scene.watch.start(1.0)
    scene.ledger.away = True
    scene.gate.note_ours(99_999)
    await scene.watch._attend()
    assert not opened(scene.watch)
    scene.ledger.away = False
    await scene.attend()
    assert opened(scene.watch)


async def test_the_high_water_id_is_stored_at_most_once_a_second() -> None:
    scene = Scene()
    await scene.watch.start(1.0)
    stored = []
    for service_id in range(1, 11):
        scene.put(0)
        scene.gate.note_seen(service_id, 7)
        await scene.watch._attend()
        stored.append(scene.books.downstream.high_water_id)
    assert len(set(stored)) <= 2
    scene.clock.now += 1
    await scene.watch._attend()
    assert scene.books.downstream.high_water_id == 10


@asynccontextmanager
async def running(watch: LedgerWatch) -> AsyncIterator[None]:
    task = asyncio.create_task(watch.run())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def test_who_waits_goes_on_once_the_ledger_is_read() -> None:
    scene = Scene()
    scene.ledger.away = True
    await scene.watch.start(1.0)
    async with running(scene.watch):
        waiting = asyncio.create_task(scene.gate.wait_open())
        scene.ledger.away = False
        async with asyncio.timeout(10):
            await waiting


async def test_execution_ids_of_others_do_not_use_up_ours() -> None:
    for odd in (MAX_SERVICE_ID, 10**20, -1):
        scene = Scene()
        await scene.attend()
        scene.own()
        scene.put(7, odd)
        await scene.attend(scene.new_watch())
        assert (await scene.store.read()).last_execution_id == 7 + 1000
        scene.ledger.ledger.clear()
        scene.put(odd)
        restarted = scene.new_watch()
        await scene.attend(restarted)
        assert opened(restarted)


async def test_batches_in_quick_succession_do_not_read_the_shared_state_each() -> None:
    scene = Scene()
    scene.store = store = CountingStore(scene.books)
    watch = scene.new_watch()
    await scene.attend(watch)
    store.reads = 0
    async with asyncio.TaskGroup() as group:
        running = group.create_task(watch.run())
        for service_id in range(1, 50):
            watch.gate.note_seen(service_id, service_id)
            for _ in range(10):
                await asyncio.sleep(0)
        running.cancel()
    assert store.reads <= 4
    assert watch.gate.high_water_id < 49
    scene.clock.now += 1.1
    await scene.attend(watch)
    assert watch.gate.high_water_id == 49
