"""Runs the command as users do: as a process configured by its environment."""

import asyncio
import os
import signal
import socket
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Self

import msgspec

from tests.support.forked import COMMAND, Forked, is_forkable

LIMIT_S = 60.0
FAST = {
    "EXECUTION_SERVICE_CONNECT_TIMEOUT": "1000",
    "EXECUTION_SERVICE_READ_TIMEOUT": "1000",
    "EXECUTION_SERVICE_RETRY_INITIAL_DELAY": "50",
    "TRADE_SERVICE_SUBMISSION_SETTLE_TIME_MS": "1000",
    "TRADE_SERVICE_SUBMISSION_LEASE_MARGIN_MS": "300",
    "TRADE_SERVICE_SUBMISSION_RECOVERY_POLL_MS": "100",
    "TRADE_SERVICE_SUBMISSION_LOOK_UP_MAX_DELAY_MS": "500",
}
HEADER = "order_id,portfolio_id,order_type,security_id,quantity,limit_price,blotter,destination"


class Ended(msgspec.Struct, frozen=True):
    """The result of a command."""

    code: int
    out: str
    err: str

    @property
    def complaint(self) -> str:
        """The one line that an expected failure prints."""
        assert "Traceback" not in self.err, self.err
        lines = [line for line in self.err.splitlines() if line.startswith("trade-service: ")]
        assert len(lines) == 1, self.err
        return lines[0]


class Running:
    """A running command; it never outlives the test."""

    def __init__(self, process: Process | Forked) -> None:
        self.process = process
        self._seen = ""

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        if self.process.returncode is None:
            with suppress(ProcessLookupError):
                self.process.kill()
            await self.process.communicate()  # `wait` alone waits for ever where output was not read.

    async def line_with(self, words: str) -> str:
        """The first line of standard output that holds these words."""
        assert self.process.stdout is not None
        async with asyncio.timeout(LIMIT_S):
            while line := (await self.process.stdout.readline()).decode():
                self._seen += line
                if words in line:
                    return line
        raise AssertionError(f"ended without {words!r}: {self._seen} {(await self.ended()).err}")

    def send(self, number: signal.Signals) -> None:
        """Sends a signal to the process alone."""
        self.process.send_signal(number)

    async def ended(self, limit_s: float = LIMIT_S) -> Ended:
        async with asyncio.timeout(limit_s):
            out, err = await self.process.communicate()
        return Ended(self.process.returncode or 0, self._seen + out.decode(), err.decode())


class Cli(msgspec.Struct, frozen=True):
    """The command with its folder and environment."""

    folder: Path
    environment: Mapping[str, str]
    is_installed: bool = False
    """Starts the installed script, in a new interpreter: where a test is about the start."""

    def under(self, **environment: str) -> Self:
        """The same command with other settings."""
        return msgspec.structs.replace(self, environment={**self.environment, **environment})

    def installed(self) -> Self:
        """The same command, see `is_installed`."""
        return msgspec.structs.replace(self, is_installed=True)

    async def start(self, *arguments: str, stdin: bytes | None = None) -> Running:
        if not self.is_installed and is_forkable(self.environment):
            return Running(await Forked.start(arguments, self.folder, self.environment, stdin=stdin))
        assert stdin is None
        process = await asyncio.create_subprocess_exec(
            COMMAND, *arguments,
            stdin=DEVNULL, stdout=PIPE, stderr=PIPE, cwd=self.folder, env=self.environment,
        )  # fmt: skip
        return Running(process)

    async def run(self, *arguments: str, stdin: bytes | None = None, limit_s: float = LIMIT_S) -> Ended:
        async with await self.start(*arguments, stdin=stdin) as running:
            return await running.ended(limit_s)

    def write(self, *lines: str, name: str = "blotter.csv") -> str:
        """Writes a blotter file and returns its name."""
        (self.folder / name).write_text("\n".join([HEADER, *lines]) + "\n", encoding="utf-8")
        return name


def bare_environment(home: Path) -> dict[str, str]:
    """An environment without the developer's own settings."""
    return {"PATH": os.environ["PATH"], "HOME": str(home), "LANG": "C.UTF-8"}


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def order(order_id: int, quantity: str = "100", security: str = "AAPL", destination: str = "ML") -> str:
    """One line of a blotter."""
    return f"{order_id},P1,BUY,{security},{quantity},190.25,EQ,{destination}"
