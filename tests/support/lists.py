"""Rows for lists, and lists computed naively: all rows read, sorted and filtered in Python."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cmp_to_key
from typing import Any

import msgspec

from tests.support.trading import run_sql
from trade_service.domain.executions import SubmissionState
from trade_service.store.database import Database
from trade_service.store.list_store import PostgresListCounts, PostgresListReads
from trade_service.store.name_store import PostgresNameStore
from trade_service.store.reference_store import PostgresReferenceReads
from trade_service.submission.clock import SystemClock
from trade_service.trading.listing.display_names import (
    DisplayNames,
    NameKind,
    NamesUnavailable,
)
from trade_service.trading.listing.model import Filter, SortKey, Test, Value
from trade_service.trading.listing.row_counts import RowCounts
from trade_service.trading.listing.service import ListService
from trade_service.trading.reference import ReferenceCache
from trade_service.trading.trading_settings import ListSettings, NamesSettings

_ORDERS = """
INSERT INTO trade_order
    (order_id, portfolio_id, order_type, security_id, quantity, quantity_sent, trade_timestamp, blotter_id,
     submitted, limit_price)
SELECT n * 7 % 1000003, 'P' || n % 3, (ARRAY['BUY', 'sell', 'SHORT'])[1 + n % 3], 'S' || n % 4, n % 5 + 0.12345678,
       n % 2, timestamptz '2026-01-30 15:30Z' + n % 6 * interval '1 s', nullif(n % 5, 0) % 5,
       (ARRAY[true, false, NULL])[1 + n % 3], 9999999999.00000001
FROM generate_series(1, :count) n
"""
_EXECUTIONS = """
INSERT INTO execution
    (execution_timestamp, execution_status_id, blotter_id, trade_type_id, trade_order_id, destination_id,
     quantity_ordered, quantity_placed, quantity_filled, execution_service_id, submission_state)
SELECT timestamptz '2026-01-30 15:30Z' + n % 4 * interval '1 s', 1 + n % 10, nullif(n % 5, 0),
       nullif(n % 6, 0) % 6, o.first + n * 5 % :orders, 1 + n % 6, n % 4 + 1, n % 3, n % 2 * 0.5,
       nullif(n % 7, 0), 'accepted'
FROM generate_series(1, :count) n, (SELECT min(id) AS first FROM trade_order) o
"""
NAMES: Mapping[NameKind, Mapping[str, str]] = {
    NameKind.PORTFOLIO: {"P0": "Growth", "P1": "alpha"},
    NameKind.SECURITY: {"S0": "IBM", "S1": "AAPL", "S2": "IBM"},
}
"""P2 and S3 have no name, so lists show their ids. Two securities share a ticker."""


class FakeDirectory:
    """Answers from a dictionary, or is unavailable; records the ids and names it is asked for."""

    def __init__(self, names: Mapping[NameKind, Mapping[str, str]]) -> None:
        self.names = {kind: dict(names.get(kind, {})) for kind in NameKind}
        self.away = False
        self.asked: list[tuple[NameKind, str]] = []
        self.gate: Callable[[], Any] | None = None

    async def name_of(self, kind: NameKind, identity: str) -> str | None:
        self.asked.append((kind, identity))
        if self.gate is not None:
            await self.gate()
        if self.away:
            raise NamesUnavailable("away")
        return self.names[kind].get(identity)

    def is_away(self, kind: NameKind) -> bool:
        return False

    async def search(self, kind: NameKind, name: str) -> Mapping[str, str]:
        self.asked.append((kind, name))
        if self.away:
            raise NamesUnavailable("away")
        return {i: shown for i, shown in self.names[kind].items() if shown.lower() == name.lower()}


class Lists(msgspec.Struct):
    """The lists on a real database."""

    database: Database
    directory: FakeDirectory
    names: DisplayNames
    totals: RowCounts
    service: ListService


FEW = ListSettings(counted_up_to=50, total_fresh_s=0.0)
"""Larger totals are shown once more before they are refreshed."""


def lists_on(
    database: Database,
    directory: FakeDirectory | None = None,
    totals: ListSettings = FEW,
    memory_s: float = 0.0,
    complete_every_s: float = 10.0,
    **options: Any,
) -> Lists:
    """Lists whose names come from `directory`; `options` are those of NamesSettings."""
    clock = SystemClock()
    source = directory or FakeDirectory(NAMES)
    names = DisplayNames(
        source,
        PostgresNameStore(database),
        clock,
        NamesSettings(**options),
        memory_s=memory_s,
        complete_every_s=complete_every_s,
    )
    counts = RowCounts(PostgresListCounts(database), clock, totals)
    references = ReferenceCache(PostgresReferenceReads(database), 30.0, clock)
    service = ListService(PostgresListReads(database), references, names, counts)
    return Lists(database, source, names, counts, service)


async def insert_mixed(database: Database, orders: int, executions: int) -> None:
    """Rows with ties, gaps and blanks in every field."""
    await run_sql(database, _ORDERS, count=orders)
    if executions:
        await run_sql(database, _EXECUTIONS, count=executions, orders=orders)


_STATES = """
WITH chosen AS (
    -- Each attempt has executions in several states.
    SELECT id, :states::text[] AS states, md5((id / 5)::text)::uuid AS attempt_id,
           (ARRAY['', 'LATE', 'late', 'GONE'])[1 + id % 4] AS code
    FROM execution
    WHERE id % 11 <> 0
), changed AS (
    UPDATE execution e
    SET submission_state = c.states[1 + c.id % cardinality(c.states)], attempt_id = c.attempt_id
    FROM chosen c
    WHERE e.id = c.id
    RETURNING e.id, e.submission_state AS state, c.code
), failed AS (
    INSERT INTO failed_execution (execution_id, state, code, message)
    SELECT id, state, code, '' FROM changed WHERE state IN ('rejected', 'exhausted')
)
INSERT INTO submission_attempt
    (id, state, owner, execution_ids, next_action_at, code, finding_ids, finding_states, finding_codes,
     finding_messages)
