"""Connections to the Execution Service: when they are kept, used again, closed and reset."""

import asyncio
import base64
import contextlib
import errno
import select
import socket
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

import pytest
from structlog.testing import capture_logs

from tests.client.raw_server import (
    ATTEMPT,
    DEADLINE_S,
    FOREVER,
    Conversation,
    RawServer,
    answering,
    batch,
    client,
    raw_server,
    settings,
)
from tests.client.test_client_listing import PAGE
from tests.client.test_reply_interpretation import ALL_CREATED
from trade_service.execution_service import connections, opening
from trade_service.execution_service.client import ExecutionServiceClient
from trade_service.execution_service.connections import CallLimits, Connection, ConnectionPool
from trade_service.execution_service.opening import Peer
from trade_service.execution_service.reply_interpretation import Answer, CallFailed, ClientCode, NothingSent
from trade_service.submission.clock import SystemClock
from trade_service.submission.model import AttemptId, ReplyKind

REQUEST = b"POST / HTTP/1.1\r\nContent-Length: 2\r\n\r\n{}"
LARGE = 16 * 2**20
"""More than the socket buffers of both sides hold."""
SHORT_S = 0.05


@asynccontextmanager
async def pool_of(server: RawServer, **changes: float) -> AsyncIterator[ConnectionPool]:
    """A pool of connections to the server, whose time-outs never expire, unless given."""
    limits = {"connect_s": DEADLINE_S, "read_s": DEADLINE_S, "total_s": DEADLINE_S} | changes
    most = int(limits.pop("max_connections", 2))
    pool = ConnectionPool(
        Peer("127.0.0.1", int(server.base_url.rpartition(":")[2]), None),
        CallLimits(**limits, max_connections=most, max_body_bytes=1_000_000),
    )
    try:
        yield pool
    finally:
        await pool.close()


async def failure_of(call: "asyncio.Future[Answer] | asyncio.Task[Answer]") -> CallFailed:
    with pytest.raises(CallFailed) as failed:
        await asyncio.wait_for(call, DEADLINE_S)
    return failed.value


async def test_a_reset_drops_unsent_bytes_even_of_a_closed_connection() -> None:
    over = asyncio.Event()
    received = 0

    async def deaf_then_greedy(talk: Conversation) -> None:
        nonlocal received
        await over.wait()
        while chunk := await talk.reader.read(2**20):
            received += len(chunk)
        await talk.hold()

    async with raw_server(deaf_then_greedy) as server, pool_of(server) as pool:
        call = asyncio.create_task(pool.call(b"x" * LARGE))
        while not pool._open:
            await asyncio.sleep(0)
        (connection,) = pool._open
        while connection._reader is None:
            await asyncio.sleep(0)
        assert connection._transport is not None
        kept_back = connection._transport.get_write_buffer_size()
        assert kept_back > 0
        connection._transport.close()
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        over.set()
        await asyncio.wait_for(server.ended.wait(), DEADLINE_S)
    assert received <= LARGE - kept_back


async def test_an_answer_to_half_a_request_ends_the_connection() -> None:
    """What is still to be sent must not be taken for another request."""

    async def hasty(talk: Conversation) -> None:
        await talk.reader.readuntil(b"\r\n\r\n")
        await talk.answer(413, b"{}")
        await talk.hold()

    async with raw_server(hasty) as server, pool_of(server) as pool:
        request = b"POST / HTTP/1.1\r\nContent-Length: %d\r\n\r\n" % LARGE + b"x" * LARGE
        assert (await pool.call(request)).status == 413
        await asyncio.wait_for(server.ended.wait(), DEADLINE_S)
        assert server.endings != ["eof"]
        assert not pool._idle


async def test_a_connection_that_the_other_side_closed_is_not_used_again() -> None:
    async def once(talk: Conversation) -> None:
        await talk.request()
        await talk.answer(201, b"{}")

    async with raw_server(once) as server, pool_of(server) as pool:
        for _ in range(3):
            assert (await pool.call(REQUEST)).status == 201
            while pool._open:
                await asyncio.sleep(0)
        assert (server.connections, len(server.requests)) == (3, 3)


@pytest.mark.parametrize("more", [b"", b"HTTP/1.1 201 Created\r\nContent-Length: 2\r\n\r\n{}"])
async def test_what_the_loop_has_not_read_yet_spoils_a_kept_connection(more: bytes) -> None:
    """An end, or bytes that nobody asked for: the request leaves on another connection."""

    async def script(talk: Conversation) -> None:
        await talk.request()
        await talk.answer(201, b"{}")
        if server.connections == 1:
            await go_on.wait()
            talk.writer.write(more)
            talk.writer.write_eof()
        await talk.hold()

    go_on = asyncio.Event()
    async with raw_server(script) as server, pool_of(server) as pool:
        assert (await pool.call(REQUEST)).status == 201
        (kept,) = pool._idle
        assert kept._transport is not None
        kept._transport.pause_reading()
        go_on.set()
        async with asyncio.timeout(DEADLINE_S):
            while not is_readable(kept._sock):
                await asyncio.sleep(0)
        assert (await pool.call(REQUEST)).status == 201
        assert (server.connections, len(server.requests)) == (2, 2)


