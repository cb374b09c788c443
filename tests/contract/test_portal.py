"""The calls of the trading portal: trade orders and executions are created, changed, submitted and cancelled."""

from decimal import Decimal
from typing import Any

import pytest

from tests.contract.calls import EXECUTION_FIELDS, TRADE_ORDER_FIELDS, V1, ask, refused
from tests.support.trading import run_sql
from tests.web.live import Live, order_body

MOMENT = "2026-01-30T15:30:00Z"


async def order_of(live: Live, quantity: object = 100, **changes: Any) -> Any:
    return await ask(live.client, "POST", "/tradeOrders", 201, order_body(quantity, **changes))


def execution_body(order: Any, quantity: object = "40", **changes: Any) -> dict[str, Any]:
    """An execution as the portal's form sends it."""
    return {
        "executionTimestamp": MOMENT,
        "executionStatusId": 1,
        "blotterId": 2,
        "tradeTypeId": 1,
        "tradeOrderId": order["id"],
        "destinationId": 1,
        "quantityOrdered": quantity,
        "quantityPlaced": 0,
        "quantityFilled": "0.00",
        "limitPrice": "9.5",
        "executionServiceId": None,
        **changes,
    }


def form_of(execution: Any, **changes: Any) -> dict[str, Any]:
    """The form filled with an execution that was read."""
    return {
        "id": execution["id"],
        "version": execution["version"],
        "executionStatusId": execution["executionStatus"]["id"],
        "blotterId": execution["blotter"] and execution["blotter"]["id"],
        "tradeTypeId": execution["tradeType"]["id"],
        "tradeOrderId": execution["tradeOrder"]["id"],
        "destinationId": execution["destination"]["id"],
        **{name: execution[name] for name in execution.keys() & set(_PLAIN)},
        **changes,
    }


_PLAIN = (
    "executionTimestamp",
    "quantityOrdered",
    "quantityPlaced",
    "quantityFilled",
    "limitPrice",
    "executionServiceId",
)


class TestTradeOrders:
    async def test_read_changed_and_deleted(self, live: Live) -> None:
        order = await order_of(live, 100, blotterId=2)
        path = f"/tradeOrders/{order['id']}"
        form = order | {"quantity": "250.12345678", "limitPrice": None, "blotterId": 3, "quantitySent": 77}
        changed = await ask(live.client, "PUT", path, 200, form)
        assert changed.keys() == TRADE_ORDER_FIELDS
        assert (changed["blotter"]["abbreviation"], changed["quantitySent"]) == ("FI", 0)
        assert (changed["version"], changed["limitPrice"]) == (2, None)
        assert await ask(live.client, "GET", path, 200) == changed
        await refused(live.client, "PUT", path, 409, "VERSION_CONFLICT", form)
        await refused(live.client, "DELETE", f"{path}?version=1", 409, "VERSION_CONFLICT")
        assert await ask(live.client, "DELETE", f"{path}?version=2", 204) is None
        for method, query, body in (("GET", "", None), ("PUT", "", form), ("DELETE", "?version=2", None)):
            await refused(live.client, method, path + query, 404, "NOT_FOUND", body)

    async def test_a_change_never_touches_what_was_sent(self, live: Live) -> None:
        order = await order_of(live)
        path = f"/tradeOrders/{order['id']}"
        await live.submit(order["id"], 60)
        order = await ask(live.client, "GET", path, 200)
        changed = await ask(live.client, "PUT", path, 200, order | {"quantity": 60, "quantitySent": 0})
        assert (changed["quantitySent"], changed["submitted"]) == (60, True)
        message = await refused(live.client, "PUT", path, 400, "INVALID_INPUT", changed | {"quantity": 59})
        assert message == "quantity: must not be below quantitySent, 60; got '59'"
        for field, value in (("securityId", "AAPL"), ("orderType", "SELL")):
            message = await refused(live.client, "PUT", path, 409, "IN_USE", changed | {field: value})
            assert message.startswith(f"{field}: must stay")
        message = await refused(live.client, "DELETE", f"{path}?version={changed['version']}", 409, "IN_USE")
        assert "has executions" in message

    async def test_bad_changes_name_the_field(self, live: Live) -> None:
        order, other = await order_of(live), await order_of(live)
        path = f"/tradeOrders/{order['id']}"
        for change, status, code, field in (
            ({"quantity": -1}, 400, "INVALID_INPUT", "quantity"),
            ({"securityId": " "}, 400, "INVALID_INPUT", "securityId"),
            ({"version": None}, 400, "INVALID_INPUT", "version"),
            ({"id": other["id"]}, 400, "INVALID_INPUT", "id"),
            ({"tradeTimestamp": "2026-01-30T15:30:00"}, 400, "INVALID_INPUT", "tradeTimestamp"),
            ({"blotterId": 99}, 404, "NOT_FOUND", "blotterId"),
            ({"orderId": other["orderId"]}, 409, "ALREADY_EXISTS", "orderId"),
        ):
            assert field in await refused(live.client, "PUT", path, status, code, order | change)
        for query in ("", "?version=one", "?version=99999999999"):
            assert "version" in await refused(live.client, "DELETE", path + query, 400, "INVALID_INPUT")
        assert await ask(live.client, "GET", path, 200) == order


