"""A worker's link to its supervisor."""

import asyncio
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Self

from prometheus_client import CollectorRegistry, Metric
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

from trade_service.observability.exposition import Exposition
from trade_service.observability.logs import LogLevel
from trade_service.observability.merging import encoded_metrics, merged_metrics
from trade_service.observability.metrics import RESTARTS, RESTARTS_MEANING, WORKERS, WORKERS_MEANING
from trade_service.workers.channel import (
    AllMetrics,
    Begin,
    ChangeLevel,
    Channel,
    CollectMetrics,
    GiveMetrics,
    OwnMetrics,
    Ping,
    Ready,
    Stop,
)


class SharedLogLevel(LogLevel):
    """The log level of all workers; a change here reaches the others."""

    def __init__(self, configured: str, send: Callable[[ChangeLevel], None]) -> None:
        super().__init__(configured)
        self._send = send

    def change(self, level: str | None) -> None:
        """Sets a level such as DEBUG; None returns to the configured one."""
        self.follow(level)
        self._send(ChangeLevel(level))

    def follow(self, level: str | None) -> None:
        """Sets a level that was changed at another worker."""
        super().change(level)


class SupervisorLink:
    """A worker's end of its channel. `stop` ends the worker; with True, at once.

    A worker whose supervisor has ended stops: nothing would replace it, and a new service could not have its port.
    """

    def __init__(self, channel: Channel, begin: Begin) -> None:
        self.begin = begin
        self.log_level = SharedLogLevel(begin.settings.log.level, channel.send)
        self.registry: CollectorRegistry | None = None
        """This worker's metrics; None while there are none."""
        self._channel = channel
        self._waiting: list[asyncio.Future[AllMetrics]] = []
        self._shown: tuple[int, Exposition] | None = None

    @classmethod
    @asynccontextmanager
    async def opened(cls, end: socket.socket, stop: Callable[[bool], None]) -> AsyncIterator[Self]:
        """The link on a connected socket, once `Begin` has arrived. Raises ConnectionError."""
        channel = await Channel.on(end)
        messages = channel.messages()
        begin = await anext(messages, None)
        if not isinstance(begin, Begin):
            raise ConnectionError("the supervisor of this worker has ended")
        link = cls(channel, begin)
        if begin.level is not None:
            link.log_level.follow(begin.level)
        async with asyncio.TaskGroup() as group:
            listening = group.create_task(link._listen(messages, stop))
            try:
                yield link
                await link._give_metrics()  # Counts since the last collection.
            finally:
                listening.cancel()
                channel.close()

    def ready(self, line: str) -> None:
        """Reports that connections are accepted."""
        self._channel.send(Ready(line))

    async def exposition(self) -> Exposition:
        """The metrics of all workers; one collection is rendered once."""
        answer: asyncio.Future[AllMetrics] = asyncio.get_running_loop().create_future()
        self._waiting.append(answer)
        self._channel.send(CollectMetrics())
        collected = await answer
        if self._shown is None or self._shown[0] != collected.number:
            shown = await asyncio.to_thread(Exposition.of, lambda: _metrics_of(collected))
            self._shown = (collected.number, shown)
        return self._shown[1]

    async def _listen(self, messages: AsyncIterator[object], stop: Callable[[bool], None]) -> None:
        async for message in messages:
            match message:
                case Ping():
                    self._channel.send(message)
                case GiveMetrics():
                    await self._give_metrics()
                case AllMetrics():
                    waiting, self._waiting = self._waiting, []
                    for one in waiting:
                        if not one.done():
                            one.set_result(message)
                case ChangeLevel(level):
                    self.log_level.follow(level)
                case Stop(at_once):
                    stop(at_once)
        stop(False)  # noqa: FBT003  # the supervisor has ended

    async def _give_metrics(self) -> None:
        if self.registry is not None:
            own = await asyncio.to_thread(encoded_metrics, self.registry.collect, self.begin.past)
            self._channel.send(OwnMetrics(own))


def _metrics_of(collected: AllMetrics) -> list[Metric]:
    running = GaugeMetricFamily(WORKERS, WORKERS_MEANING, collected.workers)
    restarts = CounterMetricFamily(RESTARTS, RESTARTS_MEANING, collected.restarts)
    return [*merged_metrics(collected.alive, collected.silent), running, restarts]
