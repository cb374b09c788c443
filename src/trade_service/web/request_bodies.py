"""JSON bodies: how they are decoded, strictly and with exact decimals, and those of orders and executions.

A handler declares its body as any msgspec struct, and `StrictBodies` makes the DTO that decodes it:

    async def create(self, services: Services, data: JSONBody[TradeOrderPost]) -> Response[...]: ...
"""

import re
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import Annotated, Any, ClassVar, Generic, TypeVar

import msgspec
from litestar import Request
from litestar.dto import AbstractDTO, MsgspecDTO
from litestar.exceptions.http_exceptions import RequestEntityTooLarge
from litestar.plugins import SerializationPlugin
from litestar.typing import FieldDefinition

from trade_service.domain.errors import InvalidInput
from trade_service.domain.execution_changes import ExecutionValues
from trade_service.domain.fields import TIMESTAMP_RULE, moment_of_seconds, moment_of_text, parse_decimal
from trade_service.domain.orders import MAX_ID_CHARS, MAX_SUBMISSIONS, NewTradeOrder, Submission
from trade_service.trading.trade_orders import MAX_ORDERS
from trade_service.web.body_bounds import ROOM, Room
from trade_service.web.body_errors import (
    RawJson,
    explained,
    not_json,
    place_of,
    refuse_repeated_names,
    shown,
    too_deep,
)
from trade_service.web.errors import HttpCode, RequestRefused
from trade_service.web.openapi.schemas import INSTANTS, Int32, decimals, identifier, items, order_type, text
from trade_service.web.parameters import read_id

_SPELLED = re.compile(r"0|-?[1-9][0-9]{0,17}", re.ASCII)
"""One spelling for each integer: no plus sign, no leading zeros, no blanks."""
_TEXT_FOR_INTEGER = re.compile(r"Expected `int[^`]*`, got `str`")

T = TypeVar("T")
Body = TypeVar("Body", bound=msgspec.Struct)

ID_SUFFIX = "_id"
"""The names of path parameters that are ids end so."""
BODY = "body"
"""Where the connection's state keeps the bytes of a body that was read."""
_JSON = re.compile(r"application/(?:[\w.+-]+\+)?json", re.IGNORECASE)


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


Number = Annotated[Any, msgspec.Meta(extra_json_schema={"anyOf": decimals(minimum=0)})]
"""A number or a numeric string, read by `exact`: msgspec's own Decimal also accepts `1_000` and digits of other
scripts."""
Positive = Annotated[Any, msgspec.Meta(extra_json_schema={"anyOf": decimals(exclusiveMinimum=0)})]
OptionalNumber = Annotated[
    Any, msgspec.Meta(extra_json_schema={"anyOf": [*decimals(minimum=0), {"type": "null"}]})
]
OptionalPositive = Annotated[
    Any, msgspec.Meta(extra_json_schema={"anyOf": [*decimals(exclusiveMinimum=0), {"type": "null"}]})
]
Identity = Annotated[str, identifier(MAX_ID_CHARS)]
Instant = Annotated[Any, msgspec.Meta(extra_json_schema={"anyOf": INSTANTS})]
"""ISO 8601 text, or a number of seconds since 1970; read by `instant`."""
OptionalInstant = Annotated[Any, msgspec.Meta(extra_json_schema={"anyOf": [*INSTANTS, {"type": "null"}]})]


class TradeOrderPost(msgspec.Struct, rename="camel"):
    """A trade order to create."""

    order_id: Int32
    portfolio_id: Identity
    order_type: Annotated[str, order_type()]
    security_id: Identity
    quantity: Positive
    limit_price: OptionalPositive = None
    trade_timestamp: OptionalInstant = None
    blotter_id: Int32 | None = None

    def to_domain(self) -> NewTradeOrder:
        """The order; raises InvalidInput for a decimal or timestamp that cannot be stored exactly."""
        return NewTradeOrder(
            order_id=self.order_id,
            portfolio_id=self.portfolio_id,
            order_type=self.order_type,
            security_id=self.security_id,
            quantity=exact(self.quantity, "quantity"),
            limit_price=exact_or_none(self.limit_price, "limitPrice"),
            trade_timestamp=instant_or_none(self.trade_timestamp, "tradeTimestamp"),
            blotter_id=self.blotter_id,
        )


class TradeOrderBulkPost(msgspec.Struct, rename="camel"):
    """Trade orders to create, all or none."""

    trade_orders: Annotated[list[TradeOrderPost], items(MAX_ORDERS)]

    def to_domain(self) -> list[NewTradeOrder]:
        """The orders; raises InvalidInput with the index of the one at fault."""
        orders = []
        for index, order in enumerate(self.trade_orders):
            try:
                orders.append(order.to_domain())
            except InvalidInput as error:
                raise error.at(index, "tradeOrders") from None
        return orders


