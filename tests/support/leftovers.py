"""Temporary folders, and what a run leaves in them."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil

MEMORY = Path("/dev/shm")  # every folder in it is made by tempfile
PLENTY_BYTES = 4 * 1024**3


def quick_disk() -> str | None:
    """The folder for a test's databases: in memory if there is plenty, else None for the default.

    Each new database writes and syncs some 15 MB, which is most of what a short test takes on a disk.
    """
    if "TMPDIR" in os.environ or not os.access(MEMORY, os.W_OK):
        return None
    plenty = min(shutil.disk_usage(MEMORY).free, psutil.virtual_memory().available) >= PLENTY_BYTES
    return str(MEMORY) if plenty else None


@contextmanager
def passable_folder(prefix: str) -> Iterator[Path]:
    """A temporary folder that the embedded database's user can traverse."""
    with tempfile.TemporaryDirectory(prefix=prefix, dir=quick_disk(), ignore_cleanup_errors=True) as name:
        Path(name).chmod(0o711)
        yield Path(name)


def alive_in(folder: Path) -> list[str]:
    """Command lines of processes that name a folder or run in it."""
    lines = []
    for process in psutil.process_iter():
        try:
            line = " ".join(process.cmdline())
            if process.pid != os.getpid() and (str(folder) in line or _works_in(process, folder)):
                lines.append(line)
        except psutil.Error:
            continue
    return lines


def _works_in(process: psutil.Process, folder: Path) -> bool:
    try:
        return Path(process.cwd()).is_relative_to(folder)
    except psutil.AccessDenied:
        return False


def files_in(folder: Path) -> list[str]:
    """Names of the entries of a folder."""
    return sorted(path.name for path in folder.iterdir())
