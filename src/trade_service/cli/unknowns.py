"""`trade-service unknowns`: lists executions with an unknown outcome."""

import sys
from pathlib import Path

import msgspec
import rich_click as click
from rich.console import Console
from rich.text import Text

from trade_service.cli.interaction import age, as_operator, result_console, result_table
from trade_service.cli.running import config_option
from trade_service.submission.manual_resolution import waits_for
from trade_service.trading.history import Unknowns
from trade_service.trading.operating import MAX_LISTED

SOME = 1


@click.command()
@click.option(
    "--limit", default=100, show_default=True, type=click.IntRange(1, MAX_LISTED), help="Rows to show."
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of a table.")
@config_option
def unknowns(*, limit: int, as_json: bool, toml_path: Path | None) -> None:
    """List executions with an unknown outcome, the oldest first, and what each waits for.

    The service keeps reconciling them. If one stays, `show` it, ask the Execution Service's team, then `resolve`
    it. Exit code 0 if there are none, else 1.
    """
    found = as_operator(toml_path, lambda operators: operators.unknowns(limit))
    if as_json:
        rows = [{**msgspec.structs.asdict(case), "waits_for": waits_for(case)} for case in found.cases]
        text = msgspec.json.encode({"total": found.total, "unknowns": rows})
        click.echo(msgspec.json.format(text))
    else:
        _print(found, result_console())
    sys.exit(SOME if found.total else 0)


def _print(found: Unknowns, console: Console) -> None:
    if not found.total:
        console.print("No outcome is unknown.", style="bold green")
        return
    table = result_table(None, "execution>", "order id>", "open for>", "state", "since", "waits for")
    for case in found.cases:
        table.add_row(
            str(case.execution_id),
            str(case.order_id),
            age(case.open_s),
            case.state,
            Text(case.code or ""),
            Text(waits_for(case)),
        )
    console.print(table)
    shown = "" if len(found.cases) == found.total else f" (showing the oldest {len(found.cases):,})"
    console.print(f"{found.total:,} unknown{shown}.", style="bold yellow", highlight=False)
