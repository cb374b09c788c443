"""OpenAPI 3.1 of all routes: schemas from msgspec, the rest from the routes and from description.toml.

Litestar's own generator has no links and no shared responses, names path parameters as the routes do (templates
are labels of metrics and part of idempotency keys, so they stay), and describes msgspec's types differently.
"""

import inspect
import json
import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import cache, cached_property
from importlib.resources import files
from types import NoneType
from typing import Any, get_args

import msgspec
from litestar import Litestar
from litestar.enums import HttpMethod
from litestar.handlers import HTTPRouteHandler
from litestar.openapi.spec import OpenAPIType, Parameter, Schema
from litestar.openapi.spec.enums import OpenAPIFormat
from litestar.routes import HTTPRoute

from trade_service import __version__
from trade_service.domain import errors as domain
from trade_service.domain.access import Role
from trade_service.domain.executions import SubmissionState
from trade_service.submission.model import ExecutionSubmitResult, SubmitStatus
from trade_service.submission.ports import StoreUnavailable
from trade_service.trading.model import NotAccepted
from trade_service.web.access import role_of
from trade_service.web.errors import HttpCode, ProblemBody, RequestRefused, problem_body, problem_of
from trade_service.web.rendering import PROBLEM_JSON, encoded
from trade_service.web.routing import DOCS, ID, JSON, RouteDocs

_REQUEST_ID = "0f8fad5bd9cb469fa16570867728950e"


def _exhausted(code: str, message: str) -> NotAccepted:
    status, state = SubmitStatus.RETRY_EXHAUSTED, SubmissionState.EXHAUSTED
    return NotAccepted(ExecutionSubmitResult(9, status, state, code, message))


EXAMPLES_OF_ERRORS: dict[int, Exception] = {
    400: domain.InvalidInput.of("quantity", "-5", "must be greater than zero"),
    401: RequestRefused(
        401, HttpCode.NOT_AUTHENTICATED, "give a key or token: Authorization: Bearer, or X-API-Key"
    ),
    403: RequestRefused(403, HttpCode.NOT_PERMITTED, "this needs the role trader; desk has reader"),
    404: domain.NotFound.of("trade order", 7),
    408: RequestRefused(408, HttpCode.BODY_TOO_SLOW, "the body did not arrive within 30 s"),
    409: domain.VersionConflict.of("trade order", 7, 2, 3),
    413: domain.TooMany("submissions: must be at most 100; got 101, nothing was submitted"),
    415: RequestRefused.of(
        415, HttpCode.UNSUPPORTED_MEDIA_TYPE, "Content-Type", "text/plain", "must be application/json"
    ),
    422: RequestRefused.of(
        422, HttpCode.IDEMPOTENCY_KEY_REUSED, "Idempotency-Key", "k-1", "must be new for a new request"
    ),
    429: RequestRefused(429, HttpCode.TOO_MANY_REQUESTS, "more than 50 requests a second", 0.4),
    500: RuntimeError(),
    502: _exhausted("DOWNSTREAM_CONNECTION_LOST", "the connection to the Execution Service broke"),
    503: StoreUnavailable("the database is away"),
    504: _exhausted("DOWNSTREAM_READ_TIMEOUT", "the Execution Service did not answer in time"),
}
"""One error of every status."""


def error_content(status: int) -> dict[str, Any]:
    """The content of an error: its schema and an example."""
    problem = problem_of(EXAMPLES_OF_ERRORS[status], "POST", "/api/v1/tradeOrders")
    example = msgspec.json.decode(encoded(problem_body(problem, _REQUEST_ID)))
    return {"schema": {"$ref": "#/components/schemas/ProblemBody"}, "example": example}


_IN_PATH = re.compile(r"\{(\w+)\}")
_OWN_PATHS = "/schema"
_SECURITY: list[dict[str, list[str]]] = [{"bearer": []}, {"apiKey": []}]
_ID_IN_PATH = replace(ID, examples=[7])
_METHODS = ("get", "post", "put", "delete")
_SCHEMES = {
    "bearer": {"type": "http", "scheme": "bearer", "description": "An API key, or a JWT."},
    "apiKey": {"type": "apiKey", "in": "header", "name": "X-API-Key", "description": "An API key."},
}
_HEADERS_OF_ERRORS = {401: "WWW-Authenticate", 429: "Retry-After"}


