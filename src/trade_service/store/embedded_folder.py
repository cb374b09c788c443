"""The data folder of the embedded PostgreSQL: its layout, its password and the locks that guard it.

All locks are `flock`s, so the kernel releases them when their holder dies, however it dies:

- `start.lock` is held while a process starts, stops or deletes the server.
- `users.lock` is held shared by every user of the server; a process that gets it exclusively is the last user.
- `server.lock` is inherited by the server and its children, so it is held as long as one of them lives. A pid
  cannot prove that: pids are reused, and differ between containers.
"""

import asyncio
import contextlib
import errno
import os
import secrets
import shutil
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

from trade_service.store.durable_files import sync_folder, write_draft

if sys.platform != "win32":  # prepare_folder refuses to run there
    import fcntl

Say = Callable[[str], None]

MARKER_TEXT = (
    "This folder holds the embedded PostgreSQL of globeco-trade-service: your orders and executions.\n"
    "`trade-service db reset` deletes it; do not delete or move single files.\n"
)
BOOKS_FILE = "execution-service-books.jsonl"
"""The simulator's ledger: it may be there before the server, since a trial may start the simulator first."""
TEMPORARY_PREFIX = "tmp-"
POLL_S = 0.02
PATIENCE_S = 2.0
"""Waiting longer than this is reported to the user."""


class EmbeddedPostgresError(Exception):
    """The embedded PostgreSQL cannot do what was asked; the message says what to do."""


