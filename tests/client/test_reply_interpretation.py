"""Interpretation of complete answers: every status and shape of body."""

from pathlib import Path

import msgspec
import pytest
from structlog.testing import capture_logs

from tests.client.raw_server import ATTEMPT, FOREVER, answering, batch, client, raw_server
from trade_service import __version__
from trade_service.execution_service.reply_interpretation import (
    BATCH_ANSWERS,
    REFUSALS,
    needs_body,
    of_status,
)
from trade_service.submission.model import GatewayReply, ReplyKind

GOLDEN = Path(__file__).parent.parent / "golden"
ALL_CREATED = (GOLDEN / "batch_answer_201.json").read_bytes()
SOME_CREATED = (GOLDEN / "batch_answer_207.json").read_bytes()
NONE_CREATED = (GOLDEN / "batch_answer_400_results.json").read_bytes()
MALFORMED = (GOLDEN / "batch_answer_400_malformed.json").read_bytes()
FAILED = (GOLDEN / "batch_answer_500.json").read_bytes()


async def _reply_to(
    status: int, body: bytes = b"", content_type: str = "application/json", headers: str = ""
) -> GatewayReply:
    async with raw_server(answering(status, body, content_type, headers)) as server:
        async with client(server.base_url) as gateway:
            reply = await gateway.submit_batch(batch(), ATTEMPT, FOREVER)
        assert len(server.requests) == 1
        return reply


@pytest.mark.parametrize(
    ("status", "body", "code", "results"),
    [
        (201, ALL_CREATED, "OK", 3),
        (207, SOME_CREATED, "OK", 3),
        (400, NONE_CREATED, "DOWNSTREAM_ITEMS_REFUSED", 3),
        (422, NONE_CREATED, "DOWNSTREAM_ITEMS_REFUSED", 3),
    ],
)
async def test_an_answer_with_results_is_returned_item_by_item(
    status: int, body: bytes, code: str, results: int
) -> None:
    reply = await _reply_to(status, body)
    assert (reply.kind, reply.code, reply.http_status) == (ReplyKind.ANSWERED, code, status)
    assert reply.response is not None
    assert reply.response.results is not None
    assert len(reply.response.results) == results
    assert reply.duration_ms > 0


@pytest.mark.parametrize(
    "body",
    [b"{}", b'{"status":"SUCCESS"}', b'{"results":null}', b'{"status":"SUCCESS","results":[]}'],
)
async def test_a_201_without_results_is_an_answer_that_proves_nothing_of_any_item(body: bytes) -> None:
    reply = await _reply_to(201, body)
    assert reply.kind is ReplyKind.ANSWERED
    assert reply.response is not None
    assert not reply.response.results


async def test_a_readable_body_counts_despite_its_content_type() -> None:
    assert (await _reply_to(201, ALL_CREATED, "text/plain")).kind is ReplyKind.ANSWERED


@pytest.mark.parametrize(
    "body",
    [b"", b"[]", b"null", b'"ok"', b"<html>Welcome</html>", ALL_CREATED[:-20], b"\xff\xfe{", b"[" * 200_000],
)
@pytest.mark.parametrize("status", [201, 207])
async def test_a_created_batch_whose_body_cannot_be_read_is_unclear(status: int, body: bytes) -> None:
    reply = await _reply_to(status, body, "text/html")
    assert (reply.kind, reply.code) == (ReplyKind.UNCLEAR, "DOWNSTREAM_UNREADABLE")
    assert str(status) in reply.message
    assert "text/html" in reply.message


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        (MALFORMED, "application/json"),
        (b"", "application/json"),
        (b"", ""),
        (b"<html>Bad Request</html>", "text/html"),
        (b'{"message":"no"}', "application/json"),
        (b'{"status":"BAD_REQUEST","message":"no"}', "application/json"),
    ],
)
@pytest.mark.parametrize("status", [400, 422])
async def test_a_refusal_without_results_is_of_the_whole_request(
    status: int, body: bytes, content_type: str
) -> None:
    reply = await _reply_to(status, body, content_type)
    assert (reply.kind, reply.code) == (ReplyKind.REFUSED_WHOLE, "DOWNSTREAM_REFUSED_REQUEST")


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        # In the batch's shape, but without results: some trouble of the service, not a broken request.
        (b'{"status":"FAILED","totalRequested":3,"successful":0,"failed":3}', ReplyKind.ANSWERED),
        (b'{"status":"FAILED","results":null}', ReplyKind.ANSWERED),
        (b'{"results":{}}', ReplyKind.ANSWERED),
        # It may have held results.
        (NONE_CREATED[:-30], ReplyKind.UNCLEAR),
    ],
)
async def test_an_ambiguous_400_is_not_a_refusal(body: bytes, kind: ReplyKind) -> None:
    reply = await _reply_to(400, body)
    assert reply.kind is kind
    assert reply.response is None or not reply.response.results


