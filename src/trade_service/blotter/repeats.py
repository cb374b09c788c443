"""Finds an order id that a file has twice, and says how the two orders differ."""

from trade_service.blotter.records import OrderRecord
from trade_service.domain.orders import NewTradeOrder
from trade_service.domain.seen_ids import SeenIds

REMEMBERED = 20_000
"""Orders whose values are kept for comparison; of the others, the ids alone."""
_COMPARED = tuple(name for name in NewTradeOrder.__struct_fields__ if name != "order_id")


class Repeats:
    """The order ids of a file."""

    def __init__(self) -> None:
        self._seen = SeenIds()
        self._first: dict[int, tuple[int, NewTradeOrder, int]] = {}
        """The line, order and destination of each id."""

    def add(self, found: OrderRecord) -> str | None:
        """Adds an order; returns the broken rule if its id was there already."""
        order_id = found.order.order_id
        if self._seen.add(order_id):
            if len(self._first) < REMEMBERED:
                self._first[order_id] = found.line, found.order, found.destination_id
            return None
        first = self._first.get(order_id)
        rule = "must not repeat: the file has it already"
        if first is None:
            return rule
        line, order, destination_id = first
        different = [name for name in _COMPARED if getattr(order, name) != getattr(found.order, name)]
        if destination_id != found.destination_id:
            different.append("destination")
        how = f"with another {', '.join(different)}" if different else "with the same values"
        return f"{rule} at {line}, {how}"
