"""The tables of the world's database: rows, quantities, history, reference data."""

from collections.abc import Callable, Collection, Iterable, Mapping
from copy import deepcopy
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import count
from typing import Any

import msgspec

from tests.support.execution_rules import proves_acceptance
from trade_service.domain.executions import QUANTITY_RETURNED, Execution, Fill, SubmissionState
from trade_service.domain.orders import NewTradeOrder, TradeOrder, is_submitted
from trade_service.domain.reference import (
    WITHDRAWN_STATUSES,
    Blotter,
    Destination,
    ExecutionStatus,
    ReferenceData,
    TradeType,
)
from trade_service.submission.downstream import Suspicion
from trade_service.submission.model import AttemptId, ItemOutcome
from trade_service.trading.model import StoredExecution

_S = SubmissionState
REQUEUED_KIND = "requeued"
"""The kind of an operator's requeueing attempt."""

EPOCH = datetime(2026, 1, 1, tzinfo=UTC)
NEW, SENT, WORK, FULL, PART, HOLD = 1, 2, 3, 4, 5, 6
"""Ids of execution statuses."""
DESTINATION = "ML"
"""The security of most executions."""

REFERENCE = ReferenceData(
    {2: Blotter(2, "EQ", "Equity", 1)},
    {1: TradeType(1, "BUY", "Buy", 1), 2: TradeType(2, "SELL", "Sell", 1)},
    {
        1: Destination(1, DESTINATION, "Merrill Lynch", 1),
        2: Destination(2, "RBC", "Royal Bank of Canada", 1),
        3: Destination(3, "JPM", "Chase", 1),
    },
    {
        NEW: ExecutionStatus(NEW, "NEW", "New", 1),
        SENT: ExecutionStatus(SENT, "SENT", "Sent", 1),
        WORK: ExecutionStatus(WORK, "WORK", "In progress", 1),
        FULL: ExecutionStatus(FULL, "FULL", "Filled", 1),
        PART: ExecutionStatus(PART, "PART", "Partial fill", 1),
        HOLD: ExecutionStatus(HOLD, "HOLD", "Hold", 1),
    },
)
"""The reference data that the world's orders refer to."""


class BookedExecution(msgspec.Struct):
    """A row of the table execution; times in seconds of the database's clock."""

    id: int
    order_id: int
    quantity: Decimal
    created_at: datetime
    state: SubmissionState | None
    """None: legacy and not adopted yet."""
    attempt_id: AttemptId | None = None
    attempts_spent: int = 0
    give_up_at: float | None = None
    budget_ms: int | None = None
    status_id: int = NEW
    service_id: int | None = None
    placed: Decimal = Decimal(0)
    filled: Decimal = Decimal(0)
    version: int = 1
    limit_price: Decimal | None = None
    trade_type_id: int | None = 1
    destination_id: int = 1
    blotter_id: int | None = None

    @property
    def is_placed(self) -> bool:
        """Whether the row shows that it was sent."""
        return self.service_id is not None or self.placed > 0

    @property
    def is_legacy(self) -> bool:
        """Whether the legacy service wrote it, or sent it meanwhile."""
        return self.state is None or (self.state is _S.NONE and self.is_placed)

    @property
    def withdrawn(self) -> str | None:
        """The status that keeps a never submitted execution from being sent."""
        status = REFERENCE.statuses[self.status_id].abbreviation
        return status if self.state is _S.NONE and status in WITHDRAWN_STATUSES else None

    @property
    def is_proven(self) -> bool:
        """Whether it proves, as a legacy row, that it was accepted."""
        status = REFERENCE.statuses[self.status_id].abbreviation
        return proves_acceptance(self.service_id, self.placed, status)

    @property
    def state_shown(self) -> SubmissionState:
        """The state that readers see: that after adoption."""
        if self.state is not None:
            return self.state
        return _S.ACCEPTED if self.is_proven else _S.UNKNOWN


