"""Adopting a legacy database in place: nothing is lost or removed."""

import asyncio
from collections.abc import AsyncIterator

import asyncpg
import msgspec
import pytest

from tests.support import earlier
from tests.support.database import TestServer
from tests.support.plans import Link
from trade_service.store import migrate as migrations
from trade_service.store.database import Database
from trade_service.store.migrate import check, migrate, preview, revisions
from trade_service.store.migrations import VERSION_TABLE, MigrationError
from trade_service.store.promises import OtherProgram
from trade_service.store.store_settings import StoreSettings

INDEXES = "SELECT indexname, indexdef FROM pg_indexes WHERE schemaname = 'public'"
COLUMNS = """
SELECT table_name, column_name, data_type, is_nullable, column_default, character_maximum_length
FROM information_schema.columns WHERE table_schema = 'public' AND table_name = ANY($1)
"""


@pytest.fixture
async def old_url(empty_database_url: str) -> str:
    """A legacy database with unusual rows of every kind."""
    await earlier.build(empty_database_url)
    return empty_database_url


@pytest.fixture
async def link(empty_database_url: str) -> AsyncIterator[Link]:
    connection = await asyncpg.connect(empty_database_url)
    yield connection
    await connection.close()


async def indexes(link: Link) -> dict[str, str]:
    return {row["indexname"]: row["indexdef"] for row in await link.fetch(INDEXES)}


async def columns(link: Link) -> set[tuple[object, ...]]:
    return {tuple(row) for row in await link.fetch(COLUMNS, list(earlier.TABLES))}


async def test_every_old_value_is_as_it_was(old_url: str, link: Link) -> None:
    before, shape = await earlier.snapshot(old_url), await columns(link)
    history = await link.fetch("SELECT * FROM flyway_schema_history")

    report = await migrate(old_url)

    assert (report.before, report.adopted_unknown) == (None, len(earlier.UNPROVEN))
    assert await earlier.snapshot(old_url) == before
    assert shape <= await columns(link)
    added = await columns(link) - shape
    assert all(nullable == "YES" or default is not None for _, _, _, nullable, default, _ in added)
    assert await link.fetch("SELECT * FROM flyway_schema_history") == history
    assert await migrate(old_url) == migrations.MigrationReport(report.after, report.after)


async def test_a_database_that_the_legacy_service_holds_is_not_adopted(old_url: str) -> None:
    before = await earlier.snapshot(old_url)
    legacy = await asyncpg.connect(old_url, server_settings={"application_name": "PostgreSQL JDBC Driver"})
    async with Database(StoreSettings(old_url)) as database:
        for adopting in (migrate(database), preview(database, lambda _: None)):
            with pytest.raises(OtherProgram, match="stop all of it first"):
                await adopting
        assert (await check(database)).current is None
        assert await earlier.snapshot(old_url) == before
        async with Database(msgspec.structs.replace(database.settings, refused_programs=())) as insisting:
            await migrate(insisting)
        # Later migrations may run while a tool with the same driver looks at the database.
        await migrate(database, target=revisions()[1])
        await migrate(database)
    await legacy.close()


async def test_what_is_proven_is_accepted_and_the_rest_unknown(old_url: str, link: Link) -> None:
    await migrate(old_url)
    rows = await link.fetch("SELECT id, submission_state FROM execution")
    states = {row["id"]: row["submission_state"] for row in rows}
    assert states == dict.fromkeys(earlier.PROVEN, "accepted") | dict.fromkeys(earlier.UNPROVEN, "unknown")
    (attempt,) = await link.fetch("SELECT * FROM submission_attempt")
    assert attempt["execution_ids"] == list(earlier.UNPROVEN)
    assert (attempt["floor_id"], attempt["adopted"], attempt["settle_ms"]) == (0, True, 60_000)
    assert attempt["settle_from"] == attempt["next_action_at"] <= await link.fetchval("SELECT now()")
    owners = await link.fetch("SELECT id, attempt_id, attempts_spent FROM execution")
    assert {row["id"] for row in owners if row["attempt_id"] == attempt["id"]} == set(earlier.UNPROVEN)
    assert all(row["attempts_spent"] == 0 for row in owners)


async def test_many_unproven_rows_share_attempts_of_bounded_size(old_url: str, link: Link) -> None:
    await link.execute(
        """INSERT INTO execution (id, execution_status_id, trade_order_id, destination_id, quantity_ordered,
                                  quantity_placed)
           SELECT n, 1, 1, 1, 1, 0 FROM generate_series(1001, 3500) n"""
    )
    await migrate(old_url)
    sizes = await link.fetch(
        "SELECT cardinality(execution_ids), id FROM submission_attempt ORDER BY execution_ids"
    )
    assert [row[0] for row in sizes] == [1000, 1000, 2500 + len(earlier.UNPROVEN) - 2000]
    owned = await link.fetchval(
        """SELECT count(*) FROM execution e JOIN submission_attempt a
           ON a.id = e.attempt_id AND e.id = ANY(a.execution_ids) WHERE e.submission_state = 'unknown'"""
    )
    assert owned == 2500 + len(earlier.UNPROVEN)


