"""Server-sent events of a bulk submission: resumable on any replica, bounded in number and time."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager

from trade_service.submission.ports import StoreUnavailable
from trade_service.trading.bulk_model import BulkItem, BulkProgress
from trade_service.trading.bulk_submissions import BulkSubmissions
from trade_service.web.codes import HttpCode
from trade_service.web.dependencies import StreamSettings
from trade_service.web.errors import OVERLOAD_RETRY_AFTER_S, RequestRefused
from trade_service.web.rendering import encoded
from trade_service.web.v2.submission_bodies import ExecutionResultAnswer, ProgressAnswer

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
        with self._place():
            async for event in self._events(progress, seen):
                yield event

    @contextmanager
    def _place(self) -> Iterator[None]:
        self._open += 1
        try:
            yield
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
