"""A loop on virtual time that can kill, pause, suspend and resume the simulated processes that run on it.

Every callback belongs to the process in whose context it was made. A killed process never runs
again, not even its `finally` clauses, as after kill -9; a paused one keeps its callbacks until it is
resumed, while time goes on, as after SIGSTOP. On a suspended machine
the monotonic clock, which times the loop, stands still as well: only the boot clock advances.
"""

import asyncio
import heapq
import inspect
from asyncio import events
from collections import deque
from collections.abc import Callable, Coroutine
from contextvars import Context, ContextVar, copy_context
from typing import Any, cast

MAX_STEPS = 2_000_000
"""More callbacks than any world needs: a higher number means a busy loop."""


class Process:
    """A simulated process: alive, paused or killed."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.steps = 0
        self.dead = False
        self.paused = False
        self.die_at: int | None = None
        """The step before which it is killed; every resumed await is a step."""
        self.pause_at: int | None = None
        """The step before which it is paused."""
        self.sleeps = False
        """Whether its next pause suspends the machine."""
        self.asleep = False
        """Whether its present pause does."""
        self.lag = 0.0
        """How long its machine was suspended, in seconds."""
        self.paused_at = 0.0
        self.on_death: Callable[[], None] = lambda: None
        self.on_pause: Callable[[], None] = lambda: None
        self.parked: list[asyncio.Handle] = []
        self.frozen: list[tuple[float, asyncio.TimerHandle]] = []
        """Timers that would have been due during the suspension, with their times."""

    def befall(self, what: str, in_steps: int) -> None:
        """Kills, pauses or suspends it after some steps."""
        at = self.steps + in_steps
        if what == "kill":
            self.die_at = at
        else:
            self.pause_at, self.sleeps = at, what == "suspend"


PROCESS: ContextVar[Process | None] = ContextVar("process", default=None)


class WorldLoop:
    """Runs callbacks in order; when none is ready, time jumps to the next timer."""

    def __init__(self) -> None:
        self._now = 0.0
        # As much of a loop as tasks, futures and time-outs need.
        self._itself = cast(asyncio.AbstractEventLoop, self)
        self._ready: deque[tuple[Process | None, asyncio.Handle]] = deque()
        self._timers: list[tuple[float, int, Process | None, float, asyncio.TimerHandle]] = []
        self._count = 0
        self._tasks: list[asyncio.Task[Any]] = []
        self._stopped = False
        self.outside = copy_context()
        """The context outside every process."""
        self.failures: list[str] = []

    def time(self) -> float:
        """Virtual seconds."""
        return self._now

    def run(self, until: float) -> bool:
        """Runs until `stop` is called, or until the virtual time `until`; returns whether it was stopped."""
        self._stopped = False
        events._set_running_loop(self._itself)
        try:
            for _ in range(MAX_STEPS):
                if self._stopped or self.failures:
                    return True
                if not self._ready and not self._advance(until):
                    return False
                self._step()
            raise AssertionError(f"still busy after {MAX_STEPS} callbacks, at {self._now:.3f} s")
        finally:
            events._set_running_loop(None)

    def stop(self) -> None:
        """Makes `run` return after the present callback."""
        self._stopped = True

    def close(self) -> None:
        """Ends every task, so that none warns about its end."""
        events._set_running_loop(self._itself)
        try:
            for task in self._tasks:
                if task.done():
                    continue
                task.cancel()
                coroutine = task.get_coro()
                if (
                    inspect.iscoroutine(coroutine)
                    and inspect.getcoroutinestate(coroutine) == inspect.CORO_CREATED
                ):
                    coroutine.close()
            for _ in range(MAX_STEPS):
                if not self._ready:
                    break
                _, handle = self._ready.popleft()
                if not handle.cancelled():
                    handle._run()
        finally:
            events._set_running_loop(None)

    def kill(self, process: Process) -> None:
        """Kills a process."""
        process.dead = True
        process.parked.clear()
        process.frozen.clear()
        process.on_death()

    def pause(self, process: Process) -> None:
        """Pauses a process."""
        process.paused, process.asleep = True, process.sleeps
        process.paused_at = self._now
        process.on_pause()

    def resume(self, process: Process) -> None:
        """Resumes a process with the callbacks that have become ready."""
        process.paused = False
        if process.asleep:
            process.asleep = False
            asleep_s = self._now - process.paused_at
            process.lag += asleep_s
            for when, timer in process.frozen:
                self._push(when + asleep_s, process, timer)
            process.frozen.clear()
        self._ready.extend((process, handle) for handle in process.parked)
        process.parked.clear()

    def call_outside(self, delay: float, callback: Callable[..., object], *args: Any) -> None:
        """Calls back after `delay` seconds, even if the calling process dies."""
        when = self._now + delay
        self._push(when, None, asyncio.TimerHandle(when, callback, args, self._itself, self.outside))

    def _advance(self, until: float) -> bool:
        """Makes the next timer ready; False when there is none before `until`."""
        timers = self._timers
        while timers and timers[0][0] <= until:
            when, _, process, lag, timer = heapq.heappop(timers)
            if timer._cancelled or (process is not None and process.dead):
                continue
            if process is not None and process.lag > lag:
                self._push(when + process.lag - lag, process, timer)
                continue
            if when > self._now:
                self._now = when
            if process is not None and process.asleep:
                process.frozen.append((when, timer))
                continue
            self._ready.append((process, timer))
            return True
        return False

    def _step(self) -> None:
        process, handle = self._ready.popleft()
        if handle._cancelled:
            return
        if process is not None and not self._may_run(process):
            if process.paused:
                process.parked.append(handle)
            return
        handle._run()

    def _may_run(self, process: Process) -> bool:
        if process.dead or process.paused:
            return False
        process.steps += 1
        if process.die_at is not None and process.steps >= process.die_at:
            self.kill(process)
            return False
        if process.pause_at is not None and process.steps >= process.pause_at:
            process.pause_at = None
            self.pause(process)
            return False
        return True

    def _push(self, when: float, process: Process | None, timer: asyncio.TimerHandle) -> None:
        self._count += 1
        lag = 0.0 if process is None else process.lag
        heapq.heappush(self._timers, (when, self._count, process, lag, timer))

    def call_soon(
        self, callback: Callable[..., object], *args: Any, context: Context | None = None
    ) -> asyncio.Handle:
        context = copy_context() if context is None else context
        handle = asyncio.Handle(callback, args, self._itself, context)
        self._ready.append((context.get(PROCESS), handle))
        return handle

    def call_later(
        self, delay: float, callback: Callable[..., object], *args: Any, context: Context | None = None
    ) -> asyncio.TimerHandle:
        return self.call_at(self._now + delay, callback, *args, context=context)

    def call_at(
        self, when: float, callback: Callable[..., object], *args: Any, context: Context | None = None
    ) -> asyncio.TimerHandle:
        context = copy_context() if context is None else context
        timer = asyncio.TimerHandle(when, callback, args, self._itself, context)
        self._push(when, context.get(PROCESS), timer)
        return timer

    def create_future(self) -> asyncio.Future[Any]:
        return asyncio.Future(loop=self._itself)

    def create_task(
        self, coro: Coroutine[Any, Any, Any], *, name: str | None = None, context: Context | None = None
    ) -> asyncio.Task[Any]:
        task: asyncio.Task[Any] = asyncio.Task(coro, loop=self._itself, name=name, context=context)
        self._tasks.append(task)
        return task

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        error = context.get("exception")
        self.failures.append(f"{context.get('message')}: {error!r}")

    def get_debug(self) -> bool:
        return False

    def is_running(self) -> bool:
        return True

    def is_closed(self) -> bool:
        return False

    def _timer_handle_cancelled(self, handle: asyncio.TimerHandle) -> None:
        """Cancelled timers are skipped when their time comes."""
