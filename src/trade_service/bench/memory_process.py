"""Submits many executions in a process of its own and prints what memory that took, as JSON."""

import asyncio
import gc
import sys
import time
from pathlib import Path

import msgspec

from trade_service.bench.children import run_child
from trade_service.bench.runs import engine_rate
from trade_service.bench.stage import services_on

SAMPLE_EVERY_S = 0.02
KILOBYTE = 1024


class MemoryFigures(msgspec.Struct, frozen=True):
    """Bytes, milliseconds, and how many."""

    executions: int
    idle: int
    peak_above_idle: int
    pauses: int
    pauses_ms: float
    longest_pause_ms: float
    seconds: float


class Pauses:
    """How long the garbage collector held everything up."""

    def __init__(self) -> None:
        self.times_ms: list[float] = []
        self._began = 0.0

    def __call__(self, phase: str, _: dict[str, int]) -> None:
        """One of `gc.callbacks`."""
        if phase == "start":
            self._began = time.perf_counter()
        else:
            self.times_ms.append((time.perf_counter() - self._began) * 1000)


def resident() -> int:
    """Bytes of this process in memory; where the system tells only the peak, that."""
    status = Path("/proc/self/status")
    if status.exists():
        for line in status.read_text("ascii", "replace").splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) * KILOBYTE
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * KILOBYTE


async def main(dsn: str, base_url: str, first: str, count: str) -> None:
    """Takes the memory of the idle service, submits, and samples the peak."""
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
    sys.stdout.write(msgspec.json.encode(figures).decode() + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    run_child(main(*sys.argv[1:]))
