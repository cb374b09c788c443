"""ExecutionReads.fill: what a fill report proves, for each state and origin of an execution."""

from collections.abc import Awaitable, Callable
from decimal import Decimal
from enum import Enum
from itertools import product

import msgspec
import pytest

from tests.behaviour.ledger import (
    SETTLE_MS,
    Ledger,
    attempt_ids,
    attempt_row,
    evidence,
    execution,
    fresh,
    order_of,
    report_fill,
)
from tests.support.attempts import RECOVERED, claimed, closing, new_attempt
from tests.support.rows import PART
from trade_service.domain.errors import FillOfUnsent, VersionConflict
from trade_service.domain.executions import SubmissionState

_S = SubmissionState
STATES: tuple[SubmissionState | None, ...] = (None, *SubmissionState)


class Outcome(Enum):
    """The effect of a report."""

    STORED = "stored"
    REFUSED = "refused"
    LOOKED_UP = "refused and looked up"


async def never_tried(ledger: Ledger) -> int:
    """An execution without attempts: edited by a client, or written by the legacy service."""
    return (await fresh(ledger))[0]


async def sent(ledger: Ledger) -> int:
    """An execution that this service claimed."""
    (execution_id,) = await fresh(ledger)
    await claimed(ledger.submissions, [execution_id])
    return execution_id


async def adopted(ledger: Ledger) -> int:
    """An adopted execution with an unknown outcome."""
    (execution_id,) = await fresh(ledger, 1, None)
    await ledger.submissions.adopt([execution_id])
    return execution_id


async def doubted(ledger: Ledger) -> int:
    """An execution whose fill was reported while it waited to be sent."""
    (execution_id,) = await fresh(ledger, 1, "queued")
    with pytest.raises(FillOfUnsent):
        await report_fill(ledger, execution_id, PART, Decimal(1), 1)
    return execution_id


async def placed(ledger: Ledger) -> int:
    """An execution that another program sent."""
    execution_id = await never_tried(ledger)
    await ledger.change_execution(execution_id, placed=Decimal(1))
    return execution_id


async def named(ledger: Ledger) -> int:
    """An execution whose service id another program wrote."""
    execution_id = await never_tried(ledger)
    await ledger.change_execution(execution_id, service_id=5)
    return execution_id


KINDS: tuple[Callable[[Ledger], Awaitable[int]], ...] = (never_tried, sent, adopted, doubted, placed, named)
EXPECTED = dict.fromkeys(product((k.__name__ for k in KINDS), STATES), Outcome.STORED) | {
    ("never_tried", _S.NONE): Outcome.REFUSED,
    ("never_tried", _S.QUEUED): Outcome.LOOKED_UP,
    ("sent", _S.NONE): Outcome.REFUSED,
    ("sent", _S.QUEUED): Outcome.LOOKED_UP,
    ("doubted", _S.NONE): Outcome.REFUSED,
    ("doubted", _S.QUEUED): Outcome.LOOKED_UP,
    ("doubted", _S.RETRY): Outcome.LOOKED_UP,
    ("doubted", _S.CLAIMED): Outcome.REFUSED,
    ("doubted", _S.UNKNOWN): Outcome.REFUSED,
    ("doubted", _S.REJECTED): Outcome.REFUSED,
    ("doubted", _S.EXHAUSTED): Outcome.REFUSED,
}


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
@pytest.mark.parametrize("state", STATES)
async def test_what_a_fill_proves_for_every_state_and_origin(
    ledger: Ledger, kind: Callable[[Ledger], Awaitable[int]], state: SubmissionState | None
) -> None:
    execution_id = await kind(ledger)
    await ledger.change_execution(execution_id, state=state)
    gave_back = state in (_S.REJECTED, _S.EXHAUSTED)
    if gave_back:
        order_id = (await execution(ledger, execution_id)).order_id
        await ledger.change_order(order_id, quantity_sent=Decimal(0), submitted=False)
    before = await ledger.everything()
    expected = EXPECTED[kind.__name__, state]
    if expected is Outcome.STORED:
        await _assert_stored(ledger, execution_id, state)
        return
    version = before.executions[execution_id].version
    with pytest.raises(FillOfUnsent) as refused:
        await report_fill(ledger, execution_id, PART, Decimal(1), version)
    assert refused.value.details == {"id": execution_id, "state": state}
    if expected is Outcome.LOOKED_UP:
        await _assert_looked_up(ledger, execution_id, version)
    else:
        row = await execution(ledger, execution_id)
        assert msgspec.structs.replace(row, gives_up_in_s=None) == msgspec.structs.replace(
            before.executions[execution_id], gives_up_in_s=None
        )
        assert await attempt_ids(ledger) == sorted(before.attempts)


