"""Files that survive a power failure: whole under their name, or not there."""

import os
from pathlib import Path


def write_draft(path: Path, content: bytes) -> None:
    """Writes a new file that only its owner may read, and syncs it; renaming it is left to the caller."""
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(fd, "wb") as stream:
        stream.write(content)
        stream.flush()
        os.fsync(fd)


def sync_folder(folder: Path) -> None:
    """Makes renames in a folder durable."""
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
