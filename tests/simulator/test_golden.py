"""The simulator's own messages against the golden JSON of the Execution Service's published document."""

import json
import random
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest

from execution_simulator.behaviour import Call, respond
from execution_simulator.columns import amounts_of
from execution_simulator.faults import OK
from execution_simulator.ledger import Ledger
from execution_simulator.listing import Query
from execution_simulator.payloads import (
    BatchExecutionResponse,
    ErrorBody,
    ExecutionPage,
    ExecutionPost,
    decode_batch,
    encode,
)
from execution_simulator.profiles import PUBLISHED

GOLDEN = Path(__file__).parent.parent / "golden"
NOW = datetime.fromisoformat("2026-11-24T10:30:00.123456Z")
NOW_NS = round(NOW.timestamp()) * 1_000_000_000 + 123_456_000
PATH = "/api/v1/executions/batch"


def golden(name: str) -> bytes:
    return (GOLDEN / name).read_bytes()


def exact(body: bytes) -> Any:
    """Parses JSON with exact numbers, so that any float on the way would show."""
    return json.loads(body, parse_float=Decimal)


def posts() -> list[ExecutionPost | None]:
    found = decode_batch(golden("batch_request.json")).executions
    assert found is not None
    return found


def answered(item_faults: dict[int, str]) -> tuple[int, bytes]:
    verdict = respond(Call(posts(), OK, item_faults, 7001, NOW_NS, PATH, PUBLISHED), random.Random(1))
    return verdict.status, encode(verdict.body)


@pytest.mark.parametrize(
    ("name", "shape"),
    [
        ("batch_answer_201.json", BatchExecutionResponse),
        ("batch_answer_207.json", BatchExecutionResponse),
        ("batch_answer_400_results.json", BatchExecutionResponse),
        ("batch_answer_400_malformed.json", ErrorBody),
        ("batch_answer_500.json", ErrorBody),
        ("executions_page.json", ExecutionPage),
    ],
)
def test_messages_carry_every_field_of_the_golden_file_and_no_other(name: str, shape: type) -> None:
    message: object = msgspec.json.decode(golden(name), type=shape)
    assert exact(encode(message)) == exact(golden(name))


def test_the_request_is_read_exactly() -> None:
    first, second, third = posts()
    assert first == ExecutionPost(
        "NEW",
        "BUY",
        "NYSE",
        "AAPL00000000000000000001",
        Decimal("1234567890.12345678"),
        Decimal("150.5"),
        101,
        1,
    )
    assert second is not None
    assert (second.quantity, second.limit_price) == (Decimal("0.00000001"), None)
    assert third is not None
    assert third.limit_price == Decimal("9999999999.99999999")


@pytest.mark.parametrize(
    ("item_faults", "status", "name"),
    [
        ({}, 201, "batch_answer_201.json"),
        ({2: "item_fail_permanent"}, 207, "batch_answer_207.json"),
        (
            {0: "item_fail_transient", 1: "item_fail_permanent", 2: "item_fail_permanent"},
            400,
            "batch_answer_400_results.json",
        ),
    ],
)
def test_the_behaviour_answers_the_golden_request_with_the_golden_answer(
    item_faults: dict[int, str], status: int, name: str
) -> None:
    got_status, body = answered(item_faults)
    assert got_status == status
    assert exact(body) == exact(golden(name))


def test_a_malformed_request_gets_the_error_body() -> None:
    items = [
        msgspec.structs.replace(item, trade_type="SHORT") if n == 1 and item else item
        for n, item in enumerate(posts())
    ]
    verdict = respond(
        Call(items, OK, {}, 7001, NOW_NS, PATH, PUBLISHED, refuse_bad_items=True), random.Random(1)
    )
    assert exact(encode(verdict.body)) == exact(golden("batch_answer_400_malformed.json"))


def test_a_server_error_has_no_validation_errors() -> None:
    body = PUBLISHED.error(500, "An unexpected error occurred while processing your request", PATH, NOW_NS)
    assert exact(encode(body)) == exact(golden("batch_answer_500.json"))


def test_the_listing_matches_the_golden_page() -> None:
    books = Ledger(first_id=7001)
    items = [item for item in posts() if item is not None]
    items[1] = msgspec.structs.replace(items[1], quantity=Decimal("2000.5"))
    amounts = [found for item in items if (found := amounts_of(item))]
    books.accept(items, amounts, NOW)
    books.fill(7002, Decimal("1000.25"), Decimal("410.12345678"), 1)
    page = PUBLISHED.page(books, Query(limit=2, sort_by="-id"))
    assert exact(encode(page)) == exact(golden("executions_page.json"))


def test_decimals_become_json_numbers() -> None:
    _, body = answered({})
    assert b'"quantity":1234567890.12345678' in body
    assert b'"limitPrice":9999999999.99999999' in body
