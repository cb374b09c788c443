"""Reads a blotter file: one order per line, each checked alone, in constant memory.

Its only I/O is reading the given file. The first line names the columns, in any order. A bad line is reported with
its number, field, value and rule, and does not stop the others.
"""

import csv
import re
from collections.abc import Callable, Collection, Iterator, Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any, BinaryIO

import msgspec

from trade_service.domain.errors import InvalidInput, shorten
from trade_service.domain.money import parse_decimal, positive
from trade_service.domain.orders import NewTradeOrder, checked_order
from trade_service.domain.reference import ReferenceData
from trade_service.domain.seen_ids import SeenIds
from trade_service.trading.model import BlotterLine

REQUIRED = ("order_id", "portfolio_id", "order_type", "security_id", "quantity", "destination")
OPTIONAL = ("limit_price", "trade_timestamp", "blotter")
_COLUMNS = {name.replace("_", ""): name for name in (*REQUIRED, *OPTIONAL)}
_WHOLE_NUMBER = re.compile(r"[+-]?\d{1,18}", re.ASCII)
_NUMBER_CHARACTERS = re.compile(r"[0-9eE.+-]*")
_FIRST_YEAR, _LAST_YEAR = 1900, 9998
_SHOWN_HEADER = 200
MAX_LINE_BYTES = 16_384
"""No line of a blotter needs more; a longer one is reported and skipped without being held in memory."""
_BOM = b"\xef\xbb\xbf"
_WIDE_BOMS = (b"\xff\xfe", b"\xfe\xff")
_DELIMITERS = ",;\t"


class LineError(msgspec.Struct, frozen=True):
    """An error in one line: `rule` says what `field` must be, `value` is its shortened value."""

    line: int
    field: str
    value: str
    rule: str
    order_id: int | None = None

    def __str__(self) -> str:
        shown = repr(self.value) if self.value else "nothing"
        return f"line {self.line}, {self.field}: {self.rule}; got {shown}"


class HeaderError(Exception):
    """The first line does not name the columns, so nothing can be read; the message says what to do."""


class Header(msgspec.Struct, frozen=True):
    """The columns of a file: the field of each, or None for an ignored column."""

    fields: tuple[str | None, ...]
    names: Mapping[str, str]
    """How the file spells each field, for error messages."""
    ignored: tuple[str, ...]
    delimiter: str

    @property
    def columns(self) -> Mapping[str, str]:
        """How the file spells the fields of an order, by their API names."""
        spelled = {_camel(field): name for field, name in self.names.items()}
        return spelled | {
            f"{field}Id": spelled[field] for field in ("blotter", "destination") if field in spelled
        }


class LineRules(msgspec.Struct, frozen=True):
    """The names that a line may use."""

    blotters: Mapping[str, int]
    """Ids by lower-case abbreviation; `destinations` alike."""
    destinations: Mapping[str, int]
    trade_types: tuple[str, ...]
    """Order types that the Execution Service accepts."""
    shown_blotters: str
    shown_destinations: str

    @classmethod
    def of(cls, reference: ReferenceData, trade_types: Collection[str]) -> "LineRules":
        """The rules from reference data and accepted trade types."""
        blotters = {row.abbreviation: row.id for row in reference.blotters.values()}
        destinations = {row.abbreviation: row.id for row in reference.destinations.values()}
        return cls(
            {name.lower(): row_id for name, row_id in blotters.items()},
            {name.lower(): row_id for name, row_id in destinations.items()},
            tuple(trade_types),
            ", ".join(blotters),
            ", ".join(destinations),
        )


def parse_header(line: bytes | None) -> Header:
    """Parses the first line. Raises HeaderError for missing, repeated or unreadable columns."""
    wanted = (
        f"the first line must name the columns {', '.join(REQUIRED)} (and may name {', '.join(OPTIONAL)})"
    )
    if not line or not line.strip():
        raise HeaderError(f"{'its first line is' if line == b'' else 'it is'} empty: {wanted}")
    try:
        text = _decode(line)
        delimiter = _delimiter_of(text)
        names = [name.strip() for name in _split(text, delimiter)]
    except _BadLine as error:
        raise HeaderError(f"its first line {error}; {wanted}") from None
    fields = tuple(_COLUMNS.get(re.sub(r"[\s_-]", "", name).lower()) for name in names)
    known = [field for field in fields if field is not None]
    missing = [name for name in REQUIRED if name not in known]
    if missing:
        raise HeaderError(
            f"it has no column {', '.join(missing)}: {wanted}; it reads {shorten(text, _SHOWN_HEADER)!r}"
        )
    double = sorted({field for field in known if known.count(field) > 1})
    if double:
        raise HeaderError(f"it has the column {', '.join(double)} twice: leave one of them")
    spelling = {field: name for field, name in zip(fields, names, strict=True) if field is not None}
    ignored = tuple(name for field, name in zip(fields, names, strict=True) if field is None and name)
    return Header(fields, spelling, ignored, delimiter)


