"""Invariants of every world, checked after each step and at the end."""

from collections.abc import Callable, Mapping
from decimal import Decimal

import msgspec

from tests.support.execution_rules import may_become
from tests.world.downstream import CURSED, Downstream, Row
from tests.world.journal import SPENDING, explains, may_have_spent, went_alone
from tests.world.loop import WorldLoop
from tests.world.pause_watch import PauseWatch
from tests.world.scenario import Told
from tests.world.store_books import Books
from tests.world.store_rows import (
    FULL,
    PART,
    REFERENCE,
    BookedAttempt,
    BookedExecution,
    Change,
    attempts_open,
)
from tests.world.weather import Weather
from trade_service.domain.executions import (
    FINAL,
    FINAL_STATUSES,
    OPEN,
    QUANTITY_RETURNED,
    Fill,
    SubmissionState,
)
from trade_service.submission.circuit import CircuitState
from trade_service.submission.codes import AlarmCode
from trade_service.submission.events import AlarmEvent, CircuitEvent, SubmissionEvent
from trade_service.submission.model import SubmitStatus

_S = SubmissionState

SIGN_S = 1.0
"""How soon a sign of a reset stops claims while process and database work."""
MAY_BE_ACCEPTED = (_S.CLAIMED, _S.UNKNOWN)
"""The Execution Service may accept an execution only in one of these states."""
PROBES = 2
"""Consecutive successful probes that close a circuit, each of a single execution."""
MOST_CALLS_IN_OUTAGE = 60
"""Maximum failed calls of one process: those that open its circuit, and probes."""
NO_CALLS = ("TAKEN_OVER", "FILL_REPORTED")
"""Codes of attempts that only reconcile."""
PROVEN_ABSENT = (_S.RETRY, _S.REJECTED, _S.EXHAUSTED, _S.NONE)


