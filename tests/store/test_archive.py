"""Archiving on PostgreSQL: what leaves, what stays, what is known of it, and what a crash at any moment leaves."""

import asyncio
import gzip
import os
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import asyncpg
import msgspec
import pytest

from tests.support.archives import (
    OLD,
    RETENTION,
    RandomBooks,
    archiver,
    attempt_id,
    check_kept,
    files_in,
    rows_here,
    rows_in_files,
)
from tests.support.attempts import FRESH, claimed, new_attempt
from tests.support.requesters import asked_by
from tests.support.rows import insert_executions, row_of, store_on
from tests.support.trading import desk_on, none_executions, run_sql, value_of
from trade_service.domain.access import KnownBy, Requester
from trade_service.domain.errors import InUse, NotFound
from trade_service.domain.executions import SubmissionState
from trade_service.store import archive_store
from trade_service.store.archive_folder import ArchiveFolder
from trade_service.store.archive_store import PostgresArchiveStore
from trade_service.store.audit_log_store import record
from trade_service.store.bulk_store import PostgresBulkSubmissionStore
from trade_service.store.database import Database
from trade_service.store.operator_store import PostgresOperatorStore
from trade_service.store.reports import PostgresAuditReads
from trade_service.store.row_changes import PostgresOrderChanges
from trade_service.submission.clock import SystemClock
from trade_service.submission.events import AlarmEvent
from trade_service.trading.archive_model import (
    ArchiveBusy,
    ArchiveKind,
)
from trade_service.trading.archive_reading import ArchiveQuery, search, verify
from trade_service.trading.archiving import (
    Archived,
)
from trade_service.trading.ledger_audit import run_audit
from trade_service.trading.requeueing import Requeue
from trade_service.trading.trading_settings import RetentionSettings

FULL = 4
ANN = Requester("ann", KnownBy.COMMAND, is_audited=True)


async def archive_all(database: Database, folder: Path) -> dict[ArchiveKind, int]:
    return {one.kind: one.rows for one in await archiver(database, folder).run()}


async def problems(database: Database, folder: Path) -> dict[str, str]:
    check = await verify(PostgresArchiveStore(database), ArchiveFolder(folder))
    return {one.name.partition("/")[0]: one.problem for one in check.problems}


async def finished(database: Database, count: int = 1, state: str = "accepted") -> list[int]:
    """Old executions that ended, of orders whose quantity they hold."""
    ids = await insert_executions(database, count, state)
    await run_sql(
        database,
        """UPDATE execution SET execution_timestamp = :old, execution_status_id = :full,
           execution_service_id = CASE WHEN submission_state = 'accepted' THEN 1000 + id END""",
        old=OLD, full=FULL,
    )  # fmt: skip
    return ids


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
    assert await problems(database, tmp_path) == {}
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
    assert row["execution_timestamp"] == OLD.isoformat()
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
    assert await problems(database, folder) == {}
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
    assert await problems(database, tmp_path) == {}
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
    assert await problems(database, tmp_path) == {}
    (path,) = files_in(tmp_path)
    damage(path)
    found = await problems(database, tmp_path)
    assert found["executions"].startswith(problem)


async def test_executions_that_the_database_forgot_are_found(database: Database, tmp_path: Path) -> None:
    first, _ = await finished(database, 2)
    await archive_all(database, tmp_path)
    await run_sql(database, "DELETE FROM archived_execution WHERE id = :id", id=first)
    assert "does not know all" in (await problems(database, tmp_path))["executions"]
    report = await run_audit(PostgresAuditReads(database), None)
    assert (report.counts["archive_differs"], report.counts["quantity"]) == (1, 1)


async def test_entries_leave_the_audit_log_only_with_their_file(database: Database, tmp_path: Path) -> None:
    entry = """INSERT INTO audit_log (at, actor, known_by, action, object)
               VALUES (:at, 'ann', 'none', 'submit', 'x')"""
    await run_sql(database, entry, at=OLD)
    await run_sql(database, entry, at=OLD)
    with asked_by(ANN):
        assert (await archive_all(database, tmp_path))[ArchiveKind.AUDIT_LOG] == 2
    kept = "SELECT array_agg(action || ' ' || object || ' ' || (details->>'rows')) FROM audit_log"
    assert await value_of(database, kept) == ["archive archiveFile 2"]
    file_id = await value_of(database, "SELECT max(id) FROM archive_file WHERE kind = 'audit_log'")
    for known in ("", str(file_id), "4711"):
        with pytest.raises(asyncpg.InsufficientPrivilegeError, match="append-only"):
            await delete_log(database, known)


