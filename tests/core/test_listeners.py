"""Installed listeners: a slow, hanging or failing one affects nothing else."""

import asyncio
import threading

from tests.core.test_submission_metrics import batch
from trade_service.observability.extensions import ThreadedListener, installed_listeners
from trade_service.submission.events import AlarmEvent, EventBus, SubmissionEvent

ALARM = AlarmEvent("ACCEPTED_TWICE", "look")


def test_events_arrive_in_order_in_another_thread() -> None:
    heard: list[tuple[SubmissionEvent, int]] = []
    listener = ThreadedListener("one", lambda event: heard.append((event, threading.get_ident())))
    listener.start()
    events = [batch(size) for size in range(1, 50)]
    for event in events:
        listener(event)
    listener.close()
    assert [event for event, _ in heard] == events
    assert {thread for _, thread in heard} != {threading.get_ident()}


def test_a_slow_listener_misses_events_and_delays_nothing() -> None:
    go = threading.Event()
    heard: list[SubmissionEvent] = []

    def slow(event: SubmissionEvent) -> None:
        go.wait()
        heard.append(event)

    listener = ThreadedListener("slow", slow, limit=2)
    listener.start()
    for _ in range(10):
        listener(ALARM)
    assert listener.missed >= 7
    go.set()
    while listener.missed + len(heard) < 10:
        pass
    listener.close()
    assert listener.missed + len(heard) == 10


def test_a_failing_listener_goes_on_and_is_counted() -> None:
    heard: list[int] = []

    def failing(event: SubmissionEvent) -> None:
        heard.append(1)
        raise ValueError("its own fault")

    listener = ThreadedListener("bad", failing)
    listener.start()
    listener(ALARM)
    listener(ALARM)
    listener.close()
    assert (len(heard), listener.failures) == (2, 2)


def test_a_hanging_listener_does_not_block_the_end() -> None:
    never = threading.Event()

    def hanging(_event: SubmissionEvent) -> None:
        never.wait()

    listener = ThreadedListener("hanging", hanging)
    listener.start()
    listener(ALARM)
    listener.close(timeout_s=0.05)
    never.set()


async def test_who_listens_after_answers_is_called_after_who_was_woken_before() -> None:
    bus, order = EventBus(), list[str]()

    def failing(event: SubmissionEvent) -> None:
        order.append(f"late {event.code}")  # type: ignore[union-attr]
        raise ValueError("its own fault")

    async def caller(answer: asyncio.Future[None]) -> None:
        await answer
        order.append("caller")

    bus.subscribe(failing, after_answers=True)
    bus.subscribe(lambda event: order.append(f"early {event.code}"))  # type: ignore[union-attr]
    answer = asyncio.get_running_loop().create_future()
    waiting = asyncio.create_task(caller(answer))
    await asyncio.sleep(0)
    answer.set_result(None)
    bus.emit(AlarmEvent("FIRST", ""))
    bus.emit(AlarmEvent("SECOND", ""))
    assert (order, bus.failures) == (["early FIRST", "early SECOND"], 0)
    await waiting
    await asyncio.sleep(0)
    assert order[2:] == ["caller", "late FIRST", "late SECOND"]
    assert bus.failures == 2


async def test_without_installed_listeners_nothing_is_subscribed() -> None:
    async with installed_listeners(EventBus()) as found:
        assert found == []
