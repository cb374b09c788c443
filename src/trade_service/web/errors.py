"""The one map from exceptions to HTTP, and the one shape of every error's body.

Bodies are application/problem+json (RFC 9457), with the `error`, `message` and `details` that clients of the
legacy service read.
"""

import math
from collections.abc import Iterable, Mapping
from enum import StrEnum
from http import HTTPStatus
from typing import Any, Self

import msgspec
import structlog
from litestar import Response
from litestar.exceptions import HTTPException

from trade_service.domain import errors as domain
from trade_service.domain.errors import DomainError
from trade_service.submission.codes import OutcomeCode
from trade_service.submission.model import ExecutionSubmitResult, SubmitStatus
from trade_service.submission.ports import StoreUnavailable
from trade_service.trading.model import NotAccepted
from trade_service.web.responses import PROBLEM_JSON, ApiResponse
from trade_service.web.routing import HttpRequest, base_path_of


class HttpCode(StrEnum):
    """Faults of the request itself, or of the service."""

    BAD_REQUEST = "BAD_REQUEST"
    """The request is malformed."""
    NO_SUCH_ADDRESS = "NO_SUCH_ADDRESS"
    METHOD_NOT_ALLOWED = "METHOD_NOT_ALLOWED"
    BODY_TOO_LARGE = "BODY_TOO_LARGE"
    BODY_TOO_SLOW = "BODY_TOO_SLOW"
    BLOTTER_REFUSED = "BLOTTER_REFUSED"
    """A file of orders cannot be read without guessing, or nothing of it can be sent."""
    BLOTTER_CHANGED = "BLOTTER_CHANGED"
    """A file of orders is not the one that was checked."""
    UNSUPPORTED_MEDIA_TYPE = "UNSUPPORTED_MEDIA_TYPE"
    NOT_AUTHENTICATED = "NOT_AUTHENTICATED"
    NOT_PERMITTED = "NOT_PERMITTED"
    HOST_NOT_ALLOWED = "HOST_NOT_ALLOWED"
    """The request names a host that this service does not answer for."""
    ORIGIN_NOT_ALLOWED = "ORIGIN_NOT_ALLOWED"
    """A page of a foreign origin asks for a change."""
    CREDENTIALS_NOT_CHECKABLE = "CREDENTIALS_NOT_CHECKABLE"
    """The source that keys or tokens are checked against is unavailable."""
    TOO_MANY_REQUESTS = "TOO_MANY_REQUESTS"
    CLIENT_GONE = "CLIENT_GONE"
    OVERLOADED = "OVERLOADED"
    """The limit on concurrent requests or on waiting executions is reached."""
    REQUEST_TIMEOUT = "REQUEST_TIMEOUT"
    STORE_UNAVAILABLE = "STORE_UNAVAILABLE"
    INTERNAL_ERROR = "INTERNAL_ERROR"
    IDEMPOTENCY_KEY_REUSED = "IDEMPOTENCY_KEY_REUSED"
    """Another request used the key before."""
    IDEMPOTENCY_KEY_RUNNING = "IDEMPOTENCY_KEY_RUNNING"
    """The first request with the key, or a repeat, is still running."""


_log = structlog.get_logger(__name__)

STORE_RETRY_AFTER_S = 1
OVERLOAD_RETRY_AFTER_S = 1


class Problem(msgspec.Struct, frozen=True):
    """An error before it is rendered."""

    status: int
    code: str
    """Stable; the code table lists them."""
    message: str
    details: Mapping[str, object] = msgspec.field(default_factory=dict)
    headers: Mapping[str, str] = msgspec.field(default_factory=dict)


