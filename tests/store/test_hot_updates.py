"""The submission path's updates are HOT: no index entry is written for them, and no page is fetched.

PostgreSQL counts them, here for the rows of a few thousand orders that were sliced first and then submitted, as
those of a blotter are: every page is full up to its fill factor before its rows change.
"""

from collections.abc import AsyncIterator
from typing import NamedTuple

import msgspec
import pytest

from tests.support.attempts import FRESH, RECOVERED, claimed, closing, new_attempt
from tests.support.rows import fetched, insert_executions, store_on
from tests.support.trading import OWNER, all_of, new_order, run_sql
from trade_service.domain.executions import SubmissionState
from trade_service.store.database import Database
from trade_service.store.downstream_store import PostgresDownstreamStore
from trade_service.store.order_store import PostgresOrderStore
from trade_service.store.reference_store import PostgresReferenceReads
from trade_service.store.store_settings import StoreSettings
from trade_service.store.submission_store import PostgresSubmissionStore
from trade_service.submission.clock import SystemClock
from trade_service.submission.model import ReplyKind
from trade_service.trading.model import StoredExecution

ORDERS = 3_000
BATCH = 100
BATCHES = ORDERS // BATCH


class Updates(NamedTuple):
    """PostgreSQL's counts."""

    all: int
    hot: int

    @property
    def share(self) -> float:
        return self.hot / self.all


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    """A single session, which sees all its counts, without vacuum in between."""
    pool = Database(StoreSettings(database_url, pool_size=1))
    for table in ("trade_order", "execution", "submission_attempt"):
        await run_sql(pool, f"ALTER TABLE {table} SET (autovacuum_enabled = false)")
    yield pool
    await pool.close()


@pytest.fixture
def store(database: Database) -> PostgresSubmissionStore:
    return store_on(database)


async def updates_of(database: Database, table: str) -> Updates:
    await run_sql(database, "SELECT pg_stat_force_next_flush()")
    query = "SELECT n_tup_upd, n_tup_hot_upd FROM pg_stat_user_tables WHERE relname = :table"
    (row,) = await fetched(database, query, table=table)
    return Updates(*row)


async def cut_batches(database: Database) -> list[list[int]]:
    """Queues executions of new orders, as `tradeOrders/batch/submit` does; returns their ids."""
    orders = PostgresOrderStore(database, OWNER)
    reference = await PostgresReferenceReads(database).load()
    batches = []
    for start in range(0, ORDERS, BATCH):
        created = await orders.create([new_order(start + n) for n in range(BATCH)])
        written = await orders.submit(all_of(created), SystemClock().new_attempt_id(), reference)
        batches.append([one.execution.id for one in written if isinstance(one, StoredExecution)])
    return batches


async def submit(
    store: PostgresSubmissionStore, ids: list[int], claimable: tuple[SubmissionState, ...]
) -> None:
    """Claims and records executions as accepted."""
    attempt = new_attempt()
    assert len((await store.claim(attempt, ids, claimable)).items) == len(ids)
    recorded = await store.record(closing(attempt.attempt_id, dict.fromkeys(ids, "accepted")))
    assert all(row.changed for row in recorded)


async def lose(store: PostgresSubmissionStore, ids: list[int]) -> None:
    """Claims executions, then records them as absent after no answer."""
    attempt = new_attempt(settle_ms=0)
    await store.claim(attempt, ids, FRESH)
    told = closing(
        attempt.attempt_id, dict.fromkeys(ids, "unknown"), kind=ReplyKind.LOST, next_action_in_ms=0
    )
    await store.record(told)
    (due,) = await store.take_due("one", 10, 0, 0)
    absent = closing(due.attempt_id, dict.fromkeys(ids, "retry"), SubmissionState.UNKNOWN)
    await store.record(msgspec.structs.replace(absent, next_action_in_ms=60_000))


async def test_submitted_at_once(database: Database, store: PostgresSubmissionStore) -> None:
    for ids in await cut_batches(database):
        await submit(store, ids, FRESH)

    executions = await updates_of(database, "execution")
    assert executions.all == 2 * ORDERS
    assert executions.share >= 0.9
    orders = await updates_of(database, "trade_order")
    assert orders.all == ORDERS
    assert orders.share >= 0.9
    # When an attempt is next due is indexed, and recording changes that: not HOT, but once a batch.
    assert (await updates_of(database, "submission_attempt")).all == BATCHES


async def test_submitted_with_a_lost_answer_a_look_up_and_a_retry(
    database: Database, store: PostgresSubmissionStore
) -> None:
    batches = await cut_batches(database)
    for ids in batches:
        await lose(store, ids)
    for ids in batches:
        await submit(store, ids, RECOVERED)

    executions = await updates_of(database, "execution")
    assert executions.all == 5 * ORDERS
    assert executions.share >= 0.9
    # The first attempt of a batch: recorded, taken, recorded; its second: recorded.
    assert (await updates_of(database, "submission_attempt")).all == 4 * BATCHES


async def test_refused_and_given_back(database: Database, store: PostgresSubmissionStore) -> None:
    for ids in await cut_batches(database):
        attempt = new_attempt()
        await store.claim(attempt, ids, FRESH)
        await store.record(closing(attempt.attempt_id, dict.fromkeys(ids, "rejected")))

    assert (await updates_of(database, "execution")).share >= 0.9
    orders = await updates_of(database, "trade_order")
    assert orders.all == 2 * ORDERS
    assert orders.share >= 0.9


async def test_what_changes_no_due_time_of_an_attempt_is_hot(
    database: Database, store: PostgresSubmissionStore
) -> None:
    for n in range(10):
        await claimed(store, await insert_executions(database, 1), floor_id=50 + n)
    await PostgresDownstreamStore(database).begin_epoch(1, "http://new", 3, None)
    assert await updates_of(database, "submission_attempt") == Updates(10, 10)


async def test_an_index_on_the_submission_state_would_end_that(
    database: Database, store: PostgresSubmissionStore
) -> None:
    await run_sql(database, "CREATE INDEX ON execution (submission_state)")
    for ids in await cut_batches(database):
        await submit(store, ids, FRESH)
    executions = await updates_of(database, "execution")
    assert executions.all == 2 * ORDERS
    assert executions.share < 0.1
