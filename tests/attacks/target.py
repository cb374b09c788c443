"""The service under attack: its process, its memory, and a probe that must go on answering."""

import asyncio
import contextlib
import os
import time
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec

from execution_simulator.server import SimulatorSettings, running_simulator
from tests.e2e.command import FAST, Running, bare_environment
from tests.support.database import TestServer
from tests.support.forked import COMMAND, Forked

PROBE = b"GET /api/v1/health/liveness HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
PROBE_EVERY_S = 0.05
PROBE_LIMIT_S = 2.0
"""About what a kubelet waits for."""
DEADLINE_S = 20.0


class Target(msgspec.Struct, frozen=True):
    """A running service, attacked on its socket."""

    port: int
    pid: int

    @property
    def rss_mb(self) -> float:
        """The memory that the process holds now."""
        status = Path(f"/proc/{self.pid}/status").read_text("ascii")
        return int(status.partition("VmRSS:")[2].split()[0]) / 1024

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
        """A bare connection, aborted in the end."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        try:
            yield reader, writer
        finally:
            writer.transport.abort()

    async def exchange(self, raw: bytes) -> bytes:
        """All that is answered to these bytes until the service closes the connection."""
        async with asyncio.timeout(DEADLINE_S), self.connection() as (reader, writer):
            writer.write(raw)
            return await reader.read()

    def _waited_s(self) -> float:
        """How long the loops of the service and of this test have waited for a processor until now."""
        files = (Path(f"/proc/{pid}/schedstat") for pid in (self.pid, os.getpid()))
        return sum(int(file.read_text().split()[1]) for file in files) / 1e9

    async def probe(self) -> float:
        """The seconds until a new connection's probe is answered with 200; raises AssertionError.

        Those in which other programs had the processors do not count.
        """
        began, waited_s = time.monotonic(), self._waited_s()
        try:
            async with asyncio.timeout(DEADLINE_S), self.connection() as (reader, writer):
                writer.write(PROBE)
                answer = await reader.read()
        except (TimeoutError, OSError) as error:
            raise AssertionError(f"a probe failed after {time.monotonic() - began:.1f} s") from error
        assert answer.startswith(b"HTTP/1.1 200 "), answer[:200]
        return time.monotonic() - began - (self._waited_s() - waited_s)


class Watch:
    """What an attack did to the service."""

    def __init__(self, target: Target) -> None:
        self._target = target
        self._before_mb = target.rss_mb
        self.growth_mb = 0.0
        """The most memory that the process held during the attack, above what it held before."""
        self.probes = 0
        self.slowest_probe_s = 0.0

    async def look(self) -> None:
        """Takes one sample."""
        self.slowest_probe_s = max(self.slowest_probe_s, await self._target.probe())
        self.growth_mb = max(self.growth_mb, self._target.rss_mb - self._before_mb)
        self.probes += 1


@asynccontextmanager
async def watched(target: Target, *, growth_mb: float) -> AsyncIterator[Watch]:
    """Runs probes beside the block; fails if one fails, or if the process grew by more than `growth_mb`."""
    watch = Watch(target)

    async def look_on() -> None:
        while True:
            await watch.look()
            await asyncio.sleep(PROBE_EVERY_S)

    looking = asyncio.create_task(look_on())
    try:
        yield watch
        await watch.look()
    finally:
        looking.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await looking
    assert watch.growth_mb <= growth_mb, f"the process grew by {watch.growth_mb:.0f} MB"
    assert watch.slowest_probe_s <= PROBE_LIMIT_S


async def _started(folder: Path, environment: Mapping[str, str], files: str) -> Process | Forked:
    if not files:
        return await Forked.start(["serve", "--port", "0"], folder, environment)
    return await asyncio.create_subprocess_exec(
        "/bin/sh", "-c", f"ulimit {files}; exec {COMMAND} serve --port 0",
        stdin=DEVNULL, stdout=PIPE, stderr=PIPE, cwd=folder, env=environment,
    )  # fmt: skip


@asynccontextmanager
async def served(
    postgres: TestServer, template: str, folder: Path, *, files: str = "", **environment: str
) -> AsyncIterator[Target]:
    """`trade-service serve` on a database and a simulator of its own; `files` are options of `ulimit`."""
    async with (
        postgres.database(template) as url,
        running_simulator(SimulatorSettings(retry_after_s=0)) as simulator,
    ):
        settings = {
            "DATABASE_URL": url,
            "EXECUTION_SERVICE_BASE_URL": simulator.base_url,
            "LOG_LEVEL": "ERROR",
            "TRADE_SERVICE_SERVER_ALLOWED_HOSTS": "x",
        }
        variables = bare_environment(folder) | FAST | settings | environment
        process = await _started(folder, variables, files)
        async with Running(process) as running:
            line = await running.line_with("Serving on ")
            yield Target(int(line.split()[2].rstrip(";").rpartition(":")[2]), process.pid)
            process.terminate()
            ended = await running.ended()
            assert ended.code == 0, ended
            assert "Traceback" not in ended.err, ended.err
