"""Making a cluster and starting its server."""

import asyncio
import contextlib
import os
import re
import secrets
import signal
import socket
from collections.abc import Mapping
from pathlib import Path

from trade_service.store.embedded_binaries import Binaries
from trade_service.store.embedded_folder import (
    TEMPORARY_PREFIX,
    EmbeddedPostgresError,
    Folder,
    keep_owner,
    remove,
    sync_folder,
)
from trade_service.store.embedded_process import POLL_S, USER, Child, children, read_pid_file

LOG_LIMIT_BYTES = 10_000_000
LOG_TAIL_BYTES = 2_000
SOCKET_PORT = 5432
SOCKET_PATH_LIMIT_BYTES = 100
PLAIN_PATH = re.compile(r"[A-Za-z0-9/_.~+ -]+")

FIXED_SETTINGS = {"fsync": "on", "full_page_writes": "on"}  # Durability is no choice,
OWN_SETTINGS = {  # and neither is what is served and where.
    "data_directory",
    "port",
    "listen_addresses",
    "unix_socket_directories",
    "hba_file",
    "config_file",
}
DEFAULT_SETTINGS = {
    "shared_buffers": "128MB",
    "max_connections": "200",
    "max_wal_size": "1GB",
    "checkpoint_timeout": "15min",
    # One server without standbys: less to log, fewer processes, and a container's small /dev/shm suffices.
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "max_parallel_workers_per_gather": "0",
    "io_method": "sync",
    "jit": "off",
    "random_page_cost": "1.1",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_checkpoints": "off",
    "logging_collector": "off",
}


class PortTakenError(EmbeddedPostgresError):
    """Somebody else took the loopback port between its choice and its use: try another."""


async def init_cluster(folder: Folder, binaries: Binaries, password: str, server_lock: int) -> None:
    """Create the cluster in a folder beside and rename it: it is there whole or not at all.

    The collation is PostgreSQL's own C.UTF-8, the same on every system, whatever locales that has installed.
    """
    draft = folder.path / f"{TEMPORARY_PREFIX}{secrets.token_hex(4)}"
    draft.mkdir(mode=0o700)
    secret, log = draft / "password", draft / "initdb.log"
    secret.write_text(password, encoding="utf-8")
    secret.chmod(0o600)
    if binaries.account:
        for path in (draft, secret):
            os.chown(path, binaries.account.uid, binaries.account.gid)
    arguments = [
        "-D",
        str(draft / "pgdata"),
        "-U",
        USER,
        "-E",
        "UTF8",
        f"--pwfile={secret}",
        "--no-instructions",
    ]
    arguments += ["--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C"]
    arguments += ["--auth-local=scram-sha-256", "--auth-host=scram-sha-256"]
    with log.open("wb") as output:
        process = binaries.launch("initdb", *arguments, stdout=output, stderr=output, pass_fds=(server_lock,))
    try:
        while process.poll() is None:  # noqa: ASYNC110 (another process's end)
            await asyncio.sleep(POLL_S)
        if process.returncode:
            raise EmbeddedPostgresError(
                f"initdb could not create a database in {folder.path} (exit code {process.returncode}): "
                f"{_tail(log, 0)}{_advice(_tail(log, 0))}"
            )
        (draft / "pgdata").rename(folder.cluster)
        sync_folder(folder.path)
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)  # initdb leads a group of its own
            process.wait()
        with contextlib.suppress(
            OSError
        ):  # Its children may write a moment longer; the next start tidies up.
            await asyncio.to_thread(remove, draft)


def check_version(folder: Folder, binaries: Binaries) -> None:
    """Refuse data that another major version of PostgreSQL wrote."""
    written = (folder.cluster / "PG_VERSION").read_text(encoding="utf-8").strip()
    if written != binaries.major:
        raise EmbeddedPostgresError(
            f"The data in {folder.path} was written by PostgreSQL {written}, here is {binaries.version}; "
            "either dump it with the globeco-trade-service that wrote it, choose another data folder, or "
            "delete it with `trade-service db reset`."
        )


def launch_server(folder: Folder, binaries: Binaries, settings: Mapping[str, str], server_lock: int) -> Child:
    """Start `postgres`; it and its children inherit `server_lock`."""
    wanted = DEFAULT_SETTINGS | dict(settings) | FIXED_SETTINGS | _listening(folder, binaries)
    arguments = [word for name, value in wanted.items() for word in ("-c", f"{name}={value}")]
    if folder.log.exists() and folder.log.stat().st_size > LOG_LIMIT_BYTES:
        folder.log.replace(folder.old_log)
    # postgres refuses to start while the pid in a stale file is alive, whoever that is by now. Here it is
    # proven to be no server of this folder; under this name postgres ignores it, with all other safeguards.
    stale = read_pid_file(folder)
    environment = {"PG_GRANDPARENT_PID": str(stale.pid)} if stale else {}
    with folder.log.open("ab") as log:
        folder.log.chmod(0o600)
        keep_owner(folder, folder.log)
        child = binaries.launch(
            "postgres", "-D", str(folder.cluster), *arguments,
            stdout=log, stderr=log, pass_fds=(server_lock,), env=environment,
        )  # fmt: skip
    children.append(child)
    return child


def check_settings(settings: Mapping[str, str]) -> None:
    """Refuse settings that would cost durability or hide the server from its users."""
    for name, value in settings.items():
        key = name.lower()
        if key in OWN_SETTINGS or (key in FIXED_SETTINGS and value.lower() != FIXED_SETTINGS[key]):
            raise EmbeddedPostgresError(
                f"Setting {name}={value} of the embedded PostgreSQL cannot be changed: leave it out, or set "
                "DATABASE_URL to a PostgreSQL of your own."
            )


def _listening(folder: Folder, binaries: Binaries) -> dict[str, str]:
    """A Unix socket in the data folder; a loopback port where its path is too long or hard to write."""
    path = str(folder.sockets)
    if len(os.fsencode(path)) + len(
        f"/.s.PGSQL.{SOCKET_PORT}"
    ) <= SOCKET_PATH_LIMIT_BYTES and PLAIN_PATH.fullmatch(path):
        folder.sockets.mkdir(mode=0o700, exist_ok=True)
        if binaries.account:
            os.chown(folder.sockets, binaries.account.uid, binaries.account.gid)
        return {"listen_addresses": "", "unix_socket_directories": path, "port": str(SOCKET_PORT)}
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    return {"listen_addresses": "127.0.0.1", "unix_socket_directories": "", "port": str(port)}


def log_size(folder: Folder) -> int:
    """Bytes in the server's log."""
    return folder.log.stat().st_size if folder.log.exists() else 0


def start_failure(folder: Folder, log_from: int) -> EmbeddedPostgresError:
    """What the server said since `log_from` before it gave up."""
    said = _tail(folder.log, log_from)
    kind = PortTakenError if "could not create any TCP/IP sockets" in said else EmbeddedPostgresError
    return kind(f"PostgreSQL did not start in {folder.path} (log: {folder.log}): {said}{_advice(said)}")


def _tail(log: Path, start: int) -> str:
    with log.open("rb") as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(max(start if start <= size else 0, size - LOG_TAIL_BYTES))
        return file.read().decode(errors="replace").strip()


def _advice(said: str) -> str:
    if "No space left on device" in said:
        return " The disk is full: free some space or choose another data folder."
    return (
        " Free what it names or choose another data folder; or set DATABASE_URL to a PostgreSQL of your own."
    )