def is_readable(sock: socket.socket) -> bool:
    return bool(select.select([sock], [], [], 0)[0])


@pytest.mark.parametrize("headers", ["Connection: close\r\n", ""])
async def test_a_last_answer_is_the_last_one(headers: str) -> None:
    """With or without a length, which the end of the connection stands in for."""

    async def last(talk: Conversation) -> None:
        await talk.request()
        if headers:
            await talk.answer(201, ALL_CREATED, headers=headers)
            await talk.hold()
        else:
            await talk.send(b"HTTP/1.1 201 Created\r\n\r\n" + ALL_CREATED)

    async with raw_server(last) as server, client(server.base_url) as gateway:
        for _ in range(2):
            reply = await gateway.submit_batch(batch(), ATTEMPT, FOREVER)
            assert reply.kind is ReplyKind.ANSWERED
        assert server.connections == 2


async def test_idle_connections_are_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "_KEEPALIVE_S", SHORT_S)
    arrived = asyncio.Barrier(2)

    async def both(talk: Conversation) -> None:
        await talk.request()
        await arrived.wait()
        await talk.answer(201, b"{}")
        await talk.hold()

    async with raw_server(both) as server, pool_of(server) as pool:
        await asyncio.gather(pool.call(REQUEST), pool.call(REQUEST))
        assert len(pool._idle) == 2
        async with asyncio.timeout(DEADLINE_S):
            while len(server.endings) < 2:
                await asyncio.sleep(0)
        assert server.endings == ["eof", "eof"]
        assert not pool._open


async def test_a_listing_is_asked_for_again_if_its_kept_connection_was_closed() -> None:
    """As the second request arrives, where no sign of it can have reached the client."""

    async def script(talk: Conversation) -> None:
        await talk.request()
        await talk.answer(200, PAGE)
        if server.connections == 1:
            await talk.request()
        else:
            await talk.hold()

    async with raw_server(script) as server, client(server.base_url) as gateway:
        for _ in range(2):
            assert (await gateway.list_newest(0, 100)).page is not None
        assert (server.connections, len(server.requests)) == (2, 3)


async def test_who_waits_for_a_connection_gets_the_one_that_is_free() -> None:
    async with (
        raw_server(answering(201, b"{}")) as server,
        pool_of(server, max_connections=1) as pool,
    ):
        answers = await asyncio.gather(*(pool.call(REQUEST) for _ in range(20)))
        assert [answer.status for answer in answers] == [201] * 20
        assert (server.connections, len(server.requests)) == (1, 20)


async def test_who_stops_waiting_for_a_connection_leaves_none_behind() -> None:
    go_on = asyncio.Event()

    async def slow(talk: Conversation) -> None:
        while True:
            await talk.request()
            await go_on.wait()
            await talk.answer(201, b"{}")

    async with raw_server(slow) as server, pool_of(server, max_connections=1) as pool:
        first, second, third = (asyncio.create_task(pool.call(REQUEST)) for _ in range(3))
        while not server.requests:
            await asyncio.sleep(0)
        second.cancel()
        go_on.set()
        assert ((await first).status, (await third).status) == (201, 201)
        with pytest.raises(asyncio.CancelledError):
            await second
        assert (await pool.call(REQUEST)).status == 201
        assert server.connections == 1


async def test_a_call_that_is_cancelled_while_connecting_leaves_no_socket() -> None:
    with contextlib.ExitStack() as stack:
        listener = stack.enter_context(socket.socket())
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        server = RawServer(listener.getsockname()[1])
        for _ in range(3):  # A full backlog: further connections are neither accepted nor refused.
            filler = stack.enter_context(socket.socket())
            filler.settimeout(0)
            filler.connect_ex(("127.0.0.1", listener.getsockname()[1]))
        async with pool_of(server, max_connections=1) as pool:
            call = asyncio.create_task(pool.call(REQUEST))
            while not pool._places.locked():
                await asyncio.sleep(0)
            call.cancel()
            with pytest.raises(asyncio.CancelledError):
                await call
            assert not pool._places.locked()


async def test_closing_ends_the_calls_in_progress() -> None:
    async def silent(talk: Conversation) -> None:
        await talk.request()
        await talk.hold()

    async with raw_server(silent) as server, pool_of(server) as pool:
        call = asyncio.create_task(pool.call(REQUEST))
        while not server.requests:
            await asyncio.sleep(0)
        await pool.close()
        failure = await failure_of(call)
        assert failure.code is ClientCode.CONNECTION_LOST
        assert not isinstance(failure, NothingSent)
        await asyncio.wait_for(server.ended.wait(), DEADLINE_S)


async def test_a_call_that_waits_for_a_connection_sends_nothing_once_the_pool_is_closed() -> None:
    async def silent(talk: Conversation) -> None:
        await talk.request()
        await talk.hold()

    async with raw_server(silent) as server, pool_of(server, max_connections=1) as pool:
        calls = [asyncio.create_task(pool.call(REQUEST)) for _ in range(2)]
        while not server.requests:
            await asyncio.sleep(0)
        await pool.close()
        in_progress, waiting = [await failure_of(call) for call in calls]
        assert not isinstance(in_progress, NothingSent)
        assert isinstance(waiting, NothingSent)
        assert waiting.code is ClientCode.NOT_SENT
        assert len(server.requests) == 1
        assert not pool._open


