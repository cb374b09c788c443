"""Row counts on virtual time: which results are remembered, and how long a caller waits."""

from collections.abc import Callable, Coroutine
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.world.loop import WorldLoop
from trade_service.submission.clock import SystemClock
from trade_service.submission.ports import StoreUnavailable
from trade_service.trading.listing.model import Filter, Selection, Test, Total
from trade_service.trading.listing.row_counts import COUNTS_AT_ONCE, SAME_ROWS_S, RowCounts
from trade_service.trading.trading_settings import ListSettings

BOUND = 10
WAIT_S, FRESH_S, MAX_AGE_S = 0.25, 5.0, 60.0
COUNT_MAX_S = 30.0
QUEUED = 3
SETTINGS = ListSettings(
    counted_up_to=BOUND,
    count_wait_ms=round(WAIT_S * 1000),
    total_fresh_s=FRESH_S,
    total_max_age_s=MAX_AGE_S,
)
ROWS = Selection("orders")


class Table(SystemClock):
    """Rows that take time to count, an estimate of them, and the loop's clock."""

    def __init__(
        self, loop: WorldLoop, rows: int, count_s: float, guess: int = 0, guess_s: float = 0.01
    ) -> None:
        self.loop = loop
        self.rows = rows
        self.count_s = count_s
        """Up to ten rows, a bounded count takes as long as a full one."""
        self.guess = guess
        self.guess_s = guess_s
        self.away = False
        self.counts: list[int | None] = []
        self.under_way = 0
        self.most_under_way = 0
        self.samples = 0

    def monotonic(self) -> float:
        return self.loop.time()

    async def count(self, selection: Selection, within_s: float, bound: int | None = None) -> int | None:
        """Returns the rows at the start of the count."""
        self.counts.append(bound)
        rows = self.rows
        took_s = 0.01 if bound is not None and rows >= bound else self.count_s
        if self.away:
            raise StoreUnavailable("away")
        if bound is None:
            self.under_way += 1
            self.most_under_way = max(self.under_way, self.most_under_way)
        await self.sleep(min(took_s, within_s))
        if bound is None:
            self.under_way -= 1
        if took_s > within_s:
            return None
        return rows if bound is None else min(rows, bound)

    async def estimate(self, selection: Selection, within_s: float) -> int | None:
        self.samples += 1
        if self.away:
            raise StoreUnavailable("away")
        await self.sleep(min(self.guess_s, within_s))
        return self.guess if self.guess_s <= within_s else None


class Asking:
    """Asks for totals of a table and checks how long each answer takes."""

    def __init__(self, totals: RowCounts, table: Table) -> None:
        self.totals = totals
        self.table = table

    async def total(self, least: int = 0, selection: Selection = ROWS) -> Total:
        """The total; fails when it takes longer than a page may wait."""
        began = self.table.monotonic()
        total = await self.totals.of(selection, least)
        assert self.table.monotonic() - began <= 2 * WAIT_S + 0.001
        assert total.rows >= least
        return total


def played(
    story: Callable[[Asking], Coroutine[Any, Any, None]],
    rows: int,
    count_s: float,
    guess: int = 0,
    guess_s: float = 0.01,
) -> Table:
    """Runs the story on virtual time."""
    loop = WorldLoop()
    table = Table(loop, rows, count_s, guess, guess_s)

    async def run() -> None:
        async with RowCounts(table, table, SETTINGS, count_max_s=COUNT_MAX_S, queued=QUEUED) as totals:
            await story(Asking(totals, table))

    task = loop.create_task(run())
    task.add_done_callback(lambda _: loop.stop())
    assert loop.run(1e6)
    loop.close()
    task.result()
    return table


def exactly(rows: int) -> Total:
    return Total(rows, is_estimate=False)


def about(rows: int) -> Total:
    return Total(rows, is_estimate=True)


