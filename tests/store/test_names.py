"""Names in lists: complete results, stored names while the services are away, short waits."""

import asyncio
from collections.abc import AsyncIterator, Collection, Mapping

import pytest

from tests.support.lists import NAMES, FakeDirectory, Lists, insert_mixed, lists_on
from tests.support.trading import counted_statements, run_sql, value_of
from trade_service.store.database import Database
from trade_service.store.name_store import PostgresNameStore
from trade_service.trading.listing.display_names import KnownName, NameKey, NameKind
from trade_service.trading.listing.model import Filter, ListQuery, SortKey, Test, total_order

DEADLINE_S = 10.0
BY_TICKER = ListQuery(limit=2, sort=total_order((SortKey("security.ticker"),)))
P, S = NameKind.PORTFOLIO, NameKind.SECURITY


@pytest.fixture
async def rows(database: Database) -> Database:
    await insert_mixed(database, 12, 0)
    return database


@pytest.fixture
async def lists(rows: Database) -> AsyncIterator[Lists]:
    lists = lists_on(rows)
    async with lists.names, lists.totals:
        yield lists


def named(kind: str, *texts: str) -> ListQuery:
    return ListQuery(filters=(Filter(kind, Test.ANY_OF, texts),))


async def tickers(lists: Lists, query: ListQuery) -> list[str]:
    return [one.ticker for one in (await lists.service.list_orders(query)).items]


async def test_the_first_list_is_already_sorted_by_name(lists: Lists) -> None:
    assert await tickers(lists, BY_TICKER) == ["AAPL", "AAPL"]


async def test_an_id_is_fetched_once_for_all_replicas(lists: Lists, rows: Database) -> None:
    await asyncio.gather(*(lists.service.list_orders(ListQuery()) for _ in range(5)))
    assert sorted(lists.directory.asked) == sorted(
        [(P, f"P{n}") for n in range(3)] + [(S, f"S{n}") for n in range(4)]
    )
    other = lists_on(rows)
    async with other.names, other.totals:
        assert set(await tickers(other, ListQuery())) == {"IBM", "AAPL", "S3"}
    assert other.directory.asked == []


async def test_an_id_that_was_stored_during_a_read_is_not_fetched_again(
    lists: Lists, monkeypatch: pytest.MonkeyPatch
) -> None:
    known, has_read, may_go_on = PostgresNameStore.known, asyncio.Event(), asyncio.Event()

    async def late(self: PostgresNameStore, *ids: Collection[str]) -> Mapping[NameKey, KnownName]:
        found = await known(self, *ids)
        has_read.set()
        await may_go_on.wait()
        return found

    async with asyncio.timeout(DEADLINE_S), asyncio.TaskGroup() as group:
        with monkeypatch.context() as patched:
            patched.setattr(PostgresNameStore, "known", late)
            first = group.create_task(lists.service.list_orders(ListQuery()))
            await has_read.wait()
        second = await lists.service.list_orders(ListQuery())
        may_go_on.set()
    assert first.result().items == second.items
    assert len(lists.directory.asked) == 7


async def test_ids_stand_in_while_the_services_are_away(rows: Database) -> None:
    lists = lists_on(rows)
    lists.directory.away = True
    async with lists.names, lists.totals:
        assert set(await tickers(lists, ListQuery())) == {"S0", "S1", "S2", "S3"}
        assert await tickers(lists, BY_TICKER) == ["S0", "S0"]
        page = await lists.service.list_orders(named("security.ticker", "s1", "S1"))
        assert [one.ticker for one in page.items] == ["S1"] * 3
        lists.directory.away = False
        assert set(await tickers(lists, ListQuery())) == {"IBM", "AAPL", "S3"}


async def test_a_stored_name_is_shown_while_the_services_are_away(rows: Database) -> None:
    lists = lists_on(rows, ttl_s=0.0)
    async with lists.names, lists.totals:
        await lists.service.list_orders(ListQuery())
        lists.directory.away = True
        for _ in range(2):
            assert set(await tickers(lists, ListQuery())) == {"IBM", "AAPL", "S3"}


async def test_an_old_name_is_fetched_again_without_a_wait(rows: Database) -> None:
    lists = lists_on(rows, ttl_s=0.0)
    async with lists.names, lists.totals:
        await lists.service.list_orders(ListQuery())
        lists.directory.names[S]["S1"] = "NEW"
        async with asyncio.timeout(DEADLINE_S):
            while "NEW" not in await tickers(lists, ListQuery()):
                pass


