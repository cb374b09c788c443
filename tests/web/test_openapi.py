"""The OpenAPI document and the page that shows it are self-contained."""

import json
import re
from collections.abc import AsyncIterator, Iterator
from typing import Any

import jsonschema_rs
import msgspec
import pytest

from tests.web.support import Client, FakeUseCases, served
from trade_service.domain.access import Principal, Role
from trade_service.web.dependencies import WebSettings
from trade_service.web.errors import STATUS_OF, STATUS_OF_REASON, HttpCode
from trade_service.web.openapi.document import description


class OneReader:
    """Authenticates every caller as a reader."""

    async def principal(self, credential: str | None) -> Principal:
        return Principal("desk", Role.READER)


@pytest.fixture(scope="module")
async def client() -> AsyncIterator[Client]:
    async with served(FakeUseCases().services(), WebSettings()) as client:
        yield client


@pytest.fixture(scope="module")
async def api(client: Client) -> Any:
    answer = await client.get("/schema/openapi.json")
    assert answer.status == 200
    return msgspec.json.decode(answer.raw)


def operations(api: Any) -> Iterator[tuple[str, str, Any]]:
    for path, item in api["paths"].items():
        for method, operation in item.items():
            yield path, method, operation


def within(value: Any) -> Iterator[dict[str, Any]]:
    """Every object in a document."""
    if isinstance(value, dict):
        yield value
    for one in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from within(one)


async def test_ids_in_paths_are_typed_as_the_service_reads_them(api: Any) -> None:
    found = {
        path: one["schema"].get("format", one["schema"]["type"])
        for path, _, operation in operations(api)
        for one in operation["parameters"]
        if one["in"] == "path" and path.startswith("/api/v2/")
    }
    uuids = {path for path, kind in found.items() if kind == "uuid"}
    assert uuids == {
        "/api/v2/audits/{id}",
        "/api/v2/blotters/{id}/rejects",
        "/api/v2/blotters/{id}/results",
        "/api/v2/submissions/{id}",
        "/api/v2/submissions/{id}/attempts",
        "/api/v2/submissions/{id}/events",
    }


async def test_every_operation_is_described_in_full(api: Any) -> None:
    found = list(operations(api))
    assert len({one["operationId"] for *_, one in found}) == len(found) > 55
    for path, method, one in found:
        assert one["summary"].endswith("."), path
        assert len(one["tags"]) == 1, path
        assert one["tags"][0] in description()["tags"], path
        by_id_alone = path == "/api/v1/execution/{id}/submit"
        assert ("requestBody" in one) == (method in ("post", "put") and not by_id_alone), path
        assert {f"{{{p['name']}}}" for p in one["parameters"] if p["in"] == "path"} == set(
            re.findall(r"\{\w+\}", path)
        ), path
        assert "500" in one["responses"], path
        assert any(status < "300" for status in one["responses"]), path


async def test_every_reference_leads_somewhere(api: Any) -> None:
    references = {one["$ref"] for one in within(api) if "$ref" in one}
    assert len(references) > 30
    for reference in references:
        place = api
        for step in reference.removeprefix("#/").split("/"):
            place = place[step]


async def test_every_link_names_an_operation_and_what_that_takes(api: Any) -> None:
    known = {one["operationId"]: one for *_, one in operations(api)}
    links = api["components"]["links"]
    assert len(links) > 25
    for name, link in links.items():
        target = known[link["operationId"]]
        needed = {one["name"] for one in target["parameters"] if one.get("required")}
        taken = {one["name"] for one in target["parameters"]}
        assert needed <= link.get("parameters", {}).keys() <= taken, name
        for field in link.get("requestBody", {}):
            assert field in fields_of(api, target["requestBody"]), name


async def test_every_value_that_a_link_takes_is_in_the_answer_that_it_follows(api: Any) -> None:
    followed = set()
    for _, _, one in operations(api):
        for status, answer in one["responses"].items():
            for name, reference in answer.get("links", {}).items():
                assert reference == {"$ref": f"#/components/links/{name}"}
                followed.add(name)
                for expression in re.findall(
                    r"[$]response[^\"]+", json.dumps(api["components"]["links"][name])
                ):
                    pointer = expression.removeprefix("$response.body#/")
                    assert in_body(api, answer, pointer.split("/")), (one["operationId"], status, name)
    assert followed == api["components"]["links"].keys()


