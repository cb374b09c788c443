"""Answers digit for digit, over fakes on a real socket."""

from collections.abc import AsyncIterator
from decimal import Decimal

import pytest

from tests.web.support import MOMENT, VIEW, Client, FakeUseCases, pending, served
from trade_service.domain.errors import DomainError, NotFound
from trade_service.domain.executions import SubmissionState
from trade_service.domain.orders import NewTradeOrder, Submission
from trade_service.submission.model import ExecutionSubmitResult, SubmitResult, SubmitStatus
from trade_service.trading.model import SubmittedOrder
from trade_service.web.dependencies import WebSettings

ORDER_JSON = (
    b'{"id":7,"orderId":70,"portfolioId":"P1","orderType":"BUY","securityId":"S1",'
    b'"quantity":1234567890.12345678,"quantitySent":0,"limitPrice":9.5,'
    b'"tradeTimestamp":"2026-01-30T15:30:00Z",'
    b'"blotter":{"id":2,"abbreviation":"EQ","name":"Equity","version":1},"submitted":false,"version":1}'
)
EXECUTION_JSON = (
    b'{"id":9,"executionTimestamp":"2026-01-30T15:30:00Z",'
    b'"executionStatus":{"id":1,"abbreviation":"NEW","description":"New","version":1},'
    b'"blotter":{"id":2,"abbreviation":"EQ","name":"Equity","version":1},'
    b'"tradeType":{"id":1,"abbreviation":"BUY","description":"Buy","version":1},'
    b'"tradeOrder":' + ORDER_JSON + b","
    b'"destination":{"id":1,"abbreviation":"ML","description":"Merrill Lynch","version":1},'
    b'"quantityOrdered":"50.00","quantityPlaced":"0.00","quantityFilled":"0.12345678","limitPrice":null,'
    b'"executionServiceId":null,"version":1}'
)
POST_ORDER = {"orderId": 1, "portfolioId": "P", "orderType": "BUY", "securityId": "S", "quantity": "1.5"}
PART = {"quantity": "50.00", "destinationId": 1}


@pytest.fixture(scope="module")
async def running() -> AsyncIterator[tuple[FakeUseCases, Client]]:
    fakes = FakeUseCases()
    async with served(fakes.services(), WebSettings(wait_s=0.5)) as client:
        yield fakes, client


@pytest.fixture
def fakes(running: tuple[FakeUseCases, Client]) -> FakeUseCases:
    running[0].reset()
    return running[0]


@pytest.fixture
def client(running: tuple[FakeUseCases, Client], fakes: FakeUseCases) -> Client:
    return running[1]


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "raw"),
    [
        ("GET", "/api/v1/tradeOrders/7", None, 200, ORDER_JSON),
        ("POST", "/api/v1/tradeOrders", POST_ORDER, 201, ORDER_JSON),
        ("POST", "/api/v1/tradeOrders/7/submit", PART, 201, EXECUTION_JSON),
        ("GET", "/api/v1/executions/9", None, 200, EXECUTION_JSON),
        ("POST", "/api/v1/execution/9/submit", None, 200, EXECUTION_JSON),
        (
            "PUT",
            "/api/v1/executions/9/fill",
            {"executionStatus": "PART", "quantityFilled": 1, "version": 1},
            200,
            EXECUTION_JSON,
        ),
    ],
)
async def test_the_shapes(
    client: Client, method: str, path: str, body: object, status: int, raw: bytes
) -> None:
    answer = await client.call(method, path, body)
    assert (answer.status, answer.raw) == (status, raw)
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["x-request-id"]


async def test_a_bulk_is_answered_in_an_envelope(client: Client) -> None:
    answer = await client.post("/api/v1/tradeOrders/bulk", {"tradeOrders": [POST_ORDER, POST_ORDER]})
    results = [
        b'{"requestIndex":%d,"status":"SUCCESS","message":"trade order created","tradeOrder":%s}'
        % (index, ORDER_JSON)
        for index in range(2)
    ]
    assert answer.status == 201
    assert answer.raw == (
        b'{"status":"SUCCESS","message":"2 of 2 trade orders created","totalRequested":2,"successful":2,'
        b'"failed":0,"results":[' + b",".join(results) + b"]}"
    )


# --- what the use cases receive ---


async def test_an_order_arrives_digit_for_digit(client: Client, fakes: FakeUseCases) -> None:
    raw = (
        b'{"orderId":5,"portfolioId":"P","orderType":"buy","securityId":"S","quantity":1234567890.12345678,'
        b'"limitPrice":"0.00000001","tradeTimestamp":"2026-01-30T16:30:00+01:00","blotterId":2,'
        b'"sent":"by an older client","nested":{"ignored":[1.5]}}'
    )
    assert (await client.post("/api/v1/tradeOrders", raw=raw)).status == 201
    expected = NewTradeOrder(
        5, "P", "buy", "S", Decimal("1234567890.12345678"), Decimal("0.00000001"), MOMENT, 2
    )
    assert fakes.calls == [("create_order", expected)]


