"""ExecutionService: executions are sent, read and filled."""

from collections.abc import Mapping, Sequence
from decimal import Decimal

import msgspec
import structlog

from trade_service.domain.errors import FillOfUnsent, InvalidInput, NotFound, NotSubmittable
from trade_service.domain.executions import OPEN, QUANTITY_RETURNED, SubmissionState, checked_fill
from trade_service.domain.fields import check_count, checked_decimal, is_possible_id
from trade_service.submission.codes import AlarmCode, OutcomeCode
from trade_service.submission.events import AlarmEvent, EventBus
from trade_service.submission.model import (
    BulkSubmitResult,
    ExecutionSubmitResult,
    NotClaimed,
    SubmitResult,
    SubmitStatus,
)
from trade_service.submission.ports import Clock, StoreUnavailable
from trade_service.submission.service import BulkExecutionSubmissionService
from trade_service.submission.work_queue import Intake
from trade_service.trading.fill_check import fill_refused
from trade_service.trading.model import ExecutionView, Filled, StoredExecution
from trade_service.trading.ports import ExecutionReads
from trade_service.trading.reference import ReferenceCache, views_of
from trade_service.trading.request_keys import current_key

_log = structlog.get_logger(__name__)

MAX_BATCH = 100
_ON_RECORD = OPEN - {SubmissionState.QUEUED}
_WITHOUT_ERROR = (SubmitStatus.SUCCESS, SubmitStatus.PENDING)


