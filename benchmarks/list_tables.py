"""Fills a database with trade orders, each with an execution, for `benchmarks.lists`."""

from collections.abc import Callable

import asyncpg

EACH = 1_000
"""Orders per portfolio and per security: larger tables have more of both."""
CHUNK = 500_000
NEWEST = 1_000
"""Executions with status NEW, regardless of the table's size."""

_ORDERS = """
INSERT INTO trade_order (order_id, portfolio_id, order_type, security_id, quantity, quantity_sent, limit_price,
                         trade_timestamp, blotter_id, submitted)
SELECT n, 'P' || n % $3::bigint, (ARRAY['BUY', 'SELL'])[1 + n % 2], 'S' || n * 7919 % $3, 100 + n % 1000,
       n % 100, 12.5, timestamptz '2020-01-01Z' + n * interval '10 s', 1 + n % 4, n % 2 = 0
FROM generate_series($1::bigint, $2::bigint) n
"""
# One in fifty is partially filled; one in ten thousand went to POSIT.
_EXECUTIONS = f"""
INSERT INTO execution (execution_timestamp, execution_status_id, blotter_id, trade_type_id, trade_order_id,
                       destination_id, quantity_ordered, quantity_placed, quantity_filled, limit_price,
                       execution_service_id, submission_state)
SELECT timestamptz '2020-01-01Z' + n * interval '10 s', CASE WHEN young THEN 1 WHEN n % 50 = 0 THEN 5 ELSE 4 END,
       1 + n % 4, 1 + n % 2, n, CASE WHEN n % 10000 = 0 THEN 6 ELSE 1 + n % 5 END, 100 + n % 1000,
       CASE WHEN young THEN 0 ELSE 100 + n % 1000 END, CASE WHEN young THEN 0 ELSE 50 + n % 1000 END, 12.5,
       CASE WHEN young THEN NULL ELSE n END, CASE WHEN young THEN 'none' ELSE 'accepted' END
FROM generate_series($1::bigint, $2::bigint) n, LATERAL (SELECT n > $3::bigint - {NEWEST} AS young) age
"""
_NAMES = """
INSERT INTO {table} (id, name, fetched_at)
SELECT '{letter}' || n, '{word} ' || n, now() + interval '1 day' FROM generate_series(0, {groups}) n
"""
_INDEXES = "SELECT indexname, indexdef FROM pg_indexes WHERE tablename = $1 AND indexname NOT LIKE '%\\_pkey'"


async def fill_lists(link: asyncpg.Connection, rows: int, report: Callable[[str], None]) -> None:
    """Fills a migrated database with `rows` orders and executions."""
    groups = max(1, rows // EACH)
    # Every reference is valid by construction, so foreign keys are not checked.
    await link.execute("SET session_replication_role = replica")
    for table, statement, last_value in (("trade_order", _ORDERS, groups), ("execution", _EXECUTIONS, rows)):
        indexes = await link.fetch(_INDEXES, table)
        for name, _ in indexes:
            await link.execute(f"DROP INDEX {name}")
        for first in range(1, rows + 1, CHUNK):
            await link.execute(statement, first, min(first + CHUNK - 1, rows), last_value)
            report(f"{table}: {min(first + CHUNK - 1, rows):,} of {rows:,} rows")
        for name, definition in indexes:
            await link.execute(definition)
            report(f"{table}: {name}")
    for table, letter, word in (("portfolio_name", "P", "Portfolio"), ("security_name", "S", "TICKER")):
        await link.execute(_NAMES.format(table=table, letter=letter, word=word, groups=groups))
    await link.execute("VACUUM ANALYZE")
    await link.execute("CHECKPOINT")
