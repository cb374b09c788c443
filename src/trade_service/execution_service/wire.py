"""JSON of the Execution Service's messages: exact decimals both ways, checked before sending.

Answers are decoded in one strict pass. Only an answer with a field of the wrong type is read field by field, so
that one odd field affects at most its own item. Such a field reads as absent unless a decision depends on it. If
one does, a result loses its status, which makes its own item unclear; a row of a listing makes the whole page
unreadable, since reconciliation draws conclusions from what a page does not contain.
"""

import codecs
import contextlib
import re
from collections.abc import Mapping, Sequence, Set
from decimal import Decimal, InvalidOperation
from functools import cache
from typing import Any, TypeVar

import msgspec

from trade_service.domain.errors import InvalidInput, shorten
from trade_service.submission.messages import (
    BatchExecutionResponse,
    CreatedExecution,
    ExecutionRequest,
    ExecutionResult,
    RemoteExecution,
    RemoteExecutionPage,
    RemotePagination,
    Security,
)

MAX_ITEMS = 100
MAX_VALUES = 20_000
"""Most values (as commas) of an answer: several times those of a page or batch of 100, decoded in some 50 ms."""
_UNCOUNTED_BYTES = 100_000
"""Decoding so little in one strict pass takes at most some 10 ms, and counting costs every batch."""
MAX_SECURITY_ID = 24
MAX_TEXT = 20
"""Limit of executionStatus, tradeType and destination in the Execution Service's contract."""
MAX_INT32 = 2**31 - 1

_MAX_DECIMALS = 8
_MAX_ADJUSTED, _MIN_ADJUSTED = 9, -_MAX_DECIMALS
"""Exponents of the first digit that fit decimal(18,8)."""
_NUMBER_RULE = "must be a positive decimal(18,8): at most 10 digits before the point and 8 after it"
_NULL = msgspec.Raw(b"null")
_BOM = codecs.BOM_UTF8
"""The byte order mark that some servers and proxies put before UTF-8."""
_UNFORESEEN = (ArithmeticError, TypeError, ValueError, AttributeError)
"""Errors of the encoder for a value of the wrong type."""
_MALFORMED = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
"""What decoding raises for a body that is no JSON; RecursionError for one nested too deeply."""
_WRONG_TYPE = (msgspec.ValidationError, InvalidOperation)
"""Errors of decoding a field of the wrong type; a number may be too large for any decimal."""

_NAMES_IT = frozenset({"id", "trade_service_execution_id"})
_IDENTIFIES = _NAMES_IT | {"security", "security_id", "trade_type", "quantity", "destination"}
"""Fields by which reconciliation matches a row, beside its ids."""

_S = TypeVar("_S", bound=msgspec.Struct)
_Object = Mapping[str, Any]


class UnreadableAnswer(Exception):
    """A body is not the expected message; says why."""


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


def _number_of(text: str) -> object:
    """The exact number; a list for one that no decimal can hold, which fails the type check."""
    try:
        return Decimal(text)
    except InvalidOperation:
        return [text]


_PLAIN = r"(?:[1-9][0-9]{0,9}+|(?=[0.]*[1-9])[0-9]{1,10}+)(?:\.[0-9]{1,8}+)?+"
"""A positive decimal(18,8), written without an exponent."""
_PLAIN_NUMBERS = re.compile(
    rf"\[\[(?:{_PLAIN}(?:,|(?=])))++\],\[(?:(?:{_PLAIN}|null)(?:,|(?=])))++\]\]".encode()
)
"""Quantities and limit prices, as JSON."""

_encoder = msgspec.json.Encoder(decimal_format="number")
_answer_decoder = msgspec.json.Decoder(BatchExecutionResponse)
_any_decoder = msgspec.json.Decoder(float_hook=_number_of)
_page_decoder = msgspec.json.Decoder(RemoteExecutionPage)
_error_decoder = msgspec.json.Decoder(_ErrorBody)
_failure_decoder = msgspec.json.Decoder(_FailureReport)


