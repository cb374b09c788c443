"""A request for each route that changes anything, and the entry that it leaves in the audit log."""

import asyncio
import itertools
from collections.abc import Awaitable, Callable

from tests.web.live import BATCH, BULK, ORDERS, Live, behave, order_body

WHY = {"reason": "asked their desk", "operator": "bob"}
_numbers = itertools.count(1)

Request = tuple[str, object]
"""A path and a body."""


async def unsent(live: Live) -> int:
    """An execution that was never submitted."""
    answer = await live.batch((await live.order(), 100), query="?noExecuteSubmit=true")
    execution_id: int = answer.body["results"][0]["execution"]["id"]
    return execution_id


async def ended(live: Live, fault: str, state: str) -> int:
    """An execution whose submission met a fault and that is in `state` now."""
    execution_id = await unsent(live)
    live.simulator.lookup_faults = {"error_503": 1.0}
    live.simulator.script([fault])
    submitting = asyncio.create_task(live.client.post(f"/api/v1/execution/{execution_id}/submit", {}))
    async with asyncio.timeout(15):
        while await live.state_of(execution_id) != state:
            await asyncio.sleep(0.01)
    submitting.cancel()
    await asyncio.gather(submitting, return_exceptions=True)
    behave(live.simulator)
    return execution_id


async def _new_order(_live: Live) -> Request:
    return ORDERS, order_body()


async def _new_orders(_live: Live) -> Request:
    return BULK, {"tradeOrders": [order_body(), order_body()]}


async def _order_put(live: Live) -> Request:
    order = await live.read_order(await live.order())
    body = order_body(50, version=order["version"])
    return f"{ORDERS}/{order['id']}", body


async def _order_delete(live: Live) -> Request:
    return f"{ORDERS}/{await live.order()}?version=1", None


async def _order_submit(live: Live) -> Request:
    return f"{ORDERS}/{await live.order()}/submit", {"quantity": 100, "destinationId": 1}


async def _batch_submit(live: Live) -> Request:
    parts = [{"tradeOrderId": i, "quantity": 100, "destinationId": 1} for i in await live.orders(3)]
    return BATCH, {"submissions": parts}


async def _fill(live: Live) -> Request:
    answer = await live.submit(await live.order())
    body = {"executionStatus": "PART", "quantityFilled": 40, "version": answer.body["version"]}
    return f"/api/v1/executions/{answer.body['id']}/fill", body


async def _execution_post(live: Live) -> dict[str, object]:
    return {
        "executionStatusId": 1,
        "tradeOrderId": await live.order(),
        "destinationId": 1,
        "quantityOrdered": 10,
    }


async def _execution_submit(live: Live) -> Request:
    return f"/api/v1/execution/{await unsent(live)}/submit", {}


def _execution(version: str) -> dict[str, Callable[[Live], Awaitable[Request]]]:
    async def create(live: Live) -> Request:
        return f"/api/{version}/executions", await _execution_post(live)

    async def update(live: Live) -> Request:
        values = await _execution_post(live)
        made = (await live.client.post("/api/v1/executions", values)).body
        path = f"/api/{version}/executions/{made['id']}"
        return path, values | {"quantityOrdered": 7, "version": made["version"]}

    async def delete(live: Live) -> Request:
        return f"/api/{version}/executions/{await unsent(live)}?version=1", None

    return {"POST": create, "PUT": update, "DELETE": delete}


def _reference(
    collection: str, text: str = "description", one: str | None = None
) -> dict[str, Callable[[Live], Awaitable[Request]]]:
    path = f"/api/v1/{collection}"

    def values() -> dict[str, object]:
        return {"abbreviation": f"X{next(_numbers)}", text: "a text"}

    async def made(live: Live) -> str:
        answer = await live.client.post(path, values())
        assert answer.status == 201, answer.raw
        return f"/api/v1/{one or collection}/{answer.body['id']}"

    async def create(_live: Live) -> Request:
        return path, values()

    async def update(live: Live) -> Request:
        return await made(live), values() | {"version": 1}

    async def delete(live: Live) -> Request:
        return f"{await made(live)}?version=1", None

    return {"POST": create, "PUT": update, "DELETE": delete}


async def _executions_submit(live: Live) -> Request:
    ids = [await unsent(live) for _ in range(2)]
    return "/api/v2/executions/submit", {"executionIds": ids}


async def _requeue(live: Live) -> Request:
    execution_id = await ended(live, "malformed_400", "rejected")
    return "/api/v2/executions/requeue", WHY | {"executionIds": [execution_id]}


