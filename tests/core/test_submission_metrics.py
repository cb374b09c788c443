"""Every metric of the submission against a scripted run with known numbers."""

from typing import Any

import pytest
from prometheus_client import CollectorRegistry, generate_latest

from trade_service.domain.executions import SubmissionState
from trade_service.observability.metrics import BulkExecutionMetrics
from trade_service.submission.circuit import CircuitState
from trade_service.submission.codes import OutcomeCode
from trade_service.submission.events import (
    AlarmEvent,
    BatchSubmissionEvent,
    CircuitEvent,
    ExhaustedEvent,
    LookUpEvent,
    RecoveredEvent,
)
from trade_service.submission.model import ItemOutcome, ReplyKind

_S = SubmissionState


def batch(size: int, *failures: tuple[SubmissionState, str], **changes: Any) -> BatchSubmissionEvent:
    """A batch of `size` of which these executions were not plainly accepted."""
    outcomes = tuple(ItemOutcome(i, state, code, "why") for i, (state, code) in enumerate(failures))
    states = [state for state, _ in failures]
    accepted = size - sum(state is not _S.ACCEPTED for state in states)
    values: dict[str, Any] = {
        "attempt_id": "a",
        "size": size,
        "kind": ReplyKind.ANSWERED,
        "code": "OK",
        "message": "",
        "http_status": 207 if failures else 201,
        "accepted": accepted,
        "rejected": states.count(_S.REJECTED),
        "retrying": states.count(_S.RETRY),
        "unknown": states.count(_S.UNKNOWN),
        "exhausted": states.count(_S.EXHAUSTED),
        "recovered": False,
        "callers": 1,
        "queued_ms": 2.0,
        "claim_ms": 3.0,
        "call_ms": 20.0,
        "record_ms": 4.0,
        "failures": outcomes,
    }
    return BatchSubmissionEvent(**(values | changes))


