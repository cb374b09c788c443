"""The embedded PostgreSQL: a real server for development, tests and first use, with no installation.

Its data stays in one folder between starts. Several processes may use that folder at once: the first starts
the server, the others share it, the last stops it. A process that is killed leaves no lock behind; the server
it leaves running is found and shared by the next one.
"""

import asyncio
import contextlib
import os
import secrets
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Self

import asyncpg
import msgspec
import platformdirs

from trade_service.store.embedded_binaries import barrier, unprivileged_account, usable_binaries
from trade_service.store.embedded_folder import (
    TEMPORARY_PREFIX,
    EmbeddedPostgresError,
    Folder,
    Say,
    explained,
    folder_at,
    keep_owner,
    read_password,
    remove,
    remove_leftovers,
)
from trade_service.store.embedded_launch import (
    PortTakenError,
    check_settings,
    check_version,
    init_cluster,
    launch_server,
    log_size,
    start_failure,
)
from trade_service.store.embedded_locks import lock_as_user, start_locked, try_lock, unlock
from trade_service.store.embedded_process import (
    CONNECT_TIMEOUT_S,
    DATABASE,
    Address,
    is_alive,
    read_pid_file,
    running_pid,
    stop_server,
    wait_until_ready,
)

__all__ = [
    "EmbeddedPostgres",
    "EmbeddedPostgresError",
    "default_data_dir",
    "delete_data",
    "find_running",
    "is_running",
]

APPLICATION = "globeco-trade-service"
ROOT_DATA_DIR = Path("/var/lib") / APPLICATION
LEAVE_WAIT_S = 30.0
DELETE_WAIT_S = 5.0
START_ATTEMPTS = 5


def _silent(_: str) -> None:
    """Nobody listens to the progress."""


class EmbeddedPostgres(msgspec.Struct, frozen=True):
    """A running server. `dsn` suits asyncpg, SQLAlchemy (with the driver's name put in) and psql."""

    dsn: str
    version: str
    pid: int

    def __repr__(self) -> str:
        """Without the password: this ends up in logs."""
        return f"EmbeddedPostgres(version={self.version!r}, pid={self.pid})"

    @classmethod
    @asynccontextmanager
    async def running(
        cls, data_dir: Path, *, progress: Say | None = None, settings: Mapping[str, str] | None = None
    ) -> AsyncIterator[Self]:
        """Use the server of `data_dir`: started if need be, stopped by whoever leaves last.

        `progress` gets a line for people whenever something takes long. `settings` are PostgreSQL's (name to
        value) and count only where this call starts the server.

        Raises:
            EmbeddedPostgresError: it cannot run, or could not be stopped; the message says what to do.
        """
        check_settings(settings or {})
        folder, say = folder_at(data_dir), progress or _silent
        with explained(folder):
            async with start_locked(folder, say):
                user = await lock_as_user(folder)
                try:
                    server = await cls._connect_or_start(folder, say, settings or {})
                except BaseException:
                    await _leave(folder, user, say)
                    raise
        try:
            yield server
        finally:
            await _leave_in_turn(folder, user, say)

    @classmethod
    async def _connect_or_start(cls, folder: Folder, say: Say, settings: Mapping[str, str]) -> Self:
        password = read_password(folder)
        for _ in range(START_ATTEMPTS):
            address = await wait_until_ready(folder, password, say)
            if address is None:
                address = await _start(folder, password, say, settings)
            if address is not None:
                return await cls._log_in(folder, address, password)
        raise EmbeddedPostgresError(
            f"The PostgreSQL of {folder.path} found no free port on 127.0.0.1 in {START_ATTEMPTS} attempts: "
            "try again."
        )

    @classmethod
    async def _log_in(cls, folder: Folder, address: Address, password: str) -> Self:
        """Make sure that the database exists and describe the server."""
        try:
            version = await _prepare_database(address.dsn(password, "postgres"))
        except asyncpg.PostgresError as error:
            raise EmbeddedPostgresError(
                f"The PostgreSQL of {folder.path} runs, but not well ({error}): see {folder.log}, or set "
                "DATABASE_URL to a PostgreSQL of your own."
            ) from error
        pid = running_pid(folder)
        if pid is None:  # It answers, but lives in another container: only its own pid file knows it.
            claim = read_pid_file(folder)
            pid = claim.pid if claim else 0
        return cls(dsn=address.dsn(password), version=version, pid=pid)


