"""Many callers, each with one execution: how full their batches get."""

import asyncio
import time
from collections import deque

from trade_service.bench.effort import LATENCY_MS
from trade_service.bench.figures import place, short
from trade_service.bench.filling import Supply, supply_on
from trade_service.bench.results import Scenario
from trade_service.bench.runs import WAIT_S, Runner, check_accepted
from trade_service.bench.stage import Stage, services_on
from trade_service.bootstrap.services import Services
from trade_service.submission.events import BatchSubmissionEvent, SubmissionEvent
from trade_service.submission.model import SubmitStatus

ABOUT = (
    "So many callers at once, each of which submits one execution and waits for it before the next. What collects "
    "while all senders are busy goes out as one batch. Counted after a start-up, with 20 ms a call."
)
LONGER = 2.5
"""Times the limit of a run: batches have to fill first."""
START_UP = 0.3
"""Share of a run that is not counted."""
MANY = 1_000
FILL_GOAL_PCT = 90.0
RATE_GOAL = 20.0


class Crowd:
    """Callers at their work, and the batches that come of it between the start-up and the end."""

    def __init__(self, services: Services, limit_s: float) -> None:
        self._services = services
        self._limit_s = limit_s
        self._begun = 0.0
        self._done = 0
        self._sizes: list[int] = []
        services.events.subscribe(self._listen)

    async def run(self, ids: deque[int], callers: int) -> tuple[float, float]:
        """Executions a second, and executions a batch; 0 where none went out in time."""
        self._done, self._sizes, self._begun = 0, [], time.perf_counter()
        async with asyncio.TaskGroup() as group:
            for _ in range(callers):
                group.create_task(self._call(ids))
        counted_s = self._limit_s * (1 - START_UP)
        return self._done / counted_s, sum(self._sizes) / max(1, len(self._sizes))

    async def _call(self, ids: deque[int]) -> None:
        while ids and time.perf_counter() - self._begun < self._limit_s:
            answer = await self._services.executions.submit_execution(ids.popleft(), WAIT_S)
            check_accepted(int(answer.status is SubmitStatus.SUCCESS), 1, answer.error or "")
            self._done += self._counts()

    def _listen(self, event: SubmissionEvent) -> None:
        if isinstance(event, BatchSubmissionEvent) and self._counts():
            self._sizes.append(event.size)

    def _counts(self) -> bool:
        return START_UP * self._limit_s <= time.perf_counter() - self._begun <= self._limit_s


async def measure(stage: Stage, scenario: Scenario) -> None:
    """Plays the scenario."""
    effort = stage.effort
    rates = scenario.chart("Throughput of single callers", "callers at once", "executions/s", log=True)
    fills = scenario.chart("Fill of their batches", "callers at once", "% of 100")
    bare, rate = rates.line("bare loop", limit=True), rates.line("single callers")
    fill = fills.line("batches")
    async with (
        stage.database() as dsn,
        stage.downstream(LATENCY_MS) as base_url,
        supply_on(dsn, 2 * effort.most) as supply,
        services_on(dsn, base_url) as services,
    ):
        runner, crowd = Runner(supply, effort, dsn, base_url), Crowd(services, LONGER * effort.limit_s)
        await runner.warm_up(services)
        for callers in effort.callers:
            stage.step(f"{callers:,} callers")
            for _ in range(effort.repetitions):
                per_second, per_batch = await _run(crowd, supply, 2 * effort.most, callers)
                rate.add(callers, per_second)
                fill.add(callers, 100 * per_batch / services.settings.batch.effective_size)
                bare.add(callers, await runner.bare(services.settings.batch.max_concurrent))
    _conclude(scenario, rate.medians(), fill.medians())


async def _run(crowd: Crowd, supply: Supply, most: int, callers: int) -> tuple[float, float]:
    ids = deque(await supply.take(most))
    found = await crowd.run(ids, callers)
    supply.give_back(list(ids), 0)
    return found


def _conclude(scenario: Scenario, rates: dict[float, float], fills: dict[float, float]) -> None:
    for callers, rate in rates.items():
        alone = rates[min(rates)]
        if callers == min(rates) or not alone:
            continue
        goal = callers == MANY
        scenario.find(
            f"{place(callers)} callers reach {short(rate / alone)} times the rate of {min(rates):g}, in batches "
            f"{fills[callers]:.0f}% full.",
            good=(rate / alone >= RATE_GOAL and fills[callers] >= FILL_GOAL_PCT) if goal else None,
        )
