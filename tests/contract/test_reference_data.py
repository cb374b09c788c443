"""Blotters, destinations, trade types and execution statuses, as portal and operators use them."""

import itertools
from typing import Any

import msgspec
import pytest

from tests.contract.calls import BLOTTER_FIELDS, DESCRIBED_FIELDS, ask, refused
from tests.web.live import Live

_names = itertools.count(1)


class Kind(msgspec.Struct, frozen=True):
    """A kind of reference data: its path and fields."""

    collection: str
    one: str
    text: str
    seeded: list[str]
    used_by_all: int
    """A row that executions of these tests refer to."""

    @property
    def fields(self) -> set[str]:
        return BLOTTER_FIELDS if self.text == "name" else DESCRIBED_FIELDS

    def new(self, **changes: Any) -> dict[str, Any]:
        return {"abbreviation": f"T{next(_names)}", self.text: "Of a test", **changes}


KINDS = [
    Kind("/blotters", "/blotters", "name", ["Default", "EQ", "FI", "HOLD"], 2),
    Kind("/destinations", "/destinations", "description", ["ML", "RBC", "JPM", "IB", "INST", "POSIT"], 1),
    Kind(
        "/executionStatuses",
        "/executionStatuses",
        "description",
        ["NEW", "SENT", "WORK", "FULL", "PART", "HOLD", "CNCL", "CNCLD", "CPART", "DEL"],
        2,
    ),
    Kind("/tradeTypes", "/tradeType", "description", ["BUY", "SELL", "SHORT", "COVER", "EXRC"], 1),
    Kind("/tradeTypes", "/tradeTypes", "description", ["BUY", "SELL", "SHORT", "COVER", "EXRC"], 1),
]
kinds = pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.one)


@kinds
async def test_the_list_and_each_of_it(live: Live, kind: Kind) -> None:
    all_of_them = await ask(live.client, "GET", kind.collection, 200)
    assert [one["abbreviation"] for one in all_of_them][: len(kind.seeded)] == kind.seeded
    assert [one["id"] for one in all_of_them][: len(kind.seeded)] == [*range(1, len(kind.seeded) + 1)]
    for one in all_of_them[:2]:
        assert one.keys() == kind.fields
        assert await ask(live.client, "GET", f"{kind.one}/{one['id']}", 200) == one
    message = await refused(live.client, "GET", f"{kind.one}/987654", 404, "NOT_FOUND")
    assert "987654 does not exist" in message
    await refused(live.client, "GET", f"{kind.one}/abc", 400, "INVALID_INPUT")


@kinds
async def test_created_changed_and_deleted(live: Live, kind: Kind) -> None:
    client, new = live.client, kind.new()
    made = await ask(client, "POST", kind.collection, 201, new)
    assert made == new | {"id": made["id"], "version": 1}
    path = f"{kind.one}/{made['id']}"
    wanted = made | {"abbreviation": kind.new()["abbreviation"], kind.text: "Renamed"}
    changed = await ask(client, "PUT", path, 200, wanted)
    assert changed == wanted | {"version": 2}
    assert await ask(client, "GET", path, 200) == changed
    assert changed in await ask(client, "GET", kind.collection, 200)

    assert "version 2, not 1" in await refused(client, "PUT", path, 409, "VERSION_CONFLICT", wanted)
    assert "version 2, not 1" in await refused(client, "DELETE", f"{path}?version=1", 409, "VERSION_CONFLICT")
    assert await ask(client, "DELETE", f"{path}?version=2", 204) is None
    for method, query, body in (("GET", "", None), ("PUT", "", changed), ("DELETE", "?version=2", None)):
        await refused(client, method, path + query, 404, "NOT_FOUND", body)


@kinds
async def test_what_is_pointed_to_or_needed_stays(live: Live, kind: Kind) -> None:
    order = await live.order(blotterId=2)
    await live.submit(order)
    path = f"{kind.one}/{kind.used_by_all}"
    one = await ask(live.client, "GET", path, 200)
    message = await refused(live.client, "DELETE", f"{path}?version={one['version']}", 409, "IN_USE")
    assert "is used by" in message or "nothing can be submitted" in message


@kinds
async def test_bad_requests_name_the_field(live: Live, kind: Kind) -> None:
    client = live.client
    made = await ask(client, "POST", kind.collection, 201, kind.new())
    path = f"{kind.one}/{made['id']}"
    for body, field in (
        ({kind.text: "x"}, "abbreviation"),
        ({"abbreviation": "x"}, kind.text),
        (kind.new(abbreviation=""), "abbreviation"),
        (kind.new(abbreviation="A" * 21), "abbreviation"),
        (kind.new(abbreviation=7), "abbreviation"),
        (kind.new(**{kind.text: "x" * 101}), kind.text),
    ):
        assert field in await refused(client, "POST", kind.collection, 400, "INVALID_INPUT", body)
        put = {**body, "id": made["id"], "version": 1}
        assert field in await refused(client, "PUT", path, 400, "INVALID_INPUT", put)
    taken = made["abbreviation"]
    message = await refused(
        client, "POST", kind.collection, 409, "ALREADY_EXISTS", kind.new(abbreviation=taken)
    )
    assert f"abbreviation: '{taken}' is taken" in message
    for put, field in (
        (made | {"id": made["id"] + 1}, "id"),
        ({"id": made["id"], **kind.new()}, "version"),
    ):
        assert field in await refused(client, "PUT", path, 400, "INVALID_INPUT", put)
    for query in ("", "?version=", "?version=x", "?version=1&version=2"):
        assert "version" in await refused(client, "DELETE", path + query, 400, "INVALID_INPUT")


async def test_statuses_that_submission_needs_keep_their_names(live: Live) -> None:
    for identity, name in ((1, "NEW"), (2, "SENT")):
        one = await ask(live.client, "GET", f"/executionStatuses/{identity}", 200)
        body = one | {"abbreviation": "OTHER"}
        message = await refused(live.client, "PUT", f"/executionStatuses/{identity}", 409, "IN_USE", body)
        assert f"is {name}, without which nothing can be submitted" in message
        described = one | {"description": f"Described: {name}"}
        assert (await ask(live.client, "PUT", f"/executionStatuses/{identity}", 200, described))[
            "version"
        ] == (one["version"] + 1)
