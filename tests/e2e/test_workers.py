"""`trade-service serve --workers`: real processes that serve one address, are killed, replaced and stopped."""

import asyncio
import json
import re
import signal
import socket
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from itertools import count
from pathlib import Path
from typing import Any

import aiohttp
import psutil
import pytest

from execution_simulator.server import RunningSimulator
from tests.e2e.command import Cli, Running
from tests.support.engine import states_of
from tests.support.leftovers import passable_folder
from trade_service.store.database import Database

CLIENTS = 8
LIMIT_S = 30.0
TEST_LIMIT_S = 60.0


class Service:
    """A running service with two workers."""

    def __init__(self, running: Running, url: str) -> None:
        self.running = running
        self.url = url

    @property
    def workers(self) -> list[psutil.Process]:
        """The processes of its workers; those that are being replaced are missing."""
        return [
            one
            for one in psutil.Process(self.running.process.pid).children()
            if one.status() != psutil.STATUS_ZOMBIE and "--worker" in one.cmdline()
        ]

    async def metrics(self) -> dict[str, float]:
        """All metrics, read over a connection of its own."""
        text = await self.get("/metrics")
        return {
            line.rpartition(" ")[0]: float(line.rpartition(" ")[2])
            for line in str(text).splitlines()
            if not line.startswith("#")
        }

    async def get(self, path: str) -> Any:
        """An answer, over a connection of its own, so that either worker may give it."""
        async with aiohttp.ClientSession() as session, session.get(f"{self.url}{path}") as answer:
            assert answer.status == 200, await answer.text()
            return await (answer.json() if "json" in answer.content_type else answer.text())

    async def until(self, name: str, value: float) -> None:
        """Waits until a metric has a value."""
        async with asyncio.timeout(LIMIT_S):
            while (await self.metrics()).get(name) != value:
                await asyncio.sleep(0.05)


@asynccontextmanager
async def served(cli: Cli, *, is_quiet: bool = True) -> AsyncIterator[Service]:
    quiet = cli.under(TRADE_SERVICE_LOG_LEVEL="ERROR") if is_quiet else cli  # Nobody reads the log meanwhile.
    async with (
        asyncio.timeout(TEST_LIMIT_S),
        await quiet.start("serve", "--port", "0", "--workers", "2") as running,
    ):
        line = await running.line_with("Serving on ")
        assert "; 2 workers; " in line
        yield Service(running, line.split()[2].rstrip(";"))


async def stopped(service: Service) -> str:
    """Stops the service in order; returns what it printed on standard error."""
    service.running.send(signal.SIGTERM)
    ended = await service.running.ended()
    assert ended.code == 0, ended
    assert "Traceback" not in ended.err, ended.err
    return ended.err


