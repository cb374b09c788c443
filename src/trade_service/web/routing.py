"""What routes are declared with: methods, and what the OpenAPI document cannot read from their signatures.

@get("/", opt=READER | documented(parameters=PAGE))
"""

from collections.abc import Mapping
from typing import Any, Self, TypeAlias, get_args, get_origin

import msgspec
from litestar import Controller, Request, Router
from litestar.openapi.spec import OpenAPIType, Parameter, Schema
from litestar.openapi.spec.enums import OpenAPIFormat
from litestar.types import Scope

DOCS = "docs"
"""The key of a handler's `opt`."""
CHECKS_PARAMETERS = {"checks_parameters": True}
"""The `opt` of a handler that itself decides about query parameters that it does not declare."""

JSON = "application/json"
HttpRequest: TypeAlias = Request[Any, Any, Any]


class RouteDocs(msgspec.Struct, frozen=True, kw_only=True):
    """What the signature of a handler leaves open."""

    parameters: tuple[Parameter, ...] = ()
    answers: Mapping[int, Any] = {}
    """Shapes of the responses by status; empty where the handler's return annotation is enough."""
    errors: tuple[int, ...] = ()
    """Statuses of errors beside those that every such route has."""
    headers: tuple[str, ...] = ()
    """Headers of responses that are no errors."""
    media_type: str = JSON
    exported: bool = False
    """Whether the list is also answered as CSV and NDJSON."""
    uploaded: bool = False
    """Whether the body is a file."""
    refusal: Any = None
    """The shape of errors where the route has an envelope of its own."""

    def __deepcopy__(self, memo: dict[int, object]) -> Self:
        return self


def documented(**docs: Any) -> dict[str, RouteDocs]:
    """The `opt` of a handler with `RouteDocs(**docs)`."""
    return {DOCS: RouteDocs(**docs)}


def with_key(opt: Mapping[str, Any], key: Parameter, replayed: str) -> dict[str, Any]:
    """The `opt` of a handler, with what an Idempotency-Key adds to its docs."""
    docs: RouteDocs = opt.get(DOCS, RouteDocs())
    keyed = msgspec.structs.replace(
        docs,
        parameters=(*docs.parameters, key),
        errors=(*docs.errors, 409, 413, 422),
        headers=(*docs.headers, replayed),
    )
    return {**opt, DOCS: keyed}


def integer(least: int, most: int) -> Schema:
    """The schema of an integer with bounds."""
    return Schema(type=OpenAPIType.INTEGER, minimum=least, maximum=most)


ID = integer(-(2**31), 2**31 - 1)
"""The schema of the database's integers."""
MOMENT = Schema(type=OpenAPIType.STRING, format=OpenAPIFormat.DATE_TIME)
CURSOR = Schema(type=OpenAPIType.STRING)


def query(name: str, description: str, schema: Schema, *, required: bool = False) -> Parameter:
    """A query parameter. An optional one may be empty: forms send fields that were not filled in."""
    return Parameter(
        name,
        "query",
        description=description,
        schema=schema,
        required=required,
        allow_empty_value=not required,
    )


def header(name: str, description: str, schema: Schema) -> Parameter:
    """An optional header."""
    return Parameter(name, "header", description=description, schema=schema, required=False)


VERSION = query("version", "The version that was read: another one is refused with 409.", ID, required=True)
NO_SEND = query(
    "noExecuteSubmit",
    "The execution is only written, not sent.",
    Schema(type=OpenAPIType.BOOLEAN, default=False),
)


class OwnRouter(Router):
    """A router of one application, not deep-copied: Litestar's copy takes a fourth of the time to build it."""

    def __deepcopy__(self, memo: dict[int, object]) -> Self:
        return self


class GenericController(Controller):
    """Handlers shared by controllers that differ in types: a subclass names them as arguments of its base.

    class Blotters(ReferenceController[NamedPost, NamedPut, Blotter]): ...
    """

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        for base in cls.__orig_bases__:  # type: ignore[attr-defined]  # every generic class has them
            origin: Any = get_origin(base)
            if origin is not None and issubclass(origin, Controller):
                # Litestar reads the values of type variables here.
                cls.signature_namespace = dict(zip(origin.__parameters__, get_args(base), strict=True))


def base_path_of(scope: Scope) -> str:
    """What precedes the service's own paths in addresses that clients use; usually empty."""
    return str(scope.get("app_root_path", ""))


def location(request: HttpRequest, path: str) -> str:
    """The value of the header Location for one of the service's own paths."""
    return f"{base_path_of(request.scope)}{path}"
