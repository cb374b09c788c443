"""What a workbook hides, or shows differently from what it stores: hidden rows, errors, zero-padded numbers.

The library that reads the cells returns an error as an empty cell and knows no formats, so that a price of #N/A
would be no price, and a portfolio shown as 0012 would be 12. This module finds such cells in the workbook's XML.
"""

import re
from collections import defaultdict
from collections.abc import Callable, Mapping
from typing import TypeAlias
from xml.parsers import expat
from zipfile import BadZipFile, ZipFile

from trade_service.blotter.file_refusals import FileRefused
from trade_service.blotter.number_formats import (
    BUILT_IN_FORMATS,
    CELL_ERROR,
    NumberFormat,
    format_of,
    shown_otherwise,
)

Broken: TypeAlias = Mapping[int, list[tuple[int, str]]]
"""The cells of each row (from 0) that are not what people see: their columns (from 0), and what is wrong."""
_STRUCK = "it is struck through"
_MERGED = "it is part of merged cells, whose value only the first of them holds"
_UNCOMPUTED = "it is a formula without a stored result: open the file in a spreadsheet and save it"
_MAX_MERGED = 200_000
_HIDDEN = "its column is hidden"
_MAX_COLUMNS = 16_384
_SHARED = "xl/sharedStrings.xml"
_PIECE_BYTES = 1_048_576
_LETTERS = re.compile(r"([A-Z]{1,3})(\d+)")


def hidden_and_broken(form: str, path: str, sheet: str) -> tuple[list[int], Broken]:
    """The hidden rows of a sheet (from 1), and its broken cells. Raises FileRefused for a damaged workbook."""
    try:
        with ZipFile(path) as archive:
            return _xlsx(archive, sheet) if form == "xlsx" else _ods(archive, sheet)
    except (BadZipFile, KeyError, ValueError, NotImplementedError, expat.ExpatError) as error:
        raise FileRefused(f"it is no readable workbook ({error})") from None


def _parse(
    archive: ZipFile, member: str, start: Callable[[str, dict[str, str]], None], **more: object
) -> None:
    parser = expat.ParserCreate()
    parser.StartElementHandler = lambda name, attributes: start(
        name.rpartition(":")[2], {key.rpartition(":")[2]: value for key, value in attributes.items()}
    )
    parser.StartDoctypeDeclHandler = _no_doctype
    for handler, call in more.items():
        setattr(parser, handler, call)
    with archive.open(member) as file:
        parser.ParseFile(file)


def _no_doctype(*_: object) -> None:
    raise ValueError("it declares a document type")


def _xlsx(archive: ZipFile, sheet: str) -> tuple[list[int], Broken]:
    scan = _XlsxScan(_formats(archive), _struck_texts(archive))
    _parse(
        archive,
        _member(archive, sheet),
        scan.start,
        EndElementHandler=scan.end,
        CharacterDataHandler=scan.text,
    )
    return scan.hidden, scan.broken


def _member(archive: ZipFile, sheet: str) -> str:
    relations: dict[str, str] = {}
    ids: dict[str, str] = {}

    def relation(name: str, attributes: dict[str, str]) -> None:
        if name == "Relationship":
            relations[attributes["Id"]] = attributes["Target"]

    def book(name: str, attributes: dict[str, str]) -> None:
        if name == "sheet":
            ids[attributes["name"]] = attributes["id"]

    _parse(archive, "xl/_rels/workbook.xml.rels", relation)
    _parse(archive, "xl/workbook.xml", book)
    target = relations[ids[sheet]]
    return target.lstrip("/") if target.startswith("/") else f"xl/{target}"


def _formats(archive: ZipFile) -> list[NumberFormat]:
    """What is odd about each cell format of the workbook."""
    codes: dict[int, str] = dict(BUILT_IN_FORMATS)
    struck: list[bool] = []
    formats: list[NumberFormat] = []
    inside = ""

    def start(name: str, attributes: dict[str, str]) -> None:
        nonlocal inside
        if name == "numFmt":
            codes[int(attributes["numFmtId"])] = attributes["formatCode"]
        elif name in ("fonts", "fills", "cellXfs", "cellStyleXfs", "cellStyles", "dxfs"):
            inside = name
        elif name == "font" and inside == "fonts":
            struck.append(False)
        elif inside == "fonts" and _strikes(name, attributes):
            struck[-1] = True
        elif name == "xf" and inside == "cellXfs":
            font = int(attributes.get("fontId", 0))
            is_struck = font < len(struck) and struck[font]
            odd = format_of(codes.get(int(attributes.get("numFmtId", 0)), ""))
            formats.append(NumberFormat(_STRUCK) if is_struck else odd)

    if "xl/styles.xml" in archive.namelist():
        _parse(archive, "xl/styles.xml", start)
    return formats


