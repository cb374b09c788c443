"""Single submissions: who shares a claim, who is queued, and what each caller gets."""

import asyncio
from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Any, cast

import pytest

from tests.web.support import EXECUTION, ORDER, REFERENCE
from trade_service.domain.access import Requester
from trade_service.domain.orders import Submission
from trade_service.submission.events import REQUESTER, Origins
from trade_service.submission.model import Claim, NewAttempt
from trade_service.submission.ports import StoreUnavailable
from trade_service.submission.waiters import Waiter
from trade_service.trading.model import ClaimedSlices, StoredExecution
from trade_service.trading.single_submissions import SingleSubmissions

ATTEMPT = NewAttempt("00000000-0000-7000-8000-000000000001", "one", 1, 1, 1, 1)


class Engine:
    """A store whose claims end when `go` is set, and senders that may be busy."""

    def __init__(self) -> None:
        self.go = asyncio.Event()
        self.failure: Exception | None = None
        self.refused = frozenset[int]()
        self.senders = 4
        self.claims: list[list[int]] = []
        self.requesters: list[str] = []
        self.left: list[Waiter] = []
        self.tasks: list[asyncio.Task[None]] = []
        self.singles = SingleSubmissions(cast(Any, self), cast(Any, self), cast(Any, self))

    async def current(self, is_enough: Callable[[Any], bool]) -> Any:
        return REFERENCE

    async def slice_and_claim(
        self,
        submissions: Sequence[Submission],
        _attempt: NewAttempt,
        _reference: object,
        requesters: Sequence[Requester],
    ) -> ClaimedSlices | None:
        self.claims.append([one.trade_order_id for one in submissions])
        self.requesters += [one.actor for one in requesters]
        await self.go.wait()
        if self.failure is not None:
            raise self.failure
        slices = tuple(
            _stored(one.trade_order_id) for one in submissions if one.trade_order_id not in self.refused
        )
        return ClaimedSlices(slices, Claim((), (), 0)) if slices else None

    def start(self, origins: Sequence[Origins], write: Any, ended: Callable[[], None]) -> bool:
        if not self.senders:
            return False
        self.senders -= 1

        async def send() -> None:
            try:
                await write(ATTEMPT)
            except StoreUnavailable:
                pass
            finally:
                ended()
                self.senders += 1

        self.tasks.append(asyncio.create_task(send()))
        return True

    def join(self, execution_id: int) -> Waiter:
        waiter = Waiter()
        waiter.open.add(execution_id)
        return waiter

    def leave(self, waiter: Waiter) -> None:
        self.left.append(waiter)

    def submit(self, order_id: int) -> "asyncio.Task[tuple[StoredExecution, Waiter] | None]":
        return asyncio.create_task(self.singles.submit(Submission(order_id, Decimal(1), 1)))


def _stored(order_id: int) -> StoredExecution:
    execution = EXECUTION.__class__(**{name: getattr(EXECUTION, name) for name in EXECUTION.__struct_fields__} | {
        "id": order_id + 100, "trade_order_id": order_id})  # fmt: skip
    return StoredExecution(execution, ORDER)


async def settled() -> None:
    for _ in range(10):
        await asyncio.sleep(0)


async def test_callers_that_come_during_a_claim_share_the_next_one() -> None:
    engine = Engine()
    calls = []
    for order_id in (1, 2, 3, 2, 4):
        REQUESTER.set(Requester(actor=f"caller {order_id}"))
        calls.append(engine.submit(order_id))
        await settled()
    assert engine.claims == [[1]]
    engine.go.set()
    found = await asyncio.gather(*calls)
    assert engine.claims == [[1], [2, 3, 4], [2]]
    assert engine.requesters == ["caller 1", "caller 2", "caller 3", "caller 4", "caller 2"]
    for order_id, one in zip((1, 2, 3, 2, 4), found, strict=True):
        assert one is not None
        assert one[0].execution.trade_order_id == order_id
        assert one[1].open == {order_id + 100}
    assert len({id(one[1]) for one in found if one}) == 5


async def test_one_that_is_refused_does_not_affect_the_others() -> None:
    engine = Engine()
    engine.refused = frozenset({1, 3})
    engine.go.set()
    found = await asyncio.gather(*map(engine.submit, (1, 2, 3)))
    assert [one is not None for one in found] == [False, True, False]


@pytest.mark.parametrize("order_id", [2**31, -(2**40)])
async def test_what_no_order_can_have_is_claimed_with_nobody(order_id: int) -> None:
    engine = Engine()
    assert await engine.submit(order_id) is None
    assert engine.claims == []


async def test_without_a_sender_they_are_queued_at_once_and_behind_busy_ones_soon() -> None:
    engine = Engine()
    engine.senders = 0
    assert await engine.submit(1) is None
    engine.senders = 1
    first = engine.submit(2)
    await settled()
    assert await engine.submit(3) is None
    assert not first.done()
    engine.go.set()
    assert await first is not None


async def test_a_sender_that_becomes_free_takes_those_who_wait() -> None:
    engine = Engine()
    engine.senders = 1
    calls = [engine.submit(1)]
    await settled()
    calls += map(engine.submit, (2, 3))
    await settled()
    engine.go.set()
    assert None not in await asyncio.gather(*calls)
    assert engine.claims == [[1], [2, 3]]


async def test_an_error_reaches_all_whose_claim_it_was_and_nobody_else() -> None:
    engine = Engine()
    calls = [engine.submit(1)]
    await settled()
    calls += map(engine.submit, (2, 3))
    await settled()
    engine.failure = StoreUnavailable("away")
    engine.go.set()
    found = await asyncio.gather(*calls, return_exceptions=True)
    assert [type(one) for one in found] == [StoreUnavailable] * 3
    engine.failure = None
    assert await engine.submit(4) is not None


async def test_a_caller_that_leaves_is_waited_for_by_nobody() -> None:
    engine = Engine()
    first, second, third = map(engine.submit, (1, 2, 3))
    await settled()
    first.cancel()
    second.cancel()
    await settled()
    engine.go.set()
    assert await third is not None
    await asyncio.gather(first, second, *engine.tasks, return_exceptions=True)
    assert engine.claims == [[1], [3]]
    assert await engine.submit(4) is not None


async def test_a_claim_that_is_not_made_holds_up_nobody() -> None:
    engine = Engine()

    def start_and_refuse(_origins: object, _write: object, ended: Callable[[], None]) -> bool:
        asyncio.get_running_loop().call_soon(ended)
        return True

    vars(engine)["start"] = start_and_refuse
    found = await asyncio.gather(*map(engine.submit, (1, 2, 3)))
    assert found == [None, None, None]
