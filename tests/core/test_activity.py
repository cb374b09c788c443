"""What calls did over time: intervals that are over are read once, the present again and again."""

import itertools
import math
from collections.abc import Sequence

import pytest

from trade_service.trading.activity import (
    FINE_S,
    LATENCY_STEPS,
    WINDOWS,
    Calls,
    Interval,
    SeriesPoint,
)
from trade_service.trading.call_history import LIVE_S, READ_AT_ONCE, RECENT_S, CallHistory
from trade_service.trading.slow_replicas import slow_replicas

NOW = 1_800_000_000 + 7.5


class Journal:
    """Calls by the second at which they began; remembers what was asked."""

    def __init__(self) -> None:
        self.calls_at: dict[int, dict[str, Calls]] = {}
        self.asked: list[tuple[int, int]] = []

    async def calls(self, starts: Sequence[int], length_s: int) -> dict[int, Interval]:
        self.asked += [(start, length_s) for start in starts]
        found: dict[int, Interval] = {}
        for start in starts:
            sums: dict[str, Calls] = {}
            for at in range(start, start + length_s):
                for replica, calls in self.calls_at.get(at, {}).items():
                    sums.setdefault(replica, Calls(latencies={})).add(calls)
            if sums:
                found[start] = sums
        return found

    def put(self, at: float, replica: str = "one", **changes: int) -> None:
        calls = Calls(**({"attempts": 1, "executions": 100, "accepted": 100} | changes), latencies={60: 1})
        self.calls_at.setdefault(int(at), {})[replica] = calls

    def asked_again(self) -> list[tuple[int, int]]:
        asked, self.asked = self.asked, []
        return asked


class Now:
    """A clock."""

    def __init__(self) -> None:
        self.s = NOW

    def __call__(self) -> float:
        return self.s


@pytest.fixture
def journal() -> Journal:
    return Journal()


@pytest.fixture
def now() -> Now:
    return Now()


@pytest.fixture
def history(journal: Journal, now: Now) -> CallHistory:
    return CallHistory(journal, now)


def test_latencies_are_kept_within_their_precision() -> None:
    calls = Calls(latencies={20 * 2: 98, 20 * 5: 2})
    assert calls.latency_ms(0.5) == pytest.approx(7.39, rel=0.01)
    assert calls.latency_ms(0.98) == pytest.approx(7.39, rel=0.01)
    assert calls.latency_ms(0.99) == pytest.approx(148.4, rel=0.01)
    assert Calls().latency_ms(0.5) is None


async def test_the_last_minute_by_replica(journal: Journal, now: Now, history: CallHistory) -> None:
    journal.put(NOW)
    journal.put(NOW - 30, "two", executions=7)
    journal.put(NOW - 63)
    by_replica, seconds = await history.last_minute()
    assert {name: calls.executions for name, calls in by_replica.items()} == {"one": 100, "two": 7}
    assert 60 <= seconds < 60 + FINE_S


async def test_what_is_over_is_read_once_more_when_it_is_complete(
    journal: Journal, now: Now, history: CallHistory
) -> None:
    began = int(NOW) // FINE_S * FINE_S
    ages = []
    for _ in range(20):
        now.s += 1
        await history.last_minute()
        if now.s > began + FINE_S + 5:
            journal.put(began, "two")  # Its clock is behind.
        ages += [now.s - began - FINE_S for start, _ in journal.asked_again() if start == began]
    assert all(age < RECENT_S + 1 for age in ages[:-1])
    assert LIVE_S <= ages[-1] <= LIVE_S + 1
    by_replica, _ = await history.last_minute()
    assert by_replica["two"].attempts == 1


