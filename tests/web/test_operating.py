"""Operators over HTTP, on the real service: histories, resolutions, requeues."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

import pytest

from tests.support.database import TestServer
from tests.support.trading import run_sql
from tests.web.live import Live, behave, live_alone
from tests.web.support import Answer

WHY = {"reason": "asked their desk", "operator": "ann"}


@pytest.fixture(scope="module")
async def running(postgres: TestServer, template_database: str) -> AsyncIterator[Live]:
    async with live_alone(postgres, template_database) as service:
        yield service


@pytest.fixture
def live(running: Live) -> Live:
    behave(running.simulator)
    return running


async def one_sent(live: Live, fault: str, wait: str | None) -> int:
    """One execution whose submission met a fault; returns its id once it is in state `wait`."""
    order_id = await live.order()
    answer = await live.batch((order_id, 100), query="?noExecuteSubmit=true")
    execution_id: int = answer.body["results"][0]["execution"]["id"]
    live.simulator.script([fault])
    submitting = asyncio.create_task(live.client.post(f"/api/v1/execution/{execution_id}/submit", {}))
    async with asyncio.timeout(15):
        while await live.state_of(execution_id) != wait:
            await asyncio.sleep(0.01)
    if wait == "unknown":
        submitting.cancel()
    await asyncio.gather(submitting, return_exceptions=True)
    return execution_id


async def resolve(live: Live, execution_id: int, **body: Any) -> Answer:
    return await live.client.post(f"/api/v2/executions/{execution_id}/resolve", WHY | body)


async def requeue(live: Live, **body: Any) -> Answer:
    return await live.client.post("/api/v2/executions/requeue", WHY | body)


async def test_an_unknown_outcome_is_resolved(live: Live) -> None:
    live.simulator.lookup_faults = {"error_503": 1.0}
    execution_id = await one_sent(live, "reset_after", "unknown")
    (service_id,) = [row.id for row in live.simulator.ledger.get(execution_id)]
    history = (await live.client.get(f"/api/v2/executions/{execution_id}/attempts")).body
    assert (history["state"], history["attempts"][0]["kind"]) == ("unknown", "lost")
    assert history["attempts"][0]["outcomes"][0]["state"] == "unknown"
    assert history["waitsFor"]

    dry = await resolve(live, execution_id, outcome="ACCEPTED", executionServiceId=service_id, dryRun=True)
    assert (dry.status, dry.body["resolved"], dry.body["lookUp"]["sight"]) == (200, False, "silent"), dry.raw
    assert await live.state_of(execution_id) == "unknown"
    live.simulator.script_lookups(["ok"])
    done = await resolve(live, execution_id, outcome="ACCEPTED", executionServiceId=service_id, force=True)
    assert (done.status, done.body["resolved"], done.body["stateBefore"]) == (200, True, "unknown"), done.raw
    again = await resolve(live, execution_id, outcome="NOT_ACCEPTED")
    assert (again.status, again.body["code"]) == (409, "EVIDENCE_CONFLICT")
    assert {"error", "message", "details"} <= again.body.keys()
    (kept,) = (await live.client.get(f"/api/v2/executions/{execution_id}/attempts")).body["evidence"]
    assert (kept["code"], kept["actor"], kept["message"]) == ("RESOLVED", "ann", "asked their desk")
    await live.accounts_agree()


async def test_unknown_outcomes_are_listed_with_what_they_wait_for(live: Live) -> None:
    live.simulator.lookup_faults = {"error_503": 1.0}
    before = (await live.client.get("/api/v2/unknowns")).body
    ids = [await one_sent(live, "reset_after", "unknown") for _ in range(3)]
    listed = (await live.client.get("/api/v2/unknowns?limit=1000")).body
    assert (listed["total"], listed["nextCursor"]) == (before["total"] + 3, None)
    *_, last = listed["unknowns"]
    assert (last["executionId"], last["state"], last["quantity"], last["ticker"], last["destination"]) == (
        ids[-1], "unknown", 100, "IBM", "ML",
    )  # fmt: skip
    assert (last["needsPerson"], last["openSince"] < last["nextActionAt"]) == (False, True)
    assert last["waitsFor"]
    seen: list[int] = []
    cursor: str | None = ""
    while cursor is not None:
        page = (await live.client.get(f"/api/v2/unknowns?limit=1&cursor={cursor}")).body
        seen += [one["executionId"] for one in page["unknowns"]]
        cursor = page["nextCursor"]
    assert seen == [one["executionId"] for one in listed["unknowns"]]
    behave(live.simulator)
    async with asyncio.timeout(15):
        while (await live.client.get("/api/v2/unknowns")).body["total"]:
            await asyncio.sleep(0.02)


async def test_failures_are_grouped_listed_and_gone_once_requeued(live: Live) -> None:
    since = urlencode({"from": datetime.now(UTC).isoformat()})
    ids = [await one_sent(live, "malformed_400", "rejected") for _ in range(3)]
    (group,) = (await live.client.get(f"/api/v2/failures?{since}")).body["groups"]
    assert (group["state"], group["code"], group["count"], group["sampleExecutionId"]) == (
        "rejected", "DOWNSTREAM_REFUSED_REQUEST", 3, ids[-1],
    )  # fmt: skip
    reason = urlencode({name: group[name] for name in ("state", "code", "message")})
    period = urlencode({"from": group["firstAt"], "to": group["lastAt"]})
    assert "(attempt …)" in group["message"]
    seen: list[int] = []
    cursor: str | None = ""
    while cursor is not None:
        answer = await live.client.get(
            f"/api/v2/failures/executions?{reason}&{since}&limit=1&cursor={cursor}"
        )
        (row,) = answer.body["executions"]
        assert (row["quantity"], row["ticker"], row["code"]) == (100, "IBM", group["code"])
        assert answer.body["total"] == 3
        seen.append(row["executionId"])
        cursor = answer.body["nextCursor"]
    assert seen == ids[::-1]
    within = (await live.client.get(f"/api/v2/failures/executions?{period}")).body
    assert ([one["executionId"] for one in within["executions"]], within["total"]) == (ids[1::-1], 2)
    same = urlencode({"message": row["message"]})
    assert (await live.client.get(f"/api/v2/failures/executions?{since}&{same}")).body["total"] == 3
    for query in ("state=exhausted", "code=OTHER", "message=other", urlencode({"to": row["failedAt"]})):
        nothing = (await live.client.get(f"/api/v2/failures/executions?{since}&{query}")).body
        assert nothing == {"executions": [], "nextCursor": None, "total": 0}
    none = {"groups": [], "more": False}
    assert (await live.client.get(f"/api/v2/failures?{since}&state=exhausted")).body == none

    assert (await requeue(live, executionIds=ids)).status == 200
    assert (await live.client.get(f"/api/v2/failures?{since}")).body == none
    evidence = (await live.client.get("/api/v2/evidence?code=REQUEUED&limit=2")).body
    assert [(one["executionId"], one["actor"]) for one in evidence["evidence"]] == [
        (ids[2], "ann"),
        (ids[1], "ann"),
    ]
    behind = await live.client.get(f"/api/v2/evidence?code=REQUEUED&cursor={evidence['nextCursor']}")
    assert behind.body["evidence"][0]["executionId"] == ids[0]
    of_one = (await live.client.get(f"/api/v2/evidence?executionId={ids[1]}")).body
    assert ([one["executionId"] for one in of_one["evidence"]], of_one["nextCursor"]) == ([ids[1]], None)
    for execution_id in ids:
        async with asyncio.timeout(15):
            while await live.state_of(execution_id) != "accepted":
                await asyncio.sleep(0.02)
    await live.accounts_agree()


@pytest.mark.parametrize(
    ("path", "field"),
    [
        ("failures?state=accepted", "state"),
        ("failures?from=yesterday", "from"),
        ("failures/executions?cursor=x", "cursor"),
        ("failures/executions?message=a%00b", "message"),
        ("failures/executions?code=" + "x" * 4001, "code"),
        ("unknowns?limit=0", "limit"),
        ("evidence?code=OTHER", "code"),
        ("evidence?executionId=x", "executionId"),
    ],
)
async def test_what_is_wrong_in_a_query_is_named(live: Live, path: str, field: str) -> None:
    answer = await live.client.get(f"/api/v2/{path}")
    assert (answer.status, answer.body["details"]["field"]) == (400, field), answer.raw


async def test_what_was_rejected_is_requeued(live: Live) -> None:
    execution_id = await one_sent(live, "malformed_400", "rejected")
    dry = await requeue(live, filter={"codes": ["DOWNSTREAM_REFUSED_REQUEST"]}, dryRun=True)
    (result,) = dry.body["results"]
    assert (dry.status, dry.body["dryRun"], result["executionId"]) == (200, True, execution_id)
    assert (result["quantity"], result["orderAvailable"], result["endedCode"]) == (
        100, 100, "DOWNSTREAM_REFUSED_REQUEST",
    )  # fmt: skip
    assert (dry.body["ofEarlierEpoch"], dry.body["message"]) == (0, "1 of 1 can be requeued")
    assert await live.state_of(execution_id) == "rejected"
    some = await requeue(live, executionIds=[execution_id, 999_999])
    assert (some.status, some.body["status"], some.body["successful"]) == (207, "PARTIAL", 1), some.raw
    none = await requeue(live, executionIds=[999_999])
    assert (none.status, none.body["code"]) == (409, "NOT_REQUEUEABLE")
    async with asyncio.timeout(15):
        while await live.state_of(execution_id) != "accepted":
            await asyncio.sleep(0.02)
    nothing = await requeue(live, filter={"states": ["exhausted"], "destinations": ["ML"]})
    assert (nothing.status, nothing.body["totalRequested"]) == (200, 0)
    await live.accounts_agree()


async def test_a_dry_run_counts_what_may_need_a_person_after_a_reset(live: Live) -> None:
    execution_id = await one_sent(live, "malformed_400", "rejected")
    move = "UPDATE submission_attempt SET epoch = epoch - 1 WHERE execution_ids = ARRAY[:id::int]"
    await run_sql(live.services.database, move, id=execution_id)
    dry = (await requeue(live, executionIds=[execution_id, 999_999], dryRun=True)).body
    assert (dry["successful"], dry["ofEarlierEpoch"]) == (1, 1)
    assert "1 of these were sent before the Execution Service's ledger was reset or moved" in dry["message"]
    assert "stays unknown until someone resolves it" in dry["results"][0]["message"]


async def test_what_failed_for_one_reason_is_requeued_in_the_background(live: Live) -> None:
    since = datetime.now(UTC).isoformat()
    orders = [one for _ in range(11) for one in await live.orders(100)]
    insert = """
        WITH more AS (
            INSERT INTO execution (execution_status_id, trade_type_id, trade_order_id, destination_id,
                                   quantity_ordered, quantity_placed, submission_state)
            SELECT 1, 1, o, 1, 7, 0, 'rejected' FROM unnest(cast(:orders AS int[])) o RETURNING id)
        INSERT INTO failed_execution (execution_id, state, code, message)
        SELECT id, 'rejected', 'ITEM_REFUSED', 'limit ' || 1000 + id || ' exceeded' FROM more"""
    await run_sql(live.services.database, insert, orders=orders)
    (group,) = (await live.client.get("/api/v2/failures?" + urlencode({"from": since}))).body["groups"]
    assert (group["message"], group["count"]) == ("limit … exceeded", 1100)
    chosen = {"codes": [group["code"]], "messages": [group["message"]], "from": since}

    async def in_background(**body: Any) -> Answer:
        body = WHY | {"filter": chosen} | body
        path, headers = "/api/v2/executions/requeue", {"Prefer": "respond-async"}
        return await live.client.post(path, body, headers=headers)

    dry = (await in_background(dryRun=True)).body
    assert (dry["totalRequested"], dry["successful"], dry["quantity"], dry["refusals"], dry["more"]) == (
        1100, 1100, 7700, {}, False,
    )  # fmt: skip
    assert len(dry["results"]) == 1000
    done = await in_background()
    assert (done.status, done.body["totalRequested"], done.body["refused"]) == (202, 1100, 0), done.raw
    address = done.headers["location"]
    async with asyncio.timeout(30):
        while (progress := (await live.client.get(address)).body)["status"] != "FINISHED":
            await asyncio.sleep(0.05)
    assert (progress["successful"], progress["submissionId"]) == (1100, done.body["submissionId"])
    nothing = await in_background()
    assert (nothing.status, nothing.body["totalRequested"]) == (200, 0)
    await live.accounts_agree()


@pytest.mark.parametrize(
    ("path", "body", "field"),
    [
        ("requeue", {}, "executionIds"),
        ("requeue", {"executionIds": []}, "executionIds"),
        ("requeue", {"executionIds": [1], "filter": {}}, "executionIds"),
        ("requeue", {"executionIds": [1], "reason": " "}, "reason"),
        ("requeue", {"executionIds": [1], "operator": ""}, "operator"),
        ("requeue", {"filter": {"states": ["accepted"]}}, "state"),
        ("requeue", {"filter": {"since": "yesterday"}}, "since"),
        ("requeue", {"filter": {}}, "filter"),
        ("requeue", {"filter": {"since": None}}, "since"),
        ("requeue", {"filter": {"states": []}}, "states"),
        ("requeue", {"filter": {"orderIds": []}, "dryRun": True}, "orderIds"),
        ("requeue", {"filter": {"codes": ["ITEM_REFUSED", ""]}}, "codes"),
        ("requeue", {"filter": {"codes": ["a\0b"]}}, "codes"),
        ("requeue", {"filter": {"destinations": ["M\0L"]}}, "destinations"),
        ("requeue", {"filter": {"destinations": [" "]}}, "destinations"),
        ("requeue", {"filter": {"messages": [""]}}, "messages"),
        ("requeue", {"filter": {"from": "2026-03-02T08:00:00Z", "to": "2026-03-01T08:00:00Z"}}, "to"),
        ("requeue", {"filter": {"states": ["rejected"]}, "dry_run": True}, "dry_run"),
        ("1/resolve", {"outcome": "NOT_ACCEPTED", "dryrun": True}, "dryrun"),
        ("1/resolve", {"outcome": "MAYBE"}, "outcome"),
        ("1/resolve", {"outcome": "ACCEPTED"}, "executionServiceId"),
        ("1/resolve", {"outcome": "NOT_ACCEPTED", "executionServiceId": 1}, "executionServiceId"),
        ("1/resolve", {"outcome": "NOT_ACCEPTED", "reason": "x" * 2001}, "reason"),
    ],
)
async def test_what_is_wrong_is_named(live: Live, path: str, body: dict[str, Any], field: str) -> None:
    answer = await live.client.post(f"/api/v2/executions/{path}", WHY | body)
    assert (answer.status, answer.body["details"]["field"]) == (400, field), answer.raw


async def test_what_does_not_exist_is_not_found(live: Live) -> None:
    assert (await live.client.get("/api/v2/executions/999999/attempts")).status == 404
    assert (await resolve(live, 999_999, outcome="NOT_ACCEPTED")).status == 404
    too_many = await requeue(live, executionIds=list(range(1, 1002)))
    assert too_many.status == 413
    misspelled = await requeue(live, filter={"state": ["rejected"]})
    assert misspelled.status == 400, "a filter that is not understood would widen what is sent"
