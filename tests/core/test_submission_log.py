"""The log lines of submissions."""

import asyncio
import math
from collections.abc import Sequence
from datetime import UTC, datetime

import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st
from structlog.testing import capture_logs

from tests.core.test_submission_metrics import batch
from trade_service.domain.executions import SubmissionState
from trade_service.observability.submission_log import (
    ATTEMPTS_A_LINE,
    QUEUE_LIMIT,
    READ_AT_ONCE,
    TICK_S,
    Flood,
    ReadHistories,
    SubmissionLog,
)
from trade_service.submission.circuit import CircuitState
from trade_service.submission.codes import OutcomeCode
from trade_service.submission.events import (
    AlarmEvent,
    CircuitEvent,
    ExhaustedEvent,
    RecoveredEvent,
)
from trade_service.submission.model import ItemOutcome, ReplyKind
from trade_service.submission.ports import StoreUnavailable
from trade_service.trading.operating import PastAttempt

_S = SubmissionState


class Clock:
    """A clock that the test advances."""

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


def test_recovered_and_exhausted_executions_are_named() -> None:
    many = tuple(range(250))
    with capture_logs() as logs:
        SubmissionLog(Clock())(RecoveredEvent("a", "look_up", (7, 8), 2, 3.14159))
        SubmissionLog(Clock())(ExhaustedEvent("b", OutcomeCode.BUDGET_SPENT, "budget spent", many))
    back, gone = logs
    assert (back["event"], back["log_level"], back["how"]) == ("executions_recovered", "info", "look_up")
    assert (back["execution_ids"], back["attempts"], back["since_first_s"]) == ((7, 8), 2, 3.1)
    assert (gone["event"], gone["log_level"], gone["code"]) == (
        "executions_exhausted",
        "error",
        "BUDGET_SPENT",
    )
    assert (gone["executions"], gone["execution_ids"]) == (250, many[:100])


def test_a_failed_batch_is_logged_with_its_context() -> None:
    failure = ItemOutcome(7, SubmissionState.UNKNOWN, "DOWNSTREAM_ERROR_500", "500: it is reconciled")
    event = batch(
        1,
        (_S.UNKNOWN, "DOWNSTREAM_ERROR_500"),
        kind=ReplyKind.UNCLEAR,
        code="DOWNSTREAM_ERROR_500",
        message="the call answered 500",
        http_status=500,
        failures=(failure,),
    )
    with capture_logs() as logs:
        SubmissionLog(Clock())(event)
    whole, one = logs
    assert (whole["execution_ids"], whole["reason"]) == ([7], "the call answered 500")
    assert (whole["call_ms"], whole["http_status"], one["http_status"]) == (20.0, 500, 500)
    assert (one["execution_id"], one["attempt_id"], one["code"]) == (7, "a", "DOWNSTREAM_ERROR_500")
    assert one["reason"].endswith("it is reconciled")


