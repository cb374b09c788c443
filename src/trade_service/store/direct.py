"""Statements of the submission path, handed straight to the driver.

SQLAlchemy's own way from a statement to its rows costs about as much processor time as PostgreSQL's answer is
worth (decision 0018). Where every batch pays it, the statement is compiled once, and runs on the driver's
connection under SQLAlchemy's pool; everything else goes the usual way.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import asyncpg
import sqlalchemy as sa
from sqlalchemy.dialects import registry
from sqlalchemy.ext.asyncio import AsyncEngine
from sqlalchemy.pool import PoolProxiedConnection

from trade_service.store.engine import settings_of, store_errors, transaction
from trade_service.store.pool import borrow

_DIALECT: sa.Dialect = registry.load("postgresql.asyncpg")()


class DirectStatement:
    """One statement in the driver's words, its parameters with their types, in order."""

    def __init__(self, statement: sa.TextClause) -> None:
        compiled = statement.compile(dialect=_DIALECT)
        self._statement = statement
        self._text = compiled.string
        self._names = tuple(compiled.positiontup or ())

    async def fetch(self, engine: AsyncEngine, values: Mapping[str, object]) -> Sequence[Any]:
        """Runs it as a transaction of its own; returns its rows, to be read by position.

        Raises StoreUnavailable when the database does not answer or could not do it.
        """
        if not settings_of(engine).prepared_statements:
            async with transaction(engine) as connection:
                return (await connection.execute(self._statement, values)).all()
        async with store_errors():
            borrowed = await borrow(engine)
            if _driver(borrowed).is_closed():
                _give_back(borrowed)  # The server closed it while it was idle: that is no reason to fail.
                borrowed = await borrow(engine)
            try:
                return await _driver(borrowed).fetch(self._text, *[values[name] for name in self._names])
            except asyncpg.PostgresError:
                raise  # An answer: the connection is as good as before, unless the server closed it.
            except BaseException:
                # No answer, or nobody who waits for it: nobody else shall get it.
                borrowed.invalidate()
                raise
            finally:
                _give_back(borrowed)


def _driver(borrowed: PoolProxiedConnection) -> asyncpg.Connection:
    connection = borrowed.driver_connection
    assert isinstance(connection, asyncpg.Connection)
    return connection


def _give_back(borrowed: PoolProxiedConnection) -> None:
    """Waits for nothing: no transaction was begun, and what is given up is closed without a goodbye."""
    if borrowed.is_valid and _driver(borrowed).is_closed():
        borrowed.invalidate()
    borrowed.close()
