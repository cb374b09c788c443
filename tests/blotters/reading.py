"""Reads a whole blotter in a test."""

import io
from datetime import UTC
from decimal import Decimal

import msgspec

from trade_service.blotter.file_refusals import FileRefused
from trade_service.blotter.first_reading import read_first
from trade_service.blotter.order_limits import OrderLimits
from trade_service.blotter.order_rows import LineRules
from trade_service.blotter.reader import BlotterReader, ReadOptions
from trade_service.blotter.records import OrderRecord, RefusedRow
from trade_service.domain.reference import Blotter, Destination, ReferenceData

DESTINATIONS = ("ML", "RBC", "JPM", "IB", "INST", "POSIT", "XLON", "xlon")
REFERENCE = ReferenceData(
    blotters={1: Blotter(1, "Default", "Default", 1), 2: Blotter(2, "EQ", "Equity", 1)},
    trade_types={},
    destinations={i: Destination(i, name, name, 1) for i, name in enumerate(DESTINATIONS, 1)},
    statuses={},
)
RULES = LineRules.of(REFERENCE, ("BUY", "SELL"))


class Result(msgspec.Struct):
    """All that a file yields."""

    orders: list[OrderRecord] = []
    refused: list[RefusedRow] = []
    outside: list[tuple[int, str]] = []
    doubts: tuple[str, ...] = ()
    unpriced: int = 0
    refusal: str | None = None
    """Why the file was refused as a whole; the orders before that are kept."""


def rules_with(limits: OrderLimits) -> LineRules:
    """The rules of the tests with limits."""
    return LineRules.of(REFERENCE, ("BUY", "SELL"), limits)


def read_all(content: bytes, options: ReadOptions | None = None, rules: LineRules = RULES) -> Result:
    """Reads a file as it is read before it is sent, page by page."""
    result = Result()
    try:
        first = read_first(lambda: io.BytesIO(content), rules, options)
        reader = BlotterReader(io.BytesIO(content), rules, options, first.repeats)
        while (page := reader.read(7)).count:
            result.orders += page.orders
            result.refused += page.refused
    except FileRefused as error:
        result.refusal = str(error)
        return result
    result.outside, result.doubts = reader.outside, reader.doubts
    result.unpriced = first.unpriced
    return result


def shown(record: OrderRecord) -> str:
    """An order in one line: id, portfolio, side, security, quantity, limit price or -, destination, time."""
    order = record.order
    price = "-" if order.limit_price is None else plain(order.limit_price)
    parts = [
        str(order.order_id), order.portfolio_id, order.order_type, order.security_id, plain(order.quantity), price,
        DESTINATIONS[record.destination_id - 1],
    ]  # fmt: skip
    if order.trade_timestamp is not None:
        parts.append(order.trade_timestamp.astimezone(UTC).isoformat())
    return " ".join(parts)


def plain(number: Decimal) -> str:
    """A number without trailing zeros."""
    text = f"{number:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text
