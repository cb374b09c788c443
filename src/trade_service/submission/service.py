"""BulkExecutionSubmissionService: claim, send, interpret, record, publish.

A batch costs two database round trips and one HTTP call, and no call is made inside a transaction.
"""

from collections import Counter
from collections.abc import Awaitable, Callable, Sequence

import msgspec
import structlog

from trade_service.domain.executions import FINAL, SubmissionState
from trade_service.submission.admission import Admission, CallPermit
from trade_service.submission.batch_processor import ExecutionBatchProcessor
from trade_service.submission.codes import OutcomeCode
from trade_service.submission.downstream import answer_suspicion
from trade_service.submission.downstream_gate import DownstreamGate
from trade_service.submission.engine_settings import EngineSettings
from trade_service.submission.events import (
    BatchBegunEvent,
    BatchSubmissionEvent,
    EventBus,
    RetriedExecution,
)
from trade_service.submission.failure_handler import ExecutionFailureHandler, Hold
from trade_service.submission.intake import Intake
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
from trade_service.submission.origin import Origin, Origins
from trade_service.submission.ports import Clock, ExecutionGateway, StoreUnavailable, SubmissionStore
from trade_service.submission.waiters import Waiters, publish_outcomes
from trade_service.submission.work_queue import Work, WorkQueue

_log = structlog.get_logger(__name__)

CLAIMABLE_FRESH = (SubmissionState.NONE, SubmissionState.QUEUED)
CLAIMABLE_RECOVERED = (SubmissionState.QUEUED, SubmissionState.RETRY)
RECORD_TRIES = 5
"""How often a record is tried while the database does not answer; then lease and reconciliation settle it."""


ClaimNew = Callable[[NewAttempt], Awaitable[Claim | None]]
"""Writes executions that the attempt owns from the start; None if it wrote nothing."""


