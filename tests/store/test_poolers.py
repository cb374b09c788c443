"""Poolers before the database: found at the start, and worked with without a setting."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from execution_simulator.server import SimulatorSettings, running_simulator
from tests.e2e.command import FAST, Cli, bare_environment, order
from tests.support.attempts import FRESH, closing, new_attempt
from tests.support.database import TestServer
from tests.support.pgbouncer import KEEPS_NAMES, Bouncer, behind, installed_bouncers
from tests.support.postgres_proxy import Pooler, proxied
from tests.support.rows import insert_executions, states_of, store_on
from trade_service.store.connecting import Sessions
from trade_service.store.database import Database
from trade_service.store.promises import check_writable, require_promises
from trade_service.store.statements import Statement
from trade_service.store.store_settings import StoreSettings
from trade_service.submission.ports import StoreUnavailable

BOUNCERS = installed_bouncers()
NEEDS_BOUNCER = pytest.mark.skipif(
    not BOUNCERS, reason="PgBouncer is not installed (apt-get install pgbouncer)"
)
SETTINGS = Statement.parsed(
    "SELECT current_setting('synchronous_commit'), current_setting('transaction_isolation'),"
    " current_setting('enable_seqscan'), current_setting('statement_timeout'), current_setting('jit')"
)
OURS = ("on", "read committed", "off", "30s", "off")
ONE = Statement.parsed("SELECT 1")
PID = Statement.parsed("SELECT pg_backend_pid()")
KEPT = "SELECT count(*) FROM pg_prepared_statements WHERE name LIKE 'PGBOUNCER%' OR name LIKE '__asyncpg%'"
CALLERS = 24
IGNORED = "statement_timeout,jit,enable_seqscan"


@asynccontextmanager
async def pool_on(url: str, pool_size: int = 8) -> AsyncIterator[Database]:
    database = Database(StoreSettings(url, pool_size=pool_size))
    try:
        yield database
    finally:
        await database.close()


def found(database: Database) -> Sessions | None:
    return database._connector.sessions


async def test_a_server_itself_is_found(database_url: str) -> None:
    async with pool_on(database_url) as database:
        assert found(database) is None
        assert await database.fetch_value(ONE) == 1
        assert found(database) is Sessions.OWN


async def test_a_pooler_is_found_by_its_process_ids(postgres: TestServer, database_url: str) -> None:
    await postgres.execute(f"ALTER DATABASE \"{database_url.rpartition('/')[2].partition('?')[0]}\""
                           " SET synchronous_commit = off")  # fmt: skip
    async with proxied(database_url, Pooler()) as (url, _), pool_on(url) as database:
        assert tuple(await database.fetch_row(SETTINGS) or ()) == OURS
        assert found(database) is Sessions.SHARED
        assert await require_promises(database, allow_data_loss=False) == ()
        async with database.transaction(scans=True, within_s=2.0) as session:
            assert tuple(await session.fetch_row(SETTINGS) or ()) == (*OURS[:2], "on", "2s", "off")


async def test_a_pooler_that_comes_later_costs_one_statement(database_url: str) -> None:
    pooler = Pooler()
    pooler.pools = False
    async with proxied(database_url, pooler) as (url, _), pool_on(url) as database:
        assert await database.fetch_value(ONE) == 1
        assert found(database) is Sessions.OWN
        pooler.pools = True
        database.renew()
        with pytest.raises(StoreUnavailable, match="behind a pooler now"):
            await database.fetch_value(ONE)
        assert tuple(await database.fetch_row(SETTINGS) or ()) == OURS
        assert found(database) is Sessions.SHARED


async def test_a_statement_that_the_server_does_not_know_is_prepared_anew(database_url: str) -> None:
    """As behind a pooler that no longer translates names."""
    async with pool_on(database_url, 1) as database:
        assert await database.fetch_value(ONE) == 1
        async with database.session() as session:
            await session.connection.execute("DEALLOCATE ALL")
        with pytest.raises(StoreUnavailable, match="does not exist"):
            await database.fetch_value(ONE)
        assert found(database) is None
        assert await database.fetch_value(ONE) == 1
        assert found(database) is Sessions.OWN


async def test_what_the_settings_declare_is_not_asked(database_url: str) -> None:
    async with proxied(database_url, Pooler()) as (url, _):
        for declared, sessions in ((True, Sessions.OWN), (False, Sessions.SHARED)):
            database = Database(StoreSettings(url, prepared_statements=declared))
            assert found(database) is sessions
            assert await database.fetch_value(ONE) == 1
            assert found(database) is sessions
            await database.close()


@NEEDS_BOUNCER
@pytest.mark.parametrize("bouncer", BOUNCERS, ids=str)
@pytest.mark.parametrize("names", [0, 100])
@pytest.mark.parametrize("mode", ["transaction", "session"])
@pytest.mark.parametrize("ignores", [False, True])
async def test_callers_share_two_sessions(
    database_url: str, database: Database, bouncer: Bouncer, names: int, mode: str, ignores: bool
) -> None:
    """More callers than connections, and more connections than sessions; none gets another's statement."""
    settings: dict[str, object] = (
        {"ignore_startup_parameters": "statement_timeout,jit,enable_seqscan"} if ignores else {}
    )
    keeps = mode == "transaction" and names > 0 and bouncer.version >= KEEPS_NAMES
    if bouncer.version >= KEEPS_NAMES:
        settings["max_prepared_statements"] = names
    ids = await insert_executions(database, 10 * CALLERS)
    # A session of its own for every client is what session mode means.
    pool_size = 8 if mode == "transaction" else 2
    async with behind(bouncer, database_url, mode, **settings) as url, pool_on(url, pool_size) as pool:
        store = store_on(pool)

        async def submit(own: list[int]) -> None:
            await asyncio.gather(pool.fetch_row(SETTINGS), pool.fetch_value(ONE))
            attempt = new_attempt()
            claim = await store.claim(attempt, own, FRESH)
            assert [item.execution_id for item in claim.items] == own
            async with pool.transaction() as session:
                pids = {await session.fetch_value(PID) for _ in range(3)}
            assert len(pids) == 1
            await store.record(closing(attempt.attempt_id, dict.fromkeys(own, "accepted")))

        async with asyncio.TaskGroup() as group:
            for first in range(0, len(ids), 10):
                group.create_task(submit(ids[first : first + 10]))
        assert tuple(await pool.fetch_row(SETTINGS) or ()) == OURS
        assert found(pool) is (Sessions.SHARED_WITH_NAMES if keeps else Sessions.SHARED)
        if mode == "transaction":
            async with pool.transaction() as session:
                kept = await session.fetch_value(Statement.parsed(KEPT))
            assert (kept > 3) is keeps
        assert await require_promises(pool, allow_data_loss=False) == ()
        await check_writable(pool, pool, allow_data_loss=False)
    assert await states_of(database, ids) == ["accepted"] * len(ids)


@NEEDS_BOUNCER
@pytest.mark.parametrize("bouncer", BOUNCERS, ids=str)
async def test_the_main_job_through_a_pooler(
    empty_database_url: str, tmp_path: Path, bouncer: Bouncer
) -> None:
    async with (
        behind(bouncer, empty_database_url) as url,
        running_simulator(SimulatorSettings(retry_after_s=0)) as simulator,
    ):
        settings = {"DATABASE_URL": url, "EXECUTION_SERVICE_BASE_URL": simulator.base_url}
        cli = Cli(tmp_path, bare_environment(tmp_path) | FAST | settings)
        migrated = await cli.run("db", "migrate")
        assert migrated.code == 0, migrated
        blotter = cli.write(*(order(number) for number in range(1, 301)))
        submitted = await cli.run("submit", "--yes", blotter)
        assert submitted.code == 0, submitted
        assert "behind a pooler" in submitted.err
        audited = await cli.run("audit")
        assert audited.code == 0, audited
        status = await cli.run("db", "status")
        assert "pooler       behind a pooler" in status.out
        async with await cli.start("serve", "--port", "0") as running:
            await running.line_with("Serving on")
