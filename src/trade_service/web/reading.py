"""Reading requests strictly: what is wrong is told with its field, its value and the rule."""

import re
from decimal import Decimal, InvalidOperation
from typing import Annotated, Any, Generic, TypeVar

import msgspec
from litestar import Request

from trade_service.domain.errors import InvalidInput, shorten
from trade_service.web.codes import HttpCode
from trade_service.web.errors import RequestRefused

T = TypeVar("T")

Int32 = Annotated[int, msgspec.Meta(ge=-(2**31), le=2**31 - 1)]
"""Ids and versions: the database's integers."""

_ID = re.compile(r"-?[0-9]{1,19}")
_TRUE = frozenset({"true", "1", "yes", "on"})
_FALSE = frozenset({"false", "0", "no", "off", ""})
_PLACE = re.compile(r"(?P<what>.*?)(?: - at `\$(?P<path>.*)`)?", re.DOTALL)
_STEP = re.compile(r"\.(?P<name>[^.\[\]]+)|\[(?P<index>\d+)\]")
_MISSING = re.compile(r"Object missing required field `(?P<field>[^`]+)`")
_EXPECTED = re.compile(r"Expected `(?P<types>[^`]+)`(?P<bound> [<>]=? .*)?.*", re.DOTALL)
_JSON = re.compile(r"application/(?:[\w.+-]+\+)?json", re.IGNORECASE)
_WORDS = {
    "decimal": "a number",
    "int": "an integer",
    "str": "text",
    "bool": "true or false",
    "object": "an object",
    "array": "a list",
    "null": "null",
}


class JsonReader(Generic[T]):
    """Reads bodies of one shape. Unknown fields are ignored; numbers stay exact."""

    def __init__(self, shape: type[T]) -> None:
        self._decoder = msgspec.json.Decoder(shape)

    async def read(self, request: Request[Any, Any, Any]) -> T:
        """The body of `request`; raises RequestRefused for a wrong content type, and what `decode` raises."""
        return self.decode(await body_of(request))

    def decode(self, body: bytes) -> T:
        """The body as the shape says; raises InvalidInput."""
        try:
            if not body.isascii():
                body.decode("utf-8")
            return self._decoder.decode(body)
        except msgspec.ValidationError as error:
            raise _explained(str(error), body) from None
        except UnicodeDecodeError as error:
            rule = f"must be UTF-8, and byte {error.start} is not"
            raise InvalidInput.of("body", f"0x{body[error.start]:02x}", rule) from None
        except msgspec.DecodeError as error:
            rule = f"must be valid JSON: {_lowered(str(error))}"
            raise InvalidInput.of("body", _beginning(body), rule) from None
        except RecursionError:
            rule = "must not be nested deeper than a few hundred levels"
            raise InvalidInput.of("body", _beginning(body), rule) from None
        except ValueError as error:
            # An integer of thousands of digits, which Python refuses to read.
            raise InvalidInput.of("body", _beginning(body), f"must hold sane numbers: {error}") from None


async def body_of(request: Request[Any, Any, Any]) -> bytes:
    """The body's bytes; raises RequestRefused (415) for one that says of itself that it is not plain JSON."""
    content_type = request.headers.get("content-type", "").partition(";")[0].strip()
    if content_type and not _JSON.fullmatch(content_type):
        message = f"Content-Type: must be application/json; got {shorten(content_type)!r}"
        raise RequestRefused(415, HttpCode.UNSUPPORTED_MEDIA_TYPE, message)
    encoding = request.headers.get("content-encoding", "identity").strip().lower()
    if encoding not in ("", "identity"):
        message = (
            f"Content-Encoding: must be left out, bodies are read as they are; got {shorten(encoding)!r}"
        )
        raise RequestRefused(415, HttpCode.UNSUPPORTED_MEDIA_TYPE, message)
    return await request.body()


def read_id(text: str, field: str) -> int:
    """The id in a path; raises InvalidInput unless it is a 32-bit integer."""
    if _ID.fullmatch(text) and -(2**31) <= (number := int(text)) < 2**31:
        return number
    raise InvalidInput.of(field, text[:100], "must be a 32-bit integer")


def read_flag(request: Request[Any, Any, Any], name: str) -> bool:
    """A true or false in the query, false when it is left out; raises InvalidInput for anything else."""
    text = str(request.query_params.get(name, "")).strip().lower()
    if text in _TRUE:
        return True
    if text in _FALSE:
        return False
    raise InvalidInput.of(name, text[:100], "must be true or false")


def _explained(message: str, body: bytes) -> InvalidInput:
    """What is wrong with a body, from the decoder's words and from the value at the place that they name."""
    place = _PLACE.fullmatch(message)
    what, path = (place["what"], place["path"] or "") if place else (message, "")
    steps = [match["name"] or int(match["index"]) for match in _STEP.finditer(path)]
    if missing := _MISSING.fullmatch(what):
        error = InvalidInput.of(missing["field"], None, "must be given")
    else:
        last = steps[-1] if steps else "body"
        field = last if isinstance(last, str) else "item"
        error = InvalidInput.of(field, _shown(_value_at(body, steps)), _rule(what))
    list_steps = [i for i, step in enumerate(steps) if isinstance(step, int)]
    if list_steps and list_steps[0] > 0:
        place_in_list = list_steps[0]
        error = error.at(int(steps[place_in_list]), str(steps[place_in_list - 1]))
    return error


def _rule(what: str) -> str:
    if what == "Invalid decimal string":
        return "must be a number"
    expected = _EXPECTED.fullmatch(what)
    if expected is None:
        return f"is wrong: {_lowered(what)}"
    if expected["bound"]:
        return f"must be an integer from {-(2**31)} to {2**31 - 1}"
    names = (_WORDS.get(name, name) for name in expected["types"].split(" | "))
    return f"must be {' or '.join(names)}"


def _value_at(body: bytes, steps: list[str | int]) -> object:
    value = _EXACT.decode(body)
    for step in steps:
        value = value[step]
    return value


def _shown(value: object) -> object:
    if isinstance(value, list):
        return f"a list of {len(value)}"
    if isinstance(value, dict):
        return "an object"
    if isinstance(value, str):
        return value[:100]
    return str(value) if isinstance(value, Decimal) else value


def _number(text: str) -> Decimal | str:
    try:
        return Decimal(text)
    except InvalidOperation:
        return text


_EXACT = msgspec.json.Decoder(float_hook=_number)


def _beginning(body: bytes) -> str | None:
    return body[:40].decode("utf-8", "replace") or None


def _lowered(text: str) -> str:
    return text[:1].lower() + text[1:]
