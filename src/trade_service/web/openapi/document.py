"""/schema: OpenAPI 3.1 of all routes, and a page that shows it and loads nothing from elsewhere.

Schemas come from msgspec, the rest from the routes and from description.toml. Litestar's own generator was tried
and would have to be corrected in every part: it leaves out what `extra_json_schema` says of decimals, timestamps,
texts and integers, defaults and descriptions of fields; it knows one success of each handler, no links and no
shared responses; it adds a response for validation that this service never gives; and it names path parameters as
the routes do, whose templates are labels of metrics and part of idempotency keys, so they stay.
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
from litestar import Controller, Litestar, Response
from litestar.enums import HttpMethod
from litestar.handlers import HTTPRouteHandler
from litestar.openapi.spec import OpenAPIType, Parameter, Schema
from litestar.openapi.spec.enums import OpenAPIFormat
from litestar.routes import HTTPRoute

from trade_service import __version__
from trade_service.domain.access import Role
from trade_service.web.access import ANYONE, OpenAccess, get, role_of
from trade_service.web.dependencies import Services
from trade_service.web.errors import Problem, ProblemBody, problem_body
from trade_service.web.export_forms import ExportForm
from trade_service.web.responses import PROBLEM_JSON, ApiResponse, encoded
from trade_service.web.routing import DOCS, ID, JSON, HttpRequest, RouteDocs, base_path_of

_DOCUMENT = "openapi_document"
"""Where the application's state keeps the document."""
_IN_PATH = re.compile(r"\{(\w+)\}")
_OWN_PATHS = "/schema"
_PAGES = frozenset({"/", "/console", "/console/{page}", "/console/assets/{name}"})
"""Addresses that browsers open; they are no part of the API."""
_SECURITY: list[dict[str, list[str]]] = [{"bearer": []}, {"apiKey": []}]
_FILES = (
    "text/csv",
    "application/x-ndjson",
    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    "application/vnd.oasis.opendocument.spreadsheet",
    "application/vnd.apache.parquet",
    "application/octet-stream",
)
"""The media types of uploads; others are read as well."""
_METHODS = ("get", "post", "put", "delete")
_SCHEMES = {
    "bearer": {"type": "http", "scheme": "bearer", "description": "An API key, or a JWT."},
    "apiKey": {"type": "apiKey", "in": "header", "name": "X-API-Key", "description": "An API key."},
}
_HEADERS_OF_ERRORS = {"401": ("WWW-Authenticate",), "429": ("Retry-After",)}
_REQUEST_ID = "0f8fad5bd9cb469fa16570867728950e"

