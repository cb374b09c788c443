"""What `trade-service submit` shows before it sends, and writes afterwards."""

import asyncio
import csv
import json
import os
import signal
import sys
import time
from pathlib import Path

import pyarrow.parquet
import pytest

from execution_simulator.server import RunningSimulator, SimulatorSettings, running_simulator
from tests.e2e.command import HEADER, Cli, order
from tests.e2e.terminal import in_terminal
from tests.support.trading import run_sql, value_of
from trade_service.store.database import Database

STATES = "SELECT count(*) FROM execution WHERE submission_state = 'rejected'"


def rows_of(cli: Cli, name: str) -> list[dict[str, str]]:
    """The rows of a CSV or JSON-lines file, by line."""
    text = (cli.folder / name).read_text()
    rows = [json.loads(line) for line in text.splitlines()] if name.endswith("jsonl") else None
    return sorted(rows or csv.DictReader(text.splitlines()), key=lambda row: row["result_line"])


@pytest.mark.parametrize("name", ["results.csv", "results.jsonl", "results.parquet"])
async def test_results_have_the_columns_of_the_input_and_the_outcome(
    cli: Cli, simulator: RunningSimulator, name: str
) -> None:
    simulator.script(["item_fail_permanent:1"])
    blotter = cli.write(order(1), order(2), order(3, "NaN"), order(4))
    ended = await cli.run("submit", "--yes", blotter, "--results", name)
    assert ended.code == 1, ended
    if name.endswith("parquet"):
        table = pyarrow.parquet.read_table(cli.folder / name)
        rows = sorted(table.to_pylist(), key=lambda row: row["result_line"])
    else:
        rows = rows_of(cli, name)
    assert list(rows[0])[:3] == ["order_id", "portfolio_id", "order_type"]
    assert [row["result_line"] for row in rows] == ["2", "3", "4", "5"]
    assert [row["result_order_id"] for row in rows] == ["1", "2", "3", "4"]
    states = [row["result_state"] for row in rows]
    assert sorted(states) == ["accepted", "accepted", "refused", "rejected"]
    assert rows[2]["result_code"] == "BAD_LINE"
    assert "must be a finite number" in rows[2]["result_message"]
    assert [bool(row["result_execution_service_id"]) for row in rows] == [s == "accepted" for s in states]


async def test_rejects_are_mended_and_fed_again(cli: Cli, simulator: RunningSimulator) -> None:
    simulator.script(["item_fail_permanent:1"])
    blotter = cli.write(order(1), order(2), order(3, "=1+1"))
    assert (await cli.run("submit", "--yes", blotter, "--rejects", "rejects.csv")).code == 1
    rejects = cli.folder / "rejects.csv"
    assert len(rows_of(cli, "rejects.csv")) == 2
    assert ",'=1+1," in rejects.read_text()
    rejects.write_text(rejects.read_text().replace("'=1+1", "7"))
    ended = await cli.run("submit", "--yes", "rejects.csv", "--rejects", "again.csv")
    assert ended.code == 0, ended
    assert "2 accepted" in ended.out
    assert simulator.ledger.total == 3
    assert rows_of(cli, "again.csv") == []
    assert "unknown columns" not in ended.err
    names = (cli.folder / "again.csv").read_text().splitlines()[0].split(",")
    assert len(names) == len(set(names)), names


async def test_a_full_disk_for_results_is_named_and_loses_nothing(
    cli: Cli, simulator: RunningSimulator
) -> None:
    blotter = cli.write(*map(order, range(1, 301)))
    ended = await cli.run("submit", "--yes", blotter, "--results", "/dev/full")
    assert ended.code == 74, ended
    assert "trade-service: /dev/full: No space left on device" in ended.err
    again = await cli.run("submit", "--yes", blotter)
    assert again.code == 0, again
    assert simulator.ledger.total == 300


async def test_no_leaves_everything_as_it_was(cli: Cli, simulator: RunningSimulator) -> None:
    (cli.folder / "errors.csv").write_text("old")
    arguments = [
        "submit",
        cli.write(order(1), order(2, "NaN")),
        "--errors",
        "errors.csv",
        "--results",
        "r.csv",
    ]
    screen = (await in_terminal(cli, arguments, 100, {"[y/N]": "n\n"})).out
    assert "nothing was sent" in screen
    assert "errors.csv" not in screen
    assert (cli.folder / "errors.csv").read_text() == "old"
    assert not (cli.folder / "r.csv").exists()
    assert simulator.ledger.total == 0
    unasked = await cli.run("submit", "--json", arguments[1])
    assert (unasked.code, unasked.out) == (2, "")
    assert "--json needs --yes or --dry-run" in unasked.err


