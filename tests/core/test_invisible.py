"""Invisible characters: identifiers refuse every one in Unicode, and accept every letter."""

import re
import sys
import unicodedata
from decimal import Decimal

import msgspec
import pytest

from trade_service.domain.errors import InvalidInput
from trade_service.domain.fields import VISIBLE_TEXT, visible
from trade_service.domain.orders import NewTradeOrder, checked_order
from trade_service.domain.reference import BLOTTER, DESTINATION, ReferenceValues, checked_reference

NEW = NewTradeOrder(7, "P1", "BUY", "IBM", Decimal(100))
NEVER_SEEN = {"Cc", "Cf", "Zl", "Zp"}
FILLERS = "\u034f\u115f\u1160\u17b4\u17b5\u180b\u180f\u3164\ufe0f\uffa0\U000e0100"
"""Ignorable by default (Unicode), although letters and marks by their category."""


def refused(text: str) -> bool:
    try:
        return visible(text, "securityId") != text
    except InvalidInput as error:
        return error.message.isprintable() and str(error.details["value"]).isprintable()


def test_every_control_and_format_character_is_refused() -> None:
    allowed = [
        f"U+{code:04X}"
        for code in range(sys.maxunicode + 1)
        if unicodedata.category(chr(code)) in NEVER_SEEN and not refused(f"A{chr(code)}B")
    ]
    assert allowed == []
    assert all(refused(one) for one in FILLERS)


def test_nothing_that_is_seen_is_refused() -> None:
    seen = "".join(
        chr(code)
        for code in range(sys.maxunicode + 1)
        if unicodedata.category(chr(code))[0] in "LNPS" and chr(code) not in FILLERS + "\u3164"
    )
    assert not refused(seen)


def test_the_pattern_of_the_description_says_the_same() -> None:
    pattern = re.compile(VISIBLE_TEXT)
    for code in range(0x10000):
        if 0xD800 <= code < 0xE000:
            continue
        text = f"A{chr(code)}B"
        assert bool(pattern.search(text)) is not refused(text), hex(code)
    assert not pattern.search(" ")
    assert not pattern.search("")


@pytest.mark.parametrize("invisible", ["\u200b", "\u200e", "\u00ad", "\u202e", "\x1b", "\n", "\ufeff"])
def test_no_identifier_takes_them(invisible: str) -> None:
    for field, name in (
        ("portfolio_id", "portfolioId"),
        ("security_id", "securityId"),
        ("order_type", "orderType"),
    ):
        order = msgspec.structs.replace(NEW, **{field: f"B{invisible}UY"})
        with pytest.raises(InvalidInput, match=f"{name}: must not contain control or invisible") as told:
            checked_order(order)
        assert told.value.details["field"] == name
    for kind in (BLOTTER, DESTINATION):
        with pytest.raises(InvalidInput, match="abbreviation: must not contain control or invisible"):
            checked_reference(kind, ReferenceValues(f"E{invisible}Q", "Equity"))
