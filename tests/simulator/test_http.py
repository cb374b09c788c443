"""The simulated API over real HTTP: requests, answers, listing and fills."""

import json
from decimal import Decimal

import aiohttp
import pytest

from execution_simulator.server import RunningSimulator, SimulatorSettings, running_simulator
from tests.simulator.http_client import BATCH, LIST, batch, get, item, post


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
    assert simulator.ledger.accepted_counts() == {5: 2}
    assert [seen.idempotency_key for seen in simulator.seen] == ["the-same", "the-same"]
    _, books = await get(http, simulator, "/simulator/books")
    assert books["acceptedMoreThanOnce"] == {"5": 2}
    assert (books["total"], books["distinct"], books["nextId"]) == (2, 1, 3)
    assert [e.id for e in simulator.ledger.get(5)] == [1, 2]


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
    assert published.ledger.total == 0


async def test_invalid_items_fail_alone_or_fail_the_whole_request(http: aiohttp.ClientSession) -> None:
    body = {"executions": [item(1), None, item(3, tradeType="SHORT"), {**item(4), "unheardOf": [1]}]}
    async with running_simulator(SimulatorSettings(profile="published")) as simulator:
        status, answer = await post(http, simulator, body)
        assert (status, answer["status"]) == (207, "PARTIAL_SUCCESS")
        assert [r["status"] for r in answer["results"]] == ["SUCCESS", "FAILED", "FAILED", "SUCCESS"]
        assert answer["results"][2]["message"] == "tradeType must be BUY or SELL, got SHORT"
        assert simulator.ledger.accepted_counts() == {1: 1, 4: 1}
        status, answer = await post(http, simulator, {"executions": [item(3, quantity=0)]})
        assert (status, answer["status"], len(answer["results"])) == (400, "FAILED", 1)
    async with running_simulator(SimulatorSettings(profile="published", refuse_bad_items=True)) as simulator:
        status, answer = await post(http, simulator, body)
        assert (status, simulator.ledger.total) == (400, 0)
        assert set(answer["validationErrors"]) == {"executions[1].execution", "executions[2].tradeType"}


async def test_single_executions_share_the_ledger(
    http: aiohttp.ClientSession, published: RunningSimulator
) -> None:
    status, answer = await post(http, published, item(6), LIST)
    assert (status, answer["id"], answer["tradeServiceExecutionId"]) == (201, 1, 6)
    status, answer = await post(http, published, item(7, quantity=-1), LIST)
    assert (status, answer["error"]) == (400, "Bad Request")
    await post(http, published, batch(6))
    assert published.ledger.accepted_counts() == {6: 2}
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
