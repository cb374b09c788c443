"""What the stand-in accepted, and how often: columns of machine integers, about 40 bytes an execution."""

from array import array
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Final

from msgspec import Struct

from trade_service.simulator.behaviour import security_of
from trade_service.simulator.checks import Amounts, from_e8
from trade_service.simulator.messages import Execution, ExecutionPage, ExecutionPost, Pagination, Security

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)
_NO_TRADE_ID: Final = -(2**63)
_NOT_FILLED: Final = Decimal(0)


class VersionConflictError(Exception):
    """A fill names another version than the stored one."""


class QueryError(ValueError):
    """A query parameter breaks a rule; the message names it."""


class Query(Struct, frozen=True):
    """Parameters of ``GET /api/v1/executions``; a filter of None lets everything pass."""

    offset: int = 0
    limit: int = 50
    sort_by: str = "id"
    execution_status: str | None = None
    trade_type: str | None = None
    destination: str | None = None
    ticker: str | None = None

    @property
    def filtered(self) -> bool:
        return any((self.execution_status, self.trade_type, self.destination, self.ticker))


class _Fill(Struct, frozen=True):
    """What a fill changed; kept beside the columns, for few executions have one."""

    execution_status: str
    quantity_filled: Decimal
    average_price: Decimal | None
    version: int


class _Kind(Struct, frozen=True):
    """The few combinations of status, trade type and destination, stored once."""

    execution_status: str
    trade_type: str
    destination: str


_SORT_KEYS: Final[Mapping[str, Callable[[Execution], object]]] = {
    "id": lambda row: row.id,
    "receivedTimestamp": lambda row: row.received_timestamp,
    "sentTimestamp": lambda row: row.sent_timestamp,
    "executionStatus": lambda row: row.execution_status,
    "tradeType": lambda row: row.trade_type,
    "destination": lambda row: row.destination,
    "quantity": lambda row: row.quantity,
    "ticker": lambda row: row.ticker or "",
}