@pytest.mark.parametrize(
    ("rows", "count_s", "shown_next"),
    [(BOUND, 0.01, BOUND - 1), (BOUND + 1, 0.01, BOUND + 1)],
    ids=["few", "many"],
)
def test_an_expensive_count_is_remembered(rows: int, count_s: float, shown_next: int) -> None:
    async def story(asking: Asking) -> None:
        assert await asking.total() == exactly(rows)
        asking.table.rows -= rows - BOUND + 1
        assert await asking.total() == exactly(shown_next)

    played(story, rows, count_s)


def test_a_slow_count_of_few_rows_is_estimated_then_remembered_then_forgotten() -> None:
    async def story(asking: Asking) -> None:
        table = asking.table
        assert await asking.total(least=2) == about(2)
        await table.sleep(2.0)
        assert await asking.total() == exactly(3)
        table.rows, table.count_s = 2, 0.0
        await table.sleep(MAX_AGE_S)
        assert await asking.total() == exactly(2)
        table.rows = 1
        assert await asking.total() == exactly(1)

    played(story, rows=3, count_s=1.0)


def test_a_slow_count_runs_once_and_delays_callers_once() -> None:
    async def story(asking: Asking) -> None:
        table = asking.table
        assert await asking.total() == about(900)
        assert table.monotonic() >= WAIT_S
        for _ in range(20):
            began = table.monotonic()
            assert await asking.total() == about(900), "the same while the count runs"
            assert table.monotonic() - began < 0.001, "no second wait for the same count"
            await table.sleep(0.4)
        await table.sleep(2.0)
        assert await asking.total() == exactly(1000)

    table = played(story, rows=1000, count_s=10.0, guess=900)
    assert table.counts == [BOUND + 1, None]
    assert table.samples == 1


def test_an_estimate_is_never_below_the_rows_already_counted_or_shown() -> None:
    async def story(asking: Asking) -> None:
        assert await asking.total(least=5) == about(BOUND + 1)
        assert await asking.total(least=77) == about(77)

    played(story, rows=1000, count_s=10.0, guess=3)


@pytest.mark.parametrize("guess_s", [0.01, 5.0])
def test_without_a_count_the_total_is_what_the_page_proves(guess_s: float) -> None:
    async def story(asking: Asking) -> None:
        asking.table.away = True
        assert await asking.total(least=8) == about(8)
        asking.table.away = False
        assert await asking.total() == (about(900) if guess_s < WAIT_S else about(BOUND + 1))

    played(story, rows=1000, count_s=10.0, guess=900, guess_s=guess_s)


def test_an_old_total_is_an_estimate_until_it_is_counted_again() -> None:
    async def story(asking: Asking) -> None:
        table = asking.table
        await asking.total()
        await table.sleep(2.0)
        assert await asking.total() == exactly(1000)
        table.rows = 1200
        await table.sleep(MAX_AGE_S)
        assert await asking.total() == about(1000)
        assert table.samples == 1, "the old total is better than a sample"
        await table.sleep(2.0)
        assert await asking.total() == exactly(1200)
        table.rows = 1300
        await table.sleep(3600.0)
        assert await asking.total() == about(1100), "after an hour it is no longer used"

    played(story, rows=1000, count_s=1.0, guess=1100)


def test_a_remembered_total_is_refreshed_in_the_background() -> None:
    async def story(asking: Asking) -> None:
        table = asking.table
        assert await asking.total() == exactly(1000)
        table.rows = 1001
        await table.sleep(FRESH_S / 2)
        assert await asking.total() == exactly(1000)
        await table.sleep(FRESH_S)
        assert await asking.total() == exactly(1000)
        await table.sleep(0.2)
        assert await asking.total() == exactly(1001)
        assert await asking.total(least=1005) == about(1005)

    table = played(story, rows=1000, count_s=0.1)
    assert table.counts == [BOUND + 1, None, None], "no bounded count where there are known to be many"


