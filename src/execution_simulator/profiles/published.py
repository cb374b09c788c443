"""The Execution Service as its published OpenAPI document describes it. Pure."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from functools import lru_cache
from http import HTTPStatus
from types import MappingProxyType
from typing import Final

from msgspec import UNSET
from msgspec.structs import replace

from execution_simulator.columns import Amounts, column, from_e8, iso_fixed, to_datetime
from execution_simulator.ledger import Entry, Ledger
from execution_simulator.listing import SORT_FIELDS, Keys, Query, QueryError, select, split_sort
from execution_simulator.payloads import (
    ErrorBody,
    Execution,
    ExecutionPage,
    ExecutionPost,
    ExecutionPut,
    Security,
)
from execution_simulator.profiles.base import (
    MAX_BATCH_ITEMS,
    STATUSES,
    TRADE_TYPES,
    ZERO,
    Fate,
    Problem,
    Profile,
    Refusal,
    letters_of,
    pagination,
    shown,
)

_STATUS_OF: Final[Mapping[Problem, int]] = MappingProxyType(
    {
        Problem.UNREADABLE: 400,
        Problem.BAD_QUERY: 400,
        Problem.UNKNOWN_ID: 404,
        Problem.OTHER_VERSION: 409,
        Problem.NO_ROUTE: 404,
    }
)


class Published(Profile):
    """The documented service: amounts must fit their columns exactly, and each error has its own status."""

    like_tomcat = False

    def check_all(self, posts: Sequence[ExecutionPost | None], *, singly: bool) -> list[Fate]:
        """Reports the first violated rule of each bad item; nothing fails in the database."""
        return [_check(post) for post in posts]

    def list_rule(self, items: int | None) -> str | None:
        if items is None:
            return "must not be null"
        if 1 <= items <= MAX_BATCH_ITEMS:
            return None
        return "must not be empty" if items == 0 else f"must not exceed {MAX_BATCH_ITEMS} items, got {items}"

    def permanent_message(self, post: ExecutionPost) -> str:
        return f"Security not found: {post.security_id}"

    def version_of(self, post: ExecutionPost, singly: bool) -> int:
        """Always 1; the request's version is ignored."""
        return 1

    def created(
        self, first_id: int, posts: Sequence[ExecutionPost], now_ns: int, *, singly: bool
    ) -> list[Execution]:
        """Shows the time of receipt as the time of sending too."""
        now = iso_fixed(to_datetime(now_ns))
        return [
            shown(post, execution_id, _security_of(post.security_id or ""), now, now, ZERO, None, 1)
            for execution_id, post in enumerate(posts, first_id)
        ]

    def stored(self, entry: Entry) -> Execution:
        received = iso_fixed(entry.received_timestamp)
        filled, price = entry.quantity_filled, entry.average_price
        security = _security_of(entry.security_id)
        return shown(entry, entry.id, security, received, received, filled, price, entry.version)

    def page(self, ledger: Ledger, query: Query) -> ExecutionPage:
        """Offsets need not be multiples of the limit; filters match exactly."""
        filters = (query.execution_status, query.trade_type, query.destination, query.ticker)
        end = query.offset + query.limit

        def passes(row: Entry) -> bool:
            found = (row.execution_status, row.trade_type, row.destination, _ticker_of(row))
            return all(not wanted or wanted == value for wanted, value in zip(filters, found, strict=True))

        rows, total = select(
            ledger,
            _keys(query.sort_by),
            _SORT_FIELDS,
            passes if any(filters) else None,
            range(query.offset, end),
        )
        envelope = pagination(query, total, has_next=end < total, has_previous=query.offset > 0)
        return ExecutionPage([self.stored(row) for row in rows], envelope)

    def fill_amounts(self, fill: ExecutionPut) -> tuple[Decimal, Decimal | None] | None:
        return fill.quantity_filled, fill.average_price

    def error(
        self, status: int, message: str, path: str, now_ns: int, errors: Mapping[str, str] | None = None
    ) -> ErrorBody:
        """Omits ``validationErrors`` if there are none."""
        now = iso_fixed(to_datetime(now_ns))
        phrase = HTTPStatus(status).phrase
        return ErrorBody(now, status, phrase, message, path, UNSET if errors is None else dict(errors))

    def problem(self, problem: Problem, detail: str, path: str, now_ns: int) -> tuple[int, ErrorBody | None]:
        """Always includes the detail."""
        status = _STATUS_OF[problem]
        if problem is not Problem.UNREADABLE:
            return status, self.error(status, detail, path, now_ns)
        body = self.error(status, f"Malformed JSON request: {detail}", path, now_ns)
        return status, replace(body, validation_errors=None)


@lru_cache(maxsize=10_000)
def _security_of(security_id: str) -> Security:
    return Security(security_id, letters_of(security_id) or None)


def _ticker_of(row: Entry) -> str | None:
    return _security_of(row.security_id).ticker


_SORT_FIELDS: Final = MappingProxyType({**SORT_FIELDS, "ticker": lambda row: _ticker_of(row) or ""})


def _keys(sort_by: str) -> Keys:
    keys = split_sort(sort_by)
    for name, _ in keys:
        if name not in _SORT_FIELDS:
            raise QueryError(f"sortBy: unknown field {name!r}; known are {', '.join(_SORT_FIELDS)}")
    return keys


def _positive_e8(value: Decimal) -> int | None:
    """``value`` in units of 10**-8; None unless it is a positive number that decimal(18,8) holds exactly."""
    units = column(value)
    return units if units is not None and units > 0 and from_e8(units) == value else None


def _check(post: ExecutionPost | None) -> Amounts | Refusal:
    if post is None:
        return _refusal("execution", "must not be null")
    text = _text_refusal(post)
    if text is not None:
        return text
    if post.quantity is None:
        return _refusal("quantity", "is required")
    quantity = _positive_e8(post.quantity)
    if quantity is None:
        return _number_refusal("quantity", post.quantity)
    if post.limit_price is None:
        return quantity, None
    limit_price = _positive_e8(post.limit_price)
    if limit_price is None:
        return _number_refusal("limitPrice", post.limit_price)
    return quantity, limit_price


def _refusal(field: str, rule: str) -> Refusal:
    return Refusal(field, rule, f"{field} {rule}")


def _text_refusal(post: ExecutionPost) -> Refusal | None:
    # Two set lookups settle the two short vocabularies in the common case; lengths only matter for other words.
    if post.execution_status not in STATUSES:
        rule = f"must be one of {', '.join(sorted(STATUSES))}, got {post.execution_status}"
        return _length_refusal("executionStatus", post.execution_status, 20) or _refusal(
            "executionStatus", rule
        )
    if post.trade_type not in TRADE_TYPES:
        rule = f"must be BUY or SELL, got {post.trade_type}"
        return _length_refusal("tradeType", post.trade_type, 10) or _refusal("tradeType", rule)
    return _length_refusal("destination", post.destination, 20) or _length_refusal(
        "securityId", post.security_id, 24
    )


def _length_refusal(field: str, value: str | None, longest: int) -> Refusal | None:
    if not value or value.isspace():
        return _refusal(field, "is required")
    if len(value) > longest:
        return _refusal(field, f"must not exceed {longest} characters, got {len(value)}")
    return None


def _number_refusal(field: str, value: Decimal) -> Refusal:
    if value.is_finite() and value <= 0:
        return _refusal(field, f"must be greater than 0, got {value}")
    return _refusal(field, "must be a number of at most 10 digits before and 8 after the point")
