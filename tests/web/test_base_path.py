"""The service below a base path, as a proxy publishes it with or without removing that path."""

import re
from collections.abc import AsyncIterator

import pytest

from tests.support.database import TestServer
from tests.support.trading import run_sql
from tests.web.live import BULK, ORDERS, Live, live_alone, order_body
from trade_service.bench.load_generator import RequestOutcome, new_caller, session_with
from trade_service.bench.subprocesses import BenchError
from trade_service.settings.load import load_settings
from trade_service.settings.sources import SettingsError
from trade_service.web.web_settings import ServerSettings

BASE = "/trade"
"""Also the beginning of a word in our own addresses."""
SUBMIT = "/api/v2/executions/submit"
PART = {"quantity": 40, "destinationId": 1}


@pytest.fixture(scope="module")
async def live(postgres: TestServer, template_database: str) -> AsyncIterator[Live]:
    server = ServerSettings(shutdown_grace_s=2.0, base_path=BASE, trusted_proxies=("127.0.0.1",))
    async with live_alone(postgres, template_database, server=server) as live:
        yield live


@pytest.mark.parametrize("prefix", [BASE, ""])
async def test_every_request_is_served_with_and_without_it(live: Live, prefix: str) -> None:
    client = live.client
    created = await client.post(f"{prefix}{BULK}", {"tradeOrders": [order_body()]})
    order_id = created.body["results"][0]["tradeOrder"]["id"]
    sent = await client.post(f"{prefix}{ORDERS}/{order_id}/submit?noExecuteSubmit=true", PART)
    assert (await client.get(f"{prefix}{ORDERS}/{order_id}")).body["quantitySent"] == 40
    body = {"executionIds": [sent.body["id"]]}
    answer = await client.post(f"{prefix}{SUBMIT}", body, headers={"Prefer": "respond-async"})
    assert answer.status == 202
    location = answer.headers["location"]
    assert re.fullmatch(rf"{BASE}/api/v2/submissions/[0-9a-f-]{{36}}", location)
    events = await client.get(f"{location}/events")
    assert events.headers["content-type"].startswith("text/event-stream")
    assert b"event: finished" in events.raw
    assert (await client.get(location)).body["successful"] == 1
    for path in ("/api/v1/health/readiness", "/actuator/health", "/metrics"):
        assert (await client.get(prefix + path)).status == 200


async def test_every_address_in_an_answer_has_it(live: Live) -> None:
    client, background = live.client, {"Prefer": "respond-async"}
    created = await client.post(ORDERS, order_body())
    sent = await client.post(f"{ORDERS}/{created.body['id']}/submit?noExecuteSubmit=true", PART)
    rejected = "UPDATE execution SET submission_state = 'rejected' WHERE id = :id"
    await run_sql(live.services.database, rejected, id=sent.body["id"])
    requeue = {"executionIds": [sent.body["id"]], "reason": "a test", "operator": "ann"}
    order = order_body()
    csv = f"order_id,side,security_id,quantity,portfolio_id,destination\n{order['orderId']},BUY,S,10,P,ML\n"
    locations = {
        "/api/v2/executions/requeue": await client.post(
            "/api/v2/executions/requeue", requeue, headers=background
        ),
        SUBMIT: await client.post(SUBMIT, {"executionIds": [sent.body["id"]]}, headers=background),
        "/api/v2/audits": await client.post("/api/v2/audits", {"book": "database"}),
        "/api/v2/blotters/submit": await client.call(
            "POST", "/api/v2/blotters/submit", raw=csv.encode(), headers={"Content-Type": "text/csv"}
        ),
    }
    for answer in locations.values():
        assert answer.status == 202, answer.raw
        assert (await client.get(answer.headers["location"])).status == 200
        assert answer.headers["location"].startswith(f"{BASE}/api/v2/")
    paths = (await client.get("/schema/openapi.json")).body["paths"]
    documented = {
        path
        for path, methods in paths.items()
        for operation in methods.values()
        if isinstance(operation, dict)
        for response in operation["responses"].values()
        if "Location" in response.get("headers", {})
    }
    assert documented == locations.keys()


async def test_a_repeated_request_is_the_same_by_both_addresses(live: Live) -> None:
    body, key = order_body(), {"Idempotency-Key": "both-addresses"}
    first = await live.client.post(BASE + ORDERS, body, headers=key)
    again = await live.client.post(ORDERS, body, headers=key)
    assert (again.status, again.body) == (first.status, first.body) == (201, first.body)


