"""The simulator over real HTTP: what the client sees and what the ledger holds under each fault."""

import asyncio
import json
from collections.abc import AsyncIterator
from decimal import Decimal
from typing import Any

import aiohttp
import pytest

from execution_simulator.faults import FAULTS
from execution_simulator.profiles import PROFILES
from execution_simulator.server import RunningSimulator, SimulatorSettings, running_simulator

BATCH = "/api/v1/executions/batch"
LIST = "/api/v1/executions"
GIVE_UP = aiohttp.ClientTimeout(total=0.3)
PATIENCE = aiohttp.ClientTimeout(total=30)
GONE = (aiohttp.ClientOSError, aiohttp.ServerDisconnectedError)


@pytest.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session


@pytest.fixture(params=PROFILES)
async def simulator(request: pytest.FixtureRequest) -> AsyncIterator[RunningSimulator]:
    """In either profile."""
    async with running_simulator(SimulatorSettings(profile=request.param, huge_bytes=2**34)) as running:
        yield running


@pytest.fixture
async def published() -> AsyncIterator[RunningSimulator]:
    async with running_simulator(SimulatorSettings(profile="published")) as running:
        yield running


def item(trade_id: int, **changes: Any) -> dict[str, Any]:
    return {
        "executionStatus": "NEW",
        "tradeType": "BUY",
        "destination": "NYSE",
        "securityId": f"AAPL{trade_id:020d}",
        "quantity": 100,
        "limitPrice": None,
        "tradeServiceExecutionId": trade_id,
        "version": 1,
        **changes,
    }


def batch(*trade_ids: int) -> dict[str, Any]:
    return {"executions": [item(trade_id) for trade_id in trade_ids]}


async def post(
    http: aiohttp.ClientSession, simulator: RunningSimulator, body: Any, path: str = BATCH
) -> tuple[int, Any]:
    async with http.post(simulator.base_url + path, json=body, allow_redirects=False) as response:
        return response.status, json.loads(await response.read(), parse_float=Decimal)


async def get(http: aiohttp.ClientSession, simulator: RunningSimulator, path: str) -> tuple[int, Any]:
    async with http.get(simulator.base_url + path) as response:
        return response.status, json.loads(await response.read(), parse_float=Decimal)


async def observe(http: aiohttp.ClientSession, url: str, *, patient: bool = False) -> str:
    """What a client sees of one batch of three: a status and the body's kind, or how the call broke.

    A `patient` one waits for its answer however busy the machine is.
    """
    timeout = PATIENCE if patient else GIVE_UP
    try:
        async with http.post(url, json=batch(1, 2, 3), allow_redirects=False, timeout=timeout) as response:
            head = await response.content.read(1_000_000) if "huge" in url else await response.read()
            if len(head) > 10_000:
                return f"{response.status} huge"
            if response.content_type != "application/json":
                return f"{response.status} {response.content_type}"
            try:
                body = json.loads(head)
            except ValueError:
                return f"{response.status} no json"
            return f"{response.status} {'results' if body.get('results') else 'no results'}"
    except TimeoutError:
        return "time-out"
    except aiohttp.ClientPayloadError:
        return "cut"
    except GONE:
        return "reset"


SEEN_AND_ACCEPTED = {
    "ok": ("201 results", 3),
    "slow:20": ("201 results", 3),
    "refuse": ("reset", 0),
    "reset_before": ("reset", 0),
    "reset_after": ("reset", 3),
    "hang_before": ("time-out", 0),
    "hang_after": ("time-out", 3),
    "late_commit:60000": ("time-out", 0),
    "error_500_before": ("500 no results", 0),
    "error_500_partial:2": ("500 no results", 2),
    "error_500_after": ("500 no results", 3),
    "error_503": ("503 no results", 0),
    "error_503_after": ("503 no results", 3),
    "gateway_502": ("502 no results", None),
    "gateway_502_before": ("502 no results", 0),
    "gateway_502_after": ("502 no results", 3),
    "gateway_502_late:60000": ("502 no results", 0),
    "gateway_504": ("504 no results", None),
    "gateway_504_before": ("504 no results", 0),
    "gateway_504_after": ("504 no results", 3),
    "gateway_504_late:60000": ("504 no results", 0),
    "throttle_429:7": ("429 no results", 0),
    "unauthorized_401": ("401 no results", 0),
    "forbidden_403": ("403 no results", 0),
    "not_found_404": ("404 no results", 0),
    "too_large_413": ("413 no results", 0),
    "unprocessable_422": ("422 no results", 0),
    "redirect_307": ("307 no results", 0),
    "malformed_400": ("400 no results", 0),
    "truncated": ("cut", 3),
    "garbage": ("201 text/html", 3),
    "garbage_json": ("201 no json", 3),
    "no_results_201": ("201 no results", 3),
    "shifted_index": ("207 results", 2),
    "fewer_results": ("201 results", 3),
    "repeated_index": ("201 results", 3),
    "index_out_of_range": ("201 results", 3),
    "wrong_counts": ("201 results", 3),
    "missing_execution": ("201 results", 3),
    "reordered_results": ("201 results", 3),
    "item_fail_transient": ("207 results", 2),
    "item_fail_permanent": ("207 results", 2),
    "huge": ("201 huge", 3),
}


