"""One and two workers of `serve`: what a request costs in processor time, and how many are answered."""

import os
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from functools import partial

import psutil

from trade_service.bench.environment import Environment
from trade_service.bench.load_generator import (
    Caller,
    RequestOutcome,
    Send,
    new_caller,
    saturate,
    session_with,
)
from trade_service.bench.results import Better, Scenario, short
from trade_service.bench.seeding import connected
from trade_service.bench.subprocesses import address_of, child, simulator

CLIENTS = 16
"""For each worker."""
BATCH = 100
WARM_UP_S = 1.0
SERVICE = "service"
GOAL = 1.1


class Served:
    """A running service with its workers, and the requests that it gets."""

    def __init__(self, pid: int, many: Caller, single: Caller) -> None:
        self.process = psutil.Process(pid)
        self.requests: Mapping[str, Send] = {
            "an order by id": partial(many.get, f"/api/v1/tradeOrders/{many.order_ids[7]}"),
            "one order submitted": single.send,
            "100 orders submitted": many.send,
        }


async def workers(environment: Environment, scenario: Scenario) -> None:
    """`serve` with one and with two workers, in turn under the same clients, on one database. Processor time is
    that of the service alone; the load generator, PostgreSQL and the simulator are reported apart. All share the
    cores of this machine.
    """
    preset = environment.preset
    seconds = float(os.environ.get("SECONDS") or preset.pick(0.5, 3.0, 8.0))
    costs = scenario.chart("Processor time of the service a request", "workers", "ms")
    rates = scenario.chart("Requests answered", "workers", "requests/s")
    async with (
        environment.database() as dsn,
        connected(dsn) as link,
        simulator(0) as base_url,
        _served(dsn, base_url, 1) as one,
        _served(dsn, base_url, 2) as two,
    ):
        services = {1: one, 2: two}
        server = psutil.Process(link.get_server_pid()).parent()
        for name in one.requests:
            others = scenario.chart(f"Processor time of the others: {name}", "workers", "ms a request")
            for count, served in services.items():
                await saturate(served.requests[name], CLIENTS * count, min(WARM_UP_S, seconds))
            for repetition in range(preset.pick(1, 5, 7)):
                for count, served in services.items():
                    environment.step(f"{name}, {count} workers, {repetition + 1}")
                    before = _used_s(served, server)
                    found = await saturate(served.requests[name], CLIENTS * count, seconds)
                    answered = max(1, sum(found.outcomes.values()))
                    for process, used_s in _used_s(served, server).items():
                        chart, line = (costs, name) if process == SERVICE else (others, process)
                        cost_ms = 1000 * (used_s - before[process]) / answered
                        chart.line_of(line, Better.LESS).add(count, round(cost_ms, 3))
                    rates.line_of(name).add(count, found.rate(RequestOutcome.GOOD))
            cost, rate = costs.line_of(name).medians(), rates.line_of(name).medians()
            scenario.find(
                f"{name}: {short(cost[1])} ms of processor time with one worker, {short(cost[2])} with two (ratio "
                f"{cost[2] / cost[1]:.2f}); {short(rate[2] / rate[1])} times the requests.",
                good=cost[2] / cost[1] <= GOAL,
            )


def _used_s(served: Served, server: psutil.Process | None) -> dict[str, float]:
    """Processor seconds so far, with the seconds of child processes."""
    ours = psutil.Process()
    simulators = [one for one in ours.children() if "simulate" in one.cmdline()]
    return {
        SERVICE: _seconds_of(served.process, *served.process.children(recursive=True)),
        "load generator": time.process_time(),
        "PostgreSQL": _seconds_of(server, *server.children()) if server is not None else 0.0,
        "simulator": _seconds_of(*simulators),
    }


def _seconds_of(*processes: psutil.Process) -> float:
    spent = 0.0
    for one in processes:
        with suppress(psutil.NoSuchProcess):
            spent += one.cpu_times().user + one.cpu_times().system
    return spent


@asynccontextmanager
async def _served(dsn: str, base_url: str, count: int) -> AsyncIterator[Served]:
    settings = {"DATABASE_URL": dsn, "EXECUTION_SERVICE_BASE_URL": base_url, "LOG_LEVEL": "ERROR"}
    serve = ("trade_service.cli.main", "serve", "--port", "0", "--workers", str(count))
    async with (
        child(*serve, environment=settings, terminate=True) as process,
        session_with(await address_of(process, "the service")) as session,
    ):
        many, single = await new_caller(session, 5_000, BATCH), await new_caller(session, 5_000, 1)
        yield Served(process.pid, many, single)
