"""Open-loop load: when requests are sent, and when latency starts."""

import asyncio
import time
from collections.abc import Iterator

from hypothesis import given, settings
from hypothesis import strategies as st

from trade_service.bench import load_generator
from trade_service.bench.load_generator import Arrival, RequestOutcome, Step, StepFigures, arrivals, fire
from trade_service.bench.memory import Pauses

steps = st.lists(st.builds(Step, st.floats(1, 500), st.floats(0.1, 2)), min_size=1, max_size=5)


@settings(max_examples=30)
@given(steps, st.integers(0, 1000))
def test_arrivals_are_deterministic_ordered_and_within_their_steps(planned: list[Step], seed: int) -> None:
    found = arrivals(planned, seed)
    assert found == arrivals(planned, seed)
    assert [one.at_s for one in found] == sorted(one.at_s for one in found)
    for one in found:
        begun = sum(step.seconds for step in planned[: one.step])
        assert begun <= one.at_s <= begun + planned[one.step].seconds


def test_arrivals_match_the_rate() -> None:
    count = len(arrivals([Step(1000, 10)], seed=1))
    assert 9_500 < count < 10_500


async def test_a_late_start_counts_as_latency() -> None:
    """A blocked generator sends late; its delay is part of the latency."""

    async def send() -> RequestOutcome:
        time.sleep(0.05)  # noqa: ASYNC251  # blocks the loop, as a busy machine does
        return RequestOutcome.GOOD

    (figures,) = await fire([Step(1000, 0.003)], [Arrival(0.001 * n, 0) for n in range(3)], send)
    assert len(figures.latencies_ms) == 3
    assert max(figures.latencies_ms) >= 140


async def test_requests_do_not_wait_for_other_answers() -> None:
    in_flight, most, all_here = 0, 0, asyncio.Event()

    async def send() -> RequestOutcome:
        nonlocal in_flight, most
        in_flight += 1
        most = max(most, in_flight)
        if in_flight == 20:
            all_here.set()
        await asyncio.wait_for(all_here.wait(), 30)
        return RequestOutcome.SHED

    (figures,) = await fire([Step(1000, 0.02)], [Arrival(0.001 * n, 0) for n in range(20)], send)
    assert most == 20
    assert figures.outcomes[RequestOutcome.SHED] == 20
    assert figures.latency_ms(0.5) is None


async def test_requests_beyond_the_limit_count_as_not_sent() -> None:
    go = asyncio.Event()

    class Planned(list[Arrival]):
        def __iter__(self) -> Iterator[Arrival]:
            yield from super().__iter__()
            go.set()

    async def send() -> RequestOutcome:
        await go.wait()
        return RequestOutcome.GOOD

    count = load_generator.MOST_OPEN + 7
    (figures,) = await fire([Step(1, 1)], Planned([Arrival(0.0, 0)] * count), send)
    assert figures.outcomes[RequestOutcome.GOOD] + figures.outcomes[RequestOutcome.NOT_SENT] == count
    assert figures.outcomes[RequestOutcome.NOT_SENT] == 7


def test_rates_count_per_second_of_the_step() -> None:
    figures = StepFigures(2.0)
    figures.outcomes |= {RequestOutcome.GOOD: 6, RequestOutcome.SHED: 3, RequestOutcome.BAD: 1}
    assert figures.rate(RequestOutcome.GOOD) == 3.0
    assert figures.rate(RequestOutcome.SHED, RequestOutcome.BAD) == 2.0
    assert figures.rate() == 5.0


def test_pauses_are_timed() -> None:
    pauses = Pauses()
    for phase in ("start", "stop", "start", "stop"):
        pauses(phase, {})
    assert len(pauses.times_ms) == 2
    assert min(pauses.times_ms) >= 0
