"""Decides the outcome of one call. Pure: time, randomness and the next id are arguments.

`respond` decides what enters the ledger and what goes on the wire; the HTTP layer only carries that out.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Final

from msgspec import Struct, field
from msgspec.structs import replace

from execution_simulator.columns import Amounts
from execution_simulator.faults import FAULTS, Channel, Commit, Fault, RandomSource, Step
from execution_simulator.payloads import (
    FAILED,
    PARTIAL_SUCCESS,
    SUCCESS,
    BatchExecutionResponse,
    ErrorBody,
    Execution,
    ExecutionPost,
    ExecutionResult,
)
from execution_simulator.profiles import REAL
from execution_simulator.profiles.base import BROKEN, UNEXPECTED, Broken, Fate, Profile, Refusal
from execution_simulator.tampering import TAMPERING

TRANSIENT_MESSAGE: Final = "Database error: connection timeout to database"
DATABASE_MESSAGE: Final = "Database error: could not execute statement"

_NOTHING_SAID: Final = frozenset({Channel.RESET, Channel.HANG, Channel.ERROR})


class Call(Struct, frozen=True):
    """One submission. ``first_id`` is the id of the next accepted execution.

    - ``poison``: rows whose security id matches fail in the database.
    - ``singly``: sent to the endpoint for one execution.
    """

    posts: Sequence[ExecutionPost | None]
    step: Step
    item_faults: Mapping[int, str]
    first_id: int
    now_ns: int
    path: str
    profile: Profile = REAL
    refuse_bad_items: bool = False
    poison: re.Pattern[str] | None = None
    singly: bool = False


class Verdict(Struct, frozen=True):
    """What to commit and what to send.

    - ``accepted`` and ``amounts`` are parallel.
    - ``late``: commit after a delay.
    - ``ids_lost``: ids that a rolled-back transaction consumed.
    """

    accepted: Sequence[ExecutionPost]
    amounts: Sequence[Amounts]
    late: bool
    channel: Channel
    status: int
    body: BatchExecutionResponse | ErrorBody | None
    headers: dict[str, str] = field(default_factory=dict)
    ids_lost: int = 0


def fault_message(fault: Fault) -> str:
    """The message of an error body; like the deployed service, a 5xx explains nothing."""
    return UNEXPECTED if fault.status >= 500 else f"simulated: {fault.text}"


def size_refusal(profile: Profile, items: int | None, path: str, now_ns: int) -> ErrorBody | None:
    """The error body for an empty or too long list, or for no list (None); None if the size is fine."""
    rule = profile.list_rule(items)
    if rule is None:
        return None
    message = f"Validation failed: executions {rule}"
    return profile.error(400, message, path, now_ns, {"executions": rule})


def latency_ms(call_ms: float, item_ms: float, items: int, jitter: float, rng: RandomSource) -> float:
    """Duration of one call in milliseconds, varied evenly by the share ``jitter`` (0..1) up or down."""
    base = call_ms + item_ms * items
    return base * (1 + jitter * (2 * rng.random() - 1)) if base and jitter else base


def overload(in_flight: int, capacity: int, rng: RandomSource) -> tuple[float, Step | None]:
    """The factor by which a call slows down and, beyond twice the capacity, its 5xx (``capacity`` 0: unlimited).

    Source: hazard 6 of the Execution Service's contract, slow first and then 5xx.
    """
    if capacity == 0 or in_flight <= capacity:
        return 1.0, None
    factor = (in_flight / capacity) ** 2
    if in_flight <= 2 * capacity:
        return factor, None
    return factor, Step(FAULTS["error_503" if rng.random() < 0.5 else "error_500_partial"])


def respond(call: Call, rng: RandomSource) -> Verdict:
    """Decides what one submission of 1 to 100 items commits and what it is answered."""
    checked = call.profile.check_all(call.posts, singly=call.singly)
    refused = {index: fate for index, fate in enumerate(checked) if isinstance(fate, Refusal)}
    if refused and call.refuse_bad_items:
        return _refuse_whole(call, refused)
    failures = {index: fate.message for index, fate in refused.items()}
    slots = [index for index in range(len(checked)) if index not in failures]
    for index, name in call.item_faults.items():
        post = call.posts[index]
        if index not in failures and post is not None:
            failures[index] = _item_message(name, post, call.profile)
            slots.remove(index)
    broken = _first_broken(call, checked, slots)
    if broken is not None:
        return _roll_back(call, broken + 1)
    stored = slots
    if call.step.fault.name == "shifted_index" and len(slots) > 0:
        lost = _shifted(slots, call.step, rng)
        failures[lost] = DATABASE_MESSAGE
        stored = [index for index in slots if index != lost]
    committed = _committed(stored, call.step, rng)
    accepted = [post for index in committed if (post := call.posts[index]) is not None]
    amounts = [fate for index in committed if not isinstance(fate := checked[index], Refusal | Broken)]
    late = call.step.fault.commit is Commit.LATE
    channel = call.step.fault.channel
    if channel not in (Channel.RESULTS, Channel.TRUNCATED):
        return _without_results(call, accepted, amounts, late)
    answer = _answer(call, stored, slots, failures, accepted, rng)
    status = {SUCCESS: 201, PARTIAL_SUCCESS: 207, FAILED: 400}[answer.status]
    return Verdict(accepted, amounts, late, channel, status, answer)


def single_answer(verdict: Verdict, call: Call) -> tuple[int, Execution | ErrorBody | None]:
    """The answer of ``POST /api/v1/executions``: 201 with the execution, or an error."""
    body = verdict.body
    if not isinstance(body, BatchExecutionResponse):
        return verdict.status, body
    result = body.results[0] if body.results else None
    if result is not None and result.execution is not None:
        return 201, result.execution
    message = result.message if result is not None and result.message else "Execution was not created"
    return 400, call.profile.error(400, message, call.path, call.now_ns)


def _first_broken(call: Call, checked: Sequence[Fate], slots: Sequence[int]) -> int | None:
    """The position within ``slots`` of the first row that the database rejects."""
    poison = call.poison
    if call.step.fault.commit is Commit.NONE or (poison is None and BROKEN not in checked):
        return None
    for place, index in enumerate(slots):
        post = call.posts[index]
        poisoned = poison is not None and post is not None and poison.fullmatch(post.security_id or "")
        if poisoned or checked[index] is BROKEN:
            return place
    return None


def _roll_back(call: Call, ids_lost: int) -> Verdict:
    """One row fails in the database, so nothing of the batch is committed, whatever the fault."""
    fault = call.step.fault
    if fault.channel in _NOTHING_SAID:
        return replace(_without_results(call, (), (), late=False), ids_lost=ids_lost)
    body = call.profile.error(500, UNEXPECTED, call.path, call.now_ns)
    return Verdict((), (), late=False, channel=Channel.ERROR, status=500, body=body, ids_lost=ids_lost)


def _refuse_whole(call: Call, refused: Mapping[int, Refusal]) -> Verdict:
    errors = {f"executions[{index}].{fate.field}": fate.rule for index, fate in refused.items()}
    message = "Validation failed: " + ", ".join(f"{place} {rule}" for place, rule in errors.items())
    body = call.profile.error(400, message, call.path, call.now_ns, errors)
    return Verdict(accepted=(), amounts=(), late=False, channel=Channel.ERROR, status=400, body=body)


def _item_message(name: str, post: ExecutionPost, profile: Profile) -> str:
    return TRANSIENT_MESSAGE if name == "item_fail_transient" else profile.permanent_message(post)


def _shifted(slots: Sequence[int], step: Step, rng: RandomSource) -> int:
    """The item that fails in the database; never the last of several, which would shift nothing."""
    last = max(len(slots) - 1, 1)
    chosen = rng.randrange(0, last) if step.argument is None else min(int(step.argument), last - 1)
    return slots[chosen]


def _committed(stored: list[int], step: Step, rng: RandomSource) -> list[int]:
    commit = step.fault.commit
    if commit is Commit.NONE:
        return []
    if commit is Commit.PART:
        most = len(stored)
        some = rng.randrange(0, most + 1) if step.argument is None else int(step.argument)
        return stored[: min(some, most)]
    if commit is Commit.MAYBE:
        return stored if rng.random() < 0.5 else []
    return stored


def _without_results(
    call: Call, accepted: Sequence[ExecutionPost], amounts: Sequence[Amounts], late: bool
) -> Verdict:
    fault = call.step.fault
    if fault.channel is not Channel.ERROR:
        return Verdict(accepted, amounts, late, fault.channel, fault.status, None)
    errors = {"executions": "refused"} if fault.name == "malformed_400" else None
    body = call.profile.error(fault.status, fault_message(fault), call.path, call.now_ns, errors)
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
    rng: RandomSource,
) -> BatchExecutionResponse:
    """``slots`` are the positions reported as successes; a shifted answer has one more of them than executions."""
    executions = call.profile.created(call.first_id, accepted, call.now_ns, singly=call.singly)
    by_index = {index: ExecutionResult(index, FAILED, message, None) for index, message in failures.items()}
    for index, execution in zip(slots, executions, strict=False):
        by_index[index] = ExecutionResult(index, SUCCESS, None, execution)
    if len(slots) > len(stored) and slots[-1] not in failures:
        by_index[slots[-1]] = _left_over(slots[-1], rng)
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
    return answer if tamper is None else tamper(answer, results, call.step.argument, rng)


def _left_over(index: int, rng: RandomSource) -> ExecutionResult:
    """The last result of a shifted answer, which has no execution left: a failure, or an empty success."""
    if rng.random() < 0.5:
        return ExecutionResult(index, FAILED, DATABASE_MESSAGE, None)
    return ExecutionResult(index, SUCCESS, None, None)
