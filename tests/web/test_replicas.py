"""Two replicas on one database, as clients see them: reference data, and a failing Execution Service."""

from collections.abc import AsyncIterator
from decimal import Decimal
from typing import Any

import msgspec
import pytest

from execution_simulator.server import SimulatorSettings, running_simulator
from tests.support.database import TestServer
from tests.web.live import ORDERS, Live, behave, live_service, order_body
from trade_service.submission.engine_settings import RetrySettings

REFERENCES = {
    "blotters": ("blotters", "name"),
    "destinations": ("destinations", "description"),
    "executionStatuses": ("executionStatuses", "description"),
    "tradeTypes": ("tradeType", "description"),
}
"""By collection: the path of one row, and its text field."""
UNKNOWN = 987_654


class Pair(msgspec.Struct):
    """Two replicas that cache reference data."""

    one: Live
    two: Live


@pytest.fixture(scope="module")
async def running(postgres: TestServer, template_database: str) -> AsyncIterator[Pair]:
    twice = RetrySettings(max_attempts=2, initial_delay_ms=20, max_delay_ms=50)
    async with (
        postgres.database(template_database) as url,
        running_simulator(SimulatorSettings(retry_after_s=0)) as simulator,
        live_service(url, simulator, retry=twice) as one,
        live_service(url, simulator, retry=twice) as two,
    ):
        yield Pair(one, two)


@pytest.fixture
def pair(running: Pair) -> Pair:
    behave(running.one.simulator)
    return running


async def done(live: Live, status: int, method: str, path: str, body: object = None) -> Any:
    answer = await live.client.call(method, path if path.startswith("/") else f"/api/v1/{path}", body)
    assert answer.status == status, answer.raw
    return answer.body


# --- reference data ---


@pytest.mark.parametrize("collection", REFERENCES)
async def test_a_change_on_one_shows_on_the_other_at_once(pair: Pair, collection: str) -> None:
    single, text = REFERENCES[collection]
    for writer, reader in ((pair.one, pair.two), (pair.two, pair.one)):
        before = await done(reader, 200, "GET", collection)
        made = await done(writer, 201, "POST", collection, {"abbreviation": "NEU", text: "New"})
        path = f"{single}/{made['id']}"
        assert await done(reader, 200, "GET", path) == made
        assert await done(reader, 200, "GET", collection) == [*before, made]
        changed = await done(writer, 200, "PUT", path, made | {text: "Newer"})
        assert await done(reader, 200, "GET", path) == changed
        # The version of before is refused by both, that of now is taken by either.
        await done(reader, 409, "PUT", path, made)
        await done(reader, 409, "DELETE", f"{path}?version={made['version']}")
        await done(reader, 204, "DELETE", f"{path}?version={changed['version']}")
        await done(writer, 404, "GET", path)
        assert await done(writer, 200, "GET", collection) == before


@pytest.mark.parametrize("batch", [False, True])
async def test_a_new_destination_is_sent_to_by_the_other_at_once(pair: Pair, batch: bool) -> None:
    """Even if it has just failed to find another one."""
    order_id = await pair.two.order()
    assert (await pair.two.submit(order_id, 1, UNKNOWN)).status == 400
    made = await done(
        pair.one, 201, "POST", "destinations", {"abbreviation": f"D{order_id}", "description": "Of a test"}
    )
    if batch:
        part = {"tradeOrderId": order_id, "quantity": 1, "destinationId": made["id"]}
        answer = await done(pair.two, 200, "POST", f"{ORDERS}/batch/submit", {"submissions": [part]})
        assert answer["status"] == "SUCCESS", answer
    else:
        answer = await pair.two.submit(order_id, 1, made["id"])
        assert (answer.status, answer.body["destination"]) == (201, made)
    assert pair.one.simulator.ledger.total


async def test_a_new_blotter_is_taken_by_the_other_at_once(pair: Pair) -> None:
    refused = await pair.two.client.post(ORDERS, order_body(blotterId=UNKNOWN))
    assert refused.status == 404
    made = await done(pair.one, 201, "POST", "blotters", {"abbreviation": "DESK", "name": "Desk"})
    order = await done(pair.two, 201, "POST", ORDERS, order_body(blotterId=made["id"]))
    assert order["blotter"] == made
    assert (await pair.two.read_order(order["id"]))["blotter"] == made


