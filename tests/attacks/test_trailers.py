"""Trailers: counted like a head, and never taken for headers."""

import asyncio

import pytest

from tests.attacks.target import DEADLINE_S, Target, watched

PROBE_HEAD = b"GET /api/v1/health/liveness HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
ORDER_HEAD = b"POST /api/v1/tradeOrders HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
ENDLESS = {
    "trailers": (b"0\r\n", b"X-T: v\r\n" * 8_000),
    "one trailer's name": (b"0\r\n", b"n" * 64_000),
    "one trailer's value": (b"0\r\nX-T: ", b"v" * 64_000),
    "an extension of a chunk": (b"5;", b"e" * 64_000),
    "blank lines": (b"0\r\n\r\n", b"\r\n" * 32_000),
    "zeros of a chunk's size": (b"", b"0" * 64_000),
}
SENT_BYTES = 30_000_000


async def poured(target: Target, start: bytes, piece: bytes) -> tuple[int, bytes]:
    """Sends `piece` again and again; returns how many bytes could be sent, and what was answered."""
    sent = 0
    async with target.connection() as (reader, writer), asyncio.timeout(DEADLINE_S):
        writer.write(start)
        try:
            while sent < SENT_BYTES and not reader.at_eof():
                writer.write(piece)
                await writer.drain()
                sent += len(piece)
        except ConnectionError:
            pass
        try:
            return sent, await reader.read()
        except ConnectionError:
            return sent, b""


@pytest.mark.parametrize("head", [PROBE_HEAD, ORDER_HEAD], ids=["answered at once", "waits for its body"])
@pytest.mark.parametrize("what", ENDLESS)
async def test_what_is_neither_head_nor_body_is_bounded(target: Target, head: bytes, what: str) -> None:
    start, piece = ENDLESS[what]
    async with watched(target, growth_mb=8):
        sent, _ = await poured(target, head + start, piece)
    assert sent < SENT_BYTES


async def test_a_trailer_that_is_too_large_is_answered_like_a_large_head(target: Target) -> None:
    """Only the rest of the read in which the last byte of the body came is not counted: at most 256 KiB."""
    async with target.connection() as (reader, writer), asyncio.timeout(DEADLINE_S):
        writer.write(ORDER_HEAD + b"2\r\n{}\r\n0\r\nX-T: ")
        for _ in range(50):
            writer.write(b"v" * 8_000)
            await writer.drain()
        answer = await reader.read()
    assert answer.startswith(b"HTTP/1.1 431 ")
    assert b'"code":"HEAD_TOO_LARGE"' in answer
    assert b"cache-control: no-store\r\nx-content-type-options: nosniff\r\n" in answer


async def test_a_body_in_the_smallest_chunks_is_served(target: Target) -> None:
    body = b"".join(b"1\r\n%c\r\n" % byte for byte in b'{"orderId":' + b" " * 60_000 + b"}")
    answer = await target.exchange(
        ORDER_HEAD.replace(b"Host: x", b"Host: x\r\nConnection: close") + body + b"0\r\n\r\n"
    )
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert b"HEAD_TOO_LARGE" not in answer


async def test_a_trailer_is_no_header(target: Target) -> None:
    trailer = b"X-Request-ID: from-a-trailer\r\n"
    head = ORDER_HEAD.replace(b"Host: x", b"Host: x\r\nConnection: close")
    assert b"from-a-trailer" not in await target.exchange(head + b"2\r\n{}\r\n0\r\n" + trailer + b"\r\n")
    assert b"from-a-trailer" in await target.exchange(
        head.replace(b"Host: x\r\n", b"Host: x\r\n" + trailer) + b"2\r\n{}\r\n0\r\n\r\n"
    )
