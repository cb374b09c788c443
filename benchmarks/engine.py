"""The README's figures: engine against bare loop, statements per batch, 100 orders through `batch/submit`."""

import asyncio
import statistics
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from decimal import Decimal

from trade_service.bench import bare_loop
from trade_service.bench.environment import Environment, services_on
from trade_service.bench.results import Better, Scenario, short
from trade_service.bench.runs import engine_rate, runs_on
from trade_service.bootstrap.container import Services
from trade_service.domain.orders import NewTradeOrder, Submission
from trade_service.store.database import Session

FIRST_ORDER_ID = 1_000_000_000
ORDERS = 100


class StatementCounter:
    """Counts the statements that reach the driver, BEGIN and COMMIT included."""

    def __init__(self, services: Services) -> None:
        self.count = 0
        self._lend = services.database._lent
        vars(services.database)["_lent"] = self._lent

    def _note(self, _query: object) -> None:
        self.count += 1

    @asynccontextmanager
    async def _lent(self) -> AsyncIterator[Session]:
        async with self._lend() as session:
            session.connection.add_query_logger(self._note)
            yield session
            session.connection.remove_query_logger(self._note)


async def engine(environment: Environment, scenario: Scenario) -> None:
    """Engine and bare loop in turn on the same tables, with an Execution Service that answers at once: a fixed
    number of executions per run. Then the statements per batch, and 100 trade orders through `batch/submit`
    until SENT.
    """
    count = environment.preset.pick(1_000, 20_000, 50_000)
    chart = scenario.chart("Throughput", "executions per run", "executions/s")
    bare, line = chart.line("bare loop", limit=True), chart.line("engine")
    async with runs_on(environment, 0.0, count) as runs:
        async with runs.services() as services:
            workers, shares = services.settings.batch.max_concurrent, list[float]()
            for repetition in range(environment.preset.pick(2, 12, 12)):
                environment.step(f"repetition {repetition + 1}")
                rates = dict[str, float]()
                # Either way the second one runs while PostgreSQL vacuums after the first.
                for name in ("engine", "bare")[:: -1 if repetition % 2 else 1]:
                    ids = await runs.supply.take(count)
                    if name == "engine":
                        rates[name] = await engine_rate(services, ids)
                    else:
                        rates[name] = (await bare_loop.run(runs.dsn, runs.base_url, ids, workers)).rate
                line.add(count, rates["engine"])
                bare.add(count, rates["bare"])
                shares.append(rates["engine"] / rates["bare"])
            ids = await runs.supply.take(count)
            counter = StatementCounter(services)  # Counting takes time, so nothing is timed from here on.
            await engine_rate(services, ids)
        rate, limit = line.medians()[count], bare.medians()[count]
        scenario.find(
            f"The engine reaches {statistics.median(shares):.0%} of the bare loop (median of {len(shares)} pairs, "
            f"{min(shares):.0%} to {max(shares):.0%}; {short(rate)} and {short(limit)} executions/s), with "
            f"{counter.count / (count / 100):.2f} statements per batch of 100."
        )
        environment.step("trade orders")
        await _orders(scenario, runs.dsn, runs.base_url, environment.preset.pick(3, 21, 21))


async def _orders(scenario: Scenario, dsn: str, base_url: str, repetitions: int) -> None:
    """100 trade orders through batch/submit: statements, and milliseconds until all are SENT."""
    times = scenario.chart("100 orders through batch/submit", "orders", "ms").line("until SENT", Better.LESS)
    # Recovery polls once a second, which would be counted at random.
    async with services_on(dsn, base_url, **{"submission.recovery_poll_ms": 600_000}) as services:
        counter, statements = StatementCounter(services), set[int]()
        for repetition in range(repetitions):
            first = FIRST_ORDER_ID + repetition * ORDERS
            orders = await services.orders.create_orders_bulk(
                [NewTradeOrder(first + i, "PORTFOLIO", "BUY", "AAPL", Decimal(100)) for i in range(ORDERS)]
            )
            await asyncio.sleep(0)  # The driver logs one turn of the loop later.
            counter.count = 0
            begun = time.perf_counter()
            results = await services.orders.submit_orders([Submission(o.id, Decimal(100), 1) for o in orders])
            times.add(ORDERS, (time.perf_counter() - begun) * 1000)
            assert all(result.error is None for result in results)
            await asyncio.sleep(0)
            if repetition:  # The first repetition also loads the reference data.
                statements.add(counter.count)
    median_ms = statistics.median(times.medians().values())
    scenario.find(
        f"{ORDERS} orders take {sorted(statements)} statements and {short(median_ms)} ms until SENT."
    )
