"""Audits in the background, on the real service."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.support.database import TestServer
from tests.support.trading import run_sql, value_of
from tests.web.live import Live, behave, live_alone
from tests.web.support import Answer
from trade_service.trading.audit import FindingKind

AUDITS = "/api/v2/audits"
RUNNING = """INSERT INTO audit_run (id, book, status, started_by, replica, lease_until)
             VALUES ('01900000-0000-7000-8000-000000000001', 'both', 'RUNNING', 'ann', 'killed',
                     now() + interval '1 h')"""


@pytest.fixture(scope="module")
async def running(postgres: TestServer, template_database: str) -> AsyncIterator[Live]:
    async with live_alone(postgres, template_database) as service:
        yield service


@pytest.fixture
def live(running: Live) -> Live:
    behave(running.simulator)
    return running


async def finished(live: Live, started: Answer) -> Any:
    """The audit once it no longer runs."""
    assert started.status == 202, started.raw
    assert started.headers["location"] == f"{AUDITS}/{started.body['id']}"
    async with asyncio.timeout(20):
        while True:
            answer = await live.client.get(started.headers["location"])
            assert answer.status == 200, answer.raw
            if answer.body["status"] != "RUNNING":
                return answer.body
            await asyncio.sleep(0.02)


async def test_both_books_are_audited(live: Live) -> None:
    for order_id in await live.orders(3):
        await live.submit(order_id)
    started = await live.client.post(AUDITS, {})
    assert (started.body["book"], started.body["status"]) == ("both", "RUNNING")
    done = await finished(live, started)
    assert (done["status"], done["ledgerRows"], done["findings"], done["message"]) == ("CLEAN", 3, [], "")
    assert done["counts"] == dict.fromkeys(FindingKind, 0)
    assert done["balance"]["states"]["accepted"] == 3
    assert (done["replica"], done["startedBy"]) == (live.services.owner, None)
    assert done["startedAt"] <= done["finishedAt"]


async def test_findings_are_kept_and_left_out_of_the_list(live: Live) -> None:
    order_id = await live.order()
    await run_sql(live.services.database, f"UPDATE trade_order SET quantity_sent = 7 WHERE id = {order_id}")
    done = await finished(live, await live.client.post(AUDITS, {"book": "database"}))
    (finding,) = done["findings"]
    assert (done["status"], done["counts"]["quantity"], done["ledgerRows"]) == ("FINDINGS", 1, None)
    assert (finding["kind"], finding["tradeOrderId"], finding["executionIds"]) == ("quantity", order_id, [])
    page = (await live.client.get(f"{AUDITS}?limit=1")).body
    (newest,) = page["audits"]
    assert newest == {name: value for name, value in done.items() if name != "findings"}
    older = (await live.client.get(f"{AUDITS}?limit=1&cursor={page['nextCursor']}")).body["audits"]
    assert older[0]["id"] < newest["id"]
    await run_sql(live.services.database, f"UPDATE trade_order SET quantity_sent = 0 WHERE id = {order_id}")


async def test_an_unreadable_ledger_fails_the_audit(live: Live) -> None:
    live.simulator.lookup_faults = {"error_503": 1.0}
    done = await finished(live, await live.client.post(AUDITS, {"book": "both"}))
    assert (done["status"], done["balance"], done["counts"]) == ("FAILED", None, {})
    assert "cannot be read" in done["message"]


async def test_one_runs_at_a_time_and_the_lease_of_a_dead_replica_ends(live: Live) -> None:
    database = live.services.database
    await run_sql(database, RUNNING)
    refused = await live.client.post(AUDITS, {"book": "database"})
    assert (refused.status, refused.body["code"]) == (409, "AUDIT_RUNNING"), refused.raw
    await run_sql(database, "UPDATE audit_run SET lease_until = now() WHERE replica = 'killed'")
    dead = (await live.client.get(f"{AUDITS}/01900000-0000-7000-8000-000000000001")).body
    assert (dead["status"], dead["startedBy"]) == ("FAILED", "ann")
    assert "killed stopped before it was done" in dead["message"]
    assert dead["finishedAt"] is not None
    done = await finished(live, await live.client.post(AUDITS, {"book": "database"}))
    assert done["status"] == "CLEAN"
    assert await value_of(database, "SELECT status FROM audit_run WHERE replica = 'killed'") == "FAILED"


async def test_what_is_no_audit_is_not_found(live: Live) -> None:
    for name in ("7", "01900000-0000-7000-8000-00000000ffff"):
        assert (await live.client.get(f"{AUDITS}/{name}")).status == 404
    wrong = await live.client.post(AUDITS, {"book": "ledger"})
    assert (wrong.status, wrong.body["code"]) == (400, "INVALID_INPUT"), wrong.raw
