"""What has to hold in every world, after each step and at its end."""

from collections.abc import Mapping
from decimal import Decimal

import msgspec

from tests.world.downstream import Downstream, Row
from tests.world.loop import WorldLoop
from tests.world.scenario import Told
from tests.world.store_books import Books
from tests.world.store_rows import PART, BookedAttempt, BookedExecution, Change, attempts_open
from trade_service.domain.executions import FINAL, GAVE_BACK, OPEN, SubmissionState, may_become
from trade_service.submission.codes import AlarmCode
from trade_service.submission.events import AlarmEvent, SubmissionEvent
from trade_service.submission.failure_handler import SPENDS_BUDGET
from trade_service.submission.model import REQUEUED_KIND, SubmitStatus

_S = SubmissionState

MAY_BE_ACCEPTED = (_S.CLAIMED, _S.UNKNOWN)
"""Only while its execution is in one of these may the Execution Service come to accept it."""
SPENDING = tuple(kind for kind, spends in SPENDS_BUDGET.items() if spends)
PROVEN_ABSENT = (_S.RETRY, _S.REJECTED, _S.EXHAUSTED, _S.NONE)


class Invariants:
    """Watches one world; the first broken invariant counts, the rest may follow from it."""

    def __init__(
        self, loop: WorldLoop, books: Books, downstream: Downstream, told: Told, max_attempts: int
    ) -> None:
        self._loop = loop
        self._books = books
        self._downstream = downstream
        self._told = told
        self._max_attempts = max_attempts
        self._touched: set[int] = set()
        self._alarms: list[AlarmEvent] = []
        self.failure: str | None = None
        self.filled: set[int] = set()
        """Executions whose fill report was answered with 200."""
        self.inherited: set[int] = set()
        """Executions that the earlier service wrote."""
        books.on_change = self._on_change

    def listen(self, event: SubmissionEvent) -> None:
        """Takes what a replica tells its listeners."""
        if isinstance(event, AlarmEvent):
            self._alarms.append(event)

    def after_commit(self, row: Row) -> None:
        """The Execution Service has accepted something: once, in time, and written down before."""
        execution_id = row.execution_id
        times = self._downstream.times_accepted[execution_id]
        if times > 1:
            self.broken(
                f"execution {execution_id} was accepted {times} times, now by attempt {row.attempt_id}"
            )
        attempt = self._books.attempts.get(row.attempt_id)
        if attempt is None or execution_id not in attempt.execution_ids:
            self.broken(
                f"execution {execution_id} was accepted by attempt {row.attempt_id}, which nobody wrote down"
            )
        state = self._books.executions[execution_id].state
        if state not in MAY_BE_ACCEPTED:
            self.broken(f"execution {execution_id} was accepted while it was {state}")

    def after_statement(self) -> None:
        """A statement of the database is over: each order's quantity is the sum of its executions."""
        for order_id in self._touched:
            self._check_quantity(order_id)
        self._touched.clear()

    def is_over(self) -> bool:
        """Whether nothing will happen any more by itself, or something is broken already."""
        return self.failure is not None or not self.open()

    def open(self) -> Mapping[int | str, str]:
        """What is not final yet, and attempts that are not closed; without what only a person can resolve."""
        stuck = self._stuck()
        open_: dict[int | str, str] = {
            i: str(one.state)
            for i, one in self._books.executions.items()
            if one.state in OPEN and i not in stuck
        }
        attempts = (self._books.attempts[attempt_id] for attempt_id in attempts_open(self._books.attempts))
        return open_ or {a.id: "attempt not closed" for a in attempts if stuck.isdisjoint(a.execution_ids)}

    def check_end(self) -> None:
        """Everything is over: nothing was lost, and the journal tells why each execution became what it is."""
        if self._loop.failures:
            self.broken(self._loop.failures[0])
        stuck = self._stuck()
        for execution_id, one in self._books.executions.items():
            if execution_id not in stuck:
                self._check_execution(one)
            for change in self._books.history.get(execution_id, ()):
                self._check_trail(one, change)
        for order_id in self._books.orders:
            self._check_quantity(order_id)
        self._check_told(stuck)

    def broken(self, failure: str) -> None:
        """Notes the failure and ends the world."""
        if self.failure is None:
            self.failure = f"{failure} (at {self._loop.time():.3f} s)"
            self._loop.stop()

    def _on_change(self, execution_id: int, before: SubmissionState, after: SubmissionState) -> None:
        self._touched.add(self._books.executions[execution_id].order_id)
        if before is not after and not may_become(before, after):
            self.broken(f"execution {execution_id} went from {before} to {after}")
        accepted = self._downstream.times_accepted[execution_id]
        if after is _S.ACCEPTED and not accepted:
            self.broken(f"execution {execution_id} is called accepted and was not")
        if after in PROVEN_ABSENT and accepted:
            self.broken(f"execution {execution_id} was accepted and is called {after}")

    def _stuck(self) -> frozenset[int]:
        """Executions of which an alarm told that the Execution Service was reset: only a person may conclude."""
        if not self._downstream.was_reset:
            return frozenset()
        executions = self._books.executions
        alarmed = {
            execution_id
            for alarm in self._alarms
            if alarm.code == AlarmCode.DOWNSTREAM_RESET
            for execution_id in alarm.execution_ids
        }
        unknown = {i for i in alarmed if executions[i].state is _S.UNKNOWN}
        # Of others a fill told that they are accepted: only their ids went with the rows.
        nameless = {i for i, one in executions.items() if one.state is _S.ACCEPTED and one.service_id is None}
        return frozenset(unknown | nameless)

    def _check_execution(self, one: BookedExecution) -> None:
        execution_id, attempts = one.id, self._books.attempts.values()
        accepted = self._downstream.times_accepted[execution_id]
        if one.is_foreign:
            return
        if (one.state is _S.ACCEPTED) != bool(accepted):
            self.broken(f"execution {execution_id} ended {one.state} and was accepted {accepted} times")
        if one.state is _S.ACCEPTED and execution_id not in self.inherited:
            remote = self._downstream.ever.get(one.service_id or 0)
            if remote is None or remote.execution_id != execution_id:
                self.broken(f"execution {execution_id} bears id {one.service_id}, which is not its own")
            if one.placed != one.quantity:
                self.broken(f"execution {execution_id} of {one.quantity} is accepted, {one.placed} placed")
        spent = sum(
            execution_id in a.execution_ids and a.kind in SPENDING and not a.adopted for a in attempts
        )
        budget = self._max_attempts * (1 + self._told.requeued[execution_id])
        if spent > budget:
            self.broken(f"execution {execution_id} spent {spent} of {budget} attempts")
        if execution_id in self.filled and one.status_id != PART:
            self.broken(f"the fill of execution {execution_id} was overwritten by status {one.status_id}")

    def _check_trail(self, one: BookedExecution, change: Change) -> None:
        if change.attempt_id is None:
            explained = change.after is _S.ACCEPTED and (one.filled > 0 or one.id in self.inherited)
        else:
            attempt = self._books.attempts.get(change.attempt_id) or self._books.consumed.get(
                change.attempt_id
            )
            explained = (
                attempt is not None and one.id in attempt.execution_ids and _explains(attempt, one.id, change)
            )
        if not explained:
            self.broken(
                f"nothing tells why execution {one.id} went from {change.before} to {change.after} "
                f"(attempt {change.attempt_id})"
            )

    def _check_quantity(self, order_id: int) -> None:
        order, executions = self._books.orders[order_id], self._books.executions.values()
        held = sum(
            (e.quantity for e in executions if e.order_id == order_id and e.state not in GAVE_BACK),
            Decimal(0),
        )
        if order.quantity_sent != held:
            self.broken(f"order {order_id} says {order.quantity_sent} was sent, its executions hold {held}")
        if held > order.quantity:
            self.broken(f"order {order_id} of {order.quantity} was overrun: {held} was sent")

    def _check_told(self, stuck: frozenset[int]) -> None:
        for contradiction in self._told.contradictions:
            self.broken(contradiction)
        for execution_id, status in self._told.final.items():
            if execution_id in self._told.requeued:
                continue
            accepted = bool(self._downstream.times_accepted[execution_id])
            if accepted != (status is SubmitStatus.SUCCESS):
                self.broken(f"a caller was told {status} of execution {execution_id}, accepted: {accepted}")
        # What the earlier service never sent waits for a person to send it.
        for execution_id in self._told.promised - stuck - self.inherited:
            if self._books.executions[execution_id].state not in FINAL:
                self.broken(f"execution {execution_id} was promised and forgotten")


def _explains(attempt: BookedAttempt, execution_id: int, change: Change) -> bool:
    """Whether the journal of an attempt or ticket holds the reason of a change."""
    if attempt.kind == REQUEUED_KIND and change.before in GAVE_BACK:
        return change.after is _S.UNKNOWN
    if change.after is _S.QUEUED:
        return attempt.state == "queued"
    if change.after is _S.CLAIMED:
        return attempt.state != "queued"
    if change.before is None:
        return attempt.code == "TAKEN_OVER"
    found = any(f.execution_id == execution_id and f.state is change.after for f in attempt.findings)
    return found or (change.after is _S.ACCEPTED and attempt.closed_at is not None)


class Outcome(msgspec.Struct, frozen=True):
    """What became of a world."""

    seed: int
    failure: str | None
    executions: int
    accepted: int
    calls: int
    kills: int
    pauses: int
    virtual_s: float
