"""Reconciliation: decides unknown outcomes by reading the Execution Service's listing."""

import asyncio
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager

import msgspec
import structlog

from trade_service.domain.errors import shorten
from trade_service.domain.executions import SubmissionState
from trade_service.domain.fields import MAX_SERVICE_ID, is_service_id
from trade_service.submission.admission import Admission, DownstreamGate
from trade_service.submission.clock import AlarmClock, ObservationClock
from trade_service.submission.codes import AlarmCode, OutcomeCode
from trade_service.submission.downstream import DownstreamState
from trade_service.submission.downstream_scan import (
    DownstreamScan,
    doubtful,
    matches,
    scan_downstream,
    sign_of_another_ledger,
    why_doubtful,
)
from trade_service.submission.engine_settings import EngineSettings
from trade_service.submission.events import AlarmEvent, AlarmsOnce, EventBus, LookUpEvent, RecoveredEvent
from trade_service.submission.failure_handler import (
    Circumstances,
    ExecutionFailureHandler,
    absent_outcome,
    next_batch_size,
)
from trade_service.submission.model import (
    AttemptClosing,
    AttemptId,
    DueAttempt,
    ItemOutcome,
    OpenItem,
    ReplyKind,
)
from trade_service.submission.ports import Clock, DownstreamStore, Listings, StoreUnavailable, SubmissionStore
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
        recovery_due: AlarmClock,
        settings: EngineSettings,
    ) -> None:
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
        self._recovery_due = recovery_due
        self._settings = settings.submission
        self._budget_s = settings.give_up_after_ms / 1000
        self._alarms = AlarmsOnce(events)
        self._waiting: dict[AttemptId, DueAttempt] = {}
        self._wanted = asyncio.Event()

    def want(self, attempt: DueAttempt) -> bool:
        """Adds an attempt to the next pass if it owns executions that need one; returns whether it does."""
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
        # The low-water row itself is read too: it identifies the ledger.
        low_water_id = max(0, min(attempt.low_water_id for attempt in attempts) - 1)
        # Read before the pass, which must then show everything that is known by now.
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
            self._alarms.emit(_impossible_ids(seen.impossible, seen.spoiled))
        proves = self._is_beyond_doubt(state, seen, anchors)
        closings = {
            a.attempt_id: self._conclude(
                a, sought[a.attempt_id], seen, state, settled=proves and a.attempt_id in conclusive
            )
            for a in attempts
        }
        recorded = []
        for attempt in attempts:
            with contained(attempt.attempt_id):
                await self.record(closings[attempt.attempt_id])
                recorded.append(attempt)
        self._publish(seen, len(wanted), list(closings.values()), recorded)

    async def record(self, closing: AttemptClosing) -> None:
        """Records and publishes outcomes, and wakes recovery when the attempt is due again."""
        recorded = await self._store.record(closing)
        publish_outcomes(self._waiters, self._events, closing, recorded)
        if closing.next_action_in_ms is None:
            self._observation.forget(closing.attempt_id)
        else:
            self._recovery_due.set_in(closing.next_action_in_ms)

    def _publish(
        self,
        seen: DownstreamScan,
        wanted: int,
        closings: Sequence[AttemptClosing],
        recorded: Sequence[DueAttempt],
    ) -> None:
        """Emits the events of a pass. A requeue and an adoption recover nothing."""
        outcomes = [outcome for closing in closings for outcome in closing.outcomes]
        found = {outcome.execution_id for outcome in outcomes if outcome.state is SubmissionState.ACCEPTED}
        self._events.emit(
            LookUpEvent(
                attempts=len(closings),
                wanted=wanted,
                found=len(found),
                absent=len(outcomes) - len(found),
                still_unknown=wanted - len(outcomes),
                pages=seen.pages,
                problem=seen.problem,
            )
        )
        for attempt in recorded:
            items = [item for item in _to_reconcile(attempt) if item.execution_id in found]
            if items and not attempt.requeued and not attempt.adopted:
                event = RecoveredEvent.of(attempt.attempt_id, "look_up", items, attempt.calls, self._budget_s)
                self._events.emit(event)

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
        newest_execution_id = seen.newest_execution_id or 0
        if is_service_id(newest_execution_id):
            self._gate.note_seen(seen.newest_id, newest_execution_id)
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
            self._alarms.emit(_ledger_began_anew(attempt, seen.newest_id, items))
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
        message = self._admission.deferred_message if self._admission.breaker.refused else None
        return Circumstances(self._admission.is_outage(self._observation.claimed_at(attempt)), message)

    def _found(self, attempt: DueAttempt, item: OpenItem, ids: Sequence[int]) -> ItemOutcome:
        if len(ids) > 1:
            self._events.emit(_accepted_twice(item, ids))
        if attempt.requeued:
            self._events.emit(_requeued_though_accepted(item, ids[0]))
        message = f"found by look-up as {ids[0]}"
        code = OutcomeCode.FOUND_BY_LOOK_UP
        return ItemOutcome(item.execution_id, SubmissionState.ACCEPTED, code, message, ids[0])

    def _is_doubtful(self, attempt: DueAttempt, item: OpenItem, seen: DownstreamScan) -> bool:
        row_id = doubtful(seen, item, attempt.low_water_id)
        if row_id is None:
            return False
        self._alarms.emit(_doubtful_row(item, row_id, seen))
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
def contained(*attempt_ids: AttemptId) -> Iterator[None]:
    """Logs an unexpected error of these attempts, which are tried again later; the others go on."""
    try:
        yield
    except StoreUnavailable:
        raise
    except Exception:  # noqa: BLE001  # logged with its trace; they must not stop all recovery
        _log.exception("attempt_not_driven_on", attempt_id=" ".join(attempt_ids))


