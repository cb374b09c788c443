"""Recovery: expired leases, due retries, work left behind, and outcomes that only a look-up can decide.

Every process runs one loop. It finds its work in the attempts alone, holds what it takes, and lets
whoever claims first win: taking the same thing twice is harmless.
"""

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress

import msgspec
import structlog

from trade_service.domain.executions import SubmissionState
from trade_service.submission.admission import Admission
from trade_service.submission.announce import announce, recovered
from trade_service.submission.board import OutcomeBoard
from trade_service.submission.codes import AlarmCode, OutcomeCode
from trade_service.submission.events import AlarmEvent, EventBus, LookUpEvent
from trade_service.submission.failure_handler import ExecutionFailureHandler
from trade_service.submission.look_up import LookUpPass, doubtful, look_up, matches
from trade_service.submission.model import (
    AttemptClosing,
    AttemptId,
    DueAttempt,
    ExecutionSubmitResult,
    ItemOutcome,
    OpenItem,
    ReplyKind,
)
from trade_service.submission.ports import Clock, ExecutionGateway, StoreUnavailable, SubmissionStore
from trade_service.submission.watching import AttemptWatch
from trade_service.submission.work_queue import Work, WorkQueue

_log = structlog.get_logger(__name__)

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
        self._settings = settings
        self._watch = AttemptWatch(clock)
        self._wake = asyncio.Event()
        self._wake_at: float | None = None
        self._to_look_up: dict[str, DueAttempt] = {}
        self._look_up_wanted = asyncio.Event()

    def due_in(self, delay_ms: int) -> None:
        """Tells the loop that something will be due: it looks then, not only at its next poll."""
        at = self._clock.boottime() + delay_ms / 1000
        if self._wake_at is None or at < self._wake_at:
            self._wake_at = at
            self._wake.set()

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
        floor_id = min(attempt.floor_id for attempt in attempts)
        # Asked for before the pass: it has to see whatever was known by then.
        known = await self._store.last_top_id()
        seen = await look_up(self._gateway, wanted, floor_id, self._settings.look_up_max_pages)
        void = {a.attempt_id for a in attempts if a.floor_void or _is_reset(seen, a.floor_id or known)}
        if any(attempt.attempt_id in void and not attempt.floor_void for attempt in attempts):
            await self._store.void_floors(seen.top_id)
        closings = [
            self._conclude(
                attempt,
                sought[attempt.attempt_id],
                seen,
                settled=attempt.attempt_id in conclusive,
                reset=attempt.attempt_id in void,
            )
            for attempt in attempts
        ]
        for attempt, closing in zip(attempts, closings, strict=True):
            with _contained(closing.attempt_id):
                await self._record(closing)
                self._tell_recovered(attempt, sought[attempt.attempt_id], closing)
        self._tell(seen, closings, len(wanted))

    async def _drive(self) -> None:
        while True:
            await self._until_due()
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

    async def _until_due(self) -> None:
        poll_at = self._clock.boottime() + self._settings.poll_s
        while True:
            at = poll_at if self._wake_at is None else min(poll_at, self._wake_at)
            pause = at - self._clock.boottime()
            if pause <= 0:
                break
            self._wake.clear()
            try:
                async with asyncio.timeout(pause):
                    await self._wake.wait()
            except TimeoutError:
                break
        self._wake_at = None

    async def _drive_on(self, attempt: DueAttempt, held_until: float) -> None:
        if not attempt.items:
            self._watch.forget(attempt.attempt_id)
            await self._store.postpone(attempt.attempt_id, None)
            return
        resend = [item for item in attempt.items if item.state in _RESENDABLE]
        overdue = [i for i in resend if i.budget_left_s <= 0 and i.state is SubmissionState.RETRY]
        if overdue:
            await self._give_up(attempt, overdue)
        if _to_look_up(attempt):
            self._watch.begin(attempt)
            self._to_look_up[attempt.attempt_id] = attempt
            self._look_up_wanted.set()
        await self._resend(attempt, [item for item in resend if item not in overdue], held_until)

    async def _resend(self, attempt: DueAttempt, items: Sequence[OpenItem], held_until: float) -> None:
        """Queues executions for the senders, or lets them wait for the circuit where they are."""
        hold_back_ms = self._admission.hold_back_ms(len(self._queue)) if items else None
        if hold_back_ms is not None:
            self._board.put_off(ExecutionSubmitResult.put_off(i.execution_id, i.state) for i in items)
            if not _to_look_up(attempt):
                await self._store.postpone(attempt.attempt_id, hold_back_ms)
                self.due_in(hold_back_ms)
            return
        size = min(attempt.next_batch_size or self._settings.batch_size, self._settings.batch_size)
        with suppress(TimeoutError):
            async with asyncio.timeout_at(held_until):
                for batch in _cut([item.execution_id for item in items], size):
                    await self._queue.put(Work(batch, recovered=True, streak=attempt.streak))

    async def _give_up(self, attempt: DueAttempt, overdue: Sequence[OpenItem]) -> None:
        outcomes = tuple(
            ItemOutcome(
                item.execution_id,
                SubmissionState.EXHAUSTED,
                OutcomeCode.BUDGET_SPENT,
                f"never accepted in {item.attempts_spent} attempts, and its time is up: given up; "
                "the quantity goes back to the order",
            )
            for item in overdue
        )
        await self._record(self._closing(attempt, SubmissionState.RETRY, outcomes, self._settings.hold_ms))

    def _is_settled(self, attempt: DueAttempt) -> bool:
        """Whether absence in a pass begun now is conclusive: by the database's clock and by our own."""
        return attempt.settled and self._watch.left_ms(attempt) <= 0

    def _conclude(
        self, attempt: DueAttempt, items: Sequence[OpenItem], seen: LookUpPass, *, settled: bool, reset: bool
    ) -> AttemptClosing:
        """What a pass proves for one attempt's executions, and when to look again.

        Those that a fill proved to be accepted are there: only under which id is asked.
        """
        if reset:
            self._alarm_reset(attempt, seen, items)
        found = matches(seen, items, attempt.floor_id)
        absent_counts = settled and not reset and not seen.problem and seen.is_complete_to(attempt.floor_id)
        unknown, outcomes = SubmissionState.UNKNOWN, []
        for item in items:
            ids = found.get(item.execution_id) or []
            if ids:
                outcomes.append(self._found(attempt, item, ids))
            elif absent_counts and item.state is unknown and not self._is_doubtful(attempt, item, seen):
                outcomes.append(self._absent(attempt, item))
        next_ms = self._next_ms(attempt, items, outcomes)
        closing = self._closing(attempt, SubmissionState.UNKNOWN, tuple(outcomes), next_ms)
        return msgspec.structs.replace(closing, top_id=seen.top_id or None)

    def _found(self, attempt: DueAttempt, item: OpenItem, ids: Sequence[int]) -> ItemOutcome:
        if len(ids) > 1:
            message = (
                f"execution {item.execution_id} was accepted {len(ids)} times, as {list(ids)}: "
                "cancel all but the first at the Execution Service"
            )
            self._events.emit(AlarmEvent(AlarmCode.ACCEPTED_TWICE, message, (item.execution_id,)))
        if attempt.requeued:
            message = (
                f"execution {item.execution_id} was requeued, and the Execution Service had it as {ids[0]} all "
                "along: nothing was sent again; check its order and whatever took its place"
            )
            self._events.emit(AlarmEvent(AlarmCode.ACCEPTED_LATE, message, (item.execution_id,)))
        message = f"found by look-up as {ids[0]}"
        code = OutcomeCode.FOUND_BY_LOOK_UP
        return ItemOutcome(item.execution_id, SubmissionState.ACCEPTED, code, message, ids[0])

    def _is_doubtful(self, attempt: DueAttempt, item: OpenItem, seen: LookUpPass) -> bool:
        row_id = doubtful(seen, item, attempt.floor_id)
        if row_id is None:
            return False
        message = (
            f"execution {row_id} of the Execution Service bears the id of execution {item.execution_id}, which "
            "is unknown, but differs in security, side, quantity or destination, or does not show them: "
            "nothing is concluded; resolve this execution by hand"
        )
        self._events.emit(AlarmEvent(AlarmCode.LOOK_UP_DOUBTFUL, message, (item.execution_id,)))
        return True

    def _absent(self, attempt: DueAttempt, item: OpenItem) -> ItemOutcome:
        state = self._handler.decide_absent(item, adopted=attempt.adopted)
        code = OutcomeCode.BUDGET_SPENT if state is SubmissionState.EXHAUSTED else OutcomeCode.PROVEN_ABSENT
        next_step = {
            SubmissionState.RETRY: "it is sent again",
            SubmissionState.EXHAUSTED: f"given up after {item.attempts_spent} attempts",
        }.get(state, "it can be submitted")
        message = f"proven absent downstream by a look-up: {next_step}"
        return ItemOutcome(item.execution_id, state, code, message)

    def _next_ms(
        self, attempt: DueAttempt, items: Sequence[OpenItem], outcomes: Sequence[ItemOutcome]
    ) -> int | None:
        if len(outcomes) < len(items):
            delay = self._handler.look_up_delay_ms(attempt.look_ups + 1, self._clock.dice)
            settle_in = self._watch.left_ms(attempt)
            return min(delay, settle_in + 1) if settle_in > 0 else delay
        if any(outcome.state is SubmissionState.RETRY for outcome in outcomes):
            return self._handler.backoff_ms(max(i.attempts_spent for i in items), self._clock.dice)
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
            self._events.emit(recovered(closing.attempt_id, "look_up", found, attempt.streak, budget_s))

    def _alarm_reset(self, attempt: DueAttempt, seen: LookUpPass, items: Sequence[OpenItem]) -> None:
        message = (
            f"the Execution Service's ids restarted after attempt {attempt.attempt_id}, before which "
            f"{attempt.floor_id} was known (newest now: {seen.top_id}): its database was reset or restored, so "
            "absence proves nothing; resolve these executions by hand"
        )
        self._events.emit(
            AlarmEvent(AlarmCode.DOWNSTREAM_RESET, message, tuple(i.execution_id for i in items))
        )

    def _tell(self, seen: LookUpPass, closings: Sequence[AttemptClosing], wanted: int) -> None:
        outcomes = [outcome for closing in closings for outcome in closing.outcomes]
        found = sum(outcome.state is SubmissionState.ACCEPTED for outcome in outcomes)
        self._events.emit(
            LookUpEvent(
                attempts=len(closings),
                wanted=wanted,
                found=found,
                absent=len(outcomes) - found,
                still_unknown=wanted - len(outcomes),
                pages=seen.pages,
                problem=seen.problem,
            )
        )


@contextmanager
def _contained(attempt_id: AttemptId) -> Iterator[None]:
    """An attempt that cannot be driven on is told and tried again once its hold ends; the others go on."""
    try:
        yield
    except StoreUnavailable:
        raise
    except Exception:  # noqa: BLE001  # logged with its trace; one attempt must not stop all recovery
        _log.exception("attempt_not_driven_on", attempt_id=attempt_id)


def _is_reset(seen: LookUpPass, known: int) -> bool:
    """Whether a pass shows that ids began again: all that it saw is below what was known before it."""
    return seen.pages > 0 and seen.top_id < known


def _to_look_up(attempt: DueAttempt) -> list[OpenItem]:
    return [item for item in attempt.items if item.state in _TO_LOOK_UP]


def _needs_room(attempt: DueAttempt) -> bool:
    return any(item.state in _RESENDABLE for item in attempt.items)


def _cut(ids: Sequence[int], size: int) -> Iterator[tuple[int, ...]]:
    for start in range(0, len(ids), size):
        yield tuple(ids[start : start + size])