@pytest.mark.parametrize(
    "stamp",
    [
        "2026-01-30T15:30:00Z",
        "2026-01-30T15:30Z",
        "2026-01-30T15:30:00.000000000Z",
        "2026-01-30T10:30:00-0500",
        "2026-01-30T10:30:00.000-05:00",
    ],
)
async def test_timestamps_of_all_clients_are_understood(
    client: Client, fakes: FakeUseCases, stamp: str
) -> None:
    answer = await client.post("/api/v1/tradeOrders", POST_ORDER | {"tradeTimestamp": stamp})
    assert answer.status == 201
    assert fakes.calls[0][1].trade_timestamp == MOMENT


async def test_optional_fields_may_be_null_or_absent(client: Client, fakes: FakeUseCases) -> None:
    nulls = {"blotterId": None, "limitPrice": None, "tradeTimestamp": None}
    assert (await client.post("/api/v1/tradeOrders", POST_ORDER | nulls)).status == 201
    assert (await client.post("/api/v1/tradeOrders", POST_ORDER)).status == 201
    expected = ("create_order", NewTradeOrder(1, "P", "BUY", "S", Decimal("1.5")))
    assert fakes.calls == [expected, expected]


@pytest.mark.parametrize("content_type", ["", "application/json;charset=UTF-8", "application/vnd.x+json"])
async def test_json_under_any_of_its_names(client: Client, content_type: str) -> None:
    headers = {"Content-Type": content_type}
    assert (await client.post("/api/v1/tradeOrders", POST_ORDER, headers=headers)).status == 201


@pytest.mark.parametrize(
    ("query", "send"),
    [
        ("", True),
        ("?noExecuteSubmit=false", True),
        ("?noExecuteSubmit=", True),
        ("?noExecuteSubmit=true", False),
        ("?noExecuteSubmit=TRUE&other=1", False),
    ],
)
async def test_no_execute_submit(client: Client, fakes: FakeUseCases, query: str, send: bool) -> None:
    await client.post(f"/api/v1/tradeOrders/7/submit{query}", PART)
    batch = {"submissions": [{"tradeOrderId": 7, **PART}]}
    await client.post(f"/api/v1/tradeOrders/batch/submit{query}", batch)
    submission = Submission(7, Decimal("50.00"), 1)
    assert fakes.calls == [
        ("submit_order", submission, send, 0.5),
        ("submit_orders", [submission], send, 0.5),
    ]


async def test_a_fill_is_passed_on_exactly(client: Client, fakes: FakeUseCases) -> None:
    report = b'{"executionStatus":"PART","quantityFilled":"1.10","version":3}'
    assert (await client.put("/api/v1/executions/9/fill", raw=report)).status == 200
    assert fakes.calls == [("fill", 9, "PART", Decimal("1.10"), 3)]


# --- what is still open ---


async def test_headers_report_a_pending_submission(client: Client, fakes: FakeUseCases) -> None:
    fakes.submitted = lambda s, i: SubmittedOrder(s.trade_order_id, i, view=VIEW, result=pending())
    answer = await client.post("/api/v1/tradeOrders/7/submit", PART)
    assert answer.status == 201
    assert answer.raw == EXECUTION_JSON
    assert answer.headers["x-submission-state"] == "unknown"
    assert answer.headers["x-submission-message"] == "pending, do not resubmit"


async def test_a_submission_that_waits_for_the_circuit_says_so(client: Client, fakes: FakeUseCases) -> None:
    waiting = ExecutionSubmitResult.deferred(9, SubmissionState.RETRY)
    fakes.submitted = lambda s, i: SubmittedOrder(s.trade_order_id, i, view=VIEW, result=waiting)
    answer = await client.post("/api/v1/tradeOrders/7/submit", PART)
    assert answer.status == 201
    assert answer.headers["x-submission-state"] == "retry"
    assert answer.headers["x-submission-message"] == waiting.message
    assert waiting.message.startswith("pending, do not resubmit: the Execution Service is not called now")


async def test_headers_report_a_pending_execution(client: Client, fakes: FakeUseCases) -> None:
    answer = await client.post("/api/v1/execution/9/submit")
    assert (answer.status, answer.headers["x-submission-state"]) == (200, "unknown")
    accepted = ExecutionSubmitResult(9, SubmitStatus.SUCCESS, SubmissionState.ACCEPTED, "OK", "")
    fakes.outcome = SubmitResult(SubmitStatus.SUCCESS, None, accepted)
    answer = await client.post("/api/v1/execution/9/submit")
    assert answer.status == 200
    assert "x-submission-state" not in answer.headers


