"""Tolerant decoding of an answer in which some field has the wrong type.

Such a field reads as absent unless a decision depends on it. If one does, a result loses its status, which makes
its own item unclear; a row of a listing makes the whole page unreadable, since reconciliation draws conclusions
from what a page does not contain.
"""

from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from functools import cache
from typing import Any, TypeVar

import msgspec

from trade_service.submission.messages import (
    BatchExecutionResponse,
    ExecutionResult,
    RemoteExecution,
    RemoteExecutionPage,
    RemotePagination,
    Security,
)

MALFORMED = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
"""What decoding raises for a body that is no JSON; RecursionError for one nested too deeply."""

_NAMES_IT = frozenset({"id", "trade_service_execution_id"})
_IDENTIFIES = _NAMES_IT | {"security", "security_id", "trade_type", "quantity", "destination"}
"""Fields by which reconciliation matches a row, beside its ids."""

WRONG_TYPE = (msgspec.ValidationError, InvalidOperation)
"""Errors of decoding a field of the wrong type; a number may be too large for any decimal."""


def _number(text: str) -> object:
    """The exact number; a list for one that no decimal can hold, which fails the type check."""
    try:
        return Decimal(text)
    except InvalidOperation:
        return [text]


_any_decoder = msgspec.json.Decoder(float_hook=_number)
_S = TypeVar("_S", bound=msgspec.Struct)
_Object = Mapping[str, Any]


class UnreadableAnswer(Exception):
    """A body is not the expected message; says why."""


def read_batch_answer(body: bytes) -> BatchExecutionResponse:
    """The answer to a batch call, each result as far as it is readable. Raises UnreadableAnswer."""
    fields = _object(_decode(body), "the answer")
    answer = _read(BatchExecutionResponse, fields, frozenset(), skip=frozenset({"results"}))
    results = fields.get("results")
    if results is None:
        return answer
    rows = results if isinstance(results, list) else []
    read = [_result(row) for row in rows if isinstance(row, dict)]
    return msgspec.structs.replace(answer, results=read)


def read_page(body: bytes) -> RemoteExecutionPage:
    """A page of the listing. Raises UnreadableAnswer when an identifying field of a row is unreadable."""
    fields = _object(_decode(body), "the page")
    rows = fields.get("content")
    if not isinstance(rows, list):
        raise UnreadableAnswer("the page has no list named content")
    content = [_execution(_object(row, "a row"), _IDENTIFIES) for row in rows]
    paging = fields.get("pagination")
    pagination = _read(RemotePagination, paging, frozenset()) if isinstance(paging, dict) else None
    return RemoteExecutionPage(content, pagination)


def _result(fields: _Object) -> ExecutionResult:
    result = _read(ExecutionResult, fields, frozenset(), skip=frozenset({"execution", "message"}))
    message = fields.get("message")
    if message is not None and not isinstance(message, str):
        message = str(message)
    remote = fields.get("execution")
    if remote is None:
        return msgspec.structs.replace(result, message=message)
    if isinstance(remote, dict):
        try:
            execution = _execution(remote, _NAMES_IT)
            return msgspec.structs.replace(result, message=message, execution=execution)
        except UnreadableAnswer:
            # Keep the id if that much is readable, so that the right item becomes unclear.
            execution = _execution(remote, frozenset())
            return msgspec.structs.replace(result, message=message, execution=execution, status=None)
    return msgspec.structs.replace(result, message=message, status=None)


def _execution(fields: _Object, needed: frozenset[str]) -> RemoteExecution:
    execution = _read(RemoteExecution, fields, needed, skip=frozenset({"security"}))
    security = fields.get("security")
    if isinstance(security, dict):
        inner = needed & {"security_id"}
        return msgspec.structs.replace(execution, security=_read(Security, security, inner))
    if security is not None and "security" in needed:
        raise UnreadableAnswer("security is not an object")
    return execution


def _read(kind: type[_S], fields: _Object, needed: frozenset[str], skip: frozenset[str] = frozenset()) -> _S:
    """A struct of the fields with the right type; raises UnreadableAnswer for a `needed` one without."""
    values = {}
    for field in _fields(kind):
        value = fields.get(field.encode_name)
        if value is None or field.name in skip:
            continue
        try:
            values[field.name] = msgspec.convert(value, field.type, strict=False)
        except WRONG_TYPE as error:
            if field.name in needed:
                raise UnreadableAnswer(f"{field.encode_name}: {error}") from error
    return kind(**values)


@cache
def _fields(kind: type[msgspec.Struct]) -> tuple[msgspec.structs.FieldInfo, ...]:
    return msgspec.structs.fields(kind)


def _decode(body: bytes) -> object:
    try:
        return _any_decoder.decode(body)
    except MALFORMED as error:
        raise UnreadableAnswer(str(error)) from error


def _object(value: object, name: str) -> _Object:
    if not isinstance(value, dict):
        raise UnreadableAnswer(f"{name} is not a JSON object")
    return value
