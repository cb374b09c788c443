"""BulkExecutionSubmissionService: claim, send, interpret, record, publish.

A batch costs two database round trips and one HTTP call, and no call is made inside a transaction.
"""

import asyncio
from collections import Counter
from collections.abc import Sequence, Set

import msgspec
import structlog

from trade_service.domain.executions import SubmissionState
from trade_service.submission.admission import Admission, ClaimNew, DownstreamGate
from trade_service.submission.batch_processor import ExecutionBatchProcessor
from trade_service.submission.circuit import Permit
from trade_service.submission.clock import AlarmClock
from trade_service.submission.codes import OutcomeCode
from trade_service.submission.downstream import answer_suspicion
from trade_service.submission.engine_settings import EngineSettings
from trade_service.submission.events import (
    BatchBegunEvent,
    BatchSubmissionEvent,
    EventBus,
    Origins,
    RecoveredEvent,
)
from trade_service.submission.failure_handler import ExecutionFailureHandler, Hold
from trade_service.submission.messages import BatchExecutionRequest
from trade_service.submission.model import (
    AttemptClosing,
    BulkSubmitResult,
    Claim,
    ClaimedExecution,
    ExecutionSubmitResult,
    GatewayReply,
    ItemOutcome,
    NewAttempt,
    NotClaimed,
    Recorded,
    ReplyKind,
)
from trade_service.submission.ports import Clock, ExecutionGateway, StoreUnavailable, SubmissionStore
from trade_service.submission.waiters import Waiter, Waiters, publish_outcomes
from trade_service.submission.work import Work
from trade_service.submission.work_queue import Intake, WorkQueue

_log = structlog.get_logger(__name__)

CLAIMABLE_FRESH = (SubmissionState.NONE, SubmissionState.QUEUED)
CLAIMABLE_RECOVERED = (SubmissionState.QUEUED, SubmissionState.RETRY)
RECORD_TRIES = 5
"""How often a record is tried while the database does not answer; then lease and reconciliation settle it."""


class Batch(msgspec.Struct):
    """One batch on its way through the pipeline; times by the monotonic clock."""

    work: Work
    attempt: NewAttempt
    permit: Permit | None
    least_low_water_id: int
    """Known before the claim: a claim with a lower one means that the database is older than it was."""
    began: float
    """Before the claim: the deadline for the first byte counts from here."""
    claimed_at: float = 0.0
    low_water_id: int = 0
    """Of the claim: an acceptance at or below it contradicts the ledger that is known."""
    request: BatchExecutionRequest = BatchExecutionRequest([])
    sent: tuple[ClaimedExecution, ...] = ()
    """The executions in `request`, in its order."""
    unsendable: tuple[ItemOutcome, ...] = ()
    record_began: float = 0.0


