"""`trade-service serve --workers`: real processes that serve one address, are killed, replaced and stopped."""

import asyncio
import json
import re
import signal
import socket
from collections import Counter
from contextlib import suppress
from pathlib import Path

import aiohttp
import psutil
import pytest

from execution_simulator.server import RunningSimulator
from tests.e2e.command import Cli
from tests.e2e.workers import (
    CLIENTS,
    LIMIT_S,
    TEST_LIMIT_S,
    Load,
    all_settled,
    metrics_of,
    orders_sent,
    readiness,
    served,
    stopped,
)
from tests.support.leftovers import passable_folder
from trade_service.settings.load import load_settings
from trade_service.store.database import Database
from trade_service.workers import supervisor


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
        await load.stop()
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
        await load.stop()
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
        await load.stop()
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

        await asyncio.gather(*(get() for _ in range(120)))
        counts = [len(one.net_connections("tcp")) for one in service.workers]
        await stopped(service)
    assert min(counts) >= 30, counts


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


async def test_a_second_signal_stops_at_once(cli: Cli, simulator: RunningSimulator) -> None:
    async with served(cli) as service:
        simulator.hold()
        async with Load(service.url).running() as load:
            await simulator.calls_reached(1)
            service.running.send(signal.SIGTERM)
            async with asyncio.timeout(LIMIT_S):
                while await readiness(service.url) != "DOWN":
                    await asyncio.sleep(0.05)
            service.running.send(signal.SIGTERM)
            ended = await service.running.ended()
            await load.stop()
        simulator.release()
    assert ended.code == 1, ended
    assert "stopped at once" in ended.err


async def test_a_worker_that_hangs_is_killed_and_replaced(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supervisor, "PING_EVERY_S", 0.25)
    values = {"database.url": cli.environment["DATABASE_URL"], "server.port": 0, "log.level": "CRITICAL"}
    lines: asyncio.Queue[str] = asyncio.Queue()
    stopping = asyncio.Event()
    settings = load_settings(cli.environment, None, values).settings
    async with asyncio.timeout(TEST_LIMIT_S), asyncio.TaskGroup() as group:
        running = supervisor.Supervisor(settings, 2, lines.put_nowait, lines.put_nowait)
        serving = group.create_task(running.run(stopping))
        url = (await lines.get()).split()[2].rstrip(";")
        children = psutil.Process().children()
        hanging = next(one for one in children if "--worker" in one.cmdline())
        hanging.suspend()
        assert await readiness(url) == "UP", "the other serves on"
        await asyncio.to_thread(hanging.wait, LIMIT_S)
        while (await metrics_of(url))["trade_service_worker_restarts_total"] < 1:
            await asyncio.sleep(0.05)
        stopping.set()
        assert await serving == 0


async def test_workers_end_with_their_supervisor(cli: Cli) -> None:
    async with served(cli) as service:
        workers = service.workers
        service.running.process.kill()
        _, alive = await asyncio.to_thread(psutil.wait_procs, workers, LIMIT_S)
        assert not alive


async def test_each_worker_is_a_replica_of_its_own(cli: Cli, database: Database) -> None:
    async with served(cli) as service, Load(service.url).running() as load:
        await load.reach(40)
        once = ("--url", service.url, "--every", "0.1", "--times", "1")
        update = json.loads((await cli.run("top", "--json", *once)).out)
        view = (await cli.run("top", *once)).out
        found = await service.get("/api/v2/replicas")
        await load.stop()
        await stopped(service)
    async with database.session() as session:
        rows = await session.connection.fetch("SELECT DISTINCT owner FROM submission_attempt ORDER BY 1")
    owners = [row[0] for row in rows]
    assert len(owners) == 2
    assert [one["replica"] for one in found["replicas"]] == list(update["replicas"]) == owners
    assert all(owner in view for owner in owners)
    assert all(one["executions_per_s"] >= one["batches_per_s"] > 0 for one in update["replicas"].values())
    assert sum(one["executions"] for one in found["replicas"]) >= 20


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
