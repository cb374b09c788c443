"""Folders that come and go, and what a run leaves in them."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil


@contextmanager
def passable_folder(prefix: str) -> Iterator[Path]:
    """A temporary folder that the embedded database's user can pass, gone afterwards."""
    with tempfile.TemporaryDirectory(prefix=prefix, ignore_cleanup_errors=True) as name:
        Path(name).chmod(0o711)
        yield Path(name)


def alive_in(folder: Path) -> list[str]:
    """Command lines of processes that name a folder, or work in it."""
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
    """Names of what lies in a folder."""
    return sorted(path.name for path in folder.iterdir())