class RequestRefused(Exception):
    """The request itself cannot be served, whatever it asks for."""

    def __init__(
        self,
        status: int,
        code: str,
        message: str,
        retry_after_s: float | None = None,
        details: Mapping[str, object] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        headers = {**(headers or {}), **_retry_after(retry_after_s)}
        self.problem = Problem(status, code, message, details or {}, headers)

    @classmethod
    def of(cls, status: int, code: str, field: str, value: object, rule: str) -> Self:
        """A refusal that reads `field: rule; got value`."""
        invalid = domain.InvalidInput.of(field, value, rule)
        return cls(status, code, invalid.message, details=invalid.details)


class ErrorBody(msgspec.Struct, frozen=True, rename="camel", kw_only=True):
    """The fields of every error."""

    type: str
    title: str
    detail: str
    error: str
    message: str
    details: Mapping[str, Any]
    code: str
    """Stable."""
    request_id: str


class ProblemBody(ErrorBody, frozen=True, kw_only=True):
    """An error: RFC 9457, and the fields that legacy clients read."""

    status: int


STATUS_OF: dict[type[DomainError], int] = {
    DomainError: 400,
    domain.InvalidInput: 400,
    domain.QuantityExceeded: 400,
    domain.UnknownOrderType: 400,
    domain.NotSubmittable: 400,
    domain.NotFound: 404,
    domain.AlreadyExists: 409,
    domain.VersionConflict: 409,
    domain.InFlight: 409,
    domain.AlreadySent: 409,
    domain.InUse: 409,
    domain.FillOfUnsent: 409,
    domain.EvidenceConflict: 409,
    domain.NotRequeueable: 409,
    domain.AuditRunning: 409,
    domain.TooMany: 413,
    domain.Overloaded: 503,
    domain.TooSlow: 503,
    NotAccepted: 502,
}
"""NotAccepted's status depends on its reason, see `status_of_result`; 502 is its last resort."""

STATUS_OF_REASON: dict[str, int] = {
    # Refused for good
    OutcomeCode.NOT_FOUND: 404,
    OutcomeCode.NOT_SUBMITTABLE: 400,
    OutcomeCode.ALREADY_REJECTED: 400,
    OutcomeCode.ALREADY_EXHAUSTED: 400,
    "DOWNSTREAM_ITEMS_REFUSED": 400,
    "DOWNSTREAM_REFUSED_REQUEST": 400,
    "DOWNSTREAM_TOO_LARGE": 400,
    OutcomeCode.STORE_UNAVAILABLE: 503,
    # Configuration
    "DOWNSTREAM_BAD_ADDRESS": 500,
    "DOWNSTREAM_UNAUTHORIZED": 500,
    "DOWNSTREAM_NOT_FOUND": 500,
    "DOWNSTREAM_NOT_SUPPORTED": 500,
    "DOWNSTREAM_REDIRECT": 500,
    "DOWNSTREAM_CLIENT_FAULT": 500,
    "INVALID_REQUEST": 500,
    "DOWNSTREAM_ERROR_500": 500,
    # Unreachable, or without capacity
    "DOWNSTREAM_NAME_NOT_RESOLVED": 503,
    "DOWNSTREAM_REFUSED_CONNECTION": 503,
    "DOWNSTREAM_UNREACHABLE": 503,
    "DOWNSTREAM_TLS": 503,
    "DOWNSTREAM_POOL_EXHAUSTED": 503,
    "DOWNSTREAM_NOT_SENT": 503,
    "DOWNSTREAM_THROTTLED": 503,
    "DOWNSTREAM_UNAVAILABLE": 503,
    "LEASE_PASSED": 503,
    # Silence
    "DOWNSTREAM_CONNECT_TIMEOUT": 504,
    "DOWNSTREAM_GATEWAY_TIMEOUT": 504,
    "DOWNSTREAM_READ_TIMEOUT": 504,
    "DOWNSTREAM_TOTAL_TIMEOUT": 504,
    # Broken replies, and exhausted retries of any kind
    "DOWNSTREAM_BAD_GATEWAY": 502,
    "DOWNSTREAM_CONNECTION_LOST": 502,
    "DOWNSTREAM_TRUNCATED": 502,
    "DOWNSTREAM_UNREADABLE": 502,
    "DOWNSTREAM_BODY_TOO_LARGE": 502,
    "DOWNSTREAM_UNEXPECTED_STATUS": 502,
    OutcomeCode.BUDGET_SPENT: 502,
}
"""The status of a request that waited for an execution, by the code with which it ended unaccepted."""


def status_of_result(result: ExecutionSubmitResult) -> int:
    """The status for an execution that was definitely not accepted.

    Rejected is the caller's fault (400) unless its code says otherwise; exhausted is the downstream's (502).
    """
    otherwise = 502 if result.status is SubmitStatus.RETRY_EXHAUSTED else 400
    return STATUS_OF_REASON.get(result.code, otherwise)


def problem_of(error: Exception, method: str, path: str, base_path: str = "") -> Problem:
    """Maps any exception of a request; an unexpected one discloses nothing."""
    if isinstance(error, DomainError):
        return _domain_problem(error)
    if isinstance(error, StoreUnavailable):
        message = f"{error.public}: nothing is lost, try again"
        return Problem(503, HttpCode.STORE_UNAVAILABLE, message, headers=_retry_after(STORE_RETRY_AFTER_S))
    if isinstance(error, RequestRefused):
        return error.problem
    if isinstance(error, HTTPException) and error.status_code < 500:
        return _http_problem(error, method, path, base_path)
    message = "unexpected internal error; see the service log for this request id"
    return Problem(500, HttpCode.INTERNAL_ERROR, message)


def problem_body(problem: Problem, request_id: str) -> ProblemBody:
    """The body of an error."""
    return ProblemBody(**error_fields(problem, request_id), status=problem.status)


def error_fields(problem: Problem, request_id: str) -> dict[str, Any]:
    """The fields of an ErrorBody."""
    return {
        "type": "about:blank",
        "title": HTTPStatus(problem.status).phrase,
        "detail": problem.message,
        "error": problem.message,
        "message": problem.message,
        "details": problem.details,
        "code": problem.code,
        "request_id": request_id,
    }


def respond_to_error(request: HttpRequest, error: Exception) -> Response[Any]:
    """The response to any exception."""
    problem = logged_problem(request, error)
    body = problem_body(problem, request_id_of(request))
    return ApiResponse(body, status=problem.status, media_type=PROBLEM_JSON, headers=dict(problem.headers))


def logged_problem(request: HttpRequest, error: Exception) -> Problem:
    """`problem_of` the exception; logs the traceback of an unexpected one."""
    problem = problem_of(error, request.method, request.scope["path"], base_path_of(request.scope))
    if problem.code == HttpCode.INTERNAL_ERROR:
        _log.error("request_failed", exc_info=error)
    elif problem.status >= 500:
        _log.warning("request_not_served", code=problem.code, message=problem.message, error=str(error))
    return problem


def request_id_of(request: HttpRequest) -> str:
    """The id of the request, from its header or generated."""
    return str(request.scope["state"].get("request_id", ""))


def _domain_problem(error: DomainError) -> Problem:
    if isinstance(error, NotAccepted):
        result = error.result
        if result.code == HttpCode.STORE_UNAVAILABLE:  # Its outcome is not known, least of all to us.
            message = f"execution {result.execution_id}: {result.message}"
            return Problem(503, result.code, message, error.details, _retry_after(STORE_RETRY_AFTER_S))
        return Problem(status_of_result(result), error.code, error.message, error.details)
    # A subclass missing from the table has the status of its nearest ancestor.
    status = next(STATUS_OF[cls] for cls in type(error).__mro__ if cls in STATUS_OF)
    headers = _retry_after(error.retry_after_s if isinstance(error, domain.Overloaded) else None)
    return Problem(status, error.code, error.message, error.details, headers)


def allow_header(methods: Iterable[str]) -> str:
    """The header Allow of an address: HEAD is answered wherever GET is."""
    return ", ".join(sorted({*methods} | ({"HEAD"} if "GET" in methods else set())))


def _http_problem(error: HTTPException, method: str, path: str, base_path: str) -> Problem:
    headers = dict(error.headers or {})
    if error.status_code == HTTPStatus.NOT_FOUND:
        rule = f"there is nothing at this address, see {base_path}/schema/openapi.json for what there is"
        refused = RequestRefused.of(404, HttpCode.NO_SUCH_ADDRESS, "path", f"{base_path}{path}", rule)
    elif error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
        headers["allow"] = allow_header(headers.get("allow", "").split(", "))
        rule = f"this address takes {headers['allow']}"
        refused = RequestRefused.of(405, HttpCode.METHOD_NOT_ALLOWED, "method", method, rule)
    else:
        refused = RequestRefused(error.status_code, HttpCode.BAD_REQUEST, error.detail)
    return msgspec.structs.replace(refused.problem, headers=headers)


def _retry_after(seconds: float | None) -> dict[str, str]:
    return {} if seconds is None else {"Retry-After": str(max(1, math.ceil(seconds)))}
