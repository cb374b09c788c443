"""Alembic at work; imported only where there is something to migrate: it costs start-up time."""

from pathlib import Path

import sqlalchemy as sa
from alembic import command
from alembic.config import Config


def run_migrations(connection: sa.Connection, migrations: Path, target: str) -> None:
    """Takes the database up to `head`, or down to another revision, inside the connection's transaction."""
    config = configured(migrations)
    config.attributes["connection"] = connection
    if target == "head":
        command.upgrade(config, target)
    else:
        command.downgrade(config, target)


def configured(migrations: Path) -> Config:
    """Alembic's configuration: where the migrations are."""
    config = Config()
    config.set_main_option("script_location", str(migrations).replace("%", "%%"))
    return config