@pytest.mark.parametrize(
    ("status", "kind", "code"),
    [
        (200, ReplyKind.UNCLEAR, "DOWNSTREAM_UNEXPECTED_STATUS"),
        (202, ReplyKind.UNCLEAR, "DOWNSTREAM_UNEXPECTED_STATUS"),
        (204, ReplyKind.UNCLEAR, "DOWNSTREAM_UNEXPECTED_STATUS"),
        (301, ReplyKind.UNCLEAR, "DOWNSTREAM_REDIRECT"),
        (302, ReplyKind.UNCLEAR, "DOWNSTREAM_REDIRECT"),
        (303, ReplyKind.UNCLEAR, "DOWNSTREAM_REDIRECT"),
        (304, ReplyKind.UNCLEAR, "DOWNSTREAM_REDIRECT"),
        (307, ReplyKind.CONFIGURATION, "DOWNSTREAM_REDIRECT"),
        (308, ReplyKind.CONFIGURATION, "DOWNSTREAM_REDIRECT"),
        (399, ReplyKind.UNCLEAR, "DOWNSTREAM_REDIRECT"),
        (401, ReplyKind.CONFIGURATION, "DOWNSTREAM_UNAUTHORIZED"),
        (403, ReplyKind.CONFIGURATION, "DOWNSTREAM_UNAUTHORIZED"),
        (404, ReplyKind.CONFIGURATION, "DOWNSTREAM_NOT_FOUND"),
        (405, ReplyKind.CONFIGURATION, "DOWNSTREAM_NOT_SUPPORTED"),
        (406, ReplyKind.UNCLEAR, "DOWNSTREAM_UNEXPECTED_STATUS"),
        (408, ReplyKind.UNCLEAR, "DOWNSTREAM_UNEXPECTED_STATUS"),
        (409, ReplyKind.UNCLEAR, "DOWNSTREAM_UNEXPECTED_STATUS"),
        (413, ReplyKind.REFUSED_WHOLE, "DOWNSTREAM_TOO_LARGE"),
        (415, ReplyKind.CONFIGURATION, "DOWNSTREAM_NOT_SUPPORTED"),
        (418, ReplyKind.UNCLEAR, "DOWNSTREAM_UNEXPECTED_STATUS"),
        (429, ReplyKind.NOT_SENT, "DOWNSTREAM_THROTTLED"),
        (500, ReplyKind.UNCLEAR, "DOWNSTREAM_ERROR_500"),
        (501, ReplyKind.UNCLEAR, "DOWNSTREAM_UNEXPECTED_STATUS"),
        (502, ReplyKind.LOST, "DOWNSTREAM_BAD_GATEWAY"),
        (503, ReplyKind.UNCLEAR, "DOWNSTREAM_UNAVAILABLE"),
        (504, ReplyKind.LOST, "DOWNSTREAM_GATEWAY_TIMEOUT"),
        (599, ReplyKind.UNCLEAR, "DOWNSTREAM_UNEXPECTED_STATUS"),
    ],
)
async def test_other_statuses_decide_without_a_body(status: int, kind: ReplyKind, code: str) -> None:
    """Even with a body that looks like a created batch."""
    headers = "Location: /elsewhere\r\n" if 300 <= status < 400 else ""
    body = b"" if status in (204, 304) else ALL_CREATED
    reply = await _reply_to(status, body, headers=headers)
    assert (reply.kind, reply.code, reply.http_status) == (kind, code, status)
    assert reply.response is None


def test_no_status_but_the_batch_s_own_can_accept_or_refuse_items() -> None:
    for status in set(range(100, 600)) - BATCH_ANSWERS - REFUSALS:
        assert not needs_body(status)
        kind = of_status(status)[0]
        assert kind is not ReplyKind.ANSWERED
        if status in range(300, 400):
            # Only these two ask for the same request elsewhere: any other may follow what was done.
            assert (kind is ReplyKind.CONFIGURATION) == (status in (307, 308))


async def test_the_service_s_own_words_are_passed_on_shortened() -> None:
    reply = await _reply_to(500, FAILED)
    assert reply.message.endswith("answered 500: An unexpected error occurred while processing your request")
    assert reply.message.startswith("POST /api/v1/executions/batch answered ")
    long = await _reply_to(500, b'{"message":"' + b"x" * 100_000 + b'"}')
    assert len(long.message) < 500


