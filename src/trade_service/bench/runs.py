"""Single runs, each limited in time and number: how many executions a second, through which way."""

import time
from collections.abc import Iterator, Sequence

from trade_service.bench import bare_loop
from trade_service.bench.children import BenchError
from trade_service.bench.effort import Effort
from trade_service.bench.filling import Supply
from trade_service.bootstrap.services import Services
from trade_service.submission.model import SubmitStatus

WAIT_S = 600.0
OK = "OK"


class Runner:
    """Runs on one database and one Execution Service, out of one supply of executions."""

    def __init__(self, supply: Supply, effort: Effort, dsn: str, base_url: str) -> None:
        self._supply = supply
        self._effort = effort
        self._dsn = dsn
        self._base_url = base_url

    async def warm_up(self, services: Services) -> None:
        """Opens connections, prepares statements, loads reference data."""
        await engine_rate(services, await self._supply.take(self._effort.warm_up))

    async def bulk(self, services: Services) -> float:
        """Many at once through the whole submission path."""
        ids = await self._supply.take(self._effort.most)
        begun, taken = time.perf_counter(), 0

        def in_time() -> Iterator[int]:
            nonlocal taken
            for execution_id in ids:
                if time.perf_counter() - begun >= self._effort.limit_s:
                    return
                taken += 1
                yield execution_id

        accepted, trouble = 0, ""
        async for result in services.submissions.stream_executions(in_time(), wait_s=WAIT_S):
            accepted += result.code == OK
            trouble = trouble if result.code == OK else result.message
        elapsed_s = time.perf_counter() - begun
        self._supply.give_back(ids, taken)
        check_accepted(accepted, taken, trouble)
        return taken / elapsed_s

    async def one_by_one(self, services: Services) -> float:
        """One caller that waits for each execution before it submits the next one."""
        ids = await self._supply.take(self._effort.most)
        begun, done = time.perf_counter(), 0
        for execution_id in ids:
            answer = await services.executions.submit_execution(execution_id, WAIT_S)
            done += 1
            check_accepted(int(answer.status is SubmitStatus.SUCCESS), 1, answer.error or "")
            if time.perf_counter() - begun >= self._effort.limit_s:
                break
        elapsed_s = time.perf_counter() - begun
        self._supply.give_back(ids, done)
        return done / elapsed_s

    async def bare(self, workers: int, batch_size: int = 100) -> float:
        """The bare loop."""
        ids = await self._supply.take(self._effort.most)
        limit_s = self._effort.limit_s
        ran = await bare_loop.run(self._dsn, self._base_url, ids, workers, batch_size, limit_s)
        self._supply.give_back(ids, ran.done)
        return ran.rate


async def engine_rate(services: Services, ids: Sequence[int]) -> float:
    """Durable executions a second through the whole submission path; raises BenchError."""
    begun = time.perf_counter()
    accepted, trouble = 0, ""
    async for result in services.submissions.stream_executions(ids, wait_s=WAIT_S):
        accepted += result.code == OK
        trouble = trouble if result.code == OK else result.message
    elapsed_s = time.perf_counter() - begun
    check_accepted(accepted, len(ids), trouble)
    return len(ids) / elapsed_s


def check_accepted(accepted: int, submitted: int, trouble: str) -> None:
    """Raises BenchError unless all were accepted: a figure would mean something else."""
    if accepted != submitted:
        raise BenchError(f"only {accepted:,} of {submitted:,} executions were accepted: {trouble}")
