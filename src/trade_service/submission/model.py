"""Values of the engine: claimed executions, replies, outcomes, results. Pure.

Structs that exist once per execution hold no cycles, so the garbage collector need not visit them (`gc=False`).
"""

from collections.abc import Mapping
from decimal import Decimal
from enum import StrEnum

import msgspec

from trade_service.domain.access import Requester
from trade_service.domain.executions import FINAL, SubmissionState
from trade_service.submission.codes import OutcomeCode
from trade_service.submission.messages import BatchExecutionResponse

AttemptId = str
"""A UUID made by the client, before the row exists: it finds the row after a lost COMMIT."""


class ClaimedExecution(msgspec.Struct, frozen=True, gc=False):
    """An execution that an attempt owns, with everything that its request needs."""

    execution_id: int
    trade_type: str | None
    destination: str
    security_id: str
    quantity: Decimal
    limit_price: Decimal | None
    attempts_spent: int
    """Attempts that count against the budget, including the present one if it counts."""
    budget_left_s: float
    """Seconds left of the time budget at the claim, by the database's clock."""


class NotClaimed(msgspec.Struct, frozen=True, gc=False):
    """An execution that could not be claimed, with its state; None if it does not exist."""

    execution_id: int
    state: SubmissionState | None
    execution_service_id: int | None = None
    legacy: bool = False
    """Written by another program and not adopted yet."""
    withdrawn: str | None = None
    """The business status that prevents sending, such as HOLD."""
    paused: bool = False
    """Whether an operator has paused sending to its destination."""


MAX_RETRY_COUNT = 1000


class NewAttempt(msgspec.Struct, frozen=True):
    """What the journal holds of an attempt before its first byte leaves."""

    attempt_id: AttemptId
    owner: str
    lease_ms: int
    settle_ms: int
    epoch: int
    """The epoch of the ledger that this process has read; a claim in another epoch fails."""
    give_up_after_ms: int
    retry_count: int = 0
    """Consecutive calls for these executions that settled nothing; at most MAX_RETRY_COUNT."""
    counted: bool = False
    """Whether it counts against the budget of its execution; only an attempt for a single one may."""
    submitted_by: Mapping[int, Requester] = {}
    """Who asked for its executions, for the audit log; by execution id."""


class Claim(msgspec.Struct, frozen=True):
    """The result of a claim: the executions that are ours now, and the others."""

    items: tuple[ClaimedExecution, ...]
    not_claimed: tuple[NotClaimed, ...]
    low_water_id: int | None = 0
    """The greatest id known in the ledger before the attempt; 0: none. None: nothing may be claimed, since the
    ledger is suspected, blocked, or in another epoch."""


class ReplyKind(StrEnum):
    """What a reply, or its absence, proves about a whole batch (docs/failures.md)."""

    ANSWERED = "answered"
    """A readable answer, interpreted item by item."""
    NOT_SENT = "not_sent"
    """Nothing was accepted, and the same request may be accepted later."""
    CONFIGURATION = "configuration"
    """Nothing was accepted, and nothing will be until the configuration changes."""
    REFUSED_WHOLE = "refused_whole"
    """Nothing was accepted: something in the request is wrong."""
    UNCLEAR = "unclear"
    """Answered, without saying what was accepted."""
    LOST = "lost"
    """Bytes may have left, and no answer came."""


class GatewayReply(msgspec.Struct, frozen=True):
    """The result of one call of the batch endpoint: always a value, never an exception."""

    kind: ReplyKind
    code: str
    """Error code; OK for a readable 201 or 207."""
    message: str
    http_status: int | None = None
    response: BatchExecutionResponse | None = None
    retry_after_s: float | None = None
    duration_ms: float = 0.0
    own_doing: bool = False
    """Whether our own deadline or pool prevented the call: it says nothing about the Execution Service."""
    handler_failed: bool = False
    """Whether the service's own handler answered 500, for another reason than the end of its transaction."""


class ItemOutcome(msgspec.Struct, frozen=True, gc=False):
    """The new state of an execution, and why."""

    execution_id: int
    state: SubmissionState
    code: str
    message: str
    execution_service_id: int | None = None


