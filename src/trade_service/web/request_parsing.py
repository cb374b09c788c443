"""JSON bodies, decoded strictly: exact decimals, and errors that name field, value and rule.

A handler declares its body as any msgspec struct, and `StrictBodies` makes the DTO that decodes it:

    async def create(self, services: Services, data: JSONBody[TradeOrderPost]) -> Response[...]: ...
"""

import re
from collections.abc import Callable, Iterable, Sequence
from decimal import Decimal, InvalidOperation
from typing import Annotated, Any, ClassVar, Generic, TypeVar

import msgspec
from litestar import Request
from litestar.connection import ASGIConnection
from litestar.dto import AbstractDTO, MsgspecDTO
from litestar.exceptions.http_exceptions import RequestEntityTooLarge
from litestar.handlers import BaseRouteHandler
from litestar.plugins import SerializationPlugin
from litestar.typing import FieldDefinition

from trade_service.domain.errors import InvalidInput
from trade_service.web.body_bounds import ROOM, Room
from trade_service.web.body_errors import (
    RawJson,
    explained,
    not_json,
    place_of,
    refuse_repeated_names,
    too_deep,
)
from trade_service.web.errors import HttpCode, RequestRefused
from trade_service.web.routing import CHECKS_PARAMETERS, DOCS, HttpRequest, RouteDocs

_ID = re.compile(r"-?[0-9]{1,19}")
_INTEGER = re.compile(r"[+-]?[0-9]{1,10}", re.ASCII)
_TRUE = frozenset({"true", "1", "yes", "on"})
_FALSE = frozenset({"false", "0", "no", "off", ""})


def read_id(text: str, field: str = "id") -> int:
    """The id in a path; raises InvalidInput unless it is a 32-bit integer."""
    if _ID.fullmatch(text) and -(2**31) <= (number := int(text)) < 2**31:
        return number
    raise InvalidInput.of(field, text[:100], "must be a 32-bit integer")


def read_version(request: HttpRequest) -> int:
    """The version that a deletion names in its query; raises InvalidInput."""
    given = read_once(request, "version")
    if given is None:
        raise InvalidInput.of("version", None, "must be given in the query, as the version that was read")
    return read_id(given, "version")


def id_of(path: str, in_body: int | None) -> int:
    """The id in the path; raises InvalidInput unless the body has the same, or none."""
    in_path = read_id(path)
    if in_body is not None and in_body != in_path:
        raise InvalidInput.of("id", in_body, f"must be the id in the address, {in_path}, or left out")
    return in_path


def read_once(request: HttpRequest, name: str) -> str | None:
    """A query parameter, None when it is left out; raises InvalidInput when it is repeated."""
    given = request.query_params.getall(name, [])
    if len(given) > 1:
        raise InvalidInput.of(name, RawJson(" and ".join(map(repr, given))[:100]), "must be given once")
    return str(given[0]) if given else None


def read_count(request: HttpRequest, name: str, default: int, least: int, most: int) -> int:
    """An integer of the query within bounds, `default` when it is left out or empty; raises InvalidInput."""
    text = (read_once(request, name) or "").strip()
    return integer_in(text, name, least, most) if text else default


def integer_in(text: str, name: str, least: int, most: int) -> int:
    """`text` as an integer within bounds; raises InvalidInput."""
    if _INTEGER.fullmatch(text) and least <= (number := int(text)) <= most:
        return number
    raise InvalidInput.of(name, text[:100], f"must be an integer from {least} to {most}")


async def refuse_unknown_parameters(
    connection: ASGIConnection[Any, Any, Any, Any], handler: BaseRouteHandler
) -> None:
    """Guard: raises InvalidInput for a query parameter that the route does not declare."""
    if connection.scope["query_string"] and not handler.opt.keys() & CHECKS_PARAMETERS.keys():
        docs: RouteDocs = handler.opt.get(DOCS, RouteDocs())
        known = [one.name for one in docs.parameters if one.param_in == "query"]
        for name in connection.query_params.keys() - set(known):
            raise unknown_parameter(name, known)


