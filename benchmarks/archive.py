"""Submissions with and without `trade-service archive` beside them. Also the process that archives."""

import asyncio
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from statistics import mean, median

from trade_service.bench.environment import Environment
from trade_service.bench.results import Scenario
from trade_service.bench.runs import Runs, runs_on
from trade_service.bench.subprocesses import child, line_of, print_line, run_child
from trade_service.bootstrap.container import Services
from trade_service.store.archive_folder import ArchiveFolder
from trade_service.store.archive_store import PostgresArchiveStore
from trade_service.store.database import Database
from trade_service.store.store_settings import StoreSettings
from trade_service.submission.clock import SystemClock
from trade_service.trading.archiving import (
    Archived,
    Archiver,
)
from trade_service.trading.trading_settings import RetentionSettings

GOAL = 0.95
KEEP_DAYS = 100
RUNS = 5
PAUSE_S = 0.5
"""Between two runs, for what the one before left to PostgreSQL."""
FINISHED = """
INSERT INTO execution (execution_timestamp, execution_status_id, trade_type_id, trade_order_id, destination_id,
                       quantity_ordered, quantity_placed, quantity_filled, limit_price, submission_state,
                       execution_service_id, attempts_spent)
SELECT now() - interval '500 days' + i * interval '1 ms', 4, 1, o.first + i % 9999, 1 + i % 6, 100, 100, 100, 12.5,
       'accepted', 1000000000 + i, 1
FROM generate_series(1, $1::int) i, (SELECT min(id) AS first FROM trade_order) o
"""


async def archive(environment: Environment, scenario: Scenario) -> None:
    """Throughput of the engine, run by run in turn without and with a process that archives finished executions at
    its default pace, on an Execution Service that answers at once. The finding is the median of the ratios of
    neighbouring runs.
    """
    preset = environment.preset
    pairs, rows = preset.pick(1, 6, 12), preset.pick(5_000, 50_000, 400_000)
    chart = scenario.chart("Throughput", "archiving (0: no, 1: yes)", "executions/s")
    line = chart.line("engine")
    ratios, moved = [], 0
    async with runs_on(environment, 0.0) as runs, runs.services() as services:
        environment.step(f"{rows:,} executions that ended long ago")
        await runs.supply.link.execute(FINISHED, rows)
        await runs.supply.link.execute("ANALYZE execution")
        for pair in range(pairs):
            environment.step(f"{pair + 1} of {pairs}")
            rates = {}
            # Who goes first changes from pair to pair.
            for is_archiving in (False, True) if pair % 2 else (True, False):
                await asyncio.sleep(PAUSE_S)
                if is_archiving:
                    async with _archiving(runs):
                        rates[True] = await _rate(runs, services)
                else:
                    rates[False] = await _rate(runs, services)
                line.add(int(is_archiving), rates[is_archiving])
            ratios.append(rates[True] / rates[False])
        moved = await runs.supply.link.fetchval("SELECT count(*) FROM archived_execution")
    scenario.find(
        f"While it archives, the engine keeps {median(ratios):.3f} of its rate (median of {pairs} pairs).",
        good=median(ratios) >= GOAL,
    )
    scenario.find(f"{moved:,} executions were archived meanwhile.")


async def _rate(runs: Runs, services: Services) -> float:
    """The mean of several runs in a row, which last for several files."""
    return mean([await runs.bulk(services) for _ in range(RUNS)])


@asynccontextmanager
async def _archiving(runs: Runs) -> AsyncIterator[None]:
    """A process that archives, once it has moved its first file."""
    with tempfile.TemporaryDirectory(prefix="trade-archive-") as folder:
        async with child("benchmarks.archive", runs.dsn, folder) as process:
            await line_of(process, "the process that archives")
            yield


async def main(dsn: str, folder: str) -> None:
    """Archives, and prints a line for each file."""

    def progress(one: Archived) -> None:
        print_line(f"{one.rows} rows")

    retention = RetentionSettings(executions_days=KEEP_DAYS)
    async with Database(StoreSettings(dsn)) as database:
        store, files = PostgresArchiveStore(database), ArchiveFolder(Path(folder))
        await Archiver(store, files, retention, SystemClock()).run(progress)


if __name__ == "__main__":
    run_child(main(*sys.argv[1:]))
