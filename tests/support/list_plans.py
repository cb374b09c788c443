"""Pages that must be fast at any table size, and the index that each one uses."""

from collections.abc import Iterator

import msgspec

from trade_service.store.list_statements import NEAR_ROWS
from trade_service.trading.listing.model import Cursor, Filter, ListQuery, SortKey, Test, Value

LIMIT = 100
ROWS = 30_000
PORTFOLIOS = 100
SECURITIES = 300
QUANTITIES = 500
BLOTTERS = 5
"""Four blotters, and orders without one."""
ORDER_TYPES = 3
ONE_IN_FAILED = 15
FAILED = frozenset({"failed_execution"})
OPEN = 200
"""Executions of an attempt: one open attempt has unknown ones, another those that wait for a sender."""


class ListPlan(msgspec.Struct, frozen=True):
    """A page, and the index it must use."""

    source: str
    query: ListQuery
    index: str
    passed: int = 0
    """Further rows that may be read: for an offset, for other names, or in the same range of pages."""
    whole: frozenset[str] = frozenset()
    """Tables that it may read from end to end."""


def _page(
    field: str, *filters: Filter, descending: bool = True, after: tuple[Value, ...] = (), offset: int = 0
) -> ListQuery:
    sort = (SortKey(field, descending),) + (() if field == "id" else (SortKey("id", descending),))
    cursor = Cursor(sort, after, 0) if after else None
    return ListQuery(LIMIT, offset, sort, filters, cursor)


def _is(field: str, *values: Value) -> Filter:
    return Filter(field, Test.ANY_OF, values)


_LATE = "2026-01-02T00:00:00+00:00"

