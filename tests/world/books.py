"""The database of the seeded world: orders, executions and attempts, each method one atomic statement.

What PostgreSQL does in src/trade_service/store, in memory and on a clock that the world moves.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import msgspec

from trade_service.domain.errors import DomainError, NotFound, VersionConflict
from trade_service.domain.executions import GAVE_BACK, OPEN, Execution, SubmissionState, checked_fill
from trade_service.domain.orders import Submission, TradeOrder, is_submitted
from trade_service.store.order_sql import TICKET_GRACE_MS
from trade_service.submission.model import (
    AttemptClosing,
    AttemptId,
    Claim,
    ClaimedExecution,
    DueAttempt,
    ItemOutcome,
    NewAttempt,
    NotClaimed,
    OpenItem,
    Recorded,
    ReplyKind,
)
from trade_service.trading.model import Filled, Piece, StoredExecution
from trade_service.trading.ports import Cut

EPOCH = datetime(2026, 1, 1, tzinfo=UTC)
NEW, SENT, PART = 1, 2, 5
"""Ids of execution statuses."""
DESTINATION = "ML"

_S = SubmissionState
_RECOVERABLE = (_S.QUEUED, _S.RETRY, _S.UNKNOWN)


class BookedExecution(msgspec.Struct):
    """A row of the table execution."""

    id: int
    order_id: int
    quantity: Decimal
    created_at: datetime
    state: SubmissionState
    attempt_id: AttemptId | None = None
    attempts_spent: int = 0
    give_up_at: float | None = None
    status_id: int = NEW
    service_id: int | None = None
    placed: Decimal = Decimal(0)
    filled: Decimal = Decimal(0)
    version: int = 1


class BookedAttempt(msgspec.Struct):
    """A row of the table submission_attempt; times in seconds of the database's clock."""

    id: AttemptId
    state: str
    owner: str
    execution_ids: tuple[int, ...]
    next_action_at: float | None
    lease_until: float | None = None
    settle_ms: int = 0
    settle_from: float | None = None
    floor_id: int = 0
    floor_void: bool = False
    top_id: int | None = None
    streak: int = 0
    next_batch_size: int | None = None
    observer: str | None = None
    look_ups: int = 0
    kind: str | None = None
    closed: bool = False
    findings: list[ItemOutcome] = msgspec.field(default_factory=list)


