"""Money: exact from text to text, and nothing that the database's columns would round."""

from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from trade_service.domain.errors import InvalidInput
from trade_service.domain.money import parse_decimal, plain, with_two_decimals

UNITS = st.integers(-(10**18) + 1, 10**18 - 1)
"""Hundred-millionths: all that decimal(18,8) can hold."""


def exact(units: int) -> Decimal:
    return Decimal(units).scaleb(-8)


@given(UNITS)
def test_any_decimal_18_8_survives_every_spelling(units: int) -> None:
    number = exact(units)
    for spelling in (f"{number:f}", str(number), f"{number:E}", f" {number:f} "):
        assert parse_decimal(spelling, "quantity") == number
    assert parse_decimal(number, "quantity") == number
    assert plain(number) == number
    assert Decimal(with_two_decimals(number)) == number


@given(UNITS)
def test_v1_prints_at_least_two_decimals_and_no_more_than_needed(units: int) -> None:
    text = with_two_decimals(exact(units))
    whole, _, decimals = text.partition(".")
    assert whole.lstrip("-").isdigit()
    assert len(decimals) >= 2
    assert len(decimals) == 2 or not decimals.endswith("0")


@pytest.mark.parametrize(
    ("number", "text"),
    [
        ("50", "50.00"),
        ("50.1", "50.10"),
        ("1E+3", "1000.00"),
        ("0.12345678", "0.12345678"),
        ("1234567890.12345678", "1234567890.12345678"),
        ("-0", "0.00"),
    ],
)
def test_v1_spelling(number: str, text: str) -> None:
    assert with_two_decimals(Decimal(number)) == text


@given(UNITS, st.integers(1, 40), st.integers(1, 9))
@example(100_000_000, 40, 1)
def test_a_ninth_decimal_is_refused_however_far_out_it_stands(units: int, zeros: int, digit: int) -> None:
    text = f"{exact(units):.8f}" + "0" * (zeros - 1) + str(digit)
    assert Fraction(text) != Fraction(exact(units))
    with pytest.raises(InvalidInput, match="quantity: must "):
        parse_decimal(text, "quantity")


@given(st.integers(10**18, 10**30))
def test_an_eleventh_digit_before_the_point_is_refused(units: int) -> None:
    with pytest.raises(InvalidInput, match="at most 10 digits before the decimal point"):
        parse_decimal(f"{Decimal(units) / 10**8:f}", "quantity")


NO_NUMBERS = [
    "",
    " ",
    "x",
    "1,5",
    "1_000",
    "١٢",
    "0x1F",
    "NaN",
    "sNaN",
    "-Infinity",
    "1e",
    "1 2",
    "--1",
    "9" * 65,
]
NOT_FINITE = [Decimal("NaN"), Decimal("sNaN"), Decimal("Infinity")]


@pytest.mark.parametrize(
    "value", [None, True, 1.5, [], {}, *NO_NUMBERS, "1e99999999999999999999", *NOT_FINITE]
)
def test_what_is_no_number_is_refused_by_name(value: object) -> None:
    with pytest.raises(InvalidInput) as refused:
        parse_decimal(value, "limitPrice")
    assert refused.value.details["field"] == "limitPrice"
    assert refused.value.message.startswith("limitPrice: must be a")


@pytest.mark.parametrize("text", ["0", "-0", "0.000", "0e999999999", "0E-50", "-0.0"])
def test_every_zero_is_the_same_plain_zero(text: str) -> None:
    assert str(parse_decimal(text, "quantity")) == "0"
