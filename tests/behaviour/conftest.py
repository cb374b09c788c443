"""Runs the behaviour suite on both stores."""

from collections.abc import AsyncIterator

import pytest

from tests.behaviour.ledger import Ledger
from tests.behaviour.memory_ledger import MemoryLedger
from tests.behaviour.postgres_ledger import PostgresLedger
from trade_service.store.database import Database
from trade_service.submission.clock import SystemClock


@pytest.fixture
async def postgres_ledger(database: Database) -> AsyncIterator[PostgresLedger]:
    """PostgreSQL; after each test, failed and open executions must be where lists find them."""
    ledger = PostgresLedger(database, SystemClock().new_attempt_id)
    yield ledger
    await ledger.check_failed_executions()
    await ledger.check_open_executions()


@pytest.fixture(params=["memory", "postgres"])
def ledger(request: pytest.FixtureRequest) -> Ledger:
    """The store under test, with nothing but reference data."""
    if request.param == "memory":
        return MemoryLedger(SystemClock().new_attempt_id)
    found: PostgresLedger = request.getfixturevalue("postgres_ledger")
    return found
