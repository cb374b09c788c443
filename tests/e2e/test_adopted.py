"""An adopted legacy database: both API versions work on all of it, and it can go back."""

from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import pytest

from execution_simulator.server import SimulatorSettings, running_simulator
from tests.support import earlier
from tests.web.live import ORDERS, Live, live_service, order_body
from trade_service.store.migrate import migrate


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


async def test_it_goes_back_unchanged(empty_database_url: str) -> None:
    await earlier.build(empty_database_url)
    before = await earlier.snapshot(empty_database_url)
    await migrate(empty_database_url)
    await migrate(empty_database_url, target="0001")
    assert await earlier.snapshot(empty_database_url) == before
