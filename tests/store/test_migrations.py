"""Migrations: from nothing, over the earlier service's database, at once, and back."""

import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy.ext.asyncio import AsyncEngine

from trade_service.store.migrations import VERSION_TABLE
from trade_service.store.tables import metadata


async def test_migrated_schema_is_the_declared_one(engine: AsyncEngine) -> None:
    def differences(connection: sa.Connection) -> object:
        options = {
            "compare_type": True,
            "compare_server_default": True,
            "include_object": lambda item, name, kind, *_: kind != "table" or name != VERSION_TABLE,
        }
        return compare_metadata(MigrationContext.configure(connection, opts=options), metadata)

    async with engine.connect() as connection:
        assert await connection.run_sync(differences) == []
