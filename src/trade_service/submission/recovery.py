"""Recovery: expired leases, due retries, work left behind, and outcomes that only a look-up can decide.

Every process runs one loop. It finds its work in the attempts alone, holds what it takes, and lets
whoever claims first win: taking the same thing twice is harmless.
"""

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress

import msgspec
import structlog

from trade_service.domain.executions import SubmissionState
from trade_service.submission.absence import Circumstances, absent_outcome, next_batch_size, overdue_outcomes
from trade_service.submission.admission import Admission
from trade_service.submission.alarm_clock import AlarmClock
from trade_service.submission.announce import announce, recovered
from trade_service.submission.board import OutcomeBoard
from trade_service.submission.codes import OutcomeCode
from trade_service.submission.downstream import DownstreamState
from trade_service.submission.downstream_gate import DownstreamGate
from trade_service.submission.events import AlarmsOnce, EventBus
from trade_service.submission.failure_handler import ExecutionFailureHandler
from trade_service.submission.look_up import (
    LookUpPass,
    doubtful,
    look_up,
    matches,
    sign_of_another_ledger,
)
from trade_service.submission.look_up_events import (
    accepted_twice,
    doubtful_row,
    impossible_ids,
    ledger_began_anew,
    looked_up,
    requeued_though_accepted,
)
from trade_service.submission.model import (
    AttemptClosing,
    AttemptId,
    DueAttempt,
    ExecutionSubmitResult,
    ItemOutcome,
    OpenItem,
    ReplyKind,
)
from trade_service.submission.ports import (
    Clock,
    DownstreamStore,
    ExecutionGateway,
    StoreUnavailable,
    SubmissionStore,
)
from trade_service.submission.watching import AttemptWatch
from trade_service.submission.work_queue import Work, WorkQueue

_log = structlog.get_logger(__name__)

CLOSED_PAUSE_MS = 1000
"""How long work is left where it is while nothing may be claimed."""

_RESENDABLE = frozenset({SubmissionState.QUEUED, SubmissionState.RETRY})
_TO_LOOK_UP = frozenset({SubmissionState.UNKNOWN, SubmissionState.ACCEPTED})


class RecoverySettings(msgspec.Struct, frozen=True):
    """Pacing and bounds of the loop."""

    owner: str
    batch_size: int
    poll_s: float
    take_limit: int
    """Attempts taken in one round."""
    hold_ms: int
    """How long an attempt that was taken is left alone by everybody."""
    observer_grace_ms: int
    """How long an attempt is left to the process that looked at it last, whose own clock counts."""
    look_up_max_pages: int
    give_up_after_ms: int
    """The whole budget of time, to tell how long what is found had been open."""
    ask_limit: int = 1000
    watch_limit: int = 1000
    """Calls under way that are watched at once; of further ones the watch begins when they are found lost."""


