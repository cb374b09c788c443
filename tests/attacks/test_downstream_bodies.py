"""Bodies from downstream as large as a client reads: none blocks the loop or ends in an error of ours."""

import pytest

from tests.attacks.test_downstream_floods import unblocked_loop
from tests.client.raw_server import FOREVER, answering, batch, client, raw_server
from trade_service.submission.model import ReplyKind

ROW = b'{"id":%d,"tradeServiceExecutionId":%d,"securityId":"A","tradeType":"BUY","quantity":1.5,"limitPrice":2.5}'
LIMIT_BYTES = 8_000_000


def rows() -> bytes:
    return b",".join(ROW % (n, n) for n in range(70_000, 0, -1))


def filled(start: bytes, piece: bytes, end: bytes) -> bytes:
    """JSON as large as the client reads."""
    return start + piece * ((LIMIT_BYTES - len(start) - len(end)) // len(piece)) + end


BODIES = {
    "rows": lambda: b'{"content":[' + rows() + b'],"pagination":{"hasNext":false}}',
    "rows, one of them odd": lambda: b'{"content":[{"id":"x"},' + rows() + b"]}",
    "empty rows": lambda: filled(b'{"content":[', b"{},", b"{}]}"),
    "results": lambda: filled(b'{"results":[', b"{},", b"{}]}"),
    "results with an odd status": lambda: filled(b'{"status":3,"results":[', b"{},", b"{}]}"),
    "unknown members": lambda: filled(b'{"status":3,"x":[', b"1.5,", b"1]}"),
    "a long message": lambda: filled(
        b'{"status":3,"results":[{"requestIndex":0,"message":"', b"is ", b'"}]}'
    ),
    "many digits": lambda: filled(b'{"content":[{"id":1,"quantity":', b"9", b"}]}"),
    "many decimals": lambda: filled(b'{"content":[{"id":1,"quantity":0.', b"9", b"}]}"),
    "deep": lambda: filled(b'{"content":[{"quantity":[', b"[", b"]}]}"),
    "deep objects": lambda: filled(b'{"status":', b'{"a":', b"}"),
    "blanks": lambda: filled(b'{"content":[', b" ", b"]}"),
    "no JSON": lambda: filled(b"", b"<p>", b""),
}
"""Made when they are needed: together they have 100 MB."""


@pytest.mark.parametrize("what", BODIES)
async def test_no_body_blocks_the_loop(what: str) -> None:
    body = BODIES[what]()
    assert len(body) <= LIMIT_BYTES
    for status in (200, 201, 207, 400, 500):
        async with (
            raw_server(answering(status, body)) as server,
            client(server.base_url, refusal_messages=("Price of * is * too * high",)) as gateway,
        ):
            async with unblocked_loop():
                reply = await gateway.submit_batch(batch(), "01890000-0000-7000-8000-000000000001", FOREVER)
                listing = await gateway.list_newest(0, 100)
                found = await gateway.find(7)
        assert reply.kind in (ReplyKind.ANSWERED, ReplyKind.UNCLEAR, ReplyKind.REFUSED_WHOLE)
        assert reply.code != "DOWNSTREAM_CLIENT_FAULT"
        for one in (listing, found):
            assert one.code != "DOWNSTREAM_CLIENT_FAULT"
            assert len(one.message) < 1_000
        assert len(reply.message) < 1_000
