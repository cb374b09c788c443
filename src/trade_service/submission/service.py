"""BulkExecutionSubmissionService: claim, send, interpret, record.

A batch costs two database round trips and one HTTP call, and no call happens inside a transaction.
"""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterable, Sequence

import msgspec
import structlog

from trade_service.domain.executions import FINAL, OPEN, SubmissionState
from trade_service.submission.admission import Admission
from trade_service.submission.announce import announce, recovered
from trade_service.submission.batch_processor import ExecutionBatchProcessor
from trade_service.submission.board import OutcomeBoard, Watch
from trade_service.submission.breaker import Permit
from trade_service.submission.codes import OutcomeCode
from trade_service.submission.downstream import answer_suspicion
from trade_service.submission.downstream_gate import DownstreamGate
from trade_service.submission.events import AlarmEvent, BatchBegunEvent, BatchSubmissionEvent, EventBus
from trade_service.submission.failure_handler import ExecutionFailureHandler, Hold
from trade_service.submission.model import (
    AttemptClosing,
    BulkSubmitResult,
    Claim,
    ClaimedExecution,
    ExecutionSubmitResult,
    GatewayReply,
    ItemReading,
    NewAttempt,
    NotClaimed,
    Recorded,
    ReplyKind,
)
from trade_service.submission.ports import Clock, ExecutionGateway, StoreUnavailable, SubmissionStore
from trade_service.submission.stream import Stream
from trade_service.submission.work_queue import Work, WorkQueue

_log = structlog.get_logger(__name__)

CLAIMABLE_FRESH = (SubmissionState.NONE, SubmissionState.QUEUED)
CLAIMABLE_RECOVERED = (SubmissionState.QUEUED, SubmissionState.RETRY)
RECORD_TRIES = 5
"""How often a record is repeated while the database does not answer; then lease and look-up settle it."""

CLOSED_WAIT_S = 2.0
"""How long a caller waits while nothing may be claimed: a second look at the ledger takes about as long."""


class SubmissionSettings(msgspec.Struct, frozen=True):
    """Times of an attempt and of its caller."""

    owner: str
    lease_ms: int
    """At least connect + total time-out + margin: no byte may leave after the lease."""
    call_ms: int
    """The longest that one call may last, connecting included."""
    settle_ms: int
    give_up_after_ms: int
    wait_s: float
    """How long a caller waits for a final result before it is told that it is pending."""
    window: int
    """How many executions of one stream may be under way at once: bounds its memory."""

    @property
    def write_ms(self) -> int:
        """How long after the beginning of the claim the first byte may leave."""
        return self.lease_ms - self.call_ms


