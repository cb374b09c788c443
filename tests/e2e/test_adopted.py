"""An adopted legacy database: both API versions work on all of it, and it can go back."""

import asyncio
import shlex
import signal
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack
from typing import Any

import aiohttp
import asyncpg
import pytest

from execution_simulator.server import SimulatorSettings, running_simulator
from tests.e2e.command import Cli, Running
from tests.store.test_adoption_recovery import sent_by_the_earlier_service
from tests.support import earlier
from tests.support.database import TestServer
from tests.support.documents import ROOT, commands_of
from tests.web.live import ORDERS, Live, live_service, order_body
from trade_service.store.embedded_binaries import INSTALLATION, installed_package
from trade_service.store.migrate import migrate

GUIDE = ROOT / "docs/adopt.md"
COPY = "postgresql://trade@copy-of-the-database:5432/trade"
DATABASE = "postgresql://trade@database:5432/trade"
EXECUTION_SERVICE = "http://execution-service:8084"
"""Addresses of the guide."""
NEW_ORDER = 777
FOUND = {2, 11}
"""Sent by the legacy service, which never learned of it."""
IN_LEDGER = (
    # Those that it knows, with the ids that it holds; then those that it does not.
    (1, "BUY", "ML", "S2", "100"),
    (6, "BUY", "ML", "S7", "30"),
    (7, "BUY", "ML", "S7", "30"),
    (2, "BUY", "RBC", "S3", "60"),
    (11, "SELL", "ML", "ABCDEFGHIJKLMNOPQRSTUVWX", "1234567890.12345678"),
)
SETTLED_SOON = """
UPDATE submission_attempt SET settle_ms = 200
WHERE next_action_at IS NOT NULL
"""
UNKNOWN = "SELECT count(*) FROM execution WHERE submission_state = 'unknown'"


@pytest.fixture
async def live(empty_database_url: str) -> AsyncIterator[Live]:
    await earlier.build(empty_database_url)
    await migrate(empty_database_url)
    async with (
        running_simulator(SimulatorSettings(retry_after_s=0)) as simulator,
        live_service(empty_database_url, simulator) as service,
    ):
        yield service


async def page(live: Live, path: str) -> Any:
    answer = await live.client.get(path)
    assert answer.status == 200, answer.raw
    return answer.body


async def test_an_adopted_database_is_served_completely_and_can_go_back(
    live: Live, empty_database_url: str
) -> None:
    orders = (await page(live, "/api/v2/tradeOrders?limit=1000&sort=id"))["tradeOrders"]
    executions = (await page(live, "/api/v2/executions?limit=1000&sort=id"))["executions"]
    assert [order["id"] for order in orders] == list(range(1, 15))
    assert [execution["id"] for execution in executions] == list(range(1, 16))
    assert [order["id"] for order in await page(live, f"{ORDERS}?limit=1000")] == list(range(1, 15))
    for kind, rows in (("tradeOrders", orders), ("executions", executions)):
        for row in rows:
            for version in ("v1", "v2"):
                assert (await page(live, f"/api/{version}/{kind}/{row['id']}"))["version"] == row["version"]
    long = orders[10]
    assert (long["portfolio"]["portfolioId"], long["submitted"]) == ("012345678901234567890123", True)
    assert (await page(live, "/api/v2/tradeOrders?orderType=SELL&sort=-id"))["pagination"][
        "totalElements"
    ] == 2
    found = await page(live, "/api/v2/executions?executionStatus.abbreviation=PART")
    assert [execution["executionServiceId"] for execution in found["executions"]] == [502]

    await _worked_on(live)

    link = await asyncpg.connect(empty_database_url)
    try:
        assert len(await link.fetch(earlier.READ_EXECUTION, 11)) == 1
        new = await link.fetchval(earlier.INSERT_ORDER, 9999)
        assert (await link.fetchval(earlier.INSERT_EXECUTION, new, 5)) > 15
    finally:
        await link.close()


async def _worked_on(live: Live) -> None:
    """Legacy rows keep working beside new ones."""
    part = await live.submit(3, 40)
    assert (part.status, part.body["executionStatus"]["abbreviation"]) == (201, "SENT")
    assert (await live.submit(3, 1)).status == 400
    report = {"executionStatus": "FULL", "quantityFilled": 30, "version": 3}
    assert (await live.client.put("/api/v1/executions/6/fill", report)).body["quantityFilled"] == "30.00"
    assert (await live.client.call("DELETE", "/api/v1/executions/1?version=2")).status == 409
    created = await live.client.post(ORDERS, order_body(7))
    assert created.body["id"] > 14
    assert (await live.batch((created.body["id"], 7), (1, 100))).body["successful"] == 2
    moved = {"tradeOrderIds": [1, 2], "blotterAbbreviation": "FI"}
    assert (await live.client.put("/api/v2/tradeOrders/batch/move", moved)).status == 200