def fields_of(api: Any, body: Any) -> dict[str, Any]:
    """The properties of a body or an answer."""
    schema: Any = body["content"]["application/json"]["schema"]
    return properties(api, schema)


def properties(api: Any, schema: Any) -> dict[str, Any]:
    """The properties of an object, or of those in a list or a choice."""
    found: dict[str, Any] = {}
    if "$ref" in schema:
        found |= properties(api, api["components"]["schemas"][schema["$ref"].rsplit("/", 1)[1]])
    for one in (schema.get("items", {}), *schema.get("anyOf", ())):
        found |= properties(api, one) if one else {}
    own: dict[str, Any] = schema.get("properties", {})
    return found | own


def in_body(api: Any, answer: Any, way: list[str]) -> bool:
    """Whether a pointer leads to a field of an answer; the places of lists are numbers."""
    known = fields_of(api, answer)
    for step in way:
        if step.isdigit():
            continue
        if step not in known:
            return False
        known = properties(api, known[step])
    return True


async def test_every_example_is_what_its_schema_says(api: Any) -> None:
    examples = [one for one in within(api) if "schema" in one and "example" in one]
    assert len(examples) > 60
    for one in examples:
        schema = {**one["schema"], "components": api["components"]}
        assert jsonschema_rs.is_valid(schema, one["example"]), one["example"]


def test_every_status_of_an_error_is_explained() -> None:
    statuses = {*STATUS_OF.values(), *STATUS_OF_REASON.values()}
    assert {str(status) for status in statuses} <= description()["meanings"].keys()


def test_every_example_of_an_error_has_the_code_and_the_status_that_the_service_answers() -> None:
    status_of = {error.code: status for error, status in STATUS_OF.items()}
    for status, error in description()["errors"].items():
        code, details = error["code"], error.get("details", {})
        assert code in {*HttpCode, *status_of}, code
        answered = STATUS_OF_REASON.get(details.get("reason"), status_of.get(code, int(status)))
        assert answered == int(status), code


async def test_operations_that_need_credentials_say_so(api: Any) -> None:
    assert "securitySchemes" not in api["components"]
    services = msgspec.structs.replace(FakeUseCases().services(), authenticator=OneReader())
    async with served(services, WebSettings()) as client:
        secured = (await client.get("/schema/openapi.json")).body
    assert secured["components"]["securitySchemes"].keys() == {"bearer", "apiKey"}
    paths = secured["paths"]
    assert paths["/api/v1/tradeOrders"]["post"]["security"] == [{"bearer": []}, {"apiKey": []}]
    assert "trader" in paths["/api/v1/tradeOrders"]["post"]["description"]
    assert paths["/actuator/health"]["get"]["security"] == []


async def test_the_page_loads_nothing_from_elsewhere(client: Client) -> None:
    page = await client.get("/schema")
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    policy = page.headers["content-security-policy"]
    assert policy.startswith("default-src 'none'")
    assert "http" not in policy
    assert "unsafe" not in policy
    wanted = re.findall(r'(?:src|href)="(/[^"]+)"', page.raw.decode())
    assert {"/schema/page.js", "/schema/page.css", "/schema/openapi.json"} <= {*wanted}
    for path in wanted:
        answer = await client.get(path)
        assert answer.status == 200, path
        assert answer.raw, path
        if not path.endswith(".json"):
            assert b"//" not in re.sub(rb"(?m)^\s*// .*$", b"", answer.raw), path
    assert b"//" not in page.raw


async def test_options_names_every_method_of_a_path(client: Client, api: Any) -> None:
    for path in ("/api/v1/blotters", "/api/v1/tradeOrders/{id}", "/api/v2/executions"):
        answer = await client.call("OPTIONS", path.replace("{id}", "7"))
        assert answer.status == 204
        allowed = {method.lower() for method in answer.headers["allow"].split(", ")}
        assert allowed == {*api["paths"][path], "head", "options"}


async def test_every_timestamp_has_the_format_date_time(api: Any) -> None:
    moments = re.compile(r".*(Timestamp|At|Since|Until)|since|until")
    for shape, schema in api["components"]["schemas"].items():
        for name, field in schema.get("properties", {}).items():
            if moments.fullmatch(name):
                types = [one for one in field.get("anyOf", [field]) if one["type"] != "null"]
                assert types.pop(0) == {"type": "string", "format": "date-time"}, (shape, name)
                read = name in ("tradeTimestamp", "executionTimestamp", "since", "until")
                assert [one["type"] for one in types] in ([], ["number"] if read else []), (shape, name)
