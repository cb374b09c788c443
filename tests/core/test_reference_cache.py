"""The cache of reference data: read once, kept while the database is away, never in anybody's way."""

import asyncio
from collections.abc import Callable

import pytest

from trade_service.domain.reference import Destination, ReferenceData
from trade_service.submission.clock import SystemClock
from trade_service.submission.ports import StoreUnavailable
from trade_service.trading.reference import MISS_PAUSE_S, ReferenceCache

TTL_S = 30.0


class FakeClock(SystemClock):
    """Time that stands still until it is moved."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 100.0

    def boottime(self) -> float:
        return self.now


class FakeReads:
    """Reference data that a test makes grow, fail or hang."""

    def __init__(self) -> None:
        self.reads = 0
        self.size = 1
        self.failing = False
        self.answers = asyncio.Event()
        self.answers.set()

    async def load(self) -> ReferenceData:
        self.reads += 1
        size = self.size
        await self.answers.wait()
        if self.failing:
            raise StoreUnavailable("away")
        rows = {i: Destination(i, f"D{i}", "", 1) for i in range(1, size + 1)}
        return ReferenceData({}, {}, rows, {})


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def reads() -> FakeReads:
    return FakeReads()


@pytest.fixture
def cache(reads: FakeReads, clock: FakeClock) -> ReferenceCache:
    return ReferenceCache(reads, TTL_S, clock)


def has(destination_id: int) -> Callable[[ReferenceData], bool]:
    return lambda data: destination_id in data.destinations


async def test_many_first_callers_cause_one_read_and_its_failure_is_told_to_all(
    cache: ReferenceCache, reads: FakeReads
) -> None:
    reads.failing = True
    answers = await asyncio.gather(*(cache.get() for _ in range(50)), return_exceptions=True)
    assert all(isinstance(answer, StoreUnavailable) for answer in answers)
    reads.failing = False
    assert {id(data) for data in await asyncio.gather(*(cache.get() for _ in range(50)))} == {
        id(await cache.get())
    }
    assert reads.reads == 2


async def test_the_first_caller_going_away_harms_nobody(cache: ReferenceCache, reads: FakeReads) -> None:
    reads.answers.clear()
    first, second = asyncio.create_task(cache.get()), asyncio.create_task(cache.get())
    await asyncio.sleep(0)
    first.cancel()
    reads.answers.set()
    assert len((await second).destinations) == 1
    assert reads.reads == 1


async def test_it_is_read_again_when_it_is_too_old(
    cache: ReferenceCache, reads: FakeReads, clock: FakeClock
) -> None:
    await cache.get()
    reads.size = 2
    clock.now += TTL_S - 0.1
    assert len((await cache.get()).destinations) == 1
    clock.now += 0.1
    assert len((await cache.get()).destinations) == 2
    assert reads.reads == 2


async def test_an_unknown_id_costs_at_most_one_read_a_second(
    cache: ReferenceCache, reads: FakeReads, clock: FakeClock
) -> None:
    await cache.get()
    clock.now += MISS_PAUSE_S
    for _ in range(20):
        assert not has(7)(await cache.get(has(7)))
    assert reads.reads == 2
    reads.size = 7
    clock.now += MISS_PAUSE_S
    assert has(7)(await cache.get(has(7)))
    assert reads.reads == 3


async def test_older_data_serves_while_the_database_is_away(
    cache: ReferenceCache, reads: FakeReads, clock: FakeClock
) -> None:
    data = await cache.get()
    reads.failing = True
    clock.now += TTL_S
    assert all(d is data for d in await asyncio.gather(*(cache.get(has(7)) for _ in range(50))))
    assert reads.reads == 2
    clock.now += MISS_PAUSE_S
    assert await cache.get() is data
    assert reads.reads == 3
    with pytest.raises(StoreUnavailable):
        await cache.refreshed()
    reads.failing = False
    clock.now += MISS_PAUSE_S
    assert await cache.get() is not data


async def test_a_read_that_hangs_holds_nobody_up_for_long(
    cache: ReferenceCache, reads: FakeReads, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("trade_service.trading.reference.PATIENCE_S", 0.05)
    data = await cache.get()
    reads.answers.clear()
    clock.now += TTL_S
    async with asyncio.timeout(5):
        assert await cache.get() is data
        clock.now += 10
        assert all(d is data for d in await asyncio.gather(*(cache.get() for _ in range(100))))
    assert reads.reads == 2
    reads.answers.set()
    assert await cache.get() is not data


async def test_a_refresh_never_joins_a_read_that_began_before_it(
    cache: ReferenceCache, reads: FakeReads
) -> None:
    await cache.get()
    reads.answers.clear()
    early = asyncio.create_task(cache.refreshed())
    while reads.reads < 2:
        await asyncio.sleep(0)
    reads.size = 2
    late = [asyncio.create_task(cache.refreshed()) for _ in range(20)]
    await asyncio.sleep(0)
    reads.answers.set()
    assert len((await early).destinations) == 1
    assert {len(data.destinations) for data in await asyncio.gather(*late)} == {2}
    assert reads.reads == 3
