"""`trade-service db` on the embedded PostgreSQL and on the user's own."""

import signal
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import pytest

from tests.e2e.command import Cli
from tests.support.leftovers import passable_folder


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
