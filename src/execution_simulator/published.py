"""The Execution Service as its published OpenAPI document reads. Pure."""

from collections.abc import Mapping, Sequence
from decimal import Context, Decimal, Inexact, localcontext
from functools import lru_cache
from http import HTTPStatus
from types import MappingProxyType
from typing import Final

from msgspec import UNSET
from msgspec.structs import replace

from execution_simulator.books import Books, Entry
from execution_simulator.checks import MAX_BATCH_ITEMS, STATUSES, TRADE_TYPES, Amounts, Fate, Refusal
from execution_simulator.instants import iso_fixed, to_datetime
from execution_simulator.listing import SORT_FIELDS, Keys, Query, QueryError, select, split_sort
from execution_simulator.manners import Problem
from execution_simulator.messages import (
    ErrorBody,
    Execution,
    ExecutionPage,
    ExecutionPost,
    ExecutionPut,
    Pagination,
    Security,
)

_E8: Final = Decimal(10**8)
_LIMIT_E8: Final = Decimal(10**18)
_ZERO: Final = Decimal(0)
# Inexact is trapped: a number with more digits than the context holds is refused, never rounded in silence.
_EXACT: Final = Context(prec=40, traps=[Inexact])

_STATUS_OF: Final[Mapping[Problem, HTTPStatus]] = MappingProxyType(
    {
        Problem.UNREADABLE: HTTPStatus.BAD_REQUEST,
        Problem.BAD_QUERY: HTTPStatus.BAD_REQUEST,
        Problem.UNKNOWN_ID: HTTPStatus.NOT_FOUND,
        Problem.OTHER_VERSION: HTTPStatus.CONFLICT,
        Problem.NO_ROUTE: HTTPStatus.NOT_FOUND,
    }
)


class Published:
    """`Manners` of the published document: every column exact, every error with a status of its own."""

    like_tomcat = False

    def check_all(self, posts: Sequence[ExecutionPost | None], *, singly: bool) -> list[Fate]:
        """The first rule that each bad item breaks; nothing is ever left to the database."""
        with localcontext(_EXACT):
            return [_check(post) for post in posts]

    def list_rule(self, items: int | None) -> str | None:
        """1 to 100 items."""
        if items is None:
            return "must not be null"
        if 1 <= items <= MAX_BATCH_ITEMS:
            return None
        return "must not be empty" if items == 0 else f"must not exceed {MAX_BATCH_ITEMS} items, got {items}"

    def permanent_message(self, post: ExecutionPost) -> str:
        """Names the security."""
        return f"Security not found: {post.security_id}"

    def version_of(self, post: ExecutionPost, singly: bool) -> int:
        """1, whatever the request says."""
        return 1

    def created(
        self, first_id: int, posts: Sequence[ExecutionPost], now_ns: int, *, singly: bool
    ) -> list[Execution]:
        """Sent as soon as received."""
        now = iso_fixed(to_datetime(now_ns))
        shown = []
        for execution_id, post in enumerate(posts, first_id):
            security = _security_of(post.security_id or "")
            execution = Execution(
                id=execution_id,
                execution_status=post.execution_status or "",
                trade_type=post.trade_type or "",
                destination=post.destination or "",
                security=security,
                quantity=post.quantity or _ZERO,
                limit_price=post.limit_price,
                received_timestamp=now,
                sent_timestamp=now,
                trade_service_execution_id=post.trade_service_execution_id,
                quantity_filled=_ZERO,
                average_price=None,
                version=1,
                security_id=security.security_id,
                ticker=security.ticker,
            )
            shown.append(execution)
        return shown

    def stored(self, entry: Entry) -> Execution:
        """As it was created, and filled since."""
        security = _security_of(entry.security_id)
        received = iso_fixed(entry.received_timestamp)
        return Execution(
            id=entry.id,
            execution_status=entry.execution_status,
            trade_type=entry.trade_type,
            destination=entry.destination,
            security=security,
            quantity=entry.quantity,
            limit_price=entry.limit_price,
            received_timestamp=received,
            sent_timestamp=received,
            trade_service_execution_id=entry.trade_service_execution_id,
            quantity_filled=entry.quantity_filled,
            average_price=entry.average_price,
            version=entry.version,
            security_id=security.security_id,
            ticker=security.ticker,
        )

    def page(self, books: Books, query: Query) -> ExecutionPage:
        """Exact offsets; filters match exactly. Raises `QueryError` for a field that is none."""
        filters = (query.execution_status, query.trade_type, query.destination, query.ticker)
        window = range(query.offset, query.offset + query.limit)

        def passes(row: Entry) -> bool:
            found = (row.execution_status, row.trade_type, row.destination, _ticker_of(row))
            return all(not wanted or wanted == value for wanted, value in zip(filters, found, strict=True))

        rows, total = select(
            books, _keys(query.sort_by), _SORT_FIELDS, passes if any(filters) else None, window
        )
        return ExecutionPage([self.stored(row) for row in rows], _pagination(query, total))

    def fill_amounts(self, fill: ExecutionPut) -> tuple[Decimal, Decimal | None] | None:
        """As they came."""
        return fill.quantity_filled, fill.average_price

    def error(
        self, status: int, message: str, path: str, now_ns: int, errors: Mapping[str, str] | None = None
    ) -> ErrorBody:
        """``validationErrors`` only where there are some."""
        now = iso_fixed(to_datetime(now_ns))
        phrase = HTTPStatus(status).phrase
        return ErrorBody(now, status, phrase, message, path, UNSET if errors is None else dict(errors))

    def problem(self, problem: Problem, detail: str, path: str, now_ns: int) -> tuple[int, ErrorBody | None]:
        """The detail is told."""
        status = _STATUS_OF[problem].value
        if problem is not Problem.UNREADABLE:
            return status, self.error(status, detail, path, now_ns)
        body = self.error(status, f"Malformed JSON request: {detail}", path, now_ns)
        return status, replace(body, validation_errors=None)


