"""What routes tell of themselves beside their signatures: the description of the API is made of it.

get("/", opt=READER | tells(parameters=PAGE))(self.list_orders)
"""

from collections.abc import Mapping
from typing import Any, Self

import msgspec
from litestar.openapi.spec import OpenAPIType, Parameter, Schema

from trade_service.domain.instants import MAX_SECONDS
from trade_service.domain.invisible import VISIBLE_TEXT
from trade_service.domain.money import MAX_INTEGER_DIGITS, MAX_TEXT, NUMERAL
from trade_service.domain.orders import ORDER_TYPES
from trade_service.web.request_parsing import JsonReader

TELLS = "tells"
"""Where a handler's options have it."""

JSON = "application/json"


class Telling(msgspec.Struct, frozen=True, kw_only=True):
    """What the signature of a handler leaves open."""

    body: JsonReader[Any] | None = None
    """What reads the body."""
    parameters: tuple[Parameter, ...] = ()
    answers: Mapping[int, Any] = {}
    """The shapes that are answered by status; empty where the handler's signature says it."""
    errors: tuple[int, ...] = ()
    """Statuses of errors beside those that every such route has."""
    headers: tuple[str, ...] = ()
    """Headers of answers that are no errors."""
    media_type: str = JSON
    refusal: Any = None
    """The shape of errors that are told in an envelope of the route's own."""

    def __deepcopy__(self, memo: dict[int, object]) -> Self:
        return self


def tells(**told: Any) -> dict[str, Telling]:
    """The options of a handler that tell `Telling(**told)`."""
    return {TELLS: Telling(**told)}


def decimals(**bound: int) -> list[dict[str, Any]]:
    """What bodies may hold where a decimal(18,8) is meant."""
    number = {"type": "number", "exclusiveMaximum": 10**MAX_INTEGER_DIGITS, **bound}
    return [number, {"type": "string", "pattern": f"^{NUMERAL}$", "maxLength": MAX_TEXT}]


def text(most: int) -> msgspec.Meta:
    """A text that is not blank; the domain refuses others in its own words."""
    return msgspec.Meta(extra_json_schema={"pattern": r"\S", "maxLength": most})


def identifier(most: int) -> msgspec.Meta:
    """The same without characters that nobody sees."""
    return msgspec.Meta(extra_json_schema={"pattern": VISIBLE_TEXT, "maxLength": most})


def order_type() -> msgspec.Meta:
    """A known order type, in any case and with blanks around it."""
    names = ("".join(f"[{letter}{letter.lower()}]" for letter in name) for name in sorted(ORDER_TYPES))
    return msgspec.Meta(extra_json_schema={"pattern": rf"^\s*({'|'.join(names)})\s*$"})


def items(most: int) -> msgspec.Meta:
    """A list that is not empty; the domain refuses others in its own words."""
    return msgspec.Meta(extra_json_schema={"minItems": 1, "maxItems": most})


def one_of(*values: str) -> msgspec.Meta:
    """A text that is one of these."""
    return msgspec.Meta(extra_json_schema={"enum": list(values)})


INSTANTS: list[dict[str, Any]] = [
    {"type": "string", "format": "date-time"},
    {"type": "number", "minimum": 0, "maximum": MAX_SECONDS, "description": "Seconds since 1970."},
]
"""What bodies may hold where a moment is meant."""


def integer(least: int, most: int) -> Schema:
    """The schema of an integer with bounds."""
    return Schema(type=OpenAPIType.INTEGER, minimum=least, maximum=most)


ID = integer(-(2**31), 2**31 - 1)
"""The schema of the database's integers."""


def query(name: str, description: str, schema: Schema, *, required: bool = False) -> Parameter:
    """A parameter of the query. One that may be left out may be empty: forms send what was not filled in."""
    return Parameter(
        name,
        "query",
        description=description,
        schema=schema,
        required=required,
        allow_empty_value=not required,
    )


def header(name: str, description: str, schema: Schema) -> Parameter:
    """A header that may be given."""
    return Parameter(name, "header", description=description, schema=schema, required=False)


VERSION = query("version", "The version that was read: another one is refused with 409.", ID, required=True)
NO_SEND = query(
    "noExecuteSubmit",
    "The execution is only written, not sent.",
    Schema(type=OpenAPIType.BOOLEAN, default=False),
)