class Books:
    """Append-only: row ``n`` has id ``first_id + n``; ``tradeServiceExecutionId`` is no unique key."""

    def __init__(self, first_id: int = 1) -> None:
        self.first_id = first_id
        self._trade_ids = array("q")
        self._quantities = array("q")
        self._limit_prices = array("q")
        self._received_us = array("q")
        self._kind_codes = array("I")
        self._security_codes = array("I")
        self._kinds: list[_Kind] = []
        self._securities: list[Security] = []
        self._kind_code: dict[tuple[str | None, str | None, str | None], int] = {}
        self._security_code: dict[str | None, int] = {}
        self._fills: dict[int, _Fill] = {}

    @property
    def total(self) -> int:
        """How many executions were accepted, repeats included."""
        return len(self._trade_ids)

    @property
    def next_id(self) -> int:
        """The id the next accepted execution gets."""
        return self.first_id + self.total

    def accept(self, posts: Sequence[ExecutionPost], amounts: Sequence[Amounts], now: datetime) -> None:
        """Enter checked executions in order; ``amounts`` are theirs."""
        received_us = (now - _EPOCH) // _MICROSECOND
        self._kind_codes.extend([self._code_of_kind(post) for post in posts])
        self._security_codes.extend([self._code_of_security(post.security_id) for post in posts])
        self._quantities.extend([amount[0] for amount in amounts])
        self._limit_prices.extend([amount[1] for amount in amounts])
        self._received_us.extend([received_us] * len(posts))
        self._trade_ids.extend(
            [
                _NO_TRADE_ID if post.trade_service_execution_id is None else post.trade_service_execution_id
                for post in posts
            ]
        )

    def accepted_counts(self) -> Counter[int]:
        """How often each ``tradeServiceExecutionId`` was accepted. Counts anew: some 0.1 s a million."""
        counts = Counter(self._trade_ids)
        counts.pop(_NO_TRADE_ID, None)
        return counts

    def get(self, trade_service_execution_id: int) -> list[Execution]:
        """All acceptances of one ``tradeServiceExecutionId``, oldest first. Scans: some 20 ms a million."""
        rows = []
        start = 0
        try:
            while True:
                start = self._trade_ids.index(trade_service_execution_id, start) + 1
                rows.append(self._show(start - 1))
        except ValueError:
            return rows

    def by_id(self, execution_id: int) -> Execution | None:
        """The execution of that id, or None."""
        row = execution_id - self.first_id
        return self._show(row) if 0 <= row < self.total else None

    def entries(
        self, after_id: int, limit: int
    ) -> Iterator[tuple[int, int | None, str, str, str, str, str | None]]:
        """Rows after an id, ascending, for an audit: id, tradeServiceExecutionId, securityId, tradeType,
        destination, quantity and limit price (decimals as text)."""
        start = max(0, after_id + 1 - self.first_id)
        for row in range(start, min(start + limit, self.total)):
            shown = self._show(row)
            price = None if shown.limit_price is None else str(shown.limit_price)
            yield (
                shown.id,
                shown.trade_service_execution_id,
                shown.security_id,
                shown.trade_type,
                shown.destination,
                str(shown.quantity),
                price,
            )

    def fill(
        self, execution_id: int, filled: Decimal, average_price: Decimal | None, version: int
    ) -> Execution | None:
        """Store a fill (the total so far); None when there is no such id. Raises `VersionConflictError`."""
        shown = self.by_id(execution_id)
        if shown is None:
            return None
        if shown.version != version:
            raise VersionConflictError(f"execution {execution_id} has version {shown.version}, not {version}")
        status = "PART" if filled < shown.quantity else "FULL"
        row = execution_id - self.first_id
        self._fills[row] = _Fill(status, filled, average_price, version + 1)
        return self._show(row)

    def page(self, query: Query) -> ExecutionPage:
        """One page; by id and unfiltered at the cost of the page alone. Raises `QueryError`."""
        keys = _sort_keys(query.sort_by)
        window = range(query.offset, query.offset + query.limit)
        if not query.filtered and keys[0][0] == "id":
            total = self.total
            places = range(min(window.start, total), min(window.stop, total))
            content = [self._show(total - 1 - place if keys[0][1] else place) for place in places]
        else:
            rows = [row for row in map(self._show, range(self.total)) if _passes(row, query)]
            for name, descending in reversed(keys):
                rows.sort(key=_SORT_KEYS[name], reverse=descending)  # type: ignore[arg-type]
            total = len(rows)
            content = rows[window.start : window.stop]
        return ExecutionPage(content, _pagination(query, total))

    def _code_of_kind(self, post: ExecutionPost) -> int:
        key = (post.execution_status, post.trade_type, post.destination)
        code = self._kind_code.get(key)
        if code is None:
            code = self._kind_code[key] = len(self._kinds)
            self._kinds.append(_Kind(key[0] or "", key[1] or "", key[2] or ""))
        return code

    def _code_of_security(self, security_id: str | None) -> int:
        code = self._security_code.get(security_id)
        if code is None:
            code = self._security_code[security_id] = len(self._securities)
            self._securities.append(security_of(security_id or ""))
        return code

    def _show(self, row: int) -> Execution:
        kind = self._kinds[self._kind_codes[row]]
        security = self._securities[self._security_codes[row]]
        trade_id = self._trade_ids[row]
        price = self._limit_prices[row]
        received = _EPOCH + timedelta(microseconds=self._received_us[row])
        fill = self._fills.get(row)
        return Execution(
            id=self.first_id + row,
            execution_status=fill.execution_status if fill else kind.execution_status,
            trade_type=kind.trade_type,
            destination=kind.destination,
            security=security,
            quantity=from_e8(self._quantities[row]),
            limit_price=from_e8(price) if price else None,
            received_timestamp=received,
            sent_timestamp=received,
            trade_service_execution_id=None if trade_id == _NO_TRADE_ID else trade_id,
            quantity_filled=fill.quantity_filled if fill else _NOT_FILLED,
            average_price=fill.average_price if fill else None,
            version=fill.version if fill else 1,
            ticker=security.ticker,
            security_id=security.security_id,
        )


def _sort_keys(sort_by: str) -> list[tuple[str, bool]]:
    keys = []
    for part in sort_by.split(","):
        name = part.strip().removeprefix("-")
        if name not in _SORT_KEYS:
            raise QueryError(f"sortBy: unknown field {name!r}; known are {', '.join(_SORT_KEYS)}")
        keys.append((name, part.strip().startswith("-")))
    return keys


def _passes(row: Execution, query: Query) -> bool:
    return (
        (not query.execution_status or row.execution_status == query.execution_status)
        and (not query.trade_type or row.trade_type == query.trade_type)
        and (not query.destination or row.destination == query.destination)
        and (not query.ticker or row.ticker == query.ticker)
    )


def _pagination(query: Query, total: int) -> Pagination:
    return Pagination(
        offset=query.offset,
        limit=query.limit,
        total_elements=total,
        total_pages=-(-total // query.limit),
        current_page=query.offset // query.limit,
        has_next=query.offset + query.limit < total,
        has_previous=query.offset > 0,
    )