def _to_reconcile(attempt: DueAttempt) -> list[OpenItem]:
    return [item for item in attempt.items if item.state in _TO_RECONCILE]


_MAX_NAMED = 1000


def _impossible_ids(rows: Mapping[int, int | None], unclear: Iterable[int]) -> AlarmEvent:
    """Of rows with impossible ids and the executions that they name; `unclear`: those that are sought."""
    named = ", ".join(
        f"{row_id} (execution {'none' if ours is None else ours})" for row_id, ours in rows.items()
    )
    message = (
        f"the Execution Service's ledger holds ids outside 1 to {MAX_SERVICE_ID}: {shorten(named, _MAX_NAMED)}; "
        "these rows count for nothing, and what they name stays unknown where it is not found under another id"
    )
    return AlarmEvent(AlarmCode.DOWNSTREAM_ID_IMPOSSIBLE, message, tuple(unclear))


def _accepted_twice(item: OpenItem, ids: Sequence[int]) -> AlarmEvent:
    message = (
        f"execution {item.execution_id} was accepted {len(ids)} times, as {list(ids)}: cancel all but the first "
        "at the Execution Service"
    )
    return AlarmEvent(AlarmCode.ACCEPTED_TWICE, message, (item.execution_id,))


def _requeued_though_accepted(item: OpenItem, service_id: int) -> AlarmEvent:
    message = (
        f"execution {item.execution_id} was requeued, and the Execution Service had it as {service_id} all along: "
        "nothing was sent again; check its order and whatever took its place"
    )
    return AlarmEvent(AlarmCode.ACCEPTED_LATE, message, (item.execution_id,))


def _doubtful_row(item: OpenItem, row_id: int, seen: DownstreamScan) -> AlarmEvent:
    message = (
        f"execution {row_id} of the Execution Service bears the id of execution {item.execution_id}, which is "
        f"unknown, but {why_doubtful(seen, item.execution_id)}: nothing is concluded; resolve this execution "
        "manually"
    )
    return AlarmEvent(AlarmCode.LOOK_UP_DOUBTFUL, message, (item.execution_id,))


def _ledger_began_anew(attempt: DueAttempt, newest_id: int, items: Sequence[OpenItem]) -> AlarmEvent:
    message = (
        f"the Execution Service's ledger began anew after attempt {attempt.attempt_id}, before which "
        f"{attempt.low_water_id} was known (newest now: {newest_id}): absence proves nothing for these "
        "executions, resolve them manually"
    )
    return AlarmEvent(AlarmCode.DOWNSTREAM_RESET, message, tuple(item.execution_id for item in items))
