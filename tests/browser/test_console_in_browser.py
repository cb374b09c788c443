"""The console in a real Chromium against real replicas: each page, each action, each role."""

from pathlib import Path

import pytest

from tests.browser.runner import missing, run_browser
from tests.browser.stage import running_stage

TIMEOUT_S = 180.0

pytestmark = [pytest.mark.long, pytest.mark.skipif(missing() is not None, reason=str(missing()))]


async def test_the_console_in_a_browser(database_url: str, tmp_path: Path) -> None:
    async with running_stage(tmp_path, database_url) as stage:
        code, output = await run_browser(stage, "console", TIMEOUT_S)
    assert code == 0, output
