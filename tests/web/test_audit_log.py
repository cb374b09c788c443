"""The audit log over HTTP, on the real service: every change leaves one entry, and operators read them."""

import asyncio
import itertools
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import msgspec
import pytest

from tests.support.database import TestServer
from tests.support.trading import run_sql, value_of
from tests.web.live import BATCH, BULK, ORDERS, Live, behave, live_alone, order_body
from tests.web.support import Answer, FakeUseCases
from trade_service.domain.access import Role
from trade_service.identity.api_keys import make_key
from trade_service.identity.auth_settings import AuthSettings
from trade_service.observability.logs import LogLevel
from trade_service.submission.ports import StoreUnavailable
from trade_service.trading.trading_settings import AuditLogSettings
from trade_service.web.access import declared_roles
from trade_service.web.app import create_app

LOG = "/api/v2/audit-log"
WHY = {"reason": "asked their desk", "operator": "bob"}
SAFE = {"GET", "HEAD", "OPTIONS"}
_numbers = itertools.count(1)


@pytest.fixture(scope="module")
async def running(postgres: TestServer, template_database: str) -> AsyncIterator[Live]:
    async with live_alone(postgres, template_database) as service:
        yield service


@pytest.fixture
def live(running: Live) -> Live:
    behave(running.simulator)
    return running


async def entries_of(live: Live, query: str = "", headers: dict[str, str] | None = None) -> list[Any]:
    """The first page of the log."""
    answer = await live.client.get(f"{LOG}{query}", headers=headers)
    assert answer.status == 200, answer.raw
    entries: list[Any] = answer.body["entries"]
    return entries


async def entries_about(live: Live, answer: Answer) -> list[Any]:
    """The entries of the request that was answered so."""
    request_id = answer.headers["x-request-id"]
    return [one for one in await entries_of(live, "?limit=1000") if one["requestId"] == request_id]


# --- every route that changes anything ---

Request = tuple[str, object]
"""A path and a body."""


async def _unsent(live: Live) -> int:
    """An execution that was never submitted."""
    answer = await live.batch((await live.order(), 100), query="?noExecuteSubmit=true")
    execution_id: int = answer.body["results"][0]["execution"]["id"]
    return execution_id


async def _ended(live: Live, fault: str, state: str) -> int:
    """An execution whose submission met a fault and that is in `state` now."""
    execution_id = await _unsent(live)
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
    return f"/api/v1/execution/{await _unsent(live)}/submit", {}


def _execution(version: str) -> dict[str, Callable[[Live], Awaitable[Request]]]:
    async def create(live: Live) -> Request:
        return f"/api/{version}/executions", await _execution_post(live)

    async def update(live: Live) -> Request:
        values = await _execution_post(live)
        made = (await live.client.post("/api/v1/executions", values)).body
        path = f"/api/{version}/executions/{made['id']}"
        return path, values | {"quantityOrdered": 7, "version": made["version"]}

    async def delete(live: Live) -> Request:
        return f"/api/{version}/executions/{await _unsent(live)}?version=1", None

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
    ids = [await _unsent(live) for _ in range(2)]
    return "/api/v2/executions/submit", {"executionIds": ids}


async def _requeue(live: Live) -> Request:
    execution_id = await _ended(live, "malformed_400", "rejected")
    return "/api/v2/executions/requeue", WHY | {"executionIds": [execution_id]}


async def _resolve(live: Live) -> Request:
    execution_id = await _ended(live, "reset_after", "unknown")
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
    "POST /api/v2/executions/{execution_id}/resolve": (_resolve, "resolve", "execution", 1),
    "POST /actuator/loggers/{name}": (_level, "update", "logger", 0),
}
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


def test_every_route_that_changes_anything_is_listed() -> None:
    """A new route fails here until it is known which entry it leaves."""
    app = create_app(msgspec.structs.replace(FakeUseCases().services(), log_level=LogLevel("INFO")))
    routes = {f"{method} {path}" for method, path, _ in declared_roles(app) if method not in SAFE}
    assert routes == CHANGES.keys()


@pytest.mark.parametrize("route", CHANGES)
async def test_every_change_leaves_one_entry(live: Live, route: str) -> None:
    prepare, action, kind, count = CHANGES[route]
    path, body = await prepare(live)
    answer = await live.client.call(route.split()[0], path, body)
    assert answer.status in (200, 201, 204), answer.raw
    (entry,) = await entries_about(live, answer)
    assert (entry["action"], entry["object"], entry["objectCount"]) == (action, kind, count)
    assert len(entry["objectIds"]) == count
    assert (entry["actor"], entry["knownBy"], entry["address"]) == ("", "none", "127.0.0.1")
    if kind == "execution":
        assert len(entry["tradeOrderIds"]) == count


