"""Databases of many trade orders, each with an execution, for `benchmarks.lists`."""

import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import urlsplit, urlunsplit

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from trade_service.store.migrate import migrate

EACH = 1_000
"""Orders of each portfolio and of each security: a larger table has more of both, as a larger house does."""
CHUNK = 500_000
NEWEST = 1_000
"""Executions that are NEW, however many have been filled before."""

_ORDERS = """
INSERT INTO trade_order (order_id, portfolio_id, order_type, security_id, quantity, quantity_sent, limit_price,
                         trade_timestamp, blotter_id, submitted)
SELECT n, 'P' || n % :groups, (ARRAY['BUY', 'SELL'])[1 + n % 2], 'S' || n * 7919 % :groups, 100 + n % 1000,
       n % 100, 12.5, timestamptz '2020-01-01Z' + n * interval '10 s', 1 + n % 4, n % 2 = 0
FROM generate_series(:first, :last) n
"""
# One in fifty is filled in part; one in ten thousand went to POSIT.
_EXECUTIONS = f"""
INSERT INTO execution (execution_timestamp, execution_status_id, blotter_id, trade_type_id, trade_order_id,
                       destination_id, quantity_ordered, quantity_placed, quantity_filled, limit_price,
                       execution_service_id, submission_state)
SELECT timestamptz '2020-01-01Z' + n * interval '10 s', CASE WHEN young THEN 1 WHEN n % 50 = 0 THEN 5 ELSE 4 END,
       1 + n % 4, 1 + n % 2, n, CASE WHEN n % 10000 = 0 THEN 6 ELSE 1 + n % 5 END, 100 + n % 1000,
       CASE WHEN young THEN 0 ELSE 100 + n % 1000 END, CASE WHEN young THEN 0 ELSE 50 + n % 1000 END, 12.5,
       CASE WHEN young THEN NULL ELSE n END, CASE WHEN young THEN 'none' ELSE 'accepted' END
FROM generate_series(:first, :last) n, LATERAL (SELECT n > :rows - {NEWEST} AS young) age
"""
FILLS = {
    table: sa.text(words).bindparams(*(sa.bindparam(name, type_=sa.BigInteger) for name in names))
    for table, words, names in (
        ("trade_order", _ORDERS, ("first", "last", "groups")),
        ("execution", _EXECUTIONS, ("first", "last", "rows")),
    )
}
_NAMES = """
INSERT INTO {table} (id, name, fetched_at)
SELECT '{letter}' || n, '{word} ' || n, now() + interval '1 day' FROM generate_series(0, {groups}) n
"""
_INDEXES = sa.text(
    "SELECT indexname, indexdef FROM pg_indexes WHERE tablename = :table AND indexname NOT LIKE '%\\_pkey'"
)


async def filled(dsn: str, rows: int) -> tuple[str, dict[str, float]]:
    """The URL of a new database with `rows` of both, the seconds that it took to fill, and its size in GB."""
    began = time.perf_counter()
    name = f"lists_{rows}"
    async with _connected(dsn) as admin:
        await admin.execute(sa.text(f"CREATE DATABASE {name}"))
    url = urlunsplit(urlsplit(dsn)._replace(path=f"/{name}"))
    await migrate(url)
    async with _connected(url) as connection:
        # What the rows point to is there: nobody looks for it five times a row.
        await connection.execute(sa.text("SET session_replication_role = replica"))
        for table in FILLS:
            await _fill(connection, table, rows)
        for table, letter, word in (("portfolio_name", "P", "Portfolio"), ("security_name", "S", "TICKER")):
            words = _NAMES.format(table=table, letter=letter, word=word, groups=_groups(rows))
            await connection.execute(sa.text(words))
        await connection.execute(sa.text("VACUUM ANALYZE"))
        await connection.execute(sa.text("CHECKPOINT"))
        size_bytes = await connection.scalar(sa.text("SELECT pg_database_size(current_database())"))
    return url, {"fill_s": round(time.perf_counter() - began, 1), "size_gb": round(size_bytes / 1e9, 2)}


async def _fill(connection: AsyncConnection, table: str, rows: int) -> None:
    """Inserts the rows, then makes the indexes that the table has."""
    indexes = (await connection.execute(_INDEXES, {"table": table})).all()
    for name, _ in indexes:
        await connection.execute(sa.text(f"DROP INDEX {name}"))
    for first in range(1, rows + 1, CHUNK):
        last = min(first + CHUNK - 1, rows)
        values = {"groups": _groups(rows), "first": first, "last": last, "rows": rows}
        await connection.execute(FILLS[table], values)
        say(f"{table}: {last:,} of {rows:,} rows")
    for name, definition in indexes:
        await connection.execute(sa.text(definition))
        say(f"{table}: {name}")


def _groups(rows: int) -> int:
    return max(1, rows // EACH)


def say(line: str) -> None:
    """Says how far it is."""
    print(line, file=sys.stderr, flush=True)


@asynccontextmanager
async def _connected(dsn: str) -> AsyncIterator[AsyncConnection]:
    engine: AsyncEngine = create_async_engine(
        "postgresql+asyncpg://", connect_args={"dsn": dsn}, isolation_level="AUTOCOMMIT"
    )
    try:
        async with engine.connect() as connection:
            yield connection
    finally:
        await engine.dispose()