class TestExecutions:
    async def test_created_sent_and_filled(self, live: Live) -> None:
        order = await order_of(live)
        made = await ask(live.client, "POST", "/executions", 201, execution_body(order, 40))
        assert made.keys() == EXECUTION_FIELDS
        assert (made["quantityOrdered"], made["limitPrice"], made["version"]) == ("40.00", "9.50", 1)
        assert made["executionTimestamp"] == MOMENT
        assert made["tradeOrder"]["quantitySent"] == 40
        path = f"/executions/{made['id']}"
        assert await ask(live.client, "GET", path, 200) == made

        sent = await ask(live.client, "POST", f"/execution/{made['id']}/submit", 200)
        assert (sent["executionStatus"]["abbreviation"], sent["quantityPlaced"]) == ("SENT", "40.00")
        filled = form_of(sent, executionStatusId=4, quantityFilled="40", blotterId=None)
        answer = await ask(live.client, "PUT", path, 200, filled)
        assert (answer["executionStatus"]["abbreviation"], answer["quantityFilled"]) == ("FULL", "40.00")
        assert (answer["blotter"], answer["executionServiceId"]) == (None, sent["executionServiceId"])

    async def test_changed_moved_and_deleted(self, live: Live) -> None:
        one, other = await order_of(live), await order_of(live, 50)
        made = await ask(live.client, "POST", "/executions", 201, execution_body(one))
        path = f"/executions/{made['id']}"
        form = form_of(made, tradeOrderId=other["id"], quantityOrdered="50", destinationId=2, limitPrice=None)
        moved = await ask(live.client, "PUT", path, 200, form)
        assert (moved["tradeOrder"]["id"], moved["tradeOrder"]["submitted"]) == (other["id"], True)
        assert (moved["destination"]["id"], moved["limitPrice"], moved["version"]) == (2, None, 2)
        assert await live.left_of(one["id"]) == (Decimal(100), False)
        await refused(live.client, "PUT", path, 409, "VERSION_CONFLICT", form)
        await refused(live.client, "DELETE", f"{path}?version=1", 409, "VERSION_CONFLICT")
        assert await ask(live.client, "DELETE", f"{path}?version=2", 204) is None
        assert await live.left_of(other["id"]) == (Decimal(50), False)
        for method, query, body in (("GET", "", None), ("PUT", "", form), ("DELETE", "?version=2", None)):
            await refused(live.client, method, path + query, 404, "NOT_FOUND", body)

    async def test_no_more_than_the_order_has(self, live: Live) -> None:
        order = await order_of(live)
        await live.submit(order["id"], 70)
        body = execution_body(order, "30.00000001")
        message = await refused(live.client, "POST", "/executions", 400, "QUANTITY_EXCEEDED", body)
        assert f"quantityOrdered: trade order {order['id']} has 30 left of 100" in message
        await ask(live.client, "POST", "/executions", 201, execution_body(order, "30"))

    async def test_what_was_sent_stands(self, live: Live) -> None:
        submitted = await live.submit((await order_of(live))["id"], 40)
        sent = submitted.body
        path = f"/executions/{sent['id']}"
        for change, field in (
            ({"quantityOrdered": "41"}, "quantityOrdered"),
            ({"destinationId": 2}, "destinationId"),
            ({"limitPrice": 1}, "limitPrice"),
            ({"tradeTypeId": 2}, "tradeTypeId"),
            ({"executionServiceId": 0}, "executionServiceId"),
        ):
            message = await refused(live.client, "PUT", path, 409, "ALREADY_SENT", form_of(sent, **change))
            assert message.startswith(f"{field}: must stay as it was sent")
        message = await refused(
            live.client, "DELETE", f"{path}?version={sent['version']}", 409, "ALREADY_SENT"
        )
        assert "cancel it there" in message

    async def test_bad_executions_name_the_field(self, live: Live) -> None:
        order = await order_of(live)
        made = await ask(live.client, "POST", "/executions", 201, execution_body(order, 1))
        for change, status, code, field in (
            ({"executionStatusId": None}, 400, "INVALID_INPUT", "executionStatusId"),
            ({"quantityOrdered": "0"}, 400, "INVALID_INPUT", "quantityOrdered"),
            ({"quantityPlaced": "41"}, 400, "INVALID_INPUT", "quantityPlaced"),
            ({"quantityFilled": "-1"}, 400, "INVALID_INPUT", "quantityFilled"),
            ({"limitPrice": "cheap"}, 400, "INVALID_INPUT", "limitPrice"),
            ({"executionTimestamp": "now"}, 400, "INVALID_INPUT", "executionTimestamp"),
            ({"executionStatusId": 99}, 404, "NOT_FOUND", "executionStatusId"),
            ({"blotterId": 99}, 404, "NOT_FOUND", "blotterId"),
            ({"tradeTypeId": 99}, 404, "NOT_FOUND", "tradeTypeId"),
            ({"destinationId": 99}, 404, "NOT_FOUND", "destinationId"),
            ({"tradeOrderId": 987654}, 404, "NOT_FOUND", "tradeOrderId"),
        ):
            body = execution_body(order) | change
            assert field in await refused(live.client, "POST", "/executions", status, code, body)
            put = body | {"id": made["id"], "version": 1}
            path = f"/executions/{made['id']}"
            assert field in await refused(live.client, "PUT", path, status, code, put)
        assert await live.left_of(order["id"]) == (Decimal(99), False)


