"""Every error has one status and one shape, decided in one place."""

from collections.abc import AsyncIterator

import litestar.exceptions
import pytest
import structlog
from litestar.exceptions import HTTPException
from structlog.testing import LogCapture, capture_logs

from tests.web.support import MOMENT, Client, FakeUseCases, served
from trade_service.domain import errors as domain
from trade_service.domain.errors import DomainError, InvalidInput, NotFound
from trade_service.domain.executions import SubmissionState
from trade_service.execution_service.reply_interpretation import ClientCode
from trade_service.submission.codes import OutcomeCode
from trade_service.submission.model import ExecutionSubmitResult, SubmitResult, SubmitStatus
from trade_service.submission.ports import StoreUnavailable
from trade_service.trading.model import NotAccepted, SubmittedOrder
from trade_service.trading.ports import StaleReference
from trade_service.web.dependencies import WebSettings
from trade_service.web.errors import (
    STATUS_OF,
    STATUS_OF_REASON,
    RequestRefused,
    problem_of,
    status_of_result,
)

ORDER = "/api/v1/tradeOrders/7"
PART = {"quantity": "50.00", "destinationId": 1}


@pytest.fixture(scope="module")
async def running() -> AsyncIterator[tuple[FakeUseCases, Client]]:
    fakes = FakeUseCases()
    async with served(fakes.services()) as client:
        yield fakes, client


@pytest.fixture
def fakes(running: tuple[FakeUseCases, Client]) -> FakeUseCases:
    running[0].reset()
    return running[0]


@pytest.fixture
def client(running: tuple[FakeUseCases, Client], fakes: FakeUseCases) -> Client:
    return running[1]


def _subclasses(kind: type[Exception]) -> set[type[Exception]]:
    below = set(kind.__subclasses__())
    return below.union(*(_subclasses(one) for one in below))


def _result(code: str, status: SubmitStatus = SubmitStatus.RETRY_EXHAUSTED) -> ExecutionSubmitResult:
    state = SubmissionState.EXHAUSTED if status is SubmitStatus.RETRY_EXHAUSTED else SubmissionState.REJECTED
    return ExecutionSubmitResult(9, status, state, code, "the reason")


# --- total maps ---


def test_every_domain_error_has_a_status() -> None:
    ours = {one for one in _subclasses(DomainError) if one.__module__.startswith("trade_service.")}
    assert {DomainError, *ours} == set(STATUS_OF)


def test_every_reason_of_the_client_has_a_status() -> None:
    assert {code for code in ClientCode if code is not ClientCode.OK} <= set(STATUS_OF_REASON)


@pytest.mark.parametrize("code", [*ClientCode, *OutcomeCode, "NEVER_HEARD_OF"])
@pytest.mark.parametrize("status", [SubmitStatus.FAILED, SubmitStatus.RETRY_EXHAUSTED])
def test_every_result_has_an_error_status(code: str, status: SubmitStatus) -> None:
    assert 400 <= status_of_result(_result(code, status)) <= 504


def test_a_rejection_is_a_client_error_and_exhaustion_is_not() -> None:
    assert status_of_result(_result("NEVER_HEARD_OF", SubmitStatus.FAILED)) == 400
    assert status_of_result(_result("NEVER_HEARD_OF")) == 502


