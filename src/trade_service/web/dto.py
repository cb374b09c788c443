"""JSON bodies, decoded strictly: exact decimals, and errors that name field, value and rule.

A handler declares its body as any msgspec struct, and `StrictBodies` makes the DTO that decodes it:

    async def create(self, services: Services, data: JSONBody[TradeOrderPost]) -> Response[...]: ...
"""

import re
from collections.abc import Callable
from decimal import Decimal, InvalidOperation
from functools import cached_property
from typing import Any, ClassVar, Generic, Protocol, TypeVar, runtime_checkable

import msgspec
from litestar import Request
from litestar.dto import AbstractDTO, MsgspecDTO
from litestar.exceptions.http_exceptions import RequestEntityTooLarge
from litestar.plugins import SerializationPlugin
from litestar.typing import FieldDefinition

from trade_service.domain.errors import InvalidInput
from trade_service.web.body_errors import RawJson, explained, not_json, refuse_repeated_names, too_deep
from trade_service.web.codes import HttpCode
from trade_service.web.errors import RequestRefused
from trade_service.web.integers import integers_of_texts, is_text_for_integer
from trade_service.web.request_parsing import read_id

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
