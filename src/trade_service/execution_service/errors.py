"""Every code of the Execution Service's client, and the total map from aiohttp's errors to what they prove.

Two things decide: what went wrong, and whether a byte of the request may have left. The second is known
exactly (`body.GuardedBody`), so an error that is ambiguous in itself is not when nothing has left.
"""

import errno
import ssl
from collections.abc import Mapping
from enum import StrEnum

import aiohttp
import aiohttp.client_exceptions as client_errors
import aiohttp.http_exceptions as http_errors
import msgspec

from trade_service.submission.model import ReplyKind


class ClientCode(StrEnum):
    """A stable error code; `meaning` is its line."""

    meaning: str

    def __new__(cls, code: str, meaning: str) -> "ClientCode":
        self = str.__new__(cls, code)
        self._value_ = code
        self.meaning = meaning
        return self

    OK = "OK", "The Execution Service answered and its answer could be read."
    ITEMS_REFUSED = (
        "DOWNSTREAM_ITEMS_REFUSED",
        "A 400 or 422 with one result for each item: read item by item.",
    )
    LEASE_PASSED = (
        "LEASE_PASSED",
        "The time in which the request might be sent was over before its first byte: nothing was sent.",
    )
    INVALID_REQUEST = (
        "INVALID_REQUEST",
        "The request breaks a rule of the Execution Service's contract and was not sent.",
    )
    BAD_ADDRESS = "DOWNSTREAM_BAD_ADDRESS", "The Execution Service's address cannot be used: correct it."
    NAME_NOT_RESOLVED = (
        "DOWNSTREAM_NAME_NOT_RESOLVED",
        "The Execution Service's host name could not be resolved.",
    )
    REFUSED_CONNECTION = (
        "DOWNSTREAM_REFUSED_CONNECTION",
        "Nothing listens at the Execution Service's address.",
    )
    UNREACHABLE = "DOWNSTREAM_UNREACHABLE", "No connection to the Execution Service could be made."
    TLS = "DOWNSTREAM_TLS", "The TLS handshake or the certificate check failed."
    CONNECT_TIMEOUT = "DOWNSTREAM_CONNECT_TIMEOUT", "No connection within the connect time-out."
    POOL_EXHAUSTED = (
        "DOWNSTREAM_POOL_EXHAUSTED",
        "All connections were busy for the whole connect time-out: raise max_connections.",
    )
    NOT_SENT = (
        "DOWNSTREAM_NOT_SENT",
        "The connection closed before a byte of the request left.",
    )
    THROTTLED = "DOWNSTREAM_THROTTLED", "429: the Execution Service asks to be called less often."
    UNAUTHORIZED = "DOWNSTREAM_UNAUTHORIZED", "401 or 403: the Execution Service does not let us in."
    NOT_FOUND = "DOWNSTREAM_NOT_FOUND", "404: there is no batch call at this address: check the base URL."
    NOT_SUPPORTED = (
        "DOWNSTREAM_NOT_SUPPORTED",
        "405 or 415: what is at this address does not take such calls: check the base URL.",
    )
    REDIRECT = (
        "DOWNSTREAM_REDIRECT",
        "A redirect, which is never followed: set the base URL to where it leads.",
    )
    REFUSED_REQUEST = (
        "DOWNSTREAM_REFUSED_REQUEST",
        "400 or 422 for the request as a whole: something in it is wrong.",
    )
    TOO_LARGE = "DOWNSTREAM_TOO_LARGE", "413: the request is larger than the Execution Service takes."
    ERROR_500 = "DOWNSTREAM_ERROR_500", "500: the Execution Service failed; part may have been committed."
    UNAVAILABLE = "DOWNSTREAM_UNAVAILABLE", "503: the Execution Service or what is before it has no capacity."
    BAD_GATEWAY = "DOWNSTREAM_BAD_GATEWAY", "502: a gateway got no answer; the request may have gone through."
    GATEWAY_TIMEOUT = (
        "DOWNSTREAM_GATEWAY_TIMEOUT",
        "504: a gateway gave up waiting; the request may have gone through.",
    )
    READ_TIMEOUT = "DOWNSTREAM_READ_TIMEOUT", "Sent, and then silence for the whole read time-out."
    TOTAL_TIMEOUT = "DOWNSTREAM_TOTAL_TIMEOUT", "Sent, and no whole answer within the total time-out."
    CONNECTION_LOST = "DOWNSTREAM_CONNECTION_LOST", "The connection broke after bytes may have left."
    TRUNCATED = "DOWNSTREAM_TRUNCATED", "The answer ended before its announced end."
    UNREADABLE = "DOWNSTREAM_UNREADABLE", "The answer is not the JSON, or not the HTTP, that it should be."
    BODY_TOO_LARGE = "DOWNSTREAM_BODY_TOO_LARGE", "The answer is larger than max_response_bytes."
    UNEXPECTED_STATUS = (
        "DOWNSTREAM_UNEXPECTED_STATUS",
        "A status that the Execution Service's contract does not know.",
    )
    CLIENT_FAULT = (
        "DOWNSTREAM_CLIENT_FAULT",
        "An error that nobody foresaw in the client; its log line has the trace.",
    )


class Failure(msgspec.Struct, frozen=True):
    """What an error proves once bytes may have left, and its code while none has."""

    kind: ReplyKind
    code: ClientCode
    unsent_code: ClientCode


class BodyTooLarge(Exception):
    """An answer went past max_response_bytes."""


class AnsweredUnasked(Exception):
    """An answer came before any byte of the request had left: it belongs to something else."""


