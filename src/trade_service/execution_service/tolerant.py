"""The slow, tolerant reading of an answer that breaks a type somewhere.

A field of the wrong type reads as absent when nothing is decided by it. Where something is decided by
it, a result loses its status, which makes its item unclear and no other; a row of a listing makes the
whole page unreadable, since a look-up concludes from what a page does not show.
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
"""What a look-up goes by, beside the ids (`submission.look_up.agrees`)."""

WRONG_TYPE = (msgspec.ValidationError, InvalidOperation)
"""What decoding raises for a field that is not what it should be: a number may be beyond any decimal."""


def _number(text: str) -> object:
    """The exact number; for one that no decimal can hold, something that is no number."""
    try:
        return Decimal(text)
    except InvalidOperation:
        return [text]


_any_decoder = msgspec.json.Decoder(float_hook=_number)
_S = TypeVar("_S", bound=msgspec.Struct)
_Object = Mapping[str, Any]


class UnreadableAnswer(Exception):
    """A body that is not the message it should be; says why."""


def read_batch_answer(body: bytes) -> BatchExecutionResponse:
    """The answer of a batch call, each result as far as it can be read. Raises UnreadableAnswer."""
    fields = _object(_decode(body), "the answer")
    answer = _read(BatchExecutionResponse, fields, frozenset(), skip=frozenset({"results"}))
    results = fields.get("results")
    if results is None:
        return answer
    rows = results if isinstance(results, list) else []
    read = [_result(row) for row in rows if isinstance(row, dict)]
    return msgspec.structs.replace(answer, results=read)


def read_page(body: bytes) -> RemoteExecutionPage:
    """A page of the listing. Raises UnreadableAnswer when what identifies a row cannot be read."""
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
            # Keep whom it names, if that much can be read, so that the right item becomes unclear.
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
        raise UnreadableAnswer("security is no object")
    return execution


def _read(kind: type[_S], fields: _Object, needed: frozenset[str], skip: frozenset[str] = frozenset()) -> _S:
    """A struct of those fields that have their type; raises UnreadableAnswer for a `needed` one."""
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
        raise UnreadableAnswer(f"{name} is no JSON object")
    return value
