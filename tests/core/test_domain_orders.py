"""The rules of trade orders and of fills."""

from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trade_service.domain.errors import InvalidInput, QuantityExceeded, UnknownOrderType
from trade_service.domain.executions import Execution, SubmissionState, checked_fill
from trade_service.domain.fields import is_possible_id
from trade_service.domain.orders import (
    NewTradeOrder,
    TradeOrder,
    checked_order,
    returned,
    taken,
    trade_type_of,
)
from trade_service.domain.reference import ORDER_TYPES

MOMENT = datetime(2026, 1, 30, 15, tzinfo=UTC)
QUANTITIES = st.integers(1, 10**18 - 1).map(lambda units: Decimal(units).scaleb(-8))
ORDER = TradeOrder(
    1, 7, "p" * 24, "BUY", "s" * 24, Decimal(100), Decimal(0), None, MOMENT, None, submitted=False, version=1
)
NEW = NewTradeOrder(7, "p" * 24, "BUY", "s" * 24, Decimal(100), Decimal("9.5"), MOMENT, 1)


def order_of(quantity: Decimal) -> TradeOrder:
    return msgspec.structs.replace(ORDER, quantity=quantity)


@given(QUANTITIES, st.lists(QUANTITIES, max_size=20))
def test_what_is_taken_never_exceeds_the_order_and_comes_back_whole(
    quantity: Decimal, wishes: list[Decimal]
) -> None:
    order, cut = order_of(quantity), []
    for wish in wishes:
        try:
            order = taken(order, wish)
        except QuantityExceeded:
            assert wish > order.available
            continue
        cut.append(wish)
        assert order.quantity_sent == sum(cut)
        assert order.available >= 0
    for piece in reversed(cut):
        order = returned(order, piece)
    assert order.quantity_sent == 0
    assert order.submitted is (bool(cut) and quantity <= Decimal("0.01"))


@pytest.mark.parametrize(
    ("left", "submitted"), [("0", True), ("0.01", True), ("0.01000001", False), ("1", False)]
)
def test_an_order_is_submitted_when_at_most_a_hundredth_is_left(left: str, submitted: bool) -> None:
    after = taken(ORDER, ORDER.quantity - Decimal(left))
    assert after.submitted is submitted
    assert returned(after, Decimal(50)).submitted is False


@pytest.mark.parametrize("quantity", ["0", "-1", "-0.00000001"])
def test_a_quantity_not_above_zero_is_refused(quantity: str) -> None:
    with pytest.raises(InvalidInput, match="greater than zero"):
        taken(ORDER, Decimal(quantity))


def test_the_refusal_of_too_much_names_what_is_left() -> None:
    order = taken(ORDER, Decimal("99.5"))
    with pytest.raises(QuantityExceeded) as refused:
        taken(order, Decimal("0.50000001"))
    assert refused.value.details["available"] == "0.5"
    assert "trade order 1 has 0.5 left of 100" in refused.value.message


@given(st.sampled_from(sorted(ORDER_TYPES)), st.sampled_from([str.lower, str.upper, str.title]))
def test_order_types_are_read_in_any_case_and_trimmed(name: str, spell: Any) -> None:
    assert trade_type_of(msgspec.structs.replace(ORDER, order_type=f" {spell(name)}  ")) == name


def test_an_unknown_order_type_is_refused_with_the_known_ones() -> None:
    with pytest.raises(UnknownOrderType, match="BUY, COVER, EXRC, SELL, SHORT"):
        trade_type_of(msgspec.structs.replace(NEW, order_type="HOLD"))


@given(st.sampled_from(sorted(ORDER_TYPES)), st.sampled_from([str.lower, str.upper, str.title]))
def test_an_order_is_stored_with_its_type_in_one_spelling(name: str, spell: Any) -> None:
    order = msgspec.structs.replace(NEW, order_type=f"     {spell(name)}     ")
    assert checked_order(order).order_type == name


@pytest.mark.parametrize("given_type", ["HOLD", "BUYS", "B UY", "\u017fELL", "ＢＵＹ"])
def test_an_order_of_another_type_is_refused(given_type: str) -> None:
    """Also one that only some upper-case conversions turn into a known one."""
    with pytest.raises(UnknownOrderType, match="orderType: must be one of BUY, COVER") as refused:
        checked_order(msgspec.structs.replace(NEW, order_type=given_type))
    assert {"field", "value", "rule"} <= refused.value.details.keys()


def test_a_sound_order_passes_unchanged() -> None:
    assert checked_order(NEW) is NEW


@pytest.mark.parametrize(
    ("field", "name", "value"),
    [
        ("order_id", "orderId", 2**31),
        ("order_id", "orderId", -(2**31) - 1),
        ("portfolio_id", "portfolioId", "  "),
        ("portfolio_id", "portfolioId", "p" * 25),
        ("security_id", "securityId", "a\x00b"),
        ("order_type", "orderType", "BUYBUYBUYBUY"),
        ("quantity", "quantity", Decimal(0)),
        ("quantity", "quantity", Decimal(-1)),
        ("quantity", "quantity", Decimal("NaN")),
        ("quantity", "quantity", Decimal("0.000000001")),
        ("quantity", "quantity", Decimal(10**10)),
        ("limit_price", "limitPrice", Decimal(0)),
        ("limit_price", "limitPrice", Decimal("1.123456789")),
        ("blotter_id", "blotterId", 2**31),
        ("trade_timestamp", "tradeTimestamp", MOMENT.replace(tzinfo=None)),
        ("trade_timestamp", "tradeTimestamp", datetime(1, 1, 1, tzinfo=timezone(timedelta(hours=14)))),
    ],
)
def test_an_order_that_breaks_a_rule_is_refused_by_the_fields_name(
    field: str, name: str, value: object
) -> None:
    with pytest.raises(InvalidInput) as refused:
        checked_order(msgspec.structs.replace(NEW, **{field: value}))
    assert refused.value.details["field"] == name
    assert refused.value.message.startswith(f"{name}: must ")


def test_an_error_says_which_item_of_a_list_it_means() -> None:
    error = InvalidInput.of("quantity", "0", "must be greater than zero").at(3, "tradeOrders")
    assert str(error) == error.message == "tradeOrders[3]: quantity: must be greater than zero; got '0'"
    assert error.details["index"] == 3
    assert error.details["field"] == "quantity"


@given(QUANTITIES, QUANTITIES)
def test_a_fill_is_bounded_by_the_quantity_ordered(ordered: Decimal, filled: Decimal) -> None:
    execution = Execution(
        1, MOMENT, 1, None, 1, 1, 1, ordered, Decimal(0), Decimal(0), None, None, 1, SubmissionState.CLAIMED
    )
    if filled <= ordered:
        assert checked_fill(execution, filled) == filled
    else:
        with pytest.raises(InvalidInput, match="must not be above the quantity ordered"):
            checked_fill(execution, filled)
    with pytest.raises(InvalidInput, match="must not be negative"):
        checked_fill(execution, -filled)


def test_ids_are_those_of_the_databases_columns() -> None:
    assert is_possible_id(2**31 - 1)
    assert not is_possible_id(2**31)
    assert not is_possible_id(-(2**31) - 1)
