"""Conclusions from a second look at the ledger: a total table and its properties."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trade_service.submission.downstream import (
    DownstreamState,
    LedgerLook,
    Ruling,
    Sign,
    Suspicion,
    rule_on_suspicion,
    same_address,
)

ids = st.integers(1, 50)
names = st.one_of(st.none(), st.integers(1, 5))


def state(
    sign: Sign,
    service_id: int,
    execution_id: int | None,
    high: int = 40,
    named: int | None = 4,
    known: int = 40,
) -> DownstreamState:
    suspicion = Suspicion(sign, "because", service_id, execution_id)
    return DownstreamState(1, "http://one", high, named, known, 1, 1, suspicion, None, 100)


def look(top: int, anchor: int | None, suspect: int | None = None, *, found: bool = True) -> LedgerLook:
    return LedgerLook(top, anchor_found=found, anchor_execution_id=anchor, suspect_execution_id=suspect)


SAME, NEW, AGAIN = Ruling.SAME_LEDGER, Ruling.NEW_EPOCH, Ruling.LOOK_AGAIN


@pytest.mark.parametrize(
    ("before", "seen", "ruling"),
    [
        # A listing that was too short
        (state(Sign.LISTING, 12, None), look(45, 4), SAME),
        (state(Sign.LISTING, 12, None), look(15, None, found=False), NEW),
        (state(Sign.LISTING, 12, None), look(12, None, found=False), NEW),
        (state(Sign.LISTING, 12, None), look(3, None, found=False), AGAIN),
        (state(Sign.LISTING, 0, None), look(0, None, found=False), NEW),
        (state(Sign.LISTING, 12, None), look(45, 9), NEW),
        (state(Sign.LISTING, 12, None), look(45, None, found=False), NEW),
        # An answer whose id was known before
        (state(Sign.ANSWER, 3, 30), look(45, 4, 30), SAME),
        (state(Sign.ANSWER, 3, 30), look(20, None, 30, found=False), NEW),
        (state(Sign.ANSWER, 3, 30), look(45, 9, 30), NEW),
        (state(Sign.ANSWER, 3, 30, named=None), look(45, None, 30), NEW),
        (state(Sign.ANSWER, 3, 30, named=None), look(45, None, 8), SAME),
        # A known row that was another one
        (state(Sign.ANCHOR, 20, 2), look(45, 4, 2), SAME),
        (state(Sign.ANCHOR, 20, 2), look(45, 4, 7), NEW),
        (state(Sign.ANCHOR, 20, 2), look(45, 4, None), NEW),
        # Ids seen since the high-water id was noted count as well
        (state(Sign.LISTING, 12, None, known=60), look(45, 4), NEW),
        (state(Sign.LISTING, 12, None, high=0, named=None, known=0), look(0, None, found=False), SAME),
    ],
)
def test_the_table_of_second_looks(before: DownstreamState, seen: LedgerLook, ruling: Ruling) -> None:
    assert rule_on_suspicion(before, seen) is ruling


@given(
    st.sampled_from(Sign), ids, names, ids, st.integers(1, 5), st.integers(0, 60), names, names, st.booleans()
)
def test_only_a_ledger_that_still_holds_the_known_row_is_the_same(
    sign: Sign,
    service_id: int,
    execution_id: int | None,
    high: int,
    named: int,
    top: int,
    anchor: int | None,
    suspect: int | None,
    found: bool,
) -> None:
    before = state(sign, service_id, execution_id, high, named, high)
    ruling = rule_on_suspicion(before, look(top, anchor if found else None, suspect, found=found))
    if ruling is SAME:
        assert top >= high
        assert found
        assert anchor == named


def test_spellings_of_one_address_are_one() -> None:
    assert same_address("http://localhost:8084", "http://127.0.0.1:8084/")
    assert same_address("http://[::1]:8084", "HTTP://LOCALHOST:8084")
    assert same_address("https://exec.example", "https://exec.example:443/")


@pytest.mark.parametrize(
    "other", ["http://exec:8085", "https://exec:8084", "http://other:8084", "http://exec:8084/v2"]
)
def test_other_addresses_are_others(other: str) -> None:
    assert not same_address("http://exec:8084", other)
