"""The demo's Execution Service: a process of its own, with faults of several classes, that dies with us."""

import asyncio
import random
import sys
from asyncio.subprocess import DEVNULL, PIPE
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec

from trade_service.cli.command_error import CommandError

BATCH = 100
FAULTY_CALLS = 5
"""One call of so many fails."""
START_S = 30.0
STOP_S = 60.0
CLASSES = (
    "reset_after",
    "error_500_partial",
    "shifted_index",
    "throttle_429",
    "truncated",
    "error_503",
    "no_results_201",
    "reset_before",
    "fewer_results",
    "gateway_504_late",
    "item_fail_transient",
    "hang_after",
    "repeated_index",
    "gateway_502",
)
RATES = ("reset_after=0.01", "error_500_partial=0.01", "shifted_index=0.01", "error_503=0.005")
"""Of the calls after the script: those that send again what the script broke."""


class DemoSimulator(msgspec.Struct, frozen=True):
    """Where it listens, and what it will do wrong."""

    base_url: str
    faults: tuple[str, ...]


def fault_script(orders: int, seed: int) -> list[str]:
    """The fault of each first call: one of every few, each class in turn."""
    dice = random.Random(seed)
    calls = -(-orders // BATCH)
    script = ["ok"] * calls
    count = max(1, calls // FAULTY_CALLS)
    for turn in range(count):
        first, last = turn * calls // count, (turn + 1) * calls // count
        script[dice.randrange(first, max(last, first + 1))] = CLASSES[turn % len(CLASSES)]
    return script


@asynccontextmanager
async def demo_simulator(
    folder: Path, orders: int, latency_ms: float, seed: int, *, keep: bool
) -> AsyncIterator[DemoSimulator]:
    """Runs it; when this process ends, however that happens, it removes the folder and ends."""
    script = fault_script(orders, seed)
    command = [
        sys.executable, "-m", "trade_service.cli.main", "simulate", "--port", "0", "--fresh",
        "--latency-ms", str(latency_ms), "--seed", str(seed),
        "--script", ",".join(script),
        *(("--until-input-ends",) if keep else ("--keeper-of", str(folder))),
    ]  # fmt: skip
    for rate in RATES:
        command += ["--fault", rate]
    process = await asyncio.create_subprocess_exec(
        *command, stdin=PIPE, stdout=PIPE, stderr=DEVNULL, start_new_session=True
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        try:
            async with asyncio.timeout(START_S):
                line = (await process.stdout.readline()).decode()
        except TimeoutError:
            line = ""
        address = next((word for word in line.split() if word.startswith("http")), None)
        if address is None:
            raise CommandError("the stand-in Execution Service did not start: try `trade-service simulate`")
        yield DemoSimulator(address.rstrip(","), tuple(sorted({step for step in script if step != "ok"})))
    finally:
        process.stdin.close()
        try:
            async with asyncio.timeout(STOP_S):
                await process.wait()
        except TimeoutError:
            process.kill()
            await process.wait()
