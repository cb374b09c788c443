"""Start-up time of `serve`, and its idle memory."""

import asyncio
import statistics
import time

import aiohttp
import psutil

from trade_service.bench.environment import Environment
from trade_service.bench.results import Better, Scenario
from trade_service.bench.subprocesses import address_of, child

READINESS = "/actuator/health/readiness"
LIMIT_S = 60.0


async def start(environment: Environment, scenario: Scenario) -> None:
    """The `serve` command on a migrated database of a running PostgreSQL, from its start until the readiness
    probe answers 200; the processor time it used by then, which depends less on other work; and its memory a
    few seconds later, before any other request.
    """
    ready = scenario.chart("Start-up", "start", "s")
    wall, processor = (ready.line(name, Better.LESS) for name in ("ready", "processor time"))
    memory = scenario.chart("Idle memory", "start", "MB").line("resident", Better.LESS)
    idle_s = environment.preset.pick(0.1, 3.0, 3.0)
    async with environment.database() as dsn, aiohttp.ClientSession() as session:
        await _started(dsn, session, 0.0)  # The first start reads the files from disk.
        for number in range(1, environment.preset.pick(1, 5, 5) + 1):
            environment.step(f"start {number}")
            ready_s, processor_s, idle_mb = await _started(dsn, session, idle_s)
            wall.add(number, ready_s)
            processor.add(number, processor_s)
            memory.add(number, idle_mb)
    ready_s, processor_s, idle_mb = (
        statistics.median(line.medians().values()) for line in (wall, processor, memory)
    )
    scenario.find(f"Ready after {ready_s:.2f} s, processor time {processor_s:.2f} s, idle {idle_mb:.0f} MB.")


async def _started(dsn: str, session: aiohttp.ClientSession, idle_s: float) -> tuple[float, float, float]:
    """Starts the service and stops it: seconds until ready, processor seconds by then, idle megabytes."""
    settings = {"DATABASE_URL": dsn, "LOG_LEVEL": "ERROR"}
    begun = time.perf_counter()
    serve = ("trade_service.cli.main", "serve", "--port", "0")
    async with child(*serve, environment=settings, terminate=True) as process, asyncio.timeout(LIMIT_S):
        address = await address_of(process, "the service")
        while True:
            async with session.get(address + READINESS) as answer:
                if answer.status == 200:
                    break
            await asyncio.sleep(0.005)
        ready_s = time.perf_counter() - begun
        service = psutil.Process(process.pid)
        used = service.cpu_times()
        await asyncio.sleep(idle_s)
        return ready_s, used.user + used.system, service.memory_info().rss / 1024**2
