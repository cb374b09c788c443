"""Circuit and limit together, and the senders that ask them."""

import asyncio
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trade_service.submission.admission import Admission
from trade_service.submission.breaker import CircuitSettings, CircuitState
from trade_service.submission.clock import SystemClock
from trade_service.submission.coalescer import Coalescer
from trade_service.submission.events import CircuitEvent, EventBus, SubmissionEvent
from trade_service.submission.model import GatewayReply, ReplyKind
from trade_service.submission.work_queue import Work, WorkQueue

SETTINGS = CircuitSettings(
    slow_call_ms=1000, window_calls=4, minimum_calls=2, open_ms=1000, half_open_probes=1
)
GOOD = GatewayReply(ReplyKind.ANSWERED, "OK", "", 201)
LOST = GatewayReply(ReplyKind.LOST, "DOWNSTREAM_READ_TIMEOUT", "")


class TickingClock(SystemClock):
    """Time that goes on by `tick_s` whenever it is looked at."""

    def __init__(self, tick_s: float = 0.0) -> None:
        super().__init__()
        self.now = 100.0
        self.tick_s = tick_s

    def boottime(self) -> float:
        self.now += self.tick_s
        return self.now

    def dice(self) -> float:
        return 0.5


def admission_on(clock: TickingClock, max_concurrent: int = 4) -> tuple[Admission, list[SubmissionEvent]]:
    events, seen = EventBus(), list[SubmissionEvent]()
    events.subscribe(seen.append)
    return Admission(clock, events, SETTINGS, max_concurrent), seen


def call(admission: Admission, reply: GatewayReply, clock: TickingClock, took_s: float = 0.0) -> None:
    permit = admission.admit()
    assert permit is not None
    admission.note(permit, reply, clock.now - took_s)
    admission.release(permit)


def throttled(retry_after_s: float | None) -> GatewayReply:
    return GatewayReply(ReplyKind.NOT_SENT, "DOWNSTREAM_THROTTLED", "", 429, retry_after_s=retry_after_s)


def test_every_change_of_the_circuit_is_told() -> None:
    clock = TickingClock()
    admission, seen = admission_on(clock)
    call(admission, LOST, clock)
    assert admission.circuit == CircuitEvent(CircuitState.CLOSED, "", None, None)
    call(admission, LOST, clock)
    reason = "2 of the last 2 calls failed, the last one with DOWNSTREAM_READ_TIMEOUT"
    assert admission.circuit == CircuitEvent(CircuitState.OPEN, reason, 100.75, 750)
    assert admission.admit() is None
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
    assert admission.concurrency_limit == limit


def test_senders_refuse_at_once_while_nothing_is_let_through() -> None:
    """Else callers would wait for a pause or for others, only to be told what is known already."""
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
    assert admission.hold_back_ms(1000) is None
    call(admission, LOST, clock)
    call(admission, LOST, clock)
    assert admission.hold_back_ms(0) == 750 + 250
    clock.now = 101
    assert admission.hold_back_ms(0) is None
    assert admission.hold_back_ms(1) == 750
    probe = admission.admit()
    assert probe is not None
    assert admission.hold_back_ms(0) == 750
    admission.note(probe, GOOD, clock.now)
    admission.release(probe)
    assert admission.hold_back_ms(1000) is None


@given(tick_s=st.floats(0, 0.5), retry_after_s=st.floats(0, 3))
def test_with_nothing_on_its_way_a_sender_waits_for_time_alone(tick_s: float, retry_after_s: float) -> None:
    """Nobody would wake it. A pause that ends between two looks at the clock must not be missed."""
    clock = TickingClock(tick_s)
    admission, _ = admission_on(clock)
    call(admission, throttled(retry_after_s), clock)
    for _ in range(20):
        assert admission.slot_in_s(0) <= 3


@pytest.mark.parametrize("tick_s", [0.0001, 0.003, 0.004, 0.006, 0.009])
async def test_a_pause_that_ends_while_it_is_looked_at_ends(tick_s: float) -> None:
    clock = TickingClock(tick_s)
    admission, _ = admission_on(clock)
    queue, sent = WorkQueue(100), asyncio.Event()

    async def process(work: Work) -> None:
        sent.set()

    call(admission, throttled(0.01), clock)
    coalescer = Coalescer(queue, process, admission, 10, 4, 0, clock.sleep)
    running = asyncio.create_task(coalescer.run())
    queue.offer(Work((1,)))
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
    coalescer = Coalescer(queue, process, admission, 1, 4, 0, clock.sleep)
    running = asyncio.create_task(coalescer.run())
    queue.offer(Work(tuple(range(50))))
    async with asyncio.timeout(5):
        await done.wait()
    assert max(most) == 2
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
