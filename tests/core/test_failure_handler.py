"""What each failure proves, and the decision that follows."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.core.factories import claimed, open_item
from tests.support.execution_rules import may_become
from trade_service.domain.executions import SubmissionState
from trade_service.submission.engine_settings import (
    EngineSettings,
    ExecutionBatchSettings,
    ExecutionServiceSettings,
    RetrySettings,
)
from trade_service.submission.failure_handler import (
    OUTAGE_TRIES,
    PARTS,
    RECONCILIATION_DELAY_MS,
    SPENDS_BUDGET,
    STATE_OF,
    Decision,
    ExecutionFailureHandler,
    Hold,
    retry_size,
)
from trade_service.submission.model import (
    AttemptClosing,
    GatewayReply,
    ItemOutcome,
    NewAttempt,
    ReplyKind,
)

SETTINGS = EngineSettings(
    retry=RetrySettings(max_attempts=5, initial_delay_ms=1000, multiplier=2.0, max_delay_ms=30_000)
)
HANDLER = ExecutionFailureHandler(SETTINGS)
LOW, HIGH = (lambda: 0.0), (lambda: 0.999_999)


def reply(kind: ReplyKind, retry_after_s: float | None = None) -> GatewayReply:
    return GatewayReply(kind, "CODE", "the reason", 500, retry_after_s=retry_after_s)


def attempt(*, counted: bool = False, retry_count: int = 0) -> NewAttempt:
    return NewAttempt("attempt", "one", 1000, 1000, 0, 1000, retry_count, counted)


def close(
    kind: ReplyKind, size: int, retry_after_s: float | None = None, retry_count: int = 0
) -> AttemptClosing:
    sent = [claimed(i) for i in range(1, size + 1)]
    new = attempt(retry_count=retry_count)
    return HANDLER.close_reply(new, reply(kind, retry_after_s), sent, (), (), HIGH)


def states(closing: AttemptClosing) -> set[SubmissionState]:
    return {outcome.state for outcome in closing.outcomes}


def test_the_maps_are_total() -> None:
    assert set(STATE_OF) == set(Decision)
    assert set(SPENDS_BUDGET) == set(ReplyKind)


@pytest.mark.parametrize(
    ("kind", "size", "state"),
    [
        (ReplyKind.NOT_SENT, 3, SubmissionState.RETRY),
        (ReplyKind.REFUSED_WHOLE, 3, SubmissionState.RETRY),
        (ReplyKind.REFUSED_WHOLE, 1, SubmissionState.REJECTED),
        (ReplyKind.UNCLEAR, 3, SubmissionState.UNKNOWN),
        (ReplyKind.LOST, 3, SubmissionState.UNKNOWN),
        (ReplyKind.LOST, 1, SubmissionState.UNKNOWN),
    ],
)
def test_what_a_reply_makes_of_its_executions(kind: ReplyKind, size: int, state: SubmissionState) -> None:
    closing = close(kind, size)
    assert states(closing) == {state}
    assert len(closing.outcomes) == size
    assert all("attempt attempt" in outcome.message for outcome in closing.outcomes)


@pytest.mark.parametrize("kind", [ReplyKind.LOST, ReplyKind.UNCLEAR])
def test_silence_is_neither_failure_nor_a_licence_to_resend(kind: ReplyKind) -> None:
    decision = HANDLER.decide_reply(reply(kind), claimed(1, attempts_spent=99, budget_left_s=-5), 1)
    assert decision is Decision.LOOK_UP


def test_a_batch_that_never_left_is_given_up_only_when_its_time_is_up() -> None:
    refused = reply(ReplyKind.NOT_SENT)
    assert HANDLER.decide_reply(refused, claimed(1, attempts_spent=50), 1) is Decision.RETRY
    assert HANDLER.decide_reply(refused, claimed(1, budget_left_s=0), 1) is Decision.EXHAUST


def test_a_refused_batch_is_halved_at_once_until_the_guilty_one_stands_alone() -> None:
    size, halvings = 100, 0
    while size > 1:
        closing = close(ReplyKind.REFUSED_WHOLE, size)
        assert closing.next_action_in_ms == 0
        assert closing.next_batch_size is not None
        assert closing.next_batch_size < size
        size, halvings = closing.next_batch_size, halvings + 1
    assert halvings == 7
    alone = close(ReplyKind.REFUSED_WHOLE, 1)
    assert states(alone) == {SubmissionState.REJECTED}
    assert alone.next_action_in_ms is None


def unclear(execution_id: int, message: str = "why") -> ItemOutcome:
    return ItemOutcome(execution_id, SubmissionState.UNKNOWN, "ITEM_UNCLEAR", message)


def test_an_unclear_item_says_what_happens_next() -> None:
    answered = GatewayReply(ReplyKind.ANSWERED, "OK", "", 207)
    items = [unclear(1, "Broken pipe")]
    (outcome,) = HANDLER.close_reply(attempt(), answered, [claimed(1)], items, (), LOW).outcomes
    assert (outcome.state, outcome.code) == (SubmissionState.UNKNOWN, "ITEM_UNCLEAR")
    assert "Broken pipe" in outcome.message


def test_only_an_answered_batch_sends_its_few_failures_back_alone() -> None:
    def closing(failed: int) -> AttemptClosing:
        sent = [claimed(i) for i in range(10)]
        outcomes = [
            unclear(i) if i < failed else ItemOutcome(i, SubmissionState.ACCEPTED, "OK", "", 100 + i)
            for i in range(10)
        ]
        answered = GatewayReply(ReplyKind.ANSWERED, "OK", "", 207)
        return HANDLER.close_reply(attempt(), answered, sent, outcomes, (), LOW)

    assert closing(3).next_batch_size == 1
    assert closing(4).next_batch_size == 2
    assert closing(9).next_batch_size == 5
    assert closing(0).next_action_in_ms is None
    assert close(ReplyKind.LOST, 2).next_batch_size is None


@given(st.integers(1, 100), st.integers(0, 100))
def test_failed_items_of_an_answered_batch_end_alone_whatever_their_number(failed: int, few: int) -> None:
    handler = ExecutionFailureHandler(
        EngineSettings(batch=ExecutionBatchSettings(retry_failed_individually=few))
    )
    answered, rounds, size = GatewayReply(ReplyKind.ANSWERED, "OK", "", 207), 0, failed
    while size > 1:
        outcomes = [unclear(i) for i in range(size)]
        sent = [claimed(i) for i in range(size)]
        smaller = handler.close_reply(attempt(), answered, sent, outcomes, (), LOW).next_batch_size
        if few == 0:
            assert smaller is None
            return
        assert smaller is not None
        assert smaller == (1 if size <= few else (size + 1) // 2)
        size, rounds = smaller, rounds + 1
    assert rounds <= 7


def test_what_could_not_be_sent_is_recorded_with_the_rest() -> None:
    unsendable = ItemOutcome(9, SubmissionState.REJECTED, "NOT_REPRESENTABLE", "why")
    closing = HANDLER.close_reply(attempt(), reply(ReplyKind.LOST), [claimed(1)], (), [unsendable], LOW)
    assert [(o.execution_id, o.state) for o in closing.outcomes] == [
        (1, SubmissionState.UNKNOWN),
        (9, SubmissionState.REJECTED),
    ]


@given(st.integers(-3, 500), st.floats(0, 1, exclude_max=True))
def test_backoff_is_exponential_with_full_jitter_and_capped(tries: int, roll: float) -> None:
    delay = HANDLER.backoff_ms(tries, lambda: roll)
    ceiling = min(30_000, 1000 * 2 ** min(max(tries, 1) - 1, 64))
    assert 0 <= delay <= ceiling
    assert HANDLER.backoff_ms(tries, HIGH) == pytest.approx(ceiling, rel=0.001)
    assert HANDLER.backoff_ms(tries, LOW) == 0


def test_retry_after_is_honoured_and_capped() -> None:
    assert close(ReplyKind.NOT_SENT, 2, retry_after_s=7).next_action_in_ms == 7000
    assert HANDLER.backoff_ms(1, LOW, retry_after_s=3600) == 30_000


def test_attempts_that_never_left_lengthen_the_backoff() -> None:
    short = close(ReplyKind.NOT_SENT, 2).next_action_in_ms
    long = close(ReplyKind.NOT_SENT, 2, retry_count=3).next_action_in_ms
    assert short is not None
    assert long is not None
    assert long > 4 * short


@given(st.integers(0, 10_000), st.floats(0, 1, exclude_max=True))
def test_look_ups_go_on_for_ever_but_calmly(look_ups: int, roll: float) -> None:
    delay = HANDLER.look_up_delay_ms(look_ups, lambda: roll)
    assert RECONCILIATION_DELAY_MS * 0.5 <= delay <= SETTINGS.submission.look_up_max_delay_ms


@pytest.mark.parametrize(
    ("spent", "left_s", "adopted", "state"),
    [
        (1, 60.0, False, SubmissionState.RETRY),
        (4, 60.0, False, SubmissionState.RETRY),
        (5, 60.0, False, SubmissionState.EXHAUSTED),
        (1, 0.0, False, SubmissionState.EXHAUSTED),
        (0, 60.0, True, SubmissionState.NONE),
        (9, -1.0, True, SubmissionState.NONE),
    ],
)
def test_what_is_proven_absent_is_resent_within_its_budget(
    spent: int, left_s: float, *, adopted: bool, state: SubmissionState
) -> None:
    item = open_item(1, attempts_spent=spent, budget_left_s=left_s)
    assert HANDLER.decide_absent(item, adopted=adopted) is state
    assert may_become(SubmissionState.UNKNOWN, state)


@given(
    st.sampled_from([k for k in ReplyKind if k is not ReplyKind.ANSWERED]),
    st.integers(1, 100),
    st.integers(1, 9),
    st.floats(-10, 100),
    st.randoms(use_true_random=False),
)
def test_every_closing_is_legal_and_leaves_nothing_forgotten(
    kind: ReplyKind, size: int, spent: int, left_s: float, dice: random.Random
) -> None:
    sent = [claimed(i, spent, left_s) for i in range(size)]
    closing = HANDLER.close_reply(attempt(), reply(kind), sent, (), (), dice.random)
    assert [o.execution_id for o in closing.outcomes] == [item.execution_id for item in sent]
    assert all(may_become(SubmissionState.CLAIMED, o.state) for o in closing.outcomes)
    open_ones = states(closing) & {SubmissionState.RETRY, SubmissionState.UNKNOWN}
    assert (closing.next_action_in_ms is not None) == bool(open_ones)


@given(st.integers(1, 20), st.lists(st.floats(-10, 600), min_size=1, max_size=20), st.integers(0, 60_000))
def test_what_the_circuit_held_back_waits_without_spending_or_is_given_up_when_its_time_is_over(
    spent: int, left_s: list[float], wait_ms: int
) -> None:
    held = [claimed(i, spent, seconds) for i, seconds in enumerate(left_s)]
    wrong = ItemOutcome(99, SubmissionState.REJECTED, "NOT_REPRESENTABLE", "cannot be said")
    closing = HANDLER.close_unsent(attempt(counted=True), Hold("4 of 4 calls failed", wait_ms), held, [wrong])
    assert [o.execution_id for o in closing.outcomes] == [*range(len(held)), 99]
    assert (closing.kind, closing.code, closing.spent) == (ReplyKind.NOT_SENT, "CIRCUIT_OPEN", False)
    assert "4 of 4 calls failed" in closing.message
    for outcome, seconds in zip(closing.outcomes, left_s, strict=False):
        assert outcome.state is (SubmissionState.RETRY if seconds > 0 else SubmissionState.EXHAUSTED)
        assert outcome.code == "CIRCUIT_OPEN"
        assert ("do not resubmit" in outcome.message) == (seconds > 0)
    assert closing.next_action_in_ms == (wait_ms if max(left_s) > 0 else None)


@given(st.lists(st.floats(-10, 600), min_size=1, max_size=20))
def test_what_waits_for_a_configuration_is_never_given_up_for_its_time(left_s: list[float]) -> None:
    held = [claimed(i, 0, seconds) for i, seconds in enumerate(left_s)]
    hold = Hold("401", 100, "pending, do not resubmit: 401", pauses_budget=True)
    closing = HANDLER.close_unsent(attempt(), hold, held, ())
    assert states(closing) == {SubmissionState.RETRY}
    assert {outcome.message for outcome in closing.outcomes} == {hold.message}
    assert (closing.pauses_budget, closing.next_action_in_ms) == (True, 100)


@pytest.mark.parametrize(
    ("http_status", "decision"),
    [
        (401, Decision.RETRY),
        (403, Decision.LOOK_UP),
        (404, Decision.LOOK_UP),
        (405, Decision.RETRY),
        (415, Decision.RETRY),
        (307, Decision.RETRY),
        (308, Decision.RETRY),
        (None, Decision.RETRY),
    ],
)
@pytest.mark.parametrize("left_s", [60.0, -1.0])
def test_a_wrong_configuration_waits_and_spends_nothing(
    http_status: int | None, decision: Decision, left_s: float
) -> None:
    """A gateway may have replaced an answer with a 403 or 404."""
    refused = GatewayReply(ReplyKind.CONFIGURATION, "CODE", "POST answered it", http_status)
    items = [claimed(i, 99, left_s) for i in range(3)]
    assert {HANDLER.decide_reply(refused, item, 3) for item in items} == {decision}
    closing = HANDLER.close_reply(attempt(counted=True), refused, items, (), (), LOW)
    assert (closing.pauses_budget, closing.spent) == (True, False)
    for outcome in closing.outcomes:
        assert "pending, do not resubmit" in outcome.message
        assert "POST answered it" in outcome.message


@pytest.mark.parametrize("kind", ReplyKind)
@pytest.mark.parametrize("counted", [False, True])
def test_only_what_a_claim_counted_is_given_back(kind: ReplyKind, *, counted: bool) -> None:
    closing = HANDLER.close_reply(attempt(counted=counted), reply(kind), [claimed(1)], (), (), LOW)
    assert closing.spent is (SPENDS_BUDGET[kind] or not counted)
    assert closing.pauses_budget is (kind is ReplyKind.CONFIGURATION)


@pytest.mark.parametrize(("policy_ms", "failed"), [(None, True), (700, False), (700, True)])
def test_only_a_failed_handler_shortens_the_settle_time(policy_ms: int | None, *, failed: bool) -> None:
    downstream = ExecutionServiceSettings(answered_settle_ms=policy_ms)
    handler = ExecutionFailureHandler(EngineSettings(execution_service=downstream))
    answered = GatewayReply(ReplyKind.UNCLEAR, "CODE", "why", 500, handler_failed=failed)
    closing = handler.close_reply(attempt(), answered, [claimed(1)], (), (), LOW)
    assert closing.settle_ms == (policy_ms if failed else None)


def test_time_that_stands_still_does_not_give_up_what_is_proven_absent() -> None:
    late = open_item(1, attempts_spent=1, budget_left_s=-5)
    assert HANDLER.decide_absent(late, adopted=False, paused=True) is SubmissionState.RETRY
    spent = open_item(1, attempts_spent=5, budget_left_s=-5)
    assert HANDLER.decide_absent(spent, adopted=False, paused=True) is SubmissionState.EXHAUSTED


RETRY_SIZES = [
    # kind, status, size, tries before, outage, size of the retry
    ("unclear", 500, 100, 0, False, 10),
    ("unclear", 503, 95, 0, False, 10),
    ("unclear", 500, 11, 0, False, 2),
    ("unclear", 500, 10, 1, False, 1),
    ("unclear", 500, 2, 5, False, 1),
    ("unclear", 500, 100, 0, True, None),
    ("unclear", 500, 10, OUTAGE_TRIES - 1, True, None),
    ("unclear", 500, 100, OUTAGE_TRIES, True, 10),
    ("unclear", 201, 100, 0, False, None),
    ("unclear", 201, 100, 1, False, 50),
    ("unclear", None, 3, 1, False, 2),
    ("lost", None, 100, 0, False, None),
    ("lost", None, 100, 1, False, 50),
    ("lost", 502, 25, 1, False, 13),
    ("lost", 504, 25, 0, False, None),
    ("lost", None, 100, 1, True, None),
    ("lost", None, 100, OUTAGE_TRIES, True, 50),
    ("configuration", 404, 100, 0, False, None),
    ("not_sent", 429, 100, 4, False, None),
    ("refused_whole", 400, 100, 4, False, None),
    ("answered", 207, 100, 4, False, None),
    ("requeued", None, 100, 0, False, None),
    (None, None, 100, 0, False, None),
]


@pytest.mark.parametrize(("kind", "status", "size", "tries", "outage", "expected"), RETRY_SIZES)
def test_how_many_a_retry_sends_at_once(
    kind: str | None, status: int | None, size: int, tries: int, *, outage: bool, expected: int | None
) -> None:
    assert retry_size(kind, status, size, tries, outage=outage) == expected


def test_the_table_of_retry_sizes_is_total() -> None:
    assert {row[0] for row in RETRY_SIZES} == {*ReplyKind, "requeued", None}


@given(
    kind=st.sampled_from([*ReplyKind, None]),
    status=st.sampled_from([None, 200, 401, 404, 500, 502, 503, 504, 599]),
    size=st.integers(1, 100),
    tries=st.integers(0, 1000),
    outage=st.booleans(),
)
def test_a_retry_is_whole_or_smaller_and_never_more_than_parts_or_halves(
    kind: ReplyKind | None, status: int | None, size: int, tries: int, *, outage: bool
) -> None:
    smaller = retry_size(kind, status, size, tries, outage=outage)
    if smaller is None:
        return
    assert kind in (ReplyKind.UNCLEAR, ReplyKind.LOST)
    assert 1 <= smaller < size
    parts = -(-size // smaller)
    assert parts <= max(2, PARTS)
    assert not outage or tries >= OUTAGE_TRIES


@given(st.integers(2, 100), st.sampled_from([500, None]))
def test_the_one_at_fault_is_alone_after_few_calls(size: int, status: int | None) -> None:
    """Two rounds after an answer, one for each halving and one more after silence."""
    kind, tries = ReplyKind.LOST if status is None else ReplyKind.UNCLEAR, 0
    rest = size
    while rest > 1:
        rest = retry_size(kind, status, rest, tries, outage=False) or rest
        tries += 1
    assert tries <= (8 if status is None else 2)
