"""One reader's heavy lists beside a trader's orders: the trader goes on nearly as before."""

import asyncio
import itertools
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import urlsplit

import aiohttp
import asyncpg
import pytest

from tests.attacks.target import Target, served
from tests.core.test_identity import AUDIENCE, ISSUER, RSA_KEY, jwk, jwks, signed
from tests.support.database import TestServer
from trade_service.bench.results import quantile

ORDERS = 20_000
READERS = 60
MEASURED = 200
ROUNDS = 3
LISTS = (
    "/api/v2/tradeOrders?limit=1000&sort=-quantity,orderType&orderType=BUY,SELL",
    "/api/v2/tradeOrders?limit=1000&offset=15000&sort=tradeTimestamp",
    "/api/v2/tradeOrders?limit=1000&quantity.min=10&sort=-security.ticker",
    "/api/v1/tradeOrders?limit=1000&offset=10000",
)
"""Each sorts many rows, or answers with a thousand."""

FILL = f"""
INSERT INTO trade_order (order_id, portfolio_id, order_type, security_id, quantity)
SELECT n, 'P' || n % 50, (ARRAY['SELL', 'BUY'])[1 + n % 2], 'S' || n % 500, n % 977 + 1
FROM generate_series(1, {ORDERS}) n
"""
_order_ids = itertools.count(ORDERS + 1)


def order() -> dict[str, object]:
    number = next(_order_ids)
    return {
        "orderId": number,
        "portfolioId": f"P{number % 50}",
        "orderType": "BUY" if number % 2 else "SELL",
        "securityId": f"S{number % 500}",
        "quantity": number % 977 + 1,
    }


def session(target: Target, name: str, role: str) -> aiohttp.ClientSession:
    """A client with a token of its own."""
    token = signed(sub=name, roles=[role], exp=time.time() + 600)
    return aiohttp.ClientSession(
        f"http://127.0.0.1:{target.port}",
        headers={"Authorization": f"Bearer {token}"},
        connector=aiohttp.TCPConnector(limit=0),
        timeout=aiohttp.ClientTimeout(total=60),
    )


@asynccontextmanager
async def reading(reader: aiohttp.ClientSession) -> AsyncIterator[list[int]]:
    """Readers that ask for the next heavy list as soon as they have one; the statuses of their answers."""
    statuses: list[int] = []

    async def read_on(path: str) -> None:
        while True:
            async with reader.get(path) as answer:
                await answer.read()
                statuses.append(answer.status)

    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(read_on(LISTS[number % len(LISTS)])) for number in range(READERS)]
        while len(statuses) < 5:
            await asyncio.sleep(0.01)
        yield statuses
        for task in tasks:
            task.cancel()


async def latencies_ms(trader: aiohttp.ClientSession) -> list[float]:
    """How long each of the trader's orders took."""
    found = []
    for _ in range(MEASURED):
        began = time.perf_counter()
        async with trader.post("/api/v1/tradeOrders", json=order()) as answer:
            assert answer.status == 201, await answer.text()
        found.append(1000 * (time.perf_counter() - began))
    return found


@pytest.fixture
async def target(database_url: str, postgres: TestServer, tmp_path: Path) -> AsyncIterator[Target]:
    link = await asyncpg.connect(database_url)
    await link.execute(FILL)
    await link.close()
    keys = tmp_path / "keys.json"
    keys.write_bytes(jwks(jwk(RSA_KEY.public_key(), "a")))
    auth = {
        "TRADE_SERVICE_AUTH_MODE": "jwt",
        "TRADE_SERVICE_AUTH_JWT_ISSUER": ISSUER,
        "TRADE_SERVICE_AUTH_JWT_AUDIENCE": AUDIENCE,
        "TRADE_SERVICE_AUTH_JWT_KEYS_FILE": str(keys),
    }
    async with served(postgres, urlsplit(database_url).path[1:], tmp_path, **auth) as running:
        yield running


async def test_heavy_lists_of_one_reader_leave_a_trader_its_share(target: Target) -> None:
    async with session(target, "desk", "trader") as trader, session(target, "report", "reader") as reader:
        calm: list[float] = []
        stormy: list[float] = []
        await latencies_ms(trader)
        for _ in range(ROUNDS):
            calm += await latencies_ms(trader)
            async with reading(reader) as statuses:
                stormy += await latencies_ms(trader)
            assert set(statuses) == {200}
    ratio = quantile(sorted(stormy), 0.99) / quantile(sorted(calm), 0.99)
    assert ratio < 3, f"the trader's p99 grew {ratio:.1f} times"
