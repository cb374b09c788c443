"""The options that select executions, for `list` and `requeue`."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any

import rich_click as click

from trade_service.cli.running import options

MOMENT = click.DateTime(["%Y-%m-%dT%H:%M:%S%z", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%d"])


def selecting_options(states: Sequence[str]) -> Callable[..., Any]:
    """Options by state (one of these), code, time, order and destination."""
    return options(
        click.option(
            "--state", "states", multiple=True, type=click.Choice(list(states)),
            help="Only executions in this state; repeatable.",
        ),
        click.option(
            "--code", "codes", multiple=True,
            help="Only executions that ended with this code (see `show`); repeatable.",
        ),
        click.option(
            "--since", type=MOMENT, metavar="TIME",
            help="Only last attempts at this time or later: 2026-03-02T08:00:00; UTC unless it has an offset.",
        ),
        click.option("--until", type=MOMENT, metavar="TIME", help="Only last attempts before this time."),
        click.option(
            "--order", "orders", multiple=True, type=int, help="Only the order with this order id; repeatable."
        ),
        click.option("--destination", "destinations", multiple=True, help="Only this destination; repeatable."),
    )  # fmt: skip


def with_offset(moment: datetime | None) -> datetime | None:
    """The moment, in UTC where it has no offset."""
    return moment if moment is None or moment.tzinfo is not None else moment.replace(tzinfo=UTC)