def _struck_texts(archive: ZipFile) -> set[str]:
    """Indexes of the shared texts that are struck through in part."""
    struck: set[str] = set()
    place = -1

    def start(name: str, attributes: dict[str, str]) -> None:
        nonlocal place
        if name == "si":
            place += 1
        elif _strikes(name, attributes):
            struck.add(str(place))

    if _SHARED in archive.namelist() and _mentions(archive, _SHARED, b"strike"):
        _parse(archive, _SHARED, start)
    return struck


def _mentions(archive: ZipFile, member: str, word: bytes) -> bool:
    """Whether a member contains a word: spares parsing, since few do."""
    last = b""
    with archive.open(member) as file:
        while piece := file.read(_PIECE_BYTES):
            if word in last + piece:
                return True
            last = piece[-len(word) :]
    return False


def _strikes(name: str, attributes: Mapping[str, str]) -> bool:
    return name == "strike" and attributes.get("val", "1") not in ("0", "false")


class _XlsxScan:
    """Finds hidden rows and broken cells in the XML of a sheet."""

    def __init__(self, formats: list[NumberFormat], struck_texts: set[str]) -> None:
        self.hidden: list[int] = []
        self.broken: defaultdict[int, list[tuple[int, str]]] = defaultdict(list)
        self._formats = formats
        self._struck_texts = struck_texts
        self._row = self._column = -1
        self._odd, self._value = NumberFormat(), ""
        self._kind = ""
        self._in_value = self._is_formula = False
        self._merged = 0
        self._hidden_columns: set[int] = set()

    def start(self, name: str, attributes: dict[str, str]) -> None:
        if name == "c":
            self._cell(attributes)
        elif name == "row":
            self._row = int(attributes["r"]) - 1 if "r" in attributes else self._row + 1
            self._column = -1
            if attributes.get("hidden") in ("1", "true") or float(attributes.get("ht", 1)) == 0:
                self.hidden.append(self._row + 1)
        elif name == "v":
            self._in_value = True
        elif name == "f":
            self._is_formula = True
        elif _strikes(name, attributes):
            self.broken[self._row].append((self._column, _STRUCK))
        elif name == "mergeCell":
            self._merge(attributes["ref"])
        elif name == "col" and (
            attributes.get("hidden") in ("1", "true") or float(attributes.get("width", 1)) == 0
        ):
            last = min(int(attributes["max"]), _MAX_COLUMNS)
            self._hidden_columns.update(range(int(attributes["min"]) - 1, last))

    def text(self, data: str) -> None:
        if self._in_value:
            self._value += data

    def end(self, name: str) -> None:
        name = name.rpartition(":")[2]
        if name == "v":
            self._in_value = False
        elif name == "c":
            self._end_cell()

    def _end_cell(self) -> None:
        if self._is_formula and not self._value and self._kind != "str":
            self.broken[self._row].append((self._column, _UNCOMPUTED))
        elif self._kind == "s" and self._value in self._struck_texts:
            self.broken[self._row].append((self._column, _STRUCK))
        elif self._value and self._odd.is_wrong_for(self._value):
            self.broken[self._row].append((self._column, self._odd.wrong))

    def _merge(self, reference: str) -> None:
        first, _, last = reference.partition(":")
        (left, top), (right, bottom) = _place(first), _place(last or first)
        self._merged += (bottom - top + 1) * (right - left + 1)
        if self._merged > _MAX_MERGED:
            raise ValueError(f"it merges more than {_MAX_MERGED:,} cells")
        for row in range(top, bottom + 1):
            columns = [column for column in range(left, right + 1) if (column, row) != (left, top)]
            self.broken[row] += [(column, _MERGED) for column in columns]

    def _cell(self, attributes: dict[str, str]) -> None:
        self._column = _place(attributes["r"])[0] if "r" in attributes else self._column + 1
        kind, style = attributes.get("t", "n"), int(attributes.get("s", 0))
        self._odd, self._kind, self._value, self._is_formula = NumberFormat(), kind, "", False
        if self._column in self._hidden_columns:
            self.broken[self._row].append((self._column, _HIDDEN))
        elif kind == "e":
            self.broken[self._row].append((self._column, CELL_ERROR))
        elif style < len(self._formats) and self._formats[style].wrong == _STRUCK:
            self.broken[self._row].append((self._column, _STRUCK))
        elif kind == "n" and style < len(self._formats):
            self._odd = self._formats[style]


