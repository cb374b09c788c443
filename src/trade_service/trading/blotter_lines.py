"""The lines of a blotter file: bounded in length, decoded one by one, split into values."""

import csv
from collections.abc import Iterator
from typing import Protocol

MAX_LINE_BYTES = 16_384
"""No line of a blotter needs more; a longer one is reported and skipped without being held."""
_BOM = b"\xef\xbb\xbf"
_WIDE_BOMS = (b"\xff\xfe", b"\xfe\xff")
_DELIMITERS = ",;\t"


class ByteLines(Protocol):
    """A binary file, as far as it is needed here."""

    def readline(self, size: int = -1, /) -> bytes: ...


class BadLine(Exception):
    """A line that cannot be split into values; the message is the rule that it breaks."""


def numbered_lines(stream: ByteLines) -> Iterator[tuple[int, bytes | None]]:
    """Every line with its number from 1, without its line end; None in place of one that is too long."""
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


def decode(line: bytes | None) -> str:
    """The text of a line; raises BadLine when it is too long or not UTF-8."""
    if line is None:
        raise BadLine(f"must have at most {MAX_LINE_BYTES} bytes")
    try:
        return line.decode("utf-8")
    except UnicodeDecodeError as error:
        hint = "; the file seems to be UTF-16, save it as UTF-8" if line.startswith(_WIDE_BOMS) else ""
        raise BadLine(
            f"must be UTF-8; byte {error.start + 1} of the line is 0x{line[error.start]:02X}{hint}"
        ) from None


def delimiter_of(header: str) -> str:
    """What separates the values: comma, semicolon or tabulator, whichever the header has most of."""
    return max(_DELIMITERS, key=header.count)


def split(text: str, delimiter: str) -> list[str]:
    """The values of a line; raises BadLine when its quoting is wrong."""
    if '"' not in text:
        return text.split(delimiter)
    try:
        rows = list(csv.reader([text], delimiter=delimiter, strict=True))
    except csv.Error as error:
        raise BadLine(f"must have its quoted values closed on the same line ({error})") from None
    return rows[0] if rows else []
