"""Texts of callers: control characters are refused, and no text reaches the log raw or at its full length."""

import asyncio
import unicodedata
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import msgspec
import pytest

from execution_simulator.server import SimulatorSettings, running_simulator
from tests.attacks.target import DEADLINE_S
from tests.e2e.command import FAST, Cli, bare_environment
from tests.support.database import TestServer

HOSTILE = [
    "\x00",
    "\x07",
    "\n",
    "\x1b[2J",
    "\x7f",
    "\x9b31m",
    "\u061c",
    "\u200b",
    "\u202e",
    "\u2066",
    "\ufeff",
]
ORDER = {
    "orderId": 1, "portfolioId": "P1", "orderType": "BUY", "securityId": "IBM", "quantity": 100,
}  # fmt: skip
BODIES: list[tuple[str, dict[str, Any], str]] = [
    *(("/api/v1/tradeOrders", ORDER, field) for field in ("portfolioId", "orderType", "securityId")),
    ("/api/v1/blotters", {"abbreviation": "B", "name": "n"}, "abbreviation"),
    ("/api/v1/blotters", {"abbreviation": "B", "name": "n"}, "name"),
    ("/api/v1/destinations", {"abbreviation": "D", "description": "d"}, "description"),
    *(
        (
            "/api/v2/executions/requeue",
            {"executionIds": [1], "reason": "r", "operator": "o", "dryRun": False},
            field,
        )
        for field in ("reason", "operator")
    ),
    *(
        (
            "/api/v2/executions/1/resolve",
            {"outcome": "NOT_ACCEPTED", "reason": "r", "operator": "o"},
            field,
        )
        for field in ("reason", "operator")
    ),
]


class Served(msgspec.Struct):
    """A service whose log people read on a terminal."""

    port: int
    log: str = ""

    async def answer(self, raw: bytes) -> bytes:
        async with asyncio.timeout(DEADLINE_S):
            reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
            try:
                writer.write(raw)
                return await reader.read()
            finally:
                writer.close()

    async def post(self, path: str, body: object) -> bytes:
        content = msgspec.json.encode(body)
        head = (
            f"POST {path} HTTP/1.1\r\nHost: localhost:{self.port}\r\nConnection: close\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(content)}\r\n\r\n"
        )
        return await self.answer(head.encode() + content)


@pytest.fixture
async def served(postgres: TestServer, template_database: str, tmp_path: Path) -> AsyncIterator[Served]:
    """One whose log is checked when the test is over."""
    async with (
        postgres.database(template_database) as url,
        running_simulator(SimulatorSettings()) as simulator,
    ):
        settings = {
            "DATABASE_URL": url,
            "EXECUTION_SERVICE_BASE_URL": simulator.base_url,
            "TRADE_SERVICE_LOG_FORMAT": "console",
        }
        cli = Cli(tmp_path, bare_environment(tmp_path) | FAST | settings)
        async with await cli.start("serve", "--port", "0") as running:
            line = await running.line_with("Serving on ")
            serving = Served(int(line.split()[2].rstrip(";").rpartition(":")[2]))
            yield serving
            running.process.terminate()
            serving.log = (await running.ended()).err
    assert "request" in serving.log
    assert [one for one in serving.log if unicodedata.category(one) in ("Cc", "Cf") and one != "\n"] == []
    assert max(map(len, serving.log.splitlines())) < 8_000, "a thousand characters of each text, escaped"


async def test_control_characters_are_refused_in_every_text(served: Served) -> None:
    for path, body, field in BODIES:
        for character in HOSTILE:
            answer = await served.post(path, {**body, field: f"a{character}b"})
            assert answer.startswith(b"HTTP/1.1 400 "), (path, field, character, answer)
            text = answer.partition(b"\r\n\r\n")[2].decode()
            assert field in text
            assert character not in text


async def test_paths_are_logged_escaped_and_cut(served: Served) -> None:
    for path in ("/" + "a" * 60_000, "/" + quote("".join(HOSTILE)), "/%1b%5B2J%c2%9b%e2%80%ae%0a%0d" * 500):
        request = f"GET {path} HTTP/1.1\r\nHost: localhost:{served.port}\r\nConnection: close\r\n\r\n"
        answer = await served.answer(request.encode())
        assert answer.startswith(b"HTTP/1.1 404 ")
        assert len(answer) < 2_000
