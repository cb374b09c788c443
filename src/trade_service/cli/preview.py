"""What a submission will do, shown before anything is sent."""

import heapq
from collections.abc import Callable, Collection, Iterable, Mapping
from decimal import Decimal

import msgspec
from rich.console import Console
from rich.text import Text

from trade_service.blotter.order_limits import OrderLimits, order_value, unpriced_warning
from trade_service.cli.running import result_table
from trade_service.domain.fields import ZERO, shown_number
from trade_service.domain.reference import ReferenceData
from trade_service.store.known_orders import SeenLine, UnsentGroup
from trade_service.trading.model import BlotterLine

LARGEST = 10
SHOWN_GROUPS = 10
_MOST_GROUPS = 10_000
_MOST_COMPARED = 500_000
_OTHERS = "(others)"


class Sum(msgspec.Struct):
    """Orders that have something in common."""

    orders: int = 0
    quantity: Decimal = ZERO
    value: Decimal = ZERO
    """Quantity times limit price, of the orders that have one."""

    def add(self, orders: int, quantity: Decimal, value: Decimal) -> None:
        self.orders += orders
        self.quantity += quantity
        self.value += value


class LargeOrder(msgspec.Struct, frozen=True, order=True):
    """One of the largest orders."""

    value: Decimal
    quantity: Decimal
    line: int
    order_id: int
    order_type: str
    security_id: str


class Preview:
    """Collects what would be sent, in memory that does not grow with it."""

    def __init__(
        self, reference: ReferenceData, trade_types: Collection[str], limits: OrderLimits, unit: str = "line"
    ) -> None:
        """`unit` is what the file calls its rows: line or row."""
        self._destinations = reference.destinations
        self._trade_types = trade_types
        self.limits = limits
        self.unit = unit
        self.unpriced = 0
        """Orders to be sent without a limit price, and so without a value."""
        self.over_limits = 0
        """Executions that were never submitted and exceed a limit: they are left out."""
        self.not_taken = 0
        """Executions with a side that the Execution Service refuses; such lines of a file are bad lines."""
        self.new = 0
        self.rest = 0
        """Known orders of which something is left to send."""
        self.done = 0
        self.refused_before = 0
        """Of `rest`: those whose executions were rejected or exhausted."""
        self.total = Sum()
        self.by_side: dict[str, Sum] = {}
        self.by_destination: dict[str, Sum] = {}
        self.by_portfolio: dict[str, Sum] = {}
        self.largest: list[LargeOrder] = []
        self.alike = 0
        """Orders to be sent that equal an earlier one in all but the order id."""
        self.first_alike: tuple[int, int] | None = None
        self._seen: dict[int, int] = {}

    @property
    def to_send(self) -> int:
        """How many orders would be sent."""
        return self.new + self.rest

    def add(self, line: BlotterLine, seen: SeenLine) -> None:
        """Counts a good line."""
        self.new += seen.is_new
        self.done += not seen.is_new and not seen.to_send
        self.rest += not seen.is_new and seen.to_send
        self.refused_before += seen.to_send and seen.was_refused
        if not seen.to_send:
            return
        order, value = line.order, order_value(line.order)
        destination = self._destinations[line.destination_id].abbreviation
        names = (order.order_type, destination, order.portfolio_id)
        self.total.add(1, order.quantity, value)
        self.unpriced += order.limit_price is None
        for groups, name in zip((self.by_side, self.by_destination, self.by_portfolio), names, strict=True):
            key = name if name in groups or len(groups) < _MOST_GROUPS else _OTHERS
            groups.setdefault(key, Sum()).add(1, order.quantity, value)
        large = LargeOrder(
            value, order.quantity, line.line, order.order_id, order.order_type, order.security_id
        )
        if len(self.largest) < LARGEST:
            heapq.heappush(self.largest, large)
        else:
            heapq.heappushpop(self.largest, large)
        self._compare(hash((*names, order.security_id, order.quantity, order.limit_price)), line.line)

    def _compare(self, key: int, line: int) -> None:
        earlier = self._seen.get(key)
        if earlier is not None:
            self.alike += 1
            self.first_alike = self.first_alike or (earlier, line)
        elif len(self._seen) < _MOST_COMPARED:
            self._seen[key] = line

    def add_unsent(self, groups: Iterable[UnsentGroup]) -> None:
        """Counts executions that were never submitted."""
        for group in groups:
            self.over_limits += group.over_limits
            if not group.executions:
                continue
            self.rest += group.executions
            self.unpriced += group.unpriced
            self.not_taken += group.executions if group.order_type not in self._trade_types else 0
            self.total.add(group.executions, group.quantity, group.value)
            sums = ((self.by_side, group.order_type), (self.by_destination, group.destination))
            for target, name in (*sums, (self.by_portfolio, group.portfolio_id)):
                target.setdefault(name, Sum()).add(group.executions, group.quantity, group.value)

    def as_json(self) -> dict[str, object]:
        """For programs."""
        return {
            "to_send": self.to_send, "new": self.new, "rest": self.rest, "sent_before": self.done,
            "refused_before": self.refused_before, "total": self.total, "by_side": self.by_side,
            "by_destination": self.by_destination, "by_portfolio": self.by_portfolio,
            "largest": sorted(self.largest, reverse=True), "alike": self.alike,
            "not_taken": self.not_taken, "without_value": self.unpriced, "over_limits": self.over_limits,
        }  # fmt: skip


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