async def test_the_earlier_services_own_statements_still_work(old_url: str, link: Link) -> None:
    await migrate(old_url)
    order_id = await link.fetchval(earlier.INSERT_ORDER, 999)
    assert await link.execute(earlier.TAKE_QUANTITY, order_id, 40, 1) == "UPDATE 1"
    execution_id = await link.fetchval(earlier.INSERT_EXECUTION, order_id, 40)
    assert await link.execute(earlier.MARK_SENT, execution_id, 777, 1) == "UPDATE 1"
    assert await link.execute(earlier.FILL, execution_id, 15, 2) == "UPDATE 1"
    assert await link.execute(earlier.FILL, execution_id, 15, 2) == "UPDATE 0"
    row = await link.fetchrow(earlier.READ_EXECUTION, execution_id)
    assert row is not None
    assert (row["execution_service_id"], row["quantity_filled"], row["quantity_placed"]) == (777, 15, 40)
    assert await link.fetchval("SELECT submission_state FROM execution WHERE id = $1", execution_id) is None
    assert await link.execute(earlier.DELETE_EXECUTION, execution_id, 3) == "DELETE 1"
    assert await link.execute(earlier.DELETE_ORDER, order_id, 2) == "DELETE 1"
    # And on rows that were there before.
    assert await link.execute(earlier.MARK_SENT, 2, 778, 1) == "UPDATE 1"
    assert await link.execute(earlier.FILL, 6, 30, 3) == "UPDATE 1"
    assert await link.execute("delete from blotter where id = 3") == "DELETE 1"
    assert await link.fetchval("SELECT blotter_id FROM execution WHERE id = 3") is None


async def test_ids_go_on_behind_the_greatest(old_url: str, link: Link) -> None:
    """Rows copied with their ids leave the sequences behind, so the next insert would fail."""
    await migrate(old_url)
    assert await link.fetchval(earlier.INSERT_ORDER, 999) == 15
    assert await link.fetchval(earlier.INSERT_EXECUTION, 15, 1) == 16
    assert await link.fetchval("INSERT INTO blotter (abbreviation, name) VALUES ('X', 'X') RETURNING id") == 5


async def test_a_sequence_that_is_ahead_stays(old_url: str, link: Link) -> None:
    await link.execute("SELECT setval('execution_id_seq', 5000)")
    await migrate(old_url)
    assert await link.fetchval(earlier.INSERT_EXECUTION, 1, 1) == 5001


async def test_indexes_are_those_of_a_new_database(
    old_url: str, link: Link, postgres: TestServer, template_database: str
) -> None:
    secondary = await indexes(link)
    await migrate(old_url)
    async with postgres.database(template_database) as url:
        new = await asyncpg.connect(url)
        wanted = await indexes(new)
        await new.close()
    here = await indexes(link)
    constraints = {name for name in here if name.endswith("_pk")}  # The legacy names of primary keys.
    assert {name.removesuffix("_pk") + "_pkey" for name in constraints} | here.keys() - constraints == {
        *wanted,
        "flyway_schema_history_pkey",
        "flyway_schema_history_s_idx",
    }
    saved = await link.fetch("SELECT name, definition FROM adopted_index")
    dropped = {row["name"]: row["definition"] for row in saved}
    assert len(dropped) == earlier.SECONDARY_INDEXES
    assert dropped == {name: secondary[name] for name in secondary.keys() - here.keys()}


async def test_what_users_added_survives(old_url: str, link: Link) -> None:
    await link.execute(
        """CREATE VIEW open_orders AS SELECT * FROM trade_order WHERE NOT submitted;
           CREATE MATERIALIZED VIEW placed AS SELECT sum(quantity_placed) FROM execution;
           ALTER TABLE execution ADD COLUMN note text, ADD CONSTRAINT positive CHECK (quantity_ordered > 0);
           UPDATE execution SET note = 'mine' WHERE id = 3;
           ALTER TABLE trade_order ADD CONSTRAINT per_portfolio UNIQUE (portfolio_id, order_id);
           CREATE UNIQUE INDEX "One: service id" ON execution (execution_service_id);
           CREATE INDEX "Odd ""name"": ndx" ON execution ((quantity_ordered::float8)) WHERE limit_price > 1"""
    )
    await migrate(old_url)
    assert await link.fetchval("SELECT count(*) FROM open_orders") == 2
    await link.execute("REFRESH MATERIALIZED VIEW placed")
    assert await link.fetchval("SELECT note FROM execution WHERE id = 3") == "mine"
    here = await indexes(link)
    assert {"per_portfolio", "One: service id"} <= here.keys()
    assert 'Odd "name": ndx' not in here
    await settle_everything(link)
    await migrate(old_url, target="base")
    assert 'Odd "name": ndx' in await indexes(link)


