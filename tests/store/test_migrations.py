"""Migrations: of an empty and of a legacy database, concurrent ones, and downgrades."""

import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

from tests.support.tables import metadata
from trade_service.store.database import Database
from trade_service.store.migrate import MIGRATIONS, revisions
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


def test_the_names_of_the_files_tell_the_revisions_in_their_order() -> None:
    scripts = ScriptDirectory.from_config(configured(MIGRATIONS))
    assert revisions() == tuple(script.revision for script in scripts.walk_revisions())
