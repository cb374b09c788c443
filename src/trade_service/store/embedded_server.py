"""The server process of one data folder: creating its cluster, starting it, proving its pid, stopping it.

`pg_ctl` starts and stops it, but does not wait (`-W`): it would look every 100 ms, and starting takes 60.
"""

import asyncio
import contextlib
import os
import re
import shlex
import signal
import socket
import subprocess
import time
from pathlib import Path
from urllib.parse import quote

import msgspec

from trade_service.store.durable_files import sync_folder
from trade_service.store.embedded_account import account_for_initdb, give, running_account, settle_account
from trade_service.store.embedded_binaries import Binaries, usable_binaries
from trade_service.store.embedded_folder import (
    POLL_S,
    EmbeddedPostgresError,
    Folder,
    Say,
    is_locked,
    remove,
    try_lock,
)

HAS_PROC = Path("/proc/self/cmdline").exists()
USER = "trade"
DATABASE = "trade"
PS_TIMEOUT_S = 5.0
FAST_STOP_S = 60.0
IMMEDIATE_STOP_S = 20.0
UNSEEN_STOP_S = 5.0
LOG_LIMIT_BYTES = 10_000_000
LOG_TAIL_BYTES = 2_000
SOCKET_PORT = 5432
SOCKET_PATH_LIMIT_BYTES = 100
PLAIN_PATH = re.compile(r"[A-Za-z0-9/_.~+ -]+")

SETTINGS = {
    "fsync": "on",
    "full_page_writes": "on",
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
INITDB_OPTIONS = (
    "-U", USER, "-E", "UTF8", "--no-instructions",
    # PostgreSQL's own collation: the same on every system, whatever locales are installed there.
    "--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C",
    "--auth-local=scram-sha-256", "--auth-host=scram-sha-256",
)  # fmt: skip


class PidFile(msgspec.Struct, frozen=True):
    """The contents of `postmaster.pid`. It may be stale, and its pid may belong to another process by now.

    Args:
        pid: Of the server's main process.
        host: A folder of Unix sockets, a loopback address, or "" while it does not listen yet.
    """

    pid: int
    host: str
    port: str

    def dsn(self, password: str, database: str = DATABASE) -> str:
        """A URL that asyncpg, SQLAlchemy and libpq all understand."""
        login = f"postgresql://{USER}:{quote(password, safe='')}@"
        if self.host.startswith("/"):
            return f"{login}/{database}?host={quote(self.host, safe='')}&port={self.port}"
        return f"{login}{self.host}:{self.port}/{database}"


def read_pid_file(folder: Folder) -> PidFile | None:
    """None when there is no such file, or no pid in it yet."""
    try:
        text = (folder.cluster / "postmaster.pid").read_text(encoding="utf-8", errors="replace")
    except (FileNotFoundError, NotADirectoryError):
        return None
    pid, _, _, port, sockets, address, *_ = [line.strip() for line in text.split("\n")] + [""] * 6
    return PidFile(int(pid), (sockets or address) if port.isdigit() else "", port) if pid.isdigit() else None


def running_pid(folder: Folder) -> int | None:
    """The pid of this folder's server, proven by its command line; None when it is not running."""
    claim = read_pid_file(folder)
    if claim is None:
        return None
    if HAS_PROC:
        try:
            raw = Path(f"/proc/{claim.pid}/cmdline").read_bytes()
        except (FileNotFoundError, ProcessLookupError):
            return None
        words = [os.fsdecode(word) for word in raw.split(b"\0")]
        is_it = Path(words[0]).name == "postgres" and words[1:3] == ["-D", str(folder.cluster)]
    else:
        answer = subprocess.run(
            ["ps", "-ww", "-o", "command=", "-p", str(claim.pid)],
            capture_output=True, check=False, timeout=PS_TIMEOUT_S,
        )  # fmt: skip
        is_it = f"/postgres -D {folder.cluster} " in os.fsdecode(answer.stdout)
    return claim.pid if is_it else None


def is_alive(folder: Folder) -> bool:
    """Whether the server, or any process it left behind, still works on the data."""
    return running_pid(folder) is not None or is_locked(folder.server_lock)


async def start_server(folder: Folder, password: str, say: Say) -> bool:
    """Starts the server, with a new cluster if there is none; False when its last processes still end."""
    server_lock = try_lock(folder.server_lock, exclusive=True)
    if server_lock is None:
        return False
    try:
        folder.keep_owner(folder.server_lock)
        for path in folder.temporary():
            await asyncio.to_thread(remove, path)
        account = await asyncio.to_thread(settle_account, folder, say)
        binaries = await asyncio.to_thread(usable_binaries, folder, account)
        if not folder.cluster.exists():
            say(f"Creating a PostgreSQL {binaries.version} database in {folder.path} ...")
            await _init_cluster(folder, binaries, password, server_lock)
        _check_version(folder, binaries)
        await _launch(folder, binaries, server_lock)
    finally:
        os.close(server_lock)
    return True


async def _init_cluster(folder: Folder, binaries: Binaries, password: str, server_lock: int) -> None:
    """Creates the cluster under a temporary name and renames it: it exists in full or not at all."""
    draft = folder.new_temporary()
    draft.mkdir(mode=0o700)
    secret, log = draft / "password", draft / "initdb.log"
    secret.write_text(password, encoding="utf-8")
    secret.chmod(0o600)
    maker = msgspec.structs.replace(binaries, account=account_for_initdb(binaries.account))
    maker.own(draft)
    maker.own(secret)
    places = ("-D", str(draft / "pgdata"), f"--pwfile={secret}")
    with log.open("wb") as output:
        process = maker.launch(
            "initdb", *places, *INITDB_OPTIONS, stdout=output, stderr=output, pass_fds=(server_lock,)
        )
    try:
        if await asyncio.to_thread(process.wait):
            output_text = _tail(log, 0)
            raise EmbeddedPostgresError(
                f"initdb could not create a database in {folder.path} (exit code {process.returncode}): "
                f"{output_text}{_advice(output_text)}"
            )
        if binaries.account is not None:
            await asyncio.to_thread(give, draft / "pgdata", binaries.account)
        (draft / "pgdata").rename(folder.cluster)
        sync_folder(folder.path)
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)  # initdb leads its own process group
            process.wait()
        # Killed children may write a moment longer; the next start removes what they leave.
        with contextlib.suppress(OSError):
            await asyncio.to_thread(remove, draft)


