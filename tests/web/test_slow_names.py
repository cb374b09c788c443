"""Lists while the name services are slow: answered in time, with ids for names. Real sockets, real time."""

import asyncio
import time
from collections.abc import AsyncIterator

import pytest

from tests.client.raw_server import Conversation, Script, raw_server
from tests.support.database import TestServer
from tests.web.live import Live, live_alone
from trade_service.trading.trading_settings import (
    NamesSettings,
    PortfolioServiceSettings,
    SecurityServiceSettings,
)

WAIT_MS = 500
MARGIN_S = 0.9
"""Allowance for statements and a busy machine; less than two further waits."""
QUERIES = [
    "limit=50",
    "sort=portfolio.name,security.ticker",
    "portfolio.name=P1&security.ticker=S1",
    "sort=-portfolio.name,security.ticker&portfolio.name=P1,Growth&security.ticker=S1,IBM",
]


async def silent(talk: Conversation) -> None:
    """Accepts requests and never answers."""
    await talk.hold()


async def trickling(talk: Conversation) -> None:
    """Sends an answer byte by byte, just fast enough for the client's read time-out."""
    await talk.request()
    await talk.send(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 100000\r\n\r\n")
    while True:
        await talk.send(b" ")
        await asyncio.sleep(0.02)


@pytest.fixture(scope="module", params=[silent, trickling])
async def slow(
    request: pytest.FixtureRequest, postgres: TestServer, template_database: str
) -> AsyncIterator[Live]:
    script: Script = request.param
    async with raw_server(script) as names:
        async with live_alone(
            postgres,
            template_database,
            security_service=SecurityServiceSettings(base_url=names.base_url),
            portfolio_service=PortfolioServiceSettings(base_url=names.base_url),
            names=NamesSettings(wait_ms=WAIT_MS, timeout_ms=60_000),
        ) as live:
            await live.client.get("/api/v2/tradeOrders")  # The first of all requests opens connections.
            yield live


@pytest.mark.parametrize("kind", ["tradeOrders", "executions"])
@pytest.mark.parametrize("query", QUERIES)
async def test_a_list_waits_no_longer_than_allowed_and_shows_ids(slow: Live, kind: str, query: str) -> None:
    order_id = await slow.order(100, portfolioId="P1", securityId="S1")
    assert (await slow.submit(order_id, 1)).status == 201
    began = time.monotonic()
    answer = await slow.client.get(f"/api/v2/{kind}?{query}")
    took_s = time.monotonic() - began
    assert answer.status == 200, answer.raw
    assert took_s < WAIT_MS / 1000 + MARGIN_S
    [first, *_] = answer.body[kind]
    order = first.get("tradeOrder", first)
    assert (order["portfolio"]["name"], order["security"]["ticker"]) == ("P1", "S1")


def test_the_default_wait_is_at_most_a_second() -> None:
    assert NamesSettings().wait_ms <= 1000
