"""The server process of one data folder: is it alive, is a pid really it, how to reach and how to stop it."""

import asyncio
import contextlib
import os
import signal
import subprocess
import time
from pathlib import Path
from urllib.parse import quote

import asyncpg
import msgspec

from trade_service.store.embedded_folder import EmbeddedPostgresError, Folder, Say
from trade_service.store.embedded_locks import PATIENCE_S, is_locked

HAS_PROC = Path("/proc/self/cmdline").exists()
USER = "trade"
DATABASE = "trade"
POLL_S = 0.02
CONNECT_TIMEOUT_S = 5.0
PROGRESS_EVERY_S = 5.0
UNSEEN_LIMIT_S = 30.0
FAST_STOP_S = 60.0
IMMEDIATE_STOP_S = 20.0
UNSEEN_STOP_S = 5.0

Child = subprocess.Popen[bytes]
children: list[Child] = []
"""Servers this process started and may have left to other users; kept so that dead ones are reaped."""


class Address(msgspec.Struct, frozen=True):
    """Where a server listens: a folder of Unix sockets (`host` begins with "/") or a loopback address."""

    host: str
    port: int

    def dsn(self, password: str, database: str = DATABASE) -> str:
        """The form that asyncpg, SQLAlchemy and libpq all understand."""
        login = f"postgresql://{USER}:{quote(password, safe='')}@"
        if self.host.startswith("/"):
            return f"{login}/{database}?host={quote(self.host, safe='')}&port={self.port}"
        return f"{login}{self.host}:{self.port}/{database}"


class PidFile(msgspec.Struct, frozen=True):
    """What `postmaster.pid` claims; it may be stale, and the pid may be anybody's by now."""

    pid: int
    address: Address | None


def read_pid_file(folder: Folder) -> PidFile | None:
    """None when there is none, or nothing readable in it yet."""
    try:
        lines = (folder.cluster / "postmaster.pid").read_text(encoding="utf-8", errors="replace").splitlines()
    except (FileNotFoundError, NotADirectoryError):
        return None
    lines = [line.strip() for line in lines] + [""] * 6
    if not lines[0].isdigit():
        return None
    port, socket_folder, listening = lines[3:6]
    host = socket_folder or listening
    return PidFile(int(lines[0]), Address(host, int(port)) if host and port.isdigit() else None)


def is_server(pid: int, folder: Folder) -> bool:
    """Whether `pid` is alive and the main process of this folder's server, judged by its command line."""
    if HAS_PROC:
        try:
            raw = Path(f"/proc/{pid}/cmdline").read_bytes()
        except (FileNotFoundError, ProcessLookupError):
            return False
        words = [os.fsdecode(word) for word in raw.split(b"\0")]
        return Path(words[0]).name == "postgres" and words[1:3] == ["-D", str(folder.cluster)]
    answer = subprocess.run(
        ["ps", "-ww", "-o", "command=", "-p", str(pid)],
        capture_output=True,
        check=False,
        timeout=CONNECT_TIMEOUT_S,
    )
    return f"/postgres -D {folder.cluster} " in os.fsdecode(answer.stdout)


def running_pid(folder: Folder) -> int | None:
    """The pid of this folder's server, proven to be it; None when there is none."""
    for child in list(children):
        if child.poll() is not None:
            children.remove(child)
    claim = read_pid_file(folder)
    candidates = [*([claim.pid] if claim else []), *(child.pid for child in children)]
    return next((pid for pid in candidates if is_server(pid, folder)), None)


def is_alive(folder: Folder) -> bool:
    """Whether the server, or any process it left behind, still works on the data."""
    return running_pid(folder) is not None or is_locked(folder.server_lock)


