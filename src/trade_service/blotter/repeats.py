"""Repeated order ids in one file: equal rows are one order, contradicting rows are all refused."""

from collections.abc import Iterable, Mapping
from typing import Protocol

import msgspec

from trade_service.blotter.file_refusals import FileRefused
from trade_service.blotter.records import Layout, OrderRecord, RefusedRow
from trade_service.domain.orders import NewTradeOrder
from trade_service.domain.seen_ids import SeenIds

MOST_REPEATED = 50_000
"""Maximum number of order ids that may repeat in one file; the first row of each is kept for comparison."""
_COMPARED = tuple(name for name in NewTradeOrder.__struct_fields__ if name != "order_id")
_CONTRADICTS = "must not repeat in contradicting rows, so none is sent"


class RepeatRules(Protocol):
    """Decides which rows of an order id are sent."""

    def rule_of(self, row: OrderRecord) -> str | None:
        """The rule that a row breaks by repeating another; None if it is sent. Raises FileRefused."""

    def add_refused(self, row: RefusedRow) -> None:
        """Notes a row that is refused for another reason: it may contradict a good one."""


class FirstRows:
    """Refuses every row whose order id an earlier one has; `repeated` are those ids.

    For the first reading of a file, or the only one: it cannot refuse the earlier row.
    """

    def __init__(self) -> None:
        self._seen = SeenIds()
        self.repeated: set[int] = set()

    def rule_of(self, row: OrderRecord) -> str | None:
        return None if self._is_first(row.order.order_id) else "must not repeat: an earlier row has it"

    def add_refused(self, row: RefusedRow) -> None:
        if row.order_id is not None:
            self._is_first(row.order_id)

    def _is_first(self, order_id: int) -> bool:
        if self._seen.add(order_id):
            return True
        self.repeated.add(order_id)
        if len(self.repeated) > MOST_REPEATED:
            raise FileRefused(
                f"more than {MOST_REPEATED:,} of its order ids repeat: were several files joined?"
            )
        return False


class _Rows(msgspec.Struct):
    """All rows of one order id: the first, and the first that contradicts it."""

    line: int
    order: NewTradeOrder | None
    """None if the row is refused for another reason."""
    destination_id: int = 0
    other_line: int | None = None
    how: str = ""

    def difference(self, row: OrderRecord, columns: Mapping[str, str]) -> str:
        """How a row differs from the first one; empty if it does not."""
        if self.order is None:
            return "is refused"
        names = [name for name in _COMPARED if getattr(self.order, name) != getattr(row.order, name)]
        names += ["destination"] if row.destination_id != self.destination_id else []
        return f"has another {', '.join(columns.get(name, name) for name in names)}" if names else ""


class ComparedRows:
    """Compares all rows of the order ids that repeat, in the second reading of a file; decides in the third.

    Args:
        repeated: The ids that `FirstRows` found.
        layout: How the file calls its rows and columns.
    """

    def __init__(self, repeated: Iterable[int], layout: Layout) -> None:
        self._rows: dict[int, _Rows | None] = dict.fromkeys(repeated)
        self._layout = layout
        self.is_complete = not self._rows
        """Set once all rows have been compared."""

    def rule_of(self, row: OrderRecord) -> str | None:
        order_id = row.order.order_id
        if order_id not in self._rows:
            return None
        rows = self._rows[order_id]
        if rows is None:
            rows = self._rows[order_id] = _Rows(row.line, row.order, row.destination_id)
        difference = rows.difference(row, self._layout.fields)
        if not self.is_complete:
            if difference:
                self._contradict(rows, row.line, difference)
            return "is compared with others"
        unit = self._layout.unit
        if rows.other_line is not None:
            other = f"{rows.line} {difference}" if difference else f"{rows.other_line} {rows.how}"
            return f"{_CONTRADICTS}: {unit} {other}"
        is_sent = row.line == rows.line
        return (
            None if is_sent else f"must not repeat: {unit} {rows.line} is the same order, which is sent once"
        )

    def add_refused(self, row: RefusedRow) -> None:
        order_id = row.order_id
        if order_id is None or order_id not in self._rows or self.is_complete:
            return
        rows = self._rows[order_id]
        if rows is None:
            self._rows[order_id] = _Rows(row.line, None)
        elif row.line != rows.line:
            self._contradict(rows, row.line, "is refused")

    def _contradict(self, rows: _Rows, line: int, how: str) -> None:
        if rows.other_line is None:
            rows.other_line, rows.how = line, how