def _place(reference: str) -> tuple[int, int]:
    """The column and row of a cell such as B3, from 0."""
    found = _LETTERS.fullmatch(reference)
    if found is None:
        raise ValueError(f"a cell {reference}")
    number = 0
    for letter in found[1]:
        number = number * 26 + ord(letter) - 64
    return number - 1, int(found[2]) - 1


def _ods(archive: ZipFile, sheet: str) -> tuple[list[int], Broken]:
    scan = _OdsScan(sheet)
    _parse(archive, "content.xml", scan.start, EndElementHandler=scan.end, CharacterDataHandler=scan.text)
    return scan.hidden, scan.broken


class _OdsScan:
    """Finds hidden rows and broken cells in the XML of an OpenDocument spreadsheet."""

    def __init__(self, sheet: str) -> None:
        self.hidden: list[int] = []
        self.broken: defaultdict[int, list[tuple[int, str]]] = defaultdict(list)
        self._sheet = sheet
        self._here = False
        self._row, self._rows, self._column, self._columns = -1, 1, -1, 1
        self._kind = self._value = self._shown = ""
        self._hides = self._annotates = False
        self._style = self._wrong = ""
        self._struck: set[str] = set()
        self._hidden_columns: set[int] = set()

    def start(self, name: str, attributes: dict[str, str]) -> None:
        if name == "table":
            self._here, self._row, self._rows = attributes.get("name") == self._sheet, -1, 1
            self._column, self._columns = -1, 1
        elif name == "table-column" and self._here:
            self._column += self._columns
            self._columns = min(int(attributes.get("number-columns-repeated", 1)), _MAX_COLUMNS)
            if attributes.get("visibility", "visible") != "visible":
                self._hidden_columns.update(range(self._column, self._column + self._columns))
        elif name == "table-row" and self._here:
            self._row += self._rows
            self._rows = int(attributes.get("number-rows-repeated", 1))
            self._column, self._columns = -1, 1
            self._hides = attributes.get("visibility", "visible") != "visible"
        elif name == "style":
            self._style = attributes.get("name", "")
        elif name == "annotation":
            self._annotates = True
        elif name == "text-properties":
            if attributes.get("text-line-through-style", "none") != "none":
                self._struck.add(self._style)
        elif name in ("table-cell", "covered-table-cell") and self._here:
            self._column += self._columns
            self._columns = int(attributes.get("number-columns-repeated", 1))
            self._kind, self._value = _ods_kind(attributes), attributes.get("value", "")
            self._shown = ""
            self._wrong = _MERGED if name == "covered-table-cell" else ""
            if attributes.get("style-name", "") in self._struck:
                self._wrong = _STRUCK
            elif attributes.get("formula") and not self._kind:
                self._wrong = _UNCOMPUTED
            if self._hides and self._kind:
                self._hides = False
                self.hidden.append(self._row + 1)

    def text(self, data: str) -> None:
        if self._kind and not self._annotates:
            self._shown += data

    def end(self, name: str) -> None:
        if name.rpartition(":")[2] == "annotation":
            self._annotates = False
        if name.rpartition(":")[2] not in ("table-cell", "covered-table-cell") or not self._here:
            return
        wrong = self._wrong or shown_otherwise(self._kind, self._value, self._shown.strip())
        if self._kind and self._column in self._hidden_columns:
            wrong = _HIDDEN
        if wrong:
            for row in range(self._row, self._row + min(self._rows, 1_000)):
                self.broken[row] += [
                    (self._column + more, wrong) for more in range(min(self._columns, 1_000))
                ]
        self._kind = ""


def _ods_kind(attributes: dict[str, str]) -> str:
    # The newer value-type of the extension follows the older one and knows errors.
    return attributes.get("value-type", "")
