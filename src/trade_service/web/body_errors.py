"""Errors of JSON bodies, with field, value and rule.

The decoder reports what it expected and where; the value is then found in the body.
"""

import json
import re
from collections.abc import Callable
from typing import Any

from trade_service.domain.errors import InvalidInput, shorten

_PLACE = re.compile(r"(?P<what>.*?)(?: - at `\$(?P<path>.*)`)?", re.DOTALL)
_STEP = re.compile(r"\.(?P<name>[^.\[\]]+)|\[(?P<index>\d+)\]")
_SOME_NAME = "[...]"
"""The decoder's step into an object without fixed names: it does not say which name."""
_MISSING = re.compile(r"Object missing required field `(?P<field>[^`]+)`")
_UNKNOWN = re.compile(r"Object contains unknown field `(?P<field>.+)`", re.DOTALL)
_EXPECTED = re.compile(r"Expected `(?P<types>[^`]+)`(?P<bound> [<>]=? .*)?.*", re.DOTALL)
_ACRONYM = re.compile(r"[A-Z]{2}")
_WORDS = {
    "int": "an integer",
    "str": "text",
    "bool": "true or false",
    "object": "an object",
    "array": "a list",
    "null": "null",
}
_OUT_OF_RANGE = "Integer value out of range"
"""The decoder's message for integers of thousands of digits, in fields of any type."""


class RawJson(str):
    """A value shown as it was in the body, without Python's quotes."""

    __slots__ = ()

    def __repr__(self) -> str:
        return str(self)


def place_of(message: str) -> tuple[str, list[str | int]]:
    """What the decoder's message says, and the names and indices that lead to where it was found, or near it."""
    place = _PLACE.fullmatch(message)
    what, path = (place["what"], place["path"] or "") if place else (message, "")
    known, _, _ = path.partition(_SOME_NAME)
    return what, [match["name"] or int(match["index"]) for match in _STEP.finditer(known)]


def explained(message: str, body: bytes) -> InvalidInput:
    """The error for a body of the wrong shape, from the decoder's message.

    The decoder stops at the first fault; a body that is not JSON at all behind it is reported as that.
    """
    what, steps = place_of(message)
    if missing := _MISSING.fullmatch(what):
        error = InvalidInput.of(missing["field"], None, "must be given")
    elif (unknown := _UNKNOWN.fullmatch(what)) and not steps:
        error = InvalidInput.of(shorten(unknown["field"]), RawJson("an unknown name"), "must be left out")
    else:
        last = steps[-1] if steps else "body"
        field = last if isinstance(last, str) else "item"
        error = InvalidInput.of(field, _value_at(body, steps), _rule(what))
    list_steps = [i for i, step in enumerate(steps) if isinstance(step, int)]
    if list_steps and list_steps[0] > 0:
        place_in_list = list_steps[0]
        error = error.at(int(steps[place_in_list]), str(steps[place_in_list - 1]))
    return error


def not_json(message: str, body: bytes) -> InvalidInput:
    """The error for a body that is not JSON."""
    reason = message if _ACRONYM.match(message) else message[:1].lower() + message[1:]
    return InvalidInput.of("body", _beginning(body), f"must be valid JSON: {reason}")


def too_deep(body: bytes) -> InvalidInput:
    """The error for a body that is nested too deeply."""
    rule = "must not be nested deeper than a few hundred levels"
    return InvalidInput.of("body", _beginning(body), rule)


def refuse_repeated_names(body: bytes) -> None:
    """Raises InvalidInput when an object of the body has the same name twice.

    Parsers differ on which of the two counts (RFC 8259, section 4), so a proxy that checked or signed such a
    request may have read another quantity than the one to be traded.

    The values are not built: clients send unknown members of any size.
    """
    try:
        _parsed(body, hook=_check_names, number=bool)
    except _Repeated:
        _parsed(body)


def shown(value: object) -> object:
    """A value of a body as an error shows it: short, and in terms of JSON."""
    if isinstance(value, list):
        return RawJson(f"a list of {len(value)}")
    if isinstance(value, dict):
        return RawJson("an object")
    if value is None or isinstance(value, bool):
        return RawJson(json.dumps(value))
    # Half of a surrogate pair is valid JSON, but cannot be encoded in the response.
    text = str(value)[:100].encode("utf-8", "replace").decode("utf-8")
    return text if isinstance(value, str) and not isinstance(value, RawJson) else RawJson(text)


class _Repeated(Exception):
    """An object has a name twice."""


def _check_names(pairs: list[tuple[str, Any]]) -> None:
    if len(dict(pairs)) < len(pairs):
        raise _Repeated


def _unrepeated(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        seen: dict[str, Any] = {}
        for name, value in pairs:
            if name in seen:
                both = f"{shown(seen[name])!r} and {shown(value)!r}"
                field = shorten(str(shown(name)))
                raise InvalidInput.of(field, RawJson(both), "must be given once in an object")
            seen[name] = value
    return found


def _parsed(
    body: bytes,
    *,
    hook: Callable[[list[tuple[str, Any]]], Any] = _unrepeated,
    number: Callable[[str], Any] = RawJson,
) -> Any:
    try:
        return json.loads(body, object_pairs_hook=hook, parse_int=number, parse_float=number)
    except RecursionError:
        raise too_deep(body) from None
    except ValueError as error:
        raise not_json(str(error), body) from None


def _value_at(body: bytes, steps: list[str | int]) -> object:
    value = _parsed(body)
    for step in steps:
        value = value[step]
    return shown(value)


def _rule(what: str) -> str:
    if what == _OUT_OF_RANGE:
        return "must be a number of a sane size"
    expected = _EXPECTED.fullmatch(what)
    if expected is None:
        return f"is wrong: {what[:1].lower()}{what[1:]}"
    if expected["bound"]:
        return f"must be an integer from {-(2**31)} to {2**31 - 1}"
    names = (_WORDS.get(name, name) for name in expected["types"].split(" | "))
    return f"must be {' or '.join(names)}"


def _beginning(body: bytes) -> str | None:
    return body[:40].decode("utf-8", "replace") or None