def test_every_http_exception_of_the_framework_is_mapped() -> None:
    kinds = [one for one in vars(litestar.exceptions).values() if isinstance(one, type)]
    http = [one for one in kinds if issubclass(one, HTTPException)]
    assert len(http) > 10
    for kind in http:
        error = kind.__new__(kind)
        HTTPException.__init__(error, "why")
        problem = problem_of(error, "GET", "/here")
        assert problem.status == (error.status_code if error.status_code < 500 else 500)
        assert problem.message


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (InvalidInput.of("f", 1, "r"), 400, "INVALID_INPUT"),
        (domain.QuantityExceeded("m"), 400, "QUANTITY_EXCEEDED"),
        (domain.UnknownOrderType("m"), 400, "UNKNOWN_ORDER_TYPE"),
        (domain.NotSubmittable("m"), 400, "NOT_SUBMITTABLE"),
        (NotFound.of("thing", 1), 404, "NOT_FOUND"),
        (domain.AlreadyExists("m"), 409, "ALREADY_EXISTS"),
        (domain.VersionConflict.of("thing", 1, 2, 3), 409, "VERSION_CONFLICT"),
        (domain.InFlight("m"), 409, "IN_FLIGHT"),
        (domain.TooMany("m"), 413, "TOO_MANY"),
        (domain.Overloaded("m", retry_after_s=2.5), 503, "OVERLOADED"),
        (domain.TooSlow("m"), 503, "TOO_SLOW"),
        (NotAccepted(_result("ITEM_REFUSED", SubmitStatus.FAILED)), 400, "NOT_ACCEPTED"),
        (NotAccepted(_result("DOWNSTREAM_UNAUTHORIZED")), 500, "NOT_ACCEPTED"),
        (NotAccepted(_result("BUDGET_SPENT")), 502, "NOT_ACCEPTED"),
        (NotAccepted(_result("DOWNSTREAM_REFUSED_CONNECTION")), 503, "NOT_ACCEPTED"),
        (NotAccepted(_result("DOWNSTREAM_CONNECT_TIMEOUT")), 504, "NOT_ACCEPTED"),
        (StoreUnavailable("the database does not answer"), 503, "STORE_UNAVAILABLE"),
        (StaleReference("a row is gone"), 503, "STORE_UNAVAILABLE"),
        (RequestRefused(415, "UNSUPPORTED_MEDIA_TYPE", "m"), 415, "UNSUPPORTED_MEDIA_TYPE"),
        (ValueError("secret"), 500, "INTERNAL_ERROR"),
        (TimeoutError("secret"), 500, "INTERNAL_ERROR"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else str(value),
)
async def test_errors_over_http(
    client: Client, fakes: FakeUseCases, error: Exception, status: int, code: str
) -> None:
    fakes.failure = error
    answer = await client.get(ORDER)
    body = answer.body
    assert (answer.status, body["status"], body["code"]) == (status, status, code)
    assert answer.headers["content-type"] == "application/problem+json"
    assert set(body) == {
        *("type", "title", "status", "detail", "error", "message", "details", "code", "requestId")
    }
    assert body["error"] == body["message"] == body["detail"] != ""
    assert body["requestId"] == answer.headers["x-request-id"]
    assert ("retry-after" in answer.headers) == (status == 503 and code not in {"NOT_ACCEPTED", "TOO_SLOW"})
    assert b"secret" not in answer.raw
    assert b"Traceback" not in answer.raw


async def test_details_are_machine_readable(client: Client, fakes: FakeUseCases) -> None:
    fakes.failure = domain.VersionConflict.of("execution", 9, 1, 2)
    report = {"executionStatus": "PART", "quantityFilled": 1, "version": 1}
    answer = await client.put("/api/v1/executions/9/fill", report)
    assert answer.status == 409
    assert answer.body["details"] == {"thing": "execution", "id": 9, "given": 1, "current": 2}


async def test_details_of_any_type_are_rendered(client: Client, fakes: FakeUseCases) -> None:
    fakes.failure = InvalidInput("m", when=MOMENT, state=SubmissionState.RETRY, odd=object)
    answer = await client.get(ORDER)
    assert answer.status == 400
    assert answer.body["details"]["state"] == "retry"


async def test_overload_says_when_to_come_back(client: Client, fakes: FakeUseCases) -> None:
    fakes.failure = domain.Overloaded("m", retry_after_s=2.5)
    answer = await client.get(ORDER)
    assert (answer.headers["retry-after"], answer.body["details"]) == ("3", {"retryAfterS": 2.5})


# --- refused submissions ---


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (NotFound.of("trade order", 7), 404),
        (InvalidInput.of("destinationId", 99, "must exist"), 400),
        (domain.QuantityExceeded("quantity: too much"), 400),
        (NotAccepted(_result("ITEM_REFUSED", SubmitStatus.FAILED)), 400),
        (NotAccepted(_result("DOWNSTREAM_READ_TIMEOUT")), 504),
    ],
)
async def test_a_submission_that_is_refused(
    client: Client, fakes: FakeUseCases, error: DomainError, status: int
) -> None:
    fakes.submitted = lambda s, i: SubmittedOrder(s.trade_order_id, i, error=error)
    answer = await client.post("/api/v1/tradeOrders/7/submit", PART)
    assert (answer.status, answer.body["message"]) == (status, error.message)


