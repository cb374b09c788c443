"""Several replicas on one PostgreSQL."""

import time
from asyncio.subprocess import Process
from collections.abc import Sequence
from contextlib import AsyncExitStack

from trade_service.bench.children import child, line_of
from trade_service.bench.effort import LATENCY_MS, Effort
from trade_service.bench.figures import short
from trade_service.bench.filling import Supply, supply_on
from trade_service.bench.results import Scenario
from trade_service.bench.runs import Runner
from trade_service.bench.stage import Stage

ABOUT = (
    "So many processes on one PostgreSQL, each with its share of the same number of executions and four batches "
    "at once, with an Execution Service that takes 20 ms a call. All of them share the cores of this machine."
)
CHILD_S = 600.0
BATCHES_AT_ONCE = 4


async def measure(stage: Stage, scenario: Scenario) -> None:
    """Plays the scenario."""
    effort = stage.effort
    chart = scenario.chart("Throughput", "replicas", "executions/s")
    bare, line = chart.line("bare loop, as many batches at once", limit=True), chart.line("all replicas")
    async with (
        stage.database() as dsn,
        stage.downstream(LATENCY_MS) as base_url,
        supply_on(dsn, effort.replica_executions) as supply,
    ):
        runner = Runner(supply, effort, dsn, base_url)
        for count in effort.replicas:
            for repetition in range(effort.repetitions):
                stage.step(f"{count} replicas, {repetition + 1} of {effort.repetitions}")
                line.add(count, await _rate(dsn, base_url, supply, effort, count))
                bare.add(count, await runner.bare(BATCHES_AT_ONCE * count))
    rates = line.medians()
    first = min(rates)
    scenario.find(f"With {first:g}: {short(rates[first])} executions/s.")
    for replicas, rate in rates.items():
        if replicas != first:
            times = short(rate / rates[first])
            scenario.find(f"{replicas:g} replicas reach {times} times the rate of {first:g}.")


async def _rate(dsn: str, base_url: str, supply: Supply, effort: Effort, count: int) -> float:
    """Executions a second of all replicas together, from the word to the last answer."""
    share = effort.replica_executions // count
    async with AsyncExitStack() as stack:
        processes = [
            await stack.enter_async_context(child("trade_service.bench.replica_process", dsn, base_url))
            for _ in range(count)
        ]
        for process in processes:
            await line_of(process, "a replica")
        await _submit(processes, [await supply.take(effort.warm_up) for _ in processes])
        work = [await supply.take(share) for _ in processes]
        begun = time.perf_counter()
        await _submit(processes, work)
        return share * count / (time.perf_counter() - begun)


async def _submit(processes: Sequence[Process], work: Sequence[Sequence[int]]) -> None:
    for process, ids in zip(processes, work, strict=True):
        assert process.stdin is not None
        process.stdin.write(" ".join(map(str, ids)).encode() + b"\n")
    for process in processes:
        await line_of(process, "a replica", CHILD_S)
