"""`make bench-telemetry`: what metrics and traces cost, as throughput with them against throughput without.

The same engine three times over in one process, on one database and one Execution Service: without metrics,
with them, and with them and traces that a collector in another process takes. They run in turn, so that all
three meet the same machine; each cost is the median over the rounds of what its run lost against the run
without in the same round.
"""

import argparse
import statistics
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
METRICS_AT_MOST_PCT = 3.0
TRACES_AT_MOST_PCT = 10.0
OFF, METRICS, TRACES = "off", "metrics", "metrics and traces"


@asynccontextmanager
async def engines(dsn: str, base_url: str) -> AsyncIterator[Mapping[str, Services]]:
    """All three, warmed up."""
    off = {"metrics.enabled": "false", "batch.metrics_enabled": "false"}
    async with AsyncExitStack() as stack:
        process = await stack.enter_async_context(child("benchmarks.collector_process"))
        address = await line_of(process, "the collector")
        traces = {"telemetry.traces_url": f"{address}/v1/traces"}
        settings: dict[str, dict[str, str]] = {OFF: off, METRICS: {}, TRACES: traces}
        running = {
            name: await stack.enter_async_context(services_on(dsn, base_url, **values))
            for name, values in settings.items()
        }
        for services in running.values():
            await engine_rate(services, await fill(services.engine, WARM_UP))
        yield running


async def measured(running: Mapping[str, Services], count: int, rounds: int) -> dict[str, list[float]]:
    """Executions a second in each round, which begins with another one each time."""
    rates: dict[str, list[float]] = {name: [] for name in running}
    names = list(running)
    for number in range(rounds):
        first = number % len(names)
        for name in names[first:] + names[:first]:
            services = running[name]
            rates[name].append(await engine_rate(services, await fill(services.engine, count)))
    return rates


def told(rates: Mapping[str, list[float]]) -> dict[str, object]:
    """Medians, costs in per cent of the throughput, and whether they keep to their bounds."""

    def cost_pct(name: str) -> float:
        ratios = [rate / off for rate, off in zip(rates[name], rates[OFF], strict=True)]
        return round(100 * (1 - statistics.median(ratios)), 1)

    metrics, traces = cost_pct(METRICS), cost_pct(TRACES)
    return {
        "executions_per_s": {name: round(statistics.median(values)) for name, values in rates.items()},
        "spread": {name: [round(min(values)), round(max(values))] for name, values in rates.items()},
        "metrics_cost_pct": metrics,
        "metrics_and_traces_cost_pct": traces,
        "within_bounds": metrics <= METRICS_AT_MOST_PCT and traces <= TRACES_AT_MOST_PCT,
    }


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
    parser.add_argument("--executions", type=int, default=20_000, help="executions in each run")
    parser.add_argument("--rounds", type=int, default=9)
    uvloop.run(main(parser.parse_args()))
