"""Fixtures for all tests."""

import gc
import os
import re
import signal
from collections.abc import AsyncIterator, Generator, Iterator
from functools import cache
from pathlib import Path

import pytest
import structlog
from hypothesis import settings
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling
from xdist.scheduler.protocol import Scheduling
from xdist.workermanage import WorkerController

from execution_simulator import server, state
from execution_simulator.profiles import PROFILES
from tests.support.database import TestServer, migrated_template, running_server
from trade_service.store.database import Database
from trade_service.store.store_settings import StoreSettings

ROOT = Path(__file__).parent.parent
# A deadline would measure the machine: several workers share its processors.
settings.register_profile("suite", deadline=None)
settings.load_profile("suite")
LONGEST = (
    "tests/chaos/test_chaos.py",
    "tests/web/test_conformance.py",
    "tests/attacks/test_bodies.py",
    "tests/attacks/test_fair_shares.py",
    "tests/store/test_plans_at_size.py",
    "tests/attacks/test_downstream_bodies.py",
    "tests/contract/test_recorded_traffic.py",
    "tests/e2e/test_archive_command.py",
    "tests/e2e/test_workers.py",
    "tests/e2e/test_bench.py",
    "tests/store/test_query_plans.py",
    "tests/store/test_embedded_folder.py",
    "tests/store/test_adoption.py",
    "tests/store/test_archive.py",
    "tests/store/test_embedded.py",
    "tests/e2e/test_bulk_integration.py",
    "tests/e2e/test_terminal.py",
    "tests/e2e/test_recover.py",
    "tests/e2e/test_interrupts.py",
    "tests/e2e/test_secrets.py",
    "tests/e2e/test_json_output.py",
    "tests/e2e/test_demo.py",
    "tests/chaos/test_failover.py",
    "tests/world/test_world.py",
    "tests/blotters/test_cases.py",
    "tests/blotters/test_properties.py",
    "tests/store/test_list_totals.py",
    "tests/attacks/test_slow_clients.py",
)
"""Modules whose tests take longest."""
SHORTEST = ("tests/core/", "tests/client/", "tests/simulator/", "tests/test_")
"""Modules with short tests alone."""

# A shell has what it starts in the background ignore one, `nohup` the other, and so would commands of tests.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:
    signal.signal(signal.SIGHUP, lambda *_: None)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--simulator-profile",
        choices=list(PROFILES),
        help="The profile of every stand-in that runs in the tests' process, whatever its settings say.",
    )


def pytest_configure(config: pytest.Config) -> None:
    chosen = config.getoption("--simulator-profile")
    if chosen is not None:
        for module in (server, state):
            vars(module)["PROFILES"] = dict.fromkeys(PROFILES, PROFILES[chosen])


@cache
def shares_work(module: str) -> bool:
    """Whether a module, or the `conftest.py` beside it, has a fixture or a cache that several tests share."""
    path = ROOT / module
    texts = [one.read_text("utf-8") for one in (path, path.with_name("conftest.py")) if one.exists()]
    return any(re.search(r'scope="(module|package)"|^@cache$', text, re.M) for text in texts)


class ModulesTogether(LoadScopeScheduling):  # type: ignore[misc]  # pytest-xdist has no types
    """Gives a process one test after the other, or all of a module that share a fixture or a cache.

    Every other process would make it anew. `--dist loadgroup` of pytest-xdist 3.8 groups nothing with
    pytest 9.2.
    """

    def _split_scope(self, nodeid: str) -> str:
        module = nodeid.partition("::")[0]
        return module if shares_work(module) else nodeid

    def mark_test_complete(self, node: WorkerController, item_index: int, duration: float = 0) -> None:
        """Forgets what is complete: the base would count it again after every test."""
        super().mark_test_complete(node, item_index, duration)
        work = self.assigned_work[node]
        scope = self._split_scope(self.registered_collections[node][item_index])
        if all(work[scope].values()):
            del work[scope]


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> Scheduling:
    config.option.loadscopereorder = False  # See `pytest_collection_modifyitems`.
    return ModulesTogether(config, log)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """Twice the processors: tests wait about as long as they compute."""
    return 2 * (os.cpu_count() or 1)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begins with the longest, so that at the end every process still has something to do."""
    places = {name: place for place, name in enumerate(LONGEST)}
    items.sort(key=lambda item: places.get(item.nodeid.partition("::")[0], _place_of_others(item)))


def _place_of_others(item: pytest.Item) -> int:
    return len(LONGEST) + item.nodeid.startswith(SHORTEST)


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Thousands of tests stay until the end: the garbage collector need not look at them again and again."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


@pytest.fixture(autouse=True)
def log_configuration() -> Iterator[None]:
    """Restores the configuration of the log: commands that run in the tests' process set their own."""
    before = structlog.get_config()
    yield
    structlog.configure(**before)


@pytest.fixture(scope="session")
async def postgres() -> AsyncIterator[TestServer]:
    """One real PostgreSQL per test process."""
    async with running_server() as server:
        yield server


@pytest.fixture(scope="session")
async def postgres_url(postgres: TestServer) -> str:
    """The URL of an unused database on the tests' server, to create others from."""
    return postgres.url


@pytest.fixture(scope="session")
async def template_database(postgres: TestServer) -> AsyncIterator[str]:
    """The name of the migrated database that the tests' databases are cloned from; do not connect to it."""
    async with migrated_template(postgres) as name:
        yield name


@pytest.fixture
async def empty_database_url(postgres: TestServer) -> AsyncIterator[str]:
    """The URL of a new database without tables, dropped afterwards."""
    async with postgres.database() as url:
        yield url


@pytest.fixture
async def database_url(postgres: TestServer, template_database: str) -> AsyncIterator[str]:
    """The URL of a new database with all tables and the reference data, dropped afterwards."""
    async with postgres.database(template_database) as url:
        yield url


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    """A pool on `database_url`."""
    pool = Database(StoreSettings(database_url))
    try:
        yield pool
    finally:
        await pool.close()