-- Some of the executions have another attempt by now, and some of the attempt's own have no finding.
SELECT attempt_id, 'answered', 'one', array_agg(id ORDER BY id) || ARRAY[max(id) + 1, max(id) + 2], now(),
       max(code) FILTER (WHERE id % 3 = 0), array_agg(finding_id ORDER BY id),
       array_agg('retry'::text ORDER BY id), array_agg(code ORDER BY id), array_agg(''::text ORDER BY id)
FROM (SELECT CASE WHEN id % 2 = 0 THEN id ELSE 0 END AS finding_id, * FROM chosen) c
GROUP BY attempt_id
"""
_RESOLVED = """
INSERT INTO submission_evidence (execution_id, source, code, attempt_id, state_before, state, message)
SELECT id, 'operator', 'RESOLVED', attempt_id, 'unknown', submission_state, ''
FROM execution
WHERE id % 13 = 0 AND attempt_id IS NOT NULL
"""


async def insert_states(database: Database) -> None:
    """Gives most executions another state, with attempts and reasons as the engine leaves them."""
    await run_sql(database, _STATES, states=list(SubmissionState))
    await run_sql(database, _RESOLVED)


Read = Mapping[str, Callable[[Any], Value]]
"""Reads a field of a row."""


def order_fields(row: Any) -> Mapping[str, Value]:
    """The fields of a NamedOrder that lists sort and filter by."""
    order = row.order
    return {
        "id": order.id,
        "orderId": order.order_id,
        "orderType": order.order_type,
        "quantity": order.quantity,
        "quantitySent": order.quantity_sent,
        "tradeTimestamp": order.trade_timestamp,
        "submitted": order.submitted,
        "blotter.abbreviation": row.blotter.abbreviation if row.blotter else "",
        "security.ticker": row.ticker,
        "portfolio.name": row.portfolio_name,
    }


def execution_fields(row: Any) -> Mapping[str, Value]:
    """The fields of a NamedExecution that lists sort and filter by."""
    execution, view = row.view.execution, row.view
    return {
        "id": execution.id,
        "executionTimestamp": execution.execution_timestamp,
        "quantityOrdered": execution.quantity_ordered,
        "quantityPlaced": execution.quantity_placed,
        "quantityFilled": execution.quantity_filled,
        "tradeOrderId": execution.trade_order_id,
        "executionServiceId": execution.execution_service_id,
        "submissionState": execution.submission_state,
        "code": row.code,
        "orderId": view.order.order_id,
        "executionStatus.abbreviation": view.status.abbreviation,
        "blotter.abbreviation": view.blotter.abbreviation if view.blotter else "",
        "tradeType.abbreviation": view.trade_type.abbreviation if view.trade_type else "",
        "destination.abbreviation": view.destination.abbreviation,
        "security.ticker": row.ticker,
        "portfolio.name": row.portfolio_name,
    }


def naive(
    rows: Iterable[Any],
    fields: Callable[[Any], Mapping[str, Value]],
    sort: Sequence[SortKey],
    filters: Sequence[Filter],
) -> list[Any]:
    """The whole result."""
    found = [row for row in rows if all(_meets(fields(row)[one.field], one) for one in filters)]

    def compare(one: Any, other: Any) -> int:
        for key in sort:
            left, right = fields(one)[key.field], fields(other)[key.field]
            if left != right:
                return (-1 if left < right else 1) * (-1 if key.descending else 1)  # type: ignore[operator]
        return 0

    return sorted(found, key=cmp_to_key(compare))


def _meets(value: Any, one: Filter) -> bool:
    if value is None:
        return False
    if one.test is Test.ANY_OF:
        if isinstance(value, str):
            return value.lower() in {str(text).lower() for text in one.values} and value != ""
        return value in one.values
    (bound,) = one.values
    if one.test is Test.BEFORE:
        return bool(value < bound)
    return bool(value >= bound if one.test is Test.AT_LEAST else value <= bound)
