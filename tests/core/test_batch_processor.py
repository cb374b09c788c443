"""Strict interpretation of answers, and planning of batches."""

import json
import random
import time
from collections.abc import Callable
from decimal import Decimal

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.core.factories import answer, claimed, failure, remote, success
from trade_service.domain.executions import SubmissionState
from trade_service.execution_service import wire
from trade_service.submission import batch_processor
from trade_service.submission.batch_processor import (
    KNOWN_REFUSALS,
    MAX_MESSAGE,
    ExecutionBatchProcessor,
    Refusals,
    effective_batch_size,
)
from trade_service.submission.messages import BatchExecutionResponse, ExecutionResult
from trade_service.submission.model import ClaimedExecution, ItemOutcome

PROCESSOR = ExecutionBatchProcessor(refusals=Refusals(["*"]))
"""Treats every message of a failed item as a refusal."""
SENT = [claimed(i) for i in (11, 12, 13, 14, 15)]
CREATED, MIXED, NONE_CREATED = 201, 207, 400


def read(response: BatchExecutionResponse, http_status: int = MIXED) -> dict[int, ItemOutcome]:
    readings = PROCESSOR.process_response(SENT, response, http_status)
    assert [r.execution_id for r in readings] == [item.execution_id for item in SENT]
    return {r.execution_id: r for r in readings}


def states(response: BatchExecutionResponse, http_status: int = MIXED) -> list[str]:
    return [r.state.value for r in read(response, http_status).values()]


def all_good() -> list[ExecutionResult]:
    return [success(index, 100 + index, item.execution_id) for index, item in enumerate(SENT)]


@pytest.mark.parametrize(
    ("configured", "used"), [(100, 100), (101, 100), (10**9, 100), (1, 1), (0, 50), (-7, 50), (37, 37)]
)
def test_the_batch_size_keeps_the_limits(configured: int, used: int) -> None:
    assert effective_batch_size(configured) == used


@given(st.integers(0, 1000), st.integers(-5, 300))
def test_batches_hold_every_id_once_and_only_the_last_is_smaller(count: int, size: int) -> None:
    processor = ExecutionBatchProcessor(size)
    batches = list(processor.plan_batches(range(count)))
    assert [i for batch in batches for i in batch] == list(range(count))
    assert all(len(batch) == processor.batch_size for batch in batches[:-1])
    assert all(1 <= len(batch) <= processor.batch_size for batch in batches)


def test_a_request_holds_what_the_execution_service_asks_for() -> None:
    request, sent, refused = PROCESSOR.build_batch_request([claimed(7)])
    post = request.executions[0]
    assert (post.trade_service_execution_id, post.execution_status, post.version) == (7, "NEW", 1)
    assert (post.security_id, post.destination, post.trade_type) == ("S7", "ML", "BUY")
    assert len(sent) == 1
    assert not refused


@pytest.mark.parametrize("trade_type", ["SHORT", "COVER", "EXRC", None])
def test_what_the_service_cannot_take_is_rejected_before_it_spoils_the_batch(trade_type: str | None) -> None:
    request, sent, refused = PROCESSOR.build_batch_request([claimed(1), claimed(2, trade_type=trade_type)])
    assert [post.trade_service_execution_id for post in request.executions] == [1]
    assert [item.execution_id for item in sent] == [1]
    assert [(r.execution_id, r.state, r.code) for r in refused] == [
        (2, SubmissionState.REJECTED, "NOT_REPRESENTABLE")
    ]
    assert "BUY or SELL" in refused[0].message


def _without(result: ExecutionResult, **changes: object) -> ExecutionResult:
    """A result whose execution differs in some fields."""
    assert result.execution is not None
    return msgspec.structs.replace(result, execution=msgspec.structs.replace(result.execution, **changes))


SPOILED = [
    lambda results: results,
    lambda results: results[::-1],
    lambda results: results[1:],
    lambda results: [*results, results[0]],
    lambda results: [msgspec.structs.replace(results[0], request_index=None), *results[1:]],
    lambda results: [msgspec.structs.replace(results[0], request_index=1), *results[1:]],
    lambda results: [msgspec.structs.replace(results[0], status="FAILED"), *results[1:]],
    lambda results: [*results[:4], failure(4, "Security ID is required")],
    lambda results: [_without(results[0], id=0), *results[1:]],
    lambda results: [_without(results[0], id=None), *results[1:]],
    lambda results: [_without(results[0], id=2**31), *results[1:]],
    lambda results: [_without(results[0], id=101), *results[1:]],
    lambda results: [_without(results[0], trade_service_execution_id=12), *results[1:]],
    lambda results: [_without(results[0], trade_service_execution_id=None), *results[1:]],
]


