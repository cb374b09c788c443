"""`trade-service top` against real services, and against one with fewer metrics."""

import re
import signal

import aiohttp

from execution_simulator.server import RunningSimulator
from tests.e2e.command import Cli
from tests.support.database import TestServer
from tests.web.live import live_alone
from trade_service.observability.telemetry_settings import MetricsSettings
from trade_service.submission.engine_settings import ExecutionBatchSettings

QUICK = ("--every", "0.2", "--times", "2")
ORDER = {"orderId": 1, "portfolioId": "P", "orderType": "BUY", "securityId": "IBM", "quantity": 5}
OF_WORKERS = {
    "trade_service_workers", "trade_service_worker_restarts_total", "trade_service_worker_restarts_created"
}  # fmt: skip
IMPORTS = {"PYTHONPROFILEIMPORTTIME": "1"}
"""Makes Python log its imports on standard error."""


async def test_a_guarded_service_is_watched_with_a_key(cli: Cli) -> None:
    key = (await cli.run("keys", "create", "desk", "--role", "trader")).out.strip()
    guarded = cli.under(
        TRADE_SERVICE_AUTH_MODE="api-key", TRADE_SERVICE_METRICS_ROLE="reader", LOG_LEVEL="ERROR", **IMPORTS
    )
    async with await guarded.start("serve", "--port", "0") as running:
        url = (await running.line_with("Serving on ")).split()[2].rstrip(";")
        async with aiohttp.ClientSession(url, headers={"X-API-Key": key}) as session:
            async with session.post("/api/v1/tradeOrders", json=ORDER) as answer:
                order_id = (await answer.json())["id"]
            part = {"quantity": 5, "destinationId": 1}
            async with session.post(f"/api/v1/tradeOrders/{order_id}/submit", json=part) as answer:
                assert answer.status == 201
        watched = await cli.under(TRADE_SERVICE_API_KEY=key).run("top", "--url", url, *QUICK)
        assert watched.code == 0, watched
        assert watched.out.count(f"Trade service at {url}") == 2
        assert watched.out.count("0 of 4") == 2, "batches in flight"
        assert "no failures since the service started" in watched.out
        assert (await cli.run("top", "--url", url, *QUICK)).complaint.endswith("give a key with --key")
        running.send(signal.SIGUSR1)
        async with aiohttp.ClientSession(url) as session, session.get("/api/v1/health/liveness"):
            pass
        running.send(signal.SIGTERM)
        ended = await running.ended()
    assert ended.code == 0
    assert "health/liveness" in ended.err, "requests of probes are logged at DEBUG"
    assert "trade_service.observability" in ended.err, "imports are logged"
    # Litestar looks at the names of OpenTelemetry by itself; what traces and exports is not loaded.
    for module in ("opentelemetry.sdk", "opentelemetry.exporter", "trade_service.observability.tracing"):
        assert module not in ended.err, module


async def test_another_kind_of_service_is_reported(cli: Cli, simulator: RunningSimulator) -> None:
    complaint = (await cli.run("top", "--url", simulator.base_url, *QUICK)).complaint
    assert re.search("answers (404|500): is it a trade service", complaint)
    complaint = (await cli.run("top", "--url", "http://127.0.0.1:9", *QUICK)).complaint
    assert "does not answer" in complaint


async def test_a_service_without_batch_metrics(
    cli: Cli, postgres: TestServer, template_database: str
) -> None:
    off = ExecutionBatchSettings(metrics_enabled=False)
    async with live_alone(postgres, template_database, batch=off) as live:
        assert (await live.submit(await live.order())).status == 201
        text = (await live.client.get("/metrics")).raw.decode()
        ended = await cli.run("top", "--url", live.client.url, *QUICK)
    assert "http_requests_total" in text
    assert "hikari_connections_active" in text
    assert set(re.findall(r"\btrade_service_\w+", text)) == OF_WORKERS
    assert "(EXECUTION_SERVICE_BATCH_METRICS_ENABLED) true?" in ended.complaint


async def test_a_service_without_metrics(cli: Cli, postgres: TestServer, template_database: str) -> None:
    async with live_alone(postgres, template_database, metrics=MetricsSettings(enabled=False)) as live:
        assert (await live.submit(await live.order())).status == 201
        assert (await live.client.get("/metrics")).status == 404
        ended = await cli.run("top", "--url", live.client.url, *QUICK)
    assert "with metrics switched on?" in ended.complaint
