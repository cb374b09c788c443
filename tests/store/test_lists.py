"""Lists on a real database, compared with the same lists computed naively."""

from collections.abc import AsyncIterator, Callable, Mapping
from datetime import UTC, datetime
from decimal import Decimal
from functools import partial
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from tests.support.database import TestServer
from tests.support.lists import (
    Lists,
    execution_fields,
    insert_mixed,
    insert_states,
    lists_on,
    naive,
    order_fields,
)
from tests.support.trading import counted_statements, run_sql
from trade_service.domain.errors import TooSlow
from trade_service.store.database import Database
from trade_service.store.list_statements import SCANNED_ROWS
from trade_service.store.list_store import PostgresListReads
from trade_service.store.statements import Statement
from trade_service.store.store_settings import StoreSettings
from trade_service.submission.ports import StoreUnavailable
from trade_service.trading.listing import service
from trade_service.trading.listing.model import (
    EXECUTION_FIELDS,
    ORDER_FIELDS,
    Filter,
    Kind,
    ListField,
    ListQuery,
    SortKey,
    Test,
    total_order,
)
from trade_service.trading.trading_settings import ListSettings

ORDERS = 90
EXECUTIONS = 120
WHOLE = ListQuery(limit=1000)
FAR = ListQuery(offset=SCANNED_ROWS + 1, sort=total_order((SortKey("security.ticker"),)))
_TEXTS = (
    "BUY",
    "SELL",
    "eq",
    "Default",
    "ibm",
    "AAPL",
    "growth",
    "Alpha",
    "P2",
    "S3",
    "nobody",
    "NEW",
    "ml",
    "",
)
_VALUES: Mapping[Kind, SearchStrategy[Any]] = {
    Kind.INTEGER: st.integers(0, 130),
    Kind.DECIMAL: st.sampled_from([Decimal("0"), Decimal("1.12345678"), Decimal("2"), Decimal("3.5")]),
    Kind.TEXT: st.sampled_from(_TEXTS),
    Kind.FLAG: st.booleans(),
    Kind.INSTANT: st.sampled_from([datetime(2026, 1, 30, 15, 30, second, tzinfo=UTC) for second in range(7)]),
}


@pytest.fixture(scope="module")
async def lists(postgres: TestServer, template_database: str) -> AsyncIterator[Lists]:
    async with postgres.database(template_database) as url:
        database = Database(StoreSettings(url))
        await insert_mixed(database, ORDERS, EXECUTIONS)
        lists = lists_on(database)
        async with lists.names, lists.totals:
            yield lists
        await database.close()


def queries(fields: Mapping[str, ListField]) -> SearchStrategy[ListQuery]:
    sortable = [name for name, field in fields.items() if field.sortable]
    sorts = st.lists(st.sampled_from(sortable), unique=True, max_size=3).flatmap(
        lambda names: st.tuples(*(st.builds(SortKey, st.just(name), st.booleans()) for name in names))
    )
    filters = [
        st.builds(
            Filter,
            st.just(field.name),
            st.just(test),
            st.lists(
                _VALUES[field.kind],
                min_size=1,
                max_size=3 if test is Test.ANY_OF and field.kind is not Kind.FLAG else 1,
                unique=True,
            ).map(tuple),
        )
        for field in fields.values()
        for test in field.filters
    ]
    some = st.lists(st.one_of(filters), max_size=2, unique_by=lambda one: (one.field, one.test)).map(tuple)
    return st.builds(ListQuery, st.integers(1, 40), st.integers(0, 130), sorts.map(total_order), some)


many = settings(
    max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], database=None
)


@many
@given(query=queries(ORDER_FIELDS))
async def test_orders_equal_the_naive_result(lists: Lists, query: ListQuery) -> None:
    await agree(lists.service.list_orders, order_fields, query)


@many
@given(query=queries(EXECUTION_FIELDS))
@example(query=ListQuery(1, 0, total_order(()), (Filter("code", Test.ANY_OF, ("BUY", "")),)))
async def test_executions_equal_the_naive_result(lists: Lists, query: ListQuery) -> None:
    await agree(lists.service.list_executions, execution_fields, query)


