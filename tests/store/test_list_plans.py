"""Query plans of lists that must stay fast: an index delivers the rows in order."""

from collections.abc import AsyncIterator

import pytest

from tests.support.database import TestServer
from tests.support.list_plans import FILL, LIMIT, LIST_PLANS
from tests.support.plans import Probe, connected
from tests.support.trading import run_sql
from trade_service.store import list_statements as statements
from trade_service.store.database import Database
from trade_service.store.list_sources import SOURCES
from trade_service.store.store_settings import StoreSettings
from trade_service.trading.listing.model import ListQuery, SortKey, total_order

MOST_TOUCHED = 4 * (LIMIT + 1)
"""Each row and the rows an execution refers to, with room for neighbouring index entries."""


@pytest.fixture(scope="module")
async def full(postgres: TestServer, template_database: str) -> AsyncIterator[Database]:
    async with postgres.database(template_database) as url:
        database = Database(StoreSettings(url))
        for statement in FILL:
            await run_sql(database, statement)
        await run_sql(database, "ANALYZE")
        yield database
        await database.close()


@pytest.mark.parametrize("mode", ["force_generic_plan", "force_custom_plan"])
@pytest.mark.parametrize("random_page_cost", ["1.1", "4"])
async def test_pages_are_read_from_an_index_in_order(
    full: Database, mode: str, random_page_cost: str
) -> None:
    wrong = {}
    async with connected(full) as link:
        await link.execute(f"SET plan_cache_mode = {mode}")
        await link.execute(f"SET random_page_cost = {random_page_cost}")
        for name, one in LIST_PLANS.items():
            statement = statements.page_statement(one.source, statements.shape_of(one.query))
            probe = Probe(link, name, statement)
            await probe.prepare()
            plan = await probe.plan(statements.page_values(one.query))
            await probe.drop()
            if (
                plan.scanned - one.whole
                or one.index not in plan.indexes
                or max(plan.touched.values(), default=0) > MOST_TOUCHED + one.passed
            ):
                wrong[name] = f"touches {dict(plan.touched)}:\n{plan.text}"
    assert not wrong, "\n\n".join(f"{name} {text}" for name, text in wrong.items())


def test_the_text_depends_on_the_shape_alone() -> None:
    """Values are parameters: the same list is the same prepared statement."""
    one = LIST_PLANS["orders of a security"].query
    other = statements.shape_of(one)
    assert statements.page_statement("orders", statements.shape_of(one)) is statements.page_statement(
        "orders", other
    )
    assert "S7" not in statements.page_statement("orders", other).text


def test_with_a_far_offset_only_orders_go_from_name_to_name() -> None:
    """Every other offset into a sorted result reads the whole table."""
    sort = total_order((SortKey("security.ticker"),))
    near, far = (ListQuery(offset=statements.SCANNED_ROWS + more, sort=sort) for more in (0, 1))
    reads = statements.reads_whole_table
    assert [reads(SOURCES["orders"], query) for query in (near, far)] == [False, False]
    assert [reads(SOURCES["executions"], query) for query in (near, far)] == [False, True]
