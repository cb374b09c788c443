"""The bounded queue, the waiters, and pending results."""

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trade_service.domain.errors import Overloaded
from trade_service.domain.executions import SubmissionState
from trade_service.submission.clock import SystemClock
from trade_service.submission.model import ExecutionSubmitResult, SubmitStatus
from trade_service.submission.waiters import PendingResults, Waiter, Waiters
from trade_service.submission.work import Work
from trade_service.submission.work_queue import WorkQueue


def accepted(execution_id: int) -> ExecutionSubmitResult:
    return ExecutionSubmitResult(
        execution_id, SubmitStatus.SUCCESS, SubmissionState.ACCEPTED, "OK", "accepted", execution_id + 1000
    )


async def test_single_callers_become_one_batch() -> None:
    queue = WorkQueue(1000)
    for execution_id in range(150):
        queue.accept(Work((execution_id,)))
    assert (await queue.take(100)).execution_ids == tuple(range(100))
    assert (await queue.take(100)).execution_ids == tuple(range(100, 150))


async def test_an_execution_stands_in_the_queue_once() -> None:
    queue = WorkQueue(1000)
    queue.accept(Work((1, 2)))
    queue.accept(Work((2, 3), recovered=True))
    taken = [await queue.take(100) for _ in range(2)]
    assert sorted(i for work in taken for i in work.execution_ids) == [1, 2, 3]


async def test_past_the_limit_nothing_is_taken() -> None:
    queue = WorkQueue(3)
    queue.accept(Work((1, 2)))
    with pytest.raises(Overloaded, match="limit is 3"), queue.reserve(2):
        pytest.fail("there was no room")
    assert len(queue) == 2


async def test_put_waits_for_room() -> None:
    queue = WorkQueue(2)
    await queue.put(Work((1, 2)))
    waiting = asyncio.create_task(queue.put(Work((3,))))
    await asyncio.sleep(0)
    assert not waiting.done()
    await queue.take(2)
    await waiting
    assert (await queue.take(2)).execution_ids == (3,)


async def test_a_recovered_piece_is_cut_but_never_joined() -> None:
    queue = WorkQueue(1000)
    queue.accept(Work((1, 2, 3), recovered=True, retry_count=2))
    queue.accept(Work((4,), recovered=True))
    taken = [await queue.take(2) for _ in range(3)]
    assert [work.execution_ids for work in taken] == [(1, 2), (3,), (4,)]
    assert [work.retry_count for work in taken] == [2, 2, 0]


async def test_fresh_and_recovered_work_take_turns() -> None:
    queue = WorkQueue(1000)
    for execution_id in range(4):
        queue.accept(Work((execution_id,), recovered=True))
        queue.accept(Work((100 + execution_id,)))
    kinds = [(await queue.take(1)).recovered for _ in range(8)]
    assert kinds in ([True, False] * 4, [False, True] * 4)


async def test_a_backlog_of_retries_leaves_callers_their_room_and_they_leave_it_its_own() -> None:
    queue = WorkQueue(4)
    await queue.put(Work((1, 2), recovered=True))
    blocked = asyncio.create_task(queue.put(Work((3,), recovered=True)))
    await asyncio.sleep(0)
    assert not blocked.done(), "recovered work has half as much room as fresh work"
    queue.accept(Work((11, 12, 13, 14)))
    with pytest.raises(Overloaded, match="4 executions wait"), queue.reserve(1):
        pytest.fail("there was no room")
    taken = []
    while len(queue) or not blocked.done():
        taken.append(await queue.take(1))
        await asyncio.sleep(0)
    assert {i for work in taken if work.recovered for i in work.execution_ids} == {1, 2, 3}
    await blocked


@given(
    st.lists(st.tuples(st.lists(st.integers(0, 30), min_size=1, max_size=8), st.booleans()), max_size=12),
    st.integers(1, 10),
)
async def test_nothing_is_lost_or_doubled_in_the_queue(
    pieces: list[tuple[list[int], bool]], max_size: int
) -> None:
    queue = WorkQueue(10_000)
    for ids, recovered in pieces:
        queue.accept(Work(tuple(dict.fromkeys(ids)), recovered))
    out: list[int] = []
    while len(queue):
        work = await queue.take(max_size)
        assert 1 <= len(work.execution_ids) <= max_size
        out.extend(work.execution_ids)
    assert sorted(out) == sorted({i for ids, _ in pieces for i in ids})
    with queue.reserve(queue.limit):
        """There is room for all of them."""
    await asyncio.wait_for(queue.put(Work(tuple(range(5_000)), recovered=True)), 1)


def waiting_for(waiters: Waiters, *ids: int) -> tuple[Waiter, list[int]]:
    waiter = Waiter()
    return waiter, waiters.join(waiter, ids)


