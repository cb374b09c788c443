"""The port DownstreamStore on the world's database."""

from collections import Counter
from collections.abc import Callable, Sequence
from heapq import nlargest

import msgspec

from tests.world.store_books import Books
from tests.world.store_rows import BookedAttempt, BookedEvidence, BookedExecution
from trade_service.domain.executions import OPEN, SubmissionState
from trade_service.submission.downstream import DownstreamState, Suspicion
from trade_service.submission.model import AttemptId, ReplyKind

_RECENT_ATTEMPTS = 200
_S = SubmissionState


class MemoryDownstreamStore:
    """The port DownstreamStore; each method is one statement, and atomic."""

    def __init__(self, books: Books) -> None:
        self._books = books

    async def read(self) -> DownstreamState:
        ledger, books = self._books.downstream, self._books
        recent = (books.attempts[attempt_id] for attempt_id in nlargest(_RECENT_ATTEMPTS, books.attempts))
        seen = [max(a.top_id or 0, a.floor_id) for a in recent if a.epoch == ledger.epoch]
        suspicion = None
        if ledger.suspicion is not None and ledger.suspected_at is not None:
            age_s = books.now_s() - ledger.suspected_at
            suspicion = msgspec.structs.replace(ledger.suspicion, age_s=age_s)
        return DownstreamState(
            ledger.epoch,
            ledger.base_url,
            ledger.high_water_id,
            ledger.high_water_execution_id,
            max([*seen, ledger.high_water_id]),
            ledger.first_id,
            ledger.first_execution_id,
            suspicion,
            ledger.blocked_reason,
            books.last_execution_id,
        )

    async def raise_high_water(self, epoch: int, service_id: int, execution_id: int) -> bool:
        ledger = self._books.downstream
        if ledger.epoch != epoch or ledger.high_water_id >= service_id or ledger.suspicion is not None:
            return False
        ledger.high_water_id, ledger.high_water_execution_id = service_id, execution_id
        if not ledger.first_id:
            ledger.first_id, ledger.first_execution_id = service_id, execution_id
        return True

    async def suspect(self, epoch: int, suspicion: Suspicion) -> bool:
        ledger = self._books.downstream
        if ledger.epoch != epoch or ledger.suspicion is not None:
            return False
        ledger.suspicion, ledger.suspected_at = suspicion, self._books.now_s()
        return True

    async def dismiss(self, epoch: int, suspicion: Suspicion) -> None:
        ledger = self._books.downstream
        marked = ledger.suspicion
        if ledger.epoch == epoch and marked is not None and marked.reason == suspicion.reason:
            ledger.suspicion = ledger.suspected_at = None

    async def begin_epoch(
        self, after: int, base_url: str, service_id: int, execution_id: int | None
    ) -> tuple[int, ...] | None:
        ledger = self._books.downstream
        if ledger.epoch != after:
            return None
        ledger.epoch += 1
        ledger.base_url = base_url
        ledger.high_water_id, ledger.high_water_execution_id = service_id, execution_id
        ledger.first_id = 0 if execution_id is None else service_id
        ledger.first_execution_id = execution_id
        ledger.suspicion = ledger.suspected_at = None
        return tuple(sorted(self._owned_by_open_attempts((_S.CLAIMED, _S.UNKNOWN))))

    async def note_ledger(self, epoch: int, base_url: str, service_id: int, execution_id: int | None) -> None:
        ledger = self._books.downstream
        if ledger.epoch == epoch and ledger.suspicion is None:
            ledger.base_url = base_url
            if execution_id is not None:
                await self.raise_high_water(epoch, service_id, execution_id)
            elif ledger.high_water_id < service_id:
                ledger.high_water_id, ledger.high_water_execution_id = service_id, None

    async def leave_gap(self, size: int) -> None:
        self._books.last_execution_id += size

    async def held_as_unsent(self, execution_ids: Sequence[int]) -> tuple[int, ...]:
        rows = (self._books.executions.get(i) for i in sorted(execution_ids))
        unsent = (_S.NONE, _S.QUEUED, _S.RETRY)
        return tuple(r.id for r in rows if r is not None and r.state in unsent and r.service_id is None)

    async def block(self, reason: str) -> None:
        self._books.downstream.blocked_reason = reason

    async def advance_sequence(self, beyond: int, since_s: float, reason: str) -> bool:
        books = self._books
        before = books.now_s() - since_s
        blocks = any(self._owned_by_open_attempts(tuple(OPEN), begun_before=before, adopted=False))
        if blocks:
            books.downstream.blocked_reason = reason
        books.last_execution_id = max(books.last_execution_id, beyond)
        return blocks

    def _owned_by_open_attempts(
        self,
        states: tuple[SubmissionState, ...],
        begun_before: float = float("inf"),
        *,
        adopted: bool = True,
    ) -> list[int]:
        books = self._books
        return [
            row.id
            for attempt in books.attempts.values()
            if attempt.next_action_at is not None and attempt.started_at < begun_before
            if adopted or not attempt.adopted
            for row in (books.executions.get(i) for i in attempt.execution_ids)
            if row is not None and row.attempt_id == attempt.id and row.state in states
        ]


