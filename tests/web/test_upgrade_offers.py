"""An offer to upgrade is ignored and the request is served (RFC 9110, 7.8)."""

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from trade_service.http_server import serve_asgi

DEADLINE_S = 10.0
OFFER = (
    b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n"
    b"HTTP2-Settings: AAEAAEAAAAIAAAAAAAMAAAAAAAQBAAAAAAUAAEAAAAYABgAA\r\n"
)
Address = tuple[str, int]


class Sent(msgspec.Struct, frozen=True):
    """A request and the framing of its body."""

    body: bytes
    framing: str
    """none, length or chunked."""
    offer: bytes = OFFER
    chunk: int = 5
    trailers: bytes = b""

    @property
    def raw(self) -> bytes:
        method = b"GET" if self.framing == "none" else b"PUT"
        head = method + b" /%s HTTP/1.1\r\nHost: x\r\n" % self.framing.encode() + self.offer
        if self.framing == "none":
            return head + b"\r\n"
        if self.framing == "length":
            return head + b"Content-Length: %d\r\n\r\n" % len(self.body) + self.body
        starts = range(0, len(self.body), self.chunk)
        parts = [self.body[start : start + self.chunk] for start in starts]
        chunks = b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in parts)
        return head + b"Transfer-encoding: chunked\r\n\r\n" + chunks + b"0\r\n" + self.trailers + b"\r\n"

    @property
    def answer(self) -> dict[str, Any]:
        """What `echo` answers to it."""
        said = "" if self.framing == "none" else self.body.decode("latin-1")
        return {"path": f"/{self.framing}", "body": said, "key": None}


async def echo(scope: Any, receive: Any, send: Any) -> None:
    """Answers with the path, the body and the header X-Api-Key, after reading the body."""
    if scope["type"] == "lifespan":
        await receive()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await send({"type": "lifespan.shutdown.complete"})
        return
    body, more = b"", True
    while more:
        message = await receive()
        assert message["type"] == "http.request"
        body, more = body + message.get("body", b""), message.get("more_body", False)
    key = dict(scope["headers"]).get(b"x-api-key")
    seen = {"path": scope["path"], "body": body.decode("latin-1"), "key": key and key.decode()}
    answer = json.dumps(seen).encode()
    length = (b"content-length", str(len(answer)).encode())
    await send({"type": "http.response.start", "status": 200, "headers": [length]})
    await send({"type": "http.response.body", "body": answer})


@pytest.fixture(scope="module")
async def address() -> AsyncIterator[Address]:
    stop = asyncio.Event()
    url: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    async with asyncio.TaskGroup() as group:
        group.create_task(serve_asgi(echo, "127.0.0.1", 0, stop=stop, ready=url.set_result, grace_s=1.0))
        host, _, port = (await url).removeprefix("http://").rpartition(":")
        yield host, int(port)
        stop.set()


@asynccontextmanager
async def connection(address: Address) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    async with asyncio.timeout(DEADLINE_S):
        reader, writer = await asyncio.open_connection(*address)
        try:
            yield reader, writer
        finally:
            writer.close()


async def answer_on(reader: asyncio.StreamReader) -> tuple[int, Any]:
    """The status and the JSON of the next answer."""
    head = (await reader.readuntil(b"\r\n\r\n")).lower()
    length = int(head.partition(b"content-length: ")[2].partition(b"\r\n")[0])
    return int(head.split()[1]), json.loads(await reader.readexactly(length))


async def answers(address: Address, pieces: Sequence[bytes], count: int) -> list[Any]:
    """Sends the pieces separately and reads `count` answers."""
    async with connection(address) as (reader, writer):
        for piece in pieces:
            writer.write(piece)
            await asyncio.sleep(0)
        return [await answer_on(reader) for _ in range(count)]


REQUESTS = st.builds(
    Sent,
    st.binary(max_size=60),
    st.sampled_from(["none", "length", "chunked"]),
    st.sampled_from([b"", OFFER, OFFER.replace(b"h2c", b"websocket"), b"Upgrade: h2c\r\n"]),
    st.integers(1, 70),
    st.sampled_from([b"", b"X-Api-Key: stolen\r\n"]),
)


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], database=None
)
@given(st.lists(REQUESTS, min_size=1, max_size=5), st.data())
async def test_every_request_of_a_connection_is_served_whole(
    address: Address, requests: list[Sent], data: st.DataObject
) -> None:
    raw = b"".join(one.raw for one in requests)
    cuts = sorted(data.draw(st.sets(st.integers(1, len(raw) - 1), max_size=12)))
    pieces = [raw[start:end] for start, end in zip([0, *cuts], [*cuts, len(raw)], strict=True)]
    assert await answers(address, pieces, len(requests)) == [(200, one.answer) for one in requests]


@pytest.mark.parametrize("framing", ["none", "length", "chunked"])
async def test_a_request_may_arrive_byte_by_byte(address: Address, framing: str) -> None:
    request = Sent(b'{"version":3}', framing)
    pieces = [request.raw[i : i + 1] for i in range(len(request.raw))]
    assert await answers(address, [*pieces, request.raw], 2) == [(200, request.answer)] * 2


@pytest.mark.parametrize("framing", ["length", "chunked"])
async def test_a_body_may_come_after_the_request_was_taken_up(address: Address, framing: str) -> None:
    """With `Expect: 100-continue` the server asks for the body."""
    request = Sent(b"late", framing, OFFER + b"Expect: 100-continue\r\n")
    head, end, body = request.raw.partition(b"\r\n\r\n")
    async with connection(address) as (reader, writer):
        writer.write(head + end)
        assert await reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
        writer.write(body)
        assert await answer_on(reader) == (200, request.answer)


@pytest.mark.parametrize(
    "framing",
    [
        b"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n",
        b"Content-Length: 3\r\nContent-Length: 4\r\n",
        b"Transfer-Encoding: chunked, identity\r\n",
        b"Content-Length: 3x\r\n",
    ],
)
@pytest.mark.parametrize("offer", [b"", OFFER])
async def test_a_body_whose_end_is_in_doubt_is_refused(
    address: Address, framing: bytes, offer: bytes
) -> None:
    raw = b"PUT / HTTP/1.1\r\nHost: x\r\n" + offer + framing + b"\r\n0\r\n\r\n"
    [(status, problem)] = await answers(address, [raw], 1)
    assert (status, problem["code"]) == (400, "BAD_REQUEST")


async def test_a_body_that_breaks_its_framing_ends_the_connection(address: Address) -> None:
    head, end, _ = Sent(b"", "chunked").raw.partition(b"\r\n\r\n")
    async with connection(address) as (reader, writer):
        writer.write(head + end + b"ZZ\r\n")
        status, problem = await answer_on(reader)
        assert (status, problem["code"]) == (400, "BAD_REQUEST")
        assert await reader.read() == b""


async def test_a_head_that_offers_to_upgrade_is_bounded_like_any_other(address: Address) -> None:
    [(status, problem)] = await answers(
        address, [Sent(b"", "none", OFFER + b"X: " + b"x" * 70_000 + b"\r\n").raw], 1
    )
    assert (status, problem["code"]) == (431, "HEAD_TOO_LARGE")


async def test_http_2_without_an_offer_is_refused(address: Address) -> None:
    [(status, problem)] = await answers(address, [b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"], 1)
    assert (status, problem["code"]) == (400, "BAD_REQUEST")
