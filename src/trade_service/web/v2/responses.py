"""Response bodies of v2. Decimals are JSON numbers."""

from collections.abc import Sequence
from decimal import Decimal

import msgspec

from trade_service.domain.errors import NotFound
from trade_service.domain.instants import Moment
from trade_service.domain.money import plain
from trade_service.domain.orders import TradeOrder
from trade_service.domain.reference import Blotter, Destination, ExecutionStatus, TradeType
from trade_service.trading.listing.model import Page
from trade_service.trading.listing.service import NamedExecution, NamedOrder
from trade_service.web.batches import FAILURE, SUCCESS, BatchAnswer, OrderResult, ResultStatus
from trade_service.web.v2 import cursors


class PortfolioAnswer(msgspec.Struct, frozen=True, rename="camel"):
    """A portfolio; where its name is unknown, its id stands in."""

    portfolio_id: str
    name: str


class SecurityAnswer(msgspec.Struct, frozen=True, rename="camel"):
    """A security; where its ticker is unknown, its id stands in."""

    security_id: str
    ticker: str


class TradeOrderV2(msgspec.Struct, frozen=True, rename="camel"):
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
        """Presents an order."""
        order = named.order
        return cls(
            id=order.id,
            order_id=order.order_id,
            portfolio=PortfolioAnswer(order.portfolio_id, named.portfolio_name),
            order_type=order.order_type,
            security=SecurityAnswer(order.security_id, named.ticker),
            quantity=plain(order.quantity),
            quantity_sent=plain(order.quantity_sent),
            limit_price=_plain(order.limit_price),
            trade_timestamp=order.trade_timestamp,
            blotter=named.blotter,
            submitted=order.submitted,
            version=order.version,
        )


class OrderOfExecution(msgspec.Struct, frozen=True, rename="camel"):
    """The trade order of an execution, in short."""

    id: int
    order_id: int
    portfolio: PortfolioAnswer
    security: SecurityAnswer

    @classmethod
    def of(cls, order: TradeOrder, portfolio_name: str, ticker: str) -> "OrderOfExecution":
        """Presents an order in short."""
        return cls(
            order.id,
            order.order_id,
            PortfolioAnswer(order.portfolio_id, portfolio_name),
            SecurityAnswer(order.security_id, ticker),
        )


class ExecutionV2(msgspec.Struct, frozen=True, rename="camel"):
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

    @classmethod
    def of(cls, named: NamedExecution) -> "ExecutionV2":
        """Presents an execution."""
        view, execution = named.view, named.view.execution
        return cls(
            id=execution.id,
            execution_timestamp=execution.execution_timestamp,
            execution_status=view.status,
            blotter=view.blotter,
            trade_type=view.trade_type,
            trade_order=OrderOfExecution.of(view.order, named.portfolio_name, named.ticker),
            destination=view.destination,
            quantity_ordered=plain(execution.quantity_ordered),
            quantity_placed=plain(execution.quantity_placed),
            quantity_filled=plain(execution.quantity_filled),
            limit_price=_plain(execution.limit_price),
            execution_service_id=execution.execution_service_id,
            version=execution.version,
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
        """The pagination of a page."""
        return cls(
            total_elements=page.total.rows,
            total_is_estimate=page.total.is_estimate,
            total_pages=-(-page.total.rows // page.limit),
            current_page=page.position // page.limit,
            page_size=page.limit,
            has_next=page.next is not None,
            has_previous=page.position > 0,
            next_cursor=None if page.next is None else cursors.encode(page.next),
        )


class TradeOrderPage(msgspec.Struct, frozen=True, rename="camel"):
    """A page of trade orders."""

    trade_orders: Sequence[TradeOrderV2]
    pagination: Pagination

    @classmethod
    def of(cls, page: Page[NamedOrder]) -> "TradeOrderPage":
        """Presents a page."""
        return cls([TradeOrderV2.of(one) for one in page.items], Pagination.of(page))


class ExecutionPage(msgspec.Struct, frozen=True, rename="camel"):
    """A page of executions."""

    executions: Sequence[ExecutionV2]
    pagination: Pagination

    @classmethod
    def of(cls, page: Page[NamedExecution]) -> "ExecutionPage":
        """Presents a page."""
        return cls([ExecutionV2.of(one) for one in page.items], Pagination.of(page))


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


def _plain(number: Decimal | None) -> Decimal | None:
    return None if number is None else plain(number)
