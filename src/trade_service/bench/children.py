"""Processes that a benchmark starts. Each ends when its standard input does: with us, however we end."""

import asyncio
import contextlib
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import uvloop

from trade_service.observability.logs import configure_logs

START_S = 60.0
STOP_S = 60.0
LINE_LIMIT = 64 * 1024**2


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


async def input_lines() -> AsyncIterator[str]:
    """The lines of this process's standard input, until that ends: with the parent, however it ends."""
    reader = asyncio.StreamReader(limit=LINE_LIMIT)
    loop = asyncio.get_running_loop()
    transport, _ = await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    try:
        while line := await reader.readline():
            yield line.decode().strip()
    finally:
        transport.close()


def run_child(work: Coroutine[Any, Any, None], *, watch: bool = True) -> None:
    """Runs what a child does, as the service itself would: on uvloop, with a silent log.

    With `watch` it is cancelled when standard input ends before.
    """
    configure_logs("CRITICAL", "console")
    with contextlib.suppress(asyncio.CancelledError):
        uvloop.run(_watched(work) if watch else work)


async def _watched(work: Coroutine[Any, Any, None]) -> None:
    task, ended = asyncio.ensure_future(work), asyncio.ensure_future(_input_ended())
    await asyncio.wait((task, ended), return_when=asyncio.FIRST_COMPLETED)
    ended.cancel()
    if not task.done():
        task.cancel()
    await task


async def _input_ended() -> None:
    async for _ in input_lines():
        pass


@asynccontextmanager
async def simulator(latency_ms: float, keeper_of: Path | None = None) -> AsyncIterator[str]:
    """The stand-in Execution Service without faults; yields its address.

    Every call takes `latency_ms`. As the keeper of a folder it removes that at its end.
    """
    end = ("--until-input-ends",) if keeper_of is None else ("--keeper-of", str(keeper_of))
    arguments = ("--port", "0", "--fresh", "--latency-ms", str(latency_ms), "--latency-jitter", "0", *end)
    async with child("trade_service.cli.main", "simulate", *arguments) as process:
        line = await line_of(process, "the stand-in Execution Service")
        yield next(word for word in line.split() if word.startswith("http")).rstrip(",")