@pytest.mark.parametrize(
    ("result", "status"),
    [
        (_result("ITEM_REFUSED", SubmitStatus.FAILED), 400),
        (_result("ALREADY_REJECTED", SubmitStatus.FAILED), 400),
        (_result("ALREADY_EXHAUSTED"), 400),
        (_result("DOWNSTREAM_READ_TIMEOUT"), 500),
        (_result("DOWNSTREAM_UNAUTHORIZED"), 500),
    ],
    ids=lambda value: value.code if isinstance(value, ExecutionSubmitResult) else str(value),
)
async def test_an_execution_that_is_refused(
    client: Client, fakes: FakeUseCases, result: ExecutionSubmitResult, status: int
) -> None:
    fakes.outcome = SubmitResult(result.status, result.message, result)
    answer = await client.post("/api/v1/execution/9/submit")
    assert (answer.status, answer.body["error"]) == (status, "execution 9 was not accepted: the reason")


async def test_an_unavailable_database_is_no_rejection(client: Client, fakes: FakeUseCases) -> None:
    """It may still be sent: a client that took this for final would miss a later acceptance."""
    result = _result("STORE_UNAVAILABLE", SubmitStatus.FAILED)
    fakes.outcome = SubmitResult(result.status, result.message, result)
    answer = await client.post("/api/v1/execution/9/submit")
    assert (answer.status, answer.body["code"]) == (503, "STORE_UNAVAILABLE")
    assert answer.body["error"] == "execution 9: the reason"
    assert answer.headers["retry-after"] == "1"


# --- the bulk's envelope ---

NEW = {"orderId": 1, "portfolioId": "P", "orderType": "BUY", "securityId": "S", "quantity": "1.5"}


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (domain.AlreadyExists("orderId: 1 is taken").at(1, "tradeOrders"), 400),
        (NotFound("blotterId: 9 does not exist").at(1, "tradeOrders"), 400),
        (domain.TooMany("too many"), 400),
        (StoreUnavailable("the database does not answer"), 503),
        (ValueError("secret"), 500),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else str(value),
)
async def test_a_failed_bulk_answers_in_its_envelope(
    client: Client, fakes: FakeUseCases, error: Exception, status: int
) -> None:
    fakes.failure = error
    answer = await client.post("/api/v1/tradeOrders/bulk", {"tradeOrders": [NEW, NEW, NEW]})
    body = answer.body
    assert answer.status == status
    assert body["status"] == "FAILURE"
    assert body["error"] == body["message"]
    assert body["requestId"] == answer.headers["x-request-id"]
    assert body["successful"] == 0
    assert body["totalRequested"] == body["failed"] == len(body["results"]) == 3
    assert [result["requestIndex"] for result in body["results"]] == [0, 1, 2]
    assert {result["status"] for result in body["results"]} == {"FAILURE"}
    assert {result["tradeOrder"] for result in body["results"]} == {None}
    assert b"secret" not in answer.raw


async def test_the_order_at_fault_is_named(client: Client, fakes: FakeUseCases) -> None:
    fakes.failure = domain.AlreadyExists("orderId: 1 is taken").at(1, "tradeOrders")
    body = (await client.post("/api/v1/tradeOrders/bulk", {"tradeOrders": [NEW, NEW]})).body
    assert body["details"] == {"index": 1}
    assert [result["message"] for result in body["results"]] == [
        "not created, since tradeOrders[1]: orderId: 1 is taken",
        "tradeOrders[1]: orderId: 1 is taken",
    ]


# --- addresses, ids, logs ---


@pytest.mark.parametrize(
    ("path", "methods"),
    [
        ("/api/v1/tradeOrders", "GET, HEAD, OPTIONS, POST"),
        ("/api/v1/tradeOrders/7", "DELETE, GET, HEAD, OPTIONS, PUT"),
        ("/api/v1/tradeOrders/7/submit", "OPTIONS, POST"),
        ("/actuator/health", "GET, HEAD, OPTIONS"),
    ],
)
async def test_allow_names_all_that_is_answered(client: Client, path: str, methods: str) -> None:
    wrong = await client.call("PATCH", path)
    assert (wrong.status, wrong.headers["allow"]) == (405, methods)
    assert wrong.body["message"].endswith(f"this address takes {methods}; got 'PATCH'")
    assert (await client.call("OPTIONS", path)).headers["allow"] == methods
    head = await client.call("HEAD", path)
    assert head.status != 405 if "HEAD" in methods else head.headers["allow"] == methods


