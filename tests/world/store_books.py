"""The database of the seeded world: each public method is one statement or transaction of PostgreSQL.

What src/trade_service/store does there, in memory and on a clock that the world moves. Nothing here
waits, so each method happens at once; what a network makes of that is somebody else's.
"""

from collections.abc import Collection, Iterable, Sequence

from tests.world.store_recovery import RecoveryBooks, is_nameless
from tests.world.store_rows import NEW, SENT, BookedAttempt, BookedExecution
from trade_service.domain.access import Requester
from trade_service.domain.executions import OPEN, QUANTITY_RETURNED, UNSENT, SubmissionState
from trade_service.domain.orders import Slice, Submission, slicer
from trade_service.domain.reference import ReferenceData
from trade_service.submission.model import (
    AttemptClosing,
    AttemptId,
    Claim,
    ClaimedExecution,
    ItemOutcome,
    NewAttempt,
    NotClaimed,
    Recorded,
)
from trade_service.trading.model import ClaimedSlices

_S = SubmissionState


class Books(RecoveryBooks):
    """All tables, with the statements of submission; its bases have those of recovery, orders and fills."""

    def claim(self, attempt: NewAttempt, ids: Sequence[int], claimable: Collection[SubmissionState]) -> Claim:
        ledger = self.downstream
        is_open = ledger.is_open and ledger.epoch == attempt.epoch
        return self.claim_above(attempt, ids, claimable, ledger.high_water_id if is_open else None)

    def slice_and_claim(
        self,
        submissions: Sequence[Submission],
        attempt: NewAttempt,
        reference: ReferenceData,
        requesters: Sequence[Requester] = (),
    ) -> ClaimedSlices | None:
        if not self._may_claim_new(attempt):
            return None
        pieces = [self._piece(submission, slicer(reference)) for submission in submissions]
        sound = [piece for piece in pieces if isinstance(piece, Slice) and not self._is_held_back(piece)]
        if not sound or (len(sound) < len(pieces) and not requesters):
            return None
        rows = [self._claimed_row(piece, attempt) for piece in sound]
        low_water_id = self.downstream.high_water_id
        self._write_attempt(attempt, tuple(row.id for row in rows), self._now_s(), low_water_id)
        items = tuple(self._claimed(row, attempt.give_up_after_ms / 1000) for row in rows)
        slices = tuple(self.stored(row) for row in rows)
        return ClaimedSlices(slices, Claim(items, (), low_water_id))

    def _may_claim_new(self, attempt: NewAttempt) -> bool:
        return self.downstream.is_open and self.downstream.epoch == attempt.epoch

    def _is_held_back(self, piece: Slice) -> bool:
        return self.paused_since(piece.execution.destination_id) is not None

    def _claimed_row(self, piece: Slice, attempt: NewAttempt) -> BookedExecution:
        row = self._new_row(piece, attempt.attempt_id)
        row.attempts_spent = int(attempt.counted)
        row.give_up_at = self._now_s() + attempt.give_up_after_ms / 1000
        self._become(row, _S.CLAIMED, attempt.attempt_id)
        return row

    def claim_above(
        self,
        attempt: NewAttempt,
        ids: Sequence[int],
        claimable: Collection[SubmissionState],
        floor_id: int | None,
    ) -> Claim:
        """Claims with this low-water id; with None claims nothing."""
        now, is_open = self._now_s(), floor_id is not None
        items: list[ClaimedExecution] = []
        refused: list[NotClaimed] = []
        tickets: list[AttemptId] = []
        for row in self._rows(ids):
            if row.state is _S.QUEUED and row.attempt_id is not None:
                tickets.append(row.attempt_id)
            claims = is_open and not row.is_legacy and row.state in claimable and row.withdrawn is None
            paused = self._is_paused(row)
            if not claims or paused:
                refused.append(_not_claimed(row, legacy=row.is_legacy, paused=paused))
                continue
            row.attempt_id = attempt.attempt_id
            row.attempts_spent += attempt.counted
            if row.give_up_at is None:
                budget_ms = attempt.give_up_after_ms if row.budget_ms is None else row.budget_ms
                row.give_up_at = now + budget_ms / 1000
            row.budget_ms = None
            self._become(row, _S.CLAIMED, attempt.attempt_id)
            items.append(self._claimed(row, row.give_up_at - now))
        refused += [NotClaimed(i, None) for i in ids if i not in self.executions]
        if items:
            mine = tuple(item.execution_id for item in items)
            self._consume(tickets, mine)
            self._write_attempt(attempt, mine, now, floor_id or 0)
        return Claim(tuple(items), tuple(refused), floor_id)

    def _is_paused(self, row: BookedExecution) -> bool:
        return self.paused_since(row.destination_id) is not None

    def record(self, closing: AttemptClosing) -> tuple[Recorded, ...]:
        told = sorted(closing.outcomes, key=lambda outcome: outcome.execution_id)
        recorded = tuple(
            self._settle(self.executions[outcome.execution_id], outcome, closing)
            for outcome in told
            if outcome.execution_id in self.executions
        )
        self._new_version(
            self.executions[one.execution_id].order_id
            for one in recorded
            if one.changed and (one.state in QUANTITY_RETURNED) != (one.state_before in QUANTITY_RETURNED)
        )
        attempt = self.attempts.get(closing.attempt_id)
        if attempt is not None:
            self._close(attempt, closing, recorded)
            if closing.owned_as is _S.CLAIMED and attempt.epoch == self.downstream.epoch:
                ids = [o.execution_service_id for o in closing.outcomes if o.execution_service_id is not None]
                if ids and min(ids) <= attempt.floor_id:
                    self.on_sign()
        return recorded

    def states(self, ids: Sequence[int]) -> tuple[NotClaimed, ...]:
        return tuple(_not_claimed(row, legacy=row.state is None) for row in self._rows(ids))

    def _write_attempt(self, attempt: NewAttempt, ids: tuple[int, ...], now: float, floor_id: int) -> None:
        assert attempt.attempt_id not in self.attempts, f"attempt {attempt.attempt_id} exists"
        until = now + attempt.lease_ms / 1000
        self.attempts[attempt.attempt_id] = BookedAttempt(
            attempt.attempt_id,
            "sent",
            attempt.owner,
            ids,
            until,
            started_at=now,
            lease_until=until,
            lease_ms=attempt.lease_ms,
            settle_ms=attempt.settle_ms,
            floor_id=floor_id,
            floor_execution_id=self._named_by(floor_id),
            epoch=attempt.epoch,
            retry_count=attempt.retry_count,
            counted=attempt.counted,
        )

    def _named_by(self, floor_id: int) -> int | None:
        ledger = self.downstream
        return ledger.high_water_execution_id if floor_id == ledger.high_water_id else None

    def _consume(self, tickets: Iterable[AttemptId], mine: tuple[int, ...]) -> None:
        """Deletes queued attempts without executions left to claim."""
        for queued_attempt_id in tickets:
            ticket = self.attempts.get(queued_attempt_id)
            if ticket is not None and ticket.state == "queued" and set(ticket.execution_ids) <= set(mine):
                self.consumed[queued_attempt_id] = self.attempts.pop(queued_attempt_id)

    def _settle(self, row: BookedExecution, told: ItemOutcome, closing: AttemptClosing) -> Recorded:
        before, service_before = row.state, row.service_id
        if told.state is _S.ACCEPTED:
            changes = before is not _S.ACCEPTED or service_before is None
        else:
            changes = self._is_owned(row, closing) and self._still_proves(closing)
        if changes:
            self._apply(row, told, refund=0 if closing.spent else 1)
            if told.state is _S.ACCEPTED:
                source = "answer" if closing.owned_as is _S.CLAIMED else "look_up"
                self._note_late(source, row, closing.attempt_id)
            if closing.pauses_budget and told.state in (_S.RETRY, _S.UNKNOWN):
                self._pause_budget(row)
            self._become(row, told.state, closing.attempt_id)
        doubled = None not in (told.execution_service_id, service_before) and (
            told.execution_service_id != service_before
        )
        return Recorded(
            row.id,
            row.state or _S.NONE,
            row.service_id,
            row.version,
            row.status_id,
            changes,
            before or _S.NONE,
            service_before if doubled else None,
        )

    @staticmethod
    def _is_owned(row: BookedExecution, closing: AttemptClosing) -> bool:
        """The fencing token: negative evidence counts only from the owner and for its state."""
        return row.attempt_id == closing.attempt_id and row.state is closing.owned_as

    def _still_proves(self, closing: AttemptClosing) -> bool:
        """Absence is recorded only while the ledger is not suspected."""
        if closing.owned_as is _S.CLAIMED or closing.epoch is None:
            return True
        return self.downstream.is_open and self.downstream.epoch == closing.epoch

    def _apply(self, row: BookedExecution, told: ItemOutcome, refund: int) -> None:
        """Applies an outcome, except the state."""
        before = row.state
        if told.execution_service_id is not None:
            row.service_id = told.execution_service_id
        if told.state is _S.ACCEPTED:
            row.placed = row.quantity
            if before is not _S.ACCEPTED:
                row.status_id = SENT if row.status_id == NEW else row.status_id
                row.version += 1
        else:
            row.attempts_spent -= refund
        if (told.state in QUANTITY_RETURNED) != (before in QUANTITY_RETURNED):
            self._move(row.order_id, -row.quantity if told.state in QUANTITY_RETURNED else row.quantity)

    def _close(self, attempt: BookedAttempt, closing: AttemptClosing, recorded: Sequence[Recorded]) -> None:
        now = self._now_s()
        answer = closing.owned_as is _S.CLAIMED
        if not answer or attempt.closed_at is None:
            attempt.findings += [outcome for outcome in closing.outcomes if outcome.code != "OK"]
        if answer:
            attempt.state, attempt.closed_at, attempt.settle_from = "answered", now, now
            attempt.kind, attempt.code, attempt.message = closing.kind.value, closing.code, closing.message
            attempt.http_status, attempt.duration_ms = closing.http_status, round(closing.duration_ms)
            attempt.top_id, attempt.next_batch_size = closing.high_water_id, closing.next_batch_size
            if closing.settle_ms is not None:
                attempt.settle_ms = min(attempt.settle_ms, closing.settle_ms)
        else:
            attempt.look_ups += 1
            attempt.next_batch_size = closing.next_batch_size
            attempt.top_id = max(attempt.top_id or 0, closing.high_water_id or 0) or None
        if self._owns_something_open(attempt, closing, recorded):
            attempt.next_action_at = now if attempt.next_action_at is None else attempt.next_action_at
        elif closing.next_action_in_ms is None:
            attempt.next_action_at = None
        else:
            attempt.next_action_at = now + closing.next_action_in_ms / 1000

    def _owns_something_open(
        self, attempt: BookedAttempt, closing: AttemptClosing, recorded: Sequence[Recorded]
    ) -> bool:
        """What the fencing token kept from being settled; and, when nobody would look at the attempt
        again, what is accepted without its id being known and what nobody told about."""
        kept = [self.executions[one.execution_id] for one in recorded if not one.changed]
        kept = [row for row in kept if row.attempt_id == attempt.id]
        if any(row.state in OPEN for row in kept):
            return True
        if closing.next_action_in_ms is not None:
            return False
        if any(is_nameless(row) for row in kept):
            return True
        told = {outcome.execution_id for outcome in closing.outcomes}
        untold = (row for row in self._owned(attempt, (*OPEN, _S.ACCEPTED)) if row.id not in told)
        return len(attempt.execution_ids) > len(recorded) and any(
            row.state in OPEN or is_nameless(row) for row in untold
        )

    def _claimed(self, row: BookedExecution, budget_left_s: float) -> ClaimedExecution:
        trade_type, destination, security_id, quantity = self._traded(row)
        return ClaimedExecution(
            row.id,
            trade_type,
            destination,
            security_id,
            quantity,
            row.limit_price,
            row.attempts_spent,
            budget_left_s,
        )


def _not_claimed(row: BookedExecution, *, legacy: bool, paused: bool = False) -> NotClaimed:
    state = _S.NONE if legacy or row.state is None else row.state
    withdrawn = None if legacy else row.withdrawn
    paused = paused and not legacy and withdrawn is None and state in UNSENT
    return NotClaimed(row.id, state, row.service_id, legacy, withdrawn, paused)