@pytest.mark.parametrize("state", ["queued", "claimed", "retry", "unknown"])
async def test_nothing_changes_under_what_is_in_flight(live: Live, state: str) -> None:
    order = await order_of(live)
    made = await ask(live.client, "POST", "/executions", 201, execution_body(order))
    await run_sql(
        live.services.database,
        "UPDATE execution SET submission_state = :state WHERE id = :id",
        state=state,
        id=made["id"],
    )
    order = await ask(live.client, "GET", f"/tradeOrders/{order['id']}", 200)
    for method, path, body in (
        ("PUT", f"/executions/{made['id']}", form_of(made, executionStatusId=7)),
        ("DELETE", f"/executions/{made['id']}?version=1", None),
        ("PUT", f"/tradeOrders/{order['id']}", order),
        ("DELETE", f"/tradeOrders/{order['id']}?version={order['version']}", None),
    ):
        message = await refused(live.client, method, path, 409, "IN_FLIGHT", body)
        assert f"execution {made['id']}" in message
    report = {"executionStatus": "PART", "quantityFilled": 1, "version": 1}
    fill = f"/executions/{made['id']}/fill"
    if state == "queued":  # It was never sent.
        await refused(live.client, "PUT", fill, 409, "FILL_OF_UNSENT", report)
    else:
        await ask(live.client, "PUT", fill, 200, report)


class TestLists:
    @pytest.mark.parametrize("collection", ["/tradeOrders", "/executions"])
    async def test_pages_by_id_with_the_total(self, live: Live, collection: str) -> None:
        """Rows of other tests may change meanwhile: only their ids are compared."""
        order = await order_of(live, blotterId=2)
        for _ in range(4):
            await order_of(live)
            await ask(live.client, "POST", "/executions", 201, execution_body(order, "1"))
        whole = await live.client.get(V1 + collection)
        rows = whole.body
        assert [row["id"] for row in rows] == sorted(row["id"] for row in rows)
        assert rows[-1].keys() == (TRADE_ORDER_FIELDS if collection == "/tradeOrders" else EXECUTION_FIELDS)
        assert whole.headers["x-total-count"] == str(len(rows))
        for row in rows[-2:]:
            assert await ask(live.client, "GET", f"{collection}/{row['id']}", 200) == row
        for query, part in (
            ("limit=2", rows[:2]),
            ("limit=2&offset=3", rows[3:5]),
            ("offset=3", rows[3:]),
            ("limit=1000&offset=1", rows[1:]),
            (f"offset={len(rows)}", []),
            ("limit=1&offset=2147483647", []),
            ("limit=&offset=", rows),
        ):
            page = await live.client.get(f"{V1}{collection}?{query}")
            assert [row["id"] for row in page.body] == [row["id"] for row in part], query
            own = [row for row in page.body if row["id"] >= rows[-4]["id"]]
            assert own == [row for row in part if row in rows[-4:]], query
            assert page.headers["x-total-count"] == str(len(rows)), query

    @pytest.mark.parametrize("collection", ["/tradeOrders", "/executions"])
    @pytest.mark.parametrize(
        "query",
        [
            "limit=0",
            "limit=1001",
            "limit=ten",
            "limit=1.5",
            "offset=-1",
            "offset=2147483648",
            "limit=1&limit=2",
        ],
    )
    async def test_impossible_pages_are_refused(self, live: Live, collection: str, query: str) -> None:
        message = await refused(live.client, "GET", f"{collection}?{query}", 400, "INVALID_INPUT")
        assert message.startswith(query.partition("=")[0])

    async def test_the_order_of_an_order_id(self, live: Live) -> None:
        order = await order_of(live)
        await order_of(live)
        for query, found in (
            (f"order_id={order['orderId']}", [order]),
            (f"order_id={order['orderId']}&offset=1", []),
            ("order_id=987654", []),
        ):
            page = await live.client.get(f"{V1}/tradeOrders?{query}")
            assert page.body == found
            assert page.headers["x-total-count"] == ("0" if "987654" in query else "1")
        for value in ("x", "99999999999"):
            message = await refused(
                live.client, "GET", f"/tradeOrders?order_id={value}", 400, "INVALID_INPUT"
            )
            assert message.startswith("order_id")

    async def test_no_list_is_unbounded(self, live: Live) -> None:
        for _ in range(2):
            await live.orders(600, 1)
        whole = await live.client.get(f"{V1}/tradeOrders")
        assert len(whole.body) == 1000
        assert int(whole.headers["x-total-count"]) >= 1200
        last = int(whole.headers["x-total-count"]) - 1
        assert len((await live.client.get(f"{V1}/tradeOrders?offset={last}")).body) == 1
