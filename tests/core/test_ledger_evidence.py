"""What a row of the ledger, or its absence, says about 'it was accepted under this id'."""

from decimal import Decimal

import pytest

from tests.core.factories import remote
from trade_service.domain.executions import SubmissionState
from trade_service.submission.manual_resolution import (
    ExecutionCase,
    LedgerFinding,
    check_evidence,
    evidence_of_row,
)
from trade_service.submission.messages import Listing, RemoteExecution, RemoteExecutionPage


def case(*, before_reset: bool) -> ExecutionCase:
    return ExecutionCase(
        execution_id=5,
        state=SubmissionState.UNKNOWN,
        legacy=False,
        execution_service_id=None,
        trade_order_id=1,
        order_id=1,
        security_id="S5",
        trade_type="BUY",
        destination="ML",
        quantity=Decimal(10),
        quantity_filled=Decimal(0),
        attempts_spent=1,
        attempt_id="attempt",
        attempt_began=None,
        open_s=60.0,
        kind="lost",
        code="NO_ANSWER",
        low_water_id=7,
        low_water_void=before_reset,
        adopted=False,
        requeued=False,
        look_ups=1,
        settles_in_s=-1.0,
        due_in_s=None,
    )


@pytest.mark.parametrize(
    ("before_reset", "row", "finding"),
    [
        (False, None, LedgerFinding.DOUBTS),
        (True, None, LedgerFinding.SILENT),
        (True, remote(77, 6), LedgerFinding.CONTRADICTS),
        (True, remote(77, 5), LedgerFinding.CONFIRMS),
        (True, remote(77, 5, Decimal(11)), LedgerFinding.DOUBTS),
    ],
)
def test_after_a_reset_only_what_is_there_speaks(
    before_reset: bool, row: RemoteExecution | None, finding: LedgerFinding
) -> None:
    page = RemoteExecutionPage([row] if row else [])
    evidence = evidence_of_row(case(before_reset=before_reset), 77, Listing(page))
    assert evidence.finding is finding, evidence.message
    if finding is LedgerFinding.SILENT:
        assert "proves nothing" in evidence.message
        check_evidence(evidence, override=False)
