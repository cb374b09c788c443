"""The blotter reader reports every bad line and reads every good one, in constant memory."""

import io
import json
import tracemalloc
from collections import Counter
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tools.make_blotter import FIRST_ORDER_ID, ORDERS, SHIPPED, TICKERS, blotter_lines

from tests.blotters.reading import read_all, shown
from trade_service.blotter.delimited_source import MAX_LINE_CHARS
from trade_service.blotter.file_refusals import FileRefused
from trade_service.blotter.order_rows import LineRules
from trade_service.blotter.reader import BlotterReader
from trade_service.blotter.records import CellError, OrderRecord
from trade_service.domain.reference import Blotter, Destination, ReferenceData
from trade_service.domain.seen_ids import SeenIds

HEADER = (
    "order_id,portfolio_id,order_type,security_id,quantity,limit_price,trade_timestamp,blotter,destination"
)
GOOD = "7,P1,BUY,AAPL,100,190.25,2026-01-30T14:30:00Z,EQ,ML"
REFERENCE = ReferenceData(
    blotters={1: Blotter(1, "Default", "Default", 1), 2: Blotter(2, "EQ", "Equity", 1)},
    trade_types={},
    destinations={1: Destination(1, "ML", "Merrill Lynch", 1), 5: Destination(5, "INST", "Instinet", 1)},
    statuses={},
)
RULES = LineRules.of(REFERENCE, ("BUY", "SELL"))
CONTRADICTS = "must not repeat in contradicting rows, so none is sent"


def read(content: str | bytes, chunk: int = 500) -> tuple[list[OrderRecord], list[CellError]]:
    raw = content.encode() if isinstance(content, str) else content
    reader = BlotterReader(io.BytesIO(raw), RULES)
    good: list[OrderRecord] = []
    bad: list[CellError] = []
    while True:
        page = reader.read(chunk)
        good += page.orders
        bad += page.errors
        if not page.count:
            return good, bad


def with_value(**changes: str) -> str:
    values = dict(zip(HEADER.split(","), GOOD.split(","), strict=True)) | changes
    return f"{HEADER}\n{','.join(values.values())}\n"


def test_a_line_becomes_an_order_with_its_destination() -> None:
    good, bad = read(f"{HEADER}\n{GOOD}\n")
    assert bad == []
    (line,) = good
    assert (line.line, line.destination_id) == (2, 1)
    order = line.order
    assert (order.order_id, order.portfolio_id, order.order_type, order.security_id) == (
        7,
        "P1",
        "BUY",
        "AAPL",
    )
    assert (order.quantity, order.limit_price) == (Decimal(100), Decimal("190.25"))
    assert (order.trade_timestamp, order.blotter_id) == (datetime(2026, 1, 30, 14, 30, tzinfo=UTC), 2)


@pytest.mark.parametrize(
    "content",
    [
        f"\ufeff{HEADER}\n{GOOD}\n",
        f"{HEADER}\r\n{GOOD}\r\n",
        f"{HEADER}\n\n  \n{GOOD}",
        f"{HEADER.replace(',', ';')}\n{GOOD.replace(',', ';')}\n",
        f'{HEADER}\n"7",P1," buy ",AAPL,"100",190.25,2026-01-30T14:30:00Z,eq,"ML"\n',
        "orderId,portfolioId,orderType,securityId,quantity,limitPrice,tradeTimestamp,Blotter,DESTINATION\n"
        + GOOD,
    ],
    ids=["bom", "crlf", "empty lines", "semicolons", "quotes and case", "camelCase"],
)
def test_spellings_of_the_same_line(content: str) -> None:
    good, bad = read(content)
    assert bad == []
    assert [line.order for line in good] == [line.order for line in read(f"{HEADER}\n{GOOD}\n")[0]]


def test_columns_come_in_any_order_and_unknown_ones_are_ignored() -> None:
    header = b"note,destination,quantity,securityId,ORDER_TYPE,portfolio id,order-id,note2"
    content = header + b"\nx,INST,5,T,SELL,P,9,y\n"
    reader = BlotterReader(io.BytesIO(content), RULES)
    assert reader.layout.ignored == ("note", "note2")
    page = reader.read(10)
    (line,) = page.orders
    assert (page.errors, page.count) == ([], 1)
    assert (line.order.order_id, line.order.limit_price, line.order.blotter_id, line.destination_id) == (
        9,
        None,
        None,
        5,
    )


