"""Bad input on every route, on the real database: errors name field, value and rule; nothing is half written."""

import re
from collections.abc import AsyncIterator
from typing import Any

import msgspec
import pytest

from tests.support.database import TestServer
from tests.support.trading import run_sql, value_of
from tests.web.live import BATCH, BULK, ORDERS, Live, behave, live_alone, order_body
from tests.web.support import Answer
from trade_service.web.web_settings import ServerSettings

MAX_BODY_BYTES = 200_000
EVERYTHING = """
SELECT coalesce((SELECT md5(string_agg(o::text, ';' ORDER BY id)) FROM trade_order o), '')
    || coalesce((SELECT md5(string_agg(e::text, ';' ORDER BY id)) FROM execution e), '')
    || (SELECT count(*) FROM submission_attempt)
"""
ORDER, EXECUTION = 1, 1
SUBMIT = f"{ORDERS}/{ORDER}/submit"
FILL = f"/api/v1/executions/{EXECUTION}/fill"
PART = {"quantity": 1, "destinationId": 1}
REPORT = {"executionStatus": "PART", "quantityFilled": 1, "version": 2}
TAKEN = 77_000
NO_NUMBERS: list[tuple[object, str, str]] = [
    ("x", "'x'", "must be a number"),
    ("NaN", "'NaN'", "must be a number"),
    ("Infinity", "'Infinity'", "must be a number"),
    (None, "null", "must be a number"),
    (True, "true", "must be a number"),
    ([], "a list of 0", "must be a number"),
    ({}, "an object", "must be a number"),
    ("", "''", "must be a number"),
    ("1_000", "'1_000'", "must be a number"),
    (
        "12345678901234567890",
        "'12345678901234567890'",
        "must have at most 10 digits before the decimal point",
    ),
    (12345678901234567890, "'12345678901234567890'", "must have at most 10 digits before the decimal point"),
    ("1.123456789", "'1.123456789'", "must have at most 8 decimals"),
    (msgspec.Raw(b"0.000000001"), "'0.000000001'", "must have at most 8 decimals"),
    (
        msgspec.Raw(b"1e999999999999"),
        "'1E+999999999999'",
        "must have at most 10 digits before the decimal point",
    ),
]
NO_INTEGERS: list[tuple[object, str, str]] = [
    *((text, repr(text), "must be an integer") for text in ("x", "1.0", " 1", "1e0", "+1", "01", "")),
    (1.5, "1.5", "must be an integer"),
    (True, "true", "must be an integer"),
    (None, "null", "must be an integer"),
    (2**31, "2147483648", "must be an integer from -2147483648 to 2147483647"),
]
NO_TEXTS: list[tuple[object, str, str]] = [(5, "5", "must be text"), (None, "null", "must be text")]
NO_TIMES = [
    *("yesterday", "2024-02-30T00:00:00Z", "2024-01-01T25:00:00Z", "2024-01-01T00:00:00", "2024-01-01"),
    *("9999-12-31T23:59:59-14:00", "0001-01-01T00:00:00+14:00", ""),
]
NO_SECONDS: list[tuple[object, str, str]] = [
    (-1, "'-1'", "must be seconds since 1970, from 0 to 7258118400"),
    (1741600800123, "'1741600800123'", "must be seconds since 1970, from 0 to 7258118400"),
    (msgspec.Raw(b"1e400"), "'1E+400'", "must be seconds since 1970, from 0 to 7258118400"),
    (True, "true", "must be an ISO 8601 timestamp with an offset"),
    ([], "a list of 0", "must be an ISO 8601 timestamp with an offset"),
]


@pytest.fixture(scope="module")
async def shared(postgres: TestServer, template_database: str) -> AsyncIterator[Live]:
    """A service with one order, ORDER, half of which was accepted as EXECUTION."""
    small = ServerSettings(max_small_body_bytes=MAX_BODY_BYTES, max_body_bytes=MAX_BODY_BYTES)
    async with live_alone(postgres, template_database, server=small) as service:
        assert await service.order(100, orderId=TAKEN) == ORDER
        assert (await service.submit(ORDER, 50)).body["id"] == EXECUTION
        yield service


@pytest.fixture
async def live(shared: Live) -> AsyncIterator[Live]:
    """The service; fails when a test leaves a trace in the database or downstream."""
    behave(shared.simulator)
    database, books = shared.services.database, shared.simulator.ledger
    before = (await value_of(database, EVERYTHING), books.total)
    yield shared
    assert (await value_of(database, EVERYTHING), books.total) == before, "something was written"


def assert_refused(answer: Answer, status: int, field: str, value: str, rule: str) -> None:
    """The message names field, rule and value; the details say the same to machines."""
    assert answer.status == status, answer.raw
    body = answer.body
    for said in (f"{field}: {rule}", f"; got {value}"):
        assert said in body["message"], (said, body["message"])
    assert body["details"]["field"] == field
    assert body["error"] == body["message"]


