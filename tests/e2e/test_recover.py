"""`trade-service recover`: a restored, older database and the Execution Service's current ledger."""

import asyncio
import itertools
import json
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import pytest

from execution_simulator.server import RunningSimulator
from tests.e2e.command import Cli, Running, order
from tests.support.cluster import Cluster, base_backup, cluster, run_tool
from tests.support.database import TestServer
from tests.support.engine import executions_in
from tests.support.leftovers import passable_folder
from tests.support.trading import CONSERVATION, run_sql, value_of
from tests.web.live import Live, live_service
from trade_service.store.database import Database
from trade_service.store.execution_reads import PostgresExecutionReads
from trade_service.store.migrate import migrate
from trade_service.store.store_settings import StoreSettings
from trade_service.submission.clock import SystemClock

WHY = ("--reason", "restored the backup of 6:00", "--operator", "ann")
SUBMIT = "/api/v2/executions/submit"
READINESS = "/api/v1/health/readiness"
GIVE_UP_MS = 600_000
OPEN = "SELECT count(*) FROM execution WHERE submission_state IN ('queued', 'claimed', 'retry', 'unknown')"


@asynccontextmanager
async def pool_on(url: str) -> AsyncIterator[Database]:
    """A pool that is closed at the end: a database can only be copied while it has no connections."""
    database = Database(StoreSettings(url))
    try:
        yield database
    finally:
        await database.close()


async def leave_open(database: Database) -> None:
    """Queues executions 4 and 5 separately; 6 to 8 were never submitted. Nothing is due."""
    queued = await executions_in(database, 2)
    reads = PostgresExecutionReads(database, "gone", GIVE_UP_MS)
    for execution_id in queued:
        await reads.enqueue([execution_id], SystemClock().new_attempt_id())
    await run_sql(database, "UPDATE submission_attempt SET next_action_at = now() + interval '1 h'")
    assert queued + await executions_in(database, 3) == [4, 5, 6, 7, 8]


async def states(database: Database, *ids: int) -> list[str]:
    """Submission states in the order of the ids."""
    return [await value_of(database, f"SELECT submission_state FROM execution WHERE id = {i}") for i in ids]


async def url_of(running: Running) -> str:
    return (await running.line_with("Serving on ")).split()[2].rstrip(";")


async def ask(url: str, body: Any = None) -> Any:
    """The answer to a POST of `body`, or to a GET."""
    async with (
        aiohttp.ClientSession() as session,
        session.request("GET" if body is None else "POST", url, json=body) as answer,
    ):
        return await answer.json()


async def accepted_before_the_backup(cli: Cli) -> None:
    assert (await cli.run("submit", "--yes", cli.write(*(order(n) for n in (1, 2, 3))))).code == 0


async def accepted_after_the_backup(cli: Cli) -> None:
    assert (await cli.run("submit", "--yes", cli.write(order(101), order(102), name="later.csv"))).code == 0


async def test_nothing_is_sent_until_a_restored_database_is_recovered(
    cli: Cli, postgres: TestServer, database_url: str, simulator: RunningSimulator
) -> None:
    await accepted_before_the_backup(cli)
    async with pool_on(database_url) as database:
        await leave_open(database)
    async with postgres.database(urlsplit(database_url).path[1:]) as backup, pool_on(backup) as restored:
        async with await cli.start("serve", "--port", "0") as first:
            answer = await ask(f"{await url_of(first)}{SUBMIT}", {"executionIds": [4, 6]})
            assert answer["successful"] == 2, answer
        await accepted_after_the_backup(cli)
        assert sorted(simulator.ledger.accepted_counts()) == [1, 2, 3, 4, 6, 9, 10]
        await run_sql(restored, "UPDATE submission_attempt SET next_action_at = now() WHERE state = 'queued'")

        cli = cli.under(DATABASE_URL=backup)
        async with await cli.start("serve", "--port", "0") as running:
            url = await url_of(running)
            await _held_back(url, simulator, restored)
            await _recovered(cli, restored)
            async with asyncio.timeout(60):
                while (await states(restored, 4, 5, 6, 7, 8)) != ["accepted"] * 4 + ["none"]:
                    await asyncio.sleep(0.1)
            assert "message" not in await ask(f"{url}{READINESS}")
            (new_id,) = await executions_in(restored, 1)
            assert (await ask(f"{url}{SUBMIT}", {"executionIds": [new_id]}))["successful"] == 1
        assert new_id > 10, "ids assigned by the lost state of the database are not assigned again"
        counts = simulator.ledger.accepted_counts()
        assert counts == dict.fromkeys([1, 2, 3, 4, 5, 6, 7, 9, 10, new_id], 1)
        for execution_id in (4, 5, 6, 7):
            (row,) = simulator.ledger.get(execution_id)
            held = f"SELECT execution_service_id FROM execution WHERE id = {execution_id}"
            assert await value_of(restored, held) == row.id
        assert await value_of(restored, CONSERVATION) == 0
        audit = await cli.run("audit", "--json")
        assert audit.code == 0, audit
        report = json.loads(audit.out)
        assert (report["clean"], report["notes"]["foreign"]) == (True, 2), report


