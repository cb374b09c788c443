"""`trade-service submit` sends nothing that was not meant: contradicting rows, limits, a ledger in doubt."""

import csv
import json
import time

import pytest

from execution_simulator.server import RunningSimulator
from tests.blotters.workbooks import xlsx
from tests.e2e.command import Cli, order
from tests.e2e.terminal import in_terminal
from tests.support.leftovers import passable_folder
from tests.support.trading import run_sql, value_of
from trade_service.store.database import Database

NOT_SENT = "must not repeat in contradicting rows, so none is sent"


@pytest.mark.parametrize("way", ["file", "pipe", "preview"])
async def test_rows_that_contradict_each_other_are_both_refused(
    cli: Cli, simulator: RunningSimulator, way: str
) -> None:
    blotter = cli.write(order(1), order(2), order(1, destination="JPM"), order(2), order(3))
    if way == "preview":
        ended = await cli.run("submit", "--dry-run", "--rejects", "rejects.csv", blotter)
        assert "2 new orders" in ended.out
    else:
        content = (cli.folder / blotter).read_bytes()
        name, stdin = (blotter, None) if way == "file" else ("-", content)
        ended = await cli.run("submit", "--yes", "--rejects", "rejects.csv", name, stdin=stdin)
        assert "2 accepted, 3 bad lines" in ended.out
        assert simulator.ledger.total == 2
    assert ended.code == 1, ended
    assert f"line 2, order_id: {NOT_SENT}: line 4 has another destination; got '1'" in ended.out
    assert f"line 4, order_id: {NOT_SENT}: line 2 has another destination; got '1'" in ended.out
    assert "line 5, order_id: must not repeat: line 3 is the same order, which is sent once" in ended.out
    rows = list(csv.DictReader((cli.folder / "rejects.csv").read_text().splitlines()))
    assert sorted((row["result_line"], row["result_code"]) for row in rows) == [
        ("2", "BAD_LINE"),
        ("4", "BAD_LINE"),
        ("5", "BAD_LINE"),
    ]


async def test_an_order_of_an_earlier_run_is_reported_in_the_words_of_the_file(cli: Cli) -> None:
    assert (await cli.run("submit", "--yes", cli.write(order(1), order(2)))).code == 0
    header = ("Order Id", "Account", "Side", "Symbol", "Qty", "Limit Price", "Destination")
    rows = [(1, "P1", "BUY", "AAPL", 7, 190.25, "ML"), (2, "P1", "BUY", "AAPL", 100, 191, "ML")]
    (cli.folder / "book.xlsx").write_bytes(xlsx({"Orders": [header, *rows]}))
    for arguments in (("--dry-run",), ("--yes",)):
        ended = await cli.run("submit", "book.xlsx", *arguments, "--results", "results.csv")
        assert ended.code == 1, ended
        assert "row 2, Order Id: 1 is taken by an order with another Qty; got '1'" in ended.out
        assert "row 3, Order Id: 2 is taken by an order with another Limit Price; got '2'" in ended.out
        assert "2 bad rows" in ended.out
        results = (cli.folder / "results.csv").read_text()
        assert "Order Id: 1 is taken by an order with another Qty" in results
        assert "orderId" not in results


async def test_orders_without_a_price_are_counted_and_refused_if_told_so(
    cli: Cli, simulator: RunningSimulator
) -> None:
    limited = cli.under(TRADE_SERVICE_BLOTTER_MAX_BATCH_VALUE="100000")
    blotter = cli.write(order(1), "2,P1,BUY,AAPL,1000000000,,EQ,ML")
    words = "1 orders have no limit price, and so no value"
    assert f"{words}: the values leave them out." in (await cli.run("submit", "--dry-run", blotter)).out
    seen = await limited.run("submit", "--dry-run", blotter)
    assert f"{words}: blotter.max_order_value and blotter.max_batch_value do not bind them" in seen.out
    assert json.loads((await limited.run("submit", "--dry-run", "--json", blotter)).out)["without_value"] == 1
    strict = limited.under(TRADE_SERVICE_BLOTTER_REQUIRE_LIMIT_PRICE="true")
    refused = await strict.run("submit", "--yes", blotter)
    assert "line 3, limit_price: must be given (blotter.require_limit_price); got nothing" in refused.out
    assert (refused.code, simulator.ledger.total) == (1, 1)
    sent = await limited.run("submit", "--yes", blotter)
    assert sent.code == 0, sent
    assert f"warning: {words}: blotter.max_order_value" in sent.err


NEW_ORDERS = (
    "INSERT INTO trade_order (order_id, portfolio_id, order_type, security_id, quantity, limit_price,"
    " quantity_sent, submitted) SELECT n, 'P', 'BUY', 'IBM', n, nullif(n, 4), n, true"
    " FROM generate_series(1, 10) n"
)
NEW_EXECUTIONS = (
    "INSERT INTO execution (execution_status_id, trade_type_id, trade_order_id, destination_id, quantity_ordered,"
    " limit_price, quantity_placed, submission_state) SELECT 1, 1, id, 1, quantity, limit_price, 0, 'none'"
    " FROM trade_order"
)


