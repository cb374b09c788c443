"""Single runs, limited in time and number: executions per second of the engine and of the bare loop."""

import time
from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from contextlib import asynccontextmanager

from trade_service.bench import bare_loop
from trade_service.bench.environment import Environment, services_on
from trade_service.bench.preset import DEFAULT_SIZE, Preset
from trade_service.bench.seeding import Supply, supply_on
from trade_service.bench.subprocesses import BenchError
from trade_service.bootstrap.container import Services
from trade_service.submission.model import SubmitStatus

WAIT_S = 600.0
OK = "OK"


class Runs:
    """Runs on one database and one Execution Service, with executions from one supply."""

    def __init__(self, supply: Supply, preset: Preset, dsn: str, base_url: str) -> None:
        self.supply = supply
        self.preset = preset
        self.dsn = dsn
        self.base_url = base_url

    @asynccontextmanager
    async def services(self, **overrides: object) -> AsyncIterator[Services]:
        """The warmed-up service with these settings."""
        async with services_on(self.dsn, self.base_url, **overrides) as services:
            await self.warm_up(services)
            yield services

    async def warm_up(self, services: Services) -> None:
        """Opens connections, prepares statements, loads reference data."""
        await engine_rate(services, await self.supply.take(self.preset.warm_up))

    async def bulk(self, services: Services) -> float:
        """Submits many executions at once."""
        ids = await self.supply.take(self.preset.most)
        begun, taken = time.perf_counter(), 0

        def in_time() -> Iterator[int]:
            nonlocal taken
            for execution_id in ids:
                if time.perf_counter() - begun >= self.preset.limit_s:
                    return
                taken += 1
                yield execution_id

        accepted, message = await _submit(services, in_time())
        elapsed_s = time.perf_counter() - begun
        self.supply.give_back(ids, taken)
        check_accepted(accepted, taken, message)
        return taken / elapsed_s

    async def one_by_one(self, services: Services) -> float:
        """Submits as a single caller that awaits each execution before the next."""
        ids = await self.supply.take(self.preset.most)
        begun, done = time.perf_counter(), 0
        for execution_id in ids:
            await submit_one(services, execution_id)
            done += 1
            if time.perf_counter() - begun >= self.preset.limit_s:
                break
        elapsed_s = time.perf_counter() - begun
        self.supply.give_back(ids, done)
        return done / elapsed_s

    async def bare(self, workers: int, batch_size: int = DEFAULT_SIZE) -> float:
        """Runs the bare loop."""
        ids = await self.supply.take(self.preset.most)
        limit_s = self.preset.limit_s
        ran = await bare_loop.run(self.dsn, self.base_url, ids, workers, batch_size, limit_s)
        self.supply.give_back(ids, ran.done)
        return ran.rate


@asynccontextmanager
async def runs_on(
    environment: Environment, latency_ms: float, most: int | None = None
) -> AsyncIterator[Runs]:
    """Runs on a new database, with an Execution Service of this latency."""
    preset = environment.preset
    async with (
        environment.database() as dsn,
        environment.downstream(latency_ms) as base_url,
        supply_on(dsn, most or preset.most) as supply,
    ):
        yield Runs(supply, preset, dsn, base_url)


async def engine_rate(services: Services, ids: Sequence[int]) -> float:
    """Durable executions per second through the whole submission path. Raises BenchError."""
    begun = time.perf_counter()
    accepted, message = await _submit(services, ids)
    elapsed_s = time.perf_counter() - begun
    check_accepted(accepted, len(ids), message)
    return len(ids) / elapsed_s


async def submit_one(services: Services, execution_id: int) -> None:
    """Submits one execution and awaits its outcome. Raises BenchError unless it is accepted."""
    answer = await services.executions.submit_execution(execution_id, WAIT_S)
    check_accepted(int(answer.status is SubmitStatus.SUCCESS), 1, answer.error or "")


async def _submit(services: Services, ids: Iterable[int]) -> tuple[int, str]:
    """The number of accepted executions, and the message of the last one that was not."""
    accepted, message = 0, ""
    async for result in services.intake.stream(ids, wait_s=WAIT_S):
        accepted += result.code == OK
        message = message if result.code == OK else result.message
    return accepted, message


def check_accepted(accepted: int, submitted: int, message: str) -> None:
    """Raises BenchError unless every execution was accepted: other rates would be meaningless."""
    if accepted != submitted:
        raise BenchError(f"only {accepted:,} of {submitted:,} executions were accepted: {message}")
