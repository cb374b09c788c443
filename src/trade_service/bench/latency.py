"""Bulk against single submission, by the Execution Service's latency."""

from trade_service.bench.effort import DEFAULT_SIZE, LATENCY_MS
from trade_service.bench.figures import short
from trade_service.bench.filling import supply_on
from trade_service.bench.results import Chart, Scenario
from trade_service.bench.runs import Runner
from trade_service.bench.stage import Stage, services_on

ABOUT = (
    "The same executions three ways, each to the answer and its durable record: in batches of 100, four of them "
    "at once, as the service does it; four at once but one to a call (`batch.enable_batching` = false); "
    "and one caller that waits for each before it submits the next. The bare loop only claims, calls and records."
)
GOAL = 60.0
SHARE_GOAL = 0.7


class Lines:
    """The series of this scenario."""

    def __init__(self, scenario: Scenario) -> None:
        self.rates: Chart = scenario.chart("Throughput", "latency of a call, ms", "executions/s", log=True)
        self.bare = self.rates.line("bare loop", limit=True)
        self.bulk = self.rates.line("batches of 100")
        self.unbatched = self.rates.line("one to a call, 4 at once")
        self.single = self.rates.line("one after the other")
        self.ratios = scenario.chart("Bulk against single", "latency of a call, ms", "times")
        self.ratio = self.ratios.line("batches of 100 / one after the other")


async def measure(stage: Stage, scenario: Scenario) -> None:
    """Plays the scenario."""
    lines, effort = Lines(scenario), stage.effort
    async with stage.database() as dsn, supply_on(dsn, effort.most) as supply:
        for latency_ms in effort.latencies_ms if stage.latency_is_ours else (0.0,):
            stage.step(f"{latency_ms:g} ms" if stage.latency_is_ours else "the given Execution Service")
            async with (
                stage.downstream(latency_ms) as base_url,
                services_on(dsn, base_url) as batched,
                services_on(dsn, base_url, **{"batch.enable_batching": False}) as unbatched,
            ):
                runner = Runner(supply, effort, dsn, base_url)
                await runner.warm_up(batched)
                for _ in range(effort.repetitions):
                    bulk, single = await runner.bulk(batched), await runner.one_by_one(batched)
                    lines.bulk.add(latency_ms, bulk)
                    lines.single.add(latency_ms, single)
                    lines.ratio.add(latency_ms, bulk / single)
                    lines.unbatched.add(latency_ms, await runner.bulk(unbatched))
                    workers = batched.settings.batch.max_concurrent
                    lines.bare.add(latency_ms, await runner.bare(workers, DEFAULT_SIZE))
    _conclude(scenario, lines, ours=stage.latency_is_ours)


def _conclude(scenario: Scenario, lines: Lines, *, ours: bool) -> None:
    ratios, bulk, bare = lines.ratio.medians(), lines.bulk.medians(), lines.bare.medians()
    for latency_ms, ratio in ratios.items():
        good = ratio >= GOAL if latency_ms == LATENCY_MS else None
        at = f"At {latency_ms:g} ms" if ours else "With the given Execution Service"
        scenario.find(f"{at} bulk is {short(ratio)} times single submission.", good=good)
    first = min(bulk)
    share, where = bulk[first] / bare[first], f"At {first:g} ms" if ours else "There"
    scenario.find(
        f"{where} the engine reaches {share:.0%} of the bare loop ({short(bulk[first])} of "
        f"{short(bare[first])} executions/s).",
        good=share >= SHARE_GOAL,
    )
    shares = scenario.chart("Share of the bare loop", "latency of a call, ms", "%")
    line = shares.line("batches of 100")
    for latency_ms, rate in bulk.items():
        line.add(latency_ms, 100 * rate / bare[latency_ms])
