"""The outcome of each line of a blotter, and the columns of files of results and rejects."""

from collections.abc import Iterable, Mapping, Sequence

import msgspec

from trade_service.blotter.cells import as_text
from trade_service.blotter.records import CellError, Layout, OrderRecord, RefusedRow
from trade_service.domain.errors import DomainError
from trade_service.domain.executions import SubmissionState
from trade_service.submission.codes import OutcomeCode
from trade_service.submission.model import ExecutionSubmitResult, SubmitStatus
from trade_service.trading.model import PlacedLine

OUTCOME = tuple(
    f"result_{name}"
    for name in ("line", "order_id", "execution_ids", "state", "code", "message", "execution_service_id")
)
"""Our columns. None of them is a field of an order, so that a file of rejects can be read again."""
REFUSED = "refused"
SKIPPED = "skipped"
BAD_LINE = "BAD_LINE"
REFUSED_BEFORE = "REFUSED_BEFORE"
_REFUSALS = (SubmitStatus.FAILED, SubmitStatus.RETRY_EXHAUSTED)


class LineResult(msgspec.Struct, frozen=True):
    """The outcome of one line of a blotter, or of one execution; of several executions, in their order."""

    line: int | None
    order_id: int | None
    execution_ids: tuple[int, ...]
    state: str
    code: str
    message: str
    execution_service_ids: tuple[int, ...]
    cells: Sequence[str] = ()
    is_rejected: bool = False
    """Whether the line can be corrected and submitted again: it then goes to the file of rejects, too."""

    def values(self) -> tuple[str, ...]:
        """As text, in the order of `OUTCOME`."""
        return (
            *("" if one is None else str(one) for one in (self.line, self.order_id)),
            " ".join(map(str, self.execution_ids)),
            *(self.state, self.code, self.message),
            " ".join(map(str, self.execution_service_ids)),
        )


class ResultColumns:
    """The columns of a file of results: the input's own, then ours. Results of an earlier run give way to ours."""

    def __init__(self, header: Sequence[str]) -> None:
        own = _distinct(header)
        self._width = len(own)
        self._kept = [place for place, name in enumerate(own) if name not in OUTCOME]
        self.names = (*(own[place] for place in self._kept), *OUTCOME)

    def row(self, result: LineResult) -> tuple[str, ...]:
        """The cells of a result, as wide as the columns."""
        cells = [*map(as_text, result.cells[: self._width]), *[""] * (self._width - len(result.cells))]
        return (*(cells[place] for place in self._kept), *result.values())


def _distinct(header: Sequence[str]) -> list[str]:
    """Names of columns, each once: those without a name, and repeated ones, get their number."""
    names: list[str] = []
    for place, name in enumerate(header, 1):
        names.append(name if name and name not in names else f"{name or 'column'}_{place}")
    return names


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


def line_error(line: int, order_id: int, error: DomainError, layout: Layout) -> CellError:
    """A refusal by the database's rules in the shape of the reader's errors, in the file's own words."""
    columns = layout.api_columns
    field = str(error.details.get("field", "order"))
    value = str(error.details.get("value", order_id))
    rule = str(error.details.get("rule", error.message.removeprefix(f"{field}: ")))
    difference = str(error.details.get("difference", ""))
    rule = rule.removesuffix(difference) + columns.get(difference, difference)
    return CellError(line, columns.get(field, field), value, rule, order_id, layout.unit)
