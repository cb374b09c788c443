"""`trade-service submit` as a process, on a real database and real sockets."""

import asyncio
import csv
import os
import signal
from asyncio.subprocess import PIPE
from collections import Counter
from decimal import Decimal

import pytest

from execution_simulator.server import RunningSimulator
from tests.e2e.command import Cli, Running, order
from tests.support.forked import COMMAND
from tests.support.trading import run_sql, value_of
from trade_service.cli.commands import run
from trade_service.store.database import Database

EXACT = "1234567890.12345678"


async def count(database: Database, statement: str) -> int:
    return int(await value_of(database, statement) or 0)


async def test_a_file_is_accepted_and_a_second_run_sends_nothing(
    cli: Cli, simulator: RunningSimulator
) -> None:
    blotter = cli.write(*(order(n, EXACT if n == 7 else "12.5") for n in range(1, 251)))
    first = await cli.run("submit", "--yes", blotter)
    assert first.code == 0, first
    assert "250 executions" in first.out
    assert "250 accepted" in first.out
    rows = [row for number in range(1, 251) for row in simulator.ledger.get(number)]
    assert Counter(row.quantity for row in rows) == {Decimal("12.5"): 249, Decimal(EXACT): 1}
    assert simulator.calls["batch"] == 3

    second = await cli.run("submit", "--yes", blotter)
    assert second.code == 0, second
    assert "ALREADY_ACCEPTED" in second.out
    assert "0 accepted now, 250 before" in second.out
    assert simulator.calls["batch"] == 3
    assert set(simulator.ledger.accepted_counts().values()) == {1}

    audit = await cli.run("audit")
    assert (audit.code, audit.err) == (0, "")
    assert "Clean. 250 executions" in audit.out


async def test_bad_lines_are_reported_and_good_ones_are_sent(cli: Cli, simulator: RunningSimulator) -> None:
    blotter = cli.write(
        order(1), order(2, "NaN"), order(3, destination="NYSE"), "4,P1", order(1), order(5, "1.123456789")
    )
    ended = await cli.run("submit", "--yes", blotter, "--errors", "bad.csv")
    assert ended.code == 1
    assert simulator.ledger.total == 1
    for expected in (
        "line 3, quantity: must be a finite number",
        "line 4, destination: must be one of ML, RBC, JPM, IB, INST, POSIT; got 'NYSE'",
        "line 5, line: must have 8 values, as the header has; it has 2",
        "line 6, order_id: must not repeat",
        "line 7, quantity: must have at most 8 decimals",
        "1 accepted, 5 bad lines",
    ):
        assert expected in ended.out
    rows = list(csv.DictReader((cli.folder / "bad.csv").read_text().splitlines()))
    assert [(row["line"], row["field"]) for row in rows] == [
        ("3", "quantity"),
        ("4", "destination"),
        ("5", "line"),
        ("6", "order_id"),
        ("7", "quantity"),
    ]


async def test_an_order_id_of_another_trade_is_a_bad_line(cli: Cli, simulator: RunningSimulator) -> None:
    assert (await cli.run("submit", "--yes", cli.write(order(1)))).code == 0
    ended = await cli.run("submit", "--yes", cli.write(order(1, "200"), order(2)))
    assert ended.code == 1
    assert "line 2, order_id: 1 is taken by an order with another quantity" in ended.out
    assert simulator.ledger.total == 2


async def test_strict_sends_all_or_nothing(cli: Cli, simulator: RunningSimulator, database: Database) -> None:
    refused = await cli.run("submit", "--yes", "--strict", cli.write(order(1), order(2, "0")))
    assert refused.code == 1
    assert "Nothing was sent" in refused.out
    assert await count(database, "SELECT count(*) FROM trade_order") == 0
    good = (cli.folder / cli.write(order(1), order(2))).read_bytes()
    sent = await cli.run("submit", "--yes", "--strict", "-", stdin=good)
    assert sent.code == 0, sent
    assert simulator.ledger.total == 2


async def test_a_dry_run_reports_and_writes_nothing(
    cli: Cli, simulator: RunningSimulator, database: Database
) -> None:
    assert (await cli.run("submit", "--yes", cli.write(order(1), order(2)))).code == 0
    dry = await cli.run("submit", "--dry-run", cli.write(order(1), order(2, "3"), order(3), order(4, "x")))
    assert dry.code == 1
    assert "1 new orders, 0 known ones with something left to send, 1 known ones sent before" in dry.out
    assert "2 bad lines" in dry.out
    assert "is taken by an order with another quantity" in dry.out
    assert await count(database, "SELECT count(*) FROM trade_order") == 2
    assert simulator.ledger.total == 2
    assert (await cli.run("submit", "--dry-run", cli.write(order(3)))).code == 0


async def test_refused_executions_are_counted_by_code(cli: Cli, simulator: RunningSimulator) -> None:
    simulator.script(["item_fail_permanent:1"])
    ended = await cli.run("submit", "--yes", cli.write(order(1), order(2), order(3)))
    assert ended.code == 1
    assert "FAILED" in ended.out
    assert "2 accepted, 1 failed" in ended.out
    audit = await cli.run("audit")
    assert audit.code == 0, audit
    assert "1 rejected" in audit.out


