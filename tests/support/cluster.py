"""Clusters with any settings, durability included, which the embedded server does not allow."""

import asyncio
import os
import signal
import subprocess
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import asyncpg
import msgspec

from trade_service.store.embedded_account import shared_account
from trade_service.store.embedded_binaries import Binaries, usable_binaries
from trade_service.store.embedded_folder import Folder

USER = "trade"
DATABASE = "postgres"
START_LIMIT_S = 30.0
STANDBY = "standby"
"""The name of the standby on its primary."""


class Cluster(msgspec.Struct):
    """A server on a Unix socket of its own; `process` is None while it is down."""

    folder: Path
    binaries: Binaries
    process: "subprocess.Popen[bytes] | None" = None

    @property
    def socket(self) -> str:
        return f"{self.folder}/.s.PGSQL.5432"

    @property
    def url(self) -> str:
        """The URL without a relay."""
        return f"postgresql://{USER}@/{DATABASE}?host={self.folder}"

    async def start(self, settings: Mapping[str, str]) -> None:
        """Starts the server and waits until it answers."""
        given = {
            "listen_addresses": "", "unix_socket_directories": str(self.folder), "shared_buffers": "16MB",
            "io_method": "sync", "log_min_messages": "fatal",
        } | dict(settings)  # fmt: skip
        words = [word for name, value in given.items() for word in ("-c", f"{name}={value}")]
        with (self.folder / "log").open("ab") as log:
            self.process = self.binaries.launch(
                "postgres", "-D", str(self.folder / "data"), *words, stdout=log, stderr=log
            )
        async with asyncio.timeout(START_LIMIT_S):
            while not await self._answers():
                assert self.process.poll() is None, (self.folder / "log").read_text()
                await asyncio.sleep(0.02)

    async def _answers(self) -> bool:
        try:
            await self.ask("SELECT 1")
        except (OSError, asyncpg.PostgresError):
            return False
        return True

    async def ask(self, statement: str) -> object:
        """The first value that a statement returns, over a new connection."""
        link = await asyncpg.connect(self.url, ssl=False, timeout=START_LIMIT_S)
        try:
            return await link.fetchval(statement)
        finally:
            await link.close(timeout=START_LIMIT_S)

    def kill(self) -> None:
        """Ends every process at once, as a power failure would; the disk keeps its content."""
        if self.process is not None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
            self.process = None


async def run_tool(binaries: Binaries, program: str, *arguments: str) -> None:
    """Runs one of PostgreSQL's programs as the user of the server."""
    process = binaries.launch(program, *arguments, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    _, error = await asyncio.to_thread(process.communicate)
    assert process.returncode == 0, error.decode()


def _folder(path: Path, binaries: Binaries) -> Path:
    path.mkdir(mode=0o700)
    if binaries.account is not None:
        os.chown(path, binaries.account.uid, binaries.account.gid)
    return path


@asynccontextmanager
async def cluster(folder: Path, settings: Mapping[str, str]) -> AsyncIterator[Cluster]:
    """A new running cluster in a folder that any user can traverse; killed at the end."""
    account = shared_account() if os.geteuid() == 0 else None
    binaries = await asyncio.to_thread(usable_binaries, Folder(folder), account)
    made = Cluster(_folder(folder / "primary", binaries), binaries)
    await run_tool(
        binaries, "initdb", "-D", str(made.folder / "data"), "-U", USER, "-E", "UTF8", "-N", "--auth=trust",
        "--no-instructions", "--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C",
    )  # fmt: skip
    try:
        await made.start(settings)
        yield made
    finally:
        made.kill()


async def base_backup(primary: Cluster, name: str, *options: str) -> Cluster:
    """A copy of a running server, in a folder beside it; not started."""
    binaries = primary.binaries
    made = Cluster(_folder(primary.folder.parent / name, binaries), binaries)
    await run_tool(
        binaries, "pg_basebackup", "-D", str(made.folder / "data"), "-d", f"host={primary.folder} user={USER}",
        "-X", "stream", "-c", "fast", "-N", *options,
    )  # fmt: skip
    return made


@asynccontextmanager
async def standby_of(primary: Cluster, port: int) -> AsyncIterator[Cluster]:
    """A standby that follows a primary through a relay on this port; the primary does not wait for it yet."""
    made = await base_backup(primary, "standby", "-R")
    follows = f"host=127.0.0.1 port={port} sslmode=disable user={USER} application_name={STANDBY}"
    try:
        await made.start({"primary_conninfo": follows})
        yield made
    finally:
        made.kill()
