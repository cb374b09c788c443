"""Makes small workbooks as spreadsheets write them, also with hidden rows, errors and formats."""

import io
from collections.abc import Mapping, Sequence
from typing import TypeAlias
from xml.sax.saxutils import escape, quoteattr
from zipfile import ZIP_DEFLATED, ZipFile

Value: TypeAlias = str | int | float | tuple[str, str] | None
"""Text, a number, or a pair: `("error", "#N/A")`, `("date", "46052.5")`, or a number format and a number."""

_MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
_RELATIONS = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_PACKAGE = "http://schemas.openxmlformats.org/package/2006"
_MANIFEST = (
    '<manifest:manifest xmlns:manifest="urn:oasis:names:tc:opendocument:xmlns:manifest:1.0"'
    ' manifest:version="1.2">'
    '<manifest:file-entry manifest:full-path="/"'
    ' manifest:media-type="application/vnd.oasis.opendocument.spreadsheet"/></manifest:manifest>'
)
FORMATS = (
    "General", "0000", "0%", "#,##0", "dd/mm/yyyy hh:mm", "#,##0,", "0.00", '"SEC"0', '0"00"', "0.00E+00", '"-"0',
    '0" shares"', "[$USD] #,##0.00", '[<1000]0;0,"k"', '_(* #,##0.00_);_(* \\(#,##0.00\\);_(* "-"??_)',
    'General"00"', ";;;",
)  # fmt: skip


def xlsx(
    sheets: Mapping[str, Sequence[Sequence[Value]]],
    *,
    hidden_rows: Sequence[int] = (),
    hidden_columns: Sequence[int] = (),
    hidden_sheets: Sequence[str] = (),
) -> bytes:
    """An xlsx workbook; rows and columns are hidden in its first sheet, counted from 1."""
    out = io.BytesIO()
    with ZipFile(out, "w", ZIP_DEFLATED) as archive:
        archive.writestr("[Content_Types].xml", _types(len(sheets)))
        archive.writestr("_rels/.rels", _rels({"rId1": ("officeDocument", "xl/workbook.xml")}))
        targets = {f"rId{n}": ("worksheet", f"worksheets/sheet{n}.xml") for n in range(1, len(sheets) + 1)}
        archive.writestr("xl/_rels/workbook.xml.rels", _rels(targets | {"rId99": ("styles", "styles.xml")}))
        archive.writestr("xl/workbook.xml", _book(list(sheets), hidden_sheets))
        archive.writestr("xl/styles.xml", _styles())
        for number, rows in enumerate(sheets.values(), 1):
            archive.writestr(
                f"xl/worksheets/sheet{number}.xml",
                _sheet(rows, hidden_rows, hidden_columns) if number == 1 else _sheet(rows),
            )
    return out.getvalue()


def ods(rows: Sequence[Sequence[Value]], *, filtered_rows: Sequence[int] = ()) -> bytes:
    """An ods workbook of one sheet; a number with a format is a pair of the text that is shown and its value."""
    lines = []
    for number, row in enumerate(rows, 1):
        hidden = ' table:visibility="filter"' if number in filtered_rows else ""
        lines.append(f"<table:table-row{hidden}>{''.join(map(_ods_cell, row))}</table:table-row>")
    content = (
        '<?xml version="1.0" encoding="UTF-8"?><office:document-content'
        ' xmlns:office="urn:oasis:names:tc:opendocument:xmlns:office:1.0"'
        ' xmlns:table="urn:oasis:names:tc:opendocument:xmlns:table:1.0"'
        ' xmlns:text="urn:oasis:names:tc:opendocument:xmlns:text:1.0"'
        ' xmlns:calcext="urn:org:documentfoundation:names:experimental:calc:xmlns:calcext:1.0"'
        ' office:version="1.2"><office:body><office:spreadsheet><table:table table:name="Orders">'
        f"{''.join(lines)}</table:table></office:spreadsheet></office:body></office:document-content>"
    )
    out = io.BytesIO()
    with ZipFile(out, "w", ZIP_DEFLATED) as archive:
        archive.writestr("mimetype", "application/vnd.oasis.opendocument.spreadsheet")
        archive.writestr("META-INF/manifest.xml", _MANIFEST)
        archive.writestr("content.xml", content)
    return out.getvalue()


