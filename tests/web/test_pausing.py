"""Operators pause and resume sending over HTTP, on the real service."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.support.database import TestServer
from tests.web.live import BATCH, Live, behave, live_alone
from tests.web.support import Answer
from trade_service.web.responses import SUBMISSION_STATE

WHY = {"reason": "the market is closed", "operator": "ann"}
RESUMED_S = 3.0
"""Within this time of a resume everything is sent, without another request."""
ML, RBC = 1, 2


@pytest.fixture(scope="module")
async def running(postgres: TestServer, template_database: str) -> AsyncIterator[Live]:
    async with live_alone(postgres, template_database) as service:
        yield service


@pytest.fixture
async def live(running: Live) -> AsyncIterator[Live]:
    behave(running.simulator)
    yield running
    for pause in await pauses(running):
        destination = pause["destination"] and pause["destination"]["abbreviation"]
        assert (await act(running, "resume", destination=destination)).status == 200
    await running.accounts_agree()


async def act(live: Live, what: str, **body: Any) -> Answer:
    return await live.client.post(f"/api/v2/{what}", WHY | body)


async def pauses(live: Live) -> Any:
    return (await live.client.get("/api/v2/pauses")).body["pauses"]


async def accepted(live: Live, execution_ids: list[int]) -> None:
    async with asyncio.timeout(RESUMED_S):
        for execution_id in execution_ids:
            while await live.state_of(execution_id) != "accepted":
                await asyncio.sleep(0.02)


async def test_one_destination_is_paused_and_the_others_go_on(live: Live) -> None:
    orders = await live.orders(4)
    dry = await act(live, "pause", destination="ML", dryRun=True)
    assert (dry.status, dry.body["paused"], dry.body["dryRun"], await pauses(live)) == (200, False, True, [])
    done = await act(live, "pause", destination="ML")
    assert (done.status, done.body["paused"], done.body["destination"]) == (200, True, "ML"), done.raw
    again = await act(live, "pause", destination="ML")
    assert (again.status, again.body["paused"]) == (200, False)

    parts = [
        {"tradeOrderId": order_id, "quantity": 100, "destinationId": ML if index % 2 else RBC}
        for index, order_id in enumerate(orders)
    ]
    async with asyncio.timeout(5):  # PENDING comes at once, not after the wait.
        answer = await live.client.post(BATCH, {"submissions": parts})
    results = [one["execution"] for one in answer.body["results"]]
    ids = [one["id"] for one in results]
    assert [one["executionStatus"]["abbreviation"] for one in results] == ["SENT", "NEW"] * 2, answer.raw
    assert [await live.state_of(i) for i in ids] == ["accepted", "queued"] * 2

    (single,) = await live.orders(1)
    waiting = await live.submit(single, destination_id=ML)
    assert (waiting.status, waiting.headers[SUBMISSION_STATE.lower()]) == (201, "queued"), waiting.raw
    ids = [*ids[1::2], waiting.body["id"]]
    (shown,) = await pauses(live)
    assert (shown["destination"], shown["waiting"]) == ({"id": ML, "abbreviation": "ML"}, 3)
    assert (shown["reason"], shown["pausedBy"]) == (WHY["reason"], "ann")
    assert (await live.client.get("/api/v1/health/readiness")).status == 200

    done = await act(live, "resume", destination="ML")
    assert (done.status, done.body["resumed"], done.body["waiting"]) == (200, True, 3), done.raw
    await accepted(live, ids)
    log = (await live.client.get("/api/v2/audit-log?object=sending")).body["entries"]
    assert [(one["action"], one["objectName"], one["objectIds"]) for one in log] == [
        ("resume", "ML", [ML]),
        ("pause", "ML", [ML]),
    ]


async def test_all_sending_is_paused(live: Live) -> None:
    first, second = await live.orders(2)
    written = await live.batch((first, 100), query="?noExecuteSubmit=true")
    execution_id = written.body["results"][0]["execution"]["id"]
    assert (await act(live, "pause")).body["paused"]
    calls = live.simulator.calls
    one = await live.client.post(f"/api/v1/execution/{execution_id}/submit", {})
    assert (one.status, one.headers[SUBMISSION_STATE.lower()]) == (200, "queued"), one.raw
    other = await live.submit(second, destination_id=RBC)
    ids = [execution_id, other.body["id"]]
    assert [await live.state_of(i) for i in ids] == ["queued"] * 2, "durable, though nothing was claimed"
    resumed = await act(live, "resume", destination="RBC")
    assert (resumed.status, resumed.body["resumed"]) == (200, False)
    assert "all destinations" in resumed.body["message"]
    assert live.simulator.calls == calls
    assert (await act(live, "resume")).body["resumed"]
    await accepted(live, ids)


async def test_a_retry_waits_for_the_end_of_a_pause(live: Live) -> None:
    order_id = await live.order()
    live.simulator.faults = {"error_503": 1.0}
    answer = await live.batch((order_id, 100), query="?noExecuteSubmit=true")
    execution_id = answer.body["results"][0]["execution"]["id"]
    submitting = asyncio.create_task(live.client.post(f"/api/v1/execution/{execution_id}/submit", {}))
    async with asyncio.timeout(10):
        while await live.state_of(execution_id) != "retry":
            await asyncio.sleep(0.01)
    await act(live, "pause")
    behave(live.simulator)
    submitted = await submitting
    assert submitted.headers[SUBMISSION_STATE.lower()] in ("retry", "unknown"), submitted.raw
    assert await live.state_of(execution_id) in ("retry", "unknown")
    assert (await act(live, "resume")).body["resumed"]
    await accepted(live, [execution_id])


@pytest.mark.parametrize("what", ["pause", "resume"])
@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"destination": "nowhere"}, "destination"),
        ({"reason": " "}, "reason"),
        ({"operator": ""}, "operator"),
        ({"destinaton": "ML"}, "destinaton"),
        ({"destination": 1}, "destination"),
    ],
)
async def test_what_names_nothing_is_refused(live: Live, what: str, body: dict[str, Any], field: str) -> None:
    refused = await act(live, what, **body)
    assert (refused.status, field in str(refused.body)) == (400, True), refused.raw
    assert await pauses(live) == []
