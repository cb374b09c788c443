"""Reads a blotter of any usual format: detects how it is written, then yields its orders page by page."""

import io
from collections.abc import Iterator, Mapping, Sequence
from datetime import tzinfo
from itertools import chain, islice
from typing import BinaryIO, TypeAlias

import msgspec

from trade_service.blotter.cells import bare
from trade_service.blotter.date_dialect import DateDialect
from trade_service.blotter.delimited_source import DELIMITERS, SourceRows, delimited_rows, separator_of
from trade_service.blotter.file_refusals import FileRefused
from trade_service.blotter.json_lines_source import json_objects, json_rows
from trade_service.blotter.number_dialect import COMMA, NumberDialect
from trade_service.blotter.order_limits import batch_error, order_value
from trade_service.blotter.order_rows import LineRules, OrderRows, is_signed
from trade_service.blotter.records import (
    BlotterPage,
    CellError,
    Cells,
    DamagedRow,
    Layout,
    OrderRecord,
    RefusedRow,
)
from trade_service.blotter.repeats import FirstRows, RepeatRules
from trade_service.blotter.row_guards import WITHDRAWING
from trade_service.blotter.sheet_process import SheetBounds
from trade_service.blotter.table_columns import (
    Columns,
    Row,
    Wanted,
    find_header,
    names_fields,
    recognized,
    resolve,
)
from trade_service.blotter.text_encoding import (
    Encoding,
    Sample,
    detect_encoding,
    line_end,
    take_sample,
    text_stream,
)
from trade_service.blotter.workbook_source import binary_form, sheet_rows
from trade_service.domain.errors import InvalidInput, shorten
from trade_service.domain.fields import ZERO

_SAMPLE_ROWS = 5_000
_SHOWN_OUTSIDE = 20
_NAMES = {",": "a comma", ";": "a semicolon", "\t": "a tab", "|": "a bar"}
Texts: TypeAlias = Sequence[Cells]


class ReadOptions(msgspec.Struct, frozen=True):
    """The user's choices for a file; the rest is detected."""

    mapping: Mapping[str, str] = {}
    """Fields by the names of columns, such as `{"side": "order_type"}`; an empty field ignores the column."""
    constants: Mapping[str, str] = {}
    """Fields that are the same in every row, such as `{"destination": "JPM"}`."""
    decimal: str | None = None
    """`.` or `,`."""
    dates: str | None = None
    """`day` or `month`: which comes first."""
    time_zone: tzinfo | None = None
    """The zone of times without an offset."""
    encoding: str | None = None
    sheet: str | None = None
    bounds: SheetBounds = SheetBounds()


class _Table(msgspec.Struct):
    """The rows of a file, and the first of them once more for detection."""

    form: str
    unit: str
    sample: Sequence[Row]
    rows: SourceRows
    encoding: Encoding | None = None
    doubts: tuple[str, ...] = ()


