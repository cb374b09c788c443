"""What is written to the log of what happened."""

import asyncio
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from structlog.testing import capture_logs

from tests.core.test_submission_metrics import batch
from trade_service.domain.executions import SubmissionState
from trade_service.observability.flood import Flood
from trade_service.observability.submission_log import SubmissionLog
from trade_service.submission.breaker import CircuitState
from trade_service.submission.codes import OutcomeCode
from trade_service.submission.events import BatchSubmissionEvent, CircuitEvent, ExhaustedEvent, RecoveredEvent
from trade_service.submission.model import ItemOutcome, ReplyKind

_S = SubmissionState


class Clock:
    """Time that a test makes pass."""

    def __init__(self) -> None:
        self.seconds = 100.0

    def __call__(self) -> float:
        return self.seconds


def test_an_opening_circuit_is_an_error_and_a_closing_one_is_not() -> None:
    with capture_logs() as logs:
        SubmissionLog(Clock())(CircuitEvent(CircuitState.OPEN, "4 of 4 calls failed", 12.0, 2000))
        SubmissionLog(Clock())(CircuitEvent(CircuitState.HALF_OPEN, "4 of 4 calls failed", None, None))
        SubmissionLog(Clock())(CircuitEvent(CircuitState.CLOSED, "", None, None))
    assert [(line["event"], line["log_level"]) for line in logs] == [
        ("circuit_open", "error"),
        ("circuit_half_open", "info"),
        ("circuit_closed", "info"),
    ]
    assert (logs[0]["reason"], logs[0]["probe_in_ms"]) == ("4 of 4 calls failed", 2000)


def test_who_recovered_and_who_was_given_up_is_named() -> None:
    many = tuple(range(250))
    with capture_logs() as logs:
        SubmissionLog(Clock())(RecoveredEvent("a", "look_up", (7, 8), 2, 3.14159))
        SubmissionLog(Clock())(ExhaustedEvent("b", OutcomeCode.BUDGET_SPENT, "given up", many))
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
        SubmissionLog(Clock())(event)
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
        SubmissionLog(Clock())(event)
    assert [(line["event"], line["log_level"], line["size"]) for line in logs] == [
        ("batch_put_off", "info", 50)
    ]


def test_a_flood_of_equal_failures_is_summed_up_and_none_is_left_out_of_the_count() -> None:
    clock = Clock()
    log = SubmissionLog(clock, lines=3, window_s=10.0)
    refused = [(_S.REJECTED, "ITEM_REFUSED")] * 100
    with capture_logs() as logs:
        log(batch(100, *refused))
        clock.seconds += 9.0
        log(batch(100, *refused[:99], (_S.UNKNOWN, "ITEM_UNCLEAR")))
        clock.seconds += 1.0
        log(batch(2, *refused[:2]))
        log.close()
        log.close()
    told = [(line["event"], line.get("code"), line.get("more")) for line in logs]
    one, batches = "execution_not_accepted", ("batch_submitted", "OK", None)
    assert told == [
        batches,
        *[(one, "ITEM_REFUSED", None)] * 3,
        batches,
        (one, "ITEM_UNCLEAR", None),
        batches,
        ("more_executions_not_accepted", "ITEM_REFUSED", 100 + 99 - 3),
        *[(one, "ITEM_REFUSED", None)] * 2,
    ]


async def test_a_flood_that_ends_is_summed_up_at_the_end_of_its_window() -> None:
    clock = Clock()
    log = SubmissionLog(clock, lines=1, window_s=10.0)
    naps = 0

    async def sleep(seconds: float) -> None:
        nonlocal naps
        naps += 1
        if naps == 3:
            raise asyncio.CancelledError
        clock.seconds += seconds

    with capture_logs() as logs:
        log(batch(5, *[(_S.REJECTED, "ITEM_REFUSED")] * 5))
        with pytest.raises(asyncio.CancelledError):
            await log.run(sleep)
    (told,) = [line for line in logs if line["event"] == "more_executions_not_accepted"]
    assert (told["code"], told["more"], told["window_s"]) == ("ITEM_REFUSED", 4, 10.0)


@given(st.lists(st.tuples(st.sampled_from("abc"), st.floats(0, 8)), max_size=200), st.integers(0, 5))
def test_what_is_written_and_what_is_summed_up_is_all(lines: list[tuple[str, float]], limit: int) -> None:
    flood, now, written, summed = Flood(limit, 10.0), 0.0, 0, 0
    for kind, pause in lines:
        now += pause
        summed += sum(held.count for held in flood.ended(now))
        written += flood.admits(kind, now)
    summed += sum(held.count for held in flood.ended(math.inf))
    assert written + summed == len(lines)
    assert flood.ended(math.inf) == []


def test_lines_name_the_requests_that_asked() -> None:
    failing = batch(2, (_S.REJECTED, "ITEM_REFUSED"), request_ids=("r1", "r2"), submission_ids=("s1",))
    with capture_logs() as logs:
        SubmissionLog(Clock())(failing)
    assert [(line["request_ids"], line["submission_ids"]) for line in logs] == [(("r1", "r2"), ("s1",))] * 2
