"""Reading requests strictly: what is wrong is told with its field, its value and the rule."""

import re
from decimal import Decimal, InvalidOperation
from typing import Any, Generic, Protocol, TypeVar, runtime_checkable

import msgspec
from litestar import Request
from litestar.exceptions.http_exceptions import RequestEntityTooLarge

from trade_service.domain.errors import InvalidInput
from trade_service.web.body_errors import RawJson, explained, not_json, refuse_repeated_names, too_deep
from trade_service.web.codes import HttpCode
from trade_service.web.errors import RequestRefused
from trade_service.web.integers import integers_of_texts, is_text_for_integer

T = TypeVar("T")

_ID = re.compile(r"-?[0-9]{1,19}")
_INTEGER = re.compile(r"[+-]?[0-9]{1,10}", re.ASCII)
_TRUE = frozenset({"true", "1", "yes", "on"})
_FALSE = frozenset({"false", "0", "no", "off", ""})
_JSON = re.compile(r"application/(?:[\w.+-]+\+)?json", re.IGNORECASE)


@runtime_checkable
class HasQuoteCount(Protocol):
    """A body that can tell from its quotation marks alone that it says nothing twice.

    Looking for repeated names reads a body a second time, and more slowly: ten times the time of the first.
    """

    def fewest_quotes(self) -> int:
        """How many quotation marks a text has at the least that says this; every further name adds two."""
        ...


class JsonReader(Generic[T]):
    """Reads bodies of one shape. Unknown fields are ignored; numbers stay exact; "7" is read as an integer."""

    def __init__(self, shape: type[T]) -> None:
        self.shape = shape
        self._decoder = msgspec.json.Decoder(shape, float_hook=_number)
        self._integers = integers_of_texts(shape)

    async def read(self, request: Request[Any, Any, Any]) -> T:
        """The body of `request`; raises what `body_of` and `decode` raise."""
        return self.decode(await body_of(request))

    def decode(self, body: bytes) -> T:
        """The body as the shape says; raises InvalidInput."""
        try:
            if not body.isascii():
                body.decode("utf-8")
            decoded = self._decoded(body)
            if not (isinstance(decoded, HasQuoteCount) and body.count(b'"') == decoded.fewest_quotes()):
                refuse_repeated_names(body)
            return decoded
        except msgspec.ValidationError as error:
            raise explained(str(error), body) from None
        except UnicodeDecodeError as error:
            rule = f"must be UTF-8, and byte {error.start} is not"
            raise InvalidInput.of("body", RawJson(f"0x{body[error.start]:02x}"), rule) from None
        except msgspec.DecodeError as error:
            raise not_json(str(error), body) from None
        except RecursionError:
            raise too_deep(body) from None

    def _decoded(self, body: bytes) -> T:
        try:
            return self._decoder.decode(body)
        except msgspec.ValidationError as error:
            if not is_text_for_integer(str(error)):
                raise
        return msgspec.convert(self._integers(_ANYTHING.decode(body)), self.shape)


async def body_of(request: Request[Any, Any, Any]) -> bytes:
    """The body's bytes.

    Raises RequestRefused for one that says of itself that it is not plain JSON (415) and for one that is
    larger than the server takes (413).
    """
    content_type = request.headers.get("content-type", "").partition(";")[0].strip()
    if content_type and not _JSON.fullmatch(content_type):
        rule = "must be application/json"
        raise RequestRefused.of(415, HttpCode.UNSUPPORTED_MEDIA_TYPE, "Content-Type", content_type, rule)
    encoding = request.headers.get("content-encoding", "identity").strip().lower()
    if encoding not in ("", "identity"):
        rule = "must be left out, bodies are read as they are"
        raise RequestRefused.of(415, HttpCode.UNSUPPORTED_MEDIA_TYPE, "Content-Encoding", encoding, rule)
    return await bytes_of(request)


async def bytes_of(request: Request[Any, Any, Any]) -> bytes:
    """The body's bytes, whatever they are. Raises RequestRefused for more than the server takes (413)."""
    try:
        return await request.body()
    except RequestEntityTooLarge:
        limit = request.app.request_max_body_size
        rule = f"must have at most {limit} bytes (server.max_body_bytes), so send it in parts"
        size = RawJson(request.headers.get("content-length", "more"))
        raise RequestRefused.of(413, HttpCode.BODY_TOO_LARGE, "body", size, rule) from None


def read_id(text: str, field: str) -> int:
    """The id in a path; raises InvalidInput unless it is a 32-bit integer."""
    if _ID.fullmatch(text) and -(2**31) <= (number := int(text)) < 2**31:
        return number
    raise InvalidInput.of(field, text[:100], "must be a 32-bit integer")


def read_version(request: Request[Any, Any, Any]) -> int:
    """The version in the query, which a deletion has to name; raises InvalidInput."""
    given = read_once(request, "version")
    if given is None:
        raise InvalidInput.of("version", None, "must be given in the query, as the version that was read")
    return read_id(given, "version")


def same_id(in_path: int, in_body: int | None) -> None:
    """Raises InvalidInput for a body that is of another thing than its address."""
    if in_body is not None and in_body != in_path:
        raise InvalidInput.of("id", in_body, f"must be the id in the address, {in_path}, or left out")


def read_once(request: Request[Any, Any, Any], name: str) -> str | None:
    """A parameter of the query, None when it is left out; raises InvalidInput when it is repeated."""
    given = request.query_params.getall(name, [])
    if len(given) > 1:
        raise InvalidInput.of(name, RawJson(" and ".join(map(repr, given))[:100]), "must be given once")
    return str(given[0]) if given else None


def integer_in(text: str, name: str, least: int, most: int) -> int:
    """`text` as an integer within bounds; raises InvalidInput."""
    if _INTEGER.fullmatch(text) and least <= (number := int(text)) <= most:
        return number
    raise InvalidInput.of(name, text[:100], f"must be an integer from {least} to {most}")


def read_flag(request: Request[Any, Any, Any], name: str) -> bool:
    """A true or false in the query, false when it is left out; raises InvalidInput for anything else."""
    return read_flag_text(read_once(request, name) or "", name)


def read_flag_text(given: str, name: str) -> bool:
    """The same of one text."""
    text = given.strip().lower()
    if text in _TRUE:
        return True
    if text in _FALSE:
        return False
    raise InvalidInput.of(name, text[:100], "must be true or false")


def _number(text: str) -> Decimal | str:
    """A JSON number with all its digits; its text when not even Decimal takes it."""
    try:
        return Decimal(text)
    except InvalidOperation:
        return text


_ANYTHING = msgspec.json.Decoder(Any, float_hook=_number)
