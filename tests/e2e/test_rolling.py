"""A rolling update of three replicas under load: no request fails, nothing is lost or accepted twice.

In front of them is what Kubernetes has: each new connection goes to the next ready replica, and stays with it.
"""

import asyncio
import itertools
import json
import signal
from collections import Counter
from contextlib import AsyncExitStack, suppress
from typing import Any

import aiohttp
import pytest

from execution_simulator.server import RunningSimulator
from tests.chaos.relay import Address, Relay
from tests.e2e.command import Cli, Running
from tests.support.trading import CONSERVATION, value_of
from tests.web.live import BATCH, BULK, ORDERS, order_body
from trade_service.store.database import Database

REPLICAS = 3
SINGLE_CLIENTS, BATCH_CLIENTS = 5, 2
BATCH_SIZE = 5
PACE_S = 0.05
PROBE_EVERY_S = 0.3
LIMIT_S = 120.0
FAULTS = {"reset_after": 0.05, "error_500_partial": 0.05, "truncated": 0.05, "gateway_504": 0.03}
"""None proves a refusal: every submission is accepted in the end."""
READINESS = "/api/v1/health/readiness"
OPEN = "SELECT count(*) FROM execution WHERE submission_state IN ('queued', 'claimed', 'retry', 'unknown')"


class Replica:
    """A process that serves on an address of its own."""

    def __init__(self, running: Running, port: int) -> None:
        self.running = running
        self.port = port
        self.ending = asyncio.create_task(running.ended(LIMIT_S))
        """Also reads what it writes, so that it never waits for a reader."""
        self.connections = 0
        self.is_ready = False

    async def kill(self) -> None:
        """Kills it, if it has not ended."""
        kill(self.running)
        await asyncio.wait([self.ending])


class Service:
    """Routes each new connection to the next ready replica."""

    def __init__(self, http: aiohttp.ClientSession) -> None:
        self.replicas: list[Replica] = []
        self.relay = Relay(self._next)
        self._http = http
        self._turn = itertools.count()

    def _next(self) -> Address | None:
        ready = [one for one in self.replicas if one.is_ready]
        if not ready:
            return None
        chosen = ready[next(self._turn) % len(ready)]
        chosen.connections += 1
        return "127.0.0.1", chosen.port

    async def probe(self) -> None:
        """Probes the readiness of all replicas until cancelled."""
        while True:
            for one in self.replicas:
                one.is_ready = await self._answers(one)
            await asyncio.sleep(PROBE_EVERY_S)

    async def _answers(self, replica: Replica) -> bool:
        try:
            async with self._http.get(f"http://127.0.0.1:{replica.port}{READINESS}") as answer:
                return answer.status == 200
        except aiohttp.ClientError:
            return False

    async def until_ready(self, replica: Replica) -> None:
        """Waits until the service routes connections to a replica."""
        while not replica.is_ready:
            assert not replica.ending.done(), replica.ending.result()
            await asyncio.sleep(PROBE_EVERY_S / 3)


