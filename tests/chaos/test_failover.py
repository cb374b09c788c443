"""A synchronous standby is promoted under load: what was committed is there, nothing is lost or sent twice.

The primary's own setting, `local`, would not wait for the standby: the service raises it.
"""

import asyncio
import os
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import asyncpg
import pytest

from execution_simulator.server import SimulatorSettings, running_simulator
from tests.chaos.relay import Address, Relay
from tests.support.cluster import STANDBY, USER, Cluster, cluster, standby_of
from tests.support.leftovers import passable_folder
from tests.support.trading import CONSERVATION
from tests.web.live import Live, live_service
from trade_service.store.migrate import migrate

ROUNDS = int(os.environ.get("FAILOVER_ROUNDS", "1"))
HEALED_WITHIN_S = 2.0
LIMIT_S = 30.0
ORDERS = 1_000
CLIENTS = 6
AT_ONCE = 5
SENT_BEFORE = 200
STUCK_S = 1.0
"""Longer than a call and its record when commits do not wait."""
POLL_S = 0.01
PRIMARY = {"wal_level": "replica", "max_wal_senders": "4", "synchronous_commit": "local"}
READINESS = "/api/v1/health/readiness"
OPEN = "SELECT count(*) FROM execution WHERE submission_state IN ('queued', 'claimed', 'retry', 'unknown')"


class Pair:
    """A primary and its synchronous standby, behind relays."""

    def __init__(self, primary: Cluster) -> None:
        self.primary = primary
        self.standby: Cluster
        self.current = primary
        """The server that the service reaches."""
        self._replicating = True
        self.replication = Relay(lambda: self._address(primary) if self._replicating else None)
        self.service = Relay(lambda: self._address(self.current))

    @staticmethod
    def _address(cluster: Cluster) -> Address:
        return cluster.socket, 0

    def cut_replication(self) -> None:
        """Stops replication; commits that wait for the standby hang."""
        self._replicating = False
        self.replication.cut()

    def fall_back(self) -> None:
        """Kills the primary and routes the service to the standby, which is not promoted yet."""
        self.primary.kill()
        self.current = self.standby
        self.service.cut()

    async def is_waited_for(self) -> bool:
        """Whether a session waits for the standby."""
        waits = "SELECT EXISTS (SELECT FROM pg_stat_activity WHERE wait_event = 'SyncRep')"
        return bool(await self.primary.ask(waits))


@asynccontextmanager
async def replicated(folder: Path) -> AsyncIterator[Pair]:
    """A migrated database whose synchronous commits wait for its standby."""
    async with cluster(folder, PRIMARY) as primary:
        await migrate(primary.url)
        pair = Pair(primary)
        async with (
            pair.replication.listening(),
            pair.service.listening(),
            standby_of(primary, pair.replication.port) as pair.standby,
        ):
            await primary.ask(f"ALTER SYSTEM SET synchronous_standby_names = '{STANDBY}'")
            await primary.ask("SELECT pg_reload_conf()")
            async with asyncio.timeout(LIMIT_S):
                while await primary.ask("SELECT max(sync_state) FROM pg_stat_replication") != "sync":
                    await asyncio.sleep(POLL_S)
            yield pair


async def submit_all(live: Live, orders: Iterator[int], sent: set[int]) -> None:
    """Submits as one client, without repeating refused requests; records executions reported as sent."""
    while part := [order for _, order in zip(range(AT_ONCE), orders, strict=False)]:
        answer = await live.batch(*((order, 100) for order in part))
        if answer.status == 503:
            await asyncio.sleep(POLL_S)
            continue
        assert answer.status in (200, 207), answer.raw
        for result in answer.body["results"]:
            execution = result["execution"]
            if execution and execution["executionStatus"]["abbreviation"] == "SENT":
                sent.add(execution["id"])


async def until_ready(live: Live, ready: bool) -> str:
    """Waits for the expected readiness; returns its body."""
    async with asyncio.timeout(LIMIT_S):
        while True:
            answer = await live.client.get(READINESS)
            if answer.status == (200 if ready else 503):
                return str(answer.body)
            await asyncio.sleep(POLL_S)


async def fail_over(pair: Pair, live: Live, spare: Sequence[int]) -> float:
    """Returns the seconds from the promotion to the next accepted submission."""
    pair.cut_replication()
    await asyncio.sleep(STUCK_S)
    assert await pair.is_waited_for()
    pair.fall_back()
    assert "read-only" in await until_ready(live, ready=False)
    refused = await live.submit(spare[0])
    assert (refused.status, refused.body["code"]) == (503, "STORE_UNAVAILABLE")
    await pair.standby.ask("SELECT pg_promote()")
    began = time.monotonic()
    await until_ready(live, ready=True)
    async with asyncio.timeout(LIMIT_S):
        while (await live.submit(spare[1])).status != 201:
            await asyncio.sleep(POLL_S)
    return time.monotonic() - began


async def at_rest(database: Cluster) -> None:
    """Waits until nothing is open."""
    async with asyncio.timeout(LIMIT_S):
        while await database.ask(OPEN):
            await asyncio.sleep(POLL_S)


async def accepted_in(database: Cluster) -> dict[int, int]:
    """Accepted executions with their ids at the Execution Service."""
    link = await asyncpg.connect(database.url, ssl=False)
    try:
        rows = await link.fetch(
            "SELECT id, execution_service_id FROM execution WHERE submission_state = 'accepted'"
        )
        return {row["id"]: row["execution_service_id"] for row in rows}
    finally:
        await link.close()


@pytest.mark.parametrize("_round", range(ROUNDS))
async def test_a_promoted_synchronous_standby_has_it_all(_round: int) -> None:
    async with AsyncExitStack() as stack:
        folder = stack.enter_context(passable_folder("tsha"))
        pair = await stack.enter_async_context(replicated(folder))
        url = f"postgresql://{USER}@127.0.0.1:{pair.service.port}/postgres?sslmode=disable"
        settings = SimulatorSettings(call_latency_ms=20, latency_jitter=0.5, retry_after_s=0)
        simulator = await stack.enter_async_context(running_simulator(settings))
        live = await stack.enter_async_context(live_service(url, simulator))
        spare, orders, sent = await live.orders(2), iter(await live.orders(ORDERS)), set[int]()
        async with asyncio.TaskGroup() as group:
            for _ in range(CLIENTS):
                group.create_task(submit_all(live, orders, sent))
            async with asyncio.timeout(LIMIT_S):
                while len(sent) < SENT_BEFORE:
                    await asyncio.sleep(POLL_S)
            took_s = await fail_over(pair, live, spare)
        await at_rest(pair.standby)
        ours, theirs = await accepted_in(pair.standby), simulator.ledger.accepted_counts()
        assert {i: times for i, times in theirs.items() if times > 1} == {}, "sent twice"
        assert sent <= ours.keys(), "told to be sent, and lost"
        assert theirs.keys() == ours.keys(), "accepted there, and lost here"
        assert None not in ours.values()
        assert await pair.standby.ask(CONSERVATION) == 0
        assert len(sent) > SENT_BEFORE
        assert took_s < HEALED_WITHIN_S
