"""The embedded PostgreSQL: a real server for development, tests and first use, without an installation.

Its data stays in one folder between starts. Several processes may use that folder at once: the first starts the
server, the others share it, the last stops it. A process that is killed leaves no lock behind; the next one finds
the server it left running and shares it.
"""

import asyncio
import contextlib
import os
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Self

import asyncpg
import msgspec
import platformdirs

from trade_service.store.embedded_account import is_reachable
from trade_service.store.embedded_folder import (
    PATIENCE_S,
    POLL_S,
    EmbeddedPostgresError,
    Folder,
    Say,
    is_last_user,
    release,
    remove,
    try_lock,
    unlock,
)
from trade_service.store.embedded_server import (
    DATABASE,
    PidFile,
    check_start_failure,
    is_alive,
    log_size,
    read_pid_file,
    running_pid,
    start_server,
    stop_server,
)

APPLICATION = "globeco-trade-service"
ROOT_DATA_DIR = Path("/var/lib") / APPLICATION
LEAVE_WAIT_S = 30.0
DELETE_WAIT_S = 5.0
START_ATTEMPTS = 5
CONNECT_TIMEOUT_S = 5.0
PROGRESS_EVERY_S = 5.0
UNSEEN_LIMIT_S = 30.0
_DESCRIBE = """
SELECT current_setting('data_directory'), current_setting('server_version'),
       EXISTS (SELECT FROM pg_database WHERE datname = $1)
"""


class EmbeddedPostgres(msgspec.Struct, frozen=True):
    """A running server.

    Args:
        dsn: For asyncpg, SQLAlchemy (with the driver's name put in) and psql.
        version: Such as "18.4".
        pid: Its main process.

    Example:
        async with EmbeddedPostgres.running(Path("data")) as server:
            connection = await asyncpg.connect(server.dsn)
    """

    dsn: str
    version: str
    pid: int

    def __repr__(self) -> str:
        """Without the password: this ends up in logs."""
        return f"EmbeddedPostgres(version={self.version!r}, pid={self.pid})"

    @classmethod
    @asynccontextmanager
    async def running(cls, data_dir: Path, *, progress: Say = lambda _: None) -> AsyncIterator[Self]:
        """Uses the server of `data_dir`: starts it if necessary; the last user to leave stops it.

        `progress` gets a line for the user whenever something takes long.

        Raises:
            EmbeddedPostgresError: It cannot run, or could not be stopped; the message says what to do.
        """
        folder = Folder(data_dir)
        async with AsyncExitStack() as stack:
            with folder.explained():
                async with folder.start_locked(progress):
                    user = await folder.lock_as_user()
                    stack.callback(os.close, user)
                    try:
                        server = await cls._connect_or_start(folder, progress)
                    except BaseException:
                        await _leave(folder, user)
                        raise
            try:
                yield server
            finally:
                async with folder.start_locked(progress, wait_s=LEAVE_WAIT_S):
                    await _leave(folder, user)

    @classmethod
    async def _connect_or_start(cls, folder: Folder, say: Say) -> Self:
        password = folder.read_password()
        for _ in range(START_ATTEMPTS):
            if server := await cls._when_ready(folder, password, say):
                return server
            log_from = log_size(folder)
            if await start_server(folder, password, say):
                if server := await cls._when_ready(folder, password, say):
                    return server
                check_start_failure(folder, log_from)
        raise EmbeddedPostgresError(
            f"The PostgreSQL of {folder.path} found no free port on 127.0.0.1 in {START_ATTEMPTS} attempts: "
            "try again."
        )

    @classmethod
    async def _when_ready(cls, folder: Folder, password: str, say: Say) -> Self | None:
        """The live server as soon as it answers; None when there is none.

        Crash recovery may take long: there is no limit while the server lives, only a line of progress at times.

        Raises:
            EmbeddedPostgresError: Something holds the folder, but is no server this process can see and reach.
        """
        began_s = time.monotonic()
        reported_s, seen_s = began_s - PROGRESS_EVERY_S + PATIENCE_S, began_s
        while is_alive(folder):
            claim, pid, now_s = read_pid_file(folder), running_pid(folder), time.monotonic()
            # A stale file may name a port that another process uses by now; a socket in our folder is ours. The
            # pid of a server in another container cannot be proven, but the socket is proof enough.
            trusted = claim and claim.host and (claim.pid == pid or claim.host == str(folder.sockets))
            if claim and trusted and (version := await _log_in(folder, claim, password)):
                return cls(dsn=claim.dsn(password), version=version, pid=claim.pid)
            if pid is not None:
                seen_s = now_s
            elif now_s - seen_s > UNSEEN_LIMIT_S:
                raise EmbeddedPostgresError(
                    f"{folder.path} is held by a PostgreSQL that cannot be reached from here, perhaps in another "
                    "container, or left over from one that was killed: stop it, or choose another data folder."
                )
            if now_s - reported_s > PROGRESS_EVERY_S:
                reported_s = now_s
                say(f"PostgreSQL is starting; recovery may take a while ({now_s - began_s:.0f} s) ...")
            await asyncio.sleep(POLL_S)
        return None


