"""The ports of the engine and of the use cases on the world's database."""

from collections.abc import Collection, Sequence
from decimal import Decimal

from tests.world.books import DESTINATION, NEW, PART, SENT, Books
from trade_service.domain.errors import DomainError
from trade_service.domain.executions import SubmissionState
from trade_service.domain.orders import Submission
from trade_service.domain.reference import Destination, ExecutionStatus, ReferenceData, TradeType
from trade_service.submission.model import (
    AttemptClosing,
    AttemptId,
    Claim,
    DueAttempt,
    NewAttempt,
    NotClaimed,
    Recorded,
)
from trade_service.trading.model import Filled, StoredExecution
from trade_service.trading.ports import Cut

REFERENCE = ReferenceData(
    {},
    {1: TradeType(1, "BUY", "Buy", 1)},
    {1: Destination(1, DESTINATION, "Merrill Lynch", 1)},
    {
        NEW: ExecutionStatus(NEW, "NEW", "New", 1),
        SENT: ExecutionStatus(SENT, "SENT", "Sent", 1),
        PART: ExecutionStatus(PART, "PART", "Partial fill", 1),
    },
)


class MemoryStore:
    """SubmissionStore, ExecutionReads, ReferenceReads, and of OrderStore what submitting needs."""

    def __init__(self, books: Books, owner: str) -> None:
        self._books = books
        self._owner = owner

    async def claim(
        self, attempt: NewAttempt, execution_ids: Sequence[int], claimable: Collection[SubmissionState]
    ) -> Claim:
        """See SubmissionStore."""
        return self._books.claim(attempt, execution_ids, claimable)

    async def record(self, closing: AttemptClosing) -> tuple[Recorded, ...]:
        """See SubmissionStore."""
        return self._books.record(closing)

    async def take_due(self, owner: str, limit: int, hold_ms: int, grace_ms: int) -> tuple[DueAttempt, ...]:
        """See SubmissionStore."""
        return self._books.take_due(owner, limit, hold_ms, grace_ms)

    async def postpone(self, attempt_id: AttemptId, delay_ms: int | None) -> None:
        """See SubmissionStore."""
        self._books.postpone(attempt_id, delay_ms)

    async def states(self, execution_ids: Sequence[int]) -> tuple[NotClaimed, ...]:
        """See SubmissionStore."""
        return self._books.states(execution_ids)

    async def take_over(self, execution_ids: Sequence[int]) -> None:
        """See SubmissionStore: in the world no earlier service writes."""
        raise AssertionError(f"nothing is foreign here: {execution_ids}")

    async def void_floors(self, above: int) -> None:
        """See SubmissionStore."""
        self._books.void_floors(above)

    async def last_top_id(self) -> int:
        """See SubmissionStore."""
        return self._books.last_top_id()

    async def submit(
        self, submissions: Sequence[Submission], ticket_id: AttemptId | None, cut: Cut
    ) -> list[StoredExecution | DomainError]:
        """See OrderStore."""
        return self._books.submit(submissions, ticket_id, self._owner, cut)

    async def executions(self, execution_ids: Sequence[int]) -> dict[int, StoredExecution]:
        """See OrderStore."""
        return {i: self._books.stored(i) for i in execution_ids if i in self._books.executions}

    async def get(self, execution_id: int) -> StoredExecution:
        """See ExecutionReads."""
        return self._books.stored(execution_id)

    async def enqueue(self, execution_ids: Sequence[int], ticket_id: AttemptId) -> None:
        """See ExecutionReads."""
        self._books.enqueue(execution_ids, ticket_id, self._owner)

    async def fill(self, execution_id: int, status_id: int, quantity_filled: Decimal, version: int) -> Filled:
        """See ExecutionReads."""
        return self._books.fill(execution_id, status_id, quantity_filled, version)

    async def load(self) -> ReferenceData:
        """See ReferenceReads."""
        return REFERENCE
