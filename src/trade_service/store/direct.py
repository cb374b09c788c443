"""Statements of the submission path, handed straight to the driver.

SQLAlchemy's own way from a statement to its rows costs about as much processor time as PostgreSQL's answer is
worth (decision 0018). Where every batch pays it, the statement is compiled once, and runs on the driver's
connection under SQLAlchemy's pool; everything else goes the usual way.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any, Protocol

import asyncpg
import sqlalchemy as sa
from sqlalchemy.dialects import registry
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine
from sqlalchemy.pool import PoolProxiedConnection
from sqlalchemy.util import greenlet_spawn

from trade_service.store.database import Database
from trade_service.store.engine import BEGIN, legacy_engine, settings_of, store_errors, transaction
from trade_service.store.failures import READ_ONLY
from trade_service.store.pool import borrow, leave_server

_DIALECT: sa.Dialect = registry.load("postgresql.asyncpg")()


class DirectStatement:
    """One statement in the driver's words, its parameters with their types, in order."""

    def __init__(self, statement: sa.TextClause) -> None:
        compiled = statement.compile(dialect=_DIALECT)
        self._statement = statement
        self._text = compiled.string
        self._names = tuple(compiled.positiontup or ())

    async def fetch(self, engine: Database | AsyncEngine, values: Mapping[str, object]) -> Sequence[Any]:
        """Runs it as a transaction of its own; returns its rows, to be read by position.

        Raises StoreUnavailable when the database does not answer or could not do it.
        """
        engine = legacy_engine(engine)
        if not settings_of(engine).prepared_statements:
            async with transaction(engine) as connection:
                return await self.fetch_by(connection, values)
        async with store_errors(), _borrowed(engine) as driver:
            return await self.fetch_on(driver, values)

    async def fetch_on(self, driver: asyncpg.Connection, values: Mapping[str, object]) -> Sequence[Any]:
        """Its rows, from a connection of the driver."""
        rows: Sequence[Any] = await driver.fetch(self._text, *[values[name] for name in self._names])
        return rows

    async def fetch_by(self, connection: AsyncConnection, values: Mapping[str, object]) -> Sequence[Any]:
        """Its rows by SQLAlchemy's way, from a connection of its."""
        return (await connection.execute(self._statement, values)).all()


class Fetch(Protocol):
    """Runs a statement in a transaction that somebody else began and will end."""

    async def __call__(self, statement: DirectStatement, values: Mapping[str, object], /) -> Sequence[Any]:
        """Its rows, to be read by position."""
        ...


def fetch_by(connection: AsyncConnection) -> Fetch:
    """Direct statements among others, in a transaction of SQLAlchemy's."""

    async def fetch(statement: DirectStatement, values: Mapping[str, object]) -> Sequence[Any]:
        return await statement.fetch_by(connection, values)

    return fetch


@asynccontextmanager
async def direct_transaction(engine: Database | AsyncEngine) -> AsyncIterator[Fetch]:
    """A transaction whose statements all are direct ones: committed at the end, rolled back on any error.

    Raises StoreUnavailable when the database does not answer or could not do it.
    """
    engine = legacy_engine(engine)
    if not settings_of(engine).prepared_statements:
        async with transaction(engine) as connection:
            yield fetch_by(connection)
        return
    async with store_errors(), _borrowed(engine) as driver:

        async def fetch(statement: DirectStatement, values: Mapping[str, object]) -> Sequence[Any]:
            return await statement.fetch_on(driver, values)

        await driver.execute(BEGIN)
        try:
            yield fetch
        except asyncpg.PostgresError:
            # Whatever else is raised takes the connection with it, and the server rolls back.
            if not driver.is_closed():
                await driver.execute("ROLLBACK;")
            raise
        # A transaction that has failed answers its COMMIT with ROLLBACK, and with no error.
        ended = await driver.execute("COMMIT;")
        assert ended == "COMMIT", f"an error inside of a transaction was not passed on: it ended with {ended}"


@asynccontextmanager
async def _borrowed(engine: AsyncEngine) -> AsyncIterator[asyncpg.Connection]:
    """A connection of the driver's; nobody else gets it again unless the server has answered all it was asked."""
    borrowed = await borrow(engine)
    if _driver(borrowed).is_closed():
        _give_back(borrowed)  # The server closed it while it was idle: that is no reason to fail.
        borrowed = await borrow(engine)
    try:
        yield _driver(borrowed)
    except asyncpg.PostgresError as error:
        # An answer: the connection is as good as before, unless the server closed it or must not write any more.
        if error.sqlstate == READ_ONLY:
            await leave_server(engine, borrowed, error)
        raise
    except BaseException:
        # No answer, or nobody who waits for it: nobody else shall get it. A goodbye is worth its wait of 2 s at
        # the most: it ends the statement, which would go on at the server with the locks that it has.
        await greenlet_spawn(borrowed.invalidate)
        raise
    finally:
        _give_back(borrowed)


def _driver(borrowed: PoolProxiedConnection) -> asyncpg.Connection:
    connection = borrowed.driver_connection
    assert isinstance(connection, asyncpg.Connection)
    return connection


def _give_back(borrowed: PoolProxiedConnection) -> None:
    """Waits for nothing: no statement runs, and what is given up here is closed without a goodbye."""
    if borrowed.is_valid and (_driver(borrowed).is_closed() or _driver(borrowed).is_in_transaction()):
        borrowed.invalidate()
    borrowed.close()
