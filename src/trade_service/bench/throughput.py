"""Throughput questions: bulk against single submission, batch size, batches at once.

Each function measures one question; its docstring explains the method in the report.
"""

from trade_service.bench.environment import Environment, services_on
from trade_service.bench.preset import DEFAULT_SIZE, LATENCY_MS
from trade_service.bench.results import GOOD_ENOUGH, Scenario, Series, recommended_size, short
from trade_service.bench.runs import Runs, runs_on
from trade_service.bench.seeding import supply_on

BULK_GOAL = 60.0
SHARE_GOAL = 0.7
DEFAULT_CONNECTIONS = 32
GIVEN = "the given Execution Service"


async def bulk_against_single(environment: Environment, scenario: Scenario) -> None:
    """The same executions submitted three ways, each until the outcome is durable: in batches of 100, four at
    once, as the service does; one execution per call, four at once (`batch.enable_batching` = false); and one
    caller that awaits each execution before submitting the next. The bare loop only claims, calls and records.
    """
    axis, preset = "call latency, ms", environment.preset
    rates = scenario.chart("Throughput", axis, "executions/s", log=True)
    bare, bulk = rates.line("bare loop", limit=True), rates.line("batches of 100")
    unbatched, single = rates.line("one per call, 4 at once"), rates.line("one after the other")
    ratio = scenario.chart("Bulk against single", axis, "times").line("batches of 100 / one after the other")
    latencies = preset.pick((20.0,), (0.0, 1.0, 5.0, 20.0, 50.0), (0.0, 1.0, 5.0, 20.0, 50.0))
    async with environment.database() as dsn, supply_on(dsn, preset.most) as supply:
        for latency_ms in latencies if environment.latency_is_ours else (0.0,):
            environment.step(f"{latency_ms:g} ms" if environment.latency_is_ours else GIVEN)
            async with environment.downstream(latency_ms) as base_url:
                runs = Runs(supply, preset, dsn, base_url)
                async with (
                    runs.services() as batched,
                    services_on(dsn, base_url, **{"batch.enable_batching": False}) as one_per_call,
                ):
                    for _ in range(preset.repetitions):
                        fast, slow = await runs.bulk(batched), await runs.one_by_one(batched)
                        bulk.add(latency_ms, fast)
                        single.add(latency_ms, slow)
                        ratio.add(latency_ms, fast / slow)
                        unbatched.add(latency_ms, await runs.bulk(one_per_call))
                        bare.add(latency_ms, await runs.bare(batched.settings.batch.max_concurrent))
    for latency_ms, times in ratio.medians().items():
        at = f"At {latency_ms:g} ms" if environment.latency_is_ours else f"With {GIVEN}"
        good = times >= BULK_GOAL if latency_ms == LATENCY_MS else None
        scenario.find(f"{at} bulk is {short(times)} times as fast as single submission.", good=good)
    compare_with_limit(scenario, bulk, bare, axis)


def compare_with_limit(scenario: Scenario, line: Series, bare: Series, axis: str) -> None:
    """Charts a series as share of the bare loop, and judges the first one."""
    rates, limits = line.medians(), bare.medians()
    shares = scenario.chart("Share of the bare loop", axis, "%").line(line.name)
    for x, rate in rates.items():
        shares.add(x, 100 * rate / limits[x])
    first = min(rates)
    share = rates[first] / limits[first]
    scenario.find(
        f"At {first:g} ({axis}) the engine reaches {share:.0%} of the bare loop ({short(rates[first])} of "
        f"{short(limits[first])} executions/s).",
        good=share >= SHARE_GOAL,
    )


async def batch_size(environment: Environment, scenario: Scenario) -> None:
    """Throughput by `batch.size`, four batches at once. The recommended size is the smallest within 5 % of the
    best: smaller batches are answered sooner, and an unknown outcome leaves fewer executions to reconcile.
    """
    preset = environment.preset
    sizes = preset.pick(
        (50, 100),
        (1, 5, 10, 25, 50, 75, 100),
        (1, 2, 3, 5, 7, 10, 15, 20, 25, 35, 50, 60, 75, 90, 100),
    )
    latencies = preset.pick((0.0,), (0.0, LATENCY_MS), (0.0, LATENCY_MS))
    for latency_ms in latencies if environment.latency_is_ours else (0.0,):
        at = f"{latency_ms:g} ms per call" if environment.latency_is_ours else GIVEN
        chart = scenario.chart(f"Throughput, {at}", "batch size", "executions/s")
        bare, line = chart.line("bare loop", limit=True), chart.line("engine")
        async with runs_on(environment, latency_ms) as runs:
            for size in sizes:
                environment.step(f"{at}: batches of {size}")
                async with runs.services(**{"batch.size": size}) as services:
                    for _ in range(preset.repetitions):
                        line.add(size, await runs.bulk(services))
                        bare.add(size, await runs.bare(services.settings.batch.max_concurrent, size))
        rates = line.medians()
        size, best = int(recommended_size(rates)), max(rates.values())
        scenario.find(
            f"Recommended batch size at {at}: {size} ({short(rates[size])} executions/s; best {short(best)})."
        )
        if DEFAULT_SIZE in rates:
            share = rates[DEFAULT_SIZE] / best
            scenario.find(
                f"The default, {DEFAULT_SIZE}, reaches {share:.0%} of the best.", good=share >= GOOD_ENOUGH
            )


async def batches_at_once(environment: Environment, scenario: Scenario) -> None:
    """Throughput by `batch.max_concurrent`, in batches of 100, with an Execution Service that takes 20 ms a call.
    More concurrent batches hide its latency until a core or the database is saturated.
    """
    preset = environment.preset
    chart = scenario.chart("Throughput", "batches at once", "executions/s")
    bare, line = chart.line("bare loop", limit=True), chart.line("engine")
    async with runs_on(environment, LATENCY_MS) as runs:
        for count in preset.pick((1, 4), (1, 2, 4, 8, 16, 32, 64), (1, 2, 4, 8, 16, 32, 64)):
            environment.step(f"{count} batches at once")
            overrides = {
                "batch.max_concurrent": count,
                "execution_service.max_connections": max(DEFAULT_CONNECTIONS, count),
            }
            async with runs.services(**overrides) as services:
                for _ in range(preset.repetitions):
                    line.add(count, await runs.bulk(services))
                    bare.add(count, await runs.bare(count))
    rates = line.medians()
    enough = recommended_size(rates)
    scenario.find(
        f"{enough:g} batches at once suffice here: {short(rates[enough])} executions/s; the best is "
        f"{short(max(rates.values()))}."
    )