def unknown_parameter(name: str, known: Sequence[str]) -> InvalidInput:
    """The error for a query parameter that an address does not know."""
    rule = f"must be one of {', '.join(known)}" if known else "must be left out, this address takes none"
    return InvalidInput.of("parameter", name[:100], rule)


def read_flag(request: HttpRequest, name: str) -> bool:
    """A true or false of the query, false when it is left out; raises InvalidInput for anything else."""
    return name in request.query_params and flag_in(read_once(request, name) or "", name)


def flag_in(given: str, name: str) -> bool:
    """`given` as true or false; raises InvalidInput."""
    text = given.strip().lower()
    if text in _TRUE:
        return True
    if text in _FALSE:
        return False
    raise InvalidInput.of(name, text[:100], "must be true or false")


LEAST, MOST = -(2**31), 2**31 - 1
_SPELLED = re.compile(r"0|-?[1-9][0-9]{0,17}", re.ASCII)
"""One spelling for each integer: no plus sign, no leading zeros, no blanks."""
_TEXT_FOR_INTEGER = re.compile(r"Expected `int[^`]*`, got `str`")


def up_to(most: int) -> str:
    """The pattern of the spellings of 1 to `most`."""
    digits = str(most)
    shorter = [rf"[1-9][0-9]{{0,{len(digits) - 2}}}"] if len(digits) > 1 else []
    same_length = [
        digits[:place] + f"[{int(place == 0)}-{int(digit) - 1}]" + f"[0-9]{{{len(digits) - place - 1}}}"
        for place, digit in enumerate(digits)
        if int(digit) > int(place == 0)
    ]
    return "|".join([*shorter, *same_length, digits])


INTEGER_TEXT = f"^(0|{up_to(MOST)}|-({up_to(-LEAST)}))$"
"""The texts that are read as an Int32, as a JSON Schema pattern."""

Int32 = Annotated[int, msgspec.Meta(ge=LEAST, le=MOST, extra_json_schema={"pattern": INTEGER_TEXT})]
"""Ids and versions: integers of the database, or their text."""


def _read_integers(value: Any, steps: Sequence[str | int]) -> int:
    """Replaces texts of integers at a place in `value`, and there in all items of the lists on the way.

    Returns how many it replaced.
    """
    step, *further = steps
    places: Iterable[Any] = ()
    if isinstance(value, list) and isinstance(step, int):
        places = range(len(value))
    elif isinstance(value, dict) and step in value:
        places = [step]
    replaced = 0
    for place in places:
        if further:
            replaced += _read_integers(value[place], further)
        elif isinstance(text := value[place], str) and _SPELLED.fullmatch(text):
            value[place] = int(text)
            replaced += 1
    return replaced


T = TypeVar("T")
Body = TypeVar("Body", bound=msgspec.Struct)

ID_SUFFIX = "_id"
"""The names of path parameters that are ids end so."""
BODY = "body"
"""Where the connection's state keeps the bytes of a body that was read."""
_JSON = re.compile(r"application/(?:[\w.+-]+\+)?json", re.IGNORECASE)


class StrictDecoder(Generic[T]):
    """Decodes bodies of one shape. Ignores unknown fields, keeps numbers exact, and reads "7" as an integer.

    Raises InvalidInput. Looking for repeated names parses the body again, ten times slower. A shape may rule them
    out with `fewest_quotes`: how many quotation marks any JSON text of its value has at least; each name adds two.
    """

    def __init__(self, shape: type[T]) -> None:
        self._shape = shape
        self._decoder = msgspec.json.Decoder(shape, float_hook=_number)

    def decode(self, body: bytes) -> T:
        try:
            if not body.isascii():
                body.decode("utf-8")
            try:
                decoded = self._decoder.decode(body)
            except msgspec.ValidationError as error:
                decoded = self._with_integers(body, error)
            fewest_quotes: Callable[[], int] | None = getattr(decoded, "fewest_quotes", None)
            if fewest_quotes is None or body.count(b'"') != fewest_quotes():
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

    def _with_integers(self, body: bytes, error: msgspec.ValidationError) -> T:
        """The body with text read as an integer wherever its shape has one; raises `error` or a later one.

        The decoder stops at the first such text: it is replaced, in all items of a list at once, and so on.
        """
        value = _ANYTHING.decode(body) if _TEXT_FOR_INTEGER.match(str(error)) else None
        while _TEXT_FOR_INTEGER.match(str(error)) and _read_integers(value, place_of(str(error))[1]):
            try:
                return msgspec.convert(value, self._shape)
            except msgspec.ValidationError as further:
                error = further
        raise error


