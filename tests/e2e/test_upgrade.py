"""Upgrades and ways back of a database of the last release, while replicas of that release work on it."""

import asyncio
import itertools
import json
import re
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import uuid4

import asyncpg
import pytest

from tests.e2e.command import Cli
from tests.support.plans import Link, store_statements
from tests.support.trading import CONSERVATION, value_of
from trade_service.store.database import Database
from trade_service.store.migrate import revisions
from trade_service.store.statements import Statement
from trade_service.store.store_settings import StoreSettings

GOLDEN = Path(__file__).parents[1] / "golden"
RELEASE = "release_0_1_0"
ITS_REVISION = "0013"
NEW = {"submission.claim", "audit_runs.get"}
"""Statements of this release that a database of the last one cannot serve."""
CLIENTS = 4
ROUNDS = 5
"""Of each client before, during and after a migration."""
LONGEST_WAIT_S = 15.0
"""Half of a statement's time-out; on a machine without other work it is a fraction of a second."""
LIMIT_S = 60.0
CATALOGUE = """
SELECT c.relname || ' ' || array_to_string(c.reloptions, ',') FROM pg_class c
WHERE c.relnamespace = 'public'::regnamespace AND c.reloptions IS NOT NULL
UNION ALL
SELECT concat_ws(' ', table_name, column_name, data_type, is_nullable, column_default, character_maximum_length)
FROM information_schema.columns WHERE table_schema = 'public'
UNION ALL
SELECT indexdef FROM pg_indexes WHERE schemaname = 'public'
UNION ALL
SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE connamespace = 'public'::regnamespace
"""
_CALLER = {"actor": "ann", "known_by": "api-key", "address": None, "request_id": None, "is_audited": True}
_ANSWER = {
    "kind": "answered",
    "code": "OK",
    "message": "",
    "http_status": 201,
    "duration_ms": 1,
    "next_batch_size": None,
}
_SLICE = {
    "quantities": "{10}", "destination_ids": "{1}", "owner": "old", "lease_ms": 60_000, "settle_ms": 1_000,
    "epoch": 1, "give_up_after_ms": 60_000, "counted": 0, "submitted_when_left": Decimal("0.01"),
    "each_alone": False, "status_id": 1, "type_names": ["BUY"], "type_ids": [1], "asked_by": "{1}",
    "actors": ["ann"], "known_by": ["none"], "addresses": [None], "request_ids": [None], "is_audited": True,
}  # fmt: skip


def statements() -> dict[str, Statement]:
    """The hot statements of the last release by name."""
    text = (GOLDEN / f"{RELEASE}_statements.sql").read_text("utf-8")
    _, *parts = re.split(r"^-- name: (\w+)$", text, flags=re.MULTILINE)
    return {
        name: Statement.parsed(sql.strip().removesuffix(";"))
        for name, sql in zip(parts[::2], parts[1::2], strict=True)
    }