def changes(
    wrong: dict[str, list[tuple[object, str, str]]],
) -> list[tuple[str, object, str, str]]:
    return [(field, *case) for field, cases in wrong.items() for case in cases]


async def refused(
    live: Live, method: str, path: str, sound: dict[str, Any], wrong: Any, wrap: str = ""
) -> None:
    """Checks that each change of a valid body is refused, also as the second item of the list `wrap`."""
    for field, given, value, rule in changes(wrong):
        bad = sound | {field: given}
        answer = await live.client.call(method, path, {wrap: [sound, bad]} if wrap else bad)
        assert_refused(answer, 400, field, value, rule)
        if wrap:
            assert answer.body["message"].startswith(f"{wrap}[1]: ")
            assert answer.body["details"]["index"] == 1
    for field in wrong.keys() - {"limitPrice", "tradeTimestamp", "blotterId"}:
        lacking = {name: value for name, value in sound.items() if name != field}
        answer = await live.client.call(method, path, {wrap: [lacking]} if wrap else lacking)
        assert_refused(answer, 400, field, "nothing", "must be given")


def order_faults() -> dict[str, list[tuple[object, str, str]]]:
    not_positive = [(0, "'0'", "must be greater than zero"), ("-5", "'-5'", "must be greater than zero")]
    blank = [("  ", "'  '", "must not be blank")]
    long = "x" * 25
    times = [(one, repr(one), "must be an ISO 8601 timestamp with an offset") for one in NO_TIMES]
    return {
        "orderId": NO_INTEGERS,
        "portfolioId": [
            *NO_TEXTS,
            *blank,
            (long, repr(long), "must have at most 24 characters"),
            ("P1\u200e", r"'P1\u200e'", "must not contain control or invisible characters"),
        ],
        "orderType": [
            *NO_TEXTS,
            *blank,
            (long, repr(long), "must have at most 10 characters"),
            ("BU\u00adY", r"'BU\xadY'", "must not contain control or invisible characters"),
        ],
        "securityId": [
            *NO_TEXTS,
            ("a\0b", r"'a\x00b'", "must not contain control or invisible characters"),
            ("AAPL\u200b", r"'AAPL\u200b'", "must not contain control or invisible characters"),
            ("A\x1b[31mB\nC", r"'A\x1b[31mB\nC'", "must not contain control or invisible characters"),
        ],
        "quantity": [*NO_NUMBERS, *not_positive],
        "limitPrice": [*(one for one in NO_NUMBERS if one[0] is not None), *not_positive],
        "blotterId": [(given, value, rule) for given, value, rule in NO_INTEGERS if given is not None],
        "tradeTimestamp": [*times, *NO_SECONDS],
    }


async def test_an_order(live: Live) -> None:
    faults = order_faults()
    faults["blotterId"] = [
        (given, value, rule if "from" in rule else f"{rule} or null")
        for given, value, rule in faults["blotterId"]
    ]
    await refused(live, "POST", ORDERS, order_body(), faults)
    for blotter_id in (999, -1):
        answer = await live.client.post(ORDERS, order_body(blotterId=blotter_id))
        assert (answer.status, answer.body["message"]) == (
            404,
            f"blotterId: blotter {blotter_id} does not exist",
        )
        assert "index" not in answer.body["details"], "there is no list"
    answer = await live.client.post(ORDERS, order_body(orderId=TAKEN))
    assert answer.status == 409
    assert answer.body["message"] == f"orderId: {TAKEN} is taken, and every trade order needs its own"
    assert "index" not in answer.body["details"]


@pytest.mark.parametrize(
    ("method", "path", "body", "field"),
    [
        ("POST", "/api/v1/blotters", {"abbreviation": "E\u00adQ", "name": "x"}, "abbreviation"),
        ("POST", "/api/v1/destinations", {"abbreviation": "M\x07L", "description": "x"}, "abbreviation"),
        (
            *("PUT", "/api/v2/tradeOrders/batch/move"),
            {"tradeOrderIds": [ORDER], "blotterAbbreviation": "E\u200bQ"},
            "blotterAbbreviation",
        ),
        (
            *("POST", "/api/v2/executions/requeue"),
            {"reason": "r", "operator": "desk", "filter": {"destinations": ["M\u200eL"]}},
            "destinations",
        ),
        (
            *("POST", "/api/v2/executions/requeue"),
            {"reason": "r", "operator": "de\u202esk", "executionIds": [EXECUTION]},
            "operator",
        ),
    ],
)
async def test_an_identifier_with_invisible_characters(
    live: Live, method: str, path: str, body: dict[str, Any], field: str
) -> None:
    answer = await live.client.call(method, path, body)
    assert answer.status == 400, answer.raw
    assert answer.body["message"].startswith(f"{field}: must not contain control or invisible characters")
    assert answer.body["details"]["field"] == field
    assert answer.raw.decode().isprintable()


