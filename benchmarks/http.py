"""The API under 100 clients, beside the bare loop and the bare submission."""

import os
import statistics
from functools import partial

import asyncpg

from benchmarks import bare_submission
from benchmarks.batch_costs import processor_s
from trade_service.bench import bare_loop
from trade_service.bench.environment import Environment, serving
from trade_service.bench.load_generator import (
    Caller,
    RequestOutcome,
    StepFigures,
    new_caller,
    saturate,
    session_with,
)
from trade_service.bench.results import Better, Chart, Scenario, short
from trade_service.bench.seeding import connected, seed
from trade_service.bench.subprocesses import BenchError, address_of, child, simulator

CLIENTS = 100
READERS = 8
"""Fewer than the connections of either pool."""
BATCH = 100
SENDERS = 4
WARM_UP_S = 2.0
IDS = 100_000_000
"""Distance between the first ids of the simulators: each has its own ledger, and all serve one database."""
PROCESSES = {
    "serve_process": "service",
    "simulate": "simulator",
    "benchmarks": "load generator",
    "postgres": "PostgreSQL",
}
"""By a part of their command lines. The first match counts: the service's command line names PostgreSQL too."""


async def http(environment: Environment, scenario: Scenario) -> None:
    """Service, simulator and PostgreSQL in processes of their own, and 100 clients that send again as soon as
    they are answered. Submissions of 100 orders run in turn with the bare loop and with the bare submission on
    the same tables. Then reads.
    """
    pick = environment.preset.pick
    seconds = float(os.environ.get("SECONDS") or pick(0.5, 6.0, 12.0))
    orders, bare = pick(2_000, 20_000, 20_000), pick(500, 20_000, 20_000)
    rounds = Rounds(scenario, environment, seconds / 3, bare)
    async with environment.database() as dsn, connected(dsn) as link:
        for place, latency_ms in enumerate(pick((0,), (0, 5, 20), (0, 5, 20))):
            async with (
                simulator(latency_ms, "--first-id", str(1 + place * IDS)) as base_url,
                serving(dsn, base_url) as url,
                session_with(url) as session,
            ):
                caller = await new_caller(session, orders, BATCH)
                await rounds.run(caller, dsn, base_url, link, latency_ms)
                if latency_ms == 0:
                    await _read(environment, scenario, caller, seconds)
                    await _read_beside_bare(environment, scenario, dsn, caller)


class Rounds:
    """Measures submissions over HTTP, the bare submission and the bare loop in turn."""

    def __init__(self, scenario: Scenario, environment: Environment, seconds: float, bare: int) -> None:
        self._scenario = scenario
        self._environment = environment
        self._seconds = seconds
        self._bare = bare
        chart = scenario.chart("Submissions of 100 orders", "call latency, ms", "executions/s")
        self._loop = chart.line("bare loop", limit=True)
        self._over_http, self._submission = chart.line("over HTTP"), chart.line("bare submission")
        self._times = scenario.chart("Latency of submissions", "call latency, ms", "ms")
        self._costs = scenario.chart("Processor time per request", "call latency, ms", "ms")

    async def run(
        self, caller: Caller, dsn: str, base_url: str, link: asyncpg.Connection, latency_ms: float
    ) -> None:
        """All rounds with one call latency."""
        await saturate(caller.send, CLIENTS, min(WARM_UP_S, self._seconds))
        for _ in range(self._environment.preset.pick(1, 3, 3)):
            self._environment.step(f"submissions, {latency_ms:g} ms per call")
            before = processor_s(*PROCESSES)
            found = await saturate(caller.send, CLIENTS, self._seconds)
            requests = max(1, sum(found.outcomes.values()))
            for name, used_s in processor_s(*PROCESSES).items():
                cost = self._costs.line_of(PROCESSES[name], Better.LESS)
                cost.add(latency_ms, round(1000 * (used_s - before[name]) / requests, 2))
            self._over_http.add(latency_ms, BATCH * found.rate(RequestOutcome.GOOD))
            _percentiles(self._times, latency_ms, found)
            bare = await bare_submission.run(dsn, base_url, caller.order_ids, SENDERS, self._seconds)
            self._submission.add(latency_ms, bare.rate)
            ids = await seed(link, self._bare)
            self._loop.add(latency_ms, (await bare_loop.run(dsn, base_url, ids, SENDERS)).rate)
        rates = [line.medians()[latency_ms] for line in (self._over_http, self._submission, self._loop)]
        self._scenario.find(
            f"At {latency_ms:g} ms per call, submissions over HTTP reach {short(rates[0])} executions/s: "
            f"{rates[0] / rates[1]:.0%} of the bare submission, {rates[0] / rates[2]:.0%} of the bare loop."
        )


