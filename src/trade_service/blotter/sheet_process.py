"""Reads a workbook or a Parquet file in a process of its own, within bounds of memory and time.

Run as `python -m trade_service.blotter.sheet_process FORMAT PATH SHEET BOUNDS`. It writes one JSON array a line:
the number of a row and its cells. A cell is text, or an array of its kind, its text and what is wrong with it. An
array that begins with null carries a FileRefusal.
"""

import resource
import struct
import sys
from collections.abc import Iterator
from datetime import date, datetime
from decimal import Decimal
from typing import Any, TypeAlias

import msgspec

from trade_service.blotter.file_refusals import FileRefusal, FileRefused, QuestionCode
from trade_service.blotter.sheet_formats import hidden_and_broken

Cell: TypeAlias = str | tuple[str, ...]
NUMBER, TIME, BROKEN = "number", "time", "broken"
_EXACT_DIGITS = 15
"""Significant digits that a spreadsheet keeps and shows."""
_EXACT_SINGLE = 2**24 - 1
_BATCH_ROWS = 1_000


class SheetBounds(msgspec.Struct, frozen=True):
    """What reading one file may take."""

    file_bytes: int = 64 * 2**20
    expanded_bytes: int = 768 * 2**20
    """Of the unpacked parts of a workbook, as its directory states them."""
    memory_bytes: int = 1536 * 2**20
    cpu_s: int = 120
    rows: int = 5_000_000


def main(form: str, path: str, sheet: str, bounds_text: str) -> None:
    """Writes the rows of a file to standard output."""
    bounds = msgspec.json.decode(bounds_text, type=SheetBounds)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CPU, (bounds.cpu_s, bounds.cpu_s))
    resource.setrlimit(resource.RLIMIT_AS, (bounds.memory_bytes, bounds.memory_bytes))
    encoder, out = msgspec.json.Encoder(), sys.stdout.buffer
    rows = _parquet(path, bounds) if form == "parquet" else _workbook(form, path, sheet or None, bounds)
    try:
        for row in rows:
            out.write(encoder.encode(row) + b"\n")
    except FileRefused as error:
        out.write(encoder.encode((None, FileRefusal.of(error))) + b"\n")
    except MemoryError:
        refusal = FileRefusal("it needs more memory than one file may take")
        out.write(encoder.encode((None, refusal)) + b"\n")
    out.flush()


def _workbook(
    form: str, path: str, named: str | None, bounds: SheetBounds
) -> Iterator[tuple[int, list[Cell]]]:
    from python_calamine import CalamineError, CalamineWorkbook

    try:
        book = CalamineWorkbook.from_path(path)
        visible = [str(one.visible).endswith(".Visible") for one in book.sheets_metadata]
        shown = [name for name, is_shown in zip(book.sheet_names, visible, strict=True) if is_shown]
        sheet = book.get_sheet_by_name(_chosen(book, shown, named))
    except (CalamineError, OSError, ValueError) as error:
        raise FileRefused(f"it is no readable workbook ({error})") from None
    hidden, broken = hidden_and_broken(form, path, sheet.name)
    if hidden:
        raise FileRefused(
            f"row {hidden[0]} of sheet {sheet.name} is hidden, as are {len(hidden) - 1:,} others: show all rows "
            "(a filter hides some), or delete those that are not meant"
        )
    if sheet.start is None:
        return
    left = sheet.start[1]
    for index, values in enumerate(sheet.iter_rows()):
        if index >= bounds.rows:
            raise FileRefused(f"it has more than {bounds.rows:,} rows")
        cells: list[Cell] = [""] * left
        cells += map(_sheet_cell, values)
        for column, wrong in broken.get(index, ()):
            cells += [""] * (column + 1 - len(cells))
            stored = cells[column]
            cells[column] = (BROKEN, stored if isinstance(stored, str) else stored[1], wrong)
        yield index + 1, cells


def _chosen(book: Any, shown: list[str], named: str | None) -> str:
    if named is not None:
        if named not in shown:
            raise FileRefused(f"it shows no sheet {named!r}; its sheets are {', '.join(shown)}")
        return named
    filled = [name for name in shown if book.get_sheet_by_name(name).start is not None]
    if len(filled) > 1:
        remedy = f"choose one with --sheet ({', '.join(filled)})"
        raise FileRefused.asking(QuestionCode.SHEET, "it has several sheets", remedy, choices=filled)
    if not filled:
        raise FileRefused("its sheets are empty")
    return filled[0]


def _sheet_cell(value: object) -> Cell:
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "TRUE" if value else "FALSE"
    if isinstance(value, int | float):
        return NUMBER, _shown_number(float(value))
    if isinstance(value, datetime | date):
        return TIME, value.isoformat()
    return BROKEN, str(value), "it is a duration"


def _shown_number(value: float) -> str:
    text = f"{value:.{_EXACT_DIGITS}g}"
    return str(int(value)) if value.is_integer() and "e" not in text else text


def _parquet(path: str, bounds: SheetBounds) -> Iterator[tuple[int, list[Cell]]]:
    try:
        import pyarrow as pa
        from pyarrow import parquet
    except ImportError:
        raise FileRefused(
            "Parquet needs the extra 'parquet': pip install 'globeco-trade-service[parquet]'"
        ) from None
    try:
        with parquet.ParquetFile(path, memory_map=False) as file:
            if file.metadata.num_rows > bounds.rows:
                raise FileRefused(f"it has more than {bounds.rows:,} rows")
            yield 0, list(file.schema_arrow.names)
            number = 0
            for batch in file.iter_batches(batch_size=_BATCH_ROWS, use_threads=False):
                for row in zip(*map(_values, batch.columns), strict=True):
                    number += 1
                    yield number, [*row]
    except (pa.ArrowException, OSError) as error:
        raise FileRefused(f"it is no readable Parquet file ({error})") from None


def _values(column: Any) -> list[Cell]:
    import pyarrow as pa

    if pa.types.is_timestamp(column.type):
        column = column.cast(pa.timestamp("us", column.type.tz), safe=False)
    if pa.types.is_float16(column.type):
        wrong = "a 16-bit number is not exact beyond 2,048"
        return ["" if one is None else (BROKEN, str(one), wrong) for one in column.to_pylist()]
    single = pa.types.is_float32(column.type)
    return [_parquet_cell(value, single=single) for value in column.to_pylist()]


def _parquet_cell(value: object, *, single: bool) -> Cell:
    match value:
        case None:
            return ""
        case str():
            return value
        case bool():
            return "true" if value else "false"
        case int():
            return NUMBER, str(value)
        case Decimal():
            return NUMBER, f"{value:f}"
        case float() if single and abs(value) > _EXACT_SINGLE:
            return BROKEN, repr(value), "a number of 32 bits is not exact beyond 16,777,216"
        case float():
            text = _single(value) if single else repr(value)
            return NUMBER, text.removesuffix(".0")
        case datetime() | date():
            return TIME, value.isoformat()
    return BROKEN, "", f"it is of the type {type(value).__name__}"


def _single(value: float) -> str:
    """The shortest digits of a number with 32 bits."""
    texts = (f"{value:.{digits}g}" for digits in range(6, 10))
    return next((text for text in texts if _as_single(float(text)) == value), repr(value))


def _as_single(value: float) -> float:
    (found,) = struct.unpack("f", struct.pack("f", value))
    return float(found)


if __name__ == "__main__":
    main(*sys.argv[1:])
