"""Submits many executions in a process of its own and prints its idle and peak memory as JSON."""

import asyncio
import json
import sys
import time

import psutil
import uvloop

from trade_service.bench.filling import fill
from trade_service.bench.runs import engine_rate
from trade_service.bench.stage import services_on
from trade_service.observability.logs import configure_logs

SAMPLE_EVERY_S = 0.05


async def main(dsn: str, base_url: str, count: int) -> None:
    """Takes the idle memory of the service before its first submission, submits, and samples the peak."""
    configure_logs("ERROR", "console")
    process = psutil.Process()
    async with services_on(dsn, base_url) as services:
        ids = await fill(services.engine, count)
        idle = peak = process.memory_info().rss
        begun = time.perf_counter()
        running = asyncio.ensure_future(engine_rate(services, ids))
        while not running.done():
            await asyncio.wait([running], timeout=SAMPLE_EVERY_S)
            peak = max(peak, process.memory_info().rss)
        rate = running.result()
    megabyte = 1024 * 1024
    figures = {
        "executions": count,
        "idle_mb": round(idle / megabyte, 1),
        "peak_above_idle_mb": round((peak - idle) / megabyte, 1),
        "executions_per_s": round(rate),
        "seconds": round(time.perf_counter() - begun, 1),
    }
    print(json.dumps(figures))


if __name__ == "__main__":
    uvloop.run(main(sys.argv[1], sys.argv[2], int(sys.argv[3])))
