"""Traces and pushed metrics arrive at a collector, a real HTTP server."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import msgspec
import pytest
from aiohttp import web
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.metrics.v1.metrics_pb2 import Metric
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from execution_simulator.server import RunningSimulator, SimulatorSettings, running_simulator
from tests.support.database import TestServer
from tests.web.live import Live, live_service
from trade_service.observability.telemetry_settings import TelemetrySettings

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
CALLER = "00f067aa0ba902b7"
TRACEPARENT = {"traceparent": f"00-{TRACE}-{CALLER}-01"}
UNSAMPLED = {"traceparent": f"00-{TRACE}-{CALLER}-00"}


class Collector(msgspec.Struct):
    """A collector that keeps what is pushed."""

    url: str = ""
    spans: list[Span] = []
    metrics: dict[str, Metric] = {}
    credentials: set[tuple[str, str | None, str | None]] = set()
    """The paths of requests with their headers Authorization and X-Tenant."""
    arrived: asyncio.Event = msgspec.field(default_factory=asyncio.Event)

    def named(self, name: str) -> Span:
        (span,) = [span for span in self.spans if span.name == name]
        return span

    def _note(self, request: web.Request) -> None:
        given = request.headers.get("Authorization"), request.headers.get("X-Tenant")
        self.credentials.add((request.path, *given))

    async def take_traces(self, request: web.Request) -> web.Response:
        self._note(request)
        message = ExportTraceServiceRequest.FromString(await request.read())
        for resource in message.resource_spans:
            for scope in resource.scope_spans:
                self.spans.extend(scope.spans)
        return web.Response()

    async def take_metrics(self, request: web.Request) -> web.Response:
        self._note(request)
        message = ExportMetricsServiceRequest.FromString(await request.read())
        for resource in message.resource_metrics:
            for scope in resource.scope_metrics:
                self.metrics.update((metric.name, metric) for metric in scope.metrics)
        self.arrived.set()
        return web.Response()


@asynccontextmanager
async def running_collector() -> AsyncIterator[Collector]:
    collector = Collector()
    app = web.Application()
    app.router.add_post("/v1/traces", collector.take_traces)
    app.router.add_post("/v1/metrics", collector.take_metrics)
    runner = web.AppRunner(app)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        collector.url = f"http://127.0.0.1:{site.port}"
        yield collector
    finally:
        await runner.cleanup()


@pytest.fixture
async def simulator() -> AsyncIterator[RunningSimulator]:
    async with running_simulator(SimulatorSettings()) as running:
        yield running


@asynccontextmanager
async def observed(
    postgres: TestServer, template: str, simulator: RunningSimulator, collector: Collector
) -> AsyncIterator[Live]:
    telemetry = TelemetrySettings(
        endpoint=collector.url,
        push_every_ms=100,
        headers="authorization=Bearer%20both,x-tenant=desk",
        metrics_headers="authorization=Bearer%20metrics",
    )
    async with (
        postgres.database(template) as url,
        live_service(url, simulator, telemetry=telemetry) as live,
    ):
        yield live


def attributes(span: Span) -> dict[str, object]:
    return {one.key: one.value.string_value or one.value.int_value for one in span.attributes}


async def test_a_request_is_followed_through_its_batch_to_the_execution_service(
    postgres: TestServer, template_database: str, simulator: RunningSimulator
) -> None:
    async with running_collector() as collector:
        async with observed(postgres, template_database, simulator, collector) as live:
            order_id = await live.order()
            part = {"quantity": 100, "destinationId": 1}
            path = f"/api/v1/tradeOrders/{order_id}/submit"
            answer = await live.client.post(
                path, part, headers={"Content-Type": "application/json"} | TRACEPARENT
            )
            assert answer.status == 201
        request = collector.named("POST /api/v1/tradeOrders/{trade_order_id}/submit")
        batch = collector.named("submit batch")
        claim, call, record = map(collector.named, ("claim", "POST /api/v1/executions/batch", "record"))
    assert {span.trace_id.hex() for span in (request, batch, claim, call, record)} == {TRACE}
    assert request.parent_span_id.hex() == CALLER
    assert batch.parent_span_id == request.span_id
    assert {claim.parent_span_id, call.parent_span_id, record.parent_span_id} == {batch.span_id}
    assert claim.start_time_unix_nano <= call.start_time_unix_nano <= record.start_time_unix_nano
    assert attributes(request)["http.response.status_code"] == 201
    assert attributes(request)["trade_service.request_id"] == answer.headers["x-request-id"]
    assert attributes(batch)["trade_service.accepted"] == 1
    assert attributes(call)["http.response.status_code"] == 201
    (seen,) = simulator.seen
    assert seen.traceparent == f"00-{TRACE}-{call.span_id.hex()}-01"
    assert attributes(batch)["trade_service.attempt_id"] == seen.idempotency_key


async def test_a_batch_of_several_requests_links_to_each(
    postgres: TestServer, template_database: str, simulator: RunningSimulator
) -> None:
    async with running_collector() as collector:
        async with observed(postgres, template_database, simulator, collector) as live:
            orders = await live.orders(12)
            simulator.hold()
            submitting = [asyncio.create_task(live.submit(order_id)) for order_id in orders]
            await simulator.calls_reached(4)
            async with asyncio.timeout(5):
                while len(live.services.queue) < 8:
                    await asyncio.sleep(0.01)
            simulator.release()
            await asyncio.gather(*submitting)
    requests = {s.span_id for s in collector.spans if s.name.endswith("{trade_order_id}/submit")}
    assert len(requests) == 12
    batches = [span for span in collector.spans if span.name == "submit batch"]
    linked = [link.span_id for span in batches for link in span.links]
    parents = [span.parent_span_id for span in batches if span.parent_span_id]
    assert sorted(linked + parents) == sorted(requests)
    assert len(linked) >= 8


async def test_what_is_not_sampled_is_not_exported_and_health_never_is(
    postgres: TestServer, template_database: str, simulator: RunningSimulator
) -> None:
    async with running_collector() as collector:
        async with observed(postgres, template_database, simulator, collector) as live:
            await live.client.get("/api/v1/tradeOrders/1", headers=UNSAMPLED)
            await live.client.get("/api/v1/health/liveness")
    assert collector.spans == []


@pytest.mark.parametrize(("sampler", "spans"), [("always_off", 0), ("parentbased_always_on", 5)])
async def test_the_sampler_is_taken_from_the_environment(
    postgres: TestServer,
    template_database: str,
    simulator: RunningSimulator,
    monkeypatch: pytest.MonkeyPatch,
    sampler: str,
    spans: int,
) -> None:
    monkeypatch.setenv("OTEL_TRACES_SAMPLER", sampler)
    async with running_collector() as collector:
        async with observed(postgres, template_database, simulator, collector) as live:
            (order_id,) = await live.orders(1)
            assert (await live.submit(order_id)).status == 201
    names = [span.name for span in collector.spans if not span.name.endswith("/bulk")]
    assert len(names) == spans


async def test_metrics_are_pushed(
    postgres: TestServer, template_database: str, simulator: RunningSimulator
) -> None:
    async with running_collector() as collector:
        async with observed(postgres, template_database, simulator, collector) as live:
            order_id = await live.order()
            assert (await live.submit(order_id)).status == 201
            async with asyncio.timeout(10):
                while "trade_service_executions" not in collector.metrics:
                    collector.arrived.clear()
                    await collector.arrived.wait()
    assert collector.credentials == {
        ("/v1/traces", "Bearer both", "desk"),
        ("/v1/metrics", "Bearer metrics", None),
    }
    (point,) = [
        point
        for point in collector.metrics["trade_service_executions"].sum.data_points
        if {one.key: one.value.string_value for one in point.attributes}
        == {"state": "accepted", "code": "OK"}
    ]
    assert point.as_double == 1
    (sizes,) = collector.metrics["trade_service_batch_size"].histogram.data_points
    assert (sizes.count, sizes.sum, sizes.bucket_counts[0], sum(sizes.bucket_counts)) == (1, 1, 1, 1)
    assert list(sizes.explicit_bounds) == [1, 2, 5, 10, 20, 50, 75, 100]
    assert collector.metrics["trade_service_circuit_state"].gauge.data_points


async def test_without_an_address_nothing_is_loaded(
    postgres: TestServer, template_database: str, simulator: RunningSimulator
) -> None:
    async with postgres.database(template_database) as url, live_service(url, simulator) as live:
        assert live.services.tracing is None
        assert (await live.submit(await live.order())).status == 201
    assert simulator.seen[-1].traceparent is None


async def test_a_collector_that_is_away_harms_nothing_and_holds_up_no_stop(
    postgres: TestServer, template_database: str, simulator: RunningSimulator
) -> None:
    telemetry = TelemetrySettings(endpoint="http://127.0.0.1:9", push_every_ms=100)
    async with postgres.database(template_database) as url:
        async with live_service(url, simulator, telemetry=telemetry) as live:
            assert (await live.submit(await live.order())).status == 201
            began = time.monotonic()
        assert time.monotonic() - began < 8
