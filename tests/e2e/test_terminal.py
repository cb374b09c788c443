"""What commands print fits every terminal, and the README's commands work one after the other."""

import itertools
import json
import re
import signal
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
from rich.cells import cell_len

from execution_simulator.server import RunningSimulator
from tests.e2e.command import Cli, Running, bare_environment, free_port, order
from tests.e2e.terminal import in_terminal, screen_of
from tests.support.leftovers import passable_folder
from trade_service.store.embedded_folder import BOOKS_FILE

ROOT = Path(__file__).parent.parent.parent
CONTROL = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
WIDTHS = [40, 80, 200]
SENTENCE = "must be a finite number written with digits and a decimal point; got 'NaN'"


def lines_of(screen: str) -> list[str]:
    """The lines of an output, those that progress wrote over each other included."""
    return [CONTROL.sub("", line) for line in re.split(r"[\r\n]+|\x1b\[1A", screen)]


@pytest.mark.parametrize("columns", WIDTHS)
async def test_progress_and_tables_fit_the_terminal(
    cli: Cli, simulator: RunningSimulator, columns: int
) -> None:
    simulator.script(["item_fail_permanent:1", "error_503", "reset_after"])
    blotter = cli.write(*(order(n) for n in range(1, 350)), order(350, "NaN"))
    ended = await in_terminal(cli, ["submit", blotter, "--yes"], columns)
    assert ended.code == 1, ended
    assert "349" in ended.out
    for arguments in (["list"], ["requeue", "--state", "rejected", "--dry-run"], ["audit"], ["config"]):
        shown = await in_terminal(cli, arguments, columns)
        assert "Traceback" not in shown.out
        tables = [line.rstrip() for line in lines_of(shown.out)]
        torn = [line for line in tables if cell_len(line) > columns and ("│" in line or "┃" in line)]
        assert not torn, torn
    bars = [line.rstrip() for line in lines_of(ended.out) if "━" in line and "/" in line]
    assert bars
    assert not [line for line in bars if cell_len(line) > columns]
    assert all(re.search(r"[\d,]+/[\d,?]+", line) for line in bars), bars


def torn_words(screen: list[str], columns: int, words: set[str]) -> list[str]:
    """Full lines that end within a word, where the word was not longer than a line."""
    torn = []
    for line, following in itertools.pairwise(screen):
        last, first = (line.split() or [""])[-1], (following.split() or [""])[0]
        if len(line) == columns and not following.startswith(" ") and last + first in words:
            torn.append(last + first)
    return torn


@pytest.mark.parametrize("style", ["colours", "plain"])
@pytest.mark.parametrize("columns", WIDTHS)
async def test_alarms_stand_above_the_bar_and_nothing_tears(
    cli: Cli, simulator: RunningSimulator, columns: int, style: str
) -> None:
    """Between the calls that are refused and the outcomes, the terminal shows alarms and one whole bar."""
    simulator.script(["unauthorized_401", "error_503", "item_fail_permanent:1"])
    blotter = cli.write(*(order(n) for n in range(1, 350)), order(350, "NaN"))
    chosen = cli if style == "colours" else cli.under(LC_ALL="C", NO_COLOR="1")
    ended = await in_terminal(chosen, ["submit", blotter, "--yes", "--wait-for-service"], columns)
    assert ended.code == 1, ended
    if style == "plain":
        assert ended.out.isascii()
        assert not re.search(r"\x1b\[[\d;]*3[0-7]m", ended.out), "no colours"
    screen = screen_of(ended.out, columns)
    text = " ".join(" ".join(screen).split())
    assert "alarm code=DOWNSTREAM_REFUSES_US" in text
    assert "the Execution Service rejects every call: POST /api/v1/executions/batch answered 401" in text
    bars = [line for line in screen if "349/349" in line]
    assert len(bars) == 1, screen
    assert re.fullmatch(r"(Submitting )?\S+ 349/349( .*)?", bars[0]), bars
    assert screen.index(bars[0]) > max(n for n, line in enumerate(screen) if "[error" in line)
    whole = await cli.run("submit", blotter, "--dry-run")
    words = {*whole.out.split(), *ended.out.split(), *SENTENCE.split()}
    assert torn_words(screen, columns, words) == [], screen
    assert "348 accepted, 1 failed, 1 bad line." in text
    assert "quantity: must be a finite number written with digits and a decimal point; got 'NaN'" in text


@pytest.mark.parametrize("columns", WIDTHS)
async def test_top_fits_the_terminal(cli: Cli, columns: int) -> None:
    assert (await cli.run("submit", "--yes", cli.write(order(1)))).code == 0
    async with await cli.start("serve", "--port", "0") as running:
        url = (await running.line_with("Serving on ")).split()[2].rstrip(";")
        seen = await in_terminal(cli, ["top", "--url", url, "--every", "0.1", "--times", "3"], columns)
        running.send(signal.SIGTERM)
        assert (await running.ended()).code == 0
    screen = [line for line in screen_of(seen.out, columns) if line]
    assert screen[0] == f"Trade service at {url}"
    assert "…" not in seen.out
    figures = [line for line in screen if re.search(r"\d/s", line)]
    for name in ("accepted", "calls", "requests", "queue", "oldest unknown", "recovered", "executions a batch",
                 "batches in flight", "circuit", "alarms", "success", "ms a batch"):  # fmt: skip
        assert len([line for line in screen if re.search(rf"(^|   ){name}   ", line)]) == 1, screen
    assert len(figures) >= 4
    assert screen[-1] == "no failures since the service started"


