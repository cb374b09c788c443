"""Archiving on PostgreSQL: what leaves, what stays, what is known of it, and what a crash at any moment leaves."""

import asyncio
import gzip
import os
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest

from tests.support.archives import (
    OLD,
    RandomBooks,
    archive_all,
    archiver,
    check_kept,
    file_problems,
    files_in,
    finished,
    rows_here,
    rows_in_files,
)
from tests.support.trading import run_sql
from trade_service.store import archive_store
from trade_service.store.archive_folder import ArchiveFolder
from trade_service.store.archive_store import PostgresArchiveStore
from trade_service.store.audit_log_store import record
from trade_service.store.database import Database
from trade_service.store.reports import PostgresAuditReads
from trade_service.trading.archive_model import (
    ArchiveBusy,
    ArchiveKind,
)
from trade_service.trading.archive_reading import verify
from trade_service.trading.ledger_audit import run_audit


@pytest.mark.parametrize("seed", range(6))
async def test_random_books_stay_true(database: Database, tmp_path: Path, seed: int) -> None:
    books, reads = RandomBooks(seed), PostgresAuditReads(database)
    await books.write(database, 40)
    before, sums = await rows_here(database), await reads.balance()
    counted = {one.kind: one.rows for one in await archiver(database, tmp_path).run(dry_run=True)}
    assert await rows_here(database) == before
    removed = await archive_all(database, tmp_path)
    filed = await check_kept(database, tmp_path, before)
    assert filed == books.due
    assert removed == {kind: len(ids) for kind, ids in books.due.items()}
    # Counting does not see what the executions that go first set free.
    assert all(counted[kind] <= removed[kind] for kind in ArchiveKind)
    assert min(removed.values()) > 0
    after = await reads.balance()
    assert (after.quantity_sent, after.quantity_held) == (sums.quantity_sent, sums.quantity_held)
    assert (after.wrong_orders, after.archived) == (0, len(books.due[ArchiveKind.EXECUTIONS]))
    report = await run_audit(reads, None)
    assert (report.counts["quantity"], report.counts["archive_differs"]) == (0, 0)
    assert await file_problems(database, tmp_path) == {}
    assert not any((await archive_all(database, tmp_path)).values())


async def test_a_line_holds_every_digit_and_every_column(database: Database, tmp_path: Path) -> None:
    (one,) = await finished(database)
    await run_sql(database, "ALTER TABLE execution ADD COLUMN theirs text DEFAULT 'added'")
    await run_sql(
        database,
        "UPDATE execution SET quantity_ordered = 0.00000001, limit_price = 9999999999.99999999, "
        "quantity_filled = 0.00000001",
    )
    await archive_all(database, tmp_path)
    (path,) = files_in(tmp_path)
    row = msgspec.json.decode(gzip.decompress(path.read_bytes()))
    assert (row["quantity_ordered"], row["limit_price"]) == ("0.00000001", "9999999999.99999999")
    assert (row["theirs"], row["id"], row["order_id"]) == ("added", one, 1)
    assert (row["security_id"], row["destination"], row["execution_status"]) == ("S1", "ML", "FULL")
    assert datetime.fromisoformat(row["execution_timestamp"]) == OLD
    (manifest,) = files_in(tmp_path, "*.manifest.json")
    told = msgspec.json.decode(manifest.read_bytes())
    assert (told["file"]["rows"], told["file"]["firstExecutionId"], told["format"]) == (1, one, 1)
    assert path.stat().st_mode & 0o777 == 0o600


class Crash(BaseException):
    """The process dies here."""


class Trap:
    """Crashes at the n-th of the steps that it is built into."""

    def __init__(self, at: int) -> None:
        self.left = at

    def step(self) -> None:
        self.left -= 1
        if self.left == 0:
            raise Crash

    def around(self, call: Callable[..., Any]) -> Callable[..., Any]:
        """Before and after a call."""

        def trapped(*arguments: Any, **named: Any) -> Any:
            self.step()
            answer = call(*arguments, **named)
            self.step()
            return answer

        return trapped

    def around_async(self, call: Callable[..., Any]) -> Callable[..., Any]:
        async def trapped(*arguments: Any, **named: Any) -> Any:
            self.step()
            answer = await call(*arguments, **named)
            self.step()
            return answer

        return trapped


