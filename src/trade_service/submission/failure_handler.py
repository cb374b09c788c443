"""ExecutionFailureHandler: what a reply or a look-up proves, and what happens next. Pure.

The one question after any failure is: may it have been accepted? (docs/failures.md)
"""

from collections.abc import Callable, Iterable, Sequence
from enum import StrEnum

import msgspec

from trade_service.domain.executions import SubmissionState
from trade_service.submission.codes import OutcomeCode
from trade_service.submission.model import (
    PUT_OFF_MESSAGE,
    AttemptClosing,
    AttemptId,
    ClaimedExecution,
    GatewayReply,
    ItemOutcome,
    ItemReading,
    OpenItem,
    ReplyKind,
    Verdict,
)

_ACCEPTED = SubmissionState.ACCEPTED
_SAID_YES = Verdict.ACCEPTED

Dice = Callable[[], float]
"""Yields a number in [0, 1)."""

TRANSIENT_WORDS = (
    "timeout", "timed out", "time-out", "connection", "unavailable", "deadlock", "temporar", "internal error",
    "internal server error", "try again", "too many", "could not serialize", "lock",
)  # fmt: skip
"""A failed item whose message holds one of these says nothing of the execution itself. Such a failure
happened at the service's database, where rows may have been committed: it is looked up, not resent."""


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
    ReplyKind.CONFIGURATION: True,
    ReplyKind.REFUSED_WHOLE: False,
    ReplyKind.UNCLEAR: True,
    ReplyKind.LOST: True,
}
"""Only an attempt that may have reached the service's books counts against an execution's budget."""


class RetryPolicy(msgspec.Struct, frozen=True):
    """Budgets and pacing; times in milliseconds."""

    max_attempts: int = 5
    initial_delay_ms: int = 1000
    multiplier: float = 2.0
    max_delay_ms: int = 30_000
    retry_failed_individually: int = 3
    """Failed items of an answered batch go back alone when at most this many, else in two halves; 0: together."""
    look_up_delay_ms: int = 500
    look_up_max_delay_ms: int = 60_000
    transient_words: tuple[str, ...] = TRANSIENT_WORDS