@pytest.mark.parametrize("spoil", SPOILED)
@pytest.mark.parametrize("http_status", [CREATED, MIXED, NONE_CREATED])
def test_the_reading_of_the_ordinary_answer_is_the_general_one(
    spoil: Callable[[list[ExecutionResult]], list[ExecutionResult]], http_status: int
) -> None:
    response = answer(*spoil(all_good()))
    quick = read(response, http_status)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(batch_processor, "_plain_acceptances", lambda _sent, _results: None)
        assert quick == read(response, http_status)


def test_201_with_all_results_accepts_all() -> None:
    readings = read(answer(*all_good()), CREATED)
    assert {r.state for r in readings.values()} == {SubmissionState.ACCEPTED}
    assert [r.execution_service_id for r in readings.values()] == [100, 101, 102, 103, 104]


def test_only_the_failed_items_of_a_mixed_answer_are_failed() -> None:
    results = all_good()
    results[2] = failure(2, "Security ID is required")
    readings = read(answer(*results))
    assert readings[13].state is SubmissionState.REJECTED
    assert readings[13].message == "Security ID is required"
    assert [r.state for i, r in readings.items() if i != 13] == [SubmissionState.ACCEPTED] * 4
    failed = PROCESSOR.extract_failed_executions(tuple(readings.values()))
    assert [r.execution_id for r in failed] == [13]


def test_results_in_any_order_are_matched_by_index() -> None:
    results = all_good()
    results[1] = failure(1)
    random.Random(3).shuffle(results)
    assert states(answer(*results)) == ["accepted", "rejected", "accepted", "accepted", "accepted"]


def test_no_results_make_every_item_unclear() -> None:
    assert states(BatchExecutionResponse(status="SUCCESS", results=None), CREATED) == ["unknown"] * 5
    assert states(answer(), CREATED) == ["unknown"] * 5


def test_shifted_indexes_are_corrected_by_the_name_in_the_result() -> None:
    """Hazard 3: item 12 failed at the database, and later successes are reported one place early."""
    shifted = answer(
        success(0, 100, 11), failure(1), success(1, 101, 13), success(2, 102, 14), success(3, 103, 15)
    )
    readings = read(shifted)
    assert [r.execution_service_id for r in readings.values()] == [100, None, 101, 102, 103]
    assert readings[12].state is SubmissionState.UNKNOWN, "a shifted index vouches for nothing"


def test_a_failure_where_an_index_shifted_is_not_believed() -> None:
    shifted = answer(success(0, 100, 11), success(1, 101, 13), success(2, 102, 14), failure(3), failure(4))
    assert states(shifted) == ["accepted", "unknown", "accepted", "accepted", "unknown"]


@pytest.mark.parametrize(
    ("extra", "touched"),
    [
        pytest.param(failure(3), 3, id="contradicting a success that names nothing"),
        pytest.param(success(3, 999, None), 3, id="repeated index"),
        pytest.param(success(3, 999, 4711), 3, id="names an execution outside the batch"),
    ],
)
def test_a_contradiction_touches_its_own_item_only(extra: ExecutionResult, touched: int) -> None:
    results = all_good()
    results[touched] = success(touched, 100 + touched, None)
    expected = ["accepted"] * 5
    expected[touched] = "unknown"
    assert states(answer(*results, extra)) == expected


def test_a_success_that_names_no_execution_proves_nothing() -> None:
    """Hazard 3 again: an index alone proves nothing."""
    nameless = [success(index, 100 + index, None) for index in range(5)]
    assert states(answer(*nameless), CREATED) == ["unknown"] * 5
    assert states(answer(*all_good()[:4], nameless[4]), CREATED) == ["accepted"] * 4 + ["unknown"]
    assert "accepted" not in states(answer(*nameless[:4], failure(4)))


@pytest.mark.parametrize("index", [-1, 5, 100, None])
def test_an_index_outside_the_request_leaves_its_item_unclear_and_the_others_alone(index: int | None) -> None:
    results = all_good()
    results[4] = success(index, 104, None)
    assert states(answer(*results)) == ["accepted"] * 4 + ["unknown"]


def test_a_missing_result_leaves_its_item_unclear() -> None:
    results = all_good()
    del results[2]
    assert states(answer(*results)) == ["accepted", "accepted", "unknown", "accepted", "accepted"]


