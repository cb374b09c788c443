"""The whole service and an Execution Service simulator, each on a socket."""

from collections.abc import AsyncIterator

import pytest

from tests.support.database import TestServer
from tests.web.live import Live, behave, live_alone


@pytest.fixture(scope="package")
async def shared(postgres: TestServer, template_database: str) -> AsyncIterator[Live]:
    async with live_alone(postgres, template_database) as live:
        yield live


@pytest.fixture
async def live(shared: Live) -> AsyncIterator[Live]:
    """The service; checks after every test that quantities agree and nothing was accepted twice."""
    behave(shared.simulator)
    yield shared
    await shared.accounts_agree()
