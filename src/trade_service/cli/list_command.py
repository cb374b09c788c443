"""`trade-service list`: executions by state, code, order and time."""

from datetime import datetime
from pathlib import Path

import msgspec
import rich_click as click
from rich.text import Text

from trade_service.bootstrap.running import prepared_database
from trade_service.cli.execution_options import selecting_options, with_offset
from trade_service.cli.running import (
    config_option,
    json_option,
    print_json,
    result_console,
    result_table,
    run_on,
)
from trade_service.domain.executions import SubmissionState
from trade_service.domain.fields import shown_number
from trade_service.store.execution_list import listed_executions
from trade_service.trading.requeueing import Ended, RequeueFilter

MOST = 100_000
_STATES = sorted(state.value for state in SubmissionState)


@click.command(name="list")
@selecting_options(_STATES)
@click.option("--limit", default=100, show_default=True, type=click.IntRange(1, MOST), help="Rows to show.")
@json_option
@config_option
def list_executions(
    *, states: tuple[str, ...], codes: tuple[str, ...], since: datetime | None, until: datetime | None,
    orders: tuple[int, ...], destinations: tuple[str, ...], limit: int, as_json: bool, toml_path: Path | None,
) -> None:  # fmt: skip
    """List executions, the newest first: by state, code, order, destination and time of the last attempt."""
    wanted = RequeueFilter(
        tuple(SubmissionState(state) for state in states or _STATES),
        codes or None, with_offset(since), with_offset(until), orders or None, destinations or None,
    )  # fmt: skip
    found = run_on(
        prepared_database, toml_path, lambda database: listed_executions(database, wanted, limit + 1)
    )
    rows, more = found[:limit], len(found) > limit
    if as_json:
        print_json({"executions": [msgspec.structs.asdict(one) for one in rows], "more": more})
    else:
        _print(rows, more=more)


def _print(rows: list[Ended], *, more: bool) -> None:
    console = result_console()
    if not rows:
        console.print("No execution matches.", style="bold green")
        return
    table = result_table(
        None,
        "execution>",
        "order id>",
        "quantity>",
        "security",
        "destination",
        "state",
        "code",
        "last attempt",
    )
    for one in rows:
        at = "-" if one.last_tried is None else one.last_tried.astimezone().isoformat(" ", "seconds")
        ids = str(one.execution_id), str(one.order_id), shown_number(one.quantity)
        table.add_row(*ids, Text(one.security_id), one.destination, one.state, Text(one.code), at)
    console.print(table)
    console.print(f"{len(rows):,} executions{', and more: see --limit' if more else ''}.")
