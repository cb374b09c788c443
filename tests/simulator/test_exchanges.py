"""Replays exchanges recorded from the real Execution Service against the simulator over HTTP, in order."""

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import aiohttp
import pytest
from yarl import URL

from execution_simulator.server import running_simulator

RECORDED: Final = [
    json.loads(line)
    for line in (Path(__file__).parent.parent / "golden" / "execution_service_exchanges.jsonl")
    .read_text("utf-8")
    .splitlines()
]
HEADERS: Final = ("Content-Type", "Content-Length", "Transfer-Encoding", "Connection")
"""The headers that clients act on."""
DIFFERENT: Final[Mapping[str, str]] = {}
"""Exchanges that the simulator answers differently, by name, with the reason. None so far."""

_TIMESTAMP: Final = re.compile(r'"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.(\d{1,9}))?Z)"')


def shaped(body: str, read: bool) -> tuple[str, list[str]]:
    """The body with each timestamp replaced by the number of its kind, and the timestamps.

    Both services drop zeros at the end of a second's digits: a read shows at most six, an answer to a write nine.
    """
    found: list[str] = []

    def place(match: re.Match[str]) -> str:
        digits = match[2] or ""
        assert not digits.endswith("0")
        assert len(digits) <= 6 or not read
        found.append(match[1])
        return '"a timestamp"'

    return _TIMESTAMP.sub(place, body), found


async def test_every_recorded_exchange_is_answered_as_the_real_service_answered_it() -> None:
    assert len(RECORDED) == 38
    assert DIFFERENT.keys() <= {exchange["name"] for exchange in RECORDED}
    same_moment: dict[str, str] = {}
    async with running_simulator() as simulator, aiohttp.ClientSession() as http:
        for exchange in RECORDED:
            name, request, wanted = exchange["name"], exchange["request"], exchange["response"]
            url = URL(simulator.base_url + request["path"], encoded=True)
            body = None if request["body"] is None else request["body"].encode()
            async with http.request(request["method"], url, data=body, headers=request["headers"]) as answer:
                got = await answer.text()
                headers = {key: answer.headers[key] for key in HEADERS if key in answer.headers}
            if name in DIFFERENT:
                continue
            read = wanted["status"] == 200
            expected, their_moments = shaped(wanted["body"], read)
            shape, moments = shaped(got, read)
            assert (name, answer.status, headers) == (name, wanted["status"], wanted["headers"])
            assert (name, shape) == (name, expected)
            for recorded, ours in zip(their_moments, moments, strict=True):
                if "uri=" not in shape:
                    assert same_moment.setdefault(recorded, ours) == ours, f"{name}: other executions at once"


async def test_nine_digits_are_answered_and_six_are_stored() -> None:
    """Needs several calls, because a clock may hit a whole microsecond."""
    request = RECORDED[1]["request"]
    answered: list[str] = []
    async with running_simulator() as simulator, aiohttp.ClientSession() as http:
        for _ in range(20):
            url = simulator.base_url + request["path"]
            headers = request["headers"]
            async with http.post(url, data=request["body"].encode(), headers=headers) as answer:
                results = (await answer.json())["results"]
            answered += [result["execution"]["receivedTimestamp"] for result in results]
        async with http.get(f"{simulator.base_url}/api/v1/executions?sortBy=id,id&limit=100") as answer:
            kept = [row["receivedTimestamp"] for row in (await answer.json())["content"]]
    assert max(len(text) for text in answered) == len("2026-11-30T08:35:48.965196703Z")
    for long, short in zip(answered, kept, strict=True):
        rounded = round(float("0" + long[19:-1]) * 1_000_000)
        assert float("0" + short[19:-1]) * 1_000_000 == pytest.approx(rounded % 1_000_000)
