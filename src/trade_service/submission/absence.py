"""What a proven absence makes of an execution, and how large a retry may be. Pure."""

from collections.abc import Iterable

import msgspec

from trade_service.domain.executions import SubmissionState
from trade_service.submission.codes import OutcomeCode
from trade_service.submission.failure_handler import ExecutionFailureHandler, retry_size
from trade_service.submission.model import DueAttempt, ItemOutcome, OpenItem, ReplyKind


class Circumstances(msgspec.Struct, frozen=True):
    """How the calls of this process fare at the time of a conclusion."""

    outage: bool = False
    """They have failed in general at some moment since the attempt began."""
    deferred_message: str | None = None
    """What to say while the Execution Service turns every call away; None while it does not. Until its
    configuration is corrected the time budgets stand still."""


def absent_outcome(
    handler: ExecutionFailureHandler, attempt: DueAttempt, item: OpenItem, now: Circumstances
) -> ItemOutcome:
    """The outcome of an execution that a look-up proved absent downstream."""
    paused = now.deferred_message is not None
    state = handler.decide_absent(item, adopted=attempt.adopted, paused=paused)
    if state is SubmissionState.EXHAUSTED:
        why = _time_is_up(attempt) if item.budget_left_s <= 0 else _budget_is_spent(attempt, item)
        return ItemOutcome(item.execution_id, state, OutcomeCode.BUDGET_SPENT, why)
    next_step = "it is sent again" if state is SubmissionState.RETRY else "it can be submitted"
    if paused and state is SubmissionState.RETRY:
        next_step = f"{now.deferred_message}"
    message = f"proven absent downstream by a look-up: {next_step}"
    return ItemOutcome(item.execution_id, state, OutcomeCode.PROVEN_ABSENT, message)


def overdue_outcomes(attempt: DueAttempt, overdue: Iterable[OpenItem]) -> tuple[ItemOutcome, ...]:
    """The outcomes of executions that wait for a retry and whose time is up."""
    message = _time_is_up(attempt)
    return tuple(
        ItemOutcome(item.execution_id, SubmissionState.EXHAUSTED, OutcomeCode.BUDGET_SPENT, message)
        for item in overdue
    )


def next_batch_size(attempt: DueAttempt, now: Circumstances) -> int | None:
    """How many executions at most a retry of the attempt sends in one call; None: all of them."""
    if attempt.kind == ReplyKind.ANSWERED:
        return attempt.next_batch_size
    return retry_size(attempt.kind, attempt.http_status, attempt.size, attempt.retry_count, outage=now.outage)


def _budget_is_spent(attempt: DueAttempt, item: OpenItem) -> str:
    attempts = f"{item.attempts_spent} attempt{'' if item.attempts_spent == 1 else 's'} of its own"
    return f"never accepted in {attempts}{_last(attempt)}{_GIVEN_UP}"


def _time_is_up(attempt: DueAttempt) -> str:
    calls = f"{attempt.calls} call{'' if attempt.calls == 1 else 's'}"
    return f"never accepted in {calls}, and its time is up{_last(attempt)}{_GIVEN_UP}"


def _last(attempt: DueAttempt) -> str:
    return f"; last: {attempt.message}" if attempt.message else ""


_GIVEN_UP = ". Given up; the quantity goes back to the order"
