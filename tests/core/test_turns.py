"""Turns of readers: bounds, rotation between clients, and clients that leave."""

import asyncio

from trade_service.web.layers import Deadlines
from trade_service.web.turns import Turns


class Reader:
    """A request that keeps its turn until it is released."""

    def __init__(self, turns: Turns, client: str) -> None:
        self.client = client
        self.has_turn = False
        self.end = asyncio.Event()
        self.task = asyncio.create_task(self._read(turns))

    async def _read(self, turns: Turns) -> None:
        await turns.take(self.client)
        self.has_turn = True
        await self.end.wait()
        self.has_turn = False
        turns.give_back(self.client)

    async def ends(self) -> None:
        self.end.set()
        await self.task


async def settle() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


def served(readers: list[Reader]) -> list[str]:
    return [one.client for one in readers if one.has_turn]


async def test_one_client_has_its_share_and_others_theirs() -> None:
    turns = Turns(at_once=3, per_client=2)
    readers = [Reader(turns, client) for client in "aaaaabbc"]
    await settle()
    assert served(readers) == ["a", "a", "b"]
    await readers[0].ends()
    await settle()
    assert served(readers) == ["a", "a", "b"], "a waited first"
    await readers[1].ends()
    await settle()
    assert served(readers) == ["a", "b", "b"], "then b, who has one, before a again"
    await readers[2].ends()
    await settle()
    assert served(readers) == ["b", "b", "c"]
    for reader in readers:
        reader.end.set()
    await asyncio.gather(*(reader.task for reader in readers))
    assert (turns._taken, dict(turns._of_client), dict(turns._waiting)) == (0, {}, {})


async def test_who_leaves_while_waiting_takes_no_turn() -> None:
    turns = Turns(at_once=1, per_client=1)
    readers = [Reader(turns, client) for client in "abcd"]
    await settle()
    readers[1].task.cancel()
    await asyncio.wait([readers[1].task])
    await readers[0].ends()
    await settle()
    assert served(readers) == ["c"]
    readers[2].end.set()
    readers[3].task.cancel()
    await settle()
    assert served(readers) == []
    assert (turns._taken, dict(turns._of_client), dict(turns._waiting)) == (0, {}, {})


async def test_a_turn_that_comes_as_its_client_leaves_is_passed_on() -> None:
    turns = Turns(at_once=1, per_client=1)
    await turns.take("a")
    readers = [Reader(turns, client) for client in "bc"]
    await settle()
    turns.give_back("a")
    readers[0].task.cancel()
    await settle()
    assert served(readers) == ["c"]
    await readers[1].ends()


async def _late(deadlines: Deadlines) -> bool:
    """Whether the deadline ended a wait without end."""
    deadline = deadlines.begin()
    try:
        await asyncio.Event().wait()
    except asyncio.CancelledError as error:
        return deadline.caused(error)
    finally:
        deadlines.running.pop(deadline, None)
    return False


async def _in_time(deadlines: Deadlines) -> bool:
    deadline = deadlines.begin()
    deadlines.running.pop(deadline, None)
    return deadline.is_over


async def test_every_late_task_is_ended_and_no_other() -> None:
    deadlines = Deadlines(0.02)
    for _ in range(2):
        found = await asyncio.gather(
            _in_time(deadlines), _late(deadlines), _in_time(deadlines), _late(deadlines)
        )
        assert list(found) == [False, True, False, True]


async def test_another_cancellation_is_not_taken_for_a_deadline() -> None:
    task = asyncio.create_task(_late(Deadlines(60.0)))
    await asyncio.sleep(0)
    task.cancel()
    assert not await task
