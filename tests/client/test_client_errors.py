"""The map from aiohttp's errors to what they prove is total and conservative."""

import asyncio
import errno
import socket
import ssl
from collections.abc import Iterator
from typing import Any, cast

import aiohttp
import aiohttp.http_exceptions as http_errors
import pytest
from aiohttp.client_reqrep import ConnectionKey
from multidict import CIMultiDict, CIMultiDictProxy
from yarl import URL

from trade_service.domain.errors import InvalidInput
from trade_service.execution_service.client import ExecutionServiceClient
from trade_service.execution_service.reply_interpretation import (
    FAILURES,
    AnsweredUnasked,
    BodyTooLarge,
    ClientCode,
    classify,
    without_address,
)
from trade_service.submission.clock import SystemClock
from trade_service.submission.engine_settings import ExecutionServiceSettings
from trade_service.submission.model import ReplyKind


def _family(base: type[Exception]) -> Iterator[type[Exception]]:
    yield base
    for child in base.__subclasses__():
        if child.__module__.startswith("aiohttp"):
            yield from _family(child)


CLIENT_ERRORS = sorted(set(_family(aiohttp.ClientError)), key=lambda kind: kind.__name__)
HTTP_ERRORS = sorted(set(_family(http_errors.HttpProcessingError)), key=lambda kind: kind.__name__)
OTHERS: list[type[Exception]] = [
    TimeoutError, asyncio.TimeoutError, OSError, ConnectionResetError, BrokenPipeError, ssl.SSLError,
    ssl.SSLCertVerificationError, ValueError, UnicodeError, BodyTooLarge, AnsweredUnasked,
    RuntimeError, AssertionError,
]  # fmt: skip


def test_aiohttp_still_has_the_known_errors() -> None:
    assert len(CLIENT_ERRORS) > 25


@pytest.mark.parametrize("kind", CLIENT_ERRORS)
def test_every_error_of_aiohttp_is_mapped(kind: type[Exception]) -> None:
    assert kind in FAILURES, (
        f"aiohttp can raise {kind.__name__}: say in reply_interpretation.FAILURES what it proves"
    )


@pytest.mark.parametrize("kind", CLIENT_ERRORS + HTTP_ERRORS + OTHERS)
def test_what_an_error_proves_depends_on_whether_bytes_left(kind: type[Exception]) -> None:
    error = kind.__new__(kind)
    before, _ = classify(error, may_have_left=False)
    assert before in (ReplyKind.NOT_SENT, ReplyKind.CONFIGURATION)
    after, _ = classify(error, may_have_left=True)
    assert after in (ReplyKind.LOST, ReplyKind.UNCLEAR) or issubclass(
        kind, aiohttp.TooManyRedirects | aiohttp.RedirectClientError
    )


@pytest.mark.parametrize(
    ("number", "code"),
    [
        (errno.ECONNREFUSED, ClientCode.REFUSED_CONNECTION),
        (errno.ETIMEDOUT, ClientCode.CONNECT_TIMEOUT),
        (errno.EHOSTUNREACH, ClientCode.UNREACHABLE),
        (None, ClientCode.UNREACHABLE),
    ],
)
def test_failed_connections_are_classified_by_errno(number: int | None, code: ClientCode) -> None:
    cause = OSError(number, "why") if number is not None else OSError("why")
    error = aiohttp.ClientConnectorError(cast(Any, None), cause)
    assert classify(error, may_have_left=False) == (ReplyKind.NOT_SENT, code)


KEY = ConnectionKey(
    "10.1.2.3", 8084, is_ssl=True, ssl=True, proxy=None, proxy_auth=None, proxy_headers_hash=None
)
ASKED = aiohttp.RequestInfo(URL("http://10.1.2.3:8084/x"), "POST", CIMultiDictProxy(CIMultiDict()))
QUOTING: list[Exception] = [
    aiohttp.ClientConnectorError(KEY, OSError(errno.ECONNREFUSED, "Connect call failed ('10.1.2.3', 8084)")),
    aiohttp.ClientConnectorError(KEY, OSError("Multiple exceptions: ('10.1.2.3', 8084)")),
    aiohttp.ClientConnectorDNSError(KEY, socket.gaierror(socket.EAI_NONAME, "Name or service not known")),
    aiohttp.ClientConnectorSSLError(KEY, ssl.SSLError(1, "[SSL] wrong version number")),
    aiohttp.ClientConnectorCertificateError(KEY, ssl.SSLCertVerificationError("not for 10.1.2.3")),
    aiohttp.ClientResponseError(ASKED, (), status=400, message="Bad status line"),
    aiohttp.ConnectionTimeoutError("Connection timeout to host http://10.1.2.3:8084/x"),
    aiohttp.ServerFingerprintMismatch(b"a", b"b", "10.1.2.3", 8084),
    aiohttp.InvalidURL("http://10.1.2.3:8084/x"),
    aiohttp.ClientOSError(errno.ECONNRESET, "reset by 10.1.2.3"),
    OSError(errno.EHOSTUNREACH, "Connect call failed ('10.1.2.3', 8084)"),
    ValueError("http://10.1.2.3:8084/x"),
    RuntimeError("10.1.2.3 again"),
]


@pytest.mark.parametrize("error", QUOTING, ids=lambda error: type(error).__name__)
def test_callers_do_not_read_the_address(error: Exception) -> None:
    shown = without_address(error)
    assert shown
    assert "10.1.2.3" not in shown
    assert "8084" not in shown


def test_a_kernel_time_out_after_sending_is_lost() -> None:
    error = aiohttp.ClientOSError(errno.ETIMEDOUT, "Connection timed out")
    assert classify(error, may_have_left=True) == (ReplyKind.LOST, ClientCode.CONNECTION_LOST)


def test_every_code_is_unique_and_explained() -> None:
    assert len({code.value for code in ClientCode}) == len(ClientCode)
    for code in ClientCode:
        assert code.value == str(code)
        assert code.value.replace("_", "").isalnum()
        assert code.meaning.endswith(".")
        assert "\n" not in code.meaning


@pytest.mark.parametrize(
    "address", ["", "localhost:8084", "ftp://host/", "http://", "http://host:99999", "//host", "http://[::1"]
)
def test_an_invalid_address_is_refused_immediately(address: str) -> None:
    with pytest.raises(InvalidInput, match="http or https address"):
        ExecutionServiceClient(ExecutionServiceSettings(base_url=address), SystemClock())
