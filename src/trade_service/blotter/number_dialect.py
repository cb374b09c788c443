"""Numbers as people write them: which sign separates decimals, and what groups the thousands.

One dialect holds for a whole file. `2.500` alone could be 2.5 or 2500: such a file is refused unless another
number shows what the point means.
"""

import re
from collections.abc import Iterable, Sequence
from decimal import Decimal
from functools import lru_cache

from trade_service.blotter.file_refusals import FileRefused, QuestionCode
from trade_service.blotter.records import BrokenCell, NumberText
from trade_service.domain.errors import InvalidInput, shorten
from trade_service.domain.fields import MAX_NUMBER_CHARS, parse_decimal, positive

POINT, COMMA = ".", ","
_GROUP = r"[ '’\u00a0\u202f]"
_WHOLE = re.compile(r"[+-]?\d{1,18}", re.ASCII)
_POINTED = re.compile(r"\d{1,10}(\.\d{1,8})?", re.ASCII)
_EXPONENT = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)[eE][+-]?\d{1,4}", re.ASCII)
_SHORTENED = re.compile(r"[+-]?\d([.,]\d+)?[eE][+-]\d{2,}", re.ASCII)
"""How spreadsheets and programs shorten a long number, 1.23457e+06: the digits behind it are gone."""
_SPACED = rf"[1-9]\d{{0,2}}(?P<group>{_GROUP})\d{{3}}((?P=group)\d{{3}})*"
_AS_POINT = re.compile(
    rf"[+-]?(\d+(\.\d*)?|\.\d+|[1-9]\d{{0,2}}(,\d{{3}})+(\.\d+)?|[1-9]\d?(,\d\d)+,\d{{3}}(\.\d+)?"
    rf"|{_SPACED}(\.\d+)?)",
    re.ASCII,
)
"""The fourth way is that of India: 12,34,567.50."""
_AS_COMMA = re.compile(
    rf"[+-]?(\d+(,\d+)?|,\d+|[1-9]\d{{0,2}}(\.\d{{3}})+(,\d+)?|{_SPACED}(,\d+)?)", re.ASCII
)
_NOT_DIGITS = re.compile(rf",|{_GROUP}")
_CURRENCIES = "$€£¥"
_FINITE = "must be a finite number written with digits and a decimal point"


@lru_cache(maxsize=16_384)
def readings(text: str) -> tuple[str | None, str | None]:
    """`text` as plain digits if the decimal sign is a point, and if it is a comma; None where it is no number."""
    point = _NOT_DIGITS.sub("", text) if _AS_POINT.fullmatch(text) else None
    if _EXPONENT.fullmatch(text):
        point = text
    comma = None
    if _AS_COMMA.fullmatch(text):
        comma = re.sub(rf"\.|{_GROUP}", "", text).replace(",", ".")
    return point, comma


def decimal_sign(text: str) -> str | None:
    """The decimal sign that `text` proves; None if it proves nothing."""
    point, comma = readings(text)
    if (point is None) == (comma is None):
        return None
    return COMMA if point is None else POINT


def is_ambiguous(text: str) -> bool:
    """Whether `text` is one number with a decimal point and another with a decimal comma."""
    point, comma = readings(text)
    return point is not None and comma is not None and Decimal(point) != Decimal(comma)


