"""Holding calls, closing the door, and the control endpoints, over real HTTP."""

import asyncio
from typing import Any

import aiohttp
import pytest

from execution_simulator.server import RunningSimulator, SimulatorSettings, running_simulator
from tests.simulator.http_client import BATCH, LIST, batch, get, observe, post


@pytest.mark.parametrize(("committed", "total"), [(False, 0), (True, 1)])
async def test_a_call_can_be_held_in_flight(
    http: aiohttp.ClientSession, simulator: RunningSimulator, committed: bool, total: int
) -> None:
    simulator.hold(committed=committed)
    async with asyncio.TaskGroup() as group:
        calls = [group.create_task(post(http, simulator, batch(n))) for n in range(1 if committed else 3)]
        await simulator.calls_reached(len(calls))
        await simulator.accepted_reached(total)
        assert (simulator.in_flight, simulator.ledger.total) == (len(calls), total)
        assert not any(call.done() for call in calls)
        simulator.release()
    assert [call.result()[0] for call in calls] == [201] * len(calls)
    assert simulator.in_flight == 0


async def test_a_client_timeout_does_not_undo_the_call(
    http: aiohttp.ClientSession, simulator: RunningSimulator
) -> None:
    simulator.hold()
    assert await observe(http, simulator.base_url + BATCH) == "time-out"
    assert simulator.ledger.total == 0
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
    assert simulator.ledger.accepted_counts() == {1: 1, 3: 1}


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
        assert (simulator.ledger.total, simulator.calls, simulator.in_flight) == (0, {}, 0)
        assert simulator.faults == {"gateway_502": 0.5}
        again = [(await post(http, simulator, batch(n)))[0] for n in range(10)]
        assert again == first
        assert set(first) == {201, 502}
        assert simulator.ledger.next_id == 900 + simulator.ledger.total


async def test_health(http: aiohttp.ClientSession, simulator: RunningSimulator) -> None:
    assert await get(http, simulator, "/actuator/health") == (200, {"status": "UP"})
