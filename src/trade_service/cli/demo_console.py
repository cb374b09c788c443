"""`trade-service demo --console`: the console on a living example."""

import asyncio
import itertools
import random
import signal
from collections.abc import Callable, Iterable
from typing import Any

import aiohttp

from trade_service.bootstrap.container import Services
from trade_service.cli.running import on_signal
from trade_service.cli.serving import serve_services

BAD_SECURITY = "DELISTED"
"""The Execution Service's database fails on it, so that there is something to see among the failures."""
FIRST_ORDER_ID = 50_000_000
ORDERS_AT_ONCE = 20
TICKERS = ("AAPL", "MSFT", "NVDA", "AMZN", "JPM", "XOM", "PFE", "KO")
EVERY_S = 1.0


async def show_console(services: Services, say: Callable[[str], None]) -> None:
    """Serves the console until Ctrl-C or SIGTERM, and submits new orders meanwhile."""
    stop, ready = asyncio.Event(), asyncio.get_running_loop().create_future()
    for number in (signal.SIGINT, signal.SIGTERM):
        on_signal(number, stop.set)

    def begin(line: str) -> None:
        url = line.split()[2].rstrip(";")
        say(f"The console: {url}/console/  New orders arrive every second; Ctrl-C ends the demo.")
        ready.set_result(url)

    async with asyncio.TaskGroup() as group:
        trading = group.create_task(_trade(ready, stop, say))
        await serve_services(services, stop, begin, Services.begin_stop)
        trading.cancel()


class Refused(Exception):
    """The service did not take new orders, or did not send them; the message says why."""


async def _trade(
    ready: "asyncio.Future[str]", stop: asyncio.Event, say: Callable[[str], None], every_s: float = EVERY_S
) -> None:
    """Submits new orders every `every_s` seconds; says once why they are refused, and tries on."""
    randomness, order_ids = random.Random(1), itertools.count(FIRST_ORDER_ID)
    refusal = ""
    async with aiohttp.ClientSession(await ready) as client:
        while not stop.is_set():
            orders = _orders(itertools.islice(order_ids, ORDERS_AT_ONCE), randomness)
            try:
                await _submit(client, orders, randomness)
                refusal = ""
            except Refused as refused:
                if refusal != str(refused):
                    refusal = str(refused)
                    say(f"New orders are refused, and tried again every second: {refusal}")
            except aiohttp.ClientError:
                if not stop.is_set():  # A service that stops closes its connections.
                    raise
            await asyncio.sleep(every_s)


def _orders(order_ids: Iterable[int], randomness: random.Random) -> list[dict[str, object]]:
    return [
        {
            "orderId": order_id,
            "portfolioId": f"FUND{order_id % 5}",
            "orderType": randomness.choice(("BUY", "SELL")),
            "securityId": BAD_SECURITY if randomness.random() < 0.01 else randomness.choice(TICKERS),
            "quantity": randomness.randrange(100, 5_000, 100),
            "limitPrice": randomness.randrange(1_000, 30_000) / 100,
        }
        for order_id in order_ids
    ]


async def _submit(
    client: aiohttp.ClientSession, orders: list[dict[str, object]], randomness: random.Random
) -> None:
    created = await _results(client, "/api/v1/tradeOrders/bulk", {"tradeOrders": orders})
    submissions = [
        {
            "tradeOrderId": result["tradeOrder"]["id"],
            "quantity": result["tradeOrder"]["quantity"],
            "destinationId": randomness.randint(1, 3),
        }
        for result in created
        if result["tradeOrder"] is not None
    ]
    await _results(client, "/api/v1/tradeOrders/batch/submit", {"submissions": submissions})


async def _results(client: aiohttp.ClientSession, path: str, body: object) -> list[dict[str, Any]]:
    """The results that a batch was answered with, each for itself; raises Refused if it was refused as a whole."""
    async with client.post(path, json=body) as answer:
        read = await answer.json()
    if "results" not in read:
        raise Refused(f"{answer.status} {read['message']}")
    results: list[dict[str, Any]] = read["results"]
    return results
