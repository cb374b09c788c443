"""FillStore: which fills of the downstream ledger are stored, and with what evidence."""

from decimal import Decimal

import pytest

from tests.behaviour.ledger import Ledger, evidence, execution, fresh
from tests.support.rows import PART, SENT
from trade_service.domain.executions import SubmissionState
from trade_service.trading.fill_check import FetchedFill, RefusedFill

_S = SubmissionState
SERVICE_ID = 500
EVERY_S = 60.0
TEN = Decimal(10)


async def accepted(ledger: Ledger, service_id: int = SERVICE_ID) -> int:
    """An accepted execution of 10 with status SENT."""
    (execution_id,) = await fresh(ledger, 1, "accepted")
    await ledger.change_execution(
        execution_id, service_id=service_id, status_id=SENT, placed=TEN, filled=Decimal(0)
    )
    return execution_id


def fetched(execution_id: int, version: int = 1, service_id: int = SERVICE_ID) -> FetchedFill:
    return FetchedFill(execution_id, service_id, version, PART, Decimal("2.5"), "why")


async def test_one_pass_starts_in_every_interval(ledger: Ledger) -> None:
    assert await ledger.fills.begin_fill_check(EVERY_S) == 0
    assert await ledger.fills.begin_fill_check(EVERY_S) is None
    await ledger.elapse(EVERY_S - 1)
    assert await ledger.fills.begin_fill_check(EVERY_S) is None
    await ledger.elapse(1)
    assert await ledger.fills.begin_fill_check(EVERY_S) == 0


async def test_the_next_pass_starts_where_the_last_one_ended(ledger: Ledger) -> None:
    await ledger.fills.begin_fill_check(0.0)
    await ledger.fills.end_fill_check(300)
    assert await ledger.fills.begin_fill_check(0.0) == 300


@pytest.mark.parametrize("state", [None, *_S])
async def test_accepted_and_legacy_executions_with_an_id_are_held(
    ledger: Ledger, state: SubmissionState | None
) -> None:
    execution_id = await accepted(ledger)
    await ledger.change_execution(execution_id, state=state)
    held = await ledger.fills.held_fills([execution_id, 999])
    if state not in (None, _S.ACCEPTED):
        assert held == []
        return
    (one,) = held
    assert (one.execution_id, one.execution_service_id, one.status_id) == (execution_id, SERVICE_ID, SENT)
    assert (one.quantity_filled, one.quantity_ordered, one.version) == (Decimal(0), TEN, 1)
    await ledger.change_execution(execution_id, service_id=None)
    assert await ledger.fills.held_fills([execution_id]) == []


async def test_a_fetched_fill_is_stored_with_evidence(ledger: Ledger) -> None:
    execution_id = await accepted(ledger)
    assert await ledger.fills.store_fetched([fetched(execution_id)]) == [execution_id]
    row = await execution(ledger, execution_id)
    assert (row.filled, row.placed, row.status_id, row.version) == (Decimal("2.5"), TEN, PART, 2)
    (found,) = await evidence(ledger)
    assert (found.execution_id, found.source, found.code) == (execution_id, "books", "FILL_FETCHED")
    assert (found.state_before, found.state, found.service_id) == ("accepted", "accepted", SERVICE_ID)
    assert (found.message, found.actor) == ("why", None)


async def test_a_legacy_execution_is_adopted_with_its_fill(ledger: Ledger) -> None:
    execution_id = await accepted(ledger)
    await ledger.change_execution(execution_id, state=None, placed=Decimal(0))
    assert await ledger.fills.store_fetched([fetched(execution_id)]) == [execution_id]
    row = await execution(ledger, execution_id)
    assert (row.state, row.placed, row.filled) == ("accepted", TEN, Decimal("2.5"))
    (found,) = await evidence(ledger)
    assert (found.state_before, found.state) == (None, "accepted")


@pytest.mark.parametrize("change", ["version", "service id", "state", "nothing"])
async def test_an_execution_that_changed_since_it_was_read_is_left_alone(ledger: Ledger, change: str) -> None:
    execution_id, other = await accepted(ledger), await accepted(ledger, 501)
    if change == "state":
        await ledger.change_execution(execution_id, state="unknown")
    before = await execution(ledger, execution_id)
    fill = fetched(
        execution_id,
        version=2 if change == "version" else 1,
        service_id=7 if change == "service id" else SERVICE_ID,
    )
    stored = await ledger.fills.store_fetched([fetched(other, service_id=501), fill, fetched(999)])
    assert sorted(stored) == ([execution_id, other] if change == "nothing" else [other])
    if change != "nothing":
        assert await execution(ledger, execution_id) == before


async def test_refusals_are_new_once_for_each_value(ledger: Ledger) -> None:
    execution_id = await accepted(ledger)
    first, second = (RefusedFill(execution_id, SERVICE_ID, text) for text in ("11", "12"))
    moved = RefusedFill(execution_id, SERVICE_ID + 1, "11")
    assert await ledger.fills.new_refusals([first]) == [execution_id]
    await ledger.fills.note_refused([first])
    assert await ledger.fills.new_refusals([first]) == []
    assert await ledger.fills.new_refusals([second]) == [execution_id]
    assert await ledger.fills.new_refusals([moved]) == [execution_id]
    (found,) = await evidence(ledger)
    assert (found.execution_id, found.source, found.code) == (execution_id, "books", "FILL_REFUSED")
    assert (found.state, found.service_id, found.message) == ("accepted", SERVICE_ID, "11")
    assert (await execution(ledger, execution_id)).version == 1
