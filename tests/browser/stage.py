"""What a browser looks at: PostgreSQL, a simulator, two replicas of `serve`, and executions in every state."""

import asyncio
import itertools
import json
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import aiohttp
import msgspec
from tools.make_blotter import TICKERS

from execution_simulator.server import RunningSimulator, SimulatorSettings, running_simulator
from tests.e2e.command import Cli, Running, bare_environment, free_port
from tests.support.trading import run_sql, value_of
from trade_service.domain.access import Role
from trade_service.identity.api_keys import make_key
from trade_service.store.database import Database
from trade_service.store.key_store import PostgresKeys
from trade_service.store.store_settings import StoreSettings

LIMIT_S = 30.0
SEEDED = 240
"""Orders that are sent, some of which the simulator refuses."""
QUICK = {
    "EXECUTION_SERVICE_CONNECT_TIMEOUT": "1000",
    "EXECUTION_SERVICE_READ_TIMEOUT": "1000",
    "EXECUTION_SERVICE_RETRY_INITIAL_DELAY": "20",
    "EXECUTION_SERVICE_RETRY_MAX_ATTEMPTS": "2",
    "TRADE_SERVICE_AUTH_API_KEY_MAX_AGE_S": "0.5",
    "TRADE_SERVICE_CIRCUIT_ENABLED": "false",
    "TRADE_SERVICE_DATABASE_POOL_SIZE": "4",
    "TRADE_SERVICE_LOG_LEVEL": "ERROR",
    "TRADE_SERVICE_SERVER_SHUTDOWN_GRACE_S": "1",
    "TRADE_SERVICE_SUBMISSION_SETTLE_TIME_MS": "300",
    "TRADE_SERVICE_SUBMISSION_LEASE_MARGIN_MS": "300",
    "TRADE_SERVICE_SUBMISSION_RECOVERY_POLL_MS": "100",
    "TRADE_SERVICE_SUBMISSION_RECOVERY_HOLD_MS": "1000",
    "TRADE_SERVICE_SUBMISSION_RECOVERY_GRACE_MS": "300",
    "TRADE_SERVICE_SUBMISSION_LOOK_UP_MAX_DELAY_MS": "300",
    "TRADE_SERVICE_SUBMISSION_WAIT_S": "4",
}
POISON = "ZION"
"""A security whose executions fail the whole batch, until they are exhausted."""
PAUSED = "IB"
_ORDER_IDS = itertools.count(1_000_001)


class Replica:
    """A `serve` process on a port of its own; killed, it is started again once its file is removed."""

    def __init__(self, cli: Cli) -> None:
        self._cli = cli
        self._port = free_port()
        self.url = f"http://127.0.0.1:{self._port}"
        self.pid_file = cli.folder / f"pid-{self._port}"

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        async with AsyncExitStack() as stack:
            running = await self._start(stack)
            watching = asyncio.create_task(self._watch(stack, running))
            try:
                yield
            finally:
                watching.cancel()
                with suppress(asyncio.CancelledError):
                    await watching

    async def _watch(self, stack: AsyncExitStack, running: Running) -> None:
        while True:
            await running.process.communicate()
            while self.pid_file.exists():  # Another process removes it.
                await asyncio.sleep(0.05)
            running = await self._start(stack)

    async def _start(self, stack: AsyncExitStack) -> Running:
        running = await stack.enter_async_context(await self._cli.start("serve", "--port", str(self._port)))
        await running.line_with("Serving on ")
        self.pid_file.write_text(str(running.process.pid), "utf-8")
        return running


class Stage(msgspec.Struct):
    """The guarded replica, the open one, and what was seeded."""

    guarded: Replica
    open: Replica
    simulator: RunningSimulator
    database: Database
    keys: dict[str, str]
    session: aiohttp.ClientSession
    seeded: dict[str, Any] = {}

    def environment(self) -> dict[str, str]:
        """What the tests in `console/e2e` read."""
        return {
            "CONSOLE_STAGE": json.dumps(
                {
                    "url": self.guarded.url,
                    "openUrl": self.open.url,
                    "openPidFile": str(self.open.pid_file),
                    "simulatorUrl": self.simulator.base_url,
                    "keys": self.keys,
                    "seeded": self.seeded,
                }
            )
        }

    async def call(self, method: str, path: str, body: object = None, role: str = "operator") -> Any:
        """An answer of the guarded replica."""
        headers = {"Authorization": f"Bearer {self.keys[role]}", "Prefer": "respond-async"}
        url = self.guarded.url + path
        async with self.session.request(method, url, json=body, headers=headers) as answer:
            assert answer.status < 300, await answer.text()
            return await answer.json()


@asynccontextmanager
async def running_stage(folder: Path, database_url: str, seed: bool = True) -> AsyncIterator[Stage]:
    """The stage on a migrated, empty database; `folder` is for the processes."""
    async with AsyncExitStack() as stack:
        simulator = await stack.enter_async_context(
            running_simulator(
                SimulatorSettings(retry_after_s=0, call_latency_ms=12.0, latency_jitter=0.5, seed=5)
            )
        )
        settings = {"DATABASE_URL": database_url, "EXECUTION_SERVICE_BASE_URL": simulator.base_url}
        cli = Cli(folder, bare_environment(folder) | QUICK | settings)
        database = Database(StoreSettings(database_url))
        stack.push_async_callback(database.close)
        guarded, unguarded = Replica(cli.under(TRADE_SERVICE_AUTH_MODE="api-key")), Replica(cli)
        for replica in (guarded, unguarded):
            await stack.enter_async_context(replica.running())
        keys = {}
        for name, role in (("rita", Role.READER), ("theo", Role.TRADER), ("olga", Role.OPERATOR)):
            new = make_key(name, role)
            await PostgresKeys(database).add(new.key)
            keys[role.title] = new.text
        session = await stack.enter_async_context(aiohttp.ClientSession())
        stage = Stage(guarded, unguarded, simulator, database, keys, session)
        if seed:
            await Seeding(stage).run()
        yield stage


