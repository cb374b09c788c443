"""Moments as numbers of seconds: exact to the microsecond, and never milliseconds by mistake."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trade_service.domain.errors import InvalidInput
from trade_service.domain.fields import EPOCH, MAX_SECONDS, moment_of_seconds
from trade_service.web.request_bodies import instant_or_none


@given(st.integers(0, MAX_SECONDS * 10**6), st.integers(0, 12), st.integers(0, 999_999))
def test_a_number_is_the_moment_that_text_of_the_same_digits_is(
    microseconds: int, zeros: int, beyond: int
) -> None:
    seconds, fraction = divmod(microseconds, 10**6)
    digits = f"{fraction:06}" + "0" * zeros + (f"{beyond:06}" if seconds < MAX_SECONDS else "")
    moment = moment_of_seconds(Decimal(f"{seconds}.{digits}"), "tradeTimestamp")
    assert moment == EPOCH + timedelta(microseconds=microseconds)
    text = f"{EPOCH + timedelta(seconds=seconds):%Y-%m-%dT%H:%M:%S}.{digits}Z"
    if len(text) <= 40:
        assert instant_or_none(text, "tradeTimestamp") == moment


@pytest.mark.parametrize(
    ("seconds", "moment"),
    [
        (0, datetime(1970, 1, 1, tzinfo=UTC)),
        (Decimal("1741600800.123456000"), datetime(2025, 3, 10, 10, 0, 0, 123456, tzinfo=UTC)),
        (Decimal("1.7416008E+9"), datetime(2025, 3, 10, 10, tzinfo=UTC)),
        (MAX_SECONDS, datetime(2200, 1, 1, tzinfo=UTC)),
    ],
)
def test_a_moment(seconds: int | Decimal, moment: datetime) -> None:
    assert moment_of_seconds(seconds, "tradeTimestamp") == moment


@pytest.mark.parametrize(
    "seconds",
    [
        -1,
        Decimal("-0.000001"),
        MAX_SECONDS + 1,
        Decimal(f"{MAX_SECONDS}.000001"),
        1741600800123,
        Decimal("1E+999"),
    ],
)
def test_outside_of_1970_to_2200_is_refused_with_field_value_and_rule(seconds: int | Decimal) -> None:
    with pytest.raises(InvalidInput) as refused:
        moment_of_seconds(seconds, "tradeTimestamp")
    assert refused.value.details["field"] == "tradeTimestamp"
    assert refused.value.details["value"] == str(seconds)
    assert "seconds since 1970" in str(refused.value.details["rule"])
