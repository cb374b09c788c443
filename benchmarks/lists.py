"""`make bench-lists`: the same pages of `GET /api/v2/tradeOrders` over few rows and over very many.

Over HTTP on this machine, with the embedded PostgreSQL; names are in the database already. For each page the
median of its repetitions, small and large, and their ratio.
"""

import argparse
import asyncio
import contextlib
import statistics
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import urlsplit, urlunsplit

import aiohttp
import msgspec
import sqlalchemy as sa
import uvloop
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from trade_service.bench.machine import described, this_machine
from trade_service.bench.stage import services_on
from trade_service.bootstrap.web import web_app
from trade_service.cli.demo_folder import database_folder, make_demo_folder, remove_demo_folder
from trade_service.observability.logs import configure_logs
from trade_service.serving import serve_asgi
from trade_service.store.embedded import EmbeddedPostgres
from trade_service.store.migrate import migrate

EACH = 1_000
"""Orders of each portfolio and of each security: a larger table has more of both, as a larger house does."""
CHUNK = 500_000
WARM_UP = 10
AWAY = "http://127.0.0.1:9"

FILL = sa.text("""
INSERT INTO trade_order (order_id, portfolio_id, order_type, security_id, quantity, quantity_sent, limit_price,
                         trade_timestamp, blotter_id, submitted)
SELECT n, 'P' || n % :groups, (ARRAY['BUY', 'SELL'])[1 + n % 2], 'S' || n * 7919 % :groups, 100 + n % 1000,
       n % 100, 12.5, timestamptz '2020-01-01Z' + n * interval '10 s', 1 + n % 4, n % 2 = 0
FROM generate_series(cast(:first AS bigint), cast(:last AS bigint)) n
""").bindparams(*(sa.bindparam(name, type_=sa.BigInteger) for name in ("groups", "first", "last")))
NAMES = """
INSERT INTO {table} (id, name, fetched_at)
SELECT '{letter}' || n, '{word} ' || n, now() + interval '1 day' FROM generate_series(0, {groups}) n
"""

PAGES = {
    "default sort, 50 rows": "",
    "newest first, 50 rows": "sort=-tradeTimestamp",
    "one security by ticker, 50 rows": "security.ticker=TICKER%207",
    "one portfolio, newest id first, 50 rows": "portfolio.name=Portfolio%207&sort=-id",
    "1,000 rows": "limit=1000",
}


