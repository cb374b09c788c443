"""The backlog that the gauges show."""

from tests.support.attempts import claimed, closing
from tests.support.rows import insert_executions, store_on
from tests.support.trading import run_sql
from trade_service.domain.executions import OPEN
from trade_service.store.database import Database
from trade_service.store.execution_reads import PostgresExecutionReads
from trade_service.store.reports import PostgresBacklog
from trade_service.submission.clock import SystemClock


async def test_an_empty_database_has_no_backlog(database: Database) -> None:
    backlog = await PostgresBacklog(database, 100).read()
    assert backlog.executions == dict.fromkeys(OPEN, 0)
    assert (backlog.oldest_unknown_s, backlog.retry_overdue_s) == (0.0, 0.0)


async def test_counts_by_state_and_ages(database: Database) -> None:
    ids = await insert_executions(database, 10)
    store = store_on(database)
    attempt, _ = await claimed(store, ids[:4])
    states = {ids[0]: "accepted", ids[1]: "retry", ids[2]: "unknown", ids[3]: "unknown"}
    await store.record(closing(attempt.attempt_id, states, next_action_in_ms=60_000))
    await claimed(store, ids[4:7])
    await PostgresExecutionReads(database, "one", 60_000).enqueue(ids[7:9], SystemClock().new_attempt_id())
    await run_sql(database, "UPDATE submission_attempt SET started_at = now() - interval '100 s'")

    backlog = await PostgresBacklog(database, 100).read()
    assert {state.value: count for state, count in backlog.executions.items()} == {
        "queued": 2,
        "claimed": 3,
        "retry": 1,
        "unknown": 2,
    }
    assert 100 <= backlog.oldest_unknown_s < 160
    assert backlog.retry_overdue_s == 0.0

    await run_sql(database, "UPDATE submission_attempt SET next_action_at = now() - interval '7 s'")
    assert 7 <= (await PostgresBacklog(database, 100).read()).retry_overdue_s < 60