async def test_what_has_an_open_call_is_read_until_it_ends(
    journal: Journal, now: Now, history: CallHistory
) -> None:
    began = NOW - 2
    journal.put(began, open_attempts=1, accepted=0)
    await history.last_minute()
    for _ in range(10):
        now.s += FINE_S
        journal.asked_again()
        await history.last_minute()
        assert any(start <= began < start + FINE_S for start, _ in journal.asked)
    journal.put(began)
    now.s += 1
    by_replica, _ = await history.last_minute()
    assert by_replica["one"].accepted == 100
    journal.asked_again()
    now.s += 1
    await history.last_minute()
    assert not any(start <= began < start + FINE_S for start, _ in journal.asked)


async def all_points(history: CallHistory, name: str) -> list[SeriesPoint]:
    """The points once all is known."""
    for _ in range(100):
        points, complete = await history.points(WINDOWS[name])
        if complete:
            return points
    raise AssertionError("never complete")


def count_since(journal: Journal, first: SeriesPoint) -> int:
    return sum(at >= first.at.timestamp() for at in journal.calls_at)


@pytest.mark.parametrize("name", WINDOWS)
async def test_points_add_up_whatever_they_are_made_of(
    journal: Journal, now: Now, history: CallHistory, name: str
) -> None:
    window = WINDOWS[name]
    for at in range(int(NOW) - window.length_s - 2 * window.step_s, int(NOW) + 1, 7):
        journal.put(at)
    points = await all_points(history, name)
    assert len(points) == window.length_s // window.step_s + 1
    assert {(b.at - a.at).seconds for a, b in itertools.pairwise(points)} == {window.step_s}
    assert sum(point.attempts for point in points) == count_since(journal, points[0])
    now.s += 400
    journal.put(now.s)
    journal.asked_again()
    later = await all_points(history, name)
    assert sum(point.attempts for point in later) == count_since(journal, later[0])
    newly = sum(length for _, length in journal.asked_again())
    assert newly < 400 + 3 * window.interval_s + 60 + 2 * LIVE_S, "reads again what it knew"
    now.s += 1
    await all_points(history, name)
    assert all(now.s - start < LIVE_S + 2 * FINE_S for start, _ in journal.asked_again())


async def test_of_a_long_window_a_bounded_part_is_read_at_once(
    journal: Journal, history: CallHistory
) -> None:
    points, complete = await history.points(WINDOWS["24h"])
    assert not complete
    assert sum(length == 120 for _, length in journal.asked) <= READ_AT_ONCE
    assert all(NOW - point.at.timestamp() < 120 * (READ_AT_ONCE + 1) for point in points)


def _timed(ms: float, count: int = 10) -> Calls:
    return Calls(attempts=count, latencies={round(math.log(ms) * LATENCY_STEPS): count})


def _slow(by_replica: dict[str, Calls], gone: str = "") -> dict[str, float]:
    return slow_replicas(by_replica, by_replica.keys() - {gone})


def test_a_replica_far_above_the_others_is_slow() -> None:
    assert _slow({"a": _timed(50), "b": _timed(60), "c": _timed(400)}) == {"c": pytest.approx(8, 0.06)}
    # One of two; one of several slow ones.
    assert _slow({"a": _timed(50), "b": _timed(400)}).keys() == {"b"}
    assert _slow({"a": _timed(50), "b": _timed(55), "c": _timed(400), "d": _timed(500)}).keys() == {
        "c",
        "d",
    }
    assert _slow({"a": _timed(50), "b": _timed(400)}, gone="a") == {}


@pytest.mark.parametrize(
    "calls",
    [
        {"alone": _timed(400)},
        {"a": _timed(1), "b": _timed(9)},
        {"a": _timed(50), "b": _timed(90)},
        {"a": _timed(50), "few": _timed(400, 9)},
        {"few": _timed(50, 9), "a": _timed(400)},
        {"a": _timed(50), "unanswered": Calls(attempts=20)},
    ],
)
def test_a_replica_is_not_slow_by_little_or_by_chance(calls: dict[str, Calls]) -> None:
    assert _slow(calls) == {}