async def fill(engine: AsyncEngine, rows: int) -> float:
    """Inserts `rows` orders and the names that they need; returns the seconds that it took."""
    began = time.perf_counter()
    groups = max(1, rows // EACH)
    async with engine.connect() as connection:
        definitions = (
            await connection.execute(
                sa.text(
                    "SELECT indexname, indexdef FROM pg_indexes WHERE tablename = 'trade_order' "
                    "AND indexname <> 'trade_order_pkey'"
                )
            )
        ).all()
        for name, _ in definitions:
            await connection.execute(sa.text(f"DROP INDEX {name}"))
        for first in range(1, rows + 1, CHUNK):
            last = min(first + CHUNK - 1, rows)
            await connection.execute(FILL, {"groups": groups, "first": first, "last": last})
        for _, definition in definitions:
            await connection.execute(sa.text(definition))
        for table, letter, word in (("portfolio_name", "P", "Portfolio"), ("security_name", "S", "TICKER")):
            await connection.execute(
                sa.text(NAMES.format(table=table, letter=letter, word=word, groups=groups))
            )
        await connection.execute(sa.text("VACUUM ANALYZE trade_order"))
        await connection.execute(sa.text("CHECKPOINT"))
    return time.perf_counter() - began


@asynccontextmanager
async def served(dsn: str) -> AsyncIterator[str]:
    """The address of the whole service on a database."""
    overrides = {"security_service.base_url": AWAY, "portfolio_service.base_url": AWAY}
    async with (
        services_on(dsn, AWAY, **overrides) as services,
        web_app(services) as app,
        asyncio.TaskGroup() as group,
    ):
        stop = asyncio.Event()
        address: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        group.create_task(serve_asgi(app, "127.0.0.1", 0, stop=stop, ready=address.set_result, grace_s=1.0))
        try:
            yield await address
        finally:
            stop.set()


class Table:
    """One size, served."""

    def __init__(self, session: aiohttp.ClientSession, address: str, rows: int) -> None:
        self._session = session
        self._address = address
        self.rows = rows
        self.times: dict[str, list[float]] = {}

    async def get(self, query: str) -> dict[str, dict[str, object]]:
        """A page."""
        async with self._session.get(f"{self._address}/api/v2/tradeOrders?{query}") as response:
            body: dict[str, dict[str, object]] = msgspec.json.decode(await response.read())
            assert response.status == 200, body
            return body

    async def pages(self) -> dict[str, str]:
        """What is asked, by name."""
        middle = await self.get(f"limit=1000&offset={self.rows // 2 - 1000}")
        total = middle["pagination"]["totalElements"]
        assert total == self.rows, f"{total} told of {self.rows}"
        cursor = middle["pagination"]["nextCursor"]
        return PAGES | {"1,000 rows in the middle, by cursor": f"limit=1000&cursor={cursor}"}

    async def timed(self, name: str, query: str) -> None:
        """Gets a page and notes the milliseconds."""
        began = time.perf_counter()
        await self.get(query)
        self.times.setdefault(name, []).append((time.perf_counter() - began) * 1000)

    def median_ms(self, name: str) -> float:
        """Of a page."""
        return round(statistics.median(self.times[name]), 2)


async def filled(dsn: str, rows: int) -> tuple[str, float]:
    """The URL of a new database of `rows` orders, and the seconds it took to fill."""
    name = f"lists_{rows}"
    admin = _plain_engine(dsn)
    async with admin.connect() as connection:
        await connection.execute(sa.text(f"CREATE DATABASE {name}"))
    await admin.dispose()
    url = urlunsplit(urlsplit(dsn)._replace(path=f"/{name}"))
    await migrate(url)
    filler = _plain_engine(url)
    took_s = await fill(filler, rows)
    await filler.dispose()
    return url, took_s


def _plain_engine(dsn: str) -> AsyncEngine:
    return create_async_engine(
        "postgresql+asyncpg://", connect_args={"dsn": dsn}, isolation_level="AUTOCOMMIT"
    )


async def compare(urls: dict[int, str], repetitions: int) -> dict[str, object]:
    """Both sizes in turn, request by request, so that they meet the same machine."""
    async with contextlib.AsyncExitStack() as stack:
        session = await stack.enter_async_context(aiohttp.ClientSession())
        small, large = [
            Table(session, await stack.enter_async_context(served(url)), rows) for rows, url in urls.items()
        ]
        pages = {table: await table.pages() for table in (small, large)}
        for name in pages[small]:
            for repetition in range(WARM_UP + repetitions):
                if repetition == WARM_UP:
                    small.times.pop(name)
                    large.times.pop(name)
                for table in (small, large) if repetition % 2 else (large, small):
                    await table.timed(name, pages[table][name])
        return {
            name: {
                f"{small.rows:,}": small.median_ms(name),
                f"{large.rows:,}": large.median_ms(name),
                "ratio": round(large.median_ms(name) / small.median_ms(name), 2),
            }
            for name in pages[small]
        }


async def main(arguments: argparse.Namespace) -> None:
    """Measures both sizes and prints one JSON document."""
    configure_logs("ERROR", "console")
    figures: dict[str, object] = {"machine": described(this_machine())}
    folder = make_demo_folder()
    try:
        async with EmbeddedPostgres.running(database_folder(folder)) as postgres:
            figures["postgresql"] = postgres.version
            urls = {}
            for rows in (arguments.small, arguments.large):
                urls[rows], took_s = await filled(postgres.dsn, rows)
                figures[f"seconds to fill {rows:,}"] = round(took_s, 1)
            figures["median_ms"] = await compare(urls, arguments.repetitions)
    finally:
        await remove_demo_folder(folder)
    print(msgspec.json.format(msgspec.json.encode(figures), indent=2).decode())


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m benchmarks.lists", description=__doc__)
    parser.add_argument("--small", type=int, default=10_000, help="rows of the small table")
    parser.add_argument("--large", type=int, default=10_000_000, help="rows of the large table")
    parser.add_argument("--repetitions", type=int, default=50)
    uvloop.run(main(parser.parse_args()))