class Recovery:
    """Drives on whatever no sender is working on."""

    def __init__(
        self,
        store: SubmissionStore,
        gateway: ExecutionGateway,
        clock: Clock,
        handler: ExecutionFailureHandler,
        queue: WorkQueue,
        board: OutcomeBoard,
        events: EventBus,
        admission: Admission,
        gate: DownstreamGate,
        downstream: DownstreamStore,
        settings: RecoverySettings,
    ) -> None:
        self._store = store
        self._gateway = gateway
        self._clock = clock
        self._handler = handler
        self._queue = queue
        self._board = board
        self._events = events
        self._admission = admission
        self._gate = gate
        self._downstream = downstream
        self._settings = settings
        self._watch = AttemptWatch(clock)
        self._alarm_clock = AlarmClock(clock)
        self._to_look_up: dict[str, DueAttempt] = {}
        self._look_up_wanted = asyncio.Event()
        self._alarms = AlarmsOnce(events)

    def due_in(self, delay_ms: int) -> None:
        """Makes the loop look in `delay_ms`, not only at its next poll."""
        self._alarm_clock.set_in(delay_ms)

    async def run(self) -> None:
        """Drives and looks up until cancelled; a database that is away is waited for."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._drive())
            group.create_task(self._look_up_forever())

    async def step(self) -> int:
        """One round: takes what is due and drives it on; returns how many attempts were taken."""
        settings = self._settings
        self._watch.note_under_way(await self._store.under_way(settings.watch_limit))
        due = await self._store.take_due(
            settings.owner, settings.take_limit, settings.hold_ms, settings.observer_grace_ms
        )
        # Look-ups first, and no longer than what was taken is held: a queue that is full must not keep
        # waiting what needs no room in it. What finds none is due again.
        held_until = asyncio.get_running_loop().time() + settings.hold_ms / 1000
        for attempt in sorted(due, key=_needs_room):
            with _contained(attempt.attempt_id):
                await self._drive_on(attempt, held_until)
        await self._ask_for_settled_elsewhere()
        return len(due)

    async def look_up_once(self) -> None:
        """One pass over the downstream's books for every attempt that waits for one."""
        attempts, self._to_look_up = list(self._to_look_up.values()), {}
        if not attempts:
            return
        conclusive = {a.attempt_id for a in attempts if self._is_settled(a)}
        sought = {a.attempt_id: _to_look_up(a) for a in attempts}
        wanted = [item.execution_id for items in sought.values() for item in items]
        # The row of the floor itself is read as well: by it the ledger is recognised.
        floor_id = max(0, min(attempt.floor_id for attempt in attempts) - 1)
        # Read before the pass: it has to see whatever was known by then.
        state = await self._downstream.read()
        anchors = {
            state.first_id: state.first_execution_id,
            state.high_water_id: state.high_water_execution_id,
        }
        anchors |= {a.floor_id: a.floor_execution_id for a in attempts if a.epoch == state.epoch}
        seen = await look_up(self._gateway, wanted, floor_id, self._settings.look_up_max_pages, anchors)
        if seen.impossible:
            self._alarms.emit(impossible_ids(seen.impossible, seen.spoiled))
        proves = self._is_beyond_doubt(state, seen, anchors)
        closings = [
            self._conclude(
                attempt,
                sought[attempt.attempt_id],
                seen,
                state,
                settled=proves and attempt.attempt_id in conclusive,
            )
            for attempt in attempts
        ]
        for attempt, closing in zip(attempts, closings, strict=True):
            with _contained(closing.attempt_id):
                await self._record(closing)
                self._tell_recovered(attempt, sought[attempt.attempt_id], closing)
        self._events.emit(looked_up(seen, closings, len(wanted)))

    async def _drive(self) -> None:
        while True:
            await self._alarm_clock.wait(self._settings.poll_s)
            try:
                taken = await self.step()
            except StoreUnavailable as error:
                _log.warning("recovery_waits_for_database", error=str(error))
                continue
            if taken == self._settings.take_limit:
                self.due_in(0)

    async def _look_up_forever(self) -> None:
        while True:
            await self._look_up_wanted.wait()
            self._look_up_wanted.clear()
            try:
                await self.look_up_once()
            except StoreUnavailable as error:
                _log.warning("look_up_not_recorded", error=str(error))

    async def _drive_on(self, attempt: DueAttempt, held_until: float) -> None:
        if not attempt.items:
            self._watch.forget(attempt.attempt_id)
            await self._store.postpone(attempt.attempt_id, None)
            return
        resend = [item for item in attempt.items if item.state in _RESENDABLE]
        overdue = [i for i in resend if i.budget_left_s <= 0 and i.state is SubmissionState.RETRY]
        overdue = [] if self._admission.is_refused else overdue
        if overdue:
            await self._give_up(attempt, overdue)
        if _to_look_up(attempt):
            self._watch.begin(attempt)
            self._to_look_up[attempt.attempt_id] = attempt
            self._look_up_wanted.set()
        await self._resend(attempt, [item for item in resend if item not in overdue], held_until)

    async def _resend(self, attempt: DueAttempt, items: Sequence[OpenItem], held_until: float) -> None:
        """Queues executions for the senders, or lets them wait for the circuit where they are."""
        hold_back_ms = self._hold_back_ms() if items else None
        if hold_back_ms is not None:
            self._board.put_off(self._put_off(item) for item in items)
            if self._admission.is_refused:
                await self._store.pause_budgets(attempt.attempt_id)
            if not _to_look_up(attempt):
                await self._store.postpone(attempt.attempt_id, hold_back_ms)
                self.due_in(hold_back_ms)
            return
        size = min(attempt.next_batch_size or self._settings.batch_size, self._settings.batch_size)
        with suppress(TimeoutError):
            async with asyncio.timeout_at(held_until):
                for batch in _cut([item.execution_id for item in items], size):
                    await self._queue.put(Work(batch, recovered=True, retry_count=attempt.calls))

    def _hold_back_ms(self) -> int | None:
        return self._admission.hold_back_ms(len(self._queue)) if self._gate.is_open else CLOSED_PAUSE_MS

    def _put_off(self, item: OpenItem) -> ExecutionSubmitResult:
        if self._gate.is_open:
            message = self._admission.put_off_message
            return ExecutionSubmitResult.put_off(item.execution_id, item.state, message)
        return ExecutionSubmitResult.held(item.execution_id, item.state, self._gate.reason)

    async def _give_up(self, attempt: DueAttempt, overdue: Sequence[OpenItem]) -> None:
        outcomes, again_ms = overdue_outcomes(attempt, overdue), self._settings.hold_ms
        await self._record(self._closing(attempt, SubmissionState.RETRY, outcomes, again_ms))

    def _is_settled(self, attempt: DueAttempt) -> bool:
        """Whether absence in a pass begun now is conclusive: by the database's clock and by our own."""
        return attempt.settled and self._watch.left_ms(attempt) <= 0

    def _is_beyond_doubt(
        self, state: DownstreamState, seen: LookUpPass, anchors: Mapping[int, int | None]
    ) -> bool:
        """Whether absence from a pass may prove anything; a sign that the ledger began anew closes the gate."""
        if seen.pages == 0:
            return False
        self._gate.note_ours(seen.max_execution_id)
        suspicion = sign_of_another_ledger(state, seen, anchors)
        if suspicion is not None:
            self._gate.suspect(suspicion)
            return False
        if seen.top_execution_id is not None:
            self._gate.note_seen(seen.top_id, seen.top_execution_id)
        return state.suspicion is None and state.blocked_reason is None

    def _conclude(
        self,
        attempt: DueAttempt,
        items: Sequence[OpenItem],
        seen: LookUpPass,
        state: DownstreamState,
        *,
        settled: bool,
    ) -> AttemptClosing:
        """What a pass proves for one attempt's executions, and when to look again.

        Those that a fill proved to be accepted are there: only under which id is asked.
        """
        reset = attempt.epoch < state.epoch
        found = matches(seen, items, attempt.floor_id)
        if reset and any(not found.get(item.execution_id) for item in items):
            self._alarms.emit(ledger_began_anew(attempt, seen.top_id, items))
        absent_counts = settled and not reset and not seen.problem and seen.is_complete_to(attempt.floor_id)
        unknown, outcomes, now = SubmissionState.UNKNOWN, [], self._circumstances(attempt)
        for item in items:
            ids = found.get(item.execution_id) or []
            if ids:
                outcomes.append(self._found(attempt, item, ids))
            elif absent_counts and item.state is unknown and not self._is_doubtful(attempt, item, seen):
                outcomes.append(absent_outcome(self._handler, attempt, item, now))
        next_ms = self._next_ms(attempt, items, outcomes)
        closing = self._closing(attempt, SubmissionState.UNKNOWN, tuple(outcomes), next_ms)
        return msgspec.structs.replace(
            closing,
            top_id=seen.top_id or None,
            epoch=state.epoch,
            next_batch_size=next_batch_size(attempt, now),
            pauses_budget=now.put_off_message is not None,
        )

    def _circumstances(self, attempt: DueAttempt) -> Circumstances:
        message = self._admission.put_off_message if self._admission.is_refused else None
        return Circumstances(self._admission.is_outage(self._watch.claimed_at(attempt)), message)

    def _found(self, attempt: DueAttempt, item: OpenItem, ids: Sequence[int]) -> ItemOutcome:
        if len(ids) > 1:
            self._events.emit(accepted_twice(item, ids))
        if attempt.requeued:
            self._events.emit(requeued_though_accepted(item, ids[0]))
        message = f"found by look-up as {ids[0]}"
        code = OutcomeCode.FOUND_BY_LOOK_UP
        return ItemOutcome(item.execution_id, SubmissionState.ACCEPTED, code, message, ids[0])

    def _is_doubtful(self, attempt: DueAttempt, item: OpenItem, seen: LookUpPass) -> bool:
        row_id = doubtful(seen, item, attempt.floor_id)
        if row_id is None:
            return False
        self._alarms.emit(doubtful_row(item, row_id, seen))
        return True

    def _next_ms(
        self, attempt: DueAttempt, items: Sequence[OpenItem], outcomes: Sequence[ItemOutcome]
    ) -> int | None:
        if len(outcomes) < len(items):
            delay = self._handler.look_up_delay_ms(attempt.look_ups + 1, self._clock.dice)
            settle_in = self._watch.left_ms(attempt)
            return min(delay, settle_in + 1) if settle_in > 0 else delay
        if any(outcome.state is SubmissionState.RETRY for outcome in outcomes):
            tries = max(attempt.calls, *(item.attempts_spent for item in items))
            return self._handler.backoff_ms(tries, self._clock.dice)
        return self._settings.hold_ms if len(items) < len(attempt.items) else None

    @staticmethod
    def _closing(
        attempt: DueAttempt, owned_as: SubmissionState, outcomes: tuple[ItemOutcome, ...], next_ms: int | None
    ) -> AttemptClosing:
        return AttemptClosing(
            attempt_id=attempt.attempt_id,
            owned_as=owned_as,
            outcomes=outcomes,
            kind=ReplyKind.ANSWERED,
            code="LOOK_UP",
            message="",
            next_action_in_ms=next_ms,
            next_batch_size=attempt.next_batch_size,
        )

    async def _record(self, closing: AttemptClosing) -> None:
        recorded = await self._store.record(closing)
        announce(self._board, self._events, closing, recorded)
        if closing.next_action_in_ms is None:
            self._watch.forget(closing.attempt_id)
        else:
            self.due_in(closing.next_action_in_ms)

    async def _ask_for_settled_elsewhere(self) -> None:
        ids = self._board.to_ask_for(self._settings.ask_limit)
        if ids:
            rows = await self._store.states(ids)
            results = (ExecutionSubmitResult.not_claimed(row) for row in rows)
            self._board.settle(result.settled_meanwhile() for result in results if result is not None)

    def _tell_recovered(
        self, attempt: DueAttempt, items: Sequence[OpenItem], closing: AttemptClosing
    ) -> None:
        accepted = {o.execution_id for o in closing.outcomes if o.state is SubmissionState.ACCEPTED}
        found = [item for item in items if item.execution_id in accepted]
        if found and not (attempt.requeued or attempt.adopted):
            budget_s = self._settings.give_up_after_ms / 1000
            self._events.emit(recovered(closing.attempt_id, "look_up", found, attempt.calls, budget_s))


@contextmanager
def _contained(attempt_id: AttemptId) -> Iterator[None]:
    """An attempt that cannot be driven on is told and tried again once its hold ends; the others go on."""
    try:
        yield
    except StoreUnavailable:
        raise
    except Exception:  # noqa: BLE001  # logged with its trace; one attempt must not stop all recovery
        _log.exception("attempt_not_driven_on", attempt_id=attempt_id)


def _to_look_up(attempt: DueAttempt) -> list[OpenItem]:
    return [item for item in attempt.items if item.state in _TO_LOOK_UP]


def _needs_room(attempt: DueAttempt) -> bool:
    return any(item.state in _RESENDABLE for item in attempt.items)


def _cut(ids: Sequence[int], size: int) -> Iterator[tuple[int, ...]]:
    for start in range(0, len(ids), size):
        yield tuple(ids[start : start + size])