class AttemptClosing(msgspec.Struct, frozen=True):
    """What to record for an attempt that was answered, failed, or was reconciled."""

    attempt_id: AttemptId
    owned_as: SubmissionState
    """The state in which the attempt owns its executions: negative evidence changes no others."""
    outcomes: tuple[ItemOutcome, ...]
    kind: ReplyKind
    code: str
    message: str
    http_status: int | None = None
    duration_ms: float = 0.0
    next_action_in_ms: int | None = None
    """When recovery advances the attempt; None closes it."""
    next_batch_size: int | None = None
    """The largest batch in which its executions are retried."""
    spent: bool = True
    """False refunds what the claim counted against the execution's budget."""
    pauses_budget: bool = False
    """Whether the time budgets of open executions stop until they are claimed again."""
    settle_ms: int | None = None
    """A shorter settle time; None keeps the present one."""
    high_water_id: int | None = None
    epoch: int | None = None
    """The epoch that a reconciliation read: absence is recorded only while it lasts."""


class Recorded(msgspec.Struct, frozen=True, gc=False):
    """The state of an execution after a record; another one than recorded if the attempt no longer owned it."""

    execution_id: int
    state: SubmissionState
    execution_service_id: int | None
    version: int
    status_id: int
    changed: bool
    state_before: SubmissionState | None
    duplicate_of: int | None = None
    """The id of an earlier acceptance, if this is a second one."""


class OpenItem(msgspec.Struct, frozen=True, gc=False):
    """An execution that an attempt still owns; `accepted` if only its id is missing."""

    execution_id: int
    state: SubmissionState
    trade_type: str | None
    destination: str
    security_id: str
    quantity: Decimal
    attempts_spent: int
    budget_left_s: float
    """It stands still while sending to its destination is paused."""
    paused: bool = False


class DueAttempt(msgspec.Struct, frozen=True):
    """An attempt whose next action is due, reserved for this process for a while."""

    attempt_id: AttemptId
    low_water_id: int
    low_water_execution_id: int | None
    """The execution that the row `low_water_id` named, which identifies the ledger; None if not known."""
    settle_ms: int
    settled: bool
    """Whether, by the database's clock, the settle time has passed since the last byte could leave."""
    epoch: int
    """The epoch of its claim: in a later one only presence can be proven."""
    look_ups: int
    next_batch_size: int | None
    retry_count: int
    """Consecutive calls before it that did not settle its executions."""
    adopted: bool
    """Made for legacy rows: absence leads back to `none`, never to a retry."""
    items: tuple[OpenItem, ...]
    lease_ms: int = 0
    """How long after the claim bytes may have left, if its owner did not record an outcome; else 0."""
    requeued: bool = False
    """Made by an operator's requeue: executions that are found had been accepted before they ended."""
    size: int = 0
    """How many executions it began with."""
    age_s: float = 0.0
    """Since its claim, by the database's clock."""
    kind: str | None = None
    """A ReplyKind, `requeued`, or None for a queued attempt."""
    code: str | None = None
    message: str = ""
    http_status: int | None = None

    @property
    def calls(self) -> int:
        """Consecutive calls that did not settle its executions, including its own."""
        no_call = self.kind is None or self.requeued or self.code == OutcomeCode.CIRCUIT_OPEN
        return self.retry_count if no_call else min(self.retry_count + 1, MAX_RETRY_COUNT)


class SubmitStatus(StrEnum):
    """The outcome of a submission for its caller."""

    SUCCESS = "SUCCESS"
    FAILED = "FAILED"
    RETRY_EXHAUSTED = "RETRY_EXHAUSTED"
    PENDING = "PENDING"


STATUS_OF = {
    SubmissionState.ACCEPTED: SubmitStatus.SUCCESS,
    SubmissionState.REJECTED: SubmitStatus.FAILED,
    SubmissionState.EXHAUSTED: SubmitStatus.RETRY_EXHAUSTED,
}
ALREADY = {
    SubmissionState.ACCEPTED: OutcomeCode.ALREADY_ACCEPTED,
    SubmissionState.REJECTED: OutcomeCode.ALREADY_REJECTED,
    SubmissionState.EXHAUSTED: OutcomeCode.ALREADY_EXHAUSTED,
}
SETTLED_CODES = {
    SubmissionState.ACCEPTED: OutcomeCode.SETTLED_ACCEPTED,
    SubmissionState.REJECTED: OutcomeCode.SETTLED_REJECTED,
    SubmissionState.EXHAUSTED: OutcomeCode.SETTLED_EXHAUSTED,
}
PENDING_MESSAGE = "pending, do not resubmit"
DEFERRED_MESSAGE = (
    f"{PENDING_MESSAGE}: the Execution Service is not called now since its last calls failed or were too "
    "slow; it is sent automatically later"
)

PAUSED_MESSAGE = (
    f"{PENDING_MESSAGE}: sending to its destination is paused by an operator; it is sent automatically once that "
    "is resumed"
)