def deferred(execution_id: int) -> ExecutionSubmitResult:
    return ExecutionSubmitResult.deferred(execution_id, SubmissionState.RETRY)


async def test_everyone_who_waits_for_an_execution_gets_its_result() -> None:
    waiters = Waiters()
    first, fresh = waiting_for(waiters, 1, 2)
    second, again = waiting_for(waiters, 2, 3)
    assert (fresh, again) == ([1, 2], [3])
    waiters.settle([accepted(2)])
    assert set(first.results) == set(second.results) == {2}
    waiters.settle([accepted(1), accepted(3)])
    await first.all()
    await second.all()
    assert len(waiters) == 0


async def test_a_caller_that_leaves_does_not_affect_the_others() -> None:
    waiters = Waiters()
    leaver, _ = waiting_for(waiters, 1)
    stayer, _ = waiting_for(waiters, 1)
    waiters.leave(leaver)
    waiters.settle([accepted(1)])
    assert not leaver.results
    assert set(stayer.results) == {1}


async def test_what_another_process_may_settle_is_listed_while_someone_waits() -> None:
    waiters = Waiters()
    waiter, _ = waiting_for(waiters, 1, 2)
    waiters.settle(ExecutionSubmitResult.pending(i, SubmissionState.CLAIMED) for i in (1, 2, 3))
    assert not waiter.results, "pending results end no waiting"
    assert waiters.unsettled(10) == [1, 2]
    assert waiters.unsettled(1) == [1]
    waiters.settle([accepted(1)])
    assert waiters.unsettled(10) == [2]
    waiters.leave(waiter)
    assert waiters.unsettled(10) == []


@pytest.mark.parametrize("by_flag", [True, False])
async def test_a_deferred_execution_is_reported_at_once_unless_the_caller_waits_through(
    by_flag: bool,
) -> None:
    waiters = Waiters()
    caller, _ = waiting_for(waiters, 1, 2)
    patient = Waiter(wait_through_open_circuit=True)
    assert waiters.join(patient, [1]) == []
    waiting = ExecutionSubmitResult.pending(1, SubmissionState.RETRY) if by_flag else deferred(1)
    waiters.settle([waiting, deferred(9)], deferred=by_flag)
    assert caller.results == {1: waiting}
    assert caller.open == {2}
    assert not waiting.is_final
    assert waiters.unsettled(10) == [1], "the patient one still waits"
    waiters.settle([accepted(1), accepted(2)])
    assert (set(caller.results), set(patient.results)) == ({1, 2}, {1})
    assert caller.results[1] is waiting
    assert len(waiters) == 0


async def test_a_stream_returns_a_deferred_execution_and_takes_it_again() -> None:
    waiters = Waiters()
    pending = PendingResults(Waiter(), SystemClock(), 60)
    waiters.join(pending.waiter, pending.add([7, 7, 8]))
    waiters.settle([deferred(7)])
    assert await pending.wait() == []
    assert [(r.execution_id, r.request_index) for r in pending.take()] == [(7, 0), (7, 1)]
    assert len(pending) == 1
    assert waiters.join(pending.waiter, pending.add([7])) == [7]
    waiters.settle([accepted(7)])
    assert [(r.code, r.request_index) for r in pending.take()] == [("OK", 3)]


async def test_a_stream_answers_every_place_of_an_id() -> None:
    waiters = Waiters()
    pending = PendingResults(Waiter(), SystemClock(), 60)
    assert pending.add([7, 8, 7]) == (7, 8)
    waiters.join(pending.waiter, [7, 8])
    waiters.settle([accepted(7), accepted(8)])
    assert await pending.wait() == []
    assert sorted(r.request_index for r in pending.take()) == [0, 1, 2]
    assert len(pending) == 0


async def test_a_stream_names_what_is_overdue() -> None:
    waiters = Waiters()
    pending = PendingResults(Waiter(), SystemClock(), 0)
    waiters.join(pending.waiter, pending.add([7, 8]))
    waiters.settle([accepted(8)])
    assert await pending.wait() == []
    assert [r.execution_id for r in pending.take()] == [8]
    assert await pending.wait() == [7]


async def test_room_that_is_promised_is_kept_and_given_up() -> None:
    queue = WorkQueue(limit=5)
    with queue.reserve(3):
        with pytest.raises(Overloaded), queue.reserve(3):
            pytest.fail("there was no room")
        queue.accept(Work((1, 2)))
        queue.accept(Work((11, 12, 13)))
    assert len(queue) == 5
    with pytest.raises(Overloaded), queue.reserve(1):
        pytest.fail("there was no room")
    await queue.take(5)
    with pytest.raises(ZeroDivisionError), queue.reserve(5):
        raise ZeroDivisionError
    with queue.reserve(5):
        """There is room again."""
