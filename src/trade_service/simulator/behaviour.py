"""What the stand-in Execution Service does with one call. Pure: time, dice and the next id are arguments.

`respond` decides what enters the books and what leaves on the wire; the HTTP skin only carries it out.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from functools import lru_cache
from http import HTTPStatus
from typing import Final

from msgspec import UNSET, Struct, UnsetType, field

from trade_service.simulator.checks import MAX_BATCH_ITEMS, Amounts, Refusal, check_all
from trade_service.simulator.faults import FAULTS, Channel, Commit, Dice, Fault, Step
from trade_service.simulator.messages import (
    FAILED,
    PARTIAL_SUCCESS,
    SUCCESS,
    BatchExecutionResponse,
    ErrorBody,
    Execution,
    ExecutionPost,
    ExecutionResult,
    Security,
)
from trade_service.simulator.tampering import TAMPERING

TRANSIENT_MESSAGE: Final = "Database error: connection timeout to database"
PERMANENT_MESSAGE: Final = "Security not found: {security_id}"
DATABASE_MESSAGE: Final = "Database error: could not execute statement"

_ZERO: Final = Decimal(0)


class Call(Struct, frozen=True):
    """One submission as the behaviour sees it. ``first_id`` is the id the next accepted execution gets."""

    posts: Sequence[ExecutionPost | None]
    step: Step
    item_faults: Mapping[int, str]
    first_id: int
    now: datetime
    path: str
    refuse_bad_items: bool = False


class Verdict(Struct, frozen=True):
    """What to commit and what to send.

    ``accepted`` and ``amounts`` run in parallel; ``late`` means: commit after a delay.
    """

    accepted: Sequence[ExecutionPost]
    amounts: Sequence[Amounts]
    late: bool
    channel: Channel
    status: int
    body: BatchExecutionResponse | ErrorBody | None
    headers: dict[str, str] = field(default_factory=dict)


@lru_cache(maxsize=10_000)
def security_of(security_id: str) -> Security:
    """With the ticker the deployed service derives: the id's first five characters that are no digits."""
    return Security(security_id, "".join(char for char in security_id if not char.isdigit())[:5] or None)


def error_body(
    status: int, message: str, path: str, now: datetime, errors: dict[str, str] | UnsetType | None = UNSET
) -> ErrorBody:
    """The body of every error but a 400 with results; ``errors`` go into ``validationErrors``."""
    return ErrorBody(now, status, HTTPStatus(status).phrase, message, path, errors)


def fault_message(fault: Fault) -> str:
    """What an error body says: nothing useful for a 5xx, as the deployed service."""
    if fault.status >= 500:
        return "An unexpected error occurred while processing your request"
    return f"simulated: {fault.text}"


def size_refusal(items: int, path: str, now: datetime) -> ErrorBody | None:
    """The malformed answer to a batch of no or too many items, else None."""
    if 1 <= items <= MAX_BATCH_ITEMS:
        return None
    rule = "must not be empty" if items == 0 else f"must not exceed {MAX_BATCH_ITEMS} items, got {items}"
    return error_body(400, f"Validation failed: executions {rule}", path, now, {"executions": rule})


def latency_ms(call_ms: float, item_ms: float, items: int, jitter: float, dice: Dice) -> float:
    """Milliseconds one call takes; ``jitter`` 0..1 spreads it evenly by that share to both sides."""
    base = call_ms + item_ms * items
    return base * (1 + jitter * (2 * dice.random() - 1)) if base and jitter else base


def overload(in_flight: int, capacity: int, dice: Dice) -> tuple[float, Step | None]:
    """How many times slower a call is and, past twice the capacity, the 5xx it gets (``capacity`` 0: never).

    Source: hazard 6 of the Execution Service's contract, slow first and then 5xx.
    """
    if capacity == 0 or in_flight <= capacity:
        return 1.0, None
    factor = (in_flight / capacity) ** 2
    if in_flight <= 2 * capacity:
        return factor, None
    return factor, Step(FAULTS["error_503" if dice.random() < 0.5 else "error_500_partial"])


def respond(call: Call, dice: Dice) -> Verdict:
    """The books' and the wire's part of one submission of 1 to 100 items."""
    checked = check_all(call.posts)
    refused = {index: fate for index, fate in enumerate(checked) if isinstance(fate, Refusal)}
    if refused and call.refuse_bad_items:
        return _refuse_whole(call, refused)
    failures = {index: f"{fate.field} {fate.rule}" for index, fate in refused.items()}
    good = [index for index in range(len(checked)) if index not in failures]
    slots = list(good)
    for index, name in call.item_faults.items():
        post = call.posts[index]
        if index not in failures and post is not None:
            failures[index] = _item_message(name, post)
            slots.remove(index)
    stored = slots
    if call.step.fault.name == "shifted_index" and len(slots) > 0:
        lost = _shifted(slots, call.step, dice)
        failures[lost] = DATABASE_MESSAGE
        stored = [index for index in slots if index != lost]
    committed = _committed(stored, call.step, dice)
    accepted = [post for index in committed if (post := call.posts[index]) is not None]
    amounts = [fate for index in committed if not isinstance(fate := checked[index], Refusal)]
    late = call.step.fault.commit is Commit.LATE
    channel = call.step.fault.channel
    if channel not in (Channel.RESULTS, Channel.TRUNCATED):
        return _without_results(call, accepted, amounts, late)
    answer = _answer(call, stored, slots, failures, accepted, dice)
    status = {SUCCESS: 201, PARTIAL_SUCCESS: 207, FAILED: 400}[answer.status]
    return Verdict(accepted, amounts, late, channel, status, answer)


