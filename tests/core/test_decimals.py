"""Money: exact from text to text, within the precision of the database's columns."""

from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from trade_service.domain.errors import InvalidInput
from trade_service.domain.fields import parse_decimal, plain, with_two_decimals, without_float_error

UNITS = st.integers(-(10**18) + 1, 10**18 - 1)
"""Hundred-millionths: every value of decimal(18,8)."""


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
    for value in (f"{Decimal(units) / 10**8:f}", units // 10**8, -(units // 10**8)):
        with pytest.raises(InvalidInput, match="at most 10 digits before the decimal point"):
            parse_decimal(value, "quantity")
    assert parse_decimal(10**10 - 1, "quantity") == 10**10 - 1


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


FLOAT_UNITS = st.integers(-4 * 10**14, 4 * 10**14)
"""Hundred-millionths of up to four millions: the error of a difference of two floats stays below 1e-9."""


@given(FLOAT_UNITS, FLOAT_UNITS)
@example(30_000_000, 10_000_000)
@example(100_000_003, 100_000_000)
@example(400_000_000_000_000, 399_999_999_999_999)
def test_a_difference_of_floats_is_the_difference_or_is_refused(one: int, other: int) -> None:
    printed = repr(float(exact(one)) - float(exact(other)))
    difference = exact(one) - exact(other)
    try:
        assert parse_decimal(Decimal(printed), "quantity") == difference
    except InvalidInput:
        digits = printed.partition("e")[0].replace(".", "").strip("-0")
        assert len(digits) < 15, "too short to tell from what somebody typed"
    if Fraction(printed) != Fraction(difference):
        with pytest.raises(InvalidInput):
            parse_decimal(printed, "quantity")


@given(UNITS.filter(bool), st.integers(-5 * 10**21, 5 * 10**21))
def test_what_is_further_off_than_a_float_can_be_stays_as_it_is(units: int, off: int) -> None:
    """`off` in units of 1e-30, up to half a unit of the last decimal."""
    number = Decimal(f"{units * 10**22 + off}E-30")
    near = without_float_error(number)
    assert near in (number, exact(units))
    if near != number:
        assert abs(Fraction(number) - Fraction(near)) <= Fraction(1, 10**9)
        assert len(str(number).strip("-0.").replace(".", "")) >= 15


@pytest.mark.parametrize(
    ("number", "value"),
    [
        ("0.19999999999999998", "0.2"),
        ("0.1999999999999999", "0.2"),
        ("99.80000000000001", "99.8"),
        ("-0.30000000000000004", "-0.3"),
        ("1.9999999999999998e-1", "0.2"),
        ("2.9999999983978927e-08", "0.00000003"),
        ("0.100000000000000005551115123125782702", "0.1"),
        ("123456.123456781", "123456.12345678"),
        ("0.19999999999998", None),  # 14 digits
        ("1.00000000010000000000", None),  # as many, but only zeros at the end
        ("0.123456785000000001", None),  # between two values
        ("0.000000000123456789", None),  # next to zero
        ("9999999999.9999999999", None),  # next to one that does not fit
    ],
)
def test_what_floats_print(number: str, value: str | None) -> None:
    if value is None:
        with pytest.raises(InvalidInput, match="quantity: must have at most"):
            parse_decimal(Decimal(number), "quantity")
    else:
        assert parse_decimal(Decimal(number), "quantity") == Decimal(value)
    with pytest.raises(InvalidInput, match="quantity: must have at most 8 decimals"):
        parse_decimal(number, "quantity")
