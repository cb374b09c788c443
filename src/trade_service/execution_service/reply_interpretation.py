"""What an HTTP answer of the Execution Service proves, or the failure that came in its place.

Of a failure, two facts decide: what went wrong, and whether a byte of the request may have left.
`connections.Connection` knows the second one exactly, so nothing is ambiguous while nothing has left.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from enum import StrEnum

import msgspec

from trade_service.domain.errors import shorten
from trade_service.execution_service import wire
from trade_service.execution_service.wire import UnreadableAnswer
from trade_service.submission.messages import BatchExecutionResponse
from trade_service.submission.model import GatewayReply, ReplyKind


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


MAX_RETRY_AFTER_S = 3600.0
_MAX_MESSAGE = 300
_SERVER_ERROR = 500
_BATCH_STATUSES = frozenset({"SUCCESS", "PARTIAL_SUCCESS", "FAILED"})

BATCH_ANSWERS = frozenset({201, 207})
"""All created; some created."""
REFUSALS = frozenset({400, 422})
"""None created: either a result for each item, or the whole request refused."""

OF_STATUS: Mapping[int, tuple[ReplyKind, ClientCode]] = {
    # Only these two prove that the request was not processed (RFC 9110, 15.4.8 and 15.4.9): 303 follows a
    # processed POST, and 301 and 302 are commonly sent in its place (15.4.2 to 15.4.4).
    307: (ReplyKind.CONFIGURATION, ClientCode.REDIRECT),
    308: (ReplyKind.CONFIGURATION, ClientCode.REDIRECT),
    401: (ReplyKind.CONFIGURATION, ClientCode.UNAUTHORIZED),
    403: (ReplyKind.CONFIGURATION, ClientCode.UNAUTHORIZED),
    404: (ReplyKind.CONFIGURATION, ClientCode.NOT_FOUND),
    405: (ReplyKind.CONFIGURATION, ClientCode.NOT_SUPPORTED),
    413: (ReplyKind.REFUSED_WHOLE, ClientCode.TOO_LARGE),
    415: (ReplyKind.CONFIGURATION, ClientCode.NOT_SUPPORTED),
    429: (ReplyKind.NOT_SENT, ClientCode.THROTTLED),
    500: (ReplyKind.UNCLEAR, ClientCode.ERROR_500),
    502: (ReplyKind.LOST, ClientCode.BAD_GATEWAY),
    503: (ReplyKind.UNCLEAR, ClientCode.UNAVAILABLE),
    504: (ReplyKind.LOST, ClientCode.GATEWAY_TIMEOUT),
}
"""Statuses that decide without a body. 406 is not among them: a server may find out only after the work that it
cannot return an acceptable representation."""


class Answer(msgspec.Struct, frozen=True):
    """An HTTP answer; `body` is None when reading it failed with `read_error`."""

    status: int
    body: bytes | None
    read_error: "CallFailed | None" = None
    headers: Mapping[str, str] = {}


def of_status(status: int) -> tuple[ReplyKind, ClientCode]:
    """What a status proves about a batch call, whatever its body; UNCLEAR for unexpected ones."""
    found = OF_STATUS.get(status)
    if found is not None:
        return found
    if 300 <= status < 400:
        return ReplyKind.UNCLEAR, ClientCode.REDIRECT
    return ReplyKind.UNCLEAR, ClientCode.UNEXPECTED_STATUS


def needs_body(status: int) -> bool:
    """Whether a batch call's answer needs its body to be interpreted."""
    return status in BATCH_ANSWERS or status in REFUSALS


def read_batch(answer: Answer, call: str) -> GatewayReply:
    """Interprets the answer to a batch call; `call` names the call in messages.

    The body must be present if `needs_body`.
    """
    status, body = answer.status, answer.body or b""
    if status in BATCH_ANSWERS:
        try:
            response = wire.decode_batch_answer(body)
        except UnreadableAnswer as error:
            return _unreadable(answer, call, error)
        message = f"{call} answered {status}"
        return GatewayReply(ReplyKind.ANSWERED, ClientCode.OK.value, message, status, response)
    if status in REFUSALS:
        return _read_refusal(answer, call)
    kind, code = of_status(status)
    reply = _reply(answer, kind, code, describe(answer, call))
    if status == _SERVER_ERROR and wire.handler_failed(body):
        return msgspec.structs.replace(reply, handler_failed=True)
    return reply


