"""What waits to be sent: pieces of work in lanes, and whole batches in line for a slot."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from contextvars import Context
from typing import TypeAlias

import msgspec

from trade_service.domain.access import Requester
from trade_service.domain.errors import Overloaded
from trade_service.submission.events import Origins
from trade_service.submission.model import ExecutionSubmitResult

RETRY_AFTER_S = 1
CLOSED_WAIT_S = 2.0
"""How long a caller waits while nothing may be claimed: a second look at the ledger takes about as long."""

Results: TypeAlias = dict[int, ExecutionSubmitResult]
"""By execution id."""

Send: TypeAlias = Callable[[], Awaitable[object]]


class Work(msgspec.Struct, frozen=True):
    """Executions to be sent; those of one recovered piece stay together and are joined by no others."""

    execution_ids: tuple[int, ...]
    recovered: bool = False
    retry_count: int = 0
    """Calls in a row for these executions that did not settle them."""
    callers: int = 1
    """How many requests the executions were collected from."""
    queued_ms: float = 0.0
    """How long the oldest of them was queued."""
    origins: Origins = Origins()
    submitted_by: Mapping[int, Requester] = {}
    """Who asked for them, where that is recorded in the audit log; by execution id."""


class QueuePiece(msgspec.Struct):
    """Work, and since when it waits by `time.monotonic`."""

    work: Work
    since_s: float


class QueueLane:
    """Pieces of work in the order of their arrival, with a limit on their executions."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.count = 0
        self.pieces: deque[QueuePiece] = deque()

    def overloaded(self) -> Overloaded:
        """The error of a request that does not fit beside what waits."""
        return Overloaded(
            f"{self.count} executions wait to be sent and the limit is {self.limit}: nothing was taken, try again "
            f"in {RETRY_AFTER_S} s",
            waiting=self.count,
            limit=self.limit,
            retry_after_s=RETRY_AFTER_S,
        )


class InLine(msgspec.Struct, eq=False):
    """A whole batch that waits for a slot instead of being queued."""

    send: Send
    size: int
    context: Context
    since_s: float
    is_started: "asyncio.Future[bool]"