class NumberDialect:
    """The decimal sign of a file, once it is known.

    Args:
        decimal: The sign that a person gave; None to detect it.
        currency: The sign that may stand at a price.
    """

    def __init__(self, decimal: str | None = None) -> None:
        self.decimal = decimal
        self.is_given = decimal is not None
        self.proof = ""
        self.grouped = ""
        """A number with grouped thousands that was read."""
        self.ambiguous = ""
        self.currency = ""
        self.signed = False
        """Whether sales have negative quantities."""
        self.is_proven_beside = False
        """Whether only a column that is not used shows what an ambiguous number means."""
        self._groups: dict[str, str] = {}
        """The first number that has grouped thousands by each decimal sign."""
        self._is_settled = False

    def learn(self, texts: Iterable[str]) -> None:
        """Learns from the numbers of a column. Raises FileRefused if they contradict what is known."""
        for text in texts:
            number = self._bare(text)
            if not number or isinstance(text, NumberText | BrokenCell):
                continue
            if is_ambiguous(number):
                self.ambiguous = self.ambiguous or number
            for one, plain in zip((POINT, COMMA), readings(number), strict=True):
                if plain is not None and len(plain) < len(number):
                    self._groups.setdefault(one, number)
            sign = decimal_sign(number)
            if sign is not None:
                self._prove(sign, number)

    def learn_beside(self, texts: Sequence[str]) -> None:
        """Learns from a column that is not used, if it holds numbers alone."""
        if all(readings(self._bare(text)) != (None, None) for text in texts):
            kept = self.ambiguous, self.currency, self._groups.copy()
            is_open = self.decimal is None
            self.learn(texts)
            self.ambiguous, self.currency, self._groups = kept
            self.is_proven_beside |= is_open and self.decimal is not None and bool(self.ambiguous)

    def settle(self) -> None:
        """Raises FileRefused if a number could mean two things and nothing decides between them."""
        if self.ambiguous and self.decimal is None:
            raise self._two_readings(self.ambiguous)
        self.grouped = self._groups.get(self.decimal or POINT, "")
        self._is_settled = True

    def quantity(self, text: str) -> Decimal:
        """A quantity, above zero unless sales are negative; raises InvalidInput and FileRefused."""
        number = self._number(text, "quantity")
        return number if self.signed else positive(number, "quantity")

    def price(self, text: str) -> Decimal:
        """A price, above zero, with or without the currency of the file."""
        if not any(map(str.isdigit, text)):
            raise InvalidInput.of("limit_price", text, f"{_FINITE}, or nothing for a market order")
        bare = text if isinstance(text, NumberText) else self._without_currency(text)
        return positive(self._number(bare, "limit_price"), "limit_price")

    def _number(self, text: str, field: str) -> Decimal:
        if isinstance(text, NumberText):
            return _typed(text, field)
        if self.decimal == POINT and _POINTED.fullmatch(text):
            return parse_decimal(text, field)
        if not 0 < len(text) <= MAX_NUMBER_CHARS or _WHOLE.fullmatch(text):
            return parse_decimal(text, field)
        if _SHORTENED.fullmatch(text):
            rule = (
                "must be written out: programs shorten long numbers like this, and their last digits are gone"
            )
            raise InvalidInput.of(field, text, rule)
        sign = decimal_sign(text)
        if sign is not None and sign != self.decimal:
            self._prove(sign, text)
        if self.decimal is None and is_ambiguous(text):
            raise self._two_readings(text)
        point, comma = readings(text)
        plain = comma if self.decimal == COMMA else point
        if plain is None:
            raise InvalidInput.of(field, text, _FINITE)
        if not self.grouped and len(plain) < len(text):
            self.grouped = text
        return parse_decimal(plain, field)

    def _prove(self, sign: str, text: str) -> None:
        if self.decimal is None and sign == COMMA and self._is_settled:
            raise FileRefused.asking(
                QuestionCode.DECIMAL_SIGN,
                f"{shorten(text)!r} is its first number with a decimal comma, after rows that have none",
                "confirm it with --decimal comma",
                choices=("comma",),
            )
        if self.decimal is None:
            self.decimal, self.proof = sign, text
        elif sign != self.decimal and not self.is_given:
            reason = (
                f"its numbers contradict each other: {self.proof!r} has a decimal {_name(self.decimal)}, "
                f"{shorten(text)!r} a decimal {_name(sign)}"
            )
            remedy = (
                "write all of them in one way, or say which it is with --decimal point or --decimal comma"
            )
            raise FileRefused.asking(QuestionCode.DECIMAL_SIGN, reason, remedy, choices=("point", "comma"))

    def _two_readings(self, text: str) -> FileRefused:
        point, comma = readings(text)
        return FileRefused.asking(
            QuestionCode.DECIMAL_SIGN,
            f"{text!r} could mean {Decimal(point or 0):f} or {Decimal(comma or 0):f}, and no other number of the "
            "file decides between them",
            "say what it is with --decimal point or --decimal comma",
            choices=("point", "comma"),
        )

    def _bare(self, text: str) -> str:
        text = text.strip()
        for sign in _CURRENCIES:
            if sign in text:
                bare = text.replace(sign, "", 1).strip()
                if readings(bare) != (None, None):
                    self.currency = self.currency or sign
                    return bare
        return text

    def _without_currency(self, text: str) -> str:
        if not text or (text[0] not in _CURRENCIES and text[-1] not in _CURRENCIES):
            return text
        if self.currency and self.currency not in text:
            raise InvalidInput.of("limit_price", text, f"must be in {self.currency}, as the other prices are")
        if self._is_settled and not self.currency:
            raise InvalidInput.of(
                "limit_price", text, "must have no currency, as the prices before have none"
            )
        return self._bare(text)


def _typed(text: str, field: str) -> Decimal:
    """A number that the file itself holds as one; binary floating-point error is removed."""
    try:
        return parse_decimal(Decimal(text), field)
    except ArithmeticError:
        raise InvalidInput.of(field, text, _FINITE) from None


def _name(sign: str) -> str:
    return "comma" if sign == COMMA else "point"