async def _log_in(folder: Folder, claim: PidFile, password: str) -> str | None:
    """The server's version, or None while it refuses connections; creates our database if it is missing."""
    try:
        link = await asyncpg.connect(claim.dsn(password, "postgres"), ssl=False, timeout=CONNECT_TIMEOUT_S)
    except asyncpg.InvalidAuthorizationSpecificationError as error:
        raise EmbeddedPostgresError(
            f"The PostgreSQL of {folder.path} refuses its own password ({error}): restore {folder.password} "
            "from a backup, or start afresh with `trade-service db reset`."
        ) from error
    except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError):
        return None
    try:
        (served, version, exists), *_ = await link.fetch(_DESCRIBE, DATABASE)
        if Path(served) != folder.cluster:
            raise EmbeddedPostgresError(
                f"The PostgreSQL that {folder.path} names serves {served}: is this folder a copy of that one? "
                f"Delete {folder.cluster / 'postmaster.pid'} and start again."
            )
        if not exists:
            await link.execute(f'CREATE DATABASE "{DATABASE}"')
    except asyncpg.PostgresError as error:
        raise EmbeddedPostgresError(
            f"The PostgreSQL of {folder.path} runs, but not well ({error}): see {folder.log}, or set "
            "DATABASE_URL to a PostgreSQL of your own."
        ) from error
    finally:
        await link.close(timeout=CONNECT_TIMEOUT_S)
    return str(version)


async def _leave(folder: Folder, user: int) -> None:
    """Stops using the server, and stops it if this was the last user. The caller holds `start.lock`."""
    try:
        if is_last_user(user) and is_alive(folder):
            await stop_server(folder)
    finally:
        release(user)


def default_data_dir() -> Path:
    """The user's data folder for this application; for root, one that an unprivileged server can reach."""
    path = platformdirs.user_data_path(APPLICATION, appauthor=False)
    return path if is_reachable(path) else ROOT_DATA_DIR


def is_running(data_dir: Path) -> bool:
    """Whether a server works on `data_dir`, in use or left behind.

    Raises:
        EmbeddedPostgresError: The folder cannot be read.
    """
    folder = Folder(data_dir)
    with folder.explained():
        return folder.marker.exists() and is_alive(folder)


async def delete_data(data_dir: Path) -> bool:
    """Deletes the database and everything else the embedded server put into `data_dir`.

    Ask the user first. Other files in the folder stay. False when there is no such folder.

    Raises:
        EmbeddedPostgresError: It is not a data folder of ours, or the server is in use.
    """
    folder = Folder(data_dir)
    if not folder.path.exists():
        return False
    with folder.explained():
        if not folder.marker.is_file():
            raise EmbeddedPostgresError(
                f"{folder.path} is not a data folder of the embedded PostgreSQL (no file {folder.marker.name}): "
                "nothing was deleted. Name the right folder."
            )
        async with folder.start_locked(lambda _: None, wait_s=DELETE_WAIT_S):
            alone = try_lock(folder.users_lock, exclusive=True)
            if alone is None:
                raise EmbeddedPostgresError(
                    f"The database in {folder.path} is in use: nothing was deleted. Stop every trade-service "
                    "that uses it first."
                )
            try:
                if is_alive(folder):
                    await stop_server(folder)
                await asyncio.to_thread(_delete, folder)
            finally:
                unlock(alone)
    return True


def _delete(folder: Folder) -> None:
    if folder.cluster.exists():  # Half a cluster must never have its name.
        folder.cluster.rename(folder.new_temporary())
    for path in folder.ours():
        remove(path)
    with contextlib.suppress(OSError):  # Other files keep the folder.
        folder.path.rmdir()