class BulkExecutionSubmissionService:
    """Submits executions in batches.

    `submit_executions_bulk` is for callers; the senders run `process_batch` for what they take from the queue.
    """

    def __init__(
        self,
        store: SubmissionStore,
        gateway: ExecutionGateway,
        clock: Clock,
        processor: ExecutionBatchProcessor,
        handler: ExecutionFailureHandler,
        queue: WorkQueue,
        waiters: Waiters,
        events: EventBus,
        admission: Admission,
        gate: DownstreamGate,
        intake: Intake,
        recovery_due: AlarmClock,
        owner: str,
        settings: EngineSettings,
    ) -> None:
        self._store = store
        self._gateway = gateway
        self._clock = clock
        self._processor = processor
        self._handler = handler
        self._queue = queue
        self._waiters = waiters
        self._events = events
        self._admission = admission
        self._gate = gate
        self._intake = intake
        self._recovery_due = recovery_due
        self._owner = owner
        self._settings = settings

    async def submit_executions_bulk(
        self, execution_ids: Sequence[int], wait_s: float | None = None
    ) -> BulkSubmitResult:
        """Submits executions and returns their results in the caller's order.

        An id given twice is sent once and answered twice. Results that are not final within `wait_s`
        (default: the setting) are PENDING, and go on in the background.
        """
        results = {r.execution_id: r async for r in self._intake.stream(execution_ids, wait_s)}
        ordered = (
            msgspec.structs.replace(results[execution_id], request_index=index)
            for index, execution_id in enumerate(execution_ids)
        )
        return BulkSubmitResult.of(tuple(ordered))

    async def process_batch(self, work: Work) -> BatchSubmissionEvent | None:
        """Sends one batch: claim, send, interpret, record, publish.

        Returns None if nothing of it could be claimed. Raises StoreUnavailable if the claim or the record got
        no answer; lease and reconciliation then settle what is unsettled.
        """
        with self._admission.permit() as permit:
            if permit is not None and permit.is_probe:
                work = self._alone(work)
            batch = self._begin(work, len(work.execution_ids), permit)
            return await self._process_claimed(batch, await self._claim(batch))

    async def process_new(
        self,
        size: int,
        write_and_claim: ClaimNew,
        claimed: "asyncio.Future[Waiter | None] | None" = None,
        origins: Sequence[Origins] = (),
    ) -> None:
        """The same for executions that `write_and_claim` writes as claimed; `claimed` gets their waiter, if given.

        It gets None if nothing was written or no call is allowed, and otherwise what `write_and_claim` raises;
        nothing is sent then, although its commit may have happened: lease and reconciliation settle that.
        `origins` has one for each caller; by default the present request is the only one.
        """
        try:
            with self._admission.permit() as permit:
                if permit is None or permit.is_probe:
                    return
                merged = Origins.merged(origins) if origins else Origins.now()
                work = Work((), callers=max(1, len(origins)), origins=merged)
                batch = self._begin(work, size, permit)
                claim = await self._claim_new(batch.attempt, write_and_claim, claimed)
                if claim is not None:
                    await self._process_claimed(batch, claim)
        finally:
            if claimed is not None and not claimed.done():
                claimed.set_result(None)

    async def _process_claimed(self, batch: Batch, claim: Claim) -> BatchSubmissionEvent | None:
        """The rest of the way for what was claimed, unless the database turns out to be an older one."""
        if not claim.items or claim.low_water_id is None:
            return None
        if self._gate.is_older_database(claim.low_water_id, batch.least_low_water_id):
            return None
        batch.claimed_at, batch.low_water_id = self._clock.monotonic(), claim.low_water_id
        batch.request, batch.sent, batch.unsendable = self._processor.build_batch_request(claim.items)
        reply = await self._send(batch)
        closing = self._interpret(batch, reply)
        recorded = await self._record(batch, closing)
        return self._publish(batch, closing, recorded)

    def _alone(self, work: Work) -> Work:
        """A probe will probably fail, so it carries one execution of a batch; the others are queued again."""
        first, *rest = work.execution_ids
        if rest:
            self._queue.accept(msgspec.structs.replace(work, execution_ids=tuple(rest)))
        return msgspec.structs.replace(work, execution_ids=(first,))

    def _begin(self, work: Work, size: int, permit: Permit | None) -> Batch:
        """Only an execution that is sent alone, and not as a probe, spends of its budget."""
        settings = self._settings
        began = self._clock.monotonic()
        attempt = NewAttempt(
            attempt_id=self._clock.new_attempt_id(),
            owner=self._owner,
            lease_ms=settings.lease_ms,
            settle_ms=settings.settle_ms,
            epoch=self._gate.epoch,
            give_up_after_ms=settings.give_up_after_ms,
            retry_count=work.retry_count,
            counted=size == 1 and permit is not None and not permit.is_probe,
            submitted_by=work.submitted_by,
        )
        self._events.emit(BatchBegunEvent(attempt.attempt_id, size, work.origins.traces))
        return Batch(work, attempt, permit, self._gate.high_water_id, began)

    async def _claim(self, batch: Batch) -> Claim:
        """Makes the attempt durable and the owner of its executions."""
        work = batch.work
        claimable = CLAIMABLE_RECOVERED if work.recovered else CLAIMABLE_FRESH
        claim = await self._store.claim(batch.attempt, work.execution_ids, claimable)
        if claim.low_water_id is None:
            self._gate.note_refused()
            if not work.recovered:
                self._queue.accept(work)
        elif claim.not_claimed:
            await self._settle_not_claimed(claim.not_claimed, deferred=batch.permit is None)
        return claim

    async def _claim_new(
        self,
        attempt: NewAttempt,
        write_and_claim: ClaimNew,
        claimed: "asyncio.Future[Waiter | None] | None",
    ) -> Claim | None:
        """Registers the waiter before anything else can happen to the executions."""
        try:
            claim = await write_and_claim(attempt)
        except BaseException as error:
            # Whether it was written is not known: the caller must not write it again.
            if claimed is not None and not claimed.done():
                is_error = isinstance(error, Exception)
                claimed.set_exception(error if is_error else StoreUnavailable("stopped while writing"))
            raise
        if claim is not None and claimed is not None and not claimed.done():
            waiter = Waiter()
            self._waiters.join(waiter, (item.execution_id for item in claim.items))
            claimed.set_result(waiter)
        return claim

    async def _send(self, batch: Batch) -> GatewayReply | None:
        """The reply to the one call of the batch; None if the circuit defers it."""
        if not batch.sent:
            return _NOTHING_TO_SEND
        if batch.permit is None or not self._admission.breaker.holds(batch.permit):
            return None
        attempt, called_at = batch.attempt, self._clock.monotonic()
        write_before = batch.began + self._settings.write_ms / 1000
        reply = await self._gateway.submit_batch(batch.request, attempt.attempt_id, write_before)
        is_repeat = attempt.counted and batch.sent[0].attempts_spent > 1
        self._admission.note(batch.permit, reply, called_at, is_repeat=is_repeat)
        return reply

    def _interpret(self, batch: Batch, reply: GatewayReply | None) -> AttemptClosing:
        """The outcome of every execution of the batch, to be recorded."""
        if reply is None:
            admission = self._admission
            breaker, wait_ms = admission.breaker, admission.deferred_ms()
            hold = Hold(breaker.reason, wait_ms, admission.deferred_message, breaker.refused)
            return self._handler.close_unsent(batch.attempt, hold, batch.sent, batch.unsendable)
        outcomes: Sequence[ItemOutcome] = ()
        if reply.response is not None and reply.kind is ReplyKind.ANSWERED:
            outcomes = self._processor.process_response(batch.sent, reply.response, reply.http_status or 0)
            accepted = len(outcomes) - len(self._processor.extract_failed_executions(outcomes))
            if reply.response.successful not in (None, accepted):
                # The envelope's counts decide nothing.
                _log.warning(
                    "counts_disagree",
                    said=reply.response.successful,
                    read=accepted,
                    http_status=reply.http_status,
                )
        return self._handler.close_reply(
            batch.attempt, reply, batch.sent, outcomes, batch.unsendable, self._clock.random
        )

    async def _record(self, batch: Batch, closing: AttemptClosing) -> tuple[Recorded, ...]:
        batch.record_began = self._clock.monotonic()
        for failures in range(1, RECORD_TRIES):
            try:
                return await self._store.record(closing)
            except StoreUnavailable as error:
                pause_ms = self._handler.backoff_ms(failures, self._clock.random)
                _log.warning(
                    "record_failed", attempt_id=closing.attempt_id, error=str(error), pause_ms=pause_ms
                )
                await self._clock.sleep(pause_ms / 1000)
        return await self._store.record(closing)

    def _publish(
        self, batch: Batch, closing: AttemptClosing, recorded: Sequence[Recorded]
    ) -> BatchSubmissionEvent:
        """Settles waiters, wakes recovery, checks the ids, and emits the events of the batch."""
        publish_outcomes(self._waiters, self._events, closing, recorded)
        if closing.next_action_in_ms is not None:
            self._recovery_due.set_in(closing.next_action_in_ms)
        self._check_ids(batch.low_water_id, closing)
        failures = self._processor.extract_failed_executions(closing.outcomes)
        event = _event(batch, closing, failures, self._clock.monotonic())
        self._events.emit(event)
        if batch.work.recovered:
            self._publish_recovered(batch, {outcome.execution_id for outcome in failures})
        return event

    def _publish_recovered(self, batch: Batch, failed: Set[int]) -> None:
        """For executions that were tried before and are accepted now."""
        calls = batch.work.retry_count + 1
        again = [
            item
            for item in batch.sent
            if item.execution_id not in failed and max(calls, item.attempts_spent) > 1
        ]
        if again:
            budget_s = self._settings.give_up_after_ms / 1000
            self._events.emit(RecoveredEvent.of(batch.attempt.attempt_id, "retry", again, calls, budget_s))

    def _check_ids(self, low_water_id: int, closing: AttemptClosing) -> None:
        """New ids must be above the known ones, or the ledger is another one."""
        ids = {
            outcome.execution_service_id: outcome.execution_id
            for outcome in closing.outcomes
            if outcome.execution_service_id is not None
        }
        if not ids:
            return
        lowest, greatest = min(ids), max(ids)
        if lowest <= low_water_id:
            self._gate.suspect(answer_suspicion(low_water_id, lowest, ids[lowest]))
        else:
            self._gate.note_seen(greatest, ids[greatest])

    async def _settle_not_claimed(self, refused: Sequence[NotClaimed], *, deferred: bool) -> None:
        legacy = [row.execution_id for row in refused if row.legacy]
        if legacy:
            await self._store.adopt(legacy)
            refused = [row for row in refused if not row.legacy]
            refused = [*refused, *await self._store.states(legacy)]
        message = self._admission.deferred_message if deferred else None
        self._waiters.settle(_not_claimed(row, message) for row in refused)