async def test_a_slow_service_delays_a_list_only_by_the_wait_budget(rows: Database) -> None:
    lists = lists_on(rows, wait_ms=50)
    gate = asyncio.Event()
    lists.directory.gate = gate.wait
    async with lists.names, lists.totals:
        async with asyncio.timeout(DEADLINE_S):
            assert set(await tickers(lists, ListQuery())) == {"S0", "S1", "S2", "S3"}
        asked = len(lists.directory.asked)
        await lists.service.list_orders(ListQuery())
        assert len(lists.directory.asked) == asked, "asked again while the answer was still due"
        gate.set()
        async with asyncio.timeout(DEADLINE_S):
            while set(await tickers(lists, ListQuery())) != {"IBM", "AAPL", "S3"}:
                pass


async def test_names_fetched_in_time_are_shown_without_the_late_ones(rows: Database) -> None:
    class Halting(FakeDirectory):
        async def name_of(self, kind: NameKind, identity: str) -> str | None:
            if identity == "S0":
                await asyncio.Event().wait()
            return await super().name_of(kind, identity)

    lists = lists_on(rows, Halting(NAMES), wait_ms=300)
    async with lists.names, lists.totals:
        assert set(await tickers(lists, ListQuery())) == {"S0", "AAPL", "IBM", "S3"}


async def test_filters_find_all_ids_of_a_name(lists: Lists) -> None:
    page = await lists.service.list_orders(named("security.ticker", "ibm"))
    assert {one.order.security_id for one in page.items} == {"S0", "S2"}
    assert page.total.rows == 6
    both = named("portfolio.name", "GROWTH", "P2")
    assert {one.order.portfolio_id for one in (await lists.service.list_orders(both)).items} == {"P0", "P2"}
    # P1 shows its name, so its id names nobody.
    assert (await lists.service.list_orders(named("portfolio.name", "P1"))).total.rows == 0


async def test_a_filter_searches_for_a_name_that_is_not_stored(rows: Database) -> None:
    lists = lists_on(rows, complete_every_s=1e9)
    async with lists.names, lists.totals:
        await lists.names.complete(S, lists.names.budget())
        await run_sql(rows, "UPDATE trade_order SET security_id = 'S9' WHERE id = 5")
        lists.directory.names[S]["S9"] = "MSFT"
        page = await lists.service.list_orders(named("security.ticker", "msft"))
        assert [one.order.id for one in page.items] == [5]
        asked = len(lists.directory.asked)
        assert (await lists.service.list_orders(named("security.ticker", "GOOG"))).total.rows == 0
        assert (await lists.service.list_orders(named("security.ticker", "GOOG"))).total.rows == 0
        assert len(lists.directory.asked) == asked + 1


async def test_background_rounds_fetch_missing_names_and_delete_beyond_the_limit(
    rows: Database,
) -> None:
    lists = lists_on(rows, max_kept=2, poll_s=0.01)
    async with lists.names, asyncio.TaskGroup() as group:
        task = group.create_task(lists.names.run())
        async with asyncio.timeout(DEADLINE_S):
            while (
                len(lists.directory.asked) < 7
                or await value_of(rows, "SELECT count(*) FROM security_name") != 2
            ):
                await asyncio.sleep(0.01)
        task.cancel()


@pytest.mark.parametrize("memory_s", [0.0, 60.0])
async def test_an_id_that_no_longer_exists_keeps_its_name(
    lists: Lists, rows: Database, memory_s: float
) -> None:
    await lists.service.list_orders(ListQuery())
    lists = lists_on(rows, FakeDirectory({}), ttl_s=0.0, memory_s=memory_s)
    async with lists.names, lists.totals:
        before = await value_of(rows, "SELECT fetched_at FROM security_name WHERE id = 'S1'")
        async with asyncio.timeout(DEADLINE_S):
            while await value_of(rows, "SELECT fetched_at FROM security_name WHERE id = 'S1'") == before:
                assert "AAPL" in await tickers(lists, ListQuery())
        assert "AAPL" in await tickers(lists, ListQuery())


async def test_a_recent_name_is_shown_without_reading_the_database(rows: Database) -> None:
    lists = lists_on(rows, memory_s=60.0)
    async with lists.names, lists.totals:
        first = await tickers(lists, ListQuery())
        async with counted_statements(rows) as statements:
            assert await tickers(lists, ListQuery()) == first
    assert len(statements) == 1


async def test_a_name_that_the_database_cannot_hold_is_truncated_and_cleaned(rows: Database) -> None:
    strange = FakeDirectory({S: {"S0": "A\x00B", "S1": "x" * 300}})
    lists = lists_on(rows, strange)
    async with lists.names, lists.totals:
        await lists.service.list_orders(ListQuery())
    other = lists_on(rows, FakeDirectory({}))
    async with other.names, other.totals:
        assert set(await tickers(other, ListQuery())) == {"AB", "x" * 200, "S2", "S3"}
