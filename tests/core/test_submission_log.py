"""What is written to the log of what happened."""

from structlog.testing import capture_logs

from trade_service.domain.executions import SubmissionState
from trade_service.observability.submission_log import log_submission
from trade_service.submission.breaker import CircuitState
from trade_service.submission.codes import OutcomeCode
from trade_service.submission.events import BatchSubmissionEvent, CircuitEvent, ExhaustedEvent, RecoveredEvent
from trade_service.submission.model import ItemOutcome, ReplyKind


def test_an_opening_circuit_is_an_error_and_a_closing_one_is_not() -> None:
    with capture_logs() as logs:
        log_submission(CircuitEvent(CircuitState.OPEN, "4 of 4 calls failed", 12.0, 2000))
        log_submission(CircuitEvent(CircuitState.HALF_OPEN, "4 of 4 calls failed", None, None))
        log_submission(CircuitEvent(CircuitState.CLOSED, "", None, None))
    assert [(line["event"], line["log_level"]) for line in logs] == [
        ("circuit_open", "error"),
        ("circuit_half_open", "info"),
        ("circuit_closed", "info"),
    ]
    assert (logs[0]["reason"], logs[0]["probe_in_ms"]) == ("4 of 4 calls failed", 2000)


def test_who_recovered_and_who_was_given_up_is_named() -> None:
    many = tuple(range(250))
    with capture_logs() as logs:
        log_submission(RecoveredEvent("a", "look_up", (7, 8), 2, 3.14159))
        log_submission(ExhaustedEvent("b", OutcomeCode.BUDGET_SPENT, "given up", many))
    back, gone = logs
    assert (back["event"], back["log_level"], back["how"]) == ("executions_recovered", "info", "look_up")
    assert (back["execution_ids"], back["attempts"], back["since_first_s"]) == ((7, 8), 2, 3.1)
    assert (gone["event"], gone["log_level"], gone["code"]) == (
        "executions_exhausted",
        "error",
        "BUDGET_SPENT",
    )
    assert (gone["executions"], gone["execution_ids"]) == (250, many[:100])


def test_a_failed_batch_is_told_with_its_context() -> None:
    failure = ItemOutcome(7, SubmissionState.UNKNOWN, "DOWNSTREAM_ERROR_500", "500: it is looked up")
    event = BatchSubmissionEvent(
        attempt_id="a",
        size=1,
        kind=ReplyKind.UNCLEAR,
        code="DOWNSTREAM_ERROR_500",
        message="the call answered 500",
        http_status=500,
        accepted=0,
        rejected=0,
        retrying=0,
        unknown=1,
        exhausted=0,
        recovered=False,
        callers=1,
        queued_ms=0.0,
        claim_ms=1.0,
        call_ms=2.0,
        record_ms=1.0,
        failures=(failure,),
    )
    with capture_logs() as logs:
        log_submission(event)
    batch, one = logs
    assert (batch["execution_ids"], batch["reason"]) == ([7], "the call answered 500")
    assert (batch["call_ms"], batch["http_status"], one["http_status"]) == (2.0, 500, 500)
    assert (one["execution_id"], one["attempt_id"], one["code"]) == (7, "a", "DOWNSTREAM_ERROR_500")
    assert one["reason"].endswith("it is looked up")


def test_a_batch_that_was_put_off_is_one_quiet_line() -> None:
    event = BatchSubmissionEvent(
        attempt_id="a",
        size=50,
        kind=ReplyKind.NOT_SENT,
        code=OutcomeCode.CIRCUIT_OPEN,
        message="not sent",
        http_status=None,
        accepted=0,
        rejected=0,
        retrying=50,
        unknown=0,
        exhausted=0,
        recovered=False,
        callers=1,
        queued_ms=0.0,
        claim_ms=1.0,
        call_ms=0.0,
        record_ms=1.0,
        failures=(),
    )
    with capture_logs() as logs:
        log_submission(event)
    assert [(line["event"], line["log_level"], line["size"]) for line in logs] == [
        ("batch_put_off", "info", 50)
    ]
