"""Effects of a proven absence on an execution: state, size of the retry and message."""

import pytest

from tests.core.factories import open_item
from trade_service.domain.executions import SubmissionState
from trade_service.submission.engine_settings import EngineSettings
from trade_service.submission.failure_handler import (
    Circumstances,
    ExecutionFailureHandler,
    absent_outcome,
    exhausted_outcome,
    next_batch_size,
)
from trade_service.submission.model import MAX_RETRY_COUNT, DueAttempt

HANDLER = ExecutionFailureHandler(EngineSettings())
ANSWER = "POST http://execution/batch answered 500: An unexpected error occurred"


def due(
    kind: str | None = "unclear",
    retry_count: int = 0,
    next_size: int | None = None,
    code: str | None = "DOWNSTREAM_ERROR_500",
    *,
    adopted: bool = False,
    requeued: bool = False,
) -> DueAttempt:
    return DueAttempt(
        attempt_id="attempt",
        low_water_id=0,
        low_water_execution_id=None,
        settle_ms=1,
        settled=True,
        epoch=1,
        look_ups=0,
        next_batch_size=next_size,
        retry_count=retry_count,
        adopted=adopted,
        requeued=requeued,
        items=(),
        size=100,
        kind=kind,
        code=code,
        message=ANSWER,
        http_status=500,
    )


def test_the_one_at_fault_ends_with_the_words_of_its_last_failed_call() -> None:
    outcome = absent_outcome(HANDLER, due(), open_item(1, attempts_spent=5), Circumstances())
    assert (outcome.state, outcome.code) == (SubmissionState.EXHAUSTED, "BUDGET_SPENT")
    assert outcome.message == (
        f"never accepted in 5 attempts of its own; last: {ANSWER}. Exhausted; the quantity goes back to the order"
    )


def test_one_whose_time_is_up_says_so() -> None:
    late = open_item(1, attempts_spent=1, budget_left_s=-1)
    message = (
        f"never accepted in 3 calls, and its time is up; last: {ANSWER}. "
        "Exhausted; the quantity goes back to the order"
    )
    assert absent_outcome(HANDLER, due(retry_count=2), late, Circumstances()).message == message
    outcome = exhausted_outcome(due(retry_count=2), late)
    assert (outcome.state, outcome.code, outcome.message) == ("exhausted", "BUDGET_SPENT", message)


def test_while_the_service_refuses_us_time_stands_still_and_callers_read_why() -> None:
    late = open_item(1, attempts_spent=1, budget_left_s=-1)
    outcome = absent_outcome(HANDLER, due(), late, Circumstances(deferred_message="pending: 404"))
    assert (outcome.state, outcome.code) == (SubmissionState.RETRY, "PROVEN_ABSENT")
    assert outcome.message.endswith("pending: 404")


def test_a_row_of_the_earlier_service_waits_for_a_person() -> None:
    outcome = absent_outcome(HANDLER, due(adopted=True), open_item(1), Circumstances(deferred_message="no"))
    assert outcome.state is SubmissionState.NONE
    assert outcome.message.endswith("it can be submitted")


def test_an_answered_batch_keeps_the_size_that_its_answer_asked_for() -> None:
    assert next_batch_size(due("answered", next_size=7), Circumstances()) == 7
    assert next_batch_size(due("unclear", next_size=7), Circumstances()) == 10
    assert next_batch_size(due("unclear", next_size=7), Circumstances(outage=True)) is None


@pytest.mark.parametrize(
    ("attempt", "calls"),
    [
        (due(retry_count=4), 5),
        (due(retry_count=MAX_RETRY_COUNT), MAX_RETRY_COUNT),
        (due("not_sent", 4, code="CIRCUIT_OPEN"), 4),
        (due("not_sent", 4, code="DOWNSTREAM_REFUSED_CONNECTION"), 5),
        (due(None, 0, code=None), 0),
        (due("requeued", 0, code="REQUEUED", requeued=True), 0),
    ],
)
def test_what_counts_as_a_call(attempt: DueAttempt, calls: int) -> None:
    assert attempt.calls == calls
