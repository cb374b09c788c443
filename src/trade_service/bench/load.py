"""Load on the HTTP API, up to overload and back."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from functools import partial

from trade_service.bench.environment import Environment, serving
from trade_service.bench.load_generator import (
    Caller,
    RequestOutcome,
    Step,
    StepFigures,
    arrivals,
    fire,
    new_caller,
    probe,
    saturate,
    session_with,
)
from trade_service.bench.preset import LATENCY_MS
from trade_service.bench.results import Better, Scenario, short
from trade_service.bench.subprocesses import BenchError

SUBMISSIONS = 10
CALLERS = 32
AT_ONCE = 256
SEED = 20
READINESS = "/actuator/health/readiness"
SLOWER_MS = 100.0
"""A recovered service is at most twice as slow as before, or slower by at most this."""


async def load(environment: Environment, scenario: Scenario) -> None:
    """Requests of 10 submissions (`POST /api/v1/tradeOrders/batch/submit`) leave at random times fixed in advance,
    at multiples of the rate that 32 callers without pauses had reached: up to overload and back. Latency counts
    from the planned start of a request, so slow moments are not left out. The service started here serves 128
    requests at once and refuses more with 503; a given service has its own limits.
    """
    pick = environment.preset.pick
    step_s = pick(0.3, 2.0, 10.0)
    multiples = pick(
        (0.5, 4.0, 0.5),
        (0.25, 0.5, 0.75, 1.0, 1.5, 3.0, 0.5, 0.25, 0.25),
        (0.1, 0.25, 0.5, 0.75, 0.9, 1.0, 1.25, 1.5, 2.0, 3.0, 1.0, 0.75, 0.5, 0.25),
    )
    async with _service(environment) as url, session_with(url, environment.target.key) as session:
        environment.step("creating orders")
        caller = await new_caller(session, pick(1_000, 10_000, 10_000), SUBMISSIONS)
        environment.step("finding the capacity")
        capacity = await _capacity(caller, step_s)
        scenario.find(
            f"{CALLERS} callers without pauses reach {short(capacity)} requests/s, which is "
            f"{short(capacity * SUBMISSIONS)} executions/s from HTTP to SENT."
        )
        steps = [Step(multiple * capacity, step_s) for multiple in multiples]
        environment.step(f"{len(steps)} steps, up to {max(multiples):g} times the capacity")
        figures, ready = await asyncio.gather(
            fire(steps, arrivals(steps, SEED), caller.send),
            probe(partial(caller.get, READINESS), step_s * len(steps)),
        )
    _show(scenario, figures)
    _conclude(scenario, multiples, figures, caller.last_error)
    advice = ", ".join(f"{count:,} times {value} s" for value, count in caller.retry_after.items())
    scenario.find(
        f"Readiness was answered within {short(ready.latency_ms(0.99) or 0.0)} ms (99 %), "
        f"{ready.outcomes[RequestOutcome.GOOD]} of {sum(ready.outcomes.values())} times with 200; "
        f"Retry-After of refused requests: {advice or 'none'}."
    )


@asynccontextmanager
async def _service(environment: Environment) -> AsyncIterator[str]:
    """The URL of the given service, else of one started here."""
    if environment.target.service_url is not None:
        yield environment.target.service_url
        return
    async with (
        environment.database() as dsn,
        environment.downstream(LATENCY_MS) as base_url,
        serving(dsn, base_url, **{"server.max_concurrent_requests": AT_ONCE}) as url,
    ):
        yield url


async def _capacity(caller: Caller, seconds: float) -> float:
    """Good requests per second of a few callers without pauses."""
    found = await saturate(caller.send, CALLERS, seconds / 2, warm_up_s=seconds / 2)
    if not found.outcomes[RequestOutcome.GOOD]:
        raise BenchError(f"no request of the load succeeded: {caller.last_error or 'all were refused'}")
    return found.rate(RequestOutcome.GOOD)


def _show(scenario: Scenario, figures: Sequence[StepFigures]) -> None:
    rates = scenario.chart("Requests", "step", "requests/s")
    offered, good = rates.line("offered", Better.NEITHER), rates.line("succeeded")
    shed, bad = rates.line("refused with 503", Better.NEITHER), rates.line("failed", Better.LESS)
    times = scenario.chart("Latency of successful requests", "step", "ms", log=True)
    lines = {share: times.line(name, Better.LESS) for share, name in
             ((0.5, "median"), (0.99, "99th percentile"), (1.0, "slowest"))}  # fmt: skip
    for number, step in enumerate(figures, 1):
        offered.add(number, round(step.rate(), 1))
        good.add(number, round(step.rate(RequestOutcome.GOOD), 1))
        shed.add(number, round(step.rate(RequestOutcome.SHED), 1))
        bad.add(number, round(step.rate(RequestOutcome.BAD, RequestOutcome.NOT_SENT), 1))
        for share, line in lines.items():
            latency_ms = step.latency_ms(share)
            if latency_ms is not None:
                line.add(number, round(latency_ms, 1))


def _conclude(
    scenario: Scenario, multiples: Sequence[float], figures: Sequence[StepFigures], last_error: str
) -> None:
    top = max(range(len(multiples)), key=multiples.__getitem__)
    peak, before, after = figures[top], figures[0], figures[-1]
    failed = sum(step.outcomes[RequestOutcome.BAD] for step in figures)
    p99_ms = peak.latency_ms(0.99)
    served = "nothing"
    if p99_ms is not None:
        served = f"{short(peak.rate(RequestOutcome.GOOD))} requests/s, 99 % within {short(p99_ms)} ms"
    refused = peak.rate(RequestOutcome.SHED) / max(peak.rate(), 1e-9)
    scenario.find(
        f"At {multiples[top]:g} times the capacity it refuses {refused:.0%} with 503 and serves {served}.",
        good=peak.outcomes[RequestOutcome.SHED] > 0,
    )
    scenario.find(
        f"{failed:,} requests failed otherwise{f' ({last_error})' if failed else ''}.", good=failed == 0
    )
    was_ms, is_ms = before.latency_ms(0.99), after.latency_ms(0.99)
    if was_ms is not None and is_ms is not None:
        recovered = is_ms <= max(2 * was_ms, was_ms + SLOWER_MS) and not after.outcomes[RequestOutcome.SHED]
        scenario.find(
            f"After the overload 99 % of requests take at most {short(is_ms)} ms ({short(was_ms)} ms before), and "
            f"{after.outcomes[RequestOutcome.SHED]:,} are refused.",
            good=recovered,
        )