@pytest.mark.parametrize(
    "odd",
    [
        pytest.param(ExecutionResult(0, "SUCCESS", None, None), id="success without an execution"),
        pytest.param(success(0, None, 11), id="success without an id"),
        pytest.param(success(0, 0, 11), id="success with an impossible id"),
        pytest.param(ExecutionResult(0, "FAILED", "no", remote(5, 11)), id="failure with an execution"),
        pytest.param(ExecutionResult(0, "WHATEVER", None, None), id="unknown status"),
        pytest.param(ExecutionResult(0, None, None, None), id="no status"),
    ],
)
def test_an_odd_result_is_unclear(odd: ExecutionResult) -> None:
    assert states(answer(odd, *all_good()[1:])) == ["unknown"] + ["accepted"] * 4


def test_an_id_that_cannot_be_stored_leaves_its_item_unclear_and_no_other() -> None:
    results = all_good()
    results[0] = success(0, 3_000_000_000, 11)
    readings = read(answer(*results), CREATED)
    assert [r.state.value for r in readings.values()] == ["unknown"] + ["accepted"] * 4
    assert "3000000000" in readings[11].message


def test_one_id_for_two_leaves_both_unclear_and_no_other() -> None:
    results = all_good()
    results[3] = success(3, 101, SENT[3].execution_id)
    expected = ["accepted", "unknown", "accepted", "unknown", "accepted"]
    assert states(answer(*results), CREATED) == expected


def test_an_id_that_another_service_s_execution_has_as_well_is_unclear() -> None:
    assert states(answer(*all_good(), success(None, 100, 4711)))[0] == "unknown"


@pytest.mark.parametrize("number", ["NaN", "sNaN", "Infinity", "-Infinity", "0", "-1"])
@pytest.mark.parametrize("field", ["quantity", "limit_price"])
def test_a_number_that_cannot_be_sent_is_rejected_alone(field: str, number: str) -> None:
    odd = msgspec.structs.replace(claimed(2), **{field: Decimal(number)})
    processor = ExecutionBatchProcessor(encode=wire.encode_batch)
    request, sent, refused = processor.build_batch_request([claimed(1), odd, claimed(3)])
    assert [item.execution_id for item in sent] == [1, 3]
    assert [post.trade_service_execution_id for post in request.executions] == [1, 3]
    assert [(r.execution_id, r.code) for r in refused] == [(2, "NOT_REPRESENTABLE")]


ODD_ITEMS = st.builds(
    lambda number, changes: msgspec.structs.replace(claimed(number), **changes),
    st.integers(1, 1000),
    st.sampled_from(
        [
            {}, {}, {"quantity": Decimal("NaN")}, {"quantity": Decimal("1E+20")}, {"quantity": None},
            {"limit_price": "x"}, {"security_id": "y" * 25}, {"destination": "\ud800"}, {"destination": None},
            {"quantity": Decimal("0.000000001")}, {"trade_type": None}, {"security_id": 7},
        ]
    ),
)  # fmt: skip


@given(st.lists(ODD_ITEMS, max_size=12, unique_by=lambda item: item.execution_id))
def test_one_bad_item_never_takes_the_others_along(items: list[ClaimedExecution]) -> None:
    processor = ExecutionBatchProcessor(encode=wire.encode_batch)
    request, sent, refused = processor.build_batch_request(items)
    good = [item for item in items if item == claimed(item.execution_id)]
    assert list(sent) == good
    assert [post.trade_service_execution_id for post in request.executions] == [i.execution_id for i in good]
    assert {r.execution_id for r in refused} == {i.execution_id for i in items} - {
        i.execution_id for i in good
    }
    assert all(r.state is SubmissionState.REJECTED and r.message for r in refused)
    encoded = [post["tradeServiceExecutionId"] for post in json.loads(request.body)["executions"]]
    assert encoded == [item.execution_id for item in good]


def test_a_failure_inside_a_201_contradicts_it() -> None:
    assert states(answer(failure(0), *all_good()[1:]), CREATED)[0] == "unknown"


def test_a_400_with_results_fails_item_by_item() -> None:
    readings = read(answer(*(failure(i, f"reason {i}") for i in range(5))), NONE_CREATED)
    assert [r.message for r in readings.values()] == [f"reason {i}" for i in range(5)]
    assert {r.state for r in readings.values()} == {SubmissionState.REJECTED}


results_strategy = st.lists(
    st.builds(
        ExecutionResult,
        request_index=st.none() | st.integers(-2, 7),
        status=st.sampled_from(["SUCCESS", "FAILED", None, "ODD"]),
        message=st.none() | st.text(max_size=5),
        execution=st.none()
        | st.builds(
            remote,
            st.none() | st.integers(1, 200),
            st.none() | st.sampled_from([11, 12, 13, 14, 15, 4711]),
        ),
    ),
    max_size=12,
)


