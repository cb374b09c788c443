"""The bodies of v2's responses: with the names of portfolios and securities, and in pages."""

from collections.abc import Sequence
from decimal import Decimal

import msgspec

from trade_service.domain.errors import NotFound
from trade_service.domain.fields import Moment, plain
from trade_service.domain.reference import Blotter, Destination, ExecutionStatus, TradeType
from trade_service.trading.listing.model import Page
from trade_service.trading.listing.service import NamedExecution, NamedOrder
from trade_service.web.cursors import encode_cursor
from trade_service.web.responses import FAILURE, SUCCESS, BatchAnswer, OrderResult, ResultStatus


class PortfolioAnswer(msgspec.Struct, frozen=True, rename="camel", gc=False):
    """A portfolio; where its name is unknown, its id stands in."""

    portfolio_id: str
    name: str


class SecurityAnswer(msgspec.Struct, frozen=True, rename="camel", gc=False):
    """A security; where its ticker is unknown, its id stands in."""

    security_id: str
    ticker: str


class TradeOrderV2(msgspec.Struct, frozen=True, rename="camel", gc=False):
    """A trade order."""

    id: int
    order_id: int
    portfolio: PortfolioAnswer
    order_type: str
    security: SecurityAnswer
    quantity: Decimal
    quantity_sent: Decimal
    limit_price: Decimal | None
    trade_timestamp: Moment
    blotter: Blotter | None
    submitted: bool
    version: int

    @classmethod
    def of(cls, named: NamedOrder) -> "TradeOrderV2":
        order = named.order
        # By position, which is faster: a page has a thousand rows of twelve fields.
        return cls(
            order.id,
            order.order_id,
            PortfolioAnswer(order.portfolio_id, named.portfolio_name),
            order.order_type,
            SecurityAnswer(order.security_id, named.ticker),
            plain(order.quantity),
            plain(order.quantity_sent),
            None if order.limit_price is None else plain(order.limit_price),
            order.trade_timestamp,
            named.blotter,
            order.submitted,
            order.version,
        )


class OrderOfExecution(msgspec.Struct, frozen=True, rename="camel", gc=False):
    """The trade order of an execution, in short."""

    id: int
    order_id: int
    portfolio: PortfolioAnswer
    security: SecurityAnswer


class ExecutionV2(msgspec.Struct, frozen=True, rename="camel", gc=False):
    """An execution."""

    id: int
    execution_timestamp: Moment
    execution_status: ExecutionStatus
    blotter: Blotter | None
    trade_type: TradeType | None
    trade_order: OrderOfExecution
    destination: Destination
    quantity_ordered: Decimal
    quantity_placed: Decimal
    quantity_filled: Decimal
    limit_price: Decimal | None
    execution_service_id: int | None
    version: int
    submission_state: str
    code: str | None
    """Why it is not accepted, as far as that is known."""

    @classmethod
    def of(cls, named: NamedExecution) -> "ExecutionV2":
        view, execution, order = named.view, named.view.execution, named.view.order
        portfolio = PortfolioAnswer(order.portfolio_id, named.portfolio_name)
        security = SecurityAnswer(order.security_id, named.ticker)
        return cls(
            execution.id,
            execution.execution_timestamp,
            view.status,
            view.blotter,
            view.trade_type,
            OrderOfExecution(order.id, order.order_id, portfolio, security),
            view.destination,
            plain(execution.quantity_ordered),
            plain(execution.quantity_placed),
            plain(execution.quantity_filled),
            None if execution.limit_price is None else plain(execution.limit_price),
            execution.execution_service_id,
            execution.version,
            execution.submission_state,
            named.code,
        )


class Pagination(msgspec.Struct, frozen=True, rename="camel"):
    """Where a page stands in the whole result."""

    total_elements: int
    """For very long lists a count that is at most a minute old."""
    total_is_estimate: bool
    """Whether `totalElements` is an estimate, while the rows are being counted; `hasNext` is always exact."""
    total_pages: int
    current_page: int
    """From 0."""
    page_size: int
    has_next: bool
    has_previous: bool
    next_cursor: str | None
    """Where the next page begins; pages reached by it cost the same however deep they are."""

    @classmethod
    def of(cls, page: Page[NamedOrder] | Page[NamedExecution]) -> "Pagination":
        return cls(
            total_elements=page.total.rows,
            total_is_estimate=page.total.is_estimate,
            total_pages=-(-page.total.rows // page.limit),
            current_page=page.position // page.limit,
            page_size=page.limit,
            has_next=page.next is not None,
            has_previous=page.position > 0,
            next_cursor=None if page.next is None else encode_cursor(page.next),
        )


class TradeOrderPage(msgspec.Struct, frozen=True, rename="camel"):
    """A page of trade orders."""

    trade_orders: Sequence[TradeOrderV2]
    pagination: Pagination


class ExecutionPage(msgspec.Struct, frozen=True, rename="camel"):
    """A page of executions."""

    executions: Sequence[ExecutionV2]
    pagination: Pagination


class CreatedResult(OrderResult[TradeOrderV2], frozen=True):
    """One created trade order."""


class BatchCreateAnswer(BatchAnswer[CreatedResult], frozen=True):
    """All trade orders were created."""


class MovedResult(msgspec.Struct, frozen=True, rename="camel"):
    """One trade order of a batch that moves orders."""

    trade_order_id: int
    request_index: int
    status: ResultStatus
    message: str
    trade_order: TradeOrderV2 | None

    @classmethod
    def of(cls, index: int, trade_order_id: int, named: NamedOrder | None) -> "MovedResult":
        """The result for an order that was moved, or for None, which does not exist."""
        if named is None:
            message = NotFound.of("trade order", trade_order_id).message
            return cls(trade_order_id, index, FAILURE, message, None)
        return cls(trade_order_id, index, SUCCESS, "trade order moved", TradeOrderV2.of(named))


class BatchMoveAnswer(BatchAnswer[MovedResult], frozen=True):
    """The outcomes of a batch that moves orders."""
