"""`trade-service db` on the embedded PostgreSQL and on the user's own."""

import json
import re
import signal
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import pytest

from tests.e2e.command import Cli
from tests.support import earlier
from tests.support.leftovers import passable_folder
from trade_service.store.migrate import revisions


@pytest.fixture
def data_dir() -> Iterator[Path]:
    """A data folder that the database's user can reach."""
    with passable_folder("tsdb") as folder:
        yield folder / "data"


def exists(folder: Path) -> bool:
    return folder.exists()


async def test_the_life_of_an_embedded_database(bare_cli: Cli, data_dir: Path) -> None:
    mine = bare_cli.under(TRADE_SERVICE_DATABASE_DATA_DIR=str(data_dir))
    before = await mine.run("db", "status")
    assert before.code == 0
    assert not exists(data_dir)
    assert "not created yet" in before.out
    migrated = await mine.run("db", "migrate")
    assert migrated.code == 0, migrated
    assert "Migrated from nothing to " in migrated.out
    async with await mine.start("db", "start") as running:
        line = await running.line_with("DATABASE_URL=")
        link = await asyncpg.connect(line.strip().partition("=")[2])
        assert await link.fetchval("SELECT count(*) FROM destination") == 6
        await link.close()
        status = await mine.run("db", "status")
        assert "up to date" in status.out
        assert "orders       0" in status.out
        in_use = await mine.run("db", "reset", "--yes")
        assert in_use.code == 2
        assert "in use" in in_use.complaint
        running.send(signal.SIGINT)
        assert (await running.ended()).code == 0
    unsure = await mine.run("db", "reset")
    assert unsure.code == 2
    assert "--yes" in unsure.complaint
    assert (await mine.run("db", "reset", "--yes")).code == 0
    assert not exists(data_dir)


async def test_the_users_own_database_is_not_ours_to_delete(cli: Cli) -> None:
    refused = await cli.run("db", "reset", "--yes")
    assert refused.code == 2
    assert "this is for the embedded PostgreSQL" in refused.complaint
    status = await cli.run("db", "status")
    assert status.code == 0
    assert "up to date" in status.out


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (("?", "?timezone=Nowhere/Foo&"), "TimeZone"),
        (("?", "?nonsense=1&"), "nonsense"),
        (("/DATABASE?", "/template0?"), "template0"),
    ],
)
async def test_an_address_that_the_server_refuses_is_explained_in_one_line(
    cli: Cli, change: tuple[str, str], words: str
) -> None:
    url = cli.environment["DATABASE_URL"]
    url = url if "?" in url else f"{url}?application_name=x"
    old = change[0].replace("DATABASE", url.partition("?")[0].rpartition("/")[2])
    ended = await cli.under(DATABASE_URL=url.replace(old, change[1], 1)).run("db", "status")
    assert ended.code == 2, ended
    assert "the database refused the connection" in ended.complaint
    assert words in ended.complaint


async def test_a_dry_run_prints_the_sql_and_the_locks_and_changes_nothing(
    bare_cli: Cli, empty_database_url: str
) -> None:
    await earlier.build(empty_database_url)
    before = await earlier.snapshot(empty_database_url)
    cli = bare_cli.under(DATABASE_URL=empty_database_url)

    printed = await cli.run("db", "migrate", "--dry-run")

    assert printed.code == 0, printed
    assert "ALTER TABLE execution ADD COLUMN" in " ".join(printed.out.split())
    assert "-- locks execution: AccessExclusiveLock, reads and writes wait" in printed.out
    assert re.search(
        r"-- from nothing to \d{4} in [\d,]+ ms; rolled back: nothing was changed\n$", printed.out
    )
    assert "migrations   none yet" in (await cli.run("db", "status")).out
    assert await earlier.snapshot(empty_database_url) == before


async def test_going_back_one_revision_asks_first_and_loses_no_row(cli: Cli) -> None:
    newest, previous = revisions()[:2]
    unasked = await cli.run("db", "migrate", "--to", previous)
    assert (unasked.code, "--yes" in unasked.complaint) == (2, True)
    back = await cli.run("db", "migrate", "--to", previous, "--yes")
    assert (back.code, back.out) == (0, f"Migrated from {newest} to {previous}.\n")
    assert f"at {previous}, this release needs {newest}" in (await cli.run("db", "status")).out
    forward = await cli.run("db", "migrate")
    assert (forward.code, forward.out) == (0, f"Migrated from {previous} to {newest}.\n")
    unknown = await cli.run("db", "migrate", "--to", "0000")
    assert unknown.code == 2
    assert "0000 is not one of head, " in unknown.complaint


async def test_a_legacy_database_is_checked_and_then_adopted(bare_cli: Cli, empty_database_url: str) -> None:
    cli = bare_cli.under(DATABASE_URL=empty_database_url)
    empty = await cli.run("db", "adopt", "--check")
    assert "no tables of the legacy service" in empty.complaint
    await earlier.build(empty_database_url)
    legacy = await asyncpg.connect(
        empty_database_url, server_settings={"application_name": "PostgreSQL JDBC Driver"}
    )
    beside = await cli.run("db", "adopt", "--check")
    assert beside.code == 2
    assert "stop all of it first" in beside.complaint
    await legacy.close()

    facts = json.loads((await cli.run("db", "adopt", "--check", "--json")).out)
    assert (facts["before"], facts["locks"]["execution"]) == (None, "AccessExclusiveLock")
    checked = await cli.run("db", "adopt", "--check")
    assert checked.code == 0, checked
    assert f"-- {len(earlier.UNPROVEN)} legacy executions would be unknown" in checked.out
    assert "none yet" in (await cli.run("db", "status")).out

    adopted = await cli.run("db", "adopt", "--yes")
    assert adopted.code == 0, adopted
    assert f"Migrated from nothing to {revisions()[0]}." in adopted.out
    again = await cli.run("db", "adopt", "--check")
    assert again.code == 2
    assert "has adopted the database already" in again.complaint