async def test_the_document_and_its_page_lead_through_it(live: Live) -> None:
    document = (await live.client.get(f"{BASE}/schema/openapi.json")).body
    assert document["servers"] == [{"url": BASE}]
    assert ORDERS in document["paths"]
    for page in (f"{BASE}/schema", f"{BASE}/schema/", "/schema"):
        links = re.findall(r'(?:src|href)="(/[^"]+)"', (await live.client.get(page)).raw.decode())
        assert len(links) == 4
        for link in links:
            assert link.startswith(f"{BASE}/schema/")
            assert (await live.client.get(link)).status == 200


async def test_metrics_and_refusals_name_the_same_routes(live: Live) -> None:
    await live.client.get(f"{BASE}{ORDERS}/1")
    metrics = (await live.client.get("/metrics")).raw.decode()
    assert f'path="{ORDERS}/{{trade_order_id}}"' in metrics
    assert f'path="{BASE}' not in metrics
    for path in ("/nothing", "/api/v1/trade"):
        answer = await live.client.get(BASE + path)
        assert answer.status == 404
        assert f"'{BASE}{path}'" in answer.body["message"]
        assert f"see {BASE}/schema/openapi.json" in answer.body["message"]
    for path in ("/trader/api/v1/blotters", f"{BASE}{BASE}/api/v1/blotters"):
        assert (await live.client.get(path)).status == 404


async def test_the_tools_take_an_address_with_it(live: Live) -> None:
    async with session_with(live.client.url + BASE) as session:
        caller = await new_caller(session, orders=2, submissions=2)
        assert await caller.send() is RequestOutcome.GOOD
        assert await caller.get("/actuator/health/readiness") is RequestOutcome.GOOD
    async with session_with(f"{live.client.url}/elsewhere") as session:
        with pytest.raises(BenchError, match="404"):
            await new_caller(session, orders=1, submissions=1)


async def test_no_header_changes_it(live: Live) -> None:
    headers = {"X-Forwarded-Prefix": "/elsewhere", "X-Forwarded-For": "203.0.113.7"}
    document = (await live.client.get("/schema/openapi.json", headers=headers)).body
    assert document["servers"] == [{"url": BASE}]
    assert b"elsewhere" not in (await live.client.get("/schema", headers=headers)).raw


@pytest.mark.parametrize(
    ("text", "path"), [("/desk/trade-1/", "/desk/trade-1"), ("/", ""), ("/api/trade", "/api/trade")]
)
def test_a_base_path_is_stored_without_its_last_slash(text: str, path: str) -> None:
    assert load_settings({"TRADE_SERVICE_SERVER_BASE_PATH": text}).settings.server.base_path == path


@pytest.mark.parametrize(
    "text", ["trade", "//", "/a//b", "/a/../b", "/a b", "/a?b", "/ä", "http://h/a", "/{id}"]
)
def test_what_is_no_path_fails(text: str) -> None:
    with pytest.raises(
        SettingsError, match=r"TRADE_SERVICE_SERVER_BASE_PATH is .*: it must be a path such as"
    ):
        load_settings({"TRADE_SERVICE_SERVER_BASE_PATH": text})


async def test_an_address_of_the_service_is_no_base_path(live: Live) -> None:
    """Otherwise a request without it would lose the beginning of its own path."""
    paths = (await live.client.get("/schema/openapi.json")).body["paths"]
    assert {"/metrics", "/actuator/loggers", "/api/v2/replicas"} <= paths.keys()
    fixed = {path.partition("/{")[0] for path in (*paths, "/schema/openapi.json")}
    beginnings = {"/".join(path.split("/")[:end]) for path in fixed for end in range(2, path.count("/") + 2)}
    for path in beginnings:
        with pytest.raises(SettingsError, match="no address of the service itself"):
            load_settings({"TRADE_SERVICE_SERVER_BASE_PATH": path})


async def test_a_browser_is_led_to_the_console_below_it(live: Live) -> None:
    client = live.client
    for path in (BASE, f"{BASE}/", f"{BASE}/console"):
        async with client.session.get(
            client.url + path, headers={"Accept": "text/html"}, allow_redirects=False
        ) as answer:
            assert (answer.status, answer.headers["location"]) == (307, f"{BASE}/console/")
    page = await client.get(f"{BASE}/console/executions")
    assert b'src="./assets/' in page.raw
