"""What the heart passes around: claimed executions, replies, outcomes, results. Pure.

Structs that exist once an execution cannot hold cycles, so the garbage collector need not visit them.
"""

from decimal import Decimal
from enum import StrEnum

import msgspec

from trade_service.domain.executions import FINAL, SubmissionState
from trade_service.submission.codes import OutcomeCode
from trade_service.submission.messages import BatchExecutionResponse

AttemptId = str
"""A UUID made by the client, before the row exists: a lost COMMIT can be asked for by it."""


class ClaimedExecution(msgspec.Struct, frozen=True, gc=False):
    """An execution that an attempt owns, with all that its request needs."""

    execution_id: int
    trade_type: str | None
    destination: str
    security_id: str
    quantity: Decimal
    limit_price: Decimal | None
    attempts_spent: int
    """Attempts that count against the budget, the present one included if it counts."""
    budget_left_s: float
    """Seconds until the execution is given up, at the time of the claim, by the database's clock."""


class NotClaimed(msgspec.Struct, frozen=True, gc=False):
    """An execution that could not be claimed, and why: its state, or None when it does not exist."""

    execution_id: int
    state: SubmissionState | None
    execution_service_id: int | None = None
    legacy: bool = False
    """Written by another program and not taken over yet."""
    withdrawn: str | None = None
    """The status that keeps an execution in state `none` from being sent, such as HOLD."""


MAX_RETRY_COUNT = 1000


class NewAttempt(msgspec.Struct, frozen=True):
    """What is written about an attempt before its first byte leaves."""

    attempt_id: AttemptId
    owner: str
    lease_ms: int
    settle_ms: int
    epoch: int
    """The life of the Execution Service's ledger that this process has read; nothing is claimed in another."""
    give_up_after_ms: int
    retry_count: int = 0
    """Calls in a row for these executions before this one that did not settle them; at most MAX_RETRY_COUNT."""
    counted: bool = False
    """Whether it counts against the budget of its execution. Only an attempt for a single execution may."""


class Claim(msgspec.Struct, frozen=True):
    """The answer to a claim: what is ours now, and what is not."""

    items: tuple[ClaimedExecution, ...]
    not_claimed: tuple[NotClaimed, ...]
    low_water_id: int | None = 0
    """Greatest id known in the ledger before this attempt: a look-up reads no further back. 0: to the end.
    None: nothing could be claimed, since the ledger is suspected, blocked, or in another epoch."""


class ReplyKind(StrEnum):
    """What a reply, or its absence, proves about the whole batch (docs/failures.md)."""

    ANSWERED = "answered"
    """A readable answer: interpret it item by item."""
    NOT_SENT = "not_sent"
    """Nothing was accepted, and the same request may be accepted later."""
    CONFIGURATION = "configuration"
    """Nothing was accepted, and nothing will be until somebody changes the configuration."""
    REFUSED_WHOLE = "refused_whole"
    """Nothing was accepted since something in the request is wrong."""
    UNCLEAR = "unclear"
    """Answered, but what was accepted cannot be told."""
    LOST = "lost"
    """Bytes may have left and no answer came."""


class GatewayReply(msgspec.Struct, frozen=True):
    """What came of one call of the batch endpoint: always a value, never an exception."""

    kind: ReplyKind
    code: str
    """Error code; OK for a readable 201 or 207."""
    message: str
    http_status: int | None = None
    response: BatchExecutionResponse | None = None
    retry_after_s: float | None = None
    duration_ms: float = 0.0
    own_doing: bool = False
    """Whether the Execution Service had no part in it: our own deadline or our own pool kept it from leaving."""
    handler_failed: bool = False
    """Whether the service's own handler answered 500 and does not blame the end of its transaction."""


class ItemOutcome(msgspec.Struct, frozen=True, gc=False):
    """What an execution becomes, and why."""

    execution_id: int
    state: SubmissionState
    code: str
    message: str
    execution_service_id: int | None = None


class AttemptClosing(msgspec.Struct, frozen=True):
    """What is recorded when an attempt was answered, failed, or was looked up."""

    attempt_id: AttemptId
    owned_as: SubmissionState
    """The state in which this attempt owns its executions: negative evidence counts only there."""
    outcomes: tuple[ItemOutcome, ...]
    kind: ReplyKind
    code: str
    message: str
    http_status: int | None = None
    duration_ms: float = 0.0
    next_action_in_ms: int | None = None
    """When recovery has to look at this attempt again; None closes it."""
    next_batch_size: int | None = None
    """Retries of this attempt go out in batches of at most this many."""
    spent: bool = True
    """False gives back the attempt that the claim counted against the execution's budget."""
    pauses_budget: bool = False
    """Whether the time budgets of executions that stay open stand still until they are claimed again."""
    settle_ms: int | None = None
    """A shorter settle time of the attempt; None leaves it as it is."""
    high_water_id: int | None = None
    """Greatest downstream id seen."""
    epoch: int | None = None
    """Of a look-up: the life of the ledger that it read. Absence is recorded only while that one lasts."""