class ExecutionFailureHandler:
    """Decides, from what is known, what each execution of an attempt becomes and when to act again."""

    def __init__(self, policy: RetryPolicy) -> None:
        self._policy = policy
        self._transient = tuple(word.lower() for word in policy.transient_words)

    def decide_reply(self, reply: GatewayReply, item: ClaimedExecution, batch_size: int) -> Decision:
        """The decision for one execution of a batch that was not answered item by item."""
        match reply.kind:
            case ReplyKind.NOT_SENT:
                return Decision.RETRY if item.budget_left_s > 0 else Decision.EXHAUST
            case ReplyKind.CONFIGURATION:
                return Decision.EXHAUST
            case ReplyKind.REFUSED_WHOLE:
                return Decision.HALVE if batch_size > 1 else Decision.REJECT
            case ReplyKind.UNCLEAR | ReplyKind.LOST | ReplyKind.ANSWERED:
                return Decision.LOOK_UP

    def decide_reading(self, reading: ItemReading) -> Decision:
        """The decision for one execution of an answered batch."""
        if reading.verdict is Verdict.ACCEPTED:
            return Decision.ACCEPT
        if reading.verdict is Verdict.REFUSED and not self.is_transient(reading.message):
            return Decision.REJECT
        return Decision.LOOK_UP

    def decide_absent(self, item: OpenItem, *, adopted: bool) -> SubmissionState:
        """What an execution becomes once it is proven absent downstream."""
        if adopted:
            # An order of the earlier service may be months old: only a person sends it again.
            return SubmissionState.NONE
        if item.attempts_spent >= self._policy.max_attempts or item.budget_left_s <= 0:
            return SubmissionState.EXHAUSTED
        return SubmissionState.RETRY

    def is_transient(self, message: str) -> bool:
        """Whether a failed item's message speaks of the service's troubles, not of the execution."""
        text = message.lower()
        return any(word in text for word in self._transient)

    def close_reply(
        self,
        attempt_id: AttemptId,
        reply: GatewayReply,
        sent: Sequence[ClaimedExecution],
        readings: Sequence[ItemReading],
        unsendable: Iterable[ItemOutcome],
        streak: int,
        dice: Dice,
    ) -> AttemptClosing:
        """What to record for a reply: every execution's outcome and when to look again."""
        if reply.kind is ReplyKind.ANSWERED:
            outcomes = [self._read_outcome(reading, attempt_id) for reading in readings]
        else:
            outcomes = [self._reply_outcome(reply, item, len(sent), attempt_id) for item in sent]
        outcomes.extend(unsendable)
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
            next_action_in_ms=self._next_action_ms(reply, outcomes, sent, streak, dice),
            next_batch_size=self._next_batch_size(reply, outcomes, len(sent)),
            spent=SPENDS_BUDGET[reply.kind],
            top_id=max(ids) if ids else None,
        )

    def close_unsent(
        self,
        attempt_id: AttemptId,
        reason: str,
        held: Sequence[ClaimedExecution],
        unsendable: Iterable[ItemOutcome],
        wait_ms: int,
    ) -> AttemptClosing:
        """What to record for a batch that the open circuit held back: it is due again in `wait_ms`."""
        message = f"not sent, the Execution Service is not called now: {reason}"
        reply = GatewayReply(ReplyKind.NOT_SENT, OutcomeCode.CIRCUIT_OPEN, message)
        outcomes = [self._reply_outcome(reply, item, len(held), attempt_id) for item in held]
        waiting = any(outcome.state is SubmissionState.RETRY for outcome in outcomes)
        return AttemptClosing(
            attempt_id=attempt_id,
            owned_as=SubmissionState.CLAIMED,
            outcomes=(*outcomes, *unsendable),
            kind=reply.kind,
            code=reply.code,
            message=message,
            next_action_in_ms=wait_ms if waiting else None,
            spent=SPENDS_BUDGET[reply.kind],
        )

    def backoff_ms(self, tries: int, dice: Dice, retry_after_s: float | None = None) -> int:
        """Exponential backoff with full jitter after `tries` (from 1); at least Retry-After when given."""
        exponent = min(max(tries, 1) - 1, 64)
        ceiling = min(
            self._policy.max_delay_ms, self._policy.initial_delay_ms * self._policy.multiplier**exponent
        )
        waited = round(ceiling * dice())
        if retry_after_s is None:
            return waited
        return max(waited, round(min(retry_after_s * 1000, self._policy.max_delay_ms)))

    def look_up_delay_ms(self, look_ups: int, dice: Dice) -> int:
        """Calm, capped pacing of endless look-ups: between half and the whole of the exponential step."""
        step = min(self._policy.look_up_max_delay_ms, self._policy.look_up_delay_ms * 2 ** min(look_ups, 32))
        pause: float = step * (0.5 + 0.5 * dice())
        return round(pause)

    def _read_outcome(self, reading: ItemReading, attempt_id: AttemptId) -> ItemOutcome:
        if reading.verdict is _SAID_YES:
            return ItemOutcome(
                reading.execution_id,
                _ACCEPTED,
                reading.code,
                reading.message,
                reading.execution_service_id,
            )
        state = STATE_OF[self.decide_reading(reading)]
        message = reading.message
        if state is SubmissionState.UNKNOWN:
            message = f"{message} (attempt {attempt_id}): it is looked up before anything is sent again"
        return ItemOutcome(reading.execution_id, state, reading.code, message, reading.execution_service_id)

    def _reply_outcome(
        self, reply: GatewayReply, item: ClaimedExecution, batch_size: int, attempt_id: AttemptId
    ) -> ItemOutcome:
        decision = self.decide_reply(reply, item, batch_size)
        if decision is Decision.RETRY and reply.code == OutcomeCode.CIRCUIT_OPEN:
            return ItemOutcome(item.execution_id, STATE_OF[decision], reply.code, PUT_OFF_MESSAGE)
        message = f"{reply.message} (attempt {attempt_id}): {_NEXT_STEP[decision]}"
        return ItemOutcome(item.execution_id, STATE_OF[decision], reply.code, message)

    def _next_action_ms(
        self,
        reply: GatewayReply,
        outcomes: Sequence[ItemOutcome],
        sent: Sequence[ClaimedExecution],
        streak: int,
        dice: Dice,
    ) -> int | None:
        states = {outcome.state for outcome in outcomes}
        if SubmissionState.UNKNOWN in states:
            return self.look_up_delay_ms(0, dice)
        if SubmissionState.RETRY not in states:
            return None
        if reply.kind is ReplyKind.REFUSED_WHOLE:
            return 0
        tries = streak + max((item.attempts_spent for item in sent), default=1)
        return self.backoff_ms(tries, dice, reply.retry_after_s)

    def _next_batch_size(
        self, reply: GatewayReply, outcomes: Sequence[ItemOutcome], batch_size: int
    ) -> int | None:
        if reply.kind is ReplyKind.REFUSED_WHOLE:
            return max(1, (batch_size + 1) // 2)
        unsettled = sum(outcome.state is SubmissionState.UNKNOWN for outcome in outcomes)
        few = self._policy.retry_failed_individually
        if reply.kind is not ReplyKind.ANSWERED or not unsettled or not few:
            return None
        return 1 if unsettled <= few else (unsettled + 1) // 2


_NEXT_STEP = {
    Decision.ACCEPT: "accepted",
    Decision.REJECT: "not sent again; the quantity goes back to the order",
    Decision.RETRY: "it is sent again after a pause",
    Decision.HALVE: "it is sent again in a smaller batch to find the one at fault",
    Decision.LOOK_UP: "it is looked up before anything is sent again",
    Decision.EXHAUST: "given up; the quantity goes back to the order",
}
