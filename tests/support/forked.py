"""A command as a process that is forked from `fork_server`."""

import asyncio
import atexit
import os
import signal
import socket
import subprocess
import sys
from asyncio import StreamReader
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Self

import msgspec

from tests.support.fork_server import MAX_REQUEST_BYTES, Launch

COMMAND = Path(sys.executable).with_name("trade-service")
_ROOT = Path(__file__).parents[2]


def is_forkable(environment: Mapping[str, str]) -> bool:
    """Whether an interpreter would be no different: it reads these variables once, when it starts."""
    return not any(name.startswith(("PYTHON", "LC_")) for name in environment)


class Forked:
    """A process, with what tests use of `asyncio.subprocess.Process`."""

    def __init__(self, pid: int, stdout: StreamReader, stderr: StreamReader, report: StreamReader) -> None:
        self.pid = pid
        self.stdout = stdout
        self.stderr = stderr
        self._ending = asyncio.create_task(_code_in(report))

    @classmethod
    async def start(
        cls,
        arguments: Sequence[str],
        folder: Path,
        environment: Mapping[str, str],
        *,
        stdin: bytes | None = None,
    ) -> Self:
        """Starts the command; standard input has these bytes, or none."""
        stdin_end, writer = os.pipe()
        (out, out_end), (err, err_end) = os.pipe(), os.pipe()
        request = Launch(arguments, str(folder), environment)
        pid, report = await _launched(request, stdin_end, out_end, err_end)
        for end in (stdin_end, out_end, err_end):
            os.close(end)
        await _write(writer, stdin or b"")
        return cls(pid, await _reader(out), await _reader(err), report)

    @classmethod
    async def on_terminal(
        cls, arguments: Sequence[str], folder: Path, environment: Mapping[str, str], terminal: int
    ) -> Self:
        """Starts the command on a terminal that it controls; nothing can be read from the process itself."""
        request = Launch(arguments, str(folder), environment, on_terminal=True)
        pid, report = await _launched(request, terminal, terminal, terminal)
        return cls(pid, _nothing(), _nothing(), report)

    @property
    def returncode(self) -> int | None:
        """The exit code, negative after a signal; None while it runs."""
        return self._ending.result() if self._ending.done() else None

    async def wait(self) -> int:
        """Waits for its end; returns the exit code."""
        return await asyncio.shield(self._ending)

    async def communicate(self) -> tuple[bytes, bytes]:
        """What it writes until its end."""
        out, err, _ = await asyncio.gather(self.stdout.read(), self.stderr.read(), self.wait())
        return out, err

    def send_signal(self, number: int) -> None:
        """Sends a signal; raises ProcessLookupError after its end."""
        if self._ending.done():
            raise ProcessLookupError
        os.kill(self.pid, number)

    def terminate(self) -> None:
        """Sends SIGTERM."""
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """Sends SIGKILL."""
        self.send_signal(signal.SIGKILL)


@cache
def _server() -> socket.socket:
    """The socket of this process's server, which ends with it."""
    mine, its = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.support.fork_server", str(its.fileno()), COMMAND],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        cwd=_ROOT,
        env={"PATH": os.environ["PATH"], "LANG": "C.UTF-8"},
        pass_fds=[its.fileno()],
    )
    its.close()

    def stop() -> None:
        mine.close()
        process.wait()

    atexit.register(stop)
    return mine


async def _launched(request: Launch, *streams: int) -> tuple[int, StreamReader]:
    """The id of a new process with these standard streams, and where its exit code will be read."""
    report, report_end = os.pipe()
    data = msgspec.json.encode(request)
    assert len(data) < MAX_REQUEST_BYTES
    socket.send_fds(_server(), [data], [*streams, report_end])
    os.close(report_end)
    reader = await _reader(report)
    return int(await reader.readline()), reader


def _nothing() -> StreamReader:
    reader = StreamReader()
    reader.feed_eof()
    return reader


async def _code_in(report: StreamReader) -> int:
    return int(await report.readline())


async def _reader(end: int) -> StreamReader:
    reader = StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), os.fdopen(end, "rb")
    )
    return reader


async def _write(end: int, data: bytes) -> None:
    transport, _ = await asyncio.get_running_loop().connect_write_pipe(
        asyncio.BaseProtocol, os.fdopen(end, "wb")
    )
    transport.write(data)
    transport.close()
