"""What an HTTP answer of the Execution Service proves, by its status and, where that is not enough, its body."""

from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import msgspec

from trade_service.domain.errors import shorten
from trade_service.execution_service import wire
from trade_service.execution_service.client_errors import ClientCode
from trade_service.execution_service.tolerant import UnreadableAnswer
from trade_service.submission.messages import BatchExecutionResponse
from trade_service.submission.model import GatewayReply, ReplyKind

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
    read_error: Exception | None = None
    content_type: str = ""
    retry_after: str | None = None
    date: str | None = None


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
    if answer.status in BATCH_ANSWERS:
        return _read_results(answer, call)
    if answer.status in REFUSALS:
        return _read_refusal(answer, call)
    kind, code = of_status(answer.status)
    reply = _reply(answer, kind, code, describe(answer, call))
    if answer.status == _SERVER_ERROR and wire.handler_failed(answer.body or b""):
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


def _read_results(answer: Answer, call: str) -> GatewayReply:
    try:
        response = wire.decode_batch_answer(answer.body or b"")
    except UnreadableAnswer as error:
        return _unreadable(answer, call, error)
    return _reply(answer, ReplyKind.ANSWERED, ClientCode.OK, f"{call} answered {answer.status}", response)


def _read_refusal(answer: Answer, call: str) -> GatewayReply:
    """A 400 or 422: with results it is an answer item by item, otherwise the whole request is refused.

    A body that is broken JSON proves nothing: it could have contained results.
    """
    body = answer.body or b""
    try:
        response = wire.decode_batch_answer(body)
    except UnreadableAnswer as error:
        meant_as_json = "json" in answer.content_type.lower() or body.lstrip()[:1] in (b"{", b"[")
        if body and meant_as_json:
            return _unreadable(answer, call, error)
        return _reply(answer, ReplyKind.REFUSED_WHOLE, ClientCode.REFUSED_REQUEST, describe(answer, call))
    if _is_batch_answer(response):
        return _reply(answer, ReplyKind.ANSWERED, ClientCode.ITEMS_REFUSED, describe(answer, call), response)
    return _reply(answer, ReplyKind.REFUSED_WHOLE, ClientCode.REFUSED_REQUEST, describe(answer, call))


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
        f" ({answer.content_type or 'no content type'}, {size} bytes): {shorten(str(error))}"
    )
    return _reply(answer, ReplyKind.UNCLEAR, ClientCode.UNREADABLE, message)


def _reply(
    answer: Answer,
    kind: ReplyKind,
    code: ClientCode,
    message: str,
    response: BatchExecutionResponse | None = None,
) -> GatewayReply:
    wait_s = None
    if answer.retry_after is not None and kind is not ReplyKind.ANSWERED:
        wait_s = retry_after_s(answer.retry_after, answer.date, datetime.now(UTC))
    return GatewayReply(kind, code.value, message, answer.status, response, wait_s)


def _http_date(value: str | None) -> datetime | None:
    if not value:
        return None
    try:
        read = parsedate_to_datetime(value)
    except (ValueError, OverflowError):
        return None
    return read if read.tzinfo is not None else read.replace(tzinfo=UTC)
