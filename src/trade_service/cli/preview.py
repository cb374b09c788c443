"""What a submission will do, shown before anything is sent."""

from collections.abc import Callable, Mapping
from decimal import Decimal

from rich.console import Console
from rich.text import Text

from trade_service.blotter.order_limits import unpriced_warning
from trade_service.cli.running import result_table
from trade_service.domain.fields import shown_number
from trade_service.trading.blotter_preview import Preview, Sum

SHOWN_GROUPS = 10


def print_preview(preview: Preview, what: str, console: Console) -> None:
    """Prints tables of what would be sent; no table if there is nothing."""
    if preview.over_limits:
        console.print(
            f"{preview.over_limits:,} executions exceed a limit (blotter.max_order_quantity, "
            "blotter.max_order_value or blotter.require_limit_price) and are left out.",
            style="bold red",
            soft_wrap=True,
        )
    if not preview.to_send:
        return
    table = result_table("To be sent", "", f"{what}>", "quantity>", "value>")
    for title, groups in (
        ("side", preview.by_side),
        ("destination", preview.by_destination),
        ("portfolio", preview.by_portfolio),
    ):
        _add_groups(table.add_row, title, groups)
    table.add_row("all", *_cells(preview.total), style="bold")
    console.print(table)
    if preview.largest:
        table = result_table(
            "The largest", f"{preview.unit}>", "order id>", "side", "security", "quantity>", "value>"
        )
        for one in sorted(preview.largest, reverse=True):
            ids = str(one.line), str(one.order_id)
            table.add_row(
                *ids, one.order_type, Text(one.security_id), _grouped(one.quantity), _grouped(one.value)
            )
        console.print(table)
    _print_doubts(preview, what, console)


def _print_doubts(preview: Preview, what: str, console: Console) -> None:
    if preview.first_alike is not None:
        first, second = preview.first_alike
        console.print(
            f"{preview.alike:,} orders equal an earlier one in all but the order id, such as {preview.unit}s "
            f"{first} and {second}: sent twice?",
            style="bold yellow",
            soft_wrap=True,
        )
    if preview.unpriced:
        warning = unpriced_warning(preview.unpriced, preview.limits)
        console.print(
            f"{warning}.", style="bold yellow" if preview.limits.bound_values else "dim", soft_wrap=True
        )
    if preview.not_taken:
        console.print(
            f"{preview.not_taken:,} {what} have a side that the Execution Service refuses.",
            style="bold yellow",
            soft_wrap=True,
        )
    if preview.refused_before:
        console.print(
            f"{preview.refused_before:,} of these orders were refused before and would be sent again; "
            "--skip-rejected leaves them out.",
            style="yellow",
            soft_wrap=True,
        )


def _add_groups(add_row: Callable[..., None], title: str, groups: Mapping[str, Sum]) -> None:
    ordered = sorted(groups.items(), key=lambda pair: (-pair[1].value, -pair[1].orders, pair[0]))
    for name, one in ordered[:SHOWN_GROUPS]:
        add_row(Text(f"{title} {name}"), *_cells(one))
    if len(ordered) > SHOWN_GROUPS:
        rest = Sum()
        for _, one in ordered[SHOWN_GROUPS:]:
            rest.add(one.orders, one.quantity, one.value)
        add_row(f"{title}: {len(ordered) - SHOWN_GROUPS:,} more", *_cells(rest))


def _cells(one: Sum) -> tuple[str, str, str]:
    return f"{one.orders:,}", _grouped(one.quantity), _grouped(one.value)


def _grouped(number: Decimal) -> str:
    whole, point, decimals = shown_number(number).partition(".")
    return f"{int(whole):,}{point}{decimals}" if whole.lstrip("-").isdigit() else shown_number(number)