async def test_a_crash_at_any_moment_loses_nothing(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await finished(database, 3)
    before = await rows_here(database)
    moment, is_done = 0, False
    while not is_done:
        moment += 1
        with monkeypatch.context() as patched:
            trap = Trap(moment)
            patched.setattr(os, "fsync", trap.around(os.fsync))
            patched.setattr(Path, "replace", trap.around(Path.replace))
            patched.setattr(ArchiveFolder, "_read", trap.around(ArchiveFolder._read))
            patched.setattr(PostgresArchiveStore, "remove", trap.around_async(PostgresArchiveStore.remove))
            patched.setattr(archive_store, "record", trap.around_async(record))
            try:
                await archiver(database, tmp_path / str(moment)).run()
                is_done = True
            except Crash:
                pass
        filed = await rows_in_files(database, tmp_path / str(moment))
        if filed[ArchiveKind.EXECUTIONS]:
            is_done = True
        await check_kept(database, tmp_path / str(moment), before)
        if not is_done:
            left = len(files_in(tmp_path / str(moment)))
            # The next run goes on with what is there, here in a database that is put back afterwards.
            await completes(database, tmp_path / str(moment), before, left)
    assert moment > 15


async def completes(database: Database, folder: Path, before: Any, left: int) -> None:
    async with database.transaction() as session:
        rows = await session.connection.fetch("SELECT * FROM execution")
    await archive_all(database, folder)
    filed = await check_kept(database, folder, before)
    assert len(filed[ArchiveKind.EXECUTIONS]) == 3
    assert await file_problems(database, folder) == {}
    assert len(files_in(folder)) == max(left, 1)
    await run_sql(database, "DELETE FROM archived_execution")
    await run_sql(database, "DELETE FROM archive_file")
    for row in rows:
        names = ", ".join(row.keys())
        async with database.transaction() as session:
            places = ", ".join(f"${n}" for n in range(1, len(row) + 1))
            await session.connection.execute(f"INSERT INTO execution ({names}) VALUES ({places})", *row)


async def test_rows_that_change_meanwhile_stay(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = await finished(database, 2)
    read = ArchiveFolder.read

    async def changed(self: ArchiveFolder, file: Any) -> Any:
        await run_sql(database, "UPDATE execution SET quantity_filled = 3 WHERE id = :id", id=second)
        return await read(self, file)

    with monkeypatch.context() as patched:
        patched.setattr(ArchiveFolder, "read", changed)
        done = await archiver(database, tmp_path).run()
    assert (done[0].rows, done[0].left) == (0, 2)
    assert files_in(tmp_path) == []
    assert len((await rows_here(database))[ArchiveKind.EXECUTIONS]) == 2
    assert (await archive_all(database, tmp_path))[ArchiveKind.EXECUTIONS] == 2
    assert first in {int(i) for i in (await rows_in_files(database, tmp_path))[ArchiveKind.EXECUTIONS]}


async def test_a_file_of_another_database_is_left_alone(database: Database, tmp_path: Path) -> None:
    await finished(database, 2)
    await archive_all(database, tmp_path)
    (path,) = files_in(tmp_path)
    await run_sql(database, "DELETE FROM archived_execution")
    await run_sql(database, "DELETE FROM archive_file")
    await archive_all(database, tmp_path)
    assert path.exists()
    check = await verify(PostgresArchiveStore(database), ArchiveFolder(tmp_path))
    assert check.unregistered == [path.relative_to(tmp_path).as_posix()]
    assert check.problems == []


async def test_one_archives_at_a_time(database: Database, tmp_path: Path) -> None:
    store = PostgresArchiveStore(database)
    async with store.alone():
        with pytest.raises(ArchiveBusy):
            await archiver(database, tmp_path).run()
    await archiver(database, tmp_path).run()


async def test_archiving_holds_up_no_vacuum(database: Database) -> None:
    """A snapshot that is kept as long as a run lasts would keep every dead row of that time."""
    sql = (
        "SELECT backend_xmin FROM pg_stat_activity "
        "WHERE datname = current_database() AND state = 'idle in transaction'"
    )
    async with PostgresArchiveStore(database).alone(), database.session() as session:
        rows = await session.connection.fetch(sql)
    assert [row[0] for row in rows] == [None]


async def test_two_that_archive_at_once_remove_a_row_once(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As after a lost lock: what is removed is right without it."""
    await finished(database, 300)
    before = await rows_here(database)
    unlocked = PostgresArchiveStore(database)
    monkeypatch.setattr(archive_store, "ARCHIVE_LOCK", 1)
    first, second = archiver(database, tmp_path), archiver(database, tmp_path)

    class Alone:
        async def __aenter__(self) -> None: ...
        async def __aexit__(self, *_: object) -> None: ...

    monkeypatch.setattr(PostgresArchiveStore, "alone", lambda _: Alone())
    done = await asyncio.gather(first.run(), second.run())
    assert sum(one.rows for run in done for one in run) == 300
    await check_kept(database, tmp_path, before)
    assert await file_problems(database, tmp_path) == {}
    assert len(files_in(tmp_path)) == len([f async for f in unlocked.files()])


@pytest.mark.parametrize(
    ("damage", "problem"),
    [
        (lambda path: path.unlink(), "the file is missing"),
        (lambda path: path.write_bytes(path.read_bytes()[:-1]), "its SHA-256 is not"),
        (
            lambda path: path.write_bytes(path.read_bytes()[:40] + b"?" + path.read_bytes()[41:]),
            "its SHA-256",
        ),
        (lambda path: path.with_name(f"{path.name}.manifest.json").unlink(), "its manifest is missing"),
        (
            lambda path: path.with_name(f"{path.name}.manifest.json").write_text("{}"),
            "its manifest is missing",
        ),
    ],
)
async def test_damage_is_found(
    database: Database, tmp_path: Path, damage: Callable[[Path], object], problem: str
) -> None:
    await finished(database, 2)
    await archive_all(database, tmp_path)
    assert await file_problems(database, tmp_path) == {}
    (path,) = files_in(tmp_path)
    damage(path)
    found = await file_problems(database, tmp_path)
    assert found["executions"].startswith(problem)


async def test_executions_that_the_database_forgot_are_found(database: Database, tmp_path: Path) -> None:
    first, _ = await finished(database, 2)
    await archive_all(database, tmp_path)
    await run_sql(database, "DELETE FROM archived_execution WHERE id = :id", id=first)
    assert "does not have all" in (await file_problems(database, tmp_path))["executions"]
    report = await run_audit(PostgresAuditReads(database), None)
    assert (report.counts["archive_differs"], report.counts["quantity"]) == (1, 1)