async def test_a_bulk_is_refused_as_a_whole(live: Live) -> None:
    faults = {name: cases[:3] for name, cases in order_faults().items() if name != "blotterId"}
    await refused(live, "POST", BULK, order_body(), faults, wrap="tradeOrders")
    twice = order_body()
    for orders, message in (
        ([], "tradeOrders: must be 1 to 1000"),
        (None, "tradeOrders: must be a list; got null"),
        ({"a": 1}, "tradeOrders: must be a list; got an object"),
        ([None], "tradeOrders[0]: item: must be an object; got null"),
        ([order_body(), twice, twice], f"tradeOrders[2]: orderId: {twice['orderId']} is given twice"),
        ([order_body(), order_body(orderId=TAKEN)], f"tradeOrders[1]: orderId: {TAKEN} is taken"),
        ([order_body(), order_body(blotterId=999)], "tradeOrders[1]: blotterId: blotter 999 does not exist"),
        ([order_body() for _ in range(1001)], "tradeOrders: must be at most 1000; got 1001"),
    ):
        answer = await live.client.post(BULK, {"tradeOrders": orders})
        assert (answer.status, answer.body["status"], answer.body["successful"]) == (400, "FAILURE", 0)
        assert answer.body["message"].startswith(message)


async def test_a_submission(live: Live) -> None:
    numbers = [
        *NO_NUMBERS,
        (0, "'0'", "must be greater than zero"),
        (-1, "'-1'", "must be greater than zero"),
    ]
    unknown = [(n, str(n), "must be the id of a destination that exists") for n in (0, -1, 99)]
    await refused(
        live, "POST", SUBMIT, PART, {"quantity": numbers, "destinationId": [*NO_INTEGERS, *unknown]}
    )
    for quantity in ("50.00000001", 51):
        answer = await live.submit(ORDER, quantity)
        message = f"quantity: trade order {ORDER} has 50 left of 100, so {quantity} cannot be submitted"
        assert (answer.status, answer.body["message"]) == (400, message)
    for query, value in (("maybe", "'maybe'"), ("true&noExecuteSubmit=false", "'true' and 'false'")):
        answer = await live.submit(ORDER, 1, query=f"?noExecuteSubmit={query}")
        rule = "must be true or false" if value == "'maybe'" else "must be given once"
        assert_refused(answer, 400, "noExecuteSubmit", value, rule)


async def test_an_order_of_an_unknown_type_is_not_submitted(live: Live, shared: Live) -> None:
    order_id = await shared.order(100)
    await run_sql(
        live.services.database, "UPDATE trade_order SET order_type = 'WEIRD' WHERE id = :id", id=order_id
    )
    try:
        answer = await live.submit(order_id, 1)
        assert answer.status == 400
        assert answer.body["message"].startswith("orderType: must be one of BUY, COVER, EXRC, SELL, SHORT; ")
        assert answer.body["message"].endswith("has 'WEIRD'")
        assert await live.executions_of(order_id) == 0
    finally:
        await live.client.call("DELETE", f"{ORDERS}/{order_id}?version=1")


async def test_a_batch_of_submissions_is_refused_as_a_whole(live: Live) -> None:
    sound = PART | {"tradeOrderId": ORDER}
    numbers = [
        *NO_NUMBERS,
        (0, "'0'", "must be greater than zero"),
        ("-1", "'-1'", "must be greater than zero"),
    ]
    faults = {"quantity": numbers, "destinationId": NO_INTEGERS, "tradeOrderId": NO_INTEGERS}
    await refused(live, "POST", BATCH, sound, faults, wrap="submissions")
    for submissions, status, message in (
        ([], 400, "submissions: must be 1 to 100"),
        ("x", 400, "submissions: must be a list; got 'x'"),
        ([None], 400, "submissions[0]: item: must be an object; got null"),
        ([sound, sound], 400, "submissions[1]: tradeOrderId: must name each trade order once"),
        ([sound | {"tradeOrderId": n} for n in range(101)], 413, "submissions: must be at most 100; got 101"),
    ):
        answer = await live.client.post(BATCH, {"submissions": submissions})
        assert (answer.status, answer.body["message"][: len(message)]) == (status, message)


async def test_of_a_batch_that_is_well_formed_each_submission_is_refused_for_itself(live: Live) -> None:
    for change, message in (
        ({"tradeOrderId": 999_999}, "trade order 999999 does not exist"),
        ({"destinationId": 99}, "destinationId: must be the id of a destination that exists; got 99"),
        ({"quantity": 51}, f"quantity: trade order {ORDER} has 50 left of 100, so 51 cannot be submitted"),
    ):
        answer = await live.client.post(BATCH, {"submissions": [PART | {"tradeOrderId": ORDER} | change]})
        assert (answer.status, answer.body["status"]) == (200, "FAILURE")
        [result] = answer.body["results"]
        assert (result["status"], result["message"], result["execution"]) == ("FAILURE", message, None)


