"""What open consoles cost: submissions with no console, one, and ten, in turn."""

import asyncio
import statistics
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from urllib.parse import urlsplit

import aiohttp

from benchmarks.batch_costs import processor_s
from trade_service.bench.environment import Environment, serving
from trade_service.bench.load_generator import Caller, RequestOutcome, new_caller, saturate, session_with
from trade_service.bench.results import Better, Scenario
from trade_service.bench.subprocesses import simulator

CALLERS = 16
BATCH = 100
CONSOLES = (0, 1, 10)
POLLED = ("api/v2/summary", "api/v2/series?window=1h")
"""What the page Now reads."""
POLL_S = 2.0
WARM_UP_S = 10.0
"""The first series reads what later ones find in memory."""
SETTLE_S = 4.0
"""A console that is opened reads what was missed since the last one was closed."""


async def consoles(environment: Environment, scenario: Scenario) -> None:
    """Sixteen callers of 100 orders without pauses, while none, one or ten consoles show the page Now, in turn.
    Each reads two routes every two seconds, as the page does, from the process of the load. The throughput of a
    round scatters by more than a console costs; the processor time a request scatters less.
    """
    pick = environment.preset.pick
    seconds, rounds, orders = pick(0.5, 6.0, 6.0), pick(1, 3, 8), pick(2_000, 10_000, 10_000)
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
        rates = scenario.chart("Submissions of 100 orders", "open consoles", "executions/s")
        costs = scenario.chart("Processor time of service and sessions", "open consoles", "ms a request")
        rate_of, cost_of = rates.line("submissions"), costs.line("submissions", Better.LESS)
        shares = dict[int, list[tuple[float, float]]]()
        for number in range(rounds):
            environment.step(f"round {number + 1} of {rounds}")
            found = dict[int, tuple[float, float]]()
            for opened in CONSOLES if number % 2 else CONSOLES[::-1]:
                async with _open(session, opened):
                    await saturate(caller.send, CALLERS, pick(0.0, SETTLE_S, SETTLE_S))
                    found[opened] = await _measured(caller, seconds, processes)
                rate_of.add(opened, found[opened][0])
                cost_of.add(opened, round(found[opened][1], 3))
            for opened in CONSOLES[1:]:
                rate, cost = (mine / none for mine, none in zip(found[opened], found[0], strict=True))
                shares.setdefault(opened, []).append((rate, cost))
        for opened, pairs in shares.items():
            rate, cost = (statistics.median(one) for one in zip(*pairs, strict=True))
            scenario.find(
                f"{opened} open: {rate:.3f} of the throughput, {cost:.3f} of the processor time a request "
                f"(medians of {rounds} pairs)."
            )


async def _measured(caller: Caller, seconds: float, processes: tuple[str, str]) -> tuple[float, float]:
    """Executions per second, and milliseconds of the service and PostgreSQL's sessions for each request."""
    before = processor_s(*processes)
    figures = await saturate(caller.send, CALLERS, seconds)
    after = processor_s(*processes)
    used_s = sum(after[name] - before[name] for name in processes)
    requests = figures.outcomes[RequestOutcome.GOOD] or 1
    return BATCH * figures.rate(RequestOutcome.GOOD), 1_000 * used_s / requests


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
