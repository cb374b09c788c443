"""What a submission will do, in memory that does not grow with it."""

import heapq
from collections.abc import Collection, Iterable
from decimal import Decimal

import msgspec

from trade_service.blotter.order_limits import OrderLimits, order_value
from trade_service.domain.errors import DomainError
from trade_service.domain.fields import ZERO
from trade_service.domain.reference import ReferenceData
from trade_service.trading.model import BlotterLine

LARGEST = 10
_MOST_GROUPS = 10_000
_MOST_COMPARED = 500_000
_OTHERS = "(others)"


class SeenLine(msgspec.Struct, frozen=True):
    """What placing one line of a blotter would do."""

    is_new: bool
    to_send: bool
    error: DomainError | None = None
    was_refused: bool = False
    """Executions of it were rejected or exhausted."""


class UnsentGroup(msgspec.Struct, frozen=True):
    """Executions that no attempt ever owned, of one side, destination and portfolio."""

    order_type: str
    destination: str
    portfolio_id: str
    executions: int
    quantity: Decimal
    value: Decimal
    unpriced: int
    """Of `executions`: those without a limit price, and so without a value."""
    over_limits: int
    """Executions beyond the limits, which the other counts leave out."""
    value_of_all: Decimal
    """Of all groups, those beyond the 10,000 largest included."""


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
