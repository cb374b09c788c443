"""Query plans of the store's statements: they find rows by id in tables of any size.

Each statement runs on large tables and is rolled back. It must not read a growing table from
end to end, and must touch no more rows than a batch explains: that also finds a plan made for ten rows that
loops over all of them for each, or an index that is read from end to end.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

import trade_service.store
from tests.store.plan_rows import BATCH, FILL
from tests.store.statement_cases import HOT, Case
from tests.store.statement_exemptions import NOT_A_QUERY, ONE_ROW, READS_EVERYTHING
from tests.support.database import TestServer
from tests.support.list_plans import LIST_PLANS
from tests.support.plans import BIG_TABLES, Link, Plan, Probe, connected, store_statements
from tests.support.trading import run_sql
from trade_service.store.database import Database
from trade_service.store.store_settings import StoreSettings

MOST_TOUCHED = 3 * BATCH
"""Locked, changed, and read once more."""


MOST_LOOPED = 10 * BATCH
"""Rows that one step may read, dead index entries included; a nested loop reads BATCH ** 2."""


MODES = ("force_generic_plan", "force_custom_plan")
"""A prepared statement's plans: generic after five runs, custom before."""


RANDOM_PAGE_COSTS = ("1.1", "4")
"""Settings of the embedded server, and of an untuned one."""


@asynccontextmanager
async def many_rows(server: TestServer, template: str, *, filled: bool = True) -> AsyncIterator[Database]:
    """A database whose statistics only the test updates."""
    async with server.database(template) as url:
        database = Database(StoreSettings(url))
        for table in BIG_TABLES:
            await run_sql(database, f"ALTER TABLE {table} SET (autovacuum_enabled = false)")
        if filled:
            await fill(database)
        yield database
        await database.close()


async def fill(database: Database) -> None:
    for statement in FILL:
        await run_sql(database, statement)


@pytest.fixture(scope="module")
async def known(postgres: TestServer, template_database: str) -> AsyncIterator[Database]:
    """Many rows, with statistics."""
    async with many_rows(postgres, template_database) as database:
        await run_sql(database, "ANALYZE")
        yield database


@pytest.fixture(scope="module")
async def unknown(postgres: TestServer, template_database: str) -> AsyncIterator[Database]:
    """Many rows, without statistics."""
    async with many_rows(postgres, template_database) as database:
        yield database


def complain(plan: Plan, case: Case) -> str | None:
    """The faults of a plan."""
    if plan.scanned - case.whole:
        return f"scans {', '.join(sorted(plan.scanned))}:\n{plan.text}"
    touched = {table: rows for table, rows in plan.touched.items() if table not in case.whole}
    if max(touched.values(), default=0) > MOST_TOUCHED or (not case.whole and plan.looped > MOST_LOOPED):
        return f"touches {touched}, {plan.looped} in one place:\n{plan.text}"
    return None


async def complaints(database: Database, link: Link, mode: str, random_page_cost: str) -> dict[str, str]:
    """The faults in the plans of all hot statements."""
    await link.execute(f"SET plan_cache_mode = {mode}")
    await link.execute(f"SET random_page_cost = {random_page_cost}")
    found = {}
    for name, statement in store_statements().items():
        if (case := HOT.get(name)) is not None:
            probe = Probe(link, name, statement)
            await probe.prepare()
            if complaint := complain(await probe.plan(case.values), case):
                found[name] = complaint
            await probe.drop()
    return found


def test_every_statement_of_the_store_is_listed_here() -> None:
    assert set(store_statements()) == set(HOT) | READS_EVERYTHING | ONE_ROW | NOT_A_QUERY


def test_the_store_has_its_sql_in_files() -> None:
    """Statements made elsewhere would escape these tests; test_list_plans covers those of lists."""
    folder = Path(trade_service.store.__path__[0])
    found = {path.name for path in folder.glob("*.py") if "Statement.parsed(" in path.read_text("utf-8")}
    assert found == {"statements.py", "list_statements.py"}