def _check_version(folder: Folder, binaries: Binaries) -> None:
    """Refuses data that another major version of PostgreSQL wrote."""
    written = (folder.cluster / "PG_VERSION").read_text(encoding="utf-8").strip()
    if written != binaries.major:
        raise EmbeddedPostgresError(
            f"The data in {folder.path} was written by PostgreSQL {written}, this is {binaries.version}; "
            "either dump it with the globeco-trade-service that wrote it, choose another data folder, or "
            "delete it with `trade-service db reset`."
        )


async def _launch(folder: Folder, binaries: Binaries, server_lock: int) -> None:
    """Starts `postgres`, detached; it and its children inherit `server_lock`. It is not ready yet on return."""
    settings = SETTINGS | _listening(folder, binaries)
    options = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
    # postgres refuses to start while the pid in a stale file is alive, whatever process that is by now. Here it
    # is proven not to be a server of this folder, and postgres ignores the pid it finds under this name; all its
    # other safeguards stay. pg_ctl sets the name itself, so a shell sets it again.
    stale = read_pid_file(folder)
    script = ["-c", 'export PG_GRANDPARENT_PID="$0"; exec "$@"', str(stale.pid if stale else 0)]
    command = [*script, str(binaries.bin / "postgres"), "-D", str(folder.cluster), *options]
    if folder.log.exists() and folder.log.stat().st_size > LOG_LIMIT_BYTES:
        folder.log.replace(folder.old_log)
    with folder.log.open("ab") as log:
        folder.log.chmod(0o600)
        folder.keep_owner(folder.log)
        starter = binaries.launch(
            "pg_ctl", "start", "-W", "-s", "-p", "sh", "-o", shlex.join(command),
            stdout=log, stderr=log, pass_fds=(server_lock,), env={"PGDATA": str(folder.cluster)},
        )  # fmt: skip
    await asyncio.to_thread(starter.wait)


def _listening(folder: Folder, binaries: Binaries) -> dict[str, str]:
    """A Unix socket in the data folder; a loopback port where its path is too long or needs quoting."""
    path = str(folder.sockets)
    length = len(os.fsencode(path)) + len(f"/.s.PGSQL.{SOCKET_PORT}")
    if length <= SOCKET_PATH_LIMIT_BYTES and PLAIN_PATH.fullmatch(path):
        folder.sockets.mkdir(mode=0o700, exist_ok=True)
        binaries.own(folder.sockets)
        return {"listen_addresses": "", "unix_socket_directories": path, "port": str(SOCKET_PORT)}
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    return {"listen_addresses": "127.0.0.1", "unix_socket_directories": "", "port": str(port)}


def log_size(folder: Folder) -> int:
    """Bytes in the server's log."""
    return folder.log.stat().st_size if folder.log.exists() else 0


def check_start_failure(folder: Folder, log_from: int) -> None:
    """Raises what the server logged since `log_from`, unless another attempt may succeed: its port was taken."""
    logged = _tail(folder.log, log_from)
    if "could not create any TCP/IP sockets" not in logged:
        raise EmbeddedPostgresError(
            f"PostgreSQL did not start in {folder.path} (log: {folder.log}): {logged}{_advice(logged)}"
        )


def _tail(log: Path, start: int) -> str:
    with log.open("rb") as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(max(start if start <= size else 0, size - LOG_TAIL_BYTES))
        return file.read().decode(errors="replace").strip()


def _advice(logged: str) -> str:
    if "No space left on device" in logged:
        return " The disk is full: free some space or choose another data folder."
    return (
        " Free what it names or choose another data folder; or set DATABASE_URL to a PostgreSQL of your own."
    )


async def stop_server(folder: Folder) -> None:
    """Stops this folder's server: a fast shutdown, then an immediate one (safe: the next start recovers).

    Raises:
        EmbeddedPostgresError: It is still running, or cannot be seen from here.
    """
    binaries = await asyncio.to_thread(usable_binaries, folder, running_account(folder))
    began_s = time.monotonic()
    for mode, limit_s in (("fast", FAST_STOP_S), ("immediate", IMMEDIATE_STOP_S)):
        asked, until_s = False, time.monotonic() + UNSEEN_STOP_S
        while is_alive(folder) and time.monotonic() < until_s:
            # pg_ctl signals whatever process the pid file names: it must be proven to be the server.
            if not asked and running_pid(folder) is not None:
                asked, until_s = True, time.monotonic() + limit_s
                stopper = binaries.launch(
                    "pg_ctl", "stop", "-W", "-s", "-m", mode, "-D", str(folder.cluster),
                    stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                )  # fmt: skip
                await asyncio.to_thread(stopper.wait)
            await asyncio.sleep(POLL_S)
        if not is_alive(folder):
            return
    pid = running_pid(folder)
    remedy = (
        f"end it with `kill -QUIT {pid}`" if pid else "it cannot be seen from here, so stop it where it runs"
    )
    raise EmbeddedPostgresError(
        f"The PostgreSQL of {folder.path} did not stop in {time.monotonic() - began_s:.0f} s: {remedy}."
    )