class Folder:
    """The paths inside one data folder. Nothing is created; links are resolved, as the server does."""

    def __init__(self, data_dir: Path) -> None:
        self.path = data_dir.expanduser().resolve()
        self.marker = self.path / "EMBEDDED_POSTGRES"
        self.start_lock = self.path / "start.lock"
        self.users_lock = self.path / "users.lock"
        self.server_lock = self.path / "server.lock"
        self.password = self.path / "password"
        self.log = self.path / "server.log"
        self.old_log = self.path / "server.log.1"
        self.sockets = self.path / "run"
        self.binaries = self.path / "binaries"
        self.cluster = self.path / "pgdata"

    def temporary(self) -> list[Path]:
        """What an interrupted initdb, copy or deletion left behind."""
        return sorted(self.path.glob(f"{TEMPORARY_PREFIX}*"))

    def new_temporary(self) -> Path:
        """A name for something unfinished."""
        return self.path / f"{TEMPORARY_PREFIX}{secrets.token_hex(4)}"

    def ours(self) -> list[Path]:
        """Everything but the cluster, in an order that lets an interrupted deletion be repeated."""
        files = (self.password, self.log, self.old_log, self.users_lock, self.server_lock)
        return [*self.temporary(), self.sockets, self.binaries, *files, self.marker, self.start_lock]

    @contextmanager
    def explained(self) -> Iterator[None]:
        """Turns an `OSError` in the data folder into an error that names the path and says what to do."""
        try:
            yield
        except OSError as error:
            name = error.filename or self.path
            if error.errno in (errno.ENOSPC, errno.EDQUOT):
                advice = "the disk is full: free some space or choose another data folder"
            elif isinstance(error, PermissionError):
                advice = (
                    f"user {os.geteuid()} may not use it: start as its owner or choose another data folder"
                )
            elif error.errno == errno.EROFS:
                advice = "it is read-only: choose another data folder"
            else:
                advice = "check the data folder or choose another one"
            raise EmbeddedPostgresError(
                f"The embedded PostgreSQL cannot use {name} ({error.strerror or error}): {advice}; "
                "or set DATABASE_URL to a PostgreSQL of your own."
            ) from error

    def prepare(self) -> None:
        """Creates and marks the data folder, or accepts one that is marked.

        Raises:
            EmbeddedPostgresError: It holds other files, or is not a folder.
        """
        if os.name == "nt":
            raise EmbeddedPostgresError(
                "The embedded PostgreSQL runs on Linux and macOS only: set DATABASE_URL to a PostgreSQL of your "
                "own."
            )
        self.path.mkdir(parents=True, exist_ok=True)
        if self.marker.exists():
            return
        own = (self.start_lock.name, BOOKS_FILE)
        others = [entry.name for entry in self.path.iterdir() if entry.name not in own]
        if others:
            raise EmbeddedPostgresError(
                f"{self.path} is not empty ({min(others)}) and is not a data folder of the embedded "
                f"PostgreSQL (no file {self.marker.name}): choose an empty or a new folder."
            )
        self.path.chmod(0o700)
        self.marker.write_text(MARKER_TEXT, encoding="utf-8")

    def keep_owner(self, path: Path) -> None:
        """Gives a new file to the owner of the data folder: root may be working in another user's folder."""
        if os.geteuid() == 0:
            owner = self.path.stat()
            os.chown(path, owner.st_uid, owner.st_gid, follow_symlinks=False)

    def read_password(self) -> str:
        """The server's password; created while there is neither a password nor a cluster.

        Raises:
            EmbeddedPostgresError: There is a cluster but no password.
        """
        with contextlib.suppress(FileNotFoundError):
            if password := self.password.read_text(encoding="utf-8").strip():
                return password
        if self.cluster.exists():
            raise EmbeddedPostgresError(
                f"{self.password} is missing or empty, so nobody can log in to the data beside it: restore "
                "that file from a backup, or start afresh with `trade-service db reset`."
            )
        password, draft = secrets.token_urlsafe(24), self.new_temporary()
        # Written in full and synced before it gets its name: a power failure must not leave half of it.
        write_draft(draft, password.encode())
        self.keep_owner(draft)
        draft.rename(self.password)
        sync_folder(self.path)
        return password

    async def lock_as_user(self) -> int:
        """Registers as a user of the server with a shared lock; others hold it exclusively only for moments."""
        while (fd := try_lock(self.users_lock, exclusive=False)) is None:  # noqa: ASYNC110 (other processes' lock)
            await asyncio.sleep(POLL_S)
        self.keep_owner(self.users_lock)
        return fd

    @asynccontextmanager
    async def start_locked(self, say: Say, *, wait_s: float | None = None) -> AsyncIterator[None]:
        """Holds `start.lock`, so that no other process starts, stops or deletes this server meanwhile.

        Creates the data folder first. Waits `wait_s`, or without limit: the holder may be in a long recovery.

        Raises:
            EmbeddedPostgresError: Still held after `wait_s`, or the folder is not ours.
        """
        began_s = time.monotonic()
        reported = False
        while True:
            self.prepare()
            with contextlib.suppress(FileNotFoundError):  # deleted meanwhile: create it again
                fd = try_lock(self.start_lock, exclusive=True)
                if fd is not None:
                    if self.marker.exists():
                        break
                    unlock(fd)
                    continue
            waited_s = time.monotonic() - began_s
            if wait_s is not None and waited_s > wait_s:
                raise EmbeddedPostgresError(
                    f"Another process has been starting or stopping the database in {self.path} for "
                    f"{wait_s:.0f} s: try again when it has finished."
                )
            if not reported and waited_s > PATIENCE_S:
                reported = True
                say(f"Waiting for another process that starts or stops the database in {self.path} ...")
            await asyncio.sleep(POLL_S)
        try:
            self.keep_owner(self.start_lock)
            yield
        finally:
            unlock(fd)


def remove(path: Path) -> None:
    """Deletes a file, a link or a folder tree, if it exists."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def try_lock(path: Path, *, exclusive: bool) -> int | None:
    """Takes a `flock` on `path` and returns its descriptor, or None while another process holds it."""
    while True:
        fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(fd, (fcntl.LOCK_EX if exclusive else fcntl.LOCK_SH) | fcntl.LOCK_NB)
            with contextlib.suppress(FileNotFoundError):
                if os.path.samestat(os.fstat(fd), path.stat()):
                    return fd
        except BlockingIOError:
            os.close(fd)
            return None
        except BaseException:
            os.close(fd)
            raise
        os.close(fd)  # The file was deleted between open and lock: a lock on it guards nothing.


def release(fd: int) -> None:
    """Releases a lock, even where a forked child still has the descriptor."""
    fcntl.flock(fd, fcntl.LOCK_UN)


def unlock(fd: int) -> None:
    """Releases a lock and closes its descriptor."""
    release(fd)
    os.close(fd)


def is_locked(path: Path) -> bool:
    """Whether another process holds `path` exclusively."""
    if not path.exists():
        return False
    fd = try_lock(path, exclusive=False)
    if fd is None:
        return True
    unlock(fd)
    return False


def is_last_user(user: int) -> bool:
    """Whether the holder of this lock is the only user; its lock is then exclusive."""
    try:
        fcntl.flock(user, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