class Reader:
    """Metrics that count events, and their values."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.metrics = BulkExecutionMetrics(self.registry)

    def value(self, name: str, **labels: str) -> float:
        return self.registry.get_sample_value(f"trade_service_{name}", labels) or 0.0


@pytest.fixture
def reader() -> Reader:
    return Reader()


def test_batches_and_their_times(reader: Reader) -> None:
    reader.metrics(batch(100, callers=40))
    reader.metrics(batch(1, callers=1, recovered=True, call_ms=5.0))
    assert reader.value("batches_total", outcome="answered", code="OK", origin="fresh") == 1
    assert reader.value("batches_total", outcome="answered", code="OK", origin="recovery") == 1
    assert (reader.value("batch_size_count"), reader.value("batch_size_sum")) == (2, 101)
    assert reader.value("batch_size_bucket", le="75.0") == 1
    assert (reader.value("batch_callers_count"), reader.value("batch_callers_sum")) == (2, 41)
    for stage, seconds in (
        ("queue", 0.004),
        ("claim", 0.006),
        ("call", 0.025),
        ("record", 0.008),
        ("whole", 0.039),
    ):
        assert reader.value("batch_duration_seconds_sum", stage=stage) == pytest.approx(seconds), stage
        assert reader.value("batch_duration_seconds_count", stage=stage) == 2
    assert reader.value("last_success_timestamp_seconds") > 1_700_000_000


def test_outcomes_by_state_and_reason(reader: Reader) -> None:
    reader.metrics(
        batch(
            10,
            (_S.REJECTED, "ITEM_REFUSED"),
            (_S.REJECTED, "ITEM_REFUSED"),
            (_S.UNKNOWN, "ITEM_UNCLEAR"),
            (_S.RETRY, "CONNECT_REFUSED"),
            (_S.ACCEPTED, "FOUND_BY_LOOK_UP"),
        )
    )
    assert reader.value("executions_total", state="accepted", code="OK") == 5
    assert reader.value("executions_total", state="accepted", code="FOUND_BY_LOOK_UP") == 1
    assert reader.value("executions_total", state="rejected", code="ITEM_REFUSED") == 2
    assert reader.value("executions_total", state="unknown", code="ITEM_UNCLEAR") == 1
    assert reader.value("retries_total", code="CONNECT_REFUSED") == 1


def test_a_batch_that_was_not_sent_is_no_call(reader: Reader) -> None:
    held = [(_S.RETRY, OutcomeCode.CIRCUIT_OPEN)] * 3
    reader.metrics(batch(3, *held, kind=ReplyKind.NOT_SENT, code=OutcomeCode.CIRCUIT_OPEN, call_ms=0.0))
    assert reader.value("calls_total") == 0
    assert reader.value("batch_duration_seconds_count", stage="call") == 0
    assert reader.value("retries_total", code="CIRCUIT_OPEN") == 3
    assert reader.value("last_success_timestamp_seconds") == 0


def test_the_comparison_with_single_submission(reader: Reader) -> None:
    reader.metrics(batch(1, call_ms=10.0))
    assert (reader.value("calls_total"), reader.value("calls_saved_total")) == (1, 0)
    reader.metrics(batch(100, call_ms=50.0))
    assert (reader.value("calls_total"), reader.value("calls_saved_total")) == (2, 99)
    assert reader.value("time_saved_seconds_total") == pytest.approx(100 * 0.010 - 0.050)
    lost = [(_S.UNKNOWN, "READ_TIMEOUT")] * 100
    reader.metrics(batch(100, *lost, kind=ReplyKind.LOST, code="READ_TIMEOUT", call_ms=30_000.0))
    assert (reader.value("calls_total"), reader.value("calls_saved_total")) == (3, 99)


def test_without_a_single_call_the_fastest_stands_for_it(reader: Reader) -> None:
    reader.metrics(batch(50, call_ms=20.0))
    assert reader.value("time_saved_seconds_total") == pytest.approx(50 * 0.020 - 0.020)


def test_look_ups_alarms_and_the_circuit(reader: Reader) -> None:
    reader.metrics(LookUpEvent(2, 9, 4, 3, 2, 1, ""))
    reader.metrics(LookUpEvent(1, 2, 0, 0, 2, 0, "the Execution Service does not answer"))
    assert reader.value("look_up_passes_total", complete="yes") == 1
    assert reader.value("look_up_passes_total", complete="no") == 1
    counts = {
        result: reader.value("looked_up_executions_total", result=result)
        for result in ("found", "absent", "unknown")
    }
    assert counts == {"found": 4, "absent": 3, "unknown": 4}
    reader.metrics(AlarmEvent("ACCEPTED_TWICE", "look", (1,)))
    assert reader.value("alarms_total", code="ACCEPTED_TWICE") == 1
    assert reader.value("circuit_state", state="closed") == 1
    reader.metrics(CircuitEvent(CircuitState.OPEN, "why", 1.0, 2000))
    assert [reader.value("circuit_state", state=state) for state in ("closed", "open", "half_open")] == [
        0,
        1,
        0,
    ]


def test_recovered_and_exhausted_executions_are_counted(reader: Reader) -> None:
    reader.metrics(RecoveredEvent("a", "look_up", (7, 8), 2, 3.0))
    reader.metrics(RecoveredEvent("b", "retry", (9,), 2, 3.0))
    reader.metrics(ExhaustedEvent("c", OutcomeCode.BUDGET_SPENT, "exhausted", (1, 2, 3)))
    assert reader.value("recovered_executions_total", how="look_up") == 2
    assert reader.value("recovered_executions_total", how="retry") == 1
    assert reader.value("exhausted_executions_total") == 3


def test_ten_thousand_submissions_are_a_bounded_number_of_series(reader: Reader) -> None:
    for number in range(10_000):
        reader.metrics(
            batch(1, (_S.REJECTED, "ITEM_REFUSED"), attempt_id=str(number), message=f"no {number}")
        )
    assert len(generate_latest(reader.registry).splitlines()) < 250
