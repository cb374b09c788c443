"""A service with two workers, and clients that load it."""

import asyncio
import signal
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import count
from typing import Any

import aiohttp
import psutil

from tests.e2e.command import Cli, Running
from tests.support.engine import states_of
from trade_service.store.database import Database

CLIENTS = 8
LIMIT_S = 30.0
READINESS = "/api/v1/health/readiness"
TEST_LIMIT_S = 60.0


async def answer_of(url: str) -> Any:
    async with aiohttp.ClientSession() as session, session.get(url) as answer:
        assert answer.status == 200, await answer.text()
        return await (answer.json() if "json" in answer.content_type else answer.text())


async def metrics_of(url: str) -> dict[str, float]:
    lines = str(await answer_of(f"{url}/metrics")).splitlines()
    parts = (line.rpartition(" ") for line in lines if not line.startswith("#"))
    return {name: float(value) for name, _, value in parts}


class Service:
    """A running service with two workers."""

    def __init__(self, running: Running, url: str) -> None:
        self.running = running
        self.url = url

    @property
    def workers(self) -> list[psutil.Process]:
        """The processes of its workers; those that are being replaced are missing."""
        return [
            one
            for one in psutil.Process(self.running.process.pid).children()
            if one.status() != psutil.STATUS_ZOMBIE and "--worker" in one.cmdline()
        ]

    async def metrics(self) -> dict[str, float]:
        """All metrics, read over a connection of its own."""
        return await metrics_of(self.url)

    async def get(self, path: str) -> Any:
        """An answer, over a connection of its own, so that either worker may give it."""
        return await answer_of(f"{self.url}{path}")

    async def until(self, name: str, value: float) -> None:
        """Waits until a metric has a value."""
        async with asyncio.timeout(LIMIT_S):
            while (await self.metrics()).get(name) != value:
                await asyncio.sleep(0.05)


@asynccontextmanager
async def served(cli: Cli, *, is_quiet: bool = True) -> AsyncIterator[Service]:
    quiet = cli.under(TRADE_SERVICE_LOG_LEVEL="ERROR") if is_quiet else cli  # Nobody reads the log meanwhile.
    async with (
        asyncio.timeout(TEST_LIMIT_S),
        await quiet.start("serve", "--port", "0", "--workers", "2") as running,
    ):
        line = await running.line_with("Serving on ")
        assert "; 2 workers; " in line
        yield Service(running, line.split()[2].rstrip(";"))


async def stopped(service: Service) -> str:
    """Stops the service in order; returns what it printed on standard error."""
    service.running.send(signal.SIGTERM)
    ended = await service.running.ended()
    assert ended.code == 0, ended
    assert "Traceback" not in ended.err, ended.err
    return ended.err


class Load:
    """Clients that create an order and submit it, again and again, each time over new connections."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._ids = count(1)
        self.submitted: list[int] = []
        """Orders whose submission was answered with success."""
        self.cut_off = 0
        """Requests that got no answer."""
        self.refused = 0
        """Connections that were not accepted."""
        self.statuses: Counter[int] = Counter()
        self._stopping = False
        self._active = CLIENTS

    @asynccontextmanager
    async def running(self) -> AsyncIterator["Load"]:
        """Load until the context ends."""
        async with asyncio.TaskGroup() as group:
            for _ in range(CLIENTS):
                group.create_task(self._submit_orders())
            try:
                yield self
            finally:
                self._stopping = True

    async def stop(self) -> None:
        """Waits for the last answers."""
        self._stopping = True
        async with asyncio.timeout(LIMIT_S):
            while self._active:
                await asyncio.sleep(0.01)

    async def reach(self, submissions: int) -> None:
        """Waits for so many further submissions."""
        wanted = len(self.submitted) + submissions
        async with asyncio.timeout(LIMIT_S):
            while len(self.submitted) < wanted:
                await asyncio.sleep(0.01)

    async def _submit_orders(self) -> None:
        try:
            await self._submit_until_stopped()
        finally:
            self._active -= 1

    async def _submit_until_stopped(self) -> None:
        while not self._stopping:
            number = next(self._ids)
            order = {
                "orderId": number,
                "portfolioId": "P",
                "orderType": "BUY",
                "securityId": "IBM",
                "quantity": 5,
            }
            try:
                async with aiohttp.ClientSession() as session:
                    created = await self._post(session, "/api/v1/tradeOrders", order)
                    submission = {"quantity": 5, "destinationId": 1}
                    await self._post(session, f"/api/v1/tradeOrders/{created['id']}/submit", submission)
                self.submitted.append(created["id"])
            except aiohttp.ClientConnectorError:
                self.refused += 1
                await asyncio.sleep(0.05)
            except aiohttp.ClientError:
                self.cut_off += 1

    async def _post(self, session: aiohttp.ClientSession, path: str, body: object) -> Any:
        async with session.post(f"{self._url}{path}", json=body) as answer:
            self.statuses[answer.status] += 1
            assert answer.status == 201, await answer.text()
            return await answer.json()


async def all_settled(database: Database) -> dict[str, int]:
    """The executions by state, once none is open."""
    async with asyncio.timeout(LIMIT_S):
        while set(states := await states_of(database)) != {"accepted"}:
            await asyncio.sleep(0.1)
    return states


async def orders_sent(database: Database) -> set[int]:
    async with database.session() as session:
        rows = await session.connection.fetch("SELECT trade_order_id FROM execution")
    return {row[0] for row in rows}


async def readiness(url: str) -> str:
    """UP, or DOWN where it is not ready or accepts no connections."""
    try:
        async with aiohttp.ClientSession() as session, session.get(f"{url}{READINESS}") as answer:
            return "UP" if answer.status == 200 else "DOWN"
    except aiohttp.ClientConnectionError:
        return "DOWN"