@pytest.mark.parametrize("status", [429, 503])
async def test_retry_after_is_kept(status: int) -> None:
    assert (await _reply_to(status, headers="Retry-After: 7\r\n")).retry_after_s == 7.0
    assert (await _reply_to(status, headers="Retry-After: soon\r\n")).retry_after_s is None
    dates = "Date: Wed, 21 Oct 2026 07:28:00 GMT\r\nRetry-After: Wed, 21 Oct 2026 07:28:30 GMT\r\n"
    assert (await _reply_to(status, headers=dates)).retry_after_s == 30.0


async def test_the_request_has_its_headers_and_body() -> None:
    async with raw_server(answering(201, ALL_CREATED)) as server:
        async with client(server.base_url + "/prefix/") as gateway:
            await gateway.submit_batch(batch(), ATTEMPT, FOREVER)
        head, body = server.requests[0]
    lines = head.decode().split("\r\n")
    assert lines[0] == "POST /prefix/api/v1/executions/batch HTTP/1.1"
    headers = dict(line.split(": ", 1) for line in lines[1:] if line)
    assert headers["Idempotency-Key"] == headers["X-Request-ID"] == ATTEMPT
    assert headers["Content-Type"] == headers["Accept"] == "application/json"
    assert headers["User-Agent"] == f"trade-service/{__version__}"
    assert headers["Content-Length"] == str(len(body))


async def test_credentials_in_the_address_are_used_but_never_shown() -> None:
    async with raw_server(answering(500, FAILED)) as server:
        address = server.base_url.replace("//", "//me:hush%21@")
        with capture_logs() as logs:
            async with client(address) as gateway:
                reply = await gateway.submit_batch(batch(), ATTEMPT, FOREVER)
        assert b"Authorization: Basic bWU6aHVzaCE=" in server.requests[0][0]
    assert "hush" not in reply.message
    assert "hush" not in str(logs)


async def test_every_call_is_logged() -> None:
    async with raw_server(answering(201, ALL_CREATED)) as server, client(server.base_url) as gateway:
        with capture_logs() as logs:
            await gateway.submit_batch(batch(), ATTEMPT, FOREVER)
    (line,) = logs
    assert line["log_level"] == "debug"
    assert (line["attempt_id"], line["size"], line["status"], line["code"]) == (ATTEMPT, 3, 201, "OK")
    assert line["duration_ms"] > 0
    with capture_logs() as logs:
        await _reply_to(500, FAILED)
    assert [line["log_level"] for line in logs] == ["warning"]


async def test_a_request_that_breaks_the_contract_is_refused_whole_and_never_sent() -> None:
    async with raw_server(answering(201, ALL_CREATED)) as server, client(server.base_url) as gateway:
        reply = await gateway.submit_batch(batch(101), ATTEMPT, FOREVER)
        assert server.connections == 0
    assert (reply.kind, reply.code) == (ReplyKind.REFUSED_WHOLE, "INVALID_REQUEST")
    assert "must hold 1 to 100 items; got 101" in reply.message


async def test_a_batch_answer_with_a_byte_order_mark_is_read() -> None:
    plain, marked = await _reply_to(201, ALL_CREATED), await _reply_to(201, b"\xef\xbb\xbf" + ALL_CREATED)
    assert marked.kind is ReplyKind.ANSWERED
    assert marked.response == plain.response


def _report(**changes: object) -> bytes:
    return msgspec.json.encode(msgspec.json.decode(FAILED) | changes)


@pytest.mark.parametrize(
    ("status", "body", "failed"),
    [
        (500, FAILED, True),
        (500, _report(validationErrors=None, path="uri=/api/o/connection"), True),
        (500, _report(message="ERROR: new row violates check constraint"), True),
        (503, FAILED, False),
        (503, _report(status=503), False),
        (500, _report(status=503), False),
        (501, _report(status=501), False),
        (500, _report(message="Could not COMMIT JPA transaction"), False),
        (500, _report(message="An I/O error occurred while sending to the backend."), False),
        (500, _report(message="Unable to acquire JDBC Connection"), False),
        (500, _report(message="Transaction silently rolled back: marked as rollback-only"), False),
        (500, _report(error="connection reset"), False),
        (500, _report(message=None), False),
        (500, b'{"status":500,"message":"failed"}', False),
        (500, b"<html>upstream failed</html>", False),
        (500, b"[]", False),
        (500, b"", False),
        (201, FAILED, False),
    ],
)
async def test_only_a_500_of_the_service_s_own_handler_says_that_its_transaction_has_ended(
    status: int, body: bytes, *, failed: bool
) -> None:
    assert (await _reply_to(status, body)).handler_failed is failed
