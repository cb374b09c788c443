"""The same work beside few and beside very many existing executions."""

import contextlib

import asyncpg

from trade_service.bench.environment import Environment
from trade_service.bench.results import Scenario, Series, place
from trade_service.bench.runs import runs_on
from trade_service.bench.seeding import ORDER_COUNT

CHUNK = 250_000
GOAL = 0.85
SENT = """
INSERT INTO execution (execution_status_id, trade_type_id, trade_order_id, destination_id, quantity_ordered,
                       quantity_placed, limit_price, submission_state, execution_service_id, attempts_spent)
SELECT 2, 1, o.first + i % $1::int, 1 + i % 6, 100, 100, 12.5, 'accepted', 1000000000 + i, 1
FROM generate_series($2::int, $3::int) i, (SELECT min(id) AS first FROM trade_order) o
"""


async def table_size(environment: Environment, scenario: Scenario) -> None:
    """Throughput beside executions that were sent before, with an Execution Service that answers at once:
    indexes are deeper and tables larger, but a submission only touches its own rows. In batches, and as one
    caller that awaits each. Statistics are as in production: nearly all executions are accepted, and the table
    was analysed without a vacuum.
    """
    preset, axis = environment.preset, "executions in the table"
    chart = scenario.chart("Throughput", axis, "executions/s")
    bare, line = chart.line("bare loop", limit=True), chart.line("engine")
    single = scenario.chart("One by one", axis, "executions/s").line("engine, one caller")
    sizes = preset.pick((2_000, 4_000), (0, 200_000, 1_000_000), (10_000, 100_000, 1_000_000, 10_000_000))
    present = 0
    async with runs_on(environment, 0.0) as runs, runs.services() as services:
        for rows in sizes:
            await _grow(environment, runs.supply.link, present, rows)
            present = rows
            environment.step(f"beside {rows:,} executions")
            await runs.warm_up(services)
            for _ in range(preset.repetitions):
                line.add(rows, await runs.bulk(services))
                bare.add(rows, await runs.bare(services.settings.batch.max_concurrent))
                single.add(rows, await runs.one_by_one(services))
    _conclude(scenario, "the engine", line)
    _conclude(scenario, "one caller", single)


def _conclude(scenario: Scenario, who: str, line: Series) -> None:
    rates = line.medians()
    first, last = min(rates), max(rates)
    share = rates[last] / rates[first]
    scenario.find(
        f"Beside {place(last)} executions {who} reaches {share:.0%} of the rate beside {place(first)}.",
        good=share >= GOAL,
    )


async def _grow(environment: Environment, link: asyncpg.Connection, present: int, rows: int) -> None:
    """Adds executions that were sent before, up to `rows` of them."""
    # Foreign keys hold by construction; a user without the privilege fills more slowly.
    with contextlib.suppress(asyncpg.InsufficientPrivilegeError):
        await link.execute("SET session_replication_role = replica")
    for first in range(present + 1, rows + 1, CHUNK):
        environment.step(f"filling: {first - 1:,} of {rows:,}")
        await link.execute(SENT, ORDER_COUNT - 1, first, min(first + CHUNK - 1, rows))
    await link.execute("RESET session_replication_role")
    await link.execute("ANALYZE execution")
    await link.execute("CHECKPOINT")
