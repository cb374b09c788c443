"""docs/commands.md lists every exit code, and a process ends with each of them."""

import ast
import importlib
import re
import signal
import sys
from asyncio import create_subprocess_exec
from asyncio.subprocess import DEVNULL, PIPE
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import pytest

from execution_simulator.server import RunningSimulator
from tests.e2e.command import Cli, Ended, order
from tests.support.forked import COMMAND
from trade_service.cli import commands, ending_signals, main
from trade_service.workers.supervisor import NOT_STARTED

ROOT = Path(__file__).parent.parent.parent
COMMANDS = ROOT / "src/trade_service/cli"


def documented() -> set[int]:
    """The codes of the table."""
    page = (ROOT / "docs/commands.md").read_text("utf-8").partition("## Exit codes")[2].partition("\n## ")[0]
    return {int(code) for cells in re.findall(r"^\| ([\d, ]+) \|", page, re.M) for code in cells.split(",")}


def given_in_code() -> Iterator[int]:
    """The values of `sys.exit`, and of what is returned as exit code, that are written as numbers or constants."""
    for path in COMMANDS.glob("*.py"):
        names = vars(importlib.import_module(f"trade_service.cli.{path.stem}"))
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            is_exit = isinstance(node, ast.Call) and ast.unparse(node.func) == "sys.exit"
            is_code = isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "code"
            values = [*node.args] if isinstance(node, ast.Call) and is_exit else []
            values += [node.value] if isinstance(node, ast.Assign) and is_code else []
            for value in values:
                for one in (value.body, value.orelse) if isinstance(value, ast.IfExp) else (value,):
                    if isinstance(one, ast.Constant):
                        assert isinstance(one.value, int)
                        yield one.value
                    elif isinstance(one, ast.Name) and one.id.isupper():
                        yield names[one.id]


def test_every_code_of_the_commands_is_documented() -> None:
    signals = {128 + number for number in ending_signals.ENDING_SIGNALS}
    assert {128 + number for number in main._ENDINGS} <= signals
    codes = {*given_in_code(), *signals, main.OUTPUT_LOST, main.BROKEN_PIPE, commands.UNUSABLE, NOT_STARTED}
    assert codes == documented()


async def shell(cli: Cli, line: str) -> Ended:
    process = await create_subprocess_exec(
        "sh",
        "-c",
        line,
        COMMAND,
        stdin=DEVNULL,
        stdout=PIPE,
        stderr=PIPE,
        cwd=cli.folder,
        env=cli.environment,
    )
    out, err = await process.communicate()
    return Ended(process.returncode or 0, out.decode(), err.decode())


async def accepted(cli: Cli, _: RunningSimulator) -> Ended:
    return await cli.run("submit", "--yes", cli.write(order(1)))


async def refused(cli: Cli, _: RunningSimulator) -> Ended:
    return await cli.run("submit", "--yes", cli.write(order(1), order(2, "0")))


async def unusable(cli: Cli, _: RunningSimulator) -> Ended:
    return await cli.run("submit", "--yes", "nowhere.csv")


async def changed(cli: Cli, change: str, *arguments: str) -> Ended:
    """The end of the command after a change to its process."""
    program = f"from trade_service.cli import commands, main\n{change}\nmain.main()"
    process = await create_subprocess_exec(
        sys.executable, "-c", program, *arguments, stdout=PIPE, stderr=PIPE, env=cli.environment
    )
    out, err = await process.communicate()
    return Ended(process.returncode or 0, out.decode(), err.decode())


async def defect(cli: Cli, _: RunningSimulator) -> Ended:
    ended = await changed(cli, "def run(arguments): raise KeyError('a defect')\ncommands.run = run")
    assert "a defect" in ended.err
    return ended


async def no_process(cli: Cli, _: RunningSimulator) -> Ended:
    change = "import asyncio\nasync def refuse(*_, **__): raise BlockingIOError(11, 'no room')"
    ended = await changed(
        cli, f"{change}\nasyncio.create_subprocess_exec = refuse", "serve", "--workers", "2", "--port", "0"
    )
    assert ended.complaint == "trade-service: a worker cannot be started: no room"
    return ended


async def full(cli: Cli, _: RunningSimulator) -> Ended:
    return await shell(cli, "exec $0 config >/dev/full")


async def unread(cli: Cli, _: RunningSimulator) -> Ended:
    return await shell(cli, "($0 config; echo $? >code) | true; exit $(cat code)")


def ended_by(number: signal.Signals) -> Callable[[Cli, RunningSimulator], Awaitable[Ended]]:
    async def interrupted(cli: Cli, simulator: RunningSimulator) -> Ended:
        simulator.hold()
        async with await cli.start("submit", "--yes", cli.write(order(1))) as running:
            await simulator.calls_reached(1)
            running.send(number)
            simulator.release()
            return await running.ended()

    return interrupted


PRODUCED = {
    0: accepted, 1: refused, 2: unusable, 70: defect, 71: no_process, 74: full, 141: unread,
    129: ended_by(signal.SIGHUP), 130: ended_by(signal.SIGINT), 143: ended_by(signal.SIGTERM),
}  # fmt: skip


def test_each_documented_code_is_produced() -> None:
    assert set(PRODUCED) == documented()


@pytest.mark.parametrize("code", PRODUCED)
async def test_a_process_ends_with_it(cli: Cli, simulator: RunningSimulator, code: int) -> None:
    ended = await PRODUCED[code](cli, simulator)
    assert ended.code == code, ended
    assert code == 70 or "Traceback" not in ended.err
