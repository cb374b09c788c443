"""Planted mistakes: each of them makes the world fail, or the world proves nothing."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any
from unittest import mock

import msgspec

from tests.world import replica
from tests.world.store_books import Books
from tests.world.store_orders import OrderBooks
from tests.world.store_rows import SENT, BookedAttempt, BookedExecution
from tests.world.weather import Timing
from trade_service.domain.executions import SubmissionState
from trade_service.submission import failure_handler, look_up, recovery, service
from trade_service.submission.batch_processor import ExecutionBatchProcessor
from trade_service.submission.failure_handler import Decision, ExecutionFailureHandler
from trade_service.submission.messages import BatchExecutionResponse
from trade_service.submission.model import (
    AttemptClosing,
    Claim,
    ClaimedExecution,
    DueAttempt,
    GatewayReply,
    ItemOutcome,
    ItemReading,
    ReplyKind,
    Verdict,
)

MAX_ID = 2**31 - 1

Patch = Callable[[], Any]
"""Makes a context manager within which the mistake is there."""


def match_by_position(
    _self: object, sent: Sequence[ClaimedExecution], response: BatchExecutionResponse, _status: int
) -> tuple[ItemReading, ...]:
    """Believes the place of a result, whatever execution it names."""
    results = {result.request_index: result for result in response.results or ()}
    readings = []
    for index, item in enumerate(sent):
        result = results.get(index)
        if result is None:
            readings.append(ItemReading(item.execution_id, Verdict.UNCLEAR, "X", "no result"))
        elif result.execution is not None and result.execution.id:
            readings.append(ItemReading(item.execution_id, Verdict.ACCEPTED, "OK", "", result.execution.id))
        else:
            readings.append(ItemReading(item.execution_id, Verdict.REFUSED, "X", "refused"))
    return tuple(readings)


_decide_reply = ExecutionFailureHandler.decide_reply


def decide_silence(
    as_: Decision, self: ExecutionFailureHandler, reply: GatewayReply, item: ClaimedExecution, size: int
) -> Decision:
    """Takes a lost answer for something that it does not prove."""
    return as_ if reply.kind is ReplyKind.LOST else _decide_reply(self, reply, item, size)


def decide_error(
    self: ExecutionFailureHandler, reply: GatewayReply, item: ClaimedExecution, size: int
) -> Decision:
    """Takes an error of the Execution Service for a promise that nothing was committed."""
    return Decision.RETRY if reply.kind is ReplyKind.UNCLEAR else _decide_reply(self, reply, item, size)


_decide_reading = ExecutionFailureHandler.decide_reading


def decide_transient(self: ExecutionFailureHandler, reading: ItemReading) -> Decision:
    """Takes a failed item's transient message for a promise that it was not committed."""
    if reading.verdict is Verdict.REFUSED and self.is_transient(reading.message):
        return Decision.RETRY
    return _decide_reading(self, reading)


_claim = Books.claim


def claim_unwritten(self: Books, attempt: Any, ids: Sequence[int], claimable: Any) -> Claim:
    """Owns the executions, but writes the attempt down only when it is over."""
    claim = _claim(self, attempt, ids, claimable)
    self.attempts.pop(attempt.attempt_id, None)
    return claim


def claim_unknown(self: Books, attempt: Any, ids: Sequence[int], claimable: Any) -> Claim:
    """Claims what may have been accepted as if it was fresh."""
    return _claim(self, attempt, ids, (*claimable, SubmissionState.UNKNOWN))


def claim_without_spending(self: Books, attempt: Any, ids: Sequence[int], claimable: Any) -> Claim:
    """Forgets how often an execution was tried, as counters in memory do."""
    for execution_id in ids:
        if execution_id in self.executions:
            self.executions[execution_id].attempts_spent = 0
    return _claim(self, attempt, ids, claimable)


def apply_always(self: Books, row: BookedExecution, told: ItemOutcome, refund: int) -> None:
    """Writes SENT whatever status came first."""
    _apply(self, row, told, refund)
    if told.state is SubmissionState.ACCEPTED:
        row.status_id = SENT


_apply = Books._apply


def keep_quantity(self: Books, row: BookedExecution, told: ItemOutcome, refund: int) -> None:
    """Ends an execution without giving its quantity back."""
    order = self.orders[row.order_id]
    _apply(self, row, told, refund)
    if told.state in (SubmissionState.REJECTED, SubmissionState.EXHAUSTED):
        self.orders[row.order_id] = msgspec.structs.replace(order, version=order.version + 1)


_close = Books._close


def close_for_good(self: Books, attempt: BookedAttempt, closing: AttemptClosing, recorded: Any) -> None:
    """Closes an attempt although something that it owns is still open."""
    _close(self, attempt, closing, recorded)
    if not any(row.changed for row in recorded):
        attempt.next_action_at = None


