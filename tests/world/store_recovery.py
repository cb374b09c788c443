"""The world's statements of recovery: which attempts are due, and what they still own."""

from collections.abc import Sequence
from decimal import Decimal

from tests.world.store_orders import OrderBooks
from tests.world.store_rows import REFERENCE, REQUEUED_KIND, BookedAttempt, BookedExecution
from trade_service.domain.executions import SubmissionState
from trade_service.submission.model import AttemptId, DueAttempt, ItemOutcome, OpenItem, ReplyKind

_S = SubmissionState
_RECOVERABLE = (_S.QUEUED, _S.RETRY, _S.UNKNOWN)


class RecoveryBooks(OrderBooks):
    """Adds to the tables the statements of recovery."""

    def take_due(self, owner: str, limit: int, hold_ms: int, grace_ms: int) -> tuple[DueAttempt, ...]:
        attempt_ids = self.hold_due(owner, limit, hold_ms, grace_ms)
        self.mark_lost(attempt_ids)
        return self.due(attempt_ids)

    def hold_due(self, owner: str, limit: int, hold_ms: int, grace_ms: int) -> list[AttemptId]:
        """The first statement of `take_due`: selects due attempts and marks expired leases."""
        now = self._now_s()
        at_grace = now - grace_ms / 1000
        due: list[tuple[float, BookedAttempt]] = []
        for attempt in self.attempts.values():
            at = attempt.next_action_at
            if at is not None and at <= now and (attempt.observer in (None, owner) or at <= at_grace):
                due.append((at, attempt))
        due.sort(key=lambda one: one[0])
        for _, attempt in due[:limit]:
            attempt.next_action_at = now + hold_ms / 1000
            attempt.parked_at = None
            attempt.observer = owner
            if attempt.state == "sent":
                attempt.state, attempt.kind, attempt.code = "answered", ReplyKind.LOST.value, "OWNER_LOST"
                attempt.message = _lost(attempt)
                attempt.settle_from = attempt.lease_until
        return [attempt.id for _, attempt in due[:limit]]

    def mark_lost(self, attempt_ids: Sequence[AttemptId]) -> None:
        """The second: executions that the held attempts left claimed become unknown."""
        for attempt_id in attempt_ids:
            attempt = self.attempts[attempt_id]
            for row in sorted(self._owned(attempt, (_S.CLAIMED,)), key=lambda row: row.id):
                self._become(row, _S.UNKNOWN, attempt_id)
                attempt.findings.append(ItemOutcome(row.id, _S.UNKNOWN, "OWNER_LOST", _lost(attempt)))

    def due(self, attempt_ids: Sequence[AttemptId]) -> tuple[DueAttempt, ...]:
        """The third: the held attempts with the executions they still own."""
        now = self._now_s()
        return tuple(self._due(self.attempts[attempt_id], now) for attempt_id in attempt_ids)

    def postpone(self, attempt_id: AttemptId, delay_ms: int | None) -> None:
        if attempt_id in self.attempts:
            at = None if delay_ms is None else self._now_s() + delay_ms / 1000
            self.attempts[attempt_id].next_action_at = at

    def park(self, attempt_id: AttemptId, wait_ms: int) -> None:
        attempt = self.attempts.get(attempt_id)
        if attempt is None or attempt.next_action_at is None:
            return
        rows, now = self._owned(attempt, (_S.QUEUED, _S.RETRY)), self._now_s()
        parks = bool(self.pauses) and all(self.paused_since(row.destination_id) is not None for row in rows)
        attempt.parked_at = now if parks else None
        attempt.next_action_at = now + wait_ms / 1000 if parks else now

    def pause_budgets(self, attempt_id: AttemptId) -> None:
        if attempt_id in self.attempts:
            for row in self._owned(self.attempts[attempt_id], (_S.QUEUED, _S.RETRY)):
                self._pause_budget(row)

    def _pause_budget(self, row: BookedExecution) -> None:
        if row.give_up_at is not None:
            left_ms = round((row.give_up_at - self.budget_runs_until(row)) * 1000)
            row.budget_ms, row.give_up_at = max(1, left_ms), None

    def adopt(self, ids: Sequence[int], attempt_id: AttemptId, owner: str, settle_ms: int) -> None:
        """See SubmissionStore; the attempt is that of the rows whose outcome is unknown."""
        legacy = [row for row in self._rows(ids) if row.is_legacy]
        unproven = [row for row in legacy if not row.is_proven]
        for row in legacy:
            if row.is_proven:
                self._become(row, _S.ACCEPTED, None)
            else:
                row.attempt_id = attempt_id
                self._become(row, _S.UNKNOWN, attempt_id)
        if not unproven:
            return
        now = self._now_s()
        self.attempts[attempt_id] = BookedAttempt(
            attempt_id,
            "answered",
            owner,
            tuple(row.id for row in unproven),
            now,
            started_at=now,
            settle_ms=settle_ms,
            settle_from=now,
            adopted=True,
            closed_at=now,
            kind=ReplyKind.LOST.value,
            code="TAKEN_OVER",
            message="rows of the legacy service whose outcome is unknown",
        )

    def under_way(self, limit: int) -> tuple[AttemptId, ...]:
        """Attempts whose owners have not recorded an outcome."""
        sent = [
            one for one in self.attempts.values() if one.state == "sent" and one.next_action_at is not None
        ]
        return tuple(one.id for one in sorted(sent, key=lambda one: one.next_action_at or 0.0)[:limit])

    def _due(self, attempt: BookedAttempt, now: float) -> DueAttempt:
        settle_from = attempt.settle_from
        rows = self._owned(attempt, (*_RECOVERABLE, _S.ACCEPTED))
        return DueAttempt(
            attempt_id=attempt.id,
            low_water_id=attempt.floor_id,
            low_water_execution_id=attempt.floor_execution_id,
            settle_ms=attempt.settle_ms,
            settled=settle_from is not None and settle_from + attempt.settle_ms / 1000 <= now,
            epoch=attempt.epoch,
            look_ups=attempt.look_ups,
            next_batch_size=attempt.next_batch_size,
            retry_count=attempt.retry_count,
            adopted=attempt.adopted,
            lease_ms=attempt.lease_ms if attempt.code == "OWNER_LOST" else 0,
            requeued=attempt.kind == REQUEUED_KIND,
            size=len(attempt.execution_ids),
            age_s=now - attempt.started_at,
            kind=attempt.kind,
            code=attempt.code,
            message=attempt.message or "",
            http_status=attempt.http_status,
            items=tuple(
                self._open_item(row) for row in rows if row.state is not _S.ACCEPTED or is_nameless(row)
            ),
        )

    def _open_item(self, row: BookedExecution) -> OpenItem:
        left = float("inf") if row.budget_ms is None else row.budget_ms / 1000
        left = left if row.give_up_at is None else row.give_up_at - self.budget_runs_until(row)
        paused = self.paused_since(row.destination_id) is not None
        return OpenItem(row.id, row.state_shown, *self._traded(row), row.attempts_spent, left, paused)

    def _traded(self, row: BookedExecution) -> tuple[str | None, str, str, Decimal]:
        trade_type = None if row.trade_type_id is None else REFERENCE.trade_types[row.trade_type_id]
        return (
            None if trade_type is None else trade_type.abbreviation,
            REFERENCE.destinations[row.destination_id].abbreviation,
            self.orders[row.order_id].security_id,
            row.quantity,
        )


def _lost(attempt: BookedAttempt) -> str:
    return f"its owner {attempt.owner} did not record an outcome within the lease"


def is_nameless(row: BookedExecution) -> bool:
    """Whether a fill proved that it was accepted before its id was known."""
    return row.state is _S.ACCEPTED and row.service_id is None
