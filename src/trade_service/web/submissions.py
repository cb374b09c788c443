"""/api/v2/executions/submit and /api/v2/submissions: many executions by id, now or in the background."""

import re
import uuid
from collections.abc import Iterable, Sequence
from typing import Any, Self

import msgspec
from litestar import Controller, Response
from litestar.openapi.spec import OpenAPIType, Schema
from litestar.openapi.spec.enums import OpenAPIFormat
from litestar.params import FromPath, JSONBody

from trade_service.domain.errors import DomainError, InvalidInput, NotFound
from trade_service.domain.fields import Moment
from trade_service.submission.model import BulkSubmitResult, ExecutionSubmitResult, SubmitStatus
from trade_service.trading.bulk_submissions import (
    MAX_EXECUTIONS,
    MAX_PAGE,
    BulkAttempt,
    BulkItem,
    BulkProgress,
)
from trade_service.trading.listing.model import EXECUTION_FIELDS
from trade_service.trading.request_keys import Created
from trade_service.web.access import LISTING, TRADER, get
from trade_service.web.body_bounds import room_for
from trade_service.web.body_errors import RawJson
from trade_service.web.dependencies import Injected, Services, WebServices
from trade_service.web.export_forms import wanted_form
from trade_service.web.exports import Exports, followed_pages
from trade_service.web.idempotency import keyed_post
from trade_service.web.list_queries import MAX_OFFSET, read_filters
from trade_service.web.openapi.schemas import Int32
from trade_service.web.parameters import read_count, read_once
from trade_service.web.responses import (
    SUBMISSION_MESSAGE,
    SUBMISSION_STATE,
    ApiResponse,
    batch_response,
    pending_headers,
    presented,
)
from trade_service.web.routing import HttpRequest, documented, header, integer, location, query


class ExecutionsSubmit(msgspec.Struct, rename="camel", forbid_unknown_fields=True):
    """Executions to send: ids or a filter, exactly one of the two. Unknown names are refused."""

    execution_ids: list[Int32] | None = None
    filter: dict[str, Any] | None = None


class ExecutionResultAnswer(msgspec.Struct, frozen=True, rename="camel"):
    """The outcome of one execution. A pending one is no failure: the service continues it."""

    request_index: int
    execution_id: int
    status: str
    code: str
    message: str
    submission_state: str | None
    execution_service_id: int | None

    @classmethod
    def of(cls, result: ExecutionSubmitResult) -> "ExecutionResultAnswer":
        good = result.status in (SubmitStatus.SUCCESS, SubmitStatus.PENDING)
        return cls(
            request_index=result.request_index,
            execution_id=result.execution_id,
            status="SUCCESS" if good else "FAILURE",
            code=result.code,
            message=result.message,
            submission_state=None if result.state is None else str(result.state),
            execution_service_id=result.execution_service_id,
        )


class ExecutionsSubmitAnswer(msgspec.Struct, frozen=True, rename="camel"):
    """The outcomes of all executions, in request order."""

    submission_id: str
    status: str
    message: str
    total_requested: int
    successful: int
    failed: int
    pending: int
    """The number of successful ones whose outcome is still open."""
    results: list[ExecutionResultAnswer]

    @classmethod
    def of(cls, submission_id: str, bulk: BulkSubmitResult) -> "ExecutionsSubmitAnswer":
        """Presents a result; pending executions count as successful, as in a batch of trade orders."""
        successful = bulk.successful + bulk.pending
        results = [ExecutionResultAnswer.of(result) for result in bulk.results]
        return presented(cls, bulk, submission_id=submission_id, successful=successful, results=results)


class ProgressAnswer(msgspec.Struct, frozen=True, rename="camel"):
    """The progress of a bulk submission."""

    submission_id: str
    status: str
    created_at: Moment
    total_requested: int
    successful: int
    failed: int
    pending: int

    @classmethod
    def of(cls, progress: BulkProgress, **further: object) -> Self:
        """Presents the progress; pending executions count as neither successful nor failed."""
        return presented(cls, progress, status="FINISHED" if progress.is_finished else "RUNNING", **further)