class Books:
    """All tables. Every public method happens at once, as a statement or a transaction does."""

    def __init__(self, now_s: Callable[[], float]) -> None:
        self._now_s = now_s
        self.orders: dict[int, TradeOrder] = {}
        self.executions: dict[int, BookedExecution] = {}
        self.attempts: dict[AttemptId, BookedAttempt] = {}
        self.on_change: Callable[[int, SubmissionState, SubmissionState], None] = lambda _i, _old, _new: None

    def add_order(self, quantity: Decimal, security_id: str) -> int:
        """A new order; returns its id."""
        order_id = len(self.orders) + 1
        self.orders[order_id] = TradeOrder(
            id=order_id,
            order_id=order_id,
            portfolio_id="P",
            order_type="BUY",
            security_id=security_id,
            quantity=quantity,
            quantity_sent=Decimal(0),
            limit_price=None,
            trade_timestamp=EPOCH,
            blotter_id=None,
            submitted=False,
            version=1,
        )
        return order_id

    def add_execution(self, order_id: int, quantity: Decimal, state: SubmissionState = _S.NONE) -> int:
        """A new execution of an order, whose quantity it takes; returns its id."""
        execution_id = len(self.executions) + 1
        self.executions[execution_id] = BookedExecution(execution_id, order_id, quantity, EPOCH, state)
        self._move(order_id, quantity)
        return execution_id

    def claim(self, attempt: NewAttempt, ids: Sequence[int], claimable: Collection[SubmissionState]) -> Claim:
        """See SubmissionStore."""
        now = self._now_s()
        items, refused, tickets = [], [], set()
        for execution_id in sorted(set(ids) & self.executions.keys()):
            row = self.executions[execution_id]
            if row.state not in claimable:
                refused.append(NotClaimed(row.id, row.state, row.service_id))
                continue
            if row.state is _S.QUEUED:
                tickets.add(row.attempt_id)
            row.attempt_id = attempt.attempt_id
            row.attempts_spent += 1
            if row.give_up_at is None:
                row.give_up_at = now + attempt.give_up_after_ms / 1000
            self._become(row, _S.CLAIMED)
            items.append(self._claimed(row, now))
        refused += [NotClaimed(i, None) for i in ids if i not in self.executions]
        if items:
            self._consume(tickets, {item.execution_id for item in items})
            until = now + attempt.lease_ms / 1000
            self.attempts[attempt.attempt_id] = BookedAttempt(
                attempt.attempt_id,
                "sent",
                attempt.owner,
                tuple(item.execution_id for item in items),
                until,
                lease_until=until,
                settle_ms=attempt.settle_ms,
                floor_id=attempt.floor_id,
                streak=attempt.streak,
            )
        return Claim(tuple(items), tuple(refused))

    def record(self, closing: AttemptClosing) -> tuple[Recorded, ...]:
        """See SubmissionStore."""
        recorded = tuple(
            self._settle(self.executions[outcome.execution_id], outcome, closing)
            for outcome in sorted(closing.outcomes, key=lambda outcome: outcome.execution_id)
            if outcome.execution_id in self.executions
        )
        attempt = self.attempts.get(closing.attempt_id)
        if attempt is not None:
            self._close(attempt, closing, recorded)
        return recorded

    def take_due(self, owner: str, limit: int, hold_ms: int, grace_ms: int) -> tuple[DueAttempt, ...]:
        """See SubmissionStore."""
        now = self._now_s()
        due = sorted(
            (
                attempt
                for attempt in self.attempts.values()
                if attempt.next_action_at is not None
                and attempt.next_action_at <= now
                and (attempt.observer in (None, owner) or attempt.next_action_at <= now - grace_ms / 1000)
            ),
            key=lambda attempt: attempt.next_action_at or 0,
        )[:limit]
        for attempt in due:
            attempt.next_action_at = now + hold_ms / 1000
            attempt.observer = owner
            if attempt.state == "sent":
                attempt.state, attempt.kind = "answered", ReplyKind.LOST.value
                attempt.settle_from = attempt.lease_until
            for row in self._owned(attempt, (_S.CLAIMED,)):
                self._become(row, _S.UNKNOWN)
        return tuple(self._due(attempt, now) for attempt in due)

    def postpone(self, attempt_id: AttemptId, delay_ms: int | None) -> None:
        """See SubmissionStore."""
        if attempt_id in self.attempts:
            at = None if delay_ms is None else self._now_s() + delay_ms / 1000
            self.attempts[attempt_id].next_action_at = at

    def states(self, ids: Sequence[int]) -> tuple[NotClaimed, ...]:
        """See SubmissionStore."""
        rows = (self.executions[i] for i in sorted(set(ids) & self.executions.keys()))
        return tuple(NotClaimed(row.id, row.state, row.service_id) for row in rows)

    def void_floors(self, above: int) -> None:
        """See SubmissionStore."""
        for attempt in self.attempts.values():
            if attempt.next_action_at is not None and attempt.floor_id > above:
                attempt.floor_void = True

    def last_top_id(self) -> int:
        """See SubmissionStore."""
        return max((max(a.top_id or 0, a.floor_id) for a in self.attempts.values()), default=0)

    def enqueue(self, ids: Sequence[int], ticket_id: AttemptId, owner: str) -> None:
        """See ExecutionReads."""
        fresh = [i for i in sorted(set(ids) & self.executions.keys()) if self.executions[i].state is _S.NONE]
        for execution_id in fresh:
            row = self.executions[execution_id]
            row.attempt_id = ticket_id
            self._become(row, _S.QUEUED)
        self._write_ticket(ticket_id, owner, fresh)

    def submit(
        self, submissions: Sequence[Submission], ticket_id: AttemptId | None, owner: str, cut: Cut
    ) -> list[StoredExecution | DomainError]:
        """See OrderStore."""
        answers = [self._cut(submission, ticket_id, cut) for submission in submissions]
        if ticket_id is not None:
            self._write_ticket(
                ticket_id, owner, [a.execution.id for a in answers if isinstance(a, StoredExecution)]
            )
        return answers

    def stored(self, execution_id: int) -> StoredExecution:
        """The execution and its order; raises NotFound."""
        row = self.executions.get(execution_id)
        if row is None:
            raise NotFound.of("execution", execution_id)
        return StoredExecution(_shown(row), self.orders[row.order_id])

    def fill(self, execution_id: int, status_id: int, quantity: Decimal, version: int) -> Filled:
        """See ExecutionReads."""
        before = self.stored(execution_id).execution
        if before.version != version:
            raise VersionConflict.of("execution", execution_id, version, before.version)
        checked_fill(before, quantity)
        row = self.executions[execution_id]
        row.status_id, row.filled, row.version = status_id, quantity, row.version + 1
        if row.state is not _S.ACCEPTED:
            row.placed = row.quantity
        if row.state in GAVE_BACK:
            self._move(row.order_id, row.quantity)
        self._become(row, _S.ACCEPTED)
        return Filled(self.stored(execution_id), before.submission_state)

    def _settle(self, row: BookedExecution, told: ItemOutcome, closing: AttemptClosing) -> Recorded:
        before, service_before = row.state, row.service_id
        if told.state is _S.ACCEPTED:
            changes = before is not _S.ACCEPTED or service_before is None
        else:
            changes = self._is_owned(row, closing)
        if changes:
            self._apply(row, told, refund=0 if closing.spent else 1)
        doubled = None not in (told.execution_service_id, service_before) and (
            told.execution_service_id != service_before
        )
        return Recorded(
            row.id,
            row.state,
            row.service_id,
            row.version,
            row.status_id,
            changes,
            before,
            service_before if doubled else None,
        )

    @staticmethod
    def _is_owned(row: BookedExecution, closing: AttemptClosing) -> bool:
        """The fencing token: negative evidence counts only for who owns the execution, and as what."""
        return row.attempt_id == closing.attempt_id and row.state is closing.owned_as

    def _apply(self, row: BookedExecution, told: ItemOutcome, refund: int) -> None:
        before = row.state
        if told.execution_service_id is not None:
            row.service_id = told.execution_service_id
        if told.state is _S.ACCEPTED:
            row.placed = row.quantity
            if before is not _S.ACCEPTED:
                row.status_id = self._status_when_accepted(row)
                row.version += 1
        else:
            row.attempts_spent -= refund
        if (told.state in GAVE_BACK) != (before in GAVE_BACK):
            self._move(row.order_id, -row.quantity if told.state in GAVE_BACK else row.quantity)
        self._become(row, told.state)

    @staticmethod
    def _status_when_accepted(row: BookedExecution) -> int:
        """SENT, unless a newer status came first."""
        return SENT if row.status_id == NEW else row.status_id

    def _close(self, attempt: BookedAttempt, closing: AttemptClosing, recorded: Sequence[Recorded]) -> None:
        now = self._now_s()
        answer = closing.owned_as is _S.CLAIMED
        if not answer or not attempt.closed:
            attempt.findings += [outcome for outcome in closing.outcomes if outcome.code != "OK"]
        if answer:
            attempt.state, attempt.closed, attempt.settle_from = "answered", True, now
            attempt.kind, attempt.top_id = closing.kind.value, closing.top_id
            attempt.next_batch_size = closing.next_batch_size
        else:
            attempt.look_ups += 1
        unchanged = {row.execution_id for row in recorded if not row.changed}
        told = {row.execution_id for row in recorded}
        kept = any(
            row.id in unchanged or (closing.next_action_in_ms is None and row.id not in told)
            for row in self._owned(attempt, OPEN)
        )
        if kept:
            attempt.next_action_at = now if attempt.next_action_at is None else attempt.next_action_at
        elif closing.next_action_in_ms is None:
            attempt.next_action_at = None
        else:
            attempt.next_action_at = now + closing.next_action_in_ms / 1000

    def _due(self, attempt: BookedAttempt, now: float) -> DueAttempt:
        settle_from = attempt.settle_from
        return DueAttempt(
            attempt_id=attempt.id,
            floor_id=attempt.floor_id,
            settle_ms=attempt.settle_ms,
            settled=settle_from is not None and settle_from + attempt.settle_ms / 1000 <= now,
            floor_void=attempt.floor_void,
            look_ups=attempt.look_ups,
            next_batch_size=attempt.next_batch_size,
            streak=attempt.streak + 1 if attempt.kind == ReplyKind.NOT_SENT else 0,
            adopted=False,
            items=tuple(self._open_item(row, now) for row in self._owned(attempt, _RECOVERABLE)),
        )

    def _owned(self, attempt: BookedAttempt, states: Collection[SubmissionState]) -> list[BookedExecution]:
        rows = (self.executions[i] for i in attempt.execution_ids)
        return [row for row in rows if row.attempt_id == attempt.id and row.state in states]

    def _claimed(self, row: BookedExecution, now: float) -> ClaimedExecution:
        order = self.orders[row.order_id]
        assert row.give_up_at is not None
        return ClaimedExecution(
            row.id,
            order.order_type,
            DESTINATION,
            order.security_id,
            row.quantity,
            None,
            row.attempts_spent,
            row.give_up_at - now,
        )

    def _open_item(self, row: BookedExecution, now: float) -> OpenItem:
        order = self.orders[row.order_id]
        left = float("inf") if row.give_up_at is None else row.give_up_at - now
        return OpenItem(
            row.id,
            row.state,
            order.order_type,
            DESTINATION,
            order.security_id,
            row.quantity,
            row.attempts_spent,
            left,
        )

    def _cut(
        self, submission: Submission, ticket_id: AttemptId | None, cut: Cut
    ) -> StoredExecution | DomainError:
        order = self.orders.get(submission.trade_order_id)
        if order is None:
            return NotFound.of("trade order", submission.trade_order_id)
        try:
            piece: Piece = cut(order, submission)
        except DomainError as error:
            return error
        state = _S.NONE if ticket_id is None else _S.QUEUED
        execution_id = self.add_execution(order.id, piece.execution.quantity_ordered, state)
        self.executions[execution_id].attempt_id = ticket_id
        return self.stored(execution_id)

    def _write_ticket(self, ticket_id: AttemptId, owner: str, ids: Sequence[int]) -> None:
        if ids:
            due_at = self._now_s() + TICKET_GRACE_MS / 1000
            self.attempts[ticket_id] = BookedAttempt(ticket_id, "queued", owner, tuple(ids), due_at)

    def _consume(self, tickets: Collection[AttemptId | None], mine: Collection[int]) -> None:
        for ticket_id in tickets:
            ticket = self.attempts.get(ticket_id or "")
            if ticket is not None and ticket.state == "queued" and set(ticket.execution_ids) <= set(mine):
                del self.attempts[ticket.id]

    def _move(self, order_id: int, quantity: Decimal) -> None:
        order = self.orders[order_id]
        sent = order.quantity_sent + quantity
        self.orders[order_id] = msgspec.structs.replace(
            order,
            quantity_sent=sent,
            submitted=is_submitted(order.quantity, sent),
            version=order.version + 1,
        )

    def _become(self, row: BookedExecution, state: SubmissionState) -> None:
        before, row.state = row.state, state
        self.on_change(row.id, before, state)


def _shown(row: BookedExecution) -> Execution:
    return Execution(
        id=row.id,
        execution_timestamp=row.created_at + timedelta(0),
        execution_status_id=row.status_id,
        blotter_id=None,
        trade_type_id=1,
        trade_order_id=row.order_id,
        destination_id=1,
        quantity_ordered=row.quantity,
        quantity_placed=row.placed,
        quantity_filled=row.filled,
        limit_price=None,
        execution_service_id=row.service_id,
        version=row.version,
        submission_state=row.state,
    )


def attempts_open(attempts: Mapping[AttemptId, BookedAttempt]) -> list[AttemptId]:
    """Those that recovery still has to look at."""
    return [attempt.id for attempt in attempts.values() if attempt.next_action_at is not None]
