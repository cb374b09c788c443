"""The listing, and the client against the simulator."""

import asyncio
from decimal import Decimal
from pathlib import Path

import pytest

from execution_simulator.server import SimulatorSettings, running_simulator
from tests.client.raw_server import (
    ATTEMPT,
    DEADLINE_S,
    FOREVER,
    Conversation,
    answering,
    batch,
    client,
    closed_port,
    raw_server,
)
from trade_service.submission.model import ReplyKind

PAGE = (Path(__file__).parent.parent / "golden" / "executions_page.json").read_bytes()


async def test_a_page_is_read() -> None:
    async with raw_server(answering(200, PAGE)) as server, client(server.base_url) as gateway:
        listing = await gateway.list_newest(200, 100)
        assert (listing.code, listing.message) == ("OK", "")
        head, *headers = server.requests[0][0].split(b"\r\n")
    assert b"cache-control: no-cache" in [header.lower() for header in headers]
    assert head == b"GET /api/v1/executions?offset=200&limit=100&sortBy=-id HTTP/1.1"
    assert listing.page is not None
    assert [row.id for row in listing.page.content] == [7003, 7002]
    assert listing.page.content[0].limit_price == Decimal("9999999999.99999999")


@pytest.mark.parametrize(
    ("status", "body", "code"),
    [
        (200, b"", "DOWNSTREAM_UNREADABLE"),
        (200, b"[]", "DOWNSTREAM_UNREADABLE"),
        (200, b"{}", "DOWNSTREAM_UNREADABLE"),
        (200, b'{"content":[{"id":"x"}]}', "DOWNSTREAM_UNREADABLE"),
        (200, b'{"content":[' + b" " * 30_000 + b"]}", "DOWNSTREAM_BODY_TOO_LARGE"),
        (201, PAGE, "DOWNSTREAM_UNEXPECTED_STATUS"),
        (302, PAGE, "DOWNSTREAM_REDIRECT"),
        (401, PAGE, "DOWNSTREAM_UNAUTHORIZED"),
        (404, PAGE, "DOWNSTREAM_NOT_FOUND"),
        (429, PAGE, "DOWNSTREAM_THROTTLED"),
        (500, PAGE, "DOWNSTREAM_ERROR_500"),
        (504, PAGE, "DOWNSTREAM_GATEWAY_TIMEOUT"),
    ],
)
async def test_a_failed_listing_has_a_code(status: int, body: bytes, code: str) -> None:
    async with (
        raw_server(answering(status, body)) as server,
        client(server.base_url, max_response_bytes=20_000) as gateway,
    ):
        listing = await gateway.list_newest(0, 100)
    assert (listing.page, listing.code) == (None, code)
    assert listing.message.startswith("GET /api/v1/executions?")
    assert "127.0.0.1" not in listing.message


async def test_network_failures_have_their_codes() -> None:
    async with client(f"http://127.0.0.1:{closed_port()}") as gateway:
        listing = await gateway.list_newest(0, 100)
        assert (listing.page, listing.code) == (None, "DOWNSTREAM_REFUSED_CONNECTION")

    async def silent(talk: Conversation) -> None:
        await talk.request()
        await talk.hold()

    async with raw_server(silent) as server, client(server.base_url, read_timeout_s=0.1) as gateway:
        listing = await gateway.list_newest(0, 100)
        assert (listing.page, listing.code) == (None, "DOWNSTREAM_READ_TIMEOUT")
        assert "no answer within 0.1 s" in listing.message


async def test_a_batch_is_accepted_by_the_simulator_and_found_in_its_listing() -> None:
    async with running_simulator() as simulator, client(simulator.base_url) as gateway:
        reply = await gateway.submit_batch(batch(100), ATTEMPT, FOREVER)
        assert (reply.kind, reply.code, reply.http_status) == (ReplyKind.ANSWERED, "OK", 201)
        assert reply.response is not None
        assert reply.response.results is not None
        accepted = {
            result.execution.trade_service_execution_id: result.execution.id
            for result in reply.response.results
            if result.execution is not None
        }
        assert sorted(accepted) == list(range(101, 201))  # type: ignore[type-var]  # none is None
        listing = await gateway.list_newest(0, 100)
        assert listing.page is not None
        assert {row.trade_service_execution_id: row.id for row in listing.page.content} == accepted
        assert {row.quantity for row in listing.page.content} == {Decimal("100.5")}


@pytest.mark.parametrize(
    ("fault", "kind", "code"),
    [
        ("reset_before", ReplyKind.LOST, "DOWNSTREAM_CONNECTION_LOST"),
        ("reset_after", ReplyKind.LOST, "DOWNSTREAM_CONNECTION_LOST"),
        ("hang_after", ReplyKind.LOST, "DOWNSTREAM_READ_TIMEOUT"),
        ("error_500_after", ReplyKind.UNCLEAR, "DOWNSTREAM_ERROR_500"),
        ("error_503", ReplyKind.UNCLEAR, "DOWNSTREAM_UNAVAILABLE"),
        ("gateway_502", ReplyKind.LOST, "DOWNSTREAM_BAD_GATEWAY"),
        ("gateway_504", ReplyKind.LOST, "DOWNSTREAM_GATEWAY_TIMEOUT"),
    ],
)
async def test_faults_of_the_simulator_are_distinguished(fault: str, kind: ReplyKind, code: str) -> None:
    async with (
        running_simulator(SimulatorSettings(script=[fault])) as simulator,
        client(simulator.base_url, read_timeout_s=0.2) as gateway,
    ):
        reply = await asyncio.wait_for(gateway.submit_batch(batch(), ATTEMPT, FOREVER), DEADLINE_S)
    assert (reply.kind, reply.code) == (kind, code)
