"""/api/v2/submissions/{id}/events: the results of a bulk submission as a stream of server-sent events."""

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable

from litestar import Controller
from litestar.params import FromPath
from litestar.response import Stream
from litestar.types import Scope

from trade_service.domain.access import Role
from trade_service.domain.errors import InvalidInput
from trade_service.submission.ports import StoreUnavailable
from trade_service.trading.bulk_submissions import BulkItem, BulkProgress, BulkSubmissions
from trade_service.web.access import CLIENT, READER, Authenticator, Validity, credential_of, get
from trade_service.web.dependencies import Injected, StreamSettings
from trade_service.web.errors import OVERLOAD_RETRY_AFTER_S, HttpCode, RequestRefused
from trade_service.web.responses import encoded
from trade_service.web.routing import HttpRequest, documented, header, integer
from trade_service.web.submissions import ExecutionResultAnswer, ProgressAnswer, submission_id_of

PIECE = 500
"""Results read and written at once."""
RECONNECT_MS = 1000


class EventStreams:
    """Opens event streams, of which there are at most `max_streams` at once in this process, shared out by client.

    Where all are open, the client with the most loses its oldest one to a client that has at least two fewer. A
    stream also ends once its key or token is no longer valid.
    """

    def __init__(
        self,
        submissions: BulkSubmissions,
        settings: StreamSettings,
        authenticator: Authenticator,
        is_stopping: Callable[[], bool],
    ) -> None:
        self._submissions = submissions
        self._settings = settings
        self._authenticator = authenticator
        self._is_stopping = is_stopping
        self._open: dict[asyncio.Event, str] = {}
        """The client of each stream by the event that ends it, the oldest first."""

    async def open(self, submission_id: str, seen: int, scope: Scope) -> AsyncIterator[bytes]:
        """The events after the first `seen` results; raises NotFound and RequestRefused before the first."""
        progress = await self._submissions.progress(submission_id)
        client = str(scope["state"][CLIENT])
        if len(self._open) >= self._settings.max_streams:
            self._make_room(client)
        return self._counted(progress, seen, client, credential_of(scope))

    def _make_room(self, client: str) -> None:
        counts = Counter(self._open.values())
        ((most, count),) = counts.most_common(1)
        if count < counts[client] + 2:
            message = f"{len(self._open)} event streams are open, which is the limit: try again, or poll"
            raise RequestRefused(503, HttpCode.OVERLOADED, message, OVERLOAD_RETRY_AFTER_S)
        oldest = next(ended for ended, owner in self._open.items() if owner == most)
        del self._open[oldest]
        oldest.set()

    async def _counted(
        self, progress: BulkProgress, seen: int, client: str, credential: str | None
    ) -> AsyncIterator[bytes]:
        ended = asyncio.Event()
        self._open[ended] = client
        try:
            validity = Validity(self._authenticator, credential, Role.READER)
            async for event in self._events(progress, seen, ended, validity):
                yield event
        finally:
            self._open.pop(ended, None)

    async def _events(
        self, progress: BulkProgress, seen: int, ended: asyncio.Event, validity: Validity
    ) -> AsyncIterator[bytes]:
        settings, submission_id = self._settings, progress.submission_id
        began = spoke_at = checked_at = time.monotonic()
        yield f"retry: {RECONNECT_MS}\n\n".encode() + _event("progress", ProgressAnswer.of(progress))
        while not (ended.is_set() or self._is_stopping()) and time.monotonic() - began < settings.max_s:
            if time.monotonic() - checked_at >= settings.check_s:
                checked_at = time.monotonic()
                if not await validity.holds():
                    return
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


_EVENTS = documented(
    parameters=(header("Last-Event-ID", "The id of the last event that was seen.", integer(0, 999_999_999)),),
    answers={200: str},
    media_type="text/event-stream",
)


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
        events = await streams.open(submission_id_of(submission_id), seen, request.scope)
        return Stream(events, media_type="text/event-stream", headers={"X-Accel-Buffering": "no"})


def _last_event_id(text: str) -> int:
    if not text:
        return 0
    if not (text.isascii() and text.isdigit() and len(text) <= 9):
        raise InvalidInput.of("Last-Event-ID", text[:40], "must be the id of an event of this stream")
    return int(text)
