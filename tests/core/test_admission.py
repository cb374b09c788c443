"""Circuit and concurrency limit together, and the senders that use them."""

import asyncio
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trade_service.submission.admission import Admission
from trade_service.submission.circuit import CircuitState
from trade_service.submission.clock import SystemClock
from trade_service.submission.engine_settings import CircuitSettings
from trade_service.submission.events import AlarmEvent, CircuitEvent, EventBus, SubmissionEvent
from trade_service.submission.model import DEFERRED_MESSAGE, GatewayReply, ReplyKind
from trade_service.submission.work import Work
from trade_service.submission.work_queue import Senders, WorkQueue

SETTINGS = CircuitSettings(
    slow_call_ms=1000, window_calls=4, minimum_calls=2, open_ms=1000, half_open_probes=1
)
GOOD = GatewayReply(ReplyKind.ANSWERED, "OK", "", 201)
LOST = GatewayReply(ReplyKind.LOST, "DOWNSTREAM_READ_TIMEOUT", "")
UNAUTHORIZED = GatewayReply(ReplyKind.CONFIGURATION, "DOWNSTREAM_UNAUTHORIZED", "POST answered 401", 401)


class TickingClock(SystemClock):
    """A clock that advances by `tick_s` at every reading."""

    def __init__(self, tick_s: float = 0.0) -> None:
        super().__init__()
        self.now = 100.0
        self.tick_s = tick_s

    def monotonic(self) -> float:
        self.now += self.tick_s
        return self.now

    def random(self) -> float:
        return 0.5


def admission_on(
    clock: TickingClock, max_concurrent: int = 4, settings: CircuitSettings = SETTINGS
) -> tuple[Admission, list[SubmissionEvent]]:
    events, seen = EventBus(), list[SubmissionEvent]()
    events.subscribe(seen.append)
    return Admission(clock, events, settings, max_concurrent), seen


def call(admission: Admission, reply: GatewayReply, clock: TickingClock, took_s: float = 0.0) -> None:
    with admission.permit() as permit:
        assert permit is not None
        admission.note(permit, reply, clock.now - took_s)


def throttled(retry_after_s: float | None) -> GatewayReply:
    return GatewayReply(ReplyKind.NOT_SENT, "DOWNSTREAM_THROTTLED", "", 429, retry_after_s=retry_after_s)


def test_every_change_of_the_circuit_is_told() -> None:
    clock = TickingClock()
    admission, seen = admission_on(clock)
    call(admission, LOST, clock)
    assert admission.state == CircuitEvent(CircuitState.CLOSED, "", None, None)
    call(admission, LOST, clock)
    reason = "2 of the last 2 calls failed, the last one with DOWNSTREAM_READ_TIMEOUT"
    assert admission.state == CircuitEvent(CircuitState.OPEN, reason, 100.75, 750)
    with admission.permit() as permit:
        assert permit is None
    clock.now = 101
    call(admission, GOOD, clock)
    assert [event.state for event in seen if isinstance(event, CircuitEvent)] == [
        "open",
        "half_open",
        "closed",
    ]
    assert seen[0] == CircuitEvent(CircuitState.OPEN, reason, 100.75, 750)


@pytest.mark.parametrize(
    ("reply", "took_s", "limit"),
    [
        (GOOD, 0.0, 8),
        (GOOD, 1.0, 4),
        (LOST, 0.0, 4),
        (throttled(None), 0.0, 4),
        (GatewayReply(ReplyKind.UNCLEAR, "DOWNSTREAM_UNAVAILABLE", "", 503), 0.0, 4),
        (GatewayReply(ReplyKind.UNCLEAR, "DOWNSTREAM_ERROR_500", "", 500), 0.0, 8),
        (GatewayReply(ReplyKind.NOT_SENT, "DOWNSTREAM_REFUSED_CONNECTION", ""), 0.0, 8),
        (GatewayReply(ReplyKind.NOT_SENT, "DOWNSTREAM_CONNECT_TIMEOUT", ""), 1.5, 4),
        (GatewayReply(ReplyKind.REFUSED_WHOLE, "DOWNSTREAM_TOO_LARGE", "", 413), 0.0, 8),
    ],
)
def test_what_lowers_the_limit(reply: GatewayReply, took_s: float, limit: int) -> None:
    clock = TickingClock()
    admission, _ = admission_on(clock, 8)
    call(admission, reply, clock, took_s)
    assert admission.concurrency.limit == limit


def test_senders_refuse_at_once_while_nothing_is_let_through() -> None:
    """Else callers would wait for a pause or for others, only to get an answer that is already known."""
    clock = TickingClock()
    admission, _ = admission_on(clock)
    call(admission, throttled(60), clock)
    assert admission.slot_in_s(0) == 60
    call(admission, LOST, clock)
    call(admission, LOST, clock)
    assert admission.slot_in_s(3) == 0
    clock.now += 1
    assert admission.slot_in_s(0) == 59, "a probe waits like any other call"
    assert admission.slot_in_s(3) == math.inf


def test_recovery_lets_out_a_probe_and_no_more_until_the_circuit_is_closed() -> None:
    clock = TickingClock()
    admission, _ = admission_on(clock)
    assert admission.recovery_waits_ms(1000) is None
    call(admission, LOST, clock)
    call(admission, LOST, clock)
    assert admission.recovery_waits_ms(0) == 750 + 250
    clock.now = 101
    assert admission.recovery_waits_ms(0) is None
    assert admission.recovery_waits_ms(1) == 750
    with admission.permit() as probe:
        assert probe is not None
        assert probe.is_probe
        assert admission.recovery_waits_ms(0) == 750
        admission.note(probe, GOOD, clock.now)
    assert admission.recovery_waits_ms(1000) is None