async def agree(
    read: Callable[[ListQuery], Any], fields: Callable[[Any], Mapping[str, Any]], query: ListQuery
) -> None:
    everything = (await read(WHOLE)).items
    expected = naive(everything, fields, query.sort, query.filters)
    page = await read(query)
    assert page.items == expected[query.offset :][: query.limit]
    assert page.total.rows == len(expected)
    assert (page.next is not None) == (len(expected) > query.offset + query.limit)
    assert page.position == query.offset
    end = query.offset + len(page.items)
    if page.next is not None:
        following = await read(msgspec.structs.replace(query, offset=0, cursor=page.next))
        assert following.items == expected[end:][: query.limit]
        assert (following.position, following.total.rows) == (end, len(expected))


async def test_paging_by_cursor_reads_each_row_once_while_others_come_and_go(lists: Lists) -> None:
    sort = total_order((SortKey("quantity", descending=True), SortKey("orderType")))
    before = [one.order.id for one in (await lists.service.list_orders(WHOLE)).items]
    query, seen = ListQuery(limit=17, sort=sort), []
    while True:
        page = await lists.service.list_orders(query)
        seen += [one.order.id for one in page.items]
        if page.next is None:
            break
        query = ListQuery(limit=17, sort=sort, cursor=page.next)
        await run_sql(
            lists.database,
            "INSERT INTO trade_order (order_id, portfolio_id, order_type, security_id, quantity) "
            "SELECT max(order_id) + 1, 'P1', 'BUY', 'S1', 100 FROM trade_order",
        )
    assert sorted(seen) == before
    await run_sql(lists.database, "DELETE FROM trade_order WHERE quantity = 100")


@pytest.mark.parametrize("which", ["orders", "executions"])
async def test_every_page_costs_the_same_number_of_statements(
    postgres: TestServer, template_database: str, monkeypatch: pytest.MonkeyPatch, which: str
) -> None:
    # A slow page has its rows counted beside it, by statements that depend on how slow it is.
    monkeypatch.setattr(service, "HEAD_START_S", 60.0)
    async with postgres.database(template_database) as url:
        database = Database(StoreSettings(url))
        await insert_mixed(database, 1005, 1005)
        lists = lists_on(database, totals=ListSettings())
        read = lists.service.list_orders if which == "orders" else lists.service.list_executions
        async with lists.names, lists.totals:
            await read(WHOLE)  # Names and reference data are read once.
            counts = []
            async with counted_statements(database) as statements:
                for limit in (2, 1000):
                    statements.clear()
                    assert len((await read(ListQuery(limit=limit))).items) == limit
                    counts.append(len(statements))
        await database.close()
    assert counts[1] <= counts[0] <= 8, counts


async def test_a_total_is_exact_right_after_every_write(database: Database) -> None:
    await insert_mixed(database, 60, 0)
    lists = lists_on(database, totals=ListSettings())
    async with lists.names, lists.totals:
        for left in (60, 60, 55, 54, 54):
            await run_sql(database, f"DELETE FROM trade_order WHERE id > {left}")
            for _ in range(2):
                assert (await lists.service.list_orders(ListQuery(limit=5))).total.rows == left


async def test_totals_beyond_the_bound_are_refreshed_in_the_background(database: Database) -> None:
    await insert_mixed(database, 60, 0)
    lists = lists_on(database)
    async with lists.names, lists.totals:
        assert (await lists.service.list_orders(ListQuery(limit=5))).total.rows == 60
        await run_sql(database, "DELETE FROM trade_order WHERE id > 55")
        totals = set()
        while 55 not in totals:
            totals.add((await lists.service.list_orders(ListQuery(limit=5))).total.rows)
        assert totals == {60, 55}


