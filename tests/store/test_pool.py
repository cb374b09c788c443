"""The pool: in turn, within the time-out, nothing lost when a waiter goes away; and what is lent directly."""

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import suppress

import asyncpg
import msgspec
import pytest

from tests.support.database import TestServer
from trade_service.store.database import Database
from trade_service.store.statements import Statement
from trade_service.store.store_settings import StoreSettings
from trade_service.submission.ports import StoreUnavailable

PID = Statement.parsed("SELECT pg_backend_pid()")
SLEEP = Statement.parsed("SELECT pg_backend_pid() FROM pg_sleep(:seconds)")
BROKEN = Statement.parsed("SELECT 1 / 0")
NOTE = Statement.parsed("INSERT INTO note DEFAULT VALUES RETURNING true")
NOTES = Statement.parsed("SELECT count(*) FROM note")
RUNNING = """
SELECT EXISTS (SELECT FROM pg_stat_activity
WHERE datname = current_database() AND pid <> pg_backend_pid() AND state = 'active' AND query LIKE '%pg_sleep%')
"""
TRANSACTION = Statement.parsed("SELECT pg_current_xact_id()::text")


@pytest.fixture
async def narrow(empty_database_url: str) -> AsyncIterator[Database]:
    """A pool of a single connection."""
    database = Database(StoreSettings(url=empty_database_url, pool_size=1, pool_timeout_s=20.0))
    yield database
    await database.close()


async def _until_waiting(database: Database, count: int) -> None:
    async with asyncio.timeout(10):
        while database.pool_state[2] < count:
            await asyncio.sleep(0)


async def _pid(database: Database) -> int:
    return int((await database.fetch(PID))[0][0])


async def test_a_statement_that_fails_rolls_its_transaction_back(
    narrow: Database, caplog: pytest.LogCaptureFixture
) -> None:
    await narrow.execute(Statement.parsed("CREATE TABLE note (id serial)"))
    pid = await _pid(narrow)

    async def fail() -> None:
        async with narrow.transaction() as session:
            await session.fetch(NOTE)
            await session.fetch(BROKEN)

    with pytest.raises(asyncpg.DivisionByZeroError):
        await fail()
    assert await narrow.fetch_value(NOTES) == 0
    assert await _pid(narrow) == pid, "the connection is as good as before"
    assert not caplog.records, "asyncpg found no open transaction on the returned connection"


async def test_who_waited_longest_is_served_first_even_while_others_come(narrow: Database) -> None:
    served: list[int] = []

    async def use(who: int) -> None:
        async with narrow.session():
            served.append(who)

    async with asyncio.TaskGroup() as group:
        async with narrow.session():
            for who in range(5):
                group.create_task(use(who))
                await _until_waiting(narrow, who + 1)
        # The connection is on its way to the first of them; this one comes before it has woken up.
        await use(5)
    assert served == [0, 1, 2, 3, 4, 5]
    assert narrow.pool_state == (0, 1, 0)


async def test_a_waiter_that_is_cancelled_while_it_is_served_passes_the_connection_on(
    narrow: Database,
) -> None:
    async with asyncio.TaskGroup() as group:
        async with narrow.session():
            first = group.create_task(_pid(narrow))
            await _until_waiting(narrow, 1)
            second = group.create_task(_pid(narrow))
            await _until_waiting(narrow, 2)
        first.cancel()
    assert first.cancelled()
    assert await second == await _pid(narrow)
    assert narrow.pool_state == (0, 1, 0)


async def test_who_waits_too_long_is_told_and_takes_nothing_away(empty_database_url: str) -> None:
    database = Database(StoreSettings(url=empty_database_url, pool_size=1, pool_timeout_s=0.05))
    async with database.session():
        with pytest.raises(StoreUnavailable, match="the pool is exhausted"):
            await _pid(database)
    assert await _pid(database)
    assert database.pool_state == (0, 1, 0)
    await database.close()


