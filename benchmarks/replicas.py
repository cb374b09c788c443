"""Several replicas on one PostgreSQL. Also the process of one replica."""

import sys
import time
from asyncio.subprocess import Process
from collections.abc import Sequence
from contextlib import AsyncExitStack

from trade_service.bench.environment import Environment, services_on
from trade_service.bench.preset import LATENCY_MS
from trade_service.bench.results import Scenario, short
from trade_service.bench.runs import Runs, engine_rate, runs_on
from trade_service.bench.subprocesses import child, input_lines, line_of, print_line, run_child

CHILD_S = 600.0
BATCHES_AT_ONCE = 4


async def replicas(environment: Environment, scenario: Scenario) -> None:
    """Several processes on one PostgreSQL share the same number of executions, each with four batches at once
    and an Execution Service that takes 20 ms per call. All of them share the cores of this machine.
    """
    preset = environment.preset
    chart = scenario.chart("Throughput", "replicas", "executions/s")
    bare, line = chart.line("bare loop, as many batches at once", limit=True), chart.line("all replicas")
    executions = preset.pick(500, 20_000, 100_000)
    async with runs_on(environment, LATENCY_MS, executions) as runs:
        for count in preset.pick((2,), (1, 2, 4), (1, 2, 4)):
            for repetition in range(preset.repetitions):
                environment.step(f"{count} replicas, {repetition + 1} of {preset.repetitions}")
                line.add(count, await _rate(runs, executions // count, count))
                bare.add(count, await runs.bare(BATCHES_AT_ONCE * count))
    rates = line.medians()
    first = min(rates)
    scenario.find(f"With {first:g}: {short(rates[first])} executions/s.")
    for several, rate in rates.items():
        if several != first:
            scenario.find(
                f"{several:g} replicas reach {short(rate / rates[first])} times the rate of {first:g}."
            )


async def _rate(runs: Runs, share: int, count: int) -> float:
    """Executions per second of all replicas together, from the start signal to the last answer."""
    async with AsyncExitStack() as stack:
        processes = [
            await stack.enter_async_context(child("benchmarks.replicas", runs.dsn, runs.base_url))
            for _ in range(count)
        ]
        for process in processes:
            await line_of(process, "a replica")
        await _submit(processes, [await runs.supply.take(runs.preset.warm_up) for _ in processes])
        work = [await runs.supply.take(share) for _ in processes]
        begun = time.perf_counter()
        await _submit(processes, work)
        return share * count / (time.perf_counter() - begun)


async def _submit(processes: Sequence[Process], work: Sequence[Sequence[int]]) -> None:
    for process, ids in zip(processes, work, strict=True):
        assert process.stdin is not None
        process.stdin.write(" ".join(map(str, ids)).encode() + b"\n")
    for process in processes:
        await line_of(process, "a replica", CHILD_S)


async def main(dsn: str, base_url: str) -> None:
    """Prints `ready`, then submits the ids of each input line and prints `done`."""
    async with services_on(dsn, base_url) as services:
        print_line("ready")
        async for line in input_lines():
            await engine_rate(services, [int(word) for word in line.split()])
            print_line("done")


if __name__ == "__main__":
    run_child(main(*sys.argv[1:]), watch=False)
