"""Token buckets: what a client may do, when it may continue, and how many clients are remembered."""

import time
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trade_service.web.access import RateLimit
from trade_service.web.errors import RequestRefused
from trade_service.web.web_settings import RateLimitSettings


def limit_of(
    requests_per_s: float, burst: int, max_clients: int, monotonic: Callable[[], float] = time.monotonic
) -> RateLimit:
    settings = RateLimitSettings(requests_per_s=requests_per_s, burst=burst, max_clients=max_clients)
    return RateLimit(settings, monotonic)


class Clock:
    now = 50.0

    def __call__(self) -> float:
        return self.now


def taken(limit: RateLimit, client: str) -> bool:
    try:
        limit.take(client)
    except RequestRefused:
        return False
    return True


def test_a_burst_then_the_rate() -> None:
    clock = Clock()
    limit = limit_of(2.0, 3, 10, clock)
    assert [taken(limit, "a") for _ in range(5)] == [True, True, True, False, False]
    assert taken(limit, "b"), "others are not in the way"
    clock.now += 0.5
    assert [taken(limit, "a") for _ in range(2)] == [True, False]
    clock.now += 1000
    assert [taken(limit, "a") for _ in range(4)] == [True, True, True, False]


def test_a_refusal_says_for_how_long() -> None:
    limit = limit_of(0.1, 1, 10, Clock())
    limit.take("a")
    with pytest.raises(RequestRefused, match=r"wait 10\.0 s") as raised:
        limit.take("a")
    assert raised.value.problem.status == 429
    assert raised.value.problem.headers == {"Retry-After": "10"}


def test_zero_is_no_limit() -> None:
    limit = limit_of(0, 1, 10, Clock())
    assert all(taken(limit, "a") for _ in range(1000))


def test_a_flood_of_clients_makes_none_forgotten_that_has_used_its_burst() -> None:
    clock = Clock()
    limit = limit_of(0.1, 2, 100, clock)
    assert [taken(limit, "a") for _ in range(3)] == [True, True, False]
    flood = [taken(limit, str(number)) for number in range(1000)]
    assert flood == [True] * 101 + [False] * 899, "99 of their own, and then one bucket for all"
    assert len(limit._buckets) == 101
    assert not taken(limit, "a")
    clock.now += 20
    assert [taken(limit, str(number)) for number in range(2000, 2100)] == [True] * 100
    assert len(limit._buckets) <= 101


@given(
    rate=st.floats(0.1, 100),
    burst=st.integers(1, 50),
    pauses=st.lists(st.floats(0, 2), max_size=60),
)
def test_never_more_than_the_burst_and_the_rate(rate: float, burst: int, pauses: list[float]) -> None:
    clock = Clock()
    limit = limit_of(rate, burst, 10, clock)
    served = 0
    for pause in pauses:
        clock.now += pause
        served += taken(limit, "a")
    assert served <= burst + rate * sum(pauses) + 1e-6