# --- batches ---

GONE = NotFound.of("trade order", 8)


def _batch_of(*trade_order_ids: int) -> dict[str, object]:
    return {"submissions": [{"tradeOrderId": one, **PART} for one in trade_order_ids]}


def _even_ids_are(error: DomainError, submission: Submission, index: int) -> SubmittedOrder:
    if submission.trade_order_id % 2 == 0:
        return SubmittedOrder(submission.trade_order_id, index, error=error)
    state = SubmissionState.RETRY if submission.trade_order_id == 5 else SubmissionState.UNKNOWN
    return SubmittedOrder(submission.trade_order_id, index, view=VIEW, result=pending(state))


@pytest.mark.parametrize(
    ("ids", "status", "word"),
    [((7, 9), 200, "SUCCESS"), ((8, 6), 200, "FAILURE"), ((7, 8, 9), 207, "PARTIAL")],
)
async def test_the_status_of_a_batch(
    client: Client, fakes: FakeUseCases, ids: tuple[int, ...], status: int, word: str
) -> None:
    fakes.submitted = lambda s, i: _even_ids_are(GONE, s, i)
    answer = await client.post("/api/v1/tradeOrders/batch/submit", _batch_of(*ids))
    good = sum(one % 2 for one in ids)
    assert answer.status == status
    assert answer.body["status"] == word
    counts = [answer.body[key] for key in ("totalRequested", "successful", "failed")]
    assert counts == [len(ids), good, len(ids) - good]
    assert [result["tradeOrderId"] for result in answer.body["results"]] == list(ids)
    assert [result["requestIndex"] for result in answer.body["results"]] == list(range(len(ids)))


async def test_the_results_of_a_batch(client: Client, fakes: FakeUseCases) -> None:
    fakes.submitted = lambda s, i: _even_ids_are(GONE, s, i)
    answer = await client.post("/api/v1/tradeOrders/batch/submit", _batch_of(5, 8, 7))
    still_open, refused, _ = answer.body["results"]
    assert (still_open["status"], still_open["message"]) == ("SUCCESS", "pending, do not resubmit")
    assert still_open["execution"]["executionStatus"]["abbreviation"] == "NEW"
    assert refused == {
        "tradeOrderId": 8,
        "status": "FAILURE",
        "message": "trade order 8 does not exist",
        "execution": None,
        "requestIndex": 1,
    }
    assert answer.headers["x-submission-state"] == "retry,unknown"
    assert "2 of the successful pending, do not resubmit" in answer.body["message"]


# --- probes ---


@pytest.mark.parametrize(
    "path",
    [
        *("/api/v1/health/liveness", "/api/v1/health/readiness", "/api/v1/health/startup"),
        *("/actuator/health", "/actuator/health/liveness", "/actuator/health/readiness"),
    ],
)
async def test_probes_are_up(client: Client, path: str) -> None:
    answer = await client.get(path)
    assert (answer.status, answer.body["status"]) == (200, "UP")


async def test_the_description_of_the_api_is_served(client: Client) -> None:
    paths = (await client.get("/schema/openapi.json")).body["paths"]
    assert "post" in paths["/api/v1/tradeOrders/batch/submit"]
    assert "post" in paths["/api/v1/execution/{id}/submit"]


@pytest.mark.parametrize(
    ("asked", "is_compressed"),
    [
        ("gzip", True),
        ("br, gzip;q=0.5", True),
        ("identity", False),
        ("gzip; q=0", False),
        ("br;q=1, deflate", False),
    ],
)
@pytest.mark.parametrize("orders", [10, 1000])
async def test_long_answers_are_compressed_when_asked(
    client: Client, asked: str, is_compressed: bool, orders: int
) -> None:
    body = {"tradeOrders": [POST_ORDER] * orders}
    answer = await client.post("/api/v1/tradeOrders/bulk", body, headers={"Accept-Encoding": asked})
    assert answer.raw.count(ORDER_JSON) == orders
    assert answer.headers["vary"] == "Accept-Encoding"
    assert answer.headers.get("content-encoding") == ("gzip" if is_compressed else None)
    assert (int(answer.headers["content-length"]) < len(answer.raw) / 4) is is_compressed


async def test_short_answers_are_never_compressed(client: Client) -> None:
    answer = await client.get("/api/v1/tradeOrders/7", headers={"Accept-Encoding": "gzip"})
    assert "content-encoding" not in answer.headers
    assert "vary" not in answer.headers