async def test_what_changes_nothing_leaves_no_entry(live: Live) -> None:
    order_id, sent = await live.order(), await live.submit(await live.order())
    execution_id = await _ended(live, "malformed_400", "rejected")
    answers = [
        await live.client.get(f"{ORDERS}/{order_id}"),
        await live.client.post(ORDERS, order_body(-1)),
        await live.client.put(f"{ORDERS}/{order_id}", order_body(version=99)),
        await live.client.post(f"/api/v1/execution/{sent.body['id']}/submit", {}),
        await live.client.post(f"{ORDERS}/999999/submit", {"quantity": 1, "destinationId": 1}),
        await live.client.post(
            "/api/v2/executions/requeue", WHY | {"executionIds": [execution_id], "dryRun": True}
        ),
    ]
    assert [one.status for one in answers] == [200, 400, 409, 200, 404, 200]
    for answer in answers:
        assert await entries_about(live, answer) == []


async def test_a_repeat_with_the_same_key_leaves_no_second_entry(live: Live) -> None:
    parts = {"quantity": 60, "destinationId": 1}
    path, key = f"{ORDERS}/{await live.order()}/submit", {"Idempotency-Key": "once"}
    first, second = [await live.client.post(path, parts, headers=key) for _ in range(2)]
    assert (first.status, second.status, second.body["id"]) == (201, 201, first.body["id"])
    (entry,) = await entries_about(live, first)
    assert (entry["action"], entry["objectIds"]) == ("submit", [first.body["id"]])
    assert await entries_about(live, second) == []


async def test_a_change_is_recorded_as_it_was_and_as_it_is(live: Live) -> None:
    order_id = await live.order(100, limitPrice="9.5")
    order = await live.read_order(order_id)
    body = order_body(50, orderId=order["orderId"], version=1)
    updated = await live.client.put(f"{ORDERS}/{order_id}", body)
    (entry,) = await entries_about(live, updated)
    assert entry["details"] == {
        "quantity": ["100.00000000", "50.00000000"],
        "limitPrice": ["9.50000000", None],
        "version": [1, 2],
    }
    deleted = await live.client.call("DELETE", f"{ORDERS}/{order_id}?version=2")
    (entry,) = await entries_about(live, deleted)
    assert (entry["details"]["orderId"], entry["details"]["securityId"]) == (order["orderId"], "IBM")
    of_order = await entries_of(live, f"?object=tradeOrder&objectId={order_id}")
    assert [one["action"] for one in of_order] == ["delete", "update", "create"]


async def test_executions_submitted_at_once_have_an_entry_for_each_request(live: Live) -> None:
    ids = [await _unsent(live) for _ in range(20)]
    answers = await asyncio.gather(*(live.client.post(f"/api/v1/execution/{one}/submit", {}) for one in ids))
    for execution_id, answer in zip(ids, answers, strict=True):
        assert answer.status == 200, answer.raw
        (entry,) = await entries_about(live, answer)
        assert (entry["action"], entry["objectIds"]) == ("submit", [execution_id])