@pytest.mark.parametrize(
    ("field", "value", "rule"),
    [
        ("order_id", "", "must be a whole number"),
        ("order_id", "1.0", "must be a whole number"),
        ("order_id", "1_000", "must be a whole number"),
        ("order_id", "２", "must be a whole number"),
        ("order_id", "3000000000", "must fit a 32-bit integer"),
        ("order_id", "9" * 400, "must be a whole number"),
        ("portfolio_id", "", "must not be blank"),
        ("portfolio_id", "p" * 25, "at most 24 characters"),
        ("order_type", "HOLD", "must be one of BUY, SELL"),
        ("order_type", "SHORT", "must be one of BUY, SELL"),
        ("security_id", "   ", "must not be blank"),
        ("quantity", "", "must be a number"),
        ("quantity", "abc", "must be a finite number"),
        ("quantity", "NaN", "must be a finite number"),
        ("quantity", "-Infinity", "must be a finite number"),
        ("quantity", "1_000", "must be a finite number"),
        ("quantity", "0", "must be greater than zero"),
        ("quantity", "-5", "must be greater than zero"),
        ("quantity", "1.123456789", "at most 8 decimals"),
        ("quantity", "12345678901234567890", "at most 10 digits"),
        ("quantity", "1e99", "at most 10 digits"),
        ("quantity", "1" * 70, "at most 64 characters"),
        ("limit_price", "0", "must be greater than zero"),
        ("limit_price", "nan", "must be a finite number"),
        ("trade_timestamp", "yesterday", "ISO 8601"),
        ("trade_timestamp", "2026-02-30T00:00:00Z", "ISO 8601"),
        ("trade_timestamp", "0001-01-01T00:00:00+14:00", "must lie in the years"),
        ("blotter", "XX", "must be one of Default, EQ"),
        ("destination", "", "must be one of ML, INST"),
        ("destination", "NYSE", "must be one of ML, INST"),
    ],
)
def test_a_bad_value_is_reported_with_line_field_value_and_rule(field: str, value: str, rule: str) -> None:
    good, (error,) = read(with_value(**{field: value}))
    assert good == []
    assert (error.line, error.column) == (2, field)
    assert rule in error.rule
    assert error.value[:20] == value.strip()[:20]
    assert len(error.value) <= 80


def test_every_bad_value_of_a_line_is_reported_in_the_files_own_spelling() -> None:
    content = (
        "orderId,portfolioId,orderType,securityId,quantity,destination\n5,,BUY,IBM,0,NYSE\n6,,BUY,IBM,1,ML\n"
    )
    good, bad = read(content)
    assert good == []
    assert [(error.line, error.column, error.order_id) for error in bad] == [
        (2, "quantity", 5),
        (2, "destination", 5),
        (3, "portfolioId", 6),
    ]
    assert str(bad[0]) == "line 2, quantity: must be greater than zero; got '0'"
    assert str(bad[2]) == "line 3, portfolioId: must not be blank; got nothing"


@pytest.mark.parametrize(
    ("line", "rule"),
    [
        (b"7,P1,BUY", "must have 9 values, as the header has; it has 3"),
        (GOOD.encode() + b",more", "it has 10"),
        (
            "7,Pü1,BUY,AAPL,1,,,,".encode() + b"\xff",
            "must be text in the file's encoding, and the byte 0xFF is none",
        ),
        (b'7,"P1" x,BUY,AAPL,1,,,,ML', "quoted as a whole or not at all"),
        (b"7," + b"x" * (3 * MAX_LINE_CHARS) + b",BUY,AAPL,1,,,,ML", f"at most {MAX_LINE_CHARS} characters"),
    ],
    ids=["few", "many", "utf-8", "quote", "long"],
)
def test_a_line_that_cannot_be_split_does_not_affect_others(line: bytes, rule: str) -> None:
    good, (error,) = read(HEADER.encode() + b"\n8" + GOOD[1:].encode() + b"\n" + line + b"\n" + GOOD.encode())
    assert [line.order.order_id for line in good] == [8, 7]
    assert [line.line for line in good] == [2, 4]
    assert (error.line, error.column) == (3, "line")
    assert rule in error.rule


