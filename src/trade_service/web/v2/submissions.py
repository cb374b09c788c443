"""/api/v2/executions/submit and /api/v2/submissions: many executions by id, now or in the background."""

import re
import uuid
from collections.abc import Sequence
from typing import Any

from litestar import Controller, Response
from litestar.openapi.spec import OpenAPIType, Schema
from litestar.openapi.spec.enums import OpenAPIFormat
from litestar.params import FromPath, JSONBody
from litestar.response import Stream

from trade_service.domain.errors import InvalidInput, NotFound
from trade_service.trading.bulk_model import BulkSubmissionId
from trade_service.trading.bulk_submissions import MAX_EXECUTIONS, MAX_PAGE
from trade_service.trading.listing.model import EXECUTION_FIELDS
from trade_service.trading.request_keys import Created
from trade_service.web.access import READER, TRADER
from trade_service.web.body_errors import RawJson
from trade_service.web.dependencies import HttpRequest, Injected, Services, WebServices
from trade_service.web.idempotency import keyed_post
from trade_service.web.rendering import answer
from trade_service.web.request_parsing import read_count, read_once
from trade_service.web.route_docs import documented, header, integer, query
from trade_service.web.routing import get
from trade_service.web.v1.responses import SUBMISSION_MESSAGE, SUBMISSION_STATE, pending_headers
from trade_service.web.v2.event_stream import EventStreams
from trade_service.web.v2.parameters import MAX_OFFSET, read_filters
from trade_service.web.v2.submission_bodies import (
    ExecutionsSubmit,
    ExecutionsSubmitAnswer,
    ProgressAnswer,
    SubmissionAnswer,
    SubmissionAttemptsAnswer,
)

_ASYNC = re.compile(r"(?:^|[,;\s])respond-async(?:$|[,;\s])", re.IGNORECASE)
_DEFAULT_PAGE = 100
_SUBMITS = documented(
    parameters=(header("Prefer", "`respond-async` for 202 at once.", Schema(type=OpenAPIType.STRING)),),
    answers={200: ExecutionsSubmitAnswer, 207: ExecutionsSubmitAnswer, 202: ProgressAnswer},
    errors=(404, 409),
    headers=("Location", "Preference-Applied", SUBMISSION_STATE, SUBMISSION_MESSAGE),
)
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

    @keyed_post("/executions/submit", opt=TRADER | _SUBMITS, status_code=200)
    async def submit(
        self,
        request: HttpRequest,
        services: Services,
        data: JSONBody[ExecutionsSubmit],
        created: Created | None,
    ) -> Response[Any]:
        """Sends up to 10,000 executions: those named, or those that match a filter and were never sent.

        A filter has the names of the list's filters; an unknown name is refused, not ignored. 200 when all or none
        succeeded, 207 otherwise; what is pending counts as success, and the header X-Submission-State says so.
        With `Prefer: respond-async` 202 at once: Location has the address of the progress.
        """
        submissions, wait_s = services.bulk_submissions, services.settings.wait_s
        in_background = _ASYNC.search(request.headers.get("prefer", "")) is not None
        ids = await _ids(services, data) if created is None else []
        if in_background:
            submission_id = await submissions.start(ids) if created is None else created.name or ""
            progress = ProgressAnswer.of(await submissions.progress(submission_id))
            headers = {"Location": _location(submission_id), "Preference-Applied": "respond-async"}
            return answer(progress, 202, headers)
        if created is None:
            submission_id, bulk = await submissions.submit(ids, wait_s)
        else:
            submission_id = created.name or ""
            bulk = await submissions.resume(submission_id, wait_s)
        headers = {"Location": _location(submission_id), **pending_headers(bulk.results)}
        status = 207 if bulk.status == "PARTIAL" else 200
        return answer(ExecutionsSubmitAnswer.of(submission_id, bulk), status, headers)

    @get("/submissions/{submission_id:str}", opt=READER | documented(parameters=(_LIMIT, _OFFSET)))
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
        return answer(SubmissionAnswer.page(progress, items, offset, limit))

    @get("/submissions/{submission_id:str}/attempts", opt=READER | documented(parameters=(_LIMIT, _AFTER)))
    async def attempts(
        self, request: HttpRequest, services: Services, submission_id: FromPath[str]
    ) -> Response[SubmissionAttemptsAnswer]:
        """The attempts that sent its executions, oldest first, each with its outcomes.

        `nextAfter` is the `after` of the next page; null at the end.
        """
        identity = _identity(submission_id)
        limit = read_count(request, "limit", _DEFAULT_PAGE, 1, MAX_PAGE)
        after = read_once(request, "after")
        found = await services.bulk_submissions.attempts(
            identity, _attempt_id(after) if after else None, limit
        )
        return answer(SubmissionAttemptsAnswer.of(found, limit))


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
        headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
        return Stream(events, media_type="text/event-stream", headers=headers)


async def _ids(services: WebServices, data: ExecutionsSubmit) -> Sequence[int]:
    """The ids in the body, or those that match its filter."""
    if data.filter is not None:
        if data.execution_ids is not None:
            raise InvalidInput.of("filter", RawJson("both"), "must be left out beside executionIds")
        return await services.bulk_submissions.matching(read_filters(data.filter, EXECUTION_FIELDS))
    if not data.execution_ids:
        raise InvalidInput.of("executionIds", None, f"must be 1 to {MAX_EXECUTIONS}, or filter be given")
    return data.execution_ids


def _location(submission_id: BulkSubmissionId) -> str:
    return f"/api/v2/submissions/{submission_id}"


def _identity(text: str) -> str:
    try:
        return str(uuid.UUID(text))
    except ValueError:
        raise NotFound.of("bulk submission", text[:40]) from None


def _attempt_id(text: str) -> str:
    try:
        return str(uuid.UUID(text))
    except ValueError:
        raise InvalidInput.of("after", text[:40], "must be the id of an attempt") from None


def _last_event_id(text: str) -> int:
    if not text:
        return 0
    if not (text.isascii() and text.isdigit() and len(text) <= 9):
        raise InvalidInput.of("Last-Event-ID", text[:40], "must be the id of an event of this stream")
    return int(text)
