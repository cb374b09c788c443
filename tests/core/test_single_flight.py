"""Shared work and cached values: one read for many callers, old values while the source is away."""

import asyncio
import math
from collections.abc import Callable

import pytest
from structlog.testing import capture_logs

from trade_service.domain.reference import Blotter, ReferenceData, SeenRevision
from trade_service.single_flight import SingleFlight, SingleFlightCache
from trade_service.submission.clock import SystemClock
from trade_service.trading.reference import ReferenceCache

MAX_AGE_S, PAUSE_S = 10.0, 2.0


class Away(Exception):
    """The source is unavailable."""


class Source:
    """A number that counts the reads, with a clock that stands still until a test moves it."""

    def __init__(self) -> None:
        self.now = 100.0
        self.reads = 0
        self.size = 1
        self.failure: Exception | None = None
        self.answers = asyncio.Event()
        self.answers.set()

    async def load(self) -> range:
        self.reads += 1
        size = self.size
        await self.answers.wait()
        if self.failure is not None:
            raise self.failure
        return range(size)

    def cached(self, stale_s: float = math.inf) -> SingleFlightCache[range]:
        """A cache of this source."""
        return SingleFlightCache(
            "numbers",
            self.load,
            Away,
            max_age_s=MAX_AGE_S,
            pause_s=PAUSE_S,
            stale_s=stale_s,
            monotonic=lambda: self.now,
        )


def has(number: int) -> Callable[[range], bool]:
    return lambda numbers: number in numbers


@pytest.fixture
def source() -> Source:
    return Source()


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("trade_service.single_flight.PATIENCE_S", 0.05)


async def test_many_callers_share_one_read_and_its_failure(source: Source) -> None:
    cache = source.cached()
    source.failure = Away()
    failures = await asyncio.gather(*(cache.get() for _ in range(50)), return_exceptions=True)
    assert all(isinstance(failure, Away) for failure in failures)
    source.failure, source.now = None, source.now + PAUSE_S
    values = await asyncio.gather(*(cache.get() for _ in range(50)))
    assert {id(value) for value in values} == {id(await cache.get())}
    assert source.reads == 2


async def test_a_cancelled_caller_does_not_cancel_the_read(source: Source) -> None:
    cache = source.cached()
    source.answers.clear()
    first, second = asyncio.create_task(cache.get()), asyncio.create_task(cache.get())
    await asyncio.sleep(0)
    first.cancel()
    source.answers.set()
    assert await second == range(1)
    assert source.reads == 1


async def test_the_value_is_read_again_at_its_maximum_age(source: Source) -> None:
    cache = source.cached()
    await cache.get()
    source.size = 2
    source.now += MAX_AGE_S - 0.1
    assert len(await cache.get()) == 1
    source.now += 0.1
    assert {len(value) for value in await asyncio.gather(*(cache.get() for _ in range(100)))} == {2}
    assert source.reads == 2


async def test_an_insufficient_value_costs_at_most_one_read_per_pause(source: Source) -> None:
    cache = source.cached()
    await cache.get(has(7))
    for _ in range(20):
        assert not has(7)(await cache.get(has(7)))
    assert source.reads == 1
    source.now += PAUSE_S
    for _ in range(20):
        assert not has(7)(await cache.get(has(7)))
    assert source.reads == 2
    source.size = 8
    source.now += PAUSE_S
    assert has(7)(await cache.get(has(7)))
    assert source.reads == 3


class References:
    """Reference data whose blotters have the ids from 1 to its revision."""

    def __init__(self) -> None:
        self.seen_revision = SeenRevision()
        self.revision = 1
        self.reads = 0

    async def load(self) -> ReferenceData:
        self.reads += 1
        blotters = {n: Blotter(n, "EQ", "Equity", 1) for n in range(1, self.revision + 1)}
        return ReferenceData(blotters, {}, {}, {}, self.revision)