def _never_left(code: ClientCode, kind: ReplyKind = ReplyKind.NOT_SENT) -> Failure:
    return Failure(kind, code, code)


def _after(kind: ReplyKind, code: ClientCode, unsent_code: ClientCode = ClientCode.NOT_SENT) -> Failure:
    return Failure(kind, code, unsent_code)


_BAD_ADDRESS = _never_left(ClientCode.BAD_ADDRESS, ReplyKind.CONFIGURATION)
_REDIRECT = _after(ReplyKind.CONFIGURATION, ClientCode.REDIRECT)
_LOST = _after(ReplyKind.LOST, ClientCode.CONNECTION_LOST)
_UNREADABLE = _after(ReplyKind.UNCLEAR, ClientCode.UNREADABLE)
_TLS = _never_left(ClientCode.TLS)
_UNREACHABLE = _never_left(ClientCode.UNREACHABLE)

FAILURES: Mapping[type[Exception], Failure] = {
    aiohttp.ClientError: _LOST,
    # While connecting
    aiohttp.ClientConnectorDNSError: _never_left(ClientCode.NAME_NOT_RESOLVED),
    aiohttp.ClientConnectorError: _UNREACHABLE,
    aiohttp.ClientProxyConnectionError: _UNREACHABLE,
    client_errors.UnixClientConnectorError: _UNREACHABLE,
    aiohttp.ClientHttpProxyError: _UNREACHABLE,
    aiohttp.ConnectionTimeoutError: _never_left(ClientCode.CONNECT_TIMEOUT),
    aiohttp.ClientSSLError: _TLS,
    aiohttp.ClientConnectorSSLError: _TLS,
    aiohttp.ClientConnectorCertificateError: _TLS,
    aiohttp.ServerFingerprintMismatch: _TLS,
    # An address that cannot be used
    aiohttp.InvalidURL: _BAD_ADDRESS,
    aiohttp.InvalidUrlClientError: _BAD_ADDRESS,
    aiohttp.NonHttpUrlClientError: _BAD_ADDRESS,
    ValueError: _BAD_ADDRESS,
    UnicodeError: _BAD_ADDRESS,
    # On the wire
    aiohttp.ClientConnectionError: _LOST,
    aiohttp.ClientConnectionResetError: _LOST,
    aiohttp.ClientOSError: _LOST,
    aiohttp.ServerConnectionError: _LOST,
    aiohttp.ServerDisconnectedError: _LOST,
    client_errors.UploadAbortedError: _LOST,
    AnsweredUnasked: _LOST,
    OSError: _LOST,
    ssl.SSLError: _after(ReplyKind.LOST, ClientCode.CONNECTION_LOST, ClientCode.TLS),
    aiohttp.SocketTimeoutError: _after(ReplyKind.LOST, ClientCode.READ_TIMEOUT, ClientCode.CONNECT_TIMEOUT),
    aiohttp.ServerTimeoutError: _after(ReplyKind.LOST, ClientCode.READ_TIMEOUT, ClientCode.CONNECT_TIMEOUT),
    TimeoutError: _after(ReplyKind.LOST, ClientCode.TOTAL_TIMEOUT, ClientCode.CONNECT_TIMEOUT),
    # In the answer
    aiohttp.ClientPayloadError: _after(ReplyKind.LOST, ClientCode.TRUNCATED),
    aiohttp.ClientResponseError: _UNREADABLE,
    aiohttp.ContentTypeError: _UNREADABLE,
    aiohttp.WSServerHandshakeError: _UNREADABLE,
    http_errors.HttpProcessingError: _UNREADABLE,
    BodyTooLarge: _after(ReplyKind.UNCLEAR, ClientCode.BODY_TOO_LARGE),
    # Redirects are not followed, so these cannot come; a map that is total need not rely on that
    aiohttp.TooManyRedirects: _REDIRECT,
    aiohttp.RedirectClientError: _REDIRECT,
    aiohttp.InvalidUrlRedirectClientError: _REDIRECT,
    aiohttp.NonHttpUrlRedirectClientError: _REDIRECT,
    # What nobody foresaw
    Exception: _after(ReplyKind.LOST, ClientCode.CLIENT_FAULT, ClientCode.CLIENT_FAULT),
}
"""Every exception that a call may end with. The nearest base class counts."""

_OF_ERRNO = {
    errno.ECONNREFUSED: ClientCode.REFUSED_CONNECTION,
    errno.ETIMEDOUT: ClientCode.CONNECT_TIMEOUT,
}


def code_of(error: Exception) -> ClientCode:
    """The code of an error by itself, for a call that may be repeated at will."""
    return _code(_failure_of(error).code, error)


def classify(error: Exception, *, may_have_left: bool) -> tuple[ReplyKind, ClientCode]:
    """What `error` proves. `may_have_left`: whether a byte of the request may have reached the network."""
    failure = _failure_of(error)
    too_early = failure.kind in (ReplyKind.NOT_SENT, ReplyKind.CONFIGURATION)
    if not may_have_left:
        kind = failure.kind if too_early else ReplyKind.NOT_SENT
        return kind, _code(failure.unsent_code, error)
    if too_early:
        # Such an error belongs before the first byte. Coming after it, it proves nothing.
        return ReplyKind.LOST, ClientCode.CONNECTION_LOST
    return failure.kind, failure.code


def _failure_of(error: Exception) -> Failure:
    return next(FAILURES[base] for base in type(error).__mro__ if base in FAILURES)


def _code(code: ClientCode, error: Exception) -> ClientCode:
    if code is ClientCode.UNREACHABLE and isinstance(error, OSError):
        return _OF_ERRNO.get(error.errno or 0, code)
    return code
