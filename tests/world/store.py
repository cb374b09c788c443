"""The ports of the engine and of the use cases on the world's database.

Thin on purpose: what is behind them happens at once, in `Books`; delays, errors before and after a
commit and crashes come from what stands between these ports and their callers.
"""

from collections.abc import Callable, Collection, Sequence
from decimal import Decimal

import msgspec

from tests.world.store_books import Books
from tests.world.store_rows import REFERENCE
from trade_service.domain.access import Requester
from trade_service.domain.errors import DomainError
from trade_service.domain.executions import SubmissionState
from trade_service.domain.orders import NewTradeOrder, Submission, TradeOrder, slicer
from trade_service.domain.reference import ReferenceData
from trade_service.submission.model import (
    AttemptClosing,
    AttemptId,
    Claim,
    DueAttempt,
    NewAttempt,
    NotClaimed,
    Recorded,
)
from trade_service.trading.model import ClaimedSlices, Filled, StoredExecution


class MemoryStore:
    """SubmissionStore, ExecutionReads, ReferenceReads, and the part of OrderStore that submission needs."""

    def __init__(
        self,
        books: Books,
        owner: str,
        new_attempt_id: Callable[[], AttemptId] | None = None,
        settle_ms: int = 60_000,
    ) -> None:
        """`new_attempt_id` and `settle_ms` are of the attempt that takes rows over; without the former
        there are no legacy rows to be taken over."""
        self._books = books
        self._owner = owner
        self._new_attempt_id = new_attempt_id
        self._settle_ms = settle_ms

    async def claim(
        self, attempt: NewAttempt, execution_ids: Sequence[int], claimable: Collection[SubmissionState]
    ) -> Claim:
        return self._books.claim(attempt, execution_ids, claimable)

    async def record(self, closing: AttemptClosing) -> tuple[Recorded, ...]:
        return self._books.record(closing)

    async def take_due(self, owner: str, limit: int, hold_ms: int, grace_ms: int) -> tuple[DueAttempt, ...]:
        return self._books.take_due(owner, limit, hold_ms, grace_ms)

    async def under_way(self, limit: int) -> tuple[AttemptId, ...]:
        return self._books.under_way(limit)

    async def postpone(self, attempt_id: AttemptId, delay_ms: int | None) -> None:
        self._books.postpone(attempt_id, delay_ms)

    async def park(self, attempt_ids: Sequence[AttemptId], wait_ms: int) -> None:
        for attempt_id in attempt_ids:
            self._books.park(attempt_id, wait_ms)

    async def pause_budgets(self, attempt_id: AttemptId) -> None:
        self._books.pause_budgets(attempt_id)

    async def states(self, execution_ids: Sequence[int]) -> tuple[NotClaimed, ...]:
        return self._books.states(execution_ids)

    async def adopt(self, execution_ids: Sequence[int]) -> None:
        assert self._new_attempt_id is not None, f"no row is legacy here: {execution_ids}"
        self._books.adopt(execution_ids, self._new_attempt_id(), self._owner, self._settle_ms)

    async def submit(
        self, submissions: Sequence[Submission], queued_attempt_id: AttemptId | None, reference: ReferenceData
    ) -> list[StoredExecution | DomainError]:
        return self._books.submit(submissions, queued_attempt_id, self._owner, slicer(reference))

    async def slice_and_claim(
        self,
        submissions: Sequence[Submission],
        attempt: NewAttempt,
        reference: ReferenceData,
        requesters: Sequence[Requester] = (),
    ) -> ClaimedSlices | None:
        return self._books.slice_and_claim(submissions, attempt, reference, requesters)

    async def executions(self, execution_ids: Sequence[int]) -> dict[int, StoredExecution]:
        return dict(self._books.stored_executions(execution_ids))

    async def get(self, execution_id: int) -> StoredExecution:
        return self._books.execution(execution_id)

    async def archived_in(self, execution_id: int) -> str | None:
        return None

    async def enqueue(self, execution_ids: Sequence[int], queued_attempt_id: AttemptId) -> None:
        self._books.enqueue(execution_ids, queued_attempt_id, self._owner)

    async def fill(
        self,
        execution_id: int,
        status_id: int,
        quantity_filled: Decimal,
        version: int,
        look_up_id: AttemptId,
    ) -> Filled:
        look_up = self._books.new_look_up(look_up_id, self._owner, execution_id, self._settle_ms)
        return self._books.fill(execution_id, status_id, quantity_filled, version, look_up)

    async def load(self) -> ReferenceData:
        return REFERENCE


class MemoryOrderStore:
    """OrderStore without blotter lines. Its `get` reads orders; that of MemoryStore reads executions."""

    def __init__(self, books: Books, owner: str) -> None:
        self._books = books
        self._owner = owner

    async def create(self, orders: Sequence[NewTradeOrder]) -> list[TradeOrder]:
        return self._books.create(orders)

    async def get(self, trade_order_id: int) -> TradeOrder:
        return self._books.order(trade_order_id)

    async def submit(
        self, submissions: Sequence[Submission], queued_attempt_id: AttemptId | None, reference: ReferenceData
    ) -> list[StoredExecution | DomainError]:
        return self._books.submit(submissions, queued_attempt_id, self._owner, slicer(reference))

    async def slice_and_claim(
        self,
        submissions: Sequence[Submission],
        attempt: NewAttempt,
        reference: ReferenceData,
        requesters: Sequence[Requester] = (),
    ) -> ClaimedSlices | None:
        return self._books.slice_and_claim(submissions, attempt, reference, requesters)

    async def executions(self, execution_ids: Sequence[int]) -> dict[int, StoredExecution]:
        return dict(self._books.stored_executions(execution_ids))


class PreviousReleaseStore(MemoryStore):
    """Claims as the previous release does: with a low-water id read at its start, ignoring the shared state."""

    def __init__(
        self,
        books: Books,
        owner: str,
        new_attempt_id: Callable[[], AttemptId],
        settle_ms: int,
        floor_id: int,
    ) -> None:
        """`floor_id`: the greatest id in its first listing."""
        super().__init__(books, owner, new_attempt_id, settle_ms)
        self._floor_id = floor_id

    async def claim(
        self, attempt: NewAttempt, execution_ids: Sequence[int], claimable: Collection[SubmissionState]
    ) -> Claim:
        """Its attempts belong to the first epoch, since its statement has none."""
        first = msgspec.structs.replace(attempt, epoch=1)
        claim = self._books.claim_above(first, execution_ids, claimable, self._floor_id)
        return msgspec.structs.replace(claim, low_water_id=self._books.downstream.high_water_id)
