"""What consoles ask: the present and the last hours of all replicas, from the database."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.support.database import TestServer
from tests.support.rows import insert_executions, insert_orders, insert_pieces
from tests.support.trading import counted_statements, run_sql
from tests.web.live import Live, behave, live_alone, live_service
from trade_service.domain.executions import SubmissionState
from trade_service.store import overview_store
from trade_service.trading import call_history, overview
from trade_service.trading.activity import WINDOWS
from trade_service.trading.overview import EXACT_ATTEMPTS

SUMMARY, SERIES = "/api/v2/summary", "/api/v2/series"

ATTEMPTS = """
INSERT INTO submission_attempt
    (id, state, owner, execution_ids, started_at, lease_until, closed_at, kind, code, duration_ms, next_action_at)
SELECT (lpad(to_hex((extract(epoch FROM at) * 1000)::bigint), 12, '0') || '7000' || '8'
        || lpad(to_hex(n), 15, '0'))::uuid,
       'answered', 'one', array(SELECT generate_series(n, n + 9)), at, at, at, 'answered', 'OK', 1 + n % 100,
       now() + :open_for_s::float8 * interval '1 s'
FROM (SELECT n, now() - n * :span_s::float8 / :count::int * interval '1 s' AS at
      FROM generate_series(1, :count::int) n) made
