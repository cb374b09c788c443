"""Selects, sorts and pages for ``GET /api/v1/executions``, as both profiles do. Pure."""

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Final

from msgspec import Struct

from execution_simulator.ledger import Entry, Ledger

MAX_PAGE: Final = 100

Keys = Sequence[tuple[str, bool]]
"""Sort fields, each with a flag for descending order."""

SORT_FIELDS: Final[Mapping[str, Callable[[Entry], object]]] = MappingProxyType(
    {
        "id": lambda row: row.id,
        "receivedTimestamp": lambda row: row.received_timestamp,
        "sentTimestamp": lambda row: row.received_timestamp,
        "executionStatus": lambda row: row.execution_status,
        "tradeType": lambda row: row.trade_type,
        "destination": lambda row: row.destination,
        "quantity": lambda row: row.quantity,
        "ticker": lambda row: row.security_id,
    }
)
"""A profile may derive the ticker differently. Executions are sent on receipt, so both timestamps sort alike."""


class QueryError(ValueError):
    """A query parameter is invalid; the message names it."""


class Query(Struct, frozen=True):
    """Parameters of ``GET /api/v1/executions``; a filter of None matches everything."""

    offset: int = 0
    limit: int = 50
    sort_by: str = "id"
    execution_status: str | None = None
    trade_type: str | None = None
    destination: str | None = None
    ticker: str | None = None


def read_query(given: Mapping[str, str]) -> Query:
    """Parses the query string. Raises `QueryError`."""
    return Query(
        offset=_number("offset", given.get("offset") or "0", 0, 2**31 - 1),
        limit=_number("limit", given.get("limit") or "50", 1, MAX_PAGE),
        sort_by=given.get("sortBy") or "id",
        execution_status=given.get("executionStatus"),
        trade_type=given.get("tradeType"),
        destination=given.get("destination"),
        ticker=given.get("ticker"),
    )


def split_sort(sort_by: str) -> list[tuple[str, bool]]:
    """The fields of ``sortBy``, unknown ones included, each with a flag for descending order."""
    parts = [part.strip() for part in sort_by.split(",")]
    return [(part.removeprefix("-"), part.startswith("-")) for part in parts]


def select(
    ledger: Ledger,
    keys: Keys,
    fields: Mapping[str, Callable[[Entry], object]],
    passes: Callable[[Entry], bool] | None,
    window: range,
) -> tuple[list[Entry], int]:
    """The sorted rows within ``window`` of those that pass, and how many pass.

    Sorted by id and unfiltered, it reads only the window.
    """
    if passes is None and keys[0][0] == "id":
        total = ledger.total
        places = range(min(window.start, total), min(window.stop, total))
        return [ledger.at(total - 1 - place if keys[0][1] else place) for place in places], total
    rows = [row for row in map(ledger.at, range(ledger.total)) if passes is None or passes(row)]
    for name, descending in reversed(keys):
        rows.sort(key=fields[name], reverse=descending)  # type: ignore[arg-type]  # every field compares
    return rows[window.start : window.stop], len(rows)


def _number(name: str, text: str, lowest: int, highest: int) -> int:
    try:
        value = int(text)
    except ValueError:
        raise QueryError(f"{name}: {text!r} is not a whole number") from None
    if not lowest <= value <= highest:
        raise QueryError(f"{name} must be between {lowest} and {highest}, got {value}")
    return value
