"""`trade-service demo --console`: the console on a living example."""

import asyncio
import itertools
import random
import signal
from collections.abc import Callable

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
    """Serves the console until Ctrl-C, SIGTERM or SIGHUP, and submits new orders meanwhile."""
    stop, ready = asyncio.Event(), asyncio.get_running_loop().create_future()
    for number in (signal.SIGINT, signal.SIGTERM):
        on_signal(number, stop.set)

    def begin(line: str) -> None:
        url = line.split()[2].rstrip(";")
        say(f"The console: {url}/console/  New orders arrive every second; Ctrl-C ends the demo.")
        ready.set_result(url)

    async with asyncio.TaskGroup() as group:
        trading = group.create_task(_trade(ready, stop))
        await serve_services(services, stop, begin, Services.begin_stop)
        trading.cancel()


async def _trade(ready: "asyncio.Future[str]", stop: asyncio.Event) -> None:
    randomness, order_ids = random.Random(1), itertools.count(FIRST_ORDER_ID)
    async with aiohttp.ClientSession(await ready) as client:
        while not stop.is_set():
            orders: list[dict[str, object]] = [
                {
                    "orderId": order_id,
                    "portfolioId": f"FUND{order_id % 5}",
                    "orderType": randomness.choice(("BUY", "SELL")),
                    "securityId": BAD_SECURITY if randomness.random() < 0.01 else randomness.choice(TICKERS),
                    "quantity": randomness.randrange(100, 5_000, 100),
                    "limitPrice": randomness.randrange(1_000, 30_000) / 100,
                }
                for order_id in itertools.islice(order_ids, ORDERS_AT_ONCE)
            ]
            try:
                await _submit(client, orders, randomness)
            except aiohttp.ClientError:
                if not stop.is_set():  # A service that stops closes its connections.
                    raise
            await asyncio.sleep(EVERY_S)


async def _submit(
    client: aiohttp.ClientSession, orders: list[dict[str, object]], randomness: random.Random
) -> None:
    async with client.post("/api/v1/tradeOrders/bulk", json={"tradeOrders": orders}) as answer:
        created = (await answer.json())["results"]
    submissions = [
        {
            "tradeOrderId": result["tradeOrder"]["id"],
            "quantity": result["tradeOrder"]["quantity"],
            "destinationId": randomness.randint(1, 3),
        }
        for result in created
        if result["tradeOrder"] is not None
    ]
    async with client.post("/api/v1/tradeOrders/batch/submit", json={"submissions": submissions}) as answer:
        await answer.read()
