"""The Execution Service as observed, where it differs from its published document. Pure.

Sources: the recorded exchanges in ``tests/golden/execution_service_exchanges.jsonl``, and its public source code.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from decimal import Decimal, InvalidOperation
from functools import lru_cache
from http import HTTPStatus
from typing import Final

from execution_simulator.columns import (
    Amounts,
    amounts_of,
    column,
    from_e8,
    iso_microseconds,
    iso_nanoseconds,
)
from execution_simulator.ledger import Entry, Ledger
from execution_simulator.listing import SORT_FIELDS, Keys, Query, select, split_sort
from execution_simulator.payloads import (
    ErrorBody,
    Execution,
    ExecutionPage,
    ExecutionPost,
    ExecutionPut,
    Security,
)
from execution_simulator.profiles.base import (
    BROKEN,
    MAX_BATCH_ITEMS,
    STATUSES,
    TRADE_TYPES,
    UNEXPECTED,
    ZERO,
    Broken,
    Fate,
    Problem,
    Profile,
    Refusal,
    letters_of,
    pagination,
    shown,
)

_SECURITY_ID_LENGTH: Final = 24
_DESTINATION_LENGTH: Final = 20
_LENGTHS: Final = {
    "executionStatus": 20,
    "tradeType": 10,
    "destination": _DESTINATION_LENGTH,
    "securityId": _SECURITY_ID_LENGTH,
}

INVALID_TRADE_TYPE: Final = "Invalid trade type. Must be BUY or SELL"
INVALID_STATUS: Final = "Invalid execution status. Must be NEW, PENDING, FILLED, CANCELLED, or REJECTED"

_NAMES: Final = {
    "executionStatus": "Execution status",
    "tradeType": "Trade type",
    "destination": "Destination",
    "securityId": "Security ID",
}
# Java's String.trim removes every character up to and including the space.
_BLANKS: Final = "".join(map(chr, range(33)))
_WHOLE_STATUSES: Final = frozenset({"NEW", "PART", "FULL", "CANCELLED", "REJECTED"})
_SENT_AFTER: Final = timedelta(milliseconds=1)
_ZERO_E8: Final = from_e8(0)


class Real(Profile):
    """The deployed service: a blank-padded ``char(24)``, rounded columns, and 500 for nearly every error."""

    like_tomcat = True

    def check_all(self, posts: Sequence[ExecutionPost | None], *, singly: bool) -> list[Fate]:
        """Validates the items of a batch; a single execution only meets the table's constraints."""
        return [_stored_singly(post) if singly else _check(post) for post in posts]

    def list_rule(self, items: int | None) -> str | None:
        if items is None:
            return "Executions list cannot be null"
        if items == 0:
            return "Executions list cannot be empty"
        return f"Maximum {MAX_BATCH_ITEMS} executions allowed per batch" if items > MAX_BATCH_ITEMS else None

    def permanent_message(self, post: ExecutionPost) -> str:
        """One of the few refusals that the service has."""
        return INVALID_TRADE_TYPE

    def version_of(self, post: ExecutionPost, singly: bool) -> int:
        """One more than the request's in a batch: storing the sent timestamp counts as an update."""
        return 1 if singly else (post.version or 0) + 1

    def created(
        self, first_id: int, posts: Sequence[ExecutionPost], now_ns: int, *, singly: bool
    ) -> list[Execution]:
        """As requested, before the columns round and pad the values."""
        now = iso_nanoseconds(now_ns)
        if singly:
            return [
                shown(post, execution_id, _known_security(post.security_id or ""), now, now, ZERO, None, 1)
                for execution_id, post in enumerate(posts, first_id)
            ]
        return [
            shown(
                post, execution_id, _derived_security(post.security_id or ""), now, None, ZERO, ZERO,
                post.version or 0,
            )
            for execution_id, post in enumerate(posts, first_id)
        ]  # fmt: skip

    def stored(self, entry: Entry) -> Execution:
        """With the values that the columns hold."""
        received = iso_microseconds(entry.received_timestamp)
        sent = iso_microseconds(entry.received_timestamp + _SENT_AFTER)
        security = _known_security(entry.security_id.ljust(_SECURITY_ID_LENGTH))
        filled = entry.quantity_filled if entry.filled else _ZERO_E8
        price = entry.average_price if entry.filled or entry.singly else _ZERO_E8
        return shown(entry, entry.id, security, received, sent, filled, price, entry.version)

    def page(self, ledger: Ledger, query: Query) -> ExecutionPage:
        """Offsets round down to whole pages, except for ``sortBy=id``: newest first, exact offset and filters."""
        fast = query.sort_by == "id" and not _trimmed(query.ticker)
        first = query.offset - query.offset % query.limit
        start = query.offset if fast else first
        keys: Keys = [("id", True)] if fast else _keys(query.sort_by)
        passes = _exact_filter(query) if fast else _loose_filter(query)
        rows, total = select(ledger, keys, SORT_FIELDS, passes, range(start, start + query.limit))
        if rows and first + query.limit > total:
            # Spring computes the total of a last page from its rows: wrong if the offset was not rounded.
            total = first + len(rows)
        page, pages = query.offset // query.limit, -(-total // query.limit)
        envelope = pagination(query, total, has_next=page + 1 < pages, has_previous=page > 0)
        return ExecutionPage([self.stored(row) for row in rows], envelope)

    def fill_amounts(self, fill: ExecutionPut) -> tuple[Decimal, Decimal | None] | None:
        """Rounded to eight decimals; negative amounts and overfills are stored too."""
        filled = column(fill.quantity_filled)
        price = None if fill.average_price is None else column(fill.average_price)
        if filled is None or (price is None and fill.average_price is not None):
            return None
        return from_e8(filled), None if price is None else from_e8(price)

    def error(
        self, status: int, message: str, path: str, now_ns: int, errors: Mapping[str, str] | None = None
    ) -> ErrorBody:
        """Always includes ``validationErrors``."""
        phrase = HTTPStatus(status).phrase
        details = None if errors is None else dict(errors)
        return ErrorBody(iso_nanoseconds(now_ns), status, phrase, message, f"uri={path}", details)

    def problem(self, problem: Problem, detail: str, path: str, now_ns: int) -> tuple[int, ErrorBody | None]:
        """500 for everything except an unknown id, which gets 404 without a body."""
        if problem is Problem.UNKNOWN_ID:
            return HTTPStatus.NOT_FOUND.value, None
        return 500, self.error(500, UNEXPECTED, path, now_ns)


