"""Idempotency keys on PostgreSQL: written with their result, fenced, removed when old."""

import asyncio

import pytest

from tests.support.postgres_proxy import proxied
from tests.support.trading import new_order, run_sql, value_of
from trade_service.domain.errors import AlreadyExists
from trade_service.store.database import Database
from trade_service.store.order_store import PostgresOrderStore
from trade_service.store.request_key_store import PostgresRequestKeyStore, keyed_transaction
from trade_service.store.store_settings import StoreSettings
from trade_service.submission.clock import SystemClock
from trade_service.submission.ports import StoreUnavailable
from trade_service.trading.request_keys import (
    Created,
    IdempotentRequests,
    KeptAnswer,
    KeyClaim,
    KeyedRequest,
    KeyTaken,
    StillRunning,
    Sweep,
    claiming,
    digest,
)
from trade_service.trading.trading_settings import IdempotencySettings

SETTINGS = IdempotencySettings(max_answer_bytes=100)
LIMIT = 3
REQUEST = KeyedRequest("", "POST /orders", "key", digest(b"body"))
KEYS = "SELECT count(*) FROM idempotency_key"
ORDERS = "SELECT count(*) FROM trade_order"


def requests_on(database: Database) -> IdempotentRequests:
    return IdempotentRequests(PostgresRequestKeyStore(database), SystemClock(), SETTINGS, 60.0)


async def claim_of(database: Database, request: KeyedRequest = REQUEST) -> KeyClaim:
    status = await requests_on(database).key_status(request)
    assert isinstance(status, KeyClaim)
    return status


async def pass_leases(database: Database) -> None:
    await run_sql(database, "UPDATE idempotency_key SET running_until = now()")


async def test_a_transaction_that_fails_writes_neither_key_nor_anything(database: Database) -> None:
    store, claim = PostgresOrderStore(database, "one"), await claim_of(database)
    with claiming(claim):
        with pytest.raises(AlreadyExists):
            await store.create([new_order(1), new_order(1)])
        assert await value_of(database, KEYS) == 0
        await store.create([new_order(1)])
        await store.create([new_order(2)])
    assert (await value_of(database, KEYS), await value_of(database, ORDERS)) == (1, 2), "one key a request"
    assert claim.created is not None


async def test_the_later_of_two_waits_for_the_earlier_and_gives_way(database: Database) -> None:
    store = PostgresOrderStore(database, "one")
    first, second = await claim_of(database), await claim_of(database)
    with claiming(first):
        async with keyed_transaction(database) as (_, making):
            making.created = Created((7,))
            with claiming(second):
                later = asyncio.create_task(store.create([new_order(1)]))
            await until_waiting(database)
            assert not later.done()
    with pytest.raises(KeyTaken):
        await later
    assert await value_of(database, ORDERS) == 0
    assert isinstance(await requests_on(database).key_status(REQUEST), StillRunning)


async def until_waiting(database: Database) -> None:
    """Waits until a statement on keys waits for another transaction."""
    waiting = """SELECT count(*) FROM pg_stat_activity
                 WHERE wait_event_type = 'Lock' AND query LIKE '%INTO idempotency_key%'"""
    async with asyncio.timeout(10):
        while not await value_of(database, waiting):
            await asyncio.sleep(0.01)


async def test_whoever_lost_its_lease_changes_nothing_more(database: Database) -> None:
    store, keys = PostgresOrderStore(database, "one"), requests_on(database)
    paused = await claim_of(database)
    with claiming(paused):
        await store.create([new_order(1)])
    assert isinstance(await keys.key_status(REQUEST), StillRunning)
    await pass_leases(database)
    heir = await claim_of(database)
    assert heir.created == paused.created
    assert isinstance(await keys.key_status(REQUEST), StillRunning), "one at a time takes over"
    await keys.let_go(paused)
    await keys.keep(paused, KeptAnswer(200, {}, b"of the paused one"))
    assert isinstance(await keys.key_status(REQUEST), StillRunning)
    answer = KeptAnswer(201, {"Location": "/x"}, b"\x00{}\xff")
    await keys.keep(heir, answer)
    assert await keys.key_status(REQUEST) == answer


async def test_an_answer_that_is_too_large_is_not_kept(database: Database) -> None:
    keys, claim = requests_on(database), await claim_of(database)
    with claiming(claim):
        await PostgresOrderStore(database, "one").create([new_order(1)])
    await keys.keep(claim, KeptAnswer(201, {}, b"x" * 101))
    assert (await claim_of(database)).created == claim.created, "the next one need not wait for the lease"


async def test_a_commit_whose_answer_is_lost_is_found_by_the_repeat(
    database: Database, database_url: str
) -> None:
    async with proxied(database_url) as (url, proxy):
        broken = Database(StoreSettings(url))
        claim = await claim_of(broken)

        async def create() -> None:
            async with keyed_transaction(broken) as (_, making):
                making.created = Created((7,))
                proxy.deafen_at(b"COMMIT")

        with claiming(claim), pytest.raises(StoreUnavailable):
            await create()
        await broken.close()
    assert (claim.tried, claim.created) == (True, None), "whether it was written is not known"
    await requests_on(database).let_go(claim)
    assert (await claim_of(database)).created == Created((7,))


async def test_old_keys_are_removed_in_bounded_pieces_and_young_ones_stay(database: Database) -> None:
    await run_sql(
        database,
        """INSERT INTO idempotency_key (id, principal, scope, key, fingerprint, holder, running_until, expires_at)
           SELECT n::text::bytea, '', '', n::text, '', gen_random_uuid(), now(), now() + (n - 8) * interval '1 h'
           FROM generate_series(1, 12) n""",
    )
    store = PostgresRequestKeyStore(database)
    assert await store.remove_old(LIMIT) == 3
    assert await value_of(database, "SELECT min(key::int) FROM idempotency_key") == 4, "the oldest first"
    sweep = Sweep("keys", store.remove_old, IdempotencySettings(sweep_limit=LIMIT), SystemClock())
    assert await sweep.once() == 5
    assert await value_of(database, KEYS) == 4
    assert await sweep.once() == 0
