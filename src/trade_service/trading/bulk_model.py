"""Bulk submissions: many executions by id, whose progress can be asked for."""

from datetime import datetime

import msgspec

from trade_service.domain.executions import FINAL, QUANTITY_RETURNED, SubmissionState
from trade_service.domain.instants import Moment
from trade_service.submission.codes import OutcomeCode
from trade_service.submission.model import (
    ALREADY,
    PENDING_MESSAGE,
    AttemptId,
    ExecutionSubmitResult,
    NotClaimed,
    SubmitStatus,
)

BulkSubmissionId = str
"""A UUID, version 7: it contains the time of its creation."""

_UNSENT_MESSAGE = (
    "created by the legacy service and proven absent at the Execution Service: submit it again to send it"
)
_STATUS_OF = {
    SubmissionState.NONE: SubmitStatus.FAILED,
    SubmissionState.ACCEPTED: SubmitStatus.SUCCESS,
    SubmissionState.REJECTED: SubmitStatus.FAILED,
    SubmissionState.EXHAUSTED: SubmitStatus.RETRY_EXHAUSTED,
}
SETTLED = FINAL | {SubmissionState.NONE}
"""States in which an execution stays until someone acts."""


class BulkProgress(msgspec.Struct, frozen=True):
    """How far a bulk submission is, by the present states of its executions."""

    submission_id: BulkSubmissionId
    created_at: datetime
    total_requested: int
    successful: int
    failed: int
    pending: int

    @property
    def is_finished(self) -> bool:
        """Whether it stays as it is until someone acts."""
        return self.pending == 0


class BulkFinding(msgspec.Struct, frozen=True, rename="camel"):
    """What an attempt found out of one execution: everything but a plain acceptance."""

    execution_id: int
    state: SubmissionState
    code: str
    message: str


class BulkAttempt(msgspec.Struct, frozen=True, rename="camel"):
    """One attempt that sent executions of a bulk submission, others may have been among them."""

    attempt_id: AttemptId
    state: str
    """queued: a durable intent; sent: its call may be on the wire; answered: recorded."""
    owner: str
    started_at: Moment
    closed_at: Moment | None
    kind: str | None
    code: str | None
    message: str | None
    http_status: int | None
    duration_ms: int | None
    look_ups: int
    execution_ids: tuple[int, ...]
    """Those of this submission."""
    outcomes: tuple[BulkFinding, ...]
    """Of these, in the order in which they were found."""


class BulkItem(msgspec.Struct, frozen=True):
    """The current state of one execution of a bulk submission."""

    request_index: int
    """Its place in the request, from 0."""
    execution_id: int
    state: SubmissionState | None
    """None when there is no such execution (any more)."""
    execution_service_id: int | None = None
    code: str | None = None
    """Code and message of what was found out last, None when there is nothing to tell."""
    message: str | None = None
    withdrawn: str | None = None
    """The status that keeps it from being sent."""

    def result(self) -> ExecutionSubmitResult:
        """The status in the terms of a single submission."""
        state = self.state
        if state is None:
            missing = ExecutionSubmitResult.not_claimed(NotClaimed(self.execution_id, None))
            assert missing is not None
            return msgspec.structs.replace(missing, request_index=self.request_index)
        if self.withdrawn is not None:
            held = ExecutionSubmitResult.withdrawn(self.execution_id, self.withdrawn)
            return msgspec.structs.replace(held, request_index=self.request_index)
        code, message = self._told(state)
        return ExecutionSubmitResult(
            execution_id=self.execution_id,
            status=_STATUS_OF.get(state, SubmitStatus.PENDING),
            state=state,
            code=code,
            message=message,
            execution_service_id=self.execution_service_id,
            request_index=self.request_index,
        )

    def _told(self, state: SubmissionState) -> tuple[str, str]:
        if state is SubmissionState.ACCEPTED:
            return OutcomeCode.OK, "accepted"
        if state is SubmissionState.NONE:
            return OutcomeCode.PROVEN_ABSENT, _UNSENT_MESSAGE
        if state in QUANTITY_RETURNED:
            return self.code or ALREADY[state], self.message or f"was {state} before"
        return self.code or OutcomeCode.PENDING, self.message or PENDING_MESSAGE
