"""Response bodies of v1 and v2."""

from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import Annotated, Self

import msgspec

from trade_service.domain.errors import NotFound
from trade_service.domain.fields import Moment, plain, with_two_decimals
from trade_service.domain.orders import TradeOrder
from trade_service.domain.reference import Blotter, Destination, ExecutionStatus, TradeType
from trade_service.submission.model import PENDING_MESSAGE, ExecutionSubmitResult, SubmitStatus
from trade_service.trading.listing.model import Page
from trade_service.trading.listing.service import NamedExecution, NamedOrder
from trade_service.trading.model import ExecutionView, SubmittedOrder
from trade_service.web.cursors import encode_cursor
from trade_service.web.rendering import (
    FAILURE,
    SUCCESS,
    BatchAnswer,
    OrderResult,
    ResultStatus,
    counted,
    presented,
)

SUBMISSION_STATE = "X-Submission-State"
SUBMISSION_MESSAGE = "X-Submission-Message"
_PENDING = SubmitStatus.PENDING

ExactText = Annotated[str, msgspec.Meta(pattern=r"^-?[0-9]+\.[0-9]{2,8}$")]
"""A decimal in the executions of v1."""


class TradeOrderAnswer(msgspec.Struct, frozen=True, rename="camel", gc=False):
    """A trade order; its decimals are JSON numbers."""

    id: int
    order_id: int
    portfolio_id: str
    order_type: str
    security_id: str
    quantity: Decimal
    quantity_sent: Decimal
    limit_price: Decimal | None
    trade_timestamp: Moment
    blotter: Blotter | None
    submitted: bool
    version: int

    @classmethod
    def of(cls, order: TradeOrder, blotter: Blotter | None) -> "TradeOrderAnswer":
        return cls(
            id=order.id,
            order_id=order.order_id,
            portfolio_id=order.portfolio_id,
            order_type=order.order_type,
            security_id=order.security_id,
            quantity=plain(order.quantity),
            quantity_sent=plain(order.quantity_sent),
            limit_price=None if order.limit_price is None else plain(order.limit_price),
            trade_timestamp=order.trade_timestamp,
            blotter=blotter,
            submitted=order.submitted,
            version=order.version,
        )


class ExecutionAnswer(msgspec.Struct, frozen=True, rename="camel", gc=False):
    """An execution; its four decimals are strings with at least two decimals."""

    id: int
    execution_timestamp: Moment
    execution_status: ExecutionStatus
    blotter: Blotter | None
    trade_type: TradeType | None
    trade_order: TradeOrderAnswer
    destination: Destination
    quantity_ordered: ExactText
    quantity_placed: ExactText
    quantity_filled: ExactText
    limit_price: ExactText | None
    execution_service_id: int | None
    version: int

    @classmethod
    def of(cls, view: ExecutionView) -> "ExecutionAnswer":
        execution = view.execution
        price = execution.limit_price
        return cls(
            id=execution.id,
            execution_timestamp=execution.execution_timestamp,
            execution_status=view.status,
            blotter=view.blotter,
            trade_type=view.trade_type,
            trade_order=TradeOrderAnswer.of(view.order, view.order_blotter),
            destination=view.destination,
            quantity_ordered=with_two_decimals(execution.quantity_ordered),
            quantity_placed=with_two_decimals(execution.quantity_placed),
            quantity_filled=with_two_decimals(execution.quantity_filled),
            limit_price=None if price is None else with_two_decimals(price),
            execution_service_id=execution.execution_service_id,
            version=execution.version,
        )


class BulkResult(OrderResult[TradeOrderAnswer], frozen=True):
    """One trade order of a bulk."""


class BulkAnswer(BatchAnswer[BulkResult], frozen=True):
    """All trade orders of a bulk were created."""


class SubmitResultAnswer(msgspec.Struct, frozen=True, rename="camel", gc=False):
    """The outcome of one submission of a batch."""

    trade_order_id: int
    status: ResultStatus
    message: str
    execution: ExecutionAnswer | None
    request_index: int

    @classmethod
    def of(cls, submitted: SubmittedOrder) -> "SubmitResultAnswer":
        """Presents a result; a pending one is no failure."""
        view, error = submitted.view, submitted.error
        if error is not None:
            message, status = error.message, FAILURE
        elif submitted.result is None:
            message, status = "execution created, not sent", SUCCESS
        else:
            message, status = "trade order submitted", SUCCESS
            if submitted.result.status is _PENDING:
                message = submitted.result.message
        execution = None if view is None else ExecutionAnswer.of(view)
        return cls(submitted.trade_order_id, status, message, execution, submitted.request_index)


class BatchSubmitAnswer(BatchAnswer[SubmitResultAnswer], frozen=True):
    """The outcomes of a batch of submissions."""

    @classmethod
    def summary(cls, submitted: Sequence[SubmittedOrder]) -> Self:
        results = [SubmitResultAnswer.of(one) for one in submitted]
        status, total, successful, failed = counted(results)
        message = f"{successful} successful, {failed} failed of {total}"
        if pending := sum(one.result is not None and one.result.status is _PENDING for one in submitted):
            message += f"; {pending} of the successful {PENDING_MESSAGE}"
        return cls(status, message, total, successful, failed, results)


def pending_headers(results: Iterable[ExecutionSubmitResult | None]) -> dict[str, str]:
    """Headers for what v1 bodies have no field for; empty when nothing is pending."""
    pending = [one for one in results if one is not None and one.status is _PENDING]
    if not pending:
        return {}
    states = sorted({str(one.state or "queued") for one in pending})
    messages = {one.message for one in pending}
    message = messages.pop() if len(messages) == 1 else PENDING_MESSAGE
    # It may quote the Execution Service, and a header takes printable ASCII only.
    message = "".join(one if " " <= one <= "~" else "?" for one in message)
    return {SUBMISSION_STATE: ",".join(states), SUBMISSION_MESSAGE: message}


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
        portfolio = PortfolioAnswer(named.order.portfolio_id, named.portfolio_name)
        security = SecurityAnswer(named.order.security_id, named.ticker)
        return presented(cls, named.order, portfolio=portfolio, security=security, blotter=named.blotter)


class OrderOfExecution(msgspec.Struct, frozen=True, rename="camel"):
    """The trade order of an execution, in short."""

    id: int
    order_id: int
    portfolio: PortfolioAnswer
    security: SecurityAnswer


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
    submission_state: str
    code: str | None
    """Why it is not accepted, as far as that is known."""

    @classmethod
    def of(cls, named: NamedExecution) -> "ExecutionV2":
        view, order = named.view, named.view.order
        portfolio = PortfolioAnswer(order.portfolio_id, named.portfolio_name)
        security = SecurityAnswer(order.security_id, named.ticker)
        return presented(
            cls,
            view.execution,
            execution_status=view.status,
            blotter=view.blotter,
            trade_type=view.trade_type,
            trade_order=OrderOfExecution(order.id, order.order_id, portfolio, security),
            destination=view.destination,
            code=named.code,
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
