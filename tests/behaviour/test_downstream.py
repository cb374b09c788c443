"""The state of the Execution Service's ledger that all replicas share."""

import asyncio

import pytest

from tests.behaviour.ledger import Ledger, attempt_row, evidence, fresh, states
from tests.support.attempts import FRESH, claimed, closing, new_attempt
from trade_service.domain.executions import SubmissionState
from trade_service.submission.downstream import Sign, Suspicion

_S = SubmissionState
SUSPICION = Suspicion(Sign.ANSWER, "execution 5 was accepted as 3", 3, 5)
FAR_BACK_S = 1_000_000.0


async def test_an_empty_database_knows_nothing_of_the_ledger(ledger: Ledger) -> None:
    state = await ledger.downstream.read()
    assert (state.epoch, state.base_url, state.high_water_id, state.known_id) == (1, None, 0, 0)
    assert (state.first_id, state.suspicion, state.blocked_reason) == (0, None, None)


async def test_the_high_water_id_only_rises_and_the_first_id_stays(ledger: Ledger) -> None:
    await ledger.downstream.note_ledger(1, "http://one", 40, 4)
    for service_id, execution_id in ((70, 7), (60, 6)):
        await ledger.downstream.raise_high_water(1, service_id, execution_id)
    state = await ledger.downstream.read()
    assert (state.base_url, state.first_id, state.first_execution_id) == ("http://one", 40, 4)
    assert (state.high_water_id, state.high_water_execution_id) == (70, 7)


async def test_a_claim_takes_floor_and_epoch_from_the_shared_state(ledger: Ledger) -> None:
    await ledger.downstream.note_ledger(1, "http://one", 40, 4)
    (execution_id,) = await fresh(ledger)
    attempt = new_attempt(lease_ms=0)
    claim = await ledger.submissions.claim(attempt, [execution_id], FRESH)
    assert claim.low_water_id == 40
    written = await attempt_row(ledger, attempt.attempt_id)
    assert (written.floor_id, written.epoch) == (40, 1)
    (due,) = await ledger.submissions.take_due("two", 10, 0, 0)
    assert (due.low_water_id, due.low_water_execution_id, due.epoch) == (40, 4, 1)


@pytest.mark.parametrize("why", ["suspected", "blocked", "another epoch"])
async def test_nothing_is_claimed_while_the_ledger_is_in_doubt(ledger: Ledger, why: str) -> None:
    ids = await fresh(ledger, 2)
    if why == "suspected":
        await ledger.downstream.suspect(1, SUSPICION)
    elif why == "blocked":
        await ledger.downstream.block("restored")
    attempt = new_attempt(epoch=2 if why == "another epoch" else 1)
    claim = await ledger.submissions.claim(attempt, ids, FRESH)
    assert (claim.items, claim.low_water_id) == ((), None)
    assert [row.execution_id for row in claim.not_claimed] == ids
    assert await states(ledger, ids) == ["none", "none"]
    assert attempt.attempt_id not in (await ledger.everything()).attempts


async def test_only_the_first_suspicion_of_an_epoch_is_marked_and_only_it_is_dismissed(
    ledger: Ledger,
) -> None:
    other = Suspicion(Sign.LISTING, "the listing shrank", 2, None)
    assert await ledger.downstream.suspect(1, SUSPICION)
    assert not await ledger.downstream.suspect(1, other)
    assert not await ledger.downstream.suspect(2, other)
    await ledger.downstream.dismiss(1, other)
    marked = (await ledger.downstream.read()).suspicion
    assert marked is not None
    assert (marked.sign, marked.reason, marked.service_id, marked.execution_id) == (
        SUSPICION.sign,
        SUSPICION.reason,
        3,
        5,
    )
    assert marked.age_s == pytest.approx(0, abs=5)
    await ledger.downstream.dismiss(1, SUSPICION)
    assert (await ledger.downstream.read()).suspicion is None


async def test_nothing_is_noted_while_the_ledger_is_suspected(ledger: Ledger) -> None:
    await ledger.downstream.suspect(1, SUSPICION)
    await ledger.downstream.raise_high_water(1, 9, 9)
    await ledger.downstream.note_ledger(1, "http://one", 9, 9)
    state = await ledger.downstream.read()
    assert (state.high_water_id, state.base_url) == (0, None)


