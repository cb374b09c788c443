"""The bounded queue, the board and the stream's bookkeeping."""

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trade_service.domain.errors import Overloaded
from trade_service.domain.executions import SubmissionState
from trade_service.submission.board import OutcomeBoard
from trade_service.submission.clock import SystemClock
from trade_service.submission.model import ExecutionSubmitResult, SubmitStatus
from trade_service.submission.stream import Stream
from trade_service.submission.work_queue import Work, WorkQueue


def accepted(execution_id: int) -> ExecutionSubmitResult:
    return ExecutionSubmitResult(
        execution_id, SubmitStatus.SUCCESS, SubmissionState.ACCEPTED, "OK", "accepted", execution_id + 1000
    )


async def test_single_callers_become_one_batch() -> None:
    queue = WorkQueue(1000)
    for execution_id in range(150):
        queue.offer(Work((execution_id,)))
    assert (await queue.take(100)).execution_ids == tuple(range(100))
    assert (await queue.take(100)).execution_ids == tuple(range(100, 150))


async def test_an_execution_stands_in_the_queue_once() -> None:
    queue = WorkQueue(1000)
    queue.offer(Work((1, 2)))
    queue.offer(Work((2, 3), recovered=True))
    taken = [await queue.take(100) for _ in range(2)]
    assert sorted(i for work in taken for i in work.execution_ids) == [1, 2, 3]


async def test_past_the_limit_nothing_is_taken() -> None:
    queue = WorkQueue(3)
    queue.offer(Work((1, 2)))
    with pytest.raises(Overloaded, match="limit is 3"):
        queue.offer(Work((3, 4)))
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
    queue.offer(Work((1, 2, 3), recovered=True, retry_count=2))
    queue.offer(Work((4,), recovered=True))
    taken = [await queue.take(2) for _ in range(3)]
    assert [work.execution_ids for work in taken] == [(1, 2), (3,), (4,)]
    assert [work.retry_count for work in taken] == [2, 2, 0]


async def test_fresh_and_recovered_work_take_turns() -> None:
    queue = WorkQueue(1000)
    for execution_id in range(4):
        queue.offer(Work((execution_id,), recovered=True))
        queue.offer(Work((100 + execution_id,)))
    kinds = [(await queue.take(1)).recovered for _ in range(8)]
    assert kinds in ([True, False] * 4, [False, True] * 4)


async def test_a_backlog_of_retries_leaves_callers_their_room_and_they_leave_it_its_own() -> None:
    queue = WorkQueue(4)
    await queue.put(Work((1, 2), recovered=True))
    blocked = asyncio.create_task(queue.put(Work((3,), recovered=True)))
    await asyncio.sleep(0)
    assert not blocked.done(), "recovered work has half as much room as fresh work"
    queue.offer(Work((11, 12, 13, 14)))
    with pytest.raises(Overloaded, match="4 executions wait"):
        queue.offer(Work((15,)))
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
        queue.offer(Work(tuple(dict.fromkeys(ids)), recovered))
    out: list[int] = []
    while len(queue):
        work = await queue.take(max_size)
        assert 1 <= len(work.execution_ids) <= max_size
        out.extend(work.execution_ids)
    assert sorted(out) == sorted({i for ids, _ in pieces for i in ids})
    queue.require_room(queue.limit)
    await asyncio.wait_for(queue.put(Work(tuple(range(5_000)), recovered=True)), 1)


async def test_all_who_wait_for_an_execution_get_its_result() -> None:
    board = OutcomeBoard()
    first, fresh = board.watch([1, 2])
    second, again = board.watch([2, 3])
    assert (fresh, again) == ([1, 2], [3])
    board.settle([accepted(2)])
    assert set(first.results) == set(second.results) == {2}
    board.settle([accepted(1), accepted(3)])
    await first.all()
    await second.all()
    assert len(board) == 0


async def test_a_caller_that_leaves_is_forgotten_and_the_others_are_not() -> None:
    board = OutcomeBoard()
    leaver, _ = board.watch([1])
    stayer, _ = board.watch([1])
    board.forget(leaver)
    board.settle([accepted(1)])
    assert not leaver.results
    assert set(stayer.results) == {1}


async def test_what_is_settled_elsewhere_is_asked_for_while_somebody_waits() -> None:
    board = OutcomeBoard()
    watch, _ = board.watch([1, 2])
    board.settled_elsewhere([1, 2, 3])
    assert board.to_ask_for(10) == [1, 2]
    board.settle([accepted(1)])
    assert board.to_ask_for(10) == [2]
    board.forget(watch)
    assert board.to_ask_for(10) == []


async def test_who_is_not_patient_is_told_at_once_that_it_was_put_off() -> None:
    board = OutcomeBoard()
    caller, _ = board.watch([1, 2])
    patient = board.new_watch(patient=True)
    assert board.join(patient, [1]) == []
    waiting = ExecutionSubmitResult.put_off(1, SubmissionState.RETRY)
    board.put_off([waiting, ExecutionSubmitResult.put_off(9, SubmissionState.RETRY)])
    board.settled_elsewhere([1])
    assert caller.results == {1: waiting}
    assert caller.open == {2}
    assert not waiting.is_final
    assert board.to_ask_for(10) == [1], "the patient one still waits"
    board.settle([accepted(1), accepted(2)])
    assert (set(caller.results), set(patient.results)) == ({1, 2}, {1})
    assert caller.results[1] is waiting
    assert len(board) == 0


async def test_a_stream_tells_what_was_put_off_and_takes_it_again() -> None:
    board = OutcomeBoard()
    stream = Stream(board.new_watch(), SystemClock(), 60)
    board.join(stream.watch, stream.add([7, 7, 8]))
    board.put_off([ExecutionSubmitResult.put_off(7, SubmissionState.RETRY)])
    assert await stream.wait() == []
    assert [(r.execution_id, r.request_index) for r in stream.take()] == [(7, 0), (7, 1)]
    assert stream.under_way == 1
    assert board.join(stream.watch, stream.add([7])) == [7]
    board.settle([accepted(7)])
    assert [(r.code, r.request_index) for r in stream.take()] == [("OK", 3)]


async def test_a_stream_answers_every_place_of_an_id() -> None:
    board = OutcomeBoard()
    stream = Stream(board.new_watch(), SystemClock(), 60)
    assert stream.add([7, 8, 7]) == (7, 8)
    board.join(stream.watch, [7, 8])
    board.settle([accepted(7), accepted(8)])
    assert await stream.wait() == []
    results = stream.take()
    assert sorted(r.request_index for r in results) == [0, 1, 2]
    assert stream.under_way == 0


async def test_a_stream_names_what_is_overdue() -> None:
    board = OutcomeBoard()
    stream = Stream(board.new_watch(), SystemClock(), 0)
    board.join(stream.watch, stream.add([7, 8]))
    board.settle([accepted(8)])
    assert await stream.wait() == []
    assert [r.execution_id for r in stream.take()] == [8]
    assert await stream.wait() == [7]


async def test_room_that_is_promised_is_kept_and_given_up() -> None:
    queue = WorkQueue(limit=5)
    with queue.room_for(3):
        with pytest.raises(Overloaded):
            queue.require_room(3)
        queue.offer(Work((1, 2)))
        queue.accept(Work((11, 12, 13)))
    assert len(queue) == 5
    with pytest.raises(Overloaded), queue.room_for(1):
        pytest.fail("there was no room")
    await queue.take(5)
    with pytest.raises(ZeroDivisionError), queue.room_for(5):
        raise ZeroDivisionError
    queue.require_room(5)
