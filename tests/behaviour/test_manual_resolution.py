"""OperatorStore: manual resolution of unknown outcomes, and how operators see them."""

from decimal import Decimal

import pytest

from tests.behaviour.ledger import (
    Ledger,
    attempt_row,
    evidence,
    execution,
    fresh,
    order_of,
    report_fill,
    states,
)
from tests.support.attempts import claimed, closing
from tests.support.rows import PART, SENT
from trade_service.domain.errors import EvidenceConflict, InFlight, NotFound
from trade_service.domain.executions import SubmissionState
from trade_service.submission.manual_resolution import ExecutionCase, Resolution

_S = SubmissionState
ALL_SENT, ALL_BACK = (Decimal(10), True), (Decimal(0), False)


async def unknown(ledger: Ledger, count: int = 1) -> tuple[list[int], str]:
    """Executions of one attempt whose outcome is unknown and whose settle time has passed."""
    ids = await fresh(ledger, count)
    attempt, _ = await claimed(ledger.submissions, ids)
    answer = closing(attempt.attempt_id, dict.fromkeys(ids, "unknown"), next_action_in_ms=0)
    await ledger.submissions.record(answer)
    await ledger.elapse(100)
    return ids, attempt.attempt_id


async def resolved(
    ledger: Ledger, execution_id: int, accepted_as: int | None, seen: ExecutionCase | None = None
) -> ExecutionCase:
    seen = seen or (await ledger.operators.cases([execution_id]))[execution_id]
    return await ledger.operators.resolve(Resolution(execution_id, accepted_as, "ann", "phoned them"), seen)


async def test_resolved_as_accepted(ledger: Ledger) -> None:
    (execution_id,), attempt_id = await unknown(ledger)
    before = await resolved(ledger, execution_id, 77)
    assert (before.state, before.attempt_id, before.low_water_id) == (_S.UNKNOWN, attempt_id, 7)
    row = await execution(ledger, execution_id)
    assert (row.state, row.service_id, row.status_id, row.version) == ("accepted", 77, SENT, 2)
    assert row.placed == row.quantity
    assert await order_of(ledger, execution_id) == (*ALL_SENT, 1)
    (kept,) = await evidence(ledger)
    assert (kept.source, kept.code, kept.actor, kept.message) == (
        "operator",
        "RESOLVED",
        "ann",
        "phoned them",
    )
    assert (kept.state_before, kept.state, kept.service_id, kept.attempt_id) == (
        "unknown",
        "accepted",
        77,
        attempt_id,
    )
    attempt = await attempt_row(ledger, attempt_id)
    assert (attempt.due_in_s, attempt.look_ups, len(attempt.findings)) == (None, 0, 1)


async def test_resolved_as_not_accepted_returns_the_quantity_once(ledger: Ledger) -> None:
    ids, attempt_id = await unknown(ledger, 2)
    await resolved(ledger, ids[0], None)
    assert await states(ledger, ids) == ["exhausted", "unknown"]
    assert await order_of(ledger, ids[0]) == (*ALL_BACK, 2)
    assert (await attempt_row(ledger, attempt_id)).due_in_s is not None, "the other one is still looked up"
    with pytest.raises(EvidenceConflict, match="already"):
        await resolved(ledger, ids[0], None)
    assert len(await evidence(ledger)) == 1
    await resolved(ledger, ids[1], None)
    assert (await attempt_row(ledger, attempt_id)).due_in_s is None


async def test_an_adopted_row_goes_back_to_none(ledger: Ledger) -> None:
    ids = await fresh(ledger, 1, None)
    with pytest.raises(EvidenceConflict, match="submit it"):
        await resolved(ledger, ids[0], None)
    await ledger.submissions.adopt(ids)
    await ledger.elapse(100)
    await resolved(ledger, ids[0], None)
    assert await states(ledger, ids) == ["none"]
    assert await order_of(ledger, ids[0]) == (*ALL_SENT, 1)
    _, claim = await claimed(ledger.submissions, ids)
    assert [item.execution_id for item in claim.items] == ids, "it is submitted like any other"


@pytest.mark.parametrize("state", sorted(set(SubmissionState) - {_S.UNKNOWN}))
async def test_only_unknown_executions_resolve_as_not_accepted(
    ledger: Ledger, state: SubmissionState
) -> None:
    (execution_id,), _ = await unknown(ledger)
    await ledger.change_execution(execution_id, state=state)
    with pytest.raises((EvidenceConflict, InFlight), match=state):
        await resolved(ledger, execution_id, None)
    assert (await execution(ledger, execution_id)).state == state
    assert await order_of(ledger, execution_id) == (*ALL_SENT, 1)
    assert await evidence(ledger) == ()


async def test_nothing_resolves_as_not_accepted_before_the_settle_time(ledger: Ledger) -> None:
    (execution_id,) = await fresh(ledger)
    attempt, _ = await claimed(ledger.submissions, [execution_id])
    await ledger.submissions.record(
        closing(attempt.attempt_id, {execution_id: "unknown"}, next_action_in_ms=0)
    )
    with pytest.raises(InFlight, match="settle time"):
        await resolved(ledger, execution_id, None)
    await ledger.elapse(61)
    await resolved(ledger, execution_id, None)