async def test_a_level_changes_though_its_entry_cannot_be_written(
    live: Live, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def refuse(*_: object, **__: object) -> None:
        raise StoreUnavailable("away")

    monkeypatch.setattr("trade_service.store.audit_log_store.record", refuse)
    answer = await live.client.post("/actuator/loggers/ROOT", {"configuredLevel": "ERROR"})
    assert answer.status == 204
    shown = await live.client.get("/actuator/loggers/ROOT")
    assert shown.body["effectiveLevel"] == "ERROR"
    await live.client.post("/actuator/loggers/ROOT", {"configuredLevel": None})


# --- who asked ---


@pytest.fixture(scope="module")
async def guarded(postgres: TestServer, template_database: str) -> AsyncIterator[Live]:
    auth = AuthSettings(mode="api-key", api_key_max_age_s=0.0)
    async with live_alone(postgres, template_database, auth=auth) as service:
        yield service


async def key_for(live: Live, name: str, role: Role) -> dict[str, str]:
    """The headers of a caller with a new key."""
    new = make_key(name, role)
    await live.services.api_keys.add(new.key)
    return {"X-API-Key": new.text}


async def test_entries_name_the_key_and_only_operators_read_them(guarded: Live) -> None:
    behave(guarded.simulator)
    trader, operator = (
        await key_for(guarded, "desk", Role.TRADER), await key_for(guarded, "ann", Role.OPERATOR),
    )  # fmt: skip
    made = await guarded.client.post(ORDERS, order_body(), headers=trader | {"X-Request-ID": "r-1"})
    assert made.status == 201
    assert (await guarded.client.get(LOG, headers=trader)).status == 403
    assert (await guarded.client.get(LOG)).status == 401
    (entry,) = await entries_of(guarded, "?actor=desk", operator)
    assert (entry["actor"], entry["knownBy"], entry["requestId"]) == ("desk", "api-key", "r-1")
    assert (entry["action"], entry["objectIds"]) == ("create", [made.body["id"]])


async def test_an_operator_is_recorded_by_its_credential_not_by_the_body(guarded: Live) -> None:
    behave(guarded.simulator)
    headers = await key_for(guarded, "eve", Role.OPERATOR)
    order = await guarded.client.post(ORDERS, order_body(), headers=headers)
    part = {"quantity": 100, "destinationId": 1}
    guarded.simulator.script(["malformed_400"])
    await guarded.client.post(f"{ORDERS}/{order.body['id']}/submit", part, headers=headers)
    execution_id = await value_of(guarded.services.database, "SELECT max(id) FROM execution")
    body = WHY | {"executionIds": [execution_id]}
    answer = await guarded.client.post("/api/v2/executions/requeue", body, headers=headers)
    assert answer.status == 200, answer.raw
    history = await guarded.client.get(f"/api/v2/executions/{execution_id}/attempts", headers=headers)
    (kept,) = [one for one in history.body["evidence"] if one["code"] == "REQUEUED"]
    assert (kept["actor"], kept["actorKnownBy"]) == ("eve", "api-key")
    (entry,) = await entries_of(guarded, "?action=requeue", headers)
    assert (entry["actor"], entry["details"]["operator"]) == ("eve", "eve")


async def test_a_name_that_only_the_body_gives_is_not_known(live: Live) -> None:
    path, body = await _resolve(live)
    assert (await live.client.post(path, body)).status == 200
    history = await live.client.get(f"{path.removesuffix('resolve')}attempts")
    (kept,) = history.body["evidence"]
    assert (kept["actor"], kept["actorKnownBy"]) == ("bob", "none")


async def test_a_used_key_shows_when_and_an_expired_one_is_refused(guarded: Live) -> None:
    headers = await key_for(guarded, "timed", Role.READER)
    assert (await guarded.client.get(ORDERS, headers=headers)).status == 200
    await guarded.services.key_uses.write()
    key = await guarded.services.api_keys.current("timed")
    assert key.last_used_at is not None
    await run_sql(
        guarded.services.database, "UPDATE api_key SET expires_at = now() WHERE id = :id", id=key.id
    )
    refused = await guarded.client.get(ORDERS, headers=headers)
    assert (refused.status, refused.body["code"]) == (401, "NOT_AUTHENTICATED")
    assert "unknown, expired or revoked" in refused.body["message"]


async def test_the_log_can_be_turned_off(postgres: TestServer, template_database: str) -> None:
    off = {"audit_log": AuditLogSettings(enabled=False)}
    async with live_alone(postgres, template_database, **off) as quiet:
        assert (await quiet.submit(await quiet.order())).status == 201
        execution_id = await _unsent(quiet)
        assert (await quiet.client.post(f"/api/v1/execution/{execution_id}/submit", {})).status == 200
        assert await entries_of(quiet) == []


# --- reading ---


async def test_pages_follow_one_another(live: Live) -> None:
    ids = [await live.order() for _ in range(7)]
    found: list[int] = []
    query = "?action=create&object=tradeOrder&limit=3"
    answer = await live.client.get(LOG + query)
    while len(found) < len(ids):
        assert len(answer.body["entries"]) == 3
        found += [one["objectIds"][0] for one in answer.body["entries"]]
        answer = await live.client.get(f"{LOG}{query}&cursor={answer.body['nextCursor']}")
    assert found[: len(ids)] == ids[::-1]


async def test_entries_are_chosen_by_time(live: Live) -> None:
    first, second = await live.order(), await live.order()
    at = (await entries_of(live, f"?object=tradeOrder&objectId={second}"))[0]["at"]
    later = await entries_of(live, f"?from={at}&object=tradeOrder")
    assert second in [one["objectIds"][0] for one in later]
    assert first not in [one["objectIds"][0] for one in later]
    earlier = await entries_of(live, f"?to={at}&object=tradeOrder&limit=1")
    assert earlier[0]["objectIds"] == [first]


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("limit=0", "limit"),
        ("limit=1001", "limit"),
        ("cursor=x", "cursor"),
        ("cursor=999999999999999999-1", "cursor"),
        ("action=steal", "action"),
        ("object=table", "object"),
        ("objectId=x", "objectId"),
        ("objectId=99999999999", "objectId"),
        ("from=yesterday", "from"),
        ("to=2026-01-30", "to"),
        ("actor=a%00", "actor"),
        ("actor=a&actor=b", "actor"),
        ("who=a", "parameter"),
    ],
)
async def test_what_is_wrong_in_a_query_is_named(live: Live, query: str, field: str) -> None:
    answer = await live.client.get(f"{LOG}?{query}")
    assert (answer.status, answer.body["details"]["field"]) == (400, field), answer.raw