def test_a_wrong_byte_is_shown_without_escapes() -> None:
    _, (error,) = read(f"{HEADER}\n7,Pü".encode() + b"\xff1,BUY")
    assert str(error).endswith("the byte 0xFF is none; got '7,Pü\N{REPLACEMENT CHARACTER}1,BUY'")


def test_one_reading_takes_the_first_row_of_an_order_id_alone() -> None:
    bad_first = GOOD.replace("7,", "9,", 1).replace("AAPL", "")
    rows = [HEADER, GOOD, GOOD, bad_first, bad_first.replace(",,", ",A,", 1), GOOD.replace("7,", "8,", 1)]
    good, bad = read("\n".join(rows))
    assert [(line.line, line.order.order_id) for line in good] == [(2, 7), (6, 8)]
    assert [(error.line, error.column) for error in bad] == [
        (3, "order_id"),
        (4, "security_id"),
        (5, "order_id"),
    ]
    assert "an earlier row has it" in bad[0].rule


@pytest.mark.parametrize("distance", [1, 30_000])
def test_all_rows_of_an_order_id_are_compared_however_far_apart(distance: int) -> None:
    """Each id is there twice, and every other one with another quantity."""
    first = [GOOD.replace("7,", f"{number},", 1) for number in range(distance)]
    second = [row.replace(",100,", f",{100 + number % 2},") for number, row in enumerate(first)]
    result = read_all("\n".join([HEADER, *first, *second]).encode())
    assert [one.order.order_id for one in result.orders] == [*range(0, distance, 2)]
    rules = Counter(row.errors[0].rule.split(":")[0] for row in result.refused)
    contradicting = distance // 2
    expected = {"must not repeat": distance - contradicting, CONTRADICTS: 2 * contradicting}
    assert rules == Counter({rule: count for rule, count in expected.items() if count})


def test_a_file_that_repeats_too_many_order_ids_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("trade_service.blotter.repeats.MOST_REPEATED", 2)
    rows = [GOOD.replace("7,", f"{number},", 1) for number in (1, 2, 3)]
    result = read_all("\n".join([HEADER, *rows, *rows]).encode())
    assert result.refusal is not None
    assert "more than 2 of its order ids repeat: were several files joined?" in result.refusal
    assert result.orders == []


@pytest.mark.parametrize(
    ("content", "rule"),
    [
        (b"", "it is empty"),
        (b"order_id,quantity\n", "no column portfolio_id, order_type, security_id, destination"),
        (GOOD.encode(), "no row of it names the columns"),
        (HEADER.encode() + b",orderId\n", "the column order_id twice"),
        (b"x" * (MAX_LINE_CHARS + 5), "must have at most"),
    ],
)
def test_an_unusable_header_is_refused_at_once(content: bytes, rule: str) -> None:
    with pytest.raises(FileRefused) as caught:
        read(content)
    assert rule in str(caught.value)


def test_the_shipped_blotter_matches_its_script() -> None:
    assert SHIPPED.read_bytes().decode() == "".join(f"{line}\n" for line in blotter_lines())


def test_the_shipped_blotter_is_good() -> None:
    six = {
        i: Destination(i, name, name, 1)
        for i, name in enumerate(("ML", "RBC", "JPM", "IB", "INST", "POSIT"), 1)
    }
    rules = LineRules.of(ReferenceData(REFERENCE.blotters, {}, six, {}), ("BUY", "SELL"))
    with SHIPPED.open("rb") as stream:
        reader = BlotterReader(stream, rules)
        page = reader.read(10_000)
    good = page.orders
    assert (len(good), page.errors, page.count) == (ORDERS, [], ORDERS)
    assert good[0].order.order_id == FIRST_ORDER_ID
    assert {line.destination_id for line in good} == set(six)
    assert {line.order.order_type for line in good} == {"BUY", "SELL"}
    assert len({line.order.security_id for line in good}) > 450
    assert {line.order.security_id for line in good} <= set(TICKERS)
    assert all(len(line.order.portfolio_id) == 24 and line.order.blotter_id == 2 for line in good)
    assert Decimal("1234567890.12345678") in {line.order.quantity for line in good}
    assert sum(line.order.limit_price is None for line in good) > 500


