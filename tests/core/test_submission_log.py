"""What is written to the log of what happened."""

from structlog.testing import capture_logs

from trade_service.observability.submission_log import log_submission
from trade_service.submission.breaker import CircuitState
from trade_service.submission.codes import OutcomeCode
from trade_service.submission.events import BatchSubmissionEvent, CircuitEvent
from trade_service.submission.model import ReplyKind


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
