"""The pure behaviour: what each fault commits and answers."""

import random
from collections import Counter
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import UNSET, UnsetType
from msgspec.structs import replace

from execution_simulator.behaviour import (
    Call,
    Verdict,
    respond,
    single_answer,
    size_refusal,
)
from execution_simulator.columns import from_e8
from execution_simulator.faults import (
    FAULTS,
    Commit,
    parse_step,
)
from execution_simulator.payloads import (
    FAILED,
    SUCCESS,
    BatchExecutionResponse,
    ErrorBody,
    ExecutionPost,
    ExecutionResult,
)
from execution_simulator.profiles import PUBLISHED, REAL
from execution_simulator.profiles.base import Fate, Profile, Refusal

NOW_NS = 1_795_516_200_000_000_000


PATH = "/api/v1/executions/batch"


FIRST_ID = 5_000


money = st.integers(1, 10**18 - 1).map(from_e8)


seeds = st.integers(0, 2**32)


both = st.sampled_from([REAL, PUBLISHED])


def post(trade_id: int = 1, quantity: str = "100", limit_price: str | None = None) -> ExecutionPost:
    price = None if limit_price is None else Decimal(limit_price)
    return ExecutionPost("NEW", "BUY", "NYSE", "AAPL", Decimal(quantity), price, trade_id, 1)


@st.composite
def good_batches(draw: st.DrawFn) -> list[ExecutionPost]:
    size = draw(st.integers(1, 100))
    quantities = draw(st.lists(money, min_size=1, max_size=5))
    return [
        replace(post(1_000 + index), quantity=quantities[index % len(quantities)]) for index in range(size)
    ]


@st.composite
def mixed_batches(draw: st.DrawFn) -> tuple[list[ExecutionPost], set[int]]:
    batch = draw(good_batches())
    bad = draw(st.sets(st.integers(0, len(batch) - 1)))
    return [replace(item, trade_type="SHORT") if i in bad else item for i, item in enumerate(batch)], bad


def run(
    posts: list[ExecutionPost],
    entry: str = "ok",
    seed: int = 0,
    item_faults: dict[int, str] | None = None,
    refuse_bad_items: bool = False,
    profile: Profile = PUBLISHED,
) -> Verdict:
    step = parse_step(entry)
    call = Call(posts, step, item_faults or {}, FIRST_ID, NOW_NS, PATH, profile, refuse_bad_items)
    return respond(call, random.Random(seed))


def check_all(posts: list[ExecutionPost | None]) -> list[Fate]:
    return PUBLISHED.check_all(posts, singly=False)


def answer(verdict: Verdict) -> BatchExecutionResponse:
    assert isinstance(verdict.body, BatchExecutionResponse)
    return verdict.body


def results(verdict: Verdict) -> list[ExecutionResult]:
    found = answer(verdict).results
    assert found is not None
    assert not isinstance(found, UnsetType)
    return found


def trade_ids(verdict: Verdict) -> list[int | None]:
    return [item.trade_service_execution_id for item in verdict.accepted]


@given(good_batches(), both)
def test_without_faults_every_item_is_accepted_once_and_reported_at_its_index(
    batch: list[ExecutionPost], profile: Profile
) -> None:
    verdict = run(batch, profile=profile)
    assert verdict.status == 201
    assert list(verdict.accepted) == batch
    assert [from_e8(amounts[0]) for amounts in verdict.amounts] == [item.quantity for item in batch]
    for index, result in enumerate(results(verdict)):
        assert (result.request_index, result.status, result.message) == (index, SUCCESS, None)
        assert result.execution is not None
        assert result.execution.id == FIRST_ID + index
        assert result.execution.trade_service_execution_id == batch[index].trade_service_execution_id
        assert result.execution.quantity == batch[index].quantity


@given(mixed_batches(), both)
def test_invalid_items_fail_alone_and_the_status_reflects_their_number(
    mixed: tuple[list[ExecutionPost], set[int]], profile: Profile
) -> None:
    batch, bad = mixed
    verdict = run(batch, profile=profile)
    assert verdict.status == (201 if not bad else 400 if len(bad) == len(batch) else 207)
    body = answer(verdict)
    assert (body.total_requested, body.failed) == (len(batch), len(bad))
    assert body.successful + body.failed == body.total_requested
    assert [result.request_index for result in results(verdict)] == list(range(len(batch)))
    assert {result.request_index for result in results(verdict) if result.status == FAILED} == bad
    assert all("BUY or SELL" in (r.message or "") for r in results(verdict) if r.status == FAILED)
    assert trade_ids(verdict) == [1_000 + i for i in range(len(batch)) if i not in bad]