class StrictDTO(MsgspecDTO[Body], Generic[Body]):
    """A body decoded by `StrictDecoder` into the model itself.

    Litestar's own DTOs decode into a transfer model, which loses digits of decimals.
    """

    decoder: ClassVar[StrictDecoder[Any]]

    @classmethod
    def create_for_field_definition(cls, *_: Any, **__: Any) -> None:
        """Makes the decoder in place of a transfer model."""
        cls.decoder = StrictDecoder(cls.model_type)

    def decode_bytes(self, value: bytes) -> Body:
        """The body; raises InvalidInput. Litestar calls it only for bodies that are not empty."""
        self.asgi_connection.scope["state"][BODY] = value
        body: Body = self.decoder.decode(value)
        return body


class StrictBodies(SerializationPlugin):
    """Gives every handler with `data: JSONBody[SomeStruct]` its StrictDTO."""

    def supports_type(self, field_definition: FieldDefinition) -> bool:
        return field_definition.is_subclass_of(msgspec.Struct)

    def create_dto_for_type(self, field_definition: FieldDefinition) -> type[AbstractDTO[Any]]:
        return StrictDTO.__class_getitem__(field_definition.annotation)


class StrictRequest(Request[Any, Any, Any]):
    """A request whose body must be plain JSON where the handler declares one."""

    async def body(self) -> bytes:
        """The body's bytes.

        Where the handler declares a body, raises InvalidInput for a path whose id is none, RequestRefused (415)
        for another media type or an encoding, InvalidInput for an empty body, and TooMany for more values than the
        route has room for; else as `raw_body`.
        """
        if self.route_handler.parsed_data_field is None:
            return await self.raw_body()
        for name, value in self.path_params.items():
            if name.endswith(ID_SUFFIX):  # The address comes before what is sent there.
                read_id(value)
        media_type = self.headers.get("content-type", "").partition(";")[0].strip()
        if media_type and not _JSON.fullmatch(media_type):
            rule = "must be application/json"
            raise RequestRefused.of(415, HttpCode.UNSUPPORTED_MEDIA_TYPE, "Content-Type", media_type, rule)
        encoding = self.headers.get("content-encoding", "identity").strip().lower()
        if encoding not in ("", "identity"):
            rule = "must be left out, bodies are read as they are"
            raise RequestRefused.of(415, HttpCode.UNSUPPORTED_MEDIA_TYPE, "Content-Encoding", encoding, rule)
        body = await self.raw_body()
        if not body:
            raise not_json("Input data was truncated", body)
        room: Room | None = self.route_handler.opt.get(ROOM)
        if room is not None:
            room.check(body)
        return body

    async def raw_body(self) -> bytes:
        """The bytes of a body of any kind; raises RequestRefused (413) over the route's bound."""
        try:
            return await super().body()
        except RequestEntityTooLarge:
            limit = self.route_handler.resolve_request_max_body_size()
            rule = f"must have at most {limit} bytes at this address"
            size = RawJson(self.headers.get("content-length", "more"))
            raise RequestRefused.of(413, HttpCode.BODY_TOO_LARGE, "body", size, rule) from None


def _number(text: str) -> Decimal | str:
    """A JSON number with all its digits; its text where Decimal refuses it."""
    try:
        return Decimal(text)
    except InvalidOperation:
        return text


_ANYTHING = msgspec.json.Decoder(Any, float_hook=_number)
