"""The connection pool: every statement has its time-out, and its failure one meaning."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from decimal import Decimal
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import asyncpg
import msgspec
import sqlalchemy as sa
from sqlalchemy import Text, bindparam, text
from sqlalchemy.dialects.postgresql.asyncpg import AsyncAdapt_asyncpg_connection
from sqlalchemy.engine import ExceptionContext
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from trade_service.store.database import Database
from trade_service.store.failures import DRIVER_ROOTS, READ_ONLY, is_unavailable, sqlstate
from trade_service.store.pool import FairPool
from trade_service.store.store_settings import StoreSettings
from trade_service.submission.ports import StoreUnavailable

if TYPE_CHECKING:
    _Connection = asyncpg.Connection[asyncpg.Record]
else:
    _Connection = asyncpg.Connection


APPLICATION_NAME = "trade-service"

WEAK_COMMITS = ("off", "local")
"""Values of synchronous_commit with which a commit may be lost. `local` is raised also where no standby is named:
there `on` means the same, until one is."""

_WEAK = ", ".join(f"'{value}'" for value in WEAK_COMMITS)
BEGIN = "BEGIN ISOLATION LEVEL READ COMMITTED;"

_SESSION = f"""
SELECT set_config('default_transaction_isolation', 'read committed', false),
       set_config('synchronous_commit',
                  CASE WHEN current_setting('synchronous_commit') IN ({_WEAK}) THEN 'on'
                       ELSE current_setting('synchronous_commit') END, false)
WHERE pg_backend_pid() = {{pid}}
"""
"""Also where it is strong: a reload of the server's configuration changes only what a session did not set."""

_TRANSACTION = f"""
SELECT set_config('synchronous_commit', 'on', true) WHERE current_setting('synchronous_commit') IN ({_WEAK})
"""


class PooledConnection(_Connection):
    """A connection by way of a PgBouncer, where nothing that is set for a session can be relied on.

    Each transaction sets what it needs, in the same message as its BEGIN.
    """

    async def execute(self, query: str, *args: Any, timeout: float | None = None) -> str:  # noqa: ASYNC109
        """As the driver's."""
        if query.startswith("BEGIN"):
            query += _TRANSACTION
        return await super().execute(query, *args, timeout=timeout)


_ANSWER_MARGIN_S = 5.0
"""How much later than the server we give up a statement ourselves: it may be the network that is gone."""


def create_engine(settings: StoreSettings) -> AsyncEngine:
    """A pool on the database; it connects when first used.

    Every statement has its time-out, at the server and here, so that none holds a connection for ever.
    """
    timeout_s = settings.statement_timeout_s
    connect_args: dict[str, object] = {
        "dsn": settings.url,  # asyncpg's own reader knows sslmode, options and the rest
        "timeout": settings.connect_timeout_s,
        "command_timeout": timeout_s + _ANSWER_MARGIN_S if timeout_s else None,
    }
    if settings.prepared_statements:
        connect_args["server_settings"] = {
            "application_name": APPLICATION_NAME,
            "statement_timeout": str(round(timeout_s * 1000)),
            "jit": "off",
            # Plans of prepared statements are kept, those of foreign keys too: one that was made while a table
            # was small would go on to read all of it, for up to a minute after it has grown.
            "enable_seqscan": "off",
        }
    else:
        connect_args |= {"statement_cache_size": 0, "prepared_statement_cache_size": 0}
        connect_args["connection_class"] = PooledConnection
        connect_args["prepared_statement_name_func"] = lambda: ""
    engine = create_async_engine(
        "postgresql+asyncpg://",
        poolclass=FairPool,
        pool_size=settings.pool_size,
        max_overflow=0,
        pool_timeout=settings.pool_timeout_s,
        isolation_level="READ COMMITTED",
        connect_args=connect_args,
        json_serializer=lambda value: msgspec.json.encode(value).decode(),
        execution_options={_SETTINGS: settings},
    )
    sa.event.listen(engine.sync_engine, "connect", _read_numbers_as_text)
    if settings.prepared_statements:
        sa.event.listen(engine.sync_engine, "connect", _commit_durably)
    sa.event.listen(engine.sync_engine, "handle_error", _leave_read_only_servers)
    return engine


def _commit_durably(connection: AsyncAdapt_asyncpg_connection, _record: object) -> None:
    """Has a new session wait for its commits, and isolate its statements, as this service relies on.

    Not where a pooler stands between, which gives its clients process ids of its own: the session is not ours
    alone, and `promises` looks at what it has by default.
    """
    connection.run_async(lambda driver: driver.execute(_SESSION.format(pid=driver.get_server_pid())))