def single_answer(verdict: Verdict, path: str, now: datetime) -> tuple[int, Execution | ErrorBody | None]:
    """A batch of one as ``POST /api/v1/executions`` answers it: 201 with the execution, or an error."""
    body = verdict.body
    if not isinstance(body, BatchExecutionResponse):
        return verdict.status, body
    result = body.results[0] if body.results else None
    if result is not None and result.execution is not None:
        return 201, result.execution
    message = result.message if result is not None and result.message else "Execution was not created"
    return 400, error_body(400, message, path, now)


def _refuse_whole(call: Call, refused: Mapping[int, Refusal]) -> Verdict:
    errors = {f"executions[{index}].{fate.field}": fate.rule for index, fate in refused.items()}
    message = "Validation failed: " + ", ".join(f"{place} {rule}" for place, rule in errors.items())
    body = error_body(400, message, call.path, call.now, errors)
    return Verdict(accepted=(), amounts=(), late=False, channel=Channel.ERROR, status=400, body=body)


def _item_message(name: str, post: ExecutionPost) -> str:
    if name == "item_fail_transient":
        return TRANSIENT_MESSAGE
    return PERMANENT_MESSAGE.format(security_id=post.security_id)


def _shifted(slots: Sequence[int], step: Step, dice: Dice) -> int:
    """The item that fails at its database; not the last of several, or no shift would show."""
    last = max(len(slots) - 1, 1)
    chosen = dice.randrange(0, last) if step.argument is None else min(int(step.argument), last - 1)
    return slots[chosen]


def _committed(stored: list[int], step: Step, dice: Dice) -> list[int]:
    commit = step.fault.commit
    if commit is Commit.NONE:
        return []
    if commit is Commit.PART:
        most = len(stored)
        some = dice.randrange(0, most + 1) if step.argument is None else int(step.argument)
        return stored[: min(some, most)]
    if commit is Commit.MAYBE:
        return stored if dice.random() < 0.5 else []
    return stored


def _without_results(
    call: Call, accepted: Sequence[ExecutionPost], amounts: Sequence[Amounts], late: bool
) -> Verdict:
    fault = call.step.fault
    if fault.channel is not Channel.ERROR:
        return Verdict(accepted, amounts, late, fault.channel, fault.status, None)
    errors = {"executions": "refused"} if fault.name == "malformed_400" else UNSET
    body = error_body(fault.status, fault_message(fault), call.path, call.now, errors)
    headers = {}
    if fault.name == "redirect_307":
        headers["Location"] = f"{call.path}?redirected=true"
    return Verdict(accepted, amounts, late, Channel.ERROR, fault.status, body, headers)


def _answer(
    call: Call,
    stored: list[int],
    slots: list[int],
    failures: Mapping[int, str],
    accepted: Sequence[ExecutionPost],
    dice: Dice,
) -> BatchExecutionResponse:
    """``slots`` are the places successes are reported at; a shifted answer has one more than successes."""
    executions = [show(call.first_id + place, post, call.now) for place, post in enumerate(accepted)]
    by_index = {index: ExecutionResult(index, FAILED, message, None) for index, message in failures.items()}
    for index, execution in zip(slots, executions, strict=False):
        by_index[index] = ExecutionResult(index, SUCCESS, None, execution)
    if len(slots) > len(stored) and slots[-1] not in failures:
        by_index[slots[-1]] = _left_over(slots[-1], dice)
    results = [by_index[index] for index in sorted(by_index)]
    successful = len(executions)
    total = len(call.posts)
    status = FAILED if successful == 0 else SUCCESS if successful == total else PARTIAL_SUCCESS
    message = {
        SUCCESS: "All executions created successfully",
        FAILED: "All executions failed",
        PARTIAL_SUCCESS: f"{successful} of {total} executions created successfully",
    }[status]
    answer = BatchExecutionResponse(status, message, total, successful, total - successful, results)
    tamper = TAMPERING.get(call.step.fault.name)
    return answer if tamper is None else tamper(answer, results, call.step.argument, dice)


def show(execution_id: int, post: ExecutionPost, now: datetime) -> Execution:
    """A freshly created execution as the answer shows it; ``post`` has passed `check_all`."""
    security = security_of(post.security_id or "")
    return Execution(
        id=execution_id,
        execution_status=post.execution_status or "",
        trade_type=post.trade_type or "",
        destination=post.destination or "",
        security=security,
        quantity=post.quantity or _ZERO,
        limit_price=post.limit_price,
        received_timestamp=now,
        sent_timestamp=now,
        trade_service_execution_id=post.trade_service_execution_id,
        quantity_filled=_ZERO,
        average_price=None,
        version=1,
        ticker=security.ticker,
        security_id=security.security_id,
    )


def _left_over(index: int, dice: Dice) -> ExecutionResult:
    """The last place of a shifted answer, which no success reached: a failure, or an empty success."""
    if dice.random() < 0.5:
        return ExecutionResult(index, FAILED, DATABASE_MESSAGE, None)
    return ExecutionResult(index, SUCCESS, None, None)
