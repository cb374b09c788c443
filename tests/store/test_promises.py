"""Guarantees of PostgreSQL: set if possible, else checked."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

import asyncpg
import pytest

from tests.e2e.command import Cli, bare_environment
from tests.support.cluster import cluster
from tests.support.database import TestServer
from tests.support.leftovers import passable_folder
from tests.support.postgres_proxy import Pooler, proxied
from tests.support.trading import run_sql
from trade_service.bootstrap.running import running_services
from trade_service.settings.load import load_settings
from trade_service.store.database import Database
from trade_service.store.migrate import check, migrate
from trade_service.store.migrations import MigrationError
from trade_service.store.promises import (
    OtherProgram,
    UnsafeDatabase,
    check_writable,
    promises_of,
    require_alone,
    require_promises,
)
from trade_service.store.statements import Statement
from trade_service.store.store_settings import StoreSettings
from trade_service.submission.ports import StoreUnavailable

RAISED = {
    "off": "on",
    "local": "on",
    "remote_write": "remote_write",
    "on": "on",
    "remote_apply": "remote_apply",
}
"""The effective value for every synchronous_commit."""

Way = Callable[[Database, Statement], Awaitable[tuple[object, ...]]]
PID = Statement.parsed("SELECT pg_backend_pid()")
SET = Statement.parsed(
    "SELECT current_setting('synchronous_commit'), current_setting('transaction_isolation')"
)
DEFAULT = Statement.parsed(
    "SELECT current_setting('synchronous_commit'), current_setting('default_transaction_isolation')"
)
NOTE = Statement.parsed("INSERT INTO note DEFAULT VALUES RETURNING pg_current_wal_insert_lsn() - '0/0'")
NOTE_TABLE = "CREATE TABLE note (at timestamptz DEFAULT now())"
MAKE_READ_ONLY = Statement.parsed("SELECT set_config('default_transaction_read_only', 'on', false)")


async def in_transaction(database: Database, statement: Statement) -> tuple[object, ...]:
    async with database.transaction() as session:
        (row,) = await session.fetch(statement)
    return tuple(row)


async def alone(database: Database, statement: Statement) -> tuple[object, ...]:
    (row,) = await database.fetch(statement)
    return tuple(row)


WAYS = [in_transaction, alone]


@asynccontextmanager
async def database_on(url: str, *, prepared: bool = True, pool_size: int = 2) -> AsyncIterator[Database]:
    database = Database(StoreSettings(url, prepared_statements=prepared, pool_size=pool_size))
    yield database
    await database.close()


async def by_default(server: TestServer, url: str, **settings: str) -> None:
    """The defaults of a database's sessions."""
    for name, value in settings.items():
        await server.execute(f"ALTER DATABASE \"{urlsplit(url).path[1:]}\" SET {name} = '{value}'")


@pytest.mark.parametrize("prepared", [True, False])
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(("found", "used"), RAISED.items())
async def test_commits_are_durable_and_isolation_is_known(
    postgres: TestServer, empty_database_url: str, prepared: bool, way: Way, found: str, used: str
) -> None:
    defaults = {"synchronous_commit": found, "default_transaction_isolation": "serializable"}
    await by_default(postgres, empty_database_url, **defaults)
    async with database_on(empty_database_url, prepared=prepared) as database:
        for _ in range(2):
            assert await way(database, SET) == (used, "read committed")


@pytest.mark.parametrize("prepared", [True, False])
@pytest.mark.parametrize("way", WAYS)
async def test_what_was_committed_is_flushed(
    postgres: TestServer, empty_database_url: str, prepared: bool, way: Way
) -> None:
    await by_default(postgres, empty_database_url, synchronous_commit="off")
    link = await asyncpg.connect(empty_database_url)
    async with database_on(empty_database_url, prepared=prepared) as database:
        await run_sql(database, NOTE_TABLE)
        for _ in range(20):
            (written,) = await way(database, NOTE)
            flushed = await link.fetchval("SELECT pg_current_wal_flush_lsn() - '0/0'")
            assert flushed > written
    await link.close()