"""


@pytest.fixture
async def live(postgres: TestServer, template_database: str) -> AsyncIterator[Live]:
    async with live_alone(postgres, template_database) as service:
        yield service


async def summary_of(live: Live) -> Any:
    answer = await live.client.get(SUMMARY)
    assert answer.status == 200, answer.raw
    return answer.body


async def series_of(live: Live, window: str) -> Any:
    """The series once it is complete."""
    async with asyncio.timeout(30):
        while True:
            answer = await live.client.get(f"{SERIES}?window={window}")
            assert answer.status == 200, answer.raw
            if answer.body["complete"]:
                return answer.body


async def test_an_empty_database_has_an_overview(live: Live) -> None:
    summary = await summary_of(live)
    assert set(summary["counts"].values()) == {0}
    assert summary["counts"].keys() == summary["countsAreEstimates"].keys()
    assert not any(summary["countsAreEstimates"].values())
    assert (summary["oldestOpenSince"], summary["needsYou"], summary["alarms"], summary["paused"]) == (
        None, 0, [], [],
    )  # fmt: skip
    assert summary["lastMinute"]["latencyMs"] == {"p50": None, "p95": None, "p99": None}
    for window, known in WINDOWS.items():
        series = await series_of(live, window)
        assert (series["window"], series["stepS"]) == (window, known.step_s)
        assert len(series["points"]) == known.length_s // known.step_s + 1
        assert {point["attempts"] for point in series["points"]} == {0}
    assert (await live.client.get(f"{SERIES}?window=2h")).status == 400


async def test_a_series_that_lacks_steps_is_read_on(live: Live, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(overview, "BACKFILL_S", 0.0)
    monkeypatch.setattr(call_history, "READ_AT_ONCE", 200)
    assert not (await live.client.get(f"{SERIES}?window=24h")).body["complete"]
    assert len((await series_of(live, "24h"))["points"]) == 145


async def test_a_batch_is_seen_within_two_seconds_through_every_replica(
    live: Live, postgres: TestServer
) -> None:
    url = live.services.settings.database.url
    assert url is not None
    async with live_service(url, live.simulator) as other:
        await summary_of(other)
        live.simulator.script(["malformed_400"])
        await live.submit(await live.order())
        answer = await live.batch(*((order_id, 100) for order_id in await live.orders(3)))
        assert answer.status == 200, answer.raw
        async with asyncio.timeout(2):
            while (summary := await summary_of(other))["lastMinute"]["accepted"] < 3:
                await asyncio.sleep(0.05)
        minute = summary["lastMinute"]
        assert (minute["attempts"], minute["executions"], minute["accepted"], minute["rejected"]) == (
            2,
            4,
            3,
            1,
        )
        assert minute["executionsPerS"] == pytest.approx(4 / 61, abs=0.006)
        assert 0 < minute["latencyMs"]["p50"] <= minute["latencyMs"]["p99"]
        assert (summary["replicas"], {one["state"] for one in summary["circuit"]}) == (2, {"closed"})
        async with asyncio.timeout(2):
            while (counts := (await summary_of(other))["counts"])["accepted"] < 3:
                await asyncio.sleep(0.05)
        assert (counts["accepted"], counts["rejected"]) == (3, 1)
        points = (await series_of(other, "15m"))["points"]
        assert sum(point["accepted"] for point in points[-3:]) == 3
        assert any(point["p95Ms"] for point in points[-3:])


async def test_unknown_outcomes_and_doubts_are_alarms(live: Live) -> None:
    live.simulator.lookup_faults = {"error_503": 1.0}
    live.simulator.script(["reset_after"])
    submitting = asyncio.create_task(live.submit(await live.order()))
    async with asyncio.timeout(10):
        # The counts and the last minute are read one after the other.
        while (summary := await summary_of(live))["counts"]["unknown"] + summary["lastMinute"]["unknown"] < 2:
            await asyncio.sleep(0.05)
    assert summary["lastMinute"]["unknown"] == 1
    assert [alarm["name"] for alarm in summary["alarms"]] == ["NOTHING_ACCEPTED"]
    assert summary["oldestOpenSince"] is not None
    database = live.services.database
    await run_sql(database, "UPDATE submission_attempt SET floor_void = true")
    await run_sql(database, "UPDATE downstream SET suspected_at = now(), suspicion = 'ids fell'")
    await run_sql(database, "UPDATE downstream SET blocked_at = now(), blocked_reason = 'restored'")
    async with asyncio.timeout(20):
        while len((summary := await summary_of(live))["alarms"]) < 4:
            await asyncio.sleep(0.05)
    assert [(alarm["name"], alarm["severity"]) for alarm in summary["alarms"]] == [
        ("SENDING_BLOCKED", "critical"),
        ("LEDGER_SUSPECTED", "critical"),
        ("NOTHING_ACCEPTED", "warning"),
        ("UNKNOWN_NEEDS_PERSON", "warning"),
    ]
    assert summary["needsYou"] == 1
    behave(live.simulator)
    submitting.cancel()
    await asyncio.gather(submitting, return_exceptions=True)


MADE = """
WITH made AS (
    SELECT x.id, gen_random_uuid() AS attempt_id, x.n / 8 % 3 AS doubt, x.n / 24 % 2 = 0 AS is_open,
           CASE WHEN x.n < 48 THEN (:states::text[])[1 + x.n % 8] ELSE 'unknown' END AS state
    FROM (SELECT id, row_number() OVER () - 1 AS n FROM unnest(:ids::int[]) AS u(id)) x
), attempts AS (
    INSERT INTO submission_attempt
        (id, state, owner, execution_ids, started_at, lease_until, kind, floor_void, epoch, next_action_at)
    SELECT attempt_id, 'answered', 'gone', ARRAY[id], now(), now() - interval '1 h', 'lost', doubt = 1,
           (SELECT epoch FROM downstream) - CASE WHEN doubt = 2 THEN 1 ELSE 0 END,
           CASE WHEN is_open THEN now() + interval '1 h' END
    FROM made
)
UPDATE execution e SET submission_state = m.state, attempt_id = m.attempt_id FROM made m WHERE e.id = m.id
"""
"""Each state with each doubt about the ledger, open and closed; then many unknown ones."""
STATES = [*SubmissionState]


async def test_what_needs_a_person_is_counted_as_it_is_listed(live: Live) -> None:
    database = live.services.database
    ids = await insert_executions(database, 48 + 24 * 18)
    await run_sql(database, MADE, ids=ids, states=STATES)
    everything = (await live.client.get("/api/v2/unknowns?limit=1000")).body
    needing = (await live.client.get("/api/v2/unknowns?needsPerson=true&limit=1000")).body
    # Of 24 unknown ones in a row 16 are open with a doubt or closed: one doubt in three is none.
    assert (everything["total"], len(everything["unknowns"])) == (6 + 9 * 24, 6 + 9 * 24)
    assert needing["unknowns"] == [one for one in everything["unknowns"] if one["needsPerson"]]
    assert needing["total"] == len(needing["unknowns"]) == 2 + 9 * 16
    assert {one["state"] for one in needing["unknowns"]} == {"unknown"}
    assert (await summary_of(live))["needsYou"] == needing["total"]
    last = (await live.client.get("/api/v2/unknowns?needsPerson=true&limit=1")).body
    assert (last["total"], len(last["unknowns"])) == (needing["total"], 1)


async def test_pauses_are_in_the_summary(live: Live) -> None:
    paused = {"destination": "ML", "reason": "a halt", "operator": "ann"}
    assert (await live.client.post("/api/v2/pause", paused)).status == 200
    waiting = asyncio.create_task(live.submit(await live.order()))
    async with asyncio.timeout(20):  # On a busy machine what waits is counted rarely.
        while not (summary := await summary_of(live))["paused"] or not summary["paused"][0]["waiting"]:
            await asyncio.sleep(0.05)
    (pause,) = summary["paused"]
    assert (pause["destination"], pause["reason"], pause["waiting"]) == (
        {"id": 1, "abbreviation": "ML"}, "a halt", 1,
    )  # fmt: skip
    assert [(one["name"], one["severity"]) for one in summary["alarms"]] == [("PAUSED", "warning")]
    assert (await live.client.post("/api/v2/resume", paused)).status == 200
    assert (await waiting).status in (200, 201)
    async with asyncio.timeout(20):
        while (await summary_of(live))["paused"]:
            await asyncio.sleep(0.05)


async def replicas_of(live: Live) -> dict[str, Any]:
    answer = await live.client.get("/api/v2/replicas")
    assert answer.status == 200, answer.raw
    return {one["replica"]: one for one in answer.body["replicas"]}


async def test_replicas_are_listed_with_what_they_hold_and_how_fast_they_are(live: Live) -> None:
    url = live.services.settings.database.url
    assert url is not None
    await live.submit(await live.order())
    async with live_service(url, live.simulator) as other:
        owner, idle = live.services.owner, other.services.owner
        async with asyncio.timeout(20):  # On a busy machine answers are older.
            while len(found := await replicas_of(other)) < 2 or not found[owner]["attempts"]:
                await asyncio.sleep(0.05)
        assert [one["alive"] for one in found.values()] == [True, True]
        assert (found[owner]["attempts"], found[owner]["executions"], found[owner]["holds"]) == (1, 1, 0)
        assert found[owner]["latencyMs"]["p95"] > 0
        assert (found[idle]["attempts"], found[idle]["lastAttemptAt"], found[idle]["latencyMs"]["p50"]) == (
            0, None, None,
        )  # fmt: skip
        assert (found[idle]["circuit"], found[idle]["waitsFor"], found[idle]["workers"]) == ("closed", "", 1)
        other.services.gate.close("a reason")
        await run_sql(
            live.services.database,
            "INSERT INTO submission_attempt (id, state, owner, execution_ids, lease_until, next_action_at) VALUES "
            "(gen_random_uuid(), 'sent', 'killed', '{7,8}', now() + interval '1 h', now() + interval '1 h')",
        )
        async with asyncio.timeout(20):
            while "killed" not in (found := await replicas_of(live)) or not found[idle]["waitsFor"]:
                await asyncio.sleep(0.05)
        assert found[idle]["waitsFor"] == "a reason"
        assert (found["killed"]["holds"], found["killed"]["alive"], found["killed"]["lastSeenAt"]) == (
            2, False, None,
        )  # fmt: skip
    async with asyncio.timeout(20):
        while idle in await replicas_of(live):
            await asyncio.sleep(0.05)


async def test_simultaneous_callers_share_one_read(live: Live) -> None:
    await summary_of(live)
    async with counted_statements(live.services.database) as statements:
        await asyncio.gather(*(summary_of(live) for _ in range(50)))
    assert len([text for text in statements if "w.low" in text]) <= 1


async def test_a_series_covers_thousands_of_calls(live: Live) -> None:
    count = 30_000
    await run_sql(live.services.database, ATTEMPTS, count=count, span_s=3_000, open_for_s=None)
    series = await series_of(live, "1h")
    points = series["points"]
    assert sum(point["attempts"] for point in points) == count
    assert sum(point["accepted"] for point in points) == 10 * count
    assert [point["p50Ms"] for point in points[30:60]] == [pytest.approx(50, rel=0.06)] * 30


async def test_the_executions_of_many_open_attempts_are_estimated(live: Live) -> None:
    count = 2 * EXACT_ATTEMPTS
    await run_sql(live.services.database, ATTEMPTS, count=count, span_s=60, open_for_s=3_600)
    summary = await summary_of(live)
    assert (summary["counts"]["retry"], summary["countsAreEstimates"]["retry"]) == (10 * count, True)
    assert summary["countsAreEstimates"]["accepted"] is False


async def test_the_executions_of_a_large_table_are_estimated(
    live: Live, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(overview_store, "_READ_PAGES", 50)
    database = live.services.database
    await insert_pieces(database, await insert_orders(database, 5), 2_000)
    summary = await summary_of(live)
    counts, are_estimates = summary["counts"], summary["countsAreEstimates"]
    assert (are_estimates["none"], counts["none"]) == (True, pytest.approx(10_000, rel=0.4))
    assert (are_estimates["rejected"], counts["rejected"]) == (False, 0)
