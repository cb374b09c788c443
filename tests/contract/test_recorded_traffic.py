"""The bytes of the real clients, each sent to a service of its own: they get what they need.

tests/golden/client-traffic.jsonl has one exchange a line. Those marked `recorded` were taken from the clients as
they ran; the others are what the same clients send at other times. `raw` is sent at once, `then` only after the
service has taken up `raw`; `answers` are what comes back, in order: a status, and what the JSON holds by path.
"""

import asyncio
import gzip
import json
import shutil
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from tests.support.database import TestServer
from tests.web.live import ORDERS, Live, live_alone, order_body
from tests.web.support import DEADLINE_S, connected
from trade_service.web.web_settings import ServerSettings

GOLDEN = Path(__file__).parents[1] / "golden" / "client-traffic.jsonl"
VERSION = 3
"""The executionServiceId of execution 1 in the recorded reports."""


class Expected(msgspec.Struct, frozen=True):
    """An answer that a client needs."""

    status: int
    holds: dict[str, Any]


class Exchange(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A client's requests on one connection, and the answers it needs."""

    name: str
    recorded: bool
    raw: str
    needs: str
    answers: list[Expected]
    then: str = ""


EXCHANGES = [msgspec.json.decode(line, type=Exchange) for line in GOLDEN.read_bytes().splitlines()]

OFFERS = [one for one in EXCHANGES if "Upgrade: h2c" in one.raw and one.recorded]


@pytest.fixture
async def live(postgres: TestServer, template_database: str) -> AsyncIterator[Live]:
    """A service with two trade orders. The first has 0.2 left; the rest is execution 1, filled in part."""
    deployed = ServerSettings(shutdown_grace_s=2.0, cors_allow_origins=("*",), allowed_hosts=("*",))
    async with live_alone(postgres, template_database, server=deployed) as live:
        for order_id, quantity in ((1, "10.2"), (2, 100)):
            answer = await live.client.post(ORDERS, order_body(quantity, orderId=order_id))
            assert (answer.status, answer.body["id"]) == (201, order_id)
        execution = (await live.submit(1, 10)).body
        report = {"executionStatus": "PART", "quantityFilled": 1, "version": execution["version"]}
        answer = await live.client.put(f"/api/v1/executions/{execution['id']}/fill", report)
        assert (answer.body["id"], answer.body["version"]) == (1, VERSION)
        yield live
        await live.accounts_agree()


def at(body: Any, path: str) -> Any:
    """The value in a body at a path of names and indexes."""
    for step in path.split("."):
        body = body[int(step)] if isinstance(body, list) else body[step]
    return body


async def answer_on(reader: asyncio.StreamReader, *, takes_gzip: bool) -> tuple[int, Any]:
    """The status and the JSON of the next answer, which is compressed only for a client that asked for it."""
    head = (await reader.readuntil(b"\r\n\r\n")).lower()
    length = int(head.partition(b"content-length: ")[2].partition(b"\r\n")[0])
    body = await reader.readexactly(length)
    return int(head.split()[1]), json.loads(
        gzip.decompress(body) if takes_gzip and b"content-encoding: gzip" in head else body
    )


async def exchanged(live: Live, exchange: Exchange, *, byte_by_byte: bool) -> None:
    """Sends a client's requests and compares the answers."""
    async with asyncio.timeout(DEADLINE_S), connected(live.client) as (reader, writer):
        for part in filter(None, (exchange.raw, exchange.then)):
            sent = part.encode()
            for start in range(len(sent)) if byte_by_byte else [0]:
                writer.write(sent[start : start + 1] if byte_by_byte else sent)
                await asyncio.sleep(0)
            await live.client.get("/api/v1/health/liveness")  # The service has read the bytes by now.
        for expected in exchange.answers:
            status, body = await answer_on(reader, takes_gzip="Accept-Encoding: gzip" in exchange.raw)
            assert status == expected.status, (exchange.needs, body)
            assert {path: at(body, path) for path in expected.holds} == expected.holds, body
            if status >= 400:
                assert body["error"] == body["message"]
                assert isinstance(body["details"], dict)


@pytest.mark.parametrize("exchange", EXCHANGES, ids=lambda exchange: exchange.name)
async def test_what_clients_send_is_answered_as_they_need(live: Live, exchange: Exchange) -> None:
    await exchanged(live, exchange, byte_by_byte=False)


@pytest.mark.parametrize("exchange", OFFERS, ids=lambda exchange: exchange.name)
async def test_a_request_that_offers_to_upgrade_may_come_byte_by_byte(live: Live, exchange: Exchange) -> None:
    await exchanged(live, exchange, byte_by_byte=True)


def test_the_recording_is_there() -> None:
    assert sum(one.recorded for one in EXCHANGES) == 5
    assert len({one.name for one in EXCHANGES}) == len(EXCHANGES) > 20


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
async def test_curl_that_offers_http_2_reports_a_fill(live: Live) -> None:
    report = json.dumps({"executionStatus": "PART", "quantityFilled": "2.5", "version": VERSION})
    process = await asyncio.create_subprocess_exec(
        *("curl", "--silent", "--http2", "--request", "PUT", "--data", report),
        *("--header", "Content-Type: application/json", "--max-time", str(DEADLINE_S)),
        *("--write-out", " %{http_code}", f"{live.client.url}/api/v1/executions/1/fill"),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    output, _ = await process.communicate()
    assert output.endswith(b" 200"), output
    assert (await live.read_execution(1))["quantityFilled"] == "2.50"