class BlotterReader:
    """Reads the orders of one file.

    Args:
        stream: The file, opened in binary mode; it is read once, from its current position.
        rules: The names that exist, and the limits.
        options: The user's choices for the file.
        repeats: Decides which rows of a repeated order id are sent (`first_reading.read_first`). Without it, the
            first row of an id is taken and the others are refused.

    Raises:
        FileRefused: On construction and while reading, if the file cannot be read without guessing.
        OSError: If it cannot be read at all.

    Example:
        rules = LineRules.of(reference, ("BUY", "SELL"))
        reader = BlotterReader(file, rules, repeats=read_first(lambda: path.open("rb"), rules).repeats)
        show(reader.layout)
        while (page := reader.read(500)).count:
            take(page.orders, page.errors)
    """

    def __init__(
        self, stream: BinaryIO, rules: LineRules, options: ReadOptions | None = None,
        repeats: RepeatRules | None = None,
    ) -> None:  # fmt: skip
        options = options or ReadOptions()
        wanted = Wanted(options.mapping, options.constants)
        wanted.check()
        table = _table(stream, wanted, options)
        header = find_header(table.sample, wanted)
        if header is None:
            raise FileRefused(_no_header(table))
        line, cells = table.sample[header]
        assert not isinstance(cells, DamagedRow)
        _check_preamble(table, header)
        below = [row for _, row in table.sample[header + 1 :] if not isinstance(row, DamagedRow)]
        columns = resolve(line, cells, below, wanted)
        self._numbers = NumberDialect(options.decimal)
        self._dates = DateDialect(options.dates, options.time_zone)
        self._learn(columns, below)
        self._orders = _order_rows(columns, options, rules, self._numbers, self._dates, table)
        self._rules = rules
        self._rows = islice(table.rows, header + 1, None)
        self._repeats: RepeatRules = repeats or FirstRows()
        self._value = ZERO
        self._doubts = table.doubts
        self.layout = self._layout(table, columns, options)
        self.outside: list[tuple[int, str]] = []
        """The first rows that are no orders, such as totals and footers."""
        self.outside_count = 0
        self._heading: tuple[int, str] | None = None
        """The last row among the orders that may say something about those below it."""

    def read(self, limit: int) -> BlotterPage:
        """The next `limit` rows at most; a page that counts none is the end of the file.

        Raises FileRefused, also for a value of all orders that exceeds its limit.
        """
        orders: list[OrderRecord] = []
        refused: list[RefusedRow] = []
        for line, cells in self._rows:
            found = self._orders.read(line, cells)
            if isinstance(found, OrderRecord):
                self._refuse_below_heading(line)
                found = self._unrepeated(found)
            elif self._is_no_order(line, cells):
                continue
            elif names_fields(cells):
                raise FileRefused(
                    f"{self._orders.unit} {line} is a second header: save each table as a file of its own"
                )
            else:
                self._repeats.add_refused(found)
            if isinstance(found, OrderRecord):
                orders.append(found)
                self._add_value(found)
            else:
                refused.append(found)
            if len(orders) + len(refused) == limit:
                break
        return BlotterPage(orders, refused, len(orders) + len(refused))

    @property
    def doubts(self) -> tuple[str, ...]:
        """What was detected so far and should be confirmed by a person."""
        return (*self._doubts, *_doubts(self._numbers, self._dates))

    @property
    def left_out(self) -> str | None:
        """Says which rows are no orders, such as totals and footers; None if there are none."""
        if not self.outside_count:
            return None
        count, (line, text) = self.outside_count, self.outside[0]
        return f"{count:,} rows are no orders and were left out, the first at {line}: {text!r}"

    def _learn(self, columns: Columns, below: Texts) -> None:
        for field in ("quantity", "limit_price"):
            self._numbers.learn(_column(columns.places.get(field), below))
        used = {*columns.places.values()}
        for index in set(range(len(columns.names))) - used:
            self._numbers.learn_beside(_column(index, below))
        self._numbers.settle()
        self._dates.learn(_column(columns.places.get("trade_timestamp"), below))
        self._dates.settle()
        quantity, side = columns.places.get("quantity"), columns.places.get("order_type")
        if quantity is not None and side is not None:
            width = max(quantity, side)
            rows = [row for row in below if len(row) > width]
            self._numbers.signed = is_signed(
                [bare(row[quantity]) for row in rows], [bare(row[side]) for row in rows], fix=columns.fix
            )

    def _layout(self, table: _Table, columns: Columns, options: ReadOptions) -> Layout:
        return Layout(
            form=table.form,
            header=columns.names,
            header_line=columns.line,
            fields={field: columns.names[index] for field, index in columns.places.items()},
            constants=options.constants,
            ignored=columns.ignored,
            doubts=self.doubts,
            unit=table.unit,
        )

    def _refuse_below_heading(self, line: int) -> None:
        if self._heading is not None:
            at, text = self._heading
            raise FileRefused(
                f"{self._orders.unit} {at} reads {text!r}, and the orders below it, from {line} on, may be of "
                "another kind: delete that row, or those orders"
            )

    def _unrepeated(self, found: OrderRecord) -> OrderRecord | RefusedRow:
        rule = self._repeats.rule_of(found)
        if rule is None:
            return found
        order_id = found.order.order_id
        column = self._orders.column("order_id")
        error = CellError(found.line, column, str(order_id), rule, order_id, self._orders.unit)
        return RefusedRow(found.line, found.cells, (error,))

    def _add_value(self, found: OrderRecord) -> None:
        if self._rules.limits.max_batch_value is not None:
            self._value += order_value(found.order)
            if (wrong := batch_error(self._value, self._rules.limits)) is not None:
                raise FileRefused(wrong)

    def _is_no_order(self, line: int, cells: Cells | DamagedRow) -> bool:
        if isinstance(cells, DamagedRow) or not self._orders.is_outside(cells):
            return False
        if any(cell.strip() for cell in cells):
            _refuse_withdrawing(cells, f"{self._orders.unit} {line}")
            self.outside_count += 1
            if len(self.outside) < _SHOWN_OUTSIDE:
                self.outside.append((line, _joined(cells)))
            if self._orders.is_heading(cells):
                self._heading = line, _joined(cells)
        return True


def _check_preamble(table: _Table, header: int) -> None:
    for line, cells in table.sample[:header]:
        if not isinstance(cells, DamagedRow):
            _refuse_withdrawing(cells, f"{table.unit} {line}")


def _refuse_withdrawing(cells: Cells, where: str) -> None:
    if WITHDRAWING.search(" ".join(cells)):
        raise FileRefused(
            f"{where} reads {_joined(cells)!r}, which may change what its orders mean: delete that row if "
            "they are to be sent as they are"
        )


