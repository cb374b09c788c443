"""Responses while the circuit is open: immediate, pending, and a request not to resubmit."""

import asyncio
from decimal import Decimal

from tests.support.database import TestServer
from tests.web.live import live_alone
from trade_service.submission.engine_settings import CircuitSettings

AT_ONCE_S = 4.0
"""Half of a caller's maximum wait."""
FIRST_BAD_CALL_FOR_LONG = CircuitSettings(
    window_calls=1, minimum_calls=1, open_ms=600_000, open_max_ms=600_000
)
PENDING_TEXT = (
    "pending, do not resubmit: the Execution Service is not called now since its last calls failed or were too "
    "slow; it is sent automatically later"
)


async def test_callers_get_pending_at_once_and_executions_wait_as_retry(
    postgres: TestServer, template_database: str
) -> None:
    async with live_alone(postgres, template_database, circuit=FIRST_BAD_CALL_FOR_LONG) as live:
        first, single, *batch = await live.orders(4)
        live.simulator.script(["error_503"])
        await live.submit(first)
        calls = live.simulator.calls["batch"]

        async with asyncio.timeout(AT_ONCE_S):
            one = await live.submit(single)
        assert (one.status, one.body["executionStatus"]["abbreviation"]) == (201, "NEW")
        assert (one.headers["x-submission-state"], one.headers["x-submission-message"]) == (
            "retry",
            PENDING_TEXT,
        )
        assert (one.body["quantityPlaced"], one.body["executionServiceId"]) == ("0.00", None)

        async with asyncio.timeout(AT_ONCE_S):
            many = await live.batch(*((order_id, 100) for order_id in batch))
        assert (many.status, many.body["status"], many.body["failed"]) == (200, "SUCCESS", 0)
        assert many.headers["x-submission-state"] == "retry"
        assert {result["message"] for result in many.body["results"]} == {PENDING_TEXT}

        path = f"/api/v1/execution/{one.body['id']}/submit"
        async with asyncio.timeout(AT_ONCE_S):
            again = await live.client.post(path)
        assert (again.status, again.headers["x-submission-state"]) == (200, "retry")

        executions = [one.body["id"], *(result["execution"]["id"] for result in many.body["results"])]
        async with asyncio.timeout(AT_ONCE_S):
            by_id = await live.client.post("/api/v2/executions/submit", {"executionIds": executions})
        assert (by_id.status, by_id.body["pending"]) == (200, 3)
        assert {result["code"] for result in by_id.body["results"]} == {"CIRCUIT_OPEN"}

        assert {await live.state_of(execution_id) for execution_id in executions} == {"retry"}
        assert live.simulator.calls["batch"] == calls, "nothing was sent"
        for order_id in (single, *batch):
            assert await live.left_of(order_id) == (Decimal(0), True), "what waits is not given back"
        await live.accounts_agree()


async def test_callers_read_why_while_the_service_turns_every_call_away(
    postgres: TestServer, template_database: str
) -> None:
    """This holds for the first batch and later ones; afterwards everything is sent without being asked."""
    quick = CircuitSettings(open_ms=200, open_max_ms=400)
    async with live_alone(postgres, template_database, circuit=quick) as live:
        first, *batch = await live.orders(4)
        live.simulator.script(["unauthorized_401"] * 1000)
        async with asyncio.timeout(AT_ONCE_S):
            one = await live.submit(first)
            many = await live.batch(*((order_id, 100) for order_id in batch))
            again = await live.client.post(f"/api/v1/execution/{one.body['id']}/submit")
        assert (one.status, many.status, many.body["status"], many.body["failed"]) == (201, 200, "SUCCESS", 0)
        assert again.status == 200
        for message in (
            one.headers["x-submission-message"],
            again.headers["x-submission-message"],
            *(result["message"] for result in many.body["results"]),
        ):
            assert "pending, do not resubmit: the Execution Service rejects every call until" in message
            assert "answered 401" in message
        assert {one.headers["x-submission-state"], many.headers["x-submission-state"]} == {"retry"}
        live.simulator.script([])
        executions = [one.body["id"], *(result["execution"]["id"] for result in many.body["results"])]
        async with asyncio.timeout(20):
            while {await live.state_of(execution_id) for execution_id in executions} != {"accepted"}:
                await asyncio.sleep(0.05)
        await live.accounts_agree()
