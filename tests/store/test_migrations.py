"""Migrations: of an empty and of a legacy database, concurrent ones, and downgrades."""

import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

from tests.support.attempts import claimed, closing
from tests.support.rows import insert_executions, store_on
from tests.support.submission_tables import metadata
from tests.support.trading import run_sql, value_of
from trade_service.store.database import Database
from trade_service.store.migrate import MIGRATIONS, migrate, revisions
from trade_service.store.migrations import VERSION_TABLE
from trade_service.store.migrations.alembic_run import configured, run_wrapped


async def test_migrated_schema_is_the_declared_one(database: Database) -> None:
    def differences(connection: sa.Connection) -> object:
        options = {
            "compare_type": True,
            "compare_server_default": True,
            "include_object": lambda item, name, kind, *_: kind != "table" or name != VERSION_TABLE,
        }
        return compare_metadata(MigrationContext.configure(connection, opts=options), metadata)

    async with database.session() as session:
        assert await run_wrapped(session.connection, differences) == []


async def test_the_way_back_revokes_the_keys_that_the_previous_release_would_accept(
    database: Database, database_url: str
) -> None:
    insert = "INSERT INTO api_key (id, name, role, digest, expires_at, replaced_by) VALUES "
    await run_sql(
        database,
        f"{insert} ('old', 'portal', 'reader', '', now() + interval '1 day', 'new'), "
        "('new', 'portal', 'reader', '', NULL, NULL), ('ended', 'desk', 'reader', '', now(), NULL)",
    )
    await migrate(database_url, target="0010")
    active = "SELECT string_agg(id, ' ') FROM api_key WHERE revoked_at IS NULL"
    assert await value_of(database, active) == "new"
    await migrate(database_url)
    assert await value_of(database, active) == "new"


async def test_executions_that_failed_before_are_listed_with_their_reasons(
    database: Database, database_url: str
) -> None:
    ids = await insert_executions(database, 4)
    store = store_on(database)
    attempt, _ = await claimed(store, ids)
    outcomes = {ids[0]: "rejected", ids[1]: "accepted", ids[2]: "exhausted", ids[3]: "retry"}
    await store.record(closing(attempt.attempt_id, outcomes, next_action_in_ms=1))
    listed = """SELECT string_agg(concat_ws(' ', execution_id, state, code, message, failed_at, reason), ', '
                                  ORDER BY execution_id) FROM failed_execution"""
    before = await value_of(database, listed)
    await migrate(database_url, target="0014")
    await migrate(database_url)
    assert await value_of(database, listed) == before
    assert await value_of(database, "SELECT array_agg(execution_id) FROM failed_execution") == [
        ids[0],
        ids[2],
    ]


PREVIOUS_RELEASE = (
    "SELECT id, name, role, digest, created_at, revoked_at FROM api_key WHERE revoked_at IS NULL ORDER BY name",
    "INSERT INTO api_key (id, name, role, digest) VALUES ($1, $1, 'reader', '') "
    "ON CONFLICT DO NOTHING RETURNING id",
    "INSERT INTO submission_evidence (execution_id, source, code, state, actor, message) "
    "VALUES (1, 'operator', $1, 'unknown', 'ann', '')",
    "SELECT found_at, source, code, attempt_id::text, state, actor, message FROM submission_evidence",
)


async def test_large_tables_are_vacuumed_in_time_until_the_way_back(
    database: Database, database_url: str
) -> None:
    options = "SELECT array_to_string(reloptions, ' ') FROM pg_class WHERE relname = 'execution'"
    scale = "autovacuum_vacuum_scale_factor=0.02"
    assert scale in str(await value_of(database, options))
    await migrate(database_url, target="0012")
    assert await value_of(database, options) == "fillfactor=50"
    await migrate(database_url)
    assert scale in str(await value_of(database, options))


async def test_prepared_statements_of_the_previous_release_outlive_the_migration(
    database: Database, database_url: str
) -> None:
    await migrate(database_url, target="0010")
    async with database.session() as session:
        link = session.connection
        prepared = [await link.prepare(statement) for statement in PREVIOUS_RELEASE]
        for number in range(2):
            for statement in prepared:
                await statement.fetch(*([f"r{number}"] if statement.get_parameters() else []))
            await migrate(database_url)


def test_the_names_of_the_files_tell_the_revisions_in_their_order() -> None:
    scripts = ScriptDirectory.from_config(configured(MIGRATIONS))
    assert revisions() == tuple(script.revision for script in scripts.walk_revisions())
