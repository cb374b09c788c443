"""Callers of this process that wait for executions, and the results that they get."""

import asyncio
from collections import deque
from collections.abc import Iterable, Sequence

import msgspec

from trade_service.domain.executions import QUANTITY_RETURNED, SubmissionState
from trade_service.submission.codes import AlarmCode, OutcomeCode
from trade_service.submission.events import AlarmEvent, EventBus, ExhaustedEvent
from trade_service.submission.model import (
    ALREADY,
    SETTLED_CODES,
    STATUS_OF,
    AttemptClosing,
    ExecutionSubmitResult,
    ItemOutcome,
    Recorded,
    SubmitStatus,
)
from trade_service.submission.ports import Clock

# On Python 3.11 reading an enum member costs ten times a module name, and these are read per execution.
_ACCEPTED, _EXHAUSTED = SubmissionState.ACCEPTED, SubmissionState.EXHAUSTED
_PENDING, _SUCCESS = SubmitStatus.PENDING, SubmitStatus.SUCCESS
_OK = OutcomeCode.OK.value
_PAUSED = OutcomeCode.PAUSED.value
_DEFERRED = frozenset({OutcomeCode.CIRCUIT_OPEN, OutcomeCode.LEDGER_CLOSED, OutcomeCode.PAUSED})


class Waiter:
    """A caller that waits for some executions; results arrive in any order.

    With `wait_through_open_circuit` it gets final results and those of paused executions, since a pause has no end
    that is known; otherwise also those of deferred ones.
    """

    def __init__(self, *, wait_through_open_circuit: bool = False) -> None:
        self.wait_through_open_circuit = wait_through_open_circuit
        self.open: set[int] = set()
        self.results: dict[int, ExecutionSubmitResult] = {}
        self.changed = asyncio.Event()
        """Set when a result arrives."""

    def take(self) -> dict[int, ExecutionSubmitResult]:
        """The results since the last call."""
        results, self.results = self.results, {}
        self.changed.clear()
        return results

    async def all(self) -> None:
        """Returns when every execution has its result."""
        while self.open:
            await self.changed.wait()
            self.changed.clear()


class Waiters:
    """All waiters of this process, by execution."""

    def __init__(self) -> None:
        self._by_execution: dict[int, list[Waiter]] = {}
        self._unsettled: dict[int, None] = {}

    def __len__(self) -> int:
        return len(self._by_execution)

    def join(self, waiter: Waiter, execution_ids: Iterable[int]) -> list[int]:
        """Makes `waiter` wait for executions; returns those that had no waiter before, in order: queue them."""
        fresh = []
        for execution_id in execution_ids:
            if execution_id in waiter.open:
                continue
            waiter.open.add(execution_id)
            waiters = self._by_execution.get(execution_id)
            if waiters is None:
                self._by_execution[execution_id] = [waiter]
                fresh.append(execution_id)
            else:
                waiters.append(waiter)
        return fresh

    def leave(self, waiter: Waiter, execution_ids: Sequence[int] | None = None) -> None:
        """Stops waiting for these executions, by default for all."""
        for execution_id in tuple(waiter.open) if execution_ids is None else execution_ids:
            waiter.open.discard(execution_id)
            waiters = self._by_execution.get(execution_id)
            if waiters is None:
                continue
            remaining = [other for other in waiters if other is not waiter]
            if remaining:
                self._by_execution[execution_id] = remaining
            else:
                del self._by_execution[execution_id]
                self._unsettled.pop(execution_id, None)

    def settle(self, results: Iterable[ExecutionSubmitResult], *, deferred: bool = False) -> None:
        """Passes results to their waiters.

        A pending result reaches a waiter only if the execution is paused, or is deferred (all are if `deferred`)
        and the waiter does not wait through an open circuit. Otherwise another process may settle it: `unsettled`
        lists these.
        """
        for result in results:
            execution_id = result.execution_id
            if result.status is not _PENDING:
                if self._unsettled:
                    self._unsettled.pop(execution_id, None)
                waiters = self._by_execution.pop(execution_id, [])
            else:
                waiters = []
                if deferred or result.code in _DEFERRED:
                    waiting = self._by_execution.get(execution_id, ())
                    is_paused = result.code == _PAUSED
                    waiters = [w for w in waiting if is_paused or not w.wait_through_open_circuit]
                    for waiter in waiters:
                        self.leave(waiter, (execution_id,))
                if execution_id in self._by_execution:
                    self._unsettled[execution_id] = None
            for waiter in waiters:
                waiter.open.discard(execution_id)
                waiter.results[execution_id] = result
                waiter.changed.set()

    def unsettled(self, limit: int) -> list[int]:
        """Up to `limit` executions that another process may settle, so that their state must be read."""
        return [execution_id for execution_id, _ in zip(self._unsettled, range(limit), strict=False)]