def test_every_fault_has_an_http_case() -> None:
    assert {entry.partition(":")[0] for entry in SEEN_AND_ACCEPTED} == set(FAULTS)


@pytest.mark.parametrize("entry", SEEN_AND_ACCEPTED)
async def test_client_view_and_ledger_under_each_fault(
    http: aiohttp.ClientSession, simulator: RunningSimulator, entry: str
) -> None:
    seen, accepted = SEEN_AND_ACCEPTED[entry]
    simulator.script([entry])
    patient = seen != "time-out"
    assert await observe(http, f"{simulator.base_url}{BATCH}?{entry}", patient=patient) == seen
    if accepted is None:
        assert simulator.books.total in (0, 3)
    else:
        assert simulator.books.total == accepted
    counts = simulator.books.accepted_counts()
    assert set(counts.values()) <= {1}
    assert await observe(http, simulator.base_url + BATCH) == "201 results", (
        "after its script it is well again"
    )
    assert simulator.books.total == counts.total() + 3


async def test_a_valid_batch_is_created_and_listed(
    http: aiohttp.ClientSession, published: RunningSimulator
) -> None:
    status, answer = await post(http, published, {"executions": [item(8, quantity=0.125), item(9)]})
    assert status == 201
    assert [r["execution"]["id"] for r in answer["results"]] == [1, 2]
    status, page = await get(http, published, f"{LIST}?sortBy=-id&limit=1")
    assert status == 200
    assert [e["tradeServiceExecutionId"] for e in page["content"]] == [9]
    assert page["pagination"] == {
        "offset": 0,
        "limit": 1,
        "totalElements": 2,
        "totalPages": 2,
        "currentPage": 0,
        "hasNext": True,
        "hasPrevious": False,
    }
    status, one = await get(http, published, "/api/v1/execution/1")
    assert (status, one["quantity"]) == (200, Decimal("0.125"))
    assert one == {**answer["results"][0]["execution"], "quantity": Decimal("0.12500000")}
    assert (await get(http, published, "/api/v1/execution/3"))[0] == 404
    assert (await get(http, published, "/api/v1/execution/x"))[0] == 404


async def test_idempotency_keys_are_ignored(http: aiohttp.ClientSession, simulator: RunningSimulator) -> None:
    for _ in range(2):
        headers = {"Idempotency-Key": "the-same"}
        async with http.post(simulator.base_url + BATCH, json=batch(5), headers=headers) as response:
            assert response.status == 201
    assert simulator.books.accepted_counts() == {5: 2}
    assert [seen.idempotency_key for seen in simulator.seen] == ["the-same", "the-same"]
    _, books = await get(http, simulator, "/simulator/books")
    assert books["acceptedMoreThanOnce"] == {"5": 2}
    assert (books["total"], books["distinct"], books["nextId"]) == (2, 1, 3)
    assert [e.id for e in simulator.books.get(5)] == [1, 2]


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b"{}",
        b'{"executions": null}',
        b'{"executions": {}}',
        b'{"executions": []}',
        b'{"executions": [7]}',
        b'{"executions": [{"quantity": "many"}]}',
        b'{"executions": [{"tradeServiceExecutionId": 3000000000}]}',
        b'{"executions": [{"destination": "\xff"}]}',
        json.dumps(batch(*range(101))).encode(),
    ],
)
async def test_an_unreadable_request_gets_the_error_body_without_results(
    http: aiohttp.ClientSession, published: RunningSimulator, body: bytes
) -> None:
    async with http.post(published.base_url + BATCH, data=body) as response:
        assert response.status == 400
        answer = await response.json()
    assert {"timestamp", "status", "error", "message", "path", "validationErrors"} == set(answer)
    assert (answer["status"], answer["path"]) == (400, BATCH)
    assert published.books.total == 0


