"""Compares an OpenAPI document with a published one: finds what would break a client."""

from collections.abc import Iterator, Mapping
from typing import Any

Schema = Mapping[str, Any]
_BOUNDS = ("minimum", "maximum", "minItems", "maxItems")


class Comparison:
    """Describes every difference in one line of text."""

    def __init__(self, published: Mapping[str, Any], ours: Mapping[str, Any]) -> None:
        self._published = published
        self._ours = ours

    def differences(self) -> Iterator[str]:
        """All differences, each starting with method and path."""
        for path, item in self._published["paths"].items():
            for method, operation in item.items():
                ours = self._ours["paths"].get(path, {}).get(method)
                found = [": is missing"] if ours is None else self._operation(operation, ours)
                yield from (f"{method.upper()} {path}{one}" for one in found)

    def _operation(self, published: Schema, ours: Schema) -> Iterator[str]:
        known = {(one["name"], one["in"]): one for one in ours.get("parameters", ())}
        for parameter in published.get("parameters", ()):
            name = parameter["name"]
            mine = known.get((name, parameter["in"]))
            if mine is None:
                yield f" {parameter['in']} {name}: is missing"
                continue
            if mine.get("required", False) and not parameter.get("required", False):
                yield f" {parameter['in']} {name}: is required"
            yield from self._sent(f" {parameter['in']} {name}", parameter["schema"], mine["schema"])
        if "requestBody" in published:
            if "requestBody" not in ours:
                yield " body: is missing"
            else:
                mine = ours["requestBody"]["content"]["application/json"]["schema"]
                yield from self._sent(" body", _body(published["requestBody"]), mine)
        for status, answer in published["responses"].items():
            if status not in ours["responses"]:
                yield f" {status}: is missing"
            elif "content" in answer:
                yield from self._answer(status, answer, self._mine(ours["responses"][status]))

    def _answer(self, status: str, published: Schema, ours: Schema) -> Iterator[str]:
        for media_type, content in published["content"].items():
            mine = ours.get("content", {})
            if media_type not in mine:
                yield f" {status}: is {', '.join(mine) or 'empty'}, not {media_type}"
            for other in mine.values():
                yield from self._answered(f" {status}", content["schema"], other["schema"])

    def _sent(self, place: str, published: Schema, ours: Schema) -> Iterator[str]:
        """What clients send must be accepted."""
        published, options = self._published_schema(published), self._options(ours)
        types = {str(one.get("type")) for one in options}
        if published["type"] not in types and not (published["type"] == "integer" and "number" in types):
            yield f"{place}: is {_either(types)}, not {published['type']}"
            return
        for option in options:
            if option.get("type") != published["type"]:
                continue
            yield from _bounds(place, published, option)
            for name, field in published.get("properties", {}).items():
                if name not in option["properties"]:
                    yield f"{place}.{name}: is missing"
                else:
                    yield from self._sent(f"{place}.{name}", field, option["properties"][name])
            for name in sorted({*option.get("required", ())} - {*published.get("required", ())}):
                yield f"{place}.{name}: is required"
            if "items" in published:
                yield from self._sent(f"{place}[]", published["items"], option["items"])

    def _answered(self, place: str, published: Schema, ours: Schema) -> Iterator[str]:
        """What clients read must be present, in the type they expect."""
        may_be_null = bool(published.get("nullable"))
        published, options = self._published_schema(published), self._options(ours)
        allowed = {published["type"], *(["null"] if may_be_null else [])}
        types = {str(one.get("type")) for one in options}
        if strange := types - allowed:
            yield f"{place}: is {_either(strange)} too, not only {_either(allowed)}"
        for option in options:
            if option.get("type") != published["type"]:
                continue
            if "enum" in published and not {*option.get("enum", ("?",))} <= {*published["enum"]}:
                yield f"{place}: is not one of {_either(published['enum'])}"
            for name, field in published.get("properties", {}).items():
                if name not in option.get("properties", {}):
                    yield f"{place}.{name}: is missing"
                    continue
                if name in published.get("required", ()) and name not in option.get("required", ()):
                    yield f"{place}.{name}: may be left out"
                yield from self._answered(f"{place}.{name}", field, option["properties"][name])
            if "items" in published:
                yield from self._answered(f"{place}[]", published["items"], option["items"])

    def _published_schema(self, schema: Schema) -> Schema:
        return _resolved(self._published, schema)

    def _mine(self, schema: Schema) -> Schema:
        return _resolved(self._ours, schema)

    def _options(self, schema: Schema) -> list[Schema]:
        schema = self._mine(schema)
        return [self._mine(one) for one in schema["anyOf"]] if "anyOf" in schema else [schema]


def _resolved(document: Mapping[str, Any], schema: Schema) -> Schema:
    while "$ref" in schema:
        found: Any = document
        for step in schema["$ref"].removeprefix("#/").split("/"):
            found = found[step]
        schema = found
    return schema


def _body(body: Schema) -> Schema:
    schema: Schema = body["content"]["application/json"]["schema"]
    return schema


def _bounds(place: str, published: Schema, ours: Schema) -> Iterator[str]:
    for bound in _BOUNDS:
        if bound in published and published[bound] != ours.get(bound):
            yield f"{place}: has {bound} {ours.get(bound)}, not {published[bound]}"


def _either(names: Any) -> str:
    return " or ".join(sorted(names))
