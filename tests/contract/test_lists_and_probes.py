"""Every parameter of the contract's v2 lists, and every probe of deployments."""

import re

import pytest

from tests.contract.calls import BLOTTER_FIELDS
from tests.web.live import Live

PAGINATION = {"totalElements", "totalPages", "currentPage", "pageSize", "hasNext", "hasPrevious"}
SORTS = {
    "tradeOrders": "id orderId orderType quantity quantitySent tradeTimestamp submitted blotter.abbreviation "
    "security.ticker portfolio.name",
    "executions": "id executionTimestamp quantityOrdered quantityPlaced quantityFilled tradeOrderId "
    "executionStatus.abbreviation blotter.abbreviation tradeType.abbreviation destination.abbreviation "
    "security.ticker portfolio.name",
}
FILTERS = {
    "tradeOrders": "id={id} orderId={orderId} orderType=BUY,SELL portfolio.name=P1 security.ticker=IBM "
    "quantity.min=100 quantity.max=100 quantitySent.min=40 quantitySent.max=40 blotter.abbreviation=EQ,FI "
    "submitted=false portfolioNames=P1 securityTickers=IBM minQuantity=100 maxQuantity=100 blotterAbbreviation=EQ",
    "executions": "id={id} executionStatus.abbreviation=SENT,NEW blotter.abbreviation=EQ "
    "tradeType.abbreviation=BUY destination.abbreviation=ML tradeOrderId={tradeOrderId} portfolio.name=P1 "
    "security.ticker=IBM quantityOrdered.min=40 quantityOrdered.max=40 quantityPlaced.min=40 "
    "quantityPlaced.max=40 quantityFilled.min=0 quantityFilled.max=0 executionServiceId={executionServiceId}",
}
ELSE = {
    "quantity.min=101", "quantity.max=99", "quantitySent.min=41", "quantitySent.max=39", "submitted=true",
    "portfolio.name=P2", "security.ticker=AAPL", "orderType=SELL", "blotter.abbreviation=FI",
    "executionStatus.abbreviation=FULL", "tradeType.abbreviation=SELL", "destination.abbreviation=RBC",
    "quantityOrdered.min=41", "quantityPlaced.max=39", "quantityFilled.min=1", "executionServiceId=987654",
    "minQuantity=101", "maxQuantity=99", "portfolioNames=P2", "securityTickers=AAPL", "blotterAbbreviation=FI",
}  # fmt: skip


@pytest.mark.parametrize("collection", ["tradeOrders", "executions"])
async def test_every_field_sorts_and_filters(live: Live, collection: str) -> None:
    order_id = await live.order(blotterId=2)
    sent = (await live.submit(order_id, 40)).body
    row = sent if collection == "executions" else await live.read_order(order_id)
    own = {**row, "tradeOrderId": order_id}
    path = f"/api/v2/{collection}"
    for name in SORTS[collection].split():
        for sign in ("", "-"):
            page = await live.client.get(f"{path}?sort={sign}{name}&limit=2")
            assert (page.status, page.body["pagination"]["pageSize"]) == (200, 2), (sign, name)
            assert page.body["pagination"].keys() >= PAGINATION
    mine = f"sort=-id&id={row['id']}"
    known = FILTERS[collection].format(**own).split()
    for condition in known:
        page = await live.client.get(f"{path}?{condition}&{mine}")
        assert [one["id"] for one in page.body[collection]] == [row["id"]], condition
    names = {condition.partition("=")[0] for condition in known}
    for condition in (one for one in ELSE if one.partition("=")[0] in names):
        page = await live.client.get(f"{path}?{condition}&{mine}")
        assert (page.status, page.body[collection]) == (200, []), condition
    for bad in ("limit=0", "limit=1001", "offset=-1", "sort=nothing", "id=x"):
        assert (await live.client.get(f"{path}?{bad}")).status == 400, bad


async def test_the_shapes_of_v2(live: Live) -> None:
    order_id = await live.order(blotterId=2)
    execution_id = (await live.submit(order_id, 40)).body["id"]
    order = (await live.client.get(f"/api/v2/tradeOrders/{order_id}")).body
    assert order["portfolio"].keys() == {"portfolioId", "name"}
    assert order["security"].keys() == {"securityId", "ticker"}
    assert order["blotter"].keys() == BLOTTER_FIELDS
    assert not {"portfolioId", "securityId"} & order.keys()
    execution = (await live.client.get(f"/api/v2/executions/{execution_id}")).body
    assert execution["tradeOrder"].keys() == {"id", "orderId", "portfolio", "security"}
    assert (execution["quantityOrdered"], execution["quantityFilled"]) == (40, 0)


@pytest.mark.parametrize(
    "path",
    [
        "/api/v1/health/liveness",
        "/api/v1/health/readiness",
        "/api/v1/health/startup",
        "/actuator/health",
        "/actuator/health/liveness",
        "/actuator/health/readiness",
    ],
)
async def test_every_spelling_of_health_is_up(live: Live, path: str) -> None:
    answer = await live.client.get(path)
    assert (answer.status, answer.body["status"]) == (200, "UP")


async def test_the_metrics_that_dashboards_use(live: Live) -> None:
    assert (await live.client.get("/api/v1/tradeOrders/987654")).status == 404
    assert "http_requests_total" in (await live.client.get("/actuator/prometheus")).raw.decode()
    assert (await live.client.get("/actuator/metrics")).status == 200
    lines = (await live.client.get("/metrics")).raw.decode().splitlines()
    requests = [one for one in lines if one.startswith("http_requests_total{") and "/tradeOrders" in one]
    assert not any("987654" in one for one in requests)
    assert any(
        all(label in one for label in ('method="GET"', 'status="404"', "/tradeOrders/{")) for one in requests
    )
    assert any(one.startswith("http_requests_in_flight ") for one in lines)
    for state in ("active", "idle", "pending", "total"):
        assert any(one.startswith(f"hikari_connections_{state}") for one in lines), state
    bucket = re.compile(r'http_request_duration_seconds_bucket\{.*le="([0-9.]+)"')
    bounds = {float(found[1]) for one in lines if (found := bucket.match(one))}
    assert bounds == {0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2, 5, 10}
