"""How full the batches of many single callers get."""

import asyncio
import time
from collections import deque

from trade_service.bench.environment import Environment
from trade_service.bench.preset import LATENCY_MS
from trade_service.bench.results import Scenario, place, short
from trade_service.bench.runs import runs_on, submit_one
from trade_service.bootstrap.container import Services
from trade_service.submission.events import BatchSubmissionEvent, SubmissionEvent

LONGER = 2.5
"""Duration as a multiple of a run's limit, because batches have to fill first."""
START_UP = 0.3
"""Share of a run that does not count."""
MANY = 1_000
FILL_GOAL_PCT = 90.0
RATE_GOAL = 20.0


class Crowd:
    """Callers at work, and the batches sent between start-up and end."""

    def __init__(self, services: Services, limit_s: float) -> None:
        self._services = services
        self._limit_s = limit_s
        self._begun = 0.0
        self._done = 0
        self._sizes: list[int] = []
        services.events.subscribe(self._listen)

    async def run(self, ids: deque[int], callers: int) -> tuple[float, float]:
        """Executions per second, and executions per batch (0 without any batch)."""
        self._done, self._sizes, self._begun = 0, [], time.perf_counter()
        async with asyncio.TaskGroup() as group:
            for _ in range(callers):
                group.create_task(self._call(ids))
        counted_s = self._limit_s * (1 - START_UP)
        return self._done / counted_s, sum(self._sizes) / max(1, len(self._sizes))

    async def _call(self, ids: deque[int]) -> None:
        while ids and time.perf_counter() - self._begun < self._limit_s:
            await submit_one(self._services, ids.popleft())
            self._done += self._counts()

    def _listen(self, event: SubmissionEvent) -> None:
        if isinstance(event, BatchSubmissionEvent) and self._counts():
            self._sizes.append(event.size)

    def _counts(self) -> bool:
        return START_UP * self._limit_s <= time.perf_counter() - self._begun <= self._limit_s


async def callers(environment: Environment, scenario: Scenario) -> None:
    """Concurrent callers that each submit one execution and await it before the next. What collects while all
    senders are busy leaves as one batch. Counted after a start-up, with 20 ms per call.
    """
    preset = environment.preset
    rates = scenario.chart("Throughput of single callers", "concurrent callers", "executions/s", log=True)
    bare, rate = rates.line("bare loop", limit=True), rates.line("single callers")
    fill = scenario.chart("Fill of their batches", "concurrent callers", "% of 100").line("batches")
    most = 2 * preset.most
    everything = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 2_000)
    async with runs_on(environment, LATENCY_MS, most) as runs, runs.services() as services:
        crowd, batch = Crowd(services, LONGER * preset.limit_s), services.settings.batch
        for count in preset.pick((1, 200), (1, 10, 100, 1_000, 2_000), everything):
            environment.step(f"{count:,} callers")
            for _ in range(preset.repetitions):
                ids = deque(await runs.supply.take(most))
                per_second, per_batch = await crowd.run(ids, count)
                runs.supply.give_back(list(ids), 0)
                rate.add(count, per_second)
                fill.add(count, 100 * per_batch / batch.effective_size)
                bare.add(count, await runs.bare(batch.max_concurrent))
    found, fills = rate.medians(), fill.medians()
    alone = found[min(found)]
    for several, per_second in found.items():
        if several == min(found) or not alone:
            continue
        times = per_second / alone
        scenario.find(
            f"{place(several)} callers reach {short(times)} times the rate of {min(found):g}, in batches "
            f"{fills[several]:.0f}% full.",
            good=(times >= RATE_GOAL and fills[several] >= FILL_GOAL_PCT) if several == MANY else None,
        )
