"""Load on the HTTP API, up to overload and back."""

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import aiohttp

from trade_service.bench.children import BenchError, child, line_of
from trade_service.bench.effort import LATENCY_MS
from trade_service.bench.figures import short
from trade_service.bench.open_loop import Outcome, Step, StepFigures, arrivals, fire
from trade_service.bench.orders import SUBMISSIONS, Caller, new_caller
from trade_service.bench.results import Better, Scenario
from trade_service.bench.stage import Stage

ABOUT = (
    "Requests of 10 submissions each (`POST /api/v1/tradeOrders/batch/submit`) leave at random moments that are "
    "fixed beforehand, at shares of the rate that 32 callers without a pause had reached: up to overload and "
    "back. Latency counts from the moment a request should have left, not from when it did, so that nothing slow "
    "is left out. The service started here serves 128 requests at once and refuses more with 503; one that is "
    "given has limits of its own."
)
CALLERS = 32
AT_ONCE = 128
SEED = 20
SLOWER_MS = 100.0
"""A recovered service is at most twice as slow as before, or by so much."""


async def measure(stage: Stage, scenario: Scenario) -> None:
    """Plays the scenario."""
    effort = stage.effort
    async with _service(stage) as url, _session(url, stage.target.key) as session:
        stage.step("creating orders")
        caller = await new_caller(session, effort.load_orders)
        stage.step("finding the capacity")
        capacity = await _capacity(caller, effort.load_step_s)
        scenario.find(
            f"{CALLERS} callers without a pause reach {short(capacity)} requests/s, that is "
            f"{short(capacity * SUBMISSIONS)} executions/s from HTTP to SENT."
        )
        steps = [Step(share * capacity, effort.load_step_s) for share in effort.load_shares]
        stage.step(f"{len(steps)} steps, up to {max(effort.load_shares):g} times the capacity")
        figures = await fire(steps, arrivals(steps, SEED), caller.send)
    _show(scenario, figures)
    _conclude(scenario, effort.load_shares, figures, caller.last_trouble)


@asynccontextmanager
async def _service(stage: Stage) -> AsyncIterator[str]:
    """The address of the given service, else of one of our own."""
    if stage.target.service_url is not None:
        yield stage.target.service_url
        return
    async with (
        stage.database() as dsn,
        stage.downstream(LATENCY_MS) as base_url,
        child("trade_service.bench.serve_process", dsn, base_url, str(AT_ONCE)) as process,
    ):
        yield await line_of(process, "the service")


def _session(url: str, key: str | None) -> aiohttp.ClientSession:
    headers = {} if key is None else {"Authorization": f"Bearer {key}"}
    return aiohttp.ClientSession(url, headers=headers, connector=aiohttp.TCPConnector(limit=0))


async def _capacity(caller: Caller, seconds: float) -> float:
    """Good requests a second of a few callers that never pause; the first half is a warm-up."""
    begun, done = time.perf_counter(), 0

    async def call() -> None:
        nonlocal done
        while time.perf_counter() - begun < seconds:
            good = await caller.send() is Outcome.GOOD
            done += good and time.perf_counter() - begun >= seconds / 2

    async with asyncio.TaskGroup() as group:
        for _ in range(CALLERS):
            group.create_task(call())
    elapsed_s = time.perf_counter() - begun - seconds / 2
    if not done:
        raise BenchError(
            f"no request of the load was answered well: {caller.last_trouble or 'all were refused'}"
        )
    return done / elapsed_s


def _show(scenario: Scenario, figures: Sequence[StepFigures]) -> None:
    rates = scenario.chart("Requests", "step", "requests/s")
    offered, good = rates.line("offered", Better.NEITHER), rates.line("answered well")
    shed, bad = rates.line("refused with 503", Better.NEITHER), rates.line("failed", Better.LESS)
    times = scenario.chart("Latency of what was answered well", "step", "ms", log=True)
    lines = {share: times.line(name, Better.LESS) for share, name in
             ((0.5, "median"), (0.99, "99 of 100"), (1.0, "slowest"))}  # fmt: skip
    for number, step in enumerate(figures, 1):
        offered.add(number, round(step.rate(), 1))
        good.add(number, round(step.rate(Outcome.GOOD), 1))
        shed.add(number, round(step.rate(Outcome.SHED), 1))
        bad.add(number, round(step.rate(Outcome.BAD, Outcome.NOT_SENT), 1))
        for share, line in lines.items():
            latency_ms = step.latency_ms(share)
            if latency_ms is not None:
                line.add(number, round(latency_ms, 1))


def _conclude(
    scenario: Scenario, shares: Sequence[float], figures: Sequence[StepFigures], trouble: str
) -> None:
    top = max(range(len(shares)), key=shares.__getitem__)
    peak, before, after = figures[top], figures[0], figures[-1]
    failed = sum(step.outcomes[Outcome.BAD] for step in figures)
    answered = peak.latency_ms(0.99)
    told = "nothing"
    if answered is not None:
        told = f"{short(peak.rate(Outcome.GOOD))} requests/s, 99 of 100 in {short(answered)} ms"
    refused = peak.rate(Outcome.SHED) / max(peak.rate(), 1e-9)
    scenario.find(
        f"At {shares[top]:g} times the capacity it refuses {refused:.0%} with 503 and answers {told}.",
        good=peak.outcomes[Outcome.SHED] > 0,
    )
    scenario.find(
        f"{failed:,} requests failed otherwise{f' ({trouble})' if failed else ''}.", good=failed == 0
    )
    was_ms, is_ms = before.latency_ms(0.99), after.latency_ms(0.99)
    if was_ms is not None and is_ms is not None:
        recovered = is_ms <= max(2 * was_ms, was_ms + SLOWER_MS) and not after.outcomes[Outcome.SHED]
        scenario.find(
            f"After the overload 99 of 100 requests take {short(is_ms)} ms ({short(was_ms)} ms before), and "
            f"{after.outcomes[Outcome.SHED]:,} are refused.",
            good=recovered,
        )