async def test_a_connection_that_the_network_gave_up_is_lost() -> None:
    async def silent(talk: Conversation) -> None:
        await talk.request()
        await talk.hold()

    async with raw_server(silent) as server, pool_of(server) as pool:
        call = asyncio.create_task(pool.call(REQUEST))
        while not server.requests:
            await asyncio.sleep(0)
        (connection,) = pool._open
        connection.connection_lost(TimeoutError(errno.ETIMEDOUT, "10.1.2.3"))
        failure = await failure_of(call)
        assert (failure.code, failure.detail) == (ClientCode.CONNECTION_LOST, "Connection timed out")
        assert not isinstance(failure, NothingSent)
        connection.reset()


@pytest.mark.parametrize(
    ("place", "name", "kind"),
    [(opening, "start_connection", ReplyKind.NOT_SENT), (Connection, "call", ReplyKind.LOST)],
)
async def test_an_unexpected_error_is_logged_with_its_traceback(
    place: object, name: str, kind: ReplyKind, monkeypatch: pytest.MonkeyPatch
) -> None:
    fault = RuntimeError("our own fault")

    async def broken(*_: object, **_options: object) -> Answer:
        raise fault

    monkeypatch.setattr(place, name, broken)
    async with raw_server(answering(201, ALL_CREATED)) as server, client(server.base_url) as gateway:
        with capture_logs() as lines:
            reply = await gateway.submit_batch(batch(), ATTEMPT, FOREVER)
            listing = await gateway.list_newest(0, 100)
    assert reply.kind is kind
    assert reply.code == listing.code == "DOWNSTREAM_CLIENT_FAULT"
    assert [line["exc_info"] for line in lines if line["event"] == "client_fault"] == [fault, fault]


async def test_nothing_is_written_if_the_last_check_says_so() -> None:
    async with raw_server(answering(201, b"{}")) as server, pool_of(server) as pool:
        failure = await failure_of(asyncio.ensure_future(pool.call(REQUEST, lambda: False)))
        assert isinstance(failure, NothingSent)
        assert failure.code is ClientCode.LEASE_PASSED
        assert (await pool.call(REQUEST, lambda: True)).status == 201
        assert (server.connections, len(server.requests)) == (1, 1)


async def test_the_head_names_host_length_and_attempt() -> None:
    async with raw_server(answering(201, ALL_CREATED)) as server:
        port = server.base_url.rpartition(":")[2]
        async with client(f"http://us%C3%A9r:p%40ss@127.0.0.1:{port}/pre%20fix/") as gateway:
            await gateway.submit_batch(batch(), ATTEMPT, FOREVER)
        ((head, body),) = server.requests
    lines = head.decode("latin-1").split("\r\n")
    assert lines[0] == "POST /pre%20fix/api/v1/executions/batch HTTP/1.1"
    headers = dict(line.split(": ", 1) for line in lines[1:] if line)
    assert headers["Host"] == f"127.0.0.1:{port}"
    assert headers["Content-Length"] == str(len(body))
    assert headers["Content-Type"] == "application/json"
    assert headers["Idempotency-Key"] == headers["X-Request-ID"] == ATTEMPT
    assert base64.b64decode(headers["Authorization"].removeprefix("Basic ")).decode() == "usér:p@ss"


@pytest.mark.skipif(not socket.has_ipv6, reason="the platform has no IPv6")
async def test_an_address_of_version_6_is_called() -> None:
    seen: list[bytes] = []

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        seen.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(PAGE) + PAGE)
        await reader.read()
        writer.close()

    try:
        server = await asyncio.start_server(talk, "::1", 0)
    except OSError:
        pytest.skip("this machine has no address of version 6")
    async with server:
        port = server.sockets[0].getsockname()[1]
        async with client(f"http://[::1]:{port}") as gateway:
            assert (await gateway.list_newest(0, 100)).page is not None
    assert f"\r\nHost: [::1]:{port}\r\n".encode() in seen[0]


@pytest.mark.parametrize("headers", [{"A": "b\r\nC: d"}, {"A\n": "b"}, {"": "b"}, {"A": "\N{SNOWMAN}"}])
async def test_a_header_that_breaks_out_of_its_line_is_not_sent(headers: Mapping[str, str]) -> None:
    def headers_of(_attempt: AttemptId) -> Mapping[str, str]:
        return headers

    async with raw_server(answering(201, ALL_CREATED)) as server:
        async with ExecutionServiceClient(settings(server.base_url), SystemClock(), headers_of) as gateway:
            reply = await gateway.submit_batch(batch(), ATTEMPT, FOREVER)
        assert (reply.kind, reply.code) == (ReplyKind.LOST, "DOWNSTREAM_CLIENT_FAULT")
        assert not server.requests
