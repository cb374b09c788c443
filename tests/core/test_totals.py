"""Totals: which of them are remembered."""

import pytest

from trade_service.submission.clock import SystemClock
from trade_service.trading.listing.totals import Totals, TotalsSettings

BOUND = 10
SETTINGS = TotalsSettings(counted_up_to=BOUND, fresh_s=5.0, max_age_s=60.0, quick_s=0.25)


class Table(SystemClock):
    """A clock that goes on only while rows are counted, and the rows."""

    def __init__(self, rows: int, count_s: float) -> None:
        self.now_s = 0.0
        self.rows = rows
        self.count_s = count_s
        self.counts: list[int | None] = []

    def boottime(self) -> float:
        return self.now_s

    async def count(self, bound: int | None) -> int:
        self.counts.append(bound)
        self.now_s += self.count_s
        return self.rows if bound is None else min(self.rows, bound)


@pytest.mark.parametrize(
    ("rows", "count_s", "shown_next"),
    [(BOUND, 0.01, BOUND - 1), (BOUND, 0.5, BOUND), (BOUND + 1, 0.01, BOUND + 1)],
    ids=["few and quick", "few and slow", "many"],
)
async def test_what_is_dear_to_count_is_remembered(rows: int, count_s: float, shown_next: int) -> None:
    table = Table(rows, count_s)
    async with Totals(table, SETTINGS) as totals:
        assert await totals.of("key", table.count) == rows
        table.rows -= rows - BOUND + 1
        assert await totals.of("key", table.count) == shown_next


async def test_a_slow_count_is_not_shown_when_it_is_old_and_forgotten_once_it_is_quick() -> None:
    table = Table(3, count_s=1.0)
    async with Totals(table, SETTINGS) as totals:
        assert await totals.of("key", table.count) == 3
        table.now_s += SETTINGS.max_age_s
        table.rows, table.count_s = 2, 0.0
        assert await totals.of("key", table.count) == 2
        table.rows = 1
        assert await totals.of("key", table.count) == 1
        assert table.counts == [BOUND + 1] * 3
