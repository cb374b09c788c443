"""Parameters and results of the use cases."""

import msgspec

from trade_service.domain.errors import DomainError
from trade_service.domain.executions import Execution, SubmissionState
from trade_service.domain.orders import NewTradeOrder, TradeOrder
from trade_service.domain.reference import Blotter, Destination, ExecutionStatus, TradeType
from trade_service.submission.model import Claim, ExecutionSubmitResult


class StoredExecution(msgspec.Struct, frozen=True, gc=False):
    """An execution and its trade order as the database holds them."""

    execution: Execution
    order: TradeOrder


class ClaimedSlices(msgspec.Struct, frozen=True):
    """Executions that were written and claimed in one step: as stored, and as the attempt owns them."""

    slices: tuple[StoredExecution, ...]
    claim: Claim


class Filled(msgspec.Struct, frozen=True):
    """An execution after a fill report, and what the report found."""

    stored: StoredExecution
    state_before: SubmissionState
    """A state that had given the quantity back means that the order lost it again."""


class ExecutionView(msgspec.Struct, frozen=True, gc=False):
    """An execution with all that it points to, as clients read it."""

    execution: Execution
    status: ExecutionStatus
    blotter: Blotter | None
    trade_type: TradeType | None
    destination: Destination
    order: TradeOrder
    order_blotter: Blotter | None


class SubmittedOrder(msgspec.Struct, frozen=True):
    """The result of submitting part of one trade order.

    Exactly one of `error` and `view` is set: `error` when the order could not be sliced or the execution
    was definitely not accepted, `view` when it was accepted or is still pending.
    """

    trade_order_id: int
    request_index: int
    error: DomainError | None = None
    view: ExecutionView | None = None
    result: ExecutionSubmitResult | None = None
    """How the submission went; None when the execution was not to be sent (`noExecuteSubmit`) or not sliced."""


class BlotterLine(msgspec.Struct, frozen=True):
    """One line of a blotter file: an order, and the destination for all of its quantity."""

    line: int
    """Number of the line in its file, from 1."""
    order: NewTradeOrder
    destination_id: int


class PlacedLine(msgspec.Struct, frozen=True):
    """The stored result of one blotter line, before anything is sent."""

    line: int
    order_id: int
    execution_ids: tuple[int, ...] = ()
    """Executions of this order: those of an earlier run that hold quantity of it, then the one
    just sliced from the rest."""
    new: bool = True
    """False when an equal order existed: the file resumes where an earlier run stopped."""
    error: DomainError | None = None


class NotAccepted(DomainError, code="NOT_ACCEPTED"):
    """An execution was definitely not accepted; its quantity was returned to the order."""

    def __init__(self, result: ExecutionSubmitResult) -> None:
        super().__init__(
            f"execution {result.execution_id} was not accepted: {result.message}",
            executionId=result.execution_id,
            reason=result.code,
            state=result.state,
        )
        self.result = result
