"""`trade-service archive` as a process: it is killed in the middle, and nothing is lost."""

import asyncio
import json
import random
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from execution_simulator.server import RunningSimulator
from tests.e2e.command import Cli, Running, order
from tests.support.archives import check_kept, files_in, finished, rows_here, rows_in_files
from tests.support.trading import run_sql, value_of
from trade_service.store.database import Database
from trade_service.trading.archive_model import (
    ArchiveKind,
)

AGE = "now() - interval '500 days'"
FULL = 4


@pytest.fixture
def archiving(cli: Cli, tmp_path: Path) -> Cli:
    return cli.under(
        TRADE_SERVICE_RETENTION_EXECUTIONS_DAYS="400",
        TRADE_SERVICE_RETENTION_AUDIT_LOG_DAYS="400",
        TRADE_SERVICE_RETENTION_ARCHIVE_DIR=str(tmp_path / "archive"),
        TRADE_SERVICE_RETENTION_FILE_ROWS="100",
        TRADE_SERVICE_RETENTION_BUSY_PERCENT="100",
    )


async def traded(cli: Cli, database: Database, count: int) -> None:
    """Submits a blotter, and lets it be finished long ago."""
    ended = await cli.run("submit", "--yes", cli.write(*(order(n) for n in range(1, count + 1))))
    assert ended.code == 0, ended
    await run_sql(
        database,
        f"""UPDATE execution SET execution_timestamp = {AGE}, execution_status_id = {FULL},
            quantity_filled = quantity_ordered""",
    )


async def test_what_was_archived_is_audited_verified_and_found(
    archiving: Cli, simulator: RunningSimulator, database: Database, tmp_path: Path
) -> None:
    await traded(archiving, database, 250)
    asked = await archiving.run("archive")
    assert asked.code == 2
    assert "give --yes" in asked.complaint
    dry = await archiving.run("archive", "--dry-run", "--json")
    assert {one["kind"]: one["rows"] for one in json.loads(dry.out)}["executions"] == 250
    assert not (tmp_path / "archive").exists()
    done = await archiving.run("archive", "--yes")
    assert done.code == 0, done
    assert await value_of(database, "SELECT count(*) FROM execution") == 0

    audited = json.loads((await archiving.run("audit", "--json")).out)
    # A call that a busy machine delayed leaves a note of its own.
    assert (audited["clean"], audited["downstreamRows"], audited["notes"]["archived"]) == (True, 250, 250)
    assert (audited["balance"]["archived"], audited["balance"]["quantityHeld"]) == (250, "25000.00000000")
    text = await archiving.run("audit")
    assert "250 archived" in text.out

    verified = await archiving.run("archive", "verify")
    assert (verified.code, "All are intact" in verified.out) == (0, True), verified
    found = await archiving.run("archive", "search", "--order", "7", "--kind", "executions")
    (line,) = found.out.splitlines()
    row = json.loads(line)["row"]
    assert (row["order_id"], row["quantity_ordered"], row["execution_status"]) == (7, "100.00000000", "FULL")
    by_id = await archiving.run("archive", "search", "--service-id", str(row["execution_service_id"]))
    assert line in by_id.out
    assert (await archiving.run("archive", "search", "--execution", "4711")).out == ""
    document = json.loads(
        (await archiving.run("archive", "search", "--order", "7", "--limit", "1", "--json")).out
    )
    assert (document["rows"][0]["row"]["order_id"], document["more"]) == (7, False)

    again = await archiving.run("submit", "--yes", "--json", archiving.write(order(7)))
    assert again.code == 0, again
    assert simulator.ledger.total == 250

    files_in(tmp_path / "archive")[0].write_bytes(b"")
    damaged = await archiving.run("archive", "verify", "--json")
    assert (damaged.code, len(json.loads(damaged.out)["problems"])) == (1, 1)


async def test_ledger_rows_that_differ_from_archived_executions_are_found(
    archiving: Cli, database: Database
) -> None:
    await traded(archiving, database, 5)
    assert (await archiving.run("archive", "--yes")).code == 0
    await run_sql(database, "UPDATE archived_execution SET execution_service_id = 999 WHERE id = 1")
    await run_sql(database, "UPDATE archived_execution SET quantity_ordered = 99 WHERE id = 2")
    await run_sql(database, "UPDATE archived_execution SET submission_state = 'rejected' WHERE id = 3")
    report = json.loads((await archiving.run("audit", "--json")).out)
    counts = {kind: count for kind, count in report["counts"].items() if count}
    assert counts == {"different": 2, "extra_downstream": 1, "quantity": 2}


async def test_show_names_the_archive_where_attempts_are_gone(cli: Cli, database: Database) -> None:
    (one,) = await finished(database)
    shown = (await cli.run("show", str(one))).out
    assert f"`trade-service archive search --execution {one}`" in shown
    assert "never sent" not in shown


async def test_it_is_killed_again_and_again(archiving: Cli, database: Database, tmp_path: Path) -> None:
    await run_sql(
        database,
        """INSERT INTO trade_order (order_id, portfolio_id, order_type, security_id, quantity, quantity_sent)
           SELECT n, 'P', 'BUY', 'S', 10, 10 FROM generate_series(1, 30000) n""",
    )
    await run_sql(
        database,
        f"""INSERT INTO execution (execution_timestamp, execution_status_id, trade_type_id, trade_order_id,
                destination_id, quantity_ordered, quantity_placed, submission_state, execution_service_id)
            SELECT {AGE} + n * interval '1 s', {FULL}, 1, n, 1, 10, 10, 'accepted', n
            FROM generate_series(1, 30000) n""",
    )
    before, folder, rng = await rows_here(database), tmp_path / "archive", random.Random(7)
    kills, moment = 0, datetime.now(UTC)
    while await value_of(database, "SELECT EXISTS (SELECT FROM execution)"):
        async with await archiving.start("archive", "--yes") as running:
            kills += await killed(running, folder, rng)
        await check_kept(database, folder, before)
        assert datetime.now(UTC) - moment < timedelta(minutes=2)
    assert kills >= 3
    assert (await archiving.run("archive", "--yes")).code == 0
    filed = await rows_in_files(database, folder)
    assert len(filed[ArchiveKind.EXECUTIONS]) == 30_000
    assert (await archiving.run("archive", "verify")).code == 0
    assert (await archiving.run("audit", "--no-downstream")).code == 0


async def killed(running: Running, folder: Path, rng: random.Random) -> bool:
    """Kills it soon after it has written some more files; False if it ended before."""
    process, limit = running.process, len(files_in(folder)) + rng.randrange(5, 80)
    while process.returncode is None and len(files_in(folder)) < limit:
        await asyncio.sleep(0.005)
    await asyncio.sleep(rng.random() / 50)
    if process.returncode is not None:
        return False
    process.kill()
    await process.wait()
    return True