@lru_cache(maxsize=10_000)
def _security_of(security_id: str) -> Security:
    """With the ticker that answers derive: the id's first five characters that are no digits."""
    return Security(security_id, "".join(char for char in security_id if not char.isdigit())[:5] or None)


def _ticker_of(row: Entry) -> str | None:
    return _security_of(row.security_id).ticker


_SORT_FIELDS: Final = MappingProxyType({**SORT_FIELDS, "ticker": lambda row: _ticker_of(row) or ""})


def _keys(sort_by: str) -> Keys:
    keys = split_sort(sort_by)
    for name, _ in keys:
        if name not in _SORT_FIELDS:
            raise QueryError(f"sortBy: unknown field {name!r}; known are {', '.join(_SORT_FIELDS)}")
    return keys


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


def _to_e8(value: Decimal) -> int | None:
    """``value`` in units of 10**-8, or None when it is no positive decimal(18,8). Needs the exact context."""
    if not value.is_finite():
        return None
    try:
        scaled = value * _E8
    except Inexact:
        return None
    if not _ZERO < scaled < _LIMIT_E8:
        return None
    units = int(scaled)
    return units if units == scaled else None


def _check(post: ExecutionPost | None) -> Amounts | Refusal:
    if post is None:
        return _refusal("execution", "must not be null")
    text = _text_refusal(post)
    if text is not None:
        return text
    if post.quantity is None:
        return _refusal("quantity", "is required")
    quantity = _to_e8(post.quantity)
    if quantity is None:
        return _number_refusal("quantity", post.quantity)
    if post.limit_price is None:
        return quantity, None
    limit_price = _to_e8(post.limit_price)
    if limit_price is None:
        return _number_refusal("limitPrice", post.limit_price)
    return quantity, limit_price


def _refusal(field: str, rule: str) -> Refusal:
    return Refusal(field, rule, f"{field} {rule}")


def _text_refusal(post: ExecutionPost) -> Refusal | None:
    # Two look-ups settle the two short vocabularies in the common case; only a stranger is measured.
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
