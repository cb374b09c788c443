"""The first reading of a file: finds what is refused or contradicts itself before any order is taken."""

from collections.abc import Callable
from typing import BinaryIO

import msgspec

from trade_service.blotter.order_rows import LineRules
from trade_service.blotter.reader import BlotterReader, ReadOptions
from trade_service.blotter.records import Layout
from trade_service.blotter.repeats import ComparedRows, FirstRows, RepeatRules


class FirstReading(msgspec.Struct, frozen=True):
    """Facts about the whole file, for the reading that takes the orders."""

    repeats: RepeatRules
    unpriced: int
    """Orders without a limit price: limits of value do not bind them."""


def read_first(
    opened: Callable[[], BinaryIO], rules: LineRules, options: ReadOptions | None = None
) -> FirstReading:
    """Reads a file to its end, and a second time if order ids repeat, in constant memory.

    `opened` opens the file at its beginning each time.

    Raises:
        FileRefused: The file cannot be read without guessing, exceeds a limit, or repeats too many order ids.
        OSError: It cannot be read at all.

    Example:
        first = read_first(lambda: path.open("rb"), rules)
        with path.open("rb") as file:
            reader = BlotterReader(file, rules, repeats=first.repeats)
    """
    ids = FirstRows()
    layout, unpriced = _read(opened, rules, options, ids)
    rows = ComparedRows(ids.repeated, layout)
    if ids.repeated:
        _read(opened, rules, options, rows)
        rows.is_complete = True
    return FirstReading(rows, unpriced)


def _read(
    opened: Callable[[], BinaryIO], rules: LineRules, options: ReadOptions | None, repeats: RepeatRules
) -> tuple[Layout, int]:
    unpriced = 0
    with opened() as stream:
        reader = BlotterReader(stream, rules, options, repeats)
        while (page := reader.read(1_000)).count:
            unpriced += sum(record.order.limit_price is None for record in page.orders)
    return reader.layout, unpriced
