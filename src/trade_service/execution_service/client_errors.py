"""The client's error codes, and the total map from aiohttp's errors to what each one proves.

Two facts decide: what went wrong, and whether a byte of the request may have left. `body.GuardedBody` knows the
second one exactly, so an otherwise ambiguous error is unambiguous while nothing has left.
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
    """A stable error code with a one-line `meaning`."""

    meaning: str

    def __new__(cls, code: str, meaning: str) -> "ClientCode":
        self = str.__new__(cls, code)
        self._value_ = code
        self.meaning = meaning
        return self

    OK = "OK", "The Execution Service answered, and the answer is readable."
    ITEMS_REFUSED = "DOWNSTREAM_ITEMS_REFUSED", "400 or 422 with results: every item has its own outcome."
    LEASE_PASSED = "LEASE_PASSED", "The lease ended before the first byte: nothing was sent."
    INVALID_REQUEST = (
        "INVALID_REQUEST",
        "The request breaks the Execution Service's contract and was not sent.",
    )
    BAD_ADDRESS = "DOWNSTREAM_BAD_ADDRESS", "The Execution Service's address is invalid: correct it."
    NAME_NOT_RESOLVED = "DOWNSTREAM_NAME_NOT_RESOLVED", "The host name could not be resolved."
    REFUSED_CONNECTION = "DOWNSTREAM_REFUSED_CONNECTION", "Nothing listens at the address."
    UNREACHABLE = "DOWNSTREAM_UNREACHABLE", "The Execution Service could not be reached."
    TLS = "DOWNSTREAM_TLS", "The TLS handshake or the certificate check failed."
    CONNECT_TIMEOUT = "DOWNSTREAM_CONNECT_TIMEOUT", "No connection within the connect time-out."
    POOL_EXHAUSTED = "DOWNSTREAM_POOL_EXHAUSTED", "All connections stayed busy: raise max_connections."
    NOT_SENT = "DOWNSTREAM_NOT_SENT", "The connection closed before the first byte was sent."
    THROTTLED = "DOWNSTREAM_THROTTLED", "429: the Execution Service limits our request rate."
    UNAUTHORIZED = "DOWNSTREAM_UNAUTHORIZED", "401 or 403: the Execution Service rejected our credentials."
    NOT_FOUND = "DOWNSTREAM_NOT_FOUND", "404: no batch endpoint at this address; check the base URL."
    NOT_SUPPORTED = "DOWNSTREAM_NOT_SUPPORTED", "405 or 415: not a batch endpoint; check the base URL."
    REDIRECT = "DOWNSTREAM_REDIRECT", "Redirects are not followed: set the base URL to the target."
    REFUSED_REQUEST = "DOWNSTREAM_REFUSED_REQUEST", "400 or 422 for the whole request: it is invalid."
    TOO_LARGE = "DOWNSTREAM_TOO_LARGE", "413: the request is too large for the Execution Service."
    ERROR_500 = "DOWNSTREAM_ERROR_500", "500: part of the batch may have been committed."
    UNAVAILABLE = (
        "DOWNSTREAM_UNAVAILABLE",
        "503: the Execution Service or a proxy in front of it has no capacity.",
    )
    BAD_GATEWAY = "DOWNSTREAM_BAD_GATEWAY", "502: a gateway got no answer; possibly processed."
    GATEWAY_TIMEOUT = "DOWNSTREAM_GATEWAY_TIMEOUT", "504: a gateway timed out; possibly processed."
    READ_TIMEOUT = "DOWNSTREAM_READ_TIMEOUT", "Sent, but no data came back within the read time-out."
    TOTAL_TIMEOUT = (
        "DOWNSTREAM_TOTAL_TIMEOUT",
        "Sent, but no complete answer came back within the total time-out.",
    )
    CONNECTION_LOST = "DOWNSTREAM_CONNECTION_LOST", "The connection broke after bytes may have left."
    TRUNCATED = "DOWNSTREAM_TRUNCATED", "The answer is shorter than announced."
    UNREADABLE = "DOWNSTREAM_UNREADABLE", "The answer is not valid HTTP, or not the expected JSON."
    BODY_TOO_LARGE = "DOWNSTREAM_BODY_TOO_LARGE", "The answer is larger than max_response_bytes."
    UNEXPECTED_STATUS = "DOWNSTREAM_UNEXPECTED_STATUS", "A status outside the contract."
    CLIENT_FAULT = "DOWNSTREAM_CLIENT_FAULT", "An unexpected client error; see the traceback in the log."


class Failure(msgspec.Struct, frozen=True):
    """What an error proves once bytes may have left, and its code before that."""

    kind: ReplyKind
    code: ClientCode
    unsent_code: ClientCode


class BodyTooLarge(Exception):
    """An answer exceeds max_response_bytes."""


class AnsweredUnasked(Exception):
    """An answer came before any byte of the request had left, so it belongs to another request."""


def _never_left(code: ClientCode, kind: ReplyKind = ReplyKind.NOT_SENT) -> Failure:
    return Failure(kind, code, code)


def _after(kind: ReplyKind, code: ClientCode, unsent_code: ClientCode = ClientCode.NOT_SENT) -> Failure:
    return Failure(kind, code, unsent_code)


_GROUPS: tuple[tuple[Failure, tuple[type[Exception], ...]], ...] = (
    # While connecting
    (_never_left(ClientCode.NAME_NOT_RESOLVED), (aiohttp.ClientConnectorDNSError,)),
    (_never_left(ClientCode.CONNECT_TIMEOUT), (aiohttp.ConnectionTimeoutError,)),
    (
        _never_left(ClientCode.UNREACHABLE),
        (
            aiohttp.ClientConnectorError, aiohttp.ClientProxyConnectionError,
            client_errors.UnixClientConnectorError, aiohttp.ClientHttpProxyError,
        ),
    ),
    (
        _never_left(ClientCode.TLS),
        (
            aiohttp.ClientSSLError, aiohttp.ClientConnectorSSLError,
            aiohttp.ClientConnectorCertificateError, aiohttp.ServerFingerprintMismatch,
        ),
    ),
    # An address that cannot be used
    (
        _never_left(ClientCode.BAD_ADDRESS, ReplyKind.CONFIGURATION),
        (
            aiohttp.InvalidURL, aiohttp.InvalidUrlClientError, aiohttp.NonHttpUrlClientError,
            ValueError, UnicodeError,
        ),
    ),
    # On the wire
    (
        _after(ReplyKind.LOST, ClientCode.CONNECTION_LOST),
        (
            aiohttp.ClientError, aiohttp.ClientConnectionError, aiohttp.ClientConnectionResetError,
            aiohttp.ClientOSError, aiohttp.ServerConnectionError, aiohttp.ServerDisconnectedError,
            client_errors.UploadAbortedError, AnsweredUnasked, OSError,
        ),
    ),
    (_after(ReplyKind.LOST, ClientCode.CONNECTION_LOST, ClientCode.TLS), (ssl.SSLError,)),
    (
        _after(ReplyKind.LOST, ClientCode.READ_TIMEOUT, ClientCode.CONNECT_TIMEOUT),
        (aiohttp.SocketTimeoutError, aiohttp.ServerTimeoutError),
    ),
    (_after(ReplyKind.LOST, ClientCode.TOTAL_TIMEOUT, ClientCode.CONNECT_TIMEOUT), (TimeoutError,)),
    # In the answer
    (_after(ReplyKind.LOST, ClientCode.TRUNCATED), (aiohttp.ClientPayloadError,)),
    (_after(ReplyKind.UNCLEAR, ClientCode.BODY_TOO_LARGE), (BodyTooLarge,)),
    (
        _after(ReplyKind.UNCLEAR, ClientCode.UNREADABLE),
        (
            aiohttp.ClientResponseError, aiohttp.ContentTypeError, aiohttp.WSServerHandshakeError,
            http_errors.HttpProcessingError,
        ),
    ),
    # Not raised while redirects are not followed, but the map is total without relying on that
    (
        _after(ReplyKind.CONFIGURATION, ClientCode.REDIRECT),
        (
            aiohttp.TooManyRedirects, aiohttp.RedirectClientError,
            aiohttp.InvalidUrlRedirectClientError, aiohttp.NonHttpUrlRedirectClientError,
        ),
    ),
    (_after(ReplyKind.LOST, ClientCode.CLIENT_FAULT, ClientCode.CLIENT_FAULT), (Exception,)),
)  # fmt: skip
FAILURES: Mapping[type[Exception], Failure] = {kind: failure for failure, kinds in _GROUPS for kind in kinds}
"""Every exception that a call can raise. The nearest base class applies."""

_OF_ERRNO = {
    errno.ECONNREFUSED: ClientCode.REFUSED_CONNECTION,
    errno.ETIMEDOUT: ClientCode.CONNECT_TIMEOUT,
}


def code_of(error: Exception) -> ClientCode:
    """The code of an error in a call that is safe to repeat."""
    return _code(_failure_of(error).code, error)


def classify(error: Exception, *, may_have_left: bool) -> tuple[ReplyKind, ClientCode]:
    """What `error` proves. `may_have_left`: whether a byte of the request may have reached the network."""
    failure = _failure_of(error)
    too_early = failure.kind in (ReplyKind.NOT_SENT, ReplyKind.CONFIGURATION)
    if not may_have_left:
        kind = failure.kind if too_early else ReplyKind.NOT_SENT
        return kind, _code(failure.unsent_code, error)
    if too_early:
        # Such an error is expected before the first byte. After it, it proves nothing.
        return ReplyKind.LOST, ClientCode.CONNECTION_LOST
    return failure.kind, failure.code


def _failure_of(error: Exception) -> Failure:
    return next(FAILURES[base] for base in type(error).__mro__ if base in FAILURES)


def _code(code: ClientCode, error: Exception) -> ClientCode:
    if code is ClientCode.UNREACHABLE and isinstance(error, OSError):
        return _OF_ERRNO.get(error.errno or 0, code)
    return code
