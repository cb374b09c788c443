"""/api/v2/executions/submit and /api/v2/submissions: many executions by id, now or in the background."""

import asyncio
import re
import time
import uuid
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from typing import Any, Self

import msgspec
from litestar import Controller, Response
from litestar.openapi.spec import OpenAPIType, Schema
from litestar.openapi.spec.enums import OpenAPIFormat
from litestar.params import FromPath, JSONBody
from litestar.response import Stream

from trade_service.domain.errors import DomainError, InvalidInput, NotFound
from trade_service.domain.fields import Moment
from trade_service.submission.model import BulkSubmitResult, ExecutionSubmitResult, SubmitStatus
from trade_service.submission.ports import StoreUnavailable
from trade_service.trading.bulk_submissions import (
    MAX_EXECUTIONS,
    MAX_PAGE,
    BulkAttempt,
    BulkItem,
    BulkProgress,
    BulkSubmissions,
)
from trade_service.trading.listing.model import EXECUTION_FIELDS
from trade_service.trading.request_keys import Created
from trade_service.web.access import LISTING, READER, TRADER, get
from trade_service.web.body_bounds import room_for
from trade_service.web.body_errors import RawJson
from trade_service.web.dependencies import Injected, Services, StreamSettings, WebServices
from trade_service.web.errors import OVERLOAD_RETRY_AFTER_S, HttpCode, RequestRefused
from trade_service.web.idempotency import keyed_post
from trade_service.web.list_queries import MAX_OFFSET, read_filters
from trade_service.web.rendering import ApiResponse, HttpRequest, batch_response, encoded, presented
from trade_service.web.request_parsing import Int32, read_count, read_once
from trade_service.web.responses import SUBMISSION_MESSAGE, SUBMISSION_STATE, pending_headers
from trade_service.web.routing import documented, header, integer, query


class ExecutionsSubmit(msgspec.Struct, rename="camel"):
    """Executions to send: ids or a filter, exactly one of the two."""

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


class SubmissionAttemptsAnswer(msgspec.Struct, frozen=True, rename="camel"):
    """Attempts of a bulk submission, oldest first."""

    attempts: list[BulkAttempt]
    next_after: str | None


PIECE = 500
"""Results read and written at once."""
RECONNECT_MS = 1000


class EventStreams:
    """Opens event streams, of which there are at most `max_streams` at once in this process."""

    def __init__(
        self, submissions: BulkSubmissions, settings: StreamSettings, is_stopping: Callable[[], bool]
    ) -> None:
        self._submissions = submissions
        self._settings = settings
        self._is_stopping = is_stopping
        self._open = 0

    async def open(self, submission_id: str, seen: int) -> AsyncIterator[bytes]:
        """The events after the first `seen` results; raises NotFound and RequestRefused before the first."""
        progress = await self._submissions.progress(submission_id)
        if self._open >= self._settings.max_streams:
            message = f"{self._open} event streams are open, which is the limit: try again, or poll"
            raise RequestRefused(503, HttpCode.OVERLOADED, message, OVERLOAD_RETRY_AFTER_S)
        return self._counted(progress, seen)

    async def _counted(self, progress: BulkProgress, seen: int) -> AsyncIterator[bytes]:
        self._open += 1
        try:
            async for event in self._events(progress, seen):
                yield event
        finally:
            self._open -= 1

    async def _events(self, progress: BulkProgress, seen: int) -> AsyncIterator[bytes]:
        settings, submission_id = self._settings, progress.submission_id
        began = spoke_at = time.monotonic()
        yield f"retry: {RECONNECT_MS}\n\n".encode() + _event("progress", ProgressAnswer.of(progress))
        while not self._is_stopping() and time.monotonic() - began < settings.max_s:
            try:
                items = await self._submissions.settled_since(submission_id, seen, PIECE)
                if items:
                    progress = await self._submissions.progress(submission_id)
            except StoreUnavailable:
                items = []
            if items:
                yield _results(items, seen) + _event("progress", ProgressAnswer.of(progress))
                seen, spoke_at = seen + len(items), time.monotonic()
            if seen >= progress.total_requested:
                yield _event("finished", ProgressAnswer.of(progress), seen)
                return
            if len(items) == PIECE:
                continue
            if time.monotonic() - spoke_at >= settings.heartbeat_s:
                spoke_at = time.monotonic()
                yield b": still open\n\n"
            await asyncio.sleep(settings.poll_s)


def _results(items: list[BulkItem], seen: int) -> bytes:
    """An event for each; its id is the number of results up to it."""
    return b"".join(
        _event("result", ExecutionResultAnswer.of(item.result()), seen + number)
        for number, item in enumerate(items, 1)
    )


def _event(kind: str, data: object, event_id: int | None = None) -> bytes:
    identity = b"" if event_id is None else f"id: {event_id}\n".encode()
    return identity + f"event: {kind}\ndata: ".encode() + encoded(data) + b"\n\n"