class Invariants:
    """Watches one world; reports the first broken invariant, since later ones may follow from it."""

    def __init__(
        self,
        loop: WorldLoop,
        books: Books,
        downstream: Downstream,
        told: Told,
        max_attempts: int,
        weather: Weather,
    ) -> None:
        self._loop = loop
        self._books = books
        self._downstream = downstream
        self._told = told
        self._max_attempts = max_attempts
        self._weather = weather
        self._latest_s = float("-inf")
        """The latest time that the database's clock showed."""
        self._opened_at: float | None = None
        """When a circuit first opened, by the database's clock."""
        self._touched: set[int] = set()
        self._alarmed: dict[str, set[int]] = {code: set() for code in AlarmCode}
        """Executions named by alarms, by code."""
        self.failure: str | None = None
        self.filled: set[int] = set()
        """Executions whose fill report was answered with 200."""
        self.inherited: set[int] = set()
        """Legacy executions."""
        self._lost_attempts: set[str] = set()
        self._signs: list[tuple[int, float, Callable[[], bool]]] = []
        self.has_previous_release = False
        self.pauses: PauseWatch | None = None
        """Where operators pause sending."""
        self.puzzling: set[int] = set()
        """Legacy executions with an ambiguous row in the ledger: only a person may decide."""
        self._claimed_at: dict[str, float] = {}
        """When each attempt was claimed, in the world's time."""
        books.on_fetched = self._on_fetched
        downstream.on_call = self._check_call

    def listen(self, event: SubmissionEvent) -> None:
        """Receives the events of a replica."""
        if isinstance(event, AlarmEvent):
            self._alarmed[event.code].update(event.execution_ids)
        elif isinstance(event, CircuitEvent) and event.state is CircuitState.OPEN and self._opened_at is None:
            self._opened_at = self._books._now_s()

    def after_commit(self, row: Row) -> None:
        """Checks an acceptance: once, in time, and journalled before."""
        execution_id = row.execution_id
        times = self._downstream.times_accepted[execution_id]
        if times > 1:
            self.broken(
                f"execution {execution_id} was accepted {times} times, now by attempt {row.attempt_id}"
            )
        if row.attempt_id in self._lost_attempts:
            return
        attempt = self._books.attempts.get(row.attempt_id)
        if attempt is None or execution_id not in attempt.execution_ids:
            self.broken(
                f"execution {execution_id} was accepted by attempt {row.attempt_id}, which nobody wrote down"
            )
        state = self._books.executions[execution_id].state
        if state not in MAY_BE_ACCEPTED:
            self.broken(f"execution {execution_id} was accepted while it was {state}")

    def forget_what_was_lost(self) -> None:
        """Before a restore: drops promises made after the backup."""
        self._lost_attempts |= set(self._books.attempts)
        self._told.requeued.update(list(self._books.executions))
        self._told.promised.clear()
        self.filled.clear()
        self._touched.clear()

    def after_statement(self) -> None:
        """Checks after a statement that each order's quantity is the sum of its executions."""
        self._latest_s = max(self._latest_s, self._books._now_s())
        for order_id in self._touched:
            self._check_quantity(order_id)
        self._touched.clear()
        if self.pauses is not None:
            self.pauses.after_statement()

    def is_over(self) -> bool:
        """Whether nothing is left to happen, or an invariant is broken."""
        if self.failure is None:
            # The world asks often, and most often something is open.
            stuck = self._stuck()
            if any(one.state in OPEN and i not in stuck for i, one in self._books.executions.items()):
                return False
        return self.failure is not None or not self.open()

    def open(self) -> Mapping[int | str, str]:
        """Open executions and attempts, except those that only a person can resolve."""
        stuck = self._stuck()
        open_: dict[int | str, str] = {
            i: str(one.state)
            for i, one in self._books.executions.items()
            if one.state in OPEN and i not in stuck
        }
        if self._books.downstream.blocked_reason is not None:
            return open_ or {"recover": "nobody has recovered this database"}
        attempts = (self._books.attempts[attempt_id] for attempt_id in attempts_open(self._books.attempts))
        unclosed: dict[int | str, str] = {
            a.id: "attempt not closed" for a in attempts if stuck.isdisjoint(a.execution_ids)
        }
        return open_ or unclosed or self._behind()

    def check_end(self) -> None:
        """Checks at the end that nothing was lost and that the journal explains the state of each execution."""
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
        for execution_id, times in self._downstream.published.items():
            if times - self._downstream.phantoms[execution_id] > 1:
                self.broken(f"execution {execution_id} was published to the market {times} times")
        self._check_told(stuck)
        if self._weather.is_total_outage:
            self._check_outage()

    def broken(self, failure: str) -> None:
        """Records the failure and ends the world."""
        if self.failure is None:
            self.failure = f"{failure} (at {self._loop.time():.3f} s)"
            self._loop.stop()

    def on_change(self, execution_id: int, before: SubmissionState, after: SubmissionState) -> None:
        """Checks a change of an execution's state, during a statement."""
        self._touched.add(self._books.executions[execution_id].order_id)
        if before is not after and not may_become(before, after):
            self.broken(f"execution {execution_id} went from {before} to {after}")
        if after is _S.CLAIMED:
            self._check_claim(execution_id)
        status_id = self._books.executions[execution_id].status_id
        if execution_id in self.filled and status_id not in (PART, FULL):
            self.broken(f"the fill of execution {execution_id} was overwritten by status {status_id}")
        accepted = self._downstream.times_accepted[execution_id]
        if after is _S.ACCEPTED and not accepted:
            self.broken(f"execution {execution_id} is called accepted and was not")
        if after in PROVEN_ABSENT and accepted:
            self.broken(f"execution {execution_id} was accepted and is called {after}")
        if after is _S.EXHAUSTED:
            self._check_exhausted(self._books.executions[execution_id])

    def _check_exhausted(self, one: BookedExecution) -> None:
        """Checks that no execution is exhausted by attempts shared with others, or by time that others took."""
        attempts = self._books.attempts.values()
        alone = sum(a.execution_ids == (one.id,) and may_have_spent(a) for a in attempts)
        if alone >= self._max_attempts:
            return
        latest_s = max(self._latest_s, self._books._now_s())
        if one.give_up_at is None or one.give_up_at > latest_s:
            self.broken(f"execution {one.id} is given up after {alone} attempts of its own, and in time")
        security = self._books.orders[one.order_id].security_id
        if "jump" not in self._weather.mishaps and security not in CURSED:
            self.broken(f"execution {one.id} of {security} is given up after {alone} attempts, for its time")

    def _check_outage(self) -> None:
        """Checks that a batch that failed in an outage is sent again whole, except for probes."""
        if self._downstream.calls_in_outage > MOST_CALLS_IN_OUTAGE:
            self.broken(f"{self._downstream.calls_in_outage} calls were made in an outage")
        opened_at = self._opened_at
        if opened_at is None:
            return
        ordered = sorted(self._books.attempts.values(), key=lambda a: (a.started_at, a.id))
        for attempt in ordered:
            if attempt.started_at > opened_at or not self._proven_absent(attempt, opened_at):
                continue
            after = [a for a in ordered if (a.started_at, a.id) > (attempt.started_at, attempt.id)]
            following = [
                next((a for a in after if i in a.execution_ids), None) for i in attempt.execution_ids
            ]
            alone = sum(a is not None and went_alone(a) for a in following)
            if alone > PROBES:
                self.broken(f"attempt {attempt.id} failed in an outage, {alone} went again alone")

    def _proven_absent(self, attempt: BookedAttempt, since: float) -> bool:
        """Whether a reconciliation after `since` made the attempt's executions retry."""
        changes = (c for i in attempt.execution_ids for c in self._books.history.get(i, ()))
        return any(
            (c.attempt_id, c.before, c.after) == (attempt.id, _S.UNKNOWN, _S.RETRY) and c.at_s > since
            for c in changes
        )

    def _check_call(self, attempt_id: str) -> None:
        """Checks that no byte leaves after the call's time-out or the lease."""
        timing, claimed_at = self._weather.timing, self._claimed_at.get(attempt_id)
        late_s = (
            -1.0 if claimed_at is None else self._loop.time() + timing.total_s - claimed_at - timing.lease_s
        )
        if late_s > 0:
            self.broken(f"bytes of attempt {attempt_id} may leave {late_s:.1f} s after its lease")

    def _check_claim(self, execution_id: int) -> None:
        ledger, now = self._books.downstream, self._loop.time()
        self._claimed_at.setdefault(self._books.executions[execution_id].attempt_id or "", now)
        if self.has_previous_release:
            return
        if self.pauses is not None:
            row, is_requeued = self._books.executions[execution_id], execution_id in self._told.requeued
            self.pauses.check_claim(row, is_requeued=is_requeued)
        if ledger.suspicion is not None or ledger.blocked_reason is not None:
            self.broken(f"execution {execution_id} was claimed while the ledger was in doubt")
        for epoch, at, is_alive in self._signs:
            if epoch == ledger.epoch and now > at + SIGN_S and is_alive():
                self.broken(
                    f"execution {execution_id} was claimed {now - at:.1f} s after an id that was known"
                )

    def note_sign(self, is_alive: Callable[[], bool]) -> None:
        """Records an acceptance under a known id; its process may have died since."""
        self._signs.append((self._books.downstream.epoch, self._loop.time(), is_alive))

    def _on_fetched(self, execution_id: int, before: Fill, after: Fill) -> None:
        if after.quantity < before.quantity or before.status in FINAL_STATUSES:
            self.broken(f"the fill of execution {execution_id} went back from {before} to {after}")

    def _behind(self) -> dict[int | str, str]:
        """Executions whose fill differs from the Execution Service's ledger without an alarm."""
        refused = self._alarmed[AlarmCode.FILL_REFUSED]
        behind: dict[int | str, str] = {}
        for one in self._books.executions.values():
            row = self._downstream.rows.get(one.service_id or 0)
            fill = None if row is None else self._downstream.fills.get(row.id)
            if (
                row is None
                or row.execution_id != one.id
                or fill is None
                or one.state not in (None, _S.ACCEPTED)
            ):
                continue
            if not 0 <= fill.quantity <= one.quantity:
                if one.id not in refused:
                    behind[one.id] = f"no alarm named its impossible fill {fill}"
            elif (one.filled, REFERENCE.statuses[one.status_id].abbreviation) != (fill.quantity, fill.status):
                behind[one.id] = f"filled {one.filled}, not {fill}"
        return behind

    def _stuck(self) -> frozenset[int]:
        """Executions that an alarm rightly left to a person."""
        executions = self._books.executions
        doubtful = self.puzzling & self._alarmed[AlarmCode.LOOK_UP_DOUBTFUL]
        puzzled = {i for i in doubtful if executions[i].state is _S.UNKNOWN}
        # Of some a fill told that they are accepted, and no row is surely theirs.
        nameless = {i for i, one in executions.items() if one.state is _S.ACCEPTED and one.service_id is None}
        if self._books.downstream.epoch == 1:
            return frozenset(puzzled | (nameless & self.puzzling))
        alarmed = self._alarmed[AlarmCode.DOWNSTREAM_RESET]
        unknown = {i for i in alarmed if executions[i].state is _S.UNKNOWN}
        return frozenset(puzzled | unknown | nameless)

    def _check_execution(self, one: BookedExecution) -> None:
        execution_id, attempts = one.id, self._books.attempts.values()
        accepted = self._downstream.times_accepted[execution_id]
        if one.is_legacy:
            return
        if (one.state is _S.ACCEPTED) != bool(accepted):
            self.broken(f"execution {execution_id} ended {one.state} and was accepted {accepted} times")
        if one.state is _S.ACCEPTED and execution_id not in self.inherited:
            if execution_id not in self._downstream.ever.get(one.service_id or 0, ()):
                self.broken(f"execution {execution_id} bears id {one.service_id}, which is not its own")
            if one.placed != one.quantity:
                self.broken(f"execution {execution_id} of {one.quantity} is accepted, {one.placed} placed")
        spent = sum(
            execution_id in a.execution_ids
            and a.kind in SPENDING
            and a.code not in NO_CALLS
            and not a.adopted
            and a.counted
            for a in attempts
        )
        budget = self._max_attempts * (1 + self._told.requeued[execution_id])
        if spent > budget:
            self.broken(f"execution {execution_id} spent {spent} of {budget} attempts")
        if execution_id in self.filled and one.status_id not in (PART, FULL):
            self.broken(f"the fill of execution {execution_id} was overwritten by status {one.status_id}")

    def _check_trail(self, one: BookedExecution, change: Change) -> None:
        if change.attempt_id is None:
            explained = change.after is _S.ACCEPTED and (one.filled > 0 or one.id in self.inherited)
        else:
            attempt = self._books.attempts.get(change.attempt_id) or self._books.consumed.get(
                change.attempt_id
            )
            explained = (
                attempt is not None and one.id in attempt.execution_ids and explains(attempt, one.id, change)
            )
        if not explained:
            self.broken(
                f"nothing tells why execution {one.id} went from {change.before} to {change.after} "
                f"(attempt {change.attempt_id})"
            )

    def _check_quantity(self, order_id: int) -> None:
        order, executions = self._books.orders[order_id], self._books.executions.values()
        held = sum(
            (e.quantity for e in executions if e.order_id == order_id and e.state not in QUANTITY_RETURNED),
            Decimal(0),
        )
        if order.quantity_sent != held:
            self.broken(f"order {order_id} says {order.quantity_sent} was sent, its executions hold {held}")
        if held > order.quantity:
            self.broken(f"order {order_id} of {order.quantity} was overrun: {held} was sent")
        count = sum(e.order_id == order_id for e in executions)
        if count > self._told.asked[order_id]:
            self.broken(
                f"order {order_id} has {count} executions, {self._told.asked[order_id]} were asked for"
            )

    def _check_told(self, stuck: frozenset[int]) -> None:
        for contradiction in self._told.contradictions:
            self.broken(contradiction)
        for execution_id, status in self._told.final.items():
            if execution_id in self._told.requeued:
                continue
            accepted = bool(self._downstream.times_accepted[execution_id])
            if accepted != (status is SubmitStatus.SUCCESS):
                self.broken(f"a caller got {status} for execution {execution_id}, accepted: {accepted}")
        # What the legacy service never sent waits for a person to send it.
        for execution_id in self._told.promised - self._told.unasked - stuck - self.inherited:
            if self._books.executions[execution_id].state not in FINAL:
                self.broken(f"execution {execution_id} was promised and forgotten")


class Outcome(msgspec.Struct, frozen=True):
    """The result of a world."""

    seed: int
    failure: str | None
    executions: int
    accepted: int
    calls: int
    kills: int
    pauses: int
    virtual_s: float