@pytest.mark.parametrize("random_page_cost", RANDOM_PAGE_COSTS)
@pytest.mark.parametrize("mode", MODES)
async def test_hot_statements_find_rows_by_index(known: Database, mode: str, random_page_cost: str) -> None:
    async with connected(known) as link:
        await link.execute("SET enable_seqscan = on")  # Behind a PgBouncer nobody turns it off.
        assert not await complaints(known, link, mode, random_page_cost)


@pytest.mark.parametrize("random_page_cost", RANDOM_PAGE_COSTS)
@pytest.mark.parametrize("mode", MODES)
async def test_so_they_do_before_there_are_statistics(
    unknown: Database, mode: str, random_page_cost: str
) -> None:
    async with connected(unknown) as link:
        assert not await complaints(unknown, link, mode, random_page_cost)


INDEXES = {
    "trade_order_pkey": "orders.lock_orders",
    "trade_order_order_id_ndx": "orders.lock_orders_by_order_id",
    "execution_pkey": "submission.claim",
    "execution_trade_order_ndx": "orders.executions_of",
    "submission_attempt_pkey": "submission.record",
    "submission_attempt_due_ndx": "submission.take_due",
    "submission_attempt_adopted_ndx": "reports.accepted",
    "bulk_submission_pkey": "bulk.progress",
    "idempotency_key_pkey": "request_keys.find_key",
    "archived_execution_pkey": "submission.archived",
    "archived_execution_order_ndx": "orders.refused_orders",
    "idempotency_key_expires_ndx": "request_keys.remove_old_keys",
    "failed_execution_pkey": "failed_executions.rows",
    "failed_execution_at_ndx": "failed_executions.places",
    "failed_execution_reason_ndx": "failed_executions.places_of_reason",
}
"""Every index of a table that grows, and a statement that needs it."""


BLOCK_RANGES = {"submission_attempt_range_ndx"}
"""Indexes that pay off in a large table: see test_plans_at_size."""


OF_SMALL_TABLES = {
    "submission_pause_ndx",
    "audit_run_running_ndx",
    "api_key_name_ndx",
    "archive_file_name_key",
    "submission_evidence_found_ndx",
}
"""Indexes of small tables, which enforce uniqueness, and where archiving finds old evidence."""


async def test_no_index_but_those_that_a_hot_statement_needs(known: Database) -> None:
    """An adopted database has the same: see test_adoption."""
    async with connected(known) as link:
        rows = await link.fetch("SELECT indexname, tablename FROM pg_indexes WHERE schemaname = 'public'")
        here = {row["indexname"] for row in rows if row["tablename"] in BIG_TABLES}
        assert here == INDEXES.keys() | {one.index for one in LIST_PLANS.values()} | BLOCK_RANGES
        others = {row["indexname"] for row in rows if row["tablename"] not in BIG_TABLES}
        assert {name for name in others if not name.endswith(("_pkey", "_pkc"))} == OF_SMALL_TABLES
        for index, name in INDEXES.items():
            probe = Probe(link, name, store_statements()[name])
            await probe.prepare()
            assert index in (await probe.plan(HOT[name].values)).indexes, f"{name} does without {index}"
            await probe.drop()


@pytest.mark.parametrize("random_page_cost", RANDOM_PAGE_COSTS)
async def test_plans_kept_from_the_empty_database_do_once_it_is_full(
    postgres: TestServer, template_database: str, random_page_cost: str
) -> None:
    async with many_rows(postgres, template_database, filled=False) as database, connected(database) as link:
        await link.execute("SET plan_cache_mode = force_generic_plan")
        await link.execute(f"SET random_page_cost = {random_page_cost}")
        probes = {name: Probe(link, name, store_statements()[name]) for name in HOT}
        for name, probe in probes.items():
            await probe.prepare()
            await probe.only_plan(HOT[name].values)
        await fill(database)
        plans = {name: await probe.plan(HOT[name].values) for name, probe in probes.items()}
    found = {name: complaint for name, plan in plans.items() if (complaint := complain(plan, HOT[name]))}
    assert not found