async def test_there_and_back_and_there_again(old_url: str, link: Link) -> None:
    rows, shape, old_indexes = await earlier.snapshot(old_url), await columns(link), await indexes(link)
    await migrate(old_url)
    await migrate(old_url, target="base")
    assert await earlier.snapshot(old_url) == rows
    assert await columns(link) == shape
    assert {
        name: text for name, text in (await indexes(link)).items() if VERSION_TABLE not in name
    } == old_indexes
    tables = await link.fetch("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
    ours = {row[0] for row in tables} - {*earlier.TABLES, "flyway_schema_history"}
    assert ours == {VERSION_TABLE}
    # The legacy service sent one meanwhile.
    await link.execute(earlier.MARK_SENT, 2, 900, 1)
    assert (await migrate(old_url)).adopted_unknown == len(earlier.UNPROVEN) - 1


async def test_open_outcomes_forbid_the_way_back(old_url: str, link: Link) -> None:
    await migrate(old_url)
    await link.execute("UPDATE execution SET submission_state = 'claimed', attempt_id = NULL WHERE id = 3")
    with pytest.raises(MigrationError, match="1 executions are still queued"):
        await migrate(old_url, target="base")
    assert await link.fetchval("SELECT count(*) FROM submission_attempt") == 1


@pytest.mark.parametrize(
    "flyway",
    [None, tuple("1234567"), tuple("12345678"), ("1", "7", "7.1", "9")],
    ids=["none", "7", "8", "9"],
)
async def test_no_history_or_a_newer_one_is_adopted_by_its_tables(
    empty_database_url: str, flyway: tuple[str, ...] | None
) -> None:
    await earlier.build(empty_database_url, flyway=flyway)
    assert (await migrate(empty_database_url)).adopted_unknown == len(earlier.UNPROVEN)


@pytest.mark.parametrize(
    ("trouble", "complaint"),
    [
        ("DELETE FROM flyway_schema_history WHERE version = '7'", "shows version 6, and 7 is needed"),
        ("UPDATE flyway_schema_history SET success = false WHERE version = '7'", "migration 7 failed"),
        ("ALTER TABLE execution DROP COLUMN execution_service_id", "lacks execution.execution_service_id"),
        ("DROP TABLE execution", "lacks execution"),
        (
            "ALTER TABLE blotter ADD desk int NOT NULL DEFAULT 1; ALTER TABLE blotter ALTER desk DROP DEFAULT",
            "desk",
        ),
        (
            "DROP INDEX trade_order_order_id_ndx; UPDATE trade_order SET order_id = 102 WHERE id = 7",
            "102 more than",
        ),
    ],
)
async def test_what_cannot_be_adopted_is_left_as_it_is(
    old_url: str, link: Link, trouble: str, complaint: str
) -> None:
    await link.execute(trouble)
    catalogue = (
        "SELECT oid, relname, relnatts FROM pg_class WHERE relnamespace = 'public'::regnamespace ORDER BY 1"
    )
    before = await link.fetch(catalogue)
    with pytest.raises(MigrationError, match=complaint) as refused:
        await migrate(old_url)
    assert "othing was changed" in str(refused.value)
    assert await link.fetch(catalogue) == before


async def test_a_missing_unique_index_is_made(old_url: str, link: Link) -> None:
    await link.execute("DROP INDEX trade_order_order_id_ndx; CREATE INDEX plain ON trade_order (order_id)")
    await migrate(old_url)
    assert "UNIQUE" in (await indexes(link))["trade_order_order_id_ndx"]


async def test_many_processes_at_once_migrate_once(old_url: str, link: Link) -> None:
    reports = await asyncio.gather(*(migrate(old_url) for _ in range(4)))
    assert sorted(report.changed for report in reports) == [False, False, False, True]
    assert await link.fetchval("SELECT count(*) FROM submission_attempt") == 1
    database = Database(StoreSettings(old_url))
    assert not (await check(database)).pending
    await database.close()


async def test_tables_in_use_are_not_waited_for_long(
    old_url: str, link: Link, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(migrations, "LOCK_TIMEOUT_S", 0.2)
    async with link.transaction():
        await link.execute("LOCK TABLE execution IN ROW EXCLUSIVE MODE")
        with pytest.raises(MigrationError, match="Stop the legacy service"):
            await migrate(old_url)
    assert (await migrate(old_url)).changed


async def settle_everything(link: Link) -> None:
    """Ends every execution as recovery would after finding nothing."""
    await link.execute("UPDATE execution SET submission_state = 'none' WHERE submission_state = 'unknown'")
