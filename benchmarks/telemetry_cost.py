"""`make bench-telemetry`: what metrics and traces cost, as throughput with them against throughput without.

The same engine several times over in one process, on one database and one Execution Service: without metrics,
with them, and with them and traces that a collector in another process takes. They run in turn, so that all
of them meet the same machine; each cost is the median over the rounds of what its run lost against the run
without in the same round, in throughput and in this process's CPU time, which a busy machine disturbs less. With
each cost stands the interval that holds it in 95 of 100 such measurements. A second engine without metrics tells
whether that is so: its true cost is nothing.
"""

import argparse
import math
import statistics
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager

import msgspec
import uvloop

from trade_service.bench.children import child, line_of, simulator
from trade_service.bench.filling import fill
from trade_service.bench.machine import described, this_machine
from trade_service.bench.runs import engine_rate
from trade_service.bench.stage import services_on
from trade_service.bootstrap.services import Services
from trade_service.cli.demo_folder import database_folder, make_demo_folder, remove_demo_folder
from trade_service.observability.logs import configure_logs
from trade_service.store.embedded import EmbeddedPostgres

WARM_UP = 5_000
NORMAL_95 = 1.96
OFF, AGAIN, METRICS, TRACES = "off", "off again", "metrics", "metrics and traces"


class Run(msgspec.Struct, frozen=True):
    """One run of one engine."""

    rate: float
    """Executions a second."""
    cpu_us: float
    """CPU time of this process for one execution."""


@asynccontextmanager
async def engines(dsn: str, base_url: str) -> AsyncIterator[Mapping[str, Services]]:
    """All three, warmed up."""
    off = {"metrics.enabled": "false", "batch.metrics_enabled": "false"}
    async with AsyncExitStack() as stack:
        process = await stack.enter_async_context(child("benchmarks.collector_process"))
        address = await line_of(process, "the collector")
        traces = {"telemetry.traces_url": f"{address}/v1/traces"}
        settings: dict[str, dict[str, str]] = {OFF: off, AGAIN: off, METRICS: {}, TRACES: traces}
        running = {
            name: await stack.enter_async_context(services_on(dsn, base_url, **values))
            for name, values in settings.items()
        }
        for services in running.values():
            await engine_rate(services, await fill(services.engine, WARM_UP))
        yield running


async def measured(running: Mapping[str, Services], count: int, rounds: int) -> dict[str, list[Run]]:
    """Each round begins with another engine."""
    runs: dict[str, list[Run]] = {name: [] for name in running}
    names = list(running)
    for number in range(rounds):
        first = number % len(names)
        for name in names[first:] + names[:first]:
            ids = await fill(running[name].engine, count)
            begun_s = time.process_time()
            rate = await engine_rate(running[name], ids)
            runs[name].append(Run(rate, (time.process_time() - begun_s) / count * 1_000_000))
    return runs


def told(runs: Mapping[str, list[Run]]) -> dict[str, object]:
    """Medians, and costs in per cent against `off`."""
    figures: dict[str, object] = {}
    for name, of_name in runs.items():
        pairs = list(zip(of_name, runs[OFF], strict=True))
        rates = [run.rate for run in of_name]
        lost = [1 - run.rate / off.rate for run, off in pairs]
        added = [run.cpu_us / off.cpu_us - 1 for run, off in pairs]
        figures[name] = {
            "executions_per_s": round(statistics.median(rates)),
            "spread": [round(min(rates)), round(max(rates))],
            "cpu_us": round(statistics.median(run.cpu_us for run in of_name), 1),
            "cost_pct": _pct(statistics.median(lost)),
            "cost_interval_pct": interval_pct(lost),
            "cpu_cost_pct": _pct(statistics.median(added)),
            "cpu_cost_interval_pct": interval_pct(added),
        }
    return figures


def interval_pct(shares: list[float]) -> list[float]:
    """Where the true median lies, 95 times of 100: the order statistics of a sign test."""
    count = len(shares)
    margin = round(NORMAL_95 * math.sqrt(count) / 2)
    ordered = sorted(shares)
    first = max(0, count // 2 - margin)
    return [_pct(ordered[first]), _pct(ordered[count - 1 - first])]


def _pct(share: float) -> float:
    return round(100 * share, 1)


async def main(arguments: argparse.Namespace) -> None:
    """Measures and prints one JSON document."""
    configure_logs("ERROR", "console")
    figures: dict[str, object] = {"machine": described(this_machine())}
    folder = make_demo_folder()
    try:
        async with (
            EmbeddedPostgres.running(database_folder(folder)) as postgres,
            simulator(0.0) as base_url,
            engines(postgres.dsn, base_url) as running,
        ):
            figures |= told(await measured(running, arguments.executions, arguments.rounds))
    finally:
        await remove_demo_folder(folder)
    print(msgspec.json.format(msgspec.json.encode(figures), indent=2).decode())


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m benchmarks.telemetry_cost", description=__doc__)
    parser.add_argument("--executions", type=int, default=4_000, help="executions in each run")
    parser.add_argument("--rounds", type=int, default=200)
    uvloop.run(main(parser.parse_args()))
