"""The paging of v1's lists: an array, and the number of all rows in a header."""

import re
from typing import Any

from litestar import Request

from trade_service.domain.errors import InvalidInput
from trade_service.domain.executions import is_possible_id
from trade_service.trading.listing.model import MAX_LIMIT, Filter, ListQuery, Test, Total
from trade_service.web.request_parsing import read_count, read_once
from trade_service.web.route_docs import ID, integer, query

TOTAL_COUNT = "X-Total-Count"
TOTAL_IS_ESTIMATE = "X-Total-Is-Estimate"
TOTAL_HEADERS = (TOTAL_COUNT, TOTAL_IS_ESTIMATE)
MAX_OFFSET = 2**31 - 1
ORDER_ID = "order_id"

_INTEGER = re.compile(r"[+-]?[0-9]{1,10}", re.ASCII)


def read_page(request: Request[Any, Any, Any]) -> ListQuery:
    """The page that `limit` and `offset` ask for, by id; raises InvalidInput."""
    limit = read_count(request, "limit", MAX_LIMIT, 1, MAX_LIMIT)
    return ListQuery(limit, read_count(request, "offset", 0, 0, MAX_OFFSET))


def read_order_filter(request: Request[Any, Any, Any]) -> tuple[Filter, ...]:
    """The filter that `order_id` asks for; raises InvalidInput."""
    given = (read_once(request, ORDER_ID) or "").strip()
    if not given:
        return ()
    if not _INTEGER.fullmatch(given) or not is_possible_id(int(given)):
        raise InvalidInput.of(ORDER_ID, given[:100], "must be a 32-bit integer")
    return (Filter("orderId", Test.ANY_OF, (int(given),)),)


def total_headers(total: Total) -> dict[str, str]:
    """The number of all rows, and whether it is an estimate."""
    return {TOTAL_COUNT: str(total.rows)} | ({TOTAL_IS_ESTIMATE: "true"} if total.is_estimate else {})


PAGE = (
    query("limit", f"Rows of the page; {MAX_LIMIT} when left out.", integer(1, MAX_LIMIT)),
    query("offset", "Rows left out before the page, exactly.", integer(0, MAX_OFFSET)),
)
ORDER_ID_PARAMETER = query(ORDER_ID, "Only the order of this orderId.", ID)
