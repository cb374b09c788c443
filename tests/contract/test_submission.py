"""Submission as in the contract's table: single, in batches, and by id."""

from typing import Any

import pytest

from tests.contract.calls import EXECUTION_FIELDS, TRADE_ORDER_FIELDS, ask, refused
from tests.support.trading import run_sql
from tests.web.live import Live

RESULT_FIELDS = {"tradeOrderId", "status", "message", "execution", "requestIndex"}
ENVELOPE_FIELDS = {"status", "message", "totalRequested", "successful", "failed", "results"}


def part(order_id: int, quantity: object = 10, **changes: Any) -> dict[str, Any]:
    return {"tradeOrderId": order_id, "quantity": quantity, "destinationId": 1, **changes}


async def batch(live: Live, status: int, *parts: Any, query: str = "") -> Any:
    return await ask(
        live.client, "POST", f"/tradeOrders/batch/submit{query}", status, {"submissions": list(parts)}
    )


class TestOneOrder:
    async def test_an_execution_takes_what_the_order_has(self, live: Live) -> None:
        order_id = await live.order(limitPrice="5.5", blotterId=2)
        body = {"quantity": "60.5", "destinationId": 1}
        sent = await ask(live.client, "POST", f"/tradeOrders/{order_id}/submit", 201, body)
        assert sent.keys() == EXECUTION_FIELDS
        assert sent["tradeOrder"].keys() == TRADE_ORDER_FIELDS
        assert (sent["limitPrice"], sent["blotter"]["id"]) == ("5.50", 2)
        assert (sent["quantityOrdered"], sent["quantityPlaced"], sent["quantityFilled"]) == (
            "60.50", "60.50", "0.00",
        )  # fmt: skip
        assert sent["executionStatus"]["abbreviation"] == "SENT"
        assert isinstance(sent["executionServiceId"], int)
        order = await live.read_order(order_id)
        assert (order["quantitySent"], order["submitted"]) == (60.5, False)

    async def test_an_order_with_a_hundredth_left_counts_as_submitted(self, live: Live) -> None:
        for left, submitted in (("0.01", True), ("0.01000001", False)):
            order_id = await live.order(f"100{left[1:]}")
            await live.submit(order_id, 100)
            assert (await live.read_order(order_id))["submitted"] is submitted, left

    @pytest.mark.parametrize("order_type", ["BUY", " sell ", "Short", "cover", "EXRC"])
    async def test_an_order_type_becomes_the_trade_type(self, live: Live, order_type: str) -> None:
        answer = await live.submit(await live.order(orderType=order_type), 1, query="?noExecuteSubmit=true")
        assert answer.body["tradeType"]["abbreviation"] == order_type.strip().upper()
        assert answer.body["executionStatus"]["abbreviation"] == "NEW"
        assert (answer.body["quantityPlaced"], answer.body["executionServiceId"]) == ("0.00", None)

    async def test_what_cannot_be_submitted(self, live: Live) -> None:
        path = f"/tradeOrders/{await live.order()}/submit"
        for body, status, code in (
            ({"destinationId": 1}, 400, "INVALID_INPUT"),
            ({"quantity": 0, "destinationId": 1}, 400, "INVALID_INPUT"),
            ({"quantity": -1, "destinationId": 1}, 400, "INVALID_INPUT"),
            ({"quantity": "100.00000001", "destinationId": 1}, 400, "QUANTITY_EXCEEDED"),
        ):
            await refused(live.client, "POST", path, status, code, body)
        await ask(live.client, "POST", path, 400, {"quantity": 1, "destinationId": 999})
        good = {"quantity": 1, "destinationId": 1}
        await refused(live.client, "POST", "/tradeOrders/987654/submit", 404, "NOT_FOUND", good)
        strange = await live.order()
        await run_sql(
            live.services.database, "UPDATE trade_order SET order_type = 'BARTER' WHERE id = :id", id=strange
        )
        assert (
            "orderType"
            in (await ask(live.client, "POST", f"/tradeOrders/{strange}/submit", 400, good))["message"]
        )

    async def test_what_is_rejected_downstream_gives_its_quantity_back(self, live: Live) -> None:
        order_id = await live.order()
        live.simulator.script(["item_fail_permanent:0"])
        good = {"quantity": 40, "destinationId": 1}
        await refused(live.client, "POST", f"/tradeOrders/{order_id}/submit", 400, "NOT_ACCEPTED", good)
        order = await live.read_order(order_id)
        assert (order["quantitySent"], order["submitted"]) == (0, False)


class TestBatch:
    async def test_all_some_or_none(self, live: Live) -> None:
        one, two = await live.orders(2)
        for status, expected, parts in (
            (200, "SUCCESS", (part(one), part(two))),
            (207, "PARTIAL", (part(one, 999), part(two))),
            (200, "FAILURE", (part(one, 999), part(two, 999))),
        ):
            envelope = await batch(live, status, *parts)
            assert envelope.keys() == ENVELOPE_FIELDS
            assert envelope["status"] == expected
            assert [(r["tradeOrderId"], r["requestIndex"]) for r in envelope["results"]] == [
                (one, 0),
                (two, 1),
            ]
            for result in envelope["results"]:
                assert result.keys() == RESULT_FIELDS
                assert (result["status"] == "SUCCESS") == (result["execution"] is not None)
            failed = sum(result["status"] == "FAILURE" for result in envelope["results"])
            assert (envelope["totalRequested"], envelope["failed"], envelope["successful"]) == (
                2, failed, 2 - failed,
            )  # fmt: skip

    async def test_written_and_not_sent(self, live: Live) -> None:
        envelope = await batch(live, 200, part(await live.order()), query="?noExecuteSubmit=true")
        assert envelope["results"][0]["execution"]["executionStatus"]["abbreviation"] == "NEW"

    async def test_what_is_no_batch(self, live: Live) -> None:
        one, two = await live.orders(2)
        await batch(live, 400)
        await batch(live, 400, part(one), part(one))
        await batch(live, 400, part(one), part(two, 0))
        await batch(live, 400, {"tradeOrderId": one, "quantity": 1})
        await ask(live.client, "POST", "/tradeOrders/batch/submit", 400, {})
        await batch(live, 413, *(part(number) for number in range(1, 102)))
        assert [await live.executions_of(order_id) for order_id in (one, two)] == [0, 0]


async def test_an_execution_is_sent_by_its_id_once(live: Live) -> None:
    written = (await live.submit(await live.order(), 10, query="?noExecuteSubmit=true")).body
    path = f"/execution/{written['id']}/submit"
    sent = await ask(live.client, "POST", path, 200)
    assert sent.keys() == EXECUTION_FIELDS
    assert (sent["executionStatus"]["abbreviation"], sent["quantityPlaced"]) == ("SENT", "10.00")
    assert await ask(live.client, "POST", path, 200) == sent
    await refused(live.client, "POST", "/execution/987654/submit", 404, "NOT_FOUND")
    await refused(live.client, "POST", "/execution/one/submit", 400, "INVALID_INPUT")
