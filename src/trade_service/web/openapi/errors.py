"""Examples of errors for the OpenAPI document, rendered by the code that renders errors."""

from typing import Any

import msgspec

from trade_service.domain import errors as domain
from trade_service.domain.executions import SubmissionState
from trade_service.submission.model import ExecutionSubmitResult, SubmitStatus
from trade_service.submission.ports import StoreUnavailable
from trade_service.trading.model import NotAccepted
from trade_service.web.codes import HttpCode
from trade_service.web.errors import RequestRefused, problem_body, problem_of
from trade_service.web.rendering import encoded

_REQUEST_ID = "0f8fad5bd9cb469fa16570867728950e"


def _exhausted(code: str, message: str) -> NotAccepted:
    status, state = SubmitStatus.RETRY_EXHAUSTED, SubmissionState.EXHAUSTED
    return NotAccepted(ExecutionSubmitResult(9, status, state, code, message))


EXAMPLES_OF_ERRORS: dict[int, Exception] = {
    400: domain.InvalidInput.of("quantity", "-5", "must be greater than zero"),
    401: RequestRefused(
        401, HttpCode.NOT_AUTHENTICATED, "give a key or token: Authorization: Bearer, or X-API-Key"
    ),
    403: RequestRefused(403, HttpCode.NOT_PERMITTED, "this needs the role trader; desk has reader"),
    404: domain.NotFound.of("trade order", 7),
    408: RequestRefused(408, HttpCode.BODY_TOO_SLOW, "the body did not arrive within 30 s"),
    409: domain.VersionConflict.of("trade order", 7, 2, 3),
    413: domain.TooMany("submissions: must be at most 100; got 101, nothing was submitted"),
    415: RequestRefused.of(
        415, HttpCode.UNSUPPORTED_MEDIA_TYPE, "Content-Type", "text/plain", "must be application/json"
    ),
    422: RequestRefused.of(
        422, HttpCode.IDEMPOTENCY_KEY_REUSED, "Idempotency-Key", "k-1", "must be new for a new request"
    ),
    429: RequestRefused(429, HttpCode.TOO_MANY_REQUESTS, "more than 50 requests a second", 0.4),
    500: RuntimeError(),
    502: _exhausted("DOWNSTREAM_CONNECTION_LOST", "the connection to the Execution Service broke"),
    503: StoreUnavailable("the database is away"),
    504: _exhausted("DOWNSTREAM_READ_TIMEOUT", "the Execution Service did not answer in time"),
}
"""One error of every status."""


def error_content(status: int) -> dict[str, Any]:
    """The content of an error: its schema and an example."""
    problem = problem_of(EXAMPLES_OF_ERRORS[status], "POST", "/api/v1/tradeOrders")
    example = msgspec.json.decode(encoded(problem_body(problem, _REQUEST_ID)))
    return {"schema": {"$ref": "#/components/schemas/ProblemBody"}, "example": example}