class MemoryRestoreStore:
    """The port RestoreStore."""

    def __init__(self, books: Books, new_attempt_id: Callable[[], AttemptId]) -> None:
        self._books = books
        self._new_attempt_id = new_attempt_id

    async def open_by_state(self) -> tuple[dict[SubmissionState, int], dict[SubmissionState, int]]:
        of_this, of_earlier = (
            Counter(
                row.state
                for row in self._not_final()
                if row.state is not None and self._is_earlier(row) is wanted
            )
            for wanted in (False, True)
        )
        return dict(of_this), dict(of_earlier)

    async def recover(
        self, beyond: int, settle_ms: int, actor: str, reason: str, *, same_ledger: bool
    ) -> int:
        books = self._books
        rows = [row for row in self._not_final() if same_ledger or not self._is_earlier(row)]
        adopted = {row.id: self._is_adopted(row) for row in rows}
        for kind in sorted(set(adopted.values())):
            mine = [row for row in rows if adopted[row.id] is kind]
            self._enter(mine, adopted=kind, settle_ms=settle_ms, actor=actor, reason=reason)
        books.last_execution_id = max(books.last_execution_id, beyond)
        books.downstream.blocked_reason = None
        return len(rows)

    def _not_final(self) -> list[BookedExecution]:
        rows = self._books.executions.values()
        return [
            row
            for row in rows
            if row.state in OPEN or (row.state is _S.NONE and row.service_id is None and row.placed <= 0)
        ]

    def _is_earlier(self, row: BookedExecution) -> bool:
        attempt = self._books.attempts.get(row.attempt_id or "")
        was_sent = row.state in (_S.CLAIMED, _S.UNKNOWN)
        return was_sent and attempt is not None and attempt.epoch < self._books.downstream.epoch

    def _is_adopted(self, row: BookedExecution) -> bool:
        attempt = self._books.attempts.get(row.attempt_id or "")
        return row.state is _S.NONE or (attempt is not None and attempt.adopted)

    def _enter(
        self, rows: list[BookedExecution], *, adopted: bool, settle_ms: int, actor: str, reason: str
    ) -> None:
        books, now = self._books, self._books.now_s()
        leases = [a.lease_until or now for row in rows if (a := books.attempts.get(row.attempt_id or ""))]
        attempt_id = self._new_attempt_id()
        books.attempts[attempt_id] = BookedAttempt(
            attempt_id,
            "answered",
            actor,
            tuple(row.id for row in rows),
            now,
            started_at=now,
            settle_ms=settle_ms,
            settle_from=max([now, *leases]),
            epoch=books.downstream.epoch,
            adopted=adopted,
            closed_at=now,
            kind=ReplyKind.LOST.value,
            code="RECOVERED",
            message=reason,
        )
        for row in rows:
            books.evidence.append(
                BookedEvidence(
                    row.id,
                    "operator",
                    "RECOVERED",
                    attempt_id,
                    row.state,
                    _S.UNKNOWN,
                    actor=actor,
                    message=reason,
                )
            )
            row.attempt_id, row.attempts_spent, row.give_up_at = attempt_id, 0, None
            books._become(row, _S.UNKNOWN, attempt_id)