class Load:
    """Clients that create an order and submit it, again and again, each time over new connections."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._ids = count(1)
        self.submitted: list[int] = []
        """Orders whose submission was answered with success."""
        self.cut_off = 0
        """Requests that got no answer."""
        self.refused = 0
        """Connections that were not accepted."""
        self.statuses: Counter[int] = Counter()
        self._stopping = False

    @asynccontextmanager
    async def running(self) -> AsyncIterator["Load"]:
        """Load until the context ends."""
        async with asyncio.TaskGroup() as group:
            for _ in range(CLIENTS):
                group.create_task(self._submit_orders())
            try:
                yield self
            finally:
                self._stopping = True

    async def reach(self, submissions: int) -> None:
        """Waits for so many further submissions."""
        wanted = len(self.submitted) + submissions
        async with asyncio.timeout(LIMIT_S):
            while len(self.submitted) < wanted:
                await asyncio.sleep(0.01)

    async def _submit_orders(self) -> None:
        while not self._stopping:
            number = next(self._ids)
            order = {
                "orderId": number,
                "portfolioId": "P",
                "orderType": "BUY",
                "securityId": "IBM",
                "quantity": 5,
            }
            try:
                async with aiohttp.ClientSession() as session:
                    created = await self._post(session, "/api/v1/tradeOrders", order)
                    submission = {"quantity": 5, "destinationId": 1}
                    await self._post(session, f"/api/v1/tradeOrders/{created['id']}/submit", submission)
                self.submitted.append(created["id"])
            except aiohttp.ClientConnectorError:
                self.refused += 1
                await asyncio.sleep(0.05)
            except aiohttp.ClientError:
                self.cut_off += 1

    async def _post(self, session: aiohttp.ClientSession, path: str, body: object) -> Any:
        async with session.post(f"{self._url}{path}", json=body) as answer:
            self.statuses[answer.status] += 1
            assert answer.status == 201, await answer.text()
            return await answer.json()


async def all_settled(database: Database) -> dict[str, int]:
    """The executions by state, once none is open."""
    async with asyncio.timeout(LIMIT_S):
        while set(states := await states_of(database)) != {"accepted"}:
            await asyncio.sleep(0.1)
    return states


async def orders_sent(database: Database) -> set[int]:
    async with database.session() as session:
        rows = await session.connection.fetch("SELECT trade_order_id FROM execution")
    return {row[0] for row in rows}


async def test_a_killed_worker_is_replaced_and_nothing_is_lost_or_doubled(
    cli: Cli, simulator: RunningSimulator, database: Database
) -> None:
    """Nobody reads the log meanwhile, which stops none of them."""
    async with served(cli, is_quiet=False) as service, Load(service.url).running() as load:
        await load.reach(150)
        before = await service.metrics()
        for restarts in (1, 2):
            service.workers[0].kill()
            await service.until("trade_service_worker_restarts_total", restarts)
            await load.reach(20)
            await service.until("trade_service_workers", 2)
            after = await service.metrics()
            for name in before:
                if re.match(r"(trade_service|http)_\w+_(total|count|sum|bucket)\b", name):
                    assert after[name] >= before[name], name
            before = after
        assert len(service.workers) == 2
        load._stopping = True
        states = await all_settled(database)
        assert 0 < load.cut_off <= 2 * CLIENTS, "only what a killed worker had accepted is cut off"
        assert load.refused == 0, "connections that wait to be accepted outlive a worker"
        assert set(load.submitted) <= await orders_sent(database)
        assert set(simulator.ledger.accepted_counts().values()) == {1}
        assert simulator.ledger.total == states["accepted"] >= len(load.submitted)
        assert (await cli.run("audit")).code == 0
        await stopped(service)


async def test_a_stop_under_load_settles_everything_or_leaves_it_to_recovery(
    cli: Cli, simulator: RunningSimulator, database: Database
) -> None:
    async with served(cli) as service, Load(service.url).running() as load:
        await load.reach(30)
        await stopped(service)
        load._stopping = True
    assert set(load.statuses) == {201}
    async with served(cli) as service:
        states = await all_settled(database)
        assert (await cli.run("audit")).code == 0
        await stopped(service)
    assert set(load.submitted) <= await orders_sent(database)
    assert set(simulator.ledger.accepted_counts().values()) == {1}
    assert simulator.ledger.total == states["accepted"]


async def test_a_worker_that_is_stopped_loses_no_request(cli: Cli) -> None:
    async with served(cli) as service, Load(service.url).running() as load:
        await load.reach(20)
        service.workers[0].terminate()
        await service.until("trade_service_worker_restarts_total", 1)
        await load.reach(20)
        await service.until("trade_service_workers", 2)
        load._stopping = True
        assert (load.cut_off, load.refused) == (0, 0)
        await stopped(service)


async def test_metrics_are_those_of_all_workers_whichever_answers(cli: Cli, database: Database) -> None:
    path = "/api/v1/executionStatuses"
    wanted = f'http_requests_total{{method="GET",path="{path}",status="200"}}'
    async with served(cli, is_quiet=False) as service:
        for _ in range(40):
            await service.get(path)
        await service.until(wanted, 40)
        for _ in range(8):
            assert (await service.metrics())[wanted] == 40
        metrics = await service.metrics()
        assert metrics["trade_service_workers"] == 2
        assert metrics["trade_service_worker_restarts_total"] == 0
        # Of limits, all workers together have what the settings say.
        assert metrics["trade_service_concurrency_limit"] == 4
        assert metrics["trade_service_queue_limit"] == 20_000
        assert 1 <= metrics["hikari_connections_total"] <= 8
        assert metrics['trade_service_circuit_state{state="closed"}'] == 1
        one = await service.get("/actuator/metrics/http_requests_total?tag=path:" + path)
        assert one["measurements"] == [{"statistic": "COUNT", "value": 40.0}]
        err = await stopped(service)
    answered = Counter(re.findall(rf'"path": "{path}".*"worker": (\d)', err))
    assert set(answered) == {"1", "2"}, "both take connections"


async def test_connections_are_shared_out(cli: Cli) -> None:
    async with served(cli) as service, aiohttp.ClientSession() as session:

        async def get() -> None:
            async with session.get(f"{service.url}/api/v1/executionStatuses") as answer:
                assert answer.status == 200
                await answer.read()

        await asyncio.gather(*(get() for _ in range(60)))
        counts = [len(one.net_connections("tcp")) for one in service.workers]
        await stopped(service)
    assert min(counts) >= 10, counts


async def test_the_log_level_is_that_of_all_workers(cli: Cli) -> None:
    path = "/actuator/loggers/ROOT"

    async def levels() -> set[str]:
        return {(await service.get(path))["effectiveLevel"] for _ in range(10)}

    async def until(wanted: set[str]) -> None:
        async with asyncio.timeout(LIMIT_S):
            while await levels() != wanted:
                await asyncio.sleep(0.05)

    async with served(cli) as service:
        async with aiohttp.ClientSession() as session:
            async with session.post(f"{service.url}{path}", json={"configuredLevel": "WARN"}) as answer:
                assert answer.status == 204
        await until({"WARN"})
        service.workers[1].kill()
        await service.until("trade_service_workers", 1)
        await service.until("trade_service_workers", 2)
        assert await levels() == {"WARN"}, "a new worker has it too"
        service.running.send(signal.SIGUSR1)
        await until({"DEBUG"})
        service.running.send(signal.SIGUSR1)
        await until({"ERROR"})
        await stopped(service)


async def test_workers_end_with_their_supervisor(cli: Cli) -> None:
    async with served(cli) as service:
        workers = service.workers
        service.running.process.kill()
        _, alive = await asyncio.to_thread(psutil.wait_procs, workers, LIMIT_S)
        assert not alive


async def test_each_worker_is_a_replica_of_its_own(cli: Cli, database: Database) -> None:
    async with served(cli) as service, Load(service.url).running() as load:
        await load.reach(40)
        load._stopping = True
        once = ("--url", service.url, "--every", "0.1", "--times", "1")
        update = json.loads((await cli.run("top", "--json", *once)).out)
        view = (await cli.run("top", *once)).out
        found = await service.get("/api/v2/replicas")
        await stopped(service)
    async with database.session() as session:
        rows = await session.connection.fetch("SELECT DISTINCT owner FROM submission_attempt ORDER BY 1")
    owners = [row[0] for row in rows]
    assert len(owners) == 2
    assert [one["replica"] for one in found["replicas"]] == list(update["replicas"]) == owners
    assert all(owner in view for owner in owners)
    assert all(one["executions_per_s"] >= one["batches_per_s"] > 0 for one in update["replicas"].values())
    assert sum(one["executions"] for one in found["replicas"]) >= 40


async def test_an_embedded_database_is_started_once_and_stopped_last(cli: Cli) -> None:
    environment = {name: value for name, value in cli.environment.items() if name != "DATABASE_URL"}
    with passable_folder("workers") as folder:
        own = Cli(cli.folder, environment | {"TRADE_SERVICE_DATABASE_DATA_DIR": str(folder / "data")})
        await _embedded(own, folder / "data" / "pgdata" / "postmaster.pid")


def _pid_in(file: Path) -> int:
    return int(file.read_text().split()[0])


async def _embedded(own: Cli, pid_file: Path) -> None:
    async with served(own) as service:
        postmaster = _pid_in(pid_file)
        workers = service.workers
        workers[0].kill()
        await asyncio.to_thread(psutil.wait_procs, workers[:1], LIMIT_S)
        await service.until("trade_service_worker_restarts_total", 1)
        await service.until("trade_service_workers", 2)
        assert _pid_in(pid_file) == postmaster
        await stopped(service)
    with suppress(psutil.NoSuchProcess):
        assert psutil.Process(postmaster).status() == psutil.STATUS_ZOMBIE


async def test_a_taken_port_is_reported_in_one_line(cli: Cli) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        ended = await cli.run("serve", "--workers", "2", "--port", port)
    assert ended.code == 2
    assert "another program has the port" in ended.complaint


async def test_a_worker_that_cannot_start_ends_the_command_with_one_line(bare_cli: Cli) -> None:
    url = "postgresql://u:geheim@127.0.0.1:9/db"
    ended = await bare_cli.under(DATABASE_URL=url).run("serve", "--workers", "2", "--port", "0")
    assert ended.code == 2
    assert "the database does not answer" in ended.complaint
    assert "geheim" not in ended.err + ended.out


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGHUP])
async def test_other_signals_stop_it_too(cli: Cli, number: signal.Signals) -> None:
    async with served(cli) as service:
        service.running.send(number)
        ended = await service.running.ended()
    assert ended.code == 0, ended