async def test_invalid_items_fail_alone_or_fail_the_whole_request(http: aiohttp.ClientSession) -> None:
    body = {"executions": [item(1), None, item(3, tradeType="SHORT"), {**item(4), "unheardOf": [1]}]}
    async with running_simulator(SimulatorSettings(profile="published")) as simulator:
        status, answer = await post(http, simulator, body)
        assert (status, answer["status"]) == (207, "PARTIAL_SUCCESS")
        assert [r["status"] for r in answer["results"]] == ["SUCCESS", "FAILED", "FAILED", "SUCCESS"]
        assert answer["results"][2]["message"] == "tradeType must be BUY or SELL, got SHORT"
        assert simulator.books.accepted_counts() == {1: 1, 4: 1}
        status, answer = await post(http, simulator, {"executions": [item(3, quantity=0)]})
        assert (status, answer["status"], len(answer["results"])) == (400, "FAILED", 1)
    async with running_simulator(SimulatorSettings(profile="published", refuse_bad_items=True)) as simulator:
        status, answer = await post(http, simulator, body)
        assert (status, simulator.books.total) == (400, 0)
        assert set(answer["validationErrors"]) == {"executions[1].execution", "executions[2].tradeType"}


async def test_single_executions_share_the_ledger(
    http: aiohttp.ClientSession, published: RunningSimulator
) -> None:
    status, answer = await post(http, published, item(6), LIST)
    assert (status, answer["id"], answer["tradeServiceExecutionId"]) == (201, 1, 6)
    status, answer = await post(http, published, item(7, quantity=-1), LIST)
    assert (status, answer["error"]) == (400, "Bad Request")
    await post(http, published, batch(6))
    assert published.books.accepted_counts() == {6: 2}
    assert (published.calls["single"], published.calls["batch"]) == (2, 1)


async def test_fill_data(http: aiohttp.ClientSession, published: RunningSimulator) -> None:
    await post(http, published, batch(1))
    url = f"{published.base_url}/api/v1/execution/1"
    async with http.put(url, data=b'{"quantityFilled": 0.1, "averagePrice": 2.5, "version": 1}') as response:
        assert response.status == 200
        filled = json.loads(await response.read(), parse_float=Decimal)
    assert (filled["executionStatus"], filled["quantityFilled"]) == ("PART", Decimal("0.1"))
    assert (filled["averagePrice"], filled["version"]) == (Decimal("2.5"), 2)
    for body, status in ((b'{"quantityFilled": 1, "version": 1}', 409), (b'{"quantityFilled": "x"}', 400)):
        async with http.put(url, data=body) as response:
            assert response.status == status
    async with http.put(url[:-1] + "2", data=b'{"quantityFilled": 1, "version": 1}') as response:
        assert response.status == 404


@pytest.mark.parametrize(
    ("query", "word"),
    [
        ("limit=101", "limit"),
        ("limit=0", "limit"),
        ("limit=x", "limit"),
        ("offset=-1", "offset"),
        ("sortBy=price", "sortBy"),
    ],
)
async def test_invalid_query_parameters_are_named(
    http: aiohttp.ClientSession, published: RunningSimulator, query: str, word: str
) -> None:
    status, answer = await get(http, published, f"{LIST}?{query}")
    assert status == 400
    assert word in answer["message"]


async def test_offsets_can_round_down_to_whole_pages(http: aiohttp.ClientSession) -> None:
    for aligned, expected in ((False, [4, 5]), (True, [3, 4])):
        async with running_simulator(
            SimulatorSettings(profile="published", page_aligned_offsets=aligned)
        ) as simulator:
            await post(http, simulator, batch(1, 2, 3, 4, 5, 6))
            _, page = await get(http, simulator, f"{LIST}?offset=3&limit=2")
            assert [e["id"] for e in page["content"]] == expected


