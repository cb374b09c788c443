"""Real processes of the command. None outlives its round."""

import asyncio
import contextlib
import signal
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.support.forked import COMMAND

START_LIMIT_S = 60.0
STOP_LIMIT_S = 20.0
START_PAUSE_S = 0.2


class ProcessFault(Exception):
    """A process exited unexpectedly, did not stop, or stopped with an error."""


class Child:
    """A listening process that is started again after each end."""

    def __init__(self, name: str, folder: Path, environment: Mapping[str, str], ready_words: str) -> None:
        self.name = name
        self.lock = asyncio.Lock()
        """Held while it is killed, paused or restarted."""
        self.url: str | None = None
        """Address of the running process."""
        self.pid = 0
        self.starts = 0
        self.log = folder / f"{name}.log"
        self._folder = folder
        self._environment = dict(environment)
        self._ready_words = ready_words
        self._process: Process | None = None
        self._condemned = False

    async def start(self, arguments: Sequence[str], limit_s: float = START_LIMIT_S) -> None:
        """Starts it, again whenever it exits before it is ready, as a supervisor would."""
        async with asyncio.timeout(limit_s):
            while not await self._start_once(arguments):
                await asyncio.sleep(START_PAUSE_S)

    def send(self, number: signal.Signals) -> None:
        """Sends a signal, unless the process has exited."""
        if self._process is not None and self._process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                self._process.send_signal(number)

    async def kill(self) -> None:
        """Kills it with kill -9 and waits for its end."""
        self._condemned = True
        self.url = None
        self.send(signal.SIGKILL)
        if self._process is not None:
            await self._process.wait()

    async def terminate(self) -> None:
        """Sends SIGTERM; raises ProcessFault unless it exits in time with code 0."""
        assert self._process is not None
        self._condemned = True
        self.send(signal.SIGTERM)
        try:
            async with asyncio.timeout(STOP_LIMIT_S):
                code = await self._process.wait()
        except TimeoutError:
            raise ProcessFault(f"{self.name} did not stop within {STOP_LIMIT_S:g} s of SIGTERM") from None
        finally:
            self.url = None
        if code:
            raise ProcessFault(f"{self.name} ended with exit code {code} after SIGTERM: see {self.log.name}")

    def check(self) -> None:
        """Raises ProcessFault if it exited unexpectedly."""
        process = self._process
        if process is not None and process.returncode is not None and not self._condemned:
            raise ProcessFault(
                f"{self.name} ended by itself with exit code {process.returncode}: see {self.log.name}"
            )

    async def _start_once(self, arguments: Sequence[str]) -> bool:
        self._condemned = True
        with self.log.open("ab") as log:
            self._process = process = await asyncio.create_subprocess_exec(
                COMMAND, *arguments, stdin=DEVNULL, stdout=PIPE, stderr=log, cwd=self._folder,
                env=self._environment, start_new_session=True,
            )  # fmt: skip
        self.pid, self.starts = process.pid, self.starts + 1
        assert process.stdout is not None
        while line := (await process.stdout.readline()).decode():
            if self._ready_words in line:
                self.url = next(word for word in line.split() if word.startswith("http")).rstrip(",;")
                self._condemned = False
                return True
        await process.wait()
        return False