async def test_unknown_addresses_and_methods(client: Client) -> None:
    answer = await client.get("/api/v1/nothing")
    assert (answer.status, answer.body["code"]) == (404, "NO_SUCH_ADDRESS")
    answer = await client.call("DELETE", "/api/v1/tradeOrders/bulk")
    assert (answer.status, answer.body["code"]) == (405, "METHOD_NOT_ALLOWED")
    assert answer.headers["allow"] == "OPTIONS, POST"
    assert answer.body["requestId"] == answer.headers["x-request-id"]


@pytest.mark.parametrize("sent", ["abc-123", "a" * 128, "01J/x:y.z=+@_"])
async def test_a_sane_request_id_is_kept(client: Client, sent: str) -> None:
    answer = await client.get("/api/v1/nothing", headers={"X-Request-ID": sent})
    assert answer.headers["x-request-id"] == answer.body["requestId"] == sent


@pytest.mark.parametrize("sent", ["", "a" * 129, "two words", 'quote"', "\x80"])
async def test_any_other_request_id_is_replaced(client: Client, sent: str) -> None:
    answer = await client.get("/api/v1/nothing", headers={"X-Request-ID": sent})
    assert answer.headers["x-request-id"] == answer.body["requestId"]
    assert len(answer.body["requestId"]) == 32


async def test_an_unexpected_error_is_logged_with_its_traceback(client: Client, fakes: FakeUseCases) -> None:
    capture = LogCapture()
    before = structlog.get_config()["processors"]
    structlog.configure(processors=[structlog.contextvars.merge_contextvars, capture])
    try:
        fakes.failure = ValueError("the cause")
        answer = await client.get(ORDER, headers={"X-Request-ID": "mine"})
        await client.get("/api/v1/health/liveness")
    finally:
        structlog.configure(processors=before)
    assert answer.status == 500
    failed, request, probe = capture.entries
    assert (failed["event"], failed["exc_info"], failed["request_id"]) == (
        *("request_failed", fakes.failure, "mine"),
    )
    assert (request["event"], request["path"], request["status"]) == ("request", ORDER, 500)
    assert request["request_id"] == "mine"
    assert probe["log_level"] == "debug"


# --- readiness ---


@pytest.mark.parametrize(
    "path", ["/api/v1/health/readiness", "/actuator/health", "/actuator/health/readiness"]
)
async def test_not_ready_without_the_database(client: Client, fakes: FakeUseCases, path: str) -> None:
    fakes.failure = StoreUnavailable("the database lacks migrations")
    answer = await client.get(path)
    assert (answer.status, answer.body["status"]) == (503, "DOWN")
    assert answer.body["message"] == "the database lacks migrations"
    for live in ("/api/v1/health/liveness", "/actuator/health/liveness", "/api/v1/health/startup"):
        assert (await client.get(live)).status == 200


async def test_callers_do_not_read_where_the_database_is(client: Client, fakes: FakeUseCases) -> None:
    fakes.failure = StoreUnavailable("silent: Connect call failed ('10.1.2.3', 5432)", "silent")
    for path in ("/api/v1/health/readiness", ORDER):
        with capture_logs() as entries:
            answer = await client.get(path)
        assert answer.status == 503
        assert "silent" in answer.body["message"]
        assert b"10.1.2.3" not in answer.raw
        assert any("10.1.2.3" in str(entry.get("error")) for entry in entries), "the log has it"


async def test_not_ready_on_the_way_out(client: Client, fakes: FakeUseCases) -> None:
    fakes.stopping = True
    answer = await client.get("/actuator/health/readiness")
    assert (answer.status, answer.body["message"]) == (503, "the service is stopping")
    assert fakes.calls == []


async def test_not_ready_while_the_database_is_silent() -> None:
    fakes = FakeUseCases()
    fakes.gate.clear()
    async with served(fakes.services(), WebSettings(probe_timeout_s=0.05)) as client:
        answer = await client.get("/actuator/health/readiness")
    assert (answer.status, answer.body["status"]) == (503, "DOWN")
    assert "within 0.05 s" in answer.body["message"]
