"""Helpers for tests of the embedded PostgreSQL: second processes, kills, copies of a cluster."""

import asyncio
import contextlib
import json
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import asyncpg
import psutil

from trade_service.store.embedded import EmbeddedPostgres
from trade_service.store.embedded_account import Account

DEADLINE_S = 60.0
USER_PROGRAM = """
import asyncio, concurrent.futures.thread, encodings.idna, fcntl, json, os, sys
from pathlib import Path
from trade_service.store.embedded import EmbeddedPostgres

async def main():
    async with EmbeddedPostgres.running(Path(sys.argv[1])) as server:
        print(json.dumps({"pid": server.pid, "dsn": server.dsn}), flush=True)
        await asyncio.to_thread(sys.stdin.readline)

if len(sys.argv) > 2:  # the interpreter itself may be out of that user's reach, so not before all is imported
    os.setgroups([])
    os.setgid(int(sys.argv[3]))
    os.setuid(int(sys.argv[2]))
asyncio.run(main())
"""


class OtherUser:
    """Another Python process that uses the server until `leave` or `kill`."""

    def __init__(self, data_dir: Path, account: Account | None = None) -> None:
        identity = [str(account.uid), str(account.gid)] if account else []
        self.process = subprocess.Popen(
            [sys.executable, "-c", USER_PROGRAM, str(data_dir), *identity],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd="/",
        )

    async def ready(self) -> tuple[int, str]:
        assert self.process.stdout
        line = await asyncio.to_thread(self.process.stdout.readline)
        server = json.loads(line)
        return server["pid"], server["dsn"]

    async def leave(self) -> None:
        await asyncio.to_thread(self.process.communicate, b"\n", DEADLINE_S)
        assert self.process.returncode == 0

    def kill(self) -> None:
        self.process.kill()
        self.process.communicate(timeout=DEADLINE_S)


async def until(condition: Callable[[], bool]) -> None:
    give_up = time.monotonic() + DEADLINE_S
    while not condition():
        assert time.monotonic() < give_up, "the condition did not come true"
        await asyncio.sleep(0.01)


def alive(pid: int) -> bool:
    with contextlib.suppress(psutil.NoSuchProcess):
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    return False


def kill_server(pid: int) -> None:
    """Kills the whole server at once with kill -9, as a power failure would."""
    server = psutil.Process(pid)
    for process in [server, *server.children(recursive=True)]:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()


async def run(dsn: str, *statements: str) -> object:
    link = await asyncpg.connect(dsn)
    try:
        for statement in statements[:-1]:
            await link.execute(statement)
        return await link.fetchval(statements[-1])
    finally:
        await link.close()


async def entered(running: contextlib.AbstractAsyncContextManager[EmbeddedPostgres]) -> None:
    """Starts and stops using the server; for starts that must fail."""
    async with running:
        pass


def copied(template: Path, target: Path) -> Path:
    target.parent.mkdir(parents=True, exist_ok=True)
    target.parent.chmod(0o711)
    subprocess.run(["cp", "-a", str(template), str(target)], check=True)
    return target