class BulkExecutionSubmissionService:
    """Submits executions in batches and tells their callers what came of it."""

    def __init__(
        self,
        store: SubmissionStore,
        gateway: ExecutionGateway,
        clock: Clock,
        processor: ExecutionBatchProcessor,
        handler: ExecutionFailureHandler,
        queue: WorkQueue,
        board: OutcomeBoard,
        events: EventBus,
        admission: Admission,
        gate: DownstreamGate,
        settings: SubmissionSettings,
    ) -> None:
        self._store = store
        self._gateway = gateway
        self._clock = clock
        self._processor = processor
        self._handler = handler
        self._queue = queue
        self._board = board
        self._events = events
        self._admission = admission
        self._gate = gate
        self._settings = settings
        self.on_open: Callable[[int], None] = lambda _delay_ms: None
        """Told when an attempt stays open, and in how many milliseconds it is due."""

    async def submit_executions_bulk(
        self, execution_ids: Sequence[int], wait_s: float | None = None
    ) -> BulkSubmitResult:
        """Submits executions and returns their results in the caller's order.

        An id given twice is sent once and answered twice. Results that are not final within `wait_s`
        (default: the settings') are PENDING, and go on in the background.
        """
        results = {r.execution_id: r async for r in self.stream_executions(execution_ids, wait_s)}
        ordered = (
            msgspec.structs.replace(results[execution_id], request_index=index)
            for index, execution_id in enumerate(execution_ids)
        )
        return BulkSubmitResult.of(tuple(ordered))

    async def stream_executions(
        self, execution_ids: Iterable[int], wait_s: float | None = None, *, patient: bool = False
    ) -> AsyncIterator[ExecutionSubmitResult]:
        """Submits executions and yields their results as they come, in constant memory.

        While the Execution Service is not called (circuit open) they are PENDING at once, unless `patient`.
        `request_index` is the place of the id in `execution_ids`, counted without repetitions. At most
        `settings.window` executions are under way at once; each is waited for `wait_s` at the longest.
        """
        wait = self._wait_s(wait_s, patient=patient)
        stream = Stream(self._board.new_watch(patient=patient), self._clock, wait)
        try:
            for batch in self._processor.plan_batches(execution_ids):
                while stream.under_way and stream.under_way + len(batch) > self._settings.window:
                    for result in await self._next_results(stream):
                        yield result
                fresh = self._board.join(stream.watch, stream.add(batch))
                if fresh:
                    await self._queue.put(Work(tuple(fresh)))
            while stream.under_way:
                for result in await self._next_results(stream):
                    yield result
        finally:
            self._board.forget(stream.watch)

    async def process_batch(self, work: Work) -> BatchSubmissionEvent | None:
        """Claims, sends, interprets and records one batch; what is final is told to its callers.

        Returns None when nothing of it could be claimed. Raises StoreUnavailable when the claim
        or the record got no answer; the lease and the look-up then settle what is unsettled.
        """
        permit = self._admission.admit()
        if permit is None:
            return await self._process(work, None)
        try:
            return await self._process(self._alone(work) if permit.is_probe else work, permit)
        finally:
            self._admission.release(permit)

    def watch(self, execution_ids: Sequence[int]) -> tuple[Watch, list[int]]:
        """A watch on executions and those of them that are not under way here yet."""
        return self._board.watch(execution_ids)

    async def results_of(self, watch: Watch, wait_s: float | None = None) -> dict[int, ExecutionSubmitResult]:
        """The results of all executions of a watch, PENDING for those not final within `wait_s`."""
        try:
            async with asyncio.timeout(self._wait_s(wait_s, patient=False)):
                await watch.all()
        except TimeoutError:
            now = await self._results_now(sorted(watch.open))
            watch.results.update({result.execution_id: result for result in now})
        finally:
            self._board.forget(watch)
        return watch.results

    def alarm(self, alarm: AlarmEvent) -> None:
        """Tells every listener of something that a person has to look at."""
        self._events.emit(alarm)

    def _alone(self, work: Work) -> Work:
        """A probe's share of a batch: one execution, since nothing good is to be expected. The rest waits."""
        first, *rest = work.execution_ids
        if rest:
            self._queue.accept(msgspec.structs.replace(work, execution_ids=tuple(rest)))
        return msgspec.structs.replace(work, execution_ids=(first,))

    async def _process(self, work: Work, permit: Permit | None) -> BatchSubmissionEvent | None:
        """`process_batch` with leave to call, or without: then everything is recorded as waiting."""
        begun = self._clock.boottime()
        attempt = self._new_attempt(work, permit)
        self._events.emit(BatchBegunEvent(attempt.attempt_id, len(work.execution_ids), work.origins.traces))
        claimable = CLAIMABLE_RECOVERED if work.recovered else CLAIMABLE_FRESH
        least_floor_id = self._gate.high_water_id
        claim = await self._store.claim(attempt, work.execution_ids, claimable)
        if claim.floor_id is None:
            self._gate.note_refused()
            if not work.recovered:
                self._queue.accept(work)
            return None
        await self._tell_not_claimed(claim.not_claimed, put_off=permit is None)
        if not claim.items or self._gate.is_older_database(claim.floor_id, least_floor_id):
            return None
        claimed_at = self._clock.boottime()
        closing = await self._send(attempt, claim, begun + self._settings.write_ms / 1000, permit)
        answered_at = self._clock.boottime()
        recorded = await self._record(closing)
        self._settle(claim.floor_id, closing, recorded)
        event = _event(
            work, closing, (claimed_at - begun) * 1000, (self._clock.boottime() - answered_at) * 1000
        )
        self._events.emit(event)
        if work.recovered and event.accepted:
            self._tell_recovered(work, claim, closing)
        return event

    def _tell_recovered(self, work: Work, claim: Claim, closing: AttemptClosing) -> None:
        """Only for work of recovery: what a process left before its first attempt was never in trouble."""
        accepted = {o.execution_id for o in closing.outcomes if o.state is SubmissionState.ACCEPTED}
        calls = work.retry_count + 1
        retried = [
            item
            for item in claim.items
            if item.execution_id in accepted and max(calls, item.attempts_spent) > 1
        ]
        if retried:
            budget_s = self._settings.give_up_after_ms / 1000
            self._events.emit(recovered(closing.attempt_id, "retry", retried, calls, budget_s))

    async def _next_results(self, stream: Stream) -> list[ExecutionSubmitResult]:
        overdue = await stream.wait()
        if overdue:
            self._board.forget_ids(stream.watch, overdue)
            stream.watch.results.update({r.execution_id: r for r in await self._results_now(overdue)})
        return stream.take()

    def _new_attempt(self, work: Work, permit: Permit | None) -> NewAttempt:
        """Only an execution that is sent alone, and not to try a broken circuit, spends of its budget."""
        settings = self._settings
        is_call = permit is not None and not permit.is_probe
        return NewAttempt(
            attempt_id=self._clock.new_attempt_id(),
            owner=settings.owner,
            lease_ms=settings.lease_ms,
            settle_ms=settings.settle_ms,
            epoch=self._gate.epoch,
            give_up_after_ms=settings.give_up_after_ms,
            retry_count=work.retry_count,
            counted=is_call and len(work.execution_ids) == 1,
        )

    async def _send(
        self, attempt: NewAttempt, claim: Claim, write_before: float, permit: Permit | None
    ) -> AttemptClosing:
        request, sent, unsendable = self._processor.build_batch_request(claim.items)
        if sent and (permit is None or not self._admission.holds(permit)):
            return self._handler.close_unsent(attempt, self._hold(), sent, unsendable)
        if sent and permit is not None:
            called_at = self._clock.boottime()
            reply = await self._gateway.submit_batch(request, attempt.attempt_id, write_before)
            is_repeat = attempt.counted and claim.items[0].attempts_spent > 1
            self._admission.note(permit, reply, called_at, is_repeat=is_repeat)
        else:
            reply = GatewayReply(
                ReplyKind.REFUSED_WHOLE, OutcomeCode.NOT_REPRESENTABLE, "nothing of the batch can be sent"
            )
        readings = self._read(sent, reply)
        return self._handler.close_reply(attempt, reply, sent, readings, unsendable, self._clock.dice)

    def _hold(self) -> Hold:
        admission = self._admission
        return Hold(
            admission.circuit.reason, admission.put_off_ms(), admission.put_off_message, admission.is_refused
        )

    def _read(self, sent: Sequence[ClaimedExecution], reply: GatewayReply) -> tuple[ItemReading, ...]:
        if reply.response is None or reply.kind is not ReplyKind.ANSWERED:
            return ()
        response = reply.response
        readings = self._processor.process_response(sent, response, reply.http_status or 0)
        accepted = len(readings) - len(self._processor.extract_failed_executions(readings))
        if response.successful is not None and response.successful != accepted:
            _log.warning(
                "counts_disagree", said=response.successful, read=accepted, http_status=reply.http_status
            )
        return readings

    async def _record(self, closing: AttemptClosing) -> tuple[Recorded, ...]:
        for failures in range(1, RECORD_TRIES):
            try:
                return await self._store.record(closing)
            except StoreUnavailable as error:
                pause_ms = self._handler.backoff_ms(failures, self._clock.dice)
                _log.warning(
                    "record_failed", attempt_id=closing.attempt_id, error=str(error), pause_ms=pause_ms
                )
                await self._clock.sleep(pause_ms / 1000)
        return await self._store.record(closing)

    def _settle(self, floor_id: int, closing: AttemptClosing, recorded: Sequence[Recorded]) -> None:
        announce(self._board, self._events, closing, recorded)
        if closing.next_action_in_ms is not None:
            self.on_open(closing.next_action_in_ms)
        ids = {
            outcome.execution_service_id: outcome.execution_id
            for outcome in closing.outcomes
            if outcome.execution_service_id is not None
        }
        if not ids:
            return
        lowest, greatest = min(ids), max(ids)
        if lowest <= floor_id:
            self._gate.suspect(answer_suspicion(floor_id, lowest, ids[lowest]))
        else:
            self._gate.note_seen(greatest, ids[greatest])

    async def _tell_not_claimed(self, refused: Sequence[NotClaimed], *, put_off: bool) -> None:
        foreign = [row.execution_id for row in refused if row.foreign]
        if foreign:
            await self._store.take_over(foreign)
            refused = [row for row in refused if not row.foreign]
            refused = [*refused, *await self._store.states(foreign)]
        results = {row.execution_id: ExecutionSubmitResult.not_claimed(row) for row in refused}
        self._board.settle(result for result in results.values() if result is not None)
        if put_off:
            waiting = [(row.execution_id, row.state) for row in refused if row.state is SubmissionState.RETRY]
            message = self._admission.put_off_message
            self._board.put_off(ExecutionSubmitResult.put_off(*one, message) for one in waiting)
        self._board.settled_elsewhere(i for i, result in results.items() if result is None)

    async def _results_now(self, execution_ids: Sequence[int]) -> list[ExecutionSubmitResult]:
        """What can be said of executions when their caller stops waiting."""
        try:
            rows = {row.execution_id: row for row in await self._store.states(execution_ids)}
        except StoreUnavailable:
            return [self._pending(i, SubmissionState.QUEUED) for i in execution_ids]
        return [self._result_now(rows.get(i, NotClaimed(i, None))) for i in execution_ids]

    def _result_now(self, row: NotClaimed) -> ExecutionSubmitResult:
        final = ExecutionSubmitResult.not_claimed(row)
        if final is not None:
            return final
        state = row.state if row.state in OPEN else SubmissionState.QUEUED
        return self._pending(row.execution_id, state)

    def _pending(self, execution_id: int, state: SubmissionState) -> ExecutionSubmitResult:
        if self._gate.is_open or state is not SubmissionState.QUEUED:
            return ExecutionSubmitResult.pending(execution_id, state)
        return ExecutionSubmitResult.held(execution_id, state, self._gate.reason)

    def _wait_s(self, wait_s: float | None, *, patient: bool) -> float:
        """How long a caller waits; while nothing may be claimed only a patient one waits long."""
        wait = self._settings.wait_s if wait_s is None else wait_s
        return wait if patient or self._gate.is_open else min(wait, CLOSED_WAIT_S)


def _event(work: Work, closing: AttemptClosing, claim_ms: float, record_ms: float) -> BatchSubmissionEvent:
    ok = OutcomeCode.OK.value
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
        claim_ms=claim_ms,
        call_ms=closing.duration_ms,
        record_ms=record_ms,
        request_ids=work.origins.request_ids,
        submission_ids=work.origins.submission_ids,
        failures=tuple(o for o in closing.outcomes if o.state not in FINAL or o.code != ok),
    )
