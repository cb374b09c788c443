"""schemathesis asks the whole service for everything that its own description names, rightly and wrongly."""

import asyncio
import os
import sys
from pathlib import Path

from tests.support.database import TestServer
from tests.web.live import live_alone

HERE = Path(__file__).parent
EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", "2"))
"""Of each operation; `make fuzz` has more."""
PHASES = os.environ.get("FUZZ_PHASES", "examples,fuzzing")
SCENARIOS = int(os.environ.get("FUZZ_SCENARIOS", "30"))
"""Sequences of calls along the links of the description; `make fuzz` has more."""


async def test_every_answer_is_as_the_description_says(
    postgres: TestServer, template_database: str, tmp_path: Path
) -> None:
    await ask_everything(postgres, template_database, tmp_path, PHASES, EXAMPLES, 60 + 60 * EXAMPLES)


async def test_what_follows_an_answer_is_as_the_description_says(
    postgres: TestServer, template_database: str, tmp_path: Path
) -> None:
    """What was deleted is gone, what was created is there, and every link leads to where it says."""
    await ask_everything(postgres, template_database, tmp_path, "stateful", SCENARIOS, 60 + SCENARIOS)


async def ask_everything(
    postgres: TestServer, template: str, folder: Path, phases: str, examples: int, timeout_s: float
) -> None:
    """Runs schemathesis against a service of its own; its accounts have to agree afterwards."""
    async with live_alone(postgres, template) as live:
        await live.batch(*((order_id, 5) for order_id in await live.orders(10, quantity=1000)))
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "schemathesis.cli", "--config-file", str(HERE / "schemathesis.toml")),
            *("run", f"{live.client.url}/schema/openapi.json", "--max-examples", str(examples)),
            *("--phases", phases, "--continue-on-failure"),
            cwd=folder,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        try:
            async with asyncio.timeout(timeout_s):
                told, _ = await process.communicate()
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        assert process.returncode == 0, told.decode()[-20_000:]
        await live.accounts_agree()
