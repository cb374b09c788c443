"""Listeners of others: they get every event, and can harm nothing.

A distribution declares one as an entry point of the group `trade_service.listeners`: a callable that takes an
event. It is called in a thread of its own, one event after the other, from a bounded queue: one that is slow
misses events, which are counted, and one that raises is logged.
"""

import asyncio
import queue
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from importlib.metadata import entry_points

import structlog

from trade_service.submission.events import EventBus, Listener, SubmissionEvent

_log = structlog.get_logger(__name__)

GROUP = "trade_service.listeners"
QUEUE_LIMIT = 10_000
"""Events that wait for one listener."""


class ThreadedListener:
    """Passes events on to a listener in a thread, and loses some rather than wait."""

    def __init__(self, name: str, listener: Listener, limit: int = QUEUE_LIMIT) -> None:
        self._name = name
        self._listener = listener
        self._events: queue.Queue[SubmissionEvent | None] = queue.Queue(limit)
        self._thread = threading.Thread(target=self._pass_on, name=f"listener-{name}", daemon=True)
        self.missed = 0
        """Events that found the queue full."""
        self.failures = 0
        """Events at which the listener raised."""

    def __call__(self, event: SubmissionEvent) -> None:
        """Takes an event; never waits, never raises."""
        try:
            self._events.put_nowait(event)
        except queue.Full:
            self.missed += 1

    def start(self) -> None:
        """Begins to pass events on."""
        self._thread.start()

    def close(self, timeout_s: float = 1.0) -> None:
        """Ends after the events that wait now; a listener that hangs is left behind with its thread."""
        try:
            self._events.put_nowait(None)
        except queue.Full:
            _log.warning("listener_too_slow_to_end", listener=self._name)
            return
        self._thread.join(timeout_s)

    def _pass_on(self) -> None:
        while (event := self._events.get()) is not None:
            try:
                self._listener(event)
            except Exception:  # noqa: BLE001  # somebody else's code; logged with its trace
                self.failures += 1
                _log.exception("listener_failed", listener=self._name, event_type=type(event).__name__)


@asynccontextmanager
async def installed_listeners(events: EventBus) -> AsyncIterator[list[ThreadedListener]]:
    """Subscribes every listener that is installed beside this program, for as long as the context lasts.

    One that cannot be loaded is logged and left out.
    """
    found = [ThreadedListener(name, listener) for name, listener in _loaded()]
    for listener in found:
        listener.start()
        events.subscribe(listener)
    try:
        yield found
    finally:
        for listener in found:
            await asyncio.to_thread(listener.close)


def _loaded() -> Iterator[tuple[str, Listener]]:
    for entry in entry_points(group=GROUP):
        try:
            yield entry.name, entry.load()
        except Exception:  # noqa: BLE001  # somebody else's code; logged with its trace
            _log.exception("listener_not_loaded", listener=entry.name)
