"""What the client sees and what the ledger holds under each fault, over real HTTP."""

import asyncio

import aiohttp
import pytest

from execution_simulator.faults import FAULTS
from execution_simulator.server import RunningSimulator, SimulatorSettings, running_simulator
from tests.simulator.http_client import BATCH, GIVE_UP, GONE, LIST, batch, get, observe, post

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
        assert simulator.ledger.total in (0, 3)
    else:
        assert simulator.ledger.total == accepted
    counts = simulator.ledger.accepted_counts()
    assert set(counts.values()) <= {1}
    assert await observe(http, simulator.base_url + BATCH) == "201 results", (
        "after its script it is well again"
    )
    assert simulator.ledger.total == counts.total() + 3


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
    assert simulator.ledger.total == 0


async def test_a_late_commit_follows_the_client_timeout(
    http: aiohttp.ClientSession, simulator: RunningSimulator
) -> None:
    simulator.script(["late_commit:450", "gateway_504_late:3600000"])
    assert await observe(http, simulator.base_url + BATCH) == "time-out"
    assert simulator.ledger.total == 0
    await simulator.accepted_reached(3)
    assert await observe(http, simulator.base_url + BATCH) == "504 no results"
    assert simulator.ledger.total == 3
    assert simulator.flush_late() == 3
    assert simulator.ledger.accepted_counts() == {1: 2, 2: 2, 3: 2}


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
