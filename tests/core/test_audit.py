"""Comparison with the ledger: finds every kind of difference, and nothing else."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
import stamina
from hypothesis import given
from hypothesis import strategies as st

from trade_service.domain.executions import SubmissionState
from trade_service.execution_service.wire import decode_page
from trade_service.submission.messages import Listing, RemoteExecution, RemoteExecutionPage, Security
from trade_service.trading.audit import (
    CLOCK_SKEW,
    SHOWN,
    AcceptedExecution,
    AuditLog,
    FindingKind,
    LedgerComparison,
    NoteKind,
    OwnExecution,
)
from trade_service.trading.ledger_audit import _LedgerAudit
from trade_service.trading.restoring import LedgerUnreadable

CREATED = datetime(2026, 1, 30, 12, tzinfo=UTC)


def own(number: int, service_id: int | None = None, **changes: Any) -> OwnExecution:
    values: dict[str, Any] = {
        "id": number,
        "state": SubmissionState.ACCEPTED,
        "execution_service_id": number + 1000 if service_id is None else service_id,
        "created": CREATED,
        "trade_type": "BUY",
        "security_id": "AAPL",
        "quantity": Decimal("100.00000000"),
        "destination": "ML",
    }
    return OwnExecution(**(values | changes))


def remote(number: int | None, row_id: int | None = None, **changes: Any) -> RemoteExecution:
    values: dict[str, Any] = {
        "id": (number or 0) + 1000 if row_id is None else row_id,
        "trade_type": "BUY",
        "destination": "ML",
        "security": Security("AAPL", "AAPL"),
        "quantity": Decimal(100),
        "received_timestamp": CREATED.isoformat(),
        "trade_service_execution_id": number,
    }
    return RemoteExecution(**(values | changes))


def compare(remotes: list[RemoteExecution], owns: list[OwnExecution]) -> AuditLog:
    log = AuditLog()
    comparison = LedgerComparison(log)
    comparison.compare(remotes, {execution.id: execution for execution in owns})
    accepted = [
        AcceptedExecution(execution.id, execution.execution_service_id, legacy=False)
        for execution in owns
        if execution.state is SubmissionState.ACCEPTED
    ]
    comparison.add_missing([execution for execution in accepted if comparison.is_missing(execution)])
    assert comparison.rows == len(remotes)
    return log


def test_equal_ledgers_are_clean() -> None:
    log = compare([remote(1), remote(2)], [own(1), own(2)])
    assert log.is_clean
    assert not log.findings
    assert not log.notes


@pytest.mark.parametrize("number", ["1e2000000", "-1e2000000", "1e-2000000", '"1e2000000"', "1e2000000000"])
def test_a_huge_number_is_a_finding_that_names_its_row(number: str) -> None:
    """Even one that arithmetic with decimals refuses; the rows after it are compared as well."""
    row = (
        '{"id":%d,"tradeServiceExecutionId":%d,"tradeType":"BUY","destination":"ML","securityId":"AAPL",'
        '"quantity":%s,"limitPrice":%s}'
    )
    rows = ",".join((row % (1001, 1, number, number), row % (1002, 2, "100", "1")))
    page = decode_page(f'{{"content":[{rows}]}}'.encode())
    log = compare(page.content, [own(1), own(2)])
    (finding,) = log.findings
    assert (finding.kind, finding.id) == (FindingKind.DIFFERENT, 1)
    assert finding.message.startswith("execution 1 (1001 there): quantity is 100 here and ")
    assert len(finding.message) < 200


@pytest.mark.parametrize("ids", [(1001, 5), (5, 1001)], ids=["ours first", "ours last"])
def test_accepted_twice_names_both_ids(ids: tuple[int, int]) -> None:
    log = compare([remote(1, ids[0]), remote(1, ids[1])], [own(1)])
    assert log.counts == {FindingKind.TWICE: 1}
    assert "1001" in log.findings[0].message
    assert " 5" in log.findings[0].message


def test_accepted_three_times_is_two_too_many() -> None:
    assert compare([remote(1), remote(1, 5), remote(1, 6)], [own(1)]).counts == {FindingKind.TWICE: 2}


def test_missing_downstream() -> None:
    log = compare([remote(1)], [own(1), own(2)])
    assert log.counts == {FindingKind.MISSING: 1}
    assert log.findings[0].id == 2
    assert "accepted here as 1002" in log.findings[0].message


def test_known_under_another_id() -> None:
    log = compare([remote(1, 7)], [own(1)])
    assert log.counts == {FindingKind.DIFFERENT: 1}
    assert "1001 here and 7 there" in log.findings[0].message


@pytest.mark.parametrize("state", [s for s in SubmissionState if s not in ("accepted", "claimed", "unknown")])
def test_there_but_not_accepted_here(state: SubmissionState) -> None:
    log = compare([remote(1)], [own(1, state=state, execution_service_id=None)])
    assert log.counts == {FindingKind.EXTRA: 1}
    assert state in log.findings[0].message


@pytest.mark.parametrize("state", [SubmissionState.CLAIMED, SubmissionState.UNKNOWN])
def test_what_is_in_flight_is_a_note(state: SubmissionState) -> None:
    log = compare([remote(1)], [own(1, state=state, execution_service_id=None)])
    assert log.is_clean
    assert log.notes == {NoteKind.IN_FLIGHT: 1}


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"trade_type": "SELL"}, "trade type is BUY here and SELL there"),
        ({"destination": "RBC"}, "destination"),
        ({"security": Security("MSFT", "MSFT")}, "security is AAPL here and MSFT there"),
        ({"quantity": Decimal("100.00000001")}, "quantity is 100 here and 100.00000001 there"),
        ({"quantity": None}, "quantity is 100 here and None there"),
    ],
)
def test_different(change: dict[str, Any], word: str) -> None:
    log = compare([remote(1, **change)], [own(1)])
    assert log.counts == {FindingKind.DIFFERENT: 1}
    assert word in log.findings[0].message


def test_rows_of_others_are_notes() -> None:
    log = compare([remote(None, 9), remote(77, 10)], [])
    assert log.is_clean
    assert log.notes == {NoteKind.FOREIGN: 2}


def test_rows_of_an_earlier_life_of_our_database_are_notes() -> None:
    before = (CREATED - CLOCK_SKEW - timedelta(seconds=1)).isoformat()
    just_not = (CREATED - CLOCK_SKEW + timedelta(seconds=1)).isoformat()
    old = remote(1, 5, received_timestamp=before, quantity=Decimal(7))
    assert compare([old, remote(1)], [own(1)]).notes == {NoteKind.EARLIER_LIFE: 1}
    assert compare([old, remote(1)], [own(1)]).is_clean
    recent = remote(1, 5, received_timestamp=just_not)
    assert compare([recent, remote(1)], [own(1)]).counts == {FindingKind.TWICE: 1}
    unreadable = remote(1, 5, received_timestamp="long ago")
    assert compare([unreadable, remote(1)], [own(1)]).counts == {FindingKind.TWICE: 1}


def test_rows_of_the_earlier_service_are_notes() -> None:
    log = AuditLog()
    comparison = LedgerComparison(log)
    comparison.compare([remote(1)], {1: own(1, state=None)})
    comparison.add_missing([AcceptedExecution(2, 5, legacy=True)])
    assert log.is_clean
    assert log.notes == {NoteKind.LEGACY_ROWS: 2}


def test_findings_are_bounded_and_counts_exact() -> None:
    log = compare([], [own(number) for number in range(1, 3 * SHOWN)])
    assert log.counts == {FindingKind.MISSING: 3 * SHOWN - 1}
    assert len(log.findings) == SHOWN


@given(st.lists(st.integers(1, 40), max_size=60))
def test_whatever_the_order_every_extra_acceptance_is_counted(numbers: list[int]) -> None:
    owns = [own(number) for number in range(1, 41)]
    rows = [
        remote(n, n + 1000 if n not in numbers[:place] else 5000 + place) for place, n in enumerate(numbers)
    ]
    for ordered in (rows, rows[::-1]):
        log = compare(ordered, owns)
        assert log.counts[FindingKind.TWICE] == len(numbers) - len(set(numbers))
        assert log.counts[FindingKind.MISSING] == 40 - len(set(numbers))
        assert log.counts[FindingKind.DIFFERENT] == 0


def test_trailing_blanks_are_no_difference() -> None:
    padded = remote(1, security=Security("AAPL".ljust(24), None), destination="ML ")
    assert compare([padded], [own(1)]).is_clean


@pytest.mark.parametrize("quantity", [None, "NaN", "1e999999", "1." + "9" * 5000, "-Infinity"])
def test_an_odd_quantity_is_a_finding_in_words(quantity: str | None) -> None:
    value = None if quantity is None else Decimal(quantity)
    (finding,) = compare([remote(1, quantity=value)], [own(1)]).findings
    assert finding.kind is FindingKind.DIFFERENT
    assert "quantity is 100 here and" in finding.message
    assert len(finding.message) < 250


@pytest.mark.parametrize("row_id", [0, -1, 2**31, 10**30])
def test_a_row_with_an_impossible_id_is_a_finding_and_matches_nothing(row_id: int) -> None:
    log = compare([remote(1, row_id=row_id)], [own(1)])
    assert log.counts == {FindingKind.IMPOSSIBLE_ID: 1, FindingKind.MISSING: 1}
    assert str(row_id) in log.findings[0].message


@pytest.mark.parametrize("failures", [0, 2, 3])
async def test_a_page_that_cannot_be_read_is_tried_three_times(failures: int) -> None:
    page = RemoteExecutionPage([])
    listings = [Listing(None, "LOST", "reset")] * failures + [Listing(page)]

    async def read() -> Listing:
        return listings.pop(0)

    with stamina.set_testing(True, attempts=3, cap=True):
        if failures < 3:
            assert await _LedgerAudit._page(read) is page
        else:
            with pytest.raises(LedgerUnreadable, match="reset"):
                await _LedgerAudit._page(read)
    assert len(listings) == (1 if failures == 3 else 0)
