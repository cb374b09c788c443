"""Event listeners of other distributions, isolated so that they cannot disturb a submission.

A distribution declares one as an entry point of the group `trade_service.listeners`: a callable that takes an
event. It is called in a thread of its own, one event after another, from a bounded queue: a slow one misses
events, which are counted, and one that raises is logged.
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
"""Events waiting for one listener."""


class ThreadedListener:
    """Calls a listener in a thread, and drops events rather than wait."""

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
        """Queues an event; never waits, never raises."""
        try:
            self._events.put_nowait(event)
        except queue.Full:
            self.missed += 1

    def start(self) -> None:
        self._thread.start()

    def close(self, timeout_s: float = 1.0) -> None:
        """Stops after the queued events; a listener that hangs is left behind with its thread."""
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
            except Exception:  # noqa: BLE001  # third-party code; logged with its trace
                self.failures += 1
                _log.exception("listener_failed", listener=self._name, event_type=type(event).__name__)


@asynccontextmanager
async def installed_listeners(events: EventBus) -> AsyncIterator[list[ThreadedListener]]:
    """Subscribes every installed listener and closes them at the end; one that cannot be loaded is logged."""
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
        except Exception:  # noqa: BLE001  # third-party code; logged with its trace
            _log.exception("listener_not_loaded", listener=entry.name)