class Seeding:
    """Fills the stage through the API, while the simulator misbehaves."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self._order_ids = _ORDER_IDS
        self._tickers = itertools.cycle(TICKERS[::7])

    async def run(self) -> None:
        """Executions in all states that last."""
        stage, simulator = self._stage, self._stage.simulator
        await self._send_with_faults()
        simulator.poison(POISON)
        exhausted = await self._executions(2, 1, security=POISON)
        await self._submit_all(exhausted)
        await self._until_ended(exhausted, "exhausted")
        simulator.poison()
        await self._unknown()
        await stage.call("POST", "/api/v2/pause", {"destination": PAUSED, "reason": "Their line is down"})
        queued = await self._executions(12, 4)
        await stage.call("POST", "/api/v2/executions/submit", {"executionIds": queued})
        never_sent = await self._executions(8, 2)
        orders = await self._orders(25, 1500)
        await self._parts(orders[:12], 500, 5)
        stage.seeded |= {
            "orders": orders, "neverSent": never_sent, "queued": queued, "exhausted": exhausted,
            "states": await self._states(), "paused": PAUSED,
        }  # fmt: skip

    async def load(self) -> None:
        """Sends batches until it is cancelled."""
        self._stage.simulator.faults = {"item_fail_permanent": 0.02, "error_503": 0.02}
        for destination in itertools.cycle((1, 2, 3, 5, 6)):
            await self._submit_all(await self._executions(25, destination))
            await asyncio.sleep(0.3)

    async def _send_with_faults(self) -> None:
        simulator = self._stage.simulator
        ids = [await self._executions(SEEDED // 6, destination) for destination in (1, 2, 3, 5, 6, 1)]
        simulator.script(["ok", "slow:180", "ok", "ok"])
        simulator.faults = {"item_fail_permanent": 0.04, "reset_after": 0.1, "error_503": 0.1}
        for part in ids:
            await self._submit_all(part)
        await self._until_ended([*itertools.chain(*ids)], "accepted", "rejected", "exhausted")
        simulator.faults = {}
        refused = await self._executions(3, 2)
        for one in refused:  # Alone, since what is refused as a whole is sent again one by one.
            simulator.script(["malformed_400"])
            await self._submit_all([one])
            await self._until_ended([one], "rejected")
        self._stage.seeded["refused"] = refused

    async def _unknown(self) -> None:
        """Lost before their commit, and the ledger's ids restarted since: only a person can settle them."""
        stage, simulator = self._stage, self._stage.simulator
        simulator.lookup_faults = {"error_503": 1.0}
        ids = await self._executions(5, 3)
        simulator.script(["reset_before"])
        await self._submit_all(ids)
        await self._until_ended(ids, "unknown")
        await run_sql(
            stage.database,
            "UPDATE submission_attempt SET floor_void = true WHERE id IN "
            "(SELECT attempt_id FROM execution WHERE submission_state = 'unknown')",
        )
        simulator.lookup_faults = {}
        stage.seeded["unknown"] = ids

    async def _orders(self, count: int, quantity: int, security: str | None = None) -> list[int]:
        bodies = [
            {
                "orderId": next(self._order_ids),
                "portfolioId": f"Fund {1 + number % 7}",
                "orderType": "SELL" if number % 3 == 0 else "BUY",
                "securityId": security or next(self._tickers),
                "quantity": quantity + 25 * number,
                "limitPrice": 20 + number % 40 + 0.25,
                "blotterId": 1 + number % 3,
            }
            for number in range(count)
        ]
        answer = await self._stage.call("POST", "/api/v1/tradeOrders/bulk", {"tradeOrders": bodies})
        return [result["tradeOrder"]["id"] for result in answer["results"]]

    async def _executions(self, count: int, destination: int, security: str | None = None) -> list[int]:
        """Executions that were not sent, each of 100."""
        orders = await self._orders(count, 100, security)
        return await self._parts(orders, 100, destination, "?noExecuteSubmit=true")

    async def _parts(
        self, orders: Sequence[int], quantity: int, destination: int, query: str = ""
    ) -> list[int]:
        parts = [{"tradeOrderId": one, "quantity": quantity, "destinationId": destination} for one in orders]
        body = {"submissions": parts}
        answer = await self._stage.call("POST", f"/api/v1/tradeOrders/batch/submit{query}", body)
        return [result["execution"]["id"] for result in answer["results"]]

    async def _submit_all(self, ids: Sequence[int]) -> None:
        await self._stage.call("POST", "/api/v2/executions/submit", {"executionIds": list(ids)})

    async def _until_ended(self, ids: Sequence[int], *states: str) -> None:
        """Waits until each of these executions is in one of these states."""
        until = time.monotonic() + LIMIT_S
        waiting = "SELECT count(*) FROM execution WHERE id = ANY(:ids) AND submission_state <> ALL(:states)"
        while await value_of(self._stage.database, waiting, ids=list(ids), states=list(states)):
            assert time.monotonic() < until, await self._states()
            await asyncio.sleep(0.05)

    async def _states(self) -> dict[str, int]:
        found: dict[str, int] = json.loads(
            await value_of(
                self._stage.database,
                "SELECT coalesce(json_object_agg(submission_state, n), '{}')::text FROM "
                "(SELECT submission_state, count(*) n FROM execution GROUP BY 1) grouped",
            )
        )
        return found
