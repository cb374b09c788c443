"""What a failure proves, and what happens next."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.core.factories import claimed, open_item
from trade_service.domain.executions import SubmissionState, may_become
from trade_service.submission.failure_handler import (
    SPENDS_BUDGET,
    STATE_OF,
    Decision,
    ExecutionFailureHandler,
    RetryPolicy,
)
from trade_service.submission.model import (
    AttemptClosing,
    GatewayReply,
    ItemOutcome,
    ItemReading,
    ReplyKind,
    Verdict,
)

POLICY = RetryPolicy(max_attempts=5, initial_delay_ms=1000, multiplier=2.0, max_delay_ms=30_000)
HANDLER = ExecutionFailureHandler(POLICY)
LOW, HIGH = (lambda: 0.0), (lambda: 0.999_999)


def reply(kind: ReplyKind, retry_after_s: float | None = None) -> GatewayReply:
    return GatewayReply(kind, "CODE", "the reason", 500, retry_after_s=retry_after_s)


def close(kind: ReplyKind, size: int, retry_after_s: float | None = None, streak: int = 0) -> AttemptClosing:
    sent = [claimed(i) for i in range(1, size + 1)]
    return HANDLER.close_reply("attempt", reply(kind, retry_after_s), sent, (), (), streak, HIGH)


def states(closing: AttemptClosing) -> set[SubmissionState]:
    return {outcome.state for outcome in closing.outcomes}


def test_the_maps_are_total() -> None:
    assert set(STATE_OF) == set(Decision)
    assert set(SPENDS_BUDGET) == set(ReplyKind)


@pytest.mark.parametrize(
    ("kind", "size", "state"),
    [
        (ReplyKind.NOT_SENT, 3, SubmissionState.RETRY),
        (ReplyKind.CONFIGURATION, 3, SubmissionState.EXHAUSTED),
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
        assert not closing.spent
        assert closing.next_batch_size is not None
        assert closing.next_batch_size < size
        size, halvings = closing.next_batch_size, halvings + 1
    assert halvings == 7
    alone = close(ReplyKind.REFUSED_WHOLE, 1)
    assert states(alone) == {SubmissionState.REJECTED}
    assert alone.next_action_in_ms is None


@pytest.mark.parametrize(
    ("message", "decision"),
    [
        ("Security not found", Decision.REJECT),
        ("quantity must be positive", Decision.REJECT),
        ("Connection timeout to database", Decision.LOOK_UP),
        ("Service temporarily unavailable", Decision.LOOK_UP),
        ("deadlock detected", Decision.LOOK_UP),
        ("Internal error", Decision.LOOK_UP),
    ],
)
def test_a_failed_item_is_judged_by_its_message(message: str, decision: Decision) -> None:
    reading = ItemReading(1, Verdict.REFUSED, "ITEM_REFUSED", message)
    assert HANDLER.decide_reading(reading) is decision


def test_settings_extend_the_transient_words() -> None:
    handler = ExecutionFailureHandler(RetryPolicy(transient_words=("Gremlins",)))
    reading = ItemReading(1, Verdict.REFUSED, "ITEM_REFUSED", "gremlins in the engine")
    assert handler.decide_reading(reading) is Decision.LOOK_UP


def test_only_an_answered_batch_sends_its_few_failures_back_alone() -> None:
    def closing(failed: int) -> AttemptClosing:
        sent = [claimed(i) for i in range(10)]
        readings = [
            ItemReading(i, Verdict.UNCLEAR if i < failed else Verdict.ACCEPTED, "OK", "", 100 + i)
            for i in range(10)
        ]
        answered = GatewayReply(ReplyKind.ANSWERED, "OK", "", 207)
        return HANDLER.close_reply("a", answered, sent, readings, (), 0, LOW)

    assert closing(3).next_batch_size == 1
    assert closing(4).next_batch_size == 2
    assert closing(9).next_batch_size == 5
    assert closing(0).next_action_in_ms is None
    assert close(ReplyKind.LOST, 2).next_batch_size is None


@given(st.integers(1, 100), st.integers(0, 100))
def test_failed_items_of_an_answered_batch_end_alone_whatever_their_number(failed: int, few: int) -> None:
    handler = ExecutionFailureHandler(RetryPolicy(retry_failed_individually=few))
    answered, rounds, size = GatewayReply(ReplyKind.ANSWERED, "OK", "", 207), 0, failed
    while size > 1:
        readings = [ItemReading(i, Verdict.UNCLEAR, "ITEM_UNCLEAR", "why") for i in range(size)]
        sent = [claimed(i) for i in range(size)]
        smaller = handler.close_reply("a", answered, sent, readings, (), 0, LOW).next_batch_size
        if few == 0:
            assert smaller is None
            return
        assert smaller is not None
        assert smaller == (1 if size <= few else (size + 1) // 2)
        size, rounds = smaller, rounds + 1
    assert rounds <= 7


def test_what_could_not_be_sent_is_recorded_with_the_rest() -> None:
    unsendable = ItemOutcome(9, SubmissionState.REJECTED, "NOT_REPRESENTABLE", "why")
    closing = HANDLER.close_reply("a", reply(ReplyKind.LOST), [claimed(1)], (), [unsendable], 0, LOW)
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
    long = close(ReplyKind.NOT_SENT, 2, streak=3).next_action_in_ms
    assert short is not None
    assert long is not None
    assert long > 4 * short


@given(st.integers(0, 10_000), st.floats(0, 1, exclude_max=True))
def test_look_ups_go_on_for_ever_but_calmly(look_ups: int, roll: float) -> None:
    delay = HANDLER.look_up_delay_ms(look_ups, lambda: roll)
    assert POLICY.look_up_delay_ms * 0.5 <= delay <= POLICY.look_up_max_delay_ms


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
    closing = HANDLER.close_reply("a", reply(kind), sent, (), (), 0, dice.random)
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
    closing = HANDLER.close_unsent("a", "4 of 4 calls failed", held, [wrong], wait_ms)
    assert [o.execution_id for o in closing.outcomes] == [*range(len(held)), 99]
    assert (closing.kind, closing.code, closing.spent) == (ReplyKind.NOT_SENT, "CIRCUIT_OPEN", False)
    assert "4 of 4 calls failed" in closing.message
    for outcome, seconds in zip(closing.outcomes, left_s, strict=False):
        assert outcome.state is (SubmissionState.RETRY if seconds > 0 else SubmissionState.EXHAUSTED)
        assert outcome.code == "CIRCUIT_OPEN"
        assert ("do not resubmit" in outcome.message) == (seconds > 0)
    assert closing.next_action_in_ms == (wait_ms if max(left_s) > 0 else None)
