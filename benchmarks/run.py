"""`make bench`: the figures of the README, measured on this machine.

Everything runs on the same cores: embedded PostgreSQL with its full durability, the simulator without
latency, the engine. Each figure is the median of its repetitions.
"""

import argparse
import asyncio
import json
import statistics
import sys
import time
from decimal import Decimal
from typing import Any

import msgspec
import sqlalchemy as sa
import uvloop
from sqlalchemy.pool import ConnectionPoolEntry

from trade_service.bench import bare_loop
from trade_service.bench.children import simulator
from trade_service.bench.filling import fill
from trade_service.bench.machine import described, this_machine
from trade_service.bench.runs import engine_rate
from trade_service.bench.stage import services_on
from trade_service.bootstrap.services import Services
from trade_service.cli.demo_folder import database_folder, make_demo_folder, remove_demo_folder
from trade_service.domain.orders import NewTradeOrder, Submission
from trade_service.observability.logs import configure_logs
from trade_service.store.embedded import EmbeddedPostgres

WARM_UP = 10_000


class StatementCounter:
    """Counts the statements that reach the driver, BEGIN and COMMIT included."""

    def __init__(self, services: Services) -> None:
        self.count = 0
        engine = services.engine.sync_engine
        sa.event.listen(engine, "before_cursor_execute", self._note)  # What SQLAlchemy prepares.
        sa.event.listen(engine, "checkout", self._listen)

    def _note(self, *_: object) -> None:
        self.count += 1

    def _listen(self, connection: Any, record: ConnectionPoolEntry, _proxy: object) -> None:
        """The driver logs what it is handed: the direct statements, BEGIN and COMMIT."""
        if not record.info.setdefault("counted", False):
            record.info["counted"] = True
            connection.driver_connection.add_query_logger(self._note)


async def measure_submission(dsn: str, base_url: str, count: int, repetitions: int) -> dict[str, object]:
    """Engine and bare loop in turn, so that both meet the same machine."""
    async with services_on(dsn, base_url) as services:
        await engine_rate(services, await fill(services.engine, WARM_UP))
        engine, bare = [], []
        for _ in range(repetitions):
            ids = await fill(services.engine, count)
            engine.append(await engine_rate(services, ids))
            ids = await fill(services.engine, count)
            ran = await bare_loop.run(dsn, base_url, ids, services.settings.batch.max_concurrent)
            bare.append(ran.rate)
        ids = await fill(services.engine, count)
        counter = StatementCounter(services)  # Counting costs time: nothing is timed from here on.
        await engine_rate(services, ids)
    return {
        "executions_per_s": round(statistics.median(engine)),
        "bare_loop_per_s": round(statistics.median(bare)),
        "ratio_to_bare_loop": round(statistics.median(engine) / statistics.median(bare), 2),
        "spread": [round(min(engine)), round(max(engine))],
        "statements_per_batch": round(counter.count / (count / 100), 2),
    }


async def measure_orders(dsn: str, base_url: str, repetitions: int) -> dict[str, object]:
    """100 trade orders through batch/submit: statements, and milliseconds until all are SENT."""
    # Recovery's poll, once a second, is no part of a submission: it would be counted by chance.
    async with services_on(dsn, base_url, **{"submission.recovery_poll_ms": 600_000}) as services:
        counter = StatementCounter(services)
        times, statements = [], set()
        for repetition in range(repetitions):
            first = 1_000_000_000 + repetition * 100
            orders = await services.orders.create_orders_bulk(
                [NewTradeOrder(first + i, "PORTFOLIO", "BUY", "AAPL", Decimal(100)) for i in range(100)]
            )
            counter.count = 0
            begun = time.perf_counter()
            results = await services.orders.submit_orders([Submission(o.id, Decimal(100), 1) for o in orders])
            times.append((time.perf_counter() - begun) * 1000)
            assert all(result.error is None for result in results)
            await asyncio.sleep(0)  # The driver logs a turn of the loop later.
            if repetition:  # The first also loads the reference data.
                statements.add(counter.count)
    return {"statements": sorted(statements), "median_ms": round(statistics.median(times), 1)}


async def measure_memory(dsn: str, base_url: str, count: int) -> dict[str, object]:
    """Peak memory of a process that submits `count` executions, above its idle memory."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "benchmarks.memory_process",
        dsn,
        base_url,
        str(count),
        stdout=asyncio.subprocess.PIPE,
    )
    output, _ = await process.communicate()
    assert process.returncode == 0
    answer: dict[str, object] = json.loads(output)
    return answer


async def main(arguments: argparse.Namespace) -> None:
    """Runs all measurements and prints them as one JSON document."""
    configure_logs("ERROR", "console")
    figures: dict[str, object] = {"machine": described(this_machine())}
    folder = make_demo_folder()
    try:
        async with EmbeddedPostgres.running(database_folder(folder)) as postgres, simulator(0.0) as base_url:
            figures["postgresql"] = postgres.version
            figures["submission"] = await measure_submission(
                postgres.dsn, base_url, arguments.executions, arguments.repetitions
            )
            figures["batch_submit_of_100_orders"] = await measure_orders(postgres.dsn, base_url, 21)
            if arguments.memory:
                figures["memory"] = await measure_memory(postgres.dsn, base_url, arguments.memory)
    finally:
        await remove_demo_folder(folder)
    print(msgspec.json.format(msgspec.json.encode(figures), indent=2).decode())


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m benchmarks.run", description=__doc__)
    parser.add_argument("--executions", type=int, default=50_000, help="executions in each repetition")
    parser.add_argument("--repetitions", type=int, default=5)
    parser.add_argument("--memory", type=int, default=1_000_000, help="size of the memory run; 0 skips it")
    uvloop.run(main(parser.parse_args()))