async def test_an_epoch_begins_once_and_returns_what_is_unknown(ledger: Ledger) -> None:
    claimed_id, unknown, accepted, queued = await fresh(ledger, 4)
    await claimed(ledger.submissions, [claimed_id])
    attempt, _ = await claimed(ledger.submissions, [unknown, accepted])
    said = closing(attempt.attempt_id, {unknown: "unknown", accepted: "accepted"}, next_action_in_ms=0)
    await ledger.submissions.record(said)
    await ledger.reads.enqueue([queued], new_attempt().attempt_id)
    await ledger.downstream.suspect(1, SUSPICION)

    assert await ledger.downstream.begin_epoch(1, "http://two", 3, 30) == (claimed_id, unknown)
    assert await ledger.downstream.begin_epoch(1, "http://two", 4, 40) is None
    state = await ledger.downstream.read()
    assert (state.epoch, state.base_url, state.suspicion) == (2, "http://two", None)
    assert (state.high_water_id, state.first_id, state.first_execution_id) == (3, 3, 30)


@pytest.mark.parametrize("why", ["suspected", "blocked", "another epoch"])
async def test_absence_is_not_recorded_while_the_ledger_is_in_doubt(ledger: Ledger, why: str) -> None:
    absent, found = await fresh(ledger, 2)
    attempt, _ = await claimed(ledger.submissions, [absent, found], lease_ms=0)
    await ledger.submissions.take_due("two", 10, 0, 0)
    if why == "suspected":
        await ledger.downstream.suspect(1, SUSPICION)
    elif why == "blocked":
        await ledger.downstream.block("restored")
    else:
        await ledger.downstream.begin_epoch(1, "http://two", 3, None)
    seen = closing(attempt.attempt_id, {absent: "retry", found: "accepted"}, _S.UNKNOWN, epoch=1)
    recorded = {row.execution_id: row for row in await ledger.submissions.record(seen)}
    assert (recorded[absent].changed, recorded[absent].state) == (False, _S.UNKNOWN)
    assert (recorded[found].changed, recorded[found].state) == (True, _S.ACCEPTED)
    assert (await attempt_row(ledger, attempt.attempt_id)).due_in_s is not None


async def test_unsent_executions_are_named(ledger: Ledger) -> None:
    ids = await fresh(ledger, 5)
    none, queued, retry, claimed_id, accepted = ids
    await ledger.reads.enqueue([queued], new_attempt().attempt_id)
    attempt, _ = await claimed(ledger.submissions, [retry, accepted])
    await ledger.submissions.record(
        closing(attempt.attempt_id, {retry: "retry", accepted: "accepted"}, next_action_in_ms=0)
    )
    await claimed(ledger.submissions, [claimed_id])
    assert await ledger.downstream.held_as_unsent([*ids, 10**6]) == (none, queued, retry)


async def test_the_sequence_advances_without_blocking_when_nothing_is_open(ledger: Ledger) -> None:
    (execution_id,) = await fresh(ledger)
    assert not await ledger.downstream.advance_sequence(5000, 0.0, "restored")
    state = await ledger.downstream.read()
    assert (state.last_execution_id, state.blocked_reason) == (5000, None)
    assert (await fresh(ledger))[0] > 5000 > execution_id


@pytest.mark.parametrize(("since_s", "blocks"), [(0.0, True), (FAR_BACK_S, False)])
async def test_open_executions_that_are_older_block_claims(
    ledger: Ledger, since_s: float, *, blocks: bool
) -> None:
    """Executions queued after this process started do not belong to a lost database."""
    (execution_id,) = await fresh(ledger)
    await ledger.reads.enqueue([execution_id], new_attempt().attempt_id)
    await ledger.elapse(10)
    assert await ledger.downstream.advance_sequence(5000, since_s, "restored") is blocks
    state = await ledger.downstream.read()
    assert (state.last_execution_id, state.blocked_reason) == (5000, "restored" if blocks else None)


async def test_adopted_rows_do_not_block(ledger: Ledger) -> None:
    """Reconciliation of adopted rows reads the whole ledger anyway."""
    (execution_id,) = await fresh(ledger, state=None)
    await ledger.submissions.adopt([execution_id])
    await ledger.elapse(10)
    assert not await ledger.downstream.advance_sequence(5000, 0.0, "restored")


