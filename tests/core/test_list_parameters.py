"""List parameters: every spelling, every bound, and cursors that survive a round trip."""

import base64
import re
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trade_service.domain.errors import InvalidInput
from trade_service.trading.listing.model import (
    EXECUTION_FIELDS,
    ORDER_FIELDS,
    Cursor,
    Filter,
    Kind,
    ListQuery,
    SortKey,
    Test,
    total_order,
)
from trade_service.web.cursors import decode_cursor, encode_cursor
from trade_service.web.list_queries import filter_names, list_parameters, read_list_query


def orders(**given: str | list[str]) -> ListQuery:
    """The query of some parameters; __ stands for a dot."""
    names = {name.replace("__", "."): [v] if isinstance(v, str) else v for name, v in given.items()}
    return read_list_query(names, ORDER_FIELDS)


def test_nothing_asked_is_the_first_fifty_by_id() -> None:
    assert read_list_query({}, ORDER_FIELDS) == ListQuery(50, 0, (SortKey("id"),))
    assert orders(limit="", sort=" ", orderType="", other="x") == ListQuery(50, 0, (SortKey("id"),))


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("portfolio.name", "portfolio.name"),
        ("portfolioName", "portfolio.name"),
        ("portfolioNames", "portfolio.name"),
        ("securityTickers", "security.ticker"),
        ("securityTicker", "security.ticker"),
        ("ticker", "security.ticker"),
        ("tickers", "security.ticker"),
        ("blotterAbbreviation", "blotter.abbreviation"),
        ("blotterAbbreviations", "blotter.abbreviation"),
        ("blotter", "blotter.abbreviation"),
        ("orderTypes", "orderType"),
        ("order_type", "orderType"),
    ],
)
def test_text_filters_by_all_their_names(name: str, expected: str) -> None:
    query = read_list_query({name: ["A, b ,,A"]}, ORDER_FIELDS)
    assert query.filters == (Filter(expected, Test.ANY_OF, ("A", "b")),)


@pytest.mark.parametrize(
    ("name", "field", "test"),
    [
        ("quantity.min", "quantity", Test.AT_LEAST),
        ("minQuantity", "quantity", Test.AT_LEAST),
        ("quantityMin", "quantity", Test.AT_LEAST),
        ("maxQuantity", "quantity", Test.AT_MOST),
        ("quantitySent.max", "quantitySent", Test.AT_MOST),
        ("maxQuantitySent", "quantitySent", Test.AT_MOST),
        ("minQuantitySent", "quantitySent", Test.AT_LEAST),
    ],
)
def test_ranges_by_all_their_names(name: str, field: str, test: Test) -> None:
    query = read_list_query({name: ["1234567890.12345678"]}, ORDER_FIELDS)
    assert query.filters == (Filter(field, test, (Decimal("1234567890.12345678"),)),)


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("id.max", "7", Filter("id", Test.AT_MOST, (7,))),
        ("minId", "7", Filter("id", Test.AT_LEAST, (7,))),
    ],
)
def test_lists_begin_and_end_at_an_id(name: str, text: str, expected: Filter) -> None:
    assert read_list_query({name: [text]}, EXECUTION_FIELDS).filters == (expected,)


def test_a_range_of_ids_has_one_value_at_each_end() -> None:
    with pytest.raises(InvalidInput, match=re.escape("id.max")):
        read_list_query({"id.max": ["1,2"]}, EXECUTION_FIELDS)


@pytest.mark.parametrize("fields", [ORDER_FIELDS, EXECUTION_FIELDS])
def test_no_spelling_means_two_filters(fields: Any) -> None:
    spellings = [
        spelling
        for field in fields.values()
        for name, _, aliases in filter_names(field)
        for spelling in (name, *aliases)
    ]
    assert len(spellings) == len(set(spellings))
    assert {"limit", "offset", "sort", "cursor"}.isdisjoint(spellings)
    documented = [parameter.name for parameter in list_parameters(fields)]
    assert len(documented) == len(set(documented))


