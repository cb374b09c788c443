"""The Execution Service as it was seen to behave, where that differs from its published document. Pure.

Sources: the recorded exchanges in ``tests/golden/execution_service_exchanges.jsonl``, and its public source code.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from decimal import Decimal, InvalidOperation
from functools import lru_cache
from http import HTTPStatus
from typing import Final

from execution_simulator.books import Books, Entry
from execution_simulator.checks import (
    BROKEN,
    MAX_BATCH_ITEMS,
    STATUSES,
    TRADE_TYPES,
    Amounts,
    Broken,
    Fate,
    Refusal,
    amounts_of,
    column,
    from_e8,
)
from execution_simulator.instants import iso_microseconds, iso_nanoseconds
from execution_simulator.listing import SORT_FIELDS, Keys, Query, select, split_sort
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

_SECURITY_ID_LENGTH: Final = 24
_DESTINATION_LENGTH: Final = 20
_LENGTHS: Final = {
    "executionStatus": 20,
    "tradeType": 10,
    "destination": _DESTINATION_LENGTH,
    "securityId": _SECURITY_ID_LENGTH,
}

UNEXPECTED: Final = "An unexpected error occurred while processing your request"
INVALID_TRADE_TYPE: Final = "Invalid trade type. Must be BUY or SELL"
INVALID_STATUS: Final = "Invalid execution status. Must be NEW, PENDING, FILLED, CANCELLED, or REJECTED"

_NAMES: Final = {
    "executionStatus": "Execution status",
    "tradeType": "Trade type",
    "destination": "Destination",
    "securityId": "Security ID",
}
# Java's String.trim: everything up to the space.
_BLANKS: Final = "".join(map(chr, range(33)))
_WHOLE_STATUSES: Final = frozenset({"NEW", "PART", "FULL", "CANCELLED", "REJECTED"})
_SENT_AFTER: Final = timedelta(milliseconds=1)
_ZERO: Final = Decimal(0)
_ZERO_E8: Final = from_e8(0)


class Real:
    """`Manners` of the deployed service: a blank-padded ``char(24)``, rounded columns, 500 for nearly all."""

    like_tomcat = True

    def check_all(self, posts: Sequence[ExecutionPost | None], *, singly: bool) -> list[Fate]:
        """A batch is checked; what comes singly meets the table's constraints alone."""
        return [_stored_singly(post) if singly else _check(post) for post in posts]

    def list_rule(self, items: int | None) -> str | None:
        """1 to 100 items."""
        if items is None:
            return "Executions list cannot be null"
        if items == 0:
            return "Executions list cannot be empty"
        return f"Maximum {MAX_BATCH_ITEMS} executions allowed per batch" if items > MAX_BATCH_ITEMS else None

    def permanent_message(self, post: ExecutionPost) -> str:
        """One of the few refusals there are."""
        return INVALID_TRADE_TYPE

    def version_of(self, post: ExecutionPost, singly: bool) -> int:
        """One more than the request's, since noting when it was sent counts as a change."""
        return 1 if singly else (post.version or 0) + 1

    def created(
        self, first_id: int, posts: Sequence[ExecutionPost], now_ns: int, *, singly: bool
    ) -> list[Execution]:
        """As they came, before the columns round and pad them."""
        now = iso_nanoseconds(now_ns)
        shown = []
        for execution_id, post in enumerate(posts, first_id):
            security_id = post.security_id or ""
            security = _known_security(security_id) if singly else _derived_security(security_id)
            execution = Execution(
                id=execution_id,
                execution_status=post.execution_status or "",
                trade_type=post.trade_type or "",
                destination=post.destination or "",
                security=security,
                quantity=_ZERO if post.quantity is None else post.quantity,
                limit_price=post.limit_price,
                received_timestamp=now,
                sent_timestamp=now if singly else None,
                trade_service_execution_id=post.trade_service_execution_id,
                quantity_filled=_ZERO,
                average_price=None if singly else _ZERO,
                version=1 if singly else post.version or 0,
                security_id=security_id,
                ticker=security.ticker,
            )
            shown.append(execution)
        return shown

    def stored(self, entry: Entry) -> Execution:
        """As its columns hold it."""
        security = _known_security(entry.security_id.ljust(_SECURITY_ID_LENGTH))
        return Execution(
            id=entry.id,
            execution_status=entry.execution_status,
            trade_type=entry.trade_type,
            destination=entry.destination,
            security=security,
            quantity=entry.quantity,
            limit_price=entry.limit_price,
            received_timestamp=iso_microseconds(entry.received_timestamp),
            sent_timestamp=iso_microseconds(entry.received_timestamp + _SENT_AFTER),
            trade_service_execution_id=entry.trade_service_execution_id,
            quantity_filled=entry.quantity_filled if entry.filled else _ZERO_E8,
            average_price=entry.average_price if entry.filled or entry.singly else _ZERO_E8,
            version=entry.version,
            security_id=security.security_id,
            ticker=security.ticker,
        )

    def page(self, books: Books, query: Query) -> ExecutionPage:
        """Whole pages, but for ``sortBy=id``, which goes another way: newest first, filters exact."""
        fast = query.sort_by == "id" and not _trimmed(query.ticker)
        first = query.offset - query.offset % query.limit
        start = query.offset if fast else first
        keys: Keys = [("id", True)] if fast else _keys(query.sort_by)
        passes = _exactly(query) if fast else _roughly(query)
        window = range(start, start + query.limit)
        rows, total = select(books, keys, SORT_FIELDS, passes, window)
        if rows and first + query.limit > total:
            # What a page object of Spring makes of a last page: wrong where the offset was not rounded.
            total = first + len(rows)
        return ExecutionPage([self.stored(row) for row in rows], _pagination(query, total))

    def fill_amounts(self, fill: ExecutionPut) -> tuple[Decimal, Decimal | None] | None:
        """Rounded to eight decimals; less than zero and more than was ordered are stored too."""
        filled = column(fill.quantity_filled)
        price = None if fill.average_price is None else column(fill.average_price)
        if filled is None or (price is None and fill.average_price is not None):
            return None
        return from_e8(filled), None if price is None else from_e8(price)

    def error(
        self, status: int, message: str, path: str, now_ns: int, errors: Mapping[str, str] | None = None
    ) -> ErrorBody:
        """``validationErrors`` always."""
        phrase = HTTPStatus(status).phrase
        told = None if errors is None else dict(errors)
        return ErrorBody(iso_nanoseconds(now_ns), status, phrase, message, f"uri={path}", told)

    def problem(self, problem: Problem, detail: str, path: str, now_ns: int) -> tuple[int, ErrorBody | None]:
        """500 for everything but an unknown id, which has no body."""
        if problem is Problem.UNKNOWN_ID:
            return HTTPStatus.NOT_FOUND.value, None
        return 500, self.error(500, UNEXPECTED, path, now_ns)


