"""ExecutionFailureHandler: what a reply or a reconciliation proves, and what happens next. Pure.

The only question after a failure is: may it have been accepted? (docs/failures.md)
"""

from collections.abc import Callable, Iterable, Sequence
from enum import StrEnum

import msgspec

from trade_service.domain.executions import SubmissionState
from trade_service.submission.codes import OutcomeCode
from trade_service.submission.engine_settings import EngineSettings
from trade_service.submission.model import (
    DEFERRED_MESSAGE,
    AttemptClosing,
    AttemptId,
    ClaimedExecution,
    DueAttempt,
    GatewayReply,
    ItemOutcome,
    NewAttempt,
    OpenItem,
    ReplyKind,
    refused_message,
)

_SERVER_ERROR = 500
_UNKNOWN, _RETRY = SubmissionState.UNKNOWN, SubmissionState.RETRY

Random = Callable[[], float]
"""Returns a number in [0, 1)."""


class Decision(StrEnum):
    """What happens next to an execution."""

    ACCEPT = "accept"
    REJECT = "reject"
    RETRY = "retry"
    HALVE = "halve"
    LOOK_UP = "look_up"
    EXHAUST = "exhaust"


STATE_OF: dict[Decision, SubmissionState] = {
    Decision.ACCEPT: SubmissionState.ACCEPTED,
    Decision.REJECT: SubmissionState.REJECTED,
    Decision.RETRY: SubmissionState.RETRY,
    Decision.HALVE: SubmissionState.RETRY,
    Decision.LOOK_UP: SubmissionState.UNKNOWN,
    Decision.EXHAUST: SubmissionState.EXHAUSTED,
}

SPENDS_BUDGET: dict[ReplyKind, bool] = {
    ReplyKind.ANSWERED: True,
    ReplyKind.NOT_SENT: False,
    ReplyKind.CONFIGURATION: False,
    ReplyKind.REFUSED_WHOLE: False,
    ReplyKind.UNCLEAR: True,
    ReplyKind.LOST: True,
}
"""An attempt spends of the budget if it may have reached the ledger, and sent one execution alone
(`NewAttempt.counted`)."""

PARTS = 10
"""A failed batch is retried in so many parts, and a failed part in single executions."""
OUTAGE_TRIES = 3
"""After so many consecutive calls a batch is split even in an outage, which unsplit batches may have caused."""
FILTERED_STATUSES = frozenset({403, 404})
"""A proxy may replace the answer to a call that succeeded by one of these."""


RECONCILIATION_DELAY_MS = 500