class Recorded(msgspec.Struct, frozen=True, gc=False):
    """An execution's state after a record: not what was asked for when the fencing token had passed on."""

    execution_id: int
    state: SubmissionState
    execution_service_id: int | None
    version: int
    status_id: int
    changed: bool
    state_before: SubmissionState | None
    duplicate_of: int | None = None
    """The id it was already accepted under when a second acceptance came to light."""


class OpenItem(msgspec.Struct, frozen=True, gc=False):
    """An execution that an attempt still owns, as recovery needs it; accepted when only its id is missing."""

    execution_id: int
    state: SubmissionState
    trade_type: str | None
    destination: str
    security_id: str
    quantity: Decimal
    attempts_spent: int
    budget_left_s: float


class DueAttempt(msgspec.Struct, frozen=True):
    """An attempt whose next action is due, held for us for a while."""

    attempt_id: AttemptId
    low_water_id: int
    low_water_execution_id: int | None
    """The execution that the row `low_water_id` named, which identifies the ledger; None if not known."""
    settle_ms: int
    settled: bool
    """By the database's clock: the settle time has passed since the last moment bytes could leave."""
    epoch: int
    """The life of the ledger in which it was claimed: in a later one only presence can still be proven."""
    look_ups: int
    next_batch_size: int | None
    retry_count: int
    """Calls in a row for its executions before it that did not settle them."""
    adopted: bool
    """Made for rows of the earlier service: absence leads back to `none`, never to a retry."""
    items: tuple[OpenItem, ...]
    lease_ms: int = 0
    """How long its owner may have sent from the claim on, where it did not record what came of it; else 0."""
    requeued: bool = False
    """Made by an operator's requeue: what a look-up finds had been accepted before, and given up all the same."""
    size: int = 0
    """How many executions it was made for."""
    age_s: float = 0.0
    """Seconds since its claim, by the database's clock."""
    kind: str | None = None
    """A ReplyKind, `requeued`, or None for a ticket."""
    code: str | None = None
    message: str = ""
    http_status: int | None = None

    @property
    def calls(self) -> int:
        """Calls in a row, this attempt's included if it made one, that did not settle its executions."""
        no_call = self.kind is None or self.requeued or self.code == OutcomeCode.CIRCUIT_OPEN
        return self.retry_count if no_call else min(self.retry_count + 1, MAX_RETRY_COUNT)


class SubmitStatus(StrEnum):
    """The outcome of a submission as a caller sees it."""

    SUCCESS = "SUCCESS"
    FAILED = "FAILED"
    RETRY_EXHAUSTED = "RETRY_EXHAUSTED"
    PENDING = "PENDING"


# On Python 3.11 a member costs ten times a name of the module, and some are asked for per execution.
_PENDING = SubmitStatus.PENDING
_STATUS_OF = {
    SubmissionState.ACCEPTED: SubmitStatus.SUCCESS,
    SubmissionState.REJECTED: SubmitStatus.FAILED,
    SubmissionState.EXHAUSTED: SubmitStatus.RETRY_EXHAUSTED,
}
ALREADY = {
    SubmissionState.ACCEPTED: OutcomeCode.ALREADY_ACCEPTED,
    SubmissionState.REJECTED: OutcomeCode.ALREADY_REJECTED,
    SubmissionState.EXHAUSTED: OutcomeCode.ALREADY_EXHAUSTED,
}
_SETTLED = {
    SubmissionState.ACCEPTED: OutcomeCode.SETTLED_ACCEPTED,
    SubmissionState.REJECTED: OutcomeCode.SETTLED_REJECTED,
    SubmissionState.EXHAUSTED: OutcomeCode.SETTLED_EXHAUSTED,
}
PENDING_MESSAGE = "pending, do not resubmit"
DEFERRED_MESSAGE = (
    f"{PENDING_MESSAGE}: the Execution Service is not called now since its last calls failed or were too "
    "slow; it is sent by itself later"
)


def refused_message(reason: str) -> str:
    """The message of an execution that waits until the Execution Service lets us in again."""
    return (
        f"{PENDING_MESSAGE}: the Execution Service takes nothing from this service until its configuration is "
        f"corrected ({reason}); it is sent by itself then"
    )


