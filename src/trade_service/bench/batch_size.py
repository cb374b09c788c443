"""Which batch size to use."""

from trade_service.bench.effort import DEFAULT_SIZE
from trade_service.bench.figures import GOOD_ENOUGH, recommended_size, short
from trade_service.bench.filling import supply_on
from trade_service.bench.results import Scenario, Series
from trade_service.bench.runs import Runner
from trade_service.bench.stage import Stage, services_on

ABOUT = (
    "Throughput by `batch.size`, four batches at once. Recommended is the smallest size within 5 % of the best: "
    "a smaller batch is answered sooner and, when its outcome is unknown, fewer executions wait for a look-up."
)


async def measure(stage: Stage, scenario: Scenario) -> None:
    """Plays the scenario."""
    effort = stage.effort
    for latency_ms in effort.size_latencies_ms if stage.latency_is_ours else (0.0,):
        at = f"{latency_ms:g} ms a call" if stage.latency_is_ours else "the given Execution Service"
        chart = scenario.chart(f"Throughput, {at}", "batch size", "executions/s")
        bare, line = chart.line("bare loop", limit=True), chart.line("engine")
        async with (
            stage.database() as dsn,
            stage.downstream(latency_ms) as base_url,
            supply_on(dsn, effort.most) as supply,
        ):
            runner = Runner(supply, effort, dsn, base_url)
            for size in effort.sizes:
                stage.step(f"{at}: batches of {size}")
                async with services_on(dsn, base_url, **{"batch.size": size}) as services:
                    await runner.warm_up(services)
                    for _ in range(effort.repetitions):
                        line.add(size, await runner.bulk(services))
                        bare.add(size, await runner.bare(services.settings.batch.max_concurrent, size))
        _conclude(scenario, line, at)


def _conclude(scenario: Scenario, line: Series, at: str) -> None:
    rates = line.medians()
    size = recommended_size(rates)
    scenario.find(
        f"Recommended batch size at {at}: {size:g} ({short(rates[size])} executions/s; the best is "
        f"{short(max(rates.values()))})."
    )
    if DEFAULT_SIZE in rates:
        share = rates[DEFAULT_SIZE] / max(rates.values())
        scenario.find(
            f"The default, {DEFAULT_SIZE}, reaches {share:.0%} of the best.", good=share >= GOOD_ENOUGH
        )