def encode_batch(posts: Sequence[ExecutionRequest]) -> tuple[bytes, dict[int, str]]:
    """The body of `POST /api/v1/executions/batch` for some posts, and the posts that it leaves out.

    Numbers keep their digits and have no exponent. A post is left out if it breaks the Execution Service's
    contract or cannot be encoded; the dict has its index and the rule that it breaks.
    """
    with contextlib.suppress(*_UNFORESEEN):
        if posts and _is_plain(posts):
            return _encoder.encode({"executions": posts}), {}
    items, faults = [], {}
    for index, post in enumerate(posts):
        try:
            items.append(msgspec.Raw(_encoder.encode(_item(post))))
        except InvalidInput as error:
            faults[index] = error.message
        except UnicodeEncodeError:
            faults[index] = "its text is not valid Unicode"
        except _UNFORESEEN as error:
            faults[index] = f"it cannot be written as JSON: {shorten(repr(error))}"
    return _encoder.encode({"executions": items}), faults


def decode_batch_answer(body: bytes) -> BatchExecutionResponse:
    """The answer to a batch call; raises UnreadableAnswer when the body is not a JSON object."""
    body = _bounded(body)
    try:
        return _answer_decoder.decode(body)
    except _WRONG_TYPE:
        return _tolerant_answer(body)
    except _MALFORMED as error:
        raise UnreadableAnswer(str(error)) from error


def decode_page(body: bytes) -> RemoteExecutionPage:
    """A page of the listing; raises UnreadableAnswer when it is not clear whether a row is ours.

    Reconciliation draws conclusions from absence, so a row whose id, owner, security, side, quantity or
    destination is unreadable must not be skipped.
    """
    body = _bounded(body)
    try:
        page = _page_decoder.decode(body)
    except _WRONG_TYPE:
        page = _tolerant_page(body)
    except _MALFORMED as error:
        raise UnreadableAnswer(str(error)) from error
    for row in page.content:
        if row.id is None:
            raise UnreadableAnswer("a row of the listing has no id")
        if row.quantity is not None and not row.quantity.is_finite():
            raise UnreadableAnswer(f"execution {row.id} of the listing has the quantity {row.quantity}")
    return page


def decode_row(body: bytes) -> RemoteExecutionPage:
    """One execution as a page of one; raises like `decode_page`."""
    return decode_page(b'{"content":[' + body.removeprefix(_BOM) + b"]}")


def _bounded(body: bytes) -> bytes:
    """The JSON in `body`; raises UnreadableAnswer for so many values that decoding would block the loop.

    A thread would not help: the decoder does not release the interpreter while it works.
    """
    if len(body) > _UNCOUNTED_BYTES:
        _check_values(body)
    return body.removeprefix(_BOM)


def _check_values(body: bytes) -> None:
    if body.count(b",") > MAX_VALUES:
        raise UnreadableAnswer(f"it holds more than {MAX_VALUES} values")


def error_message(body: bytes) -> str:
    """The message in an error body of any shape; empty when there is none."""
    try:
        error = _error_decoder.decode(body.removeprefix(_BOM))
    except _MALFORMED:
        text = body[:1000].decode("utf-8", "replace")
        return " ".join(text.split())
    return error.message or error.error or ""


def handler_failed(body: bytes) -> bool:
    """Whether a 500's body comes from the service's own handler and shows that its transaction was rolled back.

    With one of `TRANSACTION_WORDS` in it, the transaction may still be committed.
    """
    try:
        report = _failure_decoder.decode(body)
    except _MALFORMED:
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
    return (
        max(map(len, {*statuses, *trade_types, *destinations})) <= MAX_TEXT
        and max(map(len, security_ids)) <= MAX_SECURITY_ID
        and min(ids) > 0
        and max(ids) <= MAX_INT32
        and _PLAIN_NUMBERS.fullmatch(_encoder.encode((quantities, prices))) is not None
    )


def _item(post: ExecutionRequest) -> _Item:
    """The post with its numbers written out; raises InvalidInput for the first broken rule."""
    for name, text, limit in (
        ("executionStatus", post.execution_status, MAX_TEXT),
        ("tradeType", post.trade_type, MAX_TEXT),
        ("destination", post.destination, MAX_TEXT),
        ("securityId", post.security_id, MAX_SECURITY_ID),
    ):
        if len(text) > limit:
            raise InvalidInput.of(name, text, f"must have at most {limit} characters")
    identity = post.trade_service_execution_id
    if not 0 < identity <= MAX_INT32:
        raise InvalidInput.of("tradeServiceExecutionId", identity, f"must be a number from 1 to {MAX_INT32}")
    return _Item(
        post.execution_status,
        post.trade_type,
        post.destination,
        post.security_id,
        _number(post.quantity, "quantity"),
        _NULL if post.limit_price is None else _number(post.limit_price, "limitPrice"),
        identity,
        post.version,
    )


