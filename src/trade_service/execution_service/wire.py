"""JSON of the Execution Service's messages: exact decimals both ways, checked before sending.

Answers are decoded in one strict pass. Only an answer with a field of the wrong type goes through `tolerant`, so
that one odd field affects at most its own item.
"""

import codecs
import contextlib
import re
from collections.abc import Sequence
from decimal import Decimal

import msgspec

from trade_service.domain.errors import InvalidInput, shorten
from trade_service.execution_service import tolerant
from trade_service.execution_service.tolerant import UnreadableAnswer
from trade_service.submission.messages import (
    BatchExecutionRequest,
    BatchExecutionResponse,
    ExecutionRequest,
    RemoteExecutionPage,
)

MAX_ITEMS = 100
MAX_SECURITY_ID = 24
MAX_TEXT = 20
"""Limit of executionStatus, tradeType and destination in the Execution Service's contract."""
MAX_INT32 = 2**31 - 1

_MAX_DECIMALS = 8
_MAX_ADJUSTED, _MIN_ADJUSTED = 9, -_MAX_DECIMALS
"""Exponents of the first digit that fit decimal(18,8)."""
_NUMBER_RULE = "must be a positive decimal(18,8): at most 10 digits before the point and 8 after it"
_NULL = msgspec.Raw(b"null")
_UNFORESEEN = (ArithmeticError, TypeError, ValueError, AttributeError)
"""Errors of the encoder for a value of the wrong type."""


class _Item(msgspec.Struct, frozen=True, rename="camel", gc=False):
    """An execution with its numbers already written out."""

    execution_status: str
    trade_type: str
    destination: str
    security_id: str
    quantity: msgspec.Raw
    limit_price: msgspec.Raw
    trade_service_execution_id: int
    version: int


class _ErrorBody(msgspec.Struct, frozen=True):
    """The message of an error response."""

    message: str | None = None
    error: str | None = None


class _FailureReport(msgspec.Struct, frozen=True):
    """The body that the service's own handler writes for a 5xx; every member is required."""

    timestamp: str | int | float
    status: int
    error: str
    message: str
    path: str


TRANSACTION_WORDS = ("commit", "i/o", "connection", "rollback")
"""Words in a failure message, in any case, after which the outcome of the transaction is not known."""
_SERVER_ERROR = 500

_PLAIN_NUMBERS = re.compile(r"(?:(?=[0.]*[1-9])[0-9]{1,10}(?:\.[0-9]{1,8})?(?:,|$))+")
"""A list of positive decimal(18,8), each written without an exponent."""

_encoder = msgspec.json.Encoder(decimal_format="number")
_answer_decoder = msgspec.json.Decoder(BatchExecutionResponse)
_page_decoder = msgspec.json.Decoder(RemoteExecutionPage)
_error_decoder = msgspec.json.Decoder(_ErrorBody)
_failure_decoder = msgspec.json.Decoder(_FailureReport)


def encode_batch_request(request: BatchExecutionRequest) -> bytes:
    """The body of `POST /api/v1/executions/batch`; numbers keep their digits and have no exponent.

    Raises InvalidInput naming the field that breaks the Execution Service's contract: no items or more than 100,
    text that is too long, a number that is not a positive decimal(18,8).
    """
    count = len(request.executions)
    if not 1 <= count <= MAX_ITEMS:
        raise InvalidInput.of("executions", count, f"must hold 1 to {MAX_ITEMS} items")
    message: object = request
    if not _is_plain(request.executions):
        message = {"executions": [_item(post, index) for index, post in enumerate(request.executions)]}
    try:
        return _encoder.encode(message)
    except UnicodeEncodeError as error:
        raise InvalidInput.of("executions", error.object, "must hold valid Unicode text") from error


def unsendable(posts: Sequence[ExecutionRequest]) -> dict[int, str]:
    """The posts that `encode_batch_request` would refuse, by index, each with the rule that it breaks.

    A fault in one post, even an unexpected error, does not affect the others.
    """
    with contextlib.suppress(*_UNFORESEEN):
        if not posts or (
            _is_plain(posts) and _encoder.encode([(post.destination, post.security_id) for post in posts])
        ):
            return {}
    faults = {}
    for index, post in enumerate(posts):
        try:
            _encoder.encode(_item(post, index))
        except InvalidInput as error:
            faults[index] = error.message.removeprefix(f"executions[{index}].")
        except UnicodeEncodeError:
            faults[index] = "its text is not valid Unicode"
        except _UNFORESEEN as error:
            faults[index] = f"it cannot be written as JSON: {shorten(repr(error))}"
    return faults


def decode_batch_answer(body: bytes) -> BatchExecutionResponse:
    """The answer to a batch call; raises UnreadableAnswer when the body is not a JSON object."""
    body = _without_bom(body)
    try:
        return _answer_decoder.decode(body)
    except tolerant.WRONG_TYPE:
        return tolerant.read_batch_answer(body)
    except tolerant.MALFORMED as error:
        raise UnreadableAnswer(str(error)) from error


