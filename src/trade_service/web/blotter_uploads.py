"""Blotters in request bodies: read by a process of its own, so that no other request waits for them."""

import asyncio
import os
import signal
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import msgspec

from trade_service.blotter.file_refusals import FileRefusal, FileRefused
from trade_service.blotter.reading_process import (
    LENGTH_BYTES,
    BegunReading,
    EndedReading,
    ReadingAnswer,
    ReadingTask,
    ReadRows,
)
from trade_service.trading.blotter_submissions import ReadBlotter
from trade_service.web.turns import Turns

_READER = "trade_service.blotter.reading_process"
_ENVIRONMENT = ("PATH", "PYTHONPATH", "LD_LIBRARY_PATH", "LANG")
_DECODER: "msgspec.msgpack.Decoder[ReadingAnswer]" = msgspec.msgpack.Decoder(ReadingAnswer)


class BlotterUploads:
    """Reads blotters, a bounded number at once; further ones wait, clients in rotation."""

    def __init__(self, at_once: int) -> None:
        self._turns = Turns(at_once, max(1, at_once // 2))

    async def read(self, body: bytes, task: ReadingTask, client: str) -> ReadBlotter:
        """All rows of a file; raises FileRefused."""
        await self._turns.take(client)
        try:
            async with _reading_process() as process:
                return await _read(process, body, task)
        finally:
            self._turns.give_back(client)


@asynccontextmanager
async def _reading_process() -> AsyncIterator[asyncio.subprocess.Process]:
    """A process that ends with the body, and leaves no file: its copies of workbooks are in a folder that goes."""
    environment = {name: os.environ[name] for name in _ENVIRONMENT if name in os.environ}
    with tempfile.TemporaryDirectory(prefix="trade-service-") as folder:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-P", "-m", _READER),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
            env=environment | {"TMPDIR": folder},
            start_new_session=True,
        )
        try:
            yield process
        finally:
            # It may have a process of its own, for a workbook.
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            await process.wait()


async def _read(process: asyncio.subprocess.Process, body: bytes, task: ReadingTask) -> ReadBlotter:
    async with asyncio.TaskGroup() as group:
        group.create_task(_send(process, body, task))
        answer = await _received(process)
    if isinstance(answer, FileRefusal):
        raise answer.error
    if answer is None:
        raise FileRefused(
            f"reading it ended early (it may take {task.bounds.memory_bytes // 2**20:,} MiB of memory and "
            f"{task.bounds.cpu_s} s): it is damaged, or too large; save it as csv, or split it"
        )
    return answer


async def _received(process: asyncio.subprocess.Process) -> ReadBlotter | FileRefusal | None:
    """The blotter, or why the file is refused; None where the process ended early."""
    blotter: ReadBlotter | None = None
    async for answer in _answers(process):
        match answer:
            case BegunReading():
                blotter = ReadBlotter(answer.layout, unpriced=answer.unpriced)
            case FileRefusal():
                return answer
            case ReadRows() if blotter is not None:
                blotter.orders += answer.orders
                blotter.refused += answer.refused
            case EndedReading() if blotter is not None:
                blotter.left_out = answer.left_out
                blotter.layout = msgspec.structs.replace(blotter.layout, doubts=answer.doubts)
                return blotter
    return None


async def _send(process: asyncio.subprocess.Process, body: bytes, task: ReadingTask) -> None:
    assert process.stdin is not None
    message = msgspec.msgpack.encode(task)
    with suppress(ConnectionError):  # It has ended, and its answers say why.
        process.stdin.write(len(message).to_bytes(LENGTH_BYTES, "big") + message)
        process.stdin.write(body)
        await process.stdin.drain()
        process.stdin.close()


async def _answers(process: asyncio.subprocess.Process) -> AsyncIterator[ReadingAnswer]:
    assert process.stdout is not None
    with suppress(asyncio.IncompleteReadError):
        while True:
            length = int.from_bytes(await process.stdout.readexactly(LENGTH_BYTES), "big")
            yield _DECODER.decode(await process.stdout.readexactly(length))
            await asyncio.sleep(0)  # What has arrived is read without a wait: other requests take a step.
