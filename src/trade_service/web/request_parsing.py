"""JSON bodies, decoded strictly: exact decimals, and errors that name field, value and rule.

A handler declares its body as any msgspec struct, and `StrictBodies` makes the DTO that decodes it:

    async def create(self, services: Services, data: JSONBody[TradeOrderPost]) -> Response[...]: ...
"""

import re
from collections.abc import Callable, Mapping
from decimal import Decimal, InvalidOperation
from functools import cached_property
from typing import Annotated, Any, ClassVar, Generic, Protocol, TypeVar, runtime_checkable

import msgspec
from litestar import Request
from litestar.dto import AbstractDTO, MsgspecDTO
from litestar.exceptions.http_exceptions import RequestEntityTooLarge
from litestar.plugins import SerializationPlugin
from litestar.typing import FieldDefinition
from msgspec import inspect

from trade_service.domain.errors import InvalidInput
from trade_service.web.body_errors import RawJson, explained, not_json, refuse_repeated_names, too_deep
from trade_service.web.errors import HttpCode, RequestRefused

_ID = re.compile(r"-?[0-9]{1,19}")
_INTEGER = re.compile(r"[+-]?[0-9]{1,10}", re.ASCII)
_TRUE = frozenset({"true", "1", "yes", "on"})
_FALSE = frozenset({"false", "0", "no", "off", ""})


def read_id(text: str, field: str = "id") -> int:
    """The id in a path; raises InvalidInput unless it is a 32-bit integer."""
    if _ID.fullmatch(text) and -(2**31) <= (number := int(text)) < 2**31:
        return number
    raise InvalidInput.of(field, text[:100], "must be a 32-bit integer")


def read_version(request: Request[Any, Any, Any]) -> int:
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


def read_once(request: Request[Any, Any, Any], name: str) -> str | None:
    """A query parameter, None when it is left out; raises InvalidInput when it is repeated."""
    given = request.query_params.getall(name, [])
    if len(given) > 1:
        raise InvalidInput.of(name, RawJson(" and ".join(map(repr, given))[:100]), "must be given once")
    return str(given[0]) if given else None


def read_count(request: Request[Any, Any, Any], name: str, default: int, least: int, most: int) -> int:
    """An integer of the query within bounds, `default` when it is left out or empty; raises InvalidInput."""
    text = (read_once(request, name) or "").strip()
    return integer_in(text, name, least, most) if text else default


def integer_in(text: str, name: str, least: int, most: int) -> int:
    """`text` as an integer within bounds; raises InvalidInput."""
    if _INTEGER.fullmatch(text) and least <= (number := int(text)) <= most:
        return number
    raise InvalidInput.of(name, text[:100], f"must be an integer from {least} to {most}")


def read_flag(request: Request[Any, Any, Any], name: str) -> bool:
    """A true or false of the query, false when it is left out; raises InvalidInput for anything else."""
    return flag_in(read_once(request, name) or "", name)


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
_INSTEAD_OF_INTEGER = re.compile(r"Expected `int[^`]*`, got `str`")

Reader = Callable[[Any], Any]
"""Returns a decoded value with integers in place of texts."""


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


def integers_of_texts(shape: Any) -> Reader:
    """Returns the converter of decoded bodies of that shape."""
    return _reader(inspect.type_info(shape)) or _unchanged


def is_text_for_integer(message: str) -> bool:
    """Whether msgspec's `message` reports text in place of an integer."""
    return _INSTEAD_OF_INTEGER.match(message) is not None


def _unchanged(value: Any) -> Any:
    return value


def _integer(value: Any) -> Any:
    return int(value) if isinstance(value, str) and _SPELLED.fullmatch(value) else value


def _reader(of: inspect.Type) -> Reader | None:
    """The converter of a type; None when it holds no integers."""
    match of:
        case inspect.Metadata():
            return _reader(of.type)
        case inspect.IntType():
            return _integer
        case inspect.ListType():
            return _of_list(_reader(of.item_type))
        case inspect.StructType():
            readers = {field.encode_name: _reader(field.type) for field in of.fields}
            return _of_object({name: reader for name, reader in readers.items() if reader is not None})
        case inspect.UnionType():
            readers_of_types = [reader for one in of.types if (reader := _reader(one)) is not None]
            takes_text = any(isinstance(one, inspect.StrType) for one in of.types)
            return readers_of_types[0] if len(readers_of_types) == 1 and not takes_text else None
        case _:
            return None