async def test_current_reloads_insufficient_reference_data_at_once() -> None:
    source = References()
    cache = ReferenceCache(source, 30.0, SystemClock())

    async def current(identity: int) -> int:
        return (await cache.current(lambda data: identity in data.blotters)).revision

    assert (await current(1), source.reads) == (1, 1)
    assert (await current(2), source.reads) == (1, 2)
    source.revision = 2
    assert (await current(2), await current(2), source.reads) == (2, 2, 3)
    # A row that was read showed a later revision than that of the copy.
    source.revision = source.seen_revision.newest = 3
    assert (await current(1), await current(1), source.reads) == (3, 3, 4)


async def test_the_last_value_is_served_while_the_source_is_away(source: Source) -> None:
    cache = source.cached()
    value = await cache.get()
    source.failure = Away()
    source.now += 1000 * MAX_AGE_S
    assert all(one is value for one in await asyncio.gather(*(cache.get(has(7)) for _ in range(50))))
    assert source.reads == 2
    source.now += PAUSE_S
    assert await cache.get() is value
    assert source.reads == 3
    with pytest.raises(Away):
        await cache.reload()
    source.failure = None
    source.now += PAUSE_S
    assert await cache.get() is not value


async def test_a_value_is_refused_once_it_is_too_stale(source: Source) -> None:
    cache = source.cached(stale_s=100)
    await cache.get()
    source.failure = Away()
    source.now += 50
    assert await cache.get() == await cache.get() == range(1)
    assert source.reads == 2, "not read again within the pause"
    source.now += 60
    with pytest.raises(Away):
        await cache.get()


async def test_a_source_that_never_answered_is_read_once_per_pause(source: Source) -> None:
    cache = source.cached()
    source.failure = Away()
    for _ in range(20):
        with pytest.raises(Away):
            await cache.get()
    assert source.reads == 1
    source.failure, source.now = None, source.now + PAUSE_S
    assert await cache.get() == range(1)


@pytest.mark.usefixtures("impatient")
async def test_a_read_that_hangs_delays_callers_only_briefly(source: Source) -> None:
    cache = source.cached()
    value = await cache.get()
    source.answers.clear()
    source.now += MAX_AGE_S
    async with asyncio.timeout(5):
        assert await cache.get() is value
        source.now += 10
        assert all(one is value for one in await asyncio.gather(*(cache.get() for _ in range(100))))
    assert source.reads == 2
    source.answers.set()
    assert await cache.get() is not value


async def test_a_reload_never_joins_a_read_that_began_before_it(source: Source) -> None:
    cache = source.cached()
    await cache.get()
    source.answers.clear()
    early = asyncio.create_task(cache.reload())
    while source.reads < 2:
        await asyncio.sleep(0)
    source.size = 2
    late = [asyncio.create_task(cache.reload()) for _ in range(20)]
    await asyncio.sleep(0)
    source.answers.set()
    assert len(await early) == 1
    assert {len(value) for value in await asyncio.gather(*late)} == {2}
    assert source.reads == 3


@pytest.mark.parametrize(("error", "level"), [(Away("away"), "warning"), (ValueError("a defect"), "error")])
async def test_a_failure_is_logged_even_when_nobody_waits(error: Exception, level: str) -> None:
    async def fail() -> int:
        raise error

    with capture_logs() as logs:
        async with SingleFlight[int]("work", Away) as flights:
            task = flights.start(("a", "b"), fail)
            assert flights.join("b", fail) is task
            await asyncio.wait([task])
            assert len(flights) == 0
    assert [(log["event"], log["work"], log["log_level"]) for log in logs] == [
        ("background_work_failed", "work", level)
    ]


async def test_leaving_cancels_what_is_running() -> None:
    async with SingleFlight[None]("work", Away) as flights:
        task = flights.join("a", lambda: asyncio.sleep(3600))
        await asyncio.sleep(0)
    assert task.cancelled()