async def test_rows_show_what_the_other_renamed_at_once(pair: Pair) -> None:
    """Although the reader has read them, and so has a copy of the old names."""
    body = {"abbreviation": "OLD", "name": "Old", "description": "Old"}
    blotter = await done(pair.one, 201, "POST", "blotters", body)
    destination = await done(pair.one, 201, "POST", "destinations", body)
    order = await done(pair.two, 201, "POST", ORDERS, order_body(blotterId=blotter["id"]))
    sent = (await pair.two.submit(order["id"], 1, destination["id"])).body
    assert (await pair.two.read_order(order["id"]))["blotter"] == blotter
    blotter = await done(pair.one, 200, "PUT", f"blotters/{blotter['id']}", blotter | {"name": "New"})
    path = f"destinations/{destination['id']}"
    destination = await done(pair.one, 200, "PUT", path, destination | {"description": "New"})
    execution = await done(pair.two, 200, "GET", f"executions/{sent['id']}")
    assert (execution["destination"], execution["tradeOrder"]["blotter"]) == (destination, blotter)
    blotter = await done(pair.one, 200, "PUT", f"blotters/{blotter['id']}", blotter | {"name": "Newer"})
    assert (await pair.two.read_order(order["id"]))["blotter"] == blotter
    blotter = await done(pair.one, 200, "PUT", f"blotters/{blotter['id']}", blotter | {"name": "Newest"})
    (listed,) = (await done(pair.two, 200, "GET", f"/api/v2/tradeOrders?id={order['id']}"))["tradeOrders"]
    assert listed["blotter"] == blotter
    blotter = await done(pair.one, 200, "PUT", f"blotters/{blotter['id']}", blotter | {"name": "Last"})
    assert (await pair.two.submit(order["id"], 1)).body["tradeOrder"]["blotter"] == blotter
    blotter = await done(
        pair.one, 200, "PUT", f"blotters/{blotter['id']}", blotter | {"abbreviation": "FRESH"}
    )
    move = {"tradeOrderIds": [order["id"]], "blotterAbbreviation": "OLD"}
    await done(pair.two, 404, "PUT", "/api/v2/tradeOrders/batch/move", move)


async def test_what_the_other_deleted_is_gone_at_once(pair: Pair) -> None:
    made = await done(
        pair.one, 201, "POST", "destinations", {"abbreviation": "SOON", "description": "Of a test"}
    )
    order_id = await pair.two.order()
    assert (await pair.two.submit(order_id, 1, UNKNOWN)).status == 400
    await done(pair.one, 204, "DELETE", f"destinations/{made['id']}?version={made['version']}")
    assert (await pair.two.submit(order_id, 1, made["id"])).status == 400
    assert await pair.one.left_of(order_id) == (Decimal(100), False)


# --- what the Execution Service fails ---

FAILING = [
    "error_500_before",
    "error_503",
    "gateway_502_before",
    "gateway_504_before",
    "refuse",
]


@pytest.mark.parametrize("fault", FAILING)
async def test_a_final_failure_is_reported_and_returns_the_quantity(pair: Pair, fault: str) -> None:
    simulator = pair.one.simulator
    order_id = await pair.one.order()
    simulator.script([fault] * 4)
    answer = await pair.one.submit(order_id, 40)
    assert answer.status in (500, 502, 503, 504), answer.raw
    assert answer.body["code"] == "NOT_ACCEPTED"
    assert {"error", "message", "details"} <= answer.body.keys()
    behave(simulator)
    for live in (pair.one, pair.two):
        assert await live.left_of(order_id) == (Decimal(100), False)
    assert (await pair.two.submit(order_id, 100)).status == 201
    await pair.two.accounts_agree()


@pytest.mark.parametrize("fault", ["error_500_after", "error_503_after", "gateway_502_after"])
async def test_a_failure_after_the_commit_is_found_out(pair: Pair, fault: str) -> None:
    order_id = await pair.one.order()
    pair.one.simulator.script([fault])
    answer = await pair.one.submit(order_id, 100)
    assert (answer.status, answer.body["executionStatus"]["abbreviation"]) == (201, "SENT"), answer.raw
    assert answer.body["quantityPlaced"] == "100.00"
    for live in (pair.one, pair.two):
        assert await live.left_of(order_id) == (Decimal(0), True)
    assert (await pair.two.submit(order_id, 1)).status == 400
    await pair.two.accounts_agree()
