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
TIMEOUT_S = 60 + 60 * EXAMPLES


async def test_every_answer_is_as_the_description_says(
    postgres: TestServer, template_database: str, tmp_path: Path
) -> None:
    async with live_alone(postgres, template_database) as live:
        await live.batch(*((order_id, 5) for order_id in await live.orders(10, quantity=1000)))
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "schemathesis.cli", "--config-file", str(HERE / "schemathesis.toml")),
            *("run", f"{live.client.url}/schema/openapi.json", "--max-examples", str(EXAMPLES)),
            *("--phases", PHASES, "--continue-on-failure"),
            cwd=tmp_path,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        try:
            async with asyncio.timeout(TIMEOUT_S):
                told, _ = await process.communicate()
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        assert process.returncode == 0, told.decode()[-20_000:]
        await live.accounts_agree()