def retry_size(
    kind: str | None, http_status: int | None, size: int, retry_count: int, *, outage: bool
) -> int | None:
    """The largest batch in which executions are retried after they were proven absent; None: all of them.

    size: how many the failed call carried.
    retry_count: how many consecutive calls failed before it.
    outage: whether calls failed in general around that time.

    One execution may make the service fail the whole batch. So an answered 5xx is followed by parts and then by
    single executions, and repeated silence by halves. In an outage the batch is retried whole.
    """
    answered = kind == ReplyKind.UNCLEAR and http_status is not None and http_status >= _SERVER_ERROR
    silent = not answered and kind in (ReplyKind.LOST, ReplyKind.UNCLEAR)
    if size <= 1 or not (answered or silent):
        return None
    if (outage and retry_count < OUTAGE_TRIES) or (silent and retry_count == 0):
        return None
    if silent:
        return (size + 1) // 2
    return -(-size // PARTS) if size > PARTS else 1


class Hold(msgspec.Struct, frozen=True):
    """Why and how long the open circuit defers a batch."""

    reason: str
    wait_ms: int
    message: str = DEFERRED_MESSAGE
    """For callers."""
    pauses_budget: bool = False


class Circumstances(msgspec.Struct, frozen=True):
    """The state of this process's calls at the time of a conclusion."""

    outage: bool = False
    """Whether calls failed in general at some time since the attempt began."""
    deferred_message: str | None = None
    """The message while the Execution Service rejects every call, and time budgets stand still; else None."""


class ExecutionFailureHandler:
    """Decides the state of each execution of an attempt, and when to act again."""

    def __init__(self, settings: EngineSettings, look_up_delay_ms: int = RECONCILIATION_DELAY_MS) -> None:
        """`look_up_delay_ms`: before the first reconciliation; it doubles from one to the next."""
        self._settings = settings
        self._retry = settings.retry
        self._look_up_delay_ms = look_up_delay_ms

    def decide_reply(self, reply: GatewayReply, item: ClaimedExecution, batch_size: int) -> Decision:
        """Decides for one execution of a batch that was not answered item by item."""
        match reply.kind:
            case ReplyKind.NOT_SENT:
                return Decision.RETRY if item.budget_left_s > 0 else Decision.EXHAUST
            case ReplyKind.CONFIGURATION:
                filtered = reply.http_status in FILTERED_STATUSES
                return Decision.LOOK_UP if filtered else Decision.RETRY
            case ReplyKind.REFUSED_WHOLE:
                return Decision.HALVE if batch_size > 1 else Decision.REJECT
            case ReplyKind.UNCLEAR | ReplyKind.LOST | ReplyKind.ANSWERED:
                return Decision.LOOK_UP

    def decide_absent(self, item: OpenItem, *, adopted: bool, paused: bool = False) -> SubmissionState:
        """The state of an execution that is proven absent; `paused`: its time budget is stopped."""
        if adopted:
            # A legacy order may be months old: only a person sends it again.
            return SubmissionState.NONE
        if item.attempts_spent >= self._retry.max_attempts or (item.budget_left_s <= 0 and not paused):
            return SubmissionState.EXHAUSTED
        return SubmissionState.RETRY

    def close_reply(
        self,
        attempt: NewAttempt,
        reply: GatewayReply,
        sent: Sequence[ClaimedExecution],
        answered: Sequence[ItemOutcome],
        unsendable: Iterable[ItemOutcome],
        random: Random,
    ) -> AttemptClosing:
        """What to record for a reply: the outcome of every execution and the next action.

        `answered`: the outcomes by item of an answered call; other replies are decided for the batch as a whole.
        """
        attempt_id = attempt.attempt_id
        if reply.kind is ReplyKind.ANSWERED:
            outcomes = [
                _explained(outcome, attempt_id) if outcome.state is _UNKNOWN else outcome
                for outcome in answered
            ]
        else:
            outcomes = [self._reply_outcome(reply, item, len(sent), attempt_id) for item in sent]
        outcomes.extend(unsendable)
        next_ms = next_size = None
        if any(outcome.state is _UNKNOWN or outcome.state is _RETRY for outcome in outcomes):
            next_ms = self._next_action_ms(reply, outcomes, sent, attempt.retry_count, random)
            next_size = self._next_batch_size(reply, outcomes, len(sent))
        ids = [o.execution_service_id for o in outcomes if o.execution_service_id is not None]
        return AttemptClosing(
            attempt_id=attempt_id,
            owned_as=SubmissionState.CLAIMED,
            outcomes=tuple(outcomes),
            kind=reply.kind,
            code=reply.code,
            message=reply.message,
            http_status=reply.http_status,
            duration_ms=reply.duration_ms,
            next_action_in_ms=next_ms,
            next_batch_size=next_size,
            spent=SPENDS_BUDGET[reply.kind] or not attempt.counted,
            pauses_budget=reply.kind is ReplyKind.CONFIGURATION,
            settle_ms=self._settings.execution_service.answered_settle_ms if reply.handler_failed else None,
            high_water_id=max(ids) if ids else None,
        )

    def close_unsent(
        self,
        attempt: NewAttempt,
        hold: Hold,
        held: Sequence[ClaimedExecution],
        unsendable: Iterable[ItemOutcome],
    ) -> AttemptClosing:
        """What to record for a batch that the open circuit deferred."""
        message = f"not sent, the Execution Service is not called now: {hold.reason}"
        outcomes = [_held_outcome(hold, item, message, attempt.attempt_id) for item in held]
        waiting = any(outcome.state is SubmissionState.RETRY for outcome in outcomes)
        return AttemptClosing(
            attempt_id=attempt.attempt_id,
            owned_as=SubmissionState.CLAIMED,
            outcomes=(*outcomes, *unsendable),
            kind=ReplyKind.NOT_SENT,
            code=OutcomeCode.CIRCUIT_OPEN,
            message=message,
            next_action_in_ms=hold.wait_ms if waiting else None,
            spent=not attempt.counted,
            pauses_budget=hold.pauses_budget,
        )

    def backoff_ms(self, tries: int, random: Random, retry_after_s: float | None = None) -> int:
        """Exponential backoff with full jitter after `tries` (from 1), and at least Retry-After."""
        exponent = min(max(tries, 1) - 1, 64)
        ceiling = min(
            self._retry.max_delay_ms, self._retry.initial_delay_ms * self._retry.multiplier**exponent
        )
        waited = round(ceiling * random())
        if retry_after_s is None:
            return waited
        return max(waited, round(min(retry_after_s * 1000, self._retry.max_delay_ms)))

    def look_up_delay_ms(self, look_ups: int, random: Random) -> int:
        """Delay before the next of endless reconciliations: half to all of a capped exponential step."""
        step = min(
            self._settings.submission.look_up_max_delay_ms, self._look_up_delay_ms * 2 ** min(look_ups, 32)
        )
        pause: float = step * (0.5 + 0.5 * random())
        return round(pause)

    def _reply_outcome(
        self, reply: GatewayReply, item: ClaimedExecution, batch_size: int, attempt_id: AttemptId
    ) -> ItemOutcome:
        decision = self.decide_reply(reply, item, batch_size)
        message = f"{reply.message} (attempt {attempt_id}): {_NEXT_STEP[decision]}"
        if reply.kind is ReplyKind.CONFIGURATION:
            message = refused_message(reply.message)
        return ItemOutcome(item.execution_id, STATE_OF[decision], reply.code, message)

    def _next_action_ms(
        self,
        reply: GatewayReply,
        outcomes: Sequence[ItemOutcome],
        sent: Sequence[ClaimedExecution],
        retry_count: int,
        random: Random,
    ) -> int:
        if any(outcome.state is _UNKNOWN for outcome in outcomes):
            return self.look_up_delay_ms(0, random)
        if reply.kind is ReplyKind.REFUSED_WHOLE:
            return 0
        tries = max(retry_count + 1, *(item.attempts_spent for item in sent))
        return self.backoff_ms(tries, random, reply.retry_after_s)

    def _next_batch_size(
        self, reply: GatewayReply, outcomes: Sequence[ItemOutcome], batch_size: int
    ) -> int | None:
        if reply.kind is ReplyKind.REFUSED_WHOLE:
            return max(1, (batch_size + 1) // 2)
        unsettled = sum(outcome.state is SubmissionState.UNKNOWN for outcome in outcomes)
        few = self._settings.batch.retry_failed_individually
        if reply.kind is not ReplyKind.ANSWERED or not unsettled or not few:
            return None
        return 1 if unsettled <= few else (unsettled + 1) // 2


def _explained(outcome: ItemOutcome, attempt_id: AttemptId) -> ItemOutcome:
    message = f"{outcome.message} (attempt {attempt_id}): {_NEXT_STEP[Decision.LOOK_UP]}"
    return msgspec.structs.replace(outcome, message=message)


def _held_outcome(hold: Hold, item: ClaimedExecution, why: str, attempt_id: AttemptId) -> ItemOutcome:
    if item.budget_left_s > 0 or hold.pauses_budget:
        return ItemOutcome(item.execution_id, SubmissionState.RETRY, OutcomeCode.CIRCUIT_OPEN, hold.message)
    message = f"{why} (attempt {attempt_id}): {_NEXT_STEP[Decision.EXHAUST]}"
    return ItemOutcome(item.execution_id, SubmissionState.EXHAUSTED, OutcomeCode.CIRCUIT_OPEN, message)


_NEXT_STEP = {
    Decision.ACCEPT: "accepted",
    Decision.REJECT: "not sent again; the quantity goes back to the order",
    Decision.RETRY: "it is sent again after a pause",
    Decision.HALVE: "it is sent again in a smaller batch to find the one at fault",
    Decision.LOOK_UP: "it is looked up before anything is sent again",
    Decision.EXHAUST: "exhausted; the quantity goes back to the order",
}


def absent_outcome(
    handler: ExecutionFailureHandler, attempt: DueAttempt, item: OpenItem, now: Circumstances
) -> ItemOutcome:
    """The outcome of an execution that a reconciliation proved absent."""
    paused = now.deferred_message is not None
    state = handler.decide_absent(item, adopted=attempt.adopted, paused=paused)
    if state is SubmissionState.EXHAUSTED:
        return exhausted_outcome(attempt, item)
    next_step = "it is sent again" if state is _RETRY else "it can be submitted"
    if paused and state is _RETRY:
        next_step = f"{now.deferred_message}"
    message = f"proven absent downstream by a look-up: {next_step}"
    return ItemOutcome(item.execution_id, state, OutcomeCode.PROVEN_ABSENT, message)


def exhausted_outcome(attempt: DueAttempt, item: OpenItem) -> ItemOutcome:
    """The outcome of an absent execution whose time is up, or whose attempts are spent."""
    if item.budget_left_s <= 0:
        why = f"{attempt.calls} call{'' if attempt.calls == 1 else 's'}, and its time is up"
    else:
        why = f"{item.attempts_spent} attempt{'' if item.attempts_spent == 1 else 's'} of its own"
    last = f"; last: {attempt.message}" if attempt.message else ""
    message = f"never accepted in {why}{last}. Exhausted; the quantity goes back to the order"
    return ItemOutcome(item.execution_id, SubmissionState.EXHAUSTED, OutcomeCode.BUDGET_SPENT, message)


def next_batch_size(attempt: DueAttempt, now: Circumstances) -> int | None:
    """The largest batch in which the attempt is retried; None: all of it."""
    if attempt.kind == ReplyKind.ANSWERED:
        return attempt.next_batch_size
    return retry_size(attempt.kind, attempt.http_status, attempt.size, attempt.retry_count, outage=now.outage)
