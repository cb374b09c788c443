"""What an HTTP answer of the Execution Service proves: its status first, its body where the status asks."""

from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import msgspec

from trade_service.domain.errors import shorten
from trade_service.execution_service import wire
from trade_service.execution_service.errors import ClientCode
from trade_service.submission.messages import BatchExecutionResponse
from trade_service.submission.model import GatewayReply, ReplyKind

MAX_RETRY_AFTER_S = 3600.0
_MAX_MESSAGE = 300
_SERVER_ERROR = 500
_BATCH_STATUSES = frozenset({"SUCCESS", "PARTIAL_SUCCESS", "FAILED"})

BATCH_ANSWERS = frozenset({201, 207})
"""All created, some created."""
REFUSALS = frozenset({400, 422})
"""None created: with a result for each item, or the request as a whole refused."""

OF_STATUS: Mapping[int, tuple[ReplyKind, ClientCode]] = {
    # These two ask to send the same request elsewhere (RFC 9110, 15.4.8 and 15.4.9). Any other redirect may
    # follow what a POST asked for: 303 says so, 301 and 302 are commonly sent in its place (15.4.2 to 15.4.4).
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
"""Statuses that say all by themselves. 406 is not here: a server may find out that it cannot show its
answer in an accepted form after having done the work."""


class Answer(msgspec.Struct, frozen=True):
    """An answer as it came: `body` is None when it could not be read to its end, for the `trouble` named."""

    status: int
    body: bytes | None
    trouble: Exception | None = None
    content_type: str = ""
    retry_after: str | None = None
    date: str | None = None


def of_status(status: int) -> tuple[ReplyKind, ClientCode]:
    """What a status proves of a batch call whatever its body says; UNCLEAR for those nobody foresaw."""
    found = OF_STATUS.get(status)
    if found is not None:
        return found
    if 300 <= status < 400:
        return ReplyKind.UNCLEAR, ClientCode.REDIRECT
    return ReplyKind.UNCLEAR, ClientCode.UNEXPECTED_STATUS


def needs_body(status: int) -> bool:
    """Whether the body decides what a batch call's answer proves."""
    return status in BATCH_ANSWERS or status in REFUSALS


def read_batch(answer: Answer, call: str) -> GatewayReply:
    """The reply that an answer of the batch call amounts to; `call` names it in messages.

    The body must be there where `needs_body` says so.
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
    """A message naming the call, the status and what the service said of it, shortened."""
    text = wire.said(answer.body) if answer.body else ""
    return f"{call} answered {answer.status}" + (f": {shorten(text, _MAX_MESSAGE)}" if text else "")


def retry_after_s(value: str | None, date: str | None, now: datetime) -> float | None:
    """Seconds of a Retry-After header: a count or an HTTP date, at most an hour; None when unusable.

    A date counts from the answer's own Date header, where there is one: clocks differ.
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
    except wire.UnreadableAnswer as error:
        return _unreadable(answer, call, error)
    return _reply(answer, ReplyKind.ANSWERED, ClientCode.OK, f"{call} answered {answer.status}", response)


def _read_refusal(answer: Answer, call: str) -> GatewayReply:
    """A 400 or 422: results make it an answer item by item, everything else a refusal of the whole.

    A body that was meant to be JSON and is not could have held results: it proves nothing.
    """
    body = answer.body or b""
    try:
        response = wire.decode_batch_answer(body)
    except wire.UnreadableAnswer as error:
        meant_as_json = "json" in answer.content_type.lower() or body.lstrip()[:1] in (b"{", b"[")
        if body and meant_as_json:
            return _unreadable(answer, call, error)
        return _reply(answer, ReplyKind.REFUSED_WHOLE, ClientCode.REFUSED_REQUEST, describe(answer, call))
    if _is_batch_answer(response):
        return _reply(answer, ReplyKind.ANSWERED, ClientCode.ITEMS_REFUSED, describe(answer, call), response)
    return _reply(answer, ReplyKind.REFUSED_WHOLE, ClientCode.REFUSED_REQUEST, describe(answer, call))


def _is_batch_answer(response: BatchExecutionResponse) -> bool:
    """Whether a body has the batch's shape: without results, its items are then unclear, not refused."""
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
