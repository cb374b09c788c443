"""Fills in the Execution Service's ledger, compared with stored ones."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.execution_rules import held_as_never_sent
from trade_service.domain.executions import (
    FINAL_STATUSES,
    Fill,
    SubmissionState,
    is_possible_fill,
    newer_fill,
)
from trade_service.store.migrations.earlier_schema import REFERENCE_DATA

OPEN = ("NEW", "SENT", "WORK", "PART", "HOLD", "CNCL")
OWN = "FILLED"
"""A status added to the reference data."""
ORDER = ("NEW", "SENT", "WORK", "PART", "CNCL", "FULL")
quantities = st.decimals(0, 10, places=8)
statuses = st.sampled_from((*OPEN, *sorted(FINAL_STATUSES), OWN))
fills = st.builds(Fill, statuses, quantities)


@given(stored=fills, books=fills)
def test_nothing_goes_backwards(stored: Fill, books: Fill) -> None:
    new = newer_fill(stored, books)
    if new is None:
        return
    assert stored.status not in FINAL_STATUSES
    assert new != stored
    assert new.quantity == books.quantity >= stored.quantity
    assert new.status in (stored.status, books.status)
    if stored.status in ORDER and new.status in ORDER:
        assert ORDER.index(new.status) >= ORDER.index(stored.status)
    assert newer_fill(new, books) is None, "the next pass finds nothing to do"


@given(stored=st.builds(Fill, st.sampled_from((*OPEN, OWN)), quantities), books=fills)
def test_more_filled_is_always_news(stored: Fill, books: Fill) -> None:
    assert (newer_fill(stored, books) is not None) or books.quantity <= stored.quantity


@pytest.mark.parametrize("old", OPEN)
@pytest.mark.parametrize("new", [*OPEN, *sorted(FINAL_STATUSES), OWN])
def test_a_later_status_is_news_without_a_quantity(old: str, new: str) -> None:
    rank = {"NEW": 0, "SENT": 1, "WORK": 2, "PART": 3, "HOLD": 3, "CNCL": 4} | dict.fromkeys(
        FINAL_STATUSES, 5
    )
    quantity = Decimal(3)
    expected = Fill(new, quantity) if rank.get(new, -1) > rank[old] else None
    assert newer_fill(Fill(old, quantity), Fill(new, quantity)) == expected


@pytest.mark.parametrize(
    "name", ["NEW", "SENT", "WORK", "FULL", "PART", "HOLD", "CNCL", "CNCLD", "CPART", "DEL"]
)
def test_every_status_of_a_new_database_is_open_or_final(name: str) -> None:
    assert f"('{name}', " in REFERENCE_DATA[-1]
    assert (name in OPEN) is not (name in FINAL_STATUSES)


def test_more_filled_with_an_earlier_status_keeps_ours() -> None:
    assert newer_fill(Fill("CNCL", Decimal(1)), Fill("PART", Decimal(2))) == Fill("CNCL", Decimal(2))
    assert newer_fill(Fill("HOLD", Decimal(1)), Fill("PART", Decimal(2))) == Fill("PART", Decimal(2))
    assert newer_fill(Fill("SENT", Decimal(1)), Fill(OWN, Decimal(2))) == Fill(OWN, Decimal(2))


@pytest.mark.parametrize("quantity", ["-1", "10.00000001", "NaN", "Infinity", "1E+999999", "1.123456789"])
def test_impossible_fills(quantity: str) -> None:
    assert not is_possible_fill(Decimal(quantity), Decimal(10))


@given(quantity=quantities)
def test_possible_fills(quantity: Decimal) -> None:
    assert is_possible_fill(quantity, Decimal(10))


@given(
    state=st.sampled_from((None, *SubmissionState)),
    is_placed=st.booleans(),
    is_adopted=st.booleans(),
    fill_reported=st.booleans(),
)
def test_what_another_program_may_have_sent_is_never_held_as_unsent(
    state: SubmissionState | None, *, is_placed: bool, is_adopted: bool, fill_reported: bool
) -> None:
    unsent = held_as_never_sent(
        state, is_placed=is_placed, is_adopted=is_adopted, fill_reported=fill_reported
    )
    if unsent:
        assert state not in (None, SubmissionState.ACCEPTED)
        assert not is_adopted
        assert fill_reported or not is_placed
    if state in (None, SubmissionState.ACCEPTED):
        assert not unsent
