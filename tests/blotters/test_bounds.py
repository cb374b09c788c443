"""Workbooks and Parquet files are read in a process of its own, within bounds of size, memory and time."""

import io
from pathlib import Path
from zipfile import ZIP_DEFLATED, ZipFile

import psutil
import pyarrow as pa
import pytest
from pyarrow import parquet

from tests.blotters.reading import RULES, read_all, shown
from tests.blotters.workbooks import xlsx
from trade_service.blotter.reader import BlotterReader, ReadOptions
from trade_service.blotter.sheet_process import SheetBounds

HEADER = ("order_id", "portfolio_id", "order_type", "security_id", "quantity", "destination")


def _orders(count: int) -> bytes:
    rows = [(n, "P1", "BUY", "AAPL", 100, "ML") for n in range(1, count + 1)]
    return xlsx({"Orders": [HEADER, *rows]})


def _refusal(content: bytes, bounds: SheetBounds) -> str:
    result = read_all(content, ReadOptions(bounds=bounds))
    assert result.orders == []
    assert result.refusal is not None
    return result.refusal


def _replaced(content: bytes, member: str, data: bytes) -> bytes:
    out = io.BytesIO()
    with ZipFile(io.BytesIO(content)) as old, ZipFile(out, "w", ZIP_DEFLATED) as new:
        for name in old.namelist():
            new.writestr(name, data if name == member else old.read(name))
    return out.getvalue()


def test_a_file_may_have_so_many_bytes() -> None:
    assert "more than 0 MiB" in _refusal(_orders(1), SheetBounds(file_bytes=100))


def test_a_workbook_may_unpack_to_so_many_bytes() -> None:
    bomb = _replaced(
        _orders(1), "xl/worksheets/sheet1.xml", b"<worksheet>" + b" " * 40_000_000 + b"</worksheet>"
    )
    assert len(bomb) < 100_000
    assert "it unpacks to 38 MiB" in _refusal(bomb, SheetBounds(expanded_bytes=1_000_000))


def test_reading_may_take_so_much_memory() -> None:
    far = (
        b'<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><sheetData>'
        b'<row r="1"><c r="A1"><v>1</v></c></row><row r="1048576"><c r="XFD1048576"><v>1</v></c></row>'
        b"</sheetData></worksheet>"
    )
    refusal = _refusal(_replaced(_orders(1), "xl/worksheets/sheet1.xml", far), SheetBounds())
    assert "ended early" in refusal or "more memory" in refusal


def test_reading_may_take_so_much_time() -> None:
    assert "ended early" in _refusal(_orders(20_000), SheetBounds(cpu_s=0))


def test_a_file_may_have_so_many_rows() -> None:
    out = io.BytesIO()
    parquet.write_table(pa.table({"order_id": [1, 2, 3]}), out)
    assert "more than 2 rows" in _refusal(out.getvalue(), SheetBounds(rows=2))
    assert "more than 2 rows" in _refusal(_orders(5), SheetBounds(rows=2))


def test_a_document_type_is_refused() -> None:
    content = _orders(1)
    with ZipFile(io.BytesIO(content)) as archive:
        sheet = b'<!DOCTYPE x [<!ENTITY a "aaaa">]>' + archive.read("xl/worksheets/sheet1.xml")
    refusal = _refusal(_replaced(content, "xl/worksheets/sheet1.xml", sheet), SheetBounds())
    assert "it declares a document type" in refusal


@pytest.fixture
def without_pyarrow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "pyarrow.py").write_text("raise ImportError('no such module')\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))


@pytest.mark.usefixtures("without_pyarrow")
def test_a_missing_extra_is_named() -> None:
    refusal = _refusal(b"PAR1" + b"\x00" * 20, SheetBounds())
    assert "pip install 'globeco-trade-service[parquet]'" in refusal


def test_a_long_sheet_is_read_to_its_end() -> None:
    result = read_all(_orders(12_000))
    assert result.refusal is None
    assert len(result.orders) == 12_000
    assert shown(result.orders[-1]) == "12000 P1 BUY AAPL 100 - ML"


def test_an_abandoned_file_leaves_no_process() -> None:
    reader = BlotterReader(io.BytesIO(_orders(20_000)), RULES)
    assert reader.read(1).count == 1
    (child,) = (
        one for one in psutil.Process().children() if "trade_service.blotter.sheet_process" in one.cmdline()
    )
    del reader
    assert not child.is_running()