async def test_every_command_of_the_adoption_guide_works(
    cli: Cli, empty_database_url: str, postgres: TestServer
) -> None:
    """In the page's order, from the check to the way back, with an order created in between."""
    await earlier.build(empty_database_url)
    before = await earlier.snapshot(empty_database_url)
    async with (
        postgres.database() as copy_url,
        running_simulator(SimulatorSettings(first_id=501)) as simulator,
    ):
        await earlier.build(copy_url)
        for sent in IN_LEDGER:
            await sent_by_the_earlier_service(simulator, *sent)
        addresses = {COPY: copy_url, DATABASE: empty_database_url, EXECUTION_SERVICE: simulator.base_url}
        guide = Guide(cli, addresses)
        async with AsyncExitStack() as stack:
            for line in commands_of(GUIDE):
                await guide.follow(line, stack)
        counts = simulator.ledger.accepted_counts()
        assert await earlier.snapshot(copy_url) == before, "only the database itself is adopted"
    assert guide.followed == [
        "export", "export", "db adopt --check", "export", "pg_dump", "db adopt", "export", "serve", "db status",
        "unknowns", "audit", "db migrate --to base",
    ]  # fmt: skip
    assert counts == dict.fromkeys((one[0] for one in IN_LEDGER), 1), "nothing was sent"
    after = await earlier.snapshot(empty_database_url)
    assert [row["order_id"] for row in after["trade_order"].values() if row["id"] > 14] == [NEW_ORDER]
    for table, rows in before.items():
        kept = {i: row for i, row in after[table].items() if i <= len(rows)}
        changed = {i for i, row in kept.items() if row != rows[i]}
        assert (kept.keys(), changed) == (rows.keys(), FOUND if table == "execution" else set())
    link = await asyncpg.connect(empty_database_url)
    try:
        assert await link.fetchval(earlier.INSERT_ORDER, 9999) > 15, "the legacy service works on"
    finally:
        await link.close()


class Guide:
    """Follows the guide as its reader does, with addresses of its own in place of those on the page."""

    def __init__(self, cli: Cli, addresses: Mapping[str, str]) -> None:
        self._cli = cli
        self._addresses = addresses
        self._serving: Running | None = None
        self.followed: list[str] = []

    async def follow(self, line: str, stack: AsyncExitStack) -> None:
        program, *words = shlex.split(line)
        match program, *words:
            case "export", setting:
                name, _, value = setting.partition("=")
                self._cli = self._cli.under(**{name: self._addresses.get(value, value)})
            case "pg_dump", *options:
                url = self._cli.environment["DATABASE_URL"]
                tool = installed_package() / INSTALLATION / "bin" / program
                given = [option.replace("$DATABASE_URL", url) for option in options]
                dump = await asyncio.create_subprocess_exec(tool, *given, cwd=self._cli.folder)
                assert await dump.wait() == 0
            case "trade-service", "serve", *options:
                self._serving = await self._cli.start("serve", *options, "--port", "0")
                await stack.enter_async_context(self._serving)
                await self._watch(await self._serving.line_with("Serving on "))
            case "trade-service", *command:
                await self._run(command)
            case _:
                raise AssertionError(f"the reader does not know how to follow {line}")
        self.followed.append(
            program if program != "trade-service" else " ".join(words).partition(" --host")[0]
        )

    async def _watch(self, line: str) -> None:
        """Creates an order, and waits until no outcome is unknown."""
        url = line.split()[2].rstrip(";").replace("0.0.0.0", "127.0.0.1")
        async with aiohttp.ClientSession() as session:
            body = order_body(10, orderId=NEW_ORDER)
            async with session.post(f"{url}{ORDERS}", json=body) as answer:
                assert answer.status == 201, await answer.text()
        link = await asyncpg.connect(self._cli.environment["DATABASE_URL"])
        try:
            async with asyncio.timeout(60):
                while await link.fetchval(UNKNOWN):
                    await asyncio.sleep(0.1)
        finally:
            await link.close()

    async def _run(self, command: list[str]) -> None:
        if command[:2] == ["db", "migrate"] and self._serving is not None:
            self._serving.send(signal.SIGTERM)
            assert (await self._serving.ended()).code == 0
        asks = command in (["db", "adopt"], ["db", "migrate", "--to", "base"])
        ended = await self._cli.run(*command, *(["--yes"] if asks else []))
        assert ended.code == 0, (command, ended)
        if command == ["db", "adopt"]:
            link = await asyncpg.connect(self._cli.environment["DATABASE_URL"])
            await link.execute(SETTLED_SOON)
            await link.close()