def _number(value: Decimal, field: str) -> msgspec.Raw:
    """The value's own digits without an exponent, and without zeros after the eighth decimal."""
    # Checked before formatting: written out, 1E+999999 would take a megabyte.
    if value.is_finite() and value > 0 and _MIN_ADJUSTED <= value.adjusted() <= _MAX_ADJUSTED:
        whole, point, decimals = format(value, "f").partition(".")
        if len(decimals) > _MAX_DECIMALS:
            decimals = decimals.rstrip("0")
        if len(decimals) <= _MAX_DECIMALS:
            return msgspec.Raw(whole + point + decimals if decimals else whole)
    raise InvalidInput.of(field, str(value), _NUMBER_RULE)


def _tolerant_answer(body: bytes) -> BatchExecutionResponse:
    """The answer to a batch call, each result as far as it is readable. Raises UnreadableAnswer."""
    fields = _object(_decode(body), "the answer")
    results = fields.get("results")
    if results is not None:
        rows = results if isinstance(results, list) else []
        results = [_result(row) for row in rows if isinstance(row, dict)]
    return _read(BatchExecutionResponse, fields, results=results)


def _result(fields: _Object) -> ExecutionResult:
    message, remote = fields.get("message"), fields.get("execution")
    if message is not None and not isinstance(message, str):
        message = str(message)
    known: dict[str, Any] = {"message": message, "execution": None}
    if isinstance(remote, dict):
        try:
            known["execution"] = _read(CreatedExecution, remote, _NAMES_IT)
        except UnreadableAnswer:
            # Keep the id if that much is readable, so that the right item becomes unclear.
            known |= {"execution": _read(CreatedExecution, remote), "status": None}
    elif remote is not None:
        known["status"] = None
    return _read(ExecutionResult, fields, **known)


def _tolerant_page(body: bytes) -> RemoteExecutionPage:
    """A page of the listing. Raises UnreadableAnswer when an identifying field of a row is unreadable."""
    fields = _object(_decode(body), "the page")
    rows, paging = fields.get("content"), fields.get("pagination")
    if not isinstance(rows, list):
        raise UnreadableAnswer("the page has no list named content")
    content = [_execution(_object(row, "a row")) for row in rows]
    return RemoteExecutionPage(content, _read(RemotePagination, paging) if isinstance(paging, dict) else None)


def _execution(fields: _Object) -> RemoteExecution:
    security = fields.get("security")
    if isinstance(security, dict):
        security = _read(Security, security, _IDENTIFIES)
    elif security is not None:
        raise UnreadableAnswer("security is not an object")
    return _read(RemoteExecution, fields, _IDENTIFIES, security=security)


def _read(kind: type[_S], fields: _Object, needed: Set[str] = frozenset(), **known: object) -> _S:
    """A struct of the `known` fields and of the others with the right type.

    Raises UnreadableAnswer if a `needed` one has the wrong type.
    """
    values = dict(known)
    for field in _fields(kind):
        value = fields.get(field.encode_name)
        if value is None or field.name in known:
            continue
        try:
            values[field.name] = msgspec.convert(value, field.type, strict=False)
        except _WRONG_TYPE as error:
            if field.name in needed:
                row = "" if fields.get("id") is None else f"execution {shorten(repr(fields['id']))}: "
                raise UnreadableAnswer(f"{row}{field.encode_name}: {error}") from error
    return kind(**values)


@cache
def _fields(kind: type[msgspec.Struct]) -> tuple[msgspec.structs.FieldInfo, ...]:
    return msgspec.structs.fields(kind)


def _decode(body: bytes) -> object:
    _check_values(body)
    try:
        return _any_decoder.decode(body)
    except _MALFORMED as error:
        raise UnreadableAnswer(str(error)) from error


def _object(value: object, name: str) -> _Object:
    if not isinstance(value, dict):
        raise UnreadableAnswer(f"{name} is not a JSON object")
    return value