@pytest.mark.parametrize(
    ("which", "query", "message"),
    [
        (
            "executions",
            ListQuery(sort=total_order((SortKey("quantityOrdered"),))),
            r"executions .* sorted by quantityOrdered within the 0\.2 s of database\.statement_timeout_s: "
            "without filters they are sorted quickly by id, executionTimestamp, tradeOrderId, "
            "security.ticker, portfolio.name; a filter by id, portfolio or security",
        ),
        (
            "orders",
            ListQuery(sort=total_order((SortKey("quantitySent"),))),
            "sorted quickly by id, orderId, orderType, quantity, tradeTimestamp, blotter.abbreviation, "
            "security.ticker, portfolio.name;",
        ),
        ("orders", ListQuery(filters=(Filter("submitted", Test.ANY_OF, (True,)),)), "sorted by id within"),
        *((which, FAR, "by security.ticker within .*: a cursor skips") for which in ("orders", "executions")),
    ],
)
async def test_a_page_that_takes_too_long_suggests_a_faster_query(
    database: Database, database_url: str, which: str, query: ListQuery, message: str
) -> None:
    reads = PostgresListReads(hasty := Database(StoreSettings(database_url, statement_timeout_s=0.2)))
    async with database.transaction() as other:
        await other.execute(Statement.parsed("LOCK TABLE trade_order, execution IN ACCESS EXCLUSIVE MODE"))
        with pytest.raises(TooSlow, match=message):
            await (reads.orders if which == "orders" else reads.executions)(query)
    await hasty.close()


async def test_a_page_read_by_index_that_takes_too_long_is_a_database_failure(
    database: Database, database_url: str
) -> None:
    reads = PostgresListReads(hasty := Database(StoreSettings(database_url, statement_timeout_s=0.2)))
    async with database.transaction() as other:
        await other.execute(Statement.parsed("LOCK TABLE trade_order IN ACCESS EXCLUSIVE MODE"))
        with pytest.raises(StoreUnavailable, match="statement timeout"):
            await reads.orders(ListQuery(sort=total_order((SortKey("quantity"),))))
    await hasty.close()


async def test_blotters_with_the_same_abbreviation_sort_as_one(database: Database) -> None:
    await insert_mixed(database, 60, 0)
    await run_sql(database, "UPDATE blotter SET abbreviation = 'EQ' WHERE abbreviation = 'HOLD'")
    lists = lists_on(database)
    async with lists.names, lists.totals:
        for descending in (False, True):
            sort = total_order((SortKey("blotter.abbreviation", descending),))
            for offset in (0, 9, 20, 45):
                await agree(lists.service.list_orders, order_fields, ListQuery(10, offset, sort))


@pytest.fixture(scope="module")
async def in_any_state(postgres: TestServer, template_database: str) -> AsyncIterator[Lists]:
    """Executions in all states, each with every kind of reason; some attempts are shared and half settled."""
    async with postgres.database(template_database) as url:
        database = Database(StoreSettings(url))
        await insert_mixed(database, ORDERS, EXECUTIONS)
        await insert_states(database)
        lists = lists_on(database)
        async with lists.names, lists.totals:
            yield lists
        await database.close()


_BY_STATE = {
    "submissionState": st.sampled_from(
        ["Rejected", "exhausted", "queued", "CLAIMED", "retry", "unknown", "x"]
    ),
    "code": st.sampled_from(["LATE", "gone", "RESOLVED", "nothing"]),
}


def queries_by_state() -> SearchStrategy[ListQuery]:
    """Any query, with a filter by state, by code, or by both in front of its own."""
    filters = [
        st.lists(values, min_size=1, max_size=3, unique=True).map(partial(_any_of, name))
        for name, values in _BY_STATE.items()
    ]
    chosen = st.one_of(st.tuples(filters[0]), st.tuples(filters[1]), st.tuples(*filters))
    return st.builds(_with_filters, queries(EXECUTION_FIELDS), chosen)


def _any_of(name: str, values: list[str]) -> Filter:
    return Filter(name, Test.ANY_OF, tuple(values))


def _with_filters(query: ListQuery, filters: tuple[Filter, ...]) -> ListQuery:
    others = tuple(one for one in query.filters if one.field not in _BY_STATE)
    return msgspec.structs.replace(query, filters=(*filters, *others))


@settings(many, max_examples=200)
@given(query=queries_by_state())
@example(
    query=ListQuery(
        5, 0, total_order((SortKey("executionTimestamp", descending=True),)), (_any_of("code", ["late"]),)
    )
)
async def test_executions_by_state_and_code_equal_the_naive_result(
    in_any_state: Lists, query: ListQuery
) -> None:
    await agree(in_any_state.service.list_executions, execution_fields, query)