async def test_the_same_file_again_says_what_is_new_and_may_leave_out_what_was_refused(
    cli: Cli, simulator: RunningSimulator, database: Database
) -> None:
    simulator.script(["item_fail_permanent:1"])
    assert (await cli.run("submit", "--yes", cli.write(order(1), order(2)))).code == 1
    blotter = cli.write(order(1), order(2), order(3))
    skipping = await cli.run("submit", "--yes", blotter, "--skip-rejected", "--json")
    assert skipping.code == 0, skipping
    summary = json.loads(skipping.out)
    assert [summary[name] for name in ("accepted_now", "accepted_before", "skipped")] == [1, 1, 1]
    assert await value_of(database, STATES) == 1
    shown = await cli.run("submit", "--dry-run", blotter)
    assert "1 of these orders were refused before" in shown.out
    again = await cli.run("submit", "--yes", blotter)
    assert again.code == 0, again
    assert "1 accepted now, 2 before" in again.out


async def test_what_waits_for_a_person_is_named_and_not_waited_for(
    cli: Cli, simulator: RunningSimulator, database: Database
) -> None:
    simulator.script(["reset_before"])
    first = await cli.run("submit", "--yes", cli.write(order(1)), "--wait-s", "0.1")
    assert first.code == 1, first
    await run_sql(database, "UPDATE submission_attempt SET floor_void = true")
    began = time.monotonic()
    ended = await cli.run("submit", "--yes", cli.write(order(1), order(2)))
    assert ended.code == 1, ended
    assert "Execution 1 needs you: `trade-service show 1`, then `trade-service resolve 1`" in ended.out
    assert "1 accepted, 1 pending" in ended.out
    assert time.monotonic() - began < 20


async def test_what_the_ledger_holds_in_doubt_is_named_and_not_waited_for(cli: Cli) -> None:
    beyond_32_bits = SimulatorSettings(retry_after_s=0, first_id=2**31 - 1)
    async with running_simulator(beyond_32_bits) as odd:
        began = time.monotonic()
        strange = cli.under(EXECUTION_SERVICE_BASE_URL=odd.base_url)
        ended = await strange.run("submit", "--yes", cli.write(order(1), order(2)))
    assert ended.code == 1, ended
    assert "1 accepted, 1 pending" in ended.out
    assert "needs you: `trade-service show" in ended.out
    assert time.monotonic() - began < 60, "of the 600 s that an outcome is waited for"


@pytest.mark.parametrize("away", ["EXECUTION_SERVICE_BASE_URL", "DATABASE_URL"])
async def test_what_is_away_is_said_within_five_seconds(cli: Cli, database: Database, away: str) -> None:
    address = "postgresql://u@10.255.255.1:5432/d" if away == "DATABASE_URL" else "http://10.255.255.1:9"
    began = time.monotonic()
    ended = await cli.under(**{away: address}).run("submit", "--yes", cli.write(order(1)))
    assert ended.code == 2, ended
    assert time.monotonic() - began < 7, "five seconds, and the start of the process"
    assert ("start PostgreSQL at" if away == "DATABASE_URL" else "--wait-for-service") in ended.complaint
    assert await value_of(database, "SELECT count(*) FROM trade_order") == 0


@pytest.mark.parametrize(("answer", "sent"), [("y\n", 2), ("n\n", 0), ("\x03", 0)])
async def test_a_terminal_shows_what_will_happen_and_asks(
    cli: Cli, simulator: RunningSimulator, answer: str, sent: int
) -> None:
    blotter = cli.write(order(1), order(2), order(3, "x"))
    ended = await in_terminal(cli, ["submit", blotter], 80, {"Send these 2 orders?": answer})
    assert ended.code == (130 if answer == "\x03" else 1), ended
    for words in ("side BUY", "destination ML", "portfolio P1", "38,050", "equal an earlier one", "line 4"):
        assert words in ended.out, ended.out
    assert simulator.ledger.total == sent


async def test_all_new_is_previewed(cli: Cli, simulator: RunningSimulator, database: Database) -> None:
    away = cli.under(EXECUTION_SERVICE_BASE_URL="http://127.0.0.1:9")
    blotter = cli.write(order(1), order(2))
    assert (await away.run("submit", blotter, "--yes", "--wait-s", "0", "--wait-for-service")).code == 1
    await run_sql(database, "UPDATE execution SET submission_state = 'none', attempt_id = NULL")
    dry = await cli.run("submit", "--all-new", "--dry-run")
    assert dry.code == 0, dry
    assert "side BUY" in dry.out
    assert "nothing was sent; left to send: 2 executions." in dry.out
    refused = await cli.run("submit", "--all-new")
    assert (refused.code, "give --yes" in refused.err) == (2, True)
    assert simulator.ledger.total == 0
    ended = await cli.run("submit", "--all-new", "--yes", "--results", "new.jsonl")
    assert ended.code == 0, ended
    lines = (cli.folder / "new.jsonl").read_text().splitlines()
    assert {json.loads(line)["result_state"] for line in lines} == {"accepted"}


