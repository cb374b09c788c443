"""`python -m tests.browser stay|large|screenshots`: a stage to look at, a million rows, the pictures of docs."""

import asyncio
import os
import sys
import tempfile
from collections.abc import Callable, Coroutine
from pathlib import Path

import asyncpg
from benchmarks.large_tables import fill_large

from tests.browser.runner import missing, run_browser
from tests.browser.small_png import shrink
from tests.browser.stage import Seeding, running_stage
from tests.support.database import migrated_template, running_server

PICTURES = Path(__file__).parents[2] / "docs" / "images"
LARGE_ROWS = 1_000_000


async def _stage(act: str) -> int:
    async with running_server() as server, migrated_template(server) as template:
        async with server.database(template) as url:
            with tempfile.TemporaryDirectory(prefix="tsbrowser") as folder:
                return await ACTS[act](url, Path(folder))


async def stay(url: str, folder: Path) -> int:
    """Keeps a seeded stage until it is interrupted."""
    async with running_stage(folder, url) as stage:
        print(stage.environment()["CONSOLE_STAGE"], flush=True)
        await asyncio.Event().wait()
    return 0


async def screenshots(url: str, folder: Path) -> int:
    """Takes the pictures of docs/images."""
    async with running_stage(folder, url) as stage:
        async with asyncio.TaskGroup() as group:
            load = group.create_task(Seeding(stage).load())
            code, output = await run_browser(stage, "screenshots", 300.0)
            load.cancel()
    print(output)
    for path in sorted(PICTURES.glob("*.png")):
        shrink(path)
    print(f"{sum(path.stat().st_size for path in PICTURES.glob('*.png')):,} bytes of pictures")
    return code


async def large(url: str, folder: Path) -> int:
    """Looks through the console at a million executions."""
    link = await asyncpg.connect(url)
    try:
        await fill_large(link, LARGE_ROWS, lambda line: print(line, flush=True))
    finally:
        await link.close()
    async with running_stage(folder, url, seed=False) as stage:
        code, output = await run_browser(stage, "large", 300.0)
    print(output)
    return code


ACTS: dict[str, Callable[[str, Path], Coroutine[None, None, int]]] = {
    "large": large,
    "stay": stay,
    "screenshots": screenshots,
}


def main() -> int:
    """Returns the exit code."""
    if (lacking := missing()) is not None:
        print(lacking, file=sys.stderr)
        return 1
    os.environ.setdefault("PYTHONUNBUFFERED", "1")
    return asyncio.run(_stage(sys.argv[1]))


if __name__ == "__main__":
    sys.exit(main())
