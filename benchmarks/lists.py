"""The same pages of trade orders and of executions over few rows and over very many."""

import contextlib
import os
import statistics
import time

import aiohttp
import msgspec

from benchmarks.list_tables import fill_lists
from trade_service.bench.environment import Environment, serving
from trade_service.bench.results import Better, Scenario
from trade_service.bench.seeding import connected
from trade_service.bench.subprocesses import BenchError

WARM_UP = 10
PAGE_S = 6.0
"""Slow pages are repeated no longer than this."""
COUNTED_S = 120.0
"""Time limit for counting a whole table."""
AWAY = "http://127.0.0.1:9"

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
"""Pages by list and name; 50 rows unless they say otherwise."""


async def lists(environment: Environment, scenario: Scenario) -> None:
    """Pages of `GET /api/v2/tradeOrders` and `GET /api/v2/executions` over a small and a large table, over
    HTTP, with all display names known: the median of each page. Both tables are read in turn, request by
    request. The first request of a list that was never counted waits for its total, or gets an estimate.
    """
    pick = environment.preset.pick
    small, usual = pick((2_500, 5_000), (10_000, 300_000), (10_000, 10_000_000))
    sizes, repetitions = (small, int(os.environ.get("LARGE") or usual)), pick(2, 50, 50)
    services = {"security_service.base_url": AWAY, "portfolio_service.base_url": AWAY}
    async with contextlib.AsyncExitStack() as stack:
        session = await stack.enter_async_context(aiohttp.ClientSession())
        urls = []
        for rows in sizes:
            dsn = await stack.enter_async_context(environment.database())
            async with connected(dsn) as link:
                await fill_lists(link, rows, environment.step)
            urls.append(await stack.enter_async_context(serving(dsn, AWAY, **services)))
        for which, pages in LISTS.items():
            tables = [
                Table(session, f"{url}/api/v2/{which}", rows) for url, rows in zip(urls, sizes, strict=True)
            ]
            for table in tables:
                await table.find_middle()
            chart = scenario.chart(f"Pages of {which}", "rows", "ms", log=True)
            for name, query in pages.items():
                environment.step(f"{which}: {name}")
                await _repeat(tables, name, query, repetitions)
                line = chart.line(name, Better.LESS)
                for table in tables:
                    line.add(table.rows, round(table.median_ms(name), 2))
            ratios = {name: tables[-1].median_ms(name) / tables[0].median_ms(name) for name in pages}
            beyond = {name: tables[-1].times_ms[name][0] - tables[-1].median_ms(name) for name in pages}
            slowest, first = max(ratios, key=ratios.__getitem__), max(beyond, key=beyond.__getitem__)
            scenario.find(
                f"{which}: the large table takes {statistics.median(ratios.values()):.2f} times as long "
                f"(median of {len(pages)} pages), at most {ratios[slowest]:.1f} times ({slowest}); "
                f"first requests took up to {beyond[first]:.0f} ms more than their median ({first})."
            )


async def _repeat(tables: "list[Table]", name: str, query: str, repetitions: int) -> None:
    """Reads a page of all tables in turn, so that they meet the same conditions."""
    began = time.perf_counter()
    for repetition in range(WARM_UP + repetitions):
        if repetition and time.perf_counter() - began > PAGE_S:
            break
        for table in tables if repetition % 2 else reversed(tables):
            await table.timed(name, query)


class Table:
    """One list at one size."""

    def __init__(self, session: aiohttp.ClientSession, url: str, rows: int) -> None:
        self._session = session
        self._url = url
        self.rows = rows
        self.times_ms: dict[str, list[float]] = {}
        self._places: dict[str, str] = {}

    async def get(self, query: str) -> dict[str, dict[str, object]]:
        """Reads a page. Raises BenchError unless it succeeds."""
        async with self._session.get(f"{self._url}?{query}") as response:
            text = await response.read()
        if response.status != 200:
            raise BenchError(f"{self._url}?{query}: {response.status} {text[:200].decode(errors='replace')}")
        body: dict[str, dict[str, object]] = msgspec.json.decode(text)
        return body

    async def find_middle(self) -> None:
        """Determines where the pages in the middle start."""
        middle = self.rows // 2
        query = f"limit=1000&offset={middle - 1000}"
        deadline = time.monotonic() + COUNTED_S
        while (pagination := (await self.get(query))["pagination"])["totalIsEstimate"]:
            if time.monotonic() > deadline:
                raise BenchError(f"{self._url} was not counted within {COUNTED_S:g} s")
        if pagination["totalElements"] != self.rows:
            raise BenchError(f"{self._url} has {pagination['totalElements']} rows, not {self.rows}")
        self._places = {"middle": str(middle), "cursor": str(pagination["nextCursor"])}

    async def timed(self, name: str, query: str) -> None:
        """Reads a page and records the milliseconds."""
        words = query.format_map(self._places)
        began = time.perf_counter()
        await self.get(words)
        self.times_ms.setdefault(name, []).append((time.perf_counter() - began) * 1000)

    def median_ms(self, name: str) -> float:
        """The median of a page after the warm-up."""
        times = self.times_ms[name]
        return statistics.median(times[min(WARM_UP, len(times) // 2) :])
