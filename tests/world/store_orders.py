"""Orders, their executions, and fills, in the world's database."""

from collections.abc import Mapping, Sequence
from decimal import Decimal

import msgspec

from tests.support.execution_rules import held_as_never_sent
from tests.world.store_rows import BookedAttempt, BookedExecution, Tables
from trade_service.domain.errors import AlreadyExists, DomainError, NotFound, VersionConflict
from trade_service.domain.executions import (
    QUANTITY_RETURNED,
    SubmissionState,
    checked_fill,
    fill_of_unsent,
)
from trade_service.domain.fields import not_negative
from trade_service.domain.orders import NewTradeOrder, Slice, SliceOrder, Submission, TradeOrder
from trade_service.store.execution_reads import QUEUED_GRACE_MS
from trade_service.submission.model import AttemptId, ReplyKind
from trade_service.trading.model import Filled, StoredExecution

_S = SubmissionState


class OrderBooks(Tables):
    """The statements of the use cases: each public method is one statement or transaction."""

    def create(self, orders: Sequence[NewTradeOrder]) -> list[TradeOrder]:
        taken = {order.order_id for order in self.orders.values()}
        for index, new in enumerate(orders):
            if new.order_id in taken:
                raise AlreadyExists(
                    f"orderId: {new.order_id} is taken", field="orderId", value=new.order_id, index=index
                )
            taken.add(new.order_id)
        created = {new.order_id: self.put_order(new) for new in sorted(orders, key=_by_order_id)}
        return [created[new.order_id] for new in orders]

    def order(self, trade_order_id: int) -> TradeOrder:
        """The order of that id; raises NotFound."""
        if trade_order_id not in self.orders:
            raise NotFound.of("trade order", trade_order_id)
        return self.orders[trade_order_id]

    def submit(
        self,
        submissions: Sequence[Submission],
        queued_attempt_id: AttemptId | None,
        owner: str,
        cut: SliceOrder,
    ) -> list[StoredExecution | DomainError]:
        pieces = [self._piece(submission, cut) for submission in submissions]
        # All are decided before anything is written, as in a transaction that may still be rolled back.
        written = [self._write_piece(p, queued_attempt_id) if isinstance(p, Slice) else p for p in pieces]
        if queued_attempt_id is not None:
            ids = [one.execution.id for one in written if isinstance(one, StoredExecution)]
            self._write_ticket(queued_attempt_id, owner, ids)
        return written

    def execution(self, execution_id: int) -> StoredExecution:
        """The execution and its order; raises NotFound."""
        if execution_id not in self.executions:
            raise NotFound.of("execution", execution_id)
        return self.stored(self.executions[execution_id])

    def stored_executions(self, ids: Sequence[int]) -> Mapping[int, StoredExecution]:
        """The existing executions, by id."""
        return {row.id: self.stored(row) for row in self._rows(ids)}

    def enqueue(self, ids: Sequence[int], queued_attempt_id: AttemptId, owner: str) -> None:
        fresh = [
            row
            for row in self._rows(ids)
            if row.state is _S.NONE and not row.is_legacy and row.withdrawn is None
        ]
        for row in fresh:
            row.attempt_id = queued_attempt_id
            self._become(row, _S.QUEUED, queued_attempt_id)
        self._write_ticket(queued_attempt_id, owner, [row.id for row in fresh])

    def fill(
        self,
        execution_id: int,
        status_id: int,
        quantity: Decimal,
        version: int,
        look_up: BookedAttempt,
    ) -> Filled:
        """See ExecutionReads; `look_up` is the attempt to write if reconciliation must explain the fill."""
        not_negative(quantity, "quantityFilled")
        shown = self.execution(execution_id).execution
        if shown.version != version:
            raise VersionConflict.of("execution", execution_id, version, shown.version)
        checked_fill(shown, quantity)
        row = self.executions[execution_id]
        if self.is_held_as_never_sent(row):
            self._doubt(row, look_up)
            raise fill_of_unsent(execution_id, shown.submission_state)
        before = row.state
        row.status_id, row.filled, row.version = status_id, quantity, row.version + 1
        if before is not _S.ACCEPTED:
            row.placed = row.quantity
        if before in QUANTITY_RETURNED:
            self._move(row.order_id, row.quantity)
            self._new_version([row.order_id])
        self._note_late("fill", row, row.attempt_id)
        self._become(row, _S.ACCEPTED, None)
        self._ask_for_its_id(row, look_up)
        return Filled(self.stored(row), shown.submission_state)

    def new_look_up(
        self, attempt_id: AttemptId, owner: str, execution_id: int, settle_ms: int
    ) -> BookedAttempt:
        """The attempt, not written yet, of a reconciliation for a fill report."""
        now = self._now_s()
        return BookedAttempt(
            attempt_id,
            "answered",
            owner,
            (execution_id,),
            now,
            settle_ms=settle_ms,
            settle_from=now,
            epoch=self.downstream.epoch,
            closed_at=now,
            kind=ReplyKind.LOST.value,
            code="FILL_REPORTED",
            message="a fill was reported",
        )

    def is_held_as_never_sent(self, row: BookedExecution) -> bool:
        """Whether a fill of the execution proves nothing."""
        attempt = self.attempts.get(row.attempt_id or "")
        return held_as_never_sent(
            row.state,
            is_placed=row.is_placed,
            is_adopted=attempt is not None and attempt.adopted,
            fill_reported=attempt is not None and attempt.code == "FILL_REPORTED",
        )

    def _doubt(self, row: BookedExecution, look_up: BookedAttempt) -> None:
        """Has an execution that waits to be sent reconciled first."""
        if row.state not in (_S.QUEUED, _S.RETRY):
            return
        row.attempt_id = look_up.id
        row.version += 1
        self.attempts[look_up.id] = look_up
        self._become(row, _S.UNKNOWN, look_up.id)

    def _ask_for_its_id(self, row: BookedExecution, look_up: BookedAttempt) -> None:
        """Has the service id of an execution looked up after a fill proved its acceptance."""
        if row.service_id is None and row.attempt_id is None:
            row.attempt_id = look_up.id
            self.attempts[look_up.id] = msgspec.structs.replace(look_up, adopted=True)
        attempt = self.attempts.get(row.attempt_id or "")
        if row.service_id is None and attempt is not None and attempt.next_action_at is None:
            attempt.next_action_at = self._now_s()

    def _piece(self, submission: Submission, cut: SliceOrder) -> Slice | DomainError:
        order = self.orders.get(submission.trade_order_id)
        if order is None:
            return NotFound.of("trade order", submission.trade_order_id)
        try:
            return cut(order, submission)
        except DomainError as error:
            return error

    def _write_piece(self, piece: Slice, queued_attempt_id: AttemptId | None) -> StoredExecution:
        row = self._new_row(piece, queued_attempt_id)
        if queued_attempt_id is not None:
            self._become(row, _S.QUEUED, queued_attempt_id)
        return self.stored(row)

    def _new_row(self, piece: Slice, attempt_id: AttemptId | None) -> BookedExecution:
        new, order = piece.execution, piece.order
        row = self.put_execution(
            order.id,
            new.quantity_ordered,
            _S.NONE,
            attempt_id=attempt_id,
            status_id=new.execution_status_id,
            limit_price=new.limit_price,
            trade_type_id=new.trade_type_id,
            destination_id=new.destination_id,
            blotter_id=new.blotter_id,
        )
        self.orders[order.id] = msgspec.structs.replace(order, version=order.version + 1)
        return row

    def _write_ticket(self, queued_attempt_id: AttemptId, owner: str, ids: Sequence[int]) -> None:
        if ids:
            assert queued_attempt_id not in self.attempts, f"attempt {queued_attempt_id} exists"
            now = self._now_s()
            due_at = now + QUEUED_GRACE_MS / 1000
            self.attempts[queued_attempt_id] = BookedAttempt(
                queued_attempt_id, "queued", owner, tuple(ids), due_at, now
            )


def _by_order_id(order: NewTradeOrder) -> int:
    return order.order_id