@given(mixed_batches(), st.sampled_from(sorted(FAULTS)), seeds, both)
def test_every_fault_commits_valid_items_once_and_as_the_table_says(
    mixed: tuple[list[ExecutionPost], set[int]], name: str, seed: int, profile: Profile
) -> None:
    batch, bad = mixed
    verdict = run(batch, name, seed, profile=profile)
    good = [1_000 + i for i in range(len(batch)) if i not in bad]
    accepted = trade_ids(verdict)
    assert len(verdict.amounts) == len(accepted)
    fault = FAULTS[name]
    assert verdict.late == (fault.commit is Commit.LATE)
    assert verdict.channel is fault.channel
    match fault.commit:
        case Commit.NONE:
            assert accepted == []
        case Commit.PART:
            assert accepted == good[: len(accepted)]
        case Commit.MAYBE:
            assert accepted in (good, [])
        case Commit.ALL | Commit.LATE if name == "shifted_index":
            assert Counter(accepted) <= Counter(good)
            assert len(accepted) == max(len(good) - 1, 0)
        case Commit.ALL | Commit.LATE:
            assert accepted == good
    assert run(batch, name, seed, profile=profile) == verdict, "the same seed gives the same verdict"


@given(good_batches(), st.integers(0, 99), seeds, both)
def test_a_shifted_answer_reports_later_successes_one_index_too_early(
    batch: list[ExecutionPost], place: int, seed: int, profile: Profile
) -> None:
    verdict = run(batch, f"shifted_index:{place}", seed, profile=profile)
    lost = min(place, max(len(batch) - 2, 0))
    assert trade_ids(verdict) == [1_000 + i for i in range(len(batch)) if i != lost]
    found = results(verdict)
    assert [result.request_index for result in found] == list(range(len(batch)))
    for index, result in enumerate(found[:-1]):
        assert result.execution is not None
        assert result.execution.trade_service_execution_id == 1_000 + index + (index >= lost)
    assert found[-1].execution is None
    assert answer(verdict).failed == 1


def test_a_shift_keeps_the_indexes_of_refused_items() -> None:
    batch = [post(i) for i in range(5)]
    batch[1] = replace(batch[1], quantity=Decimal(0))
    verdict = run(batch, "shifted_index:1")
    reported = {
        r.request_index: r.execution.trade_service_execution_id for r in results(verdict) if r.execution
    }
    assert reported == {0: 0, 2: 3, 3: 4}
    assert trade_ids(verdict) == [0, 3, 4]


@given(good_batches(), seeds)
def test_falsified_answers_are_wrong_only_in_the_named_way(batch: list[ExecutionPost], seed: int) -> None:
    size = len(batch)
    assert answer(run(batch, "no_results_201:0", seed)).results is UNSET
    assert answer(run(batch, "no_results_201:1", seed)).results is None
    assert results(run(batch, "no_results_201:2", seed)) == []
    assert len(results(run(batch, "fewer_results", seed))) == size - 1
    assert len(results(run(batch, "fewer_results:200", seed))) == 0
    repeated = Counter(result.request_index for result in results(run(batch, "repeated_index", seed)))
    assert sorted(repeated.values())[-1] == 2
    outside = [r.request_index for r in results(run(batch, "index_out_of_range", seed))]
    assert sum(not 0 <= index < size for index in outside) == 1
    counts = answer(run(batch, "wrong_counts", seed))
    assert (counts.successful, counts.failed) != (size, 0)
    assert [r.request_index for r in results(run(batch, "wrong_counts", seed))] == list(range(size))
    empty = [r for r in results(run(batch, "missing_execution", seed)) if r.execution is None]
    assert [r.status for r in empty] == [SUCCESS]
    shuffled = results(run(batch, "reordered_results", seed))
    assert sorted(r.request_index for r in shuffled) == list(range(size))
    assert all(
        r.execution and r.execution.trade_service_execution_id == 1_000 + r.request_index for r in shuffled
    )


def test_item_faults_fail_their_item_with_a_specific_message() -> None:
    verdict = run(
        [post(1), post(2), post(3)], item_faults={0: "item_fail_transient", 2: "item_fail_permanent"}
    )
    assert verdict.status == 207
    assert [r.message for r in results(verdict)] == [
        "Database error: connection timeout to database",
        None,
        "Security not found: AAPL",
    ]
    assert trade_ids(verdict) == [2]


