"""/api/v2/executions/submit and /api/v2/submissions: many executions by id, now or in the background."""

import re
import uuid
from collections.abc import Sequence
from typing import Any

from litestar import Request, Response, Router, get
from litestar.openapi.spec import OpenAPIType, Schema
from litestar.openapi.spec.enums import OpenAPIFormat
from litestar.params import FromPath
from litestar.response import Stream

from trade_service.domain.errors import InvalidInput, NotFound
from trade_service.submission.model import BulkSubmitResult
from trade_service.trading.bulk_model import BulkSubmissionId
from trade_service.trading.bulk_submissions import MAX_EXECUTIONS, MAX_PAGE
from trade_service.trading.listing.model import EXECUTION_FIELDS
from trade_service.trading.request_keys import Created
from trade_service.web.access import READER, TRADER
from trade_service.web.body_errors import RawJson
from trade_service.web.dependencies import Routes, WebServices, WebSettings
from trade_service.web.idempotency import Idempotency
from trade_service.web.rendering import answer
from trade_service.web.request_parsing import JsonReader, integer_in, read_once
from trade_service.web.telling import header, integer, query, tells
from trade_service.web.v1.responses import SUBMISSION_MESSAGE, SUBMISSION_STATE, pending_headers
from trade_service.web.v2.event_stream import EventStreams
from trade_service.web.v2.parameters import read_filters
from trade_service.web.v2.submission_bodies import (
    ExecutionsSubmit,
    ExecutionsSubmitAnswer,
    ProgressAnswer,
    SubmissionAnswer,
    SubmissionAttemptsAnswer,
)

_SUBMIT = JsonReader(ExecutionsSubmit)
_ASYNC = re.compile(r"(?:^|[,;\s])respond-async(?:$|[,;\s])", re.IGNORECASE)
_DEFAULT_PAGE = 100
_SUBMITS = tells(
    body=_SUBMIT,
    parameters=(header("Prefer", "`respond-async` for 202 at once.", Schema(type=OpenAPIType.STRING)),),
    answers={200: ExecutionsSubmitAnswer, 207: ExecutionsSubmitAnswer, 202: ProgressAnswer},
    errors=(404, 409),
    headers=("Location", "Preference-Applied", SUBMISSION_STATE, SUBMISSION_MESSAGE),
)
_LIMIT = query("limit", f"Rows of a page; {_DEFAULT_PAGE} when left out.", integer(1, MAX_PAGE))
_OFFSET = query("offset", "Rows left out before the page, exactly.", integer(0, 2**31 - 1))
_AFTER = query(
    "after",
    "The `nextAfter` of the page before.",
    Schema(type=OpenAPIType.STRING, format=OpenAPIFormat.UUID),
)
_EVENTS = tells(
    parameters=(header("Last-Event-ID", "The id of the last event that was seen.", integer(0, 999_999_999)),),
    answers={200: str},
    media_type="text/event-stream",
)