async def test_a_fill(live: Live) -> None:
    statuses = "must be one of CNCL, CNCLD, CPART, DEL, FULL, HOLD, NEW, PART, SENT, WORK"
    faults = {
        "executionStatus": [*NO_TEXTS, ("XX", "'XX'", statuses), ("", "''", statuses)],
        "quantityFilled": [
            *NO_NUMBERS,
            (-1, "'-1'", "must not be negative"),
            ("50.00000001", "'50.00000001'", "must not be above the quantity ordered, 50"),
        ],
        "version": NO_INTEGERS,
    }
    await refused(live, "PUT", FILL, REPORT, faults)
    answer = await live.client.put(FILL, REPORT | {"version": 99})
    assert answer.status == 409
    assert answer.body["details"] == {"thing": "execution", "id": EXECUTION, "given": 99, "current": 2}


async def test_an_id_in_an_address(live: Live) -> None:
    for identity, status in (
        *(("x", 400), ("1.5", 400), ("1e3", 400), ("NaN", 400), ("%20", 400), ("%00", 400), ("%D9%A3", 400)),
        *(("2147483648", 400), ("99999999999999999999", 400), ("0", 404), ("-1", 404), ("999999", 404)),
    ):
        for method, path, body in (
            ("GET", f"{ORDERS}/{identity}", None),
            ("POST", f"{ORDERS}/{identity}/submit", PART),
            ("GET", f"/api/v1/executions/{identity}", None),
            ("PUT", f"/api/v1/executions/{identity}/fill", REPORT),
            ("POST", f"/api/v1/execution/{identity}/submit", None),
        ):
            answer = await live.client.call(method, path, body)
            assert answer.status == status, (path, answer.raw)
            message = answer.body["message"]
            if status == 400:
                assert message.startswith("id: must be a 32-bit integer; got ")
            else:
                assert re.fullmatch(rf"(trade order|execution) {identity} does not exist", message)


@pytest.mark.parametrize(
    ("body", "content_type"), [(b"{", "application/json"), (b"{}", "application/json"), (b"{}", "text/plain")]
)
async def test_an_id_comes_before_the_body(live: Live, body: bytes, content_type: str) -> None:
    for method, path in (
        ("PUT", f"{ORDERS}/x"),
        ("POST", f"{ORDERS}/x/submit?noExecuteSubmit=x"),
        ("PUT", "/api/v1/executions/x"),
        ("PUT", "/api/v1/executions/x/fill"),
        ("PUT", "/api/v2/executions/x"),
        ("POST", "/api/v2/executions/x/resolve"),
        ("PUT", "/api/v1/blotters/x"),
        ("PUT", "/api/v1/tradeType/x"),
    ):
        answer = await live.client.call(method, path, raw=body, headers={"Content-Type": content_type})
        assert_refused(answer, 400, "id", "'x'", "must be a 32-bit integer")


@pytest.mark.parametrize(
    ("body", "status", "message"),
    [
        (b"", 400, "body: must be valid JSON"),
        (b"{", 400, "body: must be valid JSON"),
        (b'{"a":1,}', 400, "body: must be valid JSON"),
        (b'{"quantity": NaN}', 400, "body: must be valid JSON"),
        (b'{"quantity": 01}', 400, "body: must be valid JSON"),
        (b'{"a": "\\ud800"}', 400, "body: must be valid JSON"),
        (b"\xef\xbb\xbf{}", 400, "body: must be valid JSON"),
        (b'{"a": "\xff"}', 400, "body: must be UTF-8, and byte 7 is not; got 0xff"),
        (b"[]", 400, "body: must be an object; got a list of 0"),
        (b"null", 400, "body: must be an object; got null"),
        (b'{"a":' * 5_000, 400, "body: must not be nested deeper"),
        (b"[" * 50_000, 400, "body: must not be nested deeper"),
        (b" " * (MAX_BODY_BYTES + 1), 413, f"body: must have at most {MAX_BODY_BYTES} bytes"),
    ],
    ids=lambda value: repr(value[:12]) if isinstance(value, bytes) else "",
)
async def test_a_body(live: Live, body: bytes, status: int, message: str) -> None:
    for method, path in (("POST", ORDERS), ("POST", BULK), ("POST", SUBMIT), ("POST", BATCH), ("PUT", FILL)):
        answer = await live.client.call(method, path, raw=body)
        assert (answer.status, answer.body["message"][: len(message)]) == (status, message), path
        assert answer.body["details"]["field"] == "body"
