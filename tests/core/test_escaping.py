"""What came from outside is escaped before a terminal, a log or a file gets it."""

import csv
import json
import logging
import typing
import unicodedata
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, TypeVar

import msgspec
import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st
from rich.text import Text

from trade_service.blotter.records import CellError
from trade_service.cli.running import print_json, result_console, result_table, say, say_result
from trade_service.cli.tally import error_writer
from trade_service.cli.unknowns import _print_history
from trade_service.domain.errors import InvalidInput
from trade_service.domain.executions import SubmissionState
from trade_service.domain.fields import escaped, visible
from trade_service.observability.logs import MAX_TEXT_CHARS, _as_json, configure_logs
from trade_service.submission.manual_resolution import ExecutionCase, check_words
from trade_service.trading.operating import AttemptHistory, Evidence, Found, History
from trade_service.trading.requeueing import RequeueFilter, checked_filter

Made = TypeVar("Made", bound=msgspec.Struct)
OBEYED = {"Cc", "Cf", "Zl", "Zp", "Cs"}
"""Categories of what terminals obey, or what makes text look like another."""
HOSTILE = "\x1b]0;owned\x07\x1b[2J\x9b31m\x7f\r\nok\x00\u202egnp.exe\u200b\u2028\U000e0041\ud800"


def obeyed(text: str) -> list[str]:
    """The characters of `text` that a terminal must not get."""
    return [f"U+{ord(one):04X}" for one in text if unicodedata.category(one) in OBEYED and one != "\n"]


@given(st.text(st.characters(exclude_categories=[])) | st.text(st.sampled_from(HOSTILE + "aé\u3164\ufe0f ")))
def test_escaped_text_is_one_harmless_line_and_loses_nothing(text: str) -> None:
    line = escaped(text)
    assert not obeyed(line)
    assert "\n" not in line
    assert escaped(line) == line
    plain = text.replace("\\", "").replace('"', "")
    assert json.loads(f'"{escaped(plain)}"') == plain


@given(st.text(max_size=20))
def test_visible_text_stays_as_it_is(text: str) -> None:
    try:
        assert escaped(visible(text, "x")) == text
    except InvalidInput:
        assert escaped(text) != text


def hostile(kind: type[Made], **known: object) -> Made:
    """A value of which every text is hostile."""
    samples = {
        int: 1, float: 1.0, bool: False, Decimal: Decimal(1), datetime: datetime.now(UTC),
        SubmissionState: SubmissionState.UNKNOWN, str: HOSTILE,
    }  # fmt: skip

    def sample(declared: Any) -> object:
        kinds = [declared, *typing.get_args(declared)]
        kinds += [inner for one in kinds for inner in typing.get_args(one)]
        return next((value for kind, value in samples.items() if kind in kinds), HOSTILE)

    fields = msgspec.structs.fields(kind)
    return kind(**{field.name: sample(field.type) for field in fields} | known)


def test_show_prints_each_text_on_its_own_line(capsys: pytest.CaptureFixture[str]) -> None:
    attempt = hostile(AttemptHistory, outcomes=(hostile(Found),))
    _print_history(History(hostile(ExecutionCase), (attempt,), (hostile(Evidence),)), result_console())
    out = capsys.readouterr().out
    assert out.count("owned") >= 12
    assert obeyed(out) == []
    assert not [line for line in out.splitlines() if line.startswith("ok")], "a line that was smuggled in"


def test_commands_print_nothing_that_a_terminal_obeys(capsys: pytest.CaptureFixture[str]) -> None:
    table = result_table(HOSTILE, "plain", "right>")
    table.add_row(Text(HOSTILE), HOSTILE)
    console = result_console()
    console.print(table)
    console.print(Text(HOSTILE), soft_wrap=True)
    say_result(HOSTILE)
    say(HOSTILE)
    shown = capsys.readouterr()
    assert "owned" in shown.out
    assert "owned" in shown.err
    assert obeyed(shown.out + shown.err) == []
    sent = HOSTILE.replace("\ud800", "")
    for indent, lines in ((2, 3), (-1, 1)):
        print_json({"message": sent}, indent)
        out = capsys.readouterr().out
        assert obeyed(out) == []
        assert json.loads(out) == {"message": sent}
        assert len(out.splitlines()) == lines


def test_bad_lines_of_a_blotter_are_written_without_formulas(tmp_path: Path) -> None:
    path = tmp_path / "errors.csv"
    formulas = ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", HOSTILE.replace("\ud800", "")]
    with error_writer(path) as write:
        write([CellError(1, text, text, text, 7) for text in formulas])
    text = path.read_text("utf-8")
    assert obeyed(text) == []
    for row in list(csv.reader(text.splitlines()))[1:]:
        assert all(cell[0] not in "=+-@\t\r" for cell in row)


@pytest.fixture
def logs_kept() -> Iterator[None]:
    """Restores the configuration of logs after a test."""
    before, root = structlog.get_config(), logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    structlog.configure(**before)
    root.handlers[:], root.level = handlers, level


@pytest.mark.usefixtures("logs_kept")
@pytest.mark.parametrize("style", ["console", "json"])
def test_logs_hold_nothing_that_a_terminal_obeys(style: str, capsys: pytest.CaptureFixture[str]) -> None:
    configure_logs("INFO", style)
    log = structlog.get_logger("test")
    log.info(HOSTILE, path=HOSTILE, several=[HOSTILE], error=ValueError(HOSTILE))
    try:
        raise ValueError(HOSTILE)
    except ValueError:
        log.exception("failed", reason=HOSTILE)
        logging.getLogger("library").exception(HOSTILE)
    shown = capsys.readouterr().err
    assert shown.count("owned") >= 6
    assert obeyed(shown) == []


@given(
    st.dictionaries(
        st.sampled_from(["event", "path", "several"]),
        st.text()
        | st.text(st.sampled_from('a\x7f\x1f\\"'))
        | st.integers()
        | st.none()
        | st.lists(st.booleans()),
    )
)
def test_a_log_line_is_the_json_of_the_standard_library(event: dict[str, Any]) -> None:
    assert _as_json(None, "info", event) == json.dumps(event)


@pytest.mark.usefixtures("logs_kept")
@pytest.mark.parametrize("style", ["console", "json"])
def test_long_texts_are_cut_in_logs(style: str, capsys: pytest.CaptureFixture[str]) -> None:
    configure_logs("INFO", style)
    structlog.get_logger("test").info("request", path="/" + "a" * 60_000, status=404)
    line = capsys.readouterr().err
    assert len(line) < MAX_TEXT_CHARS + 300
    assert "(60001 characters)" in line
    assert "404" in line


@pytest.mark.parametrize("character", ["\x00", "\n", "\x1b", "\x7f", "\x9b", "\u202e", "\u200b", "\u2028"])
def test_texts_of_operators_with_invisible_characters_are_refused(character: str) -> None:
    text = f"a{character}b"
    for actor, reason, field in ((text, "why", "operator"), ("ann", text, "reason")):
        with pytest.raises(InvalidInput, match=rf"^{field}: must not contain control or invisible"):
            check_words(actor, reason)
    for field in ("codes", "destinations"):
        with pytest.raises(InvalidInput, match=rf"^{field}: must not contain control or invisible"):
            checked_filter(RequeueFilter(**{field: [text]}))  # type: ignore[arg-type]
