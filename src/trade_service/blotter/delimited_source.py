"""Rows of delimited text: a record ends where its quote ends, in constant memory."""

import csv
import io
import re
from collections.abc import Iterator
from typing import TypeAlias

from trade_service.blotter.cells import SURROGATE
from trade_service.blotter.records import Cells, DamagedRow
from trade_service.domain.errors import shorten

MAX_LINE_CHARS = 16_384
"""No line of a blotter needs more; a longer one is refused without being held in memory."""
DELIMITERS = ",;\t|"
SourceRows: TypeAlias = Iterator[tuple[int, Cells | DamagedRow]]
"""Each row with the line on which it begins, from 1."""
_SEPARATOR_LINE = re.compile(r'\ufeff?"?sep=([,;\t|])"?[,;\t| ]*', re.I)
_NOTHING_AFTER = "nothing after it was read, since where the next row begins is uncertain"


class _TooLong(Exception):
    """A line is too long; `quoted` if it has quotes, so that the end of its record is unknown."""

    def __init__(self, *, quoted: bool) -> None:
        super().__init__()
        self.quoted = quoted


class _Lines:
    """The lines of a text, each ending in a newline, numbered from 1."""

    def __init__(self, stream: io.TextIOBase, newline: str) -> None:
        self._readline = stream.readline
        self._newline = newline
        self.number = 0
        self.last = ""

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        line = self._readline(MAX_LINE_CHARS + 2)
        if not line:
            raise StopIteration
        self.number += 1
        if len(line) > MAX_LINE_CHARS and not line.endswith(self._newline):
            self._skip(line)
        self.last = line.rstrip("\r\n")
        return self.last + "\n"

    def _skip(self, piece: str) -> None:
        quoted = False
        while piece:
            quoted = quoted or '"' in piece
            if piece.endswith(self._newline):
                break
            piece = self._readline(MAX_LINE_CHARS + 2)
        self.last = ""
        raise _TooLong(quoted=quoted)


def separator_of(line: str) -> str | None:
    """The delimiter that a line such as `sep=;` names."""
    found = _SEPARATOR_LINE.fullmatch(line.rstrip("\r\n"))
    return None if found is None else found[1]


def delimited_rows(stream: io.TextIOBase, newline: str, delimiter: str) -> SourceRows:
    """The rows of a delimited text.

    A row with wrong quotes is damaged. If its quotes leave open where it ends, the rest of the file is not read:
    what looks like an order there may be part of a note.
    """
    lines = _Lines(stream, newline)
    reader = csv.reader(lines, delimiter=delimiter, strict=True)
    while True:
        begin = lines.number + 1
        try:
            cells = next(reader)
        except StopIteration:
            return
        except _TooLong as error:
            ends = error.quoted or lines.number > begin
            rule = f"must have at most {MAX_LINE_CHARS} characters"
            yield begin, DamagedRow("", f"{rule}; {_NOTHING_AFTER}" if ends else rule, ends)
            if ends:
                return
            continue
        except csv.Error as error:
            damaged = _damaged(lines, begin, delimiter, error)
            yield begin, damaged
            if damaged.ends_file:
                return
            continue
        joined = "".join(cells)
        if not joined.isascii() and (wrong := SURROGATE.search(joined)):
            yield begin, _undecodable(lines.last, wrong)
            continue
        yield begin, cells


def _damaged(lines: _Lines, begin: int, delimiter: str, error: csv.Error) -> DamagedRow:
    if lines.number == begin and '"' not in lines.last:
        return DamagedRow(shorten(lines.last), "must not have a carriage return inside")
    if lines.number == begin and _is_contained(lines.last, delimiter):
        return DamagedRow(
            shorten(lines.last), f"must have its values quoted as a whole or not at all ({error})"
        )
    rule = f"must have its quoted values closed ({error}); {_NOTHING_AFTER}"
    return DamagedRow(shorten(lines.last), rule, ends_file=True)


def _is_contained(line: str, delimiter: str) -> bool:
    """Whether every way to read the quotes of a line ends the record with the line."""
    if line.count('"') % 2:
        return False
    try:
        rows = list(csv.reader([line + "\n", "next\n"], delimiter=delimiter))
    except csv.Error:
        return False
    return rows[-1] == ["next"] and len(rows) == 2


def _undecodable(line: str, wrong: re.Match[str]) -> DamagedRow:
    byte = ord(wrong[0]) - 0xDC00
    shown = shorten(line.encode("utf-8", "surrogateescape").decode("utf-8", "replace"))
    return DamagedRow(shown, f"must be text in the file's encoding, and the byte 0x{byte:02X} is none")