def _trimmed(text: str | None) -> str:
    return (text or "").strip(_BLANKS)


def _check(post: ExecutionPost | None) -> Fate:
    """Cheap tests settle the common case."""
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
        return _row(post) if good else _first_violation(post)
    except InvalidOperation:
        # NaN, which JSON cannot carry.
        return BROKEN


def _first_violation(post: ExecutionPost) -> Fate:
    """The first violated rule in the service's own order: missing, too long, too small, unknown."""
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
    """A valid item as stored: amounts round or overflow, and PostgreSQL rejects NUL in text."""
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
    """As the answer to a batch shows it."""
    return Security(security_id, letters_of(security_id) if len(security_id) >= 4 else None)


@lru_cache(maxsize=10_000)
def _known_security(security_id: str) -> Security:
    """As reads show it, with the security service's ticker: it knows each id of 24 characters that ends in a
    number, as ``T`` and that number."""
    number = re.search("[0-9]+$", security_id) if len(security_id) == _SECURITY_ID_LENGTH else None
    return Security(security_id, None if number is None else f"T{int(number[0])}")


def _keys(sort_by: str) -> Keys:
    """Ignores unknown fields; sorts by id if none is left."""
    return [key for key in split_sort(sort_by) if key[0] in SORT_FIELDS] or [("id", False)]


def _exact_filter(query: Query) -> Callable[[Entry], bool] | None:
    wanted = (query.execution_status, query.trade_type, query.destination)
    if wanted == (None, None, None):
        return None

    def passes(row: Entry) -> bool:
        found = (row.execution_status, row.trade_type, row.destination)
        return all(want is None or want == value for want, value in zip(wanted, found, strict=True))

    return passes


def _loose_filter(query: Query) -> Callable[[Entry], bool] | None:
    """Known words match exactly, others as substrings in any case; the case of a ticker matters."""
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