class BlotterReader:
    """Reads the orders of one file, line by line.

    Raises:
        HeaderError: On construction, if the first line is not a header.
        OSError: When the file cannot be read.

    Example:
        reader = BlotterReader(file, LineRules.of(reference, ("BUY", "SELL")))
        good, errors, count = reader.read(500)
    """

    def __init__(self, stream: BinaryIO, rules: LineRules) -> None:
        self._lines = _numbered_lines(stream)
        self._rules = rules
        self._seen = SeenIds()
        _, first = next(self._lines, (0, None))
        self.header = parse_header(first)

    def read(self, limit: int) -> tuple[list[BlotterLine], list[LineError], int]:
        """Reads up to `limit` more lines: returns the good ones, the errors of the others, and their number.

        Empty lines do not count; zero lines mean the end of the file.
        """
        good: list[BlotterLine] = []
        errors: list[LineError] = []
        count = 0
        for number, raw in self._lines:
            if raw is not None and not raw.strip():
                continue
            count += 1
            line = self._parse(number, raw, errors)
            if line is not None:
                good.append(line)
            if count == limit:
                break
        return good, errors, count

    def _parse(self, number: int, raw: bytes | None, errors: list[LineError]) -> BlotterLine | None:
        header = self.header
        try:
            texts = _split(_decode(raw), header.delimiter)
            if len(texts) != len(header.fields):
                raise _BadLine(
                    f"must have {len(header.fields)} values, as the first line has; it has {len(texts)}"
                )
        except _BadLine as error:
            errors.append(LineError(number, "line", _shown_line(raw), str(error)))
            return None
        values: dict[str, Any] = {}
        wrong: list[tuple[str, str, str]] = []
        for field, text in zip(header.fields, texts, strict=True):
            if field is not None:
                try:
                    values[field] = _PARSERS[field](text.strip(), self._rules)
                except InvalidInput as error:
                    wrong.append((field, text.strip(), str(error.details["rule"])))
        line = None if wrong else self._checked(number, values, wrong)
        for field, text, rule in wrong:
            named = header.names.get(field, field)
            errors.append(LineError(number, named, shorten(text), rule, values.get("order_id")))
        return line

    def _checked(
        self, number: int, values: Mapping[str, Any], wrong: list[tuple[str, str, str]]
    ) -> BlotterLine | None:
        try:
            order = checked_order(_order(values))
        except InvalidInput as error:
            field = _COLUMNS[str(error.details["field"]).lower()]
            wrong.append((field, str(error.details["value"]), str(error.details["rule"])))
            return None
        if not self._seen.add(order.order_id):
            wrong.append(("order_id", str(order.order_id), "must not repeat: the file has it already"))
            return None
        return BlotterLine(number, order, values["destination"])


def _order(values: Mapping[str, Any]) -> NewTradeOrder:
    return NewTradeOrder(
        order_id=values["order_id"],
        portfolio_id=values["portfolio_id"],
        order_type=values["order_type"],
        security_id=values["security_id"],
        quantity=values["quantity"],
        limit_price=values.get("limit_price"),
        trade_timestamp=values.get("trade_timestamp"),
        blotter_id=values.get("blotter"),
    )


def _camel(name: str) -> str:
    first, *others = name.split("_")
    return first + "".join(part.title() for part in others)


def _shown_line(raw: bytes | None) -> str:
    return "" if raw is None else shorten(raw.decode("utf-8", "replace"))


def _order_id(text: str, _: LineRules) -> int:
    if not _WHOLE_NUMBER.fullmatch(text):
        raise InvalidInput.of("order_id", text, "must be a whole number")
    return int(text)


