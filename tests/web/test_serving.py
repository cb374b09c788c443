"""The server: answers go out at once; at its shutdown requests finish, and no connection is kept open."""

import asyncio
import contextlib
import socket
import time
from typing import Any

import pytest

from trade_service.http_server import ConnectionSettings, _config, _Server, serve_asgi
from trade_service.http_server.protocol import BoundedProtocol
from trade_service.http_server.sockets import listening_sockets

GRACE_S = 20.0


async def app(scope: Any, receive: Any, send: Any) -> None:
    """Answers every request with a short delay."""
    if scope["type"] == "lifespan":
        await receive()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await send({"type": "lifespan.shutdown.complete"})
        return
    await asyncio.sleep(0.05)
    await send({"type": "http.response.start", "status": 204, "headers": []})
    await send({"type": "http.response.body"})


async def test_a_connection_accepted_while_the_stop_began_is_not_kept_on() -> None:
    """It was accepted, but not yet known when the others were closed."""
    stop, serving = asyncio.Event(), asyncio.Event()
    protocol_class = BoundedProtocol.within(ConnectionSettings(), 65_536, 100)
    server = _Server(_config(app, protocol_class, GRACE_S), protocol_class.places, stop, lambda: None, 0.0)
    server.on_started = serving.set
    task = asyncio.create_task(server.serve(await listening_sockets("127.0.0.1", 0)))
    await serving.wait()
    began = time.monotonic()
    near, far = socket.socketpair()
    reader, writer = await asyncio.open_connection(sock=near)
    slow = asyncio.create_task(answers(reader, writer))
    stop.set()
    while server.servers and server.servers[0].is_serving():
        await asyncio.sleep(0)
    protocol = server.config.http_protocol_class(  # type: ignore[call-arg]  # uvicorn's own call
        config=server.config, server_state=server.server_state, app_state={}
    )
    await asyncio.get_running_loop().connect_accepted_socket(lambda: protocol, sock=far)
    async with asyncio.timeout(GRACE_S / 2):
        await task
        assert 1 <= await slow <= 4, "served, and then closed"
    assert time.monotonic() - began < GRACE_S / 4
    writer.close()


async def test_while_it_stops_each_answer_is_the_last_of_its_connection() -> None:
    """Also of a request that was already being served: a close without notice may meet the next request."""
    stop, stopping = asyncio.Event(), asyncio.Event()
    serving: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    begun, answer = asyncio.Event(), asyncio.Event()

    async def waits(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            begun.set()
            await answer.wait()
        await app(scope, receive, send)

    task = asyncio.create_task(
        serve_asgi(
            waits, "127.0.0.1", 0, stop=stop, ready=serving.set_result, stopping=stopping.set, lull_s=1.0
        )
    )
    async with asyncio.timeout(GRACE_S):
        port = int((await serving).rpartition(":")[2])
        clients = [await asyncio.open_connection("127.0.0.1", port) for _ in range(2)]
        asked = asyncio.create_task(answers(*clients[0]))
        await begun.wait()
        stop.set()
        await stopping.wait()
        answer.set()
        assert await asked == 1, "asked before the stop"
        assert await answers(*clients[1]) == 1, "asked after it"
        await task
    for _, writer in clients:
        writer.close()


async def answers(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> int:
    """Repeats a request until the connection is closed; returns the number of responses."""
    count = 0
    head = b""
    while b"connection: close" not in head.lower():
        writer.write(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        head = await reader.readuntil(b"\r\n\r\n")
        count += 1
    return count


async def test_after_a_cancelled_server_the_next_one_answers() -> None:
    """A listener that stays registered with the loop would silence the next one with the same file number."""
    for _ in range(3):
        serving: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        task = asyncio.create_task(
            serve_asgi(app, "127.0.0.1", 0, stop=asyncio.Event(), ready=serving.set_result)
        )
        async with asyncio.timeout(GRACE_S):
            reader, writer = await asyncio.open_connection(
                "127.0.0.1", int((await serving).rpartition(":")[2])
            )
            writer.write(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            assert await reader.readline() == b"HTTP/1.1 204 No Content\r\n"
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        writer.close()


async def test_a_request_ends_with_its_connection_whatever_waits_behind_it() -> None:
    """uvicorn itself ends only the last request that it read."""
    serving: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    begun, left, stop = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def waits(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            await app(scope, receive, send)
            return
        begun.set()
        while (await receive())["type"] != "http.disconnect":
            pass
        left.set()

    async with asyncio.TaskGroup() as group, asyncio.timeout(GRACE_S):
        group.create_task(serve_asgi(waits, "127.0.0.1", 0, stop=stop, ready=serving.set_result, grace_s=1.0))
        _, writer = await asyncio.open_connection("127.0.0.1", int((await serving).rpartition(":")[2]))
        writer.write(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n" * 3)
        await begun.wait()
        writer.transport.abort()
        await left.wait()
        stop.set()


@pytest.mark.parametrize("cancels", ["the request", "what it waits for", "the server"])
async def test_a_cancelled_request_gets_no_answer(cancels: str, caplog: pytest.LogCaptureFixture) -> None:
    """A 500 would say that the request failed; whether it did is unknown."""
    serving: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    begun: asyncio.Future[asyncio.Task[Any] | None] = asyncio.get_running_loop().create_future()
    awaited: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    async def waits(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            begun.set_result(asyncio.current_task())
            await awaited
        await app(scope, receive, send)

    server = asyncio.create_task(
        serve_asgi(waits, "127.0.0.1", 0, stop=asyncio.Event(), ready=serving.set_result)
    )
    async with asyncio.timeout(GRACE_S):
        reader, writer = await asyncio.open_connection("127.0.0.1", int((await serving).rpartition(":")[2]))
        writer.write(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        request = await begun
        assert request is not None
        {"the request": request, "what it waits for": awaited, "the server": server}[cancels].cancel()
        with contextlib.suppress(ConnectionResetError):
            assert await reader.read() == b""
        server.cancel()
        await asyncio.gather(server, return_exceptions=True)
        left = asyncio.all_tasks() - {asyncio.current_task()}
        if left:
            await asyncio.wait(left)
    writer.close()
    assert "Exception in ASGI application" not in caplog.text


async def test_no_answer_waits_for_an_acknowledgement() -> None:
    """Else one of two segments waits 40 ms for the client's delayed acknowledgement."""
    (listener,) = await listening_sockets("127.0.0.1", 0)
    with listener:
        listener.listen()
        _, writer = await asyncio.open_connection(*listener.getsockname())
        accepted, _ = await asyncio.get_running_loop().sock_accept(listener)
        with accepted:
            assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
        writer.close()