@given(results_strategy, st.sampled_from([CREATED, MIXED, NONE_CREATED]))
def test_no_answer_accepts_what_it_does_not_prove(results: list[ExecutionResult], http_status: int) -> None:
    """For any answer: one reading per item, and an acceptance only if a success proves it."""
    response = answer(*results)
    for index, reading in enumerate(read(response, http_status).values()):
        if reading.state is SubmissionState.ACCEPTED:
            vouching = [
                r
                for r in results
                if r.status == "SUCCESS"
                and r.execution is not None
                and r.execution.id == reading.execution_service_id
                and r.execution.trade_service_execution_id in (reading.execution_id, None)
            ]
            assert vouching
        if reading.state is SubmissionState.REJECTED:
            assert sum(r.request_index == index for r in results) == 1


@given(results_strategy, st.randoms(use_true_random=False))
def test_the_order_of_results_does_not_matter(results: list[ExecutionResult], dice: random.Random) -> None:
    shuffled = list(results)
    dice.shuffle(shuffled)
    assert read(answer(*results)) == read(answer(*shuffled))


def test_answers_with_unknown_fields_are_read() -> None:
    text = b'{"status":"SUCCESS","new":1,"results":[{"requestIndex":0,"x":[],"execution":null}]}'
    response = msgspec.json.decode(text, type=BatchExecutionResponse)
    assert response.results is not None
    assert response.results[0].request_index == 0


DATABASE_SPEAKING = [
    "Database error: Database error at index 3: Failed to insert execution after 3 attempts",
    "An I/O error occurred while sending to the backend.",
    "Could not commit JPA transaction",
    "Broken pipe",
    "the Execution Service gave no reason",
    "",
    "Security not found",
    "Quantity is required, said the database",
]


def _decided(message: str, *more: str) -> SubmissionState:
    """The decision on a failed item with this message."""
    processor = ExecutionBatchProcessor(refusals=Refusals(more))
    (outcome,) = processor.process_response([claimed(1)], answer(failure(0, message)), MIXED)
    return outcome.state


@pytest.mark.parametrize("message", KNOWN_REFUSALS)
def test_a_known_refusal_rejects_in_any_case_and_between_blanks(message: str) -> None:
    for spelled in (message, message.upper(), f"  {message.lower()}\n"):
        assert _decided(spelled) is SubmissionState.REJECTED
    assert _decided(f"{message} (rolled back)") is SubmissionState.UNKNOWN


def test_a_pattern_is_matched_in_linear_time() -> None:
    """A regular expression takes minutes for this message."""
    patterns = "Price of * is * too * high", "Unknown portfolio *", "*rejected*", "Price * of"
    for message in ("price of X is far too very high", "Price of is too high?? is  too  HIGH", "rejected"):
        assert _decided(message, *patterns) is SubmissionState.REJECTED
    for message in ("Price of", "Price of is too high", "Price of X is high too", "Unknown portfoli"):
        assert _decided(message, *patterns) is SubmissionState.UNKNOWN
    began = time.perf_counter()
    assert _decided("Price of " + "is too " * 300_000, *patterns) is SubmissionState.UNKNOWN
    assert time.perf_counter() - began < 5


def test_a_long_message_is_cut() -> None:
    processor = ExecutionBatchProcessor()
    (outcome,) = processor.process_response([claimed(1)], answer(failure(0, "x" * 1_000_000)), MIXED)
    assert outcome.message == "x" * (MAX_MESSAGE - 1) + "…"


@pytest.mark.parametrize("message", DATABASE_SPEAKING)
def test_whatever_is_no_known_refusal_proves_nothing(message: str) -> None:
    assert _decided(message) is SubmissionState.UNKNOWN


@given(st.text())
def test_no_text_but_the_listed_ones_rejects(message: str) -> None:
    listed = message.strip().casefold() in {text.casefold() for text in KNOWN_REFUSALS}
    assert (_decided(message) is SubmissionState.REJECTED) == listed


def test_a_setting_adds_refusals_with_wildcards() -> None:
    more = ("Security * is not traded", "gremlins")
    assert _decided("security AAPL (a.b) is NOT traded", *more) is SubmissionState.REJECTED
    assert _decided("Gremlins", *more) is SubmissionState.REJECTED
    assert _decided("gremlins in the engine", *more) is SubmissionState.UNKNOWN
    assert _decided("Security AAPL is not traded today", *more) is SubmissionState.UNKNOWN
