"""`make bench-lists`: the same pages of trade orders and of executions over few rows and over very many.

Over HTTP on this machine, with the embedded PostgreSQL; names are in the database already. For each page the
median of its repetitions, small and large, their ratio, and what the first request of the large one took: nobody
has asked for its total before, so that one waits for it, or is told an estimate.
"""

import argparse
import asyncio
import contextlib
import statistics
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import TypeAlias

import aiohttp
import msgspec
import uvloop

from benchmarks.list_tables import filled, say
from trade_service.bench.machine import described, this_machine
from trade_service.bench.stage import services_on
from trade_service.bootstrap.web import web_app
from trade_service.cli.demo_folder import database_folder, make_demo_folder, remove_demo_folder
from trade_service.http_server import serve_asgi
from trade_service.observability.logs import configure_logs
from trade_service.store.embedded import EmbeddedPostgres

WARM_UP = 10
PAGE_S = 6.0
"""A page that takes long is repeated for this time, or not at all."""
COUNTED_S = 120.0
"""Counting a whole table takes less."""
AWAY = "http://127.0.0.1:9"

Figures: TypeAlias = dict[str, float]

BOTH = {
    "default sort, 50 rows": "",
    "newest id first": "sort=-id",
    "one security by ticker": "security.ticker=TICKER%207",
    "one portfolio, newest id first": "portfolio.name=Portfolio%207&sort=-id",
    "one blotter": "blotter.abbreviation=EQ",
    "sorted by ticker": "sort=security.ticker",
    "sorted by portfolio": "sort=-portfolio.name",
    "sorted by blotter": "sort=blotter.abbreviation",
    "1,000 rows": "limit=1000",
    "1,000 rows in the middle, by offset": "limit=1000&offset={middle}",
    "1,000 rows in the middle, by cursor": "limit=1000&cursor={cursor}",
}
LISTS = {
    "tradeOrders": BOTH
    | {
        "newest first": "sort=-tradeTimestamp",
        "one order id": "orderId=777",
        "by order id": "sort=orderId",
        "one order type": "orderType=SELL",
        "submitted": "submitted=true&sort=-id",
        "least quantity": "quantity.min=1000",
        "sorted by quantity": "sort=-quantity",
        "sorted by order type": "sort=orderType",
    },
    "executions": BOTH
    | {
        "newest first": "sort=-executionTimestamp",
        "ten ids": "id=1,2,3,5,8,13,21,34,55,89",
        "of one order": "tradeOrderId=777",
        "by order": "sort=-tradeOrderId",
        "of one id of the Execution Service": "executionServiceId=777",
        "filled": "executionStatus.abbreviation=FULL",
        "filled in part, newest id first": "executionStatus.abbreviation=PART&sort=-id",
        "new, newest id first": "executionStatus.abbreviation=NEW&sort=-id",
        "new, oldest first": "executionStatus.abbreviation=NEW",
        "one destination": "destination.abbreviation=RBC",
        "a destination of one in 10,000": "destination.abbreviation=POSIT",
        "one trade type": "tradeType.abbreviation=SELL",
        "least quantity": "quantityOrdered.min=1000",
        "sorted by status": "sort=executionStatus.abbreviation",
        "sorted by destination": "sort=destination.abbreviation",
        "sorted by trade type": "sort=-tradeType.abbreviation",
        "sorted by quantity": "sort=-quantityOrdered",
        "sorted by quantity placed": "sort=quantityPlaced",
        "sorted by quantity filled": "sort=-quantityFilled",
    },
}
"""Pages by list and name; 50 rows where nothing else is said."""


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
    """A list at one size, served."""

    def __init__(self, session: aiohttp.ClientSession, url: str, rows: int) -> None:
        self._session = session
        self._url = url
        self.rows = rows
        self.times_ms: dict[str, list[float]] = {}
        self._places: dict[str, str] = {}

    async def get(self, query: str) -> dict[str, dict[str, object]]:
        """A page."""
        async with self._session.get(f"{self._url}?{query}") as response:
            body: dict[str, dict[str, object]] = msgspec.json.decode(await response.read())
            assert response.status == 200, body
            return body

    async def find_middle(self) -> None:
        """Finds out where the pages in the middle begin."""
        middle = self.rows // 2
        async with asyncio.timeout(COUNTED_S):
            pagination = await self._counted(f"limit=1000&offset={middle - 1000}")
        assert pagination["totalElements"] == self.rows, f"{pagination} told of {self.rows}"
        self._places = {"middle": str(middle), "cursor": str(pagination["nextCursor"])}

    async def _counted(self, query: str) -> dict[str, object]:
        """The pagination of a page once its rows have been counted."""
        while True:
            pagination = (await self.get(query))["pagination"]
            if not pagination["totalIsEstimate"]:
                return pagination

    async def timed(self, name: str, query: str) -> None:
        """Gets a page and notes the milliseconds."""
        words = query.format_map(self._places)
        began = time.perf_counter()
        await self.get(words)
        self.times_ms.setdefault(name, []).append((time.perf_counter() - began) * 1000)

    def median_ms(self, name: str) -> float:
        """Of a page, once it is warm."""
        times = self.times_ms[name]
        return statistics.median(times[min(WARM_UP, len(times) // 2) :])


async def compare(urls: dict[int, str], which: str, repetitions: int) -> dict[str, Figures]:
    """Both sizes in turn, request by request, so that they meet the same machine."""
    async with contextlib.AsyncExitStack() as stack:
        session = await stack.enter_async_context(aiohttp.ClientSession())
        tables = []
        for rows, url in urls.items():
            address = await stack.enter_async_context(served(url))
            tables.append(Table(session, f"{address}/api/v2/{which}", rows))
            await tables[-1].find_middle()
        found = {}
        for name, query in LISTS[which].items():
            began = time.perf_counter()
            for repetition in range(WARM_UP + repetitions):
                if repetition and time.perf_counter() - began > PAGE_S:
                    break
                for table in tables if repetition % 2 else reversed(tables):
                    await table.timed(name, query)
            found[name] = _figures(tables, name)
            say(f"{which}: {name}: {found[name]}")
        return found


def _figures(tables: Sequence[Table], name: str) -> Figures:
    """Median milliseconds and their ratio; of the first request what it took, and how much more."""
    medians = [table.median_ms(name) for table in tables]
    figures = {f"{table.rows:,}": round(ms, 2) for table, ms in zip(tables, medians, strict=True)}
    first_ms = tables[-1].times_ms[name][0]
    return figures | {
        "ratio": round(medians[-1] / medians[0], 2),
        "first": round(first_ms, 1),
        "first beyond": round(first_ms - medians[-1], 1),
    }


def as_table(which: str, pages: dict[str, Figures]) -> str:
    """The figures in Markdown."""
    heads = list(next(iter(pages.values())))
    lines = [[f"`{which}`, ms", *heads], ["---", *("---:" for _ in heads)]]
    lines += [[name, *(f"{figure:,}" for figure in figures.values())] for name, figures in pages.items()]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines) + "\n"


async def main(arguments: argparse.Namespace) -> None:
    """Measures both sizes; prints tables, and the same with what it was measured on as a JSON document."""
    configure_logs("ERROR", "console")
    report: dict[str, object] = {"machine": described(this_machine())}
    folder = make_demo_folder()
    try:
        async with EmbeddedPostgres.running(database_folder(folder)) as postgres:
            report["postgresql"] = postgres.version
            urls = {}
            for rows in (arguments.small, arguments.large):
                urls[rows], report[f"{rows:,} rows"] = await filled(postgres.dsn, rows)
            for which in LISTS:
                report[which] = pages = await compare(urls, which, arguments.repetitions)
                print(as_table(which, pages))
                most = max(pages, key=lambda name: pages[name]["first beyond"])
                print(
                    f"First requests took up to {pages[most]['first beyond']} ms more than the median: {most}.\n"
                )
    finally:
        await remove_demo_folder(folder)
    print(msgspec.json.format(msgspec.json.encode(report), indent=2).decode())


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m benchmarks.lists", description=__doc__)
    parser.add_argument("--small", type=int, default=10_000, help="rows of the small table")
    parser.add_argument("--large", type=int, default=10_000_000, help="rows of the large table")
    parser.add_argument("--repetitions", type=int, default=50)
    uvloop.run(main(parser.parse_args()))
