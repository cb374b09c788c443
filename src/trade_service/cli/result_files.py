"""The files of results and rejects: the input's own columns, then the outcome of each line."""

import csv
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, BinaryIO, Protocol

import msgspec

from trade_service.blotter.cells import spreadsheet_safe
from trade_service.cli.output_files import text_of, written
from trade_service.cli.running import CommandError
from trade_service.trading.line_results import LineResult, ResultColumns

FORMATS = (".csv", ".jsonl", ".parquet")
_ROWS_IN_A_GROUP = 10_000


class _RowWriter(Protocol):
    def write(self, row: Sequence[str]) -> None:
        """Writes one row, as wide as the columns."""

    def close(self) -> None:
        """Writes what is left."""


class _CsvRows:
    def __init__(self, stream: BinaryIO, columns: Sequence[str]) -> None:
        self._stream = stream
        self._writer = csv.writer(text_of(stream), lineterminator="\n")
        self.write(columns)

    def write(self, row: Sequence[str]) -> None:
        self._writer.writerow([spreadsheet_safe(cell) for cell in row])

    def close(self) -> None:
        self._stream.flush()


class _JsonRows:
    def __init__(self, stream: BinaryIO, columns: Sequence[str]) -> None:
        self._stream = stream
        self._columns = columns

    def write(self, row: Sequence[str]) -> None:
        self._stream.write(msgspec.json.encode(dict(zip(self._columns, row, strict=True))) + b"\n")

    def close(self) -> None:
        self._stream.flush()


class _ParquetRows:
    def __init__(self, stream: BinaryIO, columns: Sequence[str]) -> None:
        try:
            import pyarrow
            import pyarrow.parquet
        except ImportError:
            raise CommandError(
                "Parquet needs the extra: pip install 'globeco-trade-service[parquet]'"
            ) from None
        self._schema = pyarrow.schema([(name, pyarrow.string()) for name in columns])
        self._table: Any = pyarrow.Table
        self._writer = pyarrow.parquet.ParquetWriter(stream, self._schema)
        self._rows: list[dict[str, str]] = []
        self._columns = columns

    def write(self, row: Sequence[str]) -> None:
        self._rows.append(dict(zip(self._columns, row, strict=True)))
        if len(self._rows) >= _ROWS_IN_A_GROUP:
            self._flush()

    def close(self) -> None:
        self._flush()
        self._writer.close()

    def _flush(self) -> None:
        self._writer.write_table(self._table.from_pylist(self._rows, schema=self._schema))
        self._rows = []


_WRITERS: Mapping[str, type[_CsvRows | _JsonRows | _ParquetRows]] = {
    ".csv": _CsvRows, ".jsonl": _JsonRows, ".parquet": _ParquetRows,
}  # fmt: skip


class ResultFiles:
    """Writes each result to the files that are wanted. The columns are known once the input was opened."""

    def __init__(self, results: BinaryIO | None, rejects: BinaryIO | None, suffixes: tuple[str, str]) -> None:
        self._streams = (results, rejects)
        self._suffixes = suffixes
        self._writers: list[_RowWriter | None] = [None, None]
        self._columns = ResultColumns(())

    @property
    def is_wanted(self) -> bool:
        """Whether any file is written."""
        return self._streams != (None, None)

    def begin(self, header: Sequence[str]) -> None:
        """Writes the header: the input's own columns, then ours."""
        self._columns = ResultColumns(header)
        self._writers = [
            None if stream is None else _WRITERS[suffix](stream, self._columns.names)
            for stream, suffix in zip(self._streams, self._suffixes, strict=True)
        ]

    def add(self, result: LineResult) -> None:
        """Writes one result."""
        row = self._columns.row(result)
        for writer, is_for_it in zip(self._writers, (True, result.is_rejected), strict=True):
            if writer is not None and is_for_it:
                writer.write(row)

    def close(self) -> None:
        """Writes what is left."""
        for writer in self._writers:
            if writer is not None:
                writer.close()


@contextmanager
def result_files(results: Path | None, rejects: Path | None) -> Iterator[ResultFiles]:
    """Opens the files of results and rejects. Raises CommandError for a format that is not written."""
    suffixes = tuple(".csv" if path is None else path.suffix.lower() for path in (results, rejects))
    for path, suffix in zip((results, rejects), suffixes, strict=True):
        if path is not None and suffix not in FORMATS and not str(path).startswith("/dev/"):
            raise CommandError(f"{path} must end in {', '.join(FORMATS)}")
    with ExitStack() as stack:
        streams = [
            None if path is None else stack.enter_context(written(path)) for path in (results, rejects)
        ]
        known = tuple(suffix if suffix in FORMATS else ".csv" for suffix in suffixes)
        files = ResultFiles(streams[0], streams[1], (known[0], known[1]))
        try:
            yield files
        finally:
            files.close()
