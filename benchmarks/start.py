"""`make bench-start`: how long `serve` takes from its start until it is ready, and its memory while idle.

The installed command on a database that runs and is migrated already, named by its URL as a user's own would be.
Ready is the first 200 of the readiness probe; processor time is what the process had used by then, which says
more where other things run; idle memory is taken a few seconds later, before any request but the probe's.
"""

import argparse
import asyncio
import os
import statistics
import sys
import time
from pathlib import Path

import aiohttp
import msgspec
import psutil
import uvloop

from trade_service.bench.machine import described, this_machine
from trade_service.cli.demo_folder import database_folder, make_demo_folder, remove_demo_folder
from trade_service.store.embedded import EmbeddedPostgres
from trade_service.store.migrate import migrate

COMMAND = Path(sys.executable).with_name("trade-service")
READINESS = "/actuator/health/readiness"
LIMIT_S = 60.0
IDLE_S = 3.0


class Start(msgspec.Struct, frozen=True):
    """One start."""

    ready_s: float
    processor_s: float
    idle_mb: float


async def start(dsn: str, session: aiohttp.ClientSession) -> Start:
    """Starts the service, waits until it is ready, and stops it."""
    environment = {"PATH": os.environ["PATH"], "HOME": os.environ.get("HOME", "/"), "DATABASE_URL": dsn}
    begun = time.perf_counter()
    service = await asyncio.create_subprocess_exec(
        COMMAND,
        *("serve", "--port", "0"),
        env=environment | {"LOG_LEVEL": "ERROR"},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )
    assert service.stdout is not None
    try:
        async with asyncio.timeout(LIMIT_S):
            line = (await service.stdout.readline()).decode()
            address = next(word.rstrip(";,") for word in line.split() if word.startswith("http://"))
            await _until_ready(session, address)
        ready_s = time.perf_counter() - begun
        process = psutil.Process(service.pid)
        used = process.cpu_times()
        await asyncio.sleep(IDLE_S)
        return Start(ready_s, used.user + used.system, process.memory_info().rss / 1024**2)
    finally:
        service.terminate()
        await service.communicate()


async def _until_ready(session: aiohttp.ClientSession, address: str) -> None:
    while True:
        async with session.get(address + READINESS) as answer:
            if answer.status == 200:
                return
        await asyncio.sleep(0.005)


async def main(repetitions: int) -> None:
    """Prints each start, and the medians."""
    folder = make_demo_folder()
    try:
        async with (
            EmbeddedPostgres.running(database_folder(folder)) as server,
            aiohttp.ClientSession() as session,
        ):
            await migrate(server.dsn)
            await start(server.dsn, session)  # Files are read from the disk once.
            starts = [await start(server.dsn, session) for _ in range(repetitions)]
    finally:
        await remove_demo_folder(folder)
    print(described(this_machine()))
    for one in starts:
        print(
            f"ready after {one.ready_s:.2f} s, processor {one.processor_s:.2f} s, idle {one.idle_mb:.0f} MB"
        )
    print(
        f"median of {repetitions}: ready after {statistics.median(one.ready_s for one in starts):.2f} s, "
        f"processor {statistics.median(one.processor_s for one in starts):.2f} s, "
        f"idle {statistics.median(one.idle_mb for one in starts):.0f} MB"
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--repetitions", type=int, default=5)
    uvloop.run(main(parser.parse_args().repetitions))