def test_an_invalid_item_can_fail_the_whole_request() -> None:
    verdict = run([post(1), replace(post(2), quantity=Decimal(-1))], refuse_bad_items=True)
    assert verdict.status == 400
    assert isinstance(verdict.body, ErrorBody)
    assert verdict.body.validation_errors == {"executions[1].quantity": "must be greater than 0, got -1"}
    assert trade_ids(verdict) == []


@pytest.mark.parametrize(
    ("item", "field", "rule"),
    [
        (None, "execution", "null"),
        (replace(post(), execution_status="SENT"), "executionStatus", "must be one of"),
        (replace(post(), execution_status=None), "executionStatus", "is required"),
        (replace(post(), execution_status="X" * 21), "executionStatus", "20 characters"),
        (replace(post(), trade_type="COVER"), "tradeType", "BUY or SELL, got COVER"),
        (replace(post(), trade_type="buy"), "tradeType", "BUY or SELL"),
        (replace(post(), trade_type=" "), "tradeType", "is required"),
        (replace(post(), destination="D" * 21), "destination", "20 characters, got 21"),
        (replace(post(), destination=""), "destination", "is required"),
        (replace(post(), security_id="S" * 25), "securityId", "24 characters, got 25"),
        (replace(post(), security_id=None), "securityId", "is required"),
        (replace(post(), quantity=None), "quantity", "is required"),
        (post(quantity="0"), "quantity", "greater than 0"),
        (post(quantity="-0.00000001"), "quantity", "greater than 0"),
        (post(quantity="NaN"), "quantity", "a number"),
        (post(quantity="Infinity"), "quantity", "a number"),
        (post(quantity="0.000000001"), "quantity", "8 after the point"),
        (post(quantity="1." + "0" * 60 + "1"), "quantity", "8 after the point"),
        (post(quantity="10000000000"), "quantity", "10 digits before"),
        (post(quantity="1E+999999"), "quantity", "10 digits before"),
        (post(limit_price="0"), "limitPrice", "greater than 0"),
        (post(limit_price="1.123456789"), "limitPrice", "8 after the point"),
    ],
)
def test_each_rule_names_its_field(item: ExecutionPost | None, field: str, rule: str) -> None:
    (refusal,) = check_all([item])
    assert isinstance(refusal, Refusal)
    assert refusal.field == field
    assert rule in refusal.rule


@pytest.mark.parametrize(
    "text", ["1234567890.12345678", "9999999999.99999999", "0.00000001", "1E+9", "100.50", "7.000000000000"]
)
def test_good_decimals_are_kept_digit_for_digit(text: str) -> None:
    (amounts,) = check_all([post(quantity=text, limit_price=text)])
    assert isinstance(amounts, tuple)
    assert [from_e8(int(units or 0)) for units in amounts] == [Decimal(text)] * 2


def test_longest_texts_and_all_enum_values_are_accepted() -> None:
    for status in ("NEW", "PENDING", "FILLED", "CANCELLED", "REJECTED"):
        item = replace(
            post(), execution_status=status, destination="D" * 20, security_id="S" * 24, trade_type="SELL"
        )
        assert check_all([item]) == [(100 * 10**8, None)]


@pytest.mark.parametrize(("size", "refused"), [(0, True), (1, False), (100, False), (101, True)])
def test_batch_size(size: int, refused: bool) -> None:
    body = size_refusal(PUBLISHED, size, PATH, NOW_NS)
    assert (body is not None) == refused
    if body is not None:
        assert body.status == 400
        assert isinstance(body.validation_errors, dict)
        assert set(body.validation_errors) == {"executions"}


def single(item: ExecutionPost, entry: str = "ok") -> tuple[int, object]:
    call = Call([item], parse_step(entry), {}, FIRST_ID, NOW_NS, PATH, PUBLISHED, singly=True)
    return single_answer(respond(call, random.Random(0)), call)


def test_the_single_endpoint_answers_with_the_execution_or_the_reason() -> None:
    status, body = single(post(9))
    assert status == 201
    assert getattr(body, "trade_service_execution_id", None) == 9
    status, body = single(post(9, quantity="0"))
    assert status == 400
    assert isinstance(body, ErrorBody)
    assert "quantity" in body.message
    assert single(post(9), "error_503")[0] == 503