async def test_a_pipe_gets_whole_lines(cli: Cli, simulator: RunningSimulator) -> None:
    simulator.script(["unauthorized_401", "item_fail_permanent:1"])
    blotter = cli.write(*(order(n) for n in range(1, 350)), order(350, "NaN"))
    ended = await cli.run("submit", blotter, "--yes", "--wait-for-service")
    assert ended.code == 1, ended
    assert "\x1b" not in ended.out + ended.err
    assert f"  line 351, quantity: {SENTENCE}\n" in ended.out
    alarms = [json.loads(line) for line in ended.err.splitlines() if line.startswith("{")]
    assert "DOWNSTREAM_REFUSES_US" in {alarm.get("code") for alarm in alarms}


async def test_the_c_locale_and_no_colour_get_plain_text(cli: Cli) -> None:
    assert (await cli.run("submit", "--yes", cli.write(order(1)))).code == 0
    plain = cli.under(LC_ALL="C", NO_COLOR="1")
    for arguments in (["list"], ["audit"], ["submit", "--dry-run", "blotter.csv"], ["db", "status"]):
        ended = await plain.run(*arguments)
        assert ended.code == 0, ended
        assert (ended.out + ended.err).isascii()
    seen = await in_terminal(plain, ["audit"], 80)
    assert seen.out.isascii()
    assert not re.search(r"\x1b\[3[0-7]m", seen.out), "no colours"


async def test_executions_are_listed_and_shown_by_order(cli: Cli, simulator: RunningSimulator) -> None:
    simulator.script(["item_fail_permanent:1"])
    blotter = cli.write(order(11), order(12), order(13, destination="JPM"))
    assert (await cli.run("submit", "--yes", blotter)).code == 1
    for arguments, count in (
        ([], 3), (["--state", "rejected"], 1), (["--state", "accepted"], 2), (["--order", "13"], 1),
        (["--destination", "JPM"], 1), (["--code", "NOTHING"], 0), (["--since", "2999-01-01"], 0),
        (["--limit", "1"], 1),
    ):  # fmt: skip
        listed = json.loads((await cli.run("list", "--json", *arguments)).out)
        assert len(listed["executions"]) == count, arguments
        assert listed["more"] is (arguments == ["--limit", "1"])
    assert "JPM" in (await cli.run("list", "--order", "13")).out
    shown = await cli.run("show", "--order", "12")
    assert "(orderId 12)" in shown.out
    missing = await cli.run("show", "--order", "99")
    assert (missing.code, "no execution of an order with the id 99" in missing.complaint) == (2, True)
    status = json.loads((await cli.run("db", "status", "--json")).out)
    assert (status["orders"], status["executions"]) == (3, 3)
    requeued = json.loads((await cli.run("requeue", "--state", "rejected", "--dry-run", "--json")).out)
    assert len(requeued["executions"]) == 1
    assert json.loads((await cli.run("keys", "list", "--json")).out) == []


async def test_a_sample_replaces_nothing(bare_cli: Cli) -> None:
    assert (await bare_cli.run("sample", "--orders", "3")).code == 0
    text = (bare_cli.folder / "blotter.csv").read_text()
    assert len(text.splitlines()) == 4
    again = await bare_cli.run("sample")
    assert (again.code, "blotter.csv exists" in again.complaint) == (2, True)
    assert (bare_cli.folder / "blotter.csv").read_text() == text


def readme_commands() -> list[list[str]]:
    """The arguments of each command in the README's blocks, in order."""
    text = (ROOT / "README.md").read_text("utf-8")
    return [line.split() for line in re.findall(r"^\.venv/bin/trade-service ([^#\n]+)", text, re.M)]


async def test_the_commands_of_the_readme_work_one_after_the_other() -> None:
    """As a new user, with a home of their own; but for the ports, which other programs may use here."""
    service, own = free_port(), free_port()
    extra = {
        "simulate": ["--port", str(service)],
        "top": ["--url", f"http://127.0.0.1:{own}", "--times", "1"],
    }
    ready = {"simulate": "Execution Service simulator on", "serve": "Serving on"}
    commands = readme_commands()
    assert {"simulate", "sample", "submit", "audit", "list", "show"} <= {
        arguments[0] for arguments in commands
    }
    async with AsyncExitStack() as stack:
        home = stack.enter_context(passable_folder("readme"))
        cli = Cli(home, bare_environment(home)).under(
            EXECUTION_SERVICE_BASE_URL=f"http://127.0.0.1:{service}", TRADE_SERVICE_SERVER_PORT=str(own)
        )
        left_running: list[Running] = []
        for arguments in commands:
            name = arguments[0]
            line = [*arguments, *extra.get(name, [])]
            if name in ready:
                running = await stack.enter_async_context(await cli.start(*line))
                await running.line_with(ready[name])
                left_running.append(running)
            else:
                ended = await in_terminal(cli, line, 80, {"Send these": "y\n"})
                assert ended.code == 0, (line, ended)
        [cluster] = home.rglob("pgdata")
        assert (cluster.parent / BOOKS_FILE).exists(), "the simulator and the database share the data folder"
        for running in reversed(left_running):
            running.send(signal.SIGINT)
            assert (await running.ended()).code == 0