async def test_a_session_that_others_may_share_is_left_as_it_was(
    postgres: TestServer, empty_database_url: str
) -> None:
    defaults = {"synchronous_commit": "off", "default_transaction_isolation": "serializable"}
    await by_default(postgres, empty_database_url, **defaults)
    async with database_on(empty_database_url, prepared=False, pool_size=1) as database:
        await in_transaction(database, SET)
        async with database._lent() as session:
            assert [tuple(row) for row in await session.fetch(DEFAULT)] == [("off", "serializable")]


async def test_a_reload_of_the_server_lowers_nothing(postgres: TestServer, empty_database_url: str) -> None:
    async with database_on(empty_database_url) as database, database_on(empty_database_url) as probe:
        before = await alone(database, PID)
        try:
            await _reload(postgres, "ALTER SYSTEM SET synchronous_commit = 'off'", probe, "off")
            assert await alone(database, SET) == ("on", "read committed")
            await check_writable(probe, database, allow_data_loss=False)
            assert await alone(database, PID) == before
            await _reload(
                postgres, "ALTER SYSTEM SET synchronous_commit = 'remote_apply'", probe, "remote_apply"
            )
            await check_writable(probe, database, allow_data_loss=False)
            assert await alone(database, SET) == ("remote_apply", "read committed")
            after = await alone(database, PID)
            await check_writable(probe, database, allow_data_loss=False)
            assert await alone(database, PID) == after != before
        finally:
            await _reload(postgres, "ALTER SYSTEM RESET synchronous_commit", probe, "on")


async def _reload(server: TestServer, statement: str, probe: Database, value: str) -> None:
    await server.execute(statement)
    await server.execute("SELECT pg_reload_conf()")
    now = Statement.parsed("SELECT reset_val FROM pg_settings WHERE name = 'synchronous_commit'")
    async with asyncio.timeout(10):
        while await alone(probe, now) != (value,):
            await asyncio.sleep(0.01)


async def test_a_pooler_that_nobody_told_of_is_noticed(postgres: TestServer, database_url: str) -> None:
    async with proxied(database_url, Pooler()) as (url, _):
        async with database_on(url) as database:
            assert await require_promises(database, allow_data_loss=False) == ()
        await by_default(postgres, database_url, synchronous_commit="off")
        async with database_on(url) as database:
            with pytest.raises(UnsafeDatabase, match=r"synchronous_commit is off, and a pooler shares"):
                await require_promises(database, allow_data_loss=False)
            assert (await alone(database, DEFAULT))[0] == "off"
        async with database_on(url, prepared=False) as database:
            assert await require_promises(database, allow_data_loss=False) == ()
        await by_default(
            postgres, database_url, synchronous_commit="on", default_transaction_isolation="serializable"
        )
        async with database_on(url) as database:
            with pytest.raises(
                UnsafeDatabase, match="transactions are serializable by default, and a pooler"
            ):
                await require_promises(database, allow_data_loss=False)


@pytest.mark.parametrize(
    ("statement", "named"),
    [
        ("ALTER TABLE submission_attempt SET UNLOGGED", "submission_attempt"),
        ("ALTER TABLE submission_evidence SET UNLOGGED", "submission_evidence, submission_evidence_id_seq"),
        ("ALTER TABLE trade_service_alembic_version SET UNLOGGED", "trade_service_alembic_version"),
        ("ALTER SEQUENCE execution_id_seq SET UNLOGGED", "execution_id_seq"),
    ],
)
async def test_tables_that_a_crash_empties_are_refused(
    database: Database, statement: str, named: str
) -> None:
    assert await require_promises(database, allow_data_loss=False) == ()
    await run_sql(database, statement)
    with pytest.raises(
        UnsafeDatabase, match=rf"unlogged, and emptied by a crash: {named}\. .*allow_data_loss"
    ):
        await require_promises(database, allow_data_loss=False)
    assert await require_promises(database, allow_data_loss=True)
    with pytest.raises(UnsafeDatabase, match="no longer safe"):
        await check_writable(database, database, allow_data_loss=False)
    await check_writable(database, database, allow_data_loss=True)


async def test_an_unlogged_table_of_others_is_theirs(database: Database) -> None:
    await run_sql(database, "CREATE UNLOGGED TABLE somebody (id serial PRIMARY KEY)")
    assert await require_promises(database, allow_data_loss=False) == ()