def _percentiles(chart: Chart, x: float, figures: StepFigures) -> None:
    for share, name in ((0.5, "median"), (0.99, "99th percentile"), (1.0, "slowest")):
        latency_ms = figures.latency_ms(share)
        if latency_ms is not None:
            chart.line_of(name, Better.LESS).add(x, round(latency_ms, 1))


async def _read(environment: Environment, scenario: Scenario, caller: Caller, seconds: float) -> None:
    reads = {
        "v1 trade order by id": f"/api/v1/tradeOrders/{caller.order_ids[7]}",
        "v1 execution by id": "/api/v1/executions/1",
        "v2 trade orders, 50 rows": "/api/v2/tradeOrders?sort=-id",
        "v2 executions, 50 rows": "/api/v2/executions?sort=-id",
        "v2 trade orders, 1,000 rows": "/api/v2/tradeOrders?limit=1000",
    }
    rates = scenario.chart("Reads", "clients", "requests/s")
    for name, path in reads.items():
        environment.step(name)
        found = await saturate(partial(caller.get, path), CLIENTS, seconds)
        rates.line(name).add(CLIENTS, found.rate(RequestOutcome.GOOD))
        median_ms, p99_ms = found.latency_ms(0.5) or 0.0, found.latency_ms(0.99) or 0.0
        scenario.find(
            f"{name}: {short(found.rate(RequestOutcome.GOOD))} requests/s, median {short(median_ms)} ms, "
            f"99 % within {short(p99_ms)} ms.",
            good=None if found.outcomes[RequestOutcome.BAD] == 0 else False,
        )


async def _read_beside_bare(environment: Environment, scenario: Scenario, dsn: str, caller: Caller) -> None:
    """An order by id and a page of 50, in turn with bare routes that make the same queries."""
    order_id, seconds = caller.order_ids[7], environment.preset.pick(0.2, 2.0, 3.0)
    pairs = {
        "an order by id": (f"/api/v1/tradeOrders/{order_id}", f"/order/{order_id}"),
        "a page of 50 orders": ("/api/v2/tradeOrders?sort=-id", "/orders"),
    }
    chart = scenario.chart("Reads beside bare routes", "clients", "requests/s")
    async with (
        child("benchmarks.bare_reads", dsn) as process,
        session_with(await address_of(process, "the bare reads")) as session,
    ):
        bare = Caller(session, [], 1, 1)
        for name, (path, bare_path) in pairs.items():
            environment.step(f"{name}, beside a bare route")
            shares = []
            for _ in range(environment.preset.pick(1, 4, 4)):
                ours = await saturate(partial(caller.get, path), READERS, seconds)
                others = await saturate(partial(bare.get, bare_path), READERS, seconds)
                rates = [one.rate(RequestOutcome.GOOD) for one in (ours, others)]
                chart.line_of(name).add(READERS, rates[0])
                chart.line_of(f"{name}, bare").add(READERS, rates[1])
                if not rates[1]:
                    raise BenchError(f"the bare route {bare_path} does not answer: {bare.last_error}")
                shares.append(rates[0] / rates[1])
            scenario.find(
                f"Of the rate of a bare route, {name} reaches {statistics.median(shares):.2f} "
                f"({min(shares):.2f} to {max(shares):.2f})."
            )