def _not_claimed(row: NotClaimed, deferred_message: str | None) -> ExecutionSubmitResult:
    """The result of an execution that could not be claimed: final, paused, deferred, or still pending."""
    final = ExecutionSubmitResult.not_claimed(row)
    if final is not None:
        return final
    state = row.state or SubmissionState.NONE
    if row.paused:
        kept = SubmissionState.QUEUED if state is SubmissionState.NONE else state
        return ExecutionSubmitResult.paused(row.execution_id, kept)
    if deferred_message is not None and state is SubmissionState.RETRY:
        return ExecutionSubmitResult.deferred(row.execution_id, state, deferred_message)
    return ExecutionSubmitResult.pending(row.execution_id, state)


_NOTHING_TO_SEND = GatewayReply(
    ReplyKind.REFUSED_WHOLE, OutcomeCode.NOT_REPRESENTABLE, "nothing of the batch can be sent"
)


def _event(
    batch: Batch, closing: AttemptClosing, failures: tuple[ItemOutcome, ...], now: float
) -> BatchSubmissionEvent:
    work = batch.work
    counts = Counter([outcome.state for outcome in failures])
    return BatchSubmissionEvent(
        attempt_id=closing.attempt_id,
        size=len(closing.outcomes),
        kind=closing.kind,
        code=closing.code,
        message=closing.message,
        http_status=closing.http_status,
        accepted=len(closing.outcomes) - len(failures),
        rejected=counts[SubmissionState.REJECTED],
        retrying=counts[SubmissionState.RETRY],
        unknown=counts[SubmissionState.UNKNOWN],
        exhausted=counts[SubmissionState.EXHAUSTED],
        recovered=work.recovered,
        callers=work.callers,
        queued_ms=work.queued_ms,
        claim_ms=(batch.claimed_at - batch.began) * 1000,
        call_ms=closing.duration_ms,
        record_ms=(now - batch.record_began) * 1000,
        request_ids=work.origins.request_ids,
        submission_ids=work.origins.submission_ids,
        failures=failures,
    )
