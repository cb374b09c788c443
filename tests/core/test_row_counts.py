"""Totals on virtual time: which of them are remembered, and that nobody waits long for one."""

from collections.abc import Callable, Coroutine
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.world.loop import WorldLoop
from trade_service.submission.clock import SystemClock
from trade_service.submission.ports import StoreUnavailable
from trade_service.trading.listing.model import Filter, Selection, Test, Total
from trade_service.trading.listing.row_counts import COUNTS_AT_ONCE, RowCounts
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
    """Rows that take their time to be counted, and a guess at them; the loop's clock."""

    def __init__(
        self, loop: WorldLoop, rows: int, count_s: float, guess: int = 0, guess_s: float = 0.01
    ) -> None:
        self.loop = loop
        self.rows = rows
        self.count_s = count_s
        """To count the first eleven takes as long as to count them all where they are no more than ten."""
        self.guess = guess
        self.guess_s = guess_s
        self.away = False
        self.counts: list[int | None] = []
        self.under_way = 0
        self.most_under_way = 0
        self.samples = 0

    def boottime(self) -> float:
        return self.loop.time()

    async def count(self, selection: Selection, within_s: float, bound: int | None = None) -> int | None:
        """The port's: the rows at the beginning of the count."""
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
        """The port's."""
        self.samples += 1
        if self.away:
            raise StoreUnavailable("away")
        await self.sleep(min(self.guess_s, within_s))
        return self.guess if self.guess_s <= within_s else None


class Asking:
    """Totals of a table, and how long each answer took."""

    def __init__(self, totals: RowCounts, table: Table) -> None:
        self.totals = totals
        self.table = table

    async def total(self, least: int = 0, selection: Selection = ROWS) -> Total:
        """The answer, within the time that a page may wait."""
        began = self.table.boottime()
        total = await self.totals.of(selection, least)
        assert self.table.boottime() - began <= 2 * WAIT_S + 0.001
        assert total.rows >= least
        return total


def played(
    story: Callable[[Asking], Coroutine[Any, Any, None]],
    rows: int,
    count_s: float,
    guess: int = 0,
    guess_s: float = 0.01,
) -> Table:
    """Plays the story on virtual time."""
    loop = WorldLoop()
    table = Table(loop, rows, count_s, guess, guess_s)

    async def told() -> None:
        async with RowCounts(table, table, SETTINGS, count_max_s=COUNT_MAX_S, queued=QUEUED) as totals:
            await story(Asking(totals, table))

    task = loop.create_task(told())
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
def test_what_is_dear_to_count_is_remembered(rows: int, count_s: float, shown_next: int) -> None:
    async def story(asking: Asking) -> None:
        assert await asking.total() == exactly(rows)
        asking.table.rows -= rows - BOUND + 1
        assert await asking.total() == exactly(shown_next)

    played(story, rows, count_s)


def test_few_rows_that_take_long_to_be_found_are_estimated_then_remembered_then_forgotten() -> None:
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


def test_nobody_waits_for_a_count_that_takes_long_and_it_is_counted_once() -> None:
    async def story(asking: Asking) -> None:
        table = asking.table
        assert await asking.total() == about(900)
        assert table.boottime() >= WAIT_S
        for _ in range(20):
            began = table.boottime()
            assert await asking.total() == about(900), "the same, as long as it is counted"
            assert table.boottime() - began < 0.001, "nobody waits for the same count again"
            await table.sleep(0.4)
        await table.sleep(2.0)
        assert await asking.total() == exactly(1000)

    table = played(story, rows=1000, count_s=10.0, guess=900)
    assert table.counts == [BOUND + 1, None]
    assert table.samples == 1


def test_an_estimate_is_no_less_than_what_a_count_or_the_page_has_come_to() -> None:
    async def story(asking: Asking) -> None:
        assert await asking.total(least=5) == about(BOUND + 1)
        assert await asking.total(least=77) == about(77)

    played(story, rows=1000, count_s=10.0, guess=3)


@pytest.mark.parametrize("guess_s", [0.01, 5.0])
def test_while_nothing_can_be_counted_the_page_shows_what_it_proves(guess_s: float) -> None:
    async def story(asking: Asking) -> None:
        asking.table.away = True
        assert await asking.total(least=8) == about(8)
        asking.table.away = False
        assert await asking.total() == (about(900) if guess_s < WAIT_S else about(BOUND + 1))

    played(story, rows=1000, count_s=10.0, guess=900, guess_s=guess_s)


def test_a_total_that_was_remembered_too_long_is_an_estimate_until_it_is_counted_again() -> None:
    async def story(asking: Asking) -> None:
        table = asking.table
        await asking.total()
        await table.sleep(2.0)
        assert await asking.total() == exactly(1000)
        table.rows = 1200
        await table.sleep(MAX_AGE_S)
        assert await asking.total() == about(1000)
        assert table.samples == 1, "there was something better"
        await table.sleep(2.0)
        assert await asking.total() == exactly(1200)
        table.rows = 1300
        await table.sleep(3600.0)
        assert await asking.total() == about(1100), "an hour is too long"

    played(story, rows=1000, count_s=1.0, guess=1100)


def test_a_remembered_total_is_counted_again_behind_the_back() -> None:
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
    assert table.counts == [BOUND + 1, None, None], "that there are many is known by then"


def test_a_count_in_vain_is_not_repeated_soon() -> None:
    async def story(asking: Asking) -> None:
        table = asking.table
        for _ in range(10):
            assert await asking.total() == about(900)
            await table.sleep(8.0)

    table = played(story, rows=1000, count_s=COUNT_MAX_S + 1, guess=900)
    assert table.counts == [BOUND + 1, None], "80 seconds are less than the count and a minute"


def test_few_rows_are_those_after_the_request() -> None:
    """A count that was under way does for who asked before, not for who has added a row since."""

    async def story(asking: Asking) -> None:
        table = asking.table
        asking.totals.begin(ROWS)
        await table.sleep(0.01)
        table.rows = 4
        assert await asking.total() == exactly(4)

    played(story, rows=3, count_s=0.1)


def test_large_counts_take_turns_and_too_many_are_left_out() -> None:
    async def story(asking: Asking) -> None:
        for number in range(20):
            page = Selection("orders", (Filter("orderId", Test.ANY_OF, (number,)),))
            assert await asking.total(selection=page) == about(900)
        await asking.table.sleep(60.0)

    table = played(story, rows=1000, count_s=10.0, guess=900)
    assert table.most_under_way == COUNTS_AT_ONCE
    assert table.counts.count(None) == COUNTS_AT_ONCE + QUEUED


def test_what_a_page_begins_is_counted_unless_it_is_known() -> None:
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
def test_whatever_is_asked_when(
    rows: int, count_s: float, guess: int, guess_s: float, asked: list[tuple[int, float]]
) -> None:
    """No answer takes longer than two waits or is less than what the page proves; the exact ones are right."""

    async def story(asking: Asking) -> None:
        for least, pause_s in asked:
            total = await asking.total(least)
            if not total.is_estimate:
                assert total.rows == rows
            await asking.table.sleep(pause_s)

    played(story, rows, count_s, guess, guess_s)
