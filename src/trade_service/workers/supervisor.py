"""Keeps the workers running: starts them, replaces those that end, collects their metrics, and stops them.

It serves no requests and loads neither the database driver nor the web framework, so little can end it.
"""

import asyncio
import signal
import socket
import sys
import tempfile
from asyncio.subprocess import DEVNULL, Process
from collections.abc import Callable, Sequence
from contextlib import suppress

import structlog

from trade_service.http_server.shared_port import counts_size
from trade_service.http_server.sockets import listening_sockets
from trade_service.settings.tree import Settings
from trade_service.single_flight import SingleFlightCache
from trade_service.workers.channel import (
    AllMetrics,
    Begin,
    ChangeLevel,
    Channel,
    CollectMetrics,
    GiveMetrics,
    Message,
    OwnMetrics,
    Ping,
    Ready,
    Stop,
)
from trade_service.workers.shares import share_of

_log = structlog.get_logger(__name__)

PAUSE_S = 0.1
"""Pause before a worker's first replacement; it doubles with each one that fails soon."""
MAX_PAUSE_S = 30.0
STEADY_S = 60.0
"""A worker that ran this long failed for a new reason: the pause starts over."""
PING_EVERY_S = 5.0
MAX_UNANSWERED = 12
"""Unanswered pings after which a worker counts as hanging and is killed."""
COLLECT_S = 2.0
"""How long metrics wait for a worker."""
METRICS_MAX_AGE_S = 1.0
STOP_MARGIN_S = 90.0
"""Added to the grace period, for closing connections and stopping the embedded PostgreSQL."""
AT_ONCE_S = 5.0
NOT_STARTED = 71
"""The exit code where the operating system has no room for a process (EX_OSERR of sysexits.h)."""
_WORKER = (sys.executable, "-P", "-m", "trade_service.cli.main", "serve", "--worker")


class _Place:
    """A place, which a worker and its replacements have in turn."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.name = number + 1
        """Its number in the log."""
        self.process: Process | None = None
        self.is_ready = False
        self.metrics = b""
        """Its worker's last metrics; the next worker continues from them."""
        self.answered = asyncio.Event()
        """Whether it gave its metrics in this collection."""
        self.unanswered = 0
        self._channel: Channel | None = None

    async def start(self, begin: Begin) -> Channel:
        """Starts a worker; raises OSError."""
        ours, its = socket.socketpair()
        with its:
            self.process = await asyncio.create_subprocess_exec(
                *_WORKER, str(its.fileno()), stdin=DEVNULL,
                pass_fds=(its.fileno(), begin.counts, *begin.listening),
                start_new_session=True,  # Signals from the terminal are for the supervisor.
            )  # fmt: skip
        self.unanswered = 0
        self._channel = await Channel.on(ours)
        self._channel.send(begin)
        return self._channel

    def send(self, message: Message) -> None:
        """Sends a message, if a worker is running."""
        if self._channel is not None:
            self._channel.send(message)

    def ended(self) -> None:
        """Notes that its worker has ended."""
        self.is_ready = False
        self.answered.set()
        if self._channel is not None:
            self._channel.close()

    def kill(self) -> None:
        if self.process is not None and self.process.returncode is None:
            with suppress(ProcessLookupError):
                self.process.kill()


