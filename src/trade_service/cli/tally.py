"""Counts a submission as it happens, in memory that does not grow with it."""

import csv
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import msgspec

from trade_service.blotter.cells import spreadsheet_safe
from trade_service.blotter.records import CellError, Layout
from trade_service.cli.output_files import text_of, written
from trade_service.domain.errors import shorten
from trade_service.domain.fields import escaped
from trade_service.submission.circuit import CircuitState
from trade_service.submission.codes import OutcomeCode
from trade_service.submission.events import (
    AlarmEvent,
    BatchSubmissionEvent,
    CircuitEvent,
    LookUpEvent,
    SubmissionEvent,
)
from trade_service.submission.model import ExecutionSubmitResult, ReplyKind, SubmitStatus
from trade_service.trading.line_results import line_error
from trade_service.trading.model import PlacedLine

SHOWN_ERRORS = 20
ALARMS_KEPT = 20

WriteErrors = Callable[[Iterable[CellError]], object]


class Outcome(msgspec.Struct):
    """Executions that ended the same way."""

    status: SubmitStatus
    code: str
    count: int
    example_id: int
    message: str


class Tally:
    """Lines, executions and their outcomes; every bad line goes to `write_errors`."""

    def __init__(self, write_errors: WriteErrors = lambda _: None) -> None:
        self.unit = "line"
        """What the file calls its rows: line or row."""
        self.lines = 0
        self.bad_lines = 0
        self.over_limits = 0
        """Executions left out, since they exceed a limit."""
        self.known_orders = 0
        self.skipped = 0
        """Lines left out, since their orders were refused before."""
        self.executions = 0
        self.before = 0
        """Executions accepted by an earlier run."""
        self.for_person: list[int] = []
        """The first executions that only a person can settle; `for_person_count` counts all of them."""
        self.for_person_count = 0
        self.expected: float | None = None
        """How many executions there will be, as an estimate."""
        self.first_errors: list[CellError] = []
        self._write_errors = write_errors
        self._outcomes: dict[tuple[SubmitStatus, str], Outcome] = {}
        self._by_status: Counter[SubmitStatus] = Counter()

    @property
    def outcomes(self) -> list[Outcome]:
        """All outcomes, the most frequent first."""
        return sorted(self._outcomes.values(), key=lambda outcome: -outcome.count)

    @property
    def accepted(self) -> int:
        """Executions that the Execution Service accepted."""
        return self._by_status[SubmitStatus.SUCCESS]

    @property
    def pending(self) -> int:
        """Executions that were not final when the wait for them ended."""
        return self._by_status[SubmitStatus.PENDING]

    @property
    def failed(self) -> int:
        """Executions that were definitely not accepted."""
        return self.finished - self.accepted - self.pending

    @property
    def finished(self) -> int:
        """Executions with a result."""
        return self._by_status.total()

    @property
    def is_all_good(self) -> bool:
        """Whether every line was good, nothing was left out by a limit, and every execution is accepted."""
        return not self.bad_lines and not self.over_limits and self.accepted == self.executions

    @property
    def bad(self) -> str:
        """The bad lines in words, such as `1 bad line` or `27 bad rows`."""
        return f"{self.bad_lines:,} bad {self.unit}{'' if self.bad_lines == 1 else 's'}"

    def add_errors(self, errors: Sequence[CellError]) -> None:
        """Counts bad lines; the errors of one line follow each other."""
        self.bad_lines += len({error.line for error in errors})
        self.first_errors += errors[: SHOWN_ERRORS - len(self.first_errors)]
        self._write_errors(errors)

    def add_placed(self, placed: Iterable[PlacedLine], layout: Layout) -> None:
        """Counts lines that reached the database, those it refused included."""
        errors = []
        for line in placed:
            if line.error is not None:
                errors.append(line_error(line.line, line.order_id, line.error, layout))
                continue
            self.executions += len(line.execution_ids)
            self.known_orders += not line.new
        self.add_errors(errors)

    def add_for_person(self, execution_id: int) -> None:
        """Notes an execution that only a person can settle."""
        self.for_person_count += 1
        if len(self.for_person) < SHOWN_ERRORS:
            self.for_person.append(execution_id)

    def add_result(self, result: ExecutionSubmitResult) -> None:
        """Counts the result of one execution."""
        self._by_status[result.status] += 1
        self.before += result.code == OutcomeCode.ALREADY_ACCEPTED
        outcome = self._outcomes.setdefault(
            (result.status, result.code),
            Outcome(result.status, result.code, 0, result.execution_id, result.message),
        )
        outcome.count += 1


class Incidents:
    """Counts what went wrong on the way and was repaired; a listener on the submission's events."""

    def __init__(self) -> None:
        self.calls = 0
        self.failed_calls: Counter[str] = Counter()
        """Calls without an answer for each execution, by code."""
        self.unclear_items: Counter[str] = Counter()
        """Executions of answered calls whose part of the answer proved nothing, by code."""
        self.reconciled = 0
        """Executions whose outcome was unknown for a while."""
        self.found = 0
        self.absent = 0
        self.resent = 0
        self.alarms: list[str] = []
        self.last_trouble = ""

    def __call__(self, event: SubmissionEvent) -> None:
        match event:
            case BatchSubmissionEvent():
                self._add_batch(event)
            case LookUpEvent():
                self.found += event.found
                self.absent += event.absent
            case AlarmEvent():
                self.alarms = [*self.alarms, event.message][:ALARMS_KEPT]
            case CircuitEvent(state=CircuitState.OPEN):
                self.last_trouble = f"{OutcomeCode.CIRCUIT_OPEN}: waiting, since {shorten(event.reason, 160)}"
            case CircuitEvent(state=CircuitState.CLOSED):
                self.last_trouble = ""

    def _add_batch(self, event: BatchSubmissionEvent) -> None:
        if event.code == OutcomeCode.CIRCUIT_OPEN:
            return
        self.calls += 1
        self.resent += event.size if event.recovered else 0
        self.reconciled += event.unknown
        if event.kind is not ReplyKind.ANSWERED:
            self.failed_calls[event.code] += 1
            self.last_trouble = f"{event.code}: {shorten(event.message, 160)}"
        elif event.unknown:
            codes = (failure.code for failure in event.failures if failure.state == "unknown")
            self.unclear_items.update(codes)
        else:
            self.last_trouble = ""


@contextmanager
def error_writer(path: Path | None) -> Iterator[WriteErrors]:
    """Writes bad lines to a CSV file, one error a row, if a file is wanted."""
    if path is None:
        yield lambda _: None
        return
    with written(path) as stream:
        writer = csv.writer(text_of(stream), lineterminator="\n")
        header = [("line", "order_id", "field", "value", "rule")]

        def write(errors: Iterable[CellError]) -> None:
            if header:  # Until now the old file would have stayed.
                writer.writerow(header.pop())
            writer.writerows(
                (
                    e.line,
                    e.order_id,
                    *(spreadsheet_safe(escaped(part)) for part in (e.column, e.value, e.rule)),
                )
                for e in errors
            )

        yield write
