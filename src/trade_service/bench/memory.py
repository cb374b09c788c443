"""Memory and garbage collection by the number of executions."""

import msgspec

from trade_service.bench.children import child, line_of
from trade_service.bench.filling import fill, filler_on
from trade_service.bench.memory_process import MemoryFigures
from trade_service.bench.results import Better, Scenario
from trade_service.bench.stage import Stage

ABOUT = (
    "A process of its own submits so many executions in one go. Peak is what it needs above its memory before the "
    "first of them; pauses are those in which Python's garbage collector ran, and nothing else did."
)
CHILD_S = 900.0


async def measure(stage: Stage, scenario: Scenario) -> None:
    """Plays the scenario."""
    peaks = scenario.chart("Peak memory above idle", "executions", "MB")
    each = scenario.chart("Peak memory by execution", "executions", "bytes", log=True)
    pauses = scenario.chart("Garbage collection", "executions", "ms", log=True)
    peak = peaks.line("peak above idle", Better.LESS)
    by_one = each.line("peak above idle, by execution", Better.LESS)
    longest, total = pauses.line("longest pause", Better.LESS), pauses.line("all pauses", Better.LESS)
    figures = None
    async with stage.database() as dsn, stage.downstream(0.0) as base_url, filler_on(dsn) as engine:
        for count in stage.effort.memory_sizes:
            stage.step(f"{count:,} executions")
            ids = await fill(engine, count)
            figures = await _measured(dsn, base_url, ids)
            peak.add(count, round(figures.peak_above_idle / 1024**2, 2))
            by_one.add(count, round(figures.peak_above_idle / count, 1))
            longest.add(count, round(figures.longest_pause_ms, 2))
            total.add(count, round(figures.pauses_ms, 2))
    if figures is not None:
        peak_mb, idle_mb = figures.peak_above_idle / 1024**2, figures.idle / 1024**2
        scenario.find(
            f"{figures.executions:,} executions need {peak_mb:.1f} MB above the idle {idle_mb:.0f} MB, with "
            f"{figures.pauses} collections of {figures.longest_pause_ms:.1f} ms at the longest "
            f"({figures.pauses_ms:.0f} ms of {figures.seconds:.1f} s in all)."
        )


async def _measured(dsn: str, base_url: str, ids: range) -> MemoryFigures:
    arguments = (dsn, base_url, str(ids.start), str(len(ids)))
    async with child("trade_service.bench.memory_process", *arguments) as process:
        line = await line_of(process, "the process whose memory is measured", CHILD_S)
    return msgspec.json.decode(line, type=MemoryFigures)