def test_repeated_text_filters_add_up() -> None:
    assert orders(orderType=["BUY", "SELL,buy"]).filters[0].values == ("BUY", "SELL", "buy")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("-tradeTimestamp", (SortKey("tradeTimestamp", descending=True), SortKey("id", descending=True))),
        (
            "quantity,-orderType",
            (SortKey("quantity"), SortKey("orderType", descending=True), SortKey("id", descending=True)),
        ),
        ("-id,quantity", (SortKey("id", descending=True),)),
        (
            "portfolioName, +securityTicker",
            (SortKey("portfolio.name"), SortKey("security.ticker"), SortKey("id")),
        ),
    ],
)
def test_sorts(text: str, expected: tuple[SortKey, ...]) -> None:
    assert orders(sort=text).sort == expected


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("limit", "0"),
        ("limit", "1001"),
        ("limit", "ten"),
        ("limit", "1.5"),
        ("limit", "٣"),
        ("offset", "-1"),
        ("offset", "99999999999"),
        ("sort", "name"),
        ("sort", "--id"),
        ("sort", "quantity,quantity"),
        ("sort", "-"),
        ("id", "one"),
        ("id", "1,,x"),
        ("orderId", "2147483648"),
        ("quantity.min", "NaN"),
        ("quantity.min", "1,2"),
        ("maxQuantity", "1e99"),
        ("quantity.max", "0.123456789"),
        ("submitted", "perhaps"),
        ("orderType", "A\x00"),
        ("orderType", "x" * 201),
        ("orderType", ",".join(map(str, range(1001)))),
        ("cursor", "rubbish"),
        ("cursor", "A" * 5000),
    ],
)
def test_bad_values_name_field_value_and_rule(name: str, value: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        read_list_query({name: [value]}, ORDER_FIELDS)
    assert caught.value.details["field"] == name
    assert caught.value.details["rule"]
    assert name in caught.value.message
    assert "got" in caught.value.message


@pytest.mark.parametrize("name", ["limit", "offset", "sort", "cursor", "quantity.min", "submitted"])
def test_what_takes_one_value_is_given_once(name: str) -> None:
    with pytest.raises(InvalidInput, match="must be given once"):
        read_list_query({name: ["1", "1"]}, ORDER_FIELDS)


def test_an_alias_beside_the_name_is_a_second_value() -> None:
    with pytest.raises(InvalidInput, match="must be given once"):
        orders(minQuantity="1", quantity__min="2")


VALUES: dict[Kind, st.SearchStrategy[Any]] = {
    Kind.INTEGER: st.integers(-(2**31), 2**31 - 1),
    Kind.DECIMAL: st.decimals(allow_nan=False, allow_infinity=False, places=8, min_value=0, max_value=10**9),
    Kind.TEXT: st.text('aZ9 ,"\\\näß€𝄞', max_size=50),
    Kind.INSTANT: st.datetimes(min_value=datetime.fromisoformat("0002-01-01"), timezones=st.just(UTC)),
    Kind.FLAG: st.booleans(),
}


@st.composite
def made_cursors(draw: st.DrawFn) -> Cursor:
    names = draw(st.lists(st.sampled_from(sorted(ORDER_FIELDS)), unique=True, max_size=4))
    sort = total_order(tuple(SortKey(name, draw(st.booleans())) for name in names))
    values = tuple(draw(VALUES[ORDER_FIELDS[key.field].kind]) for key in sort)
    return Cursor(sort, values, draw(st.integers(0, 2**53 - 1)))


@given(made_cursors())
def test_cursors_come_back_as_they_went(cursor: Cursor) -> None:
    text = encode_cursor(cursor)
    assert text.isascii()
    assert not set(text) & set("+/=&% ")
    assert decode_cursor(text, ORDER_FIELDS) == cursor
    assert read_list_query({"cursor": [text]}, ORDER_FIELDS).cursor == cursor


@given(st.text(max_size=60) | st.binary(max_size=60).map(lambda raw: base64.urlsafe_b64encode(raw).decode()))
def test_other_texts_are_no_cursors(text: str) -> None:
    with pytest.raises(InvalidInput):
        decode_cursor(text, ORDER_FIELDS)


def test_a_cursor_says_where_and_how_to_go_on() -> None:
    text = encode_cursor(
        Cursor(
            (SortKey("quantity", descending=True), SortKey("id", descending=True)), (Decimal("1.5"), 3), 50
        )
    )
    assert orders(cursor=text, limit="7").position == 50
    assert orders(cursor=text, sort="-quantity").sort[0] == SortKey("quantity", descending=True)
    with pytest.raises(InvalidInput, match="for which the cursor was made"):
        orders(cursor=text, sort="quantity")
    with pytest.raises(InvalidInput, match="offset: must be left out"):
        orders(cursor=text, offset="5")
    with pytest.raises(InvalidInput, match="cursor"):
        read_list_query({"cursor": [text]}, EXECUTION_FIELDS)


PARAMETERS = ["limit", "offset", "sort", "cursor"]
PARAMETERS += [name for field in EXECUTION_FIELDS.values() for name, *_ in filter_names(field)]


@given(st.dictionaries(st.sampled_from(PARAMETERS), st.lists(st.text(max_size=20), min_size=1, max_size=2)))
def test_whatever_comes_is_read_or_refused(given: dict[str, list[str]]) -> None:
    refused: InvalidInput | None = None
    try:
        query = read_list_query(given, EXECUTION_FIELDS)
    except InvalidInput as error:
        refused = error
    if refused is None:
        assert 1 <= query.limit <= 1000
        assert query.sort[-1].field == "id"
    else:
        assert refused.details["field"] in given
