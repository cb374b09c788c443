"""The stores of orders and executions on a database of their own; data folders of the embedded PostgreSQL."""

import shutil
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import psutil
import pytest

from tests.support.embedded import OtherUser, alive, copied, run
from tests.support.leftovers import quick_disk
from tests.support.trading import OWNER
from trade_service.domain.reference import ReferenceData
from trade_service.store.database import Database
from trade_service.store.embedded import EmbeddedPostgres
from trade_service.store.embedded_account import Account
from trade_service.store.execution_reads import PostgresExecutionReads
from trade_service.store.order_store import PostgresOrderStore
from trade_service.store.reference_store import PostgresReferenceReads


@pytest.fixture(scope="module")
def base() -> Iterator[Path]:
    """A folder that an unprivileged user can traverse; pytest's own are private."""
    path = Path(tempfile.mkdtemp(prefix="trade-pg-", dir=quick_disk())).resolve()
    path.chmod(0o711)
    yield path
    mine = [
        process.pid
        for process in psutil.process_iter(["cmdline"])
        if str(path) in " ".join(process.info["cmdline"] or ()) and alive(process.pid)
    ]
    shutil.rmtree(path)
    assert mine == [], "a server was left running"


@pytest.fixture(scope="module")
async def template(base: Path) -> Path:
    path = base / "template"
    async with EmbeddedPostgres.running(path) as server:
        await run(server.dsn, "CREATE TABLE t (n int)", "INSERT INTO t VALUES (1) RETURNING n")
    return path


@pytest.fixture
def data_dir(base: Path, template: Path) -> Path:
    """A data folder with a cluster, in which table t has one row."""
    return copied(template, Path(tempfile.mkdtemp(dir=base)) / "data")


@pytest.fixture
async def other_user() -> AsyncIterator[Callable[..., OtherUser]]:
    started: list[OtherUser] = []

    def start(data_dir: Path, account: Account | None = None) -> OtherUser:
        started.append(OtherUser(data_dir, account))
        return started[-1]

    yield start
    for user in started:
        if user.process.poll() is None:
            user.kill()


@pytest.fixture
async def reference(database: Database) -> ReferenceData:
    return await PostgresReferenceReads(database).load()


@pytest.fixture
def store(database: Database) -> PostgresOrderStore:
    return PostgresOrderStore(database, OWNER)


@pytest.fixture
def reads(database: Database) -> PostgresExecutionReads:
    return PostgresExecutionReads(database, OWNER, 60_000)
