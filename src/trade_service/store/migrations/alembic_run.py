"""Alembic at work, with SQLAlchemy: imported only where there is something to migrate."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import StaticPool

if TYPE_CHECKING:
    from trade_service.store.connecting import Connection

T = TypeVar("T")
_READS = re.compile(r"\s*SELECT(?!\s+setval)", re.IGNORECASE)


async def run_migrations(
    connection: "Connection", migrations: Path, target: str, forward: bool, record: Callable[[str], None]
) -> None:
    """Takes the database forward or back to a revision, inside the connection's open transaction.

    `record` gets each statement that is more than a read. Raises what asyncpg raises.
    """
    config = configured(migrations)

    def note(_: object, __: object, statement: str, *___: object) -> None:
        if not _READS.match(statement):
            record(statement)

    def run(wrapped: sa.Connection) -> None:
        config.attributes["connection"] = wrapped
        sa.event.listen(wrapped, "before_cursor_execute", note)
        (command.upgrade if forward else command.downgrade)(config, target)

    await run_wrapped(connection, run)


async def run_wrapped(connection: "Connection", work: Callable[[sa.Connection], T]) -> T:
    """Runs synchronous `work` on SQLAlchemy's view of a connection of asyncpg. Raises what asyncpg raises."""

    async def lent() -> "Connection":
        return connection

    def connect() -> DBAPIConnection:
        driver: Any = engine.dialect.loaded_dbapi
        adapted: DBAPIConnection = driver.connect(
            async_creator_fn=lent, prepared_statement_cache_size=0, prepared_statement_name_func=lambda: ""
        )
        return adapted

    # AUTOCOMMIT: the transaction is ours. The pool is not disposed of, which would close the connection.
    engine = create_async_engine(
        "postgresql+asyncpg://", creator=connect, poolclass=StaticPool, isolation_level="AUTOCOMMIT"
    )
    try:
        async with engine.connect() as wrapped:
            return await wrapped.run_sync(work)
    except DBAPIError as error:
        # SQLAlchemy wraps asyncpg's error twice.
        raise (error.orig and error.orig.__cause__) or error from error


def configured(migrations: Path) -> Config:
    """Alembic's configuration: where the migrations are."""
    config = Config()
    config.set_main_option("script_location", str(migrations).replace("%", "%%"))
    return config