class ExecutionSubmitResult(msgspec.Struct, frozen=True, gc=False):
    """What came of submitting one execution."""

    execution_id: int
    status: SubmitStatus
    state: SubmissionState | None
    """The submission state; None when the execution does not exist."""
    code: str
    message: str
    execution_service_id: int | None = None
    status_id: int | None = None
    version: int | None = None
    """Status and version as recorded, None when this process did not record them."""
    request_index: int = 0

    @property
    def is_final(self) -> bool:
        """Whether nothing more will happen by itself."""
        return self.status is not SubmitStatus.PENDING

    @classmethod
    def of(cls, outcome: ItemOutcome, recorded: Recorded) -> "ExecutionSubmitResult":
        """The result of an execution whose outcome was recorded (or had been, by somebody else)."""
        state, code, message = recorded.state, outcome.code, outcome.message
        if state is not outcome.state:
            code = _SETTLED.get(state, OutcomeCode.SETTLED_ELSEWHERE)
            message = f"settled as {state} elsewhere"
        return cls(
            outcome.execution_id,
            _STATUS_OF.get(state, _PENDING),
            state,
            code,
            message,
            recorded.execution_service_id,
            recorded.status_id,
            recorded.version,
        )

    @classmethod
    def pending(cls, execution_id: int, state: SubmissionState) -> "ExecutionSubmitResult":
        """The result of an execution that is still under way when its caller stops waiting."""
        return cls(execution_id, SubmitStatus.PENDING, state, OutcomeCode.PENDING, PENDING_MESSAGE)

    @classmethod
    def deferred(
        cls, execution_id: int, state: SubmissionState, message: str = DEFERRED_MESSAGE
    ) -> "ExecutionSubmitResult":
        """The result of an execution that waits since the circuit is open; `message` says why."""
        return cls(execution_id, SubmitStatus.PENDING, state, OutcomeCode.CIRCUIT_OPEN, message)

    @classmethod
    def held(cls, execution_id: int, state: SubmissionState, reason: str) -> "ExecutionSubmitResult":
        """The result of an execution that waits since nothing may be claimed, for `reason`."""
        message = f"{PENDING_MESSAGE}: {reason}; it is sent automatically once that is settled"
        return cls(execution_id, SubmitStatus.PENDING, state, OutcomeCode.LEDGER_CLOSED, message)

    @classmethod
    def withdrawn(cls, execution_id: int, status: str) -> "ExecutionSubmitResult":
        """The final result of an execution that is held back or called off."""
        message = f"its status is {status}, so it was not sent: set the status to NEW, then submit it"
        return cls(
            execution_id, SubmitStatus.FAILED, SubmissionState.NONE, OutcomeCode.NOT_SUBMITTABLE, message
        )

    @classmethod
    def not_claimed(cls, refused: NotClaimed) -> "ExecutionSubmitResult | None":
        """The final result of an execution that could not be claimed; None while it is under way."""
        if refused.withdrawn is not None:
            return cls.withdrawn(refused.execution_id, refused.withdrawn)
        if refused.state is None:
            message = f"execution {refused.execution_id} does not exist"
            return cls(refused.execution_id, SubmitStatus.FAILED, None, OutcomeCode.NOT_FOUND, message)
        if refused.state not in FINAL:
            return None
        accepted = refused.state is SubmissionState.ACCEPTED
        return cls(
            refused.execution_id,
            _STATUS_OF[refused.state],
            refused.state,
            ALREADY[refused.state],
            f"was {refused.state} before" + ("" if accepted else ": an operator may requeue it"),
            refused.execution_service_id,
        )

    def settled_meanwhile(self) -> "ExecutionSubmitResult":
        """The same for a caller who submitted it himself: what was settled, was so while he waited."""
        if self.state is None or self.code != ALREADY.get(self.state):
            return self
        accepted = self.state is SubmissionState.ACCEPTED
        message = f"settled as {self.state} elsewhere" + ("" if accepted else ": an operator may requeue it")
        return msgspec.structs.replace(self, code=_SETTLED[self.state], message=message)


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
        """Counts and sums up `results`, which are in the caller's order."""
        successful = sum(r.status is SubmitStatus.SUCCESS for r in results)
        pending = sum(r.status is SubmitStatus.PENDING for r in results)
        failed = len(results) - successful - pending
        status = "SUCCESS" if not failed else "PARTIAL" if successful or pending else "FAILURE"
        message = f"{successful} accepted, {failed} failed, {pending} pending of {len(results)}"
        return cls(status, message, len(results), successful, failed, pending, results)
