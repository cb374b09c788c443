"""schemathesis calls everything in the service's OpenAPI document, with valid and invalid requests."""

import asyncio
import os
import sys
from pathlib import Path

from tests.support.database import TestServer
from tests.web.live import Live, live_alone

HERE = Path(__file__).parent
EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", "2"))
"""Examples of each operation; `make fuzz` has more."""
PHASES = os.environ.get("FUZZ_PHASES", "examples,fuzzing")
SEEDS = int(os.environ.get("FUZZ_SEEDS", "2"))
"""Rounds of calls along the document's links; `make fuzz` has more."""
SCENARIOS = 30
"""Sequences of a seed, at most: what follows depends on answers, which change as the database fills, and
schemathesis 4 ends its stateful phase, without a word and as passed, once a repeated sequence goes another way.
Many short rounds come further than one long one."""


async def test_every_answer_is_as_the_description_says(
    postgres: TestServer, template_database: str, tmp_path: Path
) -> None:
    async with live_alone(postgres, template_database) as live:
        await prepare(live)
        options = ("--phases", PHASES, "--max-examples", str(EXAMPLES), "--generation-deterministic")
        await ask_everything(live, tmp_path, options, 900 + 60 * EXAMPLES)
        await live.accounts_agree()


async def test_what_follows_an_answer_is_as_the_description_says(
    postgres: TestServer, template_database: str, tmp_path: Path
) -> None:
    """Created rows exist, deleted ones do not, and every link works."""
    async with live_alone(postgres, template_database) as live:
        await prepare(live)
        for seed in range(1, SEEDS + 1):
            options = ("--phases", "stateful", "--max-examples", str(SCENARIOS), "--seed", str(seed))
            await ask_everything(live, tmp_path, options, 600)
        await live.accounts_agree()


async def prepare(live: Live) -> None:
    """Creates ten orders and sends part of each."""
    await live.batch(*((order_id, 5) for order_id in await live.orders(10, quantity=1000)))


async def ask_everything(live: Live, folder: Path, options: tuple[str, ...], timeout_s: float) -> None:
    """Runs schemathesis against the service, and fails with its whole output."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "schemathesis.cli", "--config-file", str(HERE / "schemathesis.toml")),
        *("run", f"{live.client.url}/schema/openapi.json", "--continue-on-failure", *options),
        cwd=folder,
        env={**os.environ, "SCHEMATHESIS_HOOKS": str(HERE / "conformance_hooks.py")},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    try:
        async with asyncio.timeout(timeout_s):
            output, _ = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    assert process.returncode == 0, output.decode()[-20_000:]
