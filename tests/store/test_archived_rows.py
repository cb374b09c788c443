"""What is known of rows that were archived: fills, orders, bulk submissions, requeues, the audit log, search."""

import asyncio
from decimal import Decimal
from pathlib import Path

import asyncpg
import msgspec
import pytest

from tests.support.archives import (
    FULL,
    OLD,
    RETENTION,
    archive_all,
    archiver,
    attempt_id,
    finished,
)
from tests.support.attempts import FRESH, claimed, new_attempt
from tests.support.requesters import asked_by
from tests.support.rows import insert_executions, row_of, store_on
from tests.support.trading import all_of, desk_on, none_executions, run_sql, value_of
from trade_service.domain.access import KnownBy, Requester
from trade_service.domain.errors import InUse, NotFound
from trade_service.domain.executions import SubmissionState
from trade_service.store.archive_folder import ArchiveFolder
from trade_service.store.archive_store import PostgresArchiveStore
from trade_service.store.bulk_store import PostgresBulkSubmissionStore
from trade_service.store.database import Database
from trade_service.store.migrate import migrate
from trade_service.store.migrations import MigrationError
from trade_service.store.operator_store import PostgresOperatorStore
from trade_service.store.reports import PostgresAuditReads
from trade_service.store.row_changes import PostgresOrderChanges
from trade_service.submission.clock import SystemClock
from trade_service.submission.events import AlarmEvent
from trade_service.submission.model import SubmitStatus
from trade_service.trading.archive_model import (
    ArchiveKind,
)
from trade_service.trading.archive_reading import ArchiveQuery, search
from trade_service.trading.archiving import (
    Archived,
)
from trade_service.trading.ledger_audit import run_audit
from trade_service.trading.requeueing import Requeue
from trade_service.trading.trading_settings import RetentionSettings

ANN = Requester("ann", KnownBy.COMMAND, is_audited=True)


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


async def test_submissions_go_on_beside_it(database: Database, tmp_path: Path) -> None:
    async with desk_on(database, batch_size=20) as desk:
        ids = [i for _ in range(4) for i in await none_executions(desk, 100)]
        await desk.executions.submit_executions(ids[:300])
        await run_sql(
            database,
            "UPDATE execution SET execution_timestamp = :old, execution_status_id = :full "
            "WHERE submission_state = 'accepted'",
            old=OLD, full=FULL,
        )  # fmt: skip
        orders = await desk.some_orders(100)
        results, submitted, done = await asyncio.gather(
            desk.executions.submit_executions(ids),
            desk.orders.submit_orders(all_of(orders)),
            archiver(database, tmp_path).run(),
        )
        assert done[0].rows == 300
        assert {one.status for one in results.results} == {SubmitStatus.SUCCESS}
        assert all(one.error is None for one in submitted)
        assert set(desk.gateway.times_accepted().values()) == {1}
        report = await run_audit(PostgresAuditReads(database), desk.gateway)
        assert (report.clean, report.downstream_rows, report.notes["archived"]) == (True, 500, 300)


async def test_there_is_no_way_back_once_something_was_archived(
    database: Database, database_url: str, tmp_path: Path
) -> None:
    await migrate(database_url, target="0011")
    await migrate(database_url)
    await finished(database)
    await archive_all(database, tmp_path)
    with pytest.raises(MigrationError, match="1 files of archived rows"):
        await migrate(database_url, target="0011")


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
