"""The data folder of the embedded PostgreSQL: what lies in it and who owns it."""

import contextlib
import errno
import os
import secrets
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

Say = Callable[[str], None]

MARKER_TEXT = (
    "This folder holds the embedded PostgreSQL of globeco-trade-service: your orders and executions.\n"
    "`trade-service db reset` deletes it; do not delete or move single files.\n"
)
TEMPORARY_PREFIX = "tmp-"


class EmbeddedPostgresError(Exception):
    """The embedded PostgreSQL cannot do what was asked; the message says what to do."""


class Folder(msgspec.Struct, frozen=True):
    """The names inside one data folder; `path` is absolute."""

    path: Path

    @property
    def marker(self) -> Path:
        return self.path / "EMBEDDED_POSTGRES"

    @property
    def start_lock(self) -> Path:
        return self.path / "start.lock"

    @property
    def users_lock(self) -> Path:
        return self.path / "users.lock"

    @property
    def server_lock(self) -> Path:
        return self.path / "server.lock"

    @property
    def password(self) -> Path:
        return self.path / "password"

    @property
    def log(self) -> Path:
        return self.path / "server.log"

    @property
    def sockets(self) -> Path:
        return self.path / "run"

    @property
    def binaries(self) -> Path:
        return self.path / "binaries"

    @property
    def cluster(self) -> Path:
        return self.path / "pgdata"

    def ours(self) -> list[Path]:
        """All that is put here but the cluster, in an order that lets an interrupted deletion be repeated."""
        temporary = sorted(self.path.glob(f"{TEMPORARY_PREFIX}*"))
        files = (self.password, self.log, self.old_log, self.users_lock, self.server_lock)
        return [*temporary, self.sockets, self.binaries, *files, self.marker, self.start_lock]

    @property
    def old_log(self) -> Path:
        return self.path / "server.log.1"


def folder_at(data_dir: Path) -> Folder:
    """The layout of `data_dir`; nothing is created. Links are resolved: a server knows its real path."""
    return Folder(path=Path(data_dir).expanduser().resolve())


@contextmanager
def explained(folder: Folder) -> Iterator[None]:
    """Turn an `OSError` in the data folder into an error that names the folder and says what to do."""
    try:
        yield
    except OSError as error:
        name = error.filename or folder.path
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            advice = "the disk is full: free some space or choose another data folder"
        elif isinstance(error, PermissionError):
            advice = f"user {os.geteuid()} may not use it: start as its owner or choose another data folder"
        elif error.errno == errno.EROFS:
            advice = "it is read-only: choose another data folder"
        else:
            advice = "check the data folder or choose another one"
        raise EmbeddedPostgresError(
            f"The embedded PostgreSQL cannot use {name} ({error.strerror or error}): {advice}; "
            "or set DATABASE_URL to a PostgreSQL of your own."
        ) from error


def prepare_folder(folder: Folder) -> None:
    """Create and mark the data folder, or accept one that is marked.

    Raises:
        EmbeddedPostgresError: it holds somebody else's files, or is no folder.
    """
    if os.name == "nt":
        raise EmbeddedPostgresError(
            "The embedded PostgreSQL runs on Linux and macOS only: set DATABASE_URL to a PostgreSQL of your "
            "own."
        )
    folder.path.mkdir(parents=True, exist_ok=True)
    if folder.marker.exists():
        return
    foreign = [entry.name for entry in folder.path.iterdir() if entry != folder.start_lock]
    if foreign:
        raise EmbeddedPostgresError(
            f"{folder.path} is not empty ({sorted(foreign)[0]}) and no data folder of the embedded "
            f"PostgreSQL (no file {folder.marker.name}): choose an empty or a new folder."
        )
    # As root the server runs as another user, who must pass through here but may not list or change anything.
    folder.path.chmod(0o711 if os.geteuid() == 0 else 0o700)
    folder.marker.write_text(MARKER_TEXT, encoding="utf-8")


def keep_owner(folder: Folder, path: Path) -> None:
    """When root works in another user's data folder, what it adds must stay that user's."""
    if os.geteuid() == 0:
        owner = folder.path.stat()
        os.chown(path, owner.st_uid, owner.st_gid, follow_symlinks=False)


def create_private(folder: Folder, path: Path, text: str) -> None:
    """Write a file of mode 0600 that is there whole or not at all, even after a power cut."""
    draft = path.with_name(f"{TEMPORARY_PREFIX}{secrets.token_hex(4)}")
    fd = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(fd, "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(fd)
    keep_owner(folder, draft)
    draft.rename(path)
    sync_folder(folder.path)


def sync_folder(path: Path) -> None:
    """Make renames in `path` durable."""
    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def read_password(folder: Folder) -> str:
    """The server's password; made when there is neither password nor cluster.

    Raises:
        EmbeddedPostgresError: the cluster is there, its password is not.
    """
    with contextlib.suppress(FileNotFoundError):
        if password := folder.password.read_text(encoding="utf-8").strip():
            return password
    if folder.cluster.exists():
        raise EmbeddedPostgresError(
            f"{folder.password} is missing or empty, so nobody can log in to the data beside it: restore "
            "that file from a backup, or start afresh with `trade-service db reset`."
        )
    create_private(folder, folder.password, secrets.token_urlsafe(24))
    return read_password(folder)


def remove(path: Path) -> None:
    """Delete a file, a link or a folder tree; absent is fine."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def remove_leftovers(folder: Folder) -> None:
    """Delete what an interrupted initdb, copy or deletion left. Call it with `server.lock` held."""
    for path in folder.path.glob(f"{TEMPORARY_PREFIX}*"):
        remove(path)
