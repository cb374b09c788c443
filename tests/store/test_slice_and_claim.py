"""The one statement from order to claimed execution: compared with the pure rule, and run concurrently."""

import asyncio
from decimal import Decimal

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.support.attempts import new_attempt
from tests.support.trading import new_order, run_sql, value_of
from trade_service.domain.errors import DomainError
from trade_service.domain.orders import Slice, Submission, TradeOrder, slicer
from trade_service.domain.reference import ReferenceData
from trade_service.store.database import Database
from trade_service.store.order_store import PostgresOrderStore
from trade_service.store.reference_store import PostgresReferenceReads
from trade_service.store.store_settings import StoreSettings
from trade_service.trading.model import StoredExecution

AMOUNTS = st.decimals("0.00000001", "5", places=8)
TYPES = ["BUY", "SELL", "SHORT", "COVER", "EXRC", "buy", " Sell", "LIMIT", "", "b\u0131y", "BUY\t"]


def ruled(order: TradeOrder, submission: Submission, reference: ReferenceData) -> Slice | None:
    try:
        return slicer(reference)(order, submission)
    except DomainError:
        return None


async def judge(
    url: str, order_type: str, quantity: Decimal, sent: Decimal, wanted: Decimal, destination_id: int
) -> None:
    async with Database(StoreSettings(url)) as database:
        store = PostgresOrderStore(database, "one")
        reference = await PostgresReferenceReads(database).load()
        last = await value_of(database, "SELECT coalesce(max(order_id), 0) FROM trade_order")
        (order,) = await store.create([new_order(last + 1, f"{quantity:f}")])
        await run_sql(
            database,
            "UPDATE trade_order SET order_type = :type, quantity_sent = :sent WHERE id = :id",
            type=order_type,
            sent=sent,
            id=order.id,
        )
        order = await store.get(order.id)
        submission = Submission(order.id, wanted, destination_id)
        claimed = await store.slice_and_claim([submission], new_attempt(), reference)
        piece = ruled(order, submission, reference)
        if claimed is None:
            # Python strips more kinds of blanks than PostgreSQL: such an order is merely queued first.
            assert piece is None or order_type.strip(" ") != order_type.strip()
            assert await store.get(order.id) == order
            return
        assert piece is not None, "the statement must refuse what the rule refuses"
        stored = await store.get(order.id)
        assert (stored.quantity_sent, stored.submitted) == (piece.order.quantity_sent, piece.order.submitted)
        (one,) = claimed.slices
        assert await store.executions([one.execution.id]) == {one.execution.id: one}


def test_the_statement_and_the_rule_agree(database_url: str) -> None:
    @settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
    @given(st.sampled_from(TYPES), AMOUNTS, AMOUNTS, AMOUNTS, st.sampled_from([1, 2, 999]))
    def run(order_type: str, quantity: Decimal, sent: Decimal, wanted: Decimal, destination_id: int) -> None:
        asyncio.run(judge(database_url, order_type, quantity, sent, wanted, destination_id))

    run()


async def test_orders_that_others_lock_are_not_waited_for(database: Database) -> None:
    store = PostgresOrderStore(database, "one")
    reference = await PostgresReferenceReads(database).load()
    first, second = await store.create([new_order(1), new_order(2)])
    wishes = [Submission(order.id, Decimal(1), 1) for order in (first, second)]
    async with database.transaction() as session:
        await session.connection.execute("SELECT FROM trade_order WHERE id = $1 FOR UPDATE", second.id)
        async with asyncio.timeout(5):
            assert await store.slice_and_claim(wishes, new_attempt(), reference) is None
            assert await store.slice_and_claim(wishes[:1], new_attempt(), reference) is not None


async def test_submissions_of_one_order_at_once_take_exactly_what_it_has(database: Database) -> None:
    """A statement that began before another's commit must see the order as that one left it."""
    store = PostgresOrderStore(database, "one")
    reference = await PostgresReferenceReads(database).load()
    (order,) = await store.create([new_order(1, "10")])
    wish = [Submission(order.id, Decimal(1), 1)]

    async def submit(number: int) -> int:
        for _ in range(20):
            if number % 2:
                claimed = await store.slice_and_claim(wish, new_attempt(), reference)
                if claimed is not None:
                    return 1
            else:
                (answer,) = await store.submit(wish, new_attempt().attempt_id, reference)
                return int(isinstance(answer, StoredExecution))
            await asyncio.sleep(0.005)
        return 0

    taken = sum(await asyncio.gather(*(submit(number) for number in range(40))))
    after = await store.get(order.id)
    assert taken == 10
    assert (after.quantity_sent, after.version) == (Decimal(10), 11)
    assert await value_of(database, "SELECT sum(quantity_ordered) FROM execution") == 10
