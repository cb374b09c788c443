"""What a failed call proves is total and conservative, and says nothing of the address."""

import errno
import socket
import ssl

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trade_service.domain.errors import InvalidInput
from trade_service.execution_service.client import ExecutionServiceClient
from trade_service.execution_service.opening import not_connected
from trade_service.execution_service.reply_interpretation import CallFailed, ClientCode, NothingSent, kind_of
from trade_service.submission.clock import SystemClock
from trade_service.submission.engine_settings import ExecutionServiceSettings
from trade_service.submission.model import ReplyKind


@pytest.mark.parametrize("code", ClientCode)
def test_what_a_failure_proves_depends_on_whether_bytes_left(code: ClientCode) -> None:
    assert kind_of(NothingSent(code)) in (ReplyKind.NOT_SENT, ReplyKind.CONFIGURATION)
    assert kind_of(CallFailed(code)) in (ReplyKind.LOST, ReplyKind.UNCLEAR)


REFUSED = OSError(errno.ECONNREFUSED, "Connect call failed ('10.1.2.3', 8084)")
MISMATCH = ssl.SSLCertVerificationError(1, "certificate verify failed")
MISMATCH.verify_message = "IP address mismatch, certificate is not valid for '10.1.2.3'."


@pytest.mark.parametrize(
    ("error", "code", "detail"),
    [
        (REFUSED, ClientCode.REFUSED_CONNECTION, "Connection refused"),
        (OSError(errno.ETIMEDOUT, "10.1.2.3"), ClientCode.CONNECT_TIMEOUT, "Connection timed out"),
        (OSError(errno.EHOSTUNREACH, "10.1.2.3:8084"), ClientCode.UNREACHABLE, "No route to host"),
        (OSError("Multiple exceptions: ('10.1.2.3', 8084)"), ClientCode.UNREACHABLE, "OSError"),
        (socket.gaierror(socket.EAI_NONAME, "unknown"), ClientCode.NAME_NOT_RESOLVED, "unknown"),
        (UnicodeError("10.1.2.3 is too long"), ClientCode.BAD_ADDRESS, ""),
        (ssl.SSLError(1, "[SSL] 10.1.2.3"), ClientCode.TLS, "SSLError"),
        (MISMATCH, ClientCode.TLS, "IP address mismatch"),
        (RuntimeError("10.1.2.3 again"), ClientCode.CLIENT_FAULT, "RuntimeError"),
    ],
)
def test_a_failed_connection_has_a_code_and_does_not_quote_the_address(
    error: Exception, code: ClientCode, detail: str
) -> None:
    failure = not_connected(error)
    assert (failure.code, failure.detail) == (code, detail)


@given(st.integers(1, 200))
def test_every_error_number_of_a_connection_has_a_code(number: int) -> None:
    failure = not_connected(OSError(number, "10.1.2.3"))
    assert kind_of(failure) is ReplyKind.NOT_SENT
    assert "10.1.2.3" not in failure.detail


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
