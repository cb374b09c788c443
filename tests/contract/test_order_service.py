"""What the order service calls: it creates trade orders, singly and in bulk."""

from tests.contract.calls import TRADE_ORDER_FIELDS, ask, refused
from tests.support.trading import run_sql
from tests.web.live import DIGITS, Live, order_body


async def test_an_order_is_created_with_an_integer_id(live: Live) -> None:
    body = order_body(
        DIGITS, limitPrice="99.00000001", tradeTimestamp="2026-01-30T15:30:00+02:00", blotterId=2
    )
    order = await ask(live.client, "POST", "/tradeOrders", 201, body)
    assert isinstance(order["id"], int)
    assert order.keys() == TRADE_ORDER_FIELDS
    assert order["orderId"] == body["orderId"]
    assert order["blotter"]["abbreviation"] == "EQ"
    assert order["tradeTimestamp"] == "2026-01-30T13:30:00Z"
    assert (order["quantitySent"], order["submitted"], order["version"]) == (0, False, 1)
    raw = (await live.client.get(f"/api/v1/tradeOrders/{order['id']}")).raw
    assert f'"quantity":{DIGITS},"quantitySent":0,"limitPrice":99.00000001'.encode() in raw


async def test_an_order_that_cannot_be_is_refused(live: Live) -> None:
    good = order_body()
    for change, field in (
        ({"quantity": 0}, "quantity"),
        ({"quantity": "1.000000001"}, "quantity"),
        ({"portfolioId": "P" * 25}, "portfolioId"),
        ({"securityId": ""}, "securityId"),
        ({"orderType": "A LONG TYPE"}, "orderType"),
        ({"tradeTimestamp": "yesterday"}, "tradeTimestamp"),
        ({"orderId": None}, "orderId"),
    ):
        assert field in await refused(
            live.client, "POST", "/tradeOrders", 400, "INVALID_INPUT", good | change
        )
    await refused(live.client, "POST", "/tradeOrders", 404, "NOT_FOUND", good | {"blotterId": 99})
    await ask(live.client, "POST", "/tradeOrders", 201, good)
    message = await refused(live.client, "POST", "/tradeOrders", 409, "ALREADY_EXISTS", good)
    assert f"orderId: {good['orderId']} is taken" in message


async def test_a_bulk_is_created_all_or_nothing(live: Live) -> None:
    orders = [order_body() for _ in range(3)]
    envelope = await ask(live.client, "POST", "/tradeOrders/bulk", 201, {"tradeOrders": orders})
    assert [envelope[name] for name in ("status", "totalRequested", "successful", "failed")] == [
        "SUCCESS", 3, 3, 0,
    ]  # fmt: skip
    assert [result["requestIndex"] for result in envelope["results"]] == [0, 1, 2]
    for order, result in zip(orders, envelope["results"], strict=True):
        assert result["status"] == "SUCCESS"
        assert result["tradeOrder"].keys() == TRADE_ORDER_FIELDS
        assert result["tradeOrder"]["orderId"] == order["orderId"]

    fresh = order_body()
    mixed = {"tradeOrders": [fresh, orders[0]]}
    envelope = await ask(live.client, "POST", "/tradeOrders/bulk", 400, mixed)
    assert (envelope["status"], envelope["successful"], envelope["failed"]) == ("FAILURE", 0, 2)
    assert [(one["status"], one["tradeOrder"]) for one in envelope["results"]] == [("FAILURE", None)] * 2
    assert "tradeOrders[1]: orderId" in envelope["message"]
    await ask(live.client, "POST", "/tradeOrders", 201, fresh)


async def test_an_unknown_type_is_refused_wherever_an_order_is_written(live: Live) -> None:
    order_id = await live.order()
    written = await live.read_order(order_id)
    odd = order_body(orderType="SWAP")
    for method, path, body in (
        ("POST", "/api/v1/tradeOrders", odd),
        ("PUT", f"/api/v1/tradeOrders/{order_id}", odd | {"version": 1}),
        ("POST", "/api/v1/tradeOrders/bulk", {"tradeOrders": [order_body(), odd]}),
        ("POST", "/api/v2/tradeOrders/batch/create", {"tradeOrders": [order_body(), odd]}),
    ):
        answer = await live.client.call(method, path, body)
        assert (answer.status, answer.body["code"]) == (400, "UNKNOWN_ORDER_TYPE"), answer.raw
        details = answer.body["details"]
        assert (details["field"], details["value"]) == ("orderType", "SWAP")
        assert details["rule"] == "must be one of BUY, COVER, EXRC, SELL, SHORT"
        if "tradeOrders" in body:
            assert (answer.body["status"], details["index"]) == ("FAILURE", 1)
            assert [one["tradeOrder"] for one in answer.body["results"]] == [None, None]
    assert await live.read_order(order_id) == written


async def test_a_known_type_is_stored_in_one_spelling_and_found_in_any(live: Live) -> None:
    order = await ask(live.client, "POST", "/tradeOrders", 201, order_body(orderType="  sHoRt  "))
    assert order["orderType"] == "SHORT"
    form = order_body(orderType=" cover", version=order["version"])
    order = await ask(live.client, "PUT", f"/tradeOrders/{order['id']}", 200, form)
    assert order["orderType"] == "COVER"
    for spelled in ("COVER", "cover", "Cover,buy"):
        answer = await live.client.get(f"/api/v2/tradeOrders?id={order['id']}&orderType={spelled}")
        assert [one["orderType"] for one in answer.body["tradeOrders"]] == ["COVER"]


async def test_types_that_the_earlier_service_stored_stay_readable(live: Live) -> None:
    order_id = await live.order()
    await live.submit(order_id, 10)
    for stored, given, status in (("buy", "Buy", 200), ("BARTER", "BARTER", 400)):
        await run_sql(
            live.services.database,
            f"UPDATE trade_order SET order_type = '{stored}' WHERE id = :id",
            id=order_id,
        )
        order = await live.read_order(order_id)
        assert order["orderType"] == stored
        found = await live.client.get(f"/api/v2/tradeOrders?id={order_id}&orderType={stored.swapcase()}")
        assert [one["orderType"] for one in found.body["tradeOrders"]] == [stored]
        form = order_body(orderId=order["orderId"], orderType=given, version=order["version"])
        answer = await live.client.put(f"/api/v1/tradeOrders/{order_id}", form)
        assert answer.status == status, answer.raw
    assert (await live.read_order(order_id))["orderType"] == "BARTER"
