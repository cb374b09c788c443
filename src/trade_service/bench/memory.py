"""Memory and garbage collection by the number of executions. Also the process that is measured."""

import asyncio
import gc
import sys
import time
from pathlib import Path

import msgspec

from trade_service.bench.environment import Environment, services_on
from trade_service.bench.results import Better, Scenario
from trade_service.bench.runs import engine_rate
from trade_service.bench.seeding import connected, seed
from trade_service.bench.subprocesses import child, line_of, print_line, run_child

CHILD_S = 900.0
SAMPLE_EVERY_S = 0.02
KILOBYTE = 1024
MEGABYTE = KILOBYTE**2


class MemoryFigures(msgspec.Struct, frozen=True):
    """What one process found, in bytes, milliseconds, and counts."""

    executions: int
    idle: int
    peak_above_idle: int
    pauses: int
    pauses_ms: float
    longest_pause_ms: float
    seconds: float


async def memory(environment: Environment, scenario: Scenario) -> None:
    """A separate process submits all executions in one call. Peak memory counts above its idle memory before the
    first submission; pauses are the times in which only Python's garbage collector ran.
    """
    axis = "executions"
    peak = scenario.chart("Peak memory above idle", axis, "MB").line("peak above idle", Better.LESS)
    each = scenario.chart("Peak memory per execution", axis, "bytes", log=True)
    per_execution = each.line("peak above idle, per execution", Better.LESS)
    pauses = scenario.chart("Garbage collection", axis, "ms", log=True)
    longest, total = pauses.line("longest pause", Better.LESS), pauses.line("all pauses", Better.LESS)
    common = (1_000, 10_000, 100_000)
    async with environment.database() as dsn, environment.downstream(0.0) as base_url, connected(dsn) as link:
        for count in environment.preset.pick((1_000,), common, (*common, 1_000_000)):
            environment.step(f"{count:,} executions")
            ids = await seed(link, count)
            found = await _measured(dsn, base_url, ids)
            peak.add(count, round(found.peak_above_idle / MEGABYTE, 2))
            per_execution.add(count, round(found.peak_above_idle / count, 1))
            longest.add(count, round(found.longest_pause_ms, 2))
            total.add(count, round(found.pauses_ms, 2))
    scenario.find(
        f"{found.executions:,} executions need {found.peak_above_idle / MEGABYTE:.1f} MB above the idle "
        f"{found.idle / MEGABYTE:.0f} MB, with {found.pauses} collections of at most "
        f"{found.longest_pause_ms:.1f} ms ({found.pauses_ms:.0f} ms of {found.seconds:.1f} s in total)."
    )


async def _measured(dsn: str, base_url: str, ids: range) -> MemoryFigures:
    arguments = (dsn, base_url, str(ids.start), str(len(ids)))
    async with child("trade_service.bench.memory", *arguments) as process:
        line = await line_of(process, "the process under measurement", CHILD_S)
    return msgspec.json.decode(line, type=MemoryFigures)


class Pauses:
    """Times the pauses for garbage collection; register it in `gc.callbacks`."""

    def __init__(self) -> None:
        self.times_ms: list[float] = []
        self._began = 0.0

    def __call__(self, phase: str, _: dict[str, int]) -> None:
        if phase == "start":
            self._began = time.perf_counter()
        else:
            self.times_ms.append((time.perf_counter() - self._began) * 1000)


def resident() -> int:
    """Resident memory of this process in bytes, or its peak where the system only reports that."""
    status = Path("/proc/self/status")
    if status.exists():
        for line in status.read_text("ascii", "replace").splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) * KILOBYTE
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * KILOBYTE


async def main(dsn: str, base_url: str, first: str, count: str) -> None:
    """Submits the executions, sampling memory, and prints `MemoryFigures` as JSON."""
    ids = range(int(first), int(first) + int(count))
    async with services_on(dsn, base_url) as services:
        gc.collect()
        idle = peak = resident()
        pauses, begun = Pauses(), time.perf_counter()
        gc.callbacks.append(pauses)
        running = asyncio.ensure_future(engine_rate(services, ids))
        while not running.done():
            await asyncio.wait([running], timeout=SAMPLE_EVERY_S)
            peak = max(peak, resident())
        running.result()
        gc.callbacks.remove(pauses)
        seconds = time.perf_counter() - begun
    times = pauses.times_ms
    figures = MemoryFigures(
        len(ids), idle, peak - idle, len(times), sum(times), max(times, default=0.0), round(seconds, 2)
    )
    print_line(msgspec.json.encode(figures).decode())


if __name__ == "__main__":
    run_child(main(*sys.argv[1:]))
