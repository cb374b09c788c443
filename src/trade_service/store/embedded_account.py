"""The user that runs the embedded PostgreSQL for root, and who may enter the data folder.

PostgreSQL refuses to run as root. It runs as a user and group of the folder's own, which nothing else uses and no
file of the system names: they are numbers only, kept as the owner of the cluster. Beside root only that group may
enter the folder, so no other process reads, changes or signals the server, whatever unprivileged user it runs as.
"""

import contextlib
import errno
import os
import random
import stat
import sys
from pathlib import Path
from typing import Self

import msgspec

from trade_service.store.embedded_folder import EmbeddedPostgresError, Folder, Say

if sys.platform != "win32":  # prepare_folder refuses to run there
    import grp
    import pwd

SHARED_USER = "nobody"
UNUSED = range(60_578, 61_184)
"""Users that systems leave free: above those of people, below systemd's dynamic ones. Containers map them."""
INSTEAD = "start as an ordinary user, or set DATABASE_URL to a PostgreSQL of your own"


class Account(msgspec.Struct, frozen=True):
    """An unprivileged user and its group."""

    uid: int
    gid: int

    @classmethod
    def owner(cls, path: Path) -> Self:
        """The owner of an existing path."""
        facts = path.stat()
        return cls(facts.st_uid, facts.st_gid)


def running_account(folder: Folder) -> Account | None:
    """The user of the server that runs on this folder; None unless we are root."""
    return Account.owner(folder.cluster) if os.geteuid() == 0 and folder.cluster.exists() else None


def settle_account(folder: Folder, say: Say) -> Account | None:
    """The user to run the server as, who alone may enter the folder and owns the cluster; None unless we are root.

    An existing cluster keeps its owner. Only one of the system's `nobody`, as whom earlier releases ran, or of
    root, which a copy may have left, gets a new owner. The caller holds `server.lock`, so no server runs.

    Raises:
        EmbeddedPostgresError: No user is free.
    """
    if os.geteuid() != 0:
        return None
    owner = running_account(folder)
    if owner is not None and owner.uid == folder.path.stat().st_uid != 0:
        return owner  # The folder of an ordinary user, in which root works.
    keeps = owner is not None and owner.uid not in (0, shared_account().uid)
    account = owner if owner is not None and keeps else _unused_account()
    try:
        os.chown(folder.path, -1, account.gid)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.EPERM):
            raise
        # A user namespace may map few users.
        say(f"No user of its own can run PostgreSQL here ({error.strerror}): it runs as {SHARED_USER}.")
        folder.path.chmod(0o711)
        return shared_account()
    folder.path.chmod(0o710)
    if owner is not None and owner != account:
        for tree in (folder.sockets, folder.cluster):
            give(tree, account)
    return account


def give(tree: Path, account: Account) -> None:
    """Makes `account` the owner of a tree, if it exists; of its top last, so that half a change is repeated."""
    if not tree.exists():
        return
    for _, folders, files, above in os.fwalk(tree, topdown=False):
        for name in (*folders, *files):
            os.chown(name, account.uid, account.gid, dir_fd=above, follow_symlinks=False)
    os.chown(tree, account.uid, account.gid)


def account_for_initdb(account: Account | None) -> Account | None:
    """The user to run initdb as: it needs an entry in the system's user database, and we must not add one.

    With the group of `account` it is still the only one of its user that may enter the folder.
    """
    return account and Account(shared_account().uid, account.gid)


def shared_account() -> Account:
    """The system's `nobody`, as whom any number of other processes may run.

    Raises:
        EmbeddedPostgresError: The system has none.
    """
    try:
        entry = pwd.getpwnam(SHARED_USER)
    except KeyError:
        raise EmbeddedPostgresError(
            f"PostgreSQL refuses to run as root and this system has no user `{SHARED_USER}` to create its "
            f"database as: {INSTEAD}."
        ) from None
    return Account(entry.pw_uid, entry.pw_gid)


def _unused_account() -> Account:
    """A user that has no entry in the system and no process; random, so that folders differ."""
    busy = set()
    for process in Path("/proc").glob("[1-9]*"):
        with contextlib.suppress(FileNotFoundError):
            busy.add(process.stat().st_uid)
    for number in random.sample(UNUSED, len(UNUSED)):
        if number not in busy and not _has_entry(number):
            return Account(number, number)
    raise EmbeddedPostgresError(
        f"PostgreSQL refuses to run as root, and no user from {UNUSED[0]} to {UNUSED[-1]} is free to run it as: "
        f"{INSTEAD}."
    )


def _has_entry(number: int) -> bool:
    for find in (pwd.getpwuid, grp.getgrgid):
        try:
            find(number)
        except KeyError:
            continue
        return True
    return False


def is_reachable(path: Path) -> bool:
    """Whether the server's user could enter a new folder there; always unless we are root."""
    return os.geteuid() != 0 or barrier(path.parent, Account(UNUSED[0], UNUSED[0])) is None


def barrier(path: Path, account: Account) -> Path | None:
    """The outermost existing folder on the way to `path`, inclusive, that `account` cannot traverse."""
    for folder in reversed([path, *path.parents]):
        try:
            facts = folder.stat()
        except FileNotFoundError:
            return None
        group_bit = stat.S_IXGRP if facts.st_gid == account.gid else stat.S_IXOTH
        if not facts.st_mode & (stat.S_IXUSR if facts.st_uid == account.uid else group_bit):
            return folder
    return None
