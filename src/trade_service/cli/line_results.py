"""The outcome of a line of a blotter, as files of results show it."""

from collections.abc import Iterable, Mapping, Sequence

from trade_service.blotter.records import CellError, OrderRecord, RefusedRow
from trade_service.cli.result_files import LineResult
from trade_service.domain.executions import SubmissionState
from trade_service.submission.codes import OutcomeCode
from trade_service.submission.model import ExecutionSubmitResult, SubmitStatus
from trade_service.trading.model import PlacedLine

REFUSED = "refused"
SKIPPED = "skipped"
BAD_LINE = "BAD_LINE"
REFUSED_BEFORE = "REFUSED_BEFORE"
_REFUSALS = (SubmitStatus.FAILED, SubmitStatus.RETRY_EXHAUSTED)


def refused_result(row: RefusedRow) -> LineResult:
    """A line that is no order."""
    message = "; ".join(error.complaint for error in row.errors)
    return LineResult(row.line, row.order_id, (), REFUSED, BAD_LINE, message, (), row.cells, is_rejected=True)


def taken_result(error: CellError, code: str, cells: Sequence[str]) -> LineResult:
    """A line that the rules of the database refuse, with the code of the refusal."""
    return LineResult(
        error.line, error.order_id, (), REFUSED, code, error.complaint, (), cells, is_rejected=True
    )


def skipped_result(record: OrderRecord) -> LineResult:
    """A line that --skip-rejected leaves out."""
    message = "its executions were rejected or exhausted in an earlier run; left out by --skip-rejected"
    return LineResult(
        record.line,
        record.order.order_id,
        (),
        SKIPPED,
        REFUSED_BEFORE,
        message,
        (),
        record.cells,
        is_rejected=True,
    )


def placed_result(
    line: PlacedLine, results: Mapping[int, ExecutionSubmitResult], cells: Sequence[str]
) -> LineResult:
    """A line whose order was placed."""
    where = line.line or None, line.order_id or None
    found = [results.get(i) or _unfinished(i) for i in line.execution_ids]
    return LineResult(
        *where,
        line.execution_ids,
        _joined(str(one.state or "") for one in found),
        _joined(one.code for one in found),
        "; ".join(dict.fromkeys(one.message for one in found)),
        tuple(one.execution_service_id for one in found if one.execution_service_id is not None),
        cells,
        is_rejected=any(one.status in _REFUSALS for one in found),
    )


def waits_for_person(execution_id: int) -> ExecutionSubmitResult:
    """An execution that only a person can settle."""
    message = (
        f"waits for you: see `trade-service show {execution_id}`, then settle it with `trade-service resolve`"
    )
    return ExecutionSubmitResult(
        execution_id, SubmitStatus.PENDING, SubmissionState.UNKNOWN, OutcomeCode.PENDING, message
    )


def _unfinished(execution_id: int) -> ExecutionSubmitResult:
    message = "no result yet: run the same command again"
    return ExecutionSubmitResult(
        execution_id, SubmitStatus.PENDING, SubmissionState.QUEUED, OutcomeCode.PENDING, message
    )


def _joined(texts: Iterable[str]) -> str:
    """One text where all are equal, else all in their order."""
    every = list(texts)
    return every[0] if len(set(every)) == 1 else " ".join(every)
