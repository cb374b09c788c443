"""What a submission came to: counted as it happens, in memory that does not grow with it."""

import csv
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

import msgspec

from trade_service.domain.errors import DomainError, shorten
from trade_service.submission.breaker import CircuitState
from trade_service.submission.codes import OutcomeCode
from trade_service.submission.events import (
    AlarmEvent,
    BatchSubmissionEvent,
    CircuitEvent,
    LookUpEvent,
    SubmissionEvent,
)
from trade_service.submission.model import ExecutionSubmitResult, ReplyKind, SubmitStatus
from trade_service.trading.blotter_file import LineError
from trade_service.trading.model import PlacedLine

SHOWN_ERRORS = 20
ALARMS_KEPT = 20


class Outcome(msgspec.Struct):
    """Executions that ended the same way."""

    status: SubmitStatus
    code: str
    count: int
    example_id: int
    message: str


class Tally:
    """Lines, executions and their outcomes."""

    def __init__(self) -> None:
        self.lines = 0
        self.bad_lines = 0
        self.new_orders = 0
        self.known_orders = 0
        self.executions = 0
        self.expected: float | None = None
        """How many executions there will be, as far as can be told."""
        self.first_errors: list[LineError] = []
        self._outcomes: dict[tuple[SubmitStatus, str], Outcome] = {}
        self._by_status: Counter[SubmitStatus] = Counter()

    @property
    def outcomes(self) -> list[Outcome]:
        """All outcomes, the most frequent first."""
        return sorted(self._outcomes.values(), key=lambda outcome: -outcome.count)

    @property
    def accepted(self) -> int:
        """Executions that the Execution Service has."""
        return self._by_status[SubmitStatus.SUCCESS]

    @property
    def pending(self) -> int:
        """Executions that were not final when the wait for them ended."""
        return self._by_status[SubmitStatus.PENDING]

    @property
    def failed(self) -> int:
        """Executions that were definitely not accepted."""
        return self.told - self.accepted - self.pending

    @property
    def told(self) -> int:
        """Executions with a result."""
        return self._by_status.total()

    @property
    def is_all_good(self) -> bool:
        """Whether every line was good and every execution is accepted."""
        return not self.bad_lines and self.accepted == self.executions

    def take_errors(self, errors: Sequence[LineError]) -> None:
        """Counts bad lines; the errors of one line follow each other."""
        self.bad_lines += len({error.line for error in errors})
        self.first_errors += errors[: SHOWN_ERRORS - len(self.first_errors)]

    def take_placed(self, placed: Iterable[PlacedLine], columns: Mapping[str, str]) -> list[LineError]:
        """Counts lines that reached the database; returns what is wrong with those that did not pass."""
        errors = []
        for line in placed:
            if line.error is not None:
                errors.append(line_error(line.line, line.order_id, line.error, columns))
                continue
            self.executions += len(line.execution_ids)
            if line.new:
                self.new_orders += 1
            else:
                self.known_orders += 1
        self.take_errors(errors)
        return errors

    def take_result(self, result: ExecutionSubmitResult) -> None:
        """Counts what came of one execution."""
        self._by_status[result.status] += 1
        key = (result.status, result.code)
        outcome = self._outcomes.get(key)
        if outcome is None:
            self._outcomes[key] = Outcome(result.status, result.code, 1, result.execution_id, result.message)
        else:
            outcome.count += 1


class Survived:
    """What went wrong on the way and was mended: a listener on the submission's events."""

    def __init__(self) -> None:
        self.calls = 0
        self.failed_calls: Counter[str] = Counter()
        """Calls that were not answered item by item, by code."""
        self.unclear_items: Counter[str] = Counter()
        """Executions of answered calls whose part of the answer proved nothing, by code."""
        self.looked_up = 0
        """Executions whose outcome was unknown for a while."""
        self.found = 0
        self.absent = 0
        self.resent = 0
        self.alarms: list[str] = []
        self.last_trouble = ""

    def __call__(self, event: SubmissionEvent) -> None:
        """Takes an event."""
        match event:
            case BatchSubmissionEvent():
                self._take_batch(event)
            case LookUpEvent():
                self.found += event.found
                self.absent += event.absent
            case AlarmEvent():
                self.alarms = [*self.alarms, event.message][:ALARMS_KEPT]
            case CircuitEvent():
                self._take_circuit(event)

    def _take_circuit(self, event: CircuitEvent) -> None:
        if event.state is CircuitState.OPEN:
            self.last_trouble = f"{OutcomeCode.CIRCUIT_OPEN}: waiting, since {shorten(event.reason, 160)}"
        elif event.state is CircuitState.CLOSED:
            self.last_trouble = ""

    def _take_batch(self, event: BatchSubmissionEvent) -> None:
        if event.code == OutcomeCode.CIRCUIT_OPEN:
            return
        self.calls += 1
        self.resent += event.size if event.recovered else 0
        self.looked_up += event.unknown
        if event.kind is not ReplyKind.ANSWERED:
            self.failed_calls[event.code] += 1
            self.last_trouble = f"{event.code}: {shorten(event.message, 160)}"
        elif event.unknown:
            codes = (failure.code for failure in event.failures if failure.state == "unknown")
            self.unclear_items.update(codes)
        else:
            self.last_trouble = ""


class ErrorFile:
    """Writes every bad line as CSV, when asked to."""

    def __init__(self, path: Path | None) -> None:
        self._file = None if path is None else path.open("w", encoding="utf-8", newline="")
        self._writer = None if self._file is None else csv.writer(self._file, lineterminator="\n")
        if self._writer is not None:
            self._writer.writerow(("line", "order_id", "field", "value", "rule"))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._file is not None:
            self._file.close()

    def write(self, errors: Iterable[LineError]) -> None:
        """Writes errors, one a row."""
        if self._writer is not None:
            self._writer.writerows((e.line, e.order_id, e.field, e.value, e.rule) for e in errors)


def line_error(line: int, order_id: int, error: DomainError, columns: Mapping[str, str]) -> LineError:
    """What the database's rules say against a line, in the shape of what the reader says.

    `columns` tells how the file spells each field of an order.
    """
    field = str(error.details.get("field", "order"))
    value = str(error.details.get("value", order_id))
    return LineError(
        line, columns.get(field, field), value, error.message.removeprefix(f"{field}: "), order_id
    )