async def test_a_server_that_hangs_up_on_who_connects_is_away() -> None:
    async def hang_up(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()

    async with await asyncio.start_server(hang_up, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        database = Database(StoreSettings(url=f"postgresql://a@127.0.0.1:{port}/b?sslmode=disable"))
        with pytest.raises(StoreUnavailable):
            await _pid(database)
        await database.close()


async def test_a_database_that_is_not_there_is_away(postgres: TestServer) -> None:
    database = Database(StoreSettings(url=postgres.url_of("nobody_made_it")))
    with pytest.raises(StoreUnavailable):
        await _pid(database)
    await database.close()


async def test_an_error_of_the_statement_costs_no_connection(narrow: Database) -> None:
    before = await _pid(narrow)
    with pytest.raises(asyncpg.DivisionByZeroError):
        await narrow.fetch(BROKEN)
    assert await _pid(narrow) == before


async def test_a_connection_that_the_server_closes_is_given_up(
    narrow: Database, empty_database_url: str
) -> None:
    before = await _pid(narrow)
    link = await asyncpg.connect(empty_database_url)
    async with asyncio.TaskGroup() as group:
        asleep = group.create_task(_failure(narrow))
        async with asyncio.timeout(10):
            while not await link.fetchval("SELECT pg_terminate_backend($1)", before):
                pass
    assert isinstance(asleep.result(), StoreUnavailable)
    assert await _pid(narrow) != before
    await link.close()


async def test_a_connection_that_was_closed_while_it_was_idle_is_replaced(
    narrow: Database, empty_database_url: str
) -> None:
    before = await _pid(narrow)
    link = await asyncpg.connect(empty_database_url)
    await link.fetchval("SELECT pg_terminate_backend($1, 10000)", before)
    await link.close()
    async with asyncio.timeout(10):
        while narrow.pool_state.idle:
            await asyncio.sleep(0)
    assert await _pid(narrow) != before


async def _failure(database: Database) -> Exception | None:
    try:
        await database.fetch(SLEEP, seconds=60.0)
    except Exception as error:  # noqa: BLE001  # the result of the test
        return error
    return None


async def test_a_connection_whose_caller_went_away_is_given_up(narrow: Database) -> None:
    before = await _pid(narrow)
    asleep = asyncio.create_task(narrow.fetch(SLEEP, seconds=60.0))
    async with asyncio.timeout(10):
        while narrow.pool_state[0] == 0:
            await asyncio.sleep(0)
    asleep.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asleep
    assert await _pid(narrow) != before
    assert narrow.pool_state == (0, 1, 0)


async def test_an_answer_that_does_not_come_in_time_is_told(empty_database_url: str) -> None:
    database = Database(StoreSettings(url=empty_database_url, statement_timeout_s=0.2))
    with pytest.raises(StoreUnavailable, match="statement timeout"):
        await database.fetch(SLEEP, seconds=60.0)
    assert await _pid(database)
    await database.close()


async def test_behind_a_pooler_it_runs_in_a_transaction(empty_database_url: str) -> None:
    database = Database(StoreSettings(url=empty_database_url, prepared_statements=False))
    assert (await database.fetch(SLEEP, seconds=0.0))[0][0]
    await database.close()


@pytest.fixture
async def noted(narrow: Database) -> Database:
    """The same pool, with a table to write to."""
    await narrow.execute(Statement.parsed("CREATE TABLE note (at timestamptz DEFAULT now())"))
    return narrow


async def _notes(database: Database) -> int:
    return int((await database.fetch(NOTES))[0][0])


@pytest.mark.parametrize("prepared", [True, False])
async def test_the_statements_of_a_transaction_are_one(noted: Database, prepared: bool) -> None:
    database = Database(msgspec.structs.replace(noted.settings, pool_size=2, prepared_statements=prepared))
    async with database.transaction() as session:
        numbers = [(await session.fetch(TRANSACTION))[0][0] for _ in range(2)]
        await session.fetch(NOTE)
        assert await _notes(noted) == 0
    assert numbers[0] == numbers[1]
    assert await _notes(noted) == 1
    assert database.pool_state[::2] == (0, 0)
    await database.close()


async def _note_and(then: Statement, database: Database) -> None:
    async with database.transaction() as session:
        await session.fetch(NOTE)
        await session.fetch(then, seconds=60.0)


async def test_a_transaction_that_fails_leaves_nothing_and_costs_no_connection(
    noted: Database,
) -> None:
    before = await _pid(noted)
    with pytest.raises(asyncpg.DivisionByZeroError):
        await _note_and(BROKEN, noted)
    assert await _notes(noted) == 0
    assert await _pid(noted) == before


async def test_a_transaction_whose_body_fails_leaves_nothing(noted: Database) -> None:
    async def refuse() -> None:
        async with noted.transaction() as session:
            await session.fetch(NOTE)
            raise LookupError

    with pytest.raises(LookupError):
        await refuse()
    assert await _notes(noted) == 0
    assert noted.pool_state == (0, 1, 0)


@pytest.mark.parametrize("times", [1, 2])
async def test_a_transaction_whose_caller_went_away_leaves_nothing(
    noted: Database, empty_database_url: str, times: int
) -> None:
    link = await asyncpg.connect(empty_database_url)
    asleep = asyncio.create_task(_note_and(SLEEP, noted))
    async with asyncio.timeout(10):
        while not await link.fetchval(RUNNING):
            await asyncio.sleep(0)
    for _ in range(times):
        asleep.cancel()
        await asyncio.sleep(0)
    with pytest.raises(asyncio.CancelledError):
        await asleep
    if times == 1:
        assert not await link.fetchval(RUNNING), "the statement goes on, and holds its locks"
    assert await _notes(noted) == 0
    assert noted.pool_state == (0, 1, 0)
    await link.close()


async def test_a_transaction_whose_connection_the_server_closes_says_why(
    noted: Database, empty_database_url: str
) -> None:
    link = await asyncpg.connect(empty_database_url)

    async def reason() -> str:
        with pytest.raises(StoreUnavailable) as caught:
            await _note_and(SLEEP, noted)
        return str(caught.value)

    before = await _pid(noted)
    async with asyncio.TaskGroup() as group:
        asleep = group.create_task(reason())
        async with asyncio.timeout(10):
            while not await link.fetchval(RUNNING):
                await asyncio.sleep(0)
        await link.execute("SELECT pg_terminate_backend($1)", before)
    assert "terminating connection due to administrator command" in asleep.result()
    assert await _notes(noted) == 0
    await link.close()


async def test_a_transaction_that_cannot_begin_as_it_should_leaves_none_open(
    narrow: Database, caplog: pytest.LogCaptureFixture
) -> None:
    before = await _pid(narrow)
    with pytest.raises(asyncpg.InvalidParameterValueError):
        async with narrow.transaction(within_s=3e6):
            pass
    assert await _pid(narrow) == before
    assert not caplog.records, "asyncpg found no open transaction on the returned connection"


async def test_a_transaction_that_hides_an_error_is_told(noted: Database) -> None:
    async def hide() -> None:
        async with noted.transaction() as session:
            await session.fetch(NOTE)
            with suppress(asyncpg.DivisionByZeroError):
                await session.fetch(BROKEN)

    with pytest.raises(AssertionError, match="hid an error"):
        await hide()
    assert await _notes(noted) == 0


@pytest.mark.parametrize("seed", range(2))
async def test_no_connection_gets_lost_however_many_go_away(empty_database_url: str, seed: int) -> None:
    dice = random.Random(seed)
    database = Database(StoreSettings(url=empty_database_url, pool_size=3, pool_timeout_s=0.03))

    async def ask() -> None:
        with suppress(StoreUnavailable):
            way = dice.randrange(3)
            if way == 0:
                await database.fetch(SLEEP, seconds=dice.random() / 200)
                return
            if way == 1:
                async with database.transaction() as session:
                    await session.fetch(SLEEP, seconds=dice.random() / 200)
                return
            await database.execute(SLEEP, seconds=0.002)

    async def ask_with_little_patience() -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(dice.random() / 20):
                await ask()

    for _ in range(20):
        async with asyncio.TaskGroup() as group:
            for _ in range(20):
                group.create_task(ask_with_little_patience())
    assert database.pool_state[::2] == (0, 0)
    async with asyncio.timeout(10):
        await asyncio.gather(*(_pid(database) for _ in range(3)))
    assert database.pool_state == (0, 3, 0)
    await database.close()


async def test_closing_ends_a_connection_that_is_still_in_use(
    narrow: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("trade_service.store.database.CLOSE_S", 0.05)

    async def use_while_closing() -> None:
        async with narrow.session() as session:
            await narrow.close()
            await session.fetch(PID)

    with pytest.raises(StoreUnavailable, match="closed"):
        await use_while_closing()
    assert narrow.pool_state == (0, 0, 0)
    assert await _pid(narrow), "a later use opens a new one"
    assert narrow.pool_state == (0, 1, 0)


async def test_a_connection_that_is_left_in_a_transaction_is_not_lent_again(narrow: Database) -> None:
    before = await _pid(narrow)
    async with narrow.session() as session:
        await session.connection.execute("BEGIN")
    assert await _pid(narrow) != before
    assert narrow.pool_state == (0, 1, 0)


async def test_a_lane_leaves_the_other_connections_to_others(empty_database_url: str) -> None:
    async with Database(StoreSettings(url=empty_database_url, pool_size=3)) as database:
        lane = database.lane(2)
        sleepers = [asyncio.create_task(lane.fetch(SLEEP, seconds=0.2)) for _ in range(6)]
        await _until_waiting(database, 4)
        assert database.pool_state.in_use <= 2
        async with asyncio.timeout(0.15):
            await database.fetch(PID)
        await asyncio.gather(*sleepers)
        assert database.pool_state == (0, 3, 0)