async def _assert_stored(ledger: Ledger, execution_id: int, state: SubmissionState | None) -> None:
    row = await execution(ledger, execution_id)
    attempts, gave_back = await attempt_ids(ledger), state in (_S.REJECTED, _S.EXHAUSTED)
    shown = (await ledger.reads.get(execution_id)).execution.submission_state
    filled = await report_fill(ledger, execution_id, PART, Decimal("0.00000001"), row.version)
    after, order = filled.stored.execution, filled.stored.order
    assert filled.state_before is shown
    assert (after.submission_state, after.execution_status_id) == (_S.ACCEPTED, PART)
    assert (after.quantity_filled, after.version) == (Decimal("0.00000001"), row.version + 1)
    assert after.quantity_placed == (row.placed if state is _S.ACCEPTED else 10)
    assert (order.quantity_sent, order.submitted, order.version) == (Decimal(10), True, 2 if gave_back else 1)
    assert await ledger.reads.get(execution_id) == filled.stored
    assert len(await evidence(ledger)) == gave_back
    owner = (await execution(ledger, execution_id)).attempt_id
    if row.attempt_id is not None or row.service_id is not None:
        assert (owner, await attempt_ids(ledger)) == (row.attempt_id, attempts)
    else:
        assert owner is not None
        look_up = await attempt_row(ledger, owner)
        assert (look_up.code, look_up.adopted, look_up.execution_ids) == (
            "FILL_REPORTED",
            True,
            (execution_id,),
        )
        (due,) = [d for d in await ledger.submissions.take_due("two", 10, 0, 0) if d.attempt_id == owner]
        assert [(item.execution_id, item.state) for item in due.items] == [(execution_id, _S.ACCEPTED)]
    again = await report_fill(ledger, execution_id, PART, Decimal(10), row.version + 1)
    assert (again.state_before, again.stored.execution.version) == (_S.ACCEPTED, row.version + 2)
    assert again.stored.order == order
    assert (await execution(ledger, execution_id)).attempt_id == owner


async def _assert_looked_up(ledger: Ledger, execution_id: int, version: int) -> None:
    row = await execution(ledger, execution_id)
    assert (row.state, row.version, row.filled, row.placed) == (
        "unknown",
        version + 1,
        Decimal(0),
        Decimal(0),
    )
    assert row.status_id == 1
    assert row.attempt_id is not None
    attempt = await attempt_row(ledger, row.attempt_id)
    assert (attempt.state, attempt.kind, attempt.code) == ("answered", "lost", "FILL_REPORTED")
    assert (attempt.floor_id, attempt.epoch, attempt.adopted) == (0, 1, False)
    assert (attempt.owner, attempt.execution_ids, attempt.settle_ms) == ("one", (execution_id,), SETTLE_MS)
    assert attempt.due_in_s == pytest.approx(0, abs=10)
    assert attempt.settle_from_in_s == pytest.approx(0, abs=10)


async def test_a_doubted_execution_is_settled_by_its_look_up_alone(ledger: Ledger) -> None:
    found, absent = await doubted(ledger), await doubted(ledger)
    for execution_id, state in ((found, "accepted"), (absent, "retry")):
        owner = (await execution(ledger, execution_id)).attempt_id
        assert owner is not None
        answer = closing(owner, {execution_id: state}, owned_as=_S.UNKNOWN)
        await ledger.submissions.record(answer)
    assert (await execution(ledger, found)).service_id == 1000 + found
    (item,) = (await ledger.submissions.claim(new_attempt(), [absent, found], RECOVERED)).items
    assert (item.execution_id, item.attempts_spent) == (absent, 1)
    filled = await report_fill(ledger, absent, PART, Decimal(1), 2)
    assert filled.stored.execution.submission_state is _S.ACCEPTED


async def test_a_doubted_execution_is_not_claimed_and_its_queued_attempt_ends(ledger: Ledger) -> None:
    ids = await fresh(ledger, 2)
    queued_attempt_id = new_attempt().attempt_id
    await ledger.reads.enqueue(ids, queued_attempt_id)
    with pytest.raises(FillOfUnsent):
        await report_fill(ledger, ids[0], PART, Decimal(1), 1)
    with pytest.raises(VersionConflict):
        await report_fill(ledger, ids[0], PART, Decimal(1), 1)
    _, claim = await claimed(ledger.submissions, ids)
    assert [item.execution_id for item in claim.items] == [ids[1]]
    assert [(one.execution_id, one.state) for one in claim.not_claimed] == [(ids[0], _S.UNKNOWN)]
    await ledger.elapse(6)
    due = {one.attempt_id: one.items for one in await ledger.submissions.take_due("two", 10, 0, 0)}
    assert due.pop(queued_attempt_id) == ()
    ((item,),) = due.values()
    assert (item.execution_id, item.state, item.attempts_spent) == (ids[0], _S.UNKNOWN, 0)
    assert await order_of(ledger, ids[0]) == (Decimal(10), True, 1)
