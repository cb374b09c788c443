"""Child processes of a benchmark. Each ends with its standard input, and so with its parent."""

import asyncio
import contextlib
import os
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import AsyncIterator, Coroutine, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import uvloop

from trade_service.observability.logs import configure_logs

START_S = 60.0
STOP_S = 60.0
LINE_LIMIT = 64 * 1024**2


class BenchError(Exception):
    """A measurement failed; the message is one line that says why."""


@asynccontextmanager
async def child(
    module: str,
    *arguments: str,
    environment: Mapping[str, str] | None = None,
    terminate: bool = False,
    stderr: int = DEVNULL,
) -> AsyncIterator[Process]:
    """Runs `python -m module` with piped standard input and output, and ends it on exit.

    Signals from the terminal only reach this process, which then ends its children. With `environment` the child
    inherits nothing else but the search path; with `terminate` it gets SIGTERM.
    """
    inherited = None
    if environment is not None:
        inherited = {"PATH": os.environ["PATH"], "HOME": os.environ.get("HOME", "/"), **environment}
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", module, *arguments,
        stdin=PIPE, stdout=PIPE, stderr=stderr, start_new_session=True, env=inherited,
    )  # fmt: skip
    assert process.stdin is not None
    try:
        yield process
    finally:
        process.stdin.close()
        if terminate and process.returncode is None:
            process.terminate()
        try:
            async with asyncio.timeout(STOP_S):
                await process.wait()
        except TimeoutError:
            process.kill()
            await process.wait()


async def line_of(process: Process, what: str, limit_s: float = START_S) -> str:
    """The next line of the child's standard output. Raises BenchError if none arrives in time."""
    assert process.stdout is not None
    line = b""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(limit_s):
            line = await process.stdout.readline()
    if not line:
        raise BenchError(f"{what} ended or printed nothing within {limit_s:g} s")
    return line.decode().strip()


async def address_of(process: Process, what: str) -> str:
    """The first URL in the child's next line. Raises BenchError."""
    line = await line_of(process, what)
    return next(word for word in line.split() if word.startswith("http")).rstrip(";,")


async def input_lines() -> AsyncIterator[str]:
    """The lines of this process's standard input, until the parent closes it or ends."""
    reader = asyncio.StreamReader(limit=LINE_LIMIT)
    loop = asyncio.get_running_loop()
    transport, _ = await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    try:
        while line := await reader.readline():
            yield line.decode().strip()
    finally:
        transport.close()


def print_line(line: str) -> None:
    """Prints a line for the parent."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def run_child(work: Coroutine[Any, Any, None], *, watch: bool = True) -> None:
    """Runs a child's coroutine as the service would: on uvloop, logging nothing.

    With `watch` it is cancelled at the end of standard input.
    """
    configure_logs("CRITICAL", "console")
    with contextlib.suppress(asyncio.CancelledError):
        uvloop.run(until_input_ends(work) if watch else work)


async def until_input_ends(work: Coroutine[Any, Any, object]) -> None:
    """Runs the work, and cancels it at the end of standard input."""
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
async def simulator(latency_ms: float, *options: str, keeper_of: Path | None = None) -> AsyncIterator[str]:
    """An Execution Service simulator without faults; yields its URL.

    Each call takes `latency_ms`. As keeper of a folder it removes that folder when it ends.
    """
    end = ("--until-input-ends",) if keeper_of is None else ("--keeper-of", str(keeper_of))
    arguments = ("--port", "0", "--fresh", "--latency-ms", str(latency_ms), "--latency-jitter", "0", *end)
    async with child("trade_service.cli.main", "simulate", *arguments, *options) as process:
        yield await address_of(process, "the Execution Service simulator")
