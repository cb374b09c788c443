"""The processes of a round: PostgreSQL, the simulator, three replicas, and a relay on each connection."""

import random
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import aiohttp
import msgspec

from tests.chaos.database import Database
from tests.chaos.processes import Child
from tests.chaos.relay import Address, Relay
from tests.chaos.storm import LOOK_UP_FAULTS, REPLICAS, fault_script
from tests.e2e.command import bare_environment

LATENCY_MS = 40
SETTINGS = {
    "EXECUTION_SERVICE_CONNECT_TIMEOUT": "500",
    "EXECUTION_SERVICE_READ_TIMEOUT": "1000",
    "EXECUTION_SERVICE_RETRY_INITIAL_DELAY": "50",
    "EXECUTION_SERVICE_RETRY_MAX_DELAY": "500",
    "EXECUTION_SERVICE_RETRY_MAX_ATTEMPTS": "2",
    "EXECUTION_SERVICE_BATCH_SIZE": "25",
    "TRADE_SERVICE_SUBMISSION_WAIT_S": "2",
    "TRADE_SERVICE_SUBMISSION_SETTLE_TIME_MS": "4000",
    "TRADE_SERVICE_SUBMISSION_LEASE_MARGIN_MS": "500",
    "TRADE_SERVICE_SUBMISSION_RECOVERY_POLL_MS": "100",
    "TRADE_SERVICE_SUBMISSION_RECOVERY_HOLD_MS": "2000",
    "TRADE_SERVICE_SUBMISSION_RECOVERY_GRACE_MS": "1000",
    "TRADE_SERVICE_SUBMISSION_LOOK_UP_MAX_DELAY_MS": "500",
    "TRADE_SERVICE_SERVER_SHUTDOWN_GRACE_S": "3",
    "TRADE_SERVICE_DATABASE_POOL_TIMEOUT_S": "2",
    "TRADE_SERVICE_DATABASE_CONNECT_TIMEOUT_S": "2",
    "TRADE_SERVICE_DATABASE_STATEMENT_TIMEOUT_S": "5",
    "TRADE_SERVICE_LOG_FORMAT": "json",
    # Each replica has a relay of its own before the one stand-in.
    "TRADE_SERVICE_EXECUTION_SERVICE_SAME_LEDGER": "true",
}
"""Short times in the same order as the defaults: call < lease < lease and settle time."""
SERVE = ("serve", "--port", "0")


class Replica(msgspec.Struct, frozen=True):
    """A replica, and the relays of its connections."""

    child: Child
    to_database: Relay
    to_downstream: Relay


class Stage(msgspec.Struct, frozen=True):
    """Everything that runs in a round."""

    folder: Path
    environment: dict[str, str]
    dice: random.Random
    database: Database
    simulator: Child
    replicas: list[Replica]
    http: aiohttp.ClientSession

    @property
    def books(self) -> Path:
        """The simulator's ledger file."""
        return self.folder / "books.jsonl"

    async def start_simulator(self) -> None:
        """Starts the simulator on its existing ledger, with faults."""
        arguments = [
            "simulate", "--port", "0", "--books", str(self.books), "--latency-ms", str(LATENCY_MS),
            "--seed", str(self.dice.getrandbits(31)), "--script", fault_script(self.dice),
        ]  # fmt: skip
        for rate in LOOK_UP_FAULTS:
            arguments += ["--lookup-fault", rate]
        await self.simulator.start(arguments)

    async def calm(self) -> None:
        """Ends the simulator's faults."""
        assert self.simulator.url is not None
        plan: dict[str, object] = {"faults": {}, "script": [], "lookupFaults": {}, "lookupScript": []}
        async with self.http.put(f"{self.simulator.url}/simulator/faults", json=plan) as answer:
            answer.raise_for_status()

    def audit_environment(self) -> dict[str, str]:
        """The environment of `trade-service audit`, without relays."""
        assert self.simulator.url is not None
        return self.environment | {
            "DATABASE_URL": self.database.dsn,
            "EXECUTION_SERVICE_BASE_URL": self.simulator.url,
        }


@asynccontextmanager
async def staged(folder: Path, dice: random.Random) -> AsyncIterator[Stage]:
    """Starts PostgreSQL only; leaves no process behind."""
    environment = bare_environment(folder) | SETTINGS
    async with AsyncExitStack() as stack:
        database = await stack.enter_async_context(Database.running(folder / "postgres"))
        simulator = Child("simulator", folder, environment, "Execution Service simulator on ")
        stack.push_async_callback(simulator.kill)
        replicas = []
        for number in range(1, REPLICAS + 1):
            to_database = await stack.enter_async_context(Relay(lambda: database.address).listening())
            to_downstream = await stack.enter_async_context(Relay(lambda: _address(simulator)).listening())
            own = {
                "DATABASE_URL": database.url_through(to_database.port),
                "EXECUTION_SERVICE_BASE_URL": f"http://127.0.0.1:{to_downstream.port}",
            }
            child = Child(f"replica-{number}", folder, environment | own, "Serving on ")
            stack.push_async_callback(child.kill)
            replicas.append(Replica(child, to_database, to_downstream))
        http = await stack.enter_async_context(aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)))
        yield Stage(folder, environment, dice, database, simulator, replicas, http)


def _address(simulator: Child) -> Address | None:
    if simulator.url is None:
        return None
    host, _, port = simulator.url.removeprefix("http://").partition(":")
    return host, int(port)
