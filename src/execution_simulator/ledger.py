"""The ledger of accepted executions: columns of machine integers, about 50 bytes per execution."""

from array import array
from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Final

from msgspec import Struct

from execution_simulator.columns import Amounts, from_e8
from execution_simulator.payloads import ExecutionPost

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)
_NULL: Final = -(2**63)
_NOT_FILLED: Final = Decimal(0)

VersionOf = Callable[[ExecutionPost, bool], int]
"""The version of a new row, given the request and whether it was sent singly."""


class VersionConflictError(Exception):
    """A fill's version differs from the stored one."""


class Entry(Struct, frozen=True):
    """One row. ``filled``: it has a fill; ``singly``: it was sent to the endpoint for one execution."""

    id: int
    execution_status: str
    trade_type: str
    destination: str
    security_id: str
    quantity: Decimal
    limit_price: Decimal | None
    received_timestamp: datetime
    trade_service_execution_id: int | None
    quantity_filled: Decimal
    average_price: Decimal | None
    version: int
    filled: bool
    singly: bool


class _Fill(Struct, frozen=True):
    """The values that a fill changed, kept beside the columns because few executions have one."""

    execution_status: str
    quantity_filled: Decimal
    average_price: Decimal | None
    version: int


class _Kind(Struct, frozen=True):
    """One combination of text columns and version; there are few, so each is stored once."""

    execution_status: str
    trade_type: str
    destination: str
    version: int
    singly: bool


def version_one(_: ExecutionPost, __: bool) -> int:
    """Gives every new row version 1."""
    return 1


class Ledger:
    """Append-only rows with ascending ids; skipped ids leave gaps. ``tradeServiceExecutionId`` is not unique.

    ``first_id`` is the id of the first row, ``version_of`` decides the version of each new one.
    """

    def __init__(self, first_id: int = 1, version_of: VersionOf = version_one) -> None:
        self.next_id = first_id
        """The id of the next accepted execution."""
        self._version_of = version_of
        self._ids = array("q")
        self._trade_ids = array("q")
        self._quantities = array("q")
        self._limit_prices = array("q")
        self._received_us = array("q")
        self._kind_codes = array("I")
        self._security_codes = array("I")
        self._kinds: list[_Kind] = []
        self._security_ids: list[str] = []
        self._kind_code: dict[tuple[str | None, str | None, str | None, int | None, bool], int] = {}
        self._security_code: dict[str | None, int] = {}
        self._fills: dict[int, _Fill] = {}

    @property
    def total(self) -> int:
        """The number of accepted executions, duplicates included."""
        return len(self._ids)

    def accept(
        self,
        posts: Sequence[ExecutionPost],
        amounts: Sequence[Amounts],
        now: datetime,
        *,
        singly: bool = False,
    ) -> None:
        """Appends validated executions in order, with their ``amounts``."""
        received_us = (now - _EPOCH) // _MICROSECOND
        self._ids.extend(range(self.next_id, self.next_id + len(posts)))
        self.next_id += len(posts)
        self._kind_codes.extend([self._code_of_kind(post, singly) for post in posts])
        self._security_codes.extend([self._code_of_security(post.security_id) for post in posts])
        self._quantities.extend([amount[0] for amount in amounts])
        self._limit_prices.extend([_NULL if amount[1] is None else amount[1] for amount in amounts])
        self._received_us.extend([received_us] * len(posts))
        self._trade_ids.extend(
            [
                _NULL if post.trade_service_execution_id is None else post.trade_service_execution_id
                for post in posts
            ]
        )

    def skip(self, ids: int) -> None:
        """Consumes ids without rows, as a rolled-back transaction does."""
        self.next_id += ids

    def accepted_counts(self) -> Counter[int]:
        """How often each ``tradeServiceExecutionId`` was accepted. Recounts: about 0.1 s per million."""
        counts = Counter(self._trade_ids)
        counts.pop(_NULL, None)
        return counts

    def get(self, trade_service_execution_id: int) -> list[Entry]:
        """All rows of one ``tradeServiceExecutionId``, oldest first. Scans: about 20 ms per million."""
        rows = []
        start = 0
        try:
            while True:
                start = self._trade_ids.index(trade_service_execution_id, start) + 1
                rows.append(self.at(start - 1))
        except ValueError:
            return rows

    def by_id(self, execution_id: int) -> Entry | None:
        """The execution with this id, or None."""
        row = self._row(execution_id)
        return None if row is None else self.at(row)

    def after(self, execution_id: int, limit: int) -> Iterator[Entry]:
        """Up to ``limit`` rows with greater ids, ascending."""
        start = bisect_right(self._ids, execution_id)
        return map(self.at, range(start, min(start + limit, self.total)))

    def fill(
        self, execution_id: int, filled: Decimal, average_price: Decimal | None, version: int
    ) -> Entry | None:
        """Stores a fill (the total so far); None if the id is unknown. Raises `VersionConflictError`."""
        row = self._row(execution_id)
        if row is None:
            return None
        entry = self.at(row)
        if entry.version != version:
            raise VersionConflictError(f"execution {execution_id} has version {entry.version}, not {version}")
        return self._fill(row, entry, filled, average_price, version)

    def refill(
        self, execution_id: int, filled: Decimal, average_price: Decimal | None, version: int
    ) -> Entry | None:
        """Restores a fill from the ledger file, without comparing versions."""
        row = self._row(execution_id)
        return None if row is None else self._fill(row, self.at(row), filled, average_price, version)

    def at(self, row: int) -> Entry:
        """The execution at this position, counted from 0."""
        kind = self._kinds[self._kind_codes[row]]
        trade_id = self._trade_ids[row]
        price = self._limit_prices[row]
        fill = self._fills.get(row)
        return Entry(
            id=self._ids[row],
            execution_status=fill.execution_status if fill else kind.execution_status,
            trade_type=kind.trade_type,
            destination=kind.destination,
            security_id=self._security_ids[self._security_codes[row]],
            quantity=from_e8(self._quantities[row]),
            limit_price=None if price == _NULL else from_e8(price),
            received_timestamp=_EPOCH + timedelta(microseconds=self._received_us[row]),
            trade_service_execution_id=None if trade_id == _NULL else trade_id,
            quantity_filled=fill.quantity_filled if fill else _NOT_FILLED,
            average_price=fill.average_price if fill else None,
            version=fill.version if fill else kind.version,
            filled=fill is not None,
            singly=kind.singly,
        )

    def _row(self, execution_id: int) -> int | None:
        row = bisect_left(self._ids, execution_id)
        return row if row < self.total and self._ids[row] == execution_id else None

    def _fill(
        self, row: int, entry: Entry, filled: Decimal, average_price: Decimal | None, version: int
    ) -> Entry:
        status = "PART" if filled < entry.quantity else "FULL"
        self._fills[row] = _Fill(status, filled, average_price, version + 1)
        return self.at(row)

    def _code_of_kind(self, post: ExecutionPost, singly: bool) -> int:
        key = (post.execution_status, post.trade_type, post.destination, post.version, singly)
        code = self._kind_code.get(key)
        if code is None:
            code = self._kind_code[key] = len(self._kinds)
            version = self._version_of(post, singly)
            self._kinds.append(_Kind(key[0] or "", key[1] or "", key[2] or "", version, singly))
        return code

    def _code_of_security(self, security_id: str | None) -> int:
        code = self._security_code.get(security_id)
        if code is None:
            code = self._security_code[security_id] = len(self._security_ids)
            self._security_ids.append(security_id or "")
        return code
