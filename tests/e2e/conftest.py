"""Fixtures: a database and an Execution Service simulator for each test that needs them."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from execution_simulator.server import RunningSimulator, SimulatorSettings, running_simulator
from tests.e2e.command import FAST, Cli, bare_environment


@pytest.fixture
async def simulator() -> AsyncIterator[RunningSimulator]:
    async with running_simulator(SimulatorSettings(retry_after_s=0)) as running:
        yield running


@pytest.fixture
def cli(tmp_path: Path, database_url: str, simulator: RunningSimulator) -> Cli:
    """The command on its own database, with the simulator as Execution Service."""
    settings = {"DATABASE_URL": database_url, "EXECUTION_SERVICE_BASE_URL": simulator.base_url}
    return Cli(tmp_path, bare_environment(tmp_path) | FAST | settings)


@pytest.fixture
def bare_cli(tmp_path: Path) -> Cli:
    """The command without settings."""
    return Cli(tmp_path, bare_environment(tmp_path))