PAGE_POLICY = (
    "default-src 'none'; connect-src 'self'; script-src 'self'; style-src 'self'; img-src data:; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
"""The page loads only its own script, its style and the document."""


class SchemaController(Controller):
    """The document and its page."""

    path = _OWN_PATHS
    opt = ANYONE

    @get("/openapi.json")
    async def openapi(self, request: HttpRequest, services: Services) -> Response[bytes]:
        """OpenAPI 3.1, made at the first request for it."""
        state = request.app.state
        if _DOCUMENT not in state:
            secured = not isinstance(services.authenticator, OpenAccess)
            base_path = base_path_of(request.scope)
            state[_DOCUMENT] = encoded(openapi_document(request.app, secured=secured, base_path=base_path))
        return ApiResponse(state[_DOCUMENT], media_type="application/vnd.oai.openapi+json")

    @get("/")
    async def page(self, request: HttpRequest) -> Response[bytes]:
        """The page."""
        policy = {"Content-Security-Policy": PAGE_POLICY}
        page = _file("page.html").replace(b'"/schema/', f'"{base_path_of(request.scope)}/schema/'.encode())
        return ApiResponse(page, headers=policy, media_type="text/html")

    @get("/page.js")
    async def script(self) -> Response[bytes]:
        """The page's script."""
        return ApiResponse(_file("page.js"), media_type="text/javascript")

    @get("/page.css")
    async def style(self) -> Response[bytes]:
        """The page's style."""
        return ApiResponse(_file("page.css"), media_type="text/css")


@cache
def _file(name: str) -> bytes:
    return files(__package__).joinpath(name).read_bytes()


@cache
def description() -> Mapping[str, Any]:
    """description.toml: tags, statuses, headers, errors, links, and which links follow which response."""
    return tomllib.loads(_file("description.toml").decode())


@cache
def examples() -> Mapping[str, Any]:
    """examples.json: an example of each of the main bodies, by the name of its shape."""
    found: Mapping[str, Any] = json.loads(_file("examples.json"))
    return found


class Operation(msgspec.Struct, frozen=True, dict=True):
    """A route and one of its methods."""

    method: str
    template: str
    handler: HTTPRouteHandler
    docs: RouteDocs
    role: Role

    @cached_property
    def path(self) -> str:
        """The path in public terms: an id is called id."""
        return _IN_PATH.sub(lambda found: f"{{{_public(found[1])}}}", self.template)

    @cached_property
    def id(self) -> str:
        """Unique and stable: the method and the words of the path."""
        words = [word for word in self.path.strip("/").split("/") if word != "api"]
        names = (
            f"By{word[1:-1].title()}" if word[0] == "{" else word[0].upper() + word[1:] for word in words
        )
        return self.method + "".join(re.sub(r"\W", "", name) for name in names)

    @cached_property
    def body(self) -> Any:
        field = self.handler.parsed_data_field
        return None if field is None else field.annotation

    @cached_property
    def answers(self) -> Mapping[int, Any]:
        if self.docs.answers:
            return self.docs.answers
        returned = self.handler.parsed_return_field.annotation
        return {self.handler.status_code: None if returned is NoneType else get_args(returned)[0]}

    @cached_property
    def parameters(self) -> list[Parameter]:
        in_path = (_path_parameter(name) for name in _IN_PATH.findall(self.template))
        return [*in_path, *self.docs.parameters]

    @property
    def errors(self) -> set[int]:
        errors = {500, *self.docs.errors} - self.answers.keys()
        if self.role > Role.ANYONE:
            errors |= {401, 403, 421, 429, 503}
        if self.parameters:
            errors.add(400)
        if _IN_PATH.search(self.template):
            errors.add(404)
        if self.body is not None or self.docs.uploaded:
            errors |= {400, 408, 413, 415}
        return errors


def openapi_document(app: Litestar, *, secured: bool, base_path: str = "") -> dict[str, Any]:
    """The document of all routes of `app`, below `base_path`; `secured` when callers have to authenticate."""
    operations = sorted(_operations(app), key=lambda one: (one.path, _METHODS.index(one.method)))
    schemas = Schemas(operations)
    paths: dict[str, dict[str, Any]] = {}
    for one in operations:
        paths.setdefault(one.path, {})[one.method] = _operation_object(one, schemas, secured)
    texts = description()
    errors = {
        f"Error{status}": _response(status, *_HEADERS_OF_ERRORS.get(status, ()), content=_error(status))
        for status in texts["errors"]
    }
    components: dict[str, Any] = {
        "schemas": schemas.components,
        "responses": errors,
        "headers": texts["headers"],
        "links": texts["links"],
    }
    if secured:
        components["securitySchemes"] = _SCHEMES
    return {
        "openapi": "3.1.0",
        "info": {"title": "Trade Service", "version": __version__, "description": texts["about"]},
        "servers": [{"url": base_path or "/"}],
        "tags": [{"name": name, "description": text} for name, text in texts["tags"].items()],
        "paths": paths,
        "components": components,
    }


class Schemas:
    """The JSON schemas of all shapes, each under one name."""

    def __init__(self, operations: list[Operation]) -> None:
        used = (shape for one in operations for shape in (*one.answers.values(), one.body, one.docs.refusal))
        shapes = list(dict.fromkeys([ProblemBody, *filter(None, used)]))
        found, components = msgspec.json.schema_components(shapes, ref_template="#/components/schemas/{name}")
        self._found = dict(zip(shapes, map(_exact, found), strict=True))
        self.components: dict[str, Any] = {name: _exact(one) for name, one in sorted(components.items())}

    def content(self, shape: Any, media_type: str = JSON) -> dict[str, Any]:
        if media_type != JSON:
            return {media_type: {"schema": {"type": "string"}}}
        example = examples().get(getattr(shape, "__name__", ""))
        return {
            media_type: {"schema": self._found[shape]} | ({} if example is None else {"example": example})
        }


def _operations(app: Litestar) -> Iterator[Operation]:
    for route in app.routes:
        if (
            not isinstance(route, HTTPRoute)
            or route.path.startswith(_OWN_PATHS)
            or route.path_format in _PAGES
        ):
            continue
        for method, (handler, _) in route.route_handler_map.items():
            role = role_of(handler, str(method))
            if method != HttpMethod.OPTIONS and role is not None:
                docs = handler.opt.get(DOCS, RouteDocs())
                yield Operation(str(method).lower(), route.path_format, handler, docs, role)


def _operation_object(one: Operation, schemas: Schemas, secured: bool) -> dict[str, Any]:
    summary, _, rest = inspect.cleandoc(one.handler.fn.__doc__ or "").partition("\n\n")
    role = f"Needs the role {one.role.title}." if one.role > Role.ANYONE else "Open to everyone."
    operation: dict[str, Any] = {
        "operationId": one.id,
        "tags": sorted(one.handler.resolve_tags()),
        "summary": " ".join(summary.split()),
        "description": "\n\n".join(text for text in (rest.strip(), role) if text),
        "parameters": [parameter.to_schema() for parameter in one.parameters],
        "responses": dict(sorted(_responses(one, schemas))),
    }
    if one.body is not None:
        operation["requestBody"] = {"required": True, "content": schemas.content(one.body)}
    if one.docs.uploaded:
        file = {"schema": {"type": "string"}}
        operation["requestBody"] = {"required": True, "content": dict.fromkeys(_FILES, file)}
    if secured:
        operation["security"] = _SECURITY if one.role > Role.ANYONE else []
    return operation


def _responses(one: Operation, schemas: Schemas) -> Iterator[tuple[str, dict[str, Any]]]:
    follow = description()["follow"].get(one.id, {})
    for status, shape in one.answers.items():
        content = {} if shape is None else schemas.content(shape, one.docs.media_type)
        if one.docs.exported:
            content |= {form.value: {"schema": {"type": "string"}} for form in ExportForm}
        response = _response(str(status), *one.docs.headers, content=content)
        if links := follow.get(str(status)):
            response["links"] = {name: {"$ref": f"#/components/links/{name}"} for name in links}
        yield str(status), response
    for error in map(str, one.errors):
        if one.docs.refusal is None:
            yield error, {"$ref": f"#/components/responses/Error{error}"}
        else:
            content = {**schemas.content(one.docs.refusal), **_error(error)}
            yield error, _response(error, content=content)


def _response(status: str, *headers: str, content: dict[str, Any]) -> dict[str, Any]:
    response = {
        "description": description()["meanings"][status],
        "headers": {name: {"$ref": f"#/components/headers/{name}"} for name in ("X-Request-ID", *headers)},
    }
    return response | ({"content": content} if content else {})


def _error(status: str) -> dict[str, Any]:
    """The content of an error, with an example rendered by the code that renders errors."""
    problem = Problem(int(status), **description()["errors"][status])
    example = json.loads(encoded(problem_body(problem, _REQUEST_ID)))
    return {PROBLEM_JSON: {"schema": {"$ref": "#/components/schemas/ProblemBody"}, "example": example}}


def _public(name: str) -> str:
    return "id" if name.endswith("_id") else name


_UUIDS = frozenset({"submission_id", "audit_id"})


def _path_parameter(name: str) -> Parameter:
    schema, text = Schema(type=OpenAPIType.STRING, min_length=1), "Its name."
    if name in _UUIDS:
        schema, text = (
            Schema(type=OpenAPIType.STRING, format=OpenAPIFormat.UUID),
            "The id in the response that began it.",
        )
    elif name.endswith("_id"):
        schema, text = replace(ID, examples=[7]), f"The id of the {name[:-3].replace('_', ' ')}."
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
