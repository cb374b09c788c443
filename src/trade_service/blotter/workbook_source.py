"""Rows of workbooks and Parquet files, which a process of its own reads within bounds."""

import os
import subprocess
import sys
import tempfile
from itertools import chain
from typing import BinaryIO
from zipfile import BadZipFile, ZipFile

import msgspec

from trade_service.blotter.delimited_source import SourceRows
from trade_service.blotter.file_refusals import FileRefusal, FileRefused
from trade_service.blotter.records import BrokenCell, NumberText, TimeText
from trade_service.blotter.sheet_process import BROKEN, NUMBER, SheetBounds

_READER = "trade_service.blotter.sheet_process"
_ENVIRONMENT = ("PATH", "PYTHONPATH", "LD_LIBRARY_PATH", "LANG")
_MAX_PARTS = 10_000
_REFUSED_FORMS = (
    (b"\xd0\xcf\x11\xe0", "it is an old or encrypted workbook: save it as xlsx without a password"),
    (b"\x1f\x8b", "it is compressed: unpack it first"),
    (b"%PDF", "it is a PDF document: export the orders as csv or xlsx"),
    (b"<", "it is a page or XML: export the orders as csv or xlsx"),
    (b"[", "it is a JSON array: write one JSON object a line"),
)


def binary_form(first: bytes) -> str | None:
    """`zip` or `parquet` by a file's first bytes; None for text. Raises FileRefused for what is no blotter."""
    if first.startswith(b"PK\x03\x04"):
        return "zip"
    if first.startswith(b"PAR1"):
        return "parquet"
    text = first.removeprefix(b"\xef\xbb\xbf").lstrip()
    for magic, rule in _REFUSED_FORMS:
        if text.startswith(magic):
            raise FileRefused(rule)
    return None


def sheet_rows(
    first: bytes, rest: BinaryIO, form: str, sheet: str | None, bounds: SheetBounds
) -> tuple[str, SourceRows]:
    """The form of the file (xlsx, ods or parquet) and its rows.

    Raises FileRefused, also while the rows are read: the file is too large, needs too much memory or time, or is
    damaged.
    """
    copy = tempfile.NamedTemporaryFile(prefix="trade-service-", suffix=".sheet")  # noqa: SIM115  # the rows close it
    try:
        for piece in chain([first], iter(lambda: rest.read(1_048_576), b"")):
            copy.write(piece)
            if copy.tell() > bounds.file_bytes:
                raise FileRefused(f"it has more than {bounds.file_bytes // 2**20} MiB: save it as csv")
        copy.flush()
        if form == "zip":
            form = _workbook_form(copy.name, bounds)
    except BaseException:
        copy.close()
        raise
    return form, _rows(copy, form, sheet, bounds)


def _workbook_form(path: str, bounds: SheetBounds) -> str:
    try:
        with ZipFile(path) as archive:
            parts = archive.infolist()
            names = {part.filename for part in parts}
            expanded = sum(part.file_size for part in parts)
    except (BadZipFile, ValueError, OSError) as error:
        raise FileRefused(f"it is a damaged workbook ({error})") from None
    if len(parts) > _MAX_PARTS or expanded > bounds.expanded_bytes:
        raise FileRefused(
            f"it unpacks to {expanded // 2**20:,} MiB, and {bounds.expanded_bytes // 2**20:,} MiB are allowed"
        )
    if "xl/workbook.xml" in names:
        return "xlsx"
    if "content.xml" in names:
        return "ods"
    raise FileRefused("it is an archive and neither an xlsx nor an ods workbook")


def _rows(
    copy: "tempfile._TemporaryFileWrapper[bytes]", form: str, sheet: str | None, bounds: SheetBounds
) -> SourceRows:
    decoder = msgspec.json.Decoder(tuple[int | None, list[str | tuple[str, ...]] | FileRefusal])
    with copy, _started(copy.name, form, sheet, bounds) as process:
        assert process.stdout is not None
        try:
            for line in process.stdout:
                number, cells = decoder.decode(line)
                if isinstance(cells, FileRefusal):
                    raise cells.error
                assert number is not None
                yield number, [one if isinstance(one, str) else _cell(*one) for one in cells]
            ended_well = process.wait() == 0
        except msgspec.DecodeError:
            # A process that is ended by its bounds stops in the middle of a line.
            ended_well = False
        finally:
            process.kill()
        if not ended_well:
            raise FileRefused(
                f"reading it ended early (it may take {bounds.memory_bytes // 2**20:,} MiB of memory and "
                f"{bounds.cpu_s} s): it is damaged, or too large; save it as csv"
            )


def _cell(kind: str, text: str, wrong: str = "") -> str:
    if kind == BROKEN:
        return BrokenCell.of(text, wrong)
    return NumberText(text) if kind == NUMBER else TimeText(text)


def _started(path: str, form: str, sheet: str | None, bounds: SheetBounds) -> "subprocess.Popen[bytes]":
    return subprocess.Popen(
        [sys.executable, "-P", "-m", _READER, form, path, sheet or "", msgspec.json.encode(bounds).decode()],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env={name: os.environ[name] for name in _ENVIRONMENT if name in os.environ},
    )
