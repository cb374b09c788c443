"""Failures of the client's calls, over real sockets."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator

import pytest

from tests.client.raw_server import (
    ATTEMPT,
    DEADLINE_S,
    FOREVER,
    Conversation,
    Script,
    answering,
    batch,
    client,
    closed_port,
    raw_server,
    reply_from,
)
from tests.client.test_reply_interpretation import ALL_CREATED
from trade_service.submission.model import GatewayReply, ReplyKind

SHORT_S = 0.1


async def _reply_of(script: Script, **changes: object) -> GatewayReply:
    async with raw_server(script) as server:
        reply = await reply_from(server.base_url, **changes)
        assert server.connections == 1
        return reply


# --- nothing left ---


async def test_nobody_listens() -> None:
    reply = await reply_from(f"http://127.0.0.1:{closed_port()}")
    assert (reply.kind, reply.code) == (ReplyKind.NOT_SENT, "DOWNSTREAM_REFUSED_CONNECTION")


async def test_the_name_is_unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    async def unknown(*args: object, **kwargs: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", unknown)
    reply = await reply_from("http://nowhere.invalid")
    assert (reply.kind, reply.code) == (ReplyKind.NOT_SENT, "DOWNSTREAM_NAME_NOT_RESOLVED")
    assert "Name or service not known" in reply.message
    assert "nowhere.invalid" not in reply.message


async def test_the_name_breaks_the_rules_of_names(monkeypatch: pytest.MonkeyPatch) -> None:
    async def strict(*args: object, **kwargs: object) -> None:
        raise UnicodeError("label empty or too long")

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", strict)
    reply = await reply_from("http://nowhere.invalid")
    assert (reply.kind, reply.code) == (ReplyKind.CONFIGURATION, "DOWNSTREAM_BAD_ADDRESS")


@contextlib.asynccontextmanager
async def _full_backlog() -> AsyncIterator[int]:
    """A port with a full backlog: further connections are neither accepted nor refused."""
    with contextlib.ExitStack() as stack:
        listener = stack.enter_context(socket.socket())
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        port = listener.getsockname()[1]
        for _ in range(3):
            filler = stack.enter_context(socket.socket())
            filler.settimeout(0)
            filler.connect_ex(("127.0.0.1", port))
        yield port


@pytest.mark.parametrize("which", ["connect_timeout_s", "total_timeout_s"])
async def test_no_connection_in_time(which: str) -> None:
    async with _full_backlog() as port:
        reply = await reply_from(f"http://127.0.0.1:{port}", **{which: SHORT_S})
    assert (reply.kind, reply.code) == (ReplyKind.NOT_SENT, "DOWNSTREAM_CONNECT_TIMEOUT")


async def test_tls_fails() -> None:
    async def plain(talk: Conversation) -> None:
        await talk.send(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")
        await talk.hold()

    async with raw_server(plain) as server:
        reply = await reply_from(server.base_url.replace("http:", "https:"))
    assert (reply.kind, reply.code) == (ReplyKind.NOT_SENT, "DOWNSTREAM_TLS")


async def test_all_connections_are_busy() -> None:
    arrived = asyncio.Event()

    async def silent(talk: Conversation) -> None:
        await talk.request()
        arrived.set()
        await talk.hold()

    async with (
        raw_server(silent) as server,
        client(server.base_url, max_connections=1, connect_timeout_s=SHORT_S) as gateway,
    ):
        first = asyncio.create_task(gateway.submit_batch(batch(), ATTEMPT, FOREVER))
        await asyncio.wait_for(arrived.wait(), DEADLINE_S)
        reply = await gateway.submit_batch(batch(), ATTEMPT, FOREVER)
        assert not first.done()
        first.cancel()
        with pytest.raises(asyncio.CancelledError):
            await first
        assert len(server.requests) == 1
    assert (reply.kind, reply.code) == (ReplyKind.NOT_SENT, "DOWNSTREAM_POOL_EXHAUSTED")
    assert reply.own_doing, "it says nothing of the Execution Service"
    assert "all 1 connections were busy for 0.1 s" in reply.message


# --- bytes may have left ---


async def _reset_after_request(talk: Conversation) -> None:
    await talk.request()
    talk.reset()


async def _reset_unread(talk: Conversation) -> None:
    """Resets the connection with part of the request received and none of it read."""
    await talk.reader.readexactly(1)
    talk.reset()


async def _close_after_request(talk: Conversation) -> None:
    await talk.request()


async def _reset_in_answer(talk: Conversation) -> None:
    await talk.request()
    await talk.send(b"HTTP/1.1 201 Created\r\nContent-Length: 999\r\n\r\n{")
    talk.reset()


async def _close_in_answer(talk: Conversation) -> None:
    await talk.request()
    await talk.send(b"HTTP/1.1 201 Created\r\nContent-Length: 999\r\n\r\n{")


async def _close_in_chunk(talk: Conversation) -> None:
    await talk.request()
    await talk.send(b"HTTP/1.1 207 Multi\r\nTransfer-Encoding: chunked\r\n\r\nff\r\n{}")


async def _close_in_head(talk: Conversation) -> None:
    await talk.request()
    await talk.send(b"HTTP/1.1 201 Crea")


@pytest.mark.parametrize(
    ("script", "code", "status"),
    [
        (_reset_after_request, "DOWNSTREAM_CONNECTION_LOST", None),
        (_reset_unread, "DOWNSTREAM_CONNECTION_LOST", None),
        (_close_after_request, "DOWNSTREAM_CONNECTION_LOST", None),
        (_close_in_head, "DOWNSTREAM_CONNECTION_LOST", None),
        (_reset_in_answer, "DOWNSTREAM_TRUNCATED", 201),
        (_close_in_answer, "DOWNSTREAM_TRUNCATED", 201),
        (_close_in_chunk, "DOWNSTREAM_TRUNCATED", 207),
    ],
)
async def test_a_connection_that_breaks_after_sending_is_a_loss(
    script: Script, code: str, status: int | None
) -> None:
    reply = await _reply_of(script)
    assert (reply.kind, reply.code, reply.http_status) == (ReplyKind.LOST, code, status)


async def _silent(talk: Conversation) -> None:
    await talk.request()
    await talk.hold()


async def _silent_in_answer(talk: Conversation) -> None:
    await talk.request()
    await talk.send(b"HTTP/1.1 201 Created\r\nContent-Length: 999\r\n\r\n{")
    await talk.hold()


async def _drip(talk: Conversation) -> None:
    await talk.request()
    await talk.send(b"HTTP/1.1 201 Created\r\nContent-Length: 99999\r\n\r\n")
    while True:
        await talk.send(b" ")
        await asyncio.sleep(SHORT_S / 10)


@pytest.mark.parametrize(
    ("script", "limit", "code", "status", "expected"),
    [
        (_silent, "read_timeout_s", "DOWNSTREAM_READ_TIMEOUT", None, "no answer within 0.1 s"),
        (_silent, "total_timeout_s", "DOWNSTREAM_TOTAL_TIMEOUT", None, "no complete answer within 0.1 s"),
        (_silent_in_answer, "read_timeout_s", "DOWNSTREAM_READ_TIMEOUT", 201, "no answer within 0.1 s"),
        (_drip, "total_timeout_s", "DOWNSTREAM_TOTAL_TIMEOUT", 201, "no complete answer within 0.1 s"),
    ],
)
async def test_a_late_answer_is_lost_and_its_connection_is_reset(
    script: Script, limit: str, code: str, status: int | None, expected: str
) -> None:
    async with raw_server(script) as server:
        reply = await reply_from(server.base_url, **{limit: SHORT_S})
        assert (reply.kind, reply.code, reply.http_status) == (ReplyKind.LOST, code, status)
        assert expected in reply.message
        await asyncio.wait_for(server.ended.wait(), DEADLINE_S)
        assert "eof" not in server.endings


# --- answers that break HTTP or the bounds ---


async def _endless(talk: Conversation) -> None:
    await talk.request()
    await talk.send(b"HTTP/1.1 201 Created\r\nTransfer-Encoding: chunked\r\n\r\n")
    while True:
        await talk.send(b"4000\r\n" + b" " * 0x4000 + b"\r\n")


async def _boast(talk: Conversation) -> None:
    """Sends more than it announces."""
    await talk.request()
    await talk.send(b"HTTP/1.1 201 Created\r\nContent-Length: 2\r\n\r\n{}" + b" " * 100_000)
    await talk.hold()


async def _announce_much(talk: Conversation) -> None:
    await talk.request()
    await talk.send(b"HTTP/1.1 201 Created\r\nContent-Length: 999999999999\r\n\r\n" + b" " * 50_000)
    await talk.hold()


async def _not_http(talk: Conversation) -> None:
    await talk.request()
    await talk.send(b"SSH-2.0-OpenSSH_9.9\r\n\r\n")
    await talk.hold()


async def _huge_head(talk: Conversation) -> None:
    await talk.request()
    await talk.send(b"HTTP/1.1 201 Created\r\nX-Much: " + b"x" * 100_000 + b"\r\n\r\n")
    await talk.hold()


async def _upgrade(talk: Conversation) -> None:
    await talk.request()
    await talk.send(b"HTTP/1.1 101 Switching\r\nConnection: upgrade\r\nUpgrade: chat\r\n\r\n")


@pytest.mark.parametrize(
    ("script", "code", "status"),
    [
        (_endless, "DOWNSTREAM_BODY_TOO_LARGE", 201),
        (_announce_much, "DOWNSTREAM_BODY_TOO_LARGE", 201),
        (_boast, "DOWNSTREAM_UNREADABLE", 201),
        (_not_http, "DOWNSTREAM_UNREADABLE", None),
        (_huge_head, "DOWNSTREAM_UNREADABLE", None),
        (_upgrade, "DOWNSTREAM_UNEXPECTED_STATUS", 101),
    ],
)
async def test_an_answer_that_breaks_http_or_the_bounds_is_unclear(
    script: Script, code: str, status: int | None
) -> None:
    reply = await _reply_of(script, max_response_bytes=20_000)
    assert (reply.kind, reply.code, reply.http_status) == (ReplyKind.UNCLEAR, code, status)


async def test_a_body_with_a_wrong_encoding_is_not_an_answer() -> None:
    script = answering(201, ALL_CREATED, headers="Content-Encoding: gzip\r\n")
    reply = await _reply_of(script)
    assert reply.kind in (ReplyKind.LOST, ReplyKind.UNCLEAR)
    assert reply.response is None


@pytest.mark.parametrize(
    ("status", "kind", "code"),
    [
        (429, ReplyKind.NOT_SENT, "DOWNSTREAM_THROTTLED"),
        (401, ReplyKind.CONFIGURATION, "DOWNSTREAM_UNAUTHORIZED"),
        (500, ReplyKind.UNCLEAR, "DOWNSTREAM_ERROR_500"),
        (502, ReplyKind.LOST, "DOWNSTREAM_BAD_GATEWAY"),
        (400, ReplyKind.LOST, "DOWNSTREAM_READ_TIMEOUT"),
    ],
)
async def test_a_conclusive_status_needs_no_body(status: int, kind: ReplyKind, code: str) -> None:
    async def script(talk: Conversation) -> None:
        await talk.request()
        head = f"HTTP/1.1 {status} Whatever\r\nRetry-After: 3\r\nContent-Length: 999\r\n\r\n"
        await talk.send(head.encode())
        await talk.hold()

    reply = await _reply_of(script, read_timeout_s=SHORT_S)
    assert (reply.kind, reply.code, reply.http_status) == (kind, code, status)
    assert reply.retry_after_s == (3.0 if status != 400 else None)
