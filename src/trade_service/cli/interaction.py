"""What commands share that print tables, ask the user, or act for an operator."""

import getpass
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, TypeVar

import rich_click as click
from rich.console import Console
from rich.table import Table

from trade_service.bootstrap.running import operating
from trade_service.cli.running import CommandError, run_until_done, say, settings_for
from trade_service.trading.operating import OperatorService

T = TypeVar("T")

WIDTH_WITHOUT_TERMINAL = 140
MINUTE_S = 60
HOUR_S = 3600
DAY_S = 86_400
NOT_DONE = 1

reason_option = click.option("--reason", default="", help="Reason (required; stored in the audit trail).")
yes_option = click.option("--yes", is_flag=True, help="Do not ask for confirmation.")


def operator_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """`--operator`, by default the user who runs the command."""
    return click.option(
        "--operator", default=_user, help="Your name, stored in the audit trail.  [default: your user name]"
    )(command)


def as_operator(toml_path: Path | None, work: Callable[[OperatorService], Awaitable[T]]) -> T:
    """Runs an operator's work on the database of the settings, whether or not the service is running."""
    settings = settings_for(toml_path)

    async def run() -> T:
        async with operating(settings, say) as operators:
            return await work(operators)

    return run_until_done(run)


def result_console() -> Console:
    """Standard output; without a terminal, as wide as the tables need."""
    console = Console()
    return console if console.is_terminal else Console(width=WIDTH_WITHOUT_TERMINAL)


def result_table(title: str | None, *columns: str) -> Table:
    """A table without borders. A column whose name ends in ">" is aligned right; the others wrap."""
    table = Table(title=title, title_justify="left", show_edge=False, pad_edge=False)
    for name in columns:
        right = name.endswith(">")
        table.add_column(
            name.removesuffix(">"),
            justify="right" if right else "left",
            overflow="ellipsis" if right else "fold",
        )
    return table


def confirmed(question: str, *, yes: bool) -> bool:
    """Whether to go on: asks, unless `yes`. Raises CommandError without a terminal."""
    if yes:
        return True
    if not sys.stdin.isatty():
        raise CommandError("there is no terminal to ask on: check the output above, then give --yes")
    return click.confirm(question)


def age(seconds: float | None) -> str:
    """A duration in its largest unit, such as 3.0 h."""
    if seconds is None:
        return "-"
    for unit, size in (("d", DAY_S), ("h", HOUR_S), ("min", MINUTE_S)):
        if seconds >= size:
            return f"{seconds / size:.1f} {unit}"
    return f"{max(0.0, seconds):.0f} s"


def _user() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError):
        return ""