class SubmissionPagination(msgspec.Struct, frozen=True, rename="camel"):
    """The position of a page of results."""

    total_elements: int
    total_pages: int
    current_page: int
    page_size: int
    has_next: bool
    has_previous: bool

    @classmethod
    def of(cls, total: int, offset: int, limit: int) -> "SubmissionPagination":
        pages = -(-total // limit)
        return cls(total, pages, offset // limit, limit, offset + limit < total, offset > 0)


class SubmissionAnswer(ProgressAnswer, frozen=True):
    """A bulk submission and a page of its results, in request order."""

    results: list[ExecutionResultAnswer]
    pagination: SubmissionPagination

    @classmethod
    def page(
        cls, progress: BulkProgress, items: Iterable[BulkItem], offset: int, limit: int
    ) -> "SubmissionAnswer":
        results = [ExecutionResultAnswer.of(item.result()) for item in items]
        pagination = SubmissionPagination.of(progress.total_requested, offset, limit)
        return cls.of(progress, results=results, pagination=pagination)


class ListedSubmissionAnswer(ProgressAnswer, frozen=True):
    """A bulk submission in the list."""

    created_by: str | None
    """Who submitted; null where nobody was authenticated, or the audit log has no entry (any more)."""
    finished_at: Moment | None
    """When the last answer for its executions was recorded; null while it is running."""
    is_blotter: bool
    """Whether it was sent as a blotter: its rejected rows and results can be downloaded."""


class SubmissionsAnswer(msgspec.Struct, frozen=True, rename="camel"):
    """A page of bulk submissions, the newest first."""

    submissions: list[ListedSubmissionAnswer]
    next_cursor: str | None
    """The `cursor` of the next page; null at the end. A page reads a bounded number of executions: it may have
    fewer than `limit`, or none, and still not be the last."""


class SubmissionAttemptsAnswer(msgspec.Struct, frozen=True, rename="camel"):
    """Attempts of a bulk submission, oldest first."""

    attempts: list[BulkAttempt]
    next_after: str | None


_CURSOR_RULE = "must be a nextCursor of this list, as it was answered"
_AFTER_RULE = "must be the id of an attempt"
_ASYNC = re.compile(r"(?:^|[,;\s])respond-async(?:$|[,;\s])", re.IGNORECASE)
PREFER = header("Prefer", "`respond-async` for 202 at once.", Schema(type=OpenAPIType.STRING))
_DEFAULT_PAGE = 100
DEFAULT_LISTED, MAX_LISTED = 20, 100
_SUBMITS = documented(
    parameters=(PREFER,),
    answers={200: ExecutionsSubmitAnswer, 207: ExecutionsSubmitAnswer, 202: ProgressAnswer},
    errors=(404, 409),
    headers=("Location", "Preference-Applied", SUBMISSION_STATE, SUBMISSION_MESSAGE),
)
IDS_ROOM = room_for(MAX_EXECUTIONS, item_bytes=32, item_values=4)
"""An id as text on a line of its own takes up to 25 bytes."""
_LIMIT = query("limit", f"Rows of a page; {_DEFAULT_PAGE} when left out.", integer(1, MAX_PAGE))
_OFFSET = query("offset", "Rows left out before the page, exactly.", integer(0, MAX_OFFSET))
_UUID = Schema(type=OpenAPIType.STRING, format=OpenAPIFormat.UUID)
_FINISHED = {"RUNNING": False, "FINISHED": True}
_PAGE = (
    query("limit", f"Submissions of a page; {DEFAULT_LISTED} when left out.", integer(1, MAX_LISTED)),
    query("cursor", "The `nextCursor` of the page before.", _UUID),
    query(
        "status",
        "Only submissions that are running, or that are finished.",
        Schema(type=OpenAPIType.STRING, enum=list(_FINISHED)),
    ),
)
_AFTER = query(
    "after",
    "The `nextAfter` of the page before.",
    _UUID,
)


class SubmissionController(Controller):
    """Bulk submissions and their results."""

    tags = ("Bulk submissions",)

    @keyed_post("/executions/submit", opt=TRADER | _SUBMITS | IDS_ROOM, status_code=200)
    async def submit(
        self,
        request: HttpRequest,
        services: Services,
        data: JSONBody[ExecutionsSubmit],
        created: Created | None,
    ) -> Response[Any]:
        """Sends up to 10,000 executions: those named, or those that match a filter and were never sent.

        A filter has the names of the list's filters. Each text is one whole value; unknown names and empty
        conditions are refused. 200 when all or none succeeded, 207 otherwise; what is pending counts as success,
        and the header X-Submission-State says so.
        With `Prefer: respond-async` 202 at once: Location has the address of the progress.
        """
        submissions, wait_s = services.bulk_submissions, services.settings.wait_s
        in_background = prefers_background(request)
        bulk = None
        if created is not None:
            submission_id = created.name or ""
            bulk = None if in_background else await submissions.resume(submission_id, wait_s)
        elif in_background:
            submission_id = await submissions.start(await _ids(services, data))
        else:
            submission_id, bulk = await submissions.submit(await _ids(services, data), wait_s)
        headers = {"Location": location(request, f"/api/v2/submissions/{submission_id}")}
        if bulk is None:
            progress = ProgressAnswer.of(await submissions.progress(submission_id))
            return ApiResponse(progress, 202, headers | {"Preference-Applied": "respond-async"})
        body = ExecutionsSubmitAnswer.of(submission_id, bulk)
        return batch_response(body, bulk.status, headers | pending_headers(bulk.results))

    @get("/submissions", opt=LISTING | documented(parameters=_PAGE, exported=True))
    async def page(
        self, request: HttpRequest, services: Services, exports: Injected[Exports]
    ) -> Response[SubmissionsAnswer]:
        """Lists bulk submissions with their progress, the newest first."""
        limit = read_count(request, "limit", DEFAULT_LISTED, 1, MAX_LISTED)
        status, cursor = read_once(request, "status"), read_once(request, "cursor")
        if status and status not in _FINISHED:
            raise InvalidInput.of("status", status[:40], f"must be {' or '.join(_FINISHED)}")
        before = _uuid(cursor, InvalidInput.of("cursor", cursor[:40], _CURSOR_RULE)) if cursor else None
        finished = _FINISHED[status] if status else None

        async def read(
            place: str | None, rows: int = MAX_LISTED
        ) -> tuple[list[ListedSubmissionAnswer], str | None]:
            page = await services.bulk_submissions.page(finished, place, rows)
            return [ListedSubmissionAnswer.of(one) for one in page.submissions], page.next_before

        if (form := wanted_form(request)) is not None:
            pages = followed_pages(read, before)
            return await exports.respond(request, form, ListedSubmissionAnswer, "submissions", pages)
        return ApiResponse(SubmissionsAnswer(*await read(before, limit)))

    @get("/submissions/{submission_id:str}", opt=LISTING | documented(parameters=(_LIMIT, _OFFSET)))
    async def read(
        self, request: HttpRequest, services: Services, submission_id: FromPath[str]
    ) -> Response[SubmissionAnswer]:
        """The progress of a bulk submission, and a page of its results in request order."""
        identity, submissions = submission_id_of(submission_id), services.bulk_submissions
        limit = read_count(request, "limit", _DEFAULT_PAGE, 1, MAX_PAGE)
        offset = read_count(request, "offset", 0, 0, MAX_OFFSET)
        progress = await submissions.progress(identity)
        end = min(offset + limit, progress.total_requested)
        items = await submissions.items(identity, range(offset, end)) if offset < end else []
        return ApiResponse(SubmissionAnswer.page(progress, items, offset, limit))

    @get("/submissions/{submission_id:str}/attempts", opt=LISTING | documented(parameters=(_LIMIT, _AFTER)))
    async def attempts(
        self, request: HttpRequest, services: Services, submission_id: FromPath[str]
    ) -> Response[SubmissionAttemptsAnswer]:
        """The attempts that sent its executions, oldest first, each with its outcomes.

        `nextAfter` is the `after` of the next page; null at the end.
        """
        identity = submission_id_of(submission_id)
        limit = read_count(request, "limit", _DEFAULT_PAGE, 1, MAX_PAGE)
        after = read_once(request, "after")
        after_id = _uuid(after, InvalidInput.of("after", after[:40], _AFTER_RULE)) if after else None
        found = await services.bulk_submissions.attempts(identity, after_id, limit)
        next_after = found[-1].attempt_id if len(found) == limit else None
        return ApiResponse(SubmissionAttemptsAnswer(found, next_after))


def prefers_background(request: HttpRequest) -> bool:
    """Whether the request asks for `respond-async` (RFC 7240)."""
    return _ASYNC.search(request.headers.get("prefer", "")) is not None


async def _ids(services: WebServices, data: ExecutionsSubmit) -> Sequence[int]:
    if data.filter is not None:
        if data.execution_ids is not None:
            raise InvalidInput.of("filter", RawJson("both"), "must be left out beside executionIds")
        return await services.bulk_submissions.matching(read_filters(data.filter, EXECUTION_FIELDS))
    if not data.execution_ids:
        raise InvalidInput.of("executionIds", None, f"must be 1 to {MAX_EXECUTIONS}, or filter be given")
    return data.execution_ids


def submission_id_of(submission_id: str) -> str:
    """The id in a path, in canonical form; raises NotFound for what is no id."""
    return _uuid(submission_id, NotFound.of("bulk submission", submission_id[:40]))


def _uuid(text: str, error: DomainError) -> str:
    try:
        return str(uuid.UUID(text))
    except ValueError:
        raise error from None
