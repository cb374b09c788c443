"""Counts and estimates of lists on a real database: accuracy of samples, and time limits."""

import asyncio
import os
import time
from collections.abc import AsyncIterator

import pytest

from tests.support.database import TestServer
from tests.support.lists import insert_mixed, lists_on
from tests.support.plans import Probe, connected
from tests.support.trading import run_sql
from trade_service.store import list_statements as statements
from trade_service.store.database import Database
from trade_service.store.list_store import PostgresListCounts
from trade_service.store.statements import Statement
from trade_service.store.store_settings import StoreSettings
from trade_service.trading.listing.model import Filter, ListName, ListQuery, Selection, Test
from trade_service.trading.trading_settings import ListSettings

ROWS = 120_000
LONG_S = 60.0
SELECTIONS = {
    "all": ("orders", ()),
    "one order type": ("orders", (Filter("orderType", Test.ANY_OF, ("BUY",)),)),
    "one portfolio": ("orders", (Filter("portfolioId", Test.ANY_OF, ("P1",)),)),
    "one status of ten": ("executions", (Filter("executionStatus.abbreviation", Test.ANY_OF, ("NEW",)),)),
    "by a column of the order": ("executions", (Filter("securityId", Test.ANY_OF, ("S1", "S2")),)),
    "nobody": ("executions", (Filter("destination.abbreviation", Test.ANY_OF, ("nobody",)),)),
}


@pytest.fixture(scope="module")
async def full(
    postgres: TestServer, template_database: str, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Database]:
    """A table that takes seconds to fill: only one of several processes may do so."""
    if "PYTEST_XDIST_WORKER" in os.environ:
        (tmp_path_factory.getbasetemp().parent / "list-totals").touch(exist_ok=False)
    async with postgres.database(template_database) as url:
        database = Database(StoreSettings(url))
        await insert_mixed(database, ROWS, ROWS)
        await run_sql(database, "ANALYZE")
        yield database
        await database.close()


@pytest.mark.parametrize(("source", "filters"), SELECTIONS.values(), ids=SELECTIONS)
async def test_a_sample_estimates_the_number_of_rows(
    full: Database, source: ListName, filters: tuple[Filter, ...]
) -> None:
    counts, selection = PostgresListCounts(full), Selection(source, filters)
    exact = await counts.count(selection, LONG_S)
    estimate = await counts.estimate(selection, LONG_S)
    assert exact is not None
    assert estimate is not None
    assert abs(estimate - exact) <= 0.1 * exact
    assert estimate == await counts.estimate(selection, LONG_S), "the next page shows the same"


@pytest.mark.parametrize(("source", "filters"), SELECTIONS.values(), ids=SELECTIONS)
async def test_a_sample_reads_about_the_same_number_of_rows_from_any_table(
    full: Database, source: ListName, filters: tuple[Filter, ...]
) -> None:
    shape = statements.count_shape(filters, bounded=False)
    async with connected(full) as link:
        for mode in ("force_generic_plan", "force_custom_plan"):
            await link.execute(f"SET plan_cache_mode = {mode}")
            probe = Probe(link, f"{source} {mode}", statements.sample_statement(source, shape))
            await probe.prepare()
            plan = await probe.plan(statements.filter_values(filters))
            await probe.drop()
            assert not plan.scanned
            assert max(plan.touched.values()) <= 1.2 * statements.SAMPLED_ROWS, plan.text


async def test_a_table_without_statistics_is_sampled_too(database: Database) -> None:
    counts, everything = PostgresListCounts(database), Selection("orders")
    assert await counts.estimate(everything, LONG_S) == 0
    await insert_mixed(database, 300, 0)
    assert await counts.estimate(everything, LONG_S) == 300, "a small table is read whole"


async def test_counts_and_estimates_end_in_time_and_restore_the_connection(
    database: Database,
) -> None:
    await insert_mixed(database, 300, 0)
    counts, filtered = PostgresListCounts(database), Selection("orders", SELECTIONS["one order type"][1])
    async with database.transaction() as other:
        await other.execute(Statement.parsed("LOCK TABLE trade_order IN ACCESS EXCLUSIVE MODE"))
        began = time.monotonic()
        assert await counts.count(filtered, 0.05, 10) is None
        assert await counts.count(filtered, 0.05) is None
        assert await counts.estimate(filtered, 0.05) is None
        assert time.monotonic() - began < 5.0
    assert await counts.count(filtered, LONG_S) == 100
    assert await database.fetch_value(Statement.parsed("SHOW statement_timeout")) == "30s"


async def test_a_large_total_is_estimated_then_counted(full: Database) -> None:
    """Store and row counts together: the wait is too short for a count of this many rows."""
    lists = lists_on(full, totals=ListSettings(counted_up_to=50, count_wait_ms=0))
    query = ListQuery(limit=5, filters=SELECTIONS["one order type"][1])
    async with lists.names, lists.totals, asyncio.timeout(30):
        first = (await lists.service.list_orders(query)).total
        assert first.is_estimate
        assert first.rows >= 6
        while (total := (await lists.service.list_orders(query)).total).is_estimate:
            await asyncio.sleep(0)
        assert total.rows == ROWS // 3
