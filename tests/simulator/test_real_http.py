"""The real profile over HTTP, beyond the recorded exchanges."""

import asyncio
import json
from collections.abc import AsyncIterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from execution_simulator.server import RunningSimulator, SimulatorSettings, running_simulator

BATCH = "/api/v1/executions/batch"
LIST = "/api/v1/executions"
UNEXPECTED = "An unexpected error occurred while processing your request"


@pytest.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session


@pytest.fixture
async def simulator() -> AsyncIterator[RunningSimulator]:
    async with running_simulator() as running:
        yield running


def item(trade_id: int, **changes: Any) -> dict[str, Any]:
    return {
        "executionStatus": "NEW",
        "tradeType": "BUY",
        "destination": "NYSE",
        "securityId": f"SEC{trade_id}",
        "quantity": 100,
        "limitPrice": None,
        "tradeServiceExecutionId": trade_id,
        "version": 1,
        **changes,
    }


class Talk:
    """Makes calls that return status and body."""

    def __init__(self, http: aiohttp.ClientSession, simulator: RunningSimulator) -> None:
        self._http = http
        self._url = simulator.base_url

    async def __call__(self, method: str, path: str, body: Any = None) -> tuple[int, Any]:
        data = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
        headers = {"Content-Type": "application/json"}
        async with self._http.request(method, self._url + path, data=data, headers=headers) as answer:
            raw = await answer.read()
            return answer.status, json.loads(raw, parse_float=Decimal) if raw else None

    async def send(self, *items: dict[str, Any]) -> tuple[int, Any]:
        return await self("POST", BATCH, {"executions": items})


@pytest.fixture
def talk(http: aiohttp.ClientSession, simulator: RunningSimulator) -> Talk:
    return Talk(http, simulator)


@pytest.mark.parametrize(
    "body",
    [
        b"", b"{", b"[]", b"null", b'{"executions": {}}', b'{"executions": [7]}',
        b'{"executions": [{"quantity": "many"}]}', b'{"executions": [{"tradeServiceExecutionId": 3000000000}]}',
        b'{"executions": [{"destination": "\xff"}]}',
    ],
)  # fmt: skip
async def test_unreadable_bodies_are_unexpected_errors(
    talk: Talk, simulator: RunningSimulator, body: bytes
) -> None:
    for method, path in (("POST", BATCH), ("POST", LIST), ("PUT", "/api/v1/execution/1")):
        status, answer = await talk(method, path, body)
        assert (status, answer["message"], answer["path"]) == (500, UNEXPECTED, f"uri={path}")
    assert simulator.ledger.total == 0


@pytest.mark.parametrize("query", ["limit=101", "limit=0", "limit=x", "offset=-1", "offset=1.5"])
async def test_invalid_queries_are_unexpected_errors(talk: Talk, query: str) -> None:
    assert (await talk("GET", f"{LIST}?{query}"))[0] == 500


@pytest.mark.parametrize(
    ("method", "path"),
    [("PATCH", BATCH), ("GET", BATCH), ("DELETE", LIST), ("GET", "/"), ("POST", "/api/v1/execution/1")],
)
async def test_unknown_paths_and_methods_are_unexpected_errors(talk: Talk, method: str, path: str) -> None:
    status, answer = await talk(method, path)
    assert (status, answer["path"]) == (500, f"uri={path}")


async def test_one_poisoned_row_fails_the_whole_batch_and_consumes_ids(
    talk: Talk, simulator: RunningSimulator
) -> None:
    simulator.poison("SEC3", "BAD*")
    status, answer = await talk.send(item(1), item(2), item(3), item(4))
    assert (status, answer["message"]) == (500, UNEXPECTED)
    assert simulator.ledger.total == 0
    status, answer = await talk.send(item(1), item(2), item(4))
    assert status == 201
    assert [result["execution"]["id"] for result in answer["results"]] == [4, 5, 6]
    assert (await talk("GET", "/api/v1/execution/3"))[0] == 404
    simulator.poison()
    assert (await talk.send(item(3)))[0] == 201


