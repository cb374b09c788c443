"""Fills a database with years of finished work, for `benchmarks.large`: all of it was accepted."""

from collections.abc import Callable

import asyncpg

from trade_service.bench.seeding import ORDER_COUNT

PER_ATTEMPT = 10
"""Executions of one attempt, and of one order; an attempt takes one execution from each of ten orders."""
SECURITIES = 500
DESTINATIONS = ("ML", "RBC", "JPM", "IB", "INST", "POSIT")
CHUNK = 500_000

# Everything happened within two years, in the order of the ids. An attempt's id begins with its time (UUIDv7).
_AT = "timestamptz '2025-01-01Z' + {n} * $3::float8 * interval '1 s'"
_ATTEMPT_ID = (
    "(lpad(to_hex((extract(epoch FROM {at}) * 1000)::bigint), 12, '0') || '70008'"
    " || lpad(to_hex({attempt}), 15, '0'))::uuid"
)
_ORDERS = f"""
INSERT INTO trade_order (order_id, portfolio_id, order_type, security_id, quantity, quantity_sent, limit_price,
                         trade_timestamp, blotter_id, submitted, version)
SELECT n, 'P' || n % 1000, 'BUY', 'S' || n % {SECURITIES}, 1000,
       CASE WHEN n <= $4::bigint THEN 1000 ELSE 0 END, 12.5,
       {_AT.format(n=f"n * {PER_ATTEMPT}")}, 1 + n % 4, true, 11
FROM generate_series($1::bigint, $2::bigint) n
"""
_EXECUTIONS = f"""
INSERT INTO execution (execution_timestamp, execution_status_id, blotter_id, trade_type_id, trade_order_id,
                       destination_id, quantity_ordered, quantity_placed, limit_price, execution_service_id,
                       version, submission_state, attempt_id, attempts_spent, give_up_at)
SELECT at, 2, 1 + trade_order % 4, 1, trade_order, 1 + n % {len(DESTINATIONS)}, 100, 100, 12.5, n, 2, 'accepted',
       {_ATTEMPT_ID.format(at="at", attempt="attempt")}, 1, at + interval '900 s'
FROM (SELECT n, (n - 1) / {PER_ATTEMPT} + 1 AS attempt,
             (n - 1) / {PER_ATTEMPT**2} * {PER_ATTEMPT} + 1 + (n - 1) % {PER_ATTEMPT} AS trade_order,
             {_AT.format(n=f"((n - 1) / {PER_ATTEMPT})")} AS at
      FROM generate_series($1::bigint, $2::bigint) n) execution
"""
_ATTEMPTS = f"""
INSERT INTO submission_attempt (id, state, owner, execution_ids, started_at, lease_until, settle_ms, settle_from,
                                closed_at, kind, code, message, http_status, duration_ms)
SELECT {_ATTEMPT_ID.format(at="at", attempt="n")}, 'answered', 'benchmark',
       ARRAY(SELECT i FROM generate_series((n - 1) * {PER_ATTEMPT} + 1, n * {PER_ATTEMPT}) i)::int[],
       at, at + interval '50 s', 45000, at, at + interval '20 ms', 'answered', 'OK', '', 201, 20
FROM (SELECT n, {_AT.format(n="(n - 1)")} AS at FROM generate_series($1::bigint, $2::bigint) n) attempt
"""
_INDEXES = "SELECT indexname, indexdef FROM pg_indexes WHERE tablename = $1 AND indexname NOT LIKE '%\\_pkey'"


async def fill_large(link: asyncpg.Connection, executions: int, report: Callable[[str], None]) -> None:
    """Fills a migrated, empty database with that many executions and a tenth as many orders and attempts."""
    attempts = executions // PER_ATTEMPT
    seconds_each = 2 * 365 * 86_400 / attempts
    # Every reference is valid by construction, so foreign keys are not checked.
    await link.execute("SET session_replication_role = replica")
    await link.execute("SET maintenance_work_mem = '512MB'")
    for table, statement, rows, values in (
        # What is submitted afterwards needs some orders without executions too.
        ("trade_order", _ORDERS, max(attempts, ORDER_COUNT), (seconds_each / PER_ATTEMPT, attempts)),
        ("execution", _EXECUTIONS, executions, (seconds_each,)),
        ("submission_attempt", _ATTEMPTS, attempts, (seconds_each,)),
    ):
        indexes = await link.fetch(_INDEXES, table)
        for name, _ in indexes:
            await link.execute(f"DROP INDEX {name}")
        for first in range(1, rows + 1, CHUNK):
            await link.execute(statement, first, min(first + CHUNK - 1, rows), *values)
            report(f"{table}: {min(first + CHUNK - 1, rows):,} of {rows:,} rows")
        for name, definition in indexes:
            await link.execute(definition)
            report(f"{table}: {name}")
    await link.execute("VACUUM ANALYZE")
    await link.execute("CHECKPOINT")
