"""Exports of long lists: rows a second, and what they add to the memory of the service."""

import asyncio
import time

import aiohttp
import asyncpg
import psutil

from trade_service.bench.environment import Environment
from trade_service.bench.results import Better, Scenario
from trade_service.bench.subprocesses import address_of, child

LIST = "/api/v2/tradeOrders"
LIMIT_S = 900.0
FORMS = {
    "CSV": ("text/csv", "identity"),
    "NDJSON": ("application/x-ndjson", "identity"),
    "CSV, gzip": ("text/csv", "gzip"),
}
"""The values of Accept and Accept-Encoding."""
_ROWS = """
INSERT INTO trade_order (order_id, portfolio_id, order_type, security_id, quantity, trade_timestamp, limit_price)
SELECT n, 'P' || n % 100, 'BUY', 'S' || n % 1000, n % 1000 + 1, now(), n % 500 + 0.25
FROM unnest(array(SELECT generate_series(1, $1::int))) n
"""


async def exports(environment: Environment, scenario: Scenario) -> None:
    """All trade orders as CSV, as NDJSON, and as CSV with gzip, from the `serve` command."""
    rates = scenario.chart("Rate of an export", "rows", "rows/s")
    memory = scenario.chart("Memory added by an export", "rows", "MB")
    rate_of = {name: rates.line(name, Better.MORE) for name in FORMS}
    memory_of = {name: memory.line(name, Better.LESS) for name in FORMS}
    async with environment.database() as dsn, aiohttp.ClientSession() as session:
        for rows in environment.preset.pick([1_000], [10_000, 300_000], [10_000, 300_000]):
            await _fill(dsn, rows)
            settings = {"DATABASE_URL": dsn, "LOG_LEVEL": "ERROR"}
            serve = ("trade_service.cli.main", "serve", "--port", "0")
            async with (
                child(*serve, environment=settings, terminate=True) as process,
                asyncio.timeout(LIMIT_S),
            ):
                address = await address_of(process, "the service")
                service = psutil.Process(process.pid)
                for name, (accept, coding) in FORMS.items():
                    environment.step(f"{rows:,} rows as {name}")
                    headers = {"Accept": accept, "Accept-Encoding": coding}
                    rate, added_mb = await _exported(session, address, headers, rows, service)
                    rate_of[name].add(rows, rate)
                    memory_of[name].add(rows, added_mb)
                    scenario.find(f"{rows:,} rows as {name}: {rate:,.0f} rows/s, {added_mb:+.1f} MB.")


async def _fill(dsn: str, rows: int) -> None:
    connection = await asyncpg.connect(dsn)
    try:
        await connection.execute("TRUNCATE trade_order CASCADE")
        await connection.execute(_ROWS, rows)
        await connection.execute("ANALYZE trade_order")
    finally:
        await connection.close()


async def _exported(
    session: aiohttp.ClientSession, address: str, headers: dict[str, str], rows: int, service: psutil.Process
) -> tuple[float, float]:
    """Rows a second, and the most megabytes above those before it."""
    async with session.get(f"{address}{LIST}?limit=1000") as warm:
        await warm.read()
    before = most = service.memory_info().rss
    began, ends = time.perf_counter(), 0
    async with session.get(address + LIST, headers=headers) as response:
        async for piece in response.content.iter_any():
            ends += piece.count(b"\n")
            most = max(most, service.memory_info().rss)
    expected = rows + (headers["Accept"] == "text/csv")
    assert ends == expected, f"{ends} lines where {expected} were expected"
    return rows / (time.perf_counter() - began), (most - before) / 1024**2
