"""The port OperatorStore on the world's database."""

from collections.abc import Callable, Sequence
from datetime import timedelta

from tests.world.store_books import Books
from tests.world.store_rows import (
    EPOCH,
    REFERENCE,
    REQUEUED_KIND,
    BookedAttempt,
    BookedEvidence,
    BookedExecution,
)
from trade_service.domain.errors import EvidenceConflict, InFlight, NotFound
from trade_service.domain.executions import SubmissionState
from trade_service.submission.manual_resolution import (
    ExecutionCase,
    Resolution,
    check_resolution,
    needs_person,
    outcome_state,
)
from trade_service.submission.model import (
    AttemptClosing,
    AttemptId,
    ItemOutcome,
    ReplyKind,
)
from trade_service.trading.operating import History, UnknownPosition, Unknowns
from trade_service.trading.requeueing import Ended, Requeue, Requeued, RequeueFilter, plan_requeue

_S = SubmissionState


class MemoryOperatorStore:
    """The port OperatorStore; its histories have no attempts."""

    def __init__(
        self, books: Books, new_attempt_id: Callable[[], AttemptId], now_s: Callable[[], float]
    ) -> None:
        self._books = books
        self._new_attempt_id = new_attempt_id
        self._now_s = now_s

    async def cases(self, execution_ids: Sequence[int]) -> dict[int, ExecutionCase]:
        rows = self._books.executions
        return {i: self._case(rows[i]) for i in execution_ids if i in rows}

    async def unknowns(
        self, limit: int, after: UnknownPosition | None = None, *, for_person: bool = False
    ) -> Unknowns:
        found = []
        for attempt in self._books.attempts.values():
            for execution_id in attempt.execution_ids if attempt.next_action_at is not None else ():
                row = self._books.executions.get(execution_id)
                lost = attempt.lease_until is not None and attempt.lease_until <= self._now_s()
                states = (_S.UNKNOWN, _S.CLAIMED) if lost else (_S.UNKNOWN,)
                if row is not None and row.attempt_id == attempt.id and row.state in states:
                    found.append(row)
        cases = [self._case(row) for row in found]
        cases = [case for case in cases if not for_person or needs_person(case)]
        return Unknowns(tuple(cases[:limit]), len(cases))

    async def history(self, execution_id: int, limit: int) -> History:
        if execution_id not in self._books.executions:
            raise NotFound.of("execution", execution_id)
        return History(self._case(self._books.executions[execution_id]), (), ())

    async def resolve(self, resolution: Resolution, seen: ExecutionCase) -> ExecutionCase:
        books, execution_id, service_id = self._books, resolution.execution_id, resolution.accepted_as
        row = books.executions.get(execution_id)
        if row is None:
            raise NotFound.of("execution", execution_id)
        if service_id is not None and any(
            other.service_id == service_id and other.id != row.id for other in books.executions.values()
        ):
            raise EvidenceConflict(f"{service_id} is the id of another execution")
        case = self._case(row)
        check_resolution(case, resolution)
        if service_id is None and case.attempt_id != seen.attempt_id:
            raise InFlight(f"execution {execution_id} was sent again meanwhile")
        state = outcome_state(case, resolution)
        attempt = books.attempts.get(case.attempt_id or "")
        look_ups, findings = (attempt.look_ups, list(attempt.findings)) if attempt else (0, [])
        next_batch_size = attempt.next_batch_size if attempt else None
        evidence = list(books.evidence)
        books.record(
            AttemptClosing(
                attempt_id=case.attempt_id or "",
                owned_as=_S.UNKNOWN,
                outcomes=(ItemOutcome(execution_id, state, "RESOLVED", "", service_id),),
                kind=ReplyKind.ANSWERED,
                code="",
                message="",
                next_batch_size=next_batch_size,
            )
        )
        if attempt is not None:
            attempt.look_ups, attempt.findings = look_ups, findings
        books.evidence = [
            *evidence,
            BookedEvidence(
                execution_id,
                "operator",
                "RESOLVED",
                case.attempt_id,
                None if case.legacy else case.state,
                state,
                case.execution_service_id,
                row.service_id,
                resolution.actor,
                resolution.reason,
            ),
        ]
        return case

    async def executions_of_order(self, order_id: int, limit: int) -> list[int]:
        orders = self._books.orders
        rows = self._books.executions.values()
        return sorted(row.id for row in rows if orders[row.order_id].order_id == order_id)[:limit]

    async def find_failed(self, wanted: RequeueFilter, limit: int) -> list[int]:
        found = [one for one in map(self._ended, self._books.executions.values()) if _matches(one, wanted)]
        return sorted(one.execution_id for one in found)[:limit]

    async def requeue(self, execution_ids: Sequence[int], requeue: Requeue) -> list[Requeued]:
        books = self._books
        known = [books.executions[i] for i in sorted(set(execution_ids)) if i in books.executions]
        earlier = {row.id for row in known if self._first_floor(row)[1] < books.downstream.epoch}
        decided = plan_requeue([self._ended(row) for row in known], dict(books.orders), earlier)
        again = [books.executions[one.execution_id] for one in decided.results if one.error is None]
        if not requeue.dry_run:
            for floor in sorted({self._first_floor(row) for row in again}):
                self._enter([row for row in again if self._first_floor(row) == floor], floor, requeue)
            books.orders.update(decided.orders)
            books._new_version(decided.orders)
        missing = sorted(set(execution_ids) - set(books.executions))
        gone = [Requeued(i, None, None, NotFound.of("execution", i)) for i in missing]
        return [*decided.results, *gone]

    def _enter(self, rows: list[BookedExecution], floor: tuple[int, int], requeue: Requeue) -> None:
        entry_id, now = self._new_attempt_id(), self._now_s()
        sent = [attempt for row in rows for attempt in self._sent(row)]
        settled = [at for a in sent if (at := a.settle_from or a.lease_until) is not None]
        self._books.attempts[entry_id] = BookedAttempt(
            entry_id,
            "answered",
            requeue.actor,
            tuple(row.id for row in rows),
            now,
            started_at=now,
            settle_ms=max((attempt.settle_ms for attempt in sent), default=0),
            settle_from=max(settled, default=now),
            floor_id=floor[0],
            epoch=floor[1],
            closed_at=now,
            kind=REQUEUED_KIND,
            code="REQUEUED",
            message=requeue.reason,
        )
        for row in rows:
            self._books.evidence.append(
                BookedEvidence(
                    row.id,
                    "operator",
                    "REQUEUED",
                    entry_id,
                    row.state,
                    _S.UNKNOWN,
                    actor=requeue.actor,
                    message=requeue.reason,
                )
            )
            row.attempt_id, row.attempts_spent = entry_id, 0
            row.give_up_at = row.budget_ms = None
            self._books._become(row, _S.UNKNOWN, entry_id)

    def _sent(self, row: BookedExecution) -> list[BookedAttempt]:
        attempts = self._books.attempts.values()
        return [a for a in attempts if row.id in a.execution_ids and a.state != "queued"]

    def _first_floor(self, row: BookedExecution) -> tuple[int, int]:
        sent = self._sent(row)
        epoch = self._books.downstream.epoch
        return (sent[0].floor_id, min(a.epoch for a in sent)) if sent else (0, epoch)

    def _case(self, row: BookedExecution) -> ExecutionCase:
        books, now = self._books, self._now_s()
        order = books.orders[row.order_id]
        trade_type = None if row.trade_type_id is None else REFERENCE.trade_types[row.trade_type_id]
        a = books.attempts.get(row.attempt_id or "")
        settles = None if a is None or a.settle_from is None else a.settle_from + a.settle_ms / 1000 - now
        return ExecutionCase(
            row.id,
            row.state_shown,
            row.state is None,
            row.service_id,
            order.id,
            order.order_id,
            order.security_id,
            None if trade_type is None else trade_type.abbreviation,
            REFERENCE.destinations[row.destination_id].abbreviation,
            row.quantity,
            row.filled,
            row.attempts_spent,
            None if a is None else a.id,
            None,
            None,
            None if a is None else a.kind,
            None if a is None else a.code,
            0 if a is None else a.floor_id,
            a is not None and a.epoch < books.downstream.epoch,
            a is not None and a.adopted,
            a is not None and a.kind == REQUEUED_KIND,
            0 if a is None else a.look_ups,
            settles,
            None if a is None or a.next_action_at is None else a.next_action_at - now,
        )

    def _ended(self, row: BookedExecution) -> Ended:
        books = self._books
        a = books.attempts.get(row.attempt_id or "")
        by_hand = [e for e in books.evidence if (e.execution_id, e.code) == (row.id, "RESOLVED")]
        found = [f for f in (a.findings if a else ()) if f.execution_id == row.id]
        code, message = (a.code or "", a.message or "") if a else ("", "")
        if found:
            code, message = found[-1].code, found[-1].message
        if by_hand and by_hand[-1].attempt_id == row.attempt_id:
            code, message = by_hand[-1].code, by_hand[-1].message
        order = books.orders[row.order_id]
        lease = None if a is None else a.lease_until
        return Ended(
            row.id,
            row.state_shown,
            row.service_id,
            order.id,
            order.order_id,
            order.security_id,
            REFERENCE.destinations[row.destination_id].abbreviation,
            row.quantity,
            row.attempts_spent,
            None if lease is None else EPOCH + timedelta(seconds=lease),
            code,
            message,
        )


def _matches(one: Ended, wanted: RequeueFilter) -> bool:
    return (
        one.state in wanted.states
        and (wanted.codes is None or one.code in wanted.codes)
        and (wanted.order_ids is None or one.order_id in wanted.order_ids)
        and (wanted.destinations is None or one.destination in wanted.destinations)
        and (wanted.messages is None or one.message in wanted.messages)
    )
