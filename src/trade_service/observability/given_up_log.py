"""Who was given up, with the whole history: one log line an execution, written aside from the submission."""

import asyncio
from collections import deque
from collections.abc import Sequence

import structlog

from trade_service.submission.events import ExhaustedEvent, SubmissionEvent
from trade_service.submission.ports import StoreUnavailable
from trade_service.trading.given_up import GivenUpReads, Try

_log = structlog.get_logger(__name__)

QUEUE_LIMIT = 10_000
"""Executions that may wait for their line; those beyond are counted in one line of their own."""
READ_AT_ONCE = 100
TRIES_A_LINE = 20
"""Attempts that one line tells: of more, the first and the last ones."""


class GivenUpLog:
    """A listener that notes who was given up, and a loop that reads how it came to that and logs it."""

    def __init__(self, reads: GivenUpReads) -> None:
        self._reads = reads
        self._waiting: deque[int] = deque()
        self._dropped = 0
        self._noted = asyncio.Event()

    def __call__(self, event: SubmissionEvent) -> None:
        """Notes whom an ExhaustedEvent names; other events are none of its business."""
        if not isinstance(event, ExhaustedEvent):
            return
        room = QUEUE_LIMIT - len(self._waiting)
        self._waiting.extend(event.execution_ids[:room])
        self._dropped += max(0, len(event.execution_ids) - room)
        self._noted.set()

    async def run(self) -> None:
        """Logs until cancelled. What cannot be read is named and left to the journal."""
        while True:
            await self._noted.wait()
            self._noted.clear()
            while self._waiting:
                await self._log_next()
            if self._dropped:
                dropped, self._dropped = self._dropped, 0
                _log.error("more_executions_given_up", executions=dropped)

    async def _log_next(self) -> None:
        ids = [self._waiting.popleft() for _ in range(min(READ_AT_ONCE, len(self._waiting)))]
        try:
            tries = await self._reads.tries_of(ids)
        except StoreUnavailable as error:
            _log.error("histories_not_read", execution_ids=ids, error=str(error))
            return
        for execution_id in ids:
            _log_one(execution_id, tries.get(execution_id, ()))


def _log_one(execution_id: int, tries: Sequence[Try]) -> None:
    half = TRIES_A_LINE // 2
    told = tries if len(tries) <= TRIES_A_LINE else [*tries[:half], *tries[-half:]]
    _log.error(
        "execution_given_up",
        execution_id=execution_id,
        attempts=len(tries),
        attempts_left_out=len(tries) - len(told) or None,
        history=[_told(one) for one in told],
    )


def _told(one: Try) -> dict[str, object]:
    return {
        "attempt_id": one.attempt_id,
        "at": one.started_at.isoformat(timespec="milliseconds"),
        "outcome": one.kind,
        "code": one.code,
        "http_status": one.http_status,
        "found": list(one.findings),
    }
