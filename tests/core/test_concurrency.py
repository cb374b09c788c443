"""The adaptive limit: between one and the maximum, down at once, up in steps, once for each burst."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trade_service.submission.circuit import ConcurrencyLimit, Load

LOADS = st.sampled_from(list(Load))
DICE = st.floats(0, 1, exclude_max=True)
WORSE = (Load.TOO_MUCH, Load.THROTTLED)


def note(
    limit: ConcurrencyLimit,
    load: Load,
    now: float,
    *,
    began: float | None = None,
    retry_after_s: float | None = None,
    random: float = 0.0,
) -> None:
    """Records a call, by default one that began and ended now."""
    limit.note(
        load, began=now if began is None else began, retry_after_s=retry_after_s, now=now, random=random
    )


def test_it_begins_at_the_maximum_and_halves_down_to_one() -> None:
    limit = ConcurrencyLimit(9, 60)
    seen = [limit.limit]
    for now in range(5):
        note(limit, Load.TOO_MUCH, now)
        seen.append(limit.limit)
    assert seen == [9, 4, 2, 1, 1, 1]


def test_a_burst_of_failures_counts_once() -> None:
    limit = ConcurrencyLimit(8, 60)
    for now in (1.0, 1.1, 1.2, 1.3):
        note(limit, Load.TOO_MUCH, now, began=0.0)
    assert limit.limit == 4
    note(limit, Load.TOO_MUCH, 2.0, began=1.5)
    assert limit.limit == 2


def test_what_began_before_the_decrease_does_not_raise_it_again() -> None:
    limit = ConcurrencyLimit(8, 60)
    note(limit, Load.TOO_MUCH, 1.0, began=0.0)
    for _ in range(100):
        note(limit, Load.FINE, 1.5, began=0.5)
    assert limit.limit == 4


def test_it_grows_by_one_a_round_trip() -> None:
    limit = ConcurrencyLimit(8, 60)
    for now in range(3):
        note(limit, Load.TOO_MUCH, now)
    assert limit.limit == 1
    rounds = []
    for now in range(10, 17):
        for _ in range(limit.limit):
            note(limit, Load.FINE, now)
        rounds.append(limit.limit)
    assert rounds[0] == 2
    assert all(later - earlier <= 1 for earlier, later in pairwise(rounds))
    for _ in range(100):
        note(limit, Load.FINE, 20)
    assert limit.limit == 8


def test_retry_after_pauses_everybody_and_is_bounded() -> None:
    limit = ConcurrencyLimit(4, 60)
    note(limit, Load.THROTTLED, 10, retry_after_s=5)
    assert limit.pause_s(12) == pytest.approx(3)
    assert limit.pause_s(15) == 0
    note(limit, Load.THROTTLED, 20, retry_after_s=3600)
    assert limit.pause_s(20) == pytest.approx(60)


def test_the_retry_after_of_a_late_answer_of_the_same_burst_counts_too() -> None:
    limit = ConcurrencyLimit(8, 60)
    note(limit, Load.THROTTLED, 1.0, began=0.0, retry_after_s=1)
    note(limit, Load.THROTTLED, 1.5, began=0.0, retry_after_s=4)
    note(limit, Load.THROTTLED, 1.6, began=0.0, retry_after_s=1)
    assert limit.limit == 4
    assert limit.pause_s(1.6) == pytest.approx(3.9)


def test_throttling_without_a_time_pauses_longer_and_longer_until_an_answer_comes() -> None:
    limit, now, pauses = ConcurrencyLimit(2, 1.0), 0.0, []
    for _ in range(6):
        note(limit, Load.THROTTLED, now)
        pauses.append(limit.pause_s(now))
        now += limit.pause_s(now)
    assert pauses == pytest.approx([0.05, 0.1, 0.2, 0.4, 0.8, 1.0])
    note(limit, Load.FINE, now)
    note(limit, Load.THROTTLED, now + 1, retry_after_s=0)
    assert limit.pause_s(now + 1) == pytest.approx(0.05)


CALLS = st.lists(
    st.tuples(LOADS, st.floats(0, 5), st.floats(0, 10), st.none() | st.floats(0, 7200), DICE), max_size=100
)


@given(maximum=st.integers(1, 50), calls=CALLS)
def test_whatever_happens_it_stays_within_its_bounds_and_comes_back(
    maximum: int, calls: list[tuple[Load, float, float, float | None, float]]
) -> None:
    limit, now = ConcurrencyLimit(maximum, 60), 1000.0
    for load, later_s, lasted_s, retry_after_s, random in calls:
        now += later_s
        before = limit.limit
        note(limit, load, now, began=now - lasted_s, retry_after_s=retry_after_s, random=random)
        assert 1 <= limit.limit <= maximum
        assert limit.pause_s(now) <= 60.001
        if load in WORSE:
            assert limit.limit <= before
        elif load is Load.FINE:
            assert before <= limit.limit <= before + 1
        else:
            assert limit.limit == before
    now += 60
    for _ in range(maximum * (maximum + 1)):
        note(limit, Load.FINE, now)
    assert limit.limit == maximum
    assert limit.pause_s(now) == 0


@given(maximum=st.integers(1, 50), loads=st.lists(LOADS, max_size=60), data=st.data())
def test_a_worse_history_never_gives_a_higher_limit(
    maximum: int, loads: list[Load], data: st.DataObject
) -> None:
    """Sequential calls: after a worse outcome the limit stays at most the same."""
    as_it_was, worse = ConcurrencyLimit(maximum, 60), ConcurrencyLimit(maximum, 60)
    spoiled = data.draw(st.sets(st.integers(0, max(0, len(loads) - 1))))
    for now, load in enumerate(loads):
        note(as_it_was, load, now)
        note(worse, Load.TOO_MUCH if now in spoiled else load, now)
        assert worse.limit <= as_it_was.limit