class Load:
    """Clients with connections of their own; each creates an order and submits it, or several at once."""

    def __init__(self, url: str) -> None:
        self._url = url
        self.stop = asyncio.Event()
        self.answers: Counter[int] = Counter()
        self.failures: list[str] = []
        self.submitted: list[int] = []
        """The executions of all answers."""

    async def run(self) -> None:
        """Asks until `stop` is set and the last answer is there."""
        async with asyncio.TaskGroup() as group:
            for size in [1] * SINGLE_CLIENTS + [BATCH_SIZE] * BATCH_CLIENTS:
                group.create_task(self._client(size))

    async def _client(self, size: int) -> None:
        async with aiohttp.ClientSession(self._url) as session:
            while not self.stop.is_set():
                bodies = [order_body(100) for _ in range(size)]
                created = await self._ask(session, BULK, {"tradeOrders": bodies})
                if created is not None:
                    await self._submit(session, [one["tradeOrder"]["id"] for one in created["results"]])
                await asyncio.sleep(PACE_S)

    async def _submit(self, session: aiohttp.ClientSession, order_ids: list[int]) -> None:
        part = {"quantity": 100, "destinationId": 1}
        if len(order_ids) == 1:
            answer = await self._ask(session, f"{ORDERS}/{order_ids[0]}/submit", part)
            executions = [answer]
        else:
            body = {"submissions": [{"tradeOrderId": one} | part for one in order_ids]}
            answer = await self._ask(session, BATCH, body)
            executions = [one["execution"] for one in answer["results"]] if answer else [None]
        if None in executions:
            self.failures.append(f"submission of {order_ids}: {answer}")
        self.submitted += [one["id"] for one in executions if one is not None]

    async def _ask(self, session: aiohttp.ClientSession, path: str, body: object) -> Any:
        try:
            async with session.post(path, json=body) as answer:
                self.answers[answer.status] += 1
                if answer.status in (200, 201, 207):
                    return await answer.json()
                self.failures.append(f"{path}: {answer.status} {await answer.text()}")
        except (aiohttp.ClientError, OSError) as error:
            self.failures.append(f"{path}: {error!r}")
        return None


def kill(running: Running) -> None:
    if running.process.returncode is None:
        with suppress(ProcessLookupError):
            running.process.kill()


async def started(cli: Cli, stack: AsyncExitStack, service: Service) -> Replica:
    """A new replica that the service routes to."""
    running = await cli.start("serve", "--host", "0.0.0.0", "--port", "0")
    stack.callback(kill, running)
    line = await running.line_with("Serving on ")
    replica = Replica(running, int(line.split()[2].rstrip(";").rpartition(":")[2]))
    stack.push_async_callback(replica.kill)
    service.replicas.append(replica)
    await service.until_ready(replica)
    return replica


async def rolled(cli: Cli, stack: AsyncExitStack, service: Service) -> list[Replica]:
    """Replaces each replica by a new one that is ready first; returns the old ones."""
    old = list(service.replicas)
    for replica in old:
        await started(cli, stack, service)
        replica.running.send(signal.SIGTERM)
    await asyncio.gather(*(replica.ending for replica in old))
    return old


@pytest.mark.long
async def test_no_request_fails_while_all_replicas_are_replaced(
    cli: Cli, simulator: RunningSimulator, database: Database
) -> None:
    simulator.faults = FAULTS
    cli = cli.under(TRADE_SERVICE_AUTH_MODE="none", TRADE_SERVICE_LOG_LEVEL="ERROR")
    async with AsyncExitStack() as stack, asyncio.timeout(LIMIT_S):
        timeout = aiohttp.ClientTimeout(total=5)
        service = Service(await stack.enter_async_context(aiohttp.ClientSession(timeout=timeout)))
        await stack.enter_async_context(service.relay.listening())
        probing = asyncio.create_task(service.probe())
        stack.callback(probing.cancel)
        await asyncio.gather(*(started(cli, stack, service) for _ in range(REPLICAS)))
        load = Load(f"http://127.0.0.1:{service.relay.port}")
        loading = asyncio.create_task(load.run())
        old = await rolled(cli, stack, service)
        load.stop.set()
        await loading

        assert load.failures == []
        assert load.answers.total() > 100, "there was load"
        for replica in old:
            ended = replica.ending.result()
            assert (ended.code, "Traceback" in ended.err) == (0, False), ended
        assert all(replica.connections for replica in service.replicas), "each has served"
        while await value_of(database, OPEN):
            await asyncio.sleep(PROBE_EVERY_S)
        audit = await cli.run("audit", "--json")
        assert (audit.code, json.loads(audit.out)["clean"]) == (0, True), audit
    assert simulator.faults_met.keys() == FAULTS.keys()
    assert simulator.ledger.accepted_counts() == dict.fromkeys(load.submitted, 1)
    assert await value_of(database, CONSERVATION) == 0