async def test_reads_have_their_own_script(http: aiohttp.ClientSession, simulator: RunningSimulator) -> None:
    await post(http, simulator, batch(1))
    # Two resets because aiohttp retries a GET once on a broken connection.
    resets = ["reset_after", "refuse"]
    simulator.script_lookups(["error_503", *resets, "truncated", "garbage", "hang_after", "throttle_429:3"])
    assert (await get(http, simulator, LIST))[0] == 503
    with pytest.raises(GONE):
        await get(http, simulator, LIST)
    with pytest.raises(aiohttp.ClientPayloadError):
        await get(http, simulator, LIST)
    async with http.get(simulator.base_url + LIST) as response:
        assert (response.status, response.content_type) == (200, "text/html")
    with pytest.raises(TimeoutError):
        await http.get(simulator.base_url + LIST, timeout=GIVE_UP)
    async with http.get(simulator.base_url + LIST) as response:
        assert (response.status, response.headers["Retry-After"]) == (429, "3")
    assert (await get(http, simulator, LIST))[0] == 200
    simulator.script_lookups(["redirect_307"])
    async with http.get(simulator.base_url + LIST, allow_redirects=False) as response:
        assert (response.status, response.headers["Location"]) == (307, f"{LIST}?redirected=true")
    simulator.lookup_faults = {"not_found_404": 1.0}
    assert (await get(http, simulator, "/api/v1/execution/1"))[0] == 404


async def test_throttling_and_redirect_headers(
    http: aiohttp.ClientSession, simulator: RunningSimulator
) -> None:
    simulator.script(["throttle_429:7", "throttle_429", "redirect_307"])
    for header, value in (
        ("Retry-After", "7"),
        ("Retry-After", "1"),
        ("Location", f"{BATCH}?redirected=true"),
    ):
        async with http.post(simulator.base_url + BATCH, json=batch(1), allow_redirects=False) as response:
            assert response.headers[header] == value
    assert simulator.books.total == 0


async def test_a_late_commit_follows_the_client_timeout(
    http: aiohttp.ClientSession, simulator: RunningSimulator
) -> None:
    simulator.script(["late_commit:450", "gateway_504_late:3600000"])
    assert await observe(http, simulator.base_url + BATCH) == "time-out"
    assert simulator.books.total == 0
    await simulator.accepted_reached(3)
    assert await observe(http, simulator.base_url + BATCH) == "504 no results"
    assert simulator.books.total == 3
    assert simulator.flush_late() == 3
    assert simulator.books.accepted_counts() == {1: 2, 2: 2, 3: 2}


@pytest.mark.parametrize(("committed", "total"), [(False, 0), (True, 1)])
async def test_a_call_can_be_held_in_flight(
    http: aiohttp.ClientSession, simulator: RunningSimulator, committed: bool, total: int
) -> None:
    simulator.hold(committed=committed)
    async with asyncio.TaskGroup() as group:
        calls = [group.create_task(post(http, simulator, batch(n))) for n in range(1 if committed else 3)]
        await simulator.calls_reached(len(calls))
        await simulator.accepted_reached(total)
        assert (simulator.in_flight, simulator.books.total) == (len(calls), total)
        assert not any(call.done() for call in calls)
        simulator.release()
    assert [call.result()[0] for call in calls] == [201] * len(calls)
    assert simulator.in_flight == 0


async def test_a_client_timeout_does_not_undo_the_call(
    http: aiohttp.ClientSession, simulator: RunningSimulator
) -> None:
    simulator.hold()
    assert await observe(http, simulator.base_url + BATCH) == "time-out"
    assert simulator.books.total == 0
    simulator.release()
    await simulator.accepted_reached(3)


async def test_a_wait_that_times_out_reports_progress(simulator: RunningSimulator) -> None:
    with pytest.raises(TimeoutError, match=r"0 of 2 submissions arrived within 0\.01 s"):
        await simulator.calls_reached(2, timeout_s=0.01)


async def test_a_closed_door_refuses_until_it_reopens(
    http: aiohttp.ClientSession, simulator: RunningSimulator
) -> None:
    await post(http, simulator, batch(1))
    await simulator.close_door()
    with pytest.raises(aiohttp.ClientConnectorError):
        async with aiohttp.ClientSession() as fresh:
            await post(fresh, simulator, batch(2))
    await simulator.open_door()
    assert (await post(http, simulator, batch(3)))[0] == 201
    assert simulator.books.accepted_counts() == {1: 1, 3: 1}


async def test_shutdown_does_not_wait_for_hanging_or_sleeping_calls(http: aiohttp.ClientSession) -> None:
    settings = SimulatorSettings(script=["hang_before", "slow:3600000", "ok"])
    loop = asyncio.get_running_loop()
    async with running_simulator(settings) as simulator:
        calls = [asyncio.create_task(post(http, simulator, batch(n))) for n in range(3)]
        await simulator.calls_reached(3)
        started = loop.time()
    assert loop.time() - started < 3
    answers = await asyncio.gather(*calls, return_exceptions=True)
    assert sum(isinstance(answer, GONE) for answer in answers) == 2