@pytest.mark.parametrize("state", [None, *sorted(set(SubmissionState) - {_S.ACCEPTED})])
async def test_an_id_settles_every_state(ledger: Ledger, state: SubmissionState | None) -> None:
    (execution_id,), _ = await unknown(ledger)
    await ledger.change_execution(execution_id, state=state)
    gave_back = state in ("rejected", "exhausted")
    if gave_back:
        order_id = (await execution(ledger, execution_id)).order_id
        await ledger.change_order(order_id, quantity_sent=Decimal(10), submitted=True)
    await resolved(ledger, execution_id, 5)
    row = await execution(ledger, execution_id)
    assert (row.state, row.service_id) == ("accepted", 5)
    sent, _, _ = await order_of(ledger, execution_id)
    assert sent == (Decimal(20) if gave_back else Decimal(10)), "even beyond the order's quantity"
    (kept,) = await evidence(ledger)
    assert (kept.code, kept.state_before) == ("RESOLVED", state)


async def test_a_resolution_that_contradicts_our_ledger_is_refused(ledger: Ledger) -> None:
    ids, attempt_id = await unknown(ledger, 2)
    await ledger.submissions.record(
        closing(attempt_id, {ids[0]: "accepted"}, _S.UNKNOWN, service_ids={ids[0]: 50}, next_action_in_ms=0)
    )
    for execution_id, accepted_as, words in (
        (ids[0], None, "its id there, 50"),
        (ids[0], 51, "known as 50"),
        (ids[0], 50, "nothing to do"),
        (ids[1], 50, "another execution|is the id of execution"),
    ):
        with pytest.raises(EvidenceConflict, match=words):
            await resolved(ledger, execution_id, accepted_as)
    with pytest.raises(NotFound):
        await ledger.operators.resolve(Resolution(4711, None, "a", "b"), await _case(ledger, ids[1]))
    assert await states(ledger, ids) == ["accepted", "unknown"]
    assert await evidence(ledger) == ()


async def test_of_a_look_up_and_a_resolution_only_the_first_counts(ledger: Ledger) -> None:
    """The later one finds the execution already changed."""
    (first, second), attempt_id = await unknown(ledger, 2)
    seen = await _case(ledger, second)
    await resolved(ledger, first, None)
    absent = closing(attempt_id, {first: "retry", second: "retry"}, _S.UNKNOWN, next_action_in_ms=0)
    recorded = {one.execution_id: one for one in await ledger.submissions.record(absent)}
    assert (recorded[first].changed, recorded[first].state) == (False, _S.EXHAUSTED)
    assert recorded[second].changed
    with pytest.raises(InFlight, match="retry"):
        await resolved(ledger, second, None, seen)
    found = closing(attempt_id, {first: "accepted"}, _S.UNKNOWN)
    (late,) = await ledger.submissions.record(found)
    assert (late.changed, late.state_before) == (True, _S.EXHAUSTED)
    assert await order_of(ledger, first) == (*ALL_SENT, 3)
    assert [(one.source, one.code, one.state_before) for one in await evidence(ledger)] == [
        ("operator", "RESOLVED", "unknown"),
        ("look_up", "ACCEPTED_LATE", "exhausted"),
    ]


async def test_a_resolution_of_an_outdated_attempt_is_refused(ledger: Ledger) -> None:
    (execution_id,), attempt_id = await unknown(ledger)
    seen = await _case(ledger, execution_id)
    await ledger.submissions.record(
        closing(attempt_id, {execution_id: "retry"}, _S.UNKNOWN, next_action_in_ms=0)
    )
    await ledger.change_execution(execution_id, state="none")
    second, _ = await claimed(ledger.submissions, [execution_id])
    await ledger.submissions.record(
        closing(second.attempt_id, {execution_id: "unknown"}, next_action_in_ms=0)
    )
    await ledger.elapse(100)
    with pytest.raises(InFlight, match="sent again"):
        await resolved(ledger, execution_id, None, seen)


async def test_a_late_answer_and_a_late_fill_leave_evidence(ledger: Ledger) -> None:
    ids = await fresh(ledger, 3)
    attempt, _ = await claimed(ledger.submissions, ids)
    outcomes = {ids[0]: "rejected", ids[1]: "exhausted", ids[2]: "accepted"}
    await ledger.submissions.record(closing(attempt.attempt_id, outcomes))
    assert await evidence(ledger) == ()
    for _ in range(2):
        await ledger.submissions.record(closing(attempt.attempt_id, {ids[0]: "accepted"}))
    await report_fill(ledger, ids[1], PART, Decimal(4), 1)
    await report_fill(ledger, ids[2], PART, Decimal(4), 2)
    assert [
        (one.execution_id, one.source, one.code, one.state_before, one.state, one.service_id)
        for one in await evidence(ledger)
    ] == [
        (ids[0], "answer", "ACCEPTED_LATE", "rejected", "accepted", 1000 + ids[0]),
        (ids[1], "fill", "ACCEPTED_LATE", "exhausted", "accepted", None),
    ]


async def test_unknowns_include_claims_of_a_lost_owner(ledger: Ledger) -> None:
    ids, _ = await unknown(ledger, 2)
    (lost,) = await fresh(ledger)
    await claimed(ledger.submissions, [lost], lease_ms=50_000)
    (busy,) = await fresh(ledger)
    await claimed(ledger.submissions, [busy], lease_ms=900_000)
    assert [one.execution_id for one in (await ledger.operators.unknowns(10)).cases] == ids
    await ledger.elapse(60)
    listed = await ledger.operators.unknowns(2)
    assert ([one.execution_id for one in listed.cases], listed.total) == (ids, 3)
    assert [(one.state, one.settles_in_s is None) for one in (await ledger.operators.unknowns(9)).cases] == [
        ("unknown", False),
        ("unknown", False),
        ("claimed", True),
    ]


async def _case(ledger: Ledger, execution_id: int) -> ExecutionCase:
    return (await ledger.operators.cases([execution_id]))[execution_id]