@pytest.mark.parametrize("sign", ["held as not sent", "not made"])
async def test_one_sign_of_an_older_database_is_enough(
    cli: Cli, postgres: TestServer, database_url: str, simulator: RunningSimulator, sign: str
) -> None:
    await accepted_before_the_backup(cli)
    async with pool_on(database_url) as database:
        await leave_open(database)
    async with postgres.database(urlsplit(database_url).path[1:]) as backup, pool_on(backup) as restored:
        if sign == "not made":
            await accepted_after_the_backup(cli)
        else:
            async with await cli.start("serve", "--port", "0") as first:
                await ask(f"{await url_of(first)}{SUBMIT}", {"executionIds": [4, 6]})
        assert simulator.ledger.total == 5
        await run_sql(restored, "UPDATE submission_attempt SET next_action_at = now() WHERE state = 'queued'")
        async with await cli.under(DATABASE_URL=backup).start("serve", "--port", "0") as running:
            await _held_back(await url_of(running), simulator, restored)


async def _held_back(url: str, simulator: RunningSimulator, restored: Database) -> None:
    """Readiness names the command; due and new executions wait."""
    calls = simulator.calls["batch"]
    report = await ask(f"{url}{READINESS}")
    assert "trade-service recover" in report["message"]
    assert report["components"]["submission"]["status"] == "OUT_OF_SERVICE"
    (result,) = (await ask(f"{url}{SUBMIT}", {"executionIds": [7]}))["results"]
    assert result["code"] == "LEDGER_CLOSED"
    assert "trade-service recover" in result["message"]
    assert simulator.calls["batch"] == calls
    assert await states(restored, 4, 5, 6, 7, 8) == ["queued", "queued", "none", "queued", "none"]


async def _recovered(cli: Cli, restored: Database) -> None:
    """The command shows what it would do, asks, does it once, and audits."""
    dry = await cli.run("recover", "--dry-run")
    assert dry.code == 0, dry
    assert "3 queued" in dry.out
    assert "2 none" in dry.out
    assert "nothing was changed" in dry.out
    asked = await cli.run("recover", *WHY)
    assert (asked.code, "give --yes" in asked.complaint) == (2, True), asked
    unexplained = await cli.run("recover", "--yes")
    assert (unexplained.code, "reason" in unexplained.complaint) == (2, True), unexplained
    assert await states(restored, 4, 5, 6, 7, 8) == ["queued", "queued", "none", "queued", "none"]

    done = await cli.run("recover", "--yes", *WHY)
    assert (done.code, "5 executions are unknown now" in done.out) == (0, True), done
    shown = (await cli.run("show", "5")).out
    assert "RECOVERED by ann" in shown
    recorded = "SELECT known_by || cardinality(object_ids) FROM audit_log WHERE action = 'recover'"
    assert await value_of(restored, recorded) == "command5"
    assert "restored the backup of 6:00" in shown


async def test_a_restored_database_without_open_executions_continues_without_recovery(
    cli: Cli, postgres: TestServer, database_url: str, simulator: RunningSimulator
) -> None:
    await accepted_before_the_backup(cli)
    async with postgres.database(urlsplit(database_url).path[1:]) as backup:
        await accepted_after_the_backup(cli)
        cli = cli.under(DATABASE_URL=backup)
        async with await cli.start("serve", "--port", "0") as running, pool_on(backup) as restored:
            url = await url_of(running)
            assert "message" not in await ask(f"{url}{READINESS}")
            ids = await executions_in(restored, 2)
            assert (await ask(f"{url}{SUBMIT}", {"executionIds": ids}))["successful"] == 2
            audit = await cli.run("audit")
        assert audit.code == 0, audit
    assert min(ids) > 5, "the lost state of the database had assigned 4 and 5"
    assert simulator.ledger.accepted_counts() == dict.fromkeys([1, 2, 3, 4, 5, *ids], 1)


