"""The audit log over HTTP, on the real service: every change leaves one entry, and operators read them."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import msgspec
import pytest

from tests.support.database import TestServer
from tests.support.trading import run_sql, value_of
from tests.web.changes import CHANGES, ELSEWHERE, WHY, ended, resolve, unsent
from tests.web.live import ORDERS, Live, behave, live_alone, order_body
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
SAFE = {"GET", "HEAD", "OPTIONS"}


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


def test_every_route_that_changes_anything_is_listed() -> None:
    """A new route fails here until it is known which entry it leaves."""
    app = create_app(msgspec.structs.replace(FakeUseCases().services(), log_level=LogLevel("INFO")))
    routes = {f"{method} {path}" for method, path, _ in declared_roles(app) if method not in SAFE}
    assert routes == CHANGES.keys() | ELSEWHERE


@pytest.mark.parametrize("route", CHANGES)
async def test_every_change_leaves_one_entry(live: Live, route: str) -> None:
    prepare, action, kind, count = CHANGES[route]
    path, body = await prepare(live)
    answer = await live.client.call(route.split()[0], path, body)
    assert answer.status in (200, 201, 202, 204), answer.raw
    (entry,) = await entries_about(live, answer)
    assert (entry["action"], entry["object"], entry["objectCount"]) == (action, kind, count)
    assert len(entry["objectIds"]) == count
    assert (entry["actor"], entry["knownBy"], entry["address"]) == ("", "none", "127.0.0.1")
    if kind == "execution":
        assert len(entry["tradeOrderIds"]) == count


async def test_what_changes_nothing_leaves_no_entry(live: Live) -> None:
    order_id, sent = await live.order(), await live.submit(await live.order())
    execution_id = await ended(live, "malformed_400", "rejected")
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
    ids = [await unsent(live) for _ in range(20)]
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
    path, body = await resolve(live)
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
        execution_id = await unsent(quiet)
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