async def wait_until_ready(
    folder: Folder, password: str, say: Say, child: Child | None = None
) -> Address | None:
    """The address of the living server once it answers; None when no server lives.

    Crash recovery may take long: there is no limit while the server lives, only a line of progress at times.

    Raises:
        EmbeddedPostgresError: something holds the folder, but is no server this process can see and reach.
    """
    began_s = time.monotonic()
    told_s, seen_s = began_s - PROGRESS_EVERY_S + PATIENCE_S, began_s
    while (child and child.poll() is None) or is_alive(folder):
        claim, pid, now_s = read_pid_file(folder), running_pid(folder), time.monotonic()
        address = claim.address if claim else None
        # A stale claim may name a port that is a stranger's by now; a socket in our folder never is.
        trusted = claim and (claim.pid == pid or (address and address.host == str(folder.sockets)))
        if trusted and address and await _answers(folder, address, password):
            return address
        if pid is not None:
            seen_s = now_s
        elif now_s - seen_s > UNSEEN_LIMIT_S:
            raise EmbeddedPostgresError(
                f"{folder.path} is held by a PostgreSQL that cannot be reached from here, perhaps in another "
                "container, or left over from one that was killed: stop it, or choose another data folder."
            )
        if now_s - told_s > PROGRESS_EVERY_S:
            told_s = now_s
            say(f"PostgreSQL is starting; recovering its data may take a while ({now_s - began_s:.0f} s) ...")
        await asyncio.sleep(POLL_S)
    return None


async def _answers(folder: Folder, address: Address, password: str) -> bool:
    """Log in and make sure that it is this folder's server; False while it cannot be reached."""
    try:
        link = await asyncpg.connect(address.dsn(password, "postgres"), ssl=False, timeout=CONNECT_TIMEOUT_S)
    except asyncpg.InvalidAuthorizationSpecificationError as error:
        raise EmbeddedPostgresError(
            f"The PostgreSQL of {folder.path} refuses its own password ({error}): restore {folder.password} "
            "from a backup, or start afresh with `trade-service db reset`."
        ) from error
    except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError):
        return False
    try:
        served = await link.fetchval("SELECT current_setting('data_directory')")
    finally:
        await link.close(timeout=CONNECT_TIMEOUT_S)
    if Path(served) != folder.cluster:
        raise EmbeddedPostgresError(
            f"The PostgreSQL that {folder.path} names serves {served}: is this folder a copy of that one? "
            f"Delete {folder.cluster / 'postmaster.pid'} and start again."
        )
    return True


async def stop_server(folder: Folder, say: Say) -> None:
    """Stop this folder's server: a fast shutdown, then an immediate one (safe: the next start recovers).

    Only a process proven to be that server is signalled.

    Raises:
        EmbeddedPostgresError: it lives on, or cannot be seen from here.
    """
    began_s = time.monotonic()
    told = False
    for number, limit_s in ((signal.SIGINT, FAST_STOP_S), (signal.SIGQUIT, IMMEDIATE_STOP_S)):
        _signal(folder, number)
        until_s = time.monotonic() + (limit_s if running_pid(folder) else UNSEEN_STOP_S)
        while is_alive(folder) and time.monotonic() < until_s:
            if not told and time.monotonic() - began_s > PATIENCE_S:
                told = True
                say("PostgreSQL is stopping ...")
            await asyncio.sleep(POLL_S)
        if not is_alive(folder):
            return
    pid = running_pid(folder)
    raise EmbeddedPostgresError(
        f"The PostgreSQL of {folder.path} did not stop in {time.monotonic() - began_s:.0f} s: "
        + (
            f"end it with `kill -QUIT {pid}`."
            if pid
            else "it cannot be seen from here, so stop it where it runs."
        )
    )


def _signal(folder: Folder, number: signal.Signals) -> None:
    """Signal the server if it lives; on Linux through a handle that a reused pid cannot deceive."""
    pid = running_pid(folder)
    if pid is None:
        return
    with contextlib.suppress(ProcessLookupError):
        if not hasattr(os, "pidfd_open"):
            os.kill(pid, number)
            return
        handle = os.pidfd_open(pid)
        try:
            if is_server(pid, folder):
                signal.pidfd_send_signal(handle, number)
        finally:
            os.close(handle)