class BookedAttempt(msgspec.Struct):
    """A row of the table submission_attempt; times in seconds of the database's clock."""

    id: AttemptId
    state: str
    owner: str
    execution_ids: tuple[int, ...]
    next_action_at: float | None
    started_at: float = 0.0
    lease_until: float | None = None
    lease_ms: int = 0
    settle_ms: int = 0
    settle_from: float | None = None
    floor_id: int = 0
    floor_execution_id: int | None = None
    epoch: int = 1
    top_id: int | None = None
    retry_count: int = 0
    counted: bool = False
    """Not a column: whether its claim counted against the budget."""
    adopted: bool = False
    next_batch_size: int | None = None
    observer: str | None = None
    look_ups: int = 0
    closed_at: float | None = None
    kind: str | None = None
    code: str | None = None
    message: str | None = None
    http_status: int | None = None
    duration_ms: int | None = None
    findings: list[ItemOutcome] = msgspec.field(default_factory=list)
    parked_at: float | None = None


class BookedPause(msgspec.Struct, frozen=True):
    """A row of the table submission_pause."""

    id: int
    destination_id: int
    """0: all."""
    reason: str
    paused_by: str
    paused_at: float


class BookedDownstream(msgspec.Struct):
    """The row of the table downstream."""

    epoch: int = 1
    base_url: str | None = None
    high_water_id: int = 0
    high_water_execution_id: int | None = None
    first_id: int = 0
    first_execution_id: int | None = None
    suspected_at: float | None = None
    suspicion: Suspicion | None = None
    blocked_reason: str | None = None

    @property
    def is_open(self) -> bool:
        """Whether executions may be claimed."""
        return self.suspicion is None and self.blocked_reason is None


class BookedEvidence(msgspec.Struct, frozen=True):
    """A row of the table submission_evidence."""

    execution_id: int
    source: str
    code: str
    attempt_id: AttemptId | None
    state_before: SubmissionState | None
    state: SubmissionState
    service_id_before: int | None = None
    service_id: int | None = None
    actor: str | None = None
    message: str = ""


class Change(msgspec.Struct, frozen=True, gc=False):
    """An execution went from one state to another."""

    before: SubmissionState | None
    after: SubmissionState
    attempt_id: AttemptId | None
    """The attempt that caused it; None for a fill report."""
    at_s: float


_BACKED_UP = (
    "_order_ids", "last_execution_id", "orders", "executions", "attempts", "consumed", "downstream", "evidence",
    "history", "pauses",
)  # fmt: skip


