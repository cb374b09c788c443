"""Ctrl-C at any moment, also twice: files of results are whole, and the command that is run again continues."""

import asyncio
import csv
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

from execution_simulator.server import RunningSimulator
from tests.e2e.command import Cli, order
from trade_service.blotter.records import CellError
from trade_service.cli import ending_signals, main, output_files, result_files, tally
from trade_service.cli.ending_signals import ENDING_SIGNALS, HeldSignals
from trade_service.cli.result_files import result_files as opened_files
from trade_service.cli.tally import error_writer
from trade_service.trading.line_results import OUTCOME, LineResult

TRACED = {output_files.__file__, result_files.__file__, ending_signals.__file__, tally.__file__, __file__}
TRACED |= {sys.modules["contextlib"].__file__ or ""}
OLD = "of yesterday\n"
ROWS = 2
OUTPUTS = {
    "results.csv": f"a,{','.join(OUTCOME)}\n",
    "rejects.jsonl": "",
    "errors.csv": "line,order_id,field,value,rule\n",
}
"""The files and how they begin."""


def write_outputs(folder: Path) -> None:
    """As `submit` does."""
    with (
        HeldSignals() as signals,
        opened_files(folder / "results.csv", folder / "rejects.jsonl") as files,
        error_writer(folder / "errors.csv") as write_errors,
        signals.released(),
    ):
        files.begin(("a",))
        for number in range(1, ROWS + 1):
            files.add(LineResult(number, number, (), "refused", "BAD", "no", (), ("x",), is_rejected=True))
            write_errors([CellError(number, "a", "x", "must be y", number)])


@contextmanager
def signals_at(number: signal.Signals, *events: int) -> Iterator[Callable[[], int]]:
    """Raises the signal before these lines, calls and returns of the traced files; gives the number of events."""
    count = 0

    def trace(frame: FrameType, event: str, _: Any) -> Any:
        nonlocal count
        if frame.f_code.co_filename not in TRACED or frame.f_code.co_name in ("signals_at", "trace"):
            return None
        count += 1
        if count in events:
            signal.raise_signal(number)
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        yield lambda: count
    finally:
        sys.settrace(before)


@pytest.fixture
def handlers() -> Iterator[dict[signal.Signals, object]]:
    """The handlers of the command."""
    before = {number: signal.getsignal(number) for number in ENDING_SIGNALS}
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, main._end(143))
    yield {number: signal.getsignal(number) for number in ENDING_SIGNALS}
    for number, handler in before.items():
        signal.signal(number, handler)


def check(folder: Path, *, is_whole: bool) -> None:
    """Every file is the old one or a new one whose rows are whole, and nothing else is left."""
    assert {path.name for path in folder.iterdir()} <= set(OUTPUTS)
    for name, header in OUTPUTS.items():
        text = (folder / name).read_text()
        if text == OLD:
            assert not is_whole
            continue
        assert text.startswith(header)
        rows = text.removeprefix(header).splitlines(keepends=True)
        assert all(row.endswith("\n") for row in rows)
        assert len(rows) == ROWS if is_whole else len(rows) <= ROWS
        assert all("must be y" in row if name == "errors.csv" else "refused" in row for row in rows)


def run_with(folder: Path, number: signal.Signals, *events: int) -> int:
    for name in OUTPUTS:
        (folder / name).write_text(OLD)
    count: Callable[[], int] = lambda: 0  # noqa: E731
    code: object = 0
    try:
        with signals_at(number, *events) as count:
            write_outputs(folder)
    except KeyboardInterrupt:
        code = 130
    except SystemExit as ending:
        code = ending.code
    assert code in (0, 128 + number)
    check(folder, is_whole=code == 0)
    return count()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("gap", [0, 1, 4, 30])
def test_a_signal_at_any_step_leaves_whole_files(
    tmp_path: Path, handlers: dict[signal.Signals, object], number: signal.Signals, gap: int
) -> None:
    """And a second one so many steps later."""
    steps = run_with(tmp_path, number)
    assert steps > 200
    for step in range(1, steps + 1):
        run_with(tmp_path, number, step, *([step + gap] if gap else []))
        assert {n: signal.getsignal(n) for n in ENDING_SIGNALS} == handlers, step


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
@pytest.mark.parametrize("times", [1, 2, 4])
async def test_a_command_that_is_interrupted_again_and_again(
    cli: Cli, simulator: RunningSimulator, number: signal.Signals, times: int
) -> None:
    (cli.folder / "results.csv").write_text(OLD)
    blotter = cli.write(*(order(n) for n in range(1, 901)))
    simulator.hold()
    async with await cli.start("submit", "--yes", blotter, "--results", "results.csv") as process:
        await simulator.calls_reached(1)
        for _ in range(times):
            with suppress(ProcessLookupError):  # It may be done.
                process.send(number)
            await asyncio.sleep(0.03)
        simulator.release()
        ended = await process.ended()
    assert ended.code == 128 + number, ended
    assert "Traceback" not in ended.err
    assert "Nothing is lost: run the same command again" in ended.err
    rows = list(csv.DictReader((cli.folder / "results.csv").read_text().splitlines()))
    assert rows
    assert {row["result_state"] for row in rows} <= {"accepted", "queued"}
    assert [path.name for path in cli.folder.iterdir() if "results" in path.name] == ["results.csv"]
    again = await cli.run("submit", "--yes", blotter, "--results", "results.csv")
    assert again.code == 0, again
    assert len(simulator.ledger.accepted_counts()) == simulator.ledger.total == 900


@pytest.mark.parametrize("delay_s", [0.2, 0.5, 0.8, 1.0, 1.2])
async def test_ctrl_c_at_any_time_says_whether_anything_was_sent(
    cli: Cli, simulator: RunningSimulator, delay_s: float
) -> None:
    (cli.folder / "results.csv").write_text(OLD)
    blotter = cli.write(*(order(n) for n in range(1, 3001)))
    start = cli.installed().start("submit", "--yes", blotter, "--results", "results.csv")
    async with await start as process:
        await asyncio.sleep(delay_s)
        with suppress(ProcessLookupError):  # It may be done.
            process.send(signal.SIGINT)
        ended = await process.ended()
    assert ended.code in (0, 130, -signal.SIGINT), ended
    assert "Traceback" not in ended.err or ended.code == -signal.SIGINT
    if simulator.ledger.total == 0 and (cli.folder / "results.csv").read_text() == OLD:
        assert "stopped while" not in ended.err
    elif ended.code == 130 and "stopped while" not in ended.err:
        assert "3,000 accepted" in ended.out or "Stopped before any order had a result" in ended.out
    assert [path.name for path in cli.folder.iterdir() if "results" in path.name] == ["results.csv"]
    again = await cli.run("submit", "--yes", blotter)
    assert again.code == 0, again
    assert len(simulator.ledger.accepted_counts()) == simulator.ledger.total == 3000


async def test_a_kill_leaves_the_old_results(cli: Cli, simulator: RunningSimulator) -> None:
    (cli.folder / "results.csv").write_text(OLD)
    simulator.hold()
    blotter = cli.write(*(order(n) for n in range(1, 301)))
    async with await cli.start("submit", "--yes", blotter, "--results", "results.csv") as process:
        await simulator.calls_reached(1)
        process.send(signal.SIGKILL)
        await process.process.wait()
    simulator.release()
    assert (cli.folder / "results.csv").read_text() == OLD