class Load:
    """Clients that submit batches until `stop` is set."""

    def __init__(self, live: Live) -> None:
        self._live = live
        self._order_ids = itertools.count(1_000_000)
        self.stop = asyncio.Event()

    async def run(self) -> None:
        async with asyncio.TaskGroup() as group:
            for _ in range(3):
                group.create_task(self._submit())

    async def _submit(self) -> None:
        while not self.stop.is_set():
            order_ids = [await self._live.order(orderId=next(self._order_ids)) for _ in range(5)]
            answer = await self._live.batch(*((one, 100) for one in order_ids))
            assert answer.status in (200, 207), answer.raw


async def backed_up(primary: Cluster, simulator: RunningSimulator) -> tuple[Path, Cluster]:
    """A dump and a base backup, taken while executions are sent; 4 and 6 are sent after both."""
    dump = primary.folder / "trades.dump"
    async with live_service(primary.url, simulator) as live, asyncio.TaskGroup() as group:
        load = Load(live)
        group.create_task(load.run())
        await simulator.accepted_reached(50, 60)
        await run_tool(primary.binaries, "pg_dump", "--format=custom", f"--file={dump}", primary.url)
        await simulator.accepted_reached(simulator.ledger.total + 20, 60)
        copy = await base_backup(primary, "restored")
        await simulator.accepted_reached(simulator.ledger.total + 20, 60)
        load.stop.set()
        answer = await live.client.post(SUBMIT, {"executionIds": [4, 6]})
        assert answer.body["successful"] == 2, answer.body
    return dump, copy


@pytest.mark.long
async def test_a_dump_and_a_base_backup_taken_under_load_are_recovered(
    cli: Cli, simulator: RunningSimulator
) -> None:
    simulator.faults = {"reset_after": 0.1, "error_500_partial": 0.1}
    with passable_folder("tsbk") as folder:
        async with cluster(folder, {"wal_level": "replica", "max_wal_senders": "4"}) as primary:
            await migrate(primary.url)
            await accepted_before_the_backup(cli.under(DATABASE_URL=primary.url))
            async with pool_on(primary.url) as database:
                await leave_open(database)
            dump, copy = await backed_up(primary, simulator)
        assert set(simulator.ledger.accepted_counts().values()) == {1}
        simulator.faults = {}
        try:
            await copy.start({})
            await copy.ask("CREATE DATABASE dumped")
            dumped = copy.url.replace("/postgres?", "/dumped?")
            await run_tool(copy.binaries, "pg_restore", "--exit-on-error", f"--dbname={dumped}", str(dump))
            for url in (dumped, copy.url):
                await _recovers(cli.under(DATABASE_URL=url), simulator, url)
        finally:
            copy.kill()


async def _recovers(cli: Cli, simulator: RunningSimulator, url: str) -> None:
    """A restored database sends nothing, until it is recovered; then nothing twice."""
    async with pool_on(url) as restored:
        await run_sql(restored, "UPDATE submission_attempt SET next_action_at = now() WHERE state = 'queued'")
        async with await cli.start("serve", "--port", "0") as running:
            await _held_back(await url_of(running), simulator, restored)
            done = await cli.run("recover", "--yes", *WHY)
            assert done.code == 0, done
            async with asyncio.timeout(60):
                while await value_of(restored, OPEN):
                    await asyncio.sleep(0.1)
            running.send(signal.SIGTERM)
            assert "DATABASE_RESTORED" in (await running.ended()).err
        assert set(simulator.ledger.accepted_counts().values()) == {1}
        assert await value_of(restored, CONSERVATION) == 0
        audit = await cli.run("audit", "--json")
        assert (audit.code, json.loads(audit.out)["clean"]) == (0, True), audit


async def test_a_ledger_that_cannot_be_read_changes_nothing(cli: Cli, database_url: str) -> None:
    async with pool_on(database_url) as database:
        await executions_in(database, 1)
        await run_sql(database, "UPDATE downstream SET blocked_at = now(), blocked_reason = 'restored'")
        away = cli.under(EXECUTION_SERVICE_BASE_URL="http://127.0.0.1:9")
        ended = await away.run("recover", "--yes", *WHY)
        assert (ended.code, "could not be read" in ended.complaint) == (2, True), ended
        assert await states(database, 1) == ["none"]
        assert await value_of(database, "SELECT blocked_reason FROM downstream") == "restored"
