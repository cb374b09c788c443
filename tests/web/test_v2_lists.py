"""/api/v2 as the portal calls it, over the real service and fakes of the two name services."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.client.raw_server import Conversation, raw_server
from tests.support.database import TestServer
from tests.web.live import Live, live_alone
from trade_service.store.list_store import PostgresListCounts
from trade_service.trading.listing import row_counts
from trade_service.trading.trading_settings import PortfolioServiceSettings, SecurityServiceSettings
from trade_service.web.web_settings import ApiSettings

NAMES = {
    "portfolio/P1": b'{"portfolioId":"P1","name":"Growth"}',
    "security/IBM1": b'{"securityId":"IBM1","ticker":"IBM"}',
    "security/AAPL1": b'{"securityId":"AAPL1","ticker":"AAPL"}',
}


async def directory(talk: Conversation) -> None:
    """Both name services at one address."""
    while True:
        head = await talk.reader.readuntil(b"\r\n\r\n")
        name = head.split()[1].decode().removeprefix("/api/v1/")
        await talk.answer(200 if name in NAMES else 404, NAMES.get(name, b"{}"))


@pytest.fixture(scope="module")
async def live(postgres: TestServer, template_database: str) -> AsyncIterator[Live]:
    async with raw_server(directory) as names:
        async with live_alone(
            postgres,
            template_database,
            security_service=SecurityServiceSettings(base_url=names.base_url),
            portfolio_service=PortfolioServiceSettings(base_url=names.base_url),
        ) as live:
            for number in range(1, 6):
                security = "AAPL1" if number % 2 else "IBM1"
                when = f"2026-01-0{number}T00:00:00Z"
                await live.order(number, securityId=security, tradeTimestamp=when, blotterId=2)
            await live.submit(1, 1)
            yield live


async def listed(live: Live, path: str) -> Any:
    answer = await live.client.get(f"/api/v2/{path}")
    assert answer.status == 200, answer.raw
    return answer.body


async def test_the_shape_of_a_page_of_orders(live: Live) -> None:
    answer = await live.client.get("/api/v2/tradeOrders?limit=1&offset=1&sort=-tradeTimestamp")
    assert answer.status == 200
    cursor = answer.body["pagination"]["nextCursor"]
    first = answer.body["tradeOrders"][0]
    assert answer.raw == (
        b'{"tradeOrders":[{"id":%d,"orderId":%d,"portfolio":{"portfolioId":"P1","name":"Growth"},'
        b'"orderType":"BUY","security":{"securityId":"IBM1","ticker":"IBM"},"quantity":4,"quantitySent":0,'
        b'"limitPrice":null,"tradeTimestamp":"2026-01-04T00:00:00Z",'
        b'"blotter":{"id":2,"abbreviation":"EQ","name":"Equity","version":1},"submitted":false,"version":1}],'
        b'"pagination":{"totalElements":5,"totalIsEstimate":false,"totalPages":5,"currentPage":1,"pageSize":1,"hasNext":true,'
        b'"hasPrevious":true,"nextCursor":"%s"}}' % (first["id"], first["orderId"], cursor.encode())
    )


async def test_the_shape_of_a_page_of_executions(live: Live) -> None:
    (execution,) = (await listed(live, "executions?executionStatus.abbreviation=sent"))["executions"]
    order = execution.pop("tradeOrder")
    assert order == {
        "id": 1,
        "orderId": order["orderId"],
        "portfolio": {"portfolioId": "P1", "name": "Growth"},
        "security": {"securityId": "AAPL1", "ticker": "AAPL"},
    }
    assert execution["executionStatus"]["abbreviation"] == "SENT"
    assert [execution[name] for name in ("quantityOrdered", "quantityPlaced", "quantityFilled")] == [1, 1, 0]
    assert execution["tradeType"]["abbreviation"] == "BUY"
    assert set(execution) == {
        *("id", "executionTimestamp", "executionStatus", "blotter", "tradeType", "destination", "version"),
        *("quantityOrdered", "quantityPlaced", "quantityFilled", "limitPrice", "executionServiceId"),
        *("submissionState", "code"),
    }
    assert (execution["submissionState"], execution["code"]) == ("accepted", None)


@pytest.mark.parametrize(
    ("query", "quantities"),
    [
        ("", [1, 2, 3, 4, 5]),
        ("sort=-security.ticker,quantity", [2, 4, 1, 3, 5]),
        ("securityTickers=ibm", [2, 4]),
        ("portfolioNames=growth,other&minQuantity=2&maxQuantity=3", [2, 3]),
        ("portfolio.name=nobody", []),
        ("blotterAbbreviation=EQ,FI&sort=-id&limit=2&offset=3", [2, 1]),
        ("submitted=true", [1]),
        ("orderType=sell", []),
        ("from=2026-01-02T00:00:00Z&to=2026-01-04T00:00:00Z", [2, 3]),
        ("tradeTimestamp.from=2026-01-04T01:00:00%2B01:00", [4, 5]),
    ],
)
async def test_what_the_portal_asks(live: Live, query: str, quantities: list[int]) -> None:
    page = await listed(live, f"tradeOrders?{query}")
    assert [order["quantity"] for order in page["tradeOrders"]] == quantities


async def test_cursors_lead_through_the_whole_list(live: Live) -> None:
    path, seen = "tradeOrders?limit=2&sort=-quantity", []
    while True:
        page = await listed(live, path)
        seen += [order["quantity"] for order in page["tradeOrders"]]
        if not page["pagination"]["hasNext"]:
            break
        path = f"tradeOrders?limit=2&cursor={page['pagination']['nextCursor']}"
    assert seen == [5, 4, 3, 2, 1]
    assert page["pagination"] == {
        "totalElements": 5,
        "totalIsEstimate": False,
        "totalPages": 3,
        "currentPage": 2,
        "pageSize": 2,
        "hasNext": False,
        "hasPrevious": True,
        "nextCursor": None,
    }


async def test_a_count_that_takes_long_delays_no_page(live: Live, monkeypatch: pytest.MonkeyPatch) -> None:
    counted, released = PostgresListCounts.count, asyncio.Event()

    async def late(self: PostgresListCounts, *arguments: Any) -> int | None:
        await released.wait()
        return await counted(self, *arguments)

    monkeypatch.setattr(PostgresListCounts, "count", late)
    monkeypatch.setattr(row_counts, "SAME_ROWS_S", 0.0)  # Other tests may have counted the same rows.
    path = "tradeOrders?limit=2&orderType=buy"
    async with asyncio.timeout(10):
        pagination = (await listed(live, path))["pagination"]
        assert (pagination["totalElements"], pagination["totalIsEstimate"]) == (5, True), "sampled"
        assert (pagination["totalPages"], pagination["hasNext"]) == (3, True)
        old = await live.client.get("/api/v1/tradeOrders?limit=2")
        assert (old.headers["x-total-count"], old.headers["x-total-is-estimate"]) == ("5", "true")
        released.set()
        while (await listed(live, path))["pagination"]["totalIsEstimate"]:
            pass
        while "x-total-is-estimate" in old.headers:
            old = await live.client.get("/api/v1/tradeOrders?limit=2")
    assert old.headers["x-total-count"] == "5"


async def test_executions_are_found_by_state_code_and_order_id(live: Live) -> None:
    live.simulator.script(["item_fail_permanent"])
    trade_order_id = await live.order(7)
    answer = await live.submit(trade_order_id, 7)
    assert answer.status == 400, answer.raw
    (one,) = (await listed(live, f"executions?tradeOrderId={trade_order_id}"))["executions"]
    order_id, code = one["tradeOrder"]["orderId"], one["code"]
    assert (one["submissionState"], code) == ("rejected", "ITEM_REFUSED")
    assert (await listed(live, f"executions/{one['id']}"))["code"] == code
    found = (f"orderId={order_id}", f"code={code}", f"submissionState=rejected&code=x,{code}")
    by_time = "submissionState=rejected,queued&sort=-executionTimestamp,-id"
    for query in (*found, by_time, f"code={code}&offset=0&limit=1&destination.abbreviation=ML"):
        assert [e["id"] for e in (await listed(live, f"executions?{query}"))["executions"]] == [one["id"]]
    for query in (f"orderId={order_id}&submissionState=accepted", "code=OTHER"):
        assert (await listed(live, f"executions?{query}"))["executions"] == []
    assert (await listed(live, "executions?submissionStates=Accepted,REJECTED"))["pagination"][
        "totalElements"
    ] == 2


@pytest.mark.parametrize("path", ["tradeOrders", "executions"])
async def test_a_list_names_the_parameters_that_it_ignores(live: Live, path: str) -> None:
    answer = await live.client.get(f"/api/v2/{path}?limit=1&page=0&b%0d%0a%2cc=1&sort=-id&nextCursor=&page=1")
    assert (answer.status, answer.headers["x-ignored-parameters"]) == (200, "page, b%0D%0A%2Cc, nextCursor")
    assert "x-ignored-parameters" not in (await live.client.get(f"/api/v2/{path}?ids=1&limit=")).headers
    names = "&".join(f"{number}{'x' * 200}=1" for number in range(100))
    many = await live.client.get(f"/api/v2/{path}?{names}")
    assert len(many.headers["x-ignored-parameters"]) < 2100


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "tradeOrders/2"),
        ("GET", "executions/1"),
        ("DELETE", "executions/1"),
        ("GET", "executions/1/attempts"),
        ("GET", "submissions/0190a8f0-0000-7000-8000-000000000000"),
        ("GET", "submissions/0190a8f0-0000-7000-8000-000000000000/events"),
        ("POST", "executions/submit"),
        ("POST", "executions/requeue"),
        ("PUT", "tradeOrders/batch/move"),
        ("GET", "audit-log"),
    ],
)
async def test_elsewhere_an_unknown_parameter_is_refused(live: Live, method: str, path: str) -> None:
    answer = await live.client.call(method, f"/api/v2/{path}?dryRun=true", None if method == "GET" else {})
    assert (answer.status, answer.body["details"]["field"]) == (400, "parameter"), answer.raw
    assert answer.body["details"]["value"] == "dryRun"


async def test_a_setting_refuses_unknown_parameters_in_lists(
    postgres: TestServer, template_database: str
) -> None:
    strict = ApiSettings(unknown_parameters="refuse")
    async with live_alone(postgres, template_database, api=strict) as live:
        answer = await live.client.get("/api/v2/tradeOrders?page=1&portfolioNames=x")
        assert (answer.status, answer.body["details"]["value"]) == (400, "page")
        assert (await live.client.get("/api/v2/tradeOrders?portfolioNames=x")).status == 200


@pytest.mark.parametrize(
    "path",
    ["tradeOrders?limit=0", "executions?sort=quantity", "tradeOrders?cursor=x", "executions?from=2026-01-02"],
)
async def test_bad_values_are_400(live: Live, path: str) -> None:
    answer = await live.client.get(f"/api/v2/{path}")
    assert answer.status == 400
    assert answer.body["details"]["field"] == path.partition("?")[2].partition("=")[0]
    assert answer.body["error"] == answer.body["message"]


async def test_one_order_and_one_execution(live: Live) -> None:
    order = await listed(live, "tradeOrders/2")
    assert (order["security"]["ticker"], order["quantity"]) == ("IBM", 2)
    execution = await listed(live, "executions/1")
    assert execution["tradeOrder"]["portfolio"]["name"] == "Growth"
    for path in ("tradeOrders/999", "executions/999"):
        assert (await live.client.get(f"/api/v2/{path}")).status == 404


async def test_executions_are_created_changed_and_deleted(live: Live) -> None:
    wanted = {
        "executionStatusId": 1,
        "tradeOrderId": 5,
        "destinationId": 2,
        "quantityOrdered": "1.12345678",
        "quantityPlaced": 0,
    }
    created = await live.client.post("/api/v2/executions", wanted)
    assert created.status == 201
    assert b'"quantityOrdered":1.12345678,' in created.raw
    assert created.body["tradeOrder"]["security"] == {"securityId": "AAPL1", "ticker": "AAPL"}
    path = f"/api/v2/executions/{created.body['id']}"
    old = {**wanted, "destinationId": 3, "version": 99}
    assert (await live.client.put(path, old)).status == 409
    changed = await live.client.put(path, old | {"version": created.body["version"]})
    assert (changed.status, changed.body["destination"]["abbreviation"]) == (200, "JPM")
    gone = await live.client.call("DELETE", f"{path}?version={changed.body['version']}")
    assert (gone.status, gone.raw) == (204, b"")
    assert (await live.client.get(path)).status == 404
    await live.accounts_agree()


async def test_openapi_names_every_parameter(live: Live) -> None:
    answer = await live.client.get("/schema/openapi.json")
    assert answer.status == 200
    paths = answer.body["paths"]
    names = {one["name"] for one in paths["/api/v2/tradeOrders"]["get"]["parameters"]}
    assert {"limit", "offset", "sort", "cursor", "portfolio.name", "quantity.min", "submitted"} <= names
    (limit,) = (p for p in paths["/api/v2/executions"]["get"]["parameters"] if p["name"] == "limit")
    assert (limit["schema"]["minimum"], limit["schema"]["maximum"], limit["in"]) == (1, 1000, "query")


async def test_what_may_be_left_out_may_be_empty(live: Live) -> None:
    """Forms send empty fields, which the OpenAPI document allows."""
    lists = 0
    for path, item in (await live.client.get("/schema/openapi.json")).body["paths"].items():
        parameters = [one for one in item.get("get", {}).get("parameters", ()) if one["in"] == "query"]
        if not parameters or "{" in path:
            continue
        lists += 1
        assert all(one["allowEmptyValue"] for one in parameters), path
        empty = await live.client.get(f"{path}?{'&'.join(one['name'] + '=' for one in parameters)}")
        assert (empty.status, empty.raw) == (200, (await live.client.get(path)).raw), path
    assert lists >= 11