class OldReplica:
    """Creates, sends and fills executions with the last release's statements until `stop` is set."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._sql = statements()
        self._numbers = itertools.count(1_000)
        self.stop = asyncio.Event()
        self.rounds = [0] * CLIENTS
        self.slowest_s = 0.0
        self.used: set[str] = set()
        self.filled: list[int] = []

    async def run(self) -> None:
        async with asyncio.TaskGroup() as group:
            for client in range(CLIENTS):
                group.create_task(self._client(client))

    async def more_rounds(self) -> None:
        """Waits until each client has gone all the way a few times more."""
        before = list(self.rounds)
        async with asyncio.timeout(LIMIT_S):
            while any(now < then + ROUNDS for now, then in zip(self.rounds, before, strict=True)):
                await asyncio.sleep(0.01)

    async def _client(self, client: int) -> None:
        while not self.stop.is_set():
            await self._round()
            self.rounds[client] += 1

    async def _fetch(self, name: str, **values: object) -> list[Any]:
        began = time.monotonic()
        rows = await self._database.fetch(self._sql[name], **values)
        self.slowest_s = max(self.slowest_s, time.monotonic() - began)
        self.used.add(name)
        return list(rows)

    async def _round(self) -> None:
        """The way of one execution from its order to its fill, and what recovery and the gauges ask meanwhile."""
        number = next(self._numbers)
        new: dict[str, list[object]] = {
            "order_ids": [number], "portfolio_ids": ["P"], "order_types": ["BUY"], "security_ids": ["S"],
            "quantities": [Decimal(10)], "limit_prices": [None], "trade_timestamps": [None], "blotter_ids": [None],
        }  # fmt: skip
        ((order_id, *_),) = await self._fetch("insert_orders", **new, **_CALLER)
        attempt_id = str(uuid4())
        (sliced,) = await self._fetch(
            "slice_and_claim", order_ids=f"{{{order_id}}}", attempt_id=attempt_id, **_SLICE
        )
        assert sliced["verdict"] is None
        execution_id = sliced[2]
        (accepted,) = await self._fetch(
            "record_accepted", ids=f"{{{execution_id}}}", service_ids=f"{{{number}}}", attempt_id=attempt_id,
            status_new=1, status_sent=2, top_id=number, **_ANSWER,
        )  # fmt: skip
        assert len(await self._fetch("known_orders", order_ids=[number])) == 1
        assert len(await self._fetch("executions_of", ids=[order_id])) == 1
        assert len(await self._fetch("read", ids=[execution_id], status_new_name="NEW")) == 1
        (filled,) = await self._fetch(
            "fill", id=execution_id, version=accepted["version"], quantity_filled=Decimal(10), status_id=4,
            look_up_id=str(uuid4()), owner="old", settle_ms=1_000, submitted_when_left=Decimal("0.01"),
            status_new_name="NEW", **_CALLER,
        )  # fmt: skip
        assert filled["state_before"] == "accepted"
        self.filled.append(execution_id)
        assert await self._fetch("take_due", owner="old", limit=10, hold_ms=1, grace_ms=1) == []
        await self._fetch("open_items", ids=[execution_id], attempt_ids=[attempt_id])
        (state,) = await self._fetch("states", ids=[execution_id])
        assert state[0] == "accepted"
        await self._fetch("backlog", attempts=10)
        await self._fetch("read_downstream")


@asynccontextmanager
async def at_work(url: str) -> AsyncIterator[OldReplica]:
    """A replica of the last release; raises what it met."""
    async with Database(StoreSettings(url, pool_size=CLIENTS)) as database, asyncio.TaskGroup() as group:
        replica = OldReplica(database)
        group.create_task(replica.run())
        try:
            yield replica
        finally:
            replica.stop.set()


async def rows(link: Link) -> dict[str, list[dict[str, Any]]]:
    """All rows of the tables of the last release."""
    dump = (GOLDEN / f"{RELEASE}.sql").read_text("utf-8")
    tables = set(re.findall(r"^INSERT INTO public\.(\w+)", dump, re.M)) - {"trade_service_alembic_version"}
    return {
        table: [json.loads(row[0]) for row in await link.fetch(f"SELECT to_jsonb(t)::text FROM {table} t")]
        for table in tables
    }


def kept(before: dict[str, list[dict[str, Any]]], now: dict[str, list[dict[str, Any]]]) -> bool:
    """Whether all rows are there with their values, whatever was added."""
    return all(
        any(row.items() <= one.items() for one in _hashable(now[table]))
        for table, found in before.items()
        for row in _hashable(found)
    )


def _hashable(found: list[dict[str, Any]]) -> list[dict[str, str]]:
    return [{name: json.dumps(value) for name, value in row.items()} for row in found]


async def missing(link: Link) -> set[str]:
    """The statements of this release that need what the database lacks."""
    found = set()
    for name, statement in store_statements().items():
        try:
            await link.prepare(statement.text)
        except (asyncpg.UndefinedTableError, asyncpg.UndefinedColumnError):
            found.add(name)
    return found


@pytest.fixture
async def link(empty_database_url: str) -> AsyncIterator[Link]:
    """A connection to a database of the last release."""
    connection = await asyncpg.connect(empty_database_url)
    await connection.execute((GOLDEN / f"{RELEASE}.sql").read_text("utf-8"))
    yield connection
    await connection.close()


@pytest.mark.long
async def test_the_last_release_works_on_during_an_upgrade_and_the_way_back(
    bare_cli: Cli, empty_database_url: str, link: Link
) -> None:
    cli = bare_cli.under(DATABASE_URL=empty_database_url)
    newest = revisions()[0]
    before, shape = await rows(link), sorted(row[0] for row in await link.fetch(CATALOGUE))
    assert await missing(link) >= NEW

    async with at_work(empty_database_url) as replica:
        await replica.more_rounds()
        upgraded = await cli.run("db", "migrate")
        assert upgraded.out == f"Migrated from {ITS_REVISION} to {newest}.\n", upgraded
        await replica.more_rounds()
        assert await missing(link) == set()
        assert kept(before, await rows(link))

        back = await cli.run("db", "migrate", "--to", ITS_REVISION, "--yes")
        assert back.out == f"Migrated from {newest} to {ITS_REVISION}.\n", back
        await replica.more_rounds()

    assert replica.used == statements().keys()
    assert replica.slowest_s < LONGEST_WAIT_S
    assert sorted(row[0] for row in await link.fetch(CATALOGUE)) == shape
    assert await missing(link) >= NEW
    after = await rows(link)
    assert kept(before, after)
    async with Database(StoreSettings(empty_database_url)) as database:
        assert await value_of(database, CONSERVATION) == 0
    filled = {one["id"] for one in after["execution"] if one["quantity_filled"] == 10}
    assert filled == set(replica.filled)
