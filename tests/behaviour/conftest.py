"""Runs the behaviour suite on both stores."""

import pytest

from tests.behaviour.ledger import Ledger
from tests.behaviour.memory_ledger import MemoryLedger
from tests.behaviour.postgres_ledger import PostgresLedger
from trade_service.submission.clock import SystemClock


@pytest.fixture(params=["memory", "postgres"])
def ledger(request: pytest.FixtureRequest) -> Ledger:
    """The store under test, with nothing but reference data."""
    new_attempt_id = SystemClock().new_attempt_id
    if request.param == "memory":
        return MemoryLedger(new_attempt_id)
    return PostgresLedger(request.getfixturevalue("database"), new_attempt_id)
