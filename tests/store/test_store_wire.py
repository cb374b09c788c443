"""Round trips to PostgreSQL, and the loss of the connection or the server."""

import asyncio
import socket
from collections.abc import AsyncIterator

import asyncpg
import pytest

from tests.support.attempts import FRESH, claimed, closing, new_attempt
from tests.support.postgres_proxy import PostgresProxy, proxied
from tests.support.rows import insert_executions, states_of, store_on
from tests.support.trading import counted_statements, run_sql
from trade_service.store.database import Database, Session
from trade_service.store.statements import Statement
from trade_service.store.store_settings import StoreSettings
from trade_service.submission.ports import StoreUnavailable

Wire = tuple[Database, PostgresProxy]


@pytest.fixture
async def wire(database_url: str) -> AsyncIterator[Wire]:
    """A warm pool of one connection through a proxy."""
    async with proxied(database_url) as (url, proxy):
        database = Database(StoreSettings(url, pool_size=1))
        try:
            yield database, proxy
        finally:
            await database.close()


async def test_claim_and_record_are_one_round_trip_each(wire: Wire) -> None:
    database, proxy = wire
    store = store_on(database)
    warm, *ids = await insert_executions(database, 101)
    attempt, _ = await claimed(store, [warm])
    await store.record(closing(attempt.attempt_id, {warm: "accepted"}))

    async with counted_statements(database) as statements:
        begun = proxy.round_trips
        attempt = new_attempt()
        claim = await store.claim(attempt, ids, FRESH)
        after_claim = proxy.round_trips
        await store.record(closing(attempt.attempt_id, dict.fromkeys(ids, "accepted")))
        after_record = proxy.round_trips

    assert len(claim.items) == 100
    assert (after_claim - begun, after_record - after_claim) == (1, 1)
    assert len(statements) == 2


async def test_without_prepared_statements_each_step_is_a_transaction_of_its_own(
    database_url: str, database: Database
) -> None:
    ids = await insert_executions(database, 1)
    plain = Database(StoreSettings(database_url, prepared_statements=False))
    try:
        store = store_on(plain)
        async with counted_statements(plain) as statements:
            attempt = new_attempt()
            claim = await store.claim(attempt, ids, FRESH)
            await store.record(closing(attempt.attempt_id, {ids[0]: "accepted"}))
        names = await plain.fetch_value(Statement.parsed("SELECT count(*) FROM pg_prepared_statements"))
    finally:
        await plain.close()
    assert len(claim.items) == 1
    ends = [words.split()[0] for words in statements if words.startswith(("BEGIN", "COMMIT"))]
    assert ends == ["BEGIN", "COMMIT;"] * 2
    assert len(statements) == 6
    assert names <= 1  # The unnamed one that asks.
    assert await states_of(database, ids) == ["accepted"]


async def test_closed_port() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    database = Database(StoreSettings(f"postgresql://u:p@127.0.0.1:{port}/d"))
    with pytest.raises(StoreUnavailable, match="does not answer"):
        await store_on(database).states([1])
    await database.close()


async def test_refused_login(database_url: str) -> None:
    wrong = Database(StoreSettings(database_url.replace("/test_", "/no_such_")))
    with pytest.raises(StoreUnavailable, match=r"database .* does not exist"):
        await store_on(wrong).states([1])
    await wrong.close()


async def test_server_that_ends_the_session(database: Database, wire: Wire) -> None:
    there, proxy = wire
    (execution_id,) = await insert_executions(database, 1)
    store = store_on(there)
    assert await store.states([execution_id])
    proxy.stalled.clear()
    await run_sql(
        database,
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
        "WHERE pid <> pg_backend_pid() AND datname = current_database()",
    )
    asking = asyncio.create_task(store.states([execution_id]))
    async with asyncio.timeout(10):
        while not there.pool_state.in_use:
            await asyncio.sleep(0)
    proxy.stalled.set()
    with pytest.raises(StoreUnavailable):
        await asking
    assert await store.states([execution_id])


async def test_session_ended_in_the_middle_of_a_statement(database: Database, wire: Wire) -> None:
    there, _ = wire
    (execution_id,) = await insert_executions(database, 1)
    store = store_on(there)
    async with database.transaction() as other:
        await other.fetch(Statement.parsed("SELECT FROM execution FOR UPDATE"))
        claiming = asyncio.create_task(store.claim(new_attempt(), [execution_id], FRESH))
        await _until_waiting(other)
        await other.fetch(
            Statement.parsed("SELECT pg_terminate_backend(pid) FROM pg_locks WHERE NOT granted")
        )
        with pytest.raises(StoreUnavailable):
            await claiming
    assert await states_of(database, [execution_id]) == ["none"]


async def test_connection_reset(wire: Wire) -> None:
    database, proxy = wire
    store = store_on(database)
    await store.states([1])
    proxy.cut()
    with pytest.raises(StoreUnavailable):
        await store.states([1])
    assert await store.states([1]) == ()


async def test_answer_that_does_not_come(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("trade_service.store.connecting._ANSWER_MARGIN_S", 0.0)
    async with proxied(database_url) as (url, proxy):
        database = Database(StoreSettings(url, pool_size=1, statement_timeout_s=1.0))
        store = store_on(database)
        await store.states([1])
        proxy.stalled.clear()
        with pytest.raises(StoreUnavailable, match="time-out"):
            await store.states([1])
        proxy.stalled.set()
        assert await store.states([1]) == ()
        await database.close()


async def test_caller_that_leaves_while_a_new_connection_is_set_up(database_url: str) -> None:
    async with proxied(database_url) as (url, proxy):
        proxy.stall_at(b"synchronous_commit")
        database = Database(StoreSettings(url, pool_size=1))
        asking = asyncio.create_task(store_on(database).states([1]))
        async with asyncio.timeout(10):
            while proxy.stalled.is_set():
                await asyncio.sleep(0)
        asking.cancel()
        await asyncio.wait([asking], timeout=2)
        assert asking.cancelled()
        assert database.pool_state == (0, 0, 0)
        await database.close()


async def test_commit_stands_when_the_goodbye_of_a_renewed_connection_is_not_answered(
    wire: Wire, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("trade_service.store.connecting.CLOSE_S", 0.2)
    database, proxy = wire
    async with asyncio.timeout(10):
        async with database.session() as session:
            await session.fetch(Statement.parsed("SELECT 1"))
            database.renew()
            proxy.stalled.clear()
    proxy.stalled.set()
    assert await store_on(database).states([1]) == ()


async def test_statement_that_takes_too_long(database_url: str) -> None:
    database = Database(StoreSettings(database_url, statement_timeout_s=0.05))
    with pytest.raises(StoreUnavailable, match="statement timeout"):
        await database.fetch(Statement.parsed("SELECT pg_sleep(5)"))
    await database.close()


async def test_exhausted_pool(database_url: str) -> None:
    database = Database(StoreSettings(database_url, pool_size=1, pool_timeout_s=0.05))
    async with database.session():
        with pytest.raises(StoreUnavailable, match="pool is exhausted"):
            await store_on(database).states([1])
    await database.close()


async def test_statement_that_is_wrong_is_not_the_databases_absence(database: Database) -> None:
    with pytest.raises(asyncpg.UndefinedColumnError):
        await database.fetch(Statement.parsed("SELECT no_such_column"))


async def _until_waiting(session: Session) -> None:
    """Waits until another session waits for a lock."""
    waiting = Statement.parsed("SELECT count(*) FROM pg_locks WHERE NOT granted")
    async with asyncio.timeout(20):
        while not await session.fetch_value(waiting):
            await asyncio.sleep(0.01)