def decode_page(body: bytes) -> RemoteExecutionPage:
    """A page of the listing; raises UnreadableAnswer when it is not clear whether a row is ours.

    Reconciliation draws conclusions from absence, so a row whose id, owner, security, side, quantity or
    destination is unreadable must not be skipped.
    """
    body = _without_bom(body)
    try:
        page = _page_decoder.decode(body)
    except tolerant.WRONG_TYPE:
        page = tolerant.read_page(body)
    except tolerant.MALFORMED as error:
        raise UnreadableAnswer(str(error)) from error
    for row in page.content:
        if row.id is None:
            raise UnreadableAnswer("a row of the listing has no id")
        if row.quantity is not None and not row.quantity.is_finite():
            raise UnreadableAnswer(f"execution {row.id} of the listing has the quantity {row.quantity}")
    return page


def decode_row(body: bytes) -> RemoteExecutionPage:
    """One execution as a page of one; raises like `decode_page`."""
    return decode_page(b'{"content":[' + _without_bom(body) + b"]}")


def error_message(body: bytes) -> str:
    """The message in an error body of any shape; empty when there is none."""
    try:
        error = _error_decoder.decode(_without_bom(body))
    except tolerant.MALFORMED:
        text = body[:1000].decode("utf-8", "replace")
        return " ".join(text.split())
    return error.message or error.error or ""


def _without_bom(body: bytes) -> bytes:
    """The body without the byte order mark that some servers and proxies put before UTF-8."""
    return body.removeprefix(codecs.BOM_UTF8)


def handler_failed(body: bytes) -> bool:
    """Whether a 500's body comes from the service's own handler and shows that its transaction was rolled back.

    With one of `TRANSACTION_WORDS` in it, the transaction may still be committed.
    """
    try:
        report = _failure_decoder.decode(body)
    except tolerant.MALFORMED:
        return False
    text = f"{report.error} {report.message}".lower()
    return report.status == _SERVER_ERROR and not any(word in text for word in TRANSACTION_WORDS)


def _is_plain(posts: Sequence[ExecutionRequest]) -> bool:
    """Whether all posts keep the rules and all numbers are already written without an exponent.

    Checked by column, since this runs for every batch; only other batches are checked item by item.
    """
    statuses, trade_types, destinations, security_ids, quantities, prices, ids, _ = zip(
        *map(msgspec.structs.astuple, posts), strict=True
    )
    prices = tuple(price for price in prices if price is not None)
    return (
        max(map(len, {*statuses, *trade_types, *destinations})) <= MAX_TEXT
        and max(map(len, security_ids)) <= MAX_SECURITY_ID
        and min(ids) > 0
        and max(ids) <= MAX_INT32
        and _PLAIN_NUMBERS.fullmatch(",".join(map(str, quantities + prices))) is not None
    )


def _item(post: ExecutionRequest, index: int) -> _Item:
    """The post with its numbers written out; raises InvalidInput for the first broken rule."""
    for name, text, limit in (
        ("executionStatus", post.execution_status, MAX_TEXT),
        ("tradeType", post.trade_type, MAX_TEXT),
        ("destination", post.destination, MAX_TEXT),
        ("securityId", post.security_id, MAX_SECURITY_ID),
    ):
        if len(text) > limit:
            rule = f"must have at most {limit} characters"
            raise InvalidInput.of(f"executions[{index}].{name}", text, rule)
    identity = post.trade_service_execution_id
    if not 0 < identity <= MAX_INT32:
        rule = f"must be a number from 1 to {MAX_INT32}"
        raise InvalidInput.of(f"executions[{index}].tradeServiceExecutionId", identity, rule)
    return _Item(
        post.execution_status,
        post.trade_type,
        post.destination,
        post.security_id,
        _number(post.quantity, index, "quantity"),
        _NULL if post.limit_price is None else _number(post.limit_price, index, "limitPrice"),
        identity,
        post.version,
    )


def _number(value: Decimal, index: int, field: str) -> msgspec.Raw:
    """The value's own digits without an exponent, and without zeros after the eighth decimal."""
    # Checked before formatting: written out, 1E+999999 would take a megabyte.
    if value.is_finite() and value > 0 and _MIN_ADJUSTED <= value.adjusted() <= _MAX_ADJUSTED:
        whole, point, decimals = format(value, "f").partition(".")
        if len(decimals) > _MAX_DECIMALS:
            decimals = decimals.rstrip("0")
        if len(decimals) <= _MAX_DECIMALS:
            return msgspec.Raw(whole + point + decimals if decimals else whole)
    raise InvalidInput.of(f"executions[{index}].{field}", str(value), _NUMBER_RULE)
