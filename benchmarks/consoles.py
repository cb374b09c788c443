"""What open consoles cost: processor time under a steady load with no console, one, and ten, in turn."""

import asyncio
import statistics
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from urllib.parse import urlsplit

import aiohttp

from benchmarks.batch_costs import processor_s
from trade_service.bench.environment import Environment, serving
from trade_service.bench.load_generator import (
    Arrival,
    Caller,
    RequestOutcome,
    Step,
    fire,
    new_caller,
    saturate,
    session_with,
)
from trade_service.bench.results import Better, Scenario
from trade_service.bench.subprocesses import BenchError, simulator

CALLERS = 16
BATCH = 100
CONSOLES = (0, 1, 10)
POLLED = ("api/v2/summary", "api/v2/series?window=1h")
"""What the page Now reads."""
POLL_S = 2.0
LOAD = 0.6
"""The steady load, as a share of full load: a load that takes all cores hides what else takes time."""
WARM_UP_S = 12.0
"""The first series reads what later ones find in memory."""
SETTLE_S = 4.0
"""A console that is opened reads what was missed since the last one was closed."""


async def consoles(environment: Environment, scenario: Scenario) -> None:
    """Submissions of 100 orders at equal distances, at 0.6 of full load, while none, one or ten consoles show the
    page Now, in turn. Each reads two routes every two seconds, as the page does, from the process of the load.
    The processor time that a second takes more is what full load would lose: throughput itself scatters by more.
    """
    pick = environment.preset.pick
    seconds, rounds, orders = pick(0.5, 10.0, 10.0), pick(2, 4, 10), pick(2_000, 10_000, 10_000)
    settle_s = pick(0.1, SETTLE_S, SETTLE_S)
    async with (
        environment.database() as dsn,
        simulator(0.0) as base_url,
        serving(dsn, base_url) as url,
        session_with(url) as session,
    ):
        caller = await new_caller(session, orders, BATCH)
        processes = (f"serve_process {dsn}", urlsplit(dsn).path[1:])
        async with _open(session, max(CONSOLES)):
            await saturate(caller.send, CALLERS, pick(0.5, WARM_UP_S, WARM_UP_S))
        begun, before = time.perf_counter(), processor_s(*processes)
        full = (await saturate(caller.send, CALLERS, seconds)).rate(RequestOutcome.GOOD)
        full_ms = _spent_ms(before, processor_s(*processes)) / (time.perf_counter() - begun)
        line = scenario.chart(
            "Processor time of service and PostgreSQL", "open consoles", "ms a second"
        ).line("submissions at 0.6 of full load", Better.LESS)
        more_ms: dict[int, list[float]] = {opened: [] for opened in CONSOLES[1:]}
        for number in range(rounds):
            environment.step(f"round {number + 1} of {rounds}")
            found = dict[int, float]()
            for opened in CONSOLES if number % 2 else CONSOLES[::-1]:
                async with _open(session, opened):
                    await _steadily(caller, LOAD * full, settle_s)
                    found[opened] = await _steadily(caller, LOAD * full, seconds, *processes)
                line.add(opened, round(found[opened], 1))
            for opened, pairs in more_ms.items():
                pairs.append(found[opened] - found[0])
        scenario.find(f"Full load takes {full_ms:,.0f} ms a second for {BATCH * full:,.0f} executions/s.")
        for opened, pairs in more_ms.items():
            more = statistics.fmean(pairs)
            error = statistics.stdev(pairs) / rounds**0.5
            scenario.find(
                f"{opened} open: {more:.1f} ms a second more (standard error {error:.1f}; {rounds} pairs), "
                f"{more / full_ms:.2%} of full load."
            )


async def _steadily(caller: Caller, rate: float, seconds: float, *processes: str) -> float:
    """Milliseconds of these processes for each second of a steady load. Raises BenchError if a request fails."""
    planned, before = (
        [Arrival(place / rate, 0) for place in range(int(rate * seconds))],
        processor_s(*processes),
    )
    (figures,) = await fire([Step(rate, seconds)], planned, caller.send)
    spent_ms, good = _spent_ms(before, processor_s(*processes)), figures.outcomes[RequestOutcome.GOOD]
    if good < len(planned):
        raise BenchError(f"only {good:,} of {len(planned):,} requests were answered: {caller.last_error}")
    return spent_ms / seconds


def _spent_ms(before: dict[str, float], after: dict[str, float]) -> float:
    return 1_000 * sum(after[name] - before[name] for name in before)


@asynccontextmanager
async def _open(session: aiohttp.ClientSession, count: int) -> AsyncIterator[None]:
    """Consoles that poll, begun at equal distances."""
    async with asyncio.TaskGroup() as group:
        polling = [group.create_task(_poll(session, POLL_S * place / count)) for place in range(count)]
        try:
            yield
        finally:
            for one in polling:
                one.cancel()


async def _poll(session: aiohttp.ClientSession, first_after_s: float) -> None:
    get = partial(session.get, headers={"Accept-Encoding": "gzip"}, raise_for_status=True)
    await asyncio.sleep(first_after_s)
    while True:
        async with asyncio.TaskGroup() as group:
            for path in POLLED:
                group.create_task(_read(get(path)))
            group.create_task(asyncio.sleep(POLL_S))


async def _read(answer: "aiohttp.client._RequestContextManager") -> None:
    async with answer as read:
        await read.read()
