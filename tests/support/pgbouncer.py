"""A real PgBouncer before the database of a test, where one is installed."""

import asyncio
import os
import re
import shutil
import socket
import subprocess
from asyncio.subprocess import DEVNULL, PIPE
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import msgspec

from tests.support.leftovers import passable_folder

COMMANDS_VARIABLE = "TRADE_SERVICE_TEST_PGBOUNCER"
"""Names the programs to test with, separated as in PATH; without it the one that is installed, if any."""
START_S = 10.0
NOBODY = 65534
KEEPS_NAMES = (1, 21)
"""The first version that translates the names of prepared statements."""


class Bouncer(msgspec.Struct, frozen=True):
    """A program, and its version."""

    path: str
    version: tuple[int, int]

    def __str__(self) -> str:
        return "pgbouncer-{}.{}".format(*self.version)


def installed_bouncers() -> list[Bouncer]:
    """Every PgBouncer to test with."""
    named = os.environ.get(COMMANDS_VARIABLE)
    where = f"{os.environ.get('PATH', '')}{os.pathsep}/usr/sbin"
    paths = named.split(os.pathsep) if named else [shutil.which("pgbouncer", path=where)]
    return [Bouncer(path, _version(path)) for path in paths if path]


def _version(path: str) -> tuple[int, int]:
    said = subprocess.run([path, "--version"], capture_output=True, text=True, check=True).stdout
    found = re.search(r"PgBouncer (\d+)\.(\d+)", said)
    assert found, said
    return int(found[1]), int(found[2])


@asynccontextmanager
async def behind(
    bouncer: Bouncer, database_url: str, mode: str = "transaction", **settings: object
) -> AsyncIterator[str]:
    """The URL of the same database through a PgBouncer that has two connections to it."""
    with passable_folder("bouncer") as folder, socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
        file = folder / "pgbouncer.ini"
        file.write_text(_configuration(database_url, port, {"pool_mode": mode} | settings))
        file.chmod(0o644)
        free.close()
        # It does not run as root, and only the server's user reaches the server's socket.
        owner = _owner(_host(database_url))
        user: dict[str, Any] = {}
        if os.geteuid() == 0:
            user = {"user": owner, "group": owner, "extra_groups": []}
        process = await asyncio.create_subprocess_exec(
            bouncer.path, str(file), stdin=DEVNULL, stdout=DEVNULL, stderr=PIPE, **user
        )
        try:
            await _until_up(process)
            drained = asyncio.create_task(_drain(process))
            yield f"postgresql://anybody@127.0.0.1:{port}/{urlsplit(database_url).path[1:]}?sslmode=disable"
            drained.cancel()
        finally:
            process.kill()
            await process.wait()


def _host(database_url: str) -> str:
    parts = urlsplit(database_url)
    return parts.hostname or parse_qs(parts.query).get("host", ["127.0.0.1"])[0]


def _owner(host: str) -> int:
    return Path(host).stat().st_uid if host.startswith("/") else NOBODY


def _configuration(database_url: str, listen_port: int, settings: dict[str, object]) -> str:
    parts = urlsplit(database_url)
    port_in_query = parse_qs(parts.query).get("port", ["5432"])[0]
    login = f"user={parts.username} password={parts.password}" if parts.password else f"user={parts.username}"
    lines = [
        "[databases]",
        f"* = host={_host(database_url)} port={parts.port or port_in_query} {login}",
        "[pgbouncer]",
        "listen_addr = 127.0.0.1",
        f"listen_port = {listen_port}",
        "unix_socket_dir =",
        "auth_type = any",
        *(() if "default_pool_size" in settings else ("default_pool_size = 2",)),
        "max_client_conn = 200",
        *(f"{name} = {value}" for name, value in settings.items()),
    ]
    return "\n".join(lines) + "\n"


async def _until_up(process: asyncio.subprocess.Process) -> None:
    assert process.stderr is not None
    said = ""
    async with asyncio.timeout(START_S):
        while line := (await process.stderr.readline()).decode():
            said += line
            if "process up" in line:
                return
    raise AssertionError(f"PgBouncer did not start: {said}")


async def _drain(process: asyncio.subprocess.Process) -> None:
    assert process.stderr is not None
    while await process.stderr.readline():
        pass
