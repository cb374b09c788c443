"""Running simulators, and a session to call them."""

from collections.abc import AsyncIterator

import aiohttp
import pytest

from execution_simulator.profiles import PROFILES
from execution_simulator.server import RunningSimulator, SimulatorSettings, running_simulator


@pytest.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session


@pytest.fixture(params=PROFILES)
async def simulator(request: pytest.FixtureRequest) -> AsyncIterator[RunningSimulator]:
    """In either profile."""
    async with running_simulator(SimulatorSettings(profile=request.param, huge_bytes=2**34)) as running:
        yield running


@pytest.fixture
async def published() -> AsyncIterator[RunningSimulator]:
    async with running_simulator(SimulatorSettings(profile="published")) as running:
        yield running
