"""Retry-After: a count of seconds or an HTTP date, never believed beyond an hour."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trade_service.execution_service.reply_interpretation import MAX_RETRY_AFTER_S, retry_after_s

NOW = datetime(2026, 10, 21, 7, 28, tzinfo=UTC)


@pytest.mark.parametrize(
    ("value", "date", "wait_s"),
    [
        ("0", None, 0.0),
        ("7", None, 7.0),
        (" 7 ", None, 7.0),
        ("999999", None, MAX_RETRY_AFTER_S),
        ("9" * 5000, None, MAX_RETRY_AFTER_S),
        ("Wed, 21 Oct 2026 07:28:30 GMT", None, 30.0),
        ("Wed, 21 Oct 2026 07:28:30 GMT", "Wed, 21 Oct 2026 07:28:20 GMT", 10.0),
        ("Wed, 21 Oct 2026 07:28:30 GMT", "long ago", 30.0),
        ("Wed, 21 Oct 2026 07:28:30", None, 30.0),
        ("Wed, 21 Oct 2099 07:28:30 GMT", None, MAX_RETRY_AFTER_S),
        ("Wed, 21 Oct 2026 07:27:59 GMT", None, None),
        ("-1", None, None),
        ("1.5", None, None),
        ("1e9", None, None),
        ("inf", None, None),
        ("nan", None, None),
        ("٣", None, None),
        ("", None, None),
        ("soon", None, None),
        ("Wed, 99 Oct 2026 99:99:99 GMT", None, None),
        (None, None, None),
    ],
)
def test_what_the_header_asks_for(value: str | None, date: str | None, wait_s: float | None) -> None:
    assert retry_after_s(value, date, NOW) == wait_s


@given(st.text(max_size=40), st.none() | st.text(max_size=40))
def test_no_text_breaks_it(value: str, date: str | None) -> None:
    wait_s = retry_after_s(value, date, NOW)
    assert wait_s is None or 0 <= wait_s <= MAX_RETRY_AFTER_S
