"""A service for each module of attacks."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.attacks.target import Target, served
from tests.support.database import TestServer

QUICK = {
    "TRADE_SERVICE_CONNECTIONS_HEADER_TIMEOUT_S": "2",
    "TRADE_SERVICE_CONNECTIONS_REST_TIMEOUT_S": "1",
    "TRADE_SERVICE_CONNECTIONS_WRITE_TIMEOUT_S": "1",
    "TRADE_SERVICE_CONNECTIONS_KEEP_ALIVE_S": "3",
    "TRADE_SERVICE_CONNECTIONS_MAX_REST_BYTES": "1000000",
}
"""Times that a test can wait for."""


@pytest.fixture(scope="module")
async def target(
    postgres: TestServer, template_database: str, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Target]:
    """One service for the attacks of a module."""
    folder: Path = tmp_path_factory.mktemp("attacked")
    async with served(postgres, template_database, folder, **QUICK) as running:
        yield running
