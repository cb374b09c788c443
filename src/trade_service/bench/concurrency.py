"""How many batches at once."""

from trade_service.bench.effort import LATENCY_MS
from trade_service.bench.figures import recommended_size, short
from trade_service.bench.filling import supply_on
from trade_service.bench.results import Scenario
from trade_service.bench.runs import Runner
from trade_service.bench.stage import Stage, services_on

ABOUT = (
    "Throughput by `batch.max_concurrent`, in batches of 100, with an Execution Service that takes 20 ms a call. "
    "More batches at once hide its latency, until a core or the database is busy all the time."
)
DEFAULT_CONNECTIONS = 32


async def measure(stage: Stage, scenario: Scenario) -> None:
    """Plays the scenario."""
    effort = stage.effort
    chart = scenario.chart("Throughput", "batches at once", "executions/s")
    bare, line = chart.line("bare loop", limit=True), chart.line("engine")
    async with (
        stage.database() as dsn,
        stage.downstream(LATENCY_MS) as base_url,
        supply_on(dsn, effort.most) as supply,
    ):
        runner = Runner(supply, effort, dsn, base_url)
        for count in effort.concurrency:
            stage.step(f"{count} batches at once")
            overrides = {
                "batch.max_concurrent": count,
                "execution_service.max_connections": max(DEFAULT_CONNECTIONS, count),
            }
            async with services_on(dsn, base_url, **overrides) as services:
                await runner.warm_up(services)
                for _ in range(effort.repetitions):
                    line.add(count, await runner.bulk(services))
                    bare.add(count, await runner.bare(count))
    rates = line.medians()
    enough = recommended_size(rates)
    scenario.find(
        f"{enough:g} batches at once are enough here: {short(rates[enough])} executions/s; the best is "
        f"{short(max(rates.values()))}."
    )