class SubmissionRoutes(Routes):
    """Bulk submissions and what became of them."""

    def __init__(self, services: WebServices, settings: WebSettings) -> None:
        self._submissions = services.bulk_submissions
        self._streams = EventStreams(
            services.bulk_submissions, settings.streams, lambda: services.health.stopping
        )
        self._wait_s = settings.wait_s
        self._keyed = Idempotency(services.keys)

    def router(self) -> Router:
        """The routes that answer at once."""
        return Router(
            "/",
            route_handlers=[
                self._keyed.post(
                    "/executions/submit", self.submit, self.submitted, opt=TRADER | _SUBMITS, status_code=200
                ),
                get("/submissions/{submission_id:str}", opt=READER | tells(parameters=(_LIMIT, _OFFSET)))(
                    self.read
                ),
                get(
                    "/submissions/{submission_id:str}/attempts",
                    opt=READER | tells(parameters=(_LIMIT, _AFTER)),
                )(self.attempts),
            ],
            tags=["Bulk submissions"],
        )

    def stream_router(self) -> Router:
        """The route whose answer lasts: it is bounded by itself."""
        return Router(
            "/",
            route_handlers=[
                get("/submissions/{submission_id:str}/events", opt=READER | _EVENTS)(self.events)
            ],
            tags=["Bulk submissions"],
        )

    async def submit(self, request: Request[Any, Any, Any]) -> Response[Any]:
        """Sends up to 10,000 executions: those named, or those that meet a filter and were never sent.

        A filter has the names of the list's filters; one that it does not know is refused, not ignored.
        200 when all or none succeeded, 207 else; what is still open counts as success and is told in the
        header X-Submission-State. With `Prefer: respond-async` 202 at once: Location tells where to ask.
        """
        ids = await self._asked_for(await _SUBMIT.read(request))
        if _ASYNC.search(request.headers.get("prefer", "")):
            return await self._begun(await self._submissions.start(ids))
        return _done(*await self._submissions.submit(ids, self._wait_s))

    async def submitted(self, request: Request[Any, Any, Any], created: Created) -> Response[Any]:
        """What came of a bulk submission that an earlier request began."""
        submission_id = created.name or ""
        if _ASYNC.search(request.headers.get("prefer", "")):
            return await self._begun(submission_id)
        return _done(submission_id, await self._submissions.resume(submission_id, self._wait_s))

    async def _asked_for(self, asked: ExecutionsSubmit) -> Sequence[int]:
        """The ids that were given, or those that meet the filter."""
        if asked.filter is not None:
            if asked.execution_ids is not None:
                raise InvalidInput.of("filter", RawJson("both"), "must be left out beside executionIds")
            return await self._submissions.matching(read_filters(asked.filter, EXECUTION_FIELDS))
        if not asked.execution_ids:
            raise InvalidInput.of("executionIds", None, f"must be 1 to {MAX_EXECUTIONS}, or filter be given")
        return asked.execution_ids

    async def _begun(self, submission_id: BulkSubmissionId) -> Response[Any]:
        progress = ProgressAnswer.of(await self._submissions.progress(submission_id))
        headers = {"Location": _location(submission_id), "Preference-Applied": "respond-async"}
        return answer(progress, 202, headers)

    async def read(
        self, request: Request[Any, Any, Any], submission_id: FromPath[str]
    ) -> Response[SubmissionAnswer]:
        """How far a bulk submission is, and a page of its results in request order."""
        identity = _identity(submission_id)
        limit = _count(request, "limit", _DEFAULT_PAGE, 1, MAX_PAGE)
        offset = _count(request, "offset", 0, 0, 2**31 - 1)
        progress = await self._submissions.progress(identity)
        end = min(offset + limit, progress.total_requested)
        items = await self._submissions.items(identity, range(offset, end)) if offset < end else []
        return answer(SubmissionAnswer.of(progress, items, offset, limit))

    async def attempts(
        self, request: Request[Any, Any, Any], submission_id: FromPath[str]
    ) -> Response[SubmissionAttemptsAnswer]:
        """The attempts that sent its executions, oldest first, and what each found out of them.

        `nextAfter` is what `after` has to be to read on; null at the end.
        """
        identity = _identity(submission_id)
        limit = _count(request, "limit", _DEFAULT_PAGE, 1, MAX_PAGE)
        after = read_once(request, "after")
        found = await self._submissions.attempts(identity, _attempt_id(after) if after else None, limit)
        return answer(SubmissionAttemptsAnswer.of(found, limit))

    async def events(self, request: Request[Any, Any, Any], submission_id: FromPath[str]) -> Stream:
        """Streams results as they become final, then `finished`.

        Server-sent events: `result` (its id counts the results so far), `progress`, `finished`. A client that
        reconnects with `Last-Event-ID` goes on where it was, on whichever replica.
        """
        seen = _last_event_id(request.headers.get("last-event-id", ""))
        events = await self._streams.open(_identity(submission_id), seen)
        headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
        return Stream(events, media_type="text/event-stream", headers=headers)


def _done(submission_id: BulkSubmissionId, result: BulkSubmitResult) -> Response[Any]:
    headers = {"Location": _location(submission_id), **pending_headers(result.results)}
    status = 207 if result.status == "PARTIAL" else 200
    return answer(ExecutionsSubmitAnswer.of(submission_id, result), status, headers)


def _location(submission_id: str) -> str:
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


def _count(request: Request[Any, Any, Any], name: str, default: int, low: int, high: int) -> int:
    text = (read_once(request, name) or "").strip()
    return integer_in(text, name, low, high) if text else default
