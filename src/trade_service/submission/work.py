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

    @staticmethod
    def overload(waiting: int, limit: int) -> Overloaded:
        """The error of a request that does not fit beside `waiting` executions."""
        return Overloaded(
            f"{waiting} executions wait to be sent and the limit is {limit}: nothing was taken, try again in "
            f"{RETRY_AFTER_S} s",
            waiting=waiting,
            limit=limit,
            retry_after_s=RETRY_AFTER_S,
        )


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


class InLine(msgspec.Struct, eq=False):
    """A whole batch that waits for a slot instead of being queued."""

    send: Send
    size: int
    context: Context
    since_s: float
    is_started: "asyncio.Future[bool]"