async def delete_log(database: Database, file_id: str) -> None:
    async with database.transaction() as session:
        await session.connection.execute("SELECT set_config('trade_service.archive_file', $1, true)", file_id)
        await session.connection.execute("DELETE FROM audit_log")


async def test_a_fill_of_an_archived_execution_is_not_found_and_alarms(
    database: Database, tmp_path: Path
) -> None:
    async with desk_on(database) as desk:
        (one,) = await none_executions(desk, 1)
        await desk.executions.submit_execution(one)
        view = await desk.executions.fill(one, "FULL", Decimal(100), 2)
        await run_sql(database, "UPDATE execution SET execution_timestamp = :old", old=OLD)
        await run_sql(database, "UPDATE submission_attempt SET next_action_at = NULL")
        assert (await archive_all(database, tmp_path))[ArchiveKind.EXECUTIONS] == 1
        with pytest.raises(NotFound, match=f"archive search --execution {one}"):
            await desk.executions.fill(one, "CPART", Decimal(90), view.execution.version)
        with pytest.raises(NotFound):
            await desk.executions.fill(4711, "CPART", Decimal(90), 1)
        alarms = [event for event in desk.engine.events if isinstance(event, AlarmEvent)]
        assert [(alarm.code, alarm.execution_ids) for alarm in alarms] == [("FILL_OF_ARCHIVED", (one,))]
        assert "quantityFilled 90" in alarms[0].message
        again = await desk.executions.submit_execution(one)
        assert again.result.code == "ALREADY_ACCEPTED"
        assert len(desk.gateway.calls) == 1


async def test_an_order_with_archived_executions_stays(database: Database, tmp_path: Path) -> None:
    (one,) = await finished(database)
    order_id = (await row_of(database, "execution", one)).trade_order_id
    await archive_all(database, tmp_path)
    with pytest.raises(InUse):
        await PostgresOrderChanges(database).delete(order_id, 1)
    with pytest.raises(asyncpg.IntegrityConstraintViolationError):  # As a previous release would.
        await run_sql(database, "DELETE FROM trade_order WHERE id = :id", id=order_id)


async def test_a_bulk_submission_counts_archived_executions(database: Database, tmp_path: Path) -> None:
    accepted, rejected = await finished(database, 2)
    await run_sql(
        database,
        "UPDATE execution SET submission_state = 'rejected', execution_service_id = NULL WHERE id = :id",
        id=rejected,
    )
    await run_sql(
        database,
        "INSERT INTO bulk_submission (id, execution_ids) VALUES (:id, :ids)",
        id=attempt_id(1, OLD),
        ids=[accepted, rejected],
    )
    await archive_all(database, tmp_path)
    store = PostgresBulkSubmissionStore(database, store_on(database), "one")
    progress = await store.progress(attempt_id(1, OLD))
    assert (progress.successful, progress.failed, progress.pending) == (1, 1, 0)
    items = await store.items(attempt_id(1, OLD), range(2))
    assert [item.state for item in items] == [SubmissionState.ACCEPTED, SubmissionState.REJECTED]