async def test_limits_bind_for_executions_that_were_never_submitted(
    cli: Cli, simulator: RunningSimulator, database: Database
) -> None:
    """Quantities 1 to 10 at limit prices of 1 to 10; the fourth has none."""
    await run_sql(database, NEW_ORDERS)
    await run_sql(database, NEW_EXECUTIONS)
    beyond = await cli.under(TRADE_SERVICE_BLOTTER_MAX_BATCH_VALUE="368").run("submit", "--all-new", "--yes")
    assert beyond.code == 2, beyond
    assert "worth more than 368 together (blotter.max_batch_value)" in beyond.complaint
    assert simulator.ledger.total == 0
    limited = cli.under(
        TRADE_SERVICE_BLOTTER_MAX_ORDER_QUANTITY="8",
        TRADE_SERVICE_BLOTTER_MAX_ORDER_VALUE="49",
        TRADE_SERVICE_BLOTTER_REQUIRE_LIMIT_PRICE="true",
        TRADE_SERVICE_BLOTTER_MAX_BATCH_VALUE="124",
    )
    preview = await limited.run("submit", "--all-new", "--dry-run")
    assert preview.code == 1, preview
    assert "4 executions exceed a limit" in preview.out
    ended = await limited.run("submit", "--all-new", "--yes")
    assert ended.code == 1, ended
    assert "6 accepted, 4 left out, beyond a limit" in ended.out
    sent = "SELECT string_agg(quantity_ordered::int::text, ' ' ORDER BY id) FROM execution"
    assert await value_of(database, f"{sent} WHERE submission_state = 'accepted'") == "1 2 3 5 6 7"


@pytest.mark.parametrize("insists", [(), ("--wait-for-service",)])
async def test_a_blocked_ledger_is_named_with_the_command_that_settles_it(
    cli: Cli, simulator: RunningSimulator, database: Database, insists: tuple[str, ...]
) -> None:
    reason = "it was restored from a backup: run `trade-service recover`"
    await run_sql(database, f"UPDATE downstream SET blocked_at = now(), blocked_reason = '{reason}'")
    began = time.monotonic()
    ended = await cli.run("submit", "--yes", cli.write(order(1)), *insists)
    assert ended.code == 2, ended
    assert ended.complaint.endswith(f"nothing was sent: {reason}")
    assert time.monotonic() - began < 7, "five seconds, and the start of the process"
    assert await value_of(database, "SELECT count(*) FROM trade_order") == 0
    assert simulator.ledger.total == 0


@pytest.mark.parametrize("obstacle", ["blocked", "unauthorized"])
async def test_what_only_a_person_can_settle_ends_a_command_under_way(
    cli: Cli, simulator: RunningSimulator, database: Database, obstacle: str
) -> None:
    blotter = cli.write(*(order(n) for n in range(1, 1201)))
    if obstacle == "blocked":
        words = "run `trade-service recover`"
        simulator.hold()
    else:
        words = "rejects every call"
        simulator.script(["unauthorized_401"] * 1000)
    began = time.monotonic()
    async with await cli.start("submit", "--yes", blotter, "--results", "results.csv") as running:
        await simulator.calls_reached(1)
        if obstacle == "blocked":
            await run_sql(database, f"UPDATE downstream SET blocked_at = now(), blocked_reason = '{words}'")
            simulator.release()
        ended = await running.ended()
    assert ended.code == 1, ended
    assert words in ended.err.splitlines()[-1]
    assert "Nothing is lost" in ended.err
    assert time.monotonic() - began < 30
    rows = list(csv.DictReader((cli.folder / "results.csv").read_text().splitlines()))
    assert {row["result_state"] for row in rows} <= {"accepted", "queued"}
    accepted = sum(row["result_state"] == "accepted" for row in rows)
    assert accepted <= simulator.ledger.total < 1200, "what was claimed already, and no more"


async def test_an_embedded_database_that_must_start_is_said_before_it_is_waited_for(bare_cli: Cli) -> None:
    with passable_folder("look") as folder:
        settings = {"TRADE_SERVICE_DATABASE_DATA_DIR": str(folder / "data")}
        away = bare_cli.under(EXECUTION_SERVICE_BASE_URL="http://10.255.255.1:9", **settings)
        began = time.monotonic()
        ended = await away.run("submit", "--yes", bare_cli.write(order(1)))
        assert time.monotonic() - began < 7, "five seconds, and the start of the process"
        assert ended.code == 2, ended
        first, second = ended.err.splitlines()
        assert first == f"trade-service: starting the embedded PostgreSQL in {folder}/data ..."
        assert "is away" in second
        assert not (folder / "data").exists()


async def test_a_file_that_changes_after_it_was_shown_is_not_sent(
    cli: Cli, simulator: RunningSimulator
) -> None:
    blotter = cli.write(order(1))

    def change() -> str:
        cli.write(order(1), order(2))
        return "y\n"

    ended = await in_terminal(cli, ["submit", blotter], 80, {"Send these 1 orders?": change})
    assert ended.code == 2, ended
    assert "it changed after it was checked" in ended.out
    assert simulator.ledger.total == 0