async def test_a_fill_is_listed_with_its_version_incremented(talk: Talk) -> None:
    await talk.send(item(1, quantity=2))
    path = "/api/v1/execution/1"
    for wrong in ({"quantityFilled": 1, "version": 1}, {"quantityFilled": 1}, {"version": 2}):
        assert (await talk("PUT", path, wrong))[0] == 500
    status, filled = await talk("PUT", path, {"quantityFilled": 0.5, "averagePrice": 2.5, "version": 2})
    assert (status, filled["executionStatus"], filled["version"]) == (200, "PART", 3)
    assert (str(filled["quantityFilled"]), str(filled["averagePrice"])) == ("0.50000000", "2.50000000")
    assert filled["securityId"] == f"{'SEC1':24}"
    assert await talk("GET", path) == (200, filled)
    status, filled = await talk("PUT", path, {"quantityFilled": 5, "version": 3})
    assert (status, filled["executionStatus"], filled["averagePrice"]) == (200, "FULL", None)
    assert (await talk("PUT", path, {"quantityFilled": 1e10, "version": 4}))[0] == 500
    assert await talk("PUT", "/api/v1/execution/2", {"quantityFilled": 1, "version": 1}) == (404, None)
    assert (await talk("PUT", "/api/v1/execution/x", {"quantityFilled": 1, "version": 1}))[0] == 500


async def test_single_executions_only_meet_table_constraints(talk: Talk, simulator: RunningSimulator) -> None:
    status, execution = await talk("POST", LIST, item(7, tradeType="SHORT", quantity=-1))
    assert (status, execution["version"], execution["averagePrice"]) == (201, 1, None)
    assert execution["sentTimestamp"] == execution["receivedTimestamp"]
    assert (await talk("POST", LIST, item(8, securityId="S" * 25)))[0] == 500
    status, listed = await talk("GET", "/api/v1/execution/1")
    assert (status, listed["version"], listed["averagePrice"]) == (200, 1, None)
    assert simulator.ledger.accepted_counts() == {7: 1}


@pytest.mark.parametrize(
    ("fault", "closes"),
    [("error_500_after", True), ("error_503", True), ("malformed_400", True), ("throttle_429", False)],
)
async def test_errors_close_the_connection_as_tomcat_does(
    http: aiohttp.ClientSession, simulator: RunningSimulator, fault: str, closes: bool
) -> None:
    simulator.script([fault])
    async with http.post(simulator.base_url + BATCH, json={"executions": [item(1)]}) as answer:
        assert (answer.headers.get("Connection") == "close") is closes
        assert answer.headers["Transfer-Encoding"] == "chunked"
        assert {"uri=" + BATCH} == {(await answer.json())["path"]}


async def test_http_1_0_clients_get_no_chunks(simulator: RunningSimulator) -> None:
    host, port = simulator.base_url.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(f"GET {LIST} HTTP/1.0\r\n\r\n".encode())
    answer = await asyncio.wait_for(reader.read(), 10)
    writer.close()
    head, _, body = answer.partition(b"\r\n\r\n")
    assert b"chunked" not in head
    assert json.loads(body)["content"] == []


async def test_single_executions_and_lost_ids_survive_a_restart(tmp_path: Path) -> None:
    path = tmp_path / "books"
    settings = SimulatorSettings(poison=["BAD"])
    pages: list[tuple[int, Any]] = []
    async with aiohttp.ClientSession() as http:
        for _ in range(2):
            async with running_simulator(settings, books_path=path) as simulator:
                talk = Talk(http, simulator)
                if not pages:
                    await talk.send(item(1, quantity=1.123456789, version=None))
                    await talk.send(item(2, securityId="BAD"))
                    await talk("POST", LIST, item(3, tradeType="SHORT"))
                    await talk("PUT", "/api/v1/execution/1", {"quantityFilled": 1, "version": 1})
                pages.append(await talk("GET", f"{LIST}?sortBy=id,id"))
    assert pages[0] == pages[1]
    assert [row["id"] for row in pages[0][1]["content"]] == [1, 3]
    assert [row["version"] for row in pages[0][1]["content"]] == [2, 1]


async def test_each_profile_opens_ledgers_of_the_other(tmp_path: Path) -> None:
    path = tmp_path / "books"
    async with aiohttp.ClientSession() as http:
        async with running_simulator(books_path=path) as simulator:
            talk = Talk(http, simulator)
            await talk.send(item(1, quantity=1.123456789))
            assert (await talk("PUT", "/api/v1/execution/1", {"quantityFilled": 1, "version": 2}))[0] == 200
        async with running_simulator(SimulatorSettings(profile="published"), books_path=path) as simulator:
            status, page = await Talk(http, simulator)("GET", LIST)
    assert (status, page["content"][0]["version"]) == (200, 3)
    assert page["content"][0]["securityId"] == "SEC1"
