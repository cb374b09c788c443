"""Runs the console's browser tests against a stage; `python -m tests.browser` runs the longer ones."""

import asyncio
import os
import shutil
from pathlib import Path

from tests.browser.stage import Stage

SOURCES = Path(__file__).parents[2] / "console"
CHROMIUM = ("chromium", "chromium-browser", "google-chrome")


def chromium() -> str | None:
    """The browser: the one that CONSOLE_CHROMIUM names, or an installed one."""
    found = (shutil.which(name) for name in CHROMIUM)
    return os.environ.get("CONSOLE_CHROMIUM") or next((path for path in found if path), None)


def missing() -> str | None:
    """What a run would lack."""
    if shutil.which("node") is None or not (SOURCES / "node_modules" / "playwright").exists():
        return (
            "Node or console/node_modules is missing: `make console-browser` installs what the console needs"
        )
    if chromium() is None:
        return "Chromium is missing: install the package chromium, or name a browser in CONSOLE_CHROMIUM"
    return None


async def run_browser(
    stage: Stage, project: str, timeout_s: float, *arguments: str, **environment: str
) -> tuple[int, str]:
    """The exit code and output of the tests of one project of `console/e2e/playwright.config.ts`."""
    browser = chromium()
    assert browser is not None
    process = await asyncio.create_subprocess_exec(
        "npx", "--no-install", "playwright", "test", "--config", "e2e/playwright.config.ts",
        "--project", project, *arguments,
        cwd=SOURCES, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
        env=os.environ | stage.environment() | {"CONSOLE_CHROMIUM": browser} | environment,
    )  # fmt: skip
    try:
        async with asyncio.timeout(timeout_s):
            out, _ = await process.communicate()
    except TimeoutError:
        process.kill()
        out, _ = await process.communicate()
        return 1, f"{out.decode()}\nnot done within {timeout_s:g} s"
    return process.returncode or 0, out.decode()
