"""What the commands of operators share: who acts and why, ages, a yes."""

import getpass
import sys
from collections.abc import Callable
from typing import Any

import rich_click as click

from trade_service.cli.command_error import CommandError

MINUTE_S = 60
HOUR_S = 3600
DAY_S = 86_400
NOT_DONE = 1

reason_option = click.option("--reason", default="", help="Why; needed, and kept as evidence.")
yes_option = click.option("--yes", is_flag=True, help="Do not ask.")


def operator_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """`--operator`, by default the user who runs the command."""
    return click.option(
        "--operator", default=_user, help="Who you are; kept as evidence. [default: your user name]"
    )(command)


def confirmed(question: str, *, yes: bool) -> bool:
    """Whether to go on: asks, unless `yes`. Raises CommandError where nobody can be asked."""
    if yes:
        return True
    if not sys.stdin.isatty():
        raise CommandError("nobody is there to be asked: look at what is said above, then give --yes")
    return click.confirm(question)


def age(seconds: float | None) -> str:
    """A duration in its largest unit, such as 3 h."""
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