async def test_concurrent_moves_never_set_the_sequence_back(ledger: Ledger) -> None:
    (first,) = await fresh(ledger)
    moves = [ledger.downstream.leave_gap(1000 + 10 * number) for number in range(20)]
    advances = [ledger.downstream.advance_sequence(first + 500, 0.0, "restored") for _ in range(5)]
    await asyncio.gather(*moves, *advances)
    state = await ledger.downstream.read()
    assert state.last_execution_id >= first + sum(1000 + 10 * number for number in range(20))


async def test_a_gap_moves_the_sequence(ledger: Ledger) -> None:
    (execution_id,) = await fresh(ledger)
    await ledger.downstream.leave_gap(1000)
    assert await fresh(ledger) == [execution_id + 1001]


async def test_a_recovery_makes_open_executions_unknown_with_floor_zero(
    ledger: Ledger,
) -> None:
    none, queued, claimed_id, unknown, rejected, accepted = ids = await fresh(ledger, 6)
    await ledger.reads.enqueue([queued], new_attempt().attempt_id)
    await claimed(ledger.submissions, [claimed_id], lease_ms=90_000)
    attempt, _ = await claimed(ledger.submissions, [unknown, rejected, accepted])
    said = {unknown: "unknown", rejected: "rejected", accepted: "accepted"}
    await ledger.submissions.record(closing(attempt.attempt_id, said, next_action_in_ms=0))
    await ledger.downstream.block("restored")

    counts = await ledger.restores.open_by_state()
    assert counts == ({_S.NONE: 1, _S.QUEUED: 1, _S.CLAIMED: 1, _S.UNKNOWN: 1}, {})
    assert await ledger.restores.recover(9000, 60_000, "ann", "backup of 6:00", same_ledger=False) == 4

    assert await states(ledger, ids) == ["unknown"] * 4 + ["rejected", "accepted"]
    everything = await ledger.everything()
    sent, unasked = (everything.attempts[str(everything.executions[i].attempt_id)] for i in (queued, none))
    assert (sent.execution_ids, unasked.execution_ids) == ((queued, claimed_id, unknown), (none,))
    assert (sent.adopted, unasked.adopted) == (False, True)
    assert (sent.floor_id, sent.epoch, sent.settle_ms, sent.code) == (0, 1, 60_000, "RECOVERED")
    assert sent.settle_from_in_s == pytest.approx(90, abs=10)
    state = await ledger.downstream.read()
    assert (state.blocked_reason, state.last_execution_id) == (None, 9000)


async def test_a_recovery_skips_executions_sent_before_a_reset_unless_the_ledger_is_the_same(
    ledger: Ledger,
) -> None:
    unknown, queued = ids = await fresh(ledger, 2)
    attempt, _ = await claimed(ledger.submissions, [unknown])
    await ledger.submissions.record(closing(attempt.attempt_id, {unknown: "unknown"}, next_action_in_ms=0))
    await ledger.reads.enqueue([queued], new_attempt().attempt_id)
    assert await ledger.downstream.begin_epoch(1, "http://one", 5, None) == (unknown,)

    assert await ledger.restores.open_by_state() == ({_S.QUEUED: 1}, {_S.UNKNOWN: 1})
    assert await ledger.restores.recover(0, 60_000, "ann", "backup of 6:00", same_ledger=False) == 1
    everything = await ledger.everything()
    sent = [everything.attempts[str(everything.executions[i].attempt_id)] for i in ids]
    assert [one.epoch for one in sent] == [1, 2]
    assert await ledger.restores.recover(0, 60_000, "ann", "it was stale", same_ledger=True) == 2
    everything = await ledger.everything()
    assert {everything.attempts[str(everything.executions[i].attempt_id)].epoch for i in ids} == {2}


async def test_a_recovery_leaves_evidence(ledger: Ledger) -> None:
    (execution_id,) = await fresh(ledger)
    await ledger.restores.recover(0, 60_000, "ann", "backup of 6:00", same_ledger=False)
    (kept,) = await evidence(ledger)
    assert (kept.execution_id, kept.code, kept.actor, kept.message) == (
        execution_id,
        "RECOVERED",
        "ann",
        "backup of 6:00",
    )
    assert (kept.state_before, kept.state) == ("none", "unknown")
