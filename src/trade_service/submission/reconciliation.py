"""Reconciliation: settles unknown outcomes by reading the Execution Service's listing."""

import asyncio
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager

import msgspec
import structlog

from trade_service.domain.executions import SubmissionState
from trade_service.submission.absence import Circumstances, absent_outcome, next_batch_size
from trade_service.submission.admission import Admission
from trade_service.submission.codes import OutcomeCode
from trade_service.submission.downstream import DownstreamState
from trade_service.submission.downstream_gate import DownstreamGate
from trade_service.submission.downstream_scan import (
    DownstreamScan,
    doubtful,
    matches,
    scan_downstream,
    sign_of_another_ledger,
)
from trade_service.submission.engine_settings import SubmissionSettings
from trade_service.submission.events import AlarmsOnce, EventBus, RetriedExecution
from trade_service.submission.failure_handler import ExecutionFailureHandler
from trade_service.submission.model import (
    AttemptClosing,
    AttemptId,
    DueAttempt,
    ItemOutcome,
    OpenItem,
    ReplyKind,
)
from trade_service.submission.observation_clock import ObservationClock
from trade_service.submission.ports import Clock, DownstreamStore, Listings, StoreUnavailable, SubmissionStore
from trade_service.submission.reconciliation_alarms import (
    accepted_twice,
    doubtful_row,
    impossible_ids,
    ledger_began_anew,
    reconciled,
    requeued_though_accepted,
)
from trade_service.submission.waiters import Waiters, publish_outcomes

_log = structlog.get_logger(__name__)

_TO_RECONCILE = frozenset({SubmissionState.UNKNOWN, SubmissionState.ACCEPTED})


