"""Our OpenAPI document contains the published one of v1, except for differences.toml."""

import json
import tomllib
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import pytest

from tests.contract.published import Comparison
from tests.web.live import Live

HERE = Path(__file__).parent
PUBLISHED = json.loads((HERE / "published-v1.json").read_text("utf-8"))
ALLOWED = tomllib.loads((HERE / "differences.toml").read_text("utf-8"))["difference"]


@pytest.fixture
async def ours(live: Live) -> Any:
    return json.loads((await live.client.get("/schema/openapi.json")).raw)


async def test_what_differs_from_the_published_document_is_listed_with_its_reason(ours: Any) -> None:
    found = list(Comparison(PUBLISHED, ours).differences())
    patterns = [pattern for one in ALLOWED for pattern in one["what"]]
    assert [one for one in found if not any(fnmatchcase(one, pattern) for pattern in patterns)] == []
    unused = [pattern for pattern in patterns if not any(fnmatchcase(one, pattern) for one in found)]
    assert unused == []


def test_every_difference_has_a_reason_and_a_line_of_the_contract() -> None:
    for one in ALLOWED:
        assert len(one["reason"]) > 20, one
        assert len(one["contract"]) > 20, one


SPOILED: list[tuple[str, str]] = [
    ("paths./api/v1/blotters", "GET /api/v1/blotters: is missing"),
    ("paths./api/v1/tradeOrders.get.parameters", "GET /api/v1/tradeOrders query limit: is missing"),
    ("paths./api/v1/tradeOrders/{id}.get.responses.404", "GET /api/v1/tradeOrders/{id} 404: is missing"),
    ("paths./api/v1/tradeOrders.post.requestBody", "POST /api/v1/tradeOrders body: is missing"),
    (
        "components.schemas.TradeOrderPost.properties.securityId",
        "POST /api/v1/tradeOrders body.securityId: is missing",
    ),
    (
        "components.schemas.ExecutionAnswer.properties.quantityFilled",
        "GET /api/v1/executions 200[].quantityFilled: is missing",
    ),
]


@pytest.mark.parametrize(("gone", "difference"), SPOILED, ids=[gone for gone, _ in SPOILED])
async def test_what_is_taken_away_is_missed(ours: Any, gone: str, difference: str) -> None:
    *way, last = gone.split(".")
    place = ours
    for step in way:
        place = place[step]
    del place[last]
    assert difference in Comparison(PUBLISHED, ours).differences()