def _of_list(reader: Reader | None) -> Reader | None:
    if reader is None:
        return None
    return lambda value: [reader(one) for one in value] if isinstance(value, list) else value


def _of_object(readers: Mapping[str, Reader]) -> Reader | None:
    if not readers:
        return None

    def read(value: Any) -> Any:
        if not isinstance(value, dict):
            return value
        return {name: readers[name](one) if name in readers else one for name, one in value.items()}

    return read


T = TypeVar("T")
Body = TypeVar("Body", bound=msgspec.Struct)

ID_SUFFIX = "_id"
"""The names of path parameters that are ids end so."""
BODY = "body"
"""Where the connection's state keeps the bytes of a body that was read."""
_JSON = re.compile(r"application/(?:[\w.+-]+\+)?json", re.IGNORECASE)


@runtime_checkable
class HasQuoteCount(Protocol):
    """A body that can rule out repeated names by counting its quotation marks.

    Searching for repeated names parses the body a second time, ten times slower than the first.
    """

    def fewest_quotes(self) -> int:
        """How many quotation marks a JSON text of this value has at least; every further name adds two."""
        ...


class StrictDecoder(Generic[T]):
    """Decodes bodies of one shape. Ignores unknown fields, keeps numbers exact, and reads "7" as an integer."""

    def __init__(self, shape: type[T]) -> None:
        self._shape = shape
        self._decoder = msgspec.json.Decoder(shape, float_hook=_number)

    def decode(self, body: bytes) -> T:
        """The body as the shape; raises InvalidInput."""
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
        return msgspec.convert(self._with_integers(_ANYTHING.decode(body)), self._shape)

    @cached_property
    def _with_integers(self) -> Callable[[Any], Any]:
        """Made at the first body that needs it: inspecting all shapes would delay the start."""
        return integers_of_texts(self._shape)


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
        """Whether it is a struct."""
        return field_definition.is_subclass_of(msgspec.Struct)

    def create_dto_for_type(self, field_definition: FieldDefinition) -> type[AbstractDTO[Any]]:
        """The DTO of one handler's body."""
        return StrictDTO.__class_getitem__(field_definition.annotation)


class StrictRequest(Request[Any, Any, Any]):
    """A request whose body must be plain JSON where the handler declares one."""

    async def body(self) -> bytes:
        """The body's bytes.

        Where the handler declares a body, raises InvalidInput for a path whose id is none, RequestRefused (415)
        for another media type or an encoding, and InvalidInput for an empty body; else as `raw_body`.
        """
        if self.route_handler.parsed_data_field is None:
            return await self.raw_body()
        for name, value in self.path_params.items():
            if name.endswith(ID_SUFFIX):  # The address comes before what is sent there.
                read_id(value)
        self._check_media_type()
        body = await self.raw_body()
        if not body:
            raise not_json("Input data was truncated", body)
        return body

    async def raw_body(self) -> bytes:
        """The bytes of a body of any kind; raises RequestRefused (413) over the size limit."""
        try:
            return await super().body()
        except RequestEntityTooLarge:
            limit = self.app.request_max_body_size
            rule = f"must have at most {limit} bytes (server.max_body_bytes), so send it in parts"
            size = RawJson(self.headers.get("content-length", "more"))
            raise RequestRefused.of(413, HttpCode.BODY_TOO_LARGE, "body", size, rule) from None

    def _check_media_type(self) -> None:
        media_type = self.headers.get("content-type", "").partition(";")[0].strip()
        if media_type and not _JSON.fullmatch(media_type):
            rule = "must be application/json"
            raise RequestRefused.of(415, HttpCode.UNSUPPORTED_MEDIA_TYPE, "Content-Type", media_type, rule)
        encoding = self.headers.get("content-encoding", "identity").strip().lower()
        if encoding not in ("", "identity"):
            rule = "must be left out, bodies are read as they are"
            raise RequestRefused.of(415, HttpCode.UNSUPPORTED_MEDIA_TYPE, "Content-Encoding", encoding, rule)


def _number(text: str) -> Decimal | str:
    """A JSON number with all its digits; its text where Decimal refuses it."""
    try:
        return Decimal(text)
    except InvalidOperation:
        return text


_ANYTHING = msgspec.json.Decoder(Any, float_hook=_number)