def _order_rows(
    columns: Columns,
    options: ReadOptions,
    rules: LineRules,
    numbers: NumberDialect,
    dates: DateDialect,
    table: _Table,
) -> OrderRows:
    trusts = table.encoding is None or not table.encoding.is_guess
    try:
        return OrderRows(
            columns, options.constants, rules, numbers, dates, trusts_letters=trusts, unit=table.unit
        )
    except InvalidInput as error:
        raise FileRefused(f"--set {error.message}") from None


def _joined(cells: Cells) -> str:
    return shorten(" ".join(filter(None, map(str.strip, cells))))


def _column(index: int | None, below: Texts) -> list[str]:
    return (
        []
        if index is None
        else [_kept_kind(row[index]) for row in below if index < len(row) and row[index].strip()]
    )


def _kept_kind(text: str) -> str:
    return text if type(text) is not str else bare(text)


def _table(stream: BinaryIO, wanted: Wanted, options: ReadOptions) -> _Table:
    sample = take_sample(stream)
    form = binary_form(sample.data)
    if form is not None:
        form, rows = sheet_rows(sample.data, stream, form, options.sheet, options.bounds)
        first = list(islice(rows, _SAMPLE_ROWS))
        return _Table(form, "row", first, chain(first, rows))
    encoding = detect_encoding(sample, options.encoding)
    newline = line_end(sample, encoding)
    doubts = (f"the encoding, which seems to be {encoding.shown}",) if encoding.is_guess else ()
    text = _sample_text(sample, encoding, newline)
    rest = text_stream(sample, stream, encoding, newline)
    if text.lstrip("\ufeff \t\r\n").startswith("{"):
        return _json_table(text, rest, newline, encoding, doubts)
    separator = separator_of(text.partition(newline)[0])
    candidates = separator or DELIMITERS
    samples = {one: _sample_rows(text, newline, one) for one in candidates}
    delimiter = max(candidates, key=lambda one: (recognized(samples[one], wanted), -candidates.index(one)))
    form = f"csv, {encoding.shown}, separated by {_NAMES[delimiter]}"
    first = samples[delimiter]
    return _Table(form, "line", first, delimited_rows(rest, newline, delimiter), encoding, doubts)


def _sample_text(sample: Sample, encoding: Encoding, newline: str) -> str:
    text = text_stream(sample, io.BytesIO(), encoding, newline).read()
    return text if sample.is_whole else text[: text.rfind(newline) + 1]


def _sample_rows(text: str, newline: str, delimiter: str) -> list[Row]:
    rows = delimited_rows(io.StringIO(text, newline=newline), newline, delimiter)
    return list(islice(rows, _SAMPLE_ROWS))


def _json_table(
    text: str, rest: io.TextIOWrapper, newline: str, encoding: Encoding, doubts: tuple[str, ...]
) -> _Table:
    names: dict[str, None] = {}
    for _, members in islice(json_objects(io.StringIO(text, newline=newline), newline), _SAMPLE_ROWS):
        if not isinstance(members, DamagedRow):
            names |= dict.fromkeys(members)
    header: Row = (0, [*names])
    first = list(islice(json_rows(io.StringIO(text, newline=newline), newline, [*names]), _SAMPLE_ROWS))
    rows: Iterator[Row] = chain([header], json_rows(rest, newline, [*names]))
    return _Table(f"JSON lines, {encoding.shown}", "line", [header, *first], rows, encoding, doubts)


def _no_header(table: _Table) -> str:
    filled = [
        cells for _, cells in table.sample if isinstance(cells, DamagedRow) or any(map(str.strip, cells))
    ]
    if not filled:
        return "it is empty: its first row must name the columns"
    shown = filled[0].rule if isinstance(filled[0], DamagedRow) else ", ".join(filled[0])
    return f"no row of it names the columns of orders; its first one reads {shorten(shown, 200)!r}"


def _doubts(numbers: NumberDialect, dates: DateDialect) -> Iterator[str]:
    if numbers.decimal == COMMA and not numbers.is_given:
        yield f"the decimal comma, as in {numbers.proof}"
    if numbers.decimal != COMMA and numbers.is_proven_beside:
        yield f"the decimal point, as in {numbers.proof} of a column that is not used"
    if numbers.grouped and not numbers.is_given:
        yield f"the grouped thousands: {numbers.grouped}"
    if numbers.signed:
        yield "the negative quantities, which are those of sales"
    if numbers.currency:
        yield f"the currency {numbers.currency} at prices, which orders do not have"
    if dates.first is not None and not dates.is_given:
        yield f"the {dates.first} as first part of dates: {dates.proof}"
