"""Hooks of schemathesis, beside schemathesis.toml."""

import uuid
from typing import Any

import schemathesis
from schemathesis.generation import GenerationMode
from schemathesis.generation.meta import TestPhase

KEY = "Idempotency-Key"
SEEDED = {"destinationId": 6, "executionStatusId": 10, "tradeTypeId": 5}
"""Numbers of existing rows, by the field that refers to them."""


@schemathesis.hook
def before_call(
    context: schemathesis.HookContext, case: schemathesis.Case[Any], kwargs: dict[str, Any]
) -> None:
    """Makes a generated call acceptable, so that a scenario gets beyond its first call.

    Every call has a key already: a valid one, or one of a scenario, gets no second, made-up credential.
    """
    if case.meta is None:
        return
    is_valid = case.meta.generation.mode is GenerationMode.POSITIVE
    is_stateful = case.meta.phase.name == TestPhase.STATEFUL
    if (is_valid or is_stateful) and case.headers:
        case.headers.pop("Authorization", None)
    if not is_stateful:
        return
    _renew_key(case)
    if is_valid and isinstance(case.body, dict):
        _make_acceptable(case.body)


def _renew_key(case: schemathesis.Case[Any]) -> None:
    """Gives every call with a valid key a new one.

    A scenario is tried again with the same values. With the same key the answer would be that of the first try,
    which created what the first try has deleted since.
    """
    key = case.headers.get(KEY) if case.headers else None
    if isinstance(key, str) and 0 < len(key) <= 255 and key.isascii() and key.isprintable():
        case.headers[KEY] = uuid.uuid4().hex


def _make_acceptable(body: dict[str, Any]) -> None:
    """Applies rules that no schema states: references exist, decimals have eight places, and 7.0 is no id."""
    for name, value in body.items():
        if isinstance(value, float):
            value = body[name] = int(value) if value.is_integer() else round(value, 8)
        if name in SEEDED and isinstance(value, int) and not 0 < value <= SEEDED[name]:
            body[name] = 1