class Reconciliation:
    """One pass at a time serves all attempts that wait for one."""

    def __init__(
        self,
        store: SubmissionStore,
        downstream: DownstreamStore,
        listings: Listings,
        clock: Clock,
        handler: ExecutionFailureHandler,
        waiters: Waiters,
        events: EventBus,
        admission: Admission,
        gate: DownstreamGate,
        observation: ObservationClock,
        due_in: Callable[[int], None],
        settings: SubmissionSettings,
    ) -> None:
        """`due_in`: called with the milliseconds until an attempt needs recovery again."""
        self._store = store
        self._downstream = downstream
        self._listings = listings
        self._clock = clock
        self._handler = handler
        self._waiters = waiters
        self._events = events
        self._admission = admission
        self._gate = gate
        self._observation = observation
        self._due_in = due_in
        self._settings = settings
        self._alarms = AlarmsOnce(events)
        self._waiting: dict[AttemptId, DueAttempt] = {}
        self._wanted = asyncio.Event()

    def want(self, attempt: DueAttempt) -> bool:
        """Adds an attempt to the next pass, if it owns executions that need one; whether it does."""
        if not _to_reconcile(attempt):
            return False
        self._observation.begin(attempt)
        self._waiting[attempt.attempt_id] = attempt
        self._wanted.set()
        return True

    async def run(self) -> None:
        """Makes passes until cancelled."""
        while True:
            await self._wanted.wait()
            self._wanted.clear()
            try:
                await self.once()
            except StoreUnavailable as error:
                _log.warning("look_up_not_recorded", error=str(error))

    async def once(self) -> None:
        """One pass over the listing for every attempt that waits for one."""
        attempts, self._waiting = list(self._waiting.values()), {}
        if not attempts:
            return
        conclusive = {a.attempt_id for a in attempts if self._is_settled(a)}
        sought = {a.attempt_id: _to_reconcile(a) for a in attempts}
        wanted = [item.execution_id for items in sought.values() for item in items]
        # The low-water row itself is read as well: it identifies the ledger.
        low_water_id = max(0, min(attempt.low_water_id for attempt in attempts) - 1)
        # Read before the pass, which must then see whatever was known by now.
        state = await self._downstream.read()
        anchors = {
            state.first_id: state.first_execution_id,
            state.high_water_id: state.high_water_execution_id,
        }
        anchors |= {a.low_water_id: a.low_water_execution_id for a in attempts if a.epoch == state.epoch}
        seen = await scan_downstream(
            self._listings, wanted, low_water_id, self._settings.look_up_max_pages, anchors
        )
        if seen.impossible:
            self._alarms.emit(impossible_ids(seen.impossible, seen.spoiled))
        proves = self._is_beyond_doubt(state, seen, anchors)
        closings = {
            a.attempt_id: self._conclude(
                a, sought[a.attempt_id], seen, state, settled=proves and a.attempt_id in conclusive
            )
            for a in attempts
        }
        recovered = {}
        for attempt in attempts:
            closing = closings[attempt.attempt_id]
            with contained(attempt.attempt_id):
                await self.record(closing)
                recovered[attempt.attempt_id] = _recovered(attempt, closing)
        found = {attempt_id: executions for attempt_id, executions in recovered.items() if executions}
        self._events.emit(reconciled(seen, tuple(closings.values()), len(wanted), found))

    async def record(self, closing: AttemptClosing) -> None:
        """Records and publishes outcomes, and has the attempt looked at again when it is due."""
        recorded = await self._store.record(closing)
        publish_outcomes(self._waiters, self._events, closing, recorded)
        if closing.next_action_in_ms is None:
            self._observation.forget(closing.attempt_id)
        else:
            self._due_in(closing.next_action_in_ms)

    def _is_settled(self, attempt: DueAttempt) -> bool:
        """Whether absence in a pass that begins now is conclusive, by the database's clock and by our own."""
        return attempt.settled and self._observation.left_ms(attempt) <= 0

    def _is_beyond_doubt(
        self, state: DownstreamState, seen: DownstreamScan, anchors: Mapping[int, int | None]
    ) -> bool:
        """Whether absence from a pass may prove anything; a sign of another ledger closes the gate."""
        if seen.pages == 0:
            return False
        self._gate.note_ours(seen.max_execution_id)
        suspicion = sign_of_another_ledger(state, seen, anchors)
        if suspicion is not None:
            self._gate.suspect(suspicion)
            return False
        if seen.newest_execution_id is not None:
            self._gate.note_seen(seen.newest_id, seen.newest_execution_id)
        return state.suspicion is None and state.blocked_reason is None

    def _conclude(
        self,
        attempt: DueAttempt,
        items: Sequence[OpenItem],
        seen: DownstreamScan,
        state: DownstreamState,
        *,
        settled: bool,
    ) -> AttemptClosing:
        """What a pass proves for the executions of one attempt, and when it is due again.

        For those that a fill proved to be accepted only the id is sought.
        """
        reset = attempt.epoch < state.epoch
        found = matches(seen, items, attempt.low_water_id)
        if reset and any(not found.get(item.execution_id) for item in items):
            self._alarms.emit(ledger_began_anew(attempt, seen.newest_id, items))
        absent_counts = (
            settled and not reset and not seen.problem and seen.is_complete_to(attempt.low_water_id)
        )
        unknown, outcomes, now = SubmissionState.UNKNOWN, [], self._circumstances(attempt)
        for item in items:
            ids = found.get(item.execution_id) or []
            if ids:
                outcomes.append(self._found(attempt, item, ids))
            elif absent_counts and item.state is unknown and not self._is_doubtful(attempt, item, seen):
                outcomes.append(absent_outcome(self._handler, attempt, item, now))
        next_ms = self._next_ms(attempt, items, outcomes)
        closing = reconciled_closing(attempt, SubmissionState.UNKNOWN, tuple(outcomes), next_ms)
        return msgspec.structs.replace(
            closing,
            high_water_id=seen.newest_id or None,
            epoch=state.epoch,
            next_batch_size=next_batch_size(attempt, now),
            pauses_budget=now.deferred_message is not None,
        )

    def _circumstances(self, attempt: DueAttempt) -> Circumstances:
        message = self._admission.deferred_message if self._admission.is_refused else None
        return Circumstances(self._admission.is_outage(self._observation.claimed_at(attempt)), message)

    def _found(self, attempt: DueAttempt, item: OpenItem, ids: Sequence[int]) -> ItemOutcome:
        if len(ids) > 1:
            self._events.emit(accepted_twice(item, ids))
        if attempt.requeued:
            self._events.emit(requeued_though_accepted(item, ids[0]))
        message = f"found by look-up as {ids[0]}"
        code = OutcomeCode.FOUND_BY_LOOK_UP
        return ItemOutcome(item.execution_id, SubmissionState.ACCEPTED, code, message, ids[0])

    def _is_doubtful(self, attempt: DueAttempt, item: OpenItem, seen: DownstreamScan) -> bool:
        row_id = doubtful(seen, item, attempt.low_water_id)
        if row_id is None:
            return False
        self._alarms.emit(doubtful_row(item, row_id, seen))
        return True

    def _next_ms(
        self, attempt: DueAttempt, items: Sequence[OpenItem], outcomes: Sequence[ItemOutcome]
    ) -> int | None:
        if len(outcomes) < len(items):
            delay = self._handler.look_up_delay_ms(attempt.look_ups + 1, self._clock.random)
            settle_in = self._observation.left_ms(attempt)
            return min(delay, settle_in + 1) if settle_in > 0 else delay
        if any(outcome.state is SubmissionState.RETRY for outcome in outcomes):
            tries = max(attempt.calls, *(item.attempts_spent for item in items))
            return self._handler.backoff_ms(tries, self._clock.random)
        return self._settings.recovery_hold_ms if len(items) < len(attempt.items) else None


def reconciled_closing(
    attempt: DueAttempt, owned_as: SubmissionState, outcomes: tuple[ItemOutcome, ...], next_ms: int | None
) -> AttemptClosing:
    """What to record for outcomes that no answer gave."""
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


@contextmanager
def contained(attempt_id: AttemptId) -> Iterator[None]:
    """Logs an unexpected error of one attempt, which is tried again once its hold ends; the others go on."""
    try:
        yield
    except StoreUnavailable:
        raise
    except Exception:  # noqa: BLE001  # logged with its trace; one attempt must not stop all recovery
        _log.exception("attempt_not_driven_on", attempt_id=attempt_id)


def _recovered(attempt: DueAttempt, closing: AttemptClosing) -> tuple[RetriedExecution, ...]:
    """The executions that were found accepted; a requeue and an adoption recover nothing."""
    if attempt.requeued or attempt.adopted:
        return ()
    accepted = {o.execution_id for o in closing.outcomes if o.state is SubmissionState.ACCEPTED}
    return tuple(
        RetriedExecution(item.execution_id, max(attempt.calls, item.attempts_spent), item.budget_left_s)
        for item in _to_reconcile(attempt)
        if item.execution_id in accepted
    )


def _to_reconcile(attempt: DueAttempt) -> list[OpenItem]:
    return [item for item in attempt.items if item.state in _TO_RECONCILE]