class Supervisor:
    """Runs `workers` processes that share listening sockets.

    The sockets stay open here, so connections that wait to be accepted outlive a worker. The first worker starts
    alone: it migrates the database and shows whether the service can start. `say` prints a message, `announce` the
    line of a service that is ready.
    """

    def __init__(
        self, settings: Settings, workers: int, say: Callable[[str], None], announce: Callable[[str], None]
    ) -> None:
        self._settings = settings
        self._say = say
        self._announce = announce
        self._places = [_Place(number) for number in range(workers)]
        self._stopping = asyncio.Event()
        self._first_is_ready = asyncio.Event()
        self._listening: Sequence[socket.socket] = ()
        self._counts = -1
        self._is_serving = False
        self._level: str | None = None
        self._restarts = 0
        self._collections = 0
        self._exit_code = 0
        self._metrics = SingleFlightCache(
            "metrics of workers",
            self._collect,
            RuntimeError,
            max_age_s=METRICS_MAX_AGE_S,
            pause_s=0.0,
            stale_s=0.0,
        )

    async def run(self, stopping: asyncio.Event) -> int:
        """Serves until `stopping`, or until a worker cannot start; returns the exit code. Raises CannotListen.

        Cancelling it ends the workers at once.
        """
        server = self._settings.server
        self._listening = await listening_sockets(server.host, server.port)
        self._stopping = stopping
        with tempfile.TemporaryFile() as counts:
            counts.truncate(counts_size(len(self._places)))
            self._counts = counts.fileno()
            return await self._run()

    async def _run(self) -> int:
        stopping = self._stopping
        async with asyncio.TaskGroup() as group:
            keeping = [group.create_task(self._keep(place, group)) for place in self._places]
            watching = group.create_task(self._watch())
            try:
                await stopping.wait()
                self._stop()
                await asyncio.wait(keeping, timeout=self._settings.server.shutdown_grace_s + STOP_MARGIN_S)
            except asyncio.CancelledError:
                stopping.set()
                self._exit_code = self._exit_code or 1
                self._say("trade-service: stopped at once: recovery settles what was in flight")
                self._send_all(Stop(at_once=True))
                await asyncio.wait(keeping, timeout=AT_ONCE_S)
            finally:
                watching.cancel()
                for place in self._places:
                    place.kill()
        return self._exit_code

    def toggle_debug(self) -> None:
        """Switches the log level of all workers between DEBUG and the configured one."""
        configured = self._settings.log.level
        self._level = None if (self._level or configured) == "DEBUG" else "DEBUG"
        self._send_all(ChangeLevel(self._level))

    def _send_all(self, message: Message, beside: _Place | None = None) -> None:
        for place in self._places:
            if place is not beside:
                place.send(message)

    def _stop(self) -> None:
        if self._is_serving:
            self._say("Stopping: finishing what is in flight ...")
        for one in self._listening:  # From now on the port is free once the last worker has closed it.
            one.close()
        self._send_all(Stop())

    async def _keep(self, place: _Place, group: asyncio.TaskGroup) -> None:
        """Keeps a worker in its place, until the service stops or cannot start."""
        clock, pause_s = asyncio.get_running_loop().time, PAUSE_S
        if place.number:
            await _first_of(self._first_is_ready, self._stopping)
        while not self._stopping.is_set():
            began = clock()
            code, was_ready = await self._run_once(place, group)
            if self._stopping.is_set():
                self._exit_code = self._exit_code or _exit_code(code)
                return
            if not was_ready and not (self._is_serving and any(one.is_ready for one in self._places)):
                self._fail(place, code)
                return
            pause_s = PAUSE_S if clock() - began >= STEADY_S else pause_s
            _log.error("worker_ended", worker=place.name, exit_code=code, replaced_in_s=pause_s)
            with suppress(TimeoutError):
                async with asyncio.timeout(pause_s):
                    await self._stopping.wait()
            self._restarts += 1
            pause_s = min(2 * pause_s, MAX_PAUSE_S)

    async def _run_once(self, place: _Place, group: asyncio.TaskGroup) -> tuple[int, bool]:
        """Runs a worker to its end; returns its exit code, and whether it was ready."""
        was_ready = False
        try:
            channel = await place.start(self._begin(place))
        except OSError as error:
            self._say(f"trade-service: a worker cannot be started: {error.strerror or error}")
            return NOT_STARTED, was_ready
        if self._stopping.is_set():
            channel.send(Stop())
        try:
            async for message in channel.messages():
                was_ready = was_ready or isinstance(message, Ready)
                self._hear(place, message, group)
        finally:
            place.ended()
        assert place.process is not None
        return await place.process.wait(), was_ready

    def _begin(self, place: _Place) -> Begin:
        return Begin(
            share_of(self._settings, place.number, len(self._places)),
            place.number + 1,
            tuple(one.fileno() for one in self._listening),
            self._counts,
            self._level,
            place.metrics,
            is_first=not self._first_is_ready.is_set(),
        )

    def _hear(self, place: _Place, message: Message, group: asyncio.TaskGroup) -> None:
        match message:
            case Ready(line):
                place.is_ready = True
                self._first_is_ready.set()
                if not self._is_serving and all(one.is_ready for one in self._places):
                    self._is_serving = True
                    self._announce(line)
            case Ping():
                place.unanswered = 0
            case OwnMetrics(metrics):
                place.metrics = metrics
                place.answered.set()
            case CollectMetrics():
                group.create_task(self._give_metrics(place))
            case ChangeLevel(level):
                self._level = level
                self._send_all(message, beside=place)

    def _fail(self, place: _Place, code: int) -> None:
        """Ends the service. A worker that ended with an exit code has printed why."""
        if code <= 0:
            how = signal.Signals(-code).name if code else "without an error"
            self._say(f"trade-service: worker {place.name} ended before it was ready: {how}")
        self._exit_code = _exit_code(code) or 1
        self._stopping.set()

    async def _watch(self) -> None:
        """Kills workers whose loop hangs: they answer no request, and must be replaced."""
        while True:
            await asyncio.sleep(PING_EVERY_S)
            for place in self._places:
                if not place.is_ready:
                    continue
                if place.unanswered >= MAX_UNANSWERED:
                    _log.error("worker_hangs", worker=place.name)
                    place.kill()
                    continue
                place.unanswered += 1
                place.send(Ping())

    async def _give_metrics(self, place: _Place) -> None:
        place.send(await self._metrics.get())

    async def _collect(self) -> AllMetrics:
        """The metrics of all workers; the last ones of those that do not answer in time."""
        asked = [place for place in self._places if place.is_ready]
        for place in asked:
            place.answered.clear()
            place.send(GiveMetrics())
        with suppress(TimeoutError):
            async with asyncio.timeout(COLLECT_S):
                for place in asked:
                    await place.answered.wait()
        alive = [place for place in asked if place.is_ready and place.answered.is_set()]
        silent = [place for place in self._places if place.metrics and place not in alive]
        self._collections += 1
        return AllMetrics(
            self._collections,
            tuple(place.metrics for place in alive),
            tuple(place.metrics for place in silent),
            sum(place.is_ready for place in self._places),
            self._restarts,
        )


def _exit_code(code: int) -> int:
    """As a shell reports it: 128 and the number of the signal that ended a process."""
    return code if code >= 0 else 128 - code


async def _first_of(*events: asyncio.Event) -> None:
    """Returns once one of the events is set."""
    waiting = [asyncio.ensure_future(event.wait()) for event in events]
    try:
        await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for one in waiting:
            one.cancel()