class Tables:
    """All rows, and the history of every execution's state."""

    def __init__(self, now_s: Callable[[], float]) -> None:
        self._now_s = self.now_s = now_s
        self._order_ids = count(1)
        self.last_execution_id = 0
        """The last execution id of the sequence."""
        self.orders: dict[int, TradeOrder] = {}
        self.executions: dict[int, BookedExecution] = {}
        self.attempts: dict[AttemptId, BookedAttempt] = {}
        self.consumed: dict[AttemptId, BookedAttempt] = {}
        """Deleted queued attempts, kept to explain changes."""
        self.downstream = BookedDownstream()
        self.evidence: list[BookedEvidence] = []
        self.pauses: list[BookedPause] = []
        self.history: dict[int, list[Change]] = {}
        self.fills_checked_at: float | None = None
        self.fills_offset = 0
        self.on_fetched: Callable[[int, Fill, Fill], None] = lambda _i, _old, _new: None
        """Called with every fill fetched from the Execution Service's ledger: before and after."""
        self.on_change: Callable[[int, SubmissionState, SubmissionState], None] = lambda _i, _old, _new: None
        """Called with every change of an execution of this service."""
        self.on_sign: Callable[[], None] = lambda: None
        """Called when an acceptance is recorded under an id that was known before its attempt."""

    def backup(self) -> dict[str, Any]:
        """A copy of all rows, as in a backup."""
        return {name: deepcopy(getattr(self, name)) for name in _BACKED_UP}

    def restore(self, backup: dict[str, Any]) -> None:
        """Replaces all rows by those of a backup."""
        for name, rows in backup.items():
            setattr(self, name, deepcopy(rows))

    def put_order(self, new: NewTradeOrder) -> TradeOrder:
        """A new row of trade_order with nothing sent."""
        order = TradeOrder(
            id=next(self._order_ids),
            order_id=new.order_id,
            portfolio_id=new.portfolio_id.rstrip(),
            order_type=new.order_type.rstrip(),
            security_id=new.security_id.rstrip(),
            quantity=new.quantity,
            quantity_sent=Decimal(0),
            limit_price=new.limit_price,
            trade_timestamp=new.trade_timestamp or self._today(),
            blotter_id=new.blotter_id,
            submitted=False,
            version=1,
        )
        self.orders[order.id] = order
        return order

    def put_execution(
        self, order_id: int, quantity: Decimal, state: SubmissionState | None, **fields: Any
    ) -> BookedExecution:
        """A new row of execution; does not change the order."""
        self.last_execution_id += 1
        row = BookedExecution(self.last_execution_id, order_id, quantity, self._today(), state, **fields)
        self.executions[row.id] = row
        return row

    def add_order(self, quantity: Decimal, security_id: str) -> int:
        """Adds a valid order with nothing sent; returns its id."""
        order_id = max((order.order_id for order in self.orders.values()), default=0) + 1
        return self.put_order(NewTradeOrder(order_id, "P", "BUY", security_id, quantity)).id

    def add_execution(self, order_id: int, quantity: Decimal, state: SubmissionState | None = _S.NONE) -> int:
        """Adds an execution and takes its quantity from the order; returns its id."""
        self._move(order_id, quantity)
        self._new_version([order_id])
        return self.put_execution(order_id, quantity, state).id

    def stored(self, row: BookedExecution) -> StoredExecution:
        """A row with its order, as readers see them."""
        execution = Execution(
            id=row.id,
            execution_timestamp=row.created_at,
            execution_status_id=row.status_id,
            blotter_id=row.blotter_id,
            trade_type_id=row.trade_type_id,
            trade_order_id=row.order_id,
            destination_id=row.destination_id,
            quantity_ordered=row.quantity,
            quantity_placed=row.placed,
            quantity_filled=row.filled,
            limit_price=row.limit_price,
            execution_service_id=row.service_id,
            version=row.version,
            submission_state=row.state_shown,
        )
        return StoredExecution(execution, self.orders[row.order_id])

    def _note_late(self, source: str, row: BookedExecution, attempt_id: AttemptId | None) -> None:
        """Records that an exhausted execution was accepted after all; call it before the state changes."""
        if row.state in QUANTITY_RETURNED:
            self.evidence.append(
                BookedEvidence(
                    row.id,
                    source,
                    "ACCEPTED_LATE",
                    attempt_id,
                    row.state,
                    _S.ACCEPTED,
                    service_id=row.service_id,
                )
            )

    def _today(self) -> datetime:
        return EPOCH + timedelta(seconds=self._now_s())

    def _rows(self, ids: Iterable[int]) -> list[BookedExecution]:
        """The existing rows, each once, in id order."""
        return [self.executions[i] for i in sorted(set(ids)) if i in self.executions]

    def _owned(
        self, attempt: BookedAttempt, states: Collection[SubmissionState | None]
    ) -> list[BookedExecution]:
        """The executions in these states that an attempt still owns."""
        executions = self.executions
        rows = (executions[i] for i in attempt.execution_ids if i in executions)
        return [row for row in rows if row.attempt_id == attempt.id and row.state in states]

    def paused_since(self, destination_id: int) -> float | None:
        """When sending to the destination was paused; None if it is not."""
        found = (one.paused_at for one in self.pauses if one.destination_id in (0, destination_id))
        return min(found, default=None)

    def budget_runs_until(self, row: BookedExecution) -> float:
        """Now, or the beginning of a pause."""
        since = self.paused_since(row.destination_id)
        return self._now_s() if since is None else min(since, self._now_s())

    def _become(self, row: BookedExecution, state: SubmissionState, attempt_id: AttemptId | None) -> None:
        before, row.state = row.state, state
        self.history.setdefault(row.id, []).append(Change(before, state, attempt_id, self._now_s()))
        if before is not None:
            self.on_change(row.id, before, state)

    def _move(self, order_id: int, quantity: Decimal) -> None:
        """Takes quantity from an order, or returns it if negative; does not change the version."""
        order = self.orders[order_id]
        sent = order.quantity_sent + quantity
        self.orders[order_id] = msgspec.structs.replace(
            order, quantity_sent=sent, submitted=is_submitted(order.quantity, sent)
        )

    def _new_version(self, order_ids: Iterable[int]) -> None:
        for order_id in sorted(set(order_ids)):
            order = self.orders[order_id]
            self.orders[order_id] = msgspec.structs.replace(order, version=order.version + 1)


def attempts_open(attempts: Mapping[AttemptId, BookedAttempt]) -> list[AttemptId]:
    """Attempts that recovery must still advance."""
    return [attempt.id for attempt in attempts.values() if attempt.next_action_at is not None]