def test_an_abandoned_count_is_not_repeated_soon() -> None:
    async def story(asking: Asking) -> None:
        table = asking.table
        for _ in range(10):
            assert await asking.total() == about(900)
            await table.sleep(8.0)

    table = played(story, rows=1000, count_s=COUNT_MAX_S + 1, guess=900)
    assert table.counts == [BOUND + 1, None], "80 seconds are less than the count and the pause after it"


def test_a_small_count_includes_rows_added_before_the_request() -> None:
    """A running count answers earlier requests, but not one made after a row was added."""

    async def story(asking: Asking) -> None:
        table = asking.table
        asking.totals.begin(ROWS)
        await table.sleep(0.01)
        table.rows = 4
        assert await asking.total() == exactly(4)

    played(story, rows=3, count_s=0.1)


def test_large_counts_take_turns_and_excess_ones_are_skipped() -> None:
    async def story(asking: Asking) -> None:
        for number in range(20):
            page = Selection("orders", (Filter("orderId", Test.ANY_OF, (number,)),))
            assert await asking.total(selection=page) == about(900)
        await asking.table.sleep(60.0)

    table = played(story, rows=1000, count_s=10.0, guess=900)
    assert table.most_under_way == COUNTS_AT_ONCE
    assert table.counts.count(None) == COUNTS_AT_ONCE + QUEUED


def test_begin_counts_unless_the_total_is_remembered() -> None:
    async def story(asking: Asking) -> None:
        asking.totals.begin(ROWS)
        asking.totals.begin(ROWS)
        await asking.table.sleep(2.0)
        asking.totals.begin(ROWS)
        assert await asking.total() == exactly(1000)

    assert played(story, rows=1000, count_s=1.0).counts == [BOUND + 1, None]


@given(
    rows=st.integers(0, 2 * BOUND),
    count_s=st.sampled_from([0.0, 0.2, 0.3, 3.0, 100.0]),
    guess=st.integers(0, 40),
    guess_s=st.sampled_from([0.0, 0.2, 0.3]),
    asked=st.lists(st.tuples(st.integers(0, 40), st.sampled_from([0.0, 0.1, 3.0, 61.0, 4000.0])), max_size=8),
)
def test_any_sequence_of_requests(
    rows: int, count_s: float, guess: int, guess_s: float, asked: list[tuple[int, float]]
) -> None:
    """Answers arrive within two waits and never below what the page proves; exact ones are exact."""

    async def story(asking: Asking) -> None:
        for least, pause_s in asked:
            total = await asking.total(least)
            if not total.is_estimate:
                assert total.rows == rows
            await asking.table.sleep(pause_s)

    played(story, rows, count_s, guess, guess_s)


def test_pages_that_saw_the_same_rows_share_one_count() -> None:
    async def story(asking: Asking) -> None:
        async def rows(snapshot: str) -> int:
            return (await asking.totals.of(ROWS, 0, snapshot)).rows

        table = asking.table
        assert [await rows("1:1:"), await rows("1:1:")] == [8, 8]
        assert len(table.counts) == 1
        table.rows = 9
        assert await rows("1:2:") == 9
        assert await rows("") == 9
        assert len(table.counts) == 3
        await table.sleep(SAME_ROWS_S)
        assert await rows("1:2:") == 9
        assert len(table.counts) == 4

    played(story, 8, 0.01)


@pytest.mark.parametrize(("rows", "count_s"), [(11, 0.01), (8, 0.3)])
def test_what_is_remembered_for_longer_is_no_count_of_a_snapshot(rows: int, count_s: float) -> None:
    """It may have been counted before the page was read."""

    async def story(asking: Asking) -> None:
        await asking.totals.of(ROWS, 0, "1:1:")
        await asking.table.sleep(1)
        assert (await asking.totals.of(ROWS, 0, "1:1:")).rows == rows
        assert asking.totals._same == {}

    played(story, rows, count_s)