async def test_overload_slows_down_and_then_fails(http: aiohttp.ClientSession) -> None:
    async with running_simulator(SimulatorSettings(capacity=1)) as simulator:
        simulator.hold()
        calls = [asyncio.create_task(post(http, simulator, batch(n))) for n in range(4)]
        await simulator.calls_reached(4)
        simulator.release()
        statuses = sorted([(await call)[0] for call in calls])
    assert statuses[:2] == [201, 201]
    assert set(statuses[2:]) <= {500, 503}


async def test_latency_does_not_block_the_loop(http: aiohttp.ClientSession) -> None:
    settings = SimulatorSettings(call_latency_ms=100, item_latency_ms=50, lookup_latency_ms=10)
    loop = asyncio.get_running_loop()
    async with running_simulator(settings) as simulator:
        started = loop.time()
        async with asyncio.TaskGroup() as group:
            for n in range(24):
                group.create_task(post(http, simulator, batch(n, n + 100)))
        took = loop.time() - started
        assert 0.2 <= took < 3.0, "24 calls of 0.2 s, which would take 4.8 s one after the other"
        started = loop.time()
        await get(http, simulator, LIST)
        assert loop.time() - started >= 0.01


async def test_control_endpoints_change_the_plan_and_show_the_ledger(
    http: aiohttp.ClientSession, simulator: RunningSimulator
) -> None:
    url = f"{simulator.base_url}/simulator/faults"
    change = {
        "faults": {"error_503": 1.0},
        "script": ["ok"],
        "lookupFaults": {"error_503": 1},
        "lookupScript": [],
    }
    async with http.put(url, json=change) as response:
        assert (response.status, await response.json()) == (200, change)
    assert [(await post(http, simulator, batch(n)))[0] for n in (1, 2)] == [201, 503]
    assert (await get(http, simulator, LIST))[0] == 503
    wrong_changes: list[dict[str, Any]] = [
        {"faults": {"nope": 1}},
        {"faults": {"slow": 2}},
        {"lookupScript": ["nope"]},
        {"rates": {}},
    ]
    for wrong in wrong_changes:
        async with http.put(url, json={"script": ["huge"], **wrong}) as response:
            assert response.status == 400
            assert (await response.json())["error"]
    _, plan = await get(http, simulator, "/simulator/faults")
    assert plan == {**change, "script": []}
    _, calls = await get(http, simulator, "/simulator/calls")
    assert calls["calls"] == {"batch": 2, "list": 1}
    assert (calls["batchSizes"], calls["inFlight"]) == ({"1": 2}, 0)
    assert calls["faults"] == {"error_503": 1, "lookup error_503": 1}
    _, entries = await get(http, simulator, "/simulator/books/entries?limit=1")
    assert entries["entries"][0][:2] == [1, 1]
    assert entries["nextAfterId"] is None


async def test_entries_are_paged(http: aiohttp.ClientSession, simulator: RunningSimulator) -> None:
    await post(http, simulator, batch(10, 11, 12))
    seen: list[int] = []
    after: int | None = 0
    while after is not None:
        _, step = await get(http, simulator, f"/simulator/books/entries?afterId={after}&limit=2")
        seen += [row[1] for row in step["entries"]]
        after = step["nextAfterId"]
    assert seen == [10, 11, 12]
    for query in ("limit=0", "limit=10001", "afterId=x"):
        assert (await get(http, simulator, f"/simulator/books/entries?{query}"))[0] == 400


async def test_reset_restores_the_initial_state(http: aiohttp.ClientSession) -> None:
    settings = SimulatorSettings(first_id=900, faults={"gateway_502": 0.5}, seed=3)
    async with running_simulator(settings) as simulator:
        first = [(await post(http, simulator, batch(n)))[0] for n in range(10)]
        simulator.faults = {}
        async with http.post(f"{simulator.base_url}/simulator/reset") as response:
            assert response.status == 204
        assert (simulator.books.total, simulator.calls, simulator.in_flight) == (0, {}, 0)
        assert simulator.faults == {"gateway_502": 0.5}
        again = [(await post(http, simulator, batch(n)))[0] for n in range(10)]
        assert again == first
        assert set(first) == {201, 502}
        assert simulator.books.next_id == 900 + simulator.books.total


async def test_health(http: aiohttp.ClientSession, simulator: RunningSimulator) -> None:
    assert await get(http, simulator, "/actuator/health") == (200, {"status": "UP"})
