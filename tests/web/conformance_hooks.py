"""What schemathesis is told beside schemathesis.toml."""

import uuid
from typing import Any

import schemathesis
from schemathesis.generation.meta import TestPhase

KEY = "Idempotency-Key"


@schemathesis.hook
def before_call(
    context: schemathesis.HookContext, case: schemathesis.Case[Any], kwargs: dict[str, Any]
) -> None:
    """Gives every call of a scenario a key of its own, where it has one that can be.

    A scenario is tried again with the same values. With the same key the answer would be that of the first try,
    which created what the first try has deleted since.
    """
    if case.meta is None or case.meta.phase.name != TestPhase.STATEFUL or not case.headers:
        return
    key = case.headers.get(KEY)
    if isinstance(key, str) and 0 < len(key) <= 255 and key.isascii() and key.isprintable():
        case.headers[KEY] = uuid.uuid4().hex
