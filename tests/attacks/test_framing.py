"""Heads that leave in doubt what is asked: refused, and the connection closed."""

import pytest

from tests.attacks.target import Target

PATH = b"/api/v1/health/liveness"
POST = b"POST /api/v1/tradeOrders HTTP/1.1\r\nHost: x\r\n"
DOUBTFUL = {
    "no Host": (b"GET %s HTTP/1.1\r\n\r\n" % PATH, b"400"),
    "two Hosts": (b"GET %s HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n" % PATH, b"400"),
    "two Hosts in HTTP/1.0": (b"GET %s HTTP/1.0\r\nHost: x\r\nHost: y\r\n\r\n" % PATH, b"400"),
    "HTTP/0.9": (b"GET %s\r\n\r\n" % PATH, b"400"),
    "gzip, chunked": (POST + b"Transfer-Encoding: gzip, chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n", b"501"),
    "chunked twice": (POST + b"Transfer-Encoding: chunked\r\n" * 2 + b"\r\n2\r\n{}\r\n0\r\n\r\n", b"400"),
    "chunked in HTTP/1.0": (
        b"POST /api/v1/tradeOrders HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
        b"400",
    ),
    "length and chunked": (POST + b"Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n{}", b"400"),
    "two lengths": (POST + b"Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}", b"400"),
    "a signed length": (POST + b"Content-Length: +2\r\n\r\n{}", b"400"),
    "a bad chunk": (POST + b"Transfer-Encoding: chunked\r\n\r\nZZ\r\n", b"400"),
    "a blank before the colon": (b"GET %s HTTP/1.1\r\nHost : x\r\n\r\n" % PATH, b"400"),
    "a large head": (b"GET %s HTTP/1.1\r\nHost: x\r\nX: %s\r\n\r\n" % (PATH, b"y" * 70_000), b"431"),
    "TLS": (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", b"400"),
}


@pytest.mark.parametrize("what", DOUBTFUL)
async def test_a_doubtful_head_is_refused_and_the_connection_closed(target: Target, what: str) -> None:
    raw, status = DOUBTFUL[what]
    answer = await target.exchange(raw)
    assert answer.startswith(b"HTTP/1.1 %s " % status)
    assert b"connection: close" in answer.lower()
    assert answer.count(b"HTTP/1.1 ") == 1


async def test_http_1_0_without_a_host_is_served(target: Target) -> None:
    assert (await target.exchange(b"GET %s HTTP/1.0\r\n\r\n" % PATH)).startswith(b"HTTP/1.1 200 ")
