"""Runs the simulator as an aiohttp application, or within this process for tests."""

from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

from aiohttp import web

from execution_simulator.control import ControlHandlers
from execution_simulator.handlers import Handlers
from execution_simulator.ledger import Ledger
from execution_simulator.ledger_file import LedgerFile
from execution_simulator.profiles import PROFILES
from execution_simulator.settings import SimulatorSettings, poison_pattern
from execution_simulator.state import Seen, SimulatorState

__all__ = ["RunningSimulator", "SimulatorSettings", "build_app", "running_simulator"]

_STATE: Final = web.AppKey("state", SimulatorState)
_MAX_BODY_BYTES: Final = 4 * 1024 * 1024
_STOP_S: Final = 0.2


def build_app(settings: SimulatorSettings, books_path: Path | None = None) -> web.Application:
    """Builds the application; its shutdown releases held and hanging calls. Needs a running event loop.

    With ``books_path`` the ledger is kept in that file. Raises `LedgerFileError`.
    """
    version_of = PROFILES[settings.profile].version_of
    file, ledger = LedgerFile.open(books_path, settings.first_id, version_of) if books_path else (None, None)
    state = SimulatorState(settings, ledger, file)
    app = web.Application(client_max_size=_MAX_BODY_BYTES)
    app[_STATE] = state
    app.add_routes([*ControlHandlers(state).routes(), *Handlers(state).routes()])

    async def stop(_: web.Application) -> None:
        state.stop()

    async def close(_: web.Application) -> None:
        if file is not None:
            file.close()

    app.on_shutdown.append(stop)
    app.on_cleanup.append(close)
    return app


class RunningSimulator:
    """A listening simulator in this process. Every wait has a deadline.

    >>> async with running_simulator(SimulatorSettings(faults={"reset_after": 0.1})) as simulator:
    ...     await send_batches_to(simulator.base_url)
    ...     assert max(simulator.ledger.accepted_counts().values()) == 1
    """

    def __init__(self, state: SimulatorState, runner: web.AppRunner, host: str, port: int) -> None:
        self._state = state
        self._runner = runner
        self._host = host
        self._port = port

    @property
    def base_url(self) -> str:
        """``http://host:port`` without a trailing slash."""
        return f"http://{self._host}:{self._port}"

    @property
    def ledger(self) -> Ledger:
        """The ledger of accepted executions."""
        return self._state.ledger

    @property
    def faults(self) -> dict[str, float]:
        """Fault rates of submissions; assign to change them."""
        return self._state.submissions.rates

    @faults.setter
    def faults(self, rates: Mapping[str, float]) -> None:
        self._state.submissions.set_rates(rates)

    @property
    def lookup_faults(self) -> dict[str, float]:
        """Fault rates of GET calls; assign to change them."""
        return self._state.lookups.rates

    @lookup_faults.setter
    def lookup_faults(self, rates: Mapping[str, float]) -> None:
        self._state.lookups.set_rates(rates)

    @property
    def calls(self) -> dict[str, int]:
        """Calls so far by endpoint: batch, single, list, get, put, health."""
        return dict(self._state.calls)

    @property
    def batch_sizes(self) -> dict[int, int]:
        """Number of batches by size."""
        return dict(self._state.batch_sizes)

    @property
    def faults_met(self) -> dict[str, int]:
        """Number of calls by injected fault."""
        return {name: count for name, count in self._state.faults_met.items() if name != "ok"}

    @property
    def seen(self) -> list[Seen]:
        """The latest submissions, oldest first."""
        return list(self._state.seen)

    @property
    def in_flight(self) -> int:
        """Submissions received but not yet answered."""
        return self._state.in_flight

    def poison(self, *patterns: str) -> None:
        """Replaces the poisoned security ids (`SimulatorSettings.poison`)."""
        self._state.poison = poison_pattern(patterns)

    def script(self, entries: Iterable[str]) -> None:
        """Sets the faults of the next submissions in order, e.g. ``["reset_after", "ok", "slow:250"]``."""
        self._state.submissions.set_script(entries)

    def script_lookups(self, entries: Iterable[str]) -> None:
        """Sets the faults of the next GET calls in order."""
        self._state.lookups.set_script(entries)

    def hold(self, *, committed: bool = False) -> None:
        """Holds new submissions before their commit, or after it, until `release`."""
        (self._state.gate_after if committed else self._state.gate_before).clear()

    def release(self) -> None:
        """Resumes held submissions."""
        self._state.gate_before.set()
        self._state.gate_after.set()

    async def calls_reached(self, submissions: int, timeout_s: float = 10.0) -> None:
        """Waits for this many submissions since the start or `reset`. Raises ``TimeoutError``."""
        await self._state.arrived.reached(submissions, timeout_s, "submissions arrived")

    async def accepted_reached(self, executions: int, timeout_s: float = 10.0) -> None:
        """Waits until this many executions have been accepted. Raises ``TimeoutError``."""
        await self._state.accepted.reached(executions, timeout_s, "executions accepted")

    def flush_late(self) -> int:
        """Performs all pending commits now; returns the number of executions."""
        return self._state.flush_late()

    def reset(self) -> None:
        """Clears ledger and counters, and restores the faults and the seed of the settings."""
        self._state.reset()

    async def close_door(self) -> None:
        """Stops listening and resets every connection, like a crashed process."""
        for site in self._runner.sites:
            await site.stop()
        for connection in self._runner.server.connections if self._runner.server else ():
            if connection.transport is not None:
                connection.transport.abort()

    async def open_door(self) -> None:
        """Listens on the same port again."""
        await web.TCPSite(self._runner, self._host, self._port).start()


@asynccontextmanager
async def running_simulator(
    settings: SimulatorSettings | None = None,
    host: str = "127.0.0.1",
    port: int = 0,
    books_path: Path | None = None,
) -> AsyncIterator[RunningSimulator]:
    """Runs a simulator on ``host``:``port`` (0: any free port). Exit does not wait for hanging or sleeping calls.

    With ``books_path`` the ledger survives from one run to the next, even after `kill -9`. Raises
    `LedgerFileError`.
    """
    app = build_app(settings or SimulatorSettings(), books_path)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=_STOP_S)
    await runner.setup()
    try:
        site = web.TCPSite(runner, host, port)
        await site.start()
        yield RunningSimulator(app[_STATE], runner, host, site.port)
    finally:
        await runner.cleanup()