def _leave_read_only_servers(context: ExceptionContext) -> None:
    """A server that became read-only is no longer the one to write to: all connections are made anew.

    `direct` does the same for statements that do not come this way.
    """
    error = context.sqlalchemy_exception
    if isinstance(error, DBAPIError) and sqlstate(error) == READ_ONLY:
        context.is_disconnect = True


def _read_numbers_as_text(connection: AsyncAdapt_asyncpg_connection, _record: object) -> None:
    """Has a new connection make decimals of their digits, which takes the driver less than half of the time that
    PostgreSQL's binary form does; either way they are exact."""
    connection.run_async(
        lambda driver: driver.set_type_codec(
            "numeric", schema="pg_catalog", encoder=str, decoder=Decimal, format="text"
        )
    )


_SETTINGS = "store_settings"


def legacy_engine(database: Database | AsyncEngine) -> AsyncEngine:
    """SQLAlchemy's pool on the same database, until every module uses `database`."""
    return database.legacy if isinstance(database, Database) else database


def settings_of(engine: AsyncEngine) -> StoreSettings:
    """The settings that an engine was made with."""
    settings = engine.get_execution_options()[_SETTINGS]
    assert isinstance(settings, StoreSettings)
    return settings


@asynccontextmanager
async def autocommitted(database: Database | AsyncEngine) -> AsyncIterator[AsyncConnection]:
    """A connection on which every statement is its own transaction: one round trip each.

    Behind a PgBouncer it is a transaction after all: between two messages outside one, the connection may
    get another server, which does not know the statement.
    """
    engine = legacy_engine(database)
    if not settings_of(engine).prepared_statements:
        async with transaction(engine) as connection:
            yield connection
        return
    async with store_errors(), _with_autocommit(engine).connect() as connection, _given_up(connection):
        yield connection


@lru_cache(maxsize=64)
def _with_autocommit(engine: AsyncEngine) -> AsyncEngine:
    """Another face of the same pool; making one costs more than a statement, so it is kept."""
    return engine.execution_options(isolation_level="AUTOCOMMIT")


@asynccontextmanager
async def transaction(database: Database | AsyncEngine) -> AsyncIterator[AsyncConnection]:
    """A connection in a transaction: committed at the end, rolled back on any error."""
    async with store_errors(), legacy_engine(database).begin() as connection, _given_up(connection):
        yield connection


@asynccontextmanager
async def whole_tables(engine: Database | AsyncEngine) -> AsyncIterator[AsyncConnection]:
    """A transaction whose statements may read a table from end to end, as counting does."""
    async with transaction(engine) as connection:
        await connection.execute(_SCAN)
        yield connection


@asynccontextmanager
async def timed(
    engine: Database | AsyncEngine, within_s: float, *, scans: bool
) -> AsyncIterator[AsyncConnection]:
    """A transaction whose statements the server ends after this time: see `is_out_of_time`.

    They may read a table from end to end where `scans` says so.
    """
    values = {"ms": str(max(1, round(within_s * 1000))), "scans": "on" if scans else "off"}
    async with transaction(engine) as connection:
        await connection.execute(_TIMED, values)
        yield connection


_SCAN = text("SET LOCAL enable_seqscan = on")
_TIMED = text(
    "SELECT set_config('statement_timeout', :ms, true), set_config('enable_seqscan', :scans, true)"
).bindparams(bindparam("ms", type_=Text), bindparam("scans", type_=Text))
_QUERY_CANCELED = "57014"


def is_out_of_time(error: StoreUnavailable) -> bool:
    """Whether the server ended the statement, and nothing else is the matter."""
    cause = error.__cause__
    return isinstance(cause, DBAPIError) and sqlstate(cause) == _QUERY_CANCELED


@asynccontextmanager
async def _given_up(connection: AsyncConnection) -> AsyncIterator[None]:
    """A connection whose answer did not come in time is closed: nobody shall wait for it again."""
    try:
        yield
    except TimeoutError:
        await connection.invalidate()
        raise


@asynccontextmanager
async def store_errors() -> AsyncIterator[None]:
    """Turns whatever says that the database is away into StoreUnavailable; lets the rest through."""
    try:
        yield
    except PoolTimeoutError as error:
        message = "no database connection became free in time: the pool is exhausted"
        raise StoreUnavailable(message) from error
    except (DBAPIError, *DRIVER_ROOTS) as error:
        if not is_unavailable(error):
            raise
        raise StoreUnavailable(f"the database does not answer or could not do it: {_words(error)}") from error
    except (OSError, TimeoutError) as error:
        raise StoreUnavailable(f"the database does not answer: {str(error) or 'time-out'}") from error


def _words(error: Exception) -> str:
    return str(error.orig if isinstance(error, DBAPIError) else error)
