"""Makes values of the engine."""

from decimal import Decimal

from trade_service.domain.executions import SubmissionState
from trade_service.submission.messages import (
    BatchExecutionResponse,
    ExecutionResult,
    RemoteExecution,
    RemoteExecutionPage,
    RemotePagination,
    Security,
)
from trade_service.submission.model import ClaimedExecution, OpenItem


def claimed(
    execution_id: int, attempts_spent: int = 1, budget_left_s: float = 60.0, trade_type: str | None = "BUY"
) -> ClaimedExecution:
    """A claimed execution of 10 of security S<id>."""
    return ClaimedExecution(
        execution_id, trade_type, "ML", f"S{execution_id}", Decimal(10), None, attempts_spent, budget_left_s
    )


def open_item(
    execution_id: int,
    state: SubmissionState = SubmissionState.UNKNOWN,
    attempts_spent: int = 1,
    budget_left_s: float = 60.0,
) -> OpenItem:
    """The same execution as recovery sees it."""
    return OpenItem(
        execution_id, state, "BUY", "ML", f"S{execution_id}", Decimal(10), attempts_spent, budget_left_s
    )


def remote(
    remote_id: int | None, execution_id: int | None, quantity: Decimal = Decimal(10)
) -> RemoteExecution:
    """The same execution as the Execution Service holds it."""
    return RemoteExecution(
        id=remote_id,
        execution_status="NEW",
        trade_type="BUY",
        destination="ML",
        security=Security(f"S{execution_id}", None),
        quantity=quantity,
        trade_service_execution_id=execution_id,
        version=1,
    )


def success(index: int | None, remote_id: int | None, execution_id: int | None) -> ExecutionResult:
    """A success of the item at `index`, created as `remote_id`."""
    return ExecutionResult(index, "SUCCESS", None, remote(remote_id, execution_id))


def failure(index: int | None, message: str = "Security ID is required") -> ExecutionResult:
    """A failure of the item at `index`."""
    return ExecutionResult(index, "FAILED", message, None)


def answer(*results: ExecutionResult) -> BatchExecutionResponse:
    """An answer with these results and matching counts."""
    good = sum(result.status == "SUCCESS" for result in results)
    return BatchExecutionResponse(
        "PARTIAL_SUCCESS", None, len(results), good, len(results) - good, list(results)
    )


def page(rows: list[RemoteExecution], total: int, *, has_next: bool = False) -> RemoteExecutionPage:
    return RemoteExecutionPage(rows, RemotePagination(has_next, total))