@cache
def description() -> Mapping[str, Any]:
    """description.toml: tags, meanings of statuses, headers, links, and which links follow which response."""
    return tomllib.loads(files(__package__).joinpath("description.toml").read_text("utf-8"))


@cache
def examples() -> Mapping[str, Any]:
    """examples.json: an example of each of the main bodies, by the name of its shape."""
    found: Mapping[str, Any] = json.loads(files(__package__).joinpath("examples.json").read_bytes())
    return found


class Operation(msgspec.Struct, frozen=True, dict=True):
    """A route and one of its methods."""

    method: str
    template: str
    handler: HTTPRouteHandler
    docs: RouteDocs
    role: Role

    @property
    def path(self) -> str:
        """The path in public terms: an id is called id."""
        return _IN_PATH.sub(lambda found: f"{{{_public(found[1])}}}", self.template)

    @property
    def id(self) -> str:
        """Unique and stable: the method and the words of the path."""
        words = [word for word in self.path.strip("/").split("/") if word != "api"]
        names = (
            f"By{word[1:-1].title()}" if word[0] == "{" else word[0].upper() + word[1:] for word in words
        )
        return self.method + "".join(re.sub(r"\W", "", name) for name in names)

    @property
    def body(self) -> Any:
        """The shape of the request's body; None without one."""
        field = self.handler.parsed_data_field
        return None if field is None else field.annotation

    @cached_property
    def answers(self) -> Mapping[int, Any]:
        """The shapes of successful responses, by status."""
        if self.docs.answers:
            return self.docs.answers
        returned = self.handler.parsed_return_field.annotation
        return {self.handler.status_code: None if returned is NoneType else get_args(returned)[0]}

    @property
    def parameters(self) -> list[Parameter]:
        """The parameters in the path, the query and the headers."""
        in_path = (_path_parameter(name) for name in _IN_PATH.findall(self.template))
        return [*in_path, *self.docs.parameters]

    @property
    def errors(self) -> set[int]:
        """The statuses of errors."""
        errors = {500, *self.docs.errors} - self.answers.keys()
        if self.role > Role.ANYONE:
            errors |= {401, 403, 429, 503}
        if self.parameters:
            errors.add(400)
        if _IN_PATH.search(self.template):
            errors.add(404)
        if self.body is not None:
            errors |= {400, 408, 413, 415}
        return errors

    @property
    def shapes(self) -> Iterator[Any]:
        """Every shape with a schema."""
        yield from (shape for shape in (*self.answers.values(), self.body, self.docs.refusal) if shape)


def openapi_document(app: Litestar, *, secured: bool) -> dict[str, Any]:
    """The document of all routes of `app`; `secured` when callers have to authenticate."""
    operations = sorted(_operations(app), key=lambda one: (one.path, _METHODS.index(one.method)))
    schemas = Schemas(operations)
    paths: dict[str, dict[str, Any]] = {}
    for one in operations:
        paths.setdefault(one.path, {})[one.method] = _operation_object(one, schemas, secured)
    texts = description()
    components: dict[str, Any] = {
        "schemas": schemas.components,
        "responses": {f"Error{status}": _error_response(status) for status in EXAMPLES_OF_ERRORS},
        "headers": texts["headers"],
        "links": texts["links"],
    }
    if secured:
        components["securitySchemes"] = _SCHEMES
    return {
        "openapi": "3.1.0",
        "info": {"title": "Trade Service", "version": __version__, "description": texts["about"]},
        "servers": [{"url": "/"}],
        "tags": [{"name": name, "description": text} for name, text in texts["tags"].items()],
        "paths": paths,
        "components": components,
    }


class Schemas:
    """The JSON schemas of all shapes, each under one name."""

    def __init__(self, operations: list[Operation]) -> None:
        shapes = list(dict.fromkeys([ProblemBody, *(shape for one in operations for shape in one.shapes)]))
        found, components = msgspec.json.schema_components(shapes, ref_template="#/components/schemas/{name}")
        self._found = dict(zip(shapes, map(_exact, found), strict=True))
        self.components: dict[str, Any] = {name: _exact(one) for name, one in sorted(components.items())}

    def content(self, shape: Any, media_type: str = JSON) -> dict[str, Any]:
        """A body of that shape, with its example."""
        if media_type != JSON:
            return {media_type: {"schema": {"type": "string"}}}
        body: dict[str, Any] = {"schema": self._found[shape]}
        example = examples().get(getattr(shape, "__name__", ""))
        if example is not None:
            body["example"] = example
        return {media_type: body}