async def test_an_unreachable_service_leaves_executions_pending_for_the_next_run(
    cli: Cli, simulator: RunningSimulator
) -> None:
    blotter = cli.write(order(1), order(2))
    elsewhere = cli.under(EXECUTION_SERVICE_BASE_URL="http://127.0.0.1:9")
    away = await elsewhere.run("submit", "--yes", blotter, "--wait-s", "0.3", "--wait-for-service")
    assert away.code == 1
    assert "2 pending" in away.out
    assert "nothing sends them once this command has ended" in away.out
    assert (await cli.run("submit", "--yes", blotter)).code == 0
    assert simulator.ledger.accepted_counts() == {1: 1, 2: 1}


async def test_all_new_submits_what_was_never_submitted(
    cli: Cli, simulator: RunningSimulator, database: Database
) -> None:
    await run_sql(
        database,
        "INSERT INTO trade_order (order_id, portfolio_id, order_type, security_id, quantity,"
        " quantity_sent, submitted) SELECT n, 'P', 'BUY', 'IBM', 10, 10, true"
        " FROM generate_series(1, 1203) n",
    )
    await run_sql(
        database,
        "INSERT INTO execution (execution_status_id, trade_type_id, trade_order_id, destination_id,"
        " quantity_ordered, quantity_placed, submission_state)"
        " SELECT 1, 1, id, 1, 10, 0, 'none' FROM trade_order",
    )
    ended = await cli.run("submit", "--yes", "--all-new")
    assert ended.code == 0, ended
    assert "1,203 executions" in ended.out
    assert simulator.ledger.total == 1203
    again = await cli.run("submit", "--yes", "--all-new")
    assert (again.code, simulator.ledger.total) == (0, 1203)
    assert "nothing to submit" in again.out


async def test_after_a_kill_the_next_run_continues_without_duplicates(
    cli: Cli, simulator: RunningSimulator
) -> None:
    blotter = cli.write(*(order(n) for n in range(1, 601)))
    simulator.hold(committed=True)
    async with await cli.start("submit", "--yes", blotter) as running:
        await simulator.calls_reached(2)
        running.send(signal.SIGKILL)
        await running.process.wait()
    simulator.release()
    assert 0 < simulator.ledger.total < 600
    again = await cli.run("submit", "--yes", blotter)
    assert again.code == 0, again
    assert "600 executions in" in again.out
    # Ids of an aborted transaction are never used again, so there are gaps.
    assert len(simulator.ledger.accepted_counts()) == simulator.ledger.total == 600
    audit = await cli.run("audit")
    assert audit.code == 0, audit


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
async def test_a_signal_hands_over_the_work(
    cli: Cli, simulator: RunningSimulator, number: signal.Signals, code: int
) -> None:
    blotter = cli.write(*(order(n) for n in range(1, 901)))
    simulator.hold()
    async with await cli.start("submit", "--yes", blotter) as running:
        await simulator.calls_reached(1)
        running.send(number)
        await asyncio.sleep(0)
        simulator.release()
        ended = await running.ended()
    assert ended.code == code, ended
    assert "Traceback" not in ended.err
    assert "Nothing is lost" in ended.err
    again = await cli.run("submit", "--yes", blotter)
    assert again.code == 0, again
    assert len(simulator.ledger.accepted_counts()) == simulator.ledger.total == 900


async def test_a_file_without_its_columns_is_reported_in_one_line(cli: Cli) -> None:
    (cli.folder / "headless.csv").write_text("order_id\n1\n")
    ended = await cli.run("submit", "--yes", "headless.csv")
    assert ended.code == 2
    assert "headless.csv cannot be read: it has no column portfolio_id" in ended.complaint


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["nowhere.csv"], "nowhere.csv: No such file or directory"),
        (["/"], "Is a directory"),
        ([], "Name a FILE"),
        (["a.csv", "--all-new"], "not both"),
        (["--all-new", "--strict"], "go with a FILE"),
        (["a.csv", "--wait-s", "soon"], "--wait-s"),
    ],
)
def test_wrong_arguments_are_reported_in_one_line(
    capsys: pytest.CaptureFixture[str], arguments: list[str], complaint: str
) -> None:
    assert run(["submit", *arguments]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("trade-service: ")
    assert complaint in line


async def test_a_long_pipe_is_read_as_it_comes(cli: Cli, simulator: RunningSimulator) -> None:
    lines = b"".join(f"{order(n)}\n".encode() for n in range(1, 2001))
    content = (cli.folder / cli.write()).read_bytes() + lines
    ended = await cli.run("submit", "--yes", "-", stdin=content)
    assert ended.code == 0, ended
    assert simulator.ledger.total == 2000


async def test_a_silent_pipe_does_not_keep_an_interrupted_command(cli: Cli) -> None:
    reading, writing = os.pipe()
    try:
        os.write(writing, (cli.folder / cli.write(order(1))).read_bytes())
        process = await asyncio.create_subprocess_exec(
            COMMAND, "submit", "-", "--yes",
            stdin=reading, stdout=PIPE, stderr=PIPE, cwd=cli.folder, env=cli.environment,
        )  # fmt: skip
        async with Running(process) as running:
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(process.wait(), 3.0)
            running.send(signal.SIGINT)
            ended = await running.ended()
    finally:
        os.close(reading)
        os.close(writing)
    assert ended.code == 130, ended
    assert "Traceback" not in ended.err