def _decimal(text: str, field: str) -> Decimal:
    # Decimal() would also read underscores and the digits of other scripts.
    if not _NUMBER_CHARACTERS.fullmatch(text):
        raise InvalidInput.of(field, text, "must be a finite number written with digits and a decimal point")
    return positive(parse_decimal(text, field), field)


def _quantity(text: str, _: LineRules) -> Decimal:
    return _decimal(text, "quantity")


def _limit_price(text: str, _: LineRules) -> Decimal | None:
    return _decimal(text, "limit_price") if text else None


def _order_type(text: str, rules: LineRules) -> str:
    name = text.upper()
    if name not in rules.trade_types:
        rule = f"must be one of {', '.join(rules.trade_types)}, which the Execution Service accepts"
        raise InvalidInput.of("order_type", text, rule)
    return name


def _timestamp(text: str, _: LineRules) -> datetime | None:
    if not text:
        return None
    rule = "must be an ISO 8601 time with its offset, such as 2026-01-30T14:30:00Z"
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise InvalidInput.of("trade_timestamp", text, rule) from None
    if moment.tzinfo is None:
        raise InvalidInput.of("trade_timestamp", text, rule)
    if not _FIRST_YEAR <= moment.year <= _LAST_YEAR:
        raise InvalidInput.of("trade_timestamp", text, f"must lie in the years {_FIRST_YEAR} to {_LAST_YEAR}")
    return moment


def _destination(text: str, rules: LineRules) -> int:
    return _named(text, "destination", rules.destinations, rules.shown_destinations)


def _blotter(text: str, rules: LineRules) -> int | None:
    return _named(text, "blotter", rules.blotters, rules.shown_blotters) if text else None


def _named(text: str, field: str, known: Mapping[str, int], shown: str) -> int:
    row_id = known.get(text.lower())
    if row_id is None:
        raise InvalidInput.of(field, text, f"must be one of {shown}")
    return row_id


def _text(text: str, _: LineRules) -> str:
    return text


_PARSERS: Mapping[str, Callable[[str, LineRules], object]] = {
    "order_id": _order_id,
    "portfolio_id": _text,
    "order_type": _order_type,
    "security_id": _text,
    "quantity": _quantity,
    "destination": _destination,
    "limit_price": _limit_price,
    "trade_timestamp": _timestamp,
    "blotter": _blotter,
}


class _BadLine(Exception):
    """A line that cannot be split into values; the message is the broken rule."""


def _numbered_lines(stream: BinaryIO) -> Iterator[tuple[int, bytes | None]]:
    """Numbers the lines from 1 and strips their line ends; None replaces a line that is too long."""
    number = 0
    while piece := stream.readline(MAX_LINE_BYTES + 1):
        number += 1
        if number == 1:
            piece = piece.removeprefix(_BOM)
        too_long = len(piece) > MAX_LINE_BYTES and not piece.endswith(b"\n")
        rest = piece
        while too_long and rest and not rest.endswith(b"\n"):
            rest = stream.readline(MAX_LINE_BYTES + 1)
        yield number, None if too_long else piece.rstrip(b"\r\n")


def _decode(line: bytes | None) -> str:
    """Decodes a line. Raises _BadLine if it is too long or not UTF-8."""
    if line is None:
        raise _BadLine(f"must have at most {MAX_LINE_BYTES} bytes")
    try:
        return line.decode("utf-8")
    except UnicodeDecodeError as error:
        hint = "; the file seems to be UTF-16, save it as UTF-8" if line.startswith(_WIDE_BOMS) else ""
        raise _BadLine(
            f"must be UTF-8; byte {error.start + 1} of the line is 0x{line[error.start]:02X}{hint}"
        ) from None


def _delimiter_of(header: str) -> str:
    """The most frequent separator in the header: comma, semicolon or tab."""
    return max(_DELIMITERS, key=header.count)


def _split(text: str, delimiter: str) -> list[str]:
    """Splits a line into values. Raises _BadLine for wrong quoting."""
    if '"' not in text:
        return text.split(delimiter)
    try:
        rows = list(csv.reader([text], delimiter=delimiter, strict=True))
    except csv.Error as error:
        raise _BadLine(f"must have its quoted values closed on the same line ({error})") from None
    return rows[0] if rows else []