class ExecutionService:
    """Submits executions that exist, and keeps what the Execution Service reports of them."""

    def __init__(
        self,
        reads: ExecutionReads,
        references: ReferenceCache,
        submissions: BulkExecutionSubmissionService,
        intake: Intake,
        events: EventBus,
        clock: Clock,
    ) -> None:
        self._reads = reads
        self._references = references
        self._submissions = submissions
        self._intake = intake
        self._events = events
        self._clock = clock

    async def submit_execution(self, execution_id: int, wait_s: float | None = None) -> SubmitResult:
        """Sends one execution, in one batch with whatever others ask for at the same time.

        Asked for twice at once, it is sent once and both get the result. Raises NotFound,
        NotSubmittable, Overloaded.
        """
        results = await self._submit([execution_id], wait_s)
        result = results.get(execution_id) or _not_found(execution_id)
        if result.code == OutcomeCode.NOT_FOUND:
            raise NotFound.of("execution", execution_id)
        if result.code == OutcomeCode.NOT_SUBMITTABLE:
            raise NotSubmittable(f"execution {execution_id}: {result.message}", id=execution_id)
        error = None if result.status in _WITHOUT_ERROR else result.message
        return SubmitResult(result.status, error, result)

    async def submit_executions(
        self, execution_ids: Sequence[int], wait_s: float | None = None
    ) -> BulkSubmitResult:
        """Sends any number of executions and returns their results in the caller's order.

        Waits for room in the queue instead of raising Overloaded. What is not final within `wait_s`
        is PENDING, durable, and goes on in the background.
        """
        possible = [execution_id for execution_id in execution_ids if is_possible_id(execution_id)]
        answer = await self._submissions.submit_executions_bulk(possible, wait_s)
        results = await self.durable({result.execution_id: result for result in answer.results})
        return _in_order(execution_ids, results)

    async def submit_executions_batch(
        self, execution_ids: Sequence[int], wait_s: float | None = None
    ) -> BulkSubmitResult:
        """Sends up to 100 executions; as `submit_executions`, but refused at once when there is no room.

        Raises TooMany over 100, InvalidInput for none, Overloaded.
        """
        check_count(len(execution_ids), "executionIds", MAX_BATCH, "sent")
        return _in_order(execution_ids, await self._submit(execution_ids, wait_s))

    async def get_execution(self, execution_id: int) -> ExecutionView:
        """The execution with all that it points to; raises NotFound."""
        return (await views_of(self._references, [await self._reads.get(execution_id)]))[0]

    async def fill(
        self, execution_id: int, status_abbreviation: str, quantity_filled: Decimal, version: int
    ) -> ExecutionView:
        """Stores what the Execution Service reports of an execution.

        A report that overtakes the answer to our own request proves acceptance. Raises FillOfUnsent for an
        execution recorded as never sent, InvalidInput for an unknown status and a quantity that is negative or
        above the one ordered, NotFound, VersionConflict. The first, an impossible quantity and an archived
        execution also raise an alarm: the two ledgers differ.
        """
        checked_decimal(quantity_filled, "quantityFilled")
        if quantity_filled < 0:
            self._refuse(await self._reads.get(execution_id), quantity_filled)
        reference = await self._references.current(lambda data: status_abbreviation in data.statuses_by_name)
        status = reference.statuses_by_name.get(status_abbreviation)
        if status is None:
            known = ", ".join(sorted(reference.statuses_by_name))
            raise InvalidInput.of("executionStatus", status_abbreviation, f"must be one of {known}")
        filled = await self._fill(execution_id, status.id, quantity_filled, version)
        if filled.state_before in QUANTITY_RETURNED:
            self._alarm_late(filled)
        return (await views_of(self._references, [filled.stored]))[0]

    async def _fill(
        self, execution_id: int, status_id: int, quantity_filled: Decimal, version: int
    ) -> Filled:
        look_up_id = self._clock.new_attempt_id()
        try:
            return await self._reads.fill(execution_id, status_id, quantity_filled, version, look_up_id)
        except FillOfUnsent as error:
            message = f"{error.message} (quantityFilled {quantity_filled:f})"
            self._events.emit(AlarmEvent(AlarmCode.FILL_OF_UNSENT, message, (execution_id,)))
            raise
        except NotFound:
            await self._alarm_archived(execution_id, quantity_filled)
            raise
        except InvalidInput:
            self._refuse(await self._reads.get(execution_id), quantity_filled)
            raise

    async def _alarm_archived(self, execution_id: int, quantity_filled: Decimal) -> None:
        name = await self._reads.archived_in(execution_id)
        if name is not None:
            message = (
                f"a fill (quantityFilled {quantity_filled:f}) was reported of execution {execution_id}, which was "
                f"archived in {name} as finished: it was not stored; compare the two"
            )
            self._events.emit(AlarmEvent(AlarmCode.FILL_OF_ARCHIVED, message, (execution_id,)))

    def _refuse(self, stored: StoredExecution, quantity_filled: Decimal) -> None:
        """Raises InvalidInput, with an alarm, for a quantity that the execution cannot have."""
        execution = stored.execution
        try:
            checked_fill(execution, quantity_filled)
        except InvalidInput:
            here = (execution.quantity_filled, execution.quantity_ordered)
            self._events.emit(fill_refused(execution.id, quantity_filled, *here))
            raise

    async def _submit(
        self, execution_ids: Sequence[int], wait_s: float | None
    ) -> dict[int, ExecutionSubmitResult]:
        possible = [execution_id for execution_id in execution_ids if is_possible_id(execution_id)]
        with self._intake.reserve(len(possible)):
            keyed = current_key() is not None
            if keyed:  # The key stands for the intent to send, so that is made durable with it.
                await self._reads.enqueue(possible, self._clock.new_attempt_id())
            waiter = self._intake.enqueue(possible)
        results = await self._intake.outcomes(waiter, wait_s)
        return results if keyed else await self.durable(results)

    async def durable(self, results: dict[int, ExecutionSubmitResult]) -> dict[int, ExecutionSubmitResult]:
        """The results, once every pending one is on record: what was never claimed is durably queued.

        When the database does not answer, those it is not known of are FAILED instead: nothing is promised
        that only this process's memory holds.
        """
        pending = [execution_id for execution_id, result in results.items() if not _is_kept(result)]
        if pending:
            try:
                await self._reads.enqueue(pending, self._clock.new_attempt_id())
            except StoreUnavailable as error:
                _log.error("pending_not_made_durable", executions=len(pending), error=str(error))
                return {i: _not_promised(result) for i, result in results.items()}
        return results

    def _alarm_late(self, filled: Filled) -> None:
        execution, order = filled.stored.execution, filled.stored.order
        message = (
            f"execution {execution.id} was {filled.state_before} and its quantity given back, but the "
            f"Execution Service reports a fill of it: trade order {order.id} lost that quantity again, "
            "check it for an overrun"
        )
        self._events.emit(AlarmEvent(AlarmCode.ACCEPTED_LATE, message, (execution.id,)))


def _in_order(execution_ids: Sequence[int], results: Mapping[int, ExecutionSubmitResult]) -> BulkSubmitResult:
    ordered = (
        msgspec.structs.replace(results.get(execution_id) or _not_found(execution_id), request_index=index)
        for index, execution_id in enumerate(execution_ids)
    )
    return BulkSubmitResult.of(tuple(ordered))


def _is_kept(result: ExecutionSubmitResult) -> bool:
    """Whether a result holds although this process may die now."""
    return result.is_final or result.state in _ON_RECORD


def _not_found(execution_id: int) -> ExecutionSubmitResult:
    result = ExecutionSubmitResult.not_claimed(NotClaimed(execution_id, None))
    assert result is not None
    return result


def _not_promised(result: ExecutionSubmitResult) -> ExecutionSubmitResult:
    """The same when it is final or was read as claimed or later; else it may be in no record at all."""
    if _is_kept(result):
        return result
    message = (
        "the database does not answer, so whether it will be sent is not known; "
        "submitting it again is safe, it is sent once"
    )
    return ExecutionSubmitResult(
        result.execution_id, SubmitStatus.FAILED, result.state, OutcomeCode.STORE_UNAVAILABLE, message
    )