def _operations(app: Litestar) -> Iterator[Operation]:
    for route in app.routes:
        if not isinstance(route, HTTPRoute) or route.path.startswith(_OWN_PATHS):
            continue
        for method, (handler, _) in route.route_handler_map.items():
            role = role_of(handler, str(method))
            if method != HttpMethod.OPTIONS and role is not None:
                docs = handler.opt.get(DOCS, RouteDocs())
                yield Operation(str(method).lower(), route.path_format, handler, docs, role)


def _operation_object(one: Operation, schemas: Schemas, secured: bool) -> dict[str, Any]:
    summary, _, rest = inspect.cleandoc(one.handler.fn.__doc__ or "").partition("\n\n")
    role = f"Needs the role {one.role.title}." if one.role > Role.ANYONE else "Open to everybody."
    operation: dict[str, Any] = {
        "operationId": one.id,
        "tags": sorted(one.handler.resolve_tags()),
        "summary": " ".join(summary.split()),
        "description": "\n\n".join(text for text in (rest.strip(), role) if text),
        "parameters": [parameter.to_schema() for parameter in one.parameters],
        "responses": dict(sorted(_responses(one, schemas).items())),
    }
    if one.body is not None:
        operation["requestBody"] = {"required": True, "content": schemas.content(one.body)}
    if secured:
        operation["security"] = _SECURITY if one.role > Role.ANYONE else []
    return operation


def _responses(one: Operation, schemas: Schemas) -> dict[str, Any]:
    responses: dict[str, Any] = {}
    follow = description()["follow"].get(one.id, {})
    for status, shape in one.answers.items():
        response = responses[str(status)] = _response(status, *one.docs.headers)
        if shape is not None:
            response["content"] = schemas.content(shape, one.docs.media_type)
        if links := follow.get(str(status)):
            response["links"] = {name: {"$ref": f"#/components/links/{name}"} for name in links}
    for status in one.errors:
        if one.docs.refusal is None:
            responses[str(status)] = {"$ref": f"#/components/responses/Error{status}"}
        else:
            content = {**schemas.content(one.docs.refusal), PROBLEM_JSON: error_content(status)}
            responses[str(status)] = _response(status) | {"content": content}
    return responses


def _response(status: int, *headers: str) -> dict[str, Any]:
    names = ("X-Request-ID", *headers)
    return {
        "description": description()["meanings"][str(status)],
        "headers": {name: {"$ref": f"#/components/headers/{name}"} for name in names},
    }


def _error_response(status: int) -> dict[str, Any]:
    headers = [_HEADERS_OF_ERRORS[status]] if status in _HEADERS_OF_ERRORS else []
    return _response(status, *headers) | {"content": {PROBLEM_JSON: error_content(status)}}


def _public(name: str) -> str:
    return "id" if name.endswith("_id") else name


def _path_parameter(name: str) -> Parameter:
    schema, text = Schema(type=OpenAPIType.STRING, min_length=1), "Its name."
    if name == "submission_id":
        schema, text = Schema(type=OpenAPIType.STRING, format=OpenAPIFormat.UUID), "The id in the response."
    elif name.endswith("_id"):
        schema, text = _ID_IN_PATH, f"The id of the {name.removesuffix('_id').replace('_', ' ')}."
    return Parameter(_public(name), "path", description=text, schema=schema, required=True)


def _exact(schema: Any) -> Any:
    """The schema with decimals as numbers, as responses have them, and integers with a pattern also as text."""
    if isinstance(schema, list):
        return [_exact(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    if schema.get("format") == "decimal":
        return {"type": "number"}
    if schema.get("type") == "integer" and "pattern" in schema:
        number = {key: value for key, value in schema.items() if key != "pattern"}
        return {"anyOf": [number, {"type": "string", "pattern": schema["pattern"]}]}
    exact = {key: _exact(value) for key, value in schema.items()}
    if "anyOf" in exact:
        exact["anyOf"] = [option for one in exact["anyOf"] for option in one.get("anyOf", [one])]
    return exact
