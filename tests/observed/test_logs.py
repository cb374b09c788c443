"""A request can be followed through the log by its id, which the lines of its batch have."""

import asyncio
import logging
from collections.abc import AsyncIterator, Iterator

import pytest
import structlog
from structlog.testing import capture_logs

from tests.support.database import TestServer
from tests.support.engine import until
from tests.web.live import Live, live_alone
from trade_service.submission.events import MAX_ORIGINS

JSON = {"Content-Type": "application/json"}


@pytest.fixture(scope="module")
async def live(postgres: TestServer, template_database: str) -> AsyncIterator[Live]:
    async with live_alone(postgres, template_database) as live:
        yield live


@pytest.fixture
def level_kept() -> Iterator[None]:
    """Restores the log level after a test."""
    before = structlog.get_config()["wrapper_class"]
    yield
    structlog.configure(wrapper_class=before)


async def submitted(live: Live, order_id: int, request_id: str) -> None:
    part = {"quantity": 100, "destinationId": 1}
    path = f"/api/v1/tradeOrders/{order_id}/submit"
    answer = await live.client.post(path, part, headers=JSON | {"X-Request-ID": request_id})
    assert answer.headers["x-request-id"] == request_id


async def test_a_request_is_found_in_the_lines_of_its_batch_and_its_attempt_downstream(live: Live) -> None:
    (order_id,) = await live.orders(1)
    live.simulator.script(["item_fail_permanent:0"])
    with capture_logs([structlog.contextvars.merge_contextvars]) as logs:
        await submitted(live, order_id, "desk-7")
        await until(lambda: any(line["event"] == "execution_not_accepted" for line in logs))
    (request,) = [line for line in logs if line["event"] == "request"]
    (batch,) = [line for line in logs if line["event"] == "batch_submitted"]
    (failed,) = [line for line in logs if line["event"] == "execution_not_accepted"]
    assert request["request_id"] == "desk-7"
    assert batch["request_ids"] == failed["request_ids"] == ("desk-7",)
    assert batch["attempt_id"] == failed["attempt_id"] == live.simulator.seen[-1].idempotency_key
    assert {"size", "accepted", "claim_ms", "call_ms", "record_ms", "queued_ms", "callers"} <= batch.keys()
    assert {"execution_id", "code", "state", "reason"} <= failed.keys()


async def test_a_batch_of_many_requests_names_a_bounded_number(live: Live) -> None:
    orders = await live.orders(4 + 30)
    live.simulator.hold()
    with capture_logs() as logs:
        async with asyncio.TaskGroup() as group:
            for number, order_id in enumerate(orders):
                group.create_task(submitted(live, order_id, f"r{number}"))
            await until(lambda: len(live.services.waiters) == len(orders))
            live.simulator.release()
    batches = [line for line in logs if line["event"] == "batch_submitted" and not line["recovered"]]
    named = [request_id for line in batches for request_id in line["request_ids"]]
    assert len(named) == len(set(named)) > MAX_ORIGINS
    for line in batches:
        assert len(line["request_ids"]) == min(line["callers"], MAX_ORIGINS)


async def test_a_bulk_submission_is_named_in_its_batches(live: Live) -> None:
    orders = await live.orders(3)
    parts = [{"tradeOrderId": i, "quantity": 100, "destinationId": 1} for i in orders]
    path = "/api/v1/tradeOrders/batch/submit?noExecuteSubmit=true"
    made = await live.client.post(path, {"submissions": parts})
    ids = [result["execution"]["id"] for result in made.body["results"]]
    with capture_logs() as logs:
        answer = await live.client.post("/api/v2/executions/submit", {"executionIds": ids})
    (batch,) = [line for line in logs if line["event"] == "batch_submitted"]
    assert batch["submission_ids"] == (answer.body["submissionId"],)
    (begun,) = [line for line in logs if line["event"] == "bulk_submission_begun"]
    assert begun["submission_id"] == answer.body["submissionId"]


async def test_retries_by_recovery_are_logged_with_their_attempt_only(live: Live) -> None:
    (order_id,) = await live.orders(1)
    live.simulator.script(["reset_before"])
    with capture_logs() as logs:
        await submitted(live, order_id, "desk-8")
        await until(lambda: any(line.get("recovered") for line in logs))
    first, again = [line for line in logs if line["event"] == "batch_submitted"]
    assert first["request_ids"] == ("desk-8",)
    assert "request_ids" not in again


async def test_the_level_is_changed_while_it_runs(live: Live, level_kept: None) -> None:
    levels = (await live.client.get("/actuator/loggers")).body
    assert levels["levels"] == ["OFF", "ERROR", "WARN", "INFO", "DEBUG", "TRACE"]
    assert levels["loggers"] == {"ROOT": {"configuredLevel": "INFO", "effectiveLevel": "INFO"}}
    root = "/actuator/loggers/ROOT"
    log = structlog.get_logger("any")
    for spring, level in (("DEBUG", logging.DEBUG), ("warn", logging.WARNING), (None, logging.INFO)):
        answer = await live.client.post(root, {"configuredLevel": spring})
        assert (answer.status, answer.raw) == (204, b"")
        assert [log.is_enabled_for(n) for n in (level - 10, level)] == [False, True]
    assert (await live.client.get(root)).body["effectiveLevel"] == "INFO"
    assert (await live.client.post(root, {"configuredLevel": "LOUD"})).status == 400
    assert (await live.client.post("/actuator/loggers/org.example", {})).status == 404
    assert (await live.client.post("/actuator/loggers/org.example", raw=b"{")).status == 404
    live.services.log_level.toggle_debug()
    assert (await live.client.get(root)).body["effectiveLevel"] == "DEBUG"
    live.services.log_level.toggle_debug()
    assert (await live.client.get(root)).body["effectiveLevel"] == "INFO"
