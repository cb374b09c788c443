"""The locks that guard the data folder of the embedded PostgreSQL.

All are `flock`s, so the kernel drops them when their holder dies, however it dies:

- `start.lock` is held while somebody starts, stops or deletes the server;
- `users.lock` is held shared by every user of the server: who gets it alone is the last one;
- `server.lock` is inherited by the server and its children: while it is held, some of them are alive. It
  tells the truth where a pid cannot (pids are reused, and differ between containers).
"""

import asyncio
import contextlib
import os
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from trade_service.store.embedded_folder import EmbeddedPostgresError, Folder, Say, keep_owner, prepare_folder

LOCK_POLL_S = 0.02
PATIENCE_S = 2.0


def try_lock(path: Path, *, exclusive: bool) -> int | None:
    """Take a `flock` on `path` and return its descriptor, or None while others hold it."""
    import fcntl  # not on Windows, where prepare_folder has refused already

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


def unlock(fd: int) -> None:
    """Give a lock back, even where a forked child still has the descriptor."""
    import fcntl

    fcntl.flock(fd, fcntl.LOCK_UN)
    os.close(fd)


def is_locked(path: Path) -> bool:
    """Whether somebody holds `path` exclusively."""
    if not path.exists():
        return False
    fd = try_lock(path, exclusive=False)
    if fd is None:
        return True
    unlock(fd)
    return False


async def lock_as_user(folder: Folder) -> int:
    """Count as a user of the server: a shared lock, held alone by others for moments only."""
    while (fd := try_lock(folder.users_lock, exclusive=False)) is None:  # noqa: ASYNC110 (other processes' lock)
        await asyncio.sleep(LOCK_POLL_S)
    keep_owner(folder, folder.users_lock)
    return fd


@asynccontextmanager
async def start_locked(folder: Folder, say: Say, *, wait_s: float | None = None) -> AsyncIterator[None]:
    """Hold `start.lock`: nobody else starts, stops or deletes this server meanwhile.

    Creates the data folder first. Waits `wait_s`, or without limit: the holder may be in a long recovery.

    Raises:
        EmbeddedPostgresError: still held after `wait_s`, or the folder is not ours.
    """
    began_s = time.monotonic()
    told = False
    while True:
        prepare_folder(folder)
        with contextlib.suppress(FileNotFoundError):  # deleted meanwhile: create it again
            fd = try_lock(folder.start_lock, exclusive=True)
            if fd is not None:
                if folder.marker.exists():
                    break
                unlock(fd)
                continue
        waited_s = time.monotonic() - began_s
        if wait_s is not None and waited_s > wait_s:
            raise EmbeddedPostgresError(
                f"Another process has been starting or stopping the database in {folder.path} for "
                f"{wait_s:.0f} s: try again when it has finished."
            )
        if not told and waited_s > PATIENCE_S:
            told = True
            say(f"Waiting for another process that starts or stops the database in {folder.path} ...")
        await asyncio.sleep(LOCK_POLL_S)
    try:
        keep_owner(folder, folder.start_lock)
        yield
    finally:
        unlock(fd)
