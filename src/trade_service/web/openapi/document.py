"""OpenAPI 3.1 of everything that the application serves."""

import inspect
import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import cached_property
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
from trade_service.domain.access import Role
from trade_service.web.access import role_of
from trade_service.web.errors import ProblemBody
from trade_service.web.openapi.errors import error_examples, error_responses
from trade_service.web.openapi.examples import EXAMPLES
from trade_service.web.openapi.links import all_links, links_of
from trade_service.web.openapi.texts import ABOUT, HEADERS, MEANING, TAGS
from trade_service.web.rendering import PROBLEM_JSON, encoded
from trade_service.web.route_docs import DOCS, ID, JSON, RouteDocs

_COMPONENT = "#/components/schemas/{name}"
_IN_PATH = re.compile(r"\{(\w+)\}")
_OWN_PATHS = "/schema"
_SECURITY: list[dict[str, list[str]]] = [{"bearer": []}, {"apiKey": []}]
_ID_IN_PATH = replace(ID, examples=[7])
_METHODS = ("get", "post", "put", "delete")
_SCHEMES = {
    "bearer": {"type": "http", "scheme": "bearer", "description": "An API key, or a JWT."},
    "apiKey": {"type": "apiKey", "in": "header", "name": "X-API-Key", "description": "An API key."},
}


class Told(msgspec.Struct, frozen=True, dict=True):
    """A route with all that is told of it."""

    method: str
    template: str
    handler: HTTPRouteHandler
    docs: RouteDocs
    role: Role

    @property
    def path(self) -> str:
        """The path as clients know it: what is meant by its id is called id."""
        return _IN_PATH.sub(lambda found: f"{{{_public(found[1])}}}", self.template)

    @property
    def operation_id(self) -> str:
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
        """The shapes of what is no error, by status."""
        if self.docs.answers:
            return self.docs.answers
        returned = self.handler.parsed_return_field.annotation
        return {self.handler.status_code: None if returned is NoneType else get_args(returned)[0]}

    @property
    def parameters(self) -> list[Parameter]:
        """What the path, the query and the headers hold."""
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
        """All that have a schema."""
        yield from (shape for shape in self.answers.values() if shape is not None)
        if self.body is not None:
            yield self.body
        if self.docs.refusal is not None:
            yield self.docs.refusal


def openapi_document(app: Litestar, *, secured: bool) -> dict[str, Any]:
    """The description of all routes of `app`; `secured` when callers have to say who they are."""
    told = sorted(_told(app), key=lambda one: (one.path, _METHODS.index(one.method)))
    schemas = Schemas(told)
    paths: dict[str, dict[str, Any]] = {}
    for one in told:
        paths.setdefault(one.path, {})[one.method] = _operation(one, schemas, secured)
    components: dict[str, Any] = {
        "schemas": schemas.components,
        "responses": error_responses(),
        "headers": HEADERS,
        "links": all_links(),
    }
    if secured:
        components["securitySchemes"] = _SCHEMES
    return {
        "openapi": "3.1.0",
        "info": {"title": "Trade Service", "version": __version__, "description": ABOUT},
        "servers": [{"url": "/"}],
        "tags": [{"name": name, "description": text} for name, text in TAGS.items()],
        "paths": paths,
        "components": components,
    }


class Schemas:
    """The JSON schemas of all shapes, each named once."""

    def __init__(self, told: list[Told]) -> None:
        shapes = list(dict.fromkeys([ProblemBody, *(shape for one in told for shape in one.shapes)]))
        found, components = msgspec.json.schema_components(shapes, ref_template=_COMPONENT)
        self._found = dict(zip(shapes, map(_exact, found), strict=True))
        self.components: dict[str, Any] = {name: _exact(one) for name, one in sorted(components.items())}

    def content(self, shape: Any, media_type: str = JSON) -> dict[str, Any]:
        """A body of that shape, with its example."""
        if media_type != JSON:
            return {media_type: {"schema": {"type": "string"}}}
        body: dict[str, Any] = {"schema": self._found[shape]}
        if shape in EXAMPLES:
            body["example"] = msgspec.json.decode(encoded(EXAMPLES[shape]))
        return {media_type: body}


def _told(app: Litestar) -> Iterator[Told]:
    for route in app.routes:
        if not isinstance(route, HTTPRoute) or route.path.startswith(_OWN_PATHS):
            continue
        for method, (handler, _) in route.route_handler_map.items():
            role = role_of(handler, str(method))
            if method != HttpMethod.OPTIONS and role is not None:
                docs = handler.opt.get(DOCS, RouteDocs())
                yield Told(str(method).lower(), route.path_format, handler, docs, role)


def _operation(told: Told, schemas: Schemas, secured: bool) -> dict[str, Any]:
    summary, _, rest = inspect.cleandoc(told.handler.fn.__doc__ or "").partition("\n\n")
    role = f"Needs the role {told.role.title}." if told.role > Role.ANYONE else "Open to everybody."
    operation: dict[str, Any] = {
        "operationId": told.operation_id,
        "tags": sorted({tag for layer in told.handler.ownership_layers for tag in layer.tags or ()}),
        "summary": " ".join(summary.split()),
        "description": "\n\n".join(text for text in (rest.strip(), role) if text),
        "parameters": [one.to_schema() for one in told.parameters],
        "responses": dict(sorted(_responses(told, schemas).items())),
    }
    if told.body is not None:
        operation["requestBody"] = {"required": True, "content": schemas.content(told.body)}
    if secured:
        operation["security"] = _SECURITY if told.role > Role.ANYONE else []
    return operation


def _responses(told: Told, schemas: Schemas) -> dict[str, Any]:
    responses: dict[str, Any] = {}
    for status, shape in told.answers.items():
        names = ("X-Request-ID", *told.docs.headers)
        headers = {name: {"$ref": f"#/components/headers/{name}"} for name in names}
        responses[str(status)] = {"description": MEANING[status], "headers": headers}
        if shape is not None:
            responses[str(status)]["content"] = schemas.content(shape, told.docs.media_type)
        if links := links_of(told.operation_id, status):
            responses[str(status)]["links"] = links
    for status in told.errors:
        responses[str(status)] = {"$ref": f"#/components/responses/Error{status}"}
        if told.docs.refusal is not None:
            problem = error_examples(status)
            envelope = schemas.content(told.docs.refusal)
            responses[str(status)] = {
                "description": MEANING[status],
                "headers": {"X-Request-ID": {"$ref": "#/components/headers/X-Request-ID"}},
                "content": {**envelope, PROBLEM_JSON: problem},
            }
    return responses


def _public(name: str) -> str:
    return "id" if name.endswith("_id") else name


def _path_parameter(name: str) -> Parameter:
    schema, text = Schema(type=OpenAPIType.STRING, min_length=1), "Its name."
    if name == "submission_id":
        schema, text = Schema(type=OpenAPIType.STRING, format=OpenAPIFormat.UUID), "The id that was answered."
    elif name.endswith("_id"):
        schema, text = _ID_IN_PATH, f"The id of the {name.removesuffix('_id').replace('_', ' ')}."
    return Parameter(_public(name), "path", description=text, schema=schema, required=True)


def _exact(schema: Any) -> Any:
    """The schema with decimals as they are answered (JSON numbers, digit for digit) and integers as they are
    read: those with a pattern also as text."""
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