_submission_settings = replica.submission_settings


def settings_with(changes: dict[str, int], owner: str, timing: Timing, batch_size: int) -> Any:
    """Times that do not fit the world's."""
    return msgspec.structs.replace(_submission_settings(owner, timing, batch_size), **changes)


def settled_by_database(_self: object, attempt: DueAttempt) -> bool:
    """Trusts the database's clock alone."""
    return attempt.settled


_send = service.BulkExecutionSubmissionService._send


async def send_late(
    self: Any, attempt: Any, claim: Claim, _write_before: float, permit: Any
) -> AttemptClosing:
    """Sends whatever happened to the lease since the claim."""
    return await _send(self, attempt, claim, float("inf"), permit)


_new_attempt = service.BulkExecutionSubmissionService._new_attempt


def attempt_without_floor(self: Any, streak: int) -> Any:
    """Believes to know ids that are yet to come: a look-up then stops too early."""
    attempt = _new_attempt(self, streak)
    return msgspec.structs.replace(attempt, floor_id=attempt.floor_id + 3)


async def look_up_carelessly(*args: Any) -> look_up.LookUpPass:
    """Takes what a pass did not see for absent, even when the pass broke off."""
    seen = await look_up.look_up(*args)
    if seen.problem:
        seen.problem, seen.read_down_to, seen.pages, seen.top_id = "", 0, 1, MAX_ID
    return seen


async def look_up_after_reset(*args: Any) -> look_up.LookUpPass:
    """Does not notice that ids began again."""
    seen = await look_up.look_up(*args)
    seen.top_id = MAX_ID
    return seen


def is_foreign(self: BookedExecution) -> bool:
    """Takes what the earlier service sent in the meantime for its own."""
    return self.state is None


def always(*, value: object) -> Callable[..., Any]:
    """A method that answers the same whatever it is asked."""
    return lambda *_args, **_kwargs: value


def _replace(where: Any, name: str, value: Any) -> Patch:
    return partial(mock.patch.object, where, name, value)


def _bound(function: Callable[..., Any], argument: object) -> Callable[..., Any]:
    """A function with its first argument given, that still binds as a method."""
    return lambda *args: function(argument, *args)


MUTANTS: dict[str, Patch] = {
    "match by position": _replace(ExecutionBatchProcessor, "process_response", match_by_position),
    "silence is a failure": _replace(
        ExecutionFailureHandler, "decide_reply", _bound(decide_silence, Decision.REJECT)
    ),
    "silence is a retry": _replace(
        ExecutionFailureHandler, "decide_reply", _bound(decide_silence, Decision.RETRY)
    ),
    "a 500 is a retry": _replace(ExecutionFailureHandler, "decide_reply", decide_error),
    "a transient item is a retry": _replace(ExecutionFailureHandler, "decide_reading", decide_transient),
    "no write-ahead": _replace(Books, "claim", claim_unwritten),
    "not found is trusted at once": _replace(recovery.Recovery, "_is_settled", always(value=True)),
    "the settle time is too short": _replace(
        replica, "submission_settings", _bound(settings_with, {"settle_ms": 300})
    ),
    "only the database's clock counts": _replace(recovery.Recovery, "_is_settled", settled_by_database),
    "no fencing": _replace(Books, "_is_owned", staticmethod(always(value=True))),
    "the lease is shorter than the request": _replace(
        replica,
        "submission_settings",
        _bound(settings_with, {"lease_ms": 400, "call_ms": 0, "settle_ms": 5000}),
    ),
    "the lease is not looked at before sending": _replace(
        service.BulkExecutionSubmissionService, "_send", send_late
    ),
    "retry counters in memory": _replace(Books, "claim", claim_without_spending),
    "a late answer overwrites the status": _replace(Books, "_apply", apply_always),
    "quantity is not given back": _replace(Books, "_apply", keep_quantity),
    "unknown is sent again": _replace(Books, "claim", claim_unknown),
    "a pass that broke off proves absence": _replace(recovery, "look_up", look_up_carelessly),
    "a reset of the Execution Service is not noticed": _replace(recovery, "look_up", look_up_after_reset),
    "what the earlier service sent is fresh": _replace(BookedExecution, "is_foreign", property(is_foreign)),
    "the floor is too high": _replace(
        service.BulkExecutionSubmissionService, "_new_attempt", attempt_without_floor
    ),
    "an attempt is closed too early": _replace(Books, "_close", close_for_good),
    "the wish to submit is not kept": _replace(OrderBooks, "_write_ticket", always(value=None)),
    "nobody recovers": _replace(recovery.Recovery, "step", recovery.Recovery._ask_for_settled_elsewhere),
    "unclear is taken for accepted": _replace(
        failure_handler,
        "STATE_OF",
        {**failure_handler.STATE_OF, Decision.LOOK_UP: SubmissionState.ACCEPTED},
    ),
}
