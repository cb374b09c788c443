"""Small files in the manner of real exports, each with its right outcome in cases.toml."""

import io
import resource
import subprocess
import tomllib
from contextlib import redirect_stdout
from functools import cache
from pathlib import Path
from typing import Any, Self
from unittest import mock
from zoneinfo import ZoneInfo

import msgspec
import pytest

from tests.blotters.reading import RULES, Result, read_all, rules_with, shown
from trade_service.blotter import sheet_process
from trade_service.blotter.order_limits import OrderLimits
from trade_service.blotter.order_rows import LineRules
from trade_service.blotter.reader import BlotterReader, ReadOptions
from trade_service.cli.result_files import FORMATS, ResultFiles
from trade_service.trading.line_results import refused_result

FOLDER = Path(__file__).parent
CASES = tomllib.loads((FOLDER / "cases.toml").read_text("utf-8"))["case"]
SEVERAL = "|"


def _options(case: dict[str, Any]) -> ReadOptions:
    zone = case.get("time_zone")
    return ReadOptions(
        mapping=case.get("mapping", {}),
        constants=case.get("constants", {}),
        decimal=case.get("decimal"),
        time_zone=None if zone is None else ZoneInfo(zone),
        encoding=case.get("encoding"),
        sheet=case.get("sheet"),
    )


def _rules(case: dict[str, Any]) -> LineRules:
    return rules_with(msgspec.convert(case.get("limits", {}), OrderLimits, strict=False))


@cache
def _read(number: int) -> tuple[Result, list[str]]:
    """What a case's file yields, and its header: read once, since each reading of a workbook starts a process."""
    case = CASES[number]
    content = (FOLDER / "files" / case["file"]).read_bytes()
    result = read_all(content, _options(case), _rules(case))
    header = [] if result.refusal else BlotterReader(io.BytesIO(content), RULES, _options(case)).layout.header
    return result, list(header)


@pytest.mark.parametrize("case", CASES, ids=[case["file"] for case in CASES])
def test_each_file_has_its_right_outcome(case: dict[str, Any]) -> None:
    result, _ = _read(CASES.index(case))
    if "refused" in case:
        assert result.refusal is not None, result
        assert case["refused"] in result.refusal
        return
    assert result.refusal is None, result.refusal
    assert [shown(order) for order in result.orders] == case.get("orders", [])
    errors = [error for row in result.refused for error in row.errors]
    expected = case.get("errors", [])
    assert len(errors) == len(expected), [str(error) for error in errors]
    for error, wanted in zip(errors, expected, strict=True):
        place, _, rule = wanted.partition(": ")
        assert f"{error.line} {error.column}" == place
        assert any(one in error.rule for one in rule.split(SEVERAL)), error.rule
        assert len(error.value) <= 80
    assert [f"{line} {text}" for line, text in result.outside] == case.get("outside", [])
    doubts = case.get("doubts", [])
    assert len(result.doubts) == len(doubts), result.doubts
    assert all(wanted in doubt for wanted, doubt in zip(doubts, result.doubts, strict=True)), result.doubts


class ReadHere:
    """Reads a workbook in place of the process that would be started: the cases above start enough."""

    def __init__(self, arguments: list[str], **_: object) -> None:
        written = io.TextIOWrapper(io.BytesIO())
        with redirect_stdout(written), mock.patch.object(resource, "setrlimit"):
            sheet_process.main(*arguments[arguments.index("-m") + 2 :])
        written.seek(0)
        self.stdout = written.detach()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stdout.close()

    def wait(self) -> int:
        """The exit code."""
        return 0

    def kill(self) -> None:
        """There is no process."""


@pytest.mark.parametrize("suffix", FORMATS)
@pytest.mark.parametrize("case", CASES, ids=[case["file"] for case in CASES])
def test_rejects_that_nobody_mended_are_refused_again(
    case: dict[str, Any], suffix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if "errors" not in case or any("sent once" in error for error in case["errors"]):
        return
    first, header = _read(CASES.index(case))
    rejects = io.BytesIO()
    files = ResultFiles(None, rejects, (suffix, suffix))
    files.begin(header)
    for row in first.refused:
        files.add(refused_result(row))
    files.close()
    monkeypatch.setattr(subprocess, "Popen", ReadHere)
    again = read_all(rejects.getvalue(), _options(case), _rules(case))
    assert [shown(order) for order in again.orders] == []


def test_every_file_is_a_case() -> None:
    named = [case["file"] for case in CASES]
    assert len(named) == len(set(named)) >= 60
    assert set(named) == {path.name for path in (FOLDER / "files").iterdir()}
