"""Queries of lists and the pages that answer them. Pure."""

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Generic, Literal, TypeAlias, TypeVar

import msgspec

from trade_service.domain.errors import InvalidInput
from trade_service.domain.orders import TradeOrder
from trade_service.trading.model import StoredExecution

MAX_LIMIT = 1000
MAX_VALUES = 1000
"""The most values of one filter; the database gets them as one array."""

ListName: TypeAlias = Literal["orders", "executions"]
Value: TypeAlias = int | str | bool | Decimal | datetime
Row = TypeVar("Row")
Other = TypeVar("Other")


class Kind(StrEnum):
    """The type of a field, and of the values it compares with."""

    INTEGER = "integer"
    DECIMAL = "decimal"
    TEXT = "text"
    INSTANT = "instant"
    FLAG = "flag"


class Test(StrEnum):
    """How a filter compares."""

    __test__ = False

    ANY_OF = "any_of"
    """Equal to one of the values; text ignoring case."""
    AT_LEAST = "at_least"
    AT_MOST = "at_most"
    BEFORE = "before"


class ListField(msgspec.Struct, frozen=True):
    """A field that clients sort or filter by."""

    name: str
    """As clients spell it."""
    kind: Kind
    sortable: bool = True
    filters: tuple[Test, ...] = (Test.ANY_OF,)


def _fields(*fields: ListField) -> Mapping[str, ListField]:
    return {field.name: field for field in fields}


_RANGE = (Test.AT_LEAST, Test.AT_MOST)
_PERIOD = (Test.AT_LEAST, Test.BEFORE)
"""Of the one time that a list is filtered by: `from` and `to`."""
_ID = ListField("id", Kind.INTEGER, filters=(Test.ANY_OF, *_RANGE))
"""With a range, since a list that begins at an id can be read again as it was."""

PORTFOLIO_NAME = "portfolio.name"
SECURITY_TICKER = "security.ticker"
PORTFOLIO_ID = "portfolioId"
SECURITY_ID = "securityId"
ID_OF_NAME = {PORTFOLIO_NAME: PORTFOLIO_ID, SECURITY_TICKER: SECURITY_ID}
"""A filter by name becomes a filter by the ids with that name."""

SUBMISSION_STATE = "submissionState"
CODE = "code"

ORDER_FIELDS = _fields(
    _ID,
    ListField("orderId", Kind.INTEGER),
    ListField("orderType", Kind.TEXT),
    ListField("quantity", Kind.DECIMAL, filters=_RANGE),
    ListField("quantitySent", Kind.DECIMAL, filters=_RANGE),
    ListField("tradeTimestamp", Kind.INSTANT, filters=_PERIOD),
    ListField("submitted", Kind.FLAG),
    ListField("blotter.abbreviation", Kind.TEXT),
    ListField(SECURITY_TICKER, Kind.TEXT),
    ListField(PORTFOLIO_NAME, Kind.TEXT),
)
EXECUTION_FIELDS = _fields(
    _ID,
    ListField("executionTimestamp", Kind.INSTANT, filters=_PERIOD),
    ListField("quantityOrdered", Kind.DECIMAL, filters=_RANGE),
    ListField("quantityPlaced", Kind.DECIMAL, filters=_RANGE),
    ListField("quantityFilled", Kind.DECIMAL, filters=_RANGE),
    ListField("tradeOrderId", Kind.INTEGER),
    ListField("executionStatus.abbreviation", Kind.TEXT),
    ListField("blotter.abbreviation", Kind.TEXT),
    ListField("tradeType.abbreviation", Kind.TEXT),
    ListField("destination.abbreviation", Kind.TEXT),
    ListField(SECURITY_TICKER, Kind.TEXT),
    ListField(PORTFOLIO_NAME, Kind.TEXT),
    ListField("executionServiceId", Kind.INTEGER, sortable=False),
    ListField(SUBMISSION_STATE, Kind.TEXT, sortable=False),
    ListField(CODE, Kind.TEXT, sortable=False),
    ListField("orderId", Kind.INTEGER, sortable=False),
)
FIELDS: Mapping[ListName, Mapping[str, ListField]] = {"orders": ORDER_FIELDS, "executions": EXECUTION_FIELDS}


class Filter(msgspec.Struct, frozen=True):
    """One condition; the rows of a list meet all of its filters."""

    field: str
    test: Test
    values: tuple[Value, ...]
    """A single value for the tests of a range."""


class SortKey(msgspec.Struct, frozen=True):
    """A field to sort by."""

    field: str
    descending: bool = False


class Cursor(msgspec.Struct, frozen=True):
    """The position after a row: a page that begins there costs the same wherever it is."""

    sort: tuple[SortKey, ...]
    values: tuple[Value, ...]
    """The row's values of the sort keys."""
    position: int
    """How many rows came before it when it was made."""


class ListQuery(msgspec.Struct, frozen=True):
    """One page of a list, which begins at `cursor` if there is one, else at `offset`."""

    limit: int = 50
    offset: int = 0
    sort: tuple[SortKey, ...] = (SortKey("id"),)
    """A total order: see `total_order`."""
    filters: tuple[Filter, ...] = ()
    cursor: Cursor | None = None

    @property
    def position(self) -> int:
        """How many rows of the whole result come before the page."""
        return self.offset if self.cursor is None else self.cursor.position


class Selection(msgspec.Struct, frozen=True):
    """All rows of a list that meet its filters."""

    source: ListName
    filters: tuple[Filter, ...] = ()


class Total(msgspec.Struct, frozen=True):
    """How many rows are selected."""

    rows: int
    is_estimate: bool
    """Whether they were not counted recently."""


class Rows(msgspec.Struct, Generic[Row], frozen=True):
    """The rows of a page as stored."""

    rows: list[Row]
    last: tuple[Value, ...] | None
    """The last row's values of the sort keys, when more rows follow."""
    snapshot: str = ""
    """What the statement saw: as long as that is the same, so are all rows. Empty where it is not known."""


OrderRows: TypeAlias = Rows[TradeOrder]
ExecutionRows: TypeAlias = Rows[StoredExecution]


class Page(msgspec.Struct, Generic[Row], frozen=True):
    """A page as clients see it."""

    items: list[Row]
    total: Total
    """Rows of the whole result."""
    position: int
    limit: int
    next: Cursor | None
    """None on the last page."""

    def of(self, items: list[Other]) -> "Page[Other]":
        return Page(items, self.total, self.position, self.limit, self.next)


def total_order(sort: tuple[SortKey, ...]) -> tuple[SortKey, ...]:
    """The keys, completed by the id in the direction of the last key, so that no two rows are equal.

    Keys after the id decide nothing and are dropped. Raises InvalidInput for a field named twice.
    """
    names = [key.field for key in sort]
    for name in names:
        if names.count(name) > 1:
            raise InvalidInput.of("sort", name, "must name each field once")
    if "id" in names:
        return sort[: names.index("id") + 1]
    return (*sort, SortKey("id", bool(sort) and sort[-1].descending))