def _trimmed(text: str | None) -> str:
    return (text or "").strip(_BLANKS)


def _check(post: ExecutionPost | None) -> Fate:
    """The common case is settled by what is cheap."""
    if post is None:
        return _refusal("execution", "Execution request cannot be null")
    security_id, destination, price = post.security_id, post.destination, post.limit_price
    try:
        good = (
            post.execution_status in STATUSES
            and post.trade_type in TRADE_TYPES
            and destination
            and security_id
            and len(destination) <= _DESTINATION_LENGTH
            and len(security_id) <= _SECURITY_ID_LENGTH
            and (destination[0] > " " or _trimmed(destination))
            and (security_id[0] > " " or _trimmed(security_id))
            and post.quantity is not None
            and post.quantity > 0
            and (price is None or price > 0)
        )
        return _row(post) if good else _what_is_wrong(post)
    except InvalidOperation:
        # Not a number, which is no JSON either.
        return BROKEN


def _what_is_wrong(post: ExecutionPost) -> Fate:
    """The first rule that is broken, in the service's own order: missing, too long, too small, unknown."""
    texts = (
        ("executionStatus", post.execution_status),
        ("tradeType", post.trade_type),
        ("destination", post.destination),
        ("securityId", post.security_id),
    )
    for field, value in texts:
        if not _trimmed(value):
            return _refusal(field, f"{_NAMES[field]} is required")
    if post.quantity is None:
        return _refusal("quantity", "Quantity is required")
    for field, value in texts:
        if len(value or "") > _LENGTHS[field]:
            return _refusal(field, f"{_NAMES[field]} cannot exceed {_LENGTHS[field]} characters")
    if post.quantity <= 0:
        return _refusal("quantity", "Quantity must be greater than zero")
    if post.limit_price is not None and post.limit_price <= 0:
        return _refusal("limitPrice", "Limit price must be greater than zero when specified")
    if post.trade_type not in TRADE_TYPES:
        return _refusal("tradeType", INVALID_TRADE_TYPE)
    return _refusal("executionStatus", INVALID_STATUS)