def describe(answer: Answer, call: str) -> str:
    """A message with the call, the status and the service's own error message, shortened."""
    text = wire.error_message(answer.body) if answer.body else ""
    return f"{call} answered {answer.status}" + (f": {shorten(text, _MAX_MESSAGE)}" if text else "")


def retry_after_s(value: str | None, date: str | None, now: datetime) -> float | None:
    """The seconds of a Retry-After header (a number or an HTTP date), at most an hour; None when unusable.

    A date is compared with the answer's own Date header if there is one, since clocks differ.
    """
    if value is None:
        return None
    value = value.strip()
    if value.isascii() and value.isdecimal():
        return min(float(value[:12]), MAX_RETRY_AFTER_S)
    until = _http_date(value)
    if until is None:
        return None
    wait_s = (until - (_http_date(date) or now)).total_seconds()
    return min(wait_s, MAX_RETRY_AFTER_S) if wait_s >= 0 else None


def _read_refusal(answer: Answer, call: str) -> GatewayReply:
    """A 400 or 422: with results it is an answer item by item, otherwise the whole request is refused.

    A body that is broken JSON proves nothing: it could have contained results.
    """
    body, message = answer.body or b"", describe(answer, call)
    try:
        response = wire.decode_batch_answer(body)
    except UnreadableAnswer as error:
        meant_as_json = "json" in _content_type(answer).lower() or body.lstrip()[:1] in (b"{", b"[")
        if body and meant_as_json:
            return _unreadable(answer, call, error)
    else:
        if _is_batch_answer(response):
            return _reply(answer, ReplyKind.ANSWERED, ClientCode.ITEMS_REFUSED, message, response)
    return _reply(answer, ReplyKind.REFUSED_WHOLE, ClientCode.REFUSED_REQUEST, message)


def _is_batch_answer(response: BatchExecutionResponse) -> bool:
    """Whether a body has the shape of a batch answer; if it lacks results, its items are unclear, not refused."""
    counts = (response.total_requested, response.successful, response.failed)
    return (
        response.results is not None
        or response.status in _BATCH_STATUSES
        or any(count is not None for count in counts)
    )


def _unreadable(answer: Answer, call: str, error: Exception) -> GatewayReply:
    size = len(answer.body or b"")
    message = (
        f"{call} answered {answer.status} with a body that cannot be read"
        f" ({_content_type(answer) or 'no content type'}, {size} bytes): {shorten(str(error))}"
    )
    return _reply(answer, ReplyKind.UNCLEAR, ClientCode.UNREADABLE, message)


def _content_type(answer: Answer) -> str:
    return answer.headers.get("Content-Type", "")


def _reply(
    answer: Answer,
    kind: ReplyKind,
    code: ClientCode,
    message: str,
    response: BatchExecutionResponse | None = None,
) -> GatewayReply:
    wait_s = None
    if kind is not ReplyKind.ANSWERED:
        headers = answer.headers
        wait_s = retry_after_s(headers.get("Retry-After"), headers.get("Date"), datetime.now(UTC))
    return GatewayReply(kind, code.value, message, answer.status, response, wait_s)


def _http_date(value: str | None) -> datetime | None:
    if not value:
        return None
    try:
        read = parsedate_to_datetime(value)
    except (ValueError, OverflowError):
        return None
    return read if read.tzinfo is not None else read.replace(tzinfo=UTC)


class CallFailed(Exception):
    """A call that brought no whole answer, and of which a byte may have left."""

    def __init__(self, code: ClientCode, detail: str = "") -> None:
        """`detail` says more than the code and does not quote the address, since callers of the API read it."""
        super().__init__(code, detail)
        self.code = code
        self.detail = detail


class NothingSent(CallFailed):
    """A call of which no byte has left."""


_UNCLEAR = frozenset({ClientCode.BODY_TOO_LARGE, ClientCode.UNREADABLE})


def kind_of(failure: CallFailed) -> ReplyKind:
    """What a failure proves: everything or nothing, since a byte that may have left may have been processed."""
    if isinstance(failure, NothingSent):
        is_ours = failure.code is ClientCode.BAD_ADDRESS
        return ReplyKind.CONFIGURATION if is_ours else ReplyKind.NOT_SENT
    return ReplyKind.UNCLEAR if failure.code in _UNCLEAR else ReplyKind.LOST
