"""AnswerReader: the same answer however its bytes are cut, and never more than the bounds."""

import gzip
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trade_service.execution_service.connections import AnswerReader
from trade_service.execution_service.reply_interpretation import Answer, CallFailed, ClientCode

BODY = b'{"status":"SUCCESS"}'
LIMIT = 1_000
CREATED = b"HTTP/1.1 201 Created\r\nContent-Type: application/json\r\n"
CHUNKED = CREATED + b"Transfer-Encoding: chunked\r\n\r\n"
OF_LENGTH = CREATED + b"Content-Length: 20\r\n\r\n" + BODY
WHOLE = {
    "a length": (OF_LENGTH, True),
    "chunks": (CHUNKED + b"8\r\n" + BODY[:8] + b"\r\nc;x=y\r\n" + BODY[8:] + b"\r\n0\r\n\r\n", True),
    "trailers": (CHUNKED + b"14\r\n" + BODY + b"\r\n0\r\nRetry-After: 9\r\n\r\n", True),
    "interim answers": (
        b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early\r\nRetry-After: 9\r\n\r\n" + OF_LENGTH,
        True,
    ),
    "a last connection": (OF_LENGTH.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"), False),
    "HTTP/1.0": (OF_LENGTH.replace(b"1.1", b"1.0"), False),
    "no reason": (OF_LENGTH.replace(b" Created", b""), True),
    "bare line feeds": (OF_LENGTH.replace(b"\r\n", b"\n"), True),
    "a blank after a size": (CHUNKED + b"14 \r\n" + BODY + b"\r\n0\r\n\r\n", True),
    "odd headers": (OF_LENGTH.replace(b"Content-Type", b"X-Odd: \xff\x01\r\nContent-Type"), True),
}


def read(*pieces: bytes, limit: int = LIMIT) -> AnswerReader:
    reader = AnswerReader(limit)
    for piece in pieces:
        reader.feed(piece)
    return reader


def answer_of(data: bytes) -> Answer | None:
    """The answer of a connection that ends after these bytes."""
    reader = read(data)
    reader.end()
    return reader.answer


def fed_until_refused(start: bytes, piece: bytes, size: int) -> tuple[ClientCode | None, int]:
    """Feeds `size` bytes after `start`; returns the code of the refusal, if any, and the bytes until then."""
    reader, fed = read(start), 0
    while fed < size:
        try:
            reader.feed(piece[: size - fed])
        except CallFailed as failure:
            return failure.code, fed + len(piece)
        fed += len(piece[: size - fed])
    return None, fed


def cut(data: bytes, places: list[int]) -> list[bytes]:
    ends = sorted({place % (len(data) + 1) for place in places} | {len(data)})
    return [data[start:end] for start, end in zip([0, *ends], ends, strict=False)]


@pytest.mark.parametrize("name", WHOLE)
@given(places=st.lists(st.integers(0, 500)))
def test_an_answer_is_the_same_however_it_is_cut(name: str, places: list[int]) -> None:
    data, keeps_alive = WHOLE[name]
    reader = read(*cut(data, places))
    assert reader.keeps_alive is keeps_alive
    assert reader.answer == Answer(201, BODY, None, {"Content-Type": "application/json"})


@given(st.integers(0, len(OF_LENGTH) - 1))
def test_an_answer_that_ends_early_is_not_complete(end: int) -> None:
    assert answer_of(OF_LENGTH[:end]) is None


def test_without_a_length_the_end_of_the_connection_ends_the_answer() -> None:
    endless = CREATED + b"\r\n" + BODY
    assert read(endless).answer is None
    assert answer_of(endless) == Answer(201, BODY, None, {"Content-Type": "application/json"})
    assert answer_of(CREATED) is None, "without a whole head there is no answer"
    assert answer_of(CHUNKED + b"14\r\n" + BODY) is None, "the last chunk is missing"


@pytest.mark.parametrize("status", [204, 304])
def test_some_statuses_have_no_body(status: int) -> None:
    reader = read(b"HTTP/1.1 %d X\r\n\r\n" % status)
    assert reader.answer == Answer(status, b"")
    assert reader.keeps_alive


def test_a_switched_protocol_is_an_answer_and_the_last_one() -> None:
    for headers in (b"", b"Connection: upgrade\r\nUpgrade: chat\r\n"):
        reader = read(b"HTTP/1.1 101 Switching\r\n" + headers + b"\r\n")
        assert reader.answer == Answer(101, b"")
        assert not reader.keeps_alive


@pytest.mark.parametrize("more", [OF_LENGTH, b"x", b"HTTP/1.1 100 Continue\r\n\r\n"])
def test_bytes_after_the_answer_are_not_taken_for_another(more: bytes) -> None:
    with pytest.raises(CallFailed, match="more bytes than") as together:
        read(OF_LENGTH + more)
    assert together.value.code is ClientCode.UNREADABLE
    reader = read(OF_LENGTH)
    with pytest.raises(CallFailed):
        reader.feed(more)
    assert not reader.keeps_alive


@pytest.mark.parametrize(
    "data",
    [
        b"SSH-2.0-OpenSSH_9.9\r\n\r\n",
        CREATED + b"Content-Length: 20\r\nContent-Length: 21\r\n\r\n",
        CREATED + b"Content-Length: 20\r\nTransfer-Encoding: chunked\r\n\r\n",
        CREATED + b"Content-Length: -1\r\n\r\n",
        CHUNKED + b"xyz\r\n",
    ],
)
def test_what_is_not_http_is_refused(data: bytes) -> None:
    with pytest.raises(CallFailed) as refused:
        read(data)
    assert refused.value.code is ClientCode.UNREADABLE


@pytest.mark.parametrize(
    ("coding", "body"),
    [
        ("gzip", gzip.compress(BODY, mtime=0)),
        ("GZIP ", gzip.compress(BODY, mtime=0)),
        ("x-gzip", gzip.compress(BODY, mtime=0)),
        ("deflate", zlib.compress(BODY)),
        ("deflate", zlib.compress(BODY, wbits=-zlib.MAX_WBITS)),
        ("identity", BODY),
    ],
)
def test_a_coding_that_nobody_asked_for_is_undone(coding: str, body: bytes) -> None:
    head = b"HTTP/1.1 201 X\r\nContent-Encoding: %s\r\nContent-Length: %d\r\n\r\n"
    answer = answer_of(head % (coding.encode(), len(body)) + body)
    assert answer is not None
    assert answer.body == BODY


@pytest.mark.parametrize(
    ("coding", "body", "code"),
    [
        ("br", BODY, ClientCode.UNREADABLE),
        ("gzip", BODY, ClientCode.UNREADABLE),
        ("gzip", gzip.compress(BODY, mtime=0)[:-9], ClientCode.TRUNCATED),
        ("gzip", gzip.compress(b" " * 100 * LIMIT, mtime=0), ClientCode.BODY_TOO_LARGE),
    ],
)
def test_a_coding_that_cannot_be_undone_leaves_the_status(coding: str, body: bytes, code: ClientCode) -> None:
    head = b"HTTP/1.1 429 X\r\nRetry-After: 7\r\nContent-Encoding: %s\r\nContent-Length: %d\r\n\r\n"
    answer = answer_of(head % (coding.encode(), len(body)) + body)
    assert answer is not None
    assert (answer.status, answer.body, answer.headers["Retry-After"]) == (429, None, "7")
    assert answer.read_error is not None
    assert answer.read_error.code is code


@given(st.integers(1, 3 * LIMIT), st.integers(1, 400))
def test_a_body_is_bounded_whatever_it_announces(size: int, piece: int) -> None:
    for head in (b"Content-Length: %d\r\n\r\n" % size, b"\r\n"):
        code, fed = fed_until_refused(CREATED + head, b"x" * piece, size)
        assert (code is ClientCode.BODY_TOO_LARGE) == (fed > LIMIT)


@pytest.mark.parametrize(
    ("start", "piece"),
    [
        (b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
        (b"HTTP/1.1 200 OK\r\n", b"X-A: b\r\n"),
        (b"HTTP/1.1 200 OK\r\nX-A: ", b"v" * 1_000),
        (b"", b"\r\n"),
        (CHUNKED + b"1\r\n{\r\n0\r\n", b"X-A: b\r\n"),
        (CHUNKED + b"1\r\n{\r\n0\r\nX-A: ", b"v" * 1_000),
        (CHUNKED, b"0" * 100),
    ],
)
@pytest.mark.parametrize("at_once", [1, 1_000])
def test_what_is_no_body_is_bounded(start: bytes, piece: bytes, at_once: int) -> None:
    code, fed = fed_until_refused(start, piece * at_once, 2_000_000)
    assert code is ClientCode.UNREADABLE
    assert fed <= 70_000 + len(piece) * at_once
