"""Runs the behaviour suite on the database of the seeded world."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import msgspec

from tests.behaviour.ledger import (
    OWNER,
    SETTLE_MS,
    AttemptRow,
    Everything,
    EvidenceRow,
    ExecutionRow,
    NewAttemptId,
    OrderWrites,
)
from tests.world.store import MemoryOrderStore, MemoryStore
from tests.world.store_books import Books
from tests.world.store_downstream import MemoryDownstreamStore, MemoryRestoreStore
from tests.world.store_fills import MemoryFillStore
from tests.world.store_operators import MemoryOperatorStore
from tests.world.store_pauses import MemoryPauseStore
from tests.world.store_rows import BookedAttempt, BookedExecution
from trade_service.domain.executions import SubmissionState
from trade_service.domain.orders import NewTradeOrder
from trade_service.submission.ports import DownstreamStore, SubmissionStore
from trade_service.trading.fill_check import FillStore
from trade_service.trading.operating import OperatorStore
from trade_service.trading.pausing import PauseStore
from trade_service.trading.ports import ExecutionReads
from trade_service.trading.restoring import RestoreStore


class MemoryLedger:
    """A Ledger on virtual time, which only `elapse` advances."""

    def __init__(self, new_attempt_id: NewAttemptId) -> None:
        self.now_s = 1_000_000.0
        self.books = Books(lambda: self.now_s)
        store = MemoryStore(self.books, OWNER, new_attempt_id, SETTLE_MS)
        self.submissions: SubmissionStore = store
        self.reads: ExecutionReads = store
        self.operators: OperatorStore = MemoryOperatorStore(self.books, new_attempt_id, lambda: self.now_s)
        self.downstream: DownstreamStore = MemoryDownstreamStore(self.books)
        self.restores: RestoreStore = MemoryRestoreStore(self.books, new_attempt_id)
        self.fills: FillStore = MemoryFillStore(self.books, lambda _service_ids: None)
        self.pauses: PauseStore = MemoryPauseStore(self.books)
        self.orders: OrderWrites = MemoryOrderStore(self.books, OWNER)

    async def add_orders(self, count: int = 1, quantity: int = 10) -> list[int]:
        first = max((order.order_id for order in self.books.orders.values()), default=0)
        ids = []
        for n in range(1, count + 1):
            new = NewTradeOrder(first + n, f"P{n}", "BUY", f"S{n}", Decimal(quantity), blotter_id=2)
            order = self.books.put_order(new)
            await self.change_order(order.id, quantity_sent=Decimal(quantity), submitted=True)
            ids.append(order.id)
        return ids

    async def add_pieces(
        self, order_ids: Sequence[int], each: int = 1, state: str | None = "none"
    ) -> list[int]:
        known = None if state is None else SubmissionState(state)
        rows = (
            self.books.put_execution(order_id, Decimal(10), known, limit_price=Decimal("1.5"), blotter_id=2)
            for order_id in order_ids
            for _ in range(each)
        )
        return [row.id for row in rows]

    async def change_execution(self, execution_id: int, **fields: Any) -> None:
        row = self.books.executions[execution_id]
        if fields.get("state") is not None:
            fields["state"] = SubmissionState(fields["state"])
        for name, value in fields.items():
            assert name in row.__struct_fields__, name
            setattr(row, name, value)

    async def change_order(self, order_id: int, **fields: Any) -> None:
        order = self.books.orders[order_id]
        self.books.orders[order_id] = msgspec.structs.replace(order, **fields)

    async def delete_execution(self, execution_id: int) -> None:
        del self.books.executions[execution_id]

    async def elapse(self, seconds: float) -> None:
        self.now_s += seconds

    async def everything(self) -> Everything:
        return Everything(
            dict(self.books.orders),
            {row.id: self._execution(row) for row in self.books.executions.values()},
            {attempt.id: self._attempt(attempt) for attempt in self.books.attempts.values()},
            tuple(EvidenceRow(*msgspec.structs.astuple(row)) for row in self.books.evidence),
        )

    def _in(self, at: float | None) -> float | None:
        return None if at is None else at - self.now_s

    def _execution(self, row: BookedExecution) -> ExecutionRow:
        return ExecutionRow(
            row.id,
            row.order_id,
            row.state,
            row.attempt_id,
            row.attempts_spent,
            self._in(row.give_up_at),
            row.budget_ms,
            row.status_id,
            row.service_id,
            row.quantity,
            row.placed,
            row.filled,
            row.limit_price,
            row.trade_type_id,
            row.destination_id,
            row.blotter_id,
            row.version,
        )

    def _attempt(self, attempt: BookedAttempt) -> AttemptRow:
        return AttemptRow(
            attempt.id,
            attempt.state,
            attempt.owner,
            attempt.execution_ids,
            self._in(attempt.next_action_at),
            self._in(attempt.lease_until),
            attempt.settle_ms,
            self._in(attempt.settle_from),
            self._in(attempt.closed_at),
            attempt.floor_id,
            attempt.epoch,
            attempt.top_id,
            attempt.retry_count,
            attempt.adopted,
            attempt.next_batch_size,
            attempt.observer,
            attempt.look_ups,
            attempt.kind,
            attempt.code,
            attempt.message,
            attempt.http_status,
            attempt.duration_ms,
            tuple((found.execution_id, found.state, found.code, found.message) for found in attempt.findings),
        )