class PendingResults:
    """The executions of one stream whose results were not returned yet.

    An id that is repeated while it is pending is sent once and answered once for each place.
    """

    def __init__(self, waiter: Waiter, clock: Clock, wait_s: float) -> None:
        self.waiter = waiter
        self._clock = clock
        self._wait_s = wait_s
        self._count = 0
        self._places: dict[int, tuple[int, ...]] = {}
        self._deadlines: deque[tuple[float, tuple[int, ...]]] = deque()

    def __len__(self) -> int:
        return len(self._places)

    def add(self, batch: Sequence[int]) -> tuple[int, ...]:
        """Adds a batch with its own deadline; returns the ids that were not pending."""
        fresh = []
        for place, execution_id in enumerate(batch, self._count):
            places = self._places.get(execution_id)
            if places is None:
                fresh.append(execution_id)
                self._places[execution_id] = (place,)
            else:
                self._places[execution_id] = (*places, place)
        self._count += len(batch)
        self._deadlines.append((self._clock.monotonic() + self._wait_s, tuple(fresh)))
        return tuple(fresh)

    async def wait(self) -> list[int]:
        """Returns once there are results; at a deadline it returns the overdue executions."""
        while self._deadlines and not any(i in self.waiter.open for i in self._deadlines[0][1]):
            self._deadlines.popleft()
        if self.waiter.results or not self._deadlines:
            return []
        deadline, ids = self._deadlines[0]
        try:
            async with asyncio.timeout(max(0.0, deadline - self._clock.monotonic())):
                await self.waiter.changed.wait()
                self.waiter.changed.clear()
        except TimeoutError:
            self._deadlines.popleft()
            return [i for i in ids if i in self.waiter.open]
        return []

    def take(self) -> list[ExecutionSubmitResult]:
        """The results since the last call, one for each place."""
        return [
            msgspec.structs.replace(result, request_index=place)
            for execution_id, result in self.waiter.take().items()
            for place in self._places.pop(execution_id)
        ]


def publish_outcomes(
    waiters: Waiters, events: EventBus, closing: AttemptClosing, recorded: Sequence[Recorded]
) -> None:
    """Passes recorded outcomes to their waiters, and emits events about those that people must know."""
    outcomes = {outcome.execution_id: outcome for outcome in closing.outcomes}
    results = [_result(outcomes[row.execution_id], row) for row in recorded if row.execution_id in outcomes]
    waiters.settle(results, deferred=closing.pauses_budget)
    notable = [
        row
        for row in recorded
        if (row.changed and (row.state is _EXHAUSTED or row.state_before in QUANTITY_RETURNED))
        or row.duplicate_of is not None
    ]
    if notable:
        _emit_notable(events, closing, notable, outcomes)


def _result(outcome: ItemOutcome, recorded: Recorded) -> ExecutionSubmitResult:
    """The result of an execution whose outcome was recorded, here or elsewhere."""
    state, code, message = recorded.state, outcome.code, outcome.message
    if state is not outcome.state:
        code = SETTLED_CODES.get(state, OutcomeCode.SETTLED_ELSEWHERE)
        message = f"settled as {state} elsewhere"
    return ExecutionSubmitResult(
        outcome.execution_id,
        _SUCCESS if state is _ACCEPTED else STATUS_OF.get(state, _PENDING),
        state,
        code,
        message,
        recorded.execution_service_id,
        recorded.status_id,
        recorded.version,
    )


def settled_meanwhile(result: ExecutionSubmitResult) -> ExecutionSubmitResult:
    """The same for the caller who submitted it: if it is settled already, that happened while it waited."""
    if result.code == _OK or result.state is None or result.code != ALREADY.get(result.state):
        return result
    accepted = result.state is _ACCEPTED
    message = f"settled as {result.state} elsewhere" + ("" if accepted else ": an operator may requeue it")
    return msgspec.structs.replace(result, code=SETTLED_CODES[result.state], message=message)


def _emit_notable(
    events: EventBus,
    closing: AttemptClosing,
    recorded: Sequence[Recorded],
    outcomes: dict[int, ItemOutcome],
) -> None:
    attempt_id = closing.attempt_id
    exhausted = _ids(row for row in recorded if row.changed and row.state is _EXHAUSTED)
    if exhausted:
        first = outcomes[exhausted[0]]
        events.emit(ExhaustedEvent(attempt_id, first.code, first.message, exhausted))
    late = _ids(
        row
        for row in recorded
        if row.changed and row.state is _ACCEPTED and row.state_before in QUANTITY_RETURNED
    )
    if late:
        message = (
            f"executions {list(late)} were accepted after they had ended unaccepted (attempt {attempt_id}): "
            "their quantity was taken from the orders again, check them for an overrun"
        )
        events.emit(AlarmEvent(AlarmCode.ACCEPTED_LATE, message, late))
    doubled = _ids(row for row in recorded if row.duplicate_of is not None)
    if doubled:
        message = (
            f"executions {list(doubled)} were accepted a second time (attempt {attempt_id}): "
            "cancel one of the two at the Execution Service; `trade-service audit` lists both ids"
        )
        events.emit(AlarmEvent(AlarmCode.ACCEPTED_TWICE, message, doubled))


def _ids(rows: Iterable[Recorded]) -> tuple[int, ...]:
    return tuple(row.execution_id for row in rows)