async def resolve(live: Live) -> Request:
    execution_id = await ended(live, "reset_after", "unknown")
    (service_id,) = [row.id for row in live.simulator.ledger.get(execution_id)]
    body = WHY | {"outcome": "ACCEPTED", "executionServiceId": service_id, "force": True}
    live.simulator.lookup_faults = {"error_503": 1.0}
    live.simulator.script_lookups(["ok"])
    return f"/api/v2/executions/{execution_id}/resolve", body


async def _move(live: Live) -> Request:
    body = {"tradeOrderIds": await live.orders(2), "blotterAbbreviation": "EQ"}
    return "/api/v2/tradeOrders/batch/move", body


async def _create_v2(_live: Live) -> Request:
    return "/api/v2/tradeOrders/batch/create", {"tradeOrders": [order_body()]}


async def _audit(_live: Live) -> Request:
    return "/api/v2/audits", {"book": "database"}


async def _level(_live: Live) -> Request:
    return "/actuator/loggers/ROOT", {"configuredLevel": "INFO"}


V1_EXECUTION, V2_EXECUTION = _execution("v1"), _execution("v2")
CHANGES: dict[str, tuple[Callable[[Live], Awaitable[Request]], str, str, int]] = {
    "POST /api/v1/tradeOrders": (_new_order, "create", "tradeOrder", 1),
    "POST /api/v1/tradeOrders/bulk": (_new_orders, "create", "tradeOrder", 2),
    "PUT /api/v1/tradeOrders/{trade_order_id}": (_order_put, "update", "tradeOrder", 1),
    "DELETE /api/v1/tradeOrders/{trade_order_id}": (_order_delete, "delete", "tradeOrder", 1),
    "POST /api/v1/tradeOrders/{trade_order_id}/submit": (_order_submit, "submit", "execution", 1),
    "POST /api/v1/tradeOrders/batch/submit": (_batch_submit, "submit", "execution", 3),
    "PUT /api/v2/tradeOrders/batch/move": (_move, "update", "tradeOrder", 2),
    "POST /api/v2/tradeOrders/batch/create": (_create_v2, "create", "tradeOrder", 1),
    "PUT /api/v1/executions/{execution_id}/fill": (_fill, "fill", "execution", 1),
    "POST /api/v1/execution/{execution_id}/submit": (_execution_submit, "submit", "execution", 1),
    "POST /api/v1/executions": (V1_EXECUTION["POST"], "create", "execution", 1),
    "PUT /api/v1/executions/{execution_id}": (V1_EXECUTION["PUT"], "update", "execution", 1),
    "DELETE /api/v1/executions/{execution_id}": (V1_EXECUTION["DELETE"], "delete", "execution", 1),
    "POST /api/v2/executions": (V2_EXECUTION["POST"], "create", "execution", 1),
    "PUT /api/v2/executions/{execution_id}": (V2_EXECUTION["PUT"], "update", "execution", 1),
    "DELETE /api/v2/executions/{execution_id}": (V2_EXECUTION["DELETE"], "delete", "execution", 1),
    "POST /api/v2/executions/submit": (_executions_submit, "submit", "execution", 2),
    "POST /api/v2/executions/requeue": (_requeue, "requeue", "execution", 1),
    "POST /api/v2/executions/{execution_id}/resolve": (resolve, "resolve", "execution", 1),
    "POST /api/v2/audits": (_audit, "create", "audit", 0),
    "POST /actuator/loggers/{name}": (_level, "update", "logger", 0),
}
ELSEWHERE = {
    *("POST /api/v2/blotters/check", "POST /api/v2/blotters/submit"),
    *("POST /api/v2/pause", "POST /api/v2/resume"),
}
"""Routes that take files (`test_blotters` has their entries, none and two), or stop sending (`test_pausing`)."""
for _collection, _kind, _request in (
    ("blotters", "blotter", _reference("blotters", "name")),
    ("destinations", "destination", _reference("destinations")),
    ("executionStatuses", "executionStatus", _reference("executionStatuses")),
    ("tradeTypes", "tradeType", _reference("tradeTypes")),
    ("tradeType", "tradeType", _reference("tradeTypes", one="tradeType")),
):
    if _collection != "tradeType":
        CHANGES[f"POST /api/v1/{_collection}"] = (_request["POST"], "create", _kind, 1)
    for _method, _action in (("PUT", "update"), ("DELETE", "delete")):
        CHANGES[f"{_method} /api/v1/{_collection}/{{reference_id}}"] = (
            _request[_method], _action, _kind, 1,
        )  # fmt: skip
