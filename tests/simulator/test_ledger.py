"""The ledger: counts, lookups, pages, fills and memory use."""

import tracemalloc
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from execution_simulator.columns import Amounts, from_e8
from execution_simulator.ledger import Entry, Ledger, VersionConflictError
from execution_simulator.listing import Query, QueryError
from execution_simulator.payloads import ExecutionPost
from execution_simulator.profiles import PUBLISHED

START = datetime(2026, 11, 24, 10, 30, tzinfo=UTC)

rows = st.tuples(
    st.sampled_from(["NEW", "PENDING"]),
    st.sampled_from(["BUY", "SELL"]),
    st.sampled_from(["NYSE", "ML"]),
    st.sampled_from(["AAPL01", "MSFT02", "000"]),
    st.integers(1, 10**18 - 1),
    st.integers(0, 10**18 - 1),
    st.one_of(st.none(), st.integers(1, 9)),
)
Row = tuple[str, str, str, str, int, int, int | None]


def filled(table: list[Row], first_id: int = 1) -> Ledger:
    ledger = Ledger(first_id)
    for place, row in enumerate(table):
        status, trade_type, destination, security_id, quantity, price, trade_id = row
        item = ExecutionPost(
            status,
            trade_type,
            destination,
            security_id,
            from_e8(quantity),
            from_e8(price) or None,
            trade_id,
            1,
        )
        ledger.accept([item], [(quantity, price or None)], START + timedelta(seconds=place // 2))
    return ledger


def simple(count: int) -> Ledger:
    return filled([("NEW", "BUY", "NYSE", "AAPL", 10**8, 0, 100 + n) for n in range(count)])


@given(st.lists(rows, max_size=30), st.integers(1, 2**31))
def test_the_ledger_returns_every_acceptance_and_its_count(table: list[Row], first_id: int) -> None:
    ledger = filled(table, first_id)
    assert ledger.total == len(table)
    assert ledger.next_id == first_id + len(table)
    assert ledger.accepted_counts() == Counter(row[6] for row in table if row[6] is not None)
    for place, row in enumerate(table):
        shown = ledger.by_id(first_id + place)
        assert shown is not None
        assert (shown.execution_status, shown.trade_type, shown.destination, shown.security_id) == row[:4]
        assert shown.quantity == from_e8(row[4])
        assert shown.limit_price == (from_e8(row[5]) if row[5] else None)
        assert shown.trade_service_execution_id == row[6]
        assert shown.received_timestamp == START + timedelta(seconds=place // 2)
        assert (shown.version, shown.average_price) == (1, None)
        assert shown.quantity_filled == 0
    for trade_id in range(1, 10):
        expected = [first_id + place for place, row in enumerate(table) if row[6] == trade_id]
        assert [shown.id for shown in ledger.get(trade_id)] == expected
    assert ledger.by_id(first_id - 1) is None
    assert ledger.by_id(first_id + len(table)) is None


def ticker_of(entry: Entry) -> str | None:
    return PUBLISHED.stored(entry).ticker


KEYS: dict[str, Callable[[Entry], object]] = {
    "id": lambda e: e.id,
    "quantity": lambda e: e.quantity,
    "receivedTimestamp": lambda e: e.received_timestamp,
    "ticker": lambda e: ticker_of(e) or "",
    "tradeType": lambda e: e.trade_type,
}


@given(
    st.lists(rows, max_size=30),
    st.integers(0, 35),
    st.integers(1, 12),
    st.lists(st.tuples(st.sampled_from(sorted(KEYS)), st.booleans()), min_size=1, max_size=3),
    st.one_of(st.none(), st.sampled_from(["BUY", "SELL"])),
    st.one_of(st.none(), st.sampled_from(["AAPL", "MSFT", "NONE"])),
)
def test_a_page_is_a_slice_of_the_filtered_and_sorted_ledger(
    table: list[Row],
    offset: int,
    limit: int,
    keys: list[tuple[str, bool]],
    trade_type: str | None,
    ticker: str | None,
) -> None:
    ledger = filled(table)
    whole = [shown for n in range(len(table)) if (shown := ledger.by_id(1 + n))]
    whole = [e for e in whole if trade_type in (None, e.trade_type) and ticker in (None, ticker_of(e))]
    for name, descending in reversed(keys):
        whole.sort(key=KEYS[name], reverse=descending)  # type: ignore[arg-type]
    sort_by = ",".join(("-" if descending else "") + name for name, descending in keys)
    page = PUBLISHED.page(ledger, Query(offset, limit, sort_by, trade_type=trade_type, ticker=ticker))
    assert page.content == [PUBLISHED.stored(e) for e in whole[offset : offset + limit]]
    pagination = page.pagination
    assert (pagination.offset, pagination.limit) == (offset, limit)
    assert pagination.total_elements == len(whole)
    assert pagination.total_pages == (len(whole) + limit - 1) // limit
    assert pagination.current_page == offset // limit
    assert pagination.has_next == (offset + limit < len(whole))
    assert pagination.has_previous == (offset > 0)


def test_status_and_destination_filter_too() -> None:
    ledger = filled([("NEW", "BUY", "NYSE", "AAPL", 1, 0, 1), ("PENDING", "BUY", "ML", "AAPL", 1, 0, 2)])
    assert [e.id for e in PUBLISHED.page(ledger, Query(execution_status="PENDING")).content] == [2]
    assert [e.id for e in PUBLISHED.page(ledger, Query(destination="NYSE")).content] == [1]


def test_an_unknown_sort_field_is_named() -> None:
    with pytest.raises(QueryError, match="sortBy: unknown field 'price'"):
        PUBLISHED.page(simple(1), Query(sort_by="-id,price"))


def test_a_fill_changes_status_and_version_and_checks_the_version() -> None:
    ledger = filled([("NEW", "BUY", "NYSE", "AAPL", 100 * 10**8, 0, 1)])
    part = ledger.fill(1, Decimal("99.99999999"), Decimal("10.5"), 1)
    assert part is not None
    assert (part.execution_status, part.version, part.quantity_filled) == ("PART", 2, Decimal("99.99999999"))
    with pytest.raises(VersionConflictError, match="execution 1 has version 2, not 1"):
        ledger.fill(1, Decimal(100), None, 1)
    full = ledger.fill(1, Decimal(100), None, 2)
    assert full is not None
    assert (full.execution_status, full.version) == ("FULL", 3)
    assert ledger.by_id(1) == full
    assert ledger.fill(2, Decimal(1), None, 1) is None


def test_rows_after_an_id_ascend_across_gaps() -> None:
    ledger = filled([("NEW", "BUY", "NYSE", "AAPL", 10**8, price, 7) for price in (0, 1)], first_id=50)
    ledger.skip(3)
    ledger.accept(
        [ExecutionPost("NEW", "BUY", "NYSE", "AAPL", Decimal(1), None, 8, 1)], [(10**8, None)], START
    )
    assert [row.id for row in ledger.after(0, 10)] == [50, 51, 55]
    assert [row.id for row in ledger.after(50, 10)] == [51, 55]
    assert [row.id for row in ledger.after(0, 1)] == [50]
    assert [row.id for row in ledger.after(52, 10)] == [55]
    assert list(ledger.after(55, 10)) == []
    assert [row.id for row in ledger.get(8)] == [55]
    assert ledger.by_id(52) is None
    assert (ledger.total, ledger.next_id) == (3, 56)


def test_a_million_executions_would_fit_in_a_hundred_megabytes() -> None:
    item = ExecutionPost("NEW", "BUY", "NYSE", "AAPL", Decimal(1), None, 7, 1)
    amounts: list[Amounts] = [(10**8, None)] * 100
    ledger = Ledger()
    tracemalloc.start()
    try:
        for _ in range(500):
            ledger.accept([item] * 100, amounts, START)
        used, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert ledger.total == 50_000
    assert used / ledger.total < 100
