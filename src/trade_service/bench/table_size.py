"""The same work beside few and beside very many executions that exist already."""

from collections.abc import Mapping

import asyncpg

from trade_service.bench.figures import place
from trade_service.bench.filling import ORDER_COUNT, fill, filler_on, supply_on
from trade_service.bench.results import Scenario
from trade_service.bench.runs import Runner
from trade_service.bench.stage import Stage, services_on

ABOUT = (
    "Throughput beside so many executions that were sent before, with an Execution Service that answers at once: "
    "indexes are deeper and tables larger, but a submission touches only its own rows. Many at once in batches, "
    "and one caller that waits for each. The statistics are those of production: nearly all is accepted, and the "
    "table was analysed without a vacuum."
)
CHUNK = 250_000
GOAL = 0.85
SENT = """
INSERT INTO execution (execution_status_id, trade_type_id, trade_order_id, destination_id, quantity_ordered,
                       quantity_placed, limit_price, submission_state, execution_service_id, attempts_spent)
SELECT 2, 1, o.first + i % {orders}, 1 + i % 6, 100, 100, 12.5, 'accepted', 1000000000 + i, 1
FROM generate_series({first}, {last}) i, (SELECT min(id) AS first FROM trade_order) o
"""


async def measure(stage: Stage, scenario: Scenario) -> None:
    """Plays the scenario."""
    effort = stage.effort
    chart = scenario.chart("Throughput", "executions in the table", "executions/s")
    bare, line = chart.line("bare loop", limit=True), chart.line("engine")
    single = scenario.chart("One by one", "executions in the table", "executions/s").line(
        "engine, one caller"
    )
    async with (
        stage.database() as dsn,
        stage.downstream(0.0) as base_url,
        supply_on(dsn, effort.most) as supply,
        services_on(dsn, base_url) as services,
    ):
        runner, present = Runner(supply, effort, dsn, base_url), 0
        await runner.warm_up(services)
        for rows in effort.table_rows:
            await _grow(stage, dsn, present, rows)
            present = rows
            stage.step(f"beside {rows:,} executions")
            await runner.warm_up(services)
            for _ in range(effort.repetitions):
                line.add(rows, await runner.bulk(services))
                bare.add(rows, await runner.bare(services.settings.batch.max_concurrent))
                single.add(rows, await runner.one_by_one(services))
    _conclude(scenario, "it reaches", line.medians())
    _conclude(scenario, "one caller reaches", single.medians())


def _conclude(scenario: Scenario, who: str, rates: Mapping[float, float]) -> None:
    first, last = min(rates), max(rates)
    share = rates[last] / rates[first]
    scenario.find(
        f"Beside {place(last)} executions {who} {share:.0%} of the rate beside {place(first)}.",
        good=share >= GOAL,
    )


async def _grow(stage: Stage, dsn: str, present: int, rows: int) -> None:
    """Adds executions that were sent before, up to `rows` of them."""
    async with filler_on(dsn) as engine:
        await fill(engine, 1)  # Makes the orders too, where there are none yet.
    link = await asyncpg.connect(dsn)
    try:
        await _without_checks(link)
        for first in range(present + 1, rows + 1, CHUNK):
            stage.step(f"filling: {first - 1:,} of {rows:,}")
            last = min(first + CHUNK - 1, rows)
            await link.execute(SENT.format(orders=ORDER_COUNT - 1, first=first, last=last))
        await link.execute("ANALYZE execution")
        await link.execute("CHECKPOINT")
    finally:
        await link.close()


async def _without_checks(link: asyncpg.Connection) -> None:
    """Keys that are right by construction need no check; who may not say so fills more slowly."""
    try:
        await link.execute("SET session_replication_role = replica")
    except asyncpg.InsufficientPrivilegeError:
        return