class Batch(msgspec.Struct):
    """One batch on its way through the pipeline; times by the boot clock."""

    work: Work
    attempt: NewAttempt
    permit: CallPermit
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
        self._owner = owner
        self._settings = settings
        self.on_open: Callable[[int], None] = lambda _delay_ms: None
        """Called when an attempt stays open, with the milliseconds until it is due."""

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
            work = self._alone(work) if permit.is_probe else work
            batch = self._begin(work, len(work.execution_ids), permit)
            if not await self._claim(batch):
                return None
            return await self._process_claimed(batch)

    async def process_new(self, size: int, write_and_claim: ClaimNew) -> None:
        """The same for executions that `write_and_claim` writes as claimed, unless it writes none.

        Does nothing unless calls are allowed. Raises what `write_and_claim` raises; nothing is sent then,
        although its commit may have happened: lease and reconciliation settle that.
        """
        with self._admission.permit() as permit:
            if not permit.is_granted or permit.is_probe:
                return
            batch = self._begin(Work((), origins=Origins.of([Origin.now()])), size, permit)
            least_low_water_id = self._gate.high_water_id
            claim = await write_and_claim(batch.attempt)
            if claim is None or claim.low_water_id is None or not claim.items:
                return
            ids = tuple(item.execution_id for item in claim.items)
            batch.work = msgspec.structs.replace(batch.work, execution_ids=ids)
            if self._accept_claim(batch, claim.items, claim.low_water_id, least_low_water_id):
                await self._process_claimed(batch)

    async def _process_claimed(self, batch: Batch) -> BatchSubmissionEvent:
        reply = await self._send(batch)
        closing = self._interpret(batch, reply)
        recorded = await self._record(batch, closing)
        return self._publish(batch, closing, recorded)

    def _alone(self, work: Work) -> Work:
        """A probe sends one execution of a batch, since it will probably fail. The others wait."""
        first, *rest = work.execution_ids
        if rest:
            self._queue.accept(msgspec.structs.replace(work, execution_ids=tuple(rest)))
        return msgspec.structs.replace(work, execution_ids=(first,))

    def _begin(self, work: Work, size: int, permit: CallPermit) -> Batch:
        """Only an execution that is sent alone, and not as a probe, spends of its budget."""
        settings = self._settings
        is_call = permit.is_granted and not permit.is_probe
        began = self._clock.monotonic()
        attempt = NewAttempt(
            attempt_id=self._clock.new_attempt_id(),
            owner=self._owner,
            lease_ms=settings.lease_ms,
            settle_ms=settings.settle_ms,
            epoch=self._gate.epoch,
            give_up_after_ms=settings.give_up_after_ms,
            retry_count=work.retry_count,
            counted=is_call and size == 1,
        )
        batch = Batch(work, attempt, permit, began)
        self._events.emit(BatchBegunEvent(attempt.attempt_id, size, work.origins.traces))
        return batch

    async def _claim(self, batch: Batch) -> bool:
        """Makes the attempt durable and the owner of its executions; whether there is anything to send."""
        work = batch.work
        claimable = CLAIMABLE_RECOVERED if work.recovered else CLAIMABLE_FRESH
        least_low_water_id = self._gate.high_water_id
        claim = await self._store.claim(batch.attempt, work.execution_ids, claimable)
        if claim.low_water_id is None:
            self._gate.note_refused()
            if not work.recovered:
                self._queue.accept(work)
            return False
        await self._settle_not_claimed(claim.not_claimed, deferred=not batch.permit.was_granted)
        return bool(claim.items) and self._accept_claim(
            batch, claim.items, claim.low_water_id, least_low_water_id
        )

    def _accept_claim(
        self, batch: Batch, items: Sequence[ClaimedExecution], low_water_id: int, least_low_water_id: int
    ) -> bool:
        """Prepares what was claimed for sending, unless the database turns out to be an older one."""
        if self._gate.is_older_database(low_water_id, least_low_water_id):
            return False
        batch.claimed_at, batch.low_water_id = self._clock.monotonic(), low_water_id
        batch.request, batch.sent, batch.unsendable = self._processor.build_batch_request(items)
        return True

    async def _send(self, batch: Batch) -> GatewayReply | None:
        """The reply to the one call of the batch; None if the circuit defers it."""
        if not batch.sent:
            return _NOTHING_TO_SEND
        if not batch.permit.is_granted:
            return None
        attempt, called_at = batch.attempt, self._clock.monotonic()
        write_before = batch.began + self._settings.write_ms / 1000
        reply = await self._gateway.submit_batch(batch.request, attempt.attempt_id, write_before)
        is_repeat = attempt.counted and batch.sent[0].attempts_spent > 1
        batch.permit.note(reply, called_at, is_repeat=is_repeat)
        return reply

    def _interpret(self, batch: Batch, reply: GatewayReply | None) -> AttemptClosing:
        """The outcome of every execution of the batch, and what is to be recorded."""
        if reply is None:
            admission = self._admission
            reason, wait_ms = admission.state.reason, admission.deferred_ms()
            hold = Hold(reason, wait_ms, admission.deferred_message, admission.is_refused)
            return self._handler.close_unsent(batch.attempt, hold, batch.sent, batch.unsendable)
        outcomes: Sequence[ItemOutcome] = ()
        if reply.response is not None and reply.kind is ReplyKind.ANSWERED:
            outcomes = self._processor.process_response(batch.sent, reply.response, reply.http_status or 0)
            self._compare_counts(reply, outcomes)
        return self._handler.close_reply(
            batch.attempt, reply, batch.sent, outcomes, batch.unsendable, self._clock.random
        )

    def _compare_counts(self, reply: GatewayReply, outcomes: Sequence[ItemOutcome]) -> None:
        """The envelope's counts decide nothing; a difference is only logged."""
        accepted = len(outcomes) - len(self._processor.extract_failed_executions(outcomes))
        stated = reply.response.successful if reply.response is not None else None
        if stated is not None and stated != accepted:
            _log.warning("counts_disagree", said=stated, read=accepted, http_status=reply.http_status)

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
            self.on_open(closing.next_action_in_ms)
        self._check_ids(batch.low_water_id, closing)
        event = _event(batch, closing, self._clock.monotonic())
        self._events.emit(event)
        return event

    def _check_ids(self, low_water_id: int, closing: AttemptClosing) -> None:
        """New ids must be above what was known before the call, or the ledger is another one."""
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
    """The result of an execution that could not be claimed: final, deferred, or still pending."""
    final = ExecutionSubmitResult.not_claimed(row)
    if final is not None:
        return final
    state = row.state or SubmissionState.NONE
    if deferred_message is not None and state is SubmissionState.RETRY:
        return ExecutionSubmitResult.deferred(row.execution_id, state, deferred_message)
    return ExecutionSubmitResult.pending(row.execution_id, state)


_NOTHING_TO_SEND = GatewayReply(
    ReplyKind.REFUSED_WHOLE, OutcomeCode.NOT_REPRESENTABLE, "nothing of the batch can be sent"
)


def _event(batch: Batch, closing: AttemptClosing, now: float) -> BatchSubmissionEvent:
    ok, work = OutcomeCode.OK.value, batch.work
    counts = Counter([outcome.state for outcome in closing.outcomes])
    return BatchSubmissionEvent(
        attempt_id=closing.attempt_id,
        size=len(closing.outcomes),
        kind=closing.kind,
        code=closing.code,
        message=closing.message,
        http_status=closing.http_status,
        accepted=counts[SubmissionState.ACCEPTED],
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
        failures=tuple(o for o in closing.outcomes if o.state not in FINAL or o.code != ok),
        retried=_retried(batch, closing) if work.recovered else (),
    )


def _retried(batch: Batch, closing: AttemptClosing) -> tuple[RetriedExecution, ...]:
    """Those of a recovered batch that are accepted now and had been tried before."""
    accepted = {o.execution_id for o in closing.outcomes if o.state is SubmissionState.ACCEPTED}
    calls = batch.work.retry_count + 1
    return tuple(
        RetriedExecution(item.execution_id, max(calls, item.attempts_spent), item.budget_left_s)
        for item in batch.sent
        if item.execution_id in accepted and max(calls, item.attempts_spent) > 1
    )
