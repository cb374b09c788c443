"""The database's history as Alembic migrations, and what they share."""

VERSION_TABLE = "trade_service_alembic_version"
"""Ours alone: the legacy service's `flyway_schema_history` is read and never written."""


class MigrationError(Exception):
    """The database cannot be migrated; nothing was changed. The message says what to do."""