LIST_PLANS = {
    "orders": ListPlan("orders", _page("id"), "trade_order_pkey"),
    "orders behind a row": ListPlan("orders", _page("id", after=(ROWS // 2,)), "trade_order_pkey"),
    "orders by order id": ListPlan("orders", _page("orderId"), "trade_order_order_id_ndx"),
    "orders by time": ListPlan("orders", _page("tradeTimestamp"), "trade_order_timestamp_ndx"),
    "orders by time, behind a row": ListPlan(
        "orders", _page("tradeTimestamp", after=(_LATE, ROWS // 2)), "trade_order_timestamp_ndx"
    ),
    "orders of a portfolio": ListPlan(
        "orders", _page("id", _is("portfolioId", "P7")), "trade_order_portfolio_ndx"
    ),
    "orders of a security": ListPlan(
        "orders", _page("id", _is("securityId", "S7")), "trade_order_security_ndx"
    ),
    "orders of a security, behind a row": ListPlan(
        "orders",
        _page("id", _is("securityId", "S7"), after=(ROWS // 2,), descending=False),
        "trade_order_security_ndx",
    ),
    "orders by quantity": ListPlan("orders", _page("quantity"), "trade_order_quantity_ndx"),
    "orders by quantity, least first": ListPlan(
        "orders", _page("quantity", descending=False), "trade_order_quantity_ndx"
    ),
    "orders by quantity, behind a row": ListPlan(
        "orders", _page("quantity", after=(QUANTITIES // 2, ROWS // 2)), "trade_order_quantity_ndx"
    ),
    "orders by quantity, least first, behind a row": ListPlan(
        "orders",
        _page("quantity", after=(QUANTITIES // 2, ROWS // 2), descending=False),
        "trade_order_quantity_ndx",
    ),
    "orders by quantity, in the middle, by offset": ListPlan(
        "orders", _page("quantity", offset=ROWS // 2), "trade_order_quantity_ndx", ROWS // 2
    ),
    "orders of a quantity and more": ListPlan(
        "orders",
        _page("quantity", Filter("quantity", Test.AT_LEAST, (QUANTITIES // 2,)), descending=False),
        "trade_order_quantity_ndx",
    ),
    "executions": ListPlan("executions", _page("id"), "execution_pkey"),
    "executions behind a row": ListPlan("executions", _page("id", after=(ROWS // 2,)), "execution_pkey"),
    "executions by time": ListPlan("executions", _page("executionTimestamp"), "execution_timestamp_ndx"),
    "executions up to an id": ListPlan(
        "executions", _page("id", Filter("id", Test.AT_MOST, (ROWS // 2,))), "execution_pkey"
    ),
    "executions of an order": ListPlan(
        "executions", _page("id", _is("tradeOrderId", 7)), "execution_trade_order_ndx"
    ),
    "executions of a client's order id": ListPlan(
        "executions", _page("id", _is("orderId", 7)), "execution_trade_order_ndx"
    ),
    "executions of an id of the Execution Service": ListPlan(
        "executions", _page("id", _is("executionServiceId", 777)), "execution_service_ndx", 5_000
    ),
    "executions in the middle, by offset": ListPlan(
        "executions", _page("executionTimestamp", offset=ROWS // 2), "execution_timestamp_ndx", ROWS // 2
    ),
    "orders by portfolio": ListPlan(
        "orders", _page("portfolio.name"), "trade_order_portfolio_ndx", PORTFOLIOS
    ),
    "orders by security, behind a row": ListPlan(
        "orders",
        _page("security.ticker", after=("S77", ROWS // 2), descending=False),
        "trade_order_security_ndx",
        SECURITIES,
    ),
    "executions by security": ListPlan(
        "executions", _page("security.ticker"), "execution_trade_order_ndx", SECURITIES
    ),
    "executions by portfolio, behind a row": ListPlan(
        "executions",
        _page("portfolio.name", after=("P77", ROWS // 2)),
        "execution_trade_order_ndx",
        2 * ROWS // PORTFOLIOS,
    ),
}


def _by_name(field: str, index: str, groups: int, names: tuple[str, ...]) -> Iterator[tuple[str, ListPlan]]:
    """Pages in both directions, from the start and after a row of each name."""
    for descending in (False, True):
        for after in ((), *((name, ROWS // 2) for name in names)):
            page = _page(field, after=after, descending=descending)
            way = "-" if descending else ""
            yield f"orders by {way}{field} {after}", ListPlan("orders", page, index, groups * (LIMIT + 1))


def _by_state() -> Iterator[tuple[str, ListPlan]]:
    """Pages of the executions in some states, or with a reason, from the start and behind a row."""
    failed, half = ROWS // ONE_IN_FAILED, (ROWS // 2,)
    rejected, late = _is("submissionState", "rejected", "exhausted"), _is("code", "late")
    for after in ((), half):
        yield (
            f"failed {after}",
            ListPlan("executions", _page("id", rejected, after=after), "failed_execution_pkey"),
        )
    yield (
        "failed with a code",
        ListPlan(
            "executions", _page("id", rejected, _is("code", "CODE 1")), "failed_execution_pkey", LIMIT * 3
        ),
    )
    for name, at in (("failed by time", ()), ("failed by time, behind a row", (_LATE, ROWS // 2))):
        page = _page("executionTimestamp", rejected, after=at)
        yield name, ListPlan("executions", page, "execution_timestamp_ndx", NEAR_ROWS, FAILED)
    unknown = _page("executionTimestamp", _is("submissionState", "unknown"))
    yield (
        "unknown by time",
        ListPlan("executions", unknown, "submission_attempt_due_ndx", NEAR_ROWS + 3 * OPEN),
    )
    waiting = _is("submissionState", "queued", "unknown")
    for name, page in {
        "queued": _page("id", _is("submissionState", "queued")),
        "unknown": _page("id", _is("submissionState", "unknown"), descending=False),
        "unknown with a code": _page("id", waiting, late),
    }.items():
        yield name, ListPlan("executions", page, "submission_attempt_due_ndx", 6 * OPEN)
    both = _page("id", _is("submissionState", "rejected", "queued"))
    yield "failed or queued", ListPlan("executions", both, "submission_attempt_due_ndx", failed, FAILED)
    of_portfolio = _page("id", rejected, _is("portfolioId", "P5"))
    yield "failed of a portfolio", ListPlan("executions", of_portfolio, "execution_trade_order_ndx")


LIST_PLANS |= {
    **dict(_by_state()),
    **dict(
        _by_name("blotter.abbreviation", "trade_order_blotter_ndx", BLOTTERS, ("", "Default", "EQ", "HOLD"))
    ),
    **dict(_by_name("orderType", "trade_order_type_ndx", ORDER_TYPES, ("BUY", "SELL", "SHORT"))),
}

FILL = (
    f"""INSERT INTO trade_order
        (order_id, portfolio_id, order_type, security_id, quantity, quantity_sent, submitted, trade_timestamp,
         blotter_id)
        SELECT {ROWS} - n, 'P' || n % {PORTFOLIOS}, (ARRAY['BUY', 'SELL', 'SHORT'])[1 + n % {ORDER_TYPES}],
               'S' || n % {SECURITIES}, n % {QUANTITIES}, 10, true,
               timestamptz '2026-01-01Z' + n * interval '10 s', nullif(n % {BLOTTERS}, 0)
        FROM generate_series(1, {ROWS}) n""",
    """INSERT INTO execution
        (execution_status_id, trade_type_id, trade_order_id, destination_id, quantity_ordered, quantity_placed,
         submission_state, execution_timestamp, execution_service_id)
        SELECT 1, 1, o.id, 1, 10, 10, 'accepted', o.trade_timestamp, o.id FROM trade_order o ORDER BY o.id""",
    f"""UPDATE execution SET submission_state = 'rejected' WHERE id % {ONE_IN_FAILED} = 0""",
    f"""INSERT INTO failed_execution (execution_id, state, code, message)
        SELECT n * {ONE_IN_FAILED}, 'rejected', 'CODE ' || n % 3, ''
        FROM generate_series(1, {ROWS // ONE_IN_FAILED}) n""",
    # All attempts but the last of each kind are closed.
    f"""INSERT INTO submission_attempt (id, state, owner, execution_ids, next_action_at, code)
        SELECT md5(n::text)::uuid, CASE WHEN n % 2 = 0 THEN 'queued' ELSE 'answered' END, 'one',
               array(SELECT generate_series(n * {OPEN} + 1, (n + 1) * {OPEN})),
               CASE WHEN n > 10 THEN now() END, CASE WHEN n % 2 = 1 THEN 'LATE' END
        FROM generate_series(1, 12) n""",
    f"""UPDATE execution SET submission_state = CASE WHEN id > 12 * {OPEN} THEN 'queued' ELSE 'unknown' END,
                             attempt_id = md5(((id - 1) / {OPEN})::text)::uuid
        WHERE id > 11 * {OPEN} AND id <= 13 * {OPEN} AND submission_state = 'accepted'""",
    "SELECT brin_summarize_new_values('execution_service_ndx')",
)