class LooseBulk(msgspec.Struct, rename="camel"):
    """The same, decoded only to count its orders."""

    trade_orders: list[msgspec.Raw] = []


class TradeOrderSubmit(msgspec.Struct, rename="camel"):
    """The part of a trade order to send."""

    quantity: Positive
    destination_id: Int32

    def fewest_quotes(self) -> int:
        """Two around each name, and two around a quantity that is text."""
        return 2 * (len(self.__struct_fields__) + isinstance(self.quantity, str))

    def to_domain(self, trade_order_id: int) -> Submission:
        """The submission; raises InvalidInput for a quantity that cannot be stored exactly."""
        return Submission(trade_order_id, exact(self.quantity, "quantity"), self.destination_id)


class BatchSubmission(msgspec.Struct, rename="camel", gc=False):
    """One submission of a batch."""

    trade_order_id: Int32
    quantity: Positive
    destination_id: Int32


class BatchSubmit(msgspec.Struct, rename="camel"):
    """Parts of up to 100 trade orders to send."""

    submissions: Annotated[list[BatchSubmission], items(MAX_SUBMISSIONS)]

    def fewest_quotes(self) -> int:
        """Two around each name, and two around each quantity that is text."""
        texts = sum(isinstance(one.quantity, str) for one in self.submissions)
        names = len(self.__struct_fields__) + len(BatchSubmission.__struct_fields__) * len(self.submissions)
        return 2 * (names + texts)

    def to_domain(self) -> list[Submission]:
        """The submissions; raises InvalidInput with the index of the one at fault."""
        submissions = []
        for index, one in enumerate(self.submissions):
            try:
                quantity = exact(one.quantity, "quantity")
            except InvalidInput as error:
                raise error.at(index, "submissions") from None
            submissions.append(Submission(one.trade_order_id, quantity, one.destination_id))
        return submissions


class TradeOrderPut(TradeOrderPost, kw_only=True):
    """A trade order after a change; clients do not change what was sent of it."""

    version: Int32
    id: Int32 | None = None


class ExecutionPost(msgspec.Struct, rename="camel", kw_only=True):
    """An execution to create."""

    execution_status_id: Int32
    trade_order_id: Int32
    destination_id: Int32
    quantity_ordered: Positive
    quantity_placed: OptionalNumber = None
    quantity_filled: OptionalNumber = None
    limit_price: OptionalPositive = None
    blotter_id: Int32 | None = None
    trade_type_id: Int32 | None = None
    execution_service_id: Int32 | None = None
    execution_timestamp: OptionalInstant = None

    def to_domain(self) -> ExecutionValues:
        """The values; raises InvalidInput for a decimal or timestamp that cannot be stored exactly."""
        return ExecutionValues(
            execution_status_id=self.execution_status_id,
            trade_order_id=self.trade_order_id,
            destination_id=self.destination_id,
            quantity_ordered=exact(self.quantity_ordered, "quantityOrdered"),
            quantity_placed=exact_or_none(self.quantity_placed, "quantityPlaced"),
            quantity_filled=exact_or_none(self.quantity_filled, "quantityFilled"),
            limit_price=exact_or_none(self.limit_price, "limitPrice"),
            blotter_id=self.blotter_id,
            trade_type_id=self.trade_type_id,
            execution_service_id=self.execution_service_id,
            execution_timestamp=instant_or_none(self.execution_timestamp, "executionTimestamp"),
        )


class ExecutionPut(ExecutionPost, kw_only=True):
    """An execution after a change."""

    version: Int32
    id: Int32 | None = None


class FillPut(msgspec.Struct, rename="camel"):
    """A fill report of the Execution Service."""

    execution_status: Annotated[str, text(20)]
    quantity_filled: Number
    version: Int32


def exact(number: Number, field: str) -> Decimal:
    """`number`, if it fits decimal(18,8); raises InvalidInput. A zero is plain, whatever its exponent was."""
    if number is None or isinstance(number, bool | list | dict):
        raise InvalidInput.of(field, shown(number), "must be a number")
    return parse_decimal(number, field)


def exact_or_none(number: Number, field: str) -> Decimal | None:
    """The same for an optional number."""
    return None if number is None else exact(number, field)


def instant_or_none(given: OptionalInstant, field: str) -> datetime | None:
    """As `instant` for an optional timestamp."""
    return None if given is None else instant(given, field)


def instant(given: Instant, field: str) -> datetime:
    """The moment that ISO 8601 text or a number of seconds since 1970 names, in UTC; raises InvalidInput."""
    if isinstance(given, str):
        return moment_of_text(given, field)
    if given is None or isinstance(given, bool | list | dict):
        raise InvalidInput.of(field, shown(given), TIMESTAMP_RULE)
    return moment_of_seconds(given, field)
