"""batch/create and batch/move of /api/v2, over the real service."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.support.database import TestServer
from tests.support.trading import counted_statements, run_sql, value_of
from tests.web.live import Live, live_alone, order_body

CREATE = "/api/v2/tradeOrders/batch/create"
MOVE = "/api/v2/tradeOrders/batch/move"


@pytest.fixture(scope="module")
async def live(postgres: TestServer, template_database: str) -> AsyncIterator[Live]:
    async with live_alone(postgres, template_database) as live:
        yield live


async def move(live: Live, ids: list[Any], blotter: object) -> Any:
    return await live.client.put(MOVE, {"tradeOrderIds": ids, "blotterAbbreviation": blotter})


async def test_a_batch_is_created_whole_with_names(live: Live) -> None:
    bodies = [order_body("1.12345678", blotterId=2), order_body(2)]
    answer = await live.client.post(CREATE, {"tradeOrders": bodies})
    assert answer.status == 201
    assert b'"quantity":1.12345678,' in answer.raw
    assert {name: answer.body[name] for name in ("status", "totalRequested", "successful", "failed")} == {
        "status": "SUCCESS",
        "totalRequested": 2,
        "successful": 2,
        "failed": 0,
    }
    orders = [result["tradeOrder"] for result in answer.body["results"]]
    assert [order["orderId"] for order in orders] == [body["orderId"] for body in bodies]
    assert orders[0]["portfolio"] == {"portfolioId": "P1", "name": "P1"}
    assert [order["blotter"] and order["blotter"]["abbreviation"] for order in orders] == ["EQ", None]


async def test_a_batch_is_refused_whole(live: Live) -> None:
    bodies = [order_body(1), order_body(0)]
    answer = await live.client.post(CREATE, {"tradeOrders": bodies})
    assert (answer.status, answer.body["status"]) == (400, "FAILURE")
    assert [result["tradeOrder"] for result in answer.body["results"]] == [None, None]
    assert "tradeOrders[1]" in answer.body["message"]
    first = f"orderId={bodies[0]['orderId']}"
    assert (await live.client.get(f"/api/v2/tradeOrders?{first}")).body["tradeOrders"] == []


async def test_a_repeated_creation_is_answered_and_not_done_twice(live: Live) -> None:
    bodies = [order_body(1), order_body(2)]
    headers = {"Idempotency-Key": "batch-create-1"}
    first = await live.client.post(CREATE, {"tradeOrders": bodies}, headers=headers)
    again = await live.client.post(CREATE, {"tradeOrders": bodies}, headers=headers)
    assert (first.status, again.status) == (201, 201)
    assert again.body == first.body


async def test_orders_move_each_for_itself(live: Live) -> None:
    ids = await live.orders(2)
    answer = await move(live, [ids[1], 999_999, ids[0]], "fi")
    assert (answer.status, answer.body["status"]) == (207, "PARTIAL")
    results = answer.body["results"]
    assert [result["tradeOrderId"] for result in results] == [ids[1], 999_999, ids[0]]
    assert [result["requestIndex"] for result in results] == [0, 1, 2]
    assert [result["status"] for result in results] == ["SUCCESS", "FAILURE", "SUCCESS"]
    assert "999999 does not exist" in results[1]["message"]
    moved = results[0]["tradeOrder"]
    assert (moved["blotter"]["abbreviation"], moved["version"]) == ("FI", 2)
    assert (await live.read_order(ids[0]))["blotter"]["abbreviation"] == "FI"
    again = await move(live, ids, "FI")
    assert again.status == 200
    assert [result["tradeOrder"]["version"] for result in again.body["results"]] == [2, 2]
    assert (await move(live, [999_998], "FI")).body["status"] == "FAILURE"


async def test_what_is_under_way_keeps_the_blotter_it_was_cut_with(live: Live) -> None:
    order_id = await live.order(10, blotterId=2)
    execution_id = (await live.submit(order_id, 4)).body["id"]
    database = live.services.database
    await run_sql(
        database, "UPDATE execution SET submission_state = 'unknown' WHERE id = :id", id=execution_id
    )
    row = "SELECT to_jsonb(e) FROM execution e WHERE id = :id"
    before = await value_of(database, row, id=execution_id)
    assert (await move(live, [order_id], "HOLD")).status == 200
    assert await value_of(database, row, id=execution_id) == before
    order = await live.read_order(order_id)
    assert (order["quantitySent"], order["blotter"]["abbreviation"]) == (4, "HOLD")
    assert (await live.read_execution(execution_id))["blotter"]["abbreviation"] == "EQ"
    await run_sql(
        database, "UPDATE execution SET submission_state = 'accepted' WHERE id = :id", id=execution_id
    )


async def test_a_move_costs_the_same_statements_for_one_and_for_many(live: Live) -> None:
    ids = await live.orders(100)
    counts = []
    async with counted_statements(live.services.database) as statements:
        for chosen, blotter in ((ids[:1], "FI"), (ids, "EQ")):
            statements.clear()
            assert (await move(live, chosen, blotter)).status == 200
            counts.append(len([one for one in statements if "trade_order" in one and "audit_log" not in one]))
    assert counts == [2, 2]


@pytest.mark.parametrize(
    ("ids", "blotter", "status", "field"),
    [
        ([], "EQ", 400, "tradeOrderIds"),
        ([1, 1], "EQ", 400, "tradeOrderIds"),
        (["x"], "EQ", 400, "item"),
        ([1], None, 400, "blotterAbbreviation"),
        ([1], "NONE", 404, "blotterAbbreviation"),
        (list(range(1001)), "EQ", 413, "tradeOrderIds"),
    ],
)
async def test_what_cannot_be_moved(
    live: Live, ids: list[Any], blotter: object, status: int, field: str
) -> None:
    answer = await move(live, ids, blotter)
    assert answer.status == status
    assert answer.body["details"]["field"] == field