def _types(sheets: int) -> str:
    kind = "application/vnd.openxmlformats-officedocument.spreadsheetml"
    parts = [f'<Override PartName="/xl/workbook.xml" ContentType="{kind}.sheet.main+xml"/>']
    parts += [
        f'<Override PartName="/xl/worksheets/sheet{n}.xml" ContentType="{kind}.worksheet+xml"/>'
        for n in range(1, sheets + 1)
    ]
    parts.append(f'<Override PartName="/xl/styles.xml" ContentType="{kind}.styles+xml"/>')
    return (
        f'<Types xmlns="{_PACKAGE}/content-types"><Default Extension="rels"'
        ' ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
        f'<Default Extension="xml" ContentType="application/xml"/>{"".join(parts)}</Types>'
    )


def _rels(targets: Mapping[str, tuple[str, str]]) -> str:
    parts = [
        f'<Relationship Id="{key}" Type="{_RELATIONS}/{kind}" Target="{target}"/>'
        for key, (kind, target) in targets.items()
    ]
    return f'<Relationships xmlns="{_PACKAGE}/relationships">{"".join(parts)}</Relationships>'


def _book(names: Sequence[str], hidden: Sequence[str]) -> str:
    sheets = ""
    for number, name in enumerate(names, 1):
        state = ' state="hidden"' if name in hidden else ""
        sheets += f'<sheet name="{escape(name)}" sheetId="{number}"{state} r:id="rId{number}"/>'
    return f'<workbook xmlns="{_MAIN}" xmlns:r="{_RELATIONS}"><sheets>{sheets}</sheets></workbook>'


def _styles() -> str:
    codes = "".join(
        f'<numFmt numFmtId="{164 + n}" formatCode={quoteattr(code)}/>' for n, code in enumerate(FORMATS)
    )
    formats = "".join(f'<xf numFmtId="{164 + n}" applyNumberFormat="1"/>' for n in range(len(FORMATS)))
    return (
        f'<styleSheet xmlns="{_MAIN}"><numFmts count="{len(FORMATS)}">{codes}</numFmts>'
        f'<cellStyleXfs><xf numFmtId="0"/></cellStyleXfs><cellXfs count="{len(FORMATS)}">{formats}</cellXfs>'
        "</styleSheet>"
    )


def _sheet(
    rows: Sequence[Sequence[Value]], hidden: Sequence[int] = (), hidden_columns: Sequence[int] = ()
) -> str:
    columns = "".join(f'<col min="{column}" max="{column}" hidden="1"/>' for column in hidden_columns)
    columns = f"<cols>{columns}</cols>" if columns else ""
    lines = []
    for number, row in enumerate(rows, 1):
        cells = "".join(_cell(value, f"{chr(65 + index)}{number}") for index, value in enumerate(row))
        mark = ' hidden="1"' if number in hidden else ""
        lines.append(f'<row r="{number}"{mark}>{cells}</row>')
    return f'<worksheet xmlns="{_MAIN}">{columns}<sheetData>{"".join(lines)}</sheetData></worksheet>'


def _cell(value: Value, reference: str) -> str:
    match value:
        case None:
            return ""
        case str():
            return (
                f'<c r="{reference}" t="inlineStr"><is><t xml:space="preserve">{escape(value)}</t></is></c>'
            )
        case ("error", text):
            return f'<c r="{reference}" t="e"><v>{text}</v></c>'
        case (code, text):
            return f'<c r="{reference}" s="{FORMATS.index(code)}"><v>{text}</v></c>'
    return f'<c r="{reference}"><v>{value!r}</v></c>'


def _ods_cell(value: Value) -> str:
    match value:
        case None:
            return "<table:table-cell/>"
        case str():
            kind, shown = "string", escape(value)
        case ("error", shown):
            kind = 'string" office:string-value="" calcext:value-type="error'
        case (shown, text):
            kind = f'{"percentage" if shown.endswith("%") else "float"}" office:value="{text}'
        case number:
            kind, shown = f'float" office:value="{number}', str(number)
    return f'<table:table-cell office:value-type="{kind}"><text:p>{shown}</text:p></table:table-cell>'