async def test_a_requeue_whose_attempts_are_gone_reads_the_whole_ledger(
    database: Database, tmp_path: Path
) -> None:
    """Also where only the first of its attempts is gone: that one's low-water id was the lower."""
    gone, part, whole = await insert_executions(database, 3, "exhausted")
    insert = """INSERT INTO submission_attempt (id, state, owner, execution_ids, started_at, floor_id, epoch)
                VALUES (:id, 'answered', 'one', :ids, :at, :floor, :epoch)"""
    now = await value_of(database, "SELECT now()")
    await run_sql(database, insert, id=attempt_id(1, OLD), ids=[gone, part], at=OLD, floor=50, epoch=1)
    await run_sql(database, insert, id=attempt_id(2, now), ids=[part, whole], at=now, floor=70, epoch=2)
    await run_sql(database, "UPDATE downstream SET epoch = 2")
    newest = [attempt_id(n, now) for n in range(10_000, 11_000)]
    await run_sql(
        database,
        """INSERT INTO submission_attempt (id, state, owner, execution_ids)
           SELECT id, 'answered', 'one', '{}' FROM unnest(:ids::uuid[]) AS t(id)""",
        ids=newest,
    )
    await run_sql(database, "UPDATE trade_order SET quantity_sent = 0, submitted = false")
    retention = RetentionSettings(attempts_days=100, file_rows=100, busy_percent=100)
    done = await archiver(database, tmp_path, retention).run()
    assert {one.kind: one.rows for one in done if one.rows} == {ArchiveKind.ATTEMPTS: 1}
    store = PostgresOperatorStore(database, SystemClock(), 1, 2)
    results = await store.requeue([gone, part, whole], Requeue("ann", "why"))
    assert [one.error for one in results] == [None] * 3
    floors = {}
    for one in (gone, part, whole):
        attempt = await row_of(
            database, "submission_attempt", (await row_of(database, "execution", one)).attempt_id
        )
        floors[one] = attempt.floor_id, attempt.epoch
    assert floors == {gone: (0, 1), part: (0, 1), whole: (70, 2)}


async def test_an_open_execution_keeps_its_attempt(database: Database, tmp_path: Path) -> None:
    store = store_on(database)
    (one,) = await insert_executions(database, 1)
    attempt, _ = await claimed(store, [one])
    await run_sql(database, "UPDATE execution SET execution_timestamp = :old", old=OLD)
    await run_sql(database, "UPDATE submission_attempt SET started_at = :old", old=OLD)
    assert not any((await archive_all(database, tmp_path)).values())
    assert (await row_of(database, "submission_attempt", attempt.attempt_id)).state == "sent"
    assert (await store.claim(new_attempt(), [one], FRESH)).not_claimed[0].state is SubmissionState.CLAIMED


async def test_archived_rows_are_found(database: Database, tmp_path: Path) -> None:
    first, second = await finished(database, 2)
    evidence = """INSERT INTO submission_evidence (execution_id, found_at, source, code, state, message)
                  VALUES (:id, :at, 'fill', 'ACCEPTED_LATE', 'accepted', '')"""
    await run_sql(database, evidence, id=first, at=OLD)
    order = (await row_of(database, "execution", second)).trade_order_id
    await run_sql(
        database,
        """INSERT INTO audit_log (at, actor, known_by, action, object, object_ids)
           VALUES (:at, 'ann', 'none', 'update', 'tradeOrder', ARRAY[:id::int])""",
        at=OLD, id=order,
    )  # fmt: skip
    await archive_all(database, tmp_path)
    store = PostgresArchiveStore(database)

    async def found(query: ArchiveQuery) -> list[tuple[str, int]]:
        return [
            (file.kind, msgspec.json.decode(line)["id"])
            async for file, line in search(store, ArchiveFolder(tmp_path), query)
        ]

    assert await found(ArchiveQuery(execution_ids=frozenset([first]))) == [
        ("executions", first),
        ("evidence", 1),
    ]
    (service,) = await store.executions_accepted_as(1000 + second)
    assert service == second
    rows = await store.order(2)
    assert rows is not None
    assert rows.execution_ids == (second,)
    query = ArchiveQuery(execution_ids=frozenset(rows.execution_ids), trade_order_id=rows.trade_order_id)
    assert await found(query) == [("executions", second), ("audit_log", 1)]
    assert len(await found(ArchiveQuery(kinds=[ArchiveKind.EXECUTIONS], until=OLD))) == 0
    assert len(await found(ArchiveQuery(kinds=[ArchiveKind.EXECUTIONS], since=OLD))) == 2


def test_retention_of_every_kind_has_a_setting() -> None:
    assert {f"{kind}_days" for kind in ArchiveKind} <= set(RETENTION.__struct_fields__)
    assert Archived(ArchiveKind.ATTEMPTS, RetentionSettings().attempts_days).keep_days == 400
    assert RetentionSettings().executions_days == 0