async def test_a_server_that_syncs_nothing_is_refused_unless_somebody_insists() -> None:
    with passable_folder("tspromises") as folder:
        async with cluster(folder, {"fsync": "off", "full_page_writes": "off"}) as server:
            environment = bare_environment(folder) | {"DATABASE_URL": server.url}
            refused = await Cli(folder, environment).run("serve", "--port", "0")
            assert refused.code == 2
            assert "fsync is off" in refused.complaint
            assert "database.allow_data_loss" in refused.complaint
            assert await server.ask("SELECT to_regclass('execution')") is None
            insisting = Cli(folder, environment).under(TRADE_SERVICE_DATABASE_ALLOW_DATA_LOSS="true")
            async with await insisting.start("serve", "--port", "0") as running:
                await running.line_with("Serving on")
                running.process.terminate()
                said = (await running.ended()).err
            assert "warning: the database: fsync is off" in said
            assert "warning: the database: full_page_writes is off" in said


async def test_a_database_that_cannot_hold_all_text_is_refused(postgres: TestServer) -> None:
    name = "latin1_of_a_test"
    options = "ENCODING 'LATIN1' TEMPLATE template0 LOCALE_PROVIDER libc LOCALE 'C'"
    await postgres.execute(f"CREATE DATABASE {name} {options}")
    try:
        with pytest.raises(MigrationError, match=r"encoded in LATIN1, .* nothing was changed"):
            await migrate(postgres.url_of(name))
        async with database_on(postgres.url_of(name)) as database:
            assert (await check(database)).current is None
    finally:
        await postgres.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.mark.parametrize("prepared", [True, False])
@pytest.mark.parametrize("way", WAYS)
async def test_a_connection_that_may_not_write_leaves_the_pool_with_all_others(
    empty_database_url: str, prepared: bool, way: Way
) -> None:
    async with database_on(empty_database_url, prepared=prepared) as database:
        await run_sql(database, NOTE_TABLE)
        async with database.transaction() as one, database.transaction() as other:
            old = {await session.fetch_value(PID) for session in (one, other)}
            for session in (one, other):
                await session.fetch(MAKE_READ_ONLY)
        with pytest.raises(StoreUnavailable, match="read-only transaction"):
            await way(database, NOTE)
        assert await way(database, NOTE)
        async with database.transaction() as one, database.transaction() as other:
            assert not old & {await session.fetch_value(PID) for session in (one, other)}
            assert await other.fetch_value(NOTE)
        assert database.pool_state[::2] == (0, 0)


async def test_readiness_tells_of_a_read_only_database_and_leaves_it(
    postgres: TestServer, database_url: str
) -> None:
    async with database_on(database_url, pool_size=1) as probe, database_on(database_url) as work:
        await check_writable(probe, work, allow_data_loss=False)
        await alone(probe, MAKE_READ_ONLY)
        with pytest.raises(StoreUnavailable, match="the database is read-only"):
            await check_writable(probe, work, allow_data_loss=False)
        await check_writable(probe, work, allow_data_loss=False)
        assert not (await promises_of(probe)).read_only


async def test_the_start_refuses_a_database_that_the_earlier_service_holds(empty_database_url: str) -> None:
    driver = StoreSettings().refused_programs
    earlier = await asyncpg.connect(
        empty_database_url, server_settings={"application_name": "PostgreSQL JDBC Driver"}
    )
    async with database_on(empty_database_url) as database:
        with pytest.raises(OtherProgram, match=r"'PostgreSQL JDBC Driver' \(1 sessions\).*refused_programs"):
            await require_alone(database, driver)
        await require_alone(database, ())
        await earlier.close()
        await require_alone(database, driver)


async def test_a_service_that_does_not_migrate_refuses_an_older_schema(empty_database_url: str) -> None:
    settings = load_settings(
        {"DATABASE_URL": empty_database_url, "TRADE_SERVICE_DATABASE_MIGRATE": "false"}
    ).settings
    with pytest.raises(MigrationError, match=r"database\.migrate is false: run `trade-service db migrate`"):
        async with running_services(settings, lambda _: None):
            pass
    async with database_on(empty_database_url) as database:
        assert (await check(database)).current is None
