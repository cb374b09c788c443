"""Examples of the main bodies: values of the shapes themselves."""

from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from trade_service.domain.reference import Blotter, Destination, ExecutionStatus, TradeType
from trade_service.web.batches import created
from trade_service.web.v1.references import DescribedPost, DescribedPut, NamedPost, NamedPut
from trade_service.web.v1.requests import (
    BatchSubmission,
    BatchSubmit,
    ExecutionPost,
    ExecutionPut,
    FillPut,
    TradeOrderBulkPost,
    TradeOrderPost,
    TradeOrderPut,
    TradeOrderSubmit,
)
from trade_service.web.v1.responses import (
    BatchSubmitAnswer,
    BulkAnswer,
    ExecutionAnswer,
    SubmitResultAnswer,
    TradeOrderAnswer,
)
from trade_service.web.v2.operating_bodies import NOT_ACCEPTED, RequeuePost, ResolvePost
from trade_service.web.v2.responses import (
    ExecutionPage,
    ExecutionV2,
    OrderOfExecution,
    Pagination,
    PortfolioAnswer,
    SecurityAnswer,
    TradeOrderPage,
    TradeOrderV2,
)
from trade_service.web.v2.submission_bodies import ExecutionsSubmit
from trade_service.web.v2.trade_orders import BatchMove

_MOMENT = datetime(2026, 1, 30, 15, 30, tzinfo=UTC)
_STAMP = "2026-01-30T15:30:00Z"
_HUNDRED, _PRICE = Decimal("100.5"), Decimal("189.12345678")
_BLOTTER = Blotter(1, "EQ", "Equity", 1)
_DESTINATION = Destination(1, "ML", "Merrill Lynch", 1)
_NEW, _SENT = ExecutionStatus(1, "NEW", "New", 1), ExecutionStatus(2, "SENT", "Sent", 1)
_BUY = TradeType(1, "BUY", "Buy", 1)
_PORTFOLIO, _SECURITY = PortfolioAnswer("P1", "Growth"), SecurityAnswer("S1", "IBM")

_ORDER = TradeOrderAnswer(
    7, 4711, "P1", "BUY", "S1", _HUNDRED, _HUNDRED, _PRICE, _MOMENT, _BLOTTER, submitted=True, version=2
)
_EXECUTION = ExecutionAnswer(
    *(9, _MOMENT, _SENT, _BLOTTER, _BUY, _ORDER, _DESTINATION),
    *("100.50", "100.50", "0.00", "189.12345678", 815, 2),
)
_ORDER_V2 = TradeOrderV2(
    *(7, 4711, _PORTFOLIO, "BUY", _SECURITY, _HUNDRED, _HUNDRED, _PRICE, _MOMENT, _BLOTTER),
    submitted=True,
    version=2,
)
_EXECUTION_V2 = ExecutionV2(
    *(9, _MOMENT, _SENT, _BLOTTER, _BUY, OrderOfExecution(7, 4711, _PORTFOLIO, _SECURITY), _DESTINATION),
    *(_HUNDRED, _HUNDRED, Decimal(0), _PRICE, 815, 2),
)
_PAGE = Pagination(
    total_elements=1,
    total_is_estimate=False,
    total_pages=1,
    current_page=0,
    page_size=50,
    has_next=False,
    has_previous=False,
    next_cursor=None,
)
_ORDER_POST = TradeOrderPost(4711, "P1", "BUY", "S1", _HUNDRED, _PRICE, _STAMP, 1)
_EXECUTION_POST: dict[str, Any] = {
    "execution_status_id": 1,
    "trade_order_id": 7,
    "destination_id": 1,
    "quantity_ordered": _HUNDRED,
    "limit_price": _PRICE,
}

_VALUES: list[object] = [
    *(_BLOTTER, _DESTINATION, _NEW, _BUY, _ORDER, _EXECUTION, _ORDER_V2, _EXECUTION_V2),
    NamedPost("EQ", "Equity"),
    NamedPut("EQ", "Equities", version=1, id=1),
    DescribedPost("ML", "Merrill Lynch"),
    DescribedPut("ML", "Merrill", version=1, id=1),
    _ORDER_POST,
    TradeOrderBulkPost([_ORDER_POST]),
    TradeOrderPut(4711, "P1", "BUY", "S1", _HUNDRED, _PRICE, _STAMP, 1, version=1, id=7),
    TradeOrderSubmit(Decimal(50), 1),
    BatchSubmit([BatchSubmission(7, Decimal(50), 1), BatchSubmission(8, "12.5", 1)]),
    ExecutionPost(**_EXECUTION_POST),
    ExecutionPut(**_EXECUTION_POST, version=1, id=9),
    FillPut("PART", Decimal(50), 2),
    BulkAnswer.of(created([_ORDER]), "trade orders created"),
    BatchSubmitAnswer(
        *("SUCCESS", "1 successful, 0 failed of 1", 1, 1, 0),
        [SubmitResultAnswer(7, "SUCCESS", "trade order submitted", _EXECUTION, 0)],
    ),
    TradeOrderPage([_ORDER_V2], _PAGE),
    ExecutionPage([_EXECUTION_V2], _PAGE),
    BatchMove([7, 8], "EQ"),
    ExecutionsSubmit([9, 10]),
    ResolvePost(NOT_ACCEPTED, "absent from the books of today", operator="desk"),
    RequeuePost("the destination is open again", [9, 10], operator="desk"),
]

EXAMPLES: Mapping[type, object] = {type(value): value for value in _VALUES}
"""By shape."""
