"""The circuit breaker: when it opens, which calls it permits, and that it always closes again."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trade_service.submission.circuit import (
    CallRating,
    CircuitBreaker,
    CircuitState,
    Permit,
    rating_of,
)
from trade_service.submission.engine_settings import CircuitSettings
from trade_service.submission.model import GatewayReply, ReplyKind

SETTINGS = CircuitSettings(
    slow_call_ms=1000,
    window_calls=10,
    minimum_calls=4,
    failure_rate_pct=50,
    slow_rate_pct=75,
    open_ms=1000,
    open_max_ms=8000,
    half_open_probes=2,
    retry_after_max_ms=60_000,
)
RATINGS = st.sampled_from(list(CallRating))
DICE = st.floats(0, 1, exclude_max=True)


def note(
    breaker: CircuitBreaker,
    permit: Permit,
    rating: CallRating,
    now: float = 0.0,
    *,
    is_slow: bool = False,
    retry_after_s: float | None = None,
    random: float = 0.0,
    is_repeat: bool = False,
) -> None:
    breaker.note(
        permit,
        rating,
        is_slow=is_slow,
        code="CODE",
        retry_after_s=retry_after_s,
        now=now,
        random=random,
        is_repeat=is_repeat,
    )


def call(
    breaker: CircuitBreaker,
    rating: CallRating,
    now: float = 0.0,
    *,
    is_slow: bool = False,
    is_repeat: bool = False,
) -> None:
    permit = breaker.admit(now)
    assert permit is not None
    note(breaker, permit, rating, now, is_slow=is_slow, is_repeat=is_repeat)
    breaker.release(permit)


def opened(now: float = 0.0, *, retry_after_s: float | None = None, random: float = 0.0) -> CircuitBreaker:
    breaker = CircuitBreaker(SETTINGS)
    permit = breaker.admit(now)
    assert permit is not None
    note(breaker, permit, CallRating.HOPELESS, now, retry_after_s=retry_after_s, random=random)
    breaker.release(permit)
    assert breaker.state is CircuitState.OPEN
    return breaker


@pytest.mark.parametrize(
    ("kind", "http_status", "own_doing", "rating"),
    [
        (ReplyKind.ANSWERED, 201, False, CallRating.GOOD),
        (ReplyKind.ANSWERED, 400, False, CallRating.GOOD),
        (ReplyKind.REFUSED_WHOLE, 413, False, CallRating.NEUTRAL),
        (ReplyKind.CONFIGURATION, 401, False, CallRating.HOPELESS),
        (ReplyKind.CONFIGURATION, None, False, CallRating.HOPELESS),
        (ReplyKind.NOT_SENT, None, False, CallRating.BAD),
        (ReplyKind.NOT_SENT, None, True, CallRating.NEUTRAL),
        (ReplyKind.NOT_SENT, 429, False, CallRating.NEUTRAL),
        (ReplyKind.UNCLEAR, 500, False, CallRating.BAD),
        (ReplyKind.UNCLEAR, 503, False, CallRating.BAD),
        (ReplyKind.UNCLEAR, 201, False, CallRating.BAD),
        (ReplyKind.LOST, None, False, CallRating.BAD),
        (ReplyKind.LOST, 502, False, CallRating.BAD),
    ],
)
def test_what_a_reply_says_of_the_service(
    kind: ReplyKind, http_status: int | None, own_doing: bool, rating: CallRating
) -> None:
    assert rating_of(GatewayReply(kind, "CODE", "", http_status, own_doing=own_doing)) is rating


def test_every_kind_of_reply_is_rated() -> None:
    assert all(rating_of(GatewayReply(kind, "CODE", "")) in CallRating for kind in ReplyKind)


def test_it_opens_on_the_rate_of_failures_once_there_are_enough_calls() -> None:
    breaker = CircuitBreaker(SETTINGS)
    for _ in range(3):
        call(breaker, CallRating.BAD)
    assert breaker.reason == ""
    call(breaker, CallRating.GOOD)
    assert breaker.state is CircuitState.OPEN
    assert breaker.reason == "3 of the last 4 calls failed, the last one with CODE"


def test_what_is_below_the_rate_keeps_it_closed() -> None:
    breaker = CircuitBreaker(SETTINGS)
    for _ in range(50):
        for rating in (CallRating.GOOD, CallRating.GOOD, CallRating.BAD):
            call(breaker, rating)
    assert breaker.state is CircuitState.CLOSED


def test_only_the_latest_calls_count() -> None:
    breaker = CircuitBreaker(SETTINGS)
    for _ in range(1000):
        call(breaker, CallRating.GOOD)
    for _ in range(5):
        call(breaker, CallRating.BAD)
    assert breaker.state is CircuitState.OPEN


def test_it_opens_on_the_rate_of_slow_calls_although_they_succeed() -> None:
    breaker = CircuitBreaker(SETTINGS)
    for is_slow in (True, True, False, True):
        call(breaker, CallRating.GOOD, is_slow=is_slow)
    assert breaker.state is CircuitState.OPEN
    assert breaker.reason == "3 of the last 4 calls took 1000 ms or longer"


def test_a_hopeless_call_opens_at_once() -> None:
    assert "configuration" in opened().reason


def test_neutral_calls_count_for_nothing() -> None:
    breaker = CircuitBreaker(SETTINGS)
    for _ in range(3):
        call(breaker, CallRating.BAD)
        call(breaker, CallRating.NEUTRAL)
    assert breaker.reason == ""
    call(breaker, CallRating.BAD)
    assert breaker.state is CircuitState.OPEN


def test_it_stays_open_longer_each_time_up_to_the_cap_and_starts_anew_once_closed() -> None:
    breaker, now, waits = opened(), 0.0, []
    for _ in range(6):
        assert breaker.until is not None
        waits.append(breaker.until - now)
        now = breaker.until
        call(breaker, CallRating.BAD, now)
    assert waits == pytest.approx([0.5, 1, 2, 4, 4, 4]), "half of the step, since the random show 0"
    assert breaker.until is not None
    now = breaker.until
    call(breaker, CallRating.GOOD, now)
    call(breaker, CallRating.GOOD, now)
    assert (breaker.state, breaker.reason) == (CircuitState.CLOSED, "")
    call(breaker, CallRating.HOPELESS, now)
    assert breaker.until == pytest.approx(now + 0.5)


def test_retry_after_counts_when_it_is_longer_and_is_bounded() -> None:
    assert opened(10, retry_after_s=0.1).until == pytest.approx(10.5)
    assert opened(10, retry_after_s=7).until == pytest.approx(17)
    assert opened(10, retry_after_s=3600).until == pytest.approx(70)


def test_the_retry_after_of_a_straggler_prolongs_an_open_circuit() -> None:
    breaker = CircuitBreaker(SETTINGS)
    straggler, last = breaker.admit(0), breaker.admit(0)
    assert straggler is not None
    assert last is not None
    note(breaker, last, CallRating.HOPELESS, 1.0)
    note(breaker, straggler, CallRating.BAD, 2.0, retry_after_s=5)
    assert breaker.until == pytest.approx(7)
    assert breaker.admit(6.9) is None


def test_probes_are_few_and_a_bad_one_opens_again() -> None:
    breaker = opened()
    assert breaker.admit(0.4) is None
    first, second = breaker.admit(0.5), breaker.admit(0.5)
    assert first is not None
    assert second is not None
    assert first.is_probe
    assert second.is_probe
    assert breaker.admit(0.5) is None
    note(breaker, first, CallRating.BAD, 0.6)
    assert breaker.state is CircuitState.OPEN
    note(breaker, second, CallRating.GOOD, 0.6)
    breaker.release(first)
    breaker.release(second)
    assert breaker.admit(0.7) is None


def test_a_slow_probe_is_a_bad_one() -> None:
    breaker = opened()
    call(breaker, CallRating.GOOD, 1.0, is_slow=True)
    assert breaker.state is CircuitState.OPEN
    assert breaker.reason == "a probe took 1000 ms or longer"


def test_a_probe_that_was_never_sent_or_said_nothing_gives_its_place_back() -> None:
    breaker = opened()
    for _ in range(10):
        call(breaker, CallRating.NEUTRAL, 1.0)
        unused = breaker.admit(1.0)
        assert unused is not None
        breaker.release(unused)
    assert breaker.state is CircuitState.HALF_OPEN
    assert breaker.may_call(1.0)


def test_a_call_from_before_the_circuit_changed_closes_nothing() -> None:
    breaker = CircuitBreaker(SETTINGS)
    old = [breaker.admit(0) for _ in range(5)]
    assert old[0] is not None
    note(breaker, old[0], CallRating.HOPELESS, 0)
    probe = breaker.admit(1.0)
    assert probe is not None
    for permit in old[1:]:
        assert permit is not None
        assert not breaker.holds(permit)
        note(breaker, permit, CallRating.GOOD, 1.0)
        breaker.release(permit)
    assert breaker.state is CircuitState.HALF_OPEN


def test_one_that_is_switched_off_never_opens() -> None:
    breaker = CircuitBreaker(CircuitSettings(slow_call_ms=1, enabled=False))
    for _ in range(100):
        call(breaker, CallRating.HOPELESS, is_slow=True)
    assert breaker.state is CircuitState.CLOSED


@given(random=DICE)
def test_what_waits_comes_back_when_the_circuit_may_be_tried_and_not_all_at_once(random: float) -> None:
    breaker = opened(random=0.5)
    until = breaker.until
    assert until is not None
    assert until <= 0.25 + breaker.wait_s(0.25, random) <= until + SETTINGS.open_ms / 1000
    assert breaker.wait_s(0.25, 0.9) - breaker.wait_s(0.25, 0.1) == pytest.approx(0.4)
    assert breaker.admit(until) is not None
    assert breaker.admit(until) is not None
    assert 0.5 <= breaker.wait_s(until, random) <= 1.0, "no hot loop while the probes are on their way"


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("time"), st.floats(0, 20)),
        st.tuples(st.just("admit"), st.just(0)),
        st.tuples(
            st.just("finish"),
            st.tuples(st.integers(0, 50), RATINGS, st.booleans(), st.none() | st.floats(0, 7200), DICE),
        ),
        st.tuples(st.just("drop"), st.integers(0, 50)),
    ),
    max_size=120,
)
CIRCUITS = st.builds(
    CircuitSettings,
    slow_call_ms=st.just(1000),
    window_calls=st.integers(5, 20),
    minimum_calls=st.integers(1, 5),
    failure_rate_pct=st.floats(1, 100),
    slow_rate_pct=st.floats(1, 100),
    open_ms=st.integers(1, 5000),
    open_max_ms=st.integers(5000, 60_000),
    half_open_probes=st.integers(1, 4),
    retry_after_max_ms=st.integers(0, 300_000),
)


class Driven:
    """A breaker, the time, and the permits in use."""

    def __init__(self, settings: CircuitSettings) -> None:
        self.settings = settings
        self.breaker = CircuitBreaker(settings)
        self.now = 100.0
        self.out: list[Permit] = []

    def step(self, what: str, value: object) -> None:
        """Performs one action and checks the rules."""
        breaker = self.breaker
        if what == "time":
            assert isinstance(value, float)
            self.now += value
        elif what == "admit":
            blocked = breaker.until is not None and self.now < breaker.until
            permit = breaker.admit(self.now)
            assert not (blocked and permit), "nothing goes out while it is open"
            self.out += [permit] if permit is not None else []
        elif self.out:
            self.finish(value)
        probes = sum(permit.is_probe and breaker.holds(permit) for permit in self.out)
        assert probes <= self.settings.half_open_probes
        longest_s = max(self.settings.open_max_ms, self.settings.retry_after_max_ms) / 1000
        assert breaker.until is None or breaker.until <= self.now + longest_s

    def finish(self, value: object) -> None:
        if not isinstance(value, tuple):
            assert isinstance(value, int)
            self.breaker.release(self.out.pop(value % len(self.out)))
            return
        index, rating, is_slow, retry_after_s, random = value
        permit = self.out.pop(index % len(self.out))
        note(
            self.breaker,
            permit,
            rating,
            self.now,
            is_slow=is_slow,
            retry_after_s=retry_after_s,
            random=random,
        )
        self.breaker.release(permit)


@given(settings=CIRCUITS, steps=STEPS, heals_after_s=st.floats(0, 1000))
def test_whatever_happens_few_probes_go_out_and_it_closes_after_healing(
    settings: CircuitSettings, steps: list[tuple[str, object]], heals_after_s: float
) -> None:
    driven = Driven(settings)
    for what, value in steps:
        driven.step(what, value)
    driven.now += heals_after_s
    breaker = driven.breaker
    while driven.out:
        driven.finish(0)
    # A few bad calls that were too few to open it may still do so with good ones after them, once; behind those
    # the window holds good calls alone.
    for _ in range(settings.window_calls + 2 * settings.half_open_probes):
        driven.now = max(driven.now, breaker.until or 0.0)
        call(breaker, CallRating.GOOD, driven.now)
    assert breaker.state is CircuitState.CLOSED
    for _ in range(2 * settings.window_calls):
        driven.now += 1.0
        driven.step("admit", 0)
        assert driven.out, "closed lets everything through"
        driven.finish((0, CallRating.GOOD, False, None, 0.5))
    assert breaker.state is CircuitState.CLOSED


def test_what_fails_alone_again_and_again_opens_nothing_while_other_calls_get_through() -> None:
    breaker = CircuitBreaker(SETTINGS)
    for second in range(100):
        if second % 6 == 0:
            call(breaker, CallRating.GOOD, second)
        call(breaker, CallRating.BAD, second, is_repeat=True)
    assert breaker.state is CircuitState.CLOSED


def test_what_fails_alone_again_and_again_counts_once_nothing_gets_through() -> None:
    breaker = CircuitBreaker(SETTINGS)
    call(breaker, CallRating.GOOD, 0)
    later = SETTINGS.open_max_ms / 1000
    for _ in range(SETTINGS.window_calls):
        if breaker.state is CircuitState.CLOSED:
            call(breaker, CallRating.BAD, later, is_repeat=True)
    assert breaker.state is CircuitState.OPEN
