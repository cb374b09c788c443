"""What is in the database, for people. Only reads."""

import msgspec
from sqlalchemy import text

from trade_service.store.database import Database
from trade_service.store.engine import autocommitted, whole_tables

VERSION = text("SELECT current_setting('server_version') AS server, current_database() AS database")
COUNTS = text("""
SELECT (SELECT count(*) FROM trade_order) AS trade_orders,
       (SELECT count(*) FROM submission_attempt) AS attempts,
       (SELECT count(*) FROM submission_attempt WHERE next_action_at IS NOT NULL) AS open_attempts
""")
STATES = text("""
SELECT coalesce(submission_state, 'of the earlier service') AS state, count(*) AS executions
FROM execution
GROUP BY submission_state
ORDER BY submission_state
""")


class Contents(msgspec.Struct, frozen=True):
    """How many rows there are."""

    trade_orders: int
    attempts: int
    open_attempts: int
    executions: dict[str, int]
    """By submission state."""


async def server_of(database: Database) -> tuple[str, str]:
    """The server's version and the database's name. Raises StoreUnavailable."""
    async with autocommitted(database) as connection:
        row = (await connection.execute(VERSION)).one()
    return row.server, row.database


async def contents_of(database: Database) -> Contents:
    """Counts everything; the tables must exist. Raises StoreUnavailable."""
    async with whole_tables(database) as connection:
        counts = (await connection.execute(COUNTS)).one()
        states = (await connection.execute(STATES)).all()
    return Contents(
        counts.trade_orders,
        counts.attempts,
        counts.open_attempts,
        {row.state: row.executions for row in states},
    )
