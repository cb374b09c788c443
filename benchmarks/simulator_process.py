"""The simulator as a child process: prints its address, ends when its standard input does."""

import asyncio
import sys

import uvloop

from trade_service.simulator.server import running_simulator
from trade_service.simulator.settings import SimulatorSettings


async def main(latency_ms: float) -> None:
    """Serves until standard input is closed."""
    async with running_simulator(SimulatorSettings(call_latency_ms=latency_ms)) as simulator:
        print(simulator.base_url, flush=True)
        await asyncio.to_thread(sys.stdin.read)


if __name__ == "__main__":
    uvloop.run(main(float(sys.argv[1]) if len(sys.argv) > 1 else 0.0))
