"""Many executions by id, over real sockets: answered like a batch, or in the background with progress."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import msgspec
import pytest

from tests.support.database import TestServer
from tests.support.trading import counted_statements, run_sql, value_of
from tests.web.live import Live, behave, live_alone, live_service
from tests.web.support import Answer, Client

SUBMIT = "/api/v2/executions/submit"
ASYNC = {"Prefer": "respond-async"}


@pytest.fixture(scope="module")
async def live(postgres: TestServer, template_database: str) -> AsyncIterator[Live]:
    """A service with its own simulator."""
    async with live_alone(postgres, template_database) as service:
        yield service


async def executions(live: Live, count: int) -> list[int]:
    """New executions that were never sent."""
    order_ids = await live.orders(count)
    ids: list[int] = []
    for start in range(0, count, 100):
        parts = [(order_id, 100) for order_id in order_ids[start : start + 100]]
        answer = await live.batch(*parts, query="?noExecuteSubmit=true")
        ids += [result["execution"]["id"] for result in answer.body["results"]]
    return ids


async def finished(live: Live, location: str) -> Any:
    """Waits until nothing of the submission is open; returns it."""
    async with asyncio.timeout(20):
        while True:
            answer = await live.client.get(f"{location}?limit=1000")
            assert answer.status == 200, answer.raw
            if answer.body["status"] == "FINISHED":
                return answer.body
            await asyncio.sleep(0.02)


async def events_of(
    client: Client, location: str, last: str = "", most: int = 10**6
) -> list[tuple[str, str, Any]]:
    """Kind, id and data of events, until the stream ends or `most` results have come."""
    events: list[tuple[str, str, Any]] = []
    kind = identity = ""
    headers = {"Last-Event-ID": last} if last else {}
    async with client.session.get(f"{client.url}{location}/events", headers=headers) as response:
        assert response.status == 200, await response.read()
        assert response.headers["Content-Type"].startswith("text/event-stream")
        async for line in response.content:
            name, _, value = line.decode().rstrip("\n").partition(": ")
            if name == "event":
                kind = value
            elif name == "id":
                identity = value
            elif name == "data":
                events.append((kind, identity, msgspec.json.decode(value)))
                if sum(event[0] == "result" for event in events) >= most:
                    break
                identity = ""
    return events


async def test_answers_like_a_batch_in_request_order(live: Live) -> None:
    behave(live.simulator)
    ids = await executions(live, 250)
    wanted = [*reversed(ids), 999_999]
    answer = await live.client.post(SUBMIT, {"executionIds": wanted})
    assert answer.status == 207
    body = answer.body
    assert (body["status"], body["totalRequested"], body["successful"], body["failed"]) == (
        "PARTIAL",
        251,
        250,
        1,
    )
    assert [r["executionId"] for r in body["results"]] == wanted
    assert [r["requestIndex"] for r in body["results"]] == list(range(251))
    assert {r["submissionState"] for r in body["results"][:-1]} == {"accepted"}
    assert all(r["executionServiceId"] for r in body["results"][:-1])
    assert (body["results"][-1]["status"], body["results"][-1]["code"]) == ("FAILURE", "NOT_FOUND")
    assert "X-Submission-State".lower() not in answer.headers
    again = await live.client.post(SUBMIT, {"executionIds": ids})
    assert (again.status, again.body["status"], again.body["successful"]) == (200, "SUCCESS", 250)
    later = await finished(live, answer.headers["location"])
    assert (later["successful"], later["failed"], later["pending"]) == (250, 1, 0)
    await live.accounts_agree()


async def test_in_the_background_with_progress_pages_and_events(live: Live) -> None:
    behave(live.simulator)
    ids = await executions(live, 230)
    live.simulator.hold(committed=True)
    answer = await live.client.post(SUBMIT, {"executionIds": ids}, headers=ASYNC)
    assert answer.status == 202
    assert answer.headers["preference-applied"] == "respond-async"
    location = answer.headers["location"]
    assert location == f"/api/v2/submissions/{answer.body['submissionId']}"
    assert (answer.body["status"], answer.body["pending"], answer.body["totalRequested"]) == (
        "RUNNING",
        230,
        230,
    )
    first = await live.client.get(location)
    assert {r["status"] for r in first.body["results"]} == {"SUCCESS"}
    assert first.body["results"][0]["message"] == "pending, do not resubmit"
    streaming = asyncio.create_task(events_of(live.client, location))
    live.simulator.release()
    body = await finished(live, location)
    assert (body["successful"], body["failed"], body["pending"]) == (230, 0, 0)
    assert [r["executionId"] for r in body["results"]] == ids
    events = await streaming
    results = [event for event in events if event[0] == "result"]
    assert [int(event[1]) for event in results] == list(range(1, 231))
    assert sorted(event[2]["executionId"] for event in results) == sorted(ids)
    assert events[-1][0] == "finished"
    assert events[-1][2]["successful"] == 230
    page = (await live.client.get(f"{location}?offset=225&limit=10")).body
    assert [r["requestIndex"] for r in page["results"]] == list(range(225, 230))
    assert page["pagination"] == {
        "totalElements": 230,
        "totalPages": 23,
        "currentPage": 22,
        "pageSize": 10,
        "hasNext": False,
        "hasPrevious": True,
    }
    await live.accounts_agree()


async def test_events_go_on_after_the_last_one_that_the_client_has_also_on_another_replica(
    live: Live, postgres: TestServer
) -> None:
    behave(live.simulator)
    ids = await executions(live, 120)
    answer = await live.client.post(SUBMIT, {"executionIds": ids}, headers=ASYNC)
    location = answer.headers["location"]
    heard = [e for e in await events_of(live.client, location, most=50) if e[0] == "result"]
    url = live.services.settings.database.url
    assert url is not None
    async with live_service(url, live.simulator) as other:
        rest = await events_of(other.client, location, last=heard[-1][1])
    more = [e for e in rest if e[0] == "result"]
    assert [int(e[1]) for e in heard + more] == list(range(1, 121))
    assert sorted(e[2]["executionId"] for e in heard + more) == sorted(ids)
    assert [e[0] for e in await events_of(live.client, location, last="120")] == ["progress", "finished"]


async def test_what_is_refused_downstream_is_a_failure_with_its_reason(live: Live) -> None:
    behave(live.simulator)
    ids = await executions(live, 3)
    live.simulator.script(["item_fail_permanent"])
    answer = await live.client.post(SUBMIT, {"executionIds": ids})
    assert answer.status in (200, 207)
    answered = {r["executionId"]: (r["status"], r["message"]) for r in answer.body["results"]}
    assert "FAILURE" in {status for status, _ in answered.values()}
    stored = await finished(live, answer.headers["location"])
    assert {r["executionId"]: (r["status"], r["message"]) for r in stored["results"]} == answered
    await live.accounts_agree()


async def test_a_filter_sends_what_meets_it_and_was_never_sent(live: Live) -> None:
    behave(live.simulator)
    ids = await executions(live, 5)
    orders = [(await live.read_execution(i))["tradeOrder"]["id"] for i in ids]
    sent = await live.client.post(SUBMIT, {"executionIds": ids[:2]})
    assert sent.status == 200
    asked = {
        "filter": {
            "tradeOrderId": orders[:4],
            "executionStatus.abbreviation": "new",
            "quantityOrdered.min": 1,
        }
    }
    answer = await live.client.post(SUBMIT, asked, headers={"Idempotency-Key": "by-filter"})
    assert (answer.status, answer.body["status"]) == (200, "SUCCESS")
    assert [r["executionId"] for r in answer.body["results"]] == ids[2:4]
    repeat = await live.client.post(SUBMIT, asked, headers={"Idempotency-Key": "by-filter"})
    assert [r["executionId"] for r in repeat.body["results"]] == ids[2:4]
    again = await live.client.post(SUBMIT, asked)
    assert (again.status, again.body["totalRequested"], again.body["results"]) == (200, 0, [])
    background = await live.client.post(SUBMIT, asked, headers=ASYNC)
    assert (background.status, background.body["status"]) == (202, "FINISHED")
    assert await live.state_of(ids[4]) == "none"
    await live.accounts_agree()


async def test_its_attempts_list_what_was_sent_and_the_outcomes(live: Live) -> None:
    behave(live.simulator)
    ids = await executions(live, 150)
    others = await executions(live, 1)
    assert (await live.client.post(SUBMIT, {"executionIds": others})).status == 200
    live.simulator.script(["item_fail_permanent:7", "item_fail_permanent:7"])
    location = (await live.client.post(SUBMIT, {"executionIds": ids})).headers["location"]
    failed = {
        r["executionId"] for r in (await finished(live, location))["results"] if r["status"] == "FAILURE"
    }
    first = (await live.client.get(f"{location}/attempts?limit=1")).body
    (one,) = first["attempts"]
    rest = (await live.client.get(f"{location}/attempts?after={first['nextAfter']}")).body
    assert rest["nextAfter"] is None
    attempts = [one, *rest["attempts"]]
    assert sorted(i for attempt in attempts for i in attempt["executionIds"]) == ids
    assert {attempt["kind"] for attempt in attempts} == {"answered"}
    outcomes = [outcome for attempt in attempts for outcome in attempt["outcomes"]]
    assert {outcome["executionId"] for outcome in outcomes} == failed
    assert {outcome["state"] for outcome in outcomes} == {"rejected"}
    assert (await live.client.get(f"{location}/attempts?after=&limit=")).body["attempts"] == attempts
    wrong = await live.client.get(f"{location}/attempts?after=yesterday")
    assert (wrong.status, wrong.body["message"]) == (
        400,
        "after: must be the id of an attempt; got 'yesterday'",
    )


async def test_all_of_it_is_written_in_a_constant_number_of_statements(live: Live) -> None:
    behave(live.simulator)
    live.simulator.hold(committed=True)
    counts = []
    for count in (1, 150):
        ids = await executions(live, count)
        async with counted_statements(live.services.database) as statements:
            await live.client.post(SUBMIT, {"executionIds": ids}, headers=ASYNC)
        counts.append([s for s in statements if "bulk_submission" in s or "FROM legacy" in s])
    live.simulator.release()
    assert [len(one) for one in counts] == [3, 3]
    assert await value_of(live.services.database, "SELECT count(*) FROM bulk_submission") > 0


async def test_old_submissions_are_removed_and_their_executions_stay(live: Live) -> None:
    behave(live.simulator)
    ids = await executions(live, 2)
    old, young = [(await live.client.post(SUBMIT, {"executionIds": [i]})).headers["location"] for i in ids]
    database, old_id = live.services.database, old.rpartition("/")[2]
    age = "UPDATE bulk_submission SET created_at = now() - interval '8 days' WHERE id = cast(:id AS uuid)"
    await run_sql(database, age, id=old_id)
    _, sweep = live.services.sweeps()
    assert await sweep.once() == 1
    assert ((await live.client.get(old)).status, (await live.client.get(young)).status) == (404, 200)
    assert await live.state_of(ids[0]) == "accepted"


def _problem(answer: Answer) -> tuple[int, str]:
    return answer.status, answer.body["message"]


@pytest.mark.parametrize(
    ("body", "status", "words"),
    [
        ({}, 400, "executionIds: must be 1 to 10000"),
        ({"executionIds": []}, 400, "executionIds: must be 1 to 10000"),
        (
            {"executionIds": [1, 2, 1]},
            400,
            "executionIds[2]: executionIds: must name each execution once; got 1",
        ),
        ({"executionIds": [1, "x"]}, 400, "must be an integer"),
        ({"executionIds": [1.5]}, 400, "must be an integer"),
        ({"executionIds": 2**31}, 400, "must be a list"),
        ({"executionIds": list(range(1, 10_002))}, 413, "executionIds: must be at most 10000; got 10001"),
    ],
)
async def test_bad_input_is_refused_and_writes_nothing(
    live: Live, body: Any, status: int, words: str
) -> None:
    count = "SELECT count(*) FROM bulk_submission"
    before = await value_of(live.services.database, count)
    code, message = _problem(await live.client.post(SUBMIT, body))
    assert code == status, message
    assert words in message
    assert await value_of(live.services.database, count) == before


@pytest.mark.parametrize(
    ("path", "status", "words"),
    [
        ("nonsense", 404, "bulk submission nonsense does not exist"),
        ("0192f0c1-7b7a-7000-8000-000000000000", 404, "does not exist"),
        ("0192f0c1-7b7a-7000-8000-000000000000/events", 404, "does not exist"),
        (
            "0192f0c1-7b7a-7000-8000-000000000000?limit=0",
            400,
            "limit: must be an integer from 1 to 1000; got '0'",
        ),
        ("0192f0c1-7b7a-7000-8000-000000000000?offset=-1", 400, "offset: must be an integer from 0"),
    ],
)
async def test_asking_for_what_is_not_there(live: Live, path: str, status: int, words: str) -> None:
    code, message = _problem(await live.client.get(f"/api/v2/submissions/{path}"))
    assert code == status, message
    assert words in message


async def test_a_stop_ends_open_streams_at_once(postgres: TestServer, template_database: str) -> None:
    async with live_alone(postgres, template_database) as live:
        ids = await executions(live, 2)
        live.simulator.hold()
        answer = await live.client.post(SUBMIT, {"executionIds": ids}, headers=ASYNC)
        streaming = asyncio.create_task(events_of(live.client, answer.headers["location"]))
        await live.simulator.calls_reached(1)
        live.services.begin_stop()
        async with asyncio.timeout(5):
            events = await streaming
        assert [e[0] for e in events] == ["progress"]
        live.simulator.release()


async def test_submissions_are_listed_newest_first(postgres: TestServer, template_database: str) -> None:
    async with live_alone(postgres, template_database) as alone:
        empty = await alone.client.get("/api/v2/submissions")
        assert (empty.status, empty.body) == (200, {"submissions": [], "nextCursor": None})
        places = []
        for count in (2, 3):
            answer = await alone.client.post(SUBMIT, {"executionIds": await executions(alone, count)})
            places.append(answer.headers["location"])
        stuck = await executions(alone, 1)
        await run_sql(alone.services.database, "UPDATE downstream SET suspected_at = now()")
        places.append(
            (await alone.client.post(SUBMIT, {"executionIds": stuck}, headers=ASYNC)).headers["location"]
        )

        listed = (await alone.client.get("/api/v2/submissions")).body
        assert [f"/api/v2/submissions/{one['submissionId']}" for one in listed["submissions"]] == places[::-1]
        assert [(one["status"], one["totalRequested"], one["successful"]) for one in listed["submissions"]] == [
            ("RUNNING", 1, 0), ("FINISHED", 3, 3), ("FINISHED", 2, 2),
        ]  # fmt: skip
        assert listed["nextCursor"] is None
        running, *finished = listed["submissions"]
        assert running["finishedAt"] is None
        assert all(one["finishedAt"] >= one["createdAt"] for one in finished)

        found, path = [], "/api/v2/submissions?status=FINISHED&limit=1"
        cursor: str | None = ""
        while cursor is not None:
            page = (await alone.client.get(f"{path}&cursor={cursor}")).body
            found += page["submissions"]
            cursor = page["nextCursor"]
        assert found == finished
        wrong = await alone.client.get("/api/v2/submissions?status=finished")
        assert (wrong.status, wrong.body["code"]) == (400, "INVALID_INPUT"), wrong.raw


async def test_a_listed_submission_has_its_creator(live: Live) -> None:
    behave(live.simulator)
    await live.client.post(SUBMIT, {"executionIds": await executions(live, 1)})
    (newest,) = (await live.client.get("/api/v2/submissions?limit=1")).body["submissions"]
    assert newest["createdBy"] is None, "nobody was authenticated"
    await run_sql(
        live.services.database,
        "INSERT INTO audit_log (at, actor, known_by, action, object, details) "
        "SELECT created_at + interval '1 us', 'ann', 'api-key', 'submit', 'execution', "
        "jsonb_build_object('submissionId', id) FROM bulk_submission",
    )
    await run_sql(
        live.services.database, "UPDATE bulk_submission SET created_at = created_at + interval '1 us'"
    )
    (newest,) = (await live.client.get("/api/v2/submissions?limit=1")).body["submissions"]
    assert (newest["createdBy"], newest["isBlotter"]) == ("ann", False)