def linked(folder: Path, kind: str) -> str:
    """Another name of blotter.csv."""
    match kind:
        case "hard":
            os.link(folder / "blotter.csv", folder / "other.csv")
        case "symbolic":
            (folder / "other.csv").symlink_to("blotter.csv")
        case "same":
            return "./blotter.csv"
    return "other.csv"


@pytest.mark.parametrize("option", ["--errors", "--results", "--rejects"])
@pytest.mark.parametrize("kind", ["same", "hard", "symbolic"])
async def test_no_output_replaces_the_input(cli: Cli, option: str, kind: str) -> None:
    blotter = cli.write(order(1))
    before = (cli.folder / blotter).read_text()
    ended = await cli.run("submit", "--yes", blotter, option, linked(cli.folder, kind))
    assert ended.code == 2, ended
    assert "is the same file as blotter.csv" in ended.complaint
    assert (cli.folder / blotter).read_text() == before


@pytest.mark.parametrize("line", ["submit - --yes --results blotter.csv <blotter.csv",
                                  "submit /dev/fd/3 --yes --results blotter.csv 3<blotter.csv",
                                  "submit blotter.csv --yes --errors /dev/fd/3 3>>blotter.csv",
                                  "submit blotter.csv --yes --errors a.csv --rejects a.csv"])  # fmt: skip
async def test_no_descriptor_hides_the_input(cli: Cli, line: str) -> None:
    before = (cli.folder / cli.write(order(1))).read_text()
    process = await asyncio.create_subprocess_shell(
        f"{Path(sys.executable).with_name('trade-service')} {line}",
        stderr=asyncio.subprocess.PIPE, cwd=cli.folder, env=cli.environment,
    )  # fmt: skip
    _, err = await process.communicate()
    assert process.returncode == 2, err
    assert b"is the same file as" in err
    assert (cli.folder / "blotter.csv").read_text() == before


async def test_an_interrupted_command_leaves_the_results_so_far(
    cli: Cli, simulator: RunningSimulator
) -> None:
    blotter = cli.write(*(order(n) for n in range(1, 901)))
    simulator.hold()
    async with await cli.start("submit", "--yes", blotter, "--results", "results.csv") as running:
        await simulator.calls_reached(1)
        running.send(signal.SIGINT)
        simulator.release()
        ended = await running.ended()
    assert ended.code == 130, ended
    assert "Nothing is lost" in ended.err
    rows = rows_of(cli, "results.csv")
    assert 0 < len(rows) <= 900
    assert {row["result_state"] for row in rows} <= {"accepted", "queued"}
    for row in rows:
        assert row["result_state"] != "accepted" or row["result_execution_service_id"]
    again = await cli.run("submit", "--yes", blotter, "--results", "results.csv")
    assert again.code == 0, again
    assert len(rows_of(cli, "results.csv")) == 900
    assert len(simulator.ledger.accepted_counts()) == simulator.ledger.total == 900


async def test_an_output_is_replaced_at_the_end_or_not_at_all(cli: Cli) -> None:
    (cli.folder / "results.csv").write_text("of yesterday")
    (cli.folder / "broken.csv").write_text(HEADER.replace("quantity", "weight") + "\n")
    assert (await cli.run("submit", "--yes", "broken.csv", "--results", "results.csv")).code == 2
    assert (cli.folder / "results.csv").read_text() == "of yesterday"
    assert sorted(path.name for path in cli.folder.iterdir() if "results" in path.name) == ["results.csv"]


async def test_half_a_character_is_written_as_a_mark(cli: Cli) -> None:
    (cli.folder / "half.jsonl").write_text(
        '{"order_id": 1, "portfolio_id": "P1", "order_type": "BUY", "security_id": "A\\ud800", "quantity": 1, '
        '"destination": "ML"}\n'
    )
    ended = await cli.run(
        "submit", "--yes", "half.jsonl", "--rejects", "rejects.csv", "--results", "all.jsonl"
    )
    assert ended.code == 1, ended
    assert "Traceback" not in ended.err
    (row,) = rows_of(cli, "rejects.csv")
    assert row["security_id"] == "A\ufffd"
