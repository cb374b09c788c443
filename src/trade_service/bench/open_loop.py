"""Open-loop load: requests leave at times fixed beforehand, however slowly the answers come.

Latency counts from the intended start. A generator that waits for an answer before it sends the next request
leaves out just the requests that would have met the slow moment, and calls the service fast.
"""

import asyncio
import random
import time
from collections.abc import Awaitable, Callable, Sequence
from enum import StrEnum

import msgspec

from trade_service.bench.figures import quantile

MOST_OPEN = 4_000
"""Requests on the way at once; what should leave past them is counted as not sent."""


class Outcome(StrEnum):
    """What came of one request."""

    GOOD = "good"
    SHED = "shed"
    """Refused with 503 or 429: the service said that it has too much to do."""
    BAD = "bad"
    """Any other answer, or none in time."""
    NOT_SENT = "not sent"
    """The generator itself had too much to do."""


class Step(msgspec.Struct, frozen=True):
    """A rate for a time."""

    rate: float
    """Requests a second."""
    seconds: float


class Arrival(msgspec.Struct, frozen=True, gc=False):
    """When a request is to leave, counted from the start."""

    at_s: float
    step: int


class StepFigures(msgspec.Struct):
    """What came of the requests of one step."""

    seconds: float
    outcomes: dict[Outcome, int] = msgspec.field(default_factory=lambda: dict.fromkeys(Outcome, 0))
    latencies_ms: list[float] = msgspec.field(default_factory=list)
    """Of the good ones, from the intended start to the last byte."""

    def rate(self, *outcomes: Outcome) -> float:
        """Requests a second of the step that ended so; all of them where none is named."""
        return sum(self.outcomes[one] for one in outcomes or Outcome) / self.seconds

    def latency_ms(self, share: float) -> float | None:
        """A quantile of the good ones; None where there is none."""
        return quantile(sorted(self.latencies_ms), share) if self.latencies_ms else None


def arrivals(steps: Sequence[Step], seed: int) -> list[Arrival]:
    """When each request leaves: at random moments, as requests of many independent callers do."""
    dice, planned, begun = random.Random(seed), list[Arrival](), 0.0
    for number, step in enumerate(steps):
        at = begun
        while (at := at + dice.expovariate(step.rate)) < begun + step.seconds:
            planned.append(Arrival(at, number))
        begun += step.seconds
    return planned


async def fire(
    steps: Sequence[Step], planned: Sequence[Arrival], send: Callable[[], Awaitable[Outcome]]
) -> list[StepFigures]:
    """Sends every request at its time and waits for all answers; `send` must not raise and must end in time."""
    figures = [StepFigures(step.seconds) for step in steps]
    on_the_way = 0
    begun = time.perf_counter()

    async def one(arrival: Arrival) -> None:
        nonlocal on_the_way
        outcome = await send()
        on_the_way -= 1
        figures[arrival.step].outcomes[outcome] += 1
        if outcome is Outcome.GOOD:
            figures[arrival.step].latencies_ms.append((time.perf_counter() - begun - arrival.at_s) * 1000)

    async with asyncio.TaskGroup() as group:
        for arrival in planned:
            await asyncio.sleep(max(0.0, arrival.at_s - (time.perf_counter() - begun)))
            if on_the_way >= MOST_OPEN:
                figures[arrival.step].outcomes[Outcome.NOT_SENT] += 1
                continue
            on_the_way += 1
            group.create_task(one(arrival))
    return figures