def _refusal(field: str, message: str) -> Refusal:
    return Refusal(field, message, message)


def _row(post: ExecutionPost) -> Amounts | Broken:
    """What the columns make of an item that passed: numbers round or overflow, a NUL is no text."""
    if "\0" in (post.security_id or "") or "\0" in (post.destination or ""):
        return BROKEN
    return amounts_of(post) or BROKEN


def _stored_singly(post: ExecutionPost | None) -> Fate:
    if post is None:
        return BROKEN
    texts = (post.execution_status, post.trade_type, post.destination, post.security_id)
    for value, longest in zip(texts, _LENGTHS.values(), strict=True):
        if value is None or len(value) > longest:
            return BROKEN
    return _row(post)


@lru_cache(maxsize=10_000)
def _derived_security(security_id: str) -> Security:
    """As the answer to a batch shows it: the ticker is the id's first five characters that are no digits."""
    ticker = re.sub("[0-9]", "", security_id)[:5] if len(security_id) >= 4 else None
    return Security(security_id, ticker)


@lru_cache(maxsize=10_000)
def _known_security(security_id: str) -> Security:
    """As reads show it, with what the security service knows: here every id of 24 characters that ends in a
    number, by the ticker ``T`` and that number."""
    number = re.search("[0-9]+$", security_id) if len(security_id) == _SECURITY_ID_LENGTH else None
    return Security(security_id, None if number is None else f"T{int(number[0])}")


def _keys(sort_by: str) -> Keys:
    """What is unknown is ignored; where nothing is left, by id."""
    return [key for key in split_sort(sort_by) if key[0] in SORT_FIELDS] or [("id", False)]


def _exactly(query: Query) -> Callable[[Entry], bool] | None:
    wanted = (query.execution_status, query.trade_type, query.destination)
    if wanted == (None, None, None):
        return None

    def passes(row: Entry) -> bool:
        found = (row.execution_status, row.trade_type, row.destination)
        return all(want is None or want == value for want, value in zip(wanted, found, strict=True))

    return passes


def _roughly(query: Query) -> Callable[[Entry], bool] | None:
    """Known words match exactly, others anywhere, in any case; of tickers the security service knows the case."""
    status, trade_type, destination = (
        _trimmed(text).upper() for text in (query.execution_status, query.trade_type, query.destination)
    )
    ticker = _trimmed(query.ticker)
    if not (status or trade_type or destination or ticker):
        return None

    def passes(row: Entry) -> bool:
        return (
            _matches(status, row.execution_status, _WHOLE_STATUSES)
            and _matches(trade_type, row.trade_type, TRADE_TYPES)
            and destination in row.destination.upper()
            and (not ticker or ticker == _known_security(row.security_id).ticker)
        )

    return passes


def _matches(wanted: str, value: str, words: frozenset[str]) -> bool:
    return wanted == value if wanted in words else wanted in value.upper()


def _pagination(query: Query, total: int) -> Pagination:
    page, pages = query.offset // query.limit, -(-total // query.limit)
    return Pagination(
        offset=query.offset,
        limit=query.limit,
        total_elements=total,
        total_pages=pages,
        current_page=page,
        has_next=page + 1 < pages,
        has_previous=page > 0,
    )
