"""Processes that a benchmark starts. Each ends when its standard input does: with us, however we end."""

import asyncio
import contextlib
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

START_S = 60.0
STOP_S = 60.0


class BenchError(Exception):
    """A measurement could not be made; the message is one line that says why."""


@asynccontextmanager
async def child(module: str, *arguments: str) -> AsyncIterator[Process]:
    """Runs `python -m module`, with its standard output to be read; ended at the end.

    Signals of a terminal reach this process alone: it ends its children in turn.
    """
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", module, *arguments,
        stdin=PIPE, stdout=PIPE, stderr=DEVNULL, start_new_session=True,
    )  # fmt: skip
    assert process.stdin is not None
    try:
        yield process
    finally:
        process.stdin.close()
        try:
            async with asyncio.timeout(STOP_S):
                await process.wait()
        except TimeoutError:
            process.kill()
            await process.wait()


async def line_of(process: Process, what: str, limit_s: float = START_S) -> str:
    """The next line of its standard output; raises BenchError when none comes in time."""
    assert process.stdout is not None
    line = b""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(limit_s):
            line = await process.stdout.readline()
    if not line:
        raise BenchError(f"{what} ended, or said nothing within {limit_s:g} s")
    return line.decode().strip()


@asynccontextmanager
async def simulator(latency_ms: float, keeper_of: Path | None = None) -> AsyncIterator[str]:
    """The stand-in Execution Service without faults; yields its address.

    Every call takes `latency_ms`. As the keeper of a folder it removes that at its end.
    """
    end = ("--until-input-ends",) if keeper_of is None else ("--keeper-of", str(keeper_of))
    arguments = ("--port", "0", "--latency-ms", str(latency_ms), "--latency-jitter", "0", *end)
    async with child("trade_service.cli.main", "simulate", *arguments) as process:
        line = await line_of(process, "the stand-in Execution Service")
        yield next(word for word in line.split() if word.startswith("http")).rstrip(",")