_AFTER_RULE = "must be the id of an attempt"
_ASYNC = re.compile(r"(?:^|[,;\s])respond-async(?:$|[,;\s])", re.IGNORECASE)
_DEFAULT_PAGE = 100
_SUBMITS = documented(
    parameters=(header("Prefer", "`respond-async` for 202 at once.", Schema(type=OpenAPIType.STRING)),),
    answers={200: ExecutionsSubmitAnswer, 207: ExecutionsSubmitAnswer, 202: ProgressAnswer},
    errors=(404, 409),
    headers=("Location", "Preference-Applied", SUBMISSION_STATE, SUBMISSION_MESSAGE),
)
_IDS_ROOM = room_for(MAX_EXECUTIONS, item_bytes=32, item_values=4)
"""An id as text on a line of its own takes up to 25 bytes."""
_LIMIT = query("limit", f"Rows of a page; {_DEFAULT_PAGE} when left out.", integer(1, MAX_PAGE))
_OFFSET = query("offset", "Rows left out before the page, exactly.", integer(0, MAX_OFFSET))
_AFTER = query(
    "after",
    "The `nextAfter` of the page before.",
    Schema(type=OpenAPIType.STRING, format=OpenAPIFormat.UUID),
)
_EVENTS = documented(
    parameters=(header("Last-Event-ID", "The id of the last event that was seen.", integer(0, 999_999_999)),),
    answers={200: str},
    media_type="text/event-stream",
)


class SubmissionController(Controller):
    """Bulk submissions and their results."""

    tags = ("Bulk submissions",)

    @keyed_post("/executions/submit", opt=TRADER | _SUBMITS | _IDS_ROOM, status_code=200)
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
        in_background = _ASYNC.search(request.headers.get("prefer", "")) is not None
        bulk = None
        if created is not None:
            submission_id = created.name or ""
            bulk = None if in_background else await submissions.resume(submission_id, wait_s)
        elif in_background:
            submission_id = await submissions.start(await _ids(services, data))
        else:
            submission_id, bulk = await submissions.submit(await _ids(services, data), wait_s)
        headers = {"Location": f"/api/v2/submissions/{submission_id}"}
        if bulk is None:
            progress = ProgressAnswer.of(await submissions.progress(submission_id))
            return ApiResponse(progress, 202, headers | {"Preference-Applied": "respond-async"})
        body = ExecutionsSubmitAnswer.of(submission_id, bulk)
        return batch_response(body, bulk.status, headers | pending_headers(bulk.results))

    @get("/submissions/{submission_id:str}", opt=LISTING | documented(parameters=(_LIMIT, _OFFSET)))
    async def read(
        self, request: HttpRequest, services: Services, submission_id: FromPath[str]
    ) -> Response[SubmissionAnswer]:
        """The progress of a bulk submission, and a page of its results in request order."""
        identity, submissions = _identity(submission_id), services.bulk_submissions
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
        identity = _identity(submission_id)
        limit = read_count(request, "limit", _DEFAULT_PAGE, 1, MAX_PAGE)
        after = read_once(request, "after")
        after_id = _uuid(after, InvalidInput.of("after", after[:40], _AFTER_RULE)) if after else None
        found = await services.bulk_submissions.attempts(identity, after_id, limit)
        next_after = found[-1].attempt_id if len(found) == limit else None
        return ApiResponse(SubmissionAttemptsAnswer(found, next_after))


class SubmissionEventController(Controller):
    """The route whose response lasts: streams have bounds of their own."""

    tags = ("Bulk submissions",)

    @get("/submissions/{submission_id:str}/events", opt=READER | _EVENTS)
    async def events(
        self, request: HttpRequest, streams: Injected[EventStreams], submission_id: FromPath[str]
    ) -> Stream:
        """Streams results as they become final, then `finished`.

        Server-sent events: `result` (its id counts the results so far), `progress`, `finished`. A client that
        reconnects with `Last-Event-ID` continues where it was, on any replica.
        """
        seen = _last_event_id(request.headers.get("last-event-id", ""))
        events = await streams.open(_identity(submission_id), seen)
        return Stream(events, media_type="text/event-stream", headers={"X-Accel-Buffering": "no"})


async def _ids(services: WebServices, data: ExecutionsSubmit) -> Sequence[int]:
    if data.filter is not None:
        if data.execution_ids is not None:
            raise InvalidInput.of("filter", RawJson("both"), "must be left out beside executionIds")
        return await services.bulk_submissions.matching(read_filters(data.filter, EXECUTION_FIELDS))
    if not data.execution_ids:
        raise InvalidInput.of("executionIds", None, f"must be 1 to {MAX_EXECUTIONS}, or filter be given")
    return data.execution_ids


def _identity(submission_id: str) -> str:
    return _uuid(submission_id, NotFound.of("bulk submission", submission_id[:40]))


def _uuid(text: str, error: DomainError) -> str:
    try:
        return str(uuid.UUID(text))
    except ValueError:
        raise error from None


def _last_event_id(text: str) -> int:
    if not text:
        return 0
    if not (text.isascii() and text.isdigit() and len(text) <= 9):
        raise InvalidInput.of("Last-Event-ID", text[:40], "must be the id of an event of this stream")
    return int(text)
