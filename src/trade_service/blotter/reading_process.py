"""Reads a whole blotter in a process of its own, within bounds of memory and time.

Run as `python -m trade_service.blotter.reading_process`. Standard input has a task and then the file; standard
output gets an answer for the layout, one for each page of rows, and a last one. Each message is MessagePack and
follows its length.
"""

import io
import os
import resource
import sys
from collections.abc import Callable, Iterator, Mapping
from typing import BinaryIO, TypeAlias
from zoneinfo import ZoneInfo

import msgspec

from trade_service.blotter.cells import as_text
from trade_service.blotter.file_refusals import FileRefusal, FileRefused
from trade_service.blotter.first_reading import read_first
from trade_service.blotter.order_rows import LineRules
from trade_service.blotter.reader import BlotterReader, ReadOptions
from trade_service.blotter.records import BlotterPage, Layout, OrderRecord, RefusedRow
from trade_service.blotter.sheet_process import SheetBounds

LENGTH_BYTES = 4
_PAGE_ROWS = 200
_NICE = 10
"""Submissions come first."""


class ReadingTask(msgspec.Struct, frozen=True):
    """How one file is to be read, and what that may take."""

    rules: LineRules
    max_rows: int
    max_text_chars: int
    """Of the cells of all rows, which the caller keeps."""
    bounds: SheetBounds
    mapping: Mapping[str, str] = {}
    constants: Mapping[str, str] = {}
    decimal: str | None = None
    dates: str | None = None
    time_zone: str | None = None
    encoding: str | None = None
    sheet: str | None = None

    @property
    def choices(self) -> tuple[object, ...]:
        """What a person chose: the same file is read in the same way where these are the same."""
        named = (sorted(self.mapping.items()), sorted(self.constants.items()))
        return (*named, self.decimal, self.dates, self.time_zone, self.encoding, self.sheet)

    @property
    def options(self) -> ReadOptions:
        """As the reader takes them."""
        return ReadOptions(
            self.mapping,
            self.constants,
            self.decimal,
            self.dates,
            None if self.time_zone is None else ZoneInfo(self.time_zone),
            self.encoding,
            self.sheet,
            self.bounds,
        )


class BegunReading(msgspec.Struct, frozen=True, tag="begun"):
    """The file can be read."""

    layout: Layout
    unpriced: int


class ReadRows(msgspec.Struct, frozen=True, tag="rows"):
    """Some rows of it."""

    orders: list[OrderRecord]
    refused: list[RefusedRow]


class EndedReading(msgspec.Struct, frozen=True, tag="ended"):
    """All rows have been read."""

    left_out: str | None
    doubts: tuple[str, ...]


ReadingAnswer: TypeAlias = BegunReading | ReadRows | EndedReading | FileRefusal
"""Nothing follows the last two."""


def main(source: BinaryIO, target: BinaryIO) -> None:
    """Reads the file of a task, and answers."""
    encoder = msgspec.msgpack.Encoder(enc_hook=as_text)
    length = int.from_bytes(source.read(LENGTH_BYTES), "big")
    task = msgspec.msgpack.decode(source.read(length), type=ReadingTask)
    bounds = task.bounds
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CPU, (bounds.cpu_s, bounds.cpu_s))
    resource.setrlimit(resource.RLIMIT_AS, (bounds.memory_bytes, bounds.memory_bytes))
    os.nice(_NICE)
    data = source.read()
    for answer in _answers(lambda: io.BytesIO(data), task):
        message = encoder.encode(answer)
        target.write(len(message).to_bytes(LENGTH_BYTES, "big") + message)
    target.flush()


def _answers(opened: Callable[[], BinaryIO], task: ReadingTask) -> Iterator[ReadingAnswer]:
    try:
        first = read_first(opened, task.rules, task.options)
        reader = BlotterReader(opened(), task.rules, task.options, first.repeats)
        yield BegunReading(reader.layout, first.unpriced)
        rows = chars = 0
        while (page := reader.read(_PAGE_ROWS)).count:
            answer = _as_texts(page)
            rows += page.count
            chars += sum(len(cell) for row in answer.orders for cell in row.cells)
            chars += sum(len(cell) for row in answer.refused for cell in row.cells)
            if rows > task.max_rows:
                raise FileRefused(_too_long(f"{task.max_rows:,} rows"))
            if chars > task.max_text_chars:
                raise FileRefused(_too_long(f"{task.max_text_chars:,} characters in its cells"))
            yield answer
        yield EndedReading(reader.left_out, reader.doubts)
    except FileRefused as error:
        yield FileRefusal.of(error)
    except MemoryError:
        yield FileRefusal("it needs more memory than one file may take")


def _too_long(most: str) -> str:
    return f"it has more than {most}: split it, or send it with `trade-service submit`"


def _as_texts(page: BlotterPage) -> ReadRows:
    return ReadRows(
        [msgspec.structs.replace(row, cells=[*map(as_text, row.cells)]) for row in page.orders],
        [msgspec.structs.replace(row, cells=[*map(as_text, row.cells)]) for row in page.refused],
    )


if __name__ == "__main__":
    main(sys.stdin.buffer, sys.stdout.buffer)