def test_a_deferred_batch_is_one_quiet_line() -> None:
    held = {"accepted": 0, "retrying": 50, "http_status": None}
    event = batch(50, kind=ReplyKind.NOT_SENT, code=OutcomeCode.CIRCUIT_OPEN, message="not sent", **held)
    with capture_logs() as logs:
        SubmissionLog(Clock())(event)
    assert [(line["event"], line["log_level"], line["size"]) for line in logs] == [
        ("batch_deferred", "info", 50)
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
    written = [(line["event"], line.get("code"), line.get("more")) for line in logs]
    one, batches = "execution_not_accepted", ("batch_submitted", "OK", None)
    assert written == [
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
    end = clock.seconds + 2 * 10.0

    async def sleep(seconds: float) -> None:
        if clock.seconds >= end:
            raise asyncio.CancelledError
        clock.seconds += seconds

    with capture_logs() as logs:
        log(batch(5, *[(_S.REJECTED, "ITEM_REFUSED")] * 5))
        with pytest.raises(asyncio.CancelledError):
            await log.run(sleep)
    (summed,) = [line for line in logs if line["event"] == "more_executions_not_accepted"]
    assert (summed["code"], summed["more"], summed["window_s"]) == ("ITEM_REFUSED", 4, 10.0)


@given(st.lists(st.tuples(st.sampled_from("abc"), st.floats(0, 8)), max_size=200), st.integers(0, 5))
def test_what_is_written_and_what_is_summed_up_is_all(lines: list[tuple[str, float]], limit: int) -> None:
    flood, now, written, summed = Flood(limit, 10.0), 0.0, 0, 0
    for kind, pause in lines:
        now += pause
        summed += sum(flood.ended(now).values())
        written += flood.admits(kind, now)
    summed += sum(flood.ended(math.inf).values())
    assert written + summed == len(lines)
    assert flood.ended(math.inf) == {}


def test_lines_name_the_requests_that_asked() -> None:
    failing = batch(2, (_S.REJECTED, "ITEM_REFUSED"), request_ids=("r1", "r2"), submission_ids=("s1",))
    with capture_logs() as logs:
        SubmissionLog(Clock())(failing)
    assert [(line["request_ids"], line["submission_ids"]) for line in logs] == [(("r1", "r2"), ("s1",))] * 2


NOW = datetime(2026, 1, 30, tzinfo=UTC)


class Scripted:
    """Histories of `count` attempts; with a negative count the store is unavailable."""

    def __init__(self, count: int) -> None:
        self.count = count
        self.asked: list[int] = []

    async def __call__(self, execution_ids: Sequence[int]) -> dict[int, list[PastAttempt]]:
        self.asked.append(len(execution_ids))
        if self.count < 0:
            raise StoreUnavailable("away")
        attempts = [PastAttempt(str(n), NOW, "lost", "CODE", 504, ()) for n in range(self.count)]
        return dict.fromkeys(execution_ids, attempts)


async def histories_of(
    reads: ReadHistories, *events: ExhaustedEvent | AlarmEvent
) -> list[structlog.typing.EventDict]:
    """What one round of the loop writes after these events."""
    log = SubmissionLog(Clock(), histories=reads)
    for event in events:
        log(event)
    naps = iter([TICK_S])

    async def sleep(seconds: float) -> None:
        if next(naps, None) != seconds:
            raise asyncio.CancelledError

    with capture_logs() as lines, pytest.raises(asyncio.CancelledError):
        await log.run(sleep)
    return list(lines)


def exhausted(count: int, first: int = 1) -> ExhaustedEvent:
    return ExhaustedEvent("a", "BUDGET_SPENT", "why", tuple(range(first, first + count)))


async def test_each_exhausted_execution_has_one_line_with_a_bounded_history() -> None:
    short = await histories_of(Scripted(3), exhausted(2), AlarmEvent("X", "not of interest", (7,)))
    assert [line["execution_id"] for line in short] == [1, 2]
    assert [one["attempt_id"] for one in short[0]["history"]] == ["0", "1", "2"]
    assert short[0]["history"][0] == {
        "attempt_id": "0",
        "at": "2026-01-30T00:00:00.000+00:00",
        "outcome": "lost",
        "code": "CODE",
        "http_status": 504,
        "found": [],
    }
    (long,) = await histories_of(Scripted(50), exhausted(1))
    assert (long["attempts"], long["attempts_left_out"]) == (50, 50 - ATTEMPTS_A_LINE)
    assert [long["history"][place]["attempt_id"] for place in (0, -1)] == ["0", "49"]


async def test_histories_are_read_in_bounded_batches_and_the_excess_is_counted() -> None:
    reads = Scripted(1)
    lines = await histories_of(reads, exhausted(QUEUE_LIMIT - 1), exhausted(5, QUEUE_LIMIT))
    assert max(reads.asked) == READ_AT_ONCE
    assert sum(line["event"] == "exhausted_execution_history" for line in lines) == QUEUE_LIMIT
    assert lines[-1] == {"event": "more_executions_exhausted", "log_level": "error", "executions": 4}


async def test_an_unavailable_store_is_logged_and_does_not_stop_the_loop() -> None:
    (line,) = await histories_of(Scripted(-1), exhausted(2))
    assert (line["event"], line["execution_ids"], line["error"]) == ("histories_not_read", [1, 2], "away")