def test_a_long_file_needs_no_more_memory_than_a_short_one() -> None:
    class Endless(io.BytesIO):
        """A file of `lines` lines that never exists as a whole; every tenth line is bad."""

        def __init__(self, lines: int) -> None:
            super().__init__()
            self._lines = iter(range(lines))
            self._ready = HEADER.encode() + b",note\n"

        def read(self, size: int | None = -1, /) -> bytes:
            assert size is not None
            note = "x" * 1_000
            while len(self._ready) < size and (number := next(self._lines, None)) is not None:
                quantity = "0" if number % 10 == 0 else "100"
                self._ready += f"{number},P1,BUY,AAPL,{quantity},,,,ML,{note}\n".encode()
            piece, self._ready = self._ready[:size], self._ready[size:]
            return piece

    def peak(lines: int) -> int:
        reader = BlotterReader(Endless(lines), RULES)
        tracemalloc.start()
        try:
            while reader.read(500).count:
                pass
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    small = peak(2_000)
    assert peak(6_000) < small + 200_000


@given(st.lists(st.integers(-(2**31), 2**31 - 1) | st.integers(0, 30_000), max_size=300))
def test_seen_ids_is_a_set(numbers: list[int]) -> None:
    seen = SeenIds()
    model: set[int] = set()
    for number in numbers:
        assert seen.add(number) == (number not in model)
        model.add(number)
    assert len(seen) == len(model)
    assert all(number in seen for number in model)
    assert not any(number in seen for number in range(-5, 5) if number not in model)


def test_seen_ids_turn_into_bitmaps_where_they_are_dense() -> None:
    seen = SeenIds()
    assert all(seen.add(number) for number in range(0, 40_000, 2))
    assert not any(seen.add(number) for number in range(0, 40_000, 2))
    assert [number in seen for number in (-1, 0, 1, 39_998, 39_999, 40_000)] == [
        False,
        True,
        False,
        True,
        False,
        False,
    ]


@given(st.binary(max_size=300))
def test_any_bytes_are_read_or_refused_but_never_crash(content: bytes) -> None:
    reader = BlotterReader(io.BytesIO(HEADER.encode() + b"\n" + content), RULES)
    seen: list[Any] = []
    while (page := reader.read(7)).count:
        seen += [*page.orders, *page.errors]
    assert all(isinstance(entry, OrderRecord | CellError) for entry in seen)


def test_a_late_member_that_may_decide_what_is_traded_is_refused() -> None:
    order: dict[str, object] = {
        "portfolio_id": "P1", "order_type": "BUY", "security_id": "AAPL", "quantity": 1, "destination": "ML",
    }  # fmt: skip
    lines = [order | {"order_id": number} for number in range(1, 12_001)]
    late: list[dict[str, object]] = [
        {"limt_price": 5},
        {"order limit": 5},
        {"Cancelled": "Y"},
        {"status": "filled"},
        {"colour": "red"},
    ]
    lines += [order | {"order_id": 20_000 + number} | more for number, more in enumerate(late)]
    result = read_all("".join(json.dumps(line) + "\n" for line in lines).encode())
    assert [shown(one) for one in result.orders[12_000:]] == ["20004 P1 BUY AAPL 1 - ML"]
    assert len(result.refused) == 4
    assert all("no object at the beginning" in error.rule for row in result.refused for error in row.errors)


def test_a_first_currency_behind_the_rows_that_were_looked_at_is_refused() -> None:
    header = "order_id,portfolio_id,order_type,security_id,quantity,limit_price,destination\n"
    rows = "".join(f"{number},P1,BUY,AAPL,1,10.5,ML\n" for number in range(1, 6_001))
    result = read_all((header + rows + "7000,P1,BUY,AAPL,1,€10.50,ML\n").encode())
    assert len(result.orders) == 6_000
    assert [error.rule for row in result.refused for error in row.errors] == [
        "must have no currency, as the prices before have none"
    ]
