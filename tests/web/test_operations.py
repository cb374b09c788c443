"""Metrics, info, traces and HEAD, over sockets."""

import asyncio
import re
import time
from collections.abc import AsyncIterator

import msgspec
import pytest
from prometheus_client import CollectorRegistry, Metric
from prometheus_client.registry import Collector

from tests.web.support import Client, FakeUseCases, served
from trade_service.domain.access import Role
from trade_service.observability.metrics import WebMetrics, register_connections
from trade_service.web.dependencies import WebSettings

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2, 5, 10)
ORDER = "/api/v1/tradeOrders/7"


@pytest.fixture
async def client() -> AsyncIterator[Client]:
    registry = CollectorRegistry()
    register_connections(registry, lambda: (3, 2, 1))
    services = msgspec.structs.replace(FakeUseCases().services(), metrics=WebMetrics(registry))
    async with served(services) as client:
        yield client


async def test_requests_are_counted_by_their_route(client: Client) -> None:
    for path in (ORDER, "/api/v1/tradeOrders/8", "/nothing/1", "/nothing/2"):
        await client.get(path)
    await client.call("DELETE", "/api/v1/tradeOrders/bulk/x/y")
    for path in ("/metrics", "/actuator/prometheus"):
        answer = await client.get(path)
        assert answer.headers["content-type"].startswith("text/plain")
        text = answer.raw.decode()
    template = r'method="GET",path="/api/v1/tradeOrders/\{trade_order_id\}",status="200"'
    assert re.search(rf"^http_requests_total\{{{template}\}} 2\.0$", text, re.M)
    assert 'http_requests_total{method="GET",path="unmatched",status="404"} 2.0' in text
    assert "/nothing" not in text
    assert "tradeOrders/7" not in text
    buckets = re.findall(rf'http_request_duration_seconds_bucket\{{le="([^"]+)",{template}', text)
    assert [float(le) for le in buckets] == [
        *(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2, 5, 10),
        float("inf"),
    ]
    assert "http_requests_in_flight 1.0" in text
    for line in ("active 3.0", "idle 2.0", "pending 1.0", "total 5.0"):
        assert f"hikari_connections_{line}" in text


async def test_one_metric_in_the_format_of_the_actuator(client: Client) -> None:
    for path in (ORDER, ORDER, "/nothing"):
        await client.get(path)
    names = (await client.get("/actuator/metrics")).body["names"]
    assert {"http_requests_total", "http_request_duration_seconds", "hikari_connections_idle"} <= set(names)
    one = (await client.get("/actuator/metrics/http_requests_total?tag=status:200&tag=path:unmatched")).status
    assert one == 404
    body = (await client.get("/actuator/metrics/http_requests_total?tag=path:unmatched")).body
    assert body["measurements"] == [{"statistic": "COUNT", "value": 1.0}]
    assert {"tag": "status", "values": ["404"]} in body["availableTags"]
    timed = (await client.get("/actuator/metrics/http_request_duration_seconds")).body
    assert [one["statistic"] for one in timed["measurements"]] == ["COUNT", "TOTAL_TIME"]
    assert (await client.get("/actuator/metrics/no_such_metric")).status == 404
    assert (await client.get("/actuator/metrics/http_requests_total?tag=x")).status == 400


async def test_metrics_may_be_for_some_alone_and_off() -> None:
    fakes = FakeUseCases()
    metered = msgspec.structs.replace(fakes.services(), metrics=WebMetrics(CollectorRegistry()))
    async with served(metered, WebSettings(metrics_role=Role.OPERATOR)) as client:
        assert (await client.get("/metrics")).status == 200, "mode none lets everybody do everything"
    async with served(fakes.services()) as client:
        assert (await client.get("/metrics")).status == 404


class Counting(Collector):
    """A metric that counts how often it is collected."""

    times = 0

    def collect(self) -> list[Metric]:
        self.times += 1
        return [Metric("collected", "How often.", "gauge")]


async def test_metrics_are_collected_once_for_all_who_ask_within_a_second() -> None:
    registry, counting, began = CollectorRegistry(), Counting(), time.monotonic()
    registry.register(counting)
    at_first = counting.times
    services = msgspec.structs.replace(FakeUseCases().services(), metrics=WebMetrics(registry))
    async with served(services) as client:
        for path in ("/metrics", "/actuator/metrics", "/actuator/metrics/collected", "/actuator/prometheus"):
            answers = await asyncio.gather(*(client.get(path) for _ in range(25)))
            assert {answer.status for answer in answers} == {200}
    assert counting.times - at_first <= 1 + (time.monotonic() - began)


async def test_info_has_the_version(client: Client) -> None:
    assert re.fullmatch(r"\d+\.\d+\.\d+.*", (await client.get("/actuator/info")).body["build"]["version"])


async def test_head_is_get_without_its_body(client: Client) -> None:
    for path, status in ((ORDER, 200), ("/actuator/health", 200), ("/nothing", 404)):
        answer = await client.call("HEAD", path)
        assert (answer.status, answer.raw) == (status, b"")
        assert answer.headers["content-type"] == (await client.get(path)).headers["content-type"]


async def test_a_trace_is_continued(client: Client) -> None:
    answer = await client.get(ORDER, headers={"traceparent": f"00-{TRACE}-00f067aa0ba902b7-01"})
    assert re.fullmatch(rf"00-{TRACE}-(?!00f067aa0ba902b7)[0-9a-f]{{16}}-01", answer.headers["traceparent"])


@pytest.mark.parametrize(
    "sent",
    [
        f"00-{TRACE}-00f067aa0ba902b7-01-more",
        f"ff-{TRACE}-00f067aa0ba902b7-01",
        f"00-{'0' * 32}-00f067aa0ba902b7-01",
        f"00-{TRACE}-{'0' * 16}-01",
        f"00-{TRACE.upper()}-00f067aa0ba902b7-01",
        "nonsense",
    ],
)
async def test_a_malformed_trace_is_ignored(client: Client, sent: str) -> None:
    answer = await client.get(ORDER, headers={"traceparent": sent})
    assert answer.status == 200
    assert "traceparent" not in answer.headers