@given(tick_s=st.floats(0, 0.5), retry_after_s=st.floats(0, 3))
def test_with_nothing_on_its_way_a_sender_waits_for_time_alone(tick_s: float, retry_after_s: float) -> None:
    """No event would wake it, so a pause that ends between two readings of the clock must not be missed."""
    clock = TickingClock(tick_s)
    admission, _ = admission_on(clock)
    call(admission, throttled(retry_after_s), clock)
    for _ in range(20):
        assert admission.slot_in_s(0) <= 3


async def at_once() -> None:
    """Claims are allowed."""


@pytest.mark.parametrize("tick_s", [0.0001, 0.003, 0.004, 0.006, 0.009])
async def test_a_pause_that_ends_while_it_is_looked_at_ends(tick_s: float) -> None:
    clock = TickingClock(tick_s)
    admission, _ = admission_on(clock)
    queue, sent = WorkQueue(100), asyncio.Event()

    async def process(work: Work) -> None:
        sent.set()

    call(admission, throttled(0.01), clock)
    sender = Senders(queue, process, admission, at_once, 10, 4, 0, clock.sleep)
    running = asyncio.create_task(sender.run())
    queue.accept(Work((1,)))
    async with asyncio.timeout(5):
        await sent.wait()
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


async def test_no_more_senders_work_than_the_limit_allows() -> None:
    clock = TickingClock()
    admission, _ = admission_on(clock, 4)
    queue, done, at_work, most = WorkQueue(1000), asyncio.Event(), 0, list[int]()

    async def process(work: Work) -> None:
        nonlocal at_work
        at_work += 1
        most.append(at_work)
        for _ in range(3):
            await asyncio.sleep(0)
        at_work -= 1
        if len(most) == 50:
            done.set()

    call(admission, LOST, clock)
    clock.now += 1
    sender = Senders(queue, process, admission, at_once, 1, 4, 0, clock.sleep)
    running = asyncio.create_task(sender.run())
    queue.accept(Work(tuple(range(50))))
    async with asyncio.timeout(5):
        await done.wait()
    assert max(most) == 2
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


def alarms(seen: list[SubmissionEvent]) -> list[str]:
    return [event.code for event in seen if isinstance(event, AlarmEvent)]


def test_a_service_that_refuses_us_raises_one_alarm_until_it_takes_calls_again() -> None:
    clock = TickingClock()
    admission, seen = admission_on(clock)
    assert (admission.breaker.refused, admission.deferred_message) == (False, DEFERRED_MESSAGE)
    for _ in range(3):
        call(admission, UNAUTHORIZED, clock)
        assert admission.breaker.refused
        assert "POST answered 401" in admission.deferred_message
        assert admission.deferred_message.startswith("pending, do not resubmit")
        clock.now += 60
    assert alarms(seen) == ["DOWNSTREAM_REFUSES_US"]
    call(admission, GOOD, clock)
    assert (admission.breaker.refused, admission.deferred_message) == (False, DEFERRED_MESSAGE)
    call(admission, UNAUTHORIZED, clock)
    assert alarms(seen) == ["DOWNSTREAM_REFUSES_US"] * 2


def test_an_outage_after_a_refusal_is_an_outage() -> None:
    clock = TickingClock()
    admission, _ = admission_on(clock)
    call(admission, UNAUTHORIZED, clock)
    clock.now += 60
    call(admission, LOST, clock)
    assert (admission.breaker.refused, admission.deferred_message) == (False, DEFERRED_MESSAGE)


def test_late_answers_of_calls_begun_before_do_not_end_a_refusal() -> None:
    clock = TickingClock()
    admission, _ = admission_on(clock)
    with admission.permit() as before:
        call(admission, UNAUTHORIZED, clock)
        assert before is not None
        assert not admission.breaker.holds(before)
        admission.note(before, GOOD, clock.now)
    assert admission.breaker.refused


def test_without_a_circuit_a_refusal_is_told_and_an_outage_is_seen_all_the_same() -> None:
    clock = TickingClock()
    off = CircuitSettings(slow_call_ms=1000, enabled=False, window_calls=4, minimum_calls=2)
    admission, seen = admission_on(clock, settings=off)
    call(admission, UNAUTHORIZED, clock)
    assert (admission.breaker.refused, alarms(seen)) == (True, ["DOWNSTREAM_REFUSES_US"])
    call(admission, GOOD, clock)
    assert not admission.breaker.refused
    clock.now = 200
    for _ in range(2):
        call(admission, LOST, clock)
    assert admission.is_outage(since=200)
    assert not admission.is_outage(since=200.1)
    assert admission.breaker.state is CircuitState.CLOSED


def test_an_outage_is_over_for_calls_that_began_after_the_circuit_had_opened_and_closed() -> None:
    clock = TickingClock()
    admission, _ = admission_on(clock)
    assert not admission.is_outage(since=0)
    call(admission, LOST, clock)
    assert not admission.is_outage(since=0), "one failure is none"
    call(admission, LOST, clock)
    clock.now += 60
    assert admission.is_outage(since=clock.now), "while it is not closed"
    call(admission, GOOD, clock)
    assert admission.is_outage(since=100)
    assert not admission.is_outage(since=101)