async def _prepare_database(dsn: str) -> str:
    """Create our database unless it is there; the server's version."""
    link = await asyncpg.connect(dsn, ssl=False, timeout=CONNECT_TIMEOUT_S)
    try:
        if not await link.fetchval("SELECT true FROM pg_database WHERE datname = $1", DATABASE):
            await link.execute(f'CREATE DATABASE "{DATABASE}"')
        return str(await link.fetchval("SHOW server_version"))
    finally:
        await link.close(timeout=CONNECT_TIMEOUT_S)


async def _start(folder: Folder, password: str, say: Say, settings: Mapping[str, str]) -> Address | None:
    """Start the server, with a new cluster if there is none; None when it is worth another attempt."""
    server_lock = try_lock(folder.server_lock, exclusive=True)
    if server_lock is None:
        return None
    try:
        keep_owner(folder, folder.server_lock)
        await asyncio.to_thread(remove_leftovers, folder)
        binaries = await asyncio.to_thread(usable_binaries, folder)
        if not folder.cluster.exists():
            say(f"Creating a PostgreSQL {binaries.version} database in {folder.path} ...")
            await init_cluster(folder, binaries, password, server_lock)
        check_version(folder, binaries)
        log_from = log_size(folder)
        child = launch_server(folder, binaries, settings, server_lock)
    finally:
        os.close(server_lock)
    address = await wait_until_ready(folder, password, say, child)
    if address is None and not isinstance(failure := start_failure(folder, log_from), PortTakenError):
        raise failure
    return address


async def _leave(folder: Folder, user: int, say: Say) -> None:
    """Stop using the server, and stop it if nobody else does. Call it with `start.lock` held."""
    unlock(user)
    alone = try_lock(folder.users_lock, exclusive=True)
    if alone is None:
        return
    try:
        if is_alive(folder):
            await stop_server(folder, say)
    finally:
        unlock(alone)


async def _leave_in_turn(folder: Folder, user: int, say: Say) -> None:
    async with AsyncExitStack() as turn:
        try:
            await turn.enter_async_context(start_locked(folder, say, wait_s=LEAVE_WAIT_S))
        except BaseException:
            unlock(user)
            raise
        await _leave(folder, user, say)


def default_data_dir() -> Path:
    """The user's data folder for this application; for root one that an unprivileged server can reach."""
    path = platformdirs.user_data_path(APPLICATION, appauthor=False)
    account = unprivileged_account(None)
    return ROOT_DATA_DIR if account and barrier(path, account) else path


def is_running(data_dir: Path) -> bool:
    """Whether a server works on `data_dir`, be it used or left behind.

    Raises:
        EmbeddedPostgresError: the folder cannot be read.
    """
    folder = folder_at(data_dir)
    with explained(folder):
        return folder.marker.exists() and is_alive(folder)


async def find_running(data_dir: Path) -> EmbeddedPostgres | None:
    """The server of `data_dir` if one runs, without starting it or counting as its user."""
    folder = folder_at(data_dir)
    with explained(folder):
        if not is_running(data_dir):
            return None
        password = read_password(folder)
        address = await wait_until_ready(folder, password, _silent)
        return await EmbeddedPostgres._log_in(folder, address, password) if address else None


async def delete_data(data_dir: Path) -> bool:
    """Delete the database and everything else the embedded server put into `data_dir`; ask the user before.

    Foreign files in the folder stay. False when there is no such folder.

    Raises:
        EmbeddedPostgresError: it is no data folder of ours, or somebody uses the server.
    """
    folder = folder_at(data_dir)
    if not folder.path.exists():
        return False
    with explained(folder):
        if not folder.marker.is_file():
            raise EmbeddedPostgresError(
                f"{folder.path} is no data folder of the embedded PostgreSQL (no file {folder.marker.name}): "
                "nothing was deleted. Name the right folder."
            )
        async with start_locked(folder, _silent, wait_s=DELETE_WAIT_S):
            alone = try_lock(folder.users_lock, exclusive=True)
            if alone is None:
                raise EmbeddedPostgresError(
                    f"The database in {folder.path} is in use: nothing was deleted. Stop every trade-service "
                    "that uses it first."
                )
            try:
                if is_alive(folder):
                    await stop_server(folder, _silent)
                await asyncio.to_thread(_delete, folder)
            finally:
                unlock(alone)
    return True


def _delete(folder: Folder) -> None:
    if folder.cluster.exists():  # Half a cluster must never bear its name.
        folder.cluster.rename(folder.path / f"{TEMPORARY_PREFIX}{secrets.token_hex(4)}")
    for path in folder.ours():
        remove(path)
    with contextlib.suppress(OSError):  # Foreign files keep the folder.
        folder.path.rmdir()