def refused_message(reason: str) -> str:
    """The message of an execution that waits while the Execution Service rejects every call."""
    return (
        f"{PENDING_MESSAGE}: the Execution Service rejects every call until the configuration is corrected "
        f"({reason}); it is sent automatically then"
    )


class ExecutionSubmitResult(msgspec.Struct, frozen=True, gc=False):
    """The result of submitting one execution."""

    execution_id: int
    status: SubmitStatus
    state: SubmissionState | None
    """The submission state; None when the execution does not exist."""
    code: str
    message: str
    execution_service_id: int | None = None
    status_id: int | None = None
    version: int | None = None
    """Status and version as recorded; None if another process recorded them."""
    request_index: int = 0

    @property
    def is_final(self) -> bool:
        """Whether the engine is done with it."""
        return self.status is not SubmitStatus.PENDING

    @classmethod
    def pending(cls, execution_id: int, state: SubmissionState) -> "ExecutionSubmitResult":
        """The result of an execution that is still open when its caller stops waiting."""
        return cls(execution_id, SubmitStatus.PENDING, state, OutcomeCode.PENDING, PENDING_MESSAGE)

    @classmethod
    def deferred(
        cls, execution_id: int, state: SubmissionState, message: str = DEFERRED_MESSAGE
    ) -> "ExecutionSubmitResult":
        """The result of an execution that waits for the circuit to close."""
        return cls(execution_id, SubmitStatus.PENDING, state, OutcomeCode.CIRCUIT_OPEN, message)

    @classmethod
    def held(cls, execution_id: int, state: SubmissionState, reason: str) -> "ExecutionSubmitResult":
        """The result of an execution that waits since nothing may be claimed, because of `reason`."""
        message = f"{PENDING_MESSAGE}: {reason}; it is sent automatically once that is settled"
        return cls(execution_id, SubmitStatus.PENDING, state, OutcomeCode.LEDGER_CLOSED, message)

    @classmethod
    def paused(cls, execution_id: int, state: SubmissionState) -> "ExecutionSubmitResult":
        """The result of an execution that waits since sending to its destination is paused."""
        return cls(execution_id, SubmitStatus.PENDING, state, OutcomeCode.PAUSED, PAUSED_MESSAGE)

    @classmethod
    def not_claimed(cls, refused: NotClaimed) -> "ExecutionSubmitResult | None":
        """The final result of an execution that could not be claimed; None while it is open."""
        execution_id, failed = refused.execution_id, SubmitStatus.FAILED
        if refused.withdrawn is not None:
            status = refused.withdrawn
            message = f"its status is {status}, so it was not sent: set the status to NEW, then submit it"
            return cls(execution_id, failed, SubmissionState.NONE, OutcomeCode.NOT_SUBMITTABLE, message)
        if refused.state is None:
            message = f"execution {execution_id} does not exist"
            return cls(execution_id, failed, None, OutcomeCode.NOT_FOUND, message)
        if refused.state not in FINAL:
            return None
        accepted = refused.state is SubmissionState.ACCEPTED
        return cls(
            execution_id,
            STATUS_OF[refused.state],
            refused.state,
            ALREADY[refused.state],
            f"was {refused.state} before" + ("" if accepted else ": an operator may requeue it"),
            refused.execution_service_id,
        )


class SubmitResult(msgspec.Struct, frozen=True):
    """The result of submitting one execution, in the shape that the service's callers know."""

    status: SubmitStatus
    error: str | None
    result: ExecutionSubmitResult


class BulkSubmitResult(msgspec.Struct, frozen=True):
    """The results of many executions, in the caller's order."""

    status: str
    """SUCCESS, PARTIAL or FAILURE; what is pending counts as neither success nor failure."""
    message: str
    total_requested: int
    successful: int
    failed: int
    pending: int
    results: tuple[ExecutionSubmitResult, ...]

    @classmethod
    def of(cls, results: tuple[ExecutionSubmitResult, ...]) -> "BulkSubmitResult":
        """Summarizes `results`, which are in the caller's order."""
        successful = sum(r.status is SubmitStatus.SUCCESS for r in results)
        pending = sum(r.status is SubmitStatus.PENDING for r in results)
        failed = len(results) - successful - pending
        status = "SUCCESS" if not failed else "PARTIAL" if successful or pending else "FAILURE"
        message = f"{successful} accepted, {failed} failed, {pending} pending of {len(results)}"
        return cls(status, message, len(results), successful, failed, pending, results)
